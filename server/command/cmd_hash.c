/* Hashes: HSET and its kin, reading of fields and of whole hashes, HDEL. Numbers in fields are in
 * cmd_hash_number.c. */
#include "command/command.h"
#include "command/members.h"
#include "value/hash.h"

enum { WALK_SLOTS = 256 };

/* --- setting --- */

/* Every second argument is a value. */
static enum status sources_bound(struct call *c)
{
    return members_bound(c, (struct members_at){.first = 3, .step = 2});
}

/* What the sources are bound to, counted. */
static enum status values_take(struct call *c, val *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        enum status status = call_value(c, 3 + 2 * i, &values[i]);
        if (!status) continue;
        while (i-- > 0) val_release(c->heap, values[i]);
        return status;
    }
    return STATUS_OK;
}

/* After REF or WEAKREF. */
static enum status sources_set(struct call *c, struct obj *o, struct hash_pairs *pairs,
                               int64_t *created)
{
    val few[16], *values = few;
    size_t bytes = pairs->n <= sizeof few / sizeof *few ? 0 : pairs->n * sizeof *values;
    if (bytes) values = mem_alloc(c->heap->mem, bytes);
    if (!values) return STATUS_OOM;
    enum status status = values_take(c, values, pairs->n);
    if (!status) {
        pairs->values = values;
        status = hash_set_pairs(c->heap, o, pairs, created);
        for (uint32_t i = 0; i < pairs->n; i++) {
            if (!status) call_stored(c, values[i]);
            val_release(c->heap, values[i]);
        }
    }
    if (bytes) mem_free(c->heap->mem, values, bytes);
    return status;
}

/* HSET and HMSET but for the reply, for which there is room afterwards. */
static enum status set_pairs(struct call *c, int64_t *created)
{
    if (c->argc % 2) return call_error_arity(c);
    struct subject s;
    enum status status = call_write(c, 1, OBJ_HASH, &s);
    if (!status) status = sources_bound(c);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    if (!s.o) status = call_ensure(c, 1, OBJ_HASH, &s);
    if (status) return status;
    struct hash_pairs pairs = {.texts = c->argv + 2, .n = (c->argc - 2) / 2};
    if (c->form == BY_VALUE)
        status = hash_set_pairs(c->heap, s.o, &pairs, created);
    else
        status = sources_set(c, s.o, &pairs, created);
    call_made(c, &s, status);
    return status;
}

enum status cmd_hset(struct call *c)
{
    int64_t created = 0;
    enum status status = set_pairs(c, &created);
    if (!status) reply_integer(c, created);
    return status;
}

enum status cmd_hmset(struct call *c)
{
    int64_t created = 0;
    enum status status = set_pairs(c, &created);
    if (!status) reply_ok(c);
    return status;
}

enum status cmd_hsetnx(struct call *c)
{
    struct subject s;
    struct needle field = call_text_needle(c, 2);
    enum status status = call_write(c, 1, OBJ_HASH, &s);
    if (!status) status = sources_bound(c);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    if (s.o && !val_is_none(hash_get(s.o, &field))) {
        reply_integer(c, 0);
        return STATUS_OK;
    }
    if (!s.o) status = call_ensure(c, 1, OBJ_HASH, &s);
    if (status) return status;
    val v;
    if (c->form == BY_VALUE) {
        status = hash_set_text(c->heap, s.o, &field, c->argv[3], NULL);
    } else {
        status = call_value(c, 3, &v);
        if (!status) status = hash_set_take(c->heap, s.o, &field, v, NULL);
    }
    call_made(c, &s, status);
    if (status) return status;
    call_stored_source(c, 3);
    reply_integer(c, 1);
    return STATUS_OK;
}

enum status cmd_hdel(struct call *c)
{
    struct subject s;
    enum status status = call_write(c, 1, OBJ_HASH, &s);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    int64_t deleted = 0;
    for (uint32_t i = 2; s.o && i < c->argc; i++) {
        struct needle field = call_text_needle(c, i);
        deleted += hash_delete(c->heap, s.o, &field);
    }
    call_settle(c, &s);
    reply_integer(c, deleted);
    return STATUS_OK;
}

/* --- reading fields --- */

enum status cmd_hget(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    struct needle field = call_text_needle(c, 2);
    return reply_value(c, s.o ? hash_get(s.o, &field) : VAL_NONE);
}

enum status cmd_hmget(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    reply_array(c, c->argc - 2);
    for (uint32_t i = 2; i < c->argc && !status; i++) {
        struct needle field = call_text_needle(c, i);
        status = reply_value(c, s.o ? hash_get(s.o, &field) : VAL_NONE);
    }
    return status;
}

enum status cmd_hexists(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    struct needle field = call_text_needle(c, 2);
    reply_integer(c, s.o && !val_is_none(hash_get(s.o, &field)));
    return STATUS_OK;
}

enum status cmd_hstrlen(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    struct needle field = call_text_needle(c, 2);
    val v = s.o ? hash_get(s.o, &field) : VAL_NONE;
    if (val_is_container(v)) return STATUS_WRONG_TYPE;
    reply_integer(c, val_is_none(v) || val_is_nil(v) ? 0 : (int64_t)val_text_bytes(v));
    return STATUS_OK;
}

enum status cmd_hlen(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (!status) reply_integer(c, s.o ? (int64_t)hash_length(s.o) : 0);
    return status;
}

/* --- reading all of it --- */

enum walk_shows { SHOW_FIELDS = 1, SHOW_VALUES = 2 };

struct walk {
    struct call *c;
    unsigned shows;
    enum status status;
};

static void walk_each(void *ctx, val field, val value)
{
    struct walk *w = ctx;
    if (w->status) return;
    if (w->shows & SHOW_FIELDS) reply_string(w->c, field);
    if (w->shows & SHOW_VALUES) w->status = reply_value(w->c, value);
}

static enum status walk(struct call *c, unsigned shows)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    uint64_t length = s.o ? hash_shown(c->heap, s.o) : 0, cursor = 0;
    if (shows == (SHOW_FIELDS | SHOW_VALUES))
        reply_map(c, length);
    else
        reply_array(c, length);
    if (!length) return STATUS_OK;
    c->open = s.o;
    struct walk w = {c, shows, STATUS_OK};
    while (hash_walk(s.o, &cursor, WALK_SLOTS, walk_each, &w) && !w.status) {
    }
    return w.status;
}

enum status cmd_hgetall(struct call *c)
{
    return walk(c, SHOW_FIELDS | SHOW_VALUES);
}

enum status cmd_hkeys(struct call *c)
{
    return walk(c, SHOW_FIELDS);
}

enum status cmd_hvals(struct call *c)
{
    return walk(c, SHOW_VALUES);
}

/* --- HSCAN --- */

static void scan_each(void *ctx, val field, val value)
{
    struct members_scan *scan = ctx;
    if (!members_scan_shows(scan, field)) return;
    reply_string(scan->c, field);
    scan->status = reply_value(scan->c, value);
}

static uint64_t scan_step(const struct obj *o, uint64_t cursor, struct members_scan *scan)
{
    return hash_scan(o, cursor, scan_each, scan);
}

enum status cmd_hscan(struct call *c)
{
    static const struct members_scan_type type = {OBJ_HASH, 2, scan_step};
    return members_scan(c, &type);
}
