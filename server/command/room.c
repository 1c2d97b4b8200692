#include "command/room.h"

enum { FRUITLESS_MAX = 10 };

static uint64_t wanted_bytes(const struct server *s)
{
    uint64_t used = room_counted_bytes(s), most = s->config.maxmemory;
    return most && used > most ? used - most : 0;
}

static uint64_t slack_bytes(const struct server *s)
{
    uint64_t slack = s->config.maxmemory / ROOM_SLACK_PART;
    return slack < ROOM_SLACK_BYTES ? slack : ROOM_SLACK_BYTES;
}

/* A collection that was asked for here is under way, and what it finds may be enough. */
static bool awaits_garbage(const struct server *s)
{
    return s->heap.collect.full_done < s->room.ticket && wanted_bytes(s) <= 2 * slack_bytes(s);
}

/*
 * A shared name that went may have left garbage, which gives more than the next name; and garbage
 * is all that can help where no name does. The collector's own pace is for memory that may be had
 * later. As long as it finds nothing, it is asked only half as often each time.
 */
static void want_collection(struct server *s)
{
    struct room *r = &s->room;
    const struct collect *c = &s->heap.collect;
    if (!c->enabled || !c->candidates.count || c->full_done < r->ticket) return;
    if (++r->wanted < 1U << r->fruitless) return;
    bool found = c->stats.collected_objects != r->collected_before;
    r->fruitless = found ? 0 : r->fruitless + (r->fruitless < FRUITLESS_MAX);
    r->collected_before = c->stats.collected_objects;
    r->wanted = 0;
    r->ticket = collect_full_begin(&s->heap);
}

/* Evicts a name, or says what is to be done instead. */
static enum room_state evict(struct server *s)
{
    s->evict.collecting = awaits_garbage(s);
    switch (evict_one(&s->evict, wanted_bytes(s))) {
    case EVICT_WENT: s->room.evicted_last = true; return ROOM_ENOUGH;
    case EVICT_LATER: return ROOM_BEHIND;
    case EVICT_NO_HELP: break;
    }
    return ROOM_NONE;
}

static enum room_state make(struct server *s)
{
    int64_t deadline = 0;
    uint64_t shared_before = s->evict.names_shared;
    enum room_state state = ROOM_ENOUGH;
    for (bool first = true; state == ROOM_ENOUGH && wanted_bytes(s); first = false) {
        if (!server_free_step(s)) {
            state = evict(s);
            if (first) continue; /* most often one name is enough */
        }
        int64_t now = clock_mono_ns();
        if (!deadline) deadline = now + ROOM_NS;
        if (now >= deadline && state == ROOM_ENOUGH) state = ROOM_BEHIND;
    }
    if (state == ROOM_ENOUGH) evict_enough(&s->evict);
    if (s->evict.names_shared != shared_before) want_collection(s);
    return state;
}

/* Where no name helps, garbage may: not where none may go, as in Redis. */
static enum room_state or_garbage(const struct server *s, enum room_state state)
{
    bool may = state == ROOM_NONE && evict_has_names(&s->evict) && awaits_garbage(s);
    return may ? ROOM_BEHIND : state;
}

bool room_make(struct server *s)
{
    enum room_state state = make(s);
    if (state == ROOM_NONE) want_collection(s); /* only here, so that who waits waits for one */
    s->room.state = or_garbage(s, state);
    return s->room.state != ROOM_NONE;
}

void room_configure(struct server *s)
{
    evict_configure(&s->evict, s->config.maxmemory_policy, s->config.maxmemory_samples);
    s->room.state = wanted_bytes(s) ? ROOM_BEHIND : ROOM_ENOUGH;
}

bool room_has_work(const struct server *s)
{
    return s->room.state == ROOM_BEHIND || (s->room.state == ROOM_NONE && !wanted_bytes(s));
}

bool room_step(struct server *s)
{
    s->room.state = or_garbage(s, make(s));
    return s->room.state == ROOM_BEHIND;
}

bool room_is_short(const struct server *s)
{
    return s->room.state == ROOM_BEHIND && wanted_bytes(s) > slack_bytes(s);
}
