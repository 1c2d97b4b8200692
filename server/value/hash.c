#include "value/hash.h"

#include "value/hash_pack.h"
#include "value/hash_table.h"
#include "value/move.h"
#include "value/report.h"

enum { WALK_STEP_SLOTS = 256 };

static inline bool is_packed(const struct obj *o)
{
    return (o->flags & OBJ_PACKED) != 0;
}

static inline bool is_table(const struct obj *o)
{
    return obj_body(o) && !is_packed(o);
}

enum hash_form hash_form(const struct obj *o)
{
    if (is_table(o)) return HASH_TABLE;
    return is_packed(o) && hash_pack_shape(*hash_pack_word(o)) ? HASH_SHAPED : HASH_PACKED;
}

uint64_t hash_length(const struct obj *o)
{
    return is_packed(o) ? hash_pack_length(o) : body_table_length(o);
}

RC_BORROWED val hash_slot(const struct obj *o, const struct needle *field)
{
    if (is_packed(o)) {
        const uint8_t *at = hash_pack_find(o, field);
        return at ? pack_get(at) : VAL_NONE;
    }
    const struct hash_entry *e = hash_table_find(o, field);
    return e ? e->value : VAL_NONE;
}

RC_BORROWED val hash_get(const struct obj *o, const struct needle *field)
{
    return val_target(hash_slot(o, field));
}

/* --- from form to form --- */

/* A trial may have a place for the hash: the plain body takes it along. */
static enum status to_table(struct heap *h, struct obj *o)
{
    struct cell made = {.head = {.type = OBJ_HASH}}, old;
    struct hash_pack_iter it;
    if (!is_packed(o)) return STATUS_OK;
    hash_pack_begin(o, &it);
    while (hash_pack_next(&it)) {
        struct needle field = needle_of_val(h, it.field);
        val v;
        enum status s = val_keep(h, pack_get(it.value), &v);
        if (!s) {
            s = hash_table_add(h, &made.head, &field, v);
            if (s) val_release(h, v);
        }
        if (!s) continue;
        while (!hash_table_clear(h, &made.head, UINT32_MAX)) continue;
        return s;
    }
    if (o->flags & OBJ_VISIBLE) {
        ((union gc_words *)made.body)->place = obj_words(o)->place;
        made.head.flags |= OBJ_VISIBLE;
    }
    hash_pack_swap(o, &made, &old);
    hash_pack_drop(h, &old.head);
    return STATUS_OK;
}

struct packing {
    struct heap *h;
    struct cell made;
    bool failed;
};

static void pack_field(void *ctx, val field, val value)
{
    struct packing *p = ctx;
    struct needle n = needle_of_val(p->h, field);
    struct hash_in in;
    if (p->failed) return;
    p->failed = !hash_in_of_val(p->h, &value, &in);
    if (p->failed) return;
    if (in.ref) rc_inc(p->h, in.ref);
    p->failed = hash_pack_set(p->h, &p->made.head, &n, &in, NULL) != STATUS_OK;
    if (p->failed && in.ref) rc_dec(p->h, in.ref);
}

/* After a removal: the hash is packed again, if it may and can be. A trial that has a place for it
 * would lose that. */
static void try_to_pack(struct heap *h, struct obj *o)
{
    uint64_t length = hash_length(o), cursor = 0;
    if (!is_table(o) || length > h->values->limits.hash_entries / 4) return;
    if ((length & (length - 1)) != 0 || weak_in(o)) return;
    if ((o->flags & OBJ_VISIBLE) && h->collect.phase != COLLECT_IDLE) return;
    struct packing p = {.h = h, .made = {.head = {.type = OBJ_HASH}}};
    while (hash_table_walk(o, &cursor, UINT32_MAX, BODY_SLOTS, pack_field, &p)) continue;
    struct cell old = p.made;
    if (!p.failed) hash_pack_swap(o, &p.made, &old);
    if (!obj_body(&old.head)) return;
    if (is_packed(&old.head))
        hash_pack_drop(h, &old.head);
    else
        while (!hash_table_clear(h, &old.head, UINT32_MAX)) continue;
}

/* Whether the next field that is set is to be set in a table. */
static bool wants_table(const struct heap *h, const struct obj *o)
{
    return !is_packed(o) && (obj_body(o) || h->values->limits.hash_entries == 0);
}

/* --- changes --- */

static enum status table_set_take(struct heap *h, struct obj *o, const struct needle *field,
                                  val value, bool *created)
{
    struct hash_entry *e = hash_table_find(o, field);
    if (e) {
        if (created) *created = val_is_none(val_target(e->value));
        hash_table_replace(h, o, e, value);
        return STATUS_OK;
    }
    enum status s = hash_table_add(h, o, field, value);
    if (s)
        val_release(h, value);
    else if (created)
        *created = true;
    return s;
}

static enum status set_take(struct heap *h, struct obj *o, const struct needle *field, val value,
                            bool *created)
{
    if (!wants_table(h, o)) {
        struct hash_in in;
        enum status s = STATUS_TOO_MANY;
        if (hash_in_of_val(h, &value, &in)) s = hash_pack_set(h, o, field, &in, created);
        if (s == STATUS_TOO_MANY)
            s = to_table(h, o);
        else if (s == STATUS_OK && in.ref && !in.made)
            return STATUS_OK;
        if (s || is_packed(o)) {
            val_release(h, value);
            return s;
        }
    }
    return table_set_take(h, o, field, value, created);
}

static enum status set_text(struct heap *h, struct obj *o, const struct needle *field,
                            struct view text, bool *created)
{
    if (!wants_table(h, o)) {
        struct hash_in in;
        hash_in_of_text(text, &in);
        enum status s = hash_pack_set(h, o, field, &in, created);
        if (s != STATUS_TOO_MANY) return s;
        s = to_table(h, o);
        if (s) return s;
    }
    val v;
    enum status s = val_of_text(h, text, &v);
    return s ? s : table_set_take(h, o, field, v, created);
}

/* Passes the status on. */
static enum status was_set(struct heap *h, const struct obj *o, const struct needle *field,
                           enum status s)
{
    val stored = hash_slot(o, field);
    if (!s) report_hash_set(h, o, field, report_value(&stored));
    return s;
}

enum status hash_set_take(struct heap *h, struct obj *o, const struct needle *field, val value,
                          bool *created)
{
    enum status s = set_take(h, o, field, value, created);
    return report_wanted(h) ? was_set(h, o, field, s) : s;
}

enum status hash_set_text(struct heap *h, struct obj *o, const struct needle *field,
                          struct view text, bool *created)
{
    enum status s = set_text(h, o, field, text, created);
    if (report_wanted(h) && !s) report_hash_set(h, o, field, report_of_text(text));
    return s;
}

bool hash_delete(struct heap *h, struct obj *o, const struct needle *field)
{
    if (report_wanted(h) && !val_is_none(hash_get(o, field))) report_hash_delete(h, o, field);
    if (is_packed(o)) return hash_pack_delete(h, o, field);
    struct hash_entry *e = hash_table_find(o, field);
    if (e == NULL) return false;
    bool there = !val_is_none(val_target(e->value));
    hash_table_remove(h, o, field->hash, e);
    try_to_pack(h, o);
    return there;
}

static void hash_drop_weak(struct heap *h, struct obj *o, struct weak *w)
{
    struct needle field = needle_of_val(h, (val){w->field});
    DASSERT(val_obj(hash_slot(o, &field)) == &w->head);
    hash_delete(h, o, &field);
}

/* --- reading all of it --- */

static void pack_walk(const struct obj *o, hash_each *each, void *ctx)
{
    struct hash_pack_iter it;
    hash_pack_begin(o, &it);
    while (hash_pack_next(&it)) each(ctx, it.field, pack_get(it.value));
}

static bool walk(const struct obj *o, uint64_t *cursor, uint32_t max, enum body_shows shows,
                 hash_each *each, void *ctx)
{
    if (!is_packed(o)) return hash_table_walk(o, cursor, max, shows, each, ctx);
    if (*cursor == 0) pack_walk(o, each, ctx);
    return false;
}

bool hash_walk(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each, void *ctx)
{
    return walk(o, cursor, max, BODY_TARGETS, each, ctx);
}

bool hash_walk_slots(const struct obj *o, uint64_t *cursor, uint32_t max, hash_each *each,
                     void *ctx)
{
    return walk(o, cursor, max, BODY_SLOTS, each, ctx);
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

/* A packed hash is shown whole whatever the cursor: it may have been a table at the last call. */
uint64_t hash_scan(const struct obj *o, uint64_t cursor, hash_each *each, void *ctx)
{
    if (!is_packed(o)) return hash_table_scan(o, cursor, each, ctx);
    pack_walk(o, each, ctx);
    return 0;
}

struct copied {
    struct heap *h;
    const struct obj *o;
};

static void report_copied(void *ctx, val field, val value)
{
    const struct copied *c = ctx;
    struct needle n = needle_of_val(c->h, field);
    report_hash_set(c->h, c->o, &n, report_value(&value));
}

static void report_copy(struct heap *h, const struct obj *o)
{
    struct copied c = {h, o};
    uint64_t cursor = 0;
    while (hash_walk_slots(o, &cursor, WALK_STEP_SLOTS, report_copied, &c)) continue;
}

enum status hash_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out)
{
    struct obj *to = heap_container_new(h, OBJ_HASH);
    if (to == NULL) return STATUS_OOM;
    enum status s = is_packed(from) ? hash_pack_copy(h, from, to) : hash_table_copy(h, from, to);
    if (report_wanted(h) && !s) report_copy(h, to);
    if (s == STATUS_OK)
        *out = to;
    else
        rc_dec(h, to);
    return s;
}

/* --- for the heap --- */

static uint64_t hash_end(const struct obj *o)
{
    return is_packed(o) ? hash_pack_count(*hash_pack_word(o)) : body_table_end(o);
}

/* A packed hash is scanned in one call. A cursor that is not its beginning was a table's. */
static uint64_t hash_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                           heap_visit *fn, void *ctx)
{
    if (!is_packed(o)) return hash_table_visit(o, cursor, limit, slots_max, fn, ctx);
    if (cursor == 0) hash_pack_visit(o, fn, ctx);
    return limit;
}

static void hash_prefetch(const struct obj *o)
{
    if (!is_packed(o)) body_table_prefetch(o);
}

static bool hash_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    if (!is_packed(o)) return hash_table_clear(h, o, slots_max);
    uint64_t word = *hash_pack_word(o);
    if (word & HASH_PACK_OWN) shapes_unnote(h, hash_pack_sequence(word));
    hash_pack_drop(h, o);
    return true;
}

static size_t hash_bytes_of(const struct obj *o)
{
    return is_packed(o) ? hash_pack_bytes(o) : hash_table_bytes(o);
}

bool hash_check(const struct heap *h, const struct obj *o)
{
    if (!obj_body(o)) return (o->flags & (OBJ_VISIBLE | OBJ_PACKED)) == 0;
    return is_packed(o) ? hash_pack_check(h, o) : hash_table_check(h, o);
}

const struct heap_type hash_heap_type = {
    .name = "hash",
    .begin = body_table_begin,
    .end = hash_end,
    .visit = hash_visit,
    .prefetch = hash_prefetch,
    .clear = hash_clear,
    .drop_weak = hash_drop_weak,
    .move = hash_move,
    .bytes = hash_bytes_of,
    .check = hash_check,
};
