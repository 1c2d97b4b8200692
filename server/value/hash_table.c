#include "value/hash_table.h"

#include "value/move.h"

enum { COPY_STEP_SLOTS = 256 };

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

static const struct table_type table_type = {
    .entry_bytes = sizeof(struct hash_entry), .hash = entry_hash, .moved = entry_moved};

struct hash_entry *hash_table_find(const struct obj *o, const struct needle *field)
{
    const struct body_table *b = obj_body(o);
    if (b == NULL) return NULL;
    return table_find(&b->table, &table_type, field->hash, entry_match, field);
}

/* val_stored, for a slot whose field a weak reference has to know. */
static void value_stored(struct heap *h, struct obj *o, struct hash_entry e)
{
    val_stored(h, o, e.value);
    if (val_is_weak(e.value)) weak_set_field(val_obj(e.value), e.field.w);
}

enum status hash_table_put(struct heap *h, struct obj *o, uint32_t hash, val field, val value)
{
    struct body_table *b = obj_body(o);
    if (b == NULL) b = body_make(h, o, sizeof *b);
    if (b == NULL) return STATUS_OOM;
    if (b->table.used >= TABLE_ENTRIES_MAX) return STATUS_TOO_MANY;
    struct body_owner owner = {h, o};
    collect_disturb(h, o, 0); /* the insertion may split a bucket */
    struct hash_entry *e = table_insert(&b->table, &table_type, h->pool, &owner, hash);
    if (e == NULL) {
        if (b->table.used == 0) body_drop(h, o, sizeof *b);
        return STATUS_OOM;
    }
    *e = (struct hash_entry){field, value};
    value_stored(h, o, *e);
    return STATUS_OK;
}

enum status hash_table_add(struct heap *h, struct obj *o, const struct needle *field, val value)
{
    val name;
    enum status s = needle_take_interned(h, field, &name);
    if (s != STATUS_OK) return s;
    s = hash_table_put(h, o, field->hash, name, value);
    if (s != STATUS_OK) val_release(h, name);
    return s;
}

void hash_table_replace(struct heap *h, struct obj *o, struct hash_entry *e, val value)
{
    val old = e->value;
    e->value = value;
    value_stored(h, o, *e);
    val_release(h, old);
}

void hash_table_remove(struct heap *h, struct obj *o, uint32_t hash, struct hash_entry *e)
{
    struct body_table *b = obj_body(o);
    struct body_owner owner = {h, o};
    struct hash_entry gone = *e;
    collect_disturb(h, o, 0); /* the removal may merge a bucket */
    table_remove(&b->table, &table_type, h->pool, &owner, hash, e);
    if (b->table.used == 0) body_drop(h, o, sizeof *b);
    /* Last, because a needle may have been made from what is released. */
    val_release(h, gone.value);
    val_release(h, gone.field);
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

bool hash_table_walk(const struct obj *o, uint64_t *cursor, uint32_t max, enum body_shows shows,
                     hash_each *each, void *ctx)
{
    struct each_call call = {each, ctx, shows};
    uint64_t end = body_table_end(o);
    *cursor = body_table_walk(o, &table_type, *cursor, end, max, call_each, &call);
    return *cursor < end;
}

uint64_t hash_table_scan(const struct obj *o, uint64_t cursor, hash_each *each, void *ctx)
{
    const struct body_table *b = obj_body(o);
    struct each_call call = {each, ctx, BODY_TARGETS};
    return b ? table_scan(&b->table, &table_type, cursor, call_each, &call) : 0;
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
    c->status = hash_table_put(c->heap, c->to, val_hash(c->heap, e->field), e->field, v);
    if (c->status == STATUS_OK)
        val_retain(c->heap, e->field);
    else
        val_release(c->heap, v);
}

enum status hash_table_copy(struct heap *h, const struct obj *from, struct obj *to)
{
    struct copy c = {h, to, STATUS_OK};
    uint64_t end = body_table_end(from);
    for (uint64_t at = 0; at < end && c.status == STATUS_OK;)
        at = body_table_walk(from, &table_type, at, end, COPY_STEP_SLOTS, copy_entry, &c);
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

uint64_t hash_table_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                          heap_visit *fn, void *ctx)
{
    struct visit_call call = {fn, ctx};
    return body_table_walk(o, &table_type, cursor, limit, slots_max, visit_entry, &call);
}

static void drop_entry(void *ctx, void *entry)
{
    struct heap *h = ctx;
    struct hash_entry gone = *(const struct hash_entry *)entry;
    val_release(h, gone.field);
    val_release(h, gone.value);
}

bool hash_table_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    struct body_table *b = obj_body(o);
    if (b == NULL) return true;
    if (!table_drain(&b->table, &table_type, h->pool, slots_max, drop_entry, h)) return false;
    body_drop(h, o, sizeof *b);
    return true;
}

static void move_entry(void *heap, void *entry)
{
    /* A field stays: a weak reference in the value names it. */
    (void)move_val(heap, &((struct hash_entry *)entry)->value);
}

bool hash_table_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if (obj_body(o) == NULL) return true;
    if (*cursor == 0) {
        if (body_table_fit(h, o, &table_type, slots_max)) return false;
        move_body(h, o, sizeof(struct body_table));
    }
    struct body_table *b = obj_body(o);
    *cursor = table_move_step(&b->table, &table_type, h->pool, *cursor, slots_max, move_entry, h);
    return *cursor == 0;
}

size_t hash_table_bytes(const struct obj *o)
{
    return body_table_bytes(o, &table_type);
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
    c->right &= hash_table_find(c->o, &n) == entry; /* 2. */
    if (val_is_obj(e->field) && val_obj(e->field)->type == OBJ_STRING)
        c->right &= (val_obj(e->field)->flags & OBJ_INTERNED) != 0; /* 3. */
    c->right &= !val_is_container(e->value) || (c->o->flags & OBJ_VISIBLE);
    if (!val_is_weak(e->value)) return;
    c->right &= obj_words(c->o)->weakly;
    c->right &= ((const struct weak *)val_obj(e->value))->field == e->field.w; /* 4. */
}

bool hash_table_check(const struct heap *h, const struct obj *o)
{
    const struct body_table *b = obj_body(o);
    struct body_owner owner = {(struct heap *)(uintptr_t)h, NULL}; // only entry_hash reads it
    struct check c = {h, o, b->table.used > 0 || (o->flags & OBJ_PINNED)}; /* 1. */
    uint64_t end = body_table_end(o);
    for (uint64_t at = 0; at < end;)
        at = body_table_walk(o, &table_type, at, end, UINT32_MAX, check_entry, &c);
    return c.right && table_check(&b->table, &table_type, &owner);
}
