#include "value/hash.h"

#include "value/body.h"

enum { WALK_STEP_SLOTS = 256 };

struct hash_entry {
    val field;
    val value;
};

static_assert(sizeof(struct hash_entry) == 16, "two values to an entry");

static uint32_t entry_hash(const void *ctx, const void *entry)
{
    const struct body_owner *owner = ctx;
    return val_hash(owner->heap, ((const struct hash_entry *)entry)->field);
}

/* A split or merge moved an entry. Fields are strings: only the value can matter to the collector.
 */
static void entry_moved(void *ctx, void *entry)
{
    const struct body_owner *owner = ctx;
    if (collect_in_black_scan(owner->heap, owner->obj))
        body_moved(owner->heap, ((const struct hash_entry *)entry)->value);
}

static bool entry_match(const void *needle, const void *entry)
{
    return needle_matches(needle, ((const struct hash_entry *)entry)->field);
}

static const struct table_type hash_table_type = {
    .entry_bytes = sizeof(struct hash_entry), .hash = entry_hash, .moved = entry_moved};

static struct hash_entry *hash_find(const struct obj *o, const struct needle *field)
{
    const struct body_table *b = obj_body(o);
    if (b == NULL) return NULL;
    return table_find(&b->table, &hash_table_type, field->hash, entry_match, field);
}

uint64_t hash_length(const struct obj *o)
{
    return body_table_length(o);
}

RC_BORROWED val hash_slot(const struct obj *o, const struct needle *field)
{
    const struct hash_entry *e = hash_find(o, field);
    return e ? e->value : VAL_NONE;
}

RC_BORROWED val hash_get(const struct obj *o, const struct needle *field)
{
    return val_target(hash_slot(o, field));
}

/* val_stored, for a slot whose field a weak reference has to know. */
static void value_stored(struct heap *h, struct obj *o, struct hash_entry e)
{
    val_stored(h, o, e.value);
    if (val_is_weak(e.value)) weak_set_field(val_obj(e.value), e.field.w);
}

/* Adds a field that is not there. Takes over both counts on success only. */
static enum status hash_add(struct heap *h, struct obj *o, uint32_t hash, val field, val value)
{
    struct body_table *b = obj_body(o);
    if (b == NULL) b = body_make(h, o, sizeof *b);
    if (b == NULL) return STATUS_OOM;
    if (b->table.used >= TABLE_ENTRIES_MAX) return STATUS_TOO_MANY;
    struct body_owner owner = {h, o};
    collect_disturb(h, o, 0); /* the insertion may split a bucket */
    struct hash_entry *e = table_insert(&b->table, &hash_table_type, h->pool, &owner, hash);
    if (e == NULL) {
        if (b->table.used == 0) body_drop(h, o, sizeof *b);
        return STATUS_OOM;
    }
    *e = (struct hash_entry){field, value};
    value_stored(h, o, *e);
    return STATUS_OK;
}

enum status hash_set_take(struct heap *h, struct obj *o, const struct needle *field,
                          RC_STEALS val value, bool *created)
{
    struct hash_entry *e = hash_find(o, field);
    if (e != NULL) {
        val old = e->value;
        if (created) *created = val_is_none(val_target(old));
        e->value = value;
        value_stored(h, o, *e);
        val_release(h, old);
        return STATUS_OK;
    }
    val name;
    enum status s = needle_take_interned(h, field, &name);
    if (s == STATUS_OK) {
        s = hash_add(h, o, field->hash, name, value);
        if (s != STATUS_OK) val_release(h, name);
    }
    if (s != STATUS_OK) {
        val_release(h, value);
        return s;
    }
    if (created) *created = true;
    return STATUS_OK;
}

bool hash_delete(struct heap *h, struct obj *o, const struct needle *field)
{
    struct hash_entry *e = hash_find(o, field);
    if (e == NULL) return false;
    struct body_table *b = obj_body(o);
    struct body_owner owner = {h, o};
    struct hash_entry gone = *e;
    bool there = !val_is_none(val_target(gone.value));
    collect_disturb(h, o, 0); /* the removal may merge a bucket */
    table_remove(&b->table, &hash_table_type, h->pool, &owner, field->hash, e);
    if (b->table.used == 0) body_drop(h, o, sizeof *b);
    /* Last, because the needle may have been made from what is released. */
    val_release(h, gone.value);
    val_release(h, gone.field);
    return there;
}

static void hash_drop_weak(struct heap *h, struct obj *o, struct weak *w)
{
    struct needle field = needle_of_val(h, (val){w->field});
    DASSERT(val_obj(hash_slot(o, &field)) == &w->head);
    hash_delete(h, o, &field);
}

struct each_call {
    hash_each *each;
    void *ctx;
    enum body_shows shows;
};

static void call_each(void *ctx, void *entry)
{
    const struct each_call *call = ctx;
    const struct hash_entry *e = entry;
    val v = call->shows == BODY_SLOTS ? e->value : val_target(e->value);
    if (!val_is_none(v)) call->each(call->ctx, e->field, v);
}

static bool walk(const struct obj *o, uint64_t *cursor, uint32_t max, struct each_call *call)
{
    uint64_t end = body_table_end(o);
    *cursor = body_table_walk(o, &hash_table_type, *cursor, end, max, call_each, call);
    return *cursor < end;
}

bool hash_walk(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each, void *ctx)
{
    struct each_call call = {each, ctx, BODY_TARGETS};
    return walk(o, cursor, max, &call);
}

bool hash_walk_slots(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each,
                     void *ctx)
{
    struct each_call call = {each, ctx, BODY_SLOTS};
    return walk(o, cursor, max, &call);
}

static void count_each(void *ctx, val field, val value)
{
    (void)field, (void)value;
    ++*(uint64_t *)ctx;
}

uint64_t hash_shown(const struct heap *h, const struct obj *o)
{
    uint64_t shown = 0, cursor = 0;
    if (!body_may_lag(h, o)) return hash_length(o);
    while (hash_walk(o, &cursor, WALK_STEP_SLOTS, count_each, &shown)) continue;
    return shown;
}

uint64_t hash_scan(const struct obj *o, uint64_t cursor, hash_each *each, void *ctx)
{
    const struct body_table *b = obj_body(o);
    struct each_call call = {each, ctx, BODY_TARGETS};
    return b ? table_scan(&b->table, &hash_table_type, cursor, call_each, &call) : 0;
}

struct copy {
    struct heap *heap;
    struct obj *to;
    enum status status;
};

static void copy_entry(void *ctx, void *entry)
{
    struct copy *c = ctx;
    const struct hash_entry *e = entry;
    val v;
    if (c->status != STATUS_OK) return;
    c->status = val_share(c->heap, e->value, &v);
    if (c->status != STATUS_OK || val_is_none(v)) return;
    c->status = hash_add(c->heap, c->to, val_hash(c->heap, e->field), e->field, v);
    if (c->status == STATUS_OK)
        val_retain(c->heap, e->field);
    else
        val_release(c->heap, v);
}

enum status hash_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out)
{
    struct copy c = {h, heap_container_new(h, OBJ_HASH), STATUS_OK};
    if (c.to == NULL) return STATUS_OOM;
    uint64_t end = body_table_end(from);
    for (uint64_t at = 0; at < end && c.status == STATUS_OK;)
        at = body_table_walk(from, &hash_table_type, at, end, WALK_STEP_SLOTS, copy_entry, &c);
    if (c.status == STATUS_OK)
        *out = c.to;
    else
        rc_dec(h, c.to);
    return c.status;
}

struct visit_call {
    heap_visit *fn;
    void *ctx;
};

static void visit_entry(void *ctx, void *entry)
{
    const struct visit_call *call = ctx;
    const struct hash_entry *e = entry;
    if (val_is_obj(e->field)) call->fn(call->ctx, val_obj(e->field));
    if (val_is_obj(e->value)) call->fn(call->ctx, val_obj(e->value));
}

static uint64_t hash_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                           heap_visit *fn, void *ctx)
{
    struct visit_call call = {fn, ctx};
    return body_table_walk(o, &hash_table_type, cursor, limit, slots_max, visit_entry, &call);
}

static void drop_entry(void *ctx, void *entry)
{
    struct heap *h = ctx;
    struct hash_entry gone = *(const struct hash_entry *)entry;
    val_release(h, gone.field);
    val_release(h, gone.value);
}

static bool hash_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    struct body_table *b = obj_body(o);
    if (b == NULL) return true;
    if (!table_drain(&b->table, &hash_table_type, h->pool, slots_max, drop_entry, h)) return false;
    body_drop(h, o, sizeof *b);
    return true;
}

static size_t hash_bytes_of(const struct obj *o)
{
    return body_table_bytes(o, &hash_table_type);
}

struct check {
    const struct heap *heap;
    const struct obj *o;
    bool right;
};

static void check_entry(void *ctx, void *entry)
{
    struct check *c = ctx;
    const struct hash_entry *e = entry;
    struct needle n = needle_of_val(c->heap, e->field);
    c->right &= !val_is_none(e->value) && !val_is_container(e->field);
    c->right &= val_check(e->field) && val_check(e->value);
    c->right &= hash_find(c->o, &n) == entry; /* 2. */
    if (val_is_obj(e->field) && val_obj(e->field)->type == OBJ_STRING)
        c->right &= (val_obj(e->field)->flags & OBJ_INTERNED) != 0; /* 3. */
    c->right &= !val_is_container(e->value) || (c->o->flags & OBJ_VISIBLE);
    if (!val_is_weak(e->value)) return;
    c->right &= obj_words(c->o)->weakly;
    c->right &= ((const struct weak *)val_obj(e->value))->field == e->field.w; /* 4. */
}

bool hash_check(const struct heap *h, const struct obj *o)
{
    const struct body_table *b = obj_body(o);
    if (b == NULL) return (o->flags & OBJ_VISIBLE) == 0;
    struct body_owner owner = {(struct heap *)(uintptr_t)h, NULL}; // only entry_hash reads it
    struct check c = {h, o, b->table.used > 0 || (o->flags & OBJ_PINNED)}; /* 1. */
    uint64_t end = body_table_end(o);
    for (uint64_t at = 0; at < end;)
        at = body_table_walk(o, &hash_table_type, at, end, UINT32_MAX, check_entry, &c);
    return c.right && table_check(&b->table, &hash_table_type, &owner);
}

const struct heap_type hash_heap_type = {
    .name = "hash",
    .begin = body_table_begin,
    .end = body_table_end,
    .visit = hash_visit,
    .prefetch = body_table_prefetch,
    .clear = hash_clear,
    .drop_weak = hash_drop_weak,
    .bytes = hash_bytes_of,
    .check = hash_check,
};
