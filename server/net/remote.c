#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "base/panic.h"
#include "net/arrival.h"
#include "net/io.h"

static_assert(offsetof(struct remote, session) == 0, "remote_of is a cast");

static void post(struct remote *r, enum letter_kind kind)
{
    io_send(r->wire.thread, &r->letters[kind]);
}

static void end_session(struct remote *r)
{
    if (!r->session_open) return;
    r->session_open = false;
    net_move(r->net, &r->seat, NET_NOWHERE);
    session_close(&r->net->engine->sessions, &r->session);
}

void remote_end(struct remote *r)
{
    if (!r->session_open) return;
    end_session(r);
    post(r, LETTER_END);
}

/* --- requests --- */

static bool may_run(const struct remote *r)
{
    return r->session.wait == SESSION_RUNS && !r->session.close_after_reply && !r->session.kill;
}

/* Whether another request may run in this share; `before`: replies that were there before. */
static bool may_go_on(const struct remote *r, uint64_t before)
{
    const struct replies *out = &r->parcel.out;
    return may_run(r) && !out->buf.failed && replies_bytes(out) - before < CONN_SEND_BYTES &&
           r->net->engine->mono_ns - r->share_began_ns < CONN_SHARE_NS;
}

/* Several requests are looked at before the first of them runs; those that may not run any more
 * stay in the parcel. */
static void run_some(struct remote *r, uint64_t before)
{
    struct parcel *p = &r->parcel;
    struct net *net = r->net;
    struct ahead *ahead = net->ahead;
    uint32_t count = 0;
    const struct view *argv = p->next;
    for (; count < BATCH_REQUESTS_MAX && p->taken + count < p->count; count++) {
        ahead_begin(&ahead[count], argv, p->argc[p->taken + count]);
        argv += ahead[count].argc;
    }
    if (count > 1) ahead_look(net->engine, ahead, count);
    for (uint32_t i = 0; i < count && may_go_on(r, before); i++) {
        bool large = p->taken == 0 && p->bulks.first;
        if (large) bulks_give(&p->bulks, &r->wire.thread->mem, &net->engine->heap);
        parcel_take(p);
        net_run(net, &r->session, &ahead[i], &p->out.buf);
        if (large) bulks_given(&p->bulks, &net->engine->heap);
    }
}

/* The parcel goes back with what there is. */
static void send_back(struct remote *r)
{
    struct parcel *p = &r->parcel;
    p->end = r->session.close_after_reply || p->out.buf.failed;
    p->waits = r->session.wait != SESSION_RUNS;
    p->more = p->waits || parcel_has_requests(p);
    if (p->out.buf.failed)
        log_line(LOG_WARNING,
                 "client id=%" PRIu64 " addr=%s closed: no memory for its replies (%" PRIu64
                 " bytes)",
                 r->session.id, r->session.address, replies_bytes(&p->out));
    r->here = false;
    net_move(r->net, &r->seat, NET_NOWHERE);
    post(r, LETTER_PARCEL);
}

static void run_share(struct remote *r)
{
    struct engine *s = r->net->engine;
    struct replies *out = &r->parcel.out;
    uint64_t before = replies_bytes(out);
    r->share_began_ns = s->mono_ns;
    s->held_into = &out->held;
    while (parcel_has_requests(&r->parcel) && may_go_on(r, before)) run_some(r, before);
    s->held_into = NULL;
    s->stats.net_output_bytes += replies_bytes(out) - before;
}

/* After anything happened while the parcel is here: runs a share, then keeps the parcel for a wait,
 * or sends it back. Replies before a wait do not wait too: it takes them along, and comes again. */
static void go_on(struct remote *r)
{
    if (may_run(r)) run_share(r);
    bool waits = r->session.wait != SESSION_RUNS, replied = replies_bytes(&r->parcel.out) > 0;
    if (waits && !replied) {
        if (r->seat.place != NET_WAITING) net_move(r->net, &r->seat, NET_WAITING);
        return;
    }
    send_back(r);
}

void remote_resume(struct remote *r)
{
    struct proto_buf *out = &r->parcel.out.buf;
    size_t before = out->n;
    if (!dispatch_resume(r->net->engine, &r->session, out)) return;
    r->net->busy = true;
    r->net->engine->stats.net_output_bytes += out->n - before;
    net_move(r->net, &r->seat, NET_NOWHERE);
    go_on(r);
}

/* --- letters --- */

static void arrived(struct remote *r)
{
    struct engine *s = r->net->engine;
    r->here = true;
    s->stats.net_input_bytes += r->parcel.read_bytes;
    r->parcel.read_bytes = 0;
    if (!r->session_open) return;
    r->net->busy = true;
    if (r->session.wait == SESSION_RUNS) session_touch(&r->session, s->now_ms);
    go_on(r);
}

static void closed(struct remote *r)
{
    struct engine_stats *stats = &r->net->engine->stats;
    stats->net_input_bytes += r->read_bytes;
    stats->net_output_bytes += r->error_bytes;
    if (r->why)
        log_line(LOG_WARNING, "client id=%" PRIu64 " addr=%s closed: %s (%" PRIu64 " bytes)",
                 r->session.id, r->session.address, r->why, r->why_bytes);
    end_session(r);
    post(r, LETTER_FAREWELL);
}

static void gone(struct remote *r)
{
    struct net *net = r->net;
    r->wire.thread->connections--;
    mem_free(&net->engine->mem, r, sizeof *r);
    net->open--;
    if (net->draining) net_keep_going(net); /* the daemon looks whether it was the last one */
}

void remote_receive(struct remote *r, enum letter_kind kind)
{
    switch (kind) {
    case LETTER_PARCEL: arrived(r); return;
    case LETTER_CLOSED: closed(r); return;
    case LETTER_GONE: gone(r); return;
    case LETTER_BEGIN:
    case LETTER_END:
    case LETTER_FAREWELL:
    case LETTER_DRAIN:
    case LETTER_STOP:
    case LETTER_KINDS: break;
    }
    ASSERT(false);
}

/* --- the beginning --- */

static struct io_thread *idlest(struct io *io)
{
    struct io_thread *best = &io->threads[0];
    for (uint32_t i = 1; i < io->count; i++)
        if (io->threads[i].connections < best->connections) best = &io->threads[i];
    return best;
}

static void init(struct remote *r, struct net *net, struct io_thread *thread)
{
    struct engine *s = net->engine;
    struct wire *w = &r->wire;
    *r = (struct remote){.net = net};
    for (int i = 0; i < LETTERS_OF_REMOTE; i++) r->letters[i].kind = i;
    parcel_init(&r->parcel);
    w->thread = thread;
    inbox_init(&w->in);
    bulks_init(&w->bulks);
    outbox_init(&w->out, (struct outlet){.all = &s->held, .landed = &thread->landed});
    struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    limits.bulk_bytes_max = s->config.proto_max_bulk_len;
    request_reader_init(&w->reader, &limits);
}

/* False: it cannot be served; what was made for it is undone, but for the descriptor. */
static bool begin(struct remote *r)
{
    struct net *net = r->net;
    struct engine *s = net->engine;
    if (session_open(&s->sessions, &r->session, s->now_ms)) return false;
    r->session_open = true;
    arrival_introduce(net, r->fd, &r->session);
    s->stats.connections++;
    net->open++;
    r->wire.thread->connections++;
    post(r, LETTER_BEGIN);
    return true;
}

bool remote_accept(struct net *net, uv_stream_t *listening)
{
    struct mem *m = &net->engine->mem;
    struct remote *r = mem_alloc(m, sizeof *r);
    int fd;
    if (!r || !arrival_take(net, listening, &fd)) {
        mem_free(m, r, sizeof *r);
        return false;
    }
    init(r, net, idlest(net->io));
    r->fd = fd;
    net_turn(net);
    if (fd >= 0 && begin(r)) return true;
    if (fd >= 0) close(fd);
    mem_free(m, r, sizeof *r);
    return true;
}

int remote_check(const struct remote *r)
{
    if (!r->session_open && r->seat.place != NET_NOWHERE) return 1;
    bool waits = r->session_open && r->here && r->session.wait != SESSION_RUNS;
    if (waits != (r->seat.place == NET_WAITING)) return 2;
    if (r->here && parcel_check(&r->parcel)) return 3;
    return 0;
}
