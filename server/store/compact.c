#include "store/compact.h"

#include "base/prefetch.h"

enum {
    LOOK_SLOTS = 16, /* between two looks at the clock */
    LOOK_MARKS = 8,
    LOOK_MERGES = 4,
    BATCH_CELLS = 16,
};

void compact_init(struct compact *c, struct keyspace *ks)
{
    *c = (struct compact){.ks = ks};
}

uint64_t compact_begin(struct compact *c)
{
    /* A run that is under way may have passed by what this caller deleted. */
    if (c->wanted == c->done || c->wanted == c->running) c->wanted++;
    return c->wanted;
}

bool compact_is_done(const struct compact *c, uint64_t ticket)
{
    return c->done >= ticket;
}

/* --- containers --- */

struct batch {
    struct obj *at[BATCH_CELLS];
    uint64_t before[BATCH_CELLS]; /* the walk's cursor that finds it first */
    uint32_t count;
};

static void batch_add(void *ctx, struct cell *c)
{
    struct batch *b = ctx;
    prefetch(c->body);
    b->at[b->count++] = &c->head;
}

/* What dies, or is being cleared, is not worth it; and its body's words may be a link. */
static bool may_move(const struct obj *o)
{
    return o->count > 0 && obj_body(o) && (o->flags & OBJ_PINNED) == 0;
}

/* Moves some slots of a container; true when it is finished. */
static bool container_step(struct compact *c, struct obj *o, uint32_t slots_max)
{
    struct heap *h = c->ks->h;
    if (!may_move(o)) return true;
    uint64_t at = c->within == (uintptr_t)o ? c->within_cursor : 0;
    c->within = 0;
    if (h->types[o->type]->move(h, o, &at, slots_max)) return true;
    c->within = (uintptr_t)o;
    c->within_cursor = at;
    return false;
}

/* A few containers, or the one that the last step did not finish; where there are none, as many
 * arenas as one call of the walk looks at. */
static bool batch_fill(struct compact *c, struct batch *b, uint32_t slots_max)
{
    uint32_t cells_max = slots_max < BATCH_CELLS ? slots_max : BATCH_CELLS;
    if (c->within) cells_max = 1;
    while (b->count < cells_max) {
        uint32_t count = b->count;
        uint64_t before = c->cursor;
        bool more = pool_cell_walk(c->ks->h->pool, &c->cursor, 1, batch_add, b);
        if (b->count > count) b->before[count] = before;
        if (!more) return false;
        if (b->count == count) break;
    }
    return true;
}

/* True while there are more containers; one that is not finished is the first of the next step.
 * Nothing that is done here makes or frees a cell, so a batch stays what it is. */
static bool containers_step(struct compact *c, uint32_t slots_max)
{
    struct batch b = {.count = 0};
    bool more = batch_fill(c, &b, slots_max);
    for (uint32_t i = 0; i < b.count; i++) {
        if (container_step(c, b.at[i], slots_max)) continue;
        c->cursor = b.before[i];
        return true;
    }
    return more;
}

/* --- a run --- */

static bool is_draining(const struct compact *c)
{
    const struct heap *h = c->ks->h;
    return h->release_pending || h->weak.first || c->ks->debris || h->collect.phase == COLLECT_FREE;
}

static uint64_t waste_bytes(const struct compact *c)
{
    struct pool_stats s;
    pool_get_stats(c->ks->h->pool, &s);
    return s.waste_bytes;
}

static void run_begin(struct compact *c, int64_t now_ns)
{
    c->running = c->wanted != c->done ? c->wanted : 0;
    c->phase = COMPACT_DRAINS;
    c->drain_until_ns = now_ns + (c->running ? COMPACT_DRAIN_NS : COMPACT_DRAIN_UNASKED_NS);
    c->bytes_before = c->ks->h->mem->bytes + c->ks->h->mem->trim_bytes;
    c->cursor = c->within = 0;
    c->passes = 0;
    c->run_ns = 0;
    c->stats.runs++;
}

static void run_end(struct compact *c)
{
    uint64_t bytes = c->ks->h->mem->bytes;
    if (bytes < c->bytes_before) c->stats.adopted_bytes += c->bytes_before - bytes;
    if (c->running) c->done = c->running;
    c->running = 0;
    c->phase = COMPACT_IDLE;
    c->waste_mark = waste_bytes(c);
}

/* Some of the present phase; true while there is more of it. */
static bool phase_step(struct compact *c, int64_t now_ns, uint32_t slots_max)
{
    struct keyspace *ks = c->ks;
    struct pool *p = ks->h->pool;
    switch (c->phase) {
    case COMPACT_DRAINS: return is_draining(c) && now_ns < c->drain_until_ns;
    case COMPACT_FITS:
        return keyspace_fit_step(ks, slots_max < LOOK_MERGES ? slots_max : LOOK_MERGES);
    case COMPACT_MARKS: return pool_leave_step(p, slots_max < LOOK_MARKS ? slots_max : LOOK_MARKS);
    case COMPACT_NAMES:
        c->cursor = keyspace_move_step(ks, c->cursor, slots_max);
        return c->cursor != 0;
    case COMPACT_CONTAINERS: return containers_step(c, slots_max);
    case COMPACT_TABLES: return heap_compact_step(ks->h, &c->cursor, slots_max);
    case COMPACT_UNMARKS: return pool_stay_step(p, LOOK_MARKS);
    case COMPACT_GIVES: return pool_purge_step(p) || mem_trim_step(ks->h->mem);
    case COMPACT_IDLE:
    case COMPACT_PHASES: break;
    }
    return false;
}

static void advance(struct compact *c, int64_t now_ns, uint32_t slots_max)
{
    if (phase_step(c, now_ns, slots_max)) return;
    c->cursor = 0;
    c->phase++;
    if (c->phase == COMPACT_NAMES && !pool_has_moves(c->ks->h->pool))
        c->phase = COMPACT_GIVES;
    else if (c->phase == COMPACT_GIVES && ++c->passes < COMPACT_PASSES_MAX)
        c->phase = COMPACT_MARKS;
    if (c->phase == COMPACT_PHASES) run_end(c);
}

/* Whether the background begins a run: see the header. */
static bool is_due(struct compact *c, int64_t now_ns)
{
    if (c->waste_percent == 0 || now_ns < c->look_at_ns || now_ns < c->rest_until_ns) return false;
    c->look_at_ns = now_ns + COMPACT_LOOK_NS;
    struct pool_stats s;
    pool_get_stats(c->ks->h->pool, &s);
    if (s.waste_bytes < c->waste_mark) c->waste_mark = s.waste_bytes;
    uint64_t grown = s.waste_bytes - c->waste_mark;
    return s.waste_bytes >= COMPACT_WASTE_BYTES_MIN && grown >= s.reserved_bytes / 16 &&
           s.waste_bytes / c->waste_percent >= s.reserved_bytes / 100;
}

bool compact_has_work(struct compact *c, int64_t now_ns, bool idle)
{
    if (c->phase == COMPACT_IDLE) {
        if (c->wanted == c->done && !is_due(c, now_ns)) return false;
        run_begin(c, now_ns);
    }
    if (c->phase == COMPACT_DRAINS && is_draining(c) && now_ns < c->drain_until_ns) return false;
    return idle || now_ns >= c->busy_until_ns;
}

int64_t compact_due_ns(const struct compact *c)
{
    return c->phase == COMPACT_IDLE ? -1 : c->busy_until_ns;
}

bool compact_step(struct compact *c, int64_t now_ns, int64_t budget_ns)
{
    if (c->phase == COMPACT_IDLE) return false;
    struct clock *clock = c->ks->h->clock;
    int64_t began = clock_thread_ns(clock);
    if (c->slots_max) {
        advance(c, now_ns, c->slots_max);
    } else {
        int64_t deadline = clock_mono_ns(clock) + budget_ns;
        do advance(c, now_ns, LOOK_SLOTS);
        while (c->phase != COMPACT_IDLE && clock_mono_ns(clock) < deadline);
    }
    int64_t took = clock_thread_ns(clock) - began;
    c->stats.cpu_ns += (uint64_t)took;
    c->run_ns += took;
    c->busy_until_ns = now_ns + took * (c->running ? COMPACT_WANTED_PART : COMPACT_BUSY_PART);
    if (c->phase != COMPACT_IDLE) return true;
    c->rest_until_ns = now_ns + c->run_ns * COMPACT_REST_FACTOR;
    return c->wanted != c->done;
}

bool compact_check(const struct compact *c)
{
    if (c->phase >= COMPACT_PHASES || c->done > c->wanted) return false;
    if (c->running && c->running != c->done + 1) return false; /* 2 */
    return c->phase != COMPACT_IDLE ||
           (c->running == 0 && !pool_has_leaving(c->ks->h->pool)); /* 1 */
}
