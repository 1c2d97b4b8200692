#include "value/set_table.h"

#include "value/move.h"

enum { COPY_STEP_SLOTS = 256 };

/* An entry of the table is a val: the member. */
static uint32_t entry_hash(const void *ctx, const void *entry)
{
    const struct body_owner *owner = ctx;
    return val_hash(owner->heap, *(const val *)entry);
}

static void entry_moved(void *ctx, void *entry)
{
    const struct body_owner *owner = ctx;
    if (collect_in_black_scan(owner->heap, owner->obj))
        body_moved(owner->heap, *(const val *)entry);
}

static bool entry_match(const void *needle, const void *entry)
{
    return needle_matches(needle, *(const val *)entry);
}

static const struct table_type set_table_type = {
    .entry_bytes = sizeof(val), .hash = entry_hash, .moved = entry_moved};

val *set_table_find(const struct obj *o, const struct needle *member)
{
    const struct body_table *b = obj_body(o);
    if (b == NULL) return NULL;
    return table_find(&b->table, &set_table_type, member->hash, entry_match, member);
}

enum status set_table_put(struct heap *h, struct obj *o, uint32_t hash, val member)
{
    struct body_table *b = obj_body(o);
    if (b == NULL) b = body_make(h, o, sizeof *b);
    if (b == NULL) return STATUS_OOM;
    if (b->table.used >= TABLE_ENTRIES_MAX) return STATUS_TOO_MANY;
    struct body_owner owner = {h, o};
    collect_disturb(h, o, 0); /* the insertion may split a bucket */
    val *slot = table_insert(&b->table, &set_table_type, h->pool, &owner, hash);
    if (slot == NULL) {
        if (b->table.used == 0) body_drop(h, o, sizeof *b);
        return STATUS_OOM;
    }
    val_stored(h, o, member);
    *slot = member;
    return STATUS_OK;
}

RC_NEW val set_table_take(struct heap *h, struct obj *o, uint32_t hash, val *slot)
{
    struct body_table *b = obj_body(o);
    struct body_owner owner = {h, o};
    val v = *slot;
    collect_disturb(h, o, 0); /* the removal may merge a bucket */
    table_remove(&b->table, &set_table_type, h->pool, &owner, hash, slot);
    if (b->table.used == 0) body_drop(h, o, sizeof *b);
    return v;
}

static uint64_t draw(void *ctx)
{
    return heap_random(ctx);
}

val *set_table_random(struct heap *h, const struct obj *o)
{
    const struct body_table *b = obj_body(o);
    return table_random(&b->table, &set_table_type, draw, h);
}

/* --- walks --- */

struct each_call {
    set_each *each;
    void *ctx;
    enum body_shows shows;
};

static void call_each(void *ctx, void *entry)
{
    const struct each_call *call = ctx;
    val v = *(const val *)entry;
    if (call->shows == BODY_TARGETS) v = val_target(v);
    if (!val_is_none(v)) call->each(call->ctx, v);
}

bool set_table_walk(const struct obj *o, uint64_t *cursor, uint32_t max, enum body_shows shows,
                    set_each *each, void *ctx)
{
    struct each_call call = {each, ctx, shows};
    uint64_t end = body_table_end(o);
    *cursor = body_table_walk(o, &set_table_type, *cursor, end, max, call_each, &call);
    return *cursor < end;
}

uint64_t set_table_scan(const struct obj *o, uint64_t cursor, set_each *each, void *ctx)
{
    const struct body_table *b = obj_body(o);
    struct each_call call = {each, ctx, BODY_TARGETS};
    return b ? table_scan(&b->table, &set_table_type, cursor, call_each, &call) : 0;
}

struct copy {
    struct heap *heap;
    struct obj *to;
    enum status status;
};

static void copy_entry(void *ctx, void *entry)
{
    struct copy *c = ctx;
    val v;
    if (c->status != STATUS_OK) return;
    c->status = val_share(c->heap, *(const val *)entry, &v);
    if (c->status != STATUS_OK || val_is_none(v)) return;
    c->status = set_table_put(c->heap, c->to, val_hash(c->heap, v), v);
    if (c->status != STATUS_OK) val_release(c->heap, v);
}

enum status set_table_copy(struct heap *h, const struct obj *from, struct obj *to)
{
    struct copy c = {h, to, STATUS_OK};
    uint64_t end = body_table_end(from);
    for (uint64_t at = 0; at < end && c.status == STATUS_OK;)
        at = body_table_walk(from, &set_table_type, at, end, COPY_STEP_SLOTS, copy_entry, &c);
    return c.status;
}

/* --- for the heap --- */

struct visit_call {
    heap_visit *fn;
    void *ctx;
};

static void visit_entry(void *ctx, void *entry)
{
    const struct visit_call *call = ctx;
    val v = *(const val *)entry;
    if (val_is_obj(v)) call->fn(call->ctx, val_obj(v));
}

uint64_t set_table_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                         heap_visit *fn, void *ctx)
{
    struct visit_call call = {fn, ctx};
    return body_table_walk(o, &set_table_type, cursor, limit, slots_max, visit_entry, &call);
}

static void drop_entry(void *ctx, void *entry)
{
    val_release(ctx, *(const val *)entry);
}

bool set_table_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    struct body_table *b = obj_body(o);
    if (b == NULL) return true;
    if (!table_drain(&b->table, &set_table_type, h->pool, slots_max, drop_entry, h)) return false;
    body_drop(h, o, sizeof *b);
    return true;
}

static void move_entry(void *heap, void *entry)
{
    (void)move_val(heap, entry);
}

bool set_table_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if (obj_body(o) == NULL) return true;
    if (*cursor == 0) {
        if (body_table_fit(h, o, &set_table_type, slots_max)) return false;
        move_body(h, o, sizeof(struct body_table));
    }
    struct body_table *b = obj_body(o);
    *cursor =
        table_move_step(&b->table, &set_table_type, h->pool, *cursor, slots_max, move_entry, h);
    return *cursor == 0;
}

size_t set_table_bytes(const struct obj *o)
{
    return body_table_bytes(o, &set_table_type);
}

struct check {
    const struct heap *heap;
    const struct obj *o;
    bool right;
};

static void check_entry(void *ctx, void *entry)
{
    struct check *c = ctx;
    val v = *(const val *)entry;
    struct needle n = needle_of_val(c->heap, v);
    c->right &= !val_is_none(v) && val_check(v);
    c->right &= set_table_find(c->o, &n) == entry; /* 2. */
    c->right &= !val_is_container(v) || (c->o->flags & OBJ_VISIBLE);
    c->right &= !val_is_weak(v) || obj_words(c->o)->weakly;
}

bool set_table_check(const struct heap *h, const struct obj *o)
{
    const struct body_table *b = obj_body(o);
    if (b == NULL) return (o->flags & OBJ_VISIBLE) == 0;
    struct body_owner owner = {(struct heap *)(uintptr_t)h, NULL}; // only entry_hash reads it
    struct check c = {h, o, b->table.used > 0 || (o->flags & OBJ_PINNED)}; /* 1. */
    uint64_t end = body_table_end(o);
    for (uint64_t at = 0; at < end;)
        at = body_table_walk(o, &set_table_type, at, end, UINT32_MAX, check_entry, &c);
    return c.right && table_check(&b->table, &set_table_type, &owner);
}
