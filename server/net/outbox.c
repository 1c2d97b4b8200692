#include "net/outbox.h"

#include "base/panic.h"

enum { PIECES_MAX = 64 }; /* of one system call */

void outbox_init(struct outbox *out, struct replies_pool *pool)
{
    *out = (struct outbox){.pool = pool};
}

/* --- the place --- */

static const struct reply_ref *next_ref(const struct replies *r, const struct outbox_place *at)
{
    return at->done ? at->done->behind : r->refs.first;
}

/* How many bytes come next without a break: of the buffer, or of a value. */
static size_t run_at(const struct replies *r, const struct outbox_place *at)
{
    const struct reply_ref *next = next_ref(r, at);
    size_t end = next ? next->at : r->buf.n;
    if (at->buf < end) return end - at->buf;
    return next ? next->bytes.n - at->within : 0;
}

/* Goes on by n bytes, within the run. */
static void step(const struct replies *r, struct outbox_place *at, size_t n)
{
    const struct reply_ref *next = next_ref(r, at);
    size_t end = next ? next->at : r->buf.n;
    if (at->buf < end) {
        at->buf += n;
        return;
    }
    at->within += n;
    if (at->within < next->bytes.n) return;
    at->done = next;
    at->within = 0;
}

static bool is_end(const struct replies *r, const struct outbox_place *at)
{
    return at->buf == r->buf.n && !next_ref(r, at);
}

static void advance(const struct replies *r, struct outbox_place *at, size_t n)
{
    while (n) {
        size_t run = run_at(r, at), taken = run < n ? run : n;
        step(r, at, taken);
        n -= taken;
    }
}

/* What one write takes from there on: so many buffers, and `most` bytes, at most. */
static unsigned buffers_at(const struct replies *r, struct outbox_place at, size_t most,
                           uv_buf_t *buffers)
{
    unsigned count = 0;
    while (count < PIECES_MAX && most > 0 && !is_end(r, &at)) {
        const struct reply_ref *next = next_ref(r, &at);
        bool in_value = next && at.buf == next->at;
        const char *base = in_value ? next->bytes.p + at.within : r->buf.p + at.buf;
        size_t n = run_at(r, &at);
        if (n > most) n = most;
        /* Nobody writes to what is sent. */
        buffers[count++] = (uv_buf_t){.base = (char *)(uintptr_t)base, .len = n};
        most -= n;
        step(r, &at, n);
    }
    return count;
}

/* --- the pieces --- */

/* The first piece goes. */
static void drop_first(struct outbox *out)
{
    struct replies *first = out->first;
    if (first == out->last) {
        out->last = NULL;
    } else {
        out->bytes_before -= replies_bytes(first);
        out->memory_before -= replies_memory(first);
    }
    out->first = first->next;
    out->at = (struct outbox_place){0};
    out->sent = 0;
    replies_put_back(out->pool, first);
}

/* Pieces of which nothing is left, or that nobody wrote to, go. */
static void drop_sent(struct outbox *out)
{
    while (out->first && is_end(out->first, &out->at)) drop_first(out);
}

void outbox_fini(struct outbox *out)
{
    while (out->first) drop_first(out);
}

static struct replies *add_piece(struct outbox *out)
{
    struct replies *r = replies_take(out->pool);
    if (!r) return NULL;
    if (out->last) {
        out->bytes_before += replies_bytes(out->last);
        out->memory_before += replies_memory(out->last);
        out->last->next = r;
    } else {
        out->first = r;
    }
    out->last = r;
    return r;
}

/* The piece that grows now. */
static struct replies *target(struct outbox *out)
{
    struct replies *last = out->last;
    bool taken = out->writing && last == out->first; /* the kernel reads from it */
    if (last && !taken && !last->buf.failed && replies_bytes(last) < OUTBOX_PIECE_BYTES)
        return last;
    return add_piece(out);
}

struct replies *outbox_open(struct outbox *out)
{
    DASSERT(!out->open);
    out->open = target(out);
    return out->open;
}

void outbox_shut(struct outbox *out)
{
    out->open = NULL;
    drop_sent(out);
}

struct proto_buf *outbox_push(struct outbox *out)
{
    struct replies *r = out->open ? out->open : target(out);
    return r ? &r->buf : NULL;
}

/* --- sending --- */

/* A write has ended. */
static int took(struct outbox *out, struct stream *stream, int result)
{
    uint64_t n = result > 0 ? (uint64_t)result : 0;
    if (result < 0 && result != UV_EAGAIN) return result;
    DASSERT(n <= out->asked);
    advance(out->first, &out->at, n);
    out->sent += n;
    drop_sent(out);
    if (n < out->asked) {
        out->awaits_socket = true;
        stream_await_writable(stream);
    }
    return 0;
}

int outbox_send(struct outbox *out, struct stream *stream)
{
    DASSERT(!out->open);
    uint64_t left = OUTBOX_WRITE_BYTES;
    int error = 0;
    while (left && !error && outbox_can_send(out)) {
        uv_buf_t buffers[PIECES_MAX];
        unsigned count = buffers_at(out->first, out->at, left, buffers);
        out->asked = 0;
        for (unsigned i = 0; i < count; i++) out->asked += buffers[i].len;
        left -= out->asked;
        int result = stream_write(stream, buffers, count, &out->writing);
        if (!out->writing) error = took(out, stream, result);
    }
    return error;
}

int outbox_written(struct outbox *out, struct stream *stream, int result)
{
    out->writing = false;
    return took(out, stream, result);
}

int outbox_check(const struct outbox *out)
{
    uint64_t bytes = 0, memory = 0;
    for (const struct replies *r = out->first; r; r = r->next) {
        if (reply_refs_check(&r->refs)) return 1;
        if (r->refs.last && r->refs.last->at > r->buf.n) return 1;
        if (r == out->last) break;
        bytes += replies_bytes(r);
        memory += replies_memory(r);
    }
    if (bytes != out->bytes_before || memory != out->memory_before) return 1;
    if (out->first ? out->at.buf > out->first->buf.n : out->sent > 0) return 2;
    if (out->first && out->sent > replies_bytes(out->first)) return 2;
    if ((out->writing || out->awaits_socket) && !outbox_bytes(out)) return 3;
    return 0;
}
