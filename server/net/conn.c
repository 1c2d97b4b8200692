#include "net/conn.h"

#include <inttypes.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/panic.h"
#include "net/accept.h"
#include "net/requests.h"

static_assert(offsetof(struct conn, session) == 0, "conn_of is a cast");

static struct conn *conn_with(struct stream *s)
{
    return (struct conn *)((char *)s - offsetof(struct conn, stream));
}

/* --- the end --- */

static void free_conn(struct conn *c)
{
    c->loop->open--;
    mem_free(&c->loop->engine->mem, c, sizeof *c);
}

static void on_closed(struct stream *s)
{
    struct conn *c = conn_with(s);
    struct loop *loop = c->loop;
    inbox_fini(&c->in, &loop->engine->mem);
    bulks_fini(&c->bulks, &loop->engine->mem);
    outbox_fini(&c->out);
    request_reader_fini(&c->reader);
    free_conn(c);
    if (loop->draining) loop_keep_going(loop); /* the daemon looks whether it was the last one */
}

static void end_session(struct conn *c)
{
    if (!c->session_open) return;
    c->session_open = false;
    session_close(&c->loop->engine->sessions, &c->session);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSING) return;
    c->state = CONN_CLOSING;
    loop_move(c->loop, &c->node, LOOP_NOWHERE);
    loop_remove_output(c->loop, &c->output);
    end_session(c);
    stream_close(&c->stream);
}

static void log_closing(const struct conn *c, const char *why, uint64_t bytes)
{
    log_line(LOG_WARNING, "client id=%" PRIu64 " addr=%s closed: %s (%" PRIu64 " bytes)",
             c->session.id, c->session.address, why, bytes);
}

static void close_for(struct conn *c, const char *why, uint64_t bytes)
{
    log_closing(c, why, bytes);
    conn_close(c);
}

void conn_evict(struct conn *c)
{
    close_for(c, "its buffers take most, and all clients more than maxmemory-clients allows",
              c->session.memory.total);
}

/* --- what comes next --- */

/* No request of this connection will be run any more. */
static bool has_finished(const struct conn *c)
{
    if (c->session.close_after_reply) return true;
    return c->ended && !session_waits(&c->session) && (c->unfinished || !inbox_bytes(&c->in));
}

/* Everything is written. */
static void end(struct conn *c)
{
    if (c->ended || c->loop->draining || stream_shut(&c->stream, SHUT_WR) != 0) {
        conn_close(c);
        return;
    }
    end_session(c);
    c->state = CONN_LINGERING;
    c->linger_until_ns = c->loop->engine->mono_ns + CONN_LINGER_NS;
    loop_move(c->loop, &c->node, LOOP_LINGERING);
    stream_read(&c->stream, true);
}

/* After anything happened: the one place that decides whether to end, to wait, to go on in the next
 * turn, or to read. */
static void settle(struct conn *c)
{
    if (c->state == CONN_OPEN && has_finished(c)) c->state = CONN_FINISHING;
    if (c->state == CONN_FINISHING) {
        loop_move(c->loop, &c->node, LOOP_NOWHERE);
        stream_read(&c->stream, false);
        if (!outbox_bytes(&c->out)) end(c);
        return;
    }
    bool waits = session_waits(&c->session);
    bool left = inbox_bytes(&c->in) && !c->unfinished;
    bool sated = c->quota.turn == c->loop->turn && c->quota.bytes >= QUOTA_BYTES;
    bool ready = !waits && (left || sated);
    enum loop_queue queue = ready ? LOOP_READY : LOOP_NOWHERE;
    c->session.input_bytes = inbox_bytes(&c->in) + c->bulks.bytes;
    conn_count_memory(c);
    if (queue != c->node.queue) loop_move(c->loop, &c->node, queue);
    stream_read(&c->stream, !waits && !ready && !c->ended);
}

/* Requests have run. */
static void settle_after(struct conn *c, struct conn_fault fault)
{
    if (!fault.why) {
        settle(c);
    } else if (!fault.finishes) {
        close_for(c, fault.why, fault.bytes);
    } else {
        log_closing(c, fault.why, fault.bytes);
        c->state = CONN_FINISHING;
        settle(c);
    }
}

void conn_continue(struct conn *c)
{
    requests_begin_quota(c);
    struct view bytes = inbox_view(&c->in);
    if (c->unfinished || !bytes.n)
        settle(c);
    else
        settle_after(c, requests_run(c, bytes, true));
}

void conn_resume(struct conn *c)
{
    struct conn_fault fault;
    if (requests_resume(c, &fault))
        conn_continue(c);
    else if (fault.why)
        close_for(c, fault.why, fault.bytes);
}

void conn_before_drain(struct conn *c)
{
    c->drain_bytes = stream_unread(&c->stream);
    if (!c->drain_bytes) c->ended = true;
}

void conn_drain(struct conn *c)
{
    settle(c);
}

/* --- output --- */

/* Whether so many unread bytes are too many, or were for too long. */
static bool is_over_limit(struct conn *c, uint64_t waits)
{
    const struct engine *s = c->loop->engine;
    const struct output_limit *limit = &s->config.output_limits[c->session.class];
    if (limit->hard_bytes && waits >= limit->hard_bytes) return true;
    bool over = limit->soft_bytes && waits >= limit->soft_bytes;
    if (over && !c->soft_since_ns) c->soft_since_ns = s->mono_ns;
    if (!over) c->soft_since_ns = 0;
    return over && s->mono_ns - c->soft_since_ns > (int64_t)limit->soft_s * 1000000000;
}

/* Something was sent, or could not be. */
static void after_send(struct conn *c, int error)
{
    if (error) {
        conn_close(c);
        return;
    }
    uint64_t waits = outbox_bytes(&c->out);
    if (c->out.writing) waits -= c->out.asked; /* the socket may take it yet */
    c->session.output_bytes = waits;
    conn_count_memory(c);
    if (is_over_limit(c, waits)) {
        close_for(c, "more replies wait for it than client-output-buffer-limit allows", waits);
        return;
    }
    if (outbox_can_send(&c->out)) loop_add_output(c->loop, &c->output);
    /* A write that is put off is told of only after the loop has waited. */
    bool behind = c->out.first != c->out.last || c->state == CONN_FINISHING;
    if (c->out.writing && behind) stream_hurry(&c->loop->place);
    if (c->state == CONN_FINISHING) settle(c);
}

void conn_tick(struct conn *c)
{
    if (c->state == CONN_LINGERING) {
        if (c->loop->engine->mono_ns >= c->linger_until_ns) conn_close(c);
    } else if (c->soft_since_ns) {
        after_send(c, 0);
    }
}

void conn_send(struct conn *c)
{
    after_send(c, outbox_can_send(&c->out) ? outbox_send(&c->out, &c->stream) : 0);
}

static void on_written(struct stream *s, int result)
{
    struct conn *c = conn_with(s);
    after_send(c, outbox_written(&c->out, s, result));
}

static void on_writable(struct stream *s, int status)
{
    struct conn *c = conn_with(s);
    loop_turn(c->loop);
    outbox_writable(&c->out);
    if (status < 0) {
        conn_close(c);
        return;
    }
    c->session.active_ns = c->loop->engine->mono_ns;
    loop_add_output(c->loop, &c->output);
}

struct proto_buf *conn_push(struct session *to)
{
    struct conn *c = conn_of(to);
    if (c->state != CONN_OPEN) return NULL;
    struct proto_buf *buf = outbox_push(&c->out);
    if (buf) loop_add_output(c->loop, &c->output);
    return buf;
}

/* --- input --- */

static enum status on_space(struct stream *s, struct stream_space *space)
{
    struct conn *c = conn_with(s);
    c->in_bulk = c->state == CONN_OPEN && c->bulks.filling;
    if (!c->in_bulk) {
        space->n = bulks_probe(&c->bulks);
        return STATUS_OK;
    }
    enum status status = bulks_space(&c->bulks, &c->loop->engine->mem, space);
    conn_count_memory(c); /* its block may have grown */
    return status;
}

/* A large bulk has got n bytes. Once it is whole, those that came behind it are joined with what
 * has waited. False when there is nothing to run yet, or the connection was closed. */
static bool fill_bulk(struct conn *c, size_t n, struct view *bytes, bool *inside)
{
    struct view behind;
    if (!bulks_filled(&c->bulks, n, &behind)) {
        settle(c);
        return false;
    }
    struct mem *m = &c->loop->engine->mem;
    if (request_reader_put_apart(&c->reader, bulks_last(&c->bulks)) != REQUEST_READY ||
        inbox_append(&c->in, m, behind) != STATUS_OK) {
        close_for(c, "no memory for its input", c->bulks.bytes);
        return false;
    }
    *bytes = inbox_view(&c->in);
    *inside = true;
    return true;
}

static void on_bytes(struct conn *c, char *p, size_t n)
{
    struct loop *loop = c->loop;
    requests_begin_quota(c);
    pace_arrived(&loop->pace, &c->pace);
    c->quota.bytes += c->stream.full && !c->in_bulk ? QUOTA_BYTES : n;
    loop->engine->stats.net_input_bytes += n;
    c->session.active_ns = loop->engine->mono_ns;
    if (loop->draining) {
        c->ended = n >= c->drain_bytes;
        c->drain_bytes -= c->ended ? c->drain_bytes : n;
    }
    struct view bytes;
    bool inside;
    DASSERT(c->in_bulk == c->bulks.filling);
    if (c->in_bulk) {
        if (!fill_bulk(c, n, &bytes, &inside)) return;
    } else if (inbox_join(&c->in, &loop->engine->mem, p, n, &bytes, &inside) != STATUS_OK) {
        close_for(c, "no memory for its input", inbox_bytes(&c->in) + n);
        return;
    }
    c->unfinished = false;
    settle_after(c, requests_run(c, bytes, inside));
}

static void on_received(struct stream *s, char *p, ssize_t n)
{
    struct conn *c = conn_with(s);
    loop_turn(c->loop);
    if (c->state == CONN_FINISHING) { /* of a read that was under way */
        c->ended |= n < 0;
    } else if (n > 0) {
        if (c->state == CONN_OPEN) on_bytes(c, p, (size_t)n);
        if (c->node.queue != LOOP_READY) c->loop->others = true;
    } else if (n == UV_EOF && c->state == CONN_OPEN) {
        c->ended = true;
        settle(c);
    } else {
        if (n == UV_ENOBUFS)
            log_closing(c, "no memory for its input", inbox_bytes(&c->in) + c->bulks.bytes);
        conn_close(c);
    }
}

/* --- the beginning --- */

static const struct stream_user CONN_USER = {.space = on_space,
                                             .received = on_received,
                                             .written = on_written,
                                             .writable = on_writable,
                                             .closed = on_closed};

struct conn *conn_new(struct loop *loop)
{
    struct engine *s = loop->engine;
    struct conn *c = mem_alloc(&s->mem, sizeof *c);
    if (!c) return NULL;
    *c = (struct conn){.loop = loop, .state = CONN_OPEN};
    inbox_init(&c->in);
    bulks_init(&c->bulks);
    outbox_init(&c->out, &loop->replies);
    struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    limits.bulk_bytes_max = s->config.proto_max_bulk_len;
    request_reader_init(&c->reader, &limits);
    loop->open++;
    return c;
}

void conn_discard(struct conn *c)
{
    free_conn(c);
}

void conn_begin(struct conn *c, int fd)
{
    struct engine *s = c->loop->engine;
    stream_open(&c->stream, &CONN_USER, &c->loop->place, fd);
    if (session_open(&s->sessions, &c->session, s->mono_ns)) {
        conn_close(c);
        return;
    }
    c->session_open = true;
    s->stats.connections++;
    accept_introduce(fd, &c->session, s->config.tcp_keepalive);
    stream_read(&c->stream, true);
}

int conn_check(const struct conn *c)
{
    bool open = c->state == CONN_OPEN || c->state == CONN_FINISHING;
    if (c->session_open != open) return 1;
    bool left = c->state == CONN_OPEN && inbox_bytes(&c->in) && !c->unfinished;
    if (c->stream.reading && left) return 2;
    if (c->session_open && wait_check(&c->session.wait)) return 3;
    if (c->out.open) return 4;
    struct session_memory m = conn_memory(c);
    bool counted = memcmp(&m, &c->session.memory, sizeof m) == 0;
    if (c->state == CONN_OPEN && !c->output.listed && !counted) return 5;
    if (outbox_can_send(&c->out) && outbox_bytes(&c->out) && !c->output.listed) return 4;
    return 0;
}
