#include "engine/maxmemory.h"

#include "engine/reclaim.h"

enum { FRUITLESS_MAX = 10 };

static uint64_t wanted_bytes(const struct engine *s)
{
    uint64_t used = maxmemory_counted_bytes(s), most = s->config.maxmemory;
    return most && used > most ? used - most : 0;
}

static uint64_t slack_bytes(const struct engine *s)
{
    uint64_t slack = s->config.maxmemory / MAXMEMORY_SLACK_PART;
    return slack < MAXMEMORY_SLACK_BYTES ? slack : MAXMEMORY_SLACK_BYTES;
}

/* A collection that was asked for here is under way, and what it finds may be enough. */
static bool awaits_garbage(const struct engine *s)
{
    return s->heap.collect.full_done < s->maxmemory.ticket && wanted_bytes(s) <= 2 * slack_bytes(s);
}

/*
 * A shared name that went may have left garbage, which gives more than the next name; and garbage
 * is all that can help where no name does. The collector's own pace is for memory that may be had
 * later. As long as it finds nothing, it is asked only half as often each time.
 */
static void want_collection(struct engine *s)
{
    struct maxmemory *r = &s->maxmemory;
    const struct collect *c = &s->heap.collect;
    if (!c->enabled || !c->candidates.count || c->full_done < r->ticket) return;
    if (++r->wanted < 1U << r->fruitless) return;
    bool found = c->collected != r->collected_before;
    r->fruitless = found ? 0 : r->fruitless + (r->fruitless < FRUITLESS_MAX);
    r->collected_before = c->collected;
    r->wanted = 0;
    r->ticket = collect_full_begin(&s->heap);
}

/* Evicts a name, or says what is to be done instead. */
static enum maxmemory_state evict(struct engine *s)
{
    s->evict.collecting = awaits_garbage(s);
    switch (evict_one(&s->evict, wanted_bytes(s))) {
    case EVICT_WENT: s->maxmemory.evicted_last = true; return MAXMEMORY_ENOUGH;
    case EVICT_LATER: return MAXMEMORY_BEHIND;
    case EVICT_NO_HELP: break;
    }
    return MAXMEMORY_NONE;
}

static enum maxmemory_state make(struct engine *s)
{
    int64_t deadline = 0;
    uint64_t shared_before = s->evict.names_shared;
    enum maxmemory_state state = MAXMEMORY_ENOUGH;
    for (bool first = true; state == MAXMEMORY_ENOUGH && wanted_bytes(s); first = false) {
        if (!reclaim_some(s)) {
            state = evict(s);
            if (first) continue; /* most often one name is enough */
        }
        int64_t now = clock_mono_ns(&s->clock);
        if (!deadline) deadline = now + MAXMEMORY_NS;
        if (now >= deadline && state == MAXMEMORY_ENOUGH) state = MAXMEMORY_BEHIND;
    }
    if (state == MAXMEMORY_ENOUGH) evict_enough(&s->evict);
    effects_commit(&s->heap.effects);
    if (s->evict.names_shared != shared_before) want_collection(s);
    return state;
}

/* Where no name helps, garbage may: not where none may go, as in Redis. */
static enum maxmemory_state or_garbage(const struct engine *s, enum maxmemory_state state)
{
    bool may = state == MAXMEMORY_NONE && evict_has_names(&s->evict) && awaits_garbage(s);
    return may ? MAXMEMORY_BEHIND : state;
}

bool maxmemory_make(struct engine *s)
{
    enum maxmemory_state state = make(s);
    if (state == MAXMEMORY_NONE)
        want_collection(s); /* only here, so that who waits waits for one */
    s->maxmemory.state = or_garbage(s, state);
    return s->maxmemory.state != MAXMEMORY_NONE;
}

void maxmemory_configure(struct engine *s)
{
    evict_configure(&s->evict, s->config.maxmemory_policy, s->config.maxmemory_samples);
    s->maxmemory.state = wanted_bytes(s) ? MAXMEMORY_BEHIND : MAXMEMORY_ENOUGH;
}

bool maxmemory_has_work(const struct engine *s)
{
    return s->maxmemory.state == MAXMEMORY_BEHIND ||
           (s->maxmemory.state == MAXMEMORY_NONE && !wanted_bytes(s));
}

bool maxmemory_step(struct engine *s)
{
    s->maxmemory.state = or_garbage(s, make(s));
    return s->maxmemory.state == MAXMEMORY_BEHIND;
}

bool maxmemory_is_short(const struct engine *s)
{
    return s->maxmemory.state == MAXMEMORY_BEHIND && wanted_bytes(s) > slack_bytes(s);
}
