/*
 * Applies effects (heap/effect.h) to a heap and a keyspace that nobody else changes: what recovery
 * and replicas do, and the oracle of the tests.
 *
 * Nothing here decides anything. The records say which containers live (NEW to DEAD), which names
 * are bound, and what the slots hold; so the heap that they are applied to does not expire, evict,
 * collect or call anybody, and a container whose count is zero there lives on until its DEAD. What
 * refers weakly to a dead container is removed here, since no record says so.
 *
 * Invariants (apply_check)
 *   1. `cells` has each container that is between NEW and DEAD, by the number that the records give
 *      it, and holds one count of it.
 * Ownership: the heap and the keyspace are borrowed, and must outlive this; apply_fini lets go of
 *    the cells, and names hold what they hold.
 * Cost: a lookup for each cell that a record names, and what the change itself costs.
 */
#ifndef HEAPD_PERSIST_APPLY_H
#define HEAPD_PERSIST_APPLY_H

#include "store/keyspace.h"

struct apply {
    struct heap *h;
    struct keyspace *ks;
    struct table cells;
    struct heap_holder holder;
};

/* Takes over the heap's hooks: nothing is called when a container is emptied or a target goes. */
void apply_init(struct apply *a, struct heap *h, struct keyspace *ks);
void apply_fini(struct apply *a);

/* Applies a batch. STATUS_BROKEN: a record is not whole, or names what is not there; STATUS_OOM. In
 * both cases some of the batch was applied, and the state is of no more use. */
enum status apply_batch(struct apply *a, struct view records) MUST_USE;

/* After the last batch, before somebody else goes on with the heap: the keyspace knows the names of
 * containers that have an identity (keyspace_know). */
enum status apply_finish(struct apply *a) MUST_USE;

/* The container that a record's cell number stands for; NULL: none. */
RC_BORROWED struct obj *apply_cell(const struct apply *a, uint64_t cell);
uint64_t apply_cells(const struct apply *a);
typedef void apply_each(void *ctx, uint64_t cell, struct obj *o);
void apply_walk(const struct apply *a, apply_each *each, void *ctx);

#endif
