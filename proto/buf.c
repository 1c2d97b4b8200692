#include "proto/buf.h"

#include <stdint.h>
#include <stdlib.h>

static void fail(struct proto_buf *buf)
{
    buf->failed = true;
    /* Invariant 2: no later reservation finds room, so no reply has a hole in its middle. */
    buf->cap = buf->n;
}

char *proto_buf_grow(struct proto_buf *buf, size_t need)
{
    if (buf->failed) return NULL;
    if (buf->p != NULL && buf->cap - buf->n >= need) return buf->p + buf->n;
    if (need > SIZE_MAX / 2 - buf->n) {
        fail(buf);
        return NULL;
    }
    size_t cap = buf->cap + buf->cap / 2;
    if (cap < PROTO_BUF_BYTES_FIRST) cap = PROTO_BUF_BYTES_FIRST;
    if (cap < buf->n + need) cap = buf->n + need;
    char *p = realloc(buf->p, cap);
    if (p == NULL) {
        fail(buf);
        return NULL;
    }
    buf->p = p;
    buf->cap = cap;
    return p + buf->n;
}

void proto_buf_fini(struct proto_buf *buf)
{
    free(buf->p);
    proto_buf_init(buf);
}

void proto_buf_clear(struct proto_buf *buf, size_t keep_bytes_max)
{
    /* After a failure cap no longer tells the true room; such a buffer starts afresh. */
    if (buf->failed || buf->cap > keep_bytes_max) {
        proto_buf_fini(buf);
        return;
    }
    buf->n = 0;
}
