/*
 * The packed form of a sorted set: member, score, member, score in the block of a packed body
 * (packed.h), in the order of score and member.
 *
 * Called by zset.c alone, which knows the limits and the other form; `o` is packed, or empty where
 * an entry is added.
 *
 * Invariants (zset_packed_check)
 *   1. Scores are integers or doubles (pack_item_of_double), never NaN.
 *   2. Entries ascend by score, then by val_compare; no two members are equal.
 * Ownership: as packed.h. Cost: O(length) in all. Neither an addition nor a new score makes the
 * block shorter; that is left to removals, so that what was changed can be changed back without
 * memory (zset_restore).
 */
#ifndef HEAPD_VALUE_ZSET_PACKED_H
#define HEAPD_VALUE_ZSET_PACKED_H

#include "value/zset_tree.h"

/* A member's place; false when it is none. */
struct zset_packed_place {
    const uint8_t *at; /* the member's entry; the score's follows */
    uint32_t rank;
};
bool zset_packed_find(const struct packed *b, const struct needle *member,
                      struct zset_packed_place *out);
bool zset_packed_score(const struct packed *b, const struct needle *member, double *score);
struct zset_entry zset_packed_entry(const uint8_t *at);

/* Bytes that an entry more takes. */
size_t zset_packed_bytes(const struct packed_in *member, double score);
/* A member that is not there. The caller has asked whether there is room for it. */
enum status zset_packed_add(struct heap *h, struct obj *o, const struct packed_in *member,
                            double score) MUST_USE;
/* Another score for the member at a place. STATUS_TOO_LONG: the block would be longer than any may
 * be; and STATUS_OOM: nothing has changed. */
enum status zset_packed_rescore(struct heap *h, struct obj *o, struct zset_packed_place place,
                                double score) MUST_USE;
/* The entries from one rank to before another. */
void zset_packed_remove(struct heap *h, struct obj *o, uint32_t from, uint32_t to);

/* How many entries `before` holds for. */
uint64_t zset_packed_count(const struct packed *b, zset_tree_before *before, const void *ctx);
bool zset_packed_check(const struct heap *h, const struct obj *o);

#endif
