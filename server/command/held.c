#include "command/held.h"

#include "heap/rc.h"

static void each_held(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct held_all *all = self;
    for (const struct held *held = all->first; held; held = held->next)
        visit(ctx, held->o, HEAP_HOLD_COUNT);
}

void held_init(struct held_all *all, struct heap *h)
{
    *all = (struct held_all){.h = h, .holder = {.name = "replies", .each = each_held, .self = all}};
    heap_add_holder(h, &all->holder);
}

bool held_add(struct held_all *all, struct held_list *list, struct obj *o, struct view bytes,
              size_t at)
{
    struct held *held = mem_alloc(all->h->mem, sizeof *held);
    if (!held) return false;
    *held = (struct held){.next = all->first, .o = o, .bytes = bytes, .at = at};
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

static void drop(struct held_all *all, struct held *held)
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

void held_drop_behind(struct held_all *all, struct held_list *list, struct held *last)
{
    struct held *held = last ? last->behind : list->first;
    while (held) {
        struct held *behind = held->behind;
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

void held_gather(struct held_list *to, struct held_list *from)
{
    if (!from->first) return;
    if (to->last)
        to->last->behind = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->bytes += from->bytes;
    to->count += from->count;
    *from = (struct held_list){0};
}

bool held_return(struct held_all *all, struct held_list *list)
{
    struct bundle b = {0};
    for (struct held *held = list->first; held; held = held->behind) bundle_add(&b, &held->letter);
    *list = (struct held_list){0};
    return mailbox_put(&all->returned, &b);
}

void held_drop_returned(struct held_all *all)
{
    struct letter *l = mailbox_take(&all->returned);
    while (l) {
        struct letter *next = l->next;
        drop(all, (struct held *)((char *)l - offsetof(struct held, letter)));
        l = next;
    }
}

void held_shift(struct held_list *list, size_t from, size_t bytes)
{
    for (struct held *held = list->first; held; held = held->behind)
        if (held->at >= from) held->at += bytes;
}

int held_check(const struct held_list *list)
{
    uint64_t bytes = 0, count = 0;
    const struct held *last = NULL;
    for (const struct held *held = list->first; held; last = held, held = held->behind) {
        if (last && held->at < last->at) return 1;
        bytes += held->bytes.n;
        count++;
    }
    return bytes == list->bytes && count == list->count && last == list->last ? 0 : 1;
}
