/*
 * Sorted sets: a table from member to score, and a counted B+ tree of (score, member) for order and
 * rank.
 *
 * Only the table owns counts of its members, and only it is visited (rule 5 of collect.h); the tree
 * borrows them. At equal scores strings come first by bytes, then containers by identity number
 * (val_compare).
 *
 * Invariants (zset_check): 1. table and tree hold the same members with the same scores; 2. the
 * tree is sorted, its inner counts are the sums below them, its leaves lie at one depth and are at
 * least a third full but the last; 3. not empty while there is a body.
 * Ownership: one count of each member. Cost: score O(1); add, remove, rank, by rank O(log n).
 */
#ifndef HEAPD_VALUE_ZSET_H
#define HEAPD_VALUE_ZSET_H

#include "value/val.h"

struct zset_entry {
    val member; /* borrowed; VAL_NONE: it was held weakly and is gone */
    double score;
};

/* A bound of a range by score. */
struct zset_bound {
    double score;
    bool exclusive;
};

/* A bound of a range by bytes: LEX_MIN is "-", LEX_MAX is "+". */
enum zset_lex { ZSET_LEX_MIN, ZSET_LEX_MAX, ZSET_LEX_TEXT };
struct zset_lex_bound {
    enum zset_lex kind;
    bool exclusive;
    struct view text;
};

typedef void zset_each(void *ctx, val member, double score);

/* Members whose weak reference's target is gone count, and have ranks, until they are removed; all
 * else treats them as not there. zset_shown counts the others of a range of ranks, for which it may
 * have to walk it. */
uint64_t zset_length(const struct obj *o);
uint64_t zset_shown(const struct heap *h, const struct obj *o, uint64_t begin, uint64_t end);
bool zset_score(const struct obj *o, const struct needle *member, double *score);
/* Adds the member or changes its score. Weakly or not, a container is a member once, and what was
 * stored first stays. *created (may be NULL): it is new. */
enum status zset_set(struct heap *h, struct obj *o, const struct needle *member, double score,
                     bool *created) MUST_USE;
/* Gives a member its old score back. Without memory it still does, but takes O(n) then. */
void zset_restore(struct heap *h, struct obj *o, const struct needle *member, double score);
bool zset_remove(struct heap *h, struct obj *o, const struct needle *member);
/* rank < length. False when the member that it removed was gone already. */
bool zset_remove_rank(struct heap *h, struct obj *o, uint64_t rank);
/* 0-based, ascending; false when it is no member. */
bool zset_rank(const struct heap *h, const struct obj *o, const struct needle *member,
               uint64_t *rank);

/* How many entries come before the bound, i.e. the rank of the first entry that is inside a range
 * beginning (ZSET_BEGIN) or the rank after the last that is inside a range ending there (ZSET_END).
 * A range is then [rank of min, rank of max). */
enum zset_side { ZSET_BEGIN, ZSET_END };
uint64_t zset_rank_of_score(const struct obj *o, struct zset_bound bound, enum zset_side side);
/* Meaningful when all scores are equal, as in Redis; containers lie behind all texts and are in no
 * such range. */
uint64_t zset_rank_of_lex(const struct heap *h, const struct obj *o, struct zset_lex_bound bound,
                          enum zset_side side);

/* A place in the order; good until the zset changes. rank < length. */
struct zset_iter {
    const void *leaf;
    uint32_t index;
};
void zset_seek(const struct obj *o, uint64_t rank, struct zset_iter *it);
struct zset_entry zset_at(const struct zset_iter *it);
/* The same, a weak reference as it is: for copies. */
struct zset_entry zset_slot_at(const struct zset_iter *it);
/* False past the end. */
bool zset_next(struct zset_iter *it);
bool zset_prev(struct zset_iter *it);

uint64_t zset_scan(const struct obj *o, uint64_t cursor, zset_each *each, void *ctx);
enum status zset_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out) MUST_USE;
bool zset_check(const struct heap *h, const struct obj *o);

extern const struct heap_type zset_heap_type;

#endif
