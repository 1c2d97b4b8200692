/* The replies of call.h: RESP2 and RESP3, errors that take a reply back. Nested values are in
 * nested.c. */
#include <stdarg.h>
#include <stdio.h>

#include "command/command.h"

static bool resp3(const struct call *c)
{
    return c->session->protocol >= 3;
}

void reply_ok(struct call *c)
{
    proto_put_ok(c->out);
}

void reply_simple(struct call *c, const char *text)
{
    proto_put_simple(c->out, text, strlen(text));
}

void reply_integer(struct call *c, int64_t n)
{
    proto_put_integer(c->out, n);
}

void reply_bulk(struct call *c, struct view text)
{
    proto_put_bulk(c->out, text.p, text.n);
}

void reply_text(struct call *c, const char *text)
{
    proto_put_bulk(c->out, text, strlen(text));
}

void reply_format(struct call *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof text) n = sizeof text - 1;
    proto_put_bulk(c->out, text, (size_t)n);
}

void reply_verbatim(struct call *c, struct view text)
{
    if (resp3(c))
        proto_put_verbatim(c->out, "txt", text.p, text.n);
    else
        proto_put_bulk(c->out, text.p, text.n);
}

void reply_null(struct call *c)
{
    if (resp3(c))
        proto_put_null(c->out);
    else
        proto_put_null_bulk(c->out);
}

void reply_null_array(struct call *c)
{
    if (resp3(c))
        proto_put_null(c->out);
    else
        proto_put_null_array(c->out);
}

void reply_array(struct call *c, uint64_t n)
{
    proto_put_array(c->out, n);
}

void reply_map(struct call *c, uint64_t pairs)
{
    if (resp3(c))
        proto_put_map(c->out, pairs);
    else
        proto_put_array(c->out, pairs * 2);
}

void reply_set(struct call *c, uint64_t n)
{
    if (resp3(c))
        proto_put_set(c->out, n);
    else
        proto_put_array(c->out, n);
}

void reply_double(struct call *c, double d)
{
    char text[NUM_DOUBLE_CHARS];
    size_t n = num_put_double(text, d);
    if (resp3(c))
        proto_put_double(c->out, text, n);
    else
        proto_put_bulk(c->out, text, n);
}

/* A large string that is sent from where it is. False: it has to be copied. */
static bool put_held(struct call *c, val v, struct view text)
{
    if (!c->refs || !val_is_obj(v) || val_obj(v)->type != OBJ_STRING) return false;
    if (!proto_buf_reserve(c->out, PROTO_NUMBER_LINE_BYTES_MAX + 2)) return false;
    size_t before = c->out->n;
    proto_put_bulk_begin(c->out, text.n);
    if (!reply_refs_add(&c->engine->reply_refs, c->refs, val_obj(v), text, c->out->n)) {
        c->out->n = before;
        return false;
    }
    proto_put_bulk_end(c->out);
    return true;
}

void reply_string(struct call *c, val v)
{
    if (val_is_int(v)) {
        proto_put_bulk_integer(c->out, val_small(v));
        return;
    }
    char scratch[VAL_TEXT_CHARS];
    struct view text = val_text(&v, scratch);
    if (LIKELY(text.n < REPLY_REF_BYTES_MIN) || !put_held(c, v, text))
        proto_put_bulk(c->out, text.p, text.n);
}

enum status reply_handle(struct call *c, val v)
{
    if (val_is_none(v) || val_is_nil(v)) {
        reply_null(c);
        return STATUS_OK;
    }
    if (UNLIKELY(handles_count(&c->session->handles) >= c->engine->config.handles_max))
        return STATUS_TOO_MANY_HANDLES;
    uint64_t number;
    enum status s = handles_hold(c->heap, &c->session->handles, v, &number);
    if (s) return s;
    char text[HANDLE_TEXT_CHARS];
    proto_put_bulk(c->out, text, handle_put(text, number));
    return STATUS_OK;
}

enum status reply_identity(struct call *c, struct obj *o)
{
    uint64_t number;
    enum status s = ident_number(c->heap, o, &number);
    if (s) return s;
    char text[HANDLE_TEXT_CHARS];
    proto_put_bulk(c->out, text, identity_put(text, number));
    return STATUS_OK;
}

enum status reply_cut(struct call *c, struct obj *o)
{
    if (!resp3(c)) return reply_identity(c, o);
    uint64_t number;
    enum status s = ident_number(c->heap, o, &number);
    if (s) return s;
    char text[HANDLE_TEXT_CHARS];
    proto_put_verbatim(c->out, "ref", text, identity_put(text, number));
    return STATUS_OK;
}

bool reply_has_room(const struct call *c)
{
    uint64_t bytes = c->out->n - c->out_start;
    if (c->refs) bytes += c->refs->bytes - c->refs_bytes_start;
    return bytes <= engine_reply_bytes_max(c->engine, c->session->class);
}

enum status reply_value(struct call *c, val v)
{
    if (c->form == BY_REF) return reply_handle(c, v);
    if (!reply_has_room(c)) return STATUS_TOO_LONG_REPLY;
    if (val_is_none(v) || val_is_nil(v)) {
        reply_null(c);
        return STATUS_OK;
    }
    if (!val_is_container(v)) {
        reply_string(c, v);
        return STATUS_OK;
    }
    if (c->form == BY_WEAKREF) return reply_identity(c, val_obj(v));
    return reply_nested(c, v, c->engine->config.reply_depth_max);
}

static void take_back(struct call *c)
{
    if (c->refs) reply_refs_drop_behind(&c->engine->reply_refs, c->refs, c->refs_start);
    c->out->n = c->out_start;
    c->out->failed = false;
    handles_rollback(c->heap, &c->session->handles);
    effects_rewind(&c->heap->effects, c->effects_start);
}

enum status reply_value_or_cut(struct call *c, val v)
{
    enum status s = reply_value(c, v);
    if (!val_is_container(v) || (s != STATUS_TOO_BIG && s != STATUS_TOO_LONG_REPLY)) return s;
    take_back(c);
    return reply_cut(c, val_obj(v));
}

enum status call_error(struct call *c, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof text) n = sizeof text - 1;
    take_back(c);
    proto_put_error(c->out, text, (size_t)n);
    c->engine->stats.error_replies++;
    error_stats_add(&c->engine->stats.errors, text);
    return STATUS_REPLIED;
}

enum status call_error_arity(struct call *c)
{
    return call_error(c, "ERR wrong number of arguments for '%s' command", c->command->name);
}

enum { NAME_CHARS = 64 };

/* The running command's name, or its container's, in upper case. */
static void container_name(const struct call *c, char name[NAME_CHARS])
{
    size_t n = 0;
    for (const char *p = c->command->name; *p && *p != '|' && n < NAME_CHARS - 1; p++)
        name[n++] = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    name[n] = 0;
}

enum status reply_help(struct call *c, const char *const *lines, uint32_t count)
{
    char name[NAME_CHARS], head[NAME_CHARS + 64];
    container_name(c, name);
    snprintf(head, sizeof head,
             "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
    reply_array(c, count + 3);
    reply_simple(c, head);
    for (uint32_t i = 0; i < count; i++) reply_simple(c, lines[i]);
    reply_simple(c, "HELP");
    reply_simple(c, "    Prints this help.");
    return STATUS_OK;
}

enum status call_error_subcommand(struct call *c)
{
    char name[NAME_CHARS];
    container_name(c, name);
    return call_error(c, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                      c->argv[1].n > 128 ? 128 : (int)c->argv[1].n, c->argv[1].p, name);
}
