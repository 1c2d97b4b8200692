/*
 * Maps containers to their names, for containers that can be emptied without going through the
 * name. An emptied container takes its name with it unless REF ever stored it (OBJ_REFERRED). A
 * container that REF never stored has at most one name, so one entry per container is enough.
 *
 * keyspace.c adds a container before it gives out a handle or an identity of it, and updates the
 * record when the name goes, is renamed or bound anew. Nobody else calls this module. Most servers
 * never have such a container, so each function first checks whether the table is empty.
 *
 * Invariants (keyspace_check)
 *   1. Each record's entry is a name that is bound to the record's container.
 *   2. Every bound container that has a number and that REF never stored has a record.
 * Ownership: the index owns its table, but neither containers nor entries. Cost: O(1); 28 bytes per
 * container.
 */
#ifndef HEAPD_STORE_BINDING_INDEX_H
#define HEAPD_STORE_BINDING_INDEX_H

#include "heap/obj.h"
#include "heap/table.h"

struct entry;

struct binding_name {
    const struct obj *o;
    struct entry *e;
};

struct binding_index {
    struct table names;
};

void binding_init(struct binding_index *k);
/* The name of a container that has a record, or NULL. */
struct entry *binding_get(const struct binding_index *k, const struct obj *o);
/* Records `e` as the name of `o`; only a new record can fail. */
enum status binding_set(struct binding_index *k, struct pool *p, const struct obj *o,
                        struct entry *e) MUST_USE;
/* Removes the record of `o` if it names `e`. */
void binding_forget(struct binding_index *k, struct pool *p, const struct obj *o,
                    const struct entry *e);
/* The entry `from` has moved to `to`. */
void binding_moved(struct binding_index *k, const struct obj *o, const struct entry *from,
                   struct entry *to);
/* Frees about records_max (> 0) records; true when all memory is freed. */
bool binding_drain(struct binding_index *k, struct pool *p, uint32_t records_max);
void binding_fini(struct binding_index *k, struct pool *p);

typedef void binding_each(void *ctx, const struct binding_name *record);
void binding_walk(const struct binding_index *k, binding_each *each, void *ctx);
/* The table's own invariants. */
bool binding_check(const struct binding_index *k);

#endif
