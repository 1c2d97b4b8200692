/*
 * The order of a sorted set: a counted B+ tree of (score, member).
 *
 * Called by zset_indexed.c alone; zset_tree.c, zset_shift.c and zset_move.c change the tree,
 * zset_order.c reads it. It knows nothing of counts and membership: it borrows its members, and
 * whoever calls it makes sure that no two entries are equal and that a member outlives its entry.
 *
 *   leaf    +------+------+----------------+------------ .. +------------- .. +
 *           | prev | next | used, capacity | scores         | members         |
 *           +------+------+----------------+------------ .. +------------- .. +
 *   inner   +------+-------------- .. +------------ .. +------------- .. +----------- .. +
 *           | used | children         | scores         | members         | counts        |
 *           +------+-------------- .. +------------ .. +------------- .. +----------- .. +
 *
 * A full-sized leaf and an inner node have 1016 bytes each.
 *
 * Scores and members lie apart, so that a search reads scores only and looks at members on a tie. A
 * child's key in an inner node is the very first entry below it (the key of child 0 is unused): a
 * key that was only some separator could name a member that has left the set and been freed. A tree
 * of one leaf has a leaf of 4, 8, 14, 30 or 62 entries, so that small sets stay small.
 *
 * Invariants (zset_tree_check)
 *   1. Entries ascend by score, then by val_compare, along the leaves' links in both directions.
 *   2. All leaves lie `height` inner nodes deep and none is empty; one that is neither the last nor
 *      the root holds ZSET_LEAF_MIN entries at least, an inner node ZSET_INNER_MIN children (the
 *      root two).
 *   3. The key of child i > 0 is the first entry below it; a child's count is that of the entries.
 *   4. `leaves` and `inners` are the numbers of nodes.
 * Ownership: nodes are the tree's, members are borrowed.
 * Cost: insert, remove, rank, seek O(log n), a search reading some three cache lines a level; next
 * and prev O(1). An insertion reserves its nodes first, and so either happens or changes nothing; a
 * removal allocates nothing that it needs.
 */
#ifndef HEAPD_VALUE_ZSET_TREE_H
#define HEAPD_VALUE_ZSET_TREE_H

#include "value/zset.h"

enum {
    ZSET_LEAF_ENTRIES = 62,
    ZSET_LEAF_MIN = 21,
    ZSET_INNER_CHILDREN = 36,
    ZSET_INNER_MIN = 12,
    /* 2^32 entries in leaves of 21 and nodes of 12 are nine levels; an insertion may stand beside
       the entry that it replaces. */
    ZSET_TREE_HEIGHT_MAX = 10,
};

struct zset_leaf;
struct zset_inner;

struct zset_tree {
    void *root;      /* a leaf at height 0, else an inner node; NULL: empty */
    uint32_t height; /* levels of inner nodes */
    uint32_t leaves;
    uint32_t inners;
};

/* The way from the root to an entry, or to the place where it would be. */
struct zset_path {
    struct zset_inner *node[ZSET_TREE_HEIGHT_MAX];
    uint32_t slot[ZSET_TREE_HEIGHT_MAX]; /* which child was taken */
    struct zset_leaf *leaf;
    uint32_t index;
};

/* What an insertion has found and reserved. */
struct zset_tree_room {
    struct zset_path path;
    struct zset_leaf *leaf;
    struct zset_inner *inner[ZSET_TREE_HEIGHT_MAX];
    uint32_t inners;
};

static inline void zset_tree_init(struct zset_tree *t)
{
    *t = (struct zset_tree){0};
}

/* Finds the place of an entry that is not there and reserves the nodes that it needs. Follow it
 * with zset_tree_insert or zset_tree_cancel before anything else is done to the tree. */
enum status zset_tree_reserve(const struct zset_tree *t, const struct heap *h,
                              struct zset_entry entry, struct zset_tree_room *room) MUST_USE;
void zset_tree_insert(struct zset_tree *t, const struct heap *h, struct zset_tree_room *room,
                      struct zset_entry entry);
void zset_tree_cancel(const struct heap *h, struct zset_tree_room *room);
/* The entry is there. */
void zset_tree_remove(struct zset_tree *t, const struct heap *h, struct zset_entry entry);
/* Gives an entry that is there a new score, if no leaf becomes too full or too empty by it; false:
 * nothing was done. */
bool zset_tree_rescore(struct zset_tree *t, const struct heap *h, struct zset_entry entry,
                       double score);
/* The same without fail and without memory: every leaf keeps its number of entries, and those
 * between the two places move by one. O(entries between): for what must not fail. */
void zset_tree_shift(struct zset_tree *t, const struct heap *h, struct zset_entry entry,
                     double score);

/* How many entries come before this one. */
uint64_t zset_tree_rank(const struct zset_tree *t, const struct heap *h, struct zset_entry entry);
/* How many entries `before` holds for; it holds for a beginning of the order, and for nothing after
 * that. */
typedef bool zset_tree_before(const void *ctx, double score, val member);
uint64_t zset_tree_count(const struct zset_tree *t, zset_tree_before *before, const void *ctx);
/* rank < number of entries. */
void zset_tree_seek(const struct zset_tree *t, uint64_t rank, struct zset_tree_iter *it);

struct zset_entry zset_tree_at(const struct zset_tree_iter *it);
/* False past the end. */
bool zset_tree_next(struct zset_tree_iter *it);
bool zset_tree_prev(struct zset_tree_iter *it);

/*
 * Moves the leaf that holds the entry of this rank (the last one, if there is none), and the inner
 * nodes above it, out of pools that are leaving. `each` is called for its entries, and may put an
 * equal member in the place of one: true when it has. Returns the rank behind the leaf. The tree
 * has a root.
 */
typedef bool zset_tree_moving(void *ctx, struct zset_entry *entry);
uint64_t zset_tree_move(struct zset_tree *t, struct pool *p, uint64_t rank, zset_tree_moving *each,
                        void *ctx);

/* Frees about leaves_max leaves from the right; true when none is left. Between steps only
 * zset_tree_bytes may be asked. Members are not looked at. */
bool zset_tree_free_step(struct zset_tree *t, struct pool *p, uint32_t leaves_max);

/* What the nodes take from the pools. */
size_t zset_tree_bytes(const struct zset_tree *t);
bool zset_tree_check(const struct zset_tree *t, const struct heap *h, uint64_t length);

#endif
