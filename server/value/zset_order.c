#include "value/zset_node.h"

uint64_t zset_tree_rank(const struct zset_tree *t, const struct heap *h, struct zset_entry entry)
{
    uint64_t rank = 0;
    const void *node = t->root;
    for (uint32_t level = 0; level < t->height; level++) {
        const struct zset_inner *n = node;
        uint32_t slot = inner_slot_of(h, n, entry);
        rank += inner_sum(n, slot);
        node = n->children[slot];
    }
    return rank + leaf_index_of(h, node, entry);
}

static uint32_t keys_count(const double *scores, const val *members, uint32_t n,
                           zset_tree_before *before, const void *ctx)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before(ctx, scores[middle], members[middle]))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t zset_tree_count(const struct zset_tree *t, zset_tree_before *before, const void *ctx)
{
    uint64_t count = 0;
    const void *node = t->root;
    if (!node) return 0;
    for (uint32_t level = 0; level < t->height; level++) {
        const struct zset_inner *n = node;
        uint32_t slot = keys_count(n->scores + 1, n->members + 1, n->used - 1, before, ctx);
        count += inner_sum(n, slot);
        node = n->children[slot];
    }
    const struct zset_leaf *l = node;
    return count + keys_count(l->scores, leaf_members(l), l->used, before, ctx);
}

void zset_tree_seek(const struct zset_tree *t, uint64_t rank, struct zset_tree_iter *it)
{
    const void *node = t->root;
    ASSERT(node);
    for (uint32_t level = 0; level < t->height; level++) {
        const struct zset_inner *n = node;
        uint32_t slot = 0;
        while (rank >= n->counts[slot]) {
            rank -= n->counts[slot++];
            ASSERT(slot < n->used);
        }
        node = n->children[slot];
    }
    ASSERT(rank < ((const struct zset_leaf *)node)->used);
    *it = (struct zset_tree_iter){node, (uint32_t)rank};
}

struct zset_entry zset_tree_at(const struct zset_tree_iter *it)
{
    return leaf_entry(it->leaf, it->index);
}

bool zset_tree_next(struct zset_tree_iter *it)
{
    const struct zset_leaf *l = it->leaf;
    if (it->index + 1 < l->used) {
        it->index++;
        return true;
    }
    if (!l->next) return false;
    *it = (struct zset_tree_iter){l->next, 0};
    return true;
}

bool zset_tree_prev(struct zset_tree_iter *it)
{
    const struct zset_leaf *l = it->leaf;
    if (it->index > 0) {
        it->index--;
        return true;
    }
    if (!l->prev) return false;
    *it = (struct zset_tree_iter){l->prev, l->prev->used - 1};
    return true;
}

/* What the walk of a check has seen so far. */
struct zset_seen {
    const struct heap *h;
    const struct zset_leaf *last;
    uint64_t entries;
    uint32_t height, leaves, inners;
};

static bool leaf_check(struct zset_seen *seen, const struct zset_leaf *l)
{
    bool root = seen->height == 0;
    bool good = l->used > 0 && l->used <= l->capacity;
    good &= root || l->capacity == ZSET_LEAF_ENTRIES;
    good &= root || !l->next || l->used >= ZSET_LEAF_MIN;
    good &= l->prev == seen->last && (!l->prev || l->prev->next == l);
    if (!good) return false;
    struct zset_entry before = leaf_entry(l, 0);
    if (l->prev && entry_compare(seen->h, leaf_entry(l->prev, l->prev->used - 1), before) >= 0)
        return false;
    for (uint32_t i = 1; i < l->used; i++) {
        struct zset_entry entry = leaf_entry(l, i);
        if (entry_compare(seen->h, before, entry) >= 0) return false;
        before = entry;
    }
    seen->last = l;
    seen->leaves++;
    seen->entries += l->used;
    return true;
}

/* Goes as deep as the tree is high, ZSET_TREE_HEIGHT_MAX at most. `first` receives the first entry
 * below the node. */
static bool node_check(struct zset_seen *seen, const void *node, uint32_t level,
                       struct zset_entry *first)
{
    if (level == seen->height) {
        if (!leaf_check(seen, node)) return false; /* invariants 1 and 2 */
        *first = leaf_entry(node, 0);
        return true;
    }
    const struct zset_inner *n = node;
    uint32_t least = level == 0 ? 2 : ZSET_INNER_MIN;
    if (n->used < least || n->used > ZSET_INNER_CHILDREN) return false; /* 2 */
    for (uint32_t i = 0; i < n->used; i++) {
        uint64_t entries = seen->entries;
        struct zset_entry child_first;
        if (!node_check(seen, n->children[i], level + 1, &child_first)) return false;
        if (n->counts[i] != seen->entries - entries) return false; /* 3 */
        struct zset_entry key = i ? inner_key(n, i) : child_first;
        if (key.member.w != child_first.member.w || key.score != child_first.score) return false;
        if (i == 0) *first = child_first;
    }
    seen->inners++;
    return true;
}

bool zset_tree_check(const struct zset_tree *t, const struct heap *h, uint64_t length)
{
    struct zset_seen seen = {.h = h, .height = t->height};
    struct zset_entry first;
    if (!t->root) return length == 0 && t->height == 0 && t->leaves == 0 && t->inners == 0;
    if (t->height > ZSET_TREE_HEIGHT_MAX || !node_check(&seen, t->root, 0, &first)) return false;
    return !seen.last->next && seen.entries == length && seen.leaves == t->leaves && /* 4 */
           seen.inners == t->inners;
}
