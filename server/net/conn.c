#include "net/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/panic.h"
#include "net/arrival.h"

static_assert(sizeof(struct view) == sizeof(struct proto_view) &&
                  offsetof(struct view, p) == offsetof(struct proto_view, p) &&
                  offsetof(struct view, n) == offsetof(struct proto_view, n),
              "the arguments of a request are passed on as they were read");
static_assert(offsetof(struct conn, session) == 0, "conn_of is a cast");

static uv_stream_t *stream_of(struct conn *c)
{
    return (uv_stream_t *)&c->tcp;
}

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    struct net *net = c->net;
    inbox_fini(&c->in, &net->server->mem);
    bulks_fini(&c->bulks, &net->server->mem);
    outbox_fini(&c->out);
    request_reader_fini(&c->reader);
    mem_free(&net->server->mem, c, sizeof *c);
    net->open--;
    if (net->draining) net_keep_going(net); /* the daemon looks whether it was the last one */
}

static void end_session(struct conn *c)
{
    if (!c->session_open) return;
    c->session_open = false;
    session_close(&c->net->server->sessions, &c->session);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSING) return;
    c->state = CONN_CLOSING;
    c->reading = false;
    net_move(c->net, &c->seat, NET_NOWHERE);
    end_session(c);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void log_closing(const struct conn *c, const char *why, uint64_t bytes)
{
    log_line(LOG_WARNING, "client id=%" PRIu64 " addr=%s closed: %s (%" PRIu64 " bytes)",
             c->session.id, c->session.address, why, bytes);
}

/* --- what comes next --- */

static void on_written(uv_write_t *request, int status);
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void read_on(struct conn *c, bool on)
{
    if (on == c->reading) return;
    c->reading = on;
    if (!on)
        uv_read_stop(stream_of(c));
    else if (uv_read_start(stream_of(c), on_alloc, on_read) != 0)
        conn_close(c);
}

/* Sends what can be sent, and keeps the accounts. False when that closed the connection. */
static bool send_replies(struct conn *c)
{
    struct replies *out = outbox_target(&c->out, &c->net->shared_out);
    if (out->buf.failed && c->state == CONN_OPEN) {
        log_closing(c, "no memory for its replies", replies_bytes(out));
        c->state = CONN_FINISHING;
    }
    if (outbox_send(&c->out, stream_of(c), &c->net->shared_out, on_written) != 0) {
        conn_close(c);
        return false;
    }
    uint64_t waits = outbox_bytes(&c->out);
    session_set_output(&c->session, waits);
    if (waits > c->net->server->config.output_buffer_limit) {
        log_closing(c, "more replies wait for it than output-buffer-limit allows", waits);
        conn_close(c);
        return false;
    }
    c->slow = waits > (c->slow ? CONN_LOW_BYTES : CONN_HIGH_BYTES);
    return true;
}

static bool may_run(const struct conn *c)
{
    return c->state == CONN_OPEN && c->session.wait == SESSION_RUNS &&
           !c->session.close_after_reply && !c->session.kill && !c->slow;
}

static bool share_left(const struct conn *c)
{
    return c->share.commands < CONN_SHARE_COMMANDS &&
           c->net->server->mono_ns - c->share.began_ns < CONN_SHARE_NS;
}

/* No request of this connection will be run any more. */
static bool has_finished(const struct conn *c)
{
    if (c->session.close_after_reply) return true;
    return c->ended && c->session.wait == SESSION_RUNS && (c->hungry || !inbox_bytes(&c->in));
}

/* Everything is written. */
static void end(struct conn *c)
{
    if (c->ended || c->net->draining || uv_shutdown(&c->shutdown, stream_of(c), NULL) != 0) {
        conn_close(c);
        return;
    }
    end_session(c);
    c->state = CONN_LINGERING;
    c->linger_until_ns = c->net->server->mono_ns + NET_LINGER_NS;
    net_move(c->net, &c->seat, NET_LINGERING);
    read_on(c, true);
}

/* After anything happened: the one place that decides whether to end, to wait, to go on in the next
 * turn, or to read. */
static void settle(struct conn *c)
{
    if (c->state == CONN_OPEN && has_finished(c)) c->state = CONN_FINISHING;
    if (c->state == CONN_FINISHING) {
        net_move(c->net, &c->seat, outbox_rests(&c->out) ? NET_READY : NET_NOWHERE);
        read_on(c, false);
        if (!outbox_is_busy(&c->out)) end(c);
        return;
    }
    bool waits = c->session.wait != SESSION_RUNS, can = !waits && !c->slow;
    bool left = inbox_bytes(&c->in) && !c->hungry;
    bool sated = c->share.turn == c->net->turn && c->share.bytes >= CONN_SHARE_BYTES;
    while (waits && outbox_rests(&c->out)) {
        if (outbox_resend(&c->out, stream_of(c), on_written) == 0) continue;
        conn_close(c);
        return;
    }
    bool ready = (can && (left || sated)) || outbox_rests(&c->out);
    enum net_place place = waits ? NET_WAITING : ready ? NET_READY : NET_NOWHERE;
    session_set_input(&c->session, inbox_bytes(&c->in) + c->bulks.bytes);
    if (place != c->seat.place) net_move(c->net, &c->seat, place);
    read_on(c, can && place == NET_NOWHERE && !c->ended);
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

static void run_one(struct conn *c, const struct ahead *request, struct replies *out)
{
    c->share.commands++;
    if (request->argc) net_run(c->net, &c->session, request, &out->buf);
}

/* The same, with the arguments that lie apart. */
static void run_large(struct conn *c, const struct ahead *request, struct replies *out)
{
    struct server *s = c->net->server;
    bulks_give(&c->bulks, &s->mem, &s->heap);
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
    struct ahead *ahead = c->net->ahead;
    size_t at = 0;
    uint32_t most = (uint32_t)(CONN_SHARE_COMMANDS - c->share.commands);
    request_batch_read(batch, &c->reader.limits, most, bytes.p, bytes.n);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct batch_request *r = &batch->requests[i];
        ahead_begin(&ahead[i], (const struct view *)r->argv, r->argc);
    }
    if (batch->count > 1) ahead_look(c->net->server, ahead, batch->count);
    for (uint32_t i = 0; i < batch->count && may_go_on(c, out, before); i++) {
        at += batch->requests[i].bytes;
        run_one(c, &ahead[i], out);
    }
    return at;
}

/* Runs requests until the bytes, the share or what may be sent at once is used up; returns the
 * bytes that were used. */
static size_t run_requests(struct conn *c, struct view bytes)
{
    struct request_reader *r = &c->reader;
    struct replies *out = outbox_target(&c->out, &c->net->shared_out);
    size_t at = 0;
    uint64_t before = replies_bytes(out);
    c->net->server->held_into = &out->held;
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
        struct ahead request;
        ahead_begin(&request, (const struct view *)r->argv, r->argc);
        if (c->bulks.first)
            run_large(c, &request, out);
        else
            run_one(c, &request, out);
    }
    c->net->server->held_into = NULL;
    c->net->server->stats.net_output_bytes += replies_bytes(out) - before;
    return at;
}

/* The same, sending in between, until the share is used up. */
static size_t run_share(struct conn *c, struct view bytes)
{
    size_t at = 0;
    do {
        at += run_requests(c, (struct view){bytes.p + at, bytes.n - at});
        if (!send_replies(c)) break;
    } while (at < bytes.n && !c->hungry && may_run(c) && share_left(c));
    return at;
}

static void begin_share(struct conn *c)
{
    const struct config *config = &c->net->server->config;
    c->net->busy = true;
    if (c->share.turn != c->net->turn) {
        c->share.turn = c->net->turn;
        c->share.bytes = c->share.commands = 0;
        c->share.began_ns = c->net->server->mono_ns;
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
    struct mem *m = &c->net->server->mem;
    struct view rest = {bytes.p + used, bytes.n - used};
    char *p = in_inbox ? c->in.p + c->in.begin + used : c->net->shared_in + used;
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
    uint64_t most = c->net->server->config.proto_max_bulk_len + CONN_REQUEST_BYTES_MORE;
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
    if (outbox_resend(&c->out, stream_of(c), on_written) != 0) {
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
    struct proto_buf *out = &outbox_target(&c->out, &c->net->shared_out)->buf;
    size_t before = out->n;
    if (!dispatch_resume(c->net->server, &c->session, out)) return;
    c->net->server->stats.net_output_bytes += out->n - before;
    conn_continue(c);
}

void conn_drain(struct conn *c)
{
    int waiting = 0;
    if (ioctl(c->session.fd, FIONREAD, &waiting) != 0 || waiting <= 0)
        c->ended = true;
    else
        c->drain_bytes = (uint64_t)waiting;
    settle(c);
}

/* --- events --- */

static void on_written(uv_write_t *request, int status)
{
    struct conn *c = request->data;
    outbox_landed(&c->out, status < 0 || c->state == CONN_CLOSING);
    if (c->state == CONN_CLOSING) return;
    net_turn(c->net);
    if (status < 0) {
        conn_close(c);
        return;
    }
    session_touch(&c->session, c->net->server->now_ms);
    conn_continue(c);
}

/* Where bytes of requests are read to. */
static enum status offer_room(struct conn *c, struct inbox_room *room)
{
    struct net *net = c->net;
    enum status status = inbox_offer(&c->in, &net->server->mem, net->shared_in, room);
    bulks_probe(&c->bulks, room);
    c->in_shared =
        !status && room->p >= net->shared_in && room->p < net->shared_in + INBOX_SHARED_BYTES;
    return status;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct conn *c = handle->data;
    struct inbox_room room = {c->net->shared_in, INBOX_SHARED_BYTES}; /* of what is discarded */
    enum status status = STATUS_OK;
    c->in_bulk = c->state == CONN_OPEN && c->bulks.filling;
    if (c->in_bulk)
        status = bulks_room(&c->bulks, &c->net->server->mem, &room);
    else if (c->state == CONN_OPEN)
        status = offer_room(c, &room);
    if (status) room = (struct inbox_room){NULL, 0}; /* libuv reports it as UV_ENOBUFS */
    *buf = (uv_buf_t){.base = room.p, .len = room.n};
}

/* A large bulk has got n bytes. Once it is whole, what came behind it goes where other bytes are
 * read to, and *n are those. False when there is nothing to run yet, or the connection was closed.
 */
static bool fill_bulk(struct conn *c, size_t *n)
{
    struct view behind;
    struct inbox_room room;
    if (!bulks_filled(&c->bulks, *n, &behind)) {
        settle(c);
        return false;
    }
    if (request_reader_put_apart(&c->reader, bulks_last(&c->bulks)) != REQUEST_READY ||
        offer_room(c, &room) != STATUS_OK) {
        no_memory_for_input(c, c->bulks.bytes);
        return false;
    }
    memcpy(room.p, behind.p, behind.n);
    *n = behind.n;
    return true;
}

static void on_bytes(struct conn *c, size_t n)
{
    struct net *net = c->net;
    begin_share(c);
    pace_arrived(&net->pace, &c->pace);
    c->share.bytes += n;
    net->server->stats.net_input_bytes += n;
    session_touch(&c->session, net->server->now_ms);
    if (net->draining) {
        c->ended = n >= c->drain_bytes;
        c->drain_bytes -= c->ended ? c->drain_bytes : n;
    }
    if (c->in_bulk && !fill_bulk(c, &n)) return;
    struct view bytes = {net->shared_in, inbox_bytes(&c->in) + n};
    if (!c->in_shared) {
        inbox_filled(&c->in, n);
        bytes = inbox_view(&c->in);
    }
    c->hungry = false;
    size_t used = run_share(c, bytes);
    if (c->state != CONN_CLOSING && keep_rest(c, bytes, used, !c->in_shared)) settle(c);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)buf;
    struct conn *c = stream->data;
    if (nread == 0) return; /* it would have blocked */
    net_turn(c->net);
    if (nread > 0) {
        if (c->state == CONN_OPEN) on_bytes(c, (size_t)nread);
        if (c->seat.place != NET_READY) c->net->others = true;
    } else if (nread == UV_EOF && c->state == CONN_OPEN) {
        c->reading = false;
        c->ended = true;
        settle(c);
    } else {
        if (nread == UV_ENOBUFS)
            log_closing(c, "no memory for its input", inbox_bytes(&c->in) + c->bulks.bytes);
        conn_close(c);
    }
}

/* --- the beginning --- */

bool conn_accept(struct net *net, uv_stream_t *listening)
{
    struct server *s = net->server;
    struct conn *c = mem_alloc(&s->mem, sizeof *c);
    if (!c) return false;
    *c = (struct conn){.net = net, .state = CONN_OPEN};
    inbox_init(&c->in);
    bulks_init(&c->bulks);
    outbox_init(&c->out, (struct outlet){.all = &s->held});
    c->out.request.data = c;
    struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    limits.bulk_bytes_max = s->config.proto_max_bulk_len;
    request_reader_init(&c->reader, &limits);
    uv_tcp_init(net->loop, &c->tcp);
    c->tcp.data = c;
    net->open++;
    net_turn(net);
    bool accepted = uv_accept(listening, stream_of(c)) == 0, many = arrival_is_one_too_many(net);
    if (accepted && many) arrival_refuse(net, stream_of(c));
    if (!accepted || many || session_open(&s->sessions, &c->session, s->now_ms)) {
        conn_close(c);
        return true;
    }
    c->session_open = true;
    s->stats.connections++;
    arrival_introduce(net, &c->tcp, &c->session);
    read_on(c, true);
    return true;
}

int conn_check(const struct conn *c)
{
    bool open = c->state == CONN_OPEN || c->state == CONN_FINISHING;
    if (c->session_open != open) return 1;
    bool left = c->state == CONN_OPEN && inbox_bytes(&c->in) && !c->hungry;
    if (c->reading && left) return 2;
    bool waits = c->state == CONN_OPEN && c->session.wait != SESSION_RUNS;
    if (waits != (c->seat.place == NET_WAITING)) return 3;
    return 0;
}
