#include "net/net.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/accept.h"
#include "net/conn.h"

static_assert((int)BATCH_REQUESTS_MAX <= (int)PREFETCH_REQUESTS_MAX,
              "a batch is prefetched for at once");

/* Calls `each` for all open sessions; it may close the one that it is given, and no other. */
static void for_each_session(struct net *net, void (*each)(struct net *, struct session *))
{
    struct session *s = net->loop.engine->sessions.first;
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

/* --- accepting --- */

static enum accept_refusal judge(const struct net *net, int fd)
{
    const struct engine *engine = net->loop.engine;
    if (engine->sessions.count >= engine->config.maxclients) return ACCEPT_TOO_MANY;
    return accept_is_denied(fd, &engine->config) ? ACCEPT_DENIED : ACCEPT_SERVED;
}

/* The log hears of failures, but not of each. */
static int complain(struct net *net, int error)
{
    int64_t now_ns = net->loop.engine->mono_ns;
    if (net->complained_ns && now_ns - net->complained_ns < NET_COMPLAINT_NS) return error;
    net->complained_ns = now_ns;
    log_line(LOG_WARNING, "a connection was not accepted: %s", uv_strerror(error));
    return error;
}

static int on_accept(void *self, int listening_fd)
{
    struct net *net = self;
    loop_turn(&net->loop);
    struct conn *c = conn_new(&net->loop);
    if (!c) return complain(net, -ENOMEM);
    int fd = accept_next(listening_fd);
    if (fd < 0) {
        conn_discard(c);
        return fd == -EAGAIN ? fd : complain(net, fd);
    }
    enum accept_refusal refusal = judge(net, fd);
    if (refusal == ACCEPT_SERVED) {
        conn_begin(c, fd);
        return 0;
    }
    conn_discard(c);
    net->loop.engine->stats.rejected_connections++;
    accept_refuse(fd, refusal);
    return 0;
}

bool net_listen(struct net *net, char error[LISTENER_ERROR_BYTES])
{
    return listeners_open(&net->listeners, &net->loop.engine->config, error);
}

/* --- output --- */

static void send_killed(struct net *net, struct session *s)
{
    (void)net;
    if (s->kill) conn_send(conn_of(s));
}

static void shut_killed(struct net *net, struct session *s)
{
    (void)net;
    if (s->kill) stream_shut(&conn_of(s)->stream, SHUT_RDWR);
}

static void send_all(void *self)
{
    struct net *net = self;
    struct loop *l = &net->loop;
    if (!l->outputs) return;
    if (net->before_send) net->before_send(net->before_send_self);
    if (l->engine->killed) {
        for_each_session(net, send_killed);
        stream_submit(&l->place);
        for_each_session(net, shut_killed);
    }
    struct output_node *last = l->outputs_last;
    for (bool more = last != NULL; more;) {
        struct output_node *node = l->outputs;
        more = node != last;
        loop_remove_output(l, node);
        conn_send(conn_with_output(node));
    }
    if (l->outputs) loop_keep_going(l); /* some have more than a turn's */
}

void net_send(struct net *net)
{
    send_all(net);
    stream_submit(&net->loop.place);
}

/* --- the turn --- */

static void continue_conn(struct queue_node *node)
{
    conn_continue(conn_in(node));
}

void net_continue(struct net *net)
{
    struct loop *l = &net->loop;
    loop_turn(l);
    if (!net_is_ready(net)) return;
    struct clock *clock = &l->engine->clock;
    int64_t began_ns = clock_mono_ns(clock);
    bool yields = l->others && began_ns < net->yield_until_ns;
    l->others = false;
    l->busy = true;
    if (yields) return;
    loop_each(l, LOOP_READY, continue_conn);
    int64_t ended_ns = clock_mono_ns(clock);
    net->yield_until_ns = ended_ns + (ended_ns - began_ns) * NET_YIELD_PART;
}

/* How much time is to pass, so that the poll finds more (pace.h). */
static int64_t gap(void *self)
{
    struct loop *l = self;
    struct engine *s = l->engine;
    if (l->going) return 0;
    int64_t gap_ns_max = (int64_t)s->config.poll_gap_us * 1000;
    int64_t wait_ns = pace_poll(&l->pace, clock_mono_ns(&s->clock), gap_ns_max);
    s->stats.poll_gap_ns = (uint64_t)l->pace.gap_ns;
    if (wait_ns) s->stats.poll_waits++;
    return wait_ns;
}

void net_before_poll(struct net *net)
{
    if (net->loop.turn_open) loop_keep_going(&net->loop);
    stream_turn(&net->loop.place, gap, &net->loop);
}

static void close_killed(struct net *net, struct session *s)
{
    if (s->kill) close_session(net, s);
}

/* Those that are woken now: each has its reply then, or sleeps again. */
static void resume_woken(struct net *net)
{
    const struct wait_queue *woken = &net->loop.engine->sessions.woken;
    while (woken->first) conn_resume(conn_of(session_of_wait(woken->first)));
}

/* The client whose buffers take most; NULL: none has any. */
static struct session *heaviest(const struct net *net)
{
    struct session *most = NULL;
    for (struct session *s = net->loop.engine->sessions.first; s; s = s->next)
        if (s->memory.total > (most ? most->memory.total : 0)) most = s;
    return most;
}

/* Closes clients, those that take most first, until all together take no more than
 * maxmemory-clients allows. True: more are to be closed, in the next turn. */
static bool evict_clients(struct net *net)
{
    struct engine *s = net->loop.engine;
    for (int n = 0; engine_clients_are_over(s); n++) {
        struct session *most = n < NET_EVICTIONS_MAX ? heaviest(net) : NULL;
        if (!most) return true;
        s->stats.evicted_clients++;
        conn_evict(conn_of(most));
    }
    return false;
}

bool net_after_steps(struct net *net)
{
    struct loop *l = &net->loop;
    if (l->engine->killed) {
        net_send(net);
        for_each_session(net, close_killed);
        l->engine->killed = 0;
    }
    l->busy = false;
    resume_woken(net);
    bool more =
        evict_clients(net) || l->busy || net_is_ready(net); /* they may have left work for a step */
    l->turn_open = false;
    l->busy = false;
    return more;
}

static void close_idle(struct net *net, struct session *s)
{
    const struct engine *engine = net->loop.engine;
    int64_t idle_ms = (engine->mono_ns - s->active_ns) / 1000000;
    if (!session_waits(s) && idle_ms > (int64_t)engine->config.timeout * 1000)
        close_session(net, s);
}

static void tick_conn(struct queue_node *node)
{
    conn_tick(conn_in(node));
}

static void tick_session(struct net *net, struct session *s)
{
    (void)net;
    conn_tick(conn_of(s));
}

void net_tick(struct net *net)
{
    loop_turn(&net->loop);
    sessions_tick(&net->loop.engine->sessions);
    for_each_session(net, tick_session);
    if (net->loop.engine->config.timeout) for_each_session(net, close_idle);
    loop_each(&net->loop, LOOP_LINGERING, tick_conn);
    listeners_retry(&net->listeners);
}

/* --- beginning and end --- */

static void on_idle(uv_idle_t *handle)
{
    net_continue(handle->data);
}

static void on_prepare(uv_prepare_t *handle)
{
    net_before_poll(handle->data);
}

static void on_tick(uv_timer_t *handle)
{
    net_tick(handle->data);
}

static void set_hooks(struct net *net)
{
    net->loop.place.before_submit = send_all;
    net->loop.place.self = net;
    net->loop.engine->push = conn_push;
}

void net_init_apart(struct net *net, struct engine *engine, const struct stream_place *place)
{
    *net = (struct net){.yield_until_ns = 0};
    loop_init_apart(&net->loop, engine, place);
    set_hooks(net);
}

enum status net_init(struct net *net, struct engine *engine, uv_loop_t *uv)
{
    *net = (struct net){.yield_until_ns = 0};
    if (loop_init(&net->loop, engine, uv, on_idle, net)) return STATUS_OOM;
    set_hooks(net);
    net->listeners =
        (struct listeners){.uv = uv, .mem = &engine->mem, .accept = on_accept, .self = net};
    clock_sleeps_are_short();
    uv_timer_init(uv, &net->tick);
    uv_prepare_init(uv, &net->before_poll);
    net->tick.data = net->before_poll.data = net;
    uv_prepare_start(&net->before_poll, on_prepare);
    uv_timer_start(&net->tick, on_tick, NET_TICK_MS, NET_TICK_MS);
    return STATUS_OK;
}

static void close_conn(struct queue_node *node)
{
    conn_close(conn_in(node));
}

void net_close(struct net *net)
{
    listeners_close(&net->listeners);
    for_each_session(net, close_session);
    loop_each(&net->loop, LOOP_LINGERING, close_conn);
    loop_close(&net->loop);
    if (!net->loop.uv) return;
    uv_close((uv_handle_t *)&net->tick, NULL);
    uv_close((uv_handle_t *)&net->before_poll, NULL);
}

void net_fini(struct net *net)
{
    loop_fini(&net->loop);
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
    struct loop *l = &net->loop;
    loop_turn(l);
    /* What io_uring has read is not in the sockets any more. */
    stream_hurry(&l->place);
    stream_turn(&l->place, NULL, NULL);
    l->draining = true;
    listeners_close(&net->listeners);
    for_each_session(net, before_drain_conn);
    for_each_session(net, drain_conn);
    loop_each(l, LOOP_LINGERING, close_conn);
}

bool net_is_drained(const struct net *net)
{
    return net->loop.open == 0;
}
