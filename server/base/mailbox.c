#include "base/mailbox.h"

bool mailbox_put(struct mailbox *m, struct bundle *b)
{
    if (!b->newest) return false;
    struct letter *before = atomic_load_explicit(&m->newest, memory_order_relaxed);
    do {
        b->oldest->next = before;
    } while (!atomic_compare_exchange_weak_explicit(&m->newest, &before, b->newest,
                                                    memory_order_release, memory_order_relaxed));
    *b = (struct bundle){0};
    return before == NULL;
}

struct letter *mailbox_take(struct mailbox *m)
{
    /* All of them at once: letters are never taken out of the middle, so that none can be put back
     * between a look and an exchange. */
    struct letter *l = atomic_exchange_explicit(&m->newest, NULL, memory_order_acquire);
    struct letter *oldest = NULL;
    while (l) {
        struct letter *next = l->next;
        l->next = oldest;
        oldest = l;
        l = next;
    }
    return oldest;
}
