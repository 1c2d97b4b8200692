#include "engine/reply_refs.h"

#include "heap/rc.h"

static void each_held(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct reply_refs_all *all = self;
    for (const struct reply_ref *held = all->first; held; held = held->next)
        visit(ctx, held->o, HEAP_HOLD_COUNT);
}

void reply_refs_init(struct reply_refs_all *all, struct heap *h)
{
    *all = (struct reply_refs_all){.h = h,
                                   .holder = {.name = "replies", .each = each_held, .self = all}};
    heap_add_holder(h, &all->holder);
}

bool reply_refs_add(struct reply_refs_all *all, struct reply_refs *list, struct obj *o,
                    struct view bytes, size_t at)
{
    struct reply_ref *held = mem_alloc(all->h->mem, sizeof *held);
    if (!held) return false;
    *held = (struct reply_ref){.next = all->first, .o = o, .bytes = bytes, .at = at};
    if (all->first) all->first->previous = held;
    all->first = held;
    all->count++;
    if (list->last)
        list->last->behind = held;
    else
        list->first = held;
    list->last = held;
    list->bytes += bytes.n;
    list->count++;
    rc_inc(all->h, o);
    return true;
}

static void drop(struct reply_refs_all *all, struct reply_ref *held)
{
    if (held->next) held->next->previous = held->previous;
    if (held->previous)
        held->previous->next = held->next;
    else
        all->first = held->next;
    all->count--;
    rc_dec(all->h, held->o);
    mem_free(all->h->mem, held, sizeof *held);
}

void reply_refs_drop_behind(struct reply_refs_all *all, struct reply_refs *list,
                            struct reply_ref *last)
{
    struct reply_ref *held = last ? last->behind : list->first;
    while (held) {
        struct reply_ref *behind = held->behind;
        list->bytes -= held->bytes.n;
        list->count--;
        drop(all, held);
        held = behind;
    }
    list->last = last;
    if (last)
        last->behind = NULL;
    else
        list->first = NULL;
}

void reply_refs_shift(struct reply_refs *list, size_t from, size_t bytes)
{
    for (struct reply_ref *held = list->first; held; held = held->behind)
        if (held->at >= from) held->at += bytes;
}

int reply_refs_check(const struct reply_refs *list)
{
    uint64_t bytes = 0, count = 0;
    const struct reply_ref *last = NULL;
    for (const struct reply_ref *held = list->first; held; last = held, held = held->behind) {
        if (last && held->at < last->at) return 1;
        bytes += held->bytes.n;
        count++;
    }
    return bytes == list->bytes && count == list->count && last == list->last ? 0 : 1;
}
