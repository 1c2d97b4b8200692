/*
 * HSCAN. A reply's array begins with its length, so each call scans twice: once to count, once to
 * write; nothing changes in between, and nothing is allocated. Small hashes are shown whole
 * whatever COUNT says, as Redis does it for its packed ones: a scan of one is one call.
 */
#include <ctype.h>

#include "base/glob.h"
#include "command/command.h"
#include "value/hash.h"

enum {
    SCAN_WHOLE_FIELDS_MAX = 128, /* Redis: hash-max-listpack-entries */
    SCAN_COUNT = 10,
    SCAN_STEPS_PER_COUNT = 10, /* a scan over mostly empty buckets ends too */
};

struct scan {
    struct call *c;
    uint64_t cursor;
    int64_t count;
    struct view pattern; /* p NULL: all fields */
    bool writes;         /* the second time */
    uint64_t seen, shown;
    enum status status;
};

/* strtoul with base 10, as Redis calls it: signs pass, "" is 0, nothing behind a NUL counts. */
static bool cursor_get(struct view text, uint64_t *out)
{
    const char *end = text.n ? memchr(text.p, 0, text.n) : NULL;
    size_t n = end ? (size_t)(end - text.p) : text.n, i = 0;
    bool negative = n > 0 && text.p[0] == '-';
    if (n > 0 && (negative || text.p[0] == '+')) i++;
    if (i == n && n > 0) return false;
    uint64_t cursor = 0;
    for (; i < n; i++) {
        if (!isdigit((unsigned char)text.p[i])) return false;
        if (__builtin_mul_overflow(cursor, 10, &cursor) ||
            __builtin_add_overflow(cursor, (uint64_t)(text.p[i] - '0'), &cursor))
            return false;
    }
    *out = negative ? 0 - cursor : cursor;
    return true;
}

static enum status options_get(struct call *c, struct scan *scan)
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

static void scan_each(void *ctx, val field, val value)
{
    struct scan *scan = ctx;
    scan->seen++;
    if (scan->status) return;
    if (scan->pattern.p) {
        char scratch[VAL_TEXT_CHARS];
        if (!glob_match(scan->pattern, val_text(&field, scratch), GLOB_EXACT)) return;
    }
    scan->shown++;
    if (!scan->writes) return;
    reply_string(scan->c, field);
    scan->status = reply_value(scan->c, value);
}

/* One pass from the cursor on; returns the next cursor. */
static uint64_t pass(const struct obj *o, struct scan *scan)
{
    bool whole = hash_length(o) <= SCAN_WHOLE_FIELDS_MAX;
    uint64_t cursor = whole ? 0 : scan->cursor, count = (uint64_t)scan->count, steps = 0, steps_max;
    if (whole || __builtin_mul_overflow(count, SCAN_STEPS_PER_COUNT, &steps_max))
        steps_max = UINT64_MAX;
    scan->seen = scan->shown = 0;
    do cursor = hash_scan(o, cursor, scan_each, scan);
    while (cursor && ++steps < steps_max && (whole || scan->seen < count));
    return cursor;
}

enum status cmd_hscan(struct call *c)
{
    struct subject s;
    struct scan scan = {.c = c, .count = SCAN_COUNT};
    if (!cursor_get(c->argv[2], &scan.cursor)) return call_error(c, "ERR invalid cursor");
    enum status status = call_read(c, 1, OBJ_HASH, &s);
    if (!status && s.o) status = options_get(c, &scan);
    if (status) return status;
    reply_array(c, 2);
    uint64_t next = s.o ? pass(s.o, &scan) : 0;
    reply_format(c, "%llu", (unsigned long long)next);
    reply_array(c, scan.shown * 2);
    if (!scan.shown) return STATUS_OK;
    scan.writes = true;
    pass(s.o, &scan);
    return scan.status;
}
