#include "heap/collect.h"

#include "base/clock.h"
#include "base/log.h"
#include "heap/rc.h"

/* Between two looks at the clock; how many places ahead things are fetched. */
enum { SLOTS_PER_LOOK = 128, SEGMENTS_KEPT = 4, PLACES_AHEAD = 4 };

struct collect_place {
    struct obj *o;            /* NULL: it died since */
    uint32_t shadow;          /* references not yet seen to come from inside the trial */
    uint32_t black_next : 30; /* link of the black list */
    uint32_t black : 1;
    uint32_t rescued : 1;
};

enum { PLACES_MAX = (1 << 30) - 1 };

static_assert(sizeof(struct collect_place) == 16, "a place is two words");

static const struct heap_type *type_of(const struct heap *h, const struct obj *o)
{
    return h->types[o->type];
}

/* --- places
 * ------------------------------------------------------------------------------------------------------
 */

static struct collect_place *place_at(const struct collect *c, uint32_t place)
{
    return &c->segments[place / COLLECT_SEGMENT_PLACES][place % COLLECT_SEGMENT_PLACES];
}

/* The place of an object that has a body, or 0: its colour. */
static uint32_t place_of(const struct collect *c, const struct obj *o)
{
    uint32_t place = obj_words(o)->place;
    return place && place <= c->places && place_at(c, place)->o == o ? place : 0;
}

static bool segment_add(struct heap *h)
{
    struct collect *c = &h->collect;
    if (c->segment_count == c->segment_slots) {
        uint32_t slots = c->segment_slots ? c->segment_slots * 2 : 16;
        void *p = mem_realloc(h->mem, c->segments, c->segment_slots * sizeof *c->segments,
                              slots * sizeof *c->segments);
        if (!p) return false;
        c->segments = p;
        c->segment_slots = slots;
    }
    struct collect_place *s = mem_alloc(h->mem, COLLECT_SEGMENT_PLACES * sizeof *s);
    if (!s) return false;
    c->segments[c->segment_count++] = s;
    return true;
}

static void segment_drop(struct heap *h)
{
    struct collect *c = &h->collect;
    mem_free(h->mem, c->segments[--c->segment_count],
             COLLECT_SEGMENT_PLACES * sizeof(struct collect_place));
}

/* Colours an object; 0 when there is no memory for a place. */
static uint32_t place_add(struct heap *h, struct obj *o)
{
    struct collect *c = &h->collect;
    uint32_t place = c->places + 1;
    if (place > PLACES_MAX) return 0;
    if (place / COLLECT_SEGMENT_PLACES == c->segment_count && !segment_add(h)) return 0;
    c->places = place;
    *place_at(c, place) = (struct collect_place){.o = o, .shadow = o->count};
    obj_words(o)->place = place;
    return place;
}

/* --- the barrier
 * -------------------------------------------------------------------------------------------------
 */

static void blacken(struct collect *c, uint32_t place)
{
    struct collect_place *p = place_at(c, place);
    if (p->black) return;
    p->black = true;
    p->black_next = c->black_list & PLACES_MAX;
    c->black_list = place;
}

static void rescue_place(struct collect *c, uint32_t place)
{
    struct collect_place *p = place_at(c, place);
    if (!p->rescued) c->trial_rescued++;
    p->rescued = true;
    if (c->phase == COLLECT_BLACK) blacken(c, place);
}

void collect_rescue(struct heap *h, struct obj *o)
{
    uint32_t place = place_of(&h->collect, o);
    if (place) rescue_place(&h->collect, place);
}

bool collect_is_condemned(struct heap *h, const struct obj *o)
{
    const struct collect *c = &h->collect;
    if (c->phase != COLLECT_FREE) return false;
    if (o->flags & OBJ_PINNED) return true;
    if ((o->flags & OBJ_VISIBLE) == 0) return false;
    uint32_t place = place_of(c, o);
    return place && !place_at(c, place)->black;
}

void collect_candidate(struct heap *h, struct obj *o)
{
    if (o->count == OBJ_COUNT_MAX || collect_is_condemned(h, o)) return;
    candidates_add(h, o);
}

static void count_collected(struct heap *h, const struct obj *o)
{
    h->collect.trial_condemned++;
    h->collect.stats.collected_objects++;
    h->collect.stats.collected_bytes += type_of(h, o)->bytes(o);
}

/* The scan of `scanning` is over or given up: gray goes on with the next place. */
static void scan_stop(struct collect *c)
{
    c->scanning = NULL;
    if (c->phase == COLLECT_GRAY) c->next++;
}

void collect_forget(struct heap *h, struct obj *o)
{
    struct collect *c = &h->collect;
    if (c->phase == COLLECT_IDLE) return;
    uint32_t place = place_of(c, o);
    if (!place) return;
    if (collect_is_condemned(h, o) && (o->flags & OBJ_PINNED) == 0) count_collected(h, o);
    if (c->scanning == o) scan_stop(c);
    place_at(c, place)->o = NULL;
}

void collect_disturbed(struct heap *h, struct obj *o, uint64_t back)
{
    struct collect *c = &h->collect;
    if (c->phase == COLLECT_GRAY) {
        rescue_place(c, place_of(c, o));
        scan_stop(c);
    } else {
        c->cursor -= back < c->cursor ? back : c->cursor;
    }
}

/* --- the phases
 * --------------------------------------------------------------------------------------------------
 */

/* Whether the collector may give it a place at all: not what a root holds, nor the immortal, the
 * frozen and the new. */
static bool may_be_garbage(const struct collect *c, const struct obj *o)
{
    return o->roots == 0 && o->count != OBJ_COUNT_MAX && (o->flags & OBJ_FROZEN) == 0 &&
           obj_words(o)->place != (COLLECT_NEW | c->trial_number);
}

/* One slot that refers to t, which is visible. */
static void gray_count(struct heap *h, struct obj *t)
{
    struct collect *c = &h->collect;
    uint32_t place = place_of(c, t);
    if (!place) {
        if (!may_be_garbage(c, t)) return;
        place = place_add(h, t);
        if (!place) {
            c->faulted = true;
            return;
        }
    }
    struct collect_place *p = place_at(c, place);
    if (p->shadow > 0) {
        p->shadow--;
    } else if (!p->rescued && !c->faulted) {
        c->faulted = true;
        c->stats.faults++;
        log_line(LOG_WARNING, "collector: a shadow count went below zero; the trial was abandoned");
        DASSERT(!"shadow below zero on an object that was not rescued");
    }
}

/*
 * The ring between visiting a slot and counting its target. Each target is handled three times,
 * RING_STAGE pushes apart: its cell is there, so its body is fetched; its body is there, so its
 * place is; then it is counted.
 */
enum { RING_SLOTS = 64, RING_STAGE = 8 };

struct ring {
    struct heap *h;
    struct obj *at[RING_SLOTS];
    uint32_t pushed, with_body, with_place, counted;
};

static void ring_fetch_body(struct ring *r)
{
    struct obj **t = &r->at[r->with_body++ % RING_SLOTS];
    if ((*t)->flags & OBJ_VISIBLE)
        __builtin_prefetch(obj_body(*t));
    else
        *t = NULL;
}

static void ring_fetch_place(struct ring *r)
{
    const struct obj *t = r->at[r->with_place++ % RING_SLOTS];
    const struct collect *c = &r->h->collect;
    if (!t) return;
    uint32_t place = obj_words(t)->place;
    if (place && place <= c->places) __builtin_prefetch(place_at(c, place));
}

static void ring_count(struct ring *r)
{
    struct obj *t = r->at[r->counted++ % RING_SLOTS];
    if (t) gray_count(r->h, t);
}

static void gray_visit(void *ring, struct obj *t)
{
    struct ring *r = ring;
    __builtin_prefetch(t);
    r->at[r->pushed++ % RING_SLOTS] = t;
    if (r->pushed - r->with_body > RING_STAGE) ring_fetch_body(r);
    if (r->with_body - r->with_place > RING_STAGE) ring_fetch_place(r);
    if (r->with_place - r->counted > RING_STAGE) ring_count(r);
}

static void ring_drain(struct ring *r)
{
    while (r->with_body != r->pushed) ring_fetch_body(r);
    while (r->with_place != r->pushed) ring_fetch_place(r);
    while (r->counted != r->pushed) ring_count(r);
}

static void black_visit(void *heap, struct obj *t)
{
    struct collect *c = &((struct heap *)heap)->collect;
    if ((t->flags & OBJ_VISIBLE) == 0) return;
    uint32_t place = place_of(c, t);
    if (place) blacken(c, place);
}

static void scan_start(struct heap *h, struct obj *o)
{
    struct collect *c = &h->collect;
    c->scanning = o;
    c->cursor = type_of(h, o)->begin(o);
    c->limit = type_of(h, o)->end(o);
}

/* Visits some slots of the container in mid-scan. What lies outside of its present ends has gone
 * since. */
static void scan_step(struct heap *h, uint32_t slots, heap_visit *visit, void *ctx)
{
    struct collect *c = &h->collect;
    struct obj *o = c->scanning;
    const struct heap_type *type = type_of(h, o);
    uint64_t begin = type->begin(o), end = type->end(o);
    if (c->cursor < begin) c->cursor = begin;
    uint64_t limit = c->limit < end ? c->limit : end;
    if (c->cursor < limit) c->cursor = type->visit(o, c->cursor, limit, slots, visit, ctx);
    if (c->cursor >= limit) scan_stop(c);
}

static void trial_start(struct heap *h)
{
    struct collect *c = &h->collect;
    c->phase = COLLECT_GRAY;
    c->trial_open = true;
    c->places = c->roots = c->black_list = 0;
    c->next = 1;
    c->take_left = c->candidates.count;
    c->trial_taken = c->trial_rescued = c->trial_condemned = c->trial_ns = 0;
    c->faulted = false;
    c->stats.trials++;
}

static void adapt_threshold(struct collect *c)
{
    if (c->threshold_fixed) return;
    if (c->trial_condemned * 4 < c->places && c->threshold < COLLECT_THRESHOLD_MAX)
        c->threshold *= 2;
    else if (c->trial_condemned * 2 >= c->places && c->threshold > COLLECT_THRESHOLD_MIN)
        c->threshold /= 2;
}

static void trial_end(struct heap *h)
{
    struct collect *c = &h->collect;
    c->stats.last_candidates = c->trial_taken;
    c->stats.last_reached = c->places;
    c->stats.last_condemned = c->trial_condemned;
    c->stats.last_rescued = c->trial_rescued;
    c->stats.rescued_objects += c->trial_rescued;
    adapt_threshold(c);
    c->bytes_mark = h->mem->bytes;
    c->ended = true;
    c->phase = COLLECT_IDLE;
    c->places = 0;
    if (c->full_running) c->full_trials++;
}

static void trial_abandon(struct collect *c)
{
    c->stats.abandoned++;
    c->trial_open = false;
    c->phase = COLLECT_ABANDON;
    c->scanning = NULL;
    c->black_list = 0;
    c->next = 1;
}

/* Takes one candidate out of the buffer and gives it a place, if it can be garbage at all. */
static void take_candidate(struct heap *h)
{
    struct collect *c = &h->collect;
    c->take_left--;
    struct obj *o = candidates_take(h);
    if (!o || (o->flags & OBJ_VISIBLE) == 0 || o->roots || o->count == OBJ_COUNT_MAX) return;
    if (place_of(
            c, o)) { /* this trial has it already: it came up again since, and is the next one's */
        candidates_add(h, o);
        return;
    }
    c->trial_taken++;
    if (place_add(h, o)) {
        c->roots = c->places;
    } else {
        candidates_add(h, o);
        c->faulted = true;
    }
}

/* Fetches what the places after `place` will need: the nearer ones' slots, the farther ones' bodies
 * and cells. */
static void fetch_places_ahead(const struct heap *h, uint32_t place)
{
    const struct collect *c = &h->collect;
    if (place + 3 * PLACES_AHEAD > c->places) return;
    const struct obj *far = place_at(c, place + 3 * PLACES_AHEAD)->o;
    const struct obj *middle = place_at(c, place + 2 * PLACES_AHEAD)->o;
    const struct obj *near = place_at(c, place + PLACES_AHEAD)->o;
    if (far) __builtin_prefetch(far);
    if (middle) __builtin_prefetch(obj_body(middle));
    if (near && obj_body(near) && type_of(h, near)->prefetch) type_of(h, near)->prefetch(near);
}

/* The next thing to do in gray; false when all places are scanned and the ring may hold the only
 * ones that are not there yet. */
static bool gray_advance(struct heap *h, struct ring *r, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (!c->scanning) {
        if (c->next > c->places) return false;
        fetch_places_ahead(h, c->next);
        /* What died has no slots left to visit; what was rescued is live, and black will enter it
         * if it is needed. */
        const struct collect_place *p = place_at(c, c->next);
        if (!p->o || p->rescued) {
            c->next++;
            return true;
        }
        scan_start(h, p->o);
    }
    scan_step(h, slots, gray_visit, r);
    return true;
}

static void gray_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->take_left) {
        for (uint32_t i = 0; i < slots && c->take_left && !c->faulted; i++) take_candidate(h);
        /* From here on what becomes visible is new. Not before: a candidate that has not been taken
         * yet may come up again without being noted twice, and this trial must then see all that it
         * refers to. */
        if (c->take_left == 0) c->trial_number = (c->trial_number + 1) & ~COLLECT_NEW;
    } else {
        struct ring r = {.h = h};
        bool more = true;
        for (uint32_t turns = 0; more && turns < slots && r.pushed < slots; turns++)
            more = gray_advance(h, &r, slots);
        ring_drain(&r);
        if (!more && c->next > c->places && !c->scanning) {
            c->phase = COLLECT_BLACK;
            c->next = 1;
        }
    }
    if (c->faulted) trial_abandon(c);
}

/* Live places are found in a run over the table, which looks at no object. */
static void black_sweep(struct collect *c, uint32_t places)
{
    for (uint32_t i = 0; i < places && c->next <= c->places && !c->black_list; i++, c->next++) {
        const struct collect_place *p = place_at(c, c->next);
        if (p->o && (p->rescued || p->shadow > 0)) blacken(c, c->next);
    }
}

static void black_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->scanning) {
        scan_step(h, slots, black_visit, h);
    } else if (c->black_list) {
        struct collect_place *p = place_at(c, c->black_list);
        c->black_list = p->black_next;
        if (!p->o) return;
        scan_start(h, p->o);
        scan_step(h, slots, black_visit, h);
    } else if (c->next <= c->places) {
        black_sweep(c, slots);
    } else {
        c->trial_open = false; /* the commit */
        c->phase = COLLECT_FREE;
        c->next = 1;
    }
}

/* Condemned objects whose slots are all cleared lose their pin, and with it the last count that the
 * trial left them. */
static void unpin(struct heap *h)
{
    struct obj *o = h->collect.clearing;
    h->collect.clearing = NULL;
    o->flags &= (uint8_t)~OBJ_PINNED;
    if (--o->count == 0) heap_release(h, o);
}

static void fetch_target(void *ctx, struct obj *t)
{
    (void)ctx;
    __builtin_prefetch(t, 1);
}

/* As fetch_places_ahead, and the targets of the next one: clearing its slots counts them down. */
static void fetch_condemned_ahead(const struct heap *h, uint32_t place)
{
    const struct collect *c = &h->collect;
    enum { TARGETS = 8 };
    fetch_places_ahead(h, place);
    if (place + 1 > c->places) return;
    const struct obj *next = place_at(c, place + 1)->o;
    if (!next || !obj_body(next)) return;
    const struct heap_type *type = type_of(h, next);
    uint64_t begin = type->begin(next), end = type->end(next);
    if (begin < end) type->visit(next, begin, end, TARGETS, fetch_target, NULL);
}

/* Begins with the next place that is condemned; false when there is none. */
static bool free_next(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->next > c->places) return false;
    fetch_condemned_ahead(h, c->next);
    struct collect_place *p = place_at(c, c->next++);
    if (!p->o || p->black) return true;
    struct obj *o = p->o;
    count_collected(h, o);
    o->count++;
    o->flags |= OBJ_PINNED;
    c->clearing = o;
    if (type_of(h, o)->clear(h, o, slots)) unpin(h);
    return true;
}

static void free_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (h->release_pending) {
        heap_release_step(h, slots);
    } else if (c->clearing) {
        if (type_of(h, c->clearing)->clear(h, c->clearing, slots)) unpin(h);
    } else if (!free_next(h, slots)) {
        trial_end(h);
    }
}

static void abandon_step(struct heap *h)
{
    struct collect *c = &h->collect;
    if (c->next > c->roots) {
        trial_end(h);
        return;
    }
    struct obj *o = place_at(c, c->next++)->o;
    if (o && (o->flags & OBJ_CANDIDATE) == 0) candidates_add(h, o);
}

/* --- pacing
 * ------------------------------------------------------------------------------------------------------
 */

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

static bool trial_due(const struct heap *h, bool idle)
{
    const struct collect *c = &h->collect;
    uint64_t candidates = c->candidates.count - c->candidates.dead;
    if (!c->enabled || !c->candidates.count) return false;
    if (has_grown(h)) return true;
    if (candidates < c->threshold && !idle) return false;
    int64_t now = clock_mono_ns();
    if (now < c->rest_until_ns) return false;
    return candidates >= c->threshold || now - c->candidates.oldest_ns > COLLECT_IDLE_NS;
}

int64_t collect_due_ns(const struct heap *h)
{
    const struct collect *c = &h->collect;
    if (!c->enabled || !c->candidates.count) return -1;
    int64_t due = c->candidates.oldest_ns + COLLECT_IDLE_NS;
    return due > c->rest_until_ns ? due : c->rest_until_ns;
}

static bool wants_walk(const struct collect *c, bool idle)
{
    return c->walking || (c->candidates.lost && c->enabled && idle);
}

bool collect_has_work(const struct heap *h, bool idle)
{
    const struct collect *c = &h->collect;
    if (c->phase != COLLECT_IDLE || c->full_wanted != c->full_done || c->freezing) return true;
    if (c->segment_count > SEGMENTS_KEPT || wants_walk(c, idle)) return true;
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
    h->collect.freezing = on ? COLLECT_FREEZES : COLLECT_THAWS;
    h->collect.freeze_cursor = 0;
}

/* A full collection: the release queue is drained, lost candidates are found, and trials follow
 * each other until one finds nothing. */
static void full_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (!c->full_running) {
        c->full_running = c->full_wanted;
        c->full_trials = 0;
        c->full_before = c->stats.collected_objects;
    }
    if (h->release_pending) {
        heap_release_step(h, slots);
    } else if (c->candidates.lost || c->walking) {
        walk_step(h, slots);
    } else if (c->candidates.count && c->full_trials < COLLECT_FULL_TRIALS_MAX) {
        trial_start(h);
    } else {
        c->full_found = c->stats.collected_objects - c->full_before;
        c->full_done = c->full_running;
        c->full_running = 0;
    }
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
        trial_start(h);
    else if (c->segment_count > SEGMENTS_KEPT)
        segment_drop(h);
}

static void advance(struct heap *h, uint32_t slots, bool idle)
{
    switch (h->collect.phase) {
    case COLLECT_IDLE: idle_step(h, slots, idle); break;
    case COLLECT_GRAY: gray_step(h, slots); break;
    case COLLECT_BLACK: black_step(h, slots); break;
    case COLLECT_FREE: free_step(h, slots); break;
    case COLLECT_ABANDON: abandon_step(h); break;
    }
}

/* Steps that are short by nature (a place to free, an object to blacken) follow each other between
 * two looks at the clock. */
static void advance_until_look(struct heap *h, bool idle)
{
    const struct collect *c = &h->collect;
    uint32_t steps = c->phase == COLLECT_BLACK || c->phase == COLLECT_FREE ? 16 : 1;
    uint32_t slots = SLOTS_PER_LOOK / steps;
    for (; steps && c->phase != COLLECT_IDLE; steps--) advance(h, slots, idle);
    if (c->phase == COLLECT_IDLE) advance(h, slots, idle);
}

/* After a trial that found little there is a rest, in proportion to what it cost. */
static void trial_ended(struct collect *c)
{
    c->ended = false;
    c->stats.last_ns = c->trial_ns;
    if (c->stats.last_reached == 0) return; /* it cost nothing: the rest that there was goes on */
    c->rest_until_ns = 0;
    if (c->stats.last_condemned * 4 >= c->stats.last_reached) return;
    int64_t rest = (int64_t)c->trial_ns * COLLECT_REST_FACTOR;
    c->rest_until_ns = clock_mono_ns() + (rest < COLLECT_REST_NS_MAX ? rest : COLLECT_REST_NS_MAX);
}

bool collect_step(struct heap *h, bool idle)
{
    struct collect *c = &h->collect;
    if (!collect_has_work(h, idle)) return false;
    int64_t cpu = clock_thread_ns();
    if (c->slice_slots_max) {
        advance(h, c->slice_slots_max, idle);
    } else {
        int64_t deadline = clock_mono_ns() + (int64_t)c->budget_ns;
        do advance_until_look(h, idle);
        while (clock_mono_ns() < deadline && collect_has_work(h, idle));
    }
    uint64_t took = (uint64_t)(clock_thread_ns() - cpu);
    c->trial_ns += took;
    if (c->ended) trial_ended(c);
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

uint64_t collect_backlog(const struct heap *h)
{
    const struct collect *c = &h->collect;
    return c->candidates.count - c->candidates.dead + c->places;
}

void collect_init(struct collect *c)
{
    *c = (struct collect){
        .enabled = true,
        .threshold = COLLECT_THRESHOLD_MIN,
        .budget_ns = COLLECT_BUDGET_NS,
    };
}

void collect_fini(struct heap *h)
{
    struct collect *c = &h->collect;
    while (c->segment_count) segment_drop(h);
    mem_free(h->mem, c->segments, c->segment_slots * sizeof *c->segments);
    candidates_fini(h);
    collect_init(c);
}

bool collect_check(const struct heap *h)
{
    const struct collect *c = &h->collect;
    if (c->trial_open != (c->phase == COLLECT_GRAY || c->phase == COLLECT_BLACK)) return false;
    if (c->scanning && (!c->trial_open || !place_of(c, c->scanning))) return false;
    for (uint32_t place = 1; place <= c->places; place++) {
        const struct obj *o = place_at(c, place)->o;
        if (o && (o->count == 0 || (o->flags & OBJ_VISIBLE) == 0 || obj_words(o)->place != place))
            return false;
    }
    return true;
}
