#include "net/net.h"

#include <sys/socket.h>

#include "net/conn.h"
#include "net/listener.h"

/* --- the queues --------------------------------------------------------------------------------
 */

static void unlink_conn(struct net *net, struct conn *c)
{
    struct net_queue *q = &net->queues[c->place];
    if (c->previous)
        c->previous->next = c->next;
    else
        q->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    else
        q->last = c->previous;
    c->previous = c->next = NULL;
    c->place = NET_NOWHERE;
}

void net_move(struct net *net, struct conn *c, enum net_place place)
{
    if (c->place != NET_NOWHERE) unlink_conn(net, c);
    if (place == NET_NOWHERE) return;
    struct net_queue *q = &net->queues[place];
    c->place = place;
    c->previous = q->last;
    if (q->last)
        q->last->next = c;
    else
        q->first = c;
    q->last = c;
    if (place == NET_READY) net_keep_going(net);
}

/* Calls `each` for those that are in the queue now; it may move or close the one that it is given,
 * and no other. */
static void for_each(struct net *net, enum net_place place, void (*each)(struct conn *))
{
    struct conn *c = net->queues[place].first, *last = net->queues[place].last;
    while (c) {
        struct conn *next = c == last ? NULL : c->next;
        each(c);
        c = next;
    }
}

/* The same for all open sessions. */
static void for_each_session(struct net *net, void (*each)(struct conn *))
{
    struct session *s = net->server->sessions.first;
    while (s) {
        struct session *next = s->next;
        each(conn_of(s));
        s = next;
    }
}

/* --- the turn ----------------------------------------------------------------------------------
 */

/* Runs in each turn that must not block. */
static void on_going(uv_idle_t *handle)
{
    struct net *net = handle->data;
    net_turn(net);
    for_each(net, NET_READY, conn_continue);
}

void net_keep_going(struct net *net)
{
    if (!uv_is_closing((const uv_handle_t *)&net->going)) uv_idle_start(&net->going, on_going);
}

static void before_poll(uv_prepare_t *handle)
{
    struct net *net = handle->data;
    if (net->turn_open) net_keep_going(net);
}

void net_may_block(struct net *net)
{
    uv_idle_stop(&net->going);
}

/* The handles are closed in the check phase: the turn's loops over connections close none but the
 * one that they are at. */
void net_shut_killed(struct net *net, const struct conn *killer)
{
    net->kills = true;
    for (struct session *s = net->server->sessions.first; s; s = s->next)
        if (s->kill && s != &killer->session) shutdown(s->fd, SHUT_RDWR);
}

static void close_killed(struct conn *c)
{
    if (c->session.kill) conn_close(c);
}

bool net_after_steps(struct net *net)
{
    if (net->kills) for_each_session(net, close_killed);
    net->kills = false;
    if (net->queues[NET_WAITING].first) for_each(net, NET_WAITING, conn_resume);
    net->turn_open = false;
    net->busy = false;
    return net->queues[NET_READY].first != NULL;
}

static void close_idle(struct conn *c)
{
    const struct server *s = c->net->server;
    int64_t idle_ms = s->now_ms - c->session.active_ms;
    if (c->session.wait == SESSION_RUNS && idle_ms > (int64_t)s->config.timeout * 1000)
        conn_close(c);
}

static void close_lingering(struct conn *c)
{
    if (c->net->server->mono_ns >= c->linger_until_ns) conn_close(c);
}

static void on_tick(uv_timer_t *handle)
{
    struct net *net = handle->data;
    net_turn(net);
    if (net->server->config.timeout) for_each_session(net, close_idle);
    for_each(net, NET_LINGERING, close_lingering);
    listener_retry_all(net);
}

/* --- beginning and end --------------------------------------------------------------------------
 */

/* CLIENT KILL marks sessions anywhere in the registry. Its name, as a session's last command, tells
 * when to look for them: looking at all sessions in each turn would cost more than the turn. */
static const char *kill_name(void)
{
    const struct command *client = command_find(view_of("client"));
    const struct command *kill = client ? command_find_sub(client, view_of("kill")) : NULL;
    return kill ? kill->name : NULL;
}

enum status net_init(struct net *net, struct server *server, uv_loop_t *loop, uint64_t clients_max)
{
    *net = (struct net){.server = server, .loop = loop, .clients_max = clients_max};
    net->shared_in = mem_alloc(&server->mem, INBOX_SHARED_BYTES);
    if (!net->shared_in) return STATUS_OOM;
    net->kill_name = kill_name();
    replies_init(&net->shared_out);
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
    for_each_session(net, conn_close);
    for_each(net, NET_LINGERING, conn_close);
    uv_close((uv_handle_t *)&net->going, NULL);
    uv_close((uv_handle_t *)&net->tick, NULL);
    uv_close((uv_handle_t *)&net->before_poll, NULL);
}

void net_fini(struct net *net)
{
    mem_free(&net->server->mem, net->shared_in, INBOX_SHARED_BYTES);
    replies_fini(&net->shared_out, &net->server->held);
}

void net_drain(struct net *net)
{
    net_turn(net);
    net->draining = true;
    listener_close_all(net);
    for_each_session(net, conn_drain);
    for_each(net, NET_LINGERING, conn_close);
}

bool net_is_drained(const struct net *net)
{
    return net->open == 0;
}

int net_check(const struct net *net)
{
    if (replies_bytes(&net->shared_out) != 0) return 1;
    for (int place = 0; place < NET_PLACES; place++) {
        const struct conn *previous = NULL;
        for (const struct conn *c = net->queues[place].first; c; previous = c, c = c->next)
            if ((int)c->place != place || c->previous != previous) return 2;
        if (net->queues[place].last != previous) return 2;
    }
    if (net->queues[NET_NOWHERE].first) return 2;
    bool going = uv_is_active((const uv_handle_t *)&net->going);
    if (net->queues[NET_READY].first && !going) return 3;
    return 0;
}
