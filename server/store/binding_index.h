/*
 * Names by what they are bound to: for containers that somebody can empty without going through
 * their name. Such a container takes its name with it when it is emptied, unless REF ever stored it
 * (OBJ_REFERRED); one that was not has at most one name, so one entry is all there is to know.
 *
 * keyspace.c enters a container here before a handle or an identity of it is given out, and keeps
 * it true whenever the name goes, is renamed or bound anew. Nobody else calls it. Most servers
 * never have such a container, so everything here begins by asking whether the table is empty.
 *
 * Invariants (keyspace_check)
 *   1. Each record's entry is a name, bound to the record's container.
 *   2. Every bound container that has a number, and that REF never stored, has a record.
 * Ownership: the table alone; neither containers nor entries. Cost: O(1); 28 bytes a container.
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
/* The name of a container that is known, or NULL. */
struct entry *binding_get(const struct binding_index *k, const struct obj *o);
/* From now on `e` is the name of `o`; only a new record can fail. */
enum status binding_set(struct binding_index *k, struct pool *p, const struct obj *o,
                        struct entry *e) MUST_USE;
/* `e` is not bound to `o` any more; nothing happens if it was not known. */
void binding_forget(struct binding_index *k, struct pool *p, const struct obj *o,
                    const struct entry *e);
/* `to` stands for the name that `from` was. */
void binding_moved(struct binding_index *k, const struct obj *o, const struct entry *from,
                   struct entry *to);
/* Forgets about records_max (> 0) of them; true when no memory is left. */
bool binding_drain(struct binding_index *k, struct pool *p, uint32_t records_max);
void binding_fini(struct binding_index *k, struct pool *p);

typedef void binding_each(void *ctx, const struct binding_name *record);
void binding_walk(const struct binding_index *k, binding_each *each, void *ctx);
/* The table's own invariants. */
bool binding_check(const struct binding_index *k);

#endif
