#include "net/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/panic.h"
#include "net/arrival.h"

static_assert(sizeof(struct view) == sizeof(struct proto_view) &&
                  offsetof(struct view, p) == offsetof(struct proto_view, p) &&
                  offsetof(struct view, n) == offsetof(struct proto_view, n),
              "the arguments of a request are passed on as they were read");
static_assert(offsetof(struct conn, session) == 0, "conn_of is a cast");

static struct conn *conn_with(struct stream *s)
{
    return (struct conn *)((char *)s - offsetof(struct conn, stream));
}

/* --- the end --- */

static void on_closed(struct stream *s)
{
    struct conn *c = conn_with(s);
    struct net *net = c->net;
    inbox_fini(&c->in, &net->engine->mem);
    bulks_fini(&c->bulks, &net->engine->mem);
    outbox_fini(&c->out);
    request_reader_fini(&c->reader);
    mem_free(&net->engine->mem, c, sizeof *c);
    net->open--;
    if (net->draining) net_keep_going(net); /* the daemon looks whether it was the last one */
}

static void end_session(struct conn *c)
{
    if (!c->session_open) return;
    c->session_open = false;
    session_close(&c->net->engine->sessions, &c->session);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSING) return;
    c->state = CONN_CLOSING;
    net_move(c->net, &c->seat, NET_NOWHERE);
    end_session(c);
    stream_close(&c->stream);
}

static void log_closing(const struct conn *c, const char *why, uint64_t bytes)
{
    log_line(LOG_WARNING, "client id=%" PRIu64 " addr=%s closed: %s (%" PRIu64 " bytes)",
             c->session.id, c->session.address, why, bytes);
}

/* --- what comes next --- */

/* Keeps the accounts of what waits for the reader. False when that closed the connection. */
static bool account_output(struct conn *c)
{
    uint64_t waits = outbox_bytes(&c->out, &c->stream);
    c->session.output_bytes = waits;
    if (waits > c->net->engine->config.output_buffer_limit) {
        log_closing(c, "more replies wait for it than output-buffer-limit allows", waits);
        conn_close(c);
        return false;
    }
    c->slow = waits > (c->slow ? CONN_LOW_BYTES : CONN_HIGH_BYTES);
    return true;
}

/* Sends what can be sent; `later`: with the replies of others, if that may be. False when that
 * closed the connection. */
static bool send_replies(struct conn *c, bool later)
{
    struct sends *sends = &c->net->sends;
    struct replies *out = outbox_target(&c->out, sends_at_hand(sends));
    if (out->buf.failed && c->state == CONN_OPEN) {
        log_closing(c, "no memory for its replies", replies_bytes(out));
        c->state = CONN_FINISHING;
    }
    if (later && !outbox_is_busy(&c->out) && sends_later(sends, &c->stream)) {
        outbox_send_later(&c->out);
    } else if (outbox_send(&c->out, &c->stream, sends_at_hand(sends)) != 0) {
        conn_close(c);
        return false;
    }
    return account_output(c);
}

static bool may_run(const struct conn *c)
{
    return c->state == CONN_OPEN && !session_waits(&c->session) && !c->session.close_after_reply &&
           !c->session.kill && !c->slow;
}

static bool share_left(const struct conn *c)
{
    return c->share.commands < CONN_SHARE_COMMANDS &&
           c->net->engine->mono_ns - c->share.began_ns < CONN_SHARE_NS;
}

/* No request of this connection will be run any more. */
static bool has_finished(const struct conn *c)
{
    if (c->session.close_after_reply) return true;
    return c->ended && !session_waits(&c->session) && (c->hungry || !inbox_bytes(&c->in));
}

/* Everything is written. */
static void end(struct conn *c)
{
    if (c->ended || c->net->draining || stream_shut(&c->stream) != 0) {
        conn_close(c);
        return;
    }
    end_session(c);
    c->state = CONN_LINGERING;
    c->linger_until_ns = c->net->engine->mono_ns + NET_LINGER_NS;
    net_move(c->net, &c->seat, NET_LINGERING);
    stream_read(&c->stream, true);
}

/* After anything happened: the one place that decides whether to end, to wait, to go on in the next
 * turn, or to read. */
static void settle(struct conn *c)
{
    if (c->state == CONN_OPEN && has_finished(c)) c->state = CONN_FINISHING;
    if (c->state == CONN_FINISHING) {
        net_move(c->net, &c->seat, outbox_rests(&c->out) ? NET_READY : NET_NOWHERE);
        stream_read(&c->stream, false);
        if (!outbox_is_busy(&c->out)) end(c);
        if (c->out.sending) ring_hurry(c->net->ring);
        return;
    }
    if (c->out.sending && c->out.behind.buf.n) ring_hurry(c->net->ring);
    bool waits = session_waits(&c->session), can = !waits && !c->slow;
    bool left = inbox_bytes(&c->in) && !c->hungry;
    bool sated = c->share.turn == c->net->turn && c->share.bytes >= CONN_SHARE_BYTES;
    while (waits && outbox_rests(&c->out)) {
        if (outbox_resend(&c->out, &c->stream) == 0) continue;
        conn_close(c);
        return;
    }
    bool ready = (can && (left || sated)) || outbox_rests(&c->out);
    enum net_place place = ready ? NET_READY : NET_NOWHERE;
    c->session.input_bytes = inbox_bytes(&c->in) + c->bulks.bytes;
    if (place != c->seat.place) net_move(c->net, &c->seat, place);
    stream_read(&c->stream, can && place == NET_NOWHERE && !c->ended);
}

/* --- requests --- */

/* The reader cannot go on: bytes are missing, or the request is broken. */
static void stop(struct conn *c, enum request_status why, struct proto_buf *out)
{
    c->hungry = true;
    if (why == REQUEST_MORE) return;
    char text[REQUEST_ERROR_BYTES + 8];
    const char *error = why == REQUEST_OOM ? "OOM no memory for the request" : text;
    if (why == REQUEST_BROKEN) snprintf(text, sizeof text, "ERR %s", c->reader.error);
    proto_put_error(out, error, strlen(error));
    c->state = CONN_FINISHING;
}

/* Whether another request may run now; `before`: bytes of replies that were there before these. */
static bool may_go_on(const struct conn *c, const struct replies *out, uint64_t before)
{
    return replies_bytes(out) - before < CONN_SEND_BYTES && !out->buf.failed && may_run(c) &&
           share_left(c);
}

static void run_one(struct conn *c, const struct request *request, struct replies *out)
{
    c->share.commands++;
    if (request->argc)
        net_run(c->net, &c->session, request, (struct reply_to){&out->buf, &out->held});
}

/* The same, with the arguments that lie apart. */
static void run_large(struct conn *c, struct request *request, struct replies *out)
{
    struct engine *s = c->net->engine;
    request->adopted = bulks_give(&c->bulks, &s->heap);
    run_one(c, request, out);
    bulks_given(&c->bulks, &s->heap);
    bulks_fini(&c->bulks, &s->mem);
    c->bulks.probes = true;
}

/* Runs the plain requests at the front, several of which are looked at before the first runs.
 * Those that may not run any more stay in the input, and are read again. Returns the bytes that
 * were used. */
static size_t run_batch(struct conn *c, struct view bytes, struct replies *out, uint64_t before)
{
    struct request_batch *batch = &c->net->batch;
    struct request *requests = c->net->requests;
    size_t at = 0;
    uint32_t most = (uint32_t)(CONN_SHARE_COMMANDS - c->share.commands);
    request_batch_read(batch, &c->reader.limits, most, bytes.p, bytes.n);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct batch_request *r = &batch->requests[i];
        requests[i] = (struct request){.argv = (const struct view *)r->argv, .argc = r->argc};
    }
    if (batch->count > 1) prefetch_requests(c->net->engine, requests, batch->count);
    for (uint32_t i = 0; i < batch->count && may_go_on(c, out, before); i++) {
        at += batch->requests[i].bytes;
        run_one(c, &requests[i], out);
    }
    return at;
}

/* Runs requests until the bytes, the share or what may be sent at once is used up; returns the
 * bytes that were used. */
static size_t run_requests(struct conn *c, struct view bytes)
{
    struct request_reader *r = &c->reader;
    struct replies *out = outbox_target(&c->out, sends_at_hand(&c->net->sends));
    size_t at = 0;
    uint64_t before = replies_bytes(out);
    while (at < bytes.n && may_go_on(c, out, before)) {
        struct view rest = {bytes.p + at, bytes.n - at};
        size_t used = request_reader_begins(r) ? run_batch(c, rest, out, before) : 0;
        at += used;
        if (used) {
            c->bulks.probes = false;
            continue;
        }
        enum request_status status = request_reader_next(r, rest.p, rest.n);
        if (status != REQUEST_READY) {
            stop(c, status, &out->buf);
            break;
        }
        at += r->bytes;
        struct request request = {.argv = (const struct view *)r->argv, .argc = r->argc};
        if (c->bulks.first)
            run_large(c, &request, out);
        else
            run_one(c, &request, out);
    }
    c->net->engine->stats.net_output_bytes += replies_bytes(out) - before;
    return at;
}

/* The same, sending in between, until the share is used up. */
static size_t run_share(struct conn *c, struct view bytes)
{
    size_t at = 0;
    bool more;
    do {
        at += run_requests(c, (struct view){bytes.p + at, bytes.n - at});
        more = at < bytes.n && !c->hungry && may_run(c) && share_left(c);
    } while (send_replies(c, !more) && more && may_run(c));
    return at;
}

static void begin_share(struct conn *c)
{
    const struct config *config = &c->net->engine->config;
    c->net->busy = true;
    if (c->share.turn != c->net->turn) {
        c->share.turn = c->net->turn;
        c->share.bytes = c->share.commands = 0;
        c->share.began_ns = c->net->engine->mono_ns;
    }
    if (c->reader.limits.bulk_bytes_max != config->proto_max_bulk_len) {
        struct request_limits limits = REQUEST_LIMITS_DEFAULT;
        limits.bulk_bytes_max = config->proto_max_bulk_len;
        request_reader_limit(&c->reader, &limits);
    }
}

static void no_memory_for_input(struct conn *c, uint64_t bytes)
{
    log_closing(c, "no memory for its input", bytes);
    conn_close(c);
}

/* What was not run stays: in the inbox, where it may lie already, or a large bulk's bytes apart.
 * False when that closed the connection. */
static bool keep_rest(struct conn *c, struct view bytes, size_t used, bool in_inbox)
{
    struct mem *m = &c->net->engine->mem;
    struct view rest = {bytes.p + used, bytes.n - used};
    char *p = (char *)(uintptr_t)rest.p; /* the inbox's, or a loan's */
    enum status status = STATUS_OK;
    if (c->hungry) status = bulks_begin(&c->bulks, m, &c->reader, p, &rest.n);
    if (!status && !in_inbox && (rest.n || inbox_bytes(&c->in)))
        status = inbox_replace(&c->in, m, rest);
    if (status) {
        no_memory_for_input(c, rest.n);
        return false;
    }
    if (in_inbox) inbox_skip(&c->in, m, used);
    if (in_inbox && rest.n) inbox_cut(&c->in, rest.n);
    uint64_t most = c->net->engine->config.proto_max_bulk_len + CONN_REQUEST_BYTES_MORE;
    uint64_t waits = rest.n + c->bulks.bytes;
    if (c->hungry && waits > most) {
        log_closing(c, "its request is too long", waits);
        conn_close(c);
        return false;
    }
    if (rest.n == 0) request_reader_trim(&c->reader);
    return true;
}

void conn_continue(struct conn *c)
{
    begin_share(c);
    if (outbox_resend(&c->out, &c->stream) != 0) {
        conn_close(c);
        return;
    }
    bool runs = !c->hungry;
    struct view bytes = runs ? inbox_view(&c->in) : (struct view){0};
    size_t used = run_share(c, bytes);
    if (c->state != CONN_CLOSING && (!runs || keep_rest(c, bytes, used, true))) settle(c);
}

void conn_resume(struct conn *c)
{
    struct replies *out = outbox_target(&c->out, sends_at_hand(&c->net->sends));
    struct reply_to to = {&out->buf, &out->held};
    uint64_t before = replies_bytes(out);
    if (!dispatch_resume(c->net->engine, &c->session, to)) return;
    c->net->engine->stats.net_output_bytes += replies_bytes(out) - before;
    conn_continue(c);
}

void conn_before_drain(struct conn *c)
{
    int waiting = 0;
    if (ioctl(c->session.fd, FIONREAD, &waiting) != 0 || waiting <= 0)
        c->ended = true;
    else
        c->drain_bytes = (uint64_t)waiting;
}

void conn_drain(struct conn *c)
{
    settle(c);
}

/* --- events --- */

static void on_wrote(struct stream *s, int status)
{
    struct conn *c = conn_with(s);
    outbox_landed(&c->out, status < 0);
    net_turn(c->net);
    if (status < 0) {
        conn_close(c);
        return;
    }
    c->session.active_ns = c->net->engine->mono_ns;
    conn_continue(c);
}

static void on_sent(struct stream *s, struct replies *shared, int result)
{
    struct conn *c = conn_with(s);
    if (outbox_sent(&c->out, s, shared, result) != 0)
        conn_close(c);
    else if ((outbox_is_busy(&c->out) || c->state == CONN_FINISHING) && account_output(c))
        settle(c);
}

static enum status on_room(struct stream *s, struct stream_room *room)
{
    struct conn *c = conn_with(s);
    c->in_bulk = c->state == CONN_OPEN && c->bulks.filling;
    if (c->in_bulk) return bulks_room(&c->bulks, &c->net->engine->mem, room);
    room->n = bulks_probe(&c->bulks);
    return STATUS_OK;
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
    struct mem *m = &c->net->engine->mem;
    if (request_reader_put_apart(&c->reader, bulks_last(&c->bulks)) != REQUEST_READY ||
        inbox_append(&c->in, m, behind) != STATUS_OK) {
        no_memory_for_input(c, c->bulks.bytes);
        return false;
    }
    *bytes = inbox_view(&c->in);
    *inside = true;
    return true;
}

static void on_bytes(struct conn *c, char *p, size_t n)
{
    struct net *net = c->net;
    begin_share(c);
    pace_arrived(&net->pace, &c->pace);
    c->share.bytes += c->stream.full && !c->in_bulk ? CONN_SHARE_BYTES : n;
    net->engine->stats.net_input_bytes += n;
    c->session.active_ns = net->engine->mono_ns;
    if (net->draining) {
        c->ended = n >= c->drain_bytes;
        c->drain_bytes -= c->ended ? c->drain_bytes : n;
    }
    struct view bytes;
    bool inside;
    DASSERT(c->in_bulk == c->bulks.filling);
    if (c->in_bulk) {
        if (!fill_bulk(c, n, &bytes, &inside)) return;
    } else if (inbox_join(&c->in, &net->engine->mem, p, n, &bytes, &inside) != STATUS_OK) {
        no_memory_for_input(c, inbox_bytes(&c->in) + n);
        return;
    }
    c->hungry = false;
    size_t used = run_share(c, bytes);
    if (c->state != CONN_CLOSING && keep_rest(c, bytes, used, inside)) settle(c);
}

static void on_got(struct stream *s, char *p, ssize_t n)
{
    struct conn *c = conn_with(s);
    net_turn(c->net);
    if (c->state == CONN_FINISHING) { /* of a read that was under way */
        c->ended |= n < 0;
    } else if (n > 0) {
        if (c->state == CONN_OPEN) on_bytes(c, p, (size_t)n);
        if (c->seat.place != NET_READY) c->net->others = true;
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

static const struct stream_user CONN_USER = {
    .room = on_room, .got = on_got, .wrote = on_wrote, .sent = on_sent, .closed = on_closed};

static void init(struct conn *c, struct net *net)
{
    struct engine *s = net->engine;
    *c = (struct conn){.net = net, .state = CONN_OPEN};
    inbox_init(&c->in);
    bulks_init(&c->bulks);
    outbox_init(&c->out, &s->held);
    struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    limits.bulk_bytes_max = s->config.proto_max_bulk_len;
    request_reader_init(&c->reader, &limits);
}

/* A connection that was let in. */
static void begin(struct conn *c, int fd)
{
    struct engine *s = c->net->engine;
    c->net->open++;
    if (stream_open(&c->stream, &CONN_USER, &c->net->place, fd) != 0) {
        close(fd);
        conn_close(c);
        return;
    }
    if (session_open(&s->sessions, &c->session, s->mono_ns)) {
        conn_close(c);
        return;
    }
    c->session_open = true;
    s->stats.connections++;
    arrival_introduce(c->net, fd, &c->session);
    stream_read(&c->stream, true);
}

bool conn_accept(struct net *net, uv_stream_t *listening)
{
    struct conn *c = mem_alloc(&net->engine->mem, sizeof *c);
    int fd;
    if (!c || !arrival_take(net, listening, &fd)) {
        mem_free(&net->engine->mem, c, sizeof *c);
        return false;
    }
    init(c, net);
    net_turn(net);
    if (fd >= 0)
        begin(c, fd);
    else
        mem_free(&net->engine->mem, c, sizeof *c);
    return true;
}

int conn_check(const struct conn *c)
{
    bool open = c->state == CONN_OPEN || c->state == CONN_FINISHING;
    if (c->session_open != open) return 1;
    bool left = c->state == CONN_OPEN && inbox_bytes(&c->in) && !c->hungry;
    if (c->stream.reading && left) return 2;
    if (c->session_open && wait_check(&c->session.wait)) return 3;
    return 0;
}
