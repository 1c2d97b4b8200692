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

/* The entry of a member, which the score's follows; NULL when it is none. */
const uint8_t *zset_packed_find(const struct packed *b, const struct needle *member);
uint32_t zset_packed_rank(const struct packed *b, const uint8_t *at);
struct zset_entry zset_packed_entry(const uint8_t *at);

/* Bytes that an entry more takes. */
size_t zset_packed_bytes(const struct packed_in *member, double score);
/* A member that is not there. The caller has asked whether there is room for it. */
enum status zset_packed_add(struct heap *h, struct obj *o, const struct packed_in *member,
                            double score) MUST_USE;
/* Another score for the member whose entry that is. STATUS_TOO_LONG: the block would be longer than
 * any may be; and STATUS_OOM: nothing has changed. */
enum status zset_packed_rescore(struct heap *h, struct obj *o, const uint8_t *at,
                                double score) MUST_USE;
/* So many members from an entry on. */
void zset_packed_remove(struct heap *h, struct obj *o, const uint8_t *at, uint32_t count);

/* How many entries `before` holds for. */
uint64_t zset_packed_count(const struct packed *b, zset_tree_before *before, const void *ctx);
bool zset_packed_check(const struct heap *h, const struct obj *o);

#endif
