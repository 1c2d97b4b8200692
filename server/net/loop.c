#include "net/loop.h"

#include "base/log.h"
#include "net/stream_poll.h"
#include "net/stream_ring.h"

/* --- the queues --- */

static void unlink_node(struct loop *l, struct queue_node *node)
{
    if (node->previous)
        node->previous->next = node->next;
    else
        l->queues[node->queue].first = node->next;
    if (node->next)
        node->next->previous = node->previous;
    else
        l->queues[node->queue].last = node->previous;
    node->previous = node->next = NULL;
    node->queue = LOOP_NOWHERE;
}

void loop_move(struct loop *l, struct queue_node *node, enum loop_queue queue)
{
    if (node->queue != LOOP_NOWHERE) unlink_node(l, node);
    if (queue == LOOP_NOWHERE) return;
    node->queue = queue;
    node->previous = l->queues[queue].last;
    if (node->previous)
        node->previous->next = node;
    else
        l->queues[queue].first = node;
    l->queues[queue].last = node;
    if (queue == LOOP_READY) loop_keep_going(l);
}

void loop_each(struct loop *l, enum loop_queue queue, void (*each)(struct queue_node *))
{
    struct queue_node *node = l->queues[queue].first, *last = l->queues[queue].last;
    while (node) {
        struct queue_node *next = node == last ? NULL : node->next;
        each(node);
        node = next;
    }
}

/* --- the turn --- */

void loop_keep_going(struct loop *l)
{
    if (l->going) return;
    l->going = true;
    if (l->uv && !uv_is_closing((const uv_handle_t *)&l->idle)) uv_idle_start(&l->idle, l->on_idle);
}

void loop_may_block(struct loop *l)
{
    l->going = false;
    if (l->uv) uv_idle_stop(&l->idle);
}

/* --- beginning and end --- */

/* io_uring where it is wanted and the system has it, else libuv's poll. */
static enum status open_place(struct loop *l)
{
    struct engine *s = l->engine;
    int error = s->config.io_uring ? stream_ring_init(&l->place, &s->mem, l->uv) : 0;
    if (error)
        log_line(LOG_NOTICE, "no io_uring (%s): each read and write is a system call",
                 uv_strerror(error));
    enum status status = STATUS_OK;
    if (error || !s->config.io_uring)
        status = stream_poll_init(&l->place, &s->mem, l->uv, &s->clock);
    s->multiplexing = l->place.backend->name;
    return status;
}

enum status loop_init(struct loop *l, struct engine *engine, uv_loop_t *uv, uv_idle_cb on_idle,
                      void *self)
{
    *l = (struct loop){.engine = engine, .uv = uv, .on_idle = on_idle};
    if (open_place(l)) return STATUS_OOM;
    replies_pool_init(&l->replies, &engine->mem, &engine->reply_refs);
    uv_idle_init(uv, &l->idle);
    l->idle.data = self;
    return STATUS_OK;
}

void loop_init_apart(struct loop *l, struct engine *engine, const struct stream_place *place)
{
    *l = (struct loop){.engine = engine, .place = *place};
    engine->multiplexing = place->backend->name;
    replies_pool_init(&l->replies, &engine->mem, &engine->reply_refs);
}

void loop_close(struct loop *l)
{
    stream_place_close(&l->place);
    if (l->uv) uv_close((uv_handle_t *)&l->idle, NULL);
}

void loop_fini(struct loop *l)
{
    stream_place_fini(&l->place);
    replies_pool_fini(&l->replies);
}

static int check_outputs(const struct loop *l)
{
    const struct output_node *last = NULL;
    for (const struct output_node *n = l->outputs; n; last = n, n = n->next)
        if (!n->listed || n->previous != last) return 3;
    return last == l->outputs_last ? 0 : 3;
}

int loop_check(const struct loop *l)
{
    for (int queue = 0; queue < LOOP_QUEUES; queue++) {
        const struct queue_node *previous = NULL;
        for (const struct queue_node *n = l->queues[queue].first; n; previous = n, n = n->next)
            if ((int)n->queue != queue || n->previous != previous) return 1;
        if (l->queues[queue].last != previous) return 1;
    }
    if (l->queues[LOOP_NOWHERE].first) return 1;
    if (l->queues[LOOP_READY].first && !l->going) return 2;
    if (l->uv && l->going != uv_is_active((const uv_handle_t *)&l->idle)) return 2;
    return check_outputs(l);
}
