#include "heap/collect.h"

#include "base/clock.h"
#include "base/log.h"
#include "heap/rc.h"

/* Between two looks at the clock. */
enum { SLOTS_PER_LOOK = 48, SEGMENTS_KEPT = 4 };

struct collect_place {
    struct obj *o;       /* NULL: it died since */
    uint32_t black_next; /* link of the black list */
    bool black;
    bool rescued;
};

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
    if (place / COLLECT_SEGMENT_PLACES == c->segment_count && !segment_add(h)) return 0;
    c->places = place;
    *place_at(c, place) = (struct collect_place){.o = o};
    obj_words(o)->place = place;
    obj_words(o)->shadow = o->count;
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
    p->black_next = c->black_list;
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

static void gray_visit(void *heap, struct obj *t)
{
    struct heap *h = heap;
    struct collect *c = &h->collect;
    if ((t->flags & OBJ_VISIBLE) == 0) return;
    uint32_t place = place_of(c, t);
    if (!place) {
        if (t->roots || t->count == OBJ_COUNT_MAX ||
            obj_words(t)->place == (COLLECT_NEW | c->trial_number))
            return;
        place = place_add(h, t);
        if (!place) {
            c->faulted = true;
            return;
        }
    }
    union gc_words *words = obj_words(t);
    if (words->shadow > 0) {
        words->shadow--;
    } else if (!place_at(c, place)->rescued && !c->faulted) {
        c->faulted = true;
        c->stats.faults++;
        log_line(LOG_WARNING, "collector: a shadow count went below zero; the trial was abandoned");
        DASSERT(!"shadow below zero on an object that was not rescued");
    }
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
static void scan_step(struct heap *h, uint32_t slots, heap_visit *visit)
{
    struct collect *c = &h->collect;
    struct obj *o = c->scanning;
    const struct heap_type *type = type_of(h, o);
    uint64_t begin = type->begin(o), end = type->end(o);
    if (c->cursor < begin) c->cursor = begin;
    uint64_t limit = c->limit < end ? c->limit : end;
    if (c->cursor < limit) c->cursor = type->visit(o, c->cursor, limit, slots, visit, h);
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

static void gray_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->take_left) {
        for (uint32_t i = 0; i < slots && c->take_left && !c->faulted; i++) take_candidate(h);
        /* From here on what becomes visible is new. Not before: a candidate that has not been taken
         * yet may come up again without being noted twice, and this trial must then see all that it
         * refers to. */
        if (c->take_left == 0) c->trial_number = (c->trial_number + 1) & ~COLLECT_NEW;
    } else if (c->scanning) {
        scan_step(h, slots, gray_visit);
    } else if (c->next <= c->places) {
        /* What died has no slots left to visit; what was rescued is live, and black will enter it
         * if it is needed. */
        const struct collect_place *p = place_at(c, c->next);
        if (!p->o || p->rescued) {
            c->next++;
        } else {
            scan_start(h, p->o);
            scan_step(h, slots, gray_visit);
        }
    } else {
        c->phase = COLLECT_BLACK;
        c->next = 1;
    }
    if (c->faulted) trial_abandon(c);
}

static void black_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->scanning) {
        scan_step(h, slots, black_visit);
    } else if (c->black_list) {
        struct collect_place *p = place_at(c, c->black_list);
        c->black_list = p->black_next;
        if (!p->o) return;
        scan_start(h, p->o);
        scan_step(h, slots, black_visit);
    } else if (c->next <= c->places) {
        const struct collect_place *p = place_at(c, c->next);
        if (p->o && (p->rescued || obj_words(p->o)->shadow > 0)) blacken(c, c->next);
        c->next++;
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

static void free_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (h->release_pending) {
        heap_release_step(h, slots);
    } else if (c->clearing) {
        if (type_of(h, c->clearing)->clear(h, c->clearing, slots)) unpin(h);
    } else if (c->next <= c->places) {
        struct collect_place *p = place_at(c, c->next++);
        if (!p->o || p->black) return;
        struct obj *o = p->o;
        count_collected(h, o);
        o->count++;
        o->flags |= OBJ_PINNED;
        c->clearing = o;
        if (type_of(h, o)->clear(h, o, slots)) unpin(h);
    } else {
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

static bool trial_due(const struct collect *c, bool idle)
{
    if (!c->enabled) return false;
    if (c->candidates.count - c->candidates.dead >= c->threshold) return true;
    return idle && c->candidates.count &&
           clock_mono_ns() - c->candidates.oldest_ns > COLLECT_IDLE_NS;
}

bool collect_has_work(const struct heap *h, bool idle)
{
    const struct collect *c = &h->collect;
    if (c->phase != COLLECT_IDLE || c->full_wanted != c->full_done || c->walking) return true;
    if (c->segment_count > SEGMENTS_KEPT || (c->candidates.lost && c->enabled && idle)) return true;
    return trial_due(c, idle);
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
    if (c->full_wanted != c->full_done)
        full_step(h, slots);
    else if (c->walking || (c->candidates.lost && c->enabled && idle))
        walk_step(h, slots);
    else if (trial_due(c, idle))
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

bool collect_step(struct heap *h, bool idle)
{
    struct collect *c = &h->collect;
    if (!collect_has_work(h, idle)) return false;
    int64_t cpu = clock_thread_ns();
    if (c->slice_slots_max) {
        advance(h, c->slice_slots_max, idle);
    } else {
        int64_t deadline = clock_mono_ns() + (int64_t)c->budget_ns;
        bool work = true;
        while (work && clock_mono_ns() < deadline) {
            for (int i = 0; i < 4; i++) advance(h, SLOTS_PER_LOOK / 4, idle);
            work = c->phase != COLLECT_IDLE || collect_has_work(h, idle);
        }
    }
    uint64_t took = (uint64_t)(clock_thread_ns() - cpu);
    c->trial_ns += took;
    if (c->phase == COLLECT_IDLE) c->stats.last_ns = c->trial_ns;
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
