/*
 * Parts of strings and numbers: APPEND, STRLEN, GETRANGE, SETRANGE, and the increments.
 *
 * Strings never change: each of these binds its name anew, and other names of the same string keep
 * the old one. The name keeps its TTL.
 */
#include <math.h>

#include "command/command.h"
#include "value/str.h"

/* The name that argv[1] is, for a change of the string that it is bound to; NULL: it is not bound.
 */
static enum status find_string(struct call *c, struct entry **out)
{
    *out = NULL;
    enum status s = call_name(c, 1);
    if (s) return s;
    *out = keyspace_find(c->keyspace, c->argv[1]);
    return !*out || val_is_string(entry_value(*out)) ? STATUS_OK : STATUS_WRONG_TYPE;
}

static const struct keyspace_bind fresh = {.expires_ms = KEYSPACE_NEVER};

/* Binds the name to a new string, after the reply. Steals v. */
static enum status bind_take(struct call *c, struct entry *e, val v)
{
    if (e) return keyspace_rebind_take(c->keyspace, &e, v);
    return keyspace_bind_take(c->keyspace, c->argv[1], v, fresh, NULL);
}

static enum status bind_text(struct call *c, struct entry *e, struct view text)
{
    if (c->out->failed) return STATUS_OOM;
    if (e) return keyspace_rebind_text(c->keyspace, &e, text);
    return keyspace_bind_text(c->keyspace, c->argv[1], text, fresh, NULL);
}

static bool too_long(const struct call *c, uint64_t offset, uint64_t bytes)
{
    uint64_t max = c->engine->config.proto_max_bulk_len;
    if (max > STR_BYTES_MAX) max = STR_BYTES_MAX;
    return offset > max || bytes > max - offset;
}

/* Writes a text into the name's string, with zero bytes between when it lies past the end, after
 * the reply. A short one is put together here, and lies in the name's entry again; a string object
 * may be written in place. */
static enum status write_text(struct call *c, struct entry *e, size_t offset, struct view text)
{
    char scratch[VAL_TEXT_CHARS], whole[ENTRY_TEXT_BYTES_MAX];
    val v = VAL_NONE;
    struct view old = {"", 0};
    if (c->out->failed) return STATUS_OOM;
    if (e) {
        v = entry_value(e);
        old = val_text(&v, scratch);
    }
    size_t end = offset + text.n, bytes = end > old.n ? end : old.n;
    if (bytes <= sizeof whole && !val_is_obj(v)) {
        memcpy(whole, old.p, old.n);
        if (offset > old.n) memset(whole + old.n, 0, offset - old.n);
        memcpy(whole + offset, text.p, text.n);
        return bind_text(c, e, (struct view){whole, bytes});
    }
    if (!e) {
        enum status s = val_of_text(c->heap, old, &v); /* an immediate */
        if (s) return s;
    }
    enum status s = str_write(c->heap, v, offset, text, &v);
    return s ? s : bind_take(c, e, v);
}

static size_t string_bytes(const struct entry *e)
{
    return e ? val_text_bytes(entry_value(e)) : 0;
}

enum status cmd_append(struct call *c)
{
    struct entry *e;
    struct view text = c->argv[2];
    enum status s = find_string(c, &e);
    if (s) return s;
    size_t old = string_bytes(e);
    if (e && too_long(c, old, text.n)) return STATUS_TOO_LONG;
    reply_integer(c, (int64_t)(old + text.n));
    return e ? write_text(c, e, old, text) : bind_text(c, e, text);
}

enum status cmd_setrange(struct call *c)
{
    struct entry *e;
    struct view text = c->argv[3];
    int64_t offset;
    enum status s = call_integer(c, 2, &offset);
    if (s) return s;
    if (offset < 0) return call_error(c, "ERR offset is out of range");
    s = find_string(c, &e);
    if (s) return s;
    size_t old = string_bytes(e), at = (size_t)offset;
    if (text.n == 0) {
        reply_integer(c, (int64_t)old);
        return STATUS_OK;
    }
    if (too_long(c, at, text.n)) return STATUS_TOO_LONG;
    reply_integer(c, (int64_t)(at + text.n > old ? at + text.n : old));
    return write_text(c, e, at, text);
}

enum status cmd_strlen(struct call *c)
{
    struct subject subject;
    enum status s = call_read_string(c, 1, &subject);
    if (s) return s;
    reply_integer(c, val_is_none(subject.v) ? 0 : (int64_t)val_text_bytes(subject.v));
    return STATUS_OK;
}

enum status cmd_getrange(struct call *c)
{
    struct subject subject;
    int64_t start, end;
    char scratch[VAL_TEXT_CHARS];
    struct view text = {.p = "", .n = 0};
    enum status s = call_integer(c, 2, &start);
    if (!s) s = call_integer(c, 3, &end);
    if (!s) s = call_read_string(c, 1, &subject);
    if (s) return s;
    if (!val_is_none(subject.v)) text = val_text(&subject.v, scratch);
    int64_t bytes = (int64_t)text.n;
    /* Asked before negative places are counted from the end and cut at the beginning. */
    bool empty = start < 0 && end < 0 && start > end;
    if (start < 0) start += bytes;
    if (end < 0) end += bytes;
    if (start < 0) start = 0;
    if (end < 0) end = 0;
    if (end >= bytes) end = bytes - 1;
    if (empty || start > end)
        text.n = 0;
    else
        text = (struct view){text.p + start, (size_t)(end - start) + 1};
    reply_bulk(c, text);
    return STATUS_OK;
}

enum status cmd_substr(struct call *c)
{
    return cmd_getrange(c);
}

static enum status increment(struct call *c, int64_t by)
{
    struct entry *e;
    int64_t n = 0;
    enum status s = find_string(c, &e);
    if (s) return s;
    if (e && !val_get_integer(entry_value(e), &n)) return STATUS_NOT_INTEGER;
    if (__builtin_add_overflow(n, by, &n)) return STATUS_OVERFLOW;
    reply_integer(c, n);
    if (c->out->failed) return STATUS_OOM;
    if (e) return keyspace_rebind_integer(c->keyspace, &e, n);
    return keyspace_bind_integer(c->keyspace, c->argv[1], n, fresh, NULL);
}

enum status cmd_incr(struct call *c)
{
    return increment(c, 1);
}

enum status cmd_decr(struct call *c)
{
    return increment(c, -1);
}

enum status cmd_incrby(struct call *c)
{
    int64_t by;
    enum status s = call_integer(c, 2, &by);
    return s ? s : increment(c, by);
}

enum status cmd_decrby(struct call *c)
{
    int64_t by;
    enum status s = call_integer(c, 2, &by);
    if (s) return s;
    if (by == INT64_MIN) return call_error(c, "ERR decrement would overflow");
    return increment(c, -by);
}

enum status cmd_incrbyfloat(struct call *c)
{
    struct entry *e;
    long double n = 0, by;
    char text[NUM_LONG_DOUBLE_CHARS], scratch[VAL_TEXT_CHARS];
    enum status s = find_string(c, &e);
    if (s) return s;
    val old = e ? entry_value(e) : VAL_NONE;
    if (e && !num_get_long_double(val_text(&old, scratch), &n)) return STATUS_NOT_FLOAT;
    if (!num_get_long_double(c->argv[2], &by)) return STATUS_NOT_FLOAT;
    if (!isfinite(n + by)) return STATUS_NAN_OR_INF;
    struct view sum = {text, num_put_long_double(text, n + by)};
    reply_bulk(c, sum);
    return bind_text(c, e, sum);
}
