#include "value/zset_node.h"

/* A stretch of ranks. */
struct span {
    uint64_t first, last;
};

/* The hole is at `from`, what stands behind it up to `to` moves one place forward. */
static void shift_forward(struct zset_tree_iter from, struct zset_tree_iter to,
                          struct zset_entry entry)
{
    struct zset_leaf *l = (struct zset_leaf *)(uintptr_t)from.leaf;
    uint32_t hole = from.index;
    for (; l != to.leaf; l = l->next, hole = 0) {
        leaf_move(l, hole, l, hole + 1, l->used - 1 - hole);
        leaf_set(l, l->used - 1, leaf_entry(l->next, 0));
    }
    leaf_move(l, hole, l, hole + 1, to.index - hole);
    leaf_set(l, to.index, entry);
}

/* The hole is at `from`, what stands before it down to `to` moves one place back. */
static void shift_back(struct zset_tree_iter from, struct zset_tree_iter to,
                       struct zset_entry entry)
{
    struct zset_leaf *l = (struct zset_leaf *)(uintptr_t)from.leaf;
    uint32_t hole = from.index;
    for (; l != to.leaf; l = l->prev, hole = l->used - 1) {
        leaf_move(l, 1, l, 0, hole);
        leaf_set(l, 0, leaf_entry(l->prev, l->prev->used - 1));
    }
    leaf_move(l, to.index + 1, l, to.index, hole - to.index);
    leaf_set(l, to.index, entry);
}

/* Sets the keys of all subtrees that begin within the span, which counts from the node's first
 * entry; returns that entry. Goes as deep as the tree is high, ZSET_TREE_HEIGHT_MAX at most. */
static struct zset_entry keys_renew(void *node, uint32_t height, struct span span)
{
    if (height == 0) return leaf_entry(node, 0);
    struct zset_inner *n = node;
    struct zset_entry first = {0};
    uint64_t begin = 0;
    for (uint32_t slot = 0; slot < n->used && begin <= span.last; begin += n->counts[slot++]) {
        if (slot > 0 && begin + n->counts[slot] <= span.first) continue;
        struct span below = {span.first > begin ? span.first - begin : 0, span.last - begin};
        struct zset_entry key = keys_renew(n->children[slot], height - 1, below);
        if (slot == 0)
            first = key;
        else
            inner_set_key(n, slot, key);
    }
    return first;
}

void zset_tree_shift(struct zset_tree *t, const struct heap *h, struct zset_entry entry,
                     double score)
{
    struct zset_tree_iter from, to;
    uint64_t from_rank = zset_tree_rank(t, h, entry);
    entry.score = score;
    uint64_t to_rank = zset_tree_rank(t, h, entry);
    if (to_rank > from_rank) to_rank--; /* it does not stand before itself */
    zset_tree_seek(t, from_rank, &from);
    zset_tree_seek(t, to_rank, &to);
    if (from_rank <= to_rank) {
        shift_forward(from, to, entry);
        keys_renew(t->root, t->height, (struct span){from_rank, to_rank});
    } else {
        shift_back(from, to, entry);
        keys_renew(t->root, t->height, (struct span){to_rank, from_rank});
    }
}
