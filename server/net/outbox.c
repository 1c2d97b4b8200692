#include "net/outbox.h"

#include <stdlib.h>

#include "base/panic.h"

/* Pieces for which no memory is asked for. */
enum { PIECES_SMALL = 8 };

void replies_init(struct replies *r)
{
    *r = (struct replies){0};
}

/* Forgets everything; the buffer keeps so much room at most. */
static void clear(struct replies *r, const struct outlet *outlet, size_t kept_bytes)
{
    if (r->held.count && outlet->landed)
        held_gather(outlet->landed, &r->held);
    else if (r->held.count)
        held_drop_behind(outlet->all, &r->held, NULL);
    proto_buf_clear(&r->buf, kept_bytes);
}

void replies_fini(struct replies *r, const struct outlet *outlet)
{
    clear(r, outlet, 0);
    proto_buf_fini(&r->buf);
}

void outbox_init(struct outbox *out, struct outlet outlet)
{
    *out = (struct outbox){.outlet = outlet};
}

void outbox_fini(struct outbox *out)
{
    DASSERT(!out->under_way);
    replies_fini(&out->flying, &out->outlet);
    replies_fini(&out->behind, &out->outlet);
}

/* The pieces of the replies in their order; there is room for two for each that is held, and one.
 * Returns their number. */
static unsigned pieces_of(const struct replies *r, uv_buf_t *pieces)
{
    unsigned count = 0;
    size_t at = 0;
    for (const struct held *held = r->held.first; held; held = held->behind) {
        if (held->at > at)
            pieces[count++] = (uv_buf_t){.base = r->buf.p + at, .len = held->at - at};
        /* libuv does not write to what it sends. */
        pieces[count++] =
            (uv_buf_t){.base = (char *)(uintptr_t)held->bytes.p, .len = held->bytes.n};
        at = held->at;
    }
    if (r->buf.n > at) pieces[count++] = (uv_buf_t){.base = r->buf.p + at, .len = r->buf.n - at};
    return count;
}

/* Takes what was sent off the front of the pieces; returns the number of those that are gone. */
static unsigned skip(uv_buf_t *pieces, unsigned count, size_t sent)
{
    unsigned gone = 0;
    while (gone < count && sent >= pieces[gone].len) sent -= pieces[gone++].len;
    if (gone < count) {
        pieces[gone].base += sent;
        pieces[gone].len -= sent;
    }
    return gone;
}

/* Sends all of `from`: at once, or what is left by libuv, which then owns it. A system call takes
 * neither any number of pieces nor any number of bytes; the rest is libuv's to go on with. */
static int send_pieces(struct outbox *out, uv_stream_t *stream, struct replies *from,
                       uv_buf_t *pieces, uv_write_cb done)
{
    unsigned count = pieces_of(from, pieces);
    int sent = uv_try_write(stream, pieces, count);
    if (sent < 0 && sent != UV_EAGAIN) return sent;
    unsigned gone = skip(pieces, count, sent > 0 ? (size_t)sent : 0);
    if (gone == count) return 0;
    out->flying = *from;
    replies_init(from);
    int error = uv_write(&out->request, stream, pieces + gone, count - gone, done);
    out->under_way = error == 0;
    if (error) replies_fini(&out->flying, &out->outlet);
    return error;
}

static int send_from(struct outbox *out, uv_stream_t *stream, struct replies *from,
                     size_t kept_bytes, uv_write_cb done)
{
    uv_buf_t small[PIECES_SMALL], *pieces = small;
    size_t most = 2 * (size_t)from->held.count + 1;
    int error = UV_ENOMEM;
    if (most > PIECES_SMALL) pieces = malloc(most * sizeof *pieces);
    if (pieces) error = send_pieces(out, stream, from, pieces, done);
    if (pieces != small) free(pieces);
    clear(from, &out->outlet, kept_bytes);
    return error;
}

int outbox_send(struct outbox *out, uv_stream_t *stream, struct replies *shared, uv_write_cb done)
{
    if (out->under_way) return 0;
    if (shared->buf.n == 0) {
        clear(shared, &out->outlet, OUTBOX_SHARED_KEPT_BYTES); /* it may have failed */
        return 0;
    }
    return send_from(out, stream, shared, OUTBOX_SHARED_KEPT_BYTES, done);
}

void outbox_landed(struct outbox *out)
{
    out->under_way = false;
    replies_fini(&out->flying, &out->outlet);
}

int outbox_resend(struct outbox *out, uv_stream_t *stream, uv_write_cb done)
{
    DASSERT(!out->under_way);
    if (out->behind.buf.n == 0) return 0;
    return send_from(out, stream, &out->behind, 0, done);
}

uint64_t outbox_bytes(const struct outbox *out)
{
    if (!out->under_way) return 0;
    return uv_stream_get_write_queue_size(out->request.handle) + replies_bytes(&out->behind);
}

int outbox_check(const struct outbox *out)
{
    if (!out->under_way && replies_bytes(&out->behind)) return 1;
    if (out->under_way != (out->flying.buf.p != NULL)) return 2;
    const struct replies *both[] = {&out->flying, &out->behind};
    for (int i = 0; i < 2; i++) {
        const struct held *last = both[i]->held.last;
        if (held_check(&both[i]->held) || (last && last->at > both[i]->buf.n)) return 3;
    }
    return 0;
}
