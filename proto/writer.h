/*
 * Writes RESP into a growable buffer: requests for the client, replies for the server. Each
 * function appends one item, or the header of one. The caller knows whether a client uses RESP2 or
 * RESP3 (RESP2 has no map: the caller writes an array of twice the length). Nothing is checked
 * against announced lengths: a header of n must be followed by n items.
 *
 * Invariants
 *   1. A function appends its whole item or, without memory, nothing (the buffer is then failed).
 *   2. Simple strings and errors never contain \r or \n: such bytes are written as spaces, as in
 *      Redis, so that a client's bytes in an error text cannot break the framing.
 *
 * Ownership: the buffer belongs to the caller; texts are borrowed for the call.
 *
 * Cost: one reservation per item; digits are written two at a time without division by a variable.
 */
#ifndef PROTO_WRITER_H
#define PROTO_WRITER_H

#include "proto/buf.h"

#include <stdint.h>

/* The longest decimal form of 64 bits, with its sign, without a NUL. */
#define PROTO_I64_BYTES_MAX 20
/* The longest line that holds a type byte, a number and \r\n. */
#define PROTO_NUMBER_LINE_BYTES_MAX (1 + PROTO_I64_BYTES_MAX + 2)

/* Write the decimal form to `to`, which has PROTO_I64_BYTES_MAX bytes, no NUL; return its length.
 */
size_t proto_format_u64(char *to, uint64_t value);
size_t proto_format_i64(char *to, int64_t value);

/* `type`, the number, \r\n: the base of every header. */
void proto_put_header(struct proto_buf *buf, char type, uint64_t n);

static inline void proto_put_array(struct proto_buf *buf, size_t n)
{
    proto_put_header(buf, '*', n);
}

/* n counts pairs. */
static inline void proto_put_map(struct proto_buf *buf, size_t n)
{
    proto_put_header(buf, '%', n);
}

static inline void proto_put_set(struct proto_buf *buf, size_t n)
{
    proto_put_header(buf, '~', n);
}

static inline void proto_put_push(struct proto_buf *buf, size_t n)
{
    proto_put_header(buf, '>', n);
}

/* n counts pairs; the item that the attribute describes follows them. */
static inline void proto_put_attribute(struct proto_buf *buf, size_t n)
{
    proto_put_header(buf, '|', n);
}

void proto_put_integer(struct proto_buf *buf, int64_t value);

void proto_put_bulk(struct proto_buf *buf, const char *p, size_t n);
/* The number in decimal, as a bulk. */
void proto_put_bulk_integer(struct proto_buf *buf, int64_t value);
/* For bytes that come in pieces: this, proto_buf_append for n bytes in all, proto_put_bulk_end. */
static inline void proto_put_bulk_begin(struct proto_buf *buf, size_t n)
{
    proto_put_header(buf, '$', n);
}
static inline void proto_put_bulk_end(struct proto_buf *buf)
{
    proto_buf_append(buf, "\r\n", 2);
}

static inline void proto_put_ok(struct proto_buf *buf)
{
    proto_buf_append(buf, "+OK\r\n", 5);
}
void proto_put_simple(struct proto_buf *buf, const char *p, size_t n);
/* The text begins with its code: "ERR no such key". */
void proto_put_error(struct proto_buf *buf, const char *p, size_t n);

static inline void proto_put_null(struct proto_buf *buf) /* RESP3 */
{
    proto_buf_append(buf, "_\r\n", 3);
}
static inline void proto_put_null_bulk(struct proto_buf *buf) /* RESP2 */
{
    proto_buf_append(buf, "$-1\r\n", 5);
}
static inline void proto_put_null_array(struct proto_buf *buf) /* RESP2 */
{
    proto_buf_append(buf, "*-1\r\n", 5);
}
static inline void proto_put_bool(struct proto_buf *buf, bool value) /* RESP3 */
{
    proto_buf_append(buf, value ? "#t\r\n" : "#f\r\n", 4);
}

/* The caller formats a double: "3.5", "inf", "-inf", "nan". */
void proto_put_double(struct proto_buf *buf, const char *text, size_t n);
/* `format` is three bytes: "txt" or "mkd". */
void proto_put_verbatim(struct proto_buf *buf, const char format[3], const char *p, size_t n);

/* A request as a client sends it: an array of bulks. */
void proto_request(struct proto_buf *buf, size_t argc, const struct proto_view *argv);

#endif
