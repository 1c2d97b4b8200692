#include "net/outbox.h"

#include <limits.h>

#include "base/panic.h"

void outbox_init(struct outbox *out)
{
    *out = (struct outbox){0};
}

void outbox_fini(struct outbox *out)
{
    DASSERT(!out->under_way);
    proto_buf_fini(&out->flying);
    proto_buf_fini(&out->behind);
}

/* One uv_buf_t counts its bytes in a size_t, one write(2) in an int at most: the rest of a larger
 * reply is libuv's to go on with. */
static int try_write(uv_stream_t *stream, const struct proto_buf *from, size_t *sent)
{
    size_t n = from->n < INT_MAX ? from->n : INT_MAX;
    uv_buf_t buf = {.base = from->p, .len = n};
    int r = uv_try_write(stream, &buf, 1);
    *sent = r > 0 ? (size_t)r : 0;
    return r == UV_EAGAIN || r > 0 ? 0 : r;
}

/* Sends all of `from`: at once, or what is left by libuv, which then owns the buffer. */
static int send_from(struct outbox *out, uv_stream_t *stream, struct proto_buf *from,
                     size_t kept_bytes, uv_write_cb done)
{
    size_t sent;
    int error = try_write(stream, from, &sent);
    if (error || sent == from->n) {
        proto_buf_clear(from, kept_bytes);
        return error;
    }
    out->flying = *from;
    proto_buf_init(from);
    uv_buf_t rest = {.base = out->flying.p + sent, .len = out->flying.n - sent};
    error = uv_write(&out->request, stream, &rest, 1, done);
    out->under_way = error == 0;
    if (error) proto_buf_fini(&out->flying);
    return error;
}

int outbox_send(struct outbox *out, uv_stream_t *stream, struct proto_buf *shared, uv_write_cb done)
{
    if (out->under_way) return 0;
    if (shared->n == 0) {
        proto_buf_clear(shared, OUTBOX_SHARED_KEPT_BYTES); /* it may have failed */
        return 0;
    }
    return send_from(out, stream, shared, OUTBOX_SHARED_KEPT_BYTES, done);
}

void outbox_landed(struct outbox *out)
{
    out->under_way = false;
    proto_buf_fini(&out->flying);
}

int outbox_resend(struct outbox *out, uv_stream_t *stream, uv_write_cb done)
{
    DASSERT(!out->under_way);
    if (out->behind.n == 0) return 0;
    return send_from(out, stream, &out->behind, 0, done);
}

size_t outbox_bytes(const struct outbox *out)
{
    if (!out->under_way) return 0;
    return uv_stream_get_write_queue_size(out->request.handle) + out->behind.n;
}

int outbox_check(const struct outbox *out)
{
    if (!out->under_way && out->behind.n) return 1;
    if (out->under_way != (out->flying.p != NULL)) return 2;
    return 0;
}
