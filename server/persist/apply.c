#include "persist/apply.h"

#include "base/hash.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/zset.h"

/* --- cells --- */

struct known_cell {
    uint64_t cell;
    struct obj *o;
};

static uint32_t hash_of(uint64_t cell)
{
    return (uint32_t)hash_word(0, cell);
}

static uint32_t entry_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return hash_of(((const struct known_cell *)entry)->cell);
}

static bool entry_has(const void *needle, const void *entry)
{
    return ((const struct known_cell *)entry)->cell == *(const uint64_t *)needle;
}

static const struct table_type cells_type = {.entry_bytes = sizeof(struct known_cell),
                                             .hash = entry_hash};

static struct known_cell *find(const struct apply *a, uint64_t cell)
{
    return table_find(&a->cells, &cells_type, hash_of(cell), entry_has, &cell);
}

struct obj *apply_cell(const struct apply *a, uint64_t cell)
{
    const struct known_cell *known = find(a, cell);
    return known ? known->o : NULL;
}

uint64_t apply_cells(const struct apply *a)
{
    return a->cells.used;
}

struct walk {
    apply_each *each;
    void *ctx;
};

static void walk_entry(void *ctx, void *entry)
{
    const struct walk *w = ctx;
    const struct known_cell *known = entry;
    w->each(w->ctx, known->cell, known->o);
}

void apply_walk(const struct apply *a, apply_each *each, void *ctx)
{
    struct walk w = {each, ctx};
    for (uint64_t at = 0; at < a->cells.buckets;)
        at = table_walk(&a->cells, &cells_type, at, a->cells.buckets, UINT32_MAX, walk_entry, &w);
}

/* --- values --- */

/* A counted value to store. */
static enum status value_take(const struct apply *a, const struct effect_value *v, val *out)
{
    struct obj *o = NULL;
    if (v->kind == EFFECT_REFERENCE || (v->kind == EFFECT_WEAK && v->cell)) {
        o = apply_cell(a, v->cell);
        if (!o) return STATUS_BROKEN;
    }
    switch (v->kind) {
    case EFFECT_INTEGER: return val_of_integer(a->h, v->integer, out);
    case EFFECT_TEXT:
    case EFFECT_SHARED_TEXT: return val_of_text(a->h, v->text, out);
    case EFFECT_REFERENCE:
        rc_inc(a->h, o);
        *out = val_of_obj(o);
        return STATUS_OK;
    case EFFECT_WEAK:
        if (o) return val_weaken(a->h, val_of_obj(o), out);
        break;
    case EFFECT_NIL:
    case EFFECT_KINDS: break;
    }
    *out = VAL_NIL;
    return STATUS_OK;
}

/* What to look for, or to add to a set. `digits` must stay as long as the needle. */
static enum status needle_of(const struct apply *a, const struct effect_value *v,
                             char digits[VAL_TEXT_CHARS], struct needle *out)
{
    if (v->kind == EFFECT_INTEGER) {
        *out = needle_of_text(a->h, (struct view){digits, num_put_integer(digits, v->integer)});
        return STATUS_OK;
    }
    if (v->kind == EFFECT_TEXT || v->kind == EFFECT_SHARED_TEXT) {
        *out = needle_of_text(a->h, v->text);
        return STATUS_OK;
    }
    const struct obj *o = v->kind == EFFECT_NIL ? NULL : apply_cell(a, v->cell);
    if (!o) return STATUS_BROKEN;
    *out = needle_of_val(a->h, val_of_obj(o));
    out->weakly = v->kind == EFFECT_WEAK;
    return STATUS_OK;
}

/* --- names --- */

static enum status bind(struct apply *a, const struct effect *e)
{
    struct keyspace_bind options = {.expires_ms = e->when_ms};
    val v;
    if (e->value.kind == EFFECT_TEXT || e->value.kind == EFFECT_SHARED_TEXT)
        return keyspace_bind_text(a->ks, e->key, e->value.text, options, NULL);
    if (e->value.kind == EFFECT_INTEGER)
        return keyspace_bind_integer(a->ks, e->key, e->value.integer, options, NULL);
    if (e->value.kind == EFFECT_NIL) return STATUS_BROKEN;
    enum status s = value_take(a, &e->value, &v);
    return s ? s : keyspace_bind_take(a->ks, e->key, v, options, NULL);
}

static enum status unbind(struct apply *a, const struct effect *e)
{
    struct entry *entry = keyspace_find_any(a->ks, e->key);
    if (!entry || e->number >= NAME_ROLLED_BACK) return STATUS_BROKEN;
    keyspace_unbind(a->ks, entry, (enum name_gone)e->number);
    return STATUS_OK;
}

static enum status expiry(struct apply *a, const struct effect *e)
{
    struct entry *entry = keyspace_find_any(a->ks, e->key);
    if (!entry) return STATUS_BROKEN;
    if (e->when_ms != EFFECT_NEVER) return keyspace_set_expiry(a->ks, &entry, e->when_ms);
    keyspace_clear_expiry(a->ks, entry);
    return STATUS_OK;
}

/* All at once: nobody waits. */
static enum status flush(struct apply *a)
{
    keyspace_flush(a->ks);
    while (keyspace_step(a->ks, UINT32_MAX)) continue;
    return STATUS_OK;
}

/* --- lives --- */

static enum status born(struct apply *a, const struct effect *e)
{
    if (e->number < OBJ_LIST || e->number > OBJ_ZSET || find(a, e->cell)) return STATUS_BROKEN;
    struct obj *o = heap_container_new(a->h, (enum obj_type)e->number);
    if (!o) return STATUS_OOM;
    struct known_cell *known =
        table_insert(&a->cells, &cells_type, a->h->pool, NULL, hash_of(e->cell));
    if (!known) {
        rc_dec(a->h, o);
        return STATUS_OOM;
    }
    *known = (struct known_cell){e->cell, o};
    return STATUS_OK;
}

/* Its slots go now. Others that are about to be dead may still refer to it, in a cycle: it stays
 * empty until they have gone, too. */
static enum status died(struct apply *a, const struct effect *e)
{
    struct known_cell *known = find(a, e->cell);
    if (!known) return STATUS_BROKEN;
    struct obj *o = known->o;
    table_remove(&a->cells, &cells_type, a->h->pool, NULL, hash_of(e->cell), known);
    while (!a->h->types[o->type]->clear(a->h, o, UINT32_MAX)) continue;
    o->flags &= (uint8_t)~OBJ_VISIBLE;
    if (o->flags & OBJ_WEAKLY) weak_ended(a->h, o);
    rc_dec(a->h, o);
    while (weak_step(a->h, UINT32_MAX) || heap_release_step(a->h, UINT32_MAX)) continue;
    return STATUS_OK;
}

/* --- slots --- */

static enum status apply_hash(struct apply *a, struct obj *o, const struct effect *e)
{
    char digits[VAL_TEXT_CHARS];
    struct needle field;
    val v;
    if (o->type != OBJ_HASH || e->field.kind == EFFECT_REFERENCE || e->field.kind == EFFECT_WEAK)
        return STATUS_BROKEN;
    enum status s = needle_of(a, &e->field, digits, &field);
    if (s) return s;
    if (e->op == EFFECT_HASH_DELETE)
        return hash_delete(a->h, o, &field) ? STATUS_OK : STATUS_BROKEN;
    s = value_take(a, &e->value, &v);
    return s ? s : hash_set_take(a->h, o, &field, v, NULL);
}

/* The elements behind move up, one by one. */
static enum status delete_within(struct apply *a, struct obj *o, uint64_t index, uint64_t count)
{
    uint64_t length = list_length(o);
    for (uint64_t i = index; i + count < length; i++) {
        val v;
        enum status s = val_share(a->h, list_slot(o, i + count), &v);
        if (!s) s = list_set_take(a->h, o, i, val_is_none(v) ? VAL_NIL : v);
        if (s) return s;
    }
    return list_trim(a->h, o, 0, length - count);
}

static enum status apply_list(struct apply *a, struct obj *o, const struct effect *e)
{
    val v;
    if (o->type != OBJ_LIST) return STATUS_BROKEN;
    uint64_t length = list_length(o), index = e->number, count = e->count;
    if (e->op == EFFECT_LIST_DELETE) {
        if (count > length || index > length - count) return STATUS_BROKEN;
        if (index == 0) return list_trim(a->h, o, count, length - count);
        if (index + count == length) return list_trim(a->h, o, 0, index);
        return delete_within(a, o, index, count);
    }
    if (index > length || (index == length && e->op == EFFECT_LIST_SET)) return STATUS_BROKEN;
    enum status s = value_take(a, &e->value, &v);
    if (s) return s;
    if (e->op == EFFECT_LIST_SET) return list_set_take(a->h, o, index, v);
    return list_insert_take(a->h, o, index, v);
}

static enum status apply_set(struct apply *a, struct obj *o, const struct effect *e)
{
    char digits[VAL_TEXT_CHARS];
    struct needle member;
    bool added;
    if (o->type != OBJ_SET) return STATUS_BROKEN;
    enum status s = needle_of(a, &e->value, digits, &member);
    if (s) return s;
    if (e->op == EFFECT_SET_REMOVE) return set_remove(a->h, o, &member) ? STATUS_OK : STATUS_BROKEN;
    s = set_add(a->h, o, &member, &added);
    return s || added ? s : STATUS_BROKEN;
}

static enum status apply_zset(struct apply *a, struct obj *o, const struct effect *e)
{
    char digits[VAL_TEXT_CHARS];
    struct needle member;
    if (o->type != OBJ_ZSET) return STATUS_BROKEN;
    enum status s = needle_of(a, &e->value, digits, &member);
    if (s) return s;
    if (e->op == EFFECT_ZSET_SET) return zset_set(a->h, o, &member, e->score, NULL);
    return zset_remove(a->h, o, &member) ? STATUS_OK : STATUS_BROKEN;
}

/* --- records --- */

/* Of a record that names a container that lives. */
static enum status apply_to_cell(struct apply *a, const struct effect *e)
{
    struct obj *o = apply_cell(a, e->cell);
    if (!o) return STATUS_BROKEN;
    switch (e->op) {
    case EFFECT_REFERRED: keyspace_refer(a->ks, o); return STATUS_OK;
    case EFFECT_IDENT:
        return o->flags & OBJ_IDENTIFIED ? STATUS_BROKEN : ident_restore(a->h, o, e->number);
    case EFFECT_HASH_SET:
    case EFFECT_HASH_DELETE: return apply_hash(a, o, e);
    case EFFECT_LIST_INSERT:
    case EFFECT_LIST_DELETE:
    case EFFECT_LIST_SET: return apply_list(a, o, e);
    case EFFECT_SET_ADD:
    case EFFECT_SET_REMOVE: return apply_set(a, o, e);
    case EFFECT_ZSET_SET:
    case EFFECT_ZSET_REMOVE: return apply_zset(a, o, e);
    case EFFECT_NONE:
    case EFFECT_BIND:
    case EFFECT_UNBIND:
    case EFFECT_EXPIRY:
    case EFFECT_FLUSH:
    case EFFECT_NEW:
    case EFFECT_DEAD:
    case EFFECT_OPS: break;
    }
    return STATUS_BROKEN;
}

static enum status apply_one(struct apply *a, const struct effect *e)
{
    switch (e->op) {
    case EFFECT_BIND: return bind(a, e);
    case EFFECT_UNBIND: return unbind(a, e);
    case EFFECT_EXPIRY: return expiry(a, e);
    case EFFECT_FLUSH: return flush(a);
    case EFFECT_NEW: return born(a, e);
    case EFFECT_DEAD: return died(a, e);
    case EFFECT_NONE:
    case EFFECT_REFERRED:
    case EFFECT_IDENT:
    case EFFECT_HASH_SET:
    case EFFECT_HASH_DELETE:
    case EFFECT_LIST_INSERT:
    case EFFECT_LIST_DELETE:
    case EFFECT_LIST_SET:
    case EFFECT_SET_ADD:
    case EFFECT_SET_REMOVE:
    case EFFECT_ZSET_SET:
    case EFFECT_ZSET_REMOVE:
    case EFFECT_OPS: break;
    }
    return apply_to_cell(a, e);
}

enum status apply_batch(struct apply *a, struct view records)
{
    struct effect e;
    enum effect_read read;
    while ((read = effect_next(&records, &e)) == EFFECT_READ) {
        enum status s = apply_one(a, &e);
        if (s) return s == STATUS_OOM ? s : STATUS_BROKEN;
    }
    return read == EFFECT_END ? STATUS_OK : STATUS_BROKEN;
}

/* --- beginning and end --- */

struct knowing {
    struct keyspace *ks;
    enum status status;
};

static void know(void *ctx, const struct entry *e)
{
    struct knowing *k = ctx;
    const struct obj *o = entry_referred(e);
    if (k->status || !o || (o->flags & OBJ_IDENTIFIED) == 0) return;
    k->status = keyspace_know(k->ks, (struct entry *)(uintptr_t)e); // NOLINT: the keyspace's own
}

enum status apply_finish(struct apply *a)
{
    struct knowing k = {a->ks, STATUS_OK};
    keyspace_walk_all(a->ks, know, &k);
    return k.status;
}

struct holding {
    heap_hold_visit *visit;
    void *ctx;
};

static void show_cell(void *ctx, uint64_t cell, struct obj *o)
{
    const struct holding *holding = ctx;
    (void)cell;
    holding->visit(holding->ctx, o, HEAP_HOLD_COUNT);
}

static void each_held(void *self, heap_hold_visit *visit, void *ctx)
{
    struct holding holding = {visit, ctx};
    apply_walk(self, show_cell, &holding);
}

void apply_init(struct apply *a, struct heap *h, struct keyspace *ks)
{
    *a =
        (struct apply){.h = h, .ks = ks, .holder = {.name = "cells", .each = each_held, .self = a}};
    table_init(&a->cells);
    h->emptied = NULL;
    h->weak.unname = NULL;
    heap_add_holder(h, &a->holder);
}

static void let_go(void *ctx, void *entry)
{
    rc_dec(ctx, ((struct known_cell *)entry)->o);
}

void apply_fini(struct apply *a)
{
    while (!table_drain(&a->cells, &cells_type, a->h->pool, UINT32_MAX, let_go, a->h)) continue;
}
