#include "proto/writer.h"

/* "00" to "99": two digits cost one division. */
static const char PAIRS[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static size_t digits_count(uint64_t value)
{
    size_t n = 1;
    for (;;) {
        if (value < 10) return n;
        if (value < 100) return n + 1;
        if (value < 1000) return n + 2;
        if (value < 10000) return n + 3;
        value /= 10000;
        n += 4;
    }
}

size_t proto_format_u64(char *to, uint64_t value)
{
    if (value < 10) {
        to[0] = (char)('0' + value);
        return 1;
    }
    size_t n = digits_count(value);
    char *end = to + n;
    while (value >= 100) {
        end -= 2;
        memcpy(end, PAIRS + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(to, PAIRS + value * 2, 2);
    else
        to[0] = (char)('0' + value);
    return n;
}

size_t proto_format_i64(char *to, int64_t value)
{
    if (value >= 0) return proto_format_u64(to, (uint64_t)value);
    /* The sign and the digits of -2^63 are exactly PROTO_I64_BYTES_MAX bytes. */
    to[0] = '-';
    return 1 + proto_format_u64(to + 1, 0 - (uint64_t)value);
}

/* The three writers below trust the room behind `to` and return the byte behind what they wrote. */

static char *put_crlf(char *to)
{
    to[0] = '\r';
    to[1] = '\n';
    return to + 2;
}

static char *put_bytes(char *to, const char *p, size_t n)
{
    if (n != 0) memcpy(to, p, n);
    return to + n;
}

static char *put_header(char *to, char type, uint64_t n)
{
    *to++ = type;
    return put_crlf(to + proto_format_u64(to, n));
}

void proto_put_header(struct proto_buf *buf, char type, uint64_t n)
{
    char *to = proto_buf_reserve(buf, PROTO_NUMBER_LINE_BYTES_MAX);
    if (to == NULL) return;
    buf->n = (size_t)(put_header(to, type, n) - buf->p);
}

void proto_put_integer(struct proto_buf *buf, int64_t value)
{
    char *to = proto_buf_reserve(buf, PROTO_NUMBER_LINE_BYTES_MAX);
    if (to == NULL) return;
    *to++ = ':';
    to = put_crlf(to + proto_format_i64(to, value));
    buf->n = (size_t)(to - buf->p);
}

/* A length that would overflow asks for room that no buffer gives, which is a failure. */
static char *reserve_around(struct proto_buf *buf, size_t around, size_t n)
{
    return proto_buf_reserve(buf, n > SIZE_MAX - around ? SIZE_MAX : n + around);
}

void proto_put_bulk(struct proto_buf *buf, const char *p, size_t n)
{
    char *to = reserve_around(buf, PROTO_NUMBER_LINE_BYTES_MAX + 2, n);
    if (to == NULL) return;
    to = put_header(to, '$', n);
    to = put_crlf(put_bytes(to, p, n));
    buf->n = (size_t)(to - buf->p);
}

void proto_put_bulk_integer(struct proto_buf *buf, int64_t value)
{
    char digits[PROTO_I64_BYTES_MAX];
    proto_put_bulk(buf, digits, proto_format_i64(digits, value));
}

static void put_line(struct proto_buf *buf, char type, const char *p, size_t n)
{
    char *to = reserve_around(buf, 3, n);
    if (to == NULL) return;
    *to++ = type;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        *to++ = c == '\r' || c == '\n' ? ' ' : c;
    }
    to = put_crlf(to);
    buf->n = (size_t)(to - buf->p);
}

void proto_put_simple(struct proto_buf *buf, const char *p, size_t n)
{
    put_line(buf, '+', p, n);
}

void proto_put_error(struct proto_buf *buf, const char *p, size_t n)
{
    put_line(buf, '-', p, n);
}

void proto_put_double(struct proto_buf *buf, const char *text, size_t n)
{
    put_line(buf, ',', text, n);
}

void proto_put_verbatim(struct proto_buf *buf, const char format[3], const char *p, size_t n)
{
    char *to = reserve_around(buf, PROTO_NUMBER_LINE_BYTES_MAX + 4 + 2, n);
    if (to == NULL) return;
    to = put_header(to, '=', n + 4);
    to = put_bytes(to, format, 3);
    *to++ = ':';
    to = put_crlf(put_bytes(to, p, n));
    buf->n = (size_t)(to - buf->p);
}

void proto_request(struct proto_buf *buf, size_t argc, const struct proto_view *argv)
{
    size_t start = buf->n;
    proto_put_array(buf, argc);
    for (size_t i = 0; i < argc; i++) proto_put_bulk(buf, argv[i].p, argv[i].n);
    /* Half a request must not stay in the buffer. */
    if (buf->failed) buf->n = buf->cap = start < buf->n ? start : buf->n;
}
