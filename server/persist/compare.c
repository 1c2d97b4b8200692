#include "persist/compare.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/zset.h"

enum { WALK_SLOTS = 256 };

struct comparison {
    const struct keyspace *live;
    const struct apply *applied;
    const struct obj *o, *twin; /* the containers whose slots are being compared */
    uint64_t shown;             /* slots of `o` that are not gone */
    bool exact;                 /* nothing is condemned and not yet freed */
    bool differs;
    char *text;
};

static void differ(struct comparison *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void differ(struct comparison *c, const char *format, ...)
{
    if (c->differs) return;
    va_list args;
    va_start(args, format);
    vsnprintf(c->text, COMPARE_TEXT_BYTES, format, args);
    va_end(args);
    c->differs = true;
}

/* --- values --- */

static const struct obj *twin_of(const struct comparison *c, const struct obj *o)
{
    return apply_cell(c->applied, effect_cell(o));
}

/* Whether a value of the one heap is, in the other, `twin`. Neither is weak. */
static bool values_eq(const struct comparison *c, val v, val twin)
{
    if (val_is_none(v) || val_is_nil(v)) return v.w == twin.w;
    if (val_is_container(v))
        return val_is_container(twin) && twin_of(c, val_obj(v)) == val_obj(twin);
    return val_is_string(twin) && val_eq(v, twin);
}

/* The same for what slots and names hold. A list keeps the place of what is gone. */
static bool slots_eq(const struct comparison *c, val v, val twin)
{
    val target = val_target(v), twin_target = val_target(twin);
    if (val_is_none(target) || val_is_nil(v))
        return val_is_none(twin_target) || val_is_nil(twin) || (!c->exact && val_is_weak(twin));
    return val_is_weak(v) == val_is_weak(twin) && values_eq(c, target, twin_target);
}

/* What finds in the other heap's container what is a member here. */
static struct needle needle_of_twin(const struct comparison *c, val member)
{
    const struct obj *twin = val_is_container(member) ? twin_of(c, val_obj(member)) : NULL;
    return needle_of_val(c->applied->h, twin ? val_of_obj(twin) : member);
}

/* --- containers --- */

static void differ_in(struct comparison *c, const char *what)
{
    static const char *const types[OBJ_TYPES] = {
        [OBJ_LIST] = "list", [OBJ_HASH] = "hash", [OBJ_SET] = "set", [OBJ_ZSET] = "zset"};
    differ(c, "cell %llx, a %s: %s", (unsigned long long)effect_cell(c->o), types[c->o->type],
           what);
}

static void compare_field(void *ctx, val field, val value)
{
    struct comparison *c = ctx;
    char scratch[VAL_TEXT_CHARS];
    struct needle n = needle_of_text(c->applied->h, val_text(&field, scratch));
    if (val_is_none(val_target(value))) return;
    c->shown++;
    if (!slots_eq(c, value, hash_slot(c->twin, &n))) differ_in(c, "a field");
}

static void compare_member(void *ctx, val member)
{
    struct comparison *c = ctx;
    char scratch[VAL_TEXT_CHARS];
    val target = val_target(member);
    if (val_is_none(target)) return;
    c->shown++;
    struct needle n = val_is_container(target)
                          ? needle_of_twin(c, target)
                          : needle_of_text(c->applied->h, val_text(&target, scratch));
    if (!slots_eq(c, member, set_slot(c->twin, &n))) differ_in(c, "a member");
}

static void compare_lists(struct comparison *c)
{
    struct list_iter a, b;
    if (list_length(c->o) != list_length(c->twin)) {
        differ_in(c, "the length");
        return;
    }
    if (list_length(c->o) == 0) return;
    list_seek(c->o, 0, &a);
    list_seek(c->twin, 0, &b);
    do
        if (!slots_eq(c, list_at_slot(&a), list_at_slot(&b))) differ_in(c, "an element");
    while (list_next(&a) && list_next(&b));
}

/* The order is part of what is compared. Skips members that are gone; false at the end. */
static bool next_shown(struct zset_iter *it, bool *more, struct zset_entry *e)
{
    while (*more) {
        *e = zset_slot_at(it);
        *more = zset_next(it);
        if (!val_is_none(val_target(e->member))) return true;
    }
    return false;
}

static void compare_zsets(struct comparison *c)
{
    struct zset_iter a, b;
    struct zset_entry x, y;
    bool more_a = zset_length(c->o) > 0, more_b = zset_length(c->twin) > 0;
    if (more_a) zset_seek(c->o, 0, &a);
    if (more_b) zset_seek(c->twin, 0, &b);
    while (next_shown(&a, &more_a, &x)) {
        do
            if (!next_shown(&b, &more_b, &y)) {
                differ_in(c, "a member is missing");
                return;
            }
        while (!c->exact && val_is_weak(y.member) && !slots_eq(c, x.member, y.member));
        if (!slots_eq(c, x.member, y.member)) differ_in(c, "a member, or its rank");
        if (memcmp(&x.score, &y.score, sizeof x.score) != 0) differ_in(c, "a score");
        if (c->differs) return;
    }
    if (c->exact && next_shown(&b, &more_b, &y)) differ_in(c, "a member too many");
}

static void compare_counts(struct comparison *c, uint64_t twin_shown)
{
    if (c->exact ? c->shown != twin_shown : c->shown > twin_shown)
        differ_in(c, "the slots' number");
}

static void compare_slots(struct comparison *c)
{
    uint64_t cursor = 0;
    c->shown = 0;
    switch ((enum obj_type)c->o->type) {
    case OBJ_LIST: compare_lists(c); break;
    case OBJ_HASH:
        while (hash_walk_slots(c->o, &cursor, WALK_SLOTS, compare_field, c)) continue;
        compare_counts(c, hash_length(c->twin));
        break;
    case OBJ_SET:
        while (set_walk_slots(c->o, &cursor, WALK_SLOTS, compare_member, c)) continue;
        compare_counts(c, set_length(c->twin));
        break;
    case OBJ_ZSET: compare_zsets(c); break;
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
}

/* --- what is reached --- */

/* The containers that names and handles reach, each once: `known` for membership, `at` in the order
 * in which they were met. */
struct reach {
    struct heap *h;
    struct table known;
    const struct obj **at;
    size_t count, slots;
    bool failed;
};

static uint32_t reach_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return (uint32_t)hash_word(0, (uint64_t)(uintptr_t) * (const struct obj *const *)entry);
}

static bool reach_has(const void *needle, const void *entry)
{
    return *(const struct obj *const *)entry == needle;
}

static const struct table_type reach_type = {.entry_bytes = sizeof(struct obj *),
                                             .hash = reach_hash};

static void reach(void *ctx, struct obj *o)
{
    struct reach *r = ctx;
    const struct obj *met = o;
    uint32_t hash = reach_hash(NULL, &met);
    if (!obj_is_container(o) || table_find(&r->known, &reach_type, hash, reach_has, o)) return;
    if (r->count == r->slots) {
        size_t slots = r->slots ? r->slots * 2 : 256;
        const struct obj **grown =
            mem_realloc(r->h->mem, r->at, r->slots * sizeof *r->at, slots * sizeof *r->at);
        if (grown) r->at = grown;
        if (grown) r->slots = slots;
    }
    const struct obj **entry =
        r->count < r->slots ? table_insert(&r->known, &reach_type, r->h->pool, NULL, hash) : NULL;
    r->failed |= !entry;
    if (!entry) return;
    *entry = r->at[r->count++] = o;
}

static void reach_rooted(void *ctx, uint64_t cell, struct obj *twin)
{
    (void)twin;
    struct obj *o = (struct obj *)(uintptr_t)(cell << 4); // NOLINT: effect_cell
    if (o->roots) reach(ctx, o);
}

static void forget(void *ctx, void *entry)
{
    (void)ctx, (void)entry;
}

/* Whether a name or a handle of the live heap reaches the container. Memory is the other heap's. */
static bool is_reached(const struct comparison *c, const struct obj *o)
{
    struct reach r = {.h = c->applied->h};
    table_init(&r.known);
    apply_walk(c->applied, reach_rooted, &r);
    for (size_t i = 0; i < r.count; i++) {
        const struct heap_type *type = c->live->h->types[r.at[i]->type];
        uint64_t end = type->end(r.at[i]);
        for (uint64_t at = type->begin(r.at[i]); at < end;)
            at = type->visit(r.at[i], at, end, UINT32_MAX, reach, &r);
    }
    uint32_t hash = reach_hash(NULL, &o);
    bool reached = r.failed || table_find(&r.known, &reach_type, hash, reach_has, o);
    while (!table_drain(&r.known, &reach_type, r.h->pool, UINT32_MAX, forget, NULL)) continue;
    mem_free(r.h->mem, r.at, r.slots * sizeof *r.at);
    return reached;
}

static void compare_cell(void *ctx, uint64_t cell, struct obj *twin)
{
    struct comparison *c = ctx;
    struct heap *h = c->live->h;
    const struct obj *o = (const struct obj *)(uintptr_t)(cell << 4); // NOLINT: effect_cell
    c->o = o;
    c->twin = twin;
    if (o->type != twin->type || o->count == 0) {
        differ(c, "cell %llx lives in one heap only", (unsigned long long)cell);
        return;
    }
    if (c->differs || collect_is_condemned(h, o)) return;
    if ((o->flags ^ twin->flags) & OBJ_REFERRED) differ_in(c, "OBJ_REFERRED");
    if (ident_get(h, o) != ident_get(c->applied->h, twin)) differ_in(c, "the identity");
    compare_slots(c);
    if (c->differs && !is_reached(c, o)) c->differs = false;
}

/* --- names --- */

static void compare_name(void *ctx, const struct entry *e)
{
    struct comparison *c = ctx;
    struct view key = entry_key(e);
    const struct keyspace *ks = c->applied->ks;
    const struct entry *twin = keyspace_find_any(ks, key);
    int bytes = key.n > 64 ? 64 : (int)key.n;
    if (!twin)
        differ(c, "the name '%.*s' is missing", bytes, key.p);
    else if (!slots_eq(c, entry_stored(e), entry_stored(twin)))
        differ(c, "the value of '%.*s'", bytes, key.p);
    else if (keyspace_expires_ms(c->live, e) != keyspace_expires_ms(ks, twin))
        differ(c, "the TTL of '%.*s'", bytes, key.p);
}

const char *compare(const struct keyspace *live, const struct apply *applied,
                    char text[COMPARE_TEXT_BYTES])
{
    const struct heap *h = live->h;
    struct comparison c = {
        .live = live, .applied = applied, .exact = h->collect.phase != COLLECT_FREE, .text = text};
    uint64_t alive = heap_containers(h) - h->release_pending, cells = apply_cells(applied);
    if (alive != cells)
        differ(&c, "%llu containers live, not %llu", (unsigned long long)alive,
               (unsigned long long)cells);
    if (keyspace_names(live) != keyspace_names(applied->ks))
        differ(&c, "%llu names, not %llu", (unsigned long long)keyspace_names(live),
               (unsigned long long)keyspace_names(applied->ks));
    keyspace_walk_all(live, compare_name, &c);
    if (!c.differs) apply_walk(applied, compare_cell, &c);
    return c.differs ? text : NULL;
}
