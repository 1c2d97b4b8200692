#include "session/wait.h"

#include "base/panic.h"

static void enqueue(struct wait *w, struct wait_queue *q)
{
    w->queue = q;
    w->next = NULL;
    w->previous = q->last;
    if (q->last)
        q->last->next = w;
    else
        q->first = w;
    q->last = w;
}

static void dequeue(struct wait *w)
{
    struct wait_queue *q = w->queue;
    if (w->previous)
        w->previous->next = w->next;
    else
        q->first = w->next;
    if (w->next)
        w->next->previous = w->previous;
    else
        q->last = w->previous;
    w->previous = w->next = NULL;
    w->queue = NULL;
}

void wait_begin(struct wait *w, const struct wait_type *type, struct wait_queue *source)
{
    DASSERT(!w->type);
    w->type = type;
    w->source = source;
    enqueue(w, source);
}

void wait_end(struct wait *w)
{
    dequeue(w);
    w->type = NULL;
    w->source = NULL;
}

void wait_wake(struct wait *w, struct wait_queue *woken)
{
    if (w->queue == woken) return;
    dequeue(w);
    enqueue(w, woken);
}

void wait_wake_all(struct wait_queue *source, struct wait_queue *woken)
{
    while (source->first) wait_wake(source->first, woken);
}

void wait_sleep(struct wait *w)
{
    if (w->queue == w->source) return;
    dequeue(w);
    enqueue(w, w->source);
}

int wait_check(const struct wait *w)
{
    if (!w->type != !w->queue) return 1;
    if (!w->type) return 0;
    if ((w->previous ? w->previous->next : w->queue->first) != w) return 2;
    return (w->next ? w->next->previous : w->queue->last) == w ? 0 : 2;
}
