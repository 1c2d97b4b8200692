/* Hashes: HSET and its kin, reading of fields and of whole hashes, HDEL. Numbers in fields are in
 * cmd_hash_number.c. */
#include "command/command.h"
#include "command/members.h"
#include "value/hash.h"

enum { WALK_SLOTS = 256 };

static struct needle field_needle(struct call *c, uint32_t i)
{
    return needle_of_text(c->heap, c->argv[i]);
}

/* --- setting --- */

/* Every second argument is a value. */
static enum status sources_bound(struct call *c)
{
    return members_bound(c, (struct members_at){.first = 3, .step = 2});
}

/*
 * What HSET's pairs replaced, so that a failure can put it back without allocating. The last pair
 * changes the hash or fails by itself, and in a hash that this command made there was nothing: both
 * need no old value. VAL_NONE: the field was not there.
 */
struct replaced {
    val few[16];
    val *old;     /* few, or memory of its own; NULL: not needed */
    size_t bytes; /* of that memory, else 0 */
};

static enum status replaced_init(struct call *c, struct replaced *r, uint32_t pairs, bool fresh)
{
    r->bytes = 0;
    r->old = fresh ? NULL : r->few;
    if (fresh || pairs - 1 <= sizeof r->few / sizeof r->few[0]) return STATUS_OK;
    size_t bytes = (pairs - 1) * sizeof(val);
    r->old = mem_alloc(&c->server->mem, bytes);
    if (!r->old) return STATUS_OOM;
    r->bytes = bytes;
    return STATUS_OK;
}

static void replaced_fini(struct call *c, struct replaced *r)
{
    if (r->bytes) mem_free(&c->server->mem, r->old, r->bytes);
}

/* Takes back the first `done` pairs, the last of them first. */
static void pairs_undo(struct call *c, struct obj *o, const struct replaced *r, uint32_t done)
{
    while (done-- > 0) {
        struct needle field = field_needle(c, 2 + 2 * done);
        if (!r->old || val_is_none(r->old[done])) {
            hash_delete(c->heap, o, &field);
            continue;
        }
        enum status s = hash_set_take(c->heap, o, &field, r->old[done], NULL);
        ASSERT(s == STATUS_OK); /* the field is there */
    }
}

static enum status pairs_set(struct call *c, struct obj *o, bool fresh, int64_t *created)
{
    uint32_t pairs = (c->argc - 2) / 2, k = 0;
    struct replaced r;
    enum status status = replaced_init(c, &r, pairs, fresh);
    if (status) return status;
    for (; k < pairs; k++) {
        struct needle field = field_needle(c, 2 + 2 * k);
        bool keeps_old = r.old && k + 1 < pairs, is_new;
        val v;
        status = call_value(c, 3 + 2 * k, &v);
        if (status) break;
        if (keeps_old) {
            r.old[k] = hash_slot(o, &field);
            val_retain(c->heap, r.old[k]);
        }
        status = hash_set_take(c->heap, o, &field, v, &is_new);
        if (status) {
            if (keeps_old) val_release(c->heap, r.old[k]);
            break;
        }
        *created += is_new;
    }
    if (status)
        pairs_undo(c, o, &r, k);
    else
        for (k = 0; r.old && k + 1 < pairs; k++) val_release(c->heap, r.old[k]);
    replaced_fini(c, &r);
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
    bool fresh = !s.o;
    if (fresh) status = call_ensure(c, 1, OBJ_HASH, &s);
    if (status) return status;
    status = pairs_set(c, s.o, fresh, created);
    if (status) call_settle(c, &s);
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
    struct needle field = field_needle(c, 2);
    enum status status = call_write(c, 1, OBJ_HASH, &s);
    if (!status) status = sources_bound(c);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    if (s.o && !val_is_none(hash_get(s.o, &field))) {
        reply_integer(c, 0);
        return STATUS_OK;
    }
    val v;
    if (!s.o) status = call_ensure(c, 1, OBJ_HASH, &s);
    if (status) return status;
    status = call_value(c, 3, &v);
    if (!status) status = hash_set_take(c->heap, s.o, &field, v, NULL);
    if (status)
        call_settle(c, &s);
    else
        reply_integer(c, 1);
    return status;
}

enum status cmd_hdel(struct call *c)
{
    struct subject s;
    enum status status = call_write(c, 1, OBJ_HASH, &s);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    int64_t deleted = 0;
    for (uint32_t i = 2; s.o && i < c->argc; i++) {
        struct needle field = field_needle(c, i);
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
    struct needle field = field_needle(c, 2);
    return reply_value(c, s.o ? hash_get(s.o, &field) : VAL_NONE);
}

enum status cmd_hmget(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    reply_array(c, c->argc - 2);
    for (uint32_t i = 2; i < c->argc && !status; i++) {
        struct needle field = field_needle(c, i);
        status = reply_value(c, s.o ? hash_get(s.o, &field) : VAL_NONE);
    }
    return status;
}

enum status cmd_hexists(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    struct needle field = field_needle(c, 2);
    reply_integer(c, s.o && !val_is_none(hash_get(s.o, &field)));
    return STATUS_OK;
}

enum status cmd_hstrlen(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (status) return status;
    struct needle field = field_needle(c, 2);
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
