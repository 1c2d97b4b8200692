/*
 * Parses requests: multibulk (`*2\r\n$3\r\nGET\r\n$1\r\na\r\n`) and inline (`GET a\r\n`),
 * distinguished by their first byte. The server calls it for each connection with the bytes that
 * have arrived. It does no input or output, knows no command, and copies no bytes: arguments are
 * views.
 *
 * It accepts and refuses the same input as redis-server 7.0.15, with the same error texts. A count
 * line ends at \r, and the byte after it is not checked, nor are the two bytes behind a bulk. A
 * line with a NUL before its end never ends (Redis searches with strchr). An empty request is no
 * error. There are two differences: the limit on the number of arguments is ours, and a line that
 * is too long is refused by its length alone, while Redis' verdict also depends on how reads split
 * the bytes.
 *
 * Invariants
 *   1. line <= at <= len of the last call: the bytes before `at` were scanned and are not scanned
 *      again, however the input is split (bulk bytes are not scanned at all). Within a call, the
 *      one byte at which the fast path through a count line gives up is read twice.
 *   2. Progress is kept as offsets from the first byte of the request, never as pointers.
 *   3. For multibulk requests argc <= args_max; argv has space for `room` views, argc <= room, and
 *      room grows with the arguments that have arrived, not with the announced number.
 *   4. argv == small if and only if room == REQUEST_ARGS_SMALL.
 *
 * A long bulk may be stored apart from the other bytes of its request: when the reader has returned
 * MORE within it, the caller may take its bytes out of the buffer, present and future ones, and
 * pass them in as a whole.
 *
 * Ownership: the reader owns argv and `text` (the unescaped inline arguments). Views in argv point
 * into the caller's buffer, into `text`, or at a bulk stored apart, and are valid until that
 * changes or the next call.
 *
 * Cost: O(bytes of the count lines) for multibulk, whatever the bulks contain; O(bytes) for inline.
 * No allocation up to REQUEST_ARGS_SMALL arguments without quotes.
 */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include "proto/buf.h"
#include "proto/number.h"

#include <stdint.h>

#define REQUEST_ARGS_SMALL 16
/* A reader keeps at most this much room for arguments, and for unescaped text, between requests. */
#define REQUEST_ARGS_KEPT       1024
#define REQUEST_TEXT_BYTES_KEPT 4096

#define REQUEST_BULK_BYTES_MAX   ((size_t)512 * 1024 * 1024)
#define REQUEST_ARGS_MAX         ((uint32_t)1024 * 1024)
#define REQUEST_INLINE_BYTES_MAX ((size_t)64 * 1024)

/* The longest text that a broken request can give, with its NUL. */
#define REQUEST_ERROR_BYTES 64

struct request_limits {
    size_t bulk_bytes_max;   /* one argument; at most INT64_MAX */
    uint32_t args_max;       /* arguments of a multibulk request */
    size_t inline_bytes_max; /* an inline request, and a count line, before its end */
};

#define REQUEST_LIMITS_DEFAULT                                                                     \
    ((struct request_limits){                                                                      \
        .bulk_bytes_max = REQUEST_BULK_BYTES_MAX,                                                  \
        .args_max = REQUEST_ARGS_MAX,                                                              \
        .inline_bytes_max = REQUEST_INLINE_BYTES_MAX,                                              \
    })

enum request_status {
    REQUEST_READY,  /* argc, argv and bytes are set */
    REQUEST_MORE,   /* call again when more bytes are there */
    REQUEST_BROKEN, /* `error` is set; the reader is of no more use */
    REQUEST_OOM     /* no memory; the reader is of no more use */
};

struct request_reader {
    /* The result. */
    uint32_t argc;
    struct proto_view *argv;
    size_t bytes; /* READY: the length of the request, to be skipped by the caller */
    char error[REQUEST_ERROR_BYTES]; /* BROKEN: for the client, behind "-ERR " */

    struct request_limits limits; /* as they hold now; batch.h reads within the same */

    /* Progress; private. */
    unsigned char state;        /* enum request_state */
    unsigned char quote;        /* enum quote_state, within an inline line */
    char digit;                 /* the first digit behind an inline \x */
    char lead;                  /* the first byte of the current count line */
    bool cr;                    /* the count line ended; the byte behind \r is missing */
    bool stuck;                 /* a NUL stood in the line: it has no end */
    struct proto_number number; /* of the current count line, when it came in pieces */
    size_t at;                  /* the first byte not looked at */
    size_t line;                /* where the current count line begins */
    size_t bulk;                /* bytes of the current bulk; inline: where the token begins */
    uint32_t left;              /* arguments still to come */
    uint32_t room;
    struct proto_buf text; /* unescaped inline arguments */
    struct proto_view small[REQUEST_ARGS_SMALL];
};

/* The reader must not move afterwards, for argv may point into it. */
void request_reader_init(struct request_reader *r, const struct request_limits *limits);
void request_reader_fini(struct request_reader *r);

/* `buf` begins at the first byte of the unfinished request and holds `len` bytes; it may lie at
 * another address at each call, with the same bytes and more. After READY the next call begins a
 * new request. */
enum request_status request_reader_next(struct request_reader *r, const char *buf, size_t len);

/* After MORE: the length of the bulk that is unfinished, and in *at where it begins; 0 when none
 * is.
 */
size_t request_reader_bulk(const struct request_reader *r, size_t *at);
/* That bulk is there as a whole, at p; from *at on the buffer holds what follows it. READY: go on
 * with request_reader_next. REQUEST_OOM. */
enum request_status request_reader_put_apart(struct request_reader *r, const char *p);

/* Whether the next call begins a new request, and so batch.h may read it. */
bool request_reader_begins(const struct request_reader *r);

/* Gives back the memory of a large request that is finished; its views are no longer good. For a
 * connection that falls idle: otherwise the next request does it. Nothing happens within a request.
 */
void request_reader_trim(struct request_reader *r);

/* The changed limits hold from the next count line on (CONFIG SET). */
void request_reader_limit(struct request_reader *r, const struct request_limits *limits);

/* Bytes of memory that it has besides itself. */
static inline size_t request_reader_memory(const struct request_reader *r)
{
    size_t argv = r->room > REQUEST_ARGS_SMALL ? r->room * sizeof(*r->argv) : 0;
    return argv + r->text.cap;
}

/* The number of the invariant above that does not hold, or 0. */
int request_reader_check(const struct request_reader *r);

#endif
