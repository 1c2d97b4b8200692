/*
 * The nodes of a sorted set's tree, and the search within one. zset_tree.h draws them and says what
 * holds.
 *
 * For zset_tree.c, zset_shift.c and zset_move.c, which change the tree, and zset_order.c, which
 * reads it; nobody else looks into a node.
 */
#ifndef HEAPD_VALUE_ZSET_NODE_H
#define HEAPD_VALUE_ZSET_NODE_H

#include "base/prefetch.h"
#include "value/zset_tree.h"

struct zset_leaf {
    struct zset_leaf *prev, *next;
    uint32_t used;
    uint32_t capacity;
    double scores[]; /* capacity scores, then as many members */
};

struct zset_inner {
    uint32_t used;
    void *children[ZSET_INNER_CHILDREN];
    double scores[ZSET_INNER_CHILDREN];
    val members[ZSET_INNER_CHILDREN];
    uint32_t counts[ZSET_INNER_CHILDREN];
};

static_assert(sizeof(struct zset_leaf) == 24, "a leaf of 62 entries fills a block of 1024 bytes");
static_assert(sizeof(struct zset_inner) == 1016, "an inner node fills a block of 1024 bytes");

static inline size_t zset_leaf_bytes(uint32_t capacity)
{
    return sizeof(struct zset_leaf) + capacity * (sizeof(double) + sizeof(val));
}

static inline val *leaf_members(const struct zset_leaf *l)
{
    return (val *)(uintptr_t)(l->scores + l->capacity);
}

static inline struct zset_entry leaf_entry(const struct zset_leaf *l, uint32_t index)
{
    return (struct zset_entry){leaf_members(l)[index], l->scores[index]};
}

static inline void leaf_set(struct zset_leaf *l, uint32_t index, struct zset_entry entry)
{
    l->scores[index] = entry.score;
    leaf_members(l)[index] = entry.member;
}

/* Moves `n` entries; the ranges may overlap within one leaf. */
static inline void leaf_move(struct zset_leaf *to, uint32_t to_index, const struct zset_leaf *from,
                             uint32_t from_index, uint32_t n)
{
    memmove(to->scores + to_index, from->scores + from_index, n * sizeof(double));
    memmove(leaf_members(to) + to_index, leaf_members(from) + from_index, n * sizeof(val));
}

static inline struct zset_entry inner_key(const struct zset_inner *n, uint32_t slot)
{
    return (struct zset_entry){n->members[slot], n->scores[slot]};
}

static inline void inner_set_key(struct zset_inner *n, uint32_t slot, struct zset_entry key)
{
    n->scores[slot] = key.score;
    n->members[slot] = key.member;
}

static inline uint32_t inner_sum(const struct zset_inner *n, uint32_t slots)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < slots; i++) sum += n->counts[i];
    return sum;
}

static inline int entry_compare(const struct heap *h, struct zset_entry a, struct zset_entry b)
{
    if (a.score != b.score) return a.score < b.score ? -1 : 1;
    return a.member.w == b.member.w ? 0 : val_compare(h, a.member, b.member);
}

/* How many of n ascending scores are below x. Written so that it compiles without branches: they
 * would be mispredicted half of the time. */
static inline uint32_t scores_below(const double *scores, uint32_t n, double x)
{
    const double *at = scores;
    while (n > 1) {
        uint32_t half = n / 2;
        at += half & -(uint32_t)(at[half - 1] < x);
        n -= half;
    }
    return (uint32_t)(at - scores) + (n == 1 && *at < x);
}

static inline uint32_t scores_up_to(const double *scores, uint32_t n, double x)
{
    const double *at = scores;
    while (n > 1) {
        uint32_t half = n / 2;
        at += half & -(uint32_t)(at[half - 1] <= x);
        n -= half;
    }
    return (uint32_t)(at - scores) + (n == 1 && *at <= x);
}

enum search { BELOW, UP_TO };

/* How many of n ascending keys are below the entry, or are it or below it. */
static inline uint32_t keys_search(const struct heap *h, const double *scores, const val *members,
                                   uint32_t n, struct zset_entry entry, enum search search)
{
    uint32_t low = scores_below(scores, n, entry.score);
    if (low == n || scores[low] != entry.score) return low;
    uint32_t high = low + scores_up_to(scores + low, n - low, entry.score);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct zset_entry key = {members[middle], entry.score};
        if (entry_compare(h, key, entry) < (search == UP_TO))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A binary search waits for one cache line after the other; asked for together, they come at once.
 */
static inline void scores_prefetch(const double *scores, uint32_t n)
{
    enum { LINE_SCORES = 8 };
    for (uint32_t i = 0; i < n; i += LINE_SCORES) prefetch(scores + i);
}

static inline uint32_t inner_slot_of(const struct heap *h, const struct zset_inner *n,
                                     struct zset_entry entry)
{
    scores_prefetch(n->scores, ZSET_INNER_CHILDREN);
    return keys_search(h, n->scores + 1, n->members + 1, n->used - 1, entry, UP_TO);
}

static inline uint32_t leaf_index_of(const struct heap *h, const struct zset_leaf *l,
                                     struct zset_entry entry)
{
    scores_prefetch(l->scores, l->used);
    return keys_search(h, l->scores, leaf_members(l), l->used, entry, BELOW);
}

#endif
