#include "value/zset_node.h"

/* What a split hands to the level above: the new right sibling. */
struct zset_split {
    void *node; /* NULL: no split */
    struct zset_entry first;
    uint32_t count;
};

/* The sizes of a leaf that is the root; each fills its size class. */
static const uint32_t leaf_capacities[] = {4, 8, 14, 30, ZSET_LEAF_ENTRIES};

static uint32_t leaf_capacity_above(uint32_t capacity)
{
    uint32_t i = 0;
    while (leaf_capacities[i] <= capacity) i++;
    return leaf_capacities[i];
}

static struct zset_leaf *leaf_new(struct pool *p, uint32_t capacity)
{
    struct zset_leaf *l = pool_alloc(p, zset_leaf_bytes(capacity));
    if (!l) return NULL;
    l->prev = l->next = NULL;
    l->used = 0;
    l->capacity = capacity;
    return l;
}

static void leaf_free(struct pool *p, struct zset_leaf *l)
{
    if (l) pool_free(p, l, zset_leaf_bytes(l->capacity));
}

static void leaf_put(struct zset_leaf *l, uint32_t index, struct zset_entry entry)
{
    leaf_move(l, index + 1, l, index, l->used - index);
    leaf_set(l, index, entry);
    l->used++;
}

/* Moves `n` children with their keys and counts. */
static void inner_move(struct zset_inner *to, uint32_t to_slot, const struct zset_inner *from,
                       uint32_t from_slot, uint32_t n)
{
    memmove(to->children + to_slot, from->children + from_slot, n * sizeof(void *));
    memmove(to->scores + to_slot, from->scores + from_slot, n * sizeof(double));
    memmove(to->members + to_slot, from->members + from_slot, n * sizeof(val));
    memmove(to->counts + to_slot, from->counts + from_slot, n * sizeof(uint32_t));
}

static void inner_put(struct zset_inner *n, uint32_t slot, const struct zset_split *split)
{
    inner_move(n, slot + 1, n, slot, n->used - slot);
    n->children[slot] = split->node;
    n->counts[slot] = split->count;
    inner_set_key(n, slot, split->first);
    n->used++;
}

static void inner_erase(struct zset_inner *n, uint32_t slot)
{
    n->used--;
    inner_move(n, slot, n, slot + 1, n->used - slot);
}

/* The tree has a root. */
static void path_find(const struct zset_tree *t, const struct heap *h, struct zset_entry entry,
                      struct zset_path *path)
{
    void *node = t->root;
    for (uint32_t level = 0; level < t->height; level++) {
        struct zset_inner *n = node;
        path->node[level] = n;
        path->slot[level] = inner_slot_of(h, n, entry);
        node = n->children[path->slot[level]];
    }
    path->leaf = node;
    path->index = leaf_index_of(h, path->leaf, entry);
}

/* The first entry of the path's leaf has changed: so has the key of the subtree that begins with
 * it, if any does. */
static void path_set_first(const struct zset_tree *t, const struct zset_path *path)
{
    for (uint32_t level = t->height; level-- > 0;) {
        if (path->slot[level] == 0) continue;
        inner_set_key(path->node[level], path->slot[level], leaf_entry(path->leaf, 0));
        return;
    }
}

/* Takes the entry at the path's end out of its leaf, and does nothing about what may be too few. */
static void path_erase(const struct zset_tree *t, const struct zset_path *path)
{
    struct zset_leaf *l = path->leaf;
    l->used--;
    leaf_move(l, path->index, l, path->index + 1, l->used - path->index);
    for (uint32_t level = 0; level < t->height; level++)
        path->node[level]->counts[path->slot[level]]--;
    /* Only the last leaf can be empty now; it is not the first of its parent, so that joining it
     * removes its key. */
    if (path->index == 0 && l->used) path_set_first(t, path);
}

/* The capacity of the leaf that an insertion here needs, 0 for none; and how many inner nodes. */
static uint32_t room_needed(const struct zset_tree *t, const struct zset_path *path,
                            uint32_t *inners)
{
    *inners = 0;
    if (!t->root) return leaf_capacities[0];
    if (path->leaf->used < path->leaf->capacity) return 0;
    if (path->leaf->capacity < ZSET_LEAF_ENTRIES) return leaf_capacity_above(path->leaf->capacity);
    uint32_t level = t->height;
    while (level > 0 && path->node[level - 1]->used == ZSET_INNER_CHILDREN) level--;
    *inners = t->height - level + (level == 0);
    return ZSET_LEAF_ENTRIES;
}

enum status zset_tree_reserve(const struct zset_tree *t, const struct heap *h,
                              struct zset_entry entry, struct zset_tree_room *room)
{
    if (t->root) path_find(t, h, entry, &room->path);
    room->leaf = NULL;
    room->inners = 0;
    uint32_t inners;
    uint32_t capacity = room_needed(t, &room->path, &inners);
    if (capacity == 0) return STATUS_OK;
    ASSERT(t->height + (inners > t->height) <= ZSET_TREE_HEIGHT_MAX);
    room->leaf = leaf_new(h->pool, capacity);
    if (!room->leaf) return STATUS_OOM;
    while (room->inners < inners) {
        struct zset_inner *n = pool_alloc(h->pool, sizeof(*n));
        if (!n) {
            zset_tree_cancel(h, room);
            return STATUS_OOM;
        }
        room->inner[room->inners++] = n;
    }
    return STATUS_OK;
}

void zset_tree_cancel(const struct heap *h, struct zset_tree_room *room)
{
    leaf_free(h->pool, room->leaf);
    while (room->inners) {
        room->inners--;
        pool_free(h->pool, room->inner[room->inners], sizeof(struct zset_inner));
    }
}

/* A full root that is a small leaf: its entries move to the larger one that was reserved. */
static void leaf_grow(struct zset_tree *t, struct pool *p, struct zset_leaf *to)
{
    struct zset_leaf *from = t->root;
    leaf_move(to, 0, from, 0, from->used);
    to->used = from->used;
    t->root = to;
    leaf_free(p, from);
}

/* An insertion behind everything leaves the full leaf as it is, so that ascending insertions fill
 * their leaves. */
static void leaf_split(struct zset_leaf *l, struct zset_leaf *right, uint32_t index,
                       struct zset_entry entry, struct zset_split *split)
{
    bool append = index == l->used && !l->next;
    uint32_t keep = append ? l->used : l->used / 2;
    right->used = l->used - keep;
    leaf_move(right, 0, l, keep, right->used);
    l->used = keep;
    right->prev = l;
    right->next = l->next;
    if (right->next) right->next->prev = right;
    l->next = right;
    if (index <= keep && !append)
        leaf_put(l, index, entry);
    else
        leaf_put(right, index - keep, entry);
    *split = (struct zset_split){right, leaf_entry(right, 0), right->used};
}

/* Puts the lower level's split into a full node at `slot` > 0, and leaves this level's split in its
 * stead. At the end two thirds stay, for ascending insertions. */
static void inner_split(struct zset_inner *n, struct zset_inner *right, uint32_t slot,
                        struct zset_split *split)
{
    uint32_t keep = slot == n->used ? n->used - ZSET_INNER_MIN : n->used / 2;
    struct zset_entry first = inner_key(n, keep);
    right->used = n->used - keep;
    inner_move(right, 0, n, keep, right->used);
    n->used = keep;
    if (slot <= keep)
        inner_put(n, slot, split);
    else
        inner_put(right, slot - keep, split);
    *split = (struct zset_split){right, first, inner_sum(right, right->used)};
}

static void root_grow(struct zset_tree *t, struct zset_inner *root, const struct zset_split *split,
                      uint32_t left_count)
{
    root->used = 1;
    root->children[0] = t->root;
    root->counts[0] = left_count;
    inner_put(root, 1, split);
    t->root = root;
    t->height++;
}

void zset_tree_insert(struct zset_tree *t, const struct heap *h, struct zset_tree_room *room,
                      struct zset_entry entry)
{
    struct zset_path *path = &room->path;
    struct zset_split split = {0};
    uint32_t left_count = 0; /* of the topmost node that was split */
    if (!t->root) {
        t->root = room->leaf;
        t->leaves = 1;
        leaf_put(room->leaf, 0, entry);
        return;
    }
    if (!room->leaf) {
        leaf_put(path->leaf, path->index, entry);
    } else if (path->leaf->capacity < ZSET_LEAF_ENTRIES) {
        leaf_grow(t, h->pool, room->leaf);
        leaf_put(room->leaf, path->index, entry);
    } else {
        leaf_split(path->leaf, room->leaf, path->index, entry, &split);
        left_count = path->leaf->used;
        t->leaves++;
    }
    for (uint32_t level = t->height; level-- > 0;) {
        struct zset_inner *n = path->node[level];
        uint32_t slot = path->slot[level];
        n->counts[slot] += 1 - split.count;
        if (!split.node) continue;
        if (n->used < ZSET_INNER_CHILDREN) {
            inner_put(n, slot + 1, &split);
            split = (struct zset_split){0};
        } else {
            inner_split(n, room->inner[--room->inners], slot + 1, &split);
            t->inners++;
            left_count = inner_sum(n, n->used);
        }
    }
    if (!split.node) return;
    root_grow(t, room->inner[--room->inners], &split, left_count);
    t->inners++;
}

/* A root that is a leaf and mostly empty moves to a smaller block, if there is one to be had. */
static void leaf_shrink(struct zset_tree *t, struct pool *p)
{
    struct zset_leaf *l = t->root;
    if (l->used == 0) {
        leaf_free(p, l);
        zset_tree_init(t);
        return;
    }
    if (l->used * 2 >= l->capacity) return;
    uint32_t capacity = leaf_capacity_above(l->used * 2);
    if (capacity >= l->capacity) return;
    struct zset_leaf *small = leaf_new(p, capacity);
    if (!small) return;
    leaf_move(small, 0, l, 0, l->used);
    small->used = l->used;
    t->root = small;
    leaf_free(p, l);
}

/* The leaf below `slot` has too few entries: joins it with its neighbour below the same parent, or
 * evens the two out. */
static void leaves_even(struct zset_tree *t, struct pool *p, struct zset_inner *parent,
                        uint32_t slot)
{
    uint32_t at = slot ? slot - 1 : 0;
    struct zset_leaf *l = parent->children[at], *r = parent->children[at + 1];
    uint32_t sum = l->used + r->used;
    if (sum <= ZSET_LEAF_ENTRIES) {
        leaf_move(l, l->used, r, 0, r->used);
        l->next = r->next;
        if (l->next) l->next->prev = l;
        inner_erase(parent, at + 1);
        leaf_free(p, r);
        t->leaves--;
        l->used = sum;
    } else {
        uint32_t keep = sum / 2;
        if (l->used < keep) {
            uint32_t n = keep - l->used;
            leaf_move(l, l->used, r, 0, n);
            leaf_move(r, 0, r, n, r->used - n);
        } else {
            uint32_t n = l->used - keep;
            leaf_move(r, n, r, 0, r->used);
            leaf_move(r, 0, l, keep, n);
        }
        l->used = keep;
        r->used = sum - keep;
        parent->counts[at + 1] = r->used;
        inner_set_key(parent, at + 1, leaf_entry(r, 0));
    }
    parent->counts[at] = l->used;
}

/* The same for inner nodes. The right one's first key stands in the parent. */
static void inners_even(struct zset_tree *t, struct pool *p, struct zset_inner *parent,
                        uint32_t slot)
{
    uint32_t at = slot ? slot - 1 : 0;
    struct zset_inner *l = parent->children[at], *r = parent->children[at + 1];
    uint32_t sum = l->used + r->used;
    inner_set_key(r, 0, inner_key(parent, at + 1));
    if (sum <= ZSET_INNER_CHILDREN) {
        inner_move(l, l->used, r, 0, r->used);
        inner_erase(parent, at + 1);
        pool_free(p, r, sizeof(*r));
        t->inners--;
        l->used = sum;
    } else {
        uint32_t keep = sum / 2;
        if (l->used < keep) {
            uint32_t n = keep - l->used;
            inner_move(l, l->used, r, 0, n);
            inner_move(r, 0, r, n, r->used - n);
        } else {
            uint32_t n = l->used - keep;
            inner_move(r, n, r, 0, r->used);
            inner_move(r, 0, l, keep, n);
        }
        l->used = keep;
        r->used = sum - keep;
        parent->counts[at + 1] = inner_sum(r, r->used);
        inner_set_key(parent, at + 1, inner_key(r, 0));
    }
    parent->counts[at] = inner_sum(l, l->used);
}

void zset_tree_remove(struct zset_tree *t, const struct heap *h, struct zset_entry entry)
{
    struct zset_path path;
    ASSERT(t->root);
    path_find(t, h, entry, &path);
    ASSERT(path.index < path.leaf->used);
    ASSERT(leaf_members(path.leaf)[path.index].w == entry.member.w);
    path_erase(t, &path);
    if (t->height == 0) {
        leaf_shrink(t, h->pool);
        return;
    }
    if (path.leaf->used >= ZSET_LEAF_MIN) return;
    uint32_t level = t->height - 1;
    leaves_even(t, h->pool, path.node[level], path.slot[level]);
    for (; level > 0 && path.node[level]->used < ZSET_INNER_MIN; level--)
        inners_even(t, h->pool, path.node[level - 1], path.slot[level - 1]);
    struct zset_inner *root = t->root;
    if (root->used > 1) return;
    t->root = root->children[0];
    t->height--;
    t->inners--;
    pool_free(h->pool, root, sizeof(*root));
}

/* A new score that keeps the entry in its leaf. */
static bool rescore_within(const struct zset_tree *t, const struct heap *h,
                           const struct zset_path *path, struct zset_entry entry)
{
    struct zset_leaf *l = path->leaf;
    uint32_t from = path->index;
    uint32_t to = leaf_index_of(h, l, entry);
    if (to > from) to--;
    if (to == 0 && l->prev && entry_compare(h, leaf_entry(l->prev, l->prev->used - 1), entry) > 0)
        return false;
    if (to == l->used - 1 && l->next && entry_compare(h, entry, leaf_entry(l->next, 0)) > 0)
        return false;
    if (from < to)
        leaf_move(l, from, l, from + 1, to - from);
    else
        leaf_move(l, to + 1, l, to, from - to);
    leaf_set(l, to, entry);
    if (from == 0 || to == 0) path_set_first(t, path);
    return true;
}

bool zset_tree_rescore(struct zset_tree *t, const struct heap *h, struct zset_entry entry,
                       double score)
{
    struct zset_path from, to;
    path_find(t, h, entry, &from);
    DASSERT(leaf_members(from.leaf)[from.index].w == entry.member.w);
    entry.score = score;
    if (rescore_within(t, h, &from, entry)) return true;
    if (from.leaf->used == ZSET_LEAF_MIN) return false;
    path_find(t, h, entry, &to); /* another leaf, or it would have been within */
    if (to.leaf->used == ZSET_LEAF_ENTRIES || from.leaf->used == 1) return false;
    path_erase(t, &from);
    for (uint32_t level = 0; level < t->height; level++) to.node[level]->counts[to.slot[level]]++;
    leaf_put(to.leaf, to.index, entry); /* in front of all only where no key names the leaf */
    return true;
}

/* Frees the last leaf and the inner nodes above it that it leaves empty. */
static void last_leaf_free(struct zset_tree *t, struct pool *p)
{
    struct zset_inner *nodes[ZSET_TREE_HEIGHT_MAX];
    void *node = t->root;
    for (uint32_t level = 0; level < t->height; level++) {
        nodes[level] = node;
        node = nodes[level]->children[nodes[level]->used - 1];
    }
    leaf_free(p, node);
    t->leaves--;
    for (uint32_t level = t->height; level-- > 0;) {
        if (--nodes[level]->used > 0) return;
        pool_free(p, nodes[level], sizeof(*nodes[level]));
        t->inners--;
    }
    DASSERT(t->leaves == 0 && t->inners == 0);
    zset_tree_init(t);
}

bool zset_tree_free_step(struct zset_tree *t, struct pool *p, uint32_t leaves_max)
{
    for (uint32_t i = 0; i < leaves_max && t->root; i++) last_leaf_free(t, p);
    return !t->root;
}

size_t zset_tree_bytes(const struct zset_tree *t)
{
    if (!t->root) return 0;
    uint32_t capacity = ZSET_LEAF_ENTRIES;
    if (t->height == 0) capacity = ((const struct zset_leaf *)t->root)->capacity;
    return t->leaves * pool_good_bytes(zset_leaf_bytes(capacity)) +
           t->inners * pool_good_bytes(sizeof(struct zset_inner));
}
