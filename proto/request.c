#include "proto/request.h"

#include <assert.h>
#include <stdlib.h>

enum request_state {
    STATE_NEW,       /* between requests */
    STATE_ARGS_LINE, /* in the line of `*` */
    STATE_BULK_LINE, /* in the line of `$` */
    STATE_BULK,      /* in the bytes of a bulk and the two behind it */
    STATE_BULK_END,  /* in the two behind one that lies apart */
    STATE_INLINE,    /* in an inline line */
    STATE_BROKEN,
    STATE_OOM
};

enum quote_state {
    QUOTE_BLANK,     /* between tokens */
    QUOTE_PLAIN,     /* in a token without quotes: a view of the buffer */
    QUOTE_DOUBLE,    /* in "..." */
    QUOTE_ESCAPE,    /* behind \ in "..." */
    QUOTE_HEX,       /* behind \x */
    QUOTE_HEX_DIGIT, /* behind \x and one digit */
    QUOTE_SINGLE,    /* in '...' */
    QUOTE_BACKSLASH, /* behind \ in '...' */
    QUOTE_CLOSED,    /* behind a closing quote: a blank must follow */
    QUOTE_UNBALANCED
};

/* LINE_BAD is a whole line that is no number. */
enum line_status { LINE_END, LINE_BAD, LINE_MORE, LINE_LONG };

/* While a request is unfinished, argv[i].p is an offset into the buffer, or with one of these bits
 * an offset into text, or an address. */
#define IN_TEXT (~(SIZE_MAX >> 1))
#define APART   (IN_TEXT >> 1)
/* Lengths above this would make sums of offsets overflow; no buffer is that large. */
#define BYTES_MAX (SIZE_MAX >> 2)
/* The short way through a count line looks at so many bytes at most: a lead byte and digits that
 * cannot overflow 64 bits. */
#define LINE_FAST_BYTES 18

static enum request_status broken(struct request_reader *r, const char *text)
{
    size_t n = strlen(text);
    if (n >= sizeof(r->error)) n = sizeof(r->error) - 1;
    memcpy(r->error, text, n);
    r->error[n] = '\0';
    r->state = STATE_BROKEN;
    return REQUEST_BROKEN;
}

static enum request_status no_memory(struct request_reader *r)
{
    r->state = STATE_OOM;
    return REQUEST_OOM;
}

void request_reader_limit(struct request_reader *r, const struct request_limits *limits)
{
    r->limits = *limits;
    if (r->limits.bulk_bytes_max > BYTES_MAX) r->limits.bulk_bytes_max = BYTES_MAX;
    if (r->limits.inline_bytes_max > BYTES_MAX) r->limits.inline_bytes_max = BYTES_MAX;
}

void request_reader_init(struct request_reader *r, const struct request_limits *limits)
{
    memset(r, 0, sizeof(*r));
    request_reader_limit(r, limits);
    proto_buf_init(&r->text);
    r->state = STATE_NEW;
    r->argv = r->small;
    r->room = REQUEST_ARGS_SMALL;
}

void request_reader_fini(struct request_reader *r)
{
    if (r->argv != r->small) free(r->argv);
    proto_buf_fini(&r->text);
    r->argv = r->small;
    r->room = REQUEST_ARGS_SMALL;
    r->argc = 0;
}

bool request_reader_begins(const struct request_reader *r)
{
    return r->state == STATE_NEW;
}

void request_reader_trim(struct request_reader *r)
{
    if (r->state != STATE_NEW) return;
    if (r->room > REQUEST_ARGS_KEPT) {
        free(r->argv);
        r->argv = r->small;
        r->room = REQUEST_ARGS_SMALL;
    }
    r->argc = 0;
    proto_buf_clear(&r->text, REQUEST_TEXT_BYTES_KEPT);
}

/* Doubles the room; what the client announced has no say in it. */
static bool grow(struct request_reader *r)
{
    if (r->room > UINT32_MAX / 2) return false;
    uint32_t room = r->room * 2;
    struct proto_view *old = r->argv == r->small ? NULL : r->argv;
    struct proto_view *argv = realloc(old, room * sizeof(*argv));
    if (argv == NULL) return false;
    if (old == NULL) memcpy(argv, r->small, sizeof(r->small));
    r->argv = argv;
    r->room = room;
    return true;
}

static inline bool add(struct request_reader *r, size_t offset, size_t n)
{
    if (__builtin_expect(r->argc == r->room, 0) && !grow(r)) return false;
    r->argv[r->argc++] = (struct proto_view){.p = (const char *)(uintptr_t)offset, .n = n};
    return true;
}

/* The whole request is there: offsets become pointers. */
static enum request_status ready(struct request_reader *r, const char *buf)
{
    for (uint32_t i = 0; i < r->argc; i++) {
        uintptr_t offset = (uintptr_t)r->argv[i].p;
        if (__builtin_expect((offset & (IN_TEXT | APART)) == 0, 1))
            r->argv[i].p = buf + offset;
        else if (offset & APART)
            r->argv[i].p = (const char *)(offset & ~APART);
        else
            r->argv[i].p = r->text.p + (offset & ~IN_TEXT);
    }
    r->bytes = r->at;
    r->state = STATE_NEW;
    return REQUEST_READY;
}

static enum line_status line_end(struct request_reader *r, int64_t *n)
{
    r->cr = false;
    r->at++;
    return proto_number_end(&r->number, n) ? LINE_END : LINE_BAD;
}

/* Looks at the bytes of a count line from `at` on; `number` and `lead` tell what came before. Any
 * one byte behind \r ends the line, as in Redis. */
static __attribute__((noinline)) enum line_status line_rest(struct request_reader *r,
                                                            const char *buf, size_t len, int64_t *n)
{
    size_t end = r->line + r->limits.inline_bytes_max + 1;
    size_t stop = len < end ? len : end;
    if (r->cr) return r->at < len ? line_end(r, n) : LINE_MORE;
    if (r->at == r->line && r->at < stop) {
        r->lead = buf[r->at];
        r->number = (struct proto_number){0};
        r->stuck = r->lead == '\0';
        if (r->lead != '\r') r->at++;
    }
    for (; r->at < stop && !r->stuck; r->at++) {
        char c = buf[r->at];
        if (c == '\r') {
            r->at++;
            r->cr = true;
            return r->at < len ? line_end(r, n) : LINE_MORE;
        }
        r->stuck = c == '\0';
        proto_number_push(&r->number, c);
    }
    if (r->stuck) r->at = stop;
    return r->at == end ? LINE_LONG : LINE_MORE;
}

/* Reads on in a count line that begins with `lead`, or should. LINE_END: *n is its number. Nearly
 * every line is a few digits and all there: it is read here, with one comparison a byte. Where that
 * ends, line_rest goes on. */
static inline enum line_status line_read(struct request_reader *r, const char *buf, size_t len,
                                         char lead, int64_t *n)
{
    size_t at = r->at;
    /* A first digit of 0 goes the long way, and so do numbers that might overflow. */
    if (at != r->line || len - at < 2 || buf[at] != lead) return line_rest(r, buf, len, n);
    unsigned digit = (unsigned)(unsigned char)buf[at + 1] - '1';
    if (digit >= 9 || r->limits.inline_bytes_max < LINE_FAST_BYTES)
        return line_rest(r, buf, len, n);
    size_t stop = len - at < LINE_FAST_BYTES ? len : at + LINE_FAST_BYTES;
    uint64_t value = digit + 1;
    for (at += 2; at < stop; at++) {
        digit = (unsigned)(unsigned char)buf[at] - '0';
        if (digit >= 10) break;
        value = value * 10 + digit;
    }
    if (__builtin_expect(at + 1 < stop && buf[at] == '\r', 1)) {
        r->at = at + 2;
        r->lead = lead;
        *n = (int64_t)value;
        return LINE_END;
    }
    r->at = at;
    r->lead = lead;
    r->number = (struct proto_number){.value = value, .digits = true};
    return line_rest(r, buf, len, n);
}

static void line_begin(struct request_reader *r, enum request_state state)
{
    r->state = (unsigned char)state;
    r->line = r->at;
}

static enum request_status wrong_lead(struct request_reader *r)
{
    static const char TEXT[] = "Protocol error: expected '$', got '?'";
    static_assert(sizeof(TEXT) <= REQUEST_ERROR_BYTES, "the text fits");
    broken(r, TEXT);
    char lead = r->lead == '\r' || r->lead == '\n' ? ' ' : r->lead;
    r->error[sizeof(TEXT) - 3] = lead;
    return REQUEST_BROKEN;
}

static enum request_status bulk_line(struct request_reader *r, const char *buf, size_t len)
{
    int64_t n;
    enum line_status status = line_read(r, buf, len, '$', &n);
    if (status == LINE_LONG) return broken(r, "Protocol error: too big bulk count string");
    if (status == LINE_MORE) return REQUEST_MORE;
    if (r->lead != '$') return wrong_lead(r);
    if (status == LINE_BAD || n < 0 || (uint64_t)n > r->limits.bulk_bytes_max)
        return broken(r, "Protocol error: invalid bulk length");
    r->bulk = (size_t)n;
    r->state = STATE_BULK;
    return REQUEST_READY;
}

static enum request_status args_line(struct request_reader *r, const char *buf, size_t len)
{
    int64_t n;
    enum line_status status = line_read(r, buf, len, '*', &n);
    if (status == LINE_LONG) return broken(r, "Protocol error: too big mbulk count string");
    if (status == LINE_MORE) return REQUEST_MORE;
    if (status == LINE_BAD || n > (int64_t)r->limits.args_max)
        return broken(r, "Protocol error: invalid multibulk length");
    r->left = n > 0 ? (uint32_t)n : 0;
    line_begin(r, STATE_BULK_LINE);
    return REQUEST_READY;
}

static enum request_status multibulk(struct request_reader *r, const char *buf, size_t len)
{
    if (r->state == STATE_ARGS_LINE) {
        enum request_status status = args_line(r, buf, len);
        if (status != REQUEST_READY) return status;
    }
    if (r->state == STATE_BULK_END) {
        if (len - r->at < 2) return REQUEST_MORE;
        r->at += 2;
        line_begin(r, STATE_BULK_LINE);
    }
    while (r->left != 0) {
        if (r->state == STATE_BULK_LINE) {
            enum request_status status = bulk_line(r, buf, len);
            if (status != REQUEST_READY) return status;
        }
        size_t whole = r->bulk + 2;
        if (len - r->at < whole) return REQUEST_MORE;
        if (!add(r, r->at, r->bulk)) return no_memory(r);
        r->at += whole;
        r->left--;
        line_begin(r, STATE_BULK_LINE);
    }
    return ready(r, buf);
}

/* isspace of the C locale, whatever locale a program that links this has set. */
static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static char unescaped(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
    }
}

static void put(struct request_reader *r, char c)
{
    proto_buf_append(&r->text, &c, 1);
}

/* A quote opens: the token goes to text from here on, with what it already has (`a"b c"` is one).
 */
static void quote_open(struct request_reader *r, const char *buf, char c)
{
    size_t begin = r->text.n;
    /* An empty token is a view too, and wants an address. */
    if (proto_buf_reserve(&r->text, 1) == NULL) return;
    if (r->quote == QUOTE_PLAIN) proto_buf_append(&r->text, buf + r->bulk, r->at - r->bulk);
    r->bulk = begin;
    r->quote = c == '"' ? QUOTE_DOUBLE : QUOTE_SINGLE;
}

static bool quote_close(struct request_reader *r)
{
    r->quote = QUOTE_CLOSED;
    return !r->text.failed && add(r, r->bulk | IN_TEXT, r->text.n - r->bulk);
}

/* One byte of "...". */
static bool double_byte(struct request_reader *r, char c)
{
    if (r->quote == QUOTE_ESCAPE) {
        r->quote = c == 'x' ? QUOTE_HEX : QUOTE_DOUBLE;
        if (c != 'x') put(r, unescaped(c));
        return true;
    }
    if (r->quote == QUOTE_HEX && hex_value(c) >= 0) {
        r->digit = c;
        r->quote = QUOTE_HEX_DIGIT;
        return true;
    }
    if (r->quote == QUOTE_HEX_DIGIT && hex_value(c) >= 0) {
        put(r, (char)(unsigned char)(hex_value(r->digit) * 16 + hex_value(c)));
        r->quote = QUOTE_DOUBLE;
        return true;
    }
    /* \x without two digits is an x; the bytes behind it stand for themselves. */
    if (r->quote != QUOTE_DOUBLE) put(r, 'x');
    if (r->quote == QUOTE_HEX_DIGIT) put(r, r->digit);
    r->quote = QUOTE_DOUBLE;
    if (c == '"') return quote_close(r);
    if (c == '\\')
        r->quote = QUOTE_ESCAPE;
    else
        put(r, c);
    return true;
}

/* One byte of '...'. */
static bool single_byte(struct request_reader *r, char c)
{
    if (r->quote == QUOTE_BACKSLASH) {
        r->quote = QUOTE_SINGLE;
        if (c == '\'') {
            put(r, c);
            return true;
        }
        put(r, '\\');
    }
    if (c == '\'') return quote_close(r);
    if (c == '\\')
        r->quote = QUOTE_BACKSLASH;
    else
        put(r, c);
    return true;
}

/* One byte outside quotes. \v and \f are blanks between tokens and letters within, as in Redis. */
static bool plain_byte(struct request_reader *r, const char *buf, char c)
{
    if (r->quote == QUOTE_BLANK) {
        if (is_blank(c)) return true;
        r->bulk = r->at;
        if (c != '"' && c != '\'') {
            r->quote = QUOTE_PLAIN;
            return true;
        }
    }
    if (c == '"' || c == '\'') {
        quote_open(r, buf, c);
    } else if (c == ' ' || c == '\t' || c == '\r') {
        r->quote = QUOTE_BLANK;
        return add(r, r->bulk, r->at - r->bulk);
    }
    return true;
}

static bool inline_byte(struct request_reader *r, const char *buf, char c)
{
    switch ((enum quote_state)r->quote) {
    case QUOTE_BLANK:
    case QUOTE_PLAIN: return plain_byte(r, buf, c);
    case QUOTE_DOUBLE:
    case QUOTE_ESCAPE:
    case QUOTE_HEX:
    case QUOTE_HEX_DIGIT: return double_byte(r, c);
    case QUOTE_SINGLE:
    case QUOTE_BACKSLASH: return single_byte(r, c);
    case QUOTE_CLOSED: r->quote = is_blank(c) ? QUOTE_BLANK : QUOTE_UNBALANCED; return true;
    case QUOTE_UNBALANCED: return true;
    }
    return true;
}

/* The end of an inline line: at stands on the \n. A \r before it was a blank, or was in quotes that
 * are now unbalanced, so it needs no care of its own. */
static enum request_status inline_end(struct request_reader *r, const char *buf)
{
    if (r->quote == QUOTE_PLAIN && !add(r, r->bulk, r->at - r->bulk)) return no_memory(r);
    bool whole = r->quote == QUOTE_PLAIN || r->quote == QUOTE_BLANK || r->quote == QUOTE_CLOSED;
    if (!whole) return broken(r, "Protocol error: unbalanced quotes in request");
    r->at++;
    return ready(r, buf);
}

static enum request_status inline_line(struct request_reader *r, const char *buf, size_t len)
{
    size_t end = r->limits.inline_bytes_max + 1;
    size_t stop = len < end ? len : end;
    for (; r->at < stop && !r->stuck; r->at++) {
        char c = buf[r->at];
        if (c == '\n') return inline_end(r, buf);
        r->stuck = c == '\0';
        if (r->stuck) break;
        if (!inline_byte(r, buf, c) || r->text.failed) return no_memory(r);
    }
    if (r->stuck) r->at = stop;
    if (stop == end) return broken(r, "Protocol error: too big inline request");
    return REQUEST_MORE;
}

static void begin(struct request_reader *r, char first)
{
    if (__builtin_expect(r->room > REQUEST_ARGS_KEPT || r->text.n != 0, 0)) request_reader_trim(r);
    r->argc = 0;
    r->bytes = 0;
    r->at = 0;
    r->cr = false;
    r->stuck = false;
    r->quote = QUOTE_BLANK;
    line_begin(r, first == '*' ? STATE_ARGS_LINE : STATE_INLINE);
}

size_t request_reader_bulk(const struct request_reader *r, size_t *at)
{
    if (r->state != STATE_BULK) return 0;
    *at = r->at;
    return r->bulk;
}

enum request_status request_reader_put_apart(struct request_reader *r, const char *p)
{
    if (!add(r, (uintptr_t)p | APART, r->bulk)) return no_memory(r);
    r->left--;
    r->state = STATE_BULK_END;
    return REQUEST_READY;
}

enum request_status request_reader_next(struct request_reader *r, const char *buf, size_t len)
{
    switch ((enum request_state)r->state) {
    case STATE_NEW:
        if (len == 0) return REQUEST_MORE;
        begin(r, buf[0]);
        if (r->state == STATE_INLINE) return inline_line(r, buf, len);
        return multibulk(r, buf, len);
    case STATE_ARGS_LINE:
    case STATE_BULK_LINE:
    case STATE_BULK:
    case STATE_BULK_END: return multibulk(r, buf, len);
    case STATE_INLINE: return inline_line(r, buf, len);
    case STATE_BROKEN: return REQUEST_BROKEN;
    case STATE_OOM: return REQUEST_OOM;
    }
    return REQUEST_BROKEN;
}

int request_reader_check(const struct request_reader *r)
{
    if (r->line > r->at) return 1;
    bool multi = r->state >= STATE_BULK_LINE && r->state <= STATE_BULK_END;
    if (multi && r->argc + (uint64_t)r->left > r->limits.args_max) return 3;
    if (r->argc > r->room) return 3;
    if ((r->argv == r->small) != (r->room == REQUEST_ARGS_SMALL)) return 4;
    return 0;
}
