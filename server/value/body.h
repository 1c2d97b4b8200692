/*
 * Bodies: what lists, hashes, sets and zsets have in common. A container without slots has no body;
 * the first insertion makes one, the removal of the last slot drops it. The type's own struct
 * begins with `union gc_words`.
 *
 * The container's place in the trial's table is stored in the body's words. So body_drop and
 * body_take make a running trial forget the container before they drop its body. An empty container
 * needs no colour, because it refers to nothing; if it is filled again before the trial ends, it
 * counts as new.
 *
 * Called by the containers of value/ only.
 *
 * Ownership: the container owns its body. Cost: one allocation, one free.
 */
#ifndef HEAPD_VALUE_BODY_H
#define HEAPD_VALUE_BODY_H

#include "base/prefetch.h"
#include "value/val.h"

/* The body of a container that is a table and nothing else. */
struct body_table {
    union gc_words words;
    struct table table;
};

/* What the tables of containers get as their context: whose slots they are. Only body_moved changes
 * anything. */
struct body_owner {
    struct heap *heap;
    struct obj *obj;
};

/* A zeroed body for a container that has none; NULL: no memory. */
static inline void *body_make(struct heap *h, struct obj *o, size_t bytes)
{
    void *body = pool_alloc(h->pool, bytes);
    if (body != NULL) {
        memset(body, 0, bytes);
        ((struct cell *)o)->body = body;
    }
    return body;
}

/* Takes the body away from its container, for the caller to free or to hand to another; its words
 * mean nothing then. */
static inline void *body_take(struct heap *h, struct obj *o)
{
    struct cell *c = (struct cell *)o;
    void *body = c->body;
    if (o->flags & OBJ_VISIBLE) {
        collect_forget(h, o);
        o->flags = (uint8_t)(o->flags & ~OBJ_VISIBLE);
    }
    c->body = NULL;
    return body;
}

static inline void body_drop(struct heap *h, struct obj *o, size_t bytes)
{
    pool_free(h->pool, body_take(h, o), bytes);
}

/*
 * A slot changed its place while its container was in mid-scan in black: what it refers to is
 * rescued, so that it does not matter on which side of the cursor it was. Not rc_moved: the
 * reference stays in its container, so nothing becomes a candidate, and a long list that is changed
 * during a trial does not have all its elements tried in the next.
 */
static inline void body_moved(struct heap *h, val v)
{
    if (!val_is_obj(v) || (val_obj(v)->flags & OBJ_VISIBLE) == 0) return;
    h->collect.stats.hits[COLLECT_HIT_SLOT_MOVED]++;
    collect_rescue(h, val_obj(v));
}

/* Whether some of the slots of a container may hold weak references whose targets are
 * gone: then it shows less than it counts. */
static inline bool body_may_lag(const struct heap *h, const struct obj *o)
{
    return UNLIKELY(weak_is_pending(h)) && weak_in(o);
}

/* Whether a walk shows what a slot holds as what it stands for, or as it is. */
enum body_shows { BODY_TARGETS, BODY_SLOTS };

/* For struct heap_type. */
static inline void body_table_prefetch(const struct obj *o)
{
    prefetch(((const struct body_table *)obj_body(o))->table.buckets_at);
}

/* The table's cursors for struct heap_type: numbers of buckets. */
static inline uint64_t body_table_begin(const struct obj *o)
{
    (void)o;
    return 0;
}

static inline uint64_t body_table_end(const struct obj *o)
{
    const struct body_table *b = obj_body(o);
    return b ? b->table.buckets : 0;
}

static inline uint64_t body_table_length(const struct obj *o)
{
    const struct body_table *b = obj_body(o);
    return b ? b->table.used : 0;
}

/* One step of table_walk over a container's table; returns `limit` at the end, also when the table
 * has become smaller. */
static inline uint64_t body_table_walk(const struct obj *o, const struct table_type *type,
                                       uint64_t cursor, uint64_t limit, uint32_t slots_max,
                                       table_visit *visit, void *ctx)
{
    const struct body_table *b = obj_body(o);
    return b ? table_walk(&b->table, type, cursor, limit, slots_max, visit, ctx) : limit;
}

/*
 * Before a table is moved: gives back what it has become too large for, up to merges_max buckets;
 * true while there are more. Not in mid-scan: that would disturb it for nothing that anybody waits
 * for.
 */
static inline bool body_table_fit(struct heap *h, struct obj *o, const struct table_type *type,
                                  uint32_t merges_max)
{
    struct body_table *b = obj_body(o);
    struct body_owner owner = {h, o};
    if (h->collect.scanning == o) return false;
    return table_fit_step(&b->table, type, h->pool, &owner, merges_max);
}

static inline size_t body_table_bytes(const struct obj *o, const struct table_type *type)
{
    const struct body_table *b = obj_body(o);
    size_t bytes = pool_good_bytes(sizeof(struct cell));
    if (b) bytes += pool_good_bytes(sizeof *b) + table_bytes(&b->table, type);
    return bytes;
}

#endif
