#include "monitor/visits.h"

#include <stddef.h>
#include <sys/socket.h>

struct visit *visits_begin(struct visits *all, int fd, int64_t now_ns)
{
    for (int i = 0; i < VISITS_MAX; i++) {
        struct visit *v = &all->of[i];
        if (v->state != VISIT_NONE) continue;
        *v = (struct visit){
            .state = VISIT_REQUEST, .fd = fd, .begun_ns = now_ns, .since_ns = now_ns};
        all->count++;
        return v;
    }
    return NULL;
}

void visits_end(struct visits *all, struct visit *v)
{
    if (!v) return;
    if (v->state == VISIT_LATE) all->late--;
    *v = (struct visit){.state = VISIT_NONE};
    all->count--;
}

void visit_enters(struct visit *v, enum visit_state state, int64_t now_ns)
{
    if (!v || v->state == VISIT_LATE) return;
    v->state = state;
    v->since_ns = now_ns;
}

/* INT64_MAX: its place is free, or it is shut already. */
static int64_t limit_ns(const struct visit *v)
{
    switch (v->state) {
    case VISIT_REQUEST: return v->since_ns + VISIT_REQUEST_MS * (int64_t)1000000;
    case VISIT_IDLE: return v->since_ns + VISIT_IDLE_MS * (int64_t)1000000;
    case VISIT_NONE:
    case VISIT_LATE: break;
    }
    return INT64_MAX;
}

/* The visit that gives way next; NULL while places are free, or one is about to be. */
static struct visit *first_of_crowd(const struct visits *all)
{
    if (all->count < VISITS_MAX || all->late) return NULL;
    const struct visit *first = all->of;
    for (const struct visit *v = all->of; v < all->of + VISITS_MAX; v++)
        if (v->begun_ns < first->begun_ns) first = v;
    return (struct visit *)first;
}

static int64_t crowd_limit_ns(const struct visit *first)
{
    return first->begun_ns + VISIT_CROWDED_MS * (int64_t)1000000;
}

static void shut(struct visits *all, struct visit *v)
{
    shutdown(v->fd, SHUT_RDWR);
    v->state = VISIT_LATE;
    all->late++;
}

void visits_end_late(struct visits *all, int64_t now_ns)
{
    for (struct visit *v = all->of; v < all->of + VISITS_MAX; v++)
        if (limit_ns(v) <= now_ns) shut(all, v);
    struct visit *first = first_of_crowd(all);
    if (first && crowd_limit_ns(first) <= now_ns) shut(all, first);
}

int64_t visits_due_ns(const struct visits *all)
{
    const struct visit *first = first_of_crowd(all);
    int64_t due_ns = first ? crowd_limit_ns(first) : INT64_MAX;
    for (const struct visit *v = all->of; v < all->of + VISITS_MAX; v++)
        if (limit_ns(v) < due_ns) due_ns = limit_ns(v);
    return due_ns;
}

int visits_check(const struct visits *all)
{
    unsigned open = 0, late = 0;
    for (int i = 0; i < VISITS_MAX; i++) {
        if (all->of[i].state == VISIT_NONE) continue;
        open++;
        late += all->of[i].state == VISIT_LATE;
        for (int j = 0; j < i; j++)
            if (all->of[j].state != VISIT_NONE && all->of[j].fd == all->of[i].fd) return 1;
    }
    return open == all->count && late == all->late ? 0 : 1;
}
