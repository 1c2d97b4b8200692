#include "net/outbox.h"

#include "base/panic.h"

enum { PIECES_MAX = 64 };

void replies_init(struct replies *r)
{
    *r = (struct replies){0};
}

/* Forgets everything; the buffer keeps so much room at most. */
static void clear(struct replies *r, struct reply_refs_all *refs, size_t kept_bytes)
{
    if (r->held.count) reply_refs_drop_behind(refs, &r->held, NULL);
    proto_buf_clear(&r->buf, kept_bytes);
}

void replies_fini(struct replies *r, struct reply_refs_all *refs)
{
    clear(r, refs, 0);
    proto_buf_fini(&r->buf);
}

void outbox_init(struct outbox *out, struct reply_refs_all *refs)
{
    *out = (struct outbox){.refs = refs};
}

void outbox_fini(struct outbox *out)
{
    replies_fini(&out->flying, out->refs);
    replies_fini(&out->behind, out->refs);
}

/* How many bytes come next without a break: of the buffer, or of a held value. */
static size_t run_at(const struct replies *r, const struct outbox_place *at)
{
    size_t end = at->held ? at->held->at : r->buf.n;
    if (at->buf < end) return end - at->buf;
    return at->held ? at->held->bytes.n - at->within : 0;
}

/* Goes on by n bytes, within the run. */
static void step(const struct replies *r, struct outbox_place *at, size_t n)
{
    size_t end = at->held ? at->held->at : r->buf.n;
    if (at->buf < end) {
        at->buf += n;
        return;
    }
    at->within += n;
    if (at->within < at->held->bytes.n) return;
    at->held = at->held->behind;
    at->within = 0;
}

static bool is_end(const struct replies *r, const struct outbox_place *at)
{
    return !at->held && at->buf == r->buf.n;
}

static void advance(const struct replies *r, struct outbox_place *at, size_t n)
{
    while (!is_end(r, at)) {
        size_t run = run_at(r, at);
        step(r, at, run < n ? run : n);
        if (run > n) return;
        n -= run;
    }
}

/* What one write takes from there on: so many pieces, and bytes, at most. */
static unsigned pieces_at(const struct replies *r, struct outbox_place at, uv_buf_t *pieces)
{
    unsigned count = 0;
    size_t left = OUTBOX_WRITE_BYTES;
    while (count < PIECES_MAX && left > 0 && !is_end(r, &at)) {
        const char *base =
            at.held && at.buf == at.held->at ? at.held->bytes.p + at.within : r->buf.p + at.buf;
        size_t n = run_at(r, &at);
        if (n > left) n = left;
        /* libuv does not write to what it sends. */
        if (n) pieces[count++] = (uv_buf_t){.base = (char *)(uintptr_t)base, .len = n};
        left -= n;
        step(r, &at, n);
    }
    return count;
}

static size_t bytes_of(const uv_buf_t *pieces, unsigned count)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) bytes += pieces[i].len;
    return bytes;
}

/* One write of what comes next; `at` and `given` go on by what the socket took. 1 when that was all
 * of it, 0 when the socket is full, or a libuv error. */
static int write_some(struct stream *stream, const struct replies *r, struct outbox_place *at,
                      uint64_t *given)
{
    uv_buf_t pieces[PIECES_MAX];
    unsigned count = pieces_at(r, *at, pieces);
    size_t bytes = bytes_of(pieces, count);
    int sent = stream_write(stream, pieces, count);
    if (sent == UV_EAGAIN) sent = 0;
    if (sent < 0) return sent;
    advance(r, at, (size_t)sent);
    *given += (uint64_t)sent;
    return (size_t)sent == bytes;
}

static void take_off(struct outbox *out, struct replies *from)
{
    out->flying = *from;
    out->at = (struct outbox_place){.held = from->held.first};
    out->given = 0;
    replies_init(from);
}

/* All that was flying is gone, or will not leave. */
static void land(struct outbox *out)
{
    replies_fini(&out->flying, out->refs);
    out->given = 0;
    if (out->behind.buf.n) take_off(out, &out->behind);
}

/* The socket is full. */
static int leave(struct outbox *out, struct stream *stream)
{
    uv_buf_t pieces[PIECES_MAX];
    unsigned count = pieces_at(&out->flying, out->at, pieces);
    int64_t left = stream_leave(stream, pieces, count);
    if (left < 0) return (int)left;
    out->under_way = true;
    advance(&out->flying, &out->at, (size_t)left);
    out->given += (uint64_t)left;
    return 0;
}

/* Some of the replies did not leave: they are the connection's own from now on. */
static int keep(struct outbox *out, struct stream *stream, struct replies *shared,
                const struct outbox_place *at, uint64_t given, bool full)
{
    take_off(out, shared);
    out->at = *at;
    out->given = given;
    return full ? leave(out, stream) : 0;
}

int outbox_send(struct outbox *out, struct stream *stream, struct replies *shared)
{
    if (outbox_is_busy(out)) return 0;
    struct outbox_place at = {.held = shared->held.first};
    uint64_t given = 0;
    bool any = shared->buf.n > 0; /* a buffer that failed has no bytes, but something may be held */
    int took = any ? write_some(stream, shared, &at, &given) : 1;
    int error = took < 0 ? took : 0;
    if (any && !error && !is_end(shared, &at))
        error = keep(out, stream, shared, &at, given, took == 0);
    clear(shared, out->refs, OUTBOX_SHARED_KEPT_BYTES);
    return error;
}

int outbox_sent(struct outbox *out, struct stream *stream, struct replies *shared, int result)
{
    DASSERT(out->sending && !shared->held.first && !out->flying.buf.p);
    out->sending = false;
    struct outbox_place at = {.buf = result > 0 ? (size_t)result : 0};
    int error = result < 0 && result != UV_EAGAIN ? result : 0;
    if (!error && !is_end(shared, &at))
        error = keep(out, stream, shared, &at, at.buf, true);
    else if (!error && out->behind.buf.n)
        take_off(out, &out->behind);
    clear(shared, out->refs, OUTBOX_SHARED_KEPT_BYTES);
    return error;
}

void outbox_landed(struct outbox *out, bool ends)
{
    out->under_way = false;
    if (ends) replies_fini(&out->behind, out->refs);
    if (ends || is_end(&out->flying, &out->at)) land(out);
}

int outbox_resend(struct outbox *out, struct stream *stream)
{
    if (!outbox_rests(out)) return 0;
    int took = write_some(stream, &out->flying, &out->at, &out->given);
    if (took < 0) return took;
    if (is_end(&out->flying, &out->at))
        land(out);
    else if (!took)
        return leave(out, stream);
    return 0;
}

uint64_t outbox_bytes(const struct outbox *out, const struct stream *stream)
{
    if (!outbox_is_busy(out)) return 0;
    uint64_t left = out->under_way ? stream_left(stream) : 0;
    return replies_bytes(&out->flying) - out->given + left + replies_bytes(&out->behind);
}

int outbox_check(const struct outbox *out)
{
    if (!outbox_is_busy(out) && replies_bytes(&out->behind)) return 1;
    if (out->under_way && !out->flying.buf.p) return 2;
    if (out->sending && out->flying.buf.p) return 2;
    const struct replies *both[] = {&out->flying, &out->behind};
    for (int i = 0; i < 2; i++) {
        const struct reply_ref *last = both[i]->held.last;
        if (reply_refs_check(&both[i]->held) || (last && last->at > both[i]->buf.n)) return 3;
    }
    return 0;
}
