/*
 * The turn of the loop as connections see it: its clocks, its queues, the place of its streams, and
 * who has something to send. The bottom of net/: conn.c and listener.c use it, net.c drives it, and
 * it calls neither.
 *
 * Connections that are to be looked at without an event of their own stand in a queue, at most one
 * each. Those with output stand in the list of outputs as well, which net.c empties when the turn
 * ends.
 *
 * A loop that has work left must not block: whoever leaves some calls loop_keep_going. The daemon
 * ends that (loop_may_block) when nothing is left.
 *
 * Invariants (loop_check)
 *   1. Every connection in a queue says so, and stands in it once.
 *   2. While a connection is ready, the loop keeps going.
 *   3. Every connection in the list of outputs says so, and stands in it once.
 * Ownership: the pool of replies and the place of streams are the loop's, nodes are embedded in
 * connections. Cost: O(1) each.
 */
#ifndef HEAPD_NET_LOOP_H
#define HEAPD_NET_LOOP_H

#include <uv.h>

#include "command/prefetch.h"
#include "net/pace.h"
#include "net/replies.h"
#include "net/stream.h"
#include "proto/batch.h"

enum loop_queue { LOOP_NOWHERE, LOOP_READY, LOOP_LINGERING, LOOP_QUEUES };

struct queue_node {
    struct queue_node *previous, *next;
    enum loop_queue queue; /* that it is in */
};

struct output_node {
    struct output_node *previous, *next;
    bool listed;
};

struct loop {
    struct engine *engine;
    uv_loop_t *uv; /* NULL: the turns are taken without libuv */
    struct stream_place place;
    struct replies_pool replies;
    struct request_batch batch; /* of the connection that is running; nothing in it stays */
    struct request requests[BATCH_REQUESTS_MAX];
    struct {
        struct queue_node *first, *last;
    } queues[LOOP_QUEUES]; /* that of LOOP_NOWHERE stays empty */
    struct output_node *outputs, *outputs_last;
    struct pace pace;
    uint64_t turn;  /* its number */
    bool turn_open; /* the clocks were read in this turn */
    bool busy;      /* a connection had input in this turn */
    bool others;    /* a connection that is not ready was served since ready ones might continue */
    bool draining;  /* the process ends: nothing more is read than has arrived */
    bool going;     /* the next poll does not block */
    uint64_t open;  /* connections that are not freed yet */
    uv_idle_t idle; /* active while `going` */
    uv_idle_cb on_idle;
};

/* `on_idle` runs in each turn that must not block; `self` is its handle's data. */
enum status loop_init(struct loop *l, struct engine *engine, uv_loop_t *uv, uv_idle_cb on_idle,
                      void *self) MUST_USE;
/* The same without libuv, on streams whose place is there: whoever takes the turns sees to it that
 * none blocks while the loop is `going`. */
void loop_init_apart(struct loop *l, struct engine *engine, const struct stream_place *place);
/* All connections were closed. */
void loop_close(struct loop *l);
void loop_fini(struct loop *l);

/* Begins the turn, unless it has begun. */
static inline void loop_turn(struct loop *l)
{
    if (l->turn_open) return;
    l->turn_open = true;
    l->turn++;
    engine_turn(l->engine);
    pace_turn(&l->pace, l->engine->mono_ns);
}

/* The next poll does not block; or may. */
void loop_keep_going(struct loop *l);
void loop_may_block(struct loop *l);

/* Moves a connection to a queue's end, out of the one that it is in. */
void loop_move(struct loop *l, struct queue_node *node, enum loop_queue queue);
/* Calls `each` for those that are in the queue now; it may move or close the connection that it is
 * given, and no other. */
void loop_each(struct loop *l, enum loop_queue queue, void (*each)(struct queue_node *));

/* The connection has something to send, which leaves when the turn ends. */
static inline void loop_add_output(struct loop *l, struct output_node *node)
{
    if (node->listed) return;
    *node = (struct output_node){.previous = l->outputs_last, .listed = true};
    if (node->previous)
        node->previous->next = node;
    else
        l->outputs = node;
    l->outputs_last = node;
}
/* It has not, or ends. */
static inline void loop_remove_output(struct loop *l, struct output_node *node)
{
    if (!node->listed) return;
    if (node->previous)
        node->previous->next = node->next;
    else
        l->outputs = node->next;
    if (node->next)
        node->next->previous = node->previous;
    else
        l->outputs_last = node->previous;
    *node = (struct output_node){.listed = false};
}

/* The number of the invariant above that does not hold, or 0. */
int loop_check(const struct loop *l);

#endif
