#include "net/net.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/conn.h"
#include "net/listener.h"

static_assert((int)BATCH_REQUESTS_MAX <= (int)PREFETCH_REQUESTS_MAX,
              "a batch is prefetched for at once");

/* --- the queues --------------------------------------------------------------------------------
 */

static void unlink_seat(struct net *net, struct net_seat *seat)
{
    struct net_queue *q = &net->queues[seat->place];
    if (seat->previous)
        seat->previous->next = seat->next;
    else
        q->first = seat->next;
    if (seat->next)
        seat->next->previous = seat->previous;
    else
        q->last = seat->previous;
    seat->previous = seat->next = NULL;
    seat->place = NET_NOWHERE;
}

void net_move(struct net *net, struct net_seat *seat, enum net_place place)
{
    if (seat->place != NET_NOWHERE) unlink_seat(net, seat);
    if (place == NET_NOWHERE) return;
    struct net_queue *q = &net->queues[place];
    seat->place = place;
    seat->previous = q->last;
    if (q->last)
        q->last->next = seat;
    else
        q->first = seat;
    q->last = seat;
    if (place == NET_READY) net_keep_going(net);
}

/* Calls `each` for those that are in the queue now; it may move or close the one that it is given,
 * and no other. */
static void for_each(struct net *net, enum net_place place, void (*each)(struct net_seat *))
{
    struct net_seat *seat = net->queues[place].first, *last = net->queues[place].last;
    while (seat) {
        struct net_seat *next = seat == last ? NULL : seat->next;
        each(seat);
        seat = next;
    }
}

/* The same for all open sessions. */
static void for_each_session(struct net *net, void (*each)(struct net *, struct session *))
{
    struct session *s = net->engine->sessions.first;
    while (s) {
        struct session *next = s->next;
        each(net, s);
        s = next;
    }
}

static void close_session(struct net *net, struct session *s)
{
    (void)net;
    conn_close(conn_of(s));
}

/* --- the turn ----------------------------------------------------------------------------------
 */

static void go_on(struct net_seat *seat)
{
    conn_continue(conn_in(seat));
}

/* Runs in each turn that must not block. */
static void on_going(uv_idle_t *handle)
{
    struct net *net = handle->data;
    net_turn(net);
    if (!net->queues[NET_READY].first) return;
    struct clock *clock = &net->engine->clock;
    int64_t began_ns = clock_mono_ns(clock);
    bool yields = net->others && began_ns < net->yield_until_ns;
    net->others = false;
    net->busy = true;
    if (yields) return;
    for_each(net, NET_READY, go_on);
    int64_t ended_ns = clock_mono_ns(clock);
    net->yield_until_ns = ended_ns + (ended_ns - began_ns) * NET_YIELD_PART;
}

void net_keep_going(struct net *net)
{
    if (!uv_is_closing((const uv_handle_t *)&net->going)) uv_idle_start(&net->going, on_going);
}

/* How much time is to pass, so that the poll finds more (pace.h). */
static int64_t gap(void *self)
{
    struct net *net = self;
    struct engine *s = net->engine;
    int64_t gap_ns_max = (int64_t)s->config.poll_gap_us * 1000;
    int64_t wait_ns = pace_poll(&net->pace, clock_mono_ns(&s->clock), gap_ns_max);
    s->stats.poll_gap_ns = (uint64_t)net->pace.gap_ns;
    if (wait_ns) s->stats.poll_waits++;
    return wait_ns;
}

static void before_poll(uv_prepare_t *handle)
{
    struct net *net = handle->data;
    if (net->turn_open) net_keep_going(net);
    bool going = uv_is_active((const uv_handle_t *)&net->going);
    if (net->ring)
        ring_turn(net->ring, going ? NULL : gap, net);
    else if (!going)
        clock_sleep_ns(&net->engine->clock, gap(net));
}

void net_may_block(struct net *net)
{
    uv_idle_stop(&net->going);
}

/* --- requests, and who is killed -----------------------------------------------------------------
 */

/* The handles are closed in the check phase: the turn's loops over connections close none but the
 * one that they are at. */
void net_shut_killed(struct net *net, const struct session *killer)
{
    net->kills = true;
    net->engine->killed = 0;
    if (net->ring) ring_submit(net->ring); /* what they were answered in this turn leaves */
    for (struct session *s = net->engine->sessions.first; s; s = s->next)
        if (s->kill && s != killer) shutdown(s->fd, SHUT_RDWR);
}

static void close_killed(struct net *net, struct session *s)
{
    if (s->kill) close_session(net, s);
}

/* Those that are woken now: each has its reply then, or sleeps again. */
static void resume_woken(struct net *net)
{
    const struct wait_queue *woken = &net->engine->sessions.woken;
    while (woken->first) conn_resume(conn_of(session_of_wait(woken->first)));
}

void net_send(struct net *net)
{
    if (net->ring) ring_flush(net->ring);
}

bool net_after_steps(struct net *net)
{
    if (net->kills) for_each_session(net, close_killed);
    net->kills = false;
    net->busy = false;
    resume_woken(net);
    bool more = net->busy || net->queues[NET_READY].first; /* they may have left work for a step */
    net->turn_open = false;
    net->busy = false;
    return more;
}

static void close_idle(struct net *net, struct session *s)
{
    const struct engine *engine = net->engine;
    int64_t idle_ms = (engine->mono_ns - s->active_ns) / 1000000;
    if (!session_waits(s) && idle_ms > (int64_t)engine->config.timeout * 1000)
        close_session(net, s);
}

static void close_conn(struct net_seat *seat)
{
    conn_close(conn_in(seat));
}

static void close_lingering(struct net_seat *seat)
{
    struct conn *c = conn_in(seat);
    if (c->net->engine->mono_ns >= c->linger_until_ns) conn_close(c);
}

static void on_tick(uv_timer_t *handle)
{
    struct net *net = handle->data;
    net_turn(net);
    if (net->engine->config.timeout) for_each_session(net, close_idle);
    for_each(net, NET_LINGERING, close_lingering);
    listener_retry_all(net);
}

/* --- beginning and end --------------------------------------------------------------------------
 */

static enum status open_place(struct net *net)
{
    struct engine *s = net->engine;
    int error = 0;
    s->multiplexing = "epoll";
    enum status status =
        stream_place_init(&net->place, &s->mem, net->loop, s->config.io_uring, &error);
    if (error)
        log_line(LOG_NOTICE, "no io_uring (%s): each read and write is a system call",
                 uv_strerror(error));
    net->ring = net->place.ring;
    if (net->ring) s->multiplexing = "io_uring";
    return status;
}

enum status net_init(struct net *net, struct engine *engine, uv_loop_t *loop, uint64_t clients_max)
{
    *net = (struct net){.engine = engine, .loop = loop, .clients_max = clients_max};
    if (open_place(net)) return STATUS_OOM;
    clock_sleeps_are_short();
    sends_init(&net->sends, net->ring);
    uv_idle_init(loop, &net->going);
    uv_timer_init(loop, &net->tick);
    uv_prepare_init(loop, &net->before_poll);
    net->going.data = net->tick.data = net->before_poll.data = net;
    uv_prepare_start(&net->before_poll, before_poll);
    uv_timer_start(&net->tick, on_tick, NET_TICK_MS, NET_TICK_MS);
    return STATUS_OK;
}

void net_close(struct net *net)
{
    listener_close_all(net);
    for_each_session(net, close_session);
    for_each(net, NET_LINGERING, close_conn);
    while (net->ring && net->open) ring_turn(net->ring, NULL, NULL);
    stream_place_close(&net->place);
    uv_close((uv_handle_t *)&net->going, NULL);
    uv_close((uv_handle_t *)&net->tick, NULL);
    uv_close((uv_handle_t *)&net->before_poll, NULL);
}

void net_fini(struct net *net)
{
    stream_place_fini(&net->place);
    sends_fini(&net->sends, &net->engine->held);
}

static void before_drain_conn(struct net *net, struct session *s)
{
    (void)net;
    conn_before_drain(conn_of(s));
}

static void drain_conn(struct net *net, struct session *s)
{
    (void)net;
    conn_drain(conn_of(s));
}

void net_drain(struct net *net)
{
    net_turn(net);
    if (net->ring) { /* what was read is not in the sockets any more */
        ring_hurry(net->ring);
        ring_turn(net->ring, NULL, NULL);
    }
    net->draining = true;
    listener_close_all(net);
    for_each_session(net, before_drain_conn);
    for_each_session(net, drain_conn);
    for_each(net, NET_LINGERING, close_conn);
}

bool net_is_drained(const struct net *net)
{
    return net->open == 0;
}

int net_check(const struct net *net)
{
    if (replies_bytes(&net->sends.at_hand->replies) != 0) return 1;
    for (int place = 0; place < NET_PLACES; place++) {
        const struct net_seat *previous = NULL;
        for (const struct net_seat *s = net->queues[place].first; s; previous = s, s = s->next)
            if ((int)s->place != place || s->previous != previous) return 2;
        if (net->queues[place].last != previous) return 2;
    }
    if (net->queues[NET_NOWHERE].first) return 2;
    bool going = uv_is_active((const uv_handle_t *)&net->going);
    if (net->queues[NET_READY].first && !going) return 3;
    return 0;
}
