/* The pace of the collector: when a trial starts, how long a slice lasts, full collections,
 * freezing. */
#include "heap/collect_parts.h"

/* Between two looks at the clock. */
enum { SLOTS_PER_LOOK = 128 };

static void walk_lost(void *heap, struct cell *cell)
{
    struct heap *h = heap;
    struct obj *o = &cell->head;
    if (o->count && (o->flags & (OBJ_VISIBLE | OBJ_CANDIDATE)) == OBJ_VISIBLE && o->roots == 0)
        candidates_add(h, o);
}

static void walk_step(struct heap *h, uint32_t cells)
{
    struct collect *c = &h->collect;
    if (!c->walking) {
        c->walking = true;
        c->walk_cursor = 0;
        c->candidates.lost = false; /* set again if memory is still out */
    }
    if (!pool_cell_walk(h->pool, &c->walk_cursor, cells, walk_lost, h)) c->walking = false;
}

/* What may be allocated while garbage waits: then a trial starts, however little the last one
 * found. */
static bool has_grown(const struct heap *h)
{
    size_t bytes = h->mem->bytes, mark = h->collect.bytes_mark;
    size_t allowed = bytes / 10 > COLLECT_GROWTH_BYTES_MIN ? bytes / 10 : COLLECT_GROWTH_BYTES_MIN;
    return bytes > mark && bytes - mark > allowed;
}

/* Whether the last trial was worth what it cost. */
static bool was_fruitful(const struct collect *c)
{
    return c->stats.last[0].condemned * 4 >= c->stats.last[0].reached;
}

/* Enough candidates to start a trial while commands are waiting. */
static bool has_enough(const struct collect *c)
{
    uint64_t candidates = c->candidates.count - c->candidates.dead;
    if (candidates < c->threshold) return false;
    if (c->threshold_fixed) return true;
    uint64_t reached = c->stats.last[0].reached;
    return candidates >= (was_fruitful(c) ? reached / 2 : reached * 2);
}

/* How long candidates wait while more keep coming up and the loop is idle now and then. */
static int64_t patience_ns(const struct collect *c)
{
    return COLLECT_IDLE_NS << (2 * c->fruitless);
}

/* For how long nothing more must have come up: longer after a trial that cost much in vain. */
static int64_t quiet_ns(const struct collect *c)
{
    int64_t quiet = was_fruitful(c) ? 0 : 2 * (int64_t)c->stats.last[0].ns;
    if (quiet < COLLECT_IDLE_NS) return COLLECT_IDLE_NS;
    return quiet < COLLECT_QUIET_NS_MAX ? quiet : COLLECT_QUIET_NS_MAX;
}

/* When a trial may start because nothing more has come up. */
static int64_t quiet_due_ns(const struct collect *c)
{
    int64_t quiet = c->candidates.newest_ns + quiet_ns(c);
    int64_t rest = c->rest_until_ns < c->quiet_until_ns ? c->rest_until_ns : c->quiet_until_ns;
    return quiet > rest ? quiet : rest;
}

static bool trial_due(const struct heap *h, bool idle)
{
    const struct collect *c = &h->collect;
    if (!c->enabled || !c->candidates.count) return false;
    if (c->eager || has_grown(h)) return true;
    int64_t now = clock_mono_ns(h->clock), waited = now - c->candidates.oldest_ns;
    if (now >= quiet_due_ns(c)) return true;
    if (now < c->rest_until_ns) return false;
    return has_enough(c) || waited > (idle ? patience_ns(c) : COLLECT_WAIT_NS_MAX);
}

int64_t collect_due_ns(const struct heap *h)
{
    const struct collect *c = &h->collect;
    if (!c->enabled || !c->candidates.count) return -1;
    int64_t due = c->candidates.oldest_ns + patience_ns(c), quiet = quiet_due_ns(c);
    if (due < c->rest_until_ns) due = c->rest_until_ns;
    return due < quiet ? due : quiet;
}

static bool wants_walk(const struct collect *c, bool idle)
{
    return c->walking || (c->candidates.lost && c->enabled && idle);
}

bool collect_has_work(const struct heap *h, bool idle)
{
    const struct collect *c = &h->collect;
    if (c->phase != COLLECT_IDLE || c->full_wanted != c->full_done || c->freezing) return true;
    if (c->segment_count > PLACE_SEGMENTS_KEPT || wants_walk(c, idle)) return true;
    return trial_due(h, idle);
}

uint32_t collect_slices_owed(const struct heap *h)
{
    const struct collect *c = &h->collect;
    if (c->phase == COLLECT_IDLE || h->mem->bytes <= c->bytes_mark) return 1;
    size_t owed =
        (h->mem->bytes - c->bytes_mark) / (COLLECT_GROWTH_BYTES_MIN / COLLECT_SLICES_OWED_MAX);
    return owed >= COLLECT_SLICES_OWED_MAX ? COLLECT_SLICES_OWED_MAX : 1 + (uint32_t)owed;
}

static void freeze_cell(void *heap, struct cell *cell)
{
    struct heap *h = heap;
    struct obj *o = &cell->head;
    if (o->count == 0 || collect_is_condemned(h, o) || (o->flags & OBJ_FROZEN)) return;
    o->flags |= OBJ_FROZEN;
    h->collect.frozen++;
    if (h->collect.trial_open && (o->flags & OBJ_VISIBLE)) collect_rescue(h, o);
}

static void thaw_cell(void *heap, struct cell *cell)
{
    struct heap *h = heap;
    if ((cell->head.flags & OBJ_FROZEN) == 0 || cell->head.count == 0) return;
    cell->head.flags &= (uint8_t)~OBJ_FROZEN;
    h->collect.frozen--;
}

static void freeze_step(struct heap *h, uint32_t cells)
{
    struct collect *c = &h->collect;
    bool freezes = c->freezing == COLLECT_FREEZES;
    if (pool_cell_walk(h->pool, &c->freeze_cursor, cells, freezes ? freeze_cell : thaw_cell, h))
        return;
    if (!freezes) c->candidates.lost = true; /* what came up while it was frozen was dropped */
    c->freezing = COLLECT_NO_WALK;
}

void collect_freeze(struct heap *h, bool on)
{
    struct collect *c = &h->collect;
    if (!on && c->frozen == 0 && c->freezing == COLLECT_NO_WALK) return;
    c->freezing = on ? COLLECT_FREEZES : COLLECT_THAWS;
    c->freeze_cursor = 0;
}

/* A full collection: the release queue is drained, what referred weakly to the dead is removed,
 * what waits elsewhere to let go of objects does so, lost candidates are found, and trials follow
 * each other until one finds nothing. */
static void full_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (!c->full_running) {
        c->full_running = c->full_wanted;
        c->full_trials = 0;
        c->full_before = c->collected;
    }
    if (h->release_pending) {
        heap_release_step(h, slots);
    } else if (h->weak.first) {
        weak_step(h, slots);
    } else if (h->let_go && h->let_go(h->let_go_ctx)) {
        /* and what it let go of goes next */
    } else if (c->candidates.lost || c->walking) {
        walk_step(h, slots);
    } else if (c->candidates.count && c->full_trials < COLLECT_FULL_TRIALS_MAX) {
        trial_start(h);
    } else {
        c->full_found = c->collected - c->full_before;
        c->full_done = c->full_running;
        c->full_running = 0;
    }
}

static void paced_start(struct heap *h)
{
    struct collect *c = &h->collect;
    c->trial_quiet = clock_mono_ns(h->clock) >= quiet_due_ns(c);
    trial_start(h);
}

static void idle_step(struct heap *h, uint32_t slots, bool idle)
{
    struct collect *c = &h->collect;
    if (c->freezing)
        freeze_step(h, slots);
    else if (c->full_wanted != c->full_done)
        full_step(h, slots);
    else if (wants_walk(c, idle))
        walk_step(h, slots);
    else if (trial_due(h, idle))
        paced_start(h);
    else if (c->segment_count > PLACE_SEGMENTS_KEPT)
        place_segment_drop(h);
}

static void advance(struct heap *h, uint32_t slots, bool idle)
{
    if (!trial_step(h, slots)) idle_step(h, slots, idle);
}

/* Steps that are short by nature (a batch of black ones) follow each other between two looks at the
 * clock. */
static void advance_until_look(struct heap *h, bool idle)
{
    const struct collect *c = &h->collect;
    uint32_t steps = c->phase == COLLECT_BLACK ? 4 : 1;
    uint32_t slots = SLOTS_PER_LOOK / steps;
    if (c->phase == COLLECT_IDLE) advance(h, slots, idle);
    for (; steps && c->phase != COLLECT_IDLE; steps--) advance(h, slots, idle);
}

/* After a trial that found little there is a rest, in proportion to what it cost. The one that
 * quiet cuts short grows from trial to trial. */
static void trial_ended(struct heap *h)
{
    struct collect *c = &h->collect;
    c->ended = false;
    c->stats.last[0].ns = c->trial_ns;
    if (c->stats.last[0].reached == 0)
        return; /* it cost nothing: the rest that there was goes on */
    int64_t now = clock_mono_ns(h->clock);
    if (was_fruitful(c)) {
        c->rest_until_ns = 0;
        c->fruitless = c->fruitless_quiet = 0;
        return;
    }
    int64_t rest = (int64_t)c->trial_ns * COLLECT_REST_FACTOR;
    if (rest < COLLECT_REST_NS_MIN) rest = COLLECT_REST_NS_MIN;
    c->rest_until_ns = now + (rest < COLLECT_REST_NS_MAX ? rest : COLLECT_REST_NS_MAX);
    c->quiet_until_ns = now + (COLLECT_REST_NS_MIN << c->fruitless_quiet);
    if (c->fruitless < COLLECT_FRUITLESS_MAX) c->fruitless++;
    if (c->trial_quiet && c->fruitless_quiet < COLLECT_FRUITLESS_QUIET_MAX) c->fruitless_quiet++;
}

bool collect_step(struct heap *h, bool idle)
{
    struct collect *c = &h->collect;
    if (!collect_has_work(h, idle)) return false;
    int64_t cpu = clock_thread_ns(h->clock);
    if (c->slice_slots_max) {
        advance(h, c->slice_slots_max, idle);
    } else {
        int64_t deadline = clock_mono_ns(h->clock) + (int64_t)c->budget_ns;
        do advance_until_look(h, idle);
        while (!c->ended && clock_mono_ns(h->clock) < deadline && collect_has_work(h, idle));
    }
    effects_commit(&h->effects); /* what the slice has freed */
    uint64_t took = (uint64_t)(clock_thread_ns(h->clock) - cpu);
    c->trial_ns += took;
    if (c->ended) trial_ended(h);
    c->stats.slices++;
    c->stats.cpu_ns += took;
    if (took > c->stats.longest_slice_ns) c->stats.longest_slice_ns = took;
    histogram_record(&c->stats.slice_ns, took);
    return collect_has_work(h, idle);
}

uint64_t collect_full_begin(struct heap *h)
{
    struct collect *c = &h->collect;
    /* One that is already running may have passed by what this caller dropped: its ticket is the
     * next one. */
    if (c->full_wanted == c->full_done || c->full_wanted == c->full_running) c->full_wanted++;
    return c->full_wanted;
}

bool collect_full_found(const struct heap *h, uint64_t ticket, uint64_t *found)
{
    if (h->collect.full_done < ticket) return false;
    *found = h->collect.full_found;
    return true;
}

void collect_enable(struct heap *h, bool on)
{
    struct collect *c = &h->collect;
    c->enabled = on;
    if (!on && c->trial_open && !c->full_running) trial_abandon(c);
}

uint64_t collect_table_bytes(const struct heap *h)
{
    return (uint64_t)h->collect.segment_count * COLLECT_SEGMENT_PLACES *
           sizeof(struct collect_place);
}

uint64_t collect_backlog(const struct heap *h)
{
    const struct collect *c = &h->collect;
    return c->candidates.count - c->candidates.dead + c->places;
}

void collect_init(struct collect *c)
{
    *c = (struct collect){
        .enabled = true,
        .populated = COLLECT_POPULATED_PLACES,
        .threshold = COLLECT_THRESHOLD_MIN,
        .budget_ns = COLLECT_BUDGET_NS,
        .sort_min = COLLECT_SORT_MIN,
    };
}

void collect_fini(struct heap *h)
{
    struct collect *c = &h->collect;
    while (c->segment_count) place_segment_drop(h);
    mem_free(h->mem, c->segments, c->segment_slots * sizeof *c->segments);
    candidates_fini(h);
    collect_init(c);
}
