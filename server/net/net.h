/*
 * The network: listeners, connections, and the order in which a turn of the loop serves them. The
 * top of net/: daemon.c starts it and calls it in each turn. It runs no requests itself.
 *
 * One turn of the loop:
 *   1. ready            (idle phase)  connections that are ready (their quota was used up, or input
 *                                     is left) continue, unless they give way (below)
 *   2. input            (prepare phase with io_uring, which waits there; else poll phase)
 *                                     each connection with input runs requests within its quota
 *   3. net_send         (check phase) if the steps that follow will take their time: replies leave
 *   4. net_after_steps  (check phase) the daemon ran steps_run; connections whose wait is over
 *                                     continue, killed ones are closed
 *   5. output           (prepare phase) what is left of the turn's replies leaves
 * The first of these that finds anything to do begins the turn: it reads the clocks (engine_turn).
 *
 * Replies leave in one place, net_send, which first calls `before_send`: what must be done before
 * any client sees what this turn changed (a journal is written). It is also the exit of what one
 * session's command writes to another session (engine_push). CLIENT KILL takes effect there: killed
 * clients are sent what they were answered, their sockets are shut down, and only then other
 * replies leave. So the killer finds them ended.
 *
 * Fairness has two rules.
 *   - A connection runs requests until its quota of the turn is used up (requests.h), then becomes
 *     ready.
 *   - Ready connections give way: they continue after a poll that found no other work, or when
 *     NET_YIELD_PART times as long as their last run took has passed. So heavy clients get what
 *     light ones leave, and a ninth of the time at least. It is a feedback queue of two levels
 *     (Corbato et al., "An Experimental Time-Sharing System", 1962). A smaller quota would not do:
 *     if clients come back as fast as they are served, each quota meets as many of them as came
 *     during the last one, whatever its length (tests/bench/fair.py).
 *
 * A turn that a timer began does not block, for its clocks would be old when the poll returns.
 * Before a poll that may block some time may pass (pace.h).
 *
 * Invariants: those of loop.h. Ownership: the listeners and the loop; connections own themselves
 * until they are closed. Cost: a turn costs what its connections do; a turn after a CLIENT KILL,
 * and a tick, look at every session.
 */
#ifndef HEAPD_NET_NET_H
#define HEAPD_NET_NET_H

#include "net/listener.h"
#include "net/loop.h"

enum {
    NET_TICK_MS = 1000,            /* idle clients, lingering connections */
    NET_YIELD_PART = 8,            /* turns of the ready ones, that they give way for */
    NET_COMPLAINT_NS = 1000000000, /* between two log lines about accepting */
    NET_EVICTIONS_MAX = 16,        /* of clients in a turn */
};

struct net {
    struct loop loop;
    struct listeners listeners;
    int64_t yield_until_ns; /* ready connections give way until then */
    int64_t complained_ns;  /* when the log was last told that accepting failed */
    /* Called before replies leave; NULL: nothing is to be done. */
    void (*before_send)(void *self);
    void *before_send_self;
    uv_prepare_t before_poll;
    uv_timer_t tick;
};

/* `engine` and `uv` outlive it. */
enum status net_init(struct net *net, struct engine *engine, uv_loop_t *uv) MUST_USE;
/* The same without libuv, on streams whose place is there: the caller takes the turns, by the
 * functions of the phases, and opens connections by conn_new and conn_begin. */
void net_init_apart(struct net *net, struct engine *engine, const struct stream_place *place);
/* Listens as the configuration says; see listeners_open. */
bool net_listen(struct net *net, char error[LISTENER_ERROR_BYTES]) MUST_USE;
/* Closes all handles; the loop must run until it is empty, then net_fini. */
void net_close(struct net *net);
void net_fini(struct net *net);

/* The phases of a turn, for whoever takes it without libuv: in the idle phase, while the loop is
 * going; in the prepare phase, which hands over what was put off, and waits where the backend does;
 * every NET_TICK_MS. */
void net_continue(struct net *net);
void net_before_poll(struct net *net);
void net_tick(struct net *net);

/* What was answered in this turn leaves. */
void net_send(struct net *net);
static inline bool net_is_ready(const struct net *net)
{
    return net->loop.queues[LOOP_READY].first != NULL;
}

/* In the check phase, after steps_run. Ends the turn. True while a connection is ready, or one that
 * waited has run requests, which may have left work for a step: the loop must not block. */
bool net_after_steps(struct net *net);

/* The process ends: what has arrived is executed and answered, then every connection is closed. */
void net_drain(struct net *net);
/* Whether all are closed. */
bool net_is_drained(const struct net *net);

#endif
