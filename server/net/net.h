/*
 * What all connections share, and the turn of the loop as they see it: the place of their streams,
 * the buffers for replies, and the queues of connections that are to be looked at without an event
 * of their own. daemon.c starts it and calls it once a turn; conn.c and listener.c use it. It does
 * not run requests.
 *
 * One turn of the loop:
 *   1. going           (idle phase)  connections whose input was left over continue, unless
 *                                    others are served first (below)
 *   2. reads and writes (prepare phase where there is a ring, which waits there; else poll phase)
 *                                    each ready connection takes its share
 *   3. net_send        (check phase) when steps will take their time: replies leave before them
 *   4. net_after_steps (check phase) the daemon ran steps_run; who waited for that continues
 * The first of these that finds anything to do begins the turn: it reads the clocks (engine_turn).
 *
 * Who has used a share and has more to do gives way to those that send little: the ready ones
 * continue in a turn whose poll found nobody else, or when NET_YIELD_PART times as long as their
 * last turn took has passed. So a heavy client takes what the others leave, and a ninth of the time
 * at least; and the others find a loop that is mostly there for them. It is a feedback queue of two
 * levels (Corbato et al., "An Experimental Time-Sharing System", 1962). A smaller share would not
 * do: if clients come back as fast as they are served, each share meets as many of them as there
 * came during the last one, whatever its length (tests/bench/fair.py).
 *
 * A loop that has work left must not block: whoever leaves some calls net_keep_going. The daemon
 * ends that (net_may_block) when nothing is left. A turn that a timer began does not block either,
 * for its clocks would be old when the poll returns. Before a poll that may block some time may
 * pass (pace.h).
 *
 * Invariants (net_check)
 *   1. Between two connections the reply buffer at hand is empty.
 *   2. Every connection in a queue says so, and stands in it once.
 *   3. While a connection is ready, the loop keeps going.
 * Ownership: the buffers; the connections own themselves until they are closed. Cost: a turn costs
 * what its connections do; a turn after a CLIENT KILL, and a tick, look at every session.
 */
#ifndef HEAPD_NET_NET_H
#define HEAPD_NET_NET_H

#include <uv.h>

#include "command/prefetch.h"
#include "net/pace.h"
#include "net/sends.h"
#include "proto/batch.h"

enum {
    NET_LISTENERS_MAX = 16,
    NET_TICK_MS = 1000,         /* idle clients, lingering connections */
    NET_YIELD_PART = 8,         /* turns of the ready ones, that they give way for */
    NET_LINGER_NS = 1000000000, /* how long a client may take to read the end and to close */
};

struct listener;

enum net_place { NET_NOWHERE, NET_READY, NET_LINGERING, NET_PLACES };

/* A connection's seat in a queue. */
struct net_seat {
    struct net_seat *previous, *next;
    enum net_place place;
};

struct net_queue {
    struct net_seat *first, *last;
};

struct net {
    struct engine *engine;
    uv_loop_t *loop;
    struct stream_place place; /* of this loop's own connections */
    struct ring *ring;         /* its, or NULL */
    struct sends sends;
    struct request_batch batch; /* of the connection that is running; nothing in it stays */
    struct request requests[BATCH_REQUESTS_MAX];
    struct net_queue queues[NET_PLACES]; /* NET_NOWHERE stays empty */
    struct pace pace;                    /* of this loop's own connections */
    uint64_t turn;                       /* its number */
    bool turn_open;                      /* the clocks were read in this turn */
    bool busy;                           /* a connection had input in this turn */
    bool others; /* a connection that is not ready was served since ready ones might go on */
    int64_t yield_until_ns; /* ready connections let others go first until then */
    bool draining;          /* the process ends: nothing more is read than has arrived */
    bool kills;             /* somebody ran CLIENT KILL in this turn */
    uint64_t clients_max;   /* that the process has descriptors for */
    uint64_t open;          /* connections whose handle is not closed yet */
    int64_t complained_ns;  /* when the log was last told that accepting failed */
    uv_idle_t going;
    uv_prepare_t before_poll;
    uv_timer_t tick;
    struct listener *listeners[NET_LISTENERS_MAX];
    uint32_t listener_count;
};

/* `loop` and `server` outlive it. */
enum status net_init(struct net *net, struct engine *engine, uv_loop_t *loop,
                     uint64_t clients_max) MUST_USE;
/* Closes all handles; the loop must run until it is empty, then net_fini. */
void net_close(struct net *net);
void net_fini(struct net *net);

/* Begins the turn, unless it has begun. */
static inline void net_turn(struct net *net)
{
    if (net->turn_open) return;
    net->turn_open = true;
    net->turn++;
    engine_turn(net->engine);
    pace_turn(&net->pace, net->engine->mono_ns);
}

/* In the check phase, before steps_run when that takes its time, or connections are ready: what
 * was answered in this turn leaves. */
void net_send(struct net *net);
static inline bool net_is_ready(const struct net *net)
{
    return net->queues[NET_READY].first != NULL;
}

/* In the check phase, after steps_run: kills, and what waited continues. Ends the turn. True
 * while a connection is ready, or one that waited has run requests, which may have left work for a
 * step: the loop must not block. */
bool net_after_steps(struct net *net);

/* The next poll does not block. */
void net_keep_going(struct net *net);
void net_may_block(struct net *net);

/* The process ends: what has arrived is executed and answered, then every connection is closed. */
void net_drain(struct net *net);
/* Whether all are closed. */
bool net_is_drained(const struct net *net);

/* After a CLIENT KILL, before its reply leaves: who was killed finds the connection ended by then.
 * The killer, when it is one of them, still gets its reply. */
void net_shut_killed(struct net *net, const struct session *killer);

/* Moves a connection to a queue's end, out of the one that it is in. */
void net_move(struct net *net, struct net_seat *seat, enum net_place place);

/* Runs a request, and sees to those that it has killed. */
static inline void net_run(struct net *net, struct session *session, const struct request *request,
                           struct reply_to to)
{
    dispatch(net->engine, session, request, to);
    if (UNLIKELY(net->engine->killed)) net_shut_killed(net, session);
}

/* The number of the invariant above that does not hold, or 0. */
int net_check(const struct net *net);

#endif
