/* The order of a zset on the move: a leaf at a time, and the inner nodes on the way to it. */
#include "value/zset_node.h"

/* A leaf elsewhere: its neighbours follow. */
static struct zset_leaf *leaf_moved(struct pool *p, struct zset_leaf *l)
{
    struct zset_leaf *now = pool_move(p, l, zset_leaf_bytes(l->capacity));
    if (now->prev) now->prev->next = now;
    if (now->next) now->next->prev = now;
    return now;
}

uint64_t zset_tree_move(struct zset_tree *t, struct pool *p, uint64_t rank, zset_tree_moving *each,
                        void *ctx)
{
    void **at = &t->root; /* what names the node */
    struct zset_inner *named = NULL;
    uint32_t named_slot = 0; /* whose key is the leaf's first entry; NULL: none is */
    uint64_t left = rank;
    for (uint32_t level = 0; level < t->height; level++) {
        struct zset_inner *n = *at = pool_move(p, *at, sizeof(struct zset_inner));
        uint32_t slot = 0;
        for (; slot + 1 < n->used && left >= n->counts[slot]; slot++) left -= n->counts[slot];
        if (slot > 0) {
            named = n;
            named_slot = slot;
        }
        at = &n->children[slot];
    }
    struct zset_leaf *l = *at = leaf_moved(p, *at);
    for (uint32_t i = 0; i < l->used; i++) {
        struct zset_entry entry = leaf_entry(l, i);
        if (!each(ctx, &entry)) continue;
        leaf_set(l, i, entry);
        if (i == 0 && named) inner_set_key(named, named_slot, entry);
    }
    return rank - left + l->used;
}
