#include "command/room.h"

enum { NAMES = 8 /* between two looks at the clock */ };

static uint64_t wanted_bytes(const struct server *s)
{
    uint64_t used = server_used_bytes(s), most = s->config.maxmemory;
    return most && used > most ? used - most : 0;
}

/* A name that went may have left garbage, which gives more than the next name. */
static void want_collection(struct server *s)
{
    struct collect *c = &s->heap.collect;
    if (c->enabled && c->candidates.count && c->full_wanted == c->full_done)
        (void)collect_full_begin(&s->heap);
}

/* Frees some of what waits, or else what a name gives; false when there is nothing. */
static bool make_some(struct server *s, bool *evicted)
{
    *evicted = false;
    if (server_free_step(s)) return true;
    *evicted = evict_one(&s->evict, wanted_bytes(s));
    s->evicted_last |= *evicted;
    return *evicted;
}

static enum room make(struct server *s)
{
    int64_t deadline = 0;
    uint64_t shared_before = s->evict.names_shared;
    enum room room = ROOM_ENOUGH;
    for (uint32_t names = 0; room == ROOM_ENOUGH && wanted_bytes(s);) {
        bool evicted;
        if (!make_some(s, &evicted)) {
            room = ROOM_NONE;
            break;
        }
        /* Most often one name is enough, and costs less than to read the clock. */
        names += evicted;
        if (evicted && names % NAMES) continue;
        int64_t now = clock_mono_ns();
        if (!deadline) deadline = now + ROOM_NS;
        if (now >= deadline) room = ROOM_BEHIND;
    }
    if (room == ROOM_ENOUGH) evict_enough(&s->evict);
    if (room == ROOM_NONE || s->evict.names_shared != shared_before) want_collection(s);
    return room;
}

bool room_make(struct server *s)
{
    s->room = make(s);
    return s->room != ROOM_NONE;
}

void room_configure(struct server *s)
{
    evict_configure(&s->evict, s->config.maxmemory_policy, s->config.maxmemory_samples);
    s->room = wanted_bytes(s) ? ROOM_BEHIND : ROOM_ENOUGH;
}

bool room_has_work(const struct server *s)
{
    return s->room == ROOM_BEHIND || (s->room == ROOM_NONE && !wanted_bytes(s));
}

bool room_step(struct server *s)
{
    s->room = make(s);
    return s->room == ROOM_BEHIND;
}

bool room_is_short(const struct server *s)
{
    uint64_t slack = s->config.maxmemory / ROOM_SLACK_PART;
    if (slack > ROOM_SLACK_BYTES) slack = ROOM_SLACK_BYTES;
    return s->room == ROOM_BEHIND && wanted_bytes(s) > slack;
}
