#include "command/members.h"

#include "base/glob.h"

enum {
    REPLY_LINE_BYTES_MAX = 64,    /* an integer, or a score as a bulk */
    SCAN_WHOLE_MEMBERS_MAX = 128, /* Redis: zset-max-listpack-entries */
    SCAN_COUNT = 10,
    SCAN_STEPS_PER_COUNT = 10, /* a scan over mostly empty buckets ends too */
};

enum status members_reply_room(struct call *c)
{
    return proto_buf_reserve(c->out, REPLY_LINE_BYTES_MAX) ? STATUS_OK : STATUS_OOM;
}

enum status members_bound(struct call *c, struct members_at at)
{
    enum status status = STATUS_OK;
    val source;
    for (uint32_t i = at.first; c->form != BY_VALUE && i < c->argc && !status; i += at.step)
        status = call_source(c, i, &source);
    return status;
}

struct packed_more members_more(const struct call *c, struct members_at at, size_t extra)
{
    struct packed_more more = {0, 0};
    for (uint32_t i = at.first; c->form == BY_VALUE && i < c->argc; i += at.step) {
        more.elements++;
        more.bytes += PACK_TEXT_HEAD_BYTES + c->argv[i].n + extra;
    }
    return more;
}

bool members_needle(struct call *c, uint32_t i, struct needle *out)
{
    if (c->form == BY_VALUE) {
        *out = call_text_needle(c, i);
        return true;
    }
    struct subject s;
    if (call_inspect(c, i, &s) || val_is_none(s.v)) return false;
    *out = needle_of_val(c->heap, s.v);
    return true;
}

void members_put_header(struct call *c, size_t at, uint64_t n)
{
    char header[PROTO_NUMBER_LINE_BYTES_MAX];
    size_t end = c->out->n;
    reply_set(c, n);
    if (c->out->failed) return;
    size_t bytes = c->out->n - end;
    DASSERT(bytes <= sizeof header);
    memcpy(header, c->out->p + end, bytes);
    if (c->refs) reply_refs_shift(c->refs, at, bytes);
    memmove(c->out->p + at + bytes, c->out->p + at, end - at);
    memcpy(c->out->p + at, header, bytes);
}

static enum status options_get(struct call *c, struct members_scan *scan)
{
    for (uint32_t i = 3; i < c->argc; i += 2) {
        if (i + 1 == c->argc) return STATUS_SYNTAX;
        if (call_is(c, i, "count")) {
            enum status status = call_integer(c, i + 1, &scan->count);
            if (status) return status;
            if (scan->count < 1) return STATUS_SYNTAX;
        } else if (call_is(c, i, "match")) {
            scan->pattern = c->argv[i + 1];
        } else {
            return STATUS_SYNTAX;
        }
    }
    if (scan->pattern.n == 1 && scan->pattern.p[0] == '*') scan->pattern = (struct view){0};
    return STATUS_OK;
}

bool members_scan_shows(struct members_scan *scan, val member)
{
    scan->seen++;
    if (scan->status) return false;
    if (scan->pattern.p) {
        char scratch[VAL_TEXT_CHARS];
        if (!val_is_string(member)) return false;
        if (!glob_match(scan->pattern, val_text(&member, scratch), GLOB_EXACT)) return false;
    }
    scan->shown++;
    return scan->writes;
}

/* One pass from the cursor on; returns the next cursor. */
static uint64_t pass(const struct obj *o, struct members_scan *scan, members_step *step)
{
    scan->whole = container_length(o) <= SCAN_WHOLE_MEMBERS_MAX;
    uint64_t cursor = scan->whole ? 0 : scan->cursor, count = (uint64_t)scan->count, steps = 0,
             steps_max;
    if (scan->whole || __builtin_mul_overflow(count, SCAN_STEPS_PER_COUNT, &steps_max))
        steps_max = UINT64_MAX;
    scan->seen = scan->shown = 0;
    do cursor = step(o, cursor, scan);
    while (cursor && ++steps < steps_max && (scan->whole || scan->seen < count));
    return cursor;
}

enum status members_scan(struct call *c, const struct members_scan_type *type)
{
    struct subject s;
    struct members_scan scan = {.c = c, .count = SCAN_COUNT};
    if (!num_get_cursor(c->argv[2], &scan.cursor)) return call_error(c, "ERR invalid cursor");
    enum status status = call_read(c, 1, type->type, &s);
    if (!status && s.o) status = options_get(c, &scan);
    if (status) return status;
    reply_array(c, 2);
    uint64_t next = s.o ? pass(s.o, &scan, type->step) : 0;
    reply_format(c, "%llu", (unsigned long long)next);
    reply_array(c, scan.shown * type->items);
    if (!scan.shown) return STATUS_OK;
    scan.writes = true;
    pass(s.o, &scan, type->step);
    return scan.status;
}
