#include "value/copy.h"

#include "base/hash.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/report.h"
#include "value/set.h"
#include "value/zset.h"

enum { WALK_SLOTS = 1024, WAITING_FIRST = 64 };

/* A container and its copy: an entry of the map, and of the lists of what has still to be filled.
 */
struct twin {
    const struct obj *from;
    struct obj *to;
};

static_assert(sizeof(struct twin) == 16, "an entry of the map");

/* A stack of them. */
struct twins {
    struct twin *at;
    size_t count, slots;
};

struct copier {
    struct heap *h;
    struct table map; /* from -> to; uncounted: slots hold the copies, and the caller the first */
    struct twins waiting;
    struct twins
        weakly;        /* whose weak references are still missing: what was copied is known last */
    struct obj *to;    /* the container that is being filled */
    struct obj *fresh; /* made for the slot that is being filled, and not yet held by it */
    bool has_weak;     /* the original of `to` holds weak references */
    enum status status;
};

static uint32_t from_hash(const struct obj *from)
{
    return (uint32_t)hash_word(0, (uint64_t)(uintptr_t)from);
}

static uint32_t twin_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return from_hash(((const struct twin *)entry)->from);
}

static bool twin_matches(const void *needle, const void *entry)
{
    return ((const struct twin *)entry)->from == needle;
}

static const struct table_type map_type = {.entry_bytes = sizeof(struct twin), .hash = twin_hash};

static bool twins_reserve(struct mem *m, struct twins *t)
{
    if (t->count < t->slots) return true;
    size_t slots = t->slots ? t->slots * 2 : WAITING_FIRST;
    struct twin *grown = mem_realloc(m, t->at, t->slots * sizeof *grown, slots * sizeof *grown);
    if (!grown) return false;
    t->at = grown;
    t->slots = slots;
    return true;
}

/* The copy of a container, made (empty, and waiting to be filled) when it is met for the first
 * time. */
static struct obj *twin_of(struct copier *c, const struct obj *from)
{
    const struct twin *known = table_find(&c->map, &map_type, from_hash(from), twin_matches, from);
    if (known) return known->to;
    struct obj *to =
        twins_reserve(c->h->mem, &c->waiting) ? heap_container_new(c->h, from->type) : NULL;
    if (!to) return NULL;
    struct twin *entry = table_insert(&c->map, &map_type, c->h->pool, NULL, from_hash(from));
    if (!entry) {
        rc_dec(c->h, to);
        return NULL;
    }
    *entry = (struct twin){from, to};
    c->waiting.at[c->waiting.count++] = *entry;
    c->fresh = to;
    return to;
}

/* What a slot of a copy holds where the original holds v; VAL_NONE: no memory. Uncounted. */
static val twin_value(struct copier *c, val v)
{
    if (!val_is_container(v)) return v;
    struct obj *to = twin_of(c, val_obj(v));
    if (!to) {
        c->status = STATUS_OOM;
        return VAL_NONE;
    }
    heap_mark_referred(c->h, to); /* as what the original's slot holds */
    return val_of_obj(to);
}

/*
 * A slot has been filled, or not. A fresh copy's own count goes when a slot holds it: while it is
 * still empty, so that it does not become a candidate for the collector.
 */
static void slot_done(struct copier *c, enum status s)
{
    c->status = s;
    if (s || !c->fresh) return;
    rc_dec(c->h, c->fresh);
    c->fresh = NULL;
}

/* Whether a slot is left for the second walk. */
static bool left_for_later(struct copier *c, val v)
{
    if (!val_is_weak(v)) return false;
    c->has_weak = true;
    return true;
}

/* The place of a weak reference is kept. */
static void fill_element(struct copier *c, val element)
{
    val v = left_for_later(c, element) ? VAL_NIL : twin_value(c, element);
    if (c->status) return;
    c->status = val_keep(c->h, v, &v);
    if (c->status) return;
    slot_done(c, list_push_take(c->h, c->to, LIST_TAIL, v));
}

static void fill_field(void *ctx, val field, val value)
{
    struct copier *c = ctx;
    if (c->status || left_for_later(c, value)) return;
    val v = twin_value(c, value);
    if (!c->status) c->status = val_keep(c->h, v, &v);
    if (c->status) return;
    struct needle n = needle_of_val(c->h, field);
    slot_done(c, hash_set_take(c->h, c->to, &n, v, NULL));
}

static void fill_member(void *ctx, val member)
{
    struct copier *c = ctx;
    bool added;
    if (c->status || left_for_later(c, member)) return;
    val v = twin_value(c, member);
    if (c->status) return;
    struct needle n = needle_of_val(c->h, v);
    slot_done(c, set_add(c->h, c->to, &n, &added));
}

static void fill_scored(struct copier *c, struct zset_entry entry)
{
    if (left_for_later(c, entry.member)) return;
    val v = twin_value(c, entry.member);
    if (c->status) return;
    struct needle n = needle_of_val(c->h, v);
    slot_done(c, zset_set(c->h, c->to, &n, entry.score, NULL));
}

static void fill_zset(struct copier *c, const struct obj *from,
                      void (*fill_entry)(struct copier *c, struct zset_entry entry))
{
    struct zset_iter it;
    if (zset_length(from) == 0) return;
    zset_seek(from, 0, &it);
    do fill_entry(c, zset_slot_at(&it));
    while (!c->status && zset_next(&it));
}

static void fill(struct copier *c, const struct obj *from)
{
    uint64_t cursor = 0;
    /* Strings alone, as a block; who listens is told each of them. */
    if ((from->flags & OBJ_PACKED) && from->type != OBJ_HASH && !report_wanted(c->h)) {
        c->status = packed_copy(c->h, from, c->to);
        return;
    }
    switch ((enum obj_type)from->type) {
    case OBJ_LIST:
        for (uint64_t i = 0; !c->status && i < list_length(from); i++)
            fill_element(c, list_slot(from, i));
        break;
    case OBJ_HASH:
        while (!c->status && hash_walk_slots(from, &cursor, WALK_SLOTS, fill_field, c)) continue;
        break;
    case OBJ_SET:
        while (!c->status && set_walk_slots(from, &cursor, WALK_SLOTS, fill_member, c)) continue;
        break;
    case OBJ_ZSET: fill_zset(c, from, fill_scored); break;
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
}

/* --- the second walk: weak references --- */

/* What the copy of a weak reference refers to; VAL_NONE: it is gone, or v is none. */
static val weak_twin(struct copier *c, val v)
{
    if (!val_is_weak(v)) return VAL_NONE;
    val target = val_target(v);
    if (val_is_none(target)) return target;
    const struct obj *o = val_obj(target);
    const struct twin *known = table_find(&c->map, &map_type, from_hash(o), twin_matches, o);
    return known ? val_of_obj(known->to) : target;
}

static void refer_element(struct copier *c, uint64_t index, val element)
{
    val v, target = weak_twin(c, element);
    if (val_is_none(target)) return;
    c->status = val_weaken(c->h, target, &v);
    if (!c->status) c->status = list_set_take(c->h, c->to, index, v);
}

static void refer_field(void *ctx, val field, val value)
{
    struct copier *c = ctx;
    val v, target = c->status ? VAL_NONE : weak_twin(c, value);
    if (val_is_none(target)) return;
    c->status = val_weaken(c->h, target, &v);
    struct needle n = needle_of_val(c->h, field);
    if (!c->status) c->status = hash_set_take(c->h, c->to, &n, v, NULL);
}

static void refer_member(void *ctx, val member)
{
    struct copier *c = ctx;
    bool added;
    val target = c->status ? VAL_NONE : weak_twin(c, member);
    if (val_is_none(target)) return;
    struct needle n = needle_of_val(c->h, target);
    n.weakly = true;
    c->status = set_add(c->h, c->to, &n, &added);
}

static void refer_scored(struct copier *c, struct zset_entry entry)
{
    val target = weak_twin(c, entry.member);
    if (val_is_none(target)) return;
    struct needle n = needle_of_val(c->h, target);
    n.weakly = true;
    c->status = zset_set(c->h, c->to, &n, entry.score, NULL);
}

static void refer(struct copier *c, const struct obj *from)
{
    uint64_t cursor = 0;
    switch ((enum obj_type)from->type) {
    case OBJ_LIST:
        for (uint64_t i = 0; !c->status && i < list_length(from); i++)
            refer_element(c, i, list_slot(from, i));
        break;
    case OBJ_HASH:
        while (!c->status && hash_walk_slots(from, &cursor, WALK_SLOTS, refer_field, c)) continue;
        break;
    case OBJ_SET:
        while (!c->status && set_walk_slots(from, &cursor, WALK_SLOTS, refer_member, c)) continue;
        break;
    case OBJ_ZSET: fill_zset(c, from, refer_scored); break;
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
}

/* --- all of it --- */

/* Fills the copy of one container, but for its weak references. */
static void copy_next(struct copier *c)
{
    struct twin next = c->waiting.at[--c->waiting.count];
    c->to = next.to;
    c->has_weak = false;
    fill(c, next.from);
    if (c->status || !c->has_weak) return;
    if (twins_reserve(c->h->mem, &c->weakly))
        c->weakly.at[c->weakly.count++] = next;
    else
        c->status = STATUS_OOM;
}

static void refer_next(struct copier *c)
{
    struct twin next = c->weakly.at[--c->weakly.count];
    c->to = next.to;
    refer(c, next.from);
}

static void pin(void *ctx, void *entry)
{
    rc_inc(ctx, ((const struct twin *)entry)->to);
}

static void clear(void *ctx, void *entry)
{
    struct heap *h = ctx;
    struct obj *o = ((const struct twin *)entry)->to;
    while (!h->types[o->type]->clear(h, o, UINT32_MAX)) continue;
}

static void unpin(void *ctx, void *entry)
{
    rc_dec(ctx, ((const struct twin *)entry)->to);
}

static void each_twin(struct copier *c, table_visit *visit)
{
    for (uint64_t at = 0; at < c->map.buckets;)
        at = table_walk(&c->map, &map_type, at, c->map.buckets, UINT32_MAX, visit, c->h);
}

/* Takes a copy that could not be finished apart, so that the collector has no cycle to look for. */
static void undo(struct copier *c, struct obj *first)
{
    each_twin(c, pin);
    if (c->fresh) rc_dec(c->h, c->fresh);
    each_twin(c, clear);
    rc_dec(c->h, first);
    each_twin(c, unpin);
}

static void forget(void *ctx, void *entry)
{
    (void)ctx, (void)entry;
}

static enum status copy_deep(struct heap *h, const struct obj *from, val *out)
{
    struct copier c = {.h = h};
    table_init(&c.map);
    struct obj *first = twin_of(&c, from);
    if (!first)
        c.status = STATUS_OOM;
    else
        c.fresh = NULL; /* the caller holds it */
    while (!c.status && c.waiting.count > 0) copy_next(&c);
    while (!c.status && c.weakly.count > 0) refer_next(&c);
    if (c.status && first) undo(&c, first);
    if (!c.status) *out = val_of_obj(first);
    while (!table_drain(&c.map, &map_type, h->pool, UINT32_MAX, forget, NULL)) continue;
    mem_free(h->mem, c.waiting.at, c.waiting.slots * sizeof(struct twin));
    mem_free(h->mem, c.weakly.at, c.weakly.slots * sizeof(struct twin));
    return c.status;
}

static enum status copy_level(struct heap *h, const struct obj *from, struct obj **out)
{
    switch ((enum obj_type)from->type) {
    case OBJ_LIST: return list_copy(h, from, out);
    case OBJ_HASH: return hash_copy(h, from, out);
    case OBJ_SET: return set_copy(h, from, out);
    case OBJ_ZSET: return zset_copy(h, from, out);
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
    ASSERT(false);
    return STATUS_OOM;
}

enum status copy_value(struct heap *h, val v, enum copy_depth depth, val *out)
{
    if (!val_is_container(v)) {
        val_retain(h, v);
        *out = v;
        return STATUS_OK;
    }
    if (depth == COPY_DEEP) return copy_deep(h, val_obj(v), out);
    struct obj *o;
    enum status s = copy_level(h, val_obj(v), &o);
    if (!s) *out = val_of_obj(o);
    return s;
}
