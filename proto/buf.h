/*
 * A growable buffer of bytes, used by every module of proto/. The server writes replies into it and
 * the client requests. It does no input or output.
 *
 * Invariants
 *   1. n <= cap, and p has cap bytes (p may be NULL while cap is 0).
 *   2. Once set, failed stays set until proto_buf_clear or proto_buf_fini, and later writes do
 *      nothing. So a caller may write a whole reply and check `failed` once. A failed buffer has
 *      cap == n, so the one comparison of the fast path also covers failure.
 *
 * Ownership: the holder of a proto_buf owns p, which comes from malloc; proto_buf_fini frees it. A
 * holder that takes p away must free() it, and calls proto_buf_init again.
 *
 * Cost: a reservation is one comparison; the buffer grows by at least half, so writing is amortised
 * O(1) per byte.
 */
#ifndef PROTO_BUF_H
#define PROTO_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "proto/view.h"

/* The first allocation of a buffer: most replies fit, and it is one size class of an allocator. */
#define PROTO_BUF_BYTES_FIRST 512

struct proto_buf {
    char *p;
    size_t n;   /* bytes written */
    size_t cap; /* bytes that p has room for */
    bool failed;
};

static inline void proto_buf_init(struct proto_buf *buf)
{
    *buf = (struct proto_buf){0};
}

/* Frees the bytes; the buffer is empty and usable afterwards. */
void proto_buf_fini(struct proto_buf *buf);

/* Forgets the bytes and a failure. Keeps the room if it is at most `keep_bytes_max`, else frees it.
 */
void proto_buf_clear(struct proto_buf *buf, size_t keep_bytes_max);

/* The slow half of proto_buf_reserve; sets `failed` and returns NULL when there is no memory. */
char *proto_buf_grow(struct proto_buf *buf, size_t need);

/* Room for `need` bytes behind the written ones, or NULL (and `failed`). The caller writes them and
 * then adds what it used to buf->n. */
static inline char *proto_buf_reserve(struct proto_buf *buf, size_t need)
{
    if (__builtin_expect(buf->cap - buf->n < need || buf->p == NULL, 0))
        return proto_buf_grow(buf, need);
    return buf->p + buf->n;
}

static inline void proto_buf_append(struct proto_buf *buf, const char *p, size_t n)
{
    char *to = proto_buf_reserve(buf, n);
    if (to == NULL || n == 0) return;
    memcpy(to, p, n);
    buf->n += n;
}

#endif
