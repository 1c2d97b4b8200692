/*
 * Sorted sets: members with scores, in the order of the scores. At equal scores strings come first
 * by bytes, then containers by identity number (val_compare).
 *
 * A small zset of strings is packed (zset_packed.h): one block holds members and scores in their
 * order. It is converted to two indexes (zset_indexed.h) when it exceeds the limits of
 * value/state.h in length or in the size of a member, and with its first container or weak
 * reference. It is packed again when removals have left a quarter of the limit. This is tried only
 * when the length is a power of two, so that a zset that cannot be packed is not walked at every
 * removal, and never while a trial runs and the zset is visible.
 *
 * Called by the command floor. Nothing here replies or checks types.
 *
 * Invariants (zset_check): those of the two forms.
 * Ownership: a zset owns one count of each member. What is read from a packed zset is borrowed from
 * its block until the zset changes.
 * Cost: with indexes a score is O(1) and everything else O(log n); packed everything is O(length),
 * but a step of an iterator is O(1). If a conversion runs out of memory, a growing zset returns
 * STATUS_OOM unchanged; a shrinking one keeps its form.
 */
#ifndef HEAPD_VALUE_ZSET_H
#define HEAPD_VALUE_ZSET_H

#include "value/packed.h"

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
 * have to walk it. zset_skip and zset_skip_back go by the others, too: they pass so many of them
 * from a rank on, or before a rank, and give the rank there, 0 or the length at the ends. They look
 * at ZSET_SKIP_MAX entries at most: where more would have to be passed, what is gone counts until
 * it is removed; zset_shown_about does the same. */
enum { ZSET_SKIP_MAX = 1 << 15 };
uint64_t zset_length(const struct obj *o);
/* What OBJECT ENCODING tells; an empty zset is not packed. */
bool zset_is_packed(const struct obj *o);
uint64_t zset_shown(const struct heap *h, const struct obj *o, uint64_t begin, uint64_t end);
uint64_t zset_shown_about(const struct heap *h, const struct obj *o, uint64_t begin, uint64_t end);
uint64_t zset_skip(const struct heap *h, const struct obj *o, uint64_t rank, uint64_t shown);
uint64_t zset_skip_back(const struct heap *h, const struct obj *o, uint64_t rank, uint64_t shown);
bool zset_score(const struct obj *o, const struct needle *member, double *score);
/* Adds the member or changes its score. Weakly or not, a container is a member once, and what was
 * stored first stays. *created (may be NULL): it is new. */
enum status zset_set(struct heap *h, struct obj *o, const struct needle *member, double score,
                     bool *created) MUST_USE;
/* When several come in one command: after the first of them, and after the last. Neither changes
 * more than the length of a packed body. */
void zset_expect(struct heap *h, struct obj *o, struct packed_more more);
void zset_expect_end(struct heap *h, struct obj *o);
/* To take back what zset_set did, one after the other, the last of it first, with nothing else in
 * between: gives a member its old score back, or removes it again. They give no memory back that
 * the next of them may need, and so cannot fail; without memory an indexed zset takes O(n). */
void zset_restore(struct heap *h, struct obj *o, const struct needle *member, double score);
void zset_retract(struct heap *h, struct obj *o, const struct needle *member);
bool zset_remove(struct heap *h, struct obj *o, const struct needle *member);
/* 0-based, ascending; false when it is no member. */
bool zset_rank(const struct heap *h, const struct obj *o, const struct needle *member,
               uint64_t *rank);

/* How many entries come before the bound, i.e. the rank of the first entry that is inside a range
 * beginning (ZSET_BEGIN) or the rank after the last that is inside a range ending there (ZSET_END).
 * A range is then [rank of min, rank of max). */
enum zset_side { ZSET_BEGIN, ZSET_END };
/* Removes so many entries from one side; members that were gone already go with them and are not
 * counted. There are as many. */
void zset_pop(struct heap *h, struct obj *o, enum zset_side side, uint64_t count);
uint64_t zset_rank_of_score(const struct obj *o, struct zset_bound bound, enum zset_side side);
/* Meaningful when all scores are equal, as in Redis; containers lie behind all texts and are in no
 * such range. */
uint64_t zset_rank_of_lex(const struct heap *h, const struct obj *o, struct zset_lex_bound bound,
                          enum zset_side side);

/* A place in the order; good until the zset changes. rank < length. */
struct zset_tree_iter { /* of zset_tree.h */
    const void *leaf;
    uint32_t index;
};
struct zset_iter {
    bool is_packed;
    struct zset_tree_iter tree;
    struct packed_iter packed;
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
