#include "proto/reply.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* The longest double that is read; no formatter writes more. */
#define DOUBLE_BYTES_MAX 400
/* Limits above this would make sums of offsets overflow. */
#define BYTES_MAX (SIZE_MAX >> 2)

static enum reply_status broken(struct reply_reader *r, const char *text)
{
    snprintf(r->error, sizeof(r->error), "%s", text);
    return r->status = REPLY_BROKEN;
}

static enum reply_status no_memory(struct reply_reader *r)
{
    return r->status = REPLY_OOM;
}

void reply_reader_init(struct reply_reader *r, const struct reply_limits *limits)
{
    memset(r, 0, sizeof(*r));
    r->limits = limits != NULL ? *limits : REPLY_LIMITS_DEFAULT;
    if (r->limits.bulk_bytes_max > BYTES_MAX) r->limits.bulk_bytes_max = BYTES_MAX;
    if (r->limits.line_bytes_max > BYTES_MAX) r->limits.line_bytes_max = BYTES_MAX;
    r->status = REPLY_READY;
}

void reply_reader_fini(struct reply_reader *r)
{
    for (uint32_t i = 0; i < r->depth; i++) heapd_reply_free(r->stack[i].attributes);
    heapd_reply_free(r->attributes);
    heapd_reply_free(r->root);
    free(r->stack);
    proto_buf_fini(&r->in);
    struct reply_limits limits = r->limits;
    reply_reader_init(r, &limits);
}

enum reply_status reply_reader_feed(struct reply_reader *r, const char *p, size_t n)
{
    if (r->status != REPLY_READY) return r->status;
    if (r->at == r->in.n) {
        proto_buf_clear(&r->in, REPLY_BYTES_KEPT);
        r->at = r->scan = 0;
    } else if (r->at > r->in.n / 2) {
        /* At least as many bytes were taken as are moved, so moving is O(1) a byte. */
        memmove(r->in.p, r->in.p + r->at, r->in.n - r->at);
        r->in.n -= r->at;
        r->scan = r->scan > r->at ? r->scan - r->at : 0;
        r->at = 0;
    }
    proto_buf_append(&r->in, p, n);
    return r->in.failed ? no_memory(r) : REPLY_READY;
}

enum line_kind { LINE_UNKNOWN, LINE_TEXT, LINE_NUMBER, LINE_STREAMED };

static enum line_kind line_kind(char type)
{
    switch (type) {
    case '+':
    case '-':
    case ',':
    case '(':
    case '#':
    case '_': return LINE_TEXT;
    case ':':
    case '$':
    case '!':
    case '=':
    case '*':
    case '%':
    case '~':
    case '>':
    case '|': return LINE_NUMBER;
    case ';':
    case '.': return LINE_STREAMED;
    default: return LINE_UNKNOWN;
    }
}

static enum reply_status streamed(struct reply_reader *r)
{
    return broken(r, "streamed RESP3 types are not supported");
}

static enum reply_status unknown_type(struct reply_reader *r)
{
    char text[REPLY_ERROR_BYTES];
    unsigned byte = (unsigned char)r->type;
    if (byte > 0x20 && byte < 0x7f)
        snprintf(text, sizeof(text), "unknown reply type '%c'", r->type);
    else
        snprintf(text, sizeof(text), "unknown reply type 0x%02x", byte);
    return broken(r, text);
}

/* One byte of a header or integer. A plus is allowed before an integer only. */
static void number_byte(struct reply_reader *r, char c)
{
    bool first = r->scan == r->at + 1;
    if (first && c == '+' && r->type == ':') return;
    if (c == '-' && !first) r->number.bad = true;
    proto_number_push(&r->number, c);
}

/* Searches the \r of the current line from `scan` on. READY: scan stands on it, and it is there. */
static enum reply_status line_scan(struct reply_reader *r, enum line_kind kind)
{
    const char *p = r->in.p;
    if (kind == LINE_TEXT) {
        const char *found = memchr(p + r->scan, '\r', r->in.n - r->scan);
        r->scan = found != NULL ? (size_t)(found - p) : r->in.n;
    } else {
        for (; r->scan < r->in.n && p[r->scan] != '\r'; r->scan++) {
            if (p[r->scan] == '?' && r->scan == r->at + 1) return streamed(r);
            number_byte(r, p[r->scan]);
        }
    }
    if (r->scan - r->at > r->limits.line_bytes_max) return broken(r, "a line is too long");
    return r->scan < r->in.n ? REPLY_READY : REPLY_MORE;
}

/* READY: a whole line is there; its bytes lie between the type byte and scan. */
static enum reply_status line_read(struct reply_reader *r)
{
    if (r->at == r->in.n) return REPLY_MORE;
    if (r->scan <= r->at) {
        r->type = r->in.p[r->at];
        r->scan = r->at + 1;
        r->number = (struct proto_number){0};
    }
    enum line_kind kind = line_kind(r->type);
    if (kind == LINE_UNKNOWN) return unknown_type(r);
    if (kind == LINE_STREAMED) return streamed(r);
    enum reply_status status = line_scan(r, kind);
    if (status != REPLY_READY) return status;
    if (r->scan + 1 == r->in.n) return REPLY_MORE;
    if (r->in.p[r->scan + 1] != '\n') return broken(r, "\\r without \\n in a line");
    return REPLY_READY;
}

static bool same_word(const char *p, size_t n, const char *word)
{
    if (n != strlen(word)) return false;
    for (size_t i = 0; i < n; i++) {
        if ((p[i] | 0x20) != word[i]) return false;
    }
    return true;
}

/* strtod reads the decimal point of the program's locale, which is not ours to set. */
static bool read_number(const char *p, size_t n, double *out)
{
    char text[DOUBLE_BYTES_MAX + 1];
    char point = localeconv()->decimal_point[0];
    if (n == 0 || n > DOUBLE_BYTES_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\0' || strchr("0123456789+-.eE", p[i]) == NULL) return false;
        text[i] = p[i] == '.' ? point : p[i];
    }
    text[n] = '\0';
    char *end;
    double value = strtod(text, &end);
    if (end != text + n) return false;
    *out = value;
    return true;
}

static bool read_double(const char *p, size_t n, double *out)
{
    bool minus = n > 0 && p[0] == '-';
    if (same_word(p + minus, n - minus, "inf")) {
        *out = minus ? -(double)__builtin_inff() : (double)__builtin_inff();
        return true;
    }
    if (same_word(p + minus, n - minus, "nan")) {
        *out = (double)__builtin_nanf("");
        return true;
    }
    return read_number(p, n, out);
}

static bool is_big_number(const char *p, size_t n)
{
    size_t i = n > 0 && (p[0] == '-' || p[0] == '+');
    if (i == n) return false;
    for (; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
    }
    return true;
}

/* An item whose line is its text. */
static enum reply_status text_item(struct reply_reader *r, struct reply_event *out)
{
    const char *p = r->in.p + r->at + 1;
    size_t n = r->scan - r->at - 1;
    out->text = p;
    out->n = n;
    switch (r->type) {
    case '+': out->type = HEAPD_REPLY_SIMPLE; return REPLY_READY;
    case '-': out->type = HEAPD_REPLY_ERROR; return REPLY_READY;
    case ',':
        out->type = HEAPD_REPLY_DOUBLE;
        return read_double(p, n, &out->number) ? REPLY_READY : broken(r, "not a double");
    case '(':
        out->type = HEAPD_REPLY_BIG_NUMBER;
        return is_big_number(p, n) ? REPLY_READY : broken(r, "not a big number");
    case '#':
        out->type = HEAPD_REPLY_BOOL;
        out->integer = n == 1 && p[0] == 't';
        out->text = NULL;
        out->n = 0;
        return n == 1 && (p[0] == 't' || p[0] == 'f') ? REPLY_READY : broken(r, "not a boolean");
    default:
        out->type = HEAPD_REPLY_NULL;
        out->text = NULL;
        out->n = 0;
        return n == 0 ? REPLY_READY : broken(r, "a null with text");
    }
}

static bool push_frame(struct reply_reader *r, uint64_t left, bool attribute)
{
    if (r->depth == r->stack_room) {
        uint32_t room = r->stack_room == 0 ? 8 : r->stack_room * 2;
        struct reply_frame *stack = realloc(r->stack, room * sizeof(*stack));
        if (stack == NULL) return false;
        r->stack = stack;
        r->stack_room = room;
    }
    r->stack[r->depth++] = (struct reply_frame){.left = left, .attribute = attribute};
    return true;
}

static enum reply_status container_item(struct reply_reader *r, uint64_t n, struct reply_event *out)
{
    bool pairs = r->type == '%' || r->type == '|';
    if (n > r->limits.children_max || n > SIZE_MAX / 2) return broken(r, "too many children");
    switch (r->type) {
    case '*': out->type = HEAPD_REPLY_ARRAY; break;
    case '%': out->type = HEAPD_REPLY_MAP; break;
    case '~': out->type = HEAPD_REPLY_SET; break;
    case '>': out->type = HEAPD_REPLY_PUSH; break;
    default: out->type = HEAPD_REPLY_ATTRIBUTE; break;
    }
    out->n = (size_t)n;
    if (n == 0) return REPLY_READY;
    if (r->depth == REPLY_DEPTH_MAX) return broken(r, "replies are nested too deep");
    return push_frame(r, pairs ? 2 * n : n, r->type == '|') ? REPLY_READY : no_memory(r);
}

/* An item whose line is a number: MORE when it is the header of a bulk, which is then in_bulk. */
static enum reply_status number_item(struct reply_reader *r, struct reply_event *out)
{
    int64_t n;
    if (!proto_number_end(&r->number, &n)) return broken(r, "not a number");
    if (r->type == ':') {
        out->type = HEAPD_REPLY_INTEGER;
        out->integer = n;
        return REPLY_READY;
    }
    if (n == -1 && (r->type == '$' || r->type == '*')) {
        out->type = HEAPD_REPLY_NULL;
        return REPLY_READY;
    }
    if (n < 0) return broken(r, "a negative length");
    if (r->type != '$' && r->type != '!' && r->type != '=')
        return container_item(r, (uint64_t)n, out);
    if ((uint64_t)n > r->limits.bulk_bytes_max) return broken(r, "a bulk is too long");
    r->bulk = (size_t)n;
    r->in_bulk = true;
    return REPLY_MORE;
}

static enum reply_status bulk_item(struct reply_reader *r, struct reply_event *out)
{
    if (r->in.n - r->at < r->bulk + 2) return REPLY_MORE;
    const char *p = r->in.p + r->at;
    if (p[r->bulk] != '\r' || p[r->bulk + 1] != '\n')
        return broken(r, "a bulk does not end with \\r\\n");
    out->type = r->type == '!' ? HEAPD_REPLY_ERROR : HEAPD_REPLY_BULK;
    out->text = p;
    out->n = r->bulk;
    if (r->type == '=') {
        if (r->bulk < 4 || p[3] != ':') return broken(r, "a verbatim string without its format");
        out->type = HEAPD_REPLY_VERBATIM;
        memcpy(out->format, p, 3);
        out->text += 4;
        out->n -= 4;
    }
    r->at += r->bulk + 2;
    r->in_bulk = false;
    return REPLY_READY;
}

/* An item without items to come has ended: so may have the containers that it is in. */
static bool item_ends_reply(struct reply_reader *r)
{
    while (r->depth > 0) {
        struct reply_frame *top = &r->stack[r->depth - 1];
        if (--top->left > 0) return false;
        r->depth--;
        if (top->attribute) return false;
    }
    return true;
}

enum reply_status reply_reader_event(struct reply_reader *r, struct reply_event *out)
{
    if (r->status != REPLY_READY) return r->status;
    struct reply_event event = {.depth = r->depth};
    uint32_t depth = r->depth;
    enum reply_status status;
    if (!r->in_bulk) {
        status = line_read(r);
        if (status != REPLY_READY) return status;
        bool text = line_kind(r->type) == LINE_TEXT;
        status = text ? text_item(r, &event) : number_item(r, &event);
        if (r->status != REPLY_READY) return r->status;
        r->at = r->scan + 2;
        r->scan = r->at;
    }
    if (r->in_bulk) {
        status = bulk_item(r, &event);
        if (status != REPLY_READY) return status;
        r->scan = r->at;
    }
    bool opened = r->depth > depth;
    if (!opened && event.type != HEAPD_REPLY_ATTRIBUTE) event.last = item_ends_reply(r);
    *out = event;
    return REPLY_READY;
}

int reply_reader_check(const struct reply_reader *r)
{
    if (r->at > r->in.n) return 1;
    if (r->status == REPLY_READY && !r->in_bulk && (r->scan < r->at || r->scan > r->in.n)) return 1;
    if (r->depth > REPLY_DEPTH_MAX || r->depth > r->stack_room) return 2;
    return 0;
}
