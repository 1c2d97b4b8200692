/*
 * The plain form of a sorted set: a table from member to score, and a counted B+ tree of (score,
 * member) for order and rank (zset_tree.h). Its members may be containers and weak references.
 *
 * Only the table owns counts of its members, and only it is visited (rule 5 of collect.h); the tree
 * borrows them.
 *
 * Called by zset.c alone, for zsets that have this form or are empty. What the functions do is said
 * in zset.h.
 *
 * Invariants (zset_indexed_check): 1. table and tree hold the same members with the same scores; 2.
 * the tree is sorted, its inner counts are the sums below them, its leaves lie at one depth and are
 * at least a third full but the last; 3. not empty while there is a body.
 * Ownership: one count of each member. Cost: score O(1); add, remove, rank, by rank O(log n).
 */
#ifndef HEAPD_VALUE_ZSET_INDEXED_H
#define HEAPD_VALUE_ZSET_INDEXED_H

#include "value/zset_tree.h"

uint64_t zset_indexed_length(const struct obj *o);
bool zset_indexed_score(const struct obj *o, const struct needle *member, double *score);
enum status zset_indexed_set(struct heap *h, struct obj *o, const struct needle *member,
                             double score, bool *created) MUST_USE;
/* Adds an entry that is not there; the hash is the member's. Takes over the member's count on
 * success only. */
enum status zset_indexed_put(struct heap *h, struct obj *o, uint32_t hash,
                             struct zset_entry entry) MUST_USE;
void zset_indexed_restore(struct heap *h, struct obj *o, const struct needle *member, double score);
bool zset_indexed_remove(struct heap *h, struct obj *o, const struct needle *member);
bool zset_indexed_rank(const struct heap *h, const struct obj *o, const struct needle *member,
                       uint64_t *rank);
uint64_t zset_indexed_count(const struct obj *o, zset_tree_before *before, const void *ctx);
/* rank < length */
void zset_indexed_seek(const struct obj *o, uint64_t rank, struct zset_tree_iter *it);
uint64_t zset_indexed_scan(const struct obj *o, uint64_t cursor, zset_each *each, void *ctx);
/* Into an empty zset. */
enum status zset_indexed_copy(struct heap *h, const struct obj *from, struct obj *to) MUST_USE;

uint64_t zset_indexed_visit(const struct obj *o, uint64_t cursor, uint64_t limit,
                            uint32_t slots_max, heap_visit *fn, void *ctx);
bool zset_indexed_clear(struct heap *h, struct obj *o, uint32_t slots_max);
bool zset_indexed_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max);
size_t zset_indexed_bytes(const struct obj *o);
bool zset_indexed_check(const struct heap *h, const struct obj *o);

#endif
