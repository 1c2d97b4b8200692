/* A trial, from its candidates to the commit: the phases of collect.h. What it condemned
 * trial_free.c frees. */
#include "base/log.h"
#include "base/prefetch.h"
#include "heap/collect_parts.h"

/* How many of the black list are fetched together. */
enum { BLACK_BATCH = 16 };

static bool hit(struct collect *c, enum collect_hit what)
{
    c->stats.hits[what]++;
    return false;
}

/* Whether the collector may give it a place at all: not what a root holds, nor the immortal, the
 * frozen and the new. */
static bool may_be_garbage(struct collect *c, const struct obj *o)
{
    if (o->roots) return hit(c, COLLECT_HIT_ROOTED);
    if (o->count == OBJ_COUNT_MAX) return hit(c, COLLECT_HIT_IMMORTAL);
    if (o->flags & OBJ_FROZEN) return hit(c, COLLECT_HIT_FROZEN);
    if (obj_words(o)->place == (COLLECT_NEW | c->trial_number)) return hit(c, COLLECT_HIT_NEW);
    return true;
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

static void black_count(struct heap *h, const struct obj *t)
{
    struct collect *c = &h->collect;
    uint32_t place = place_of(c, t);
    if (place) place_blacken(c, place);
}

/*
 * The ring between visiting a slot and counting its target. Each target is handled three times,
 * RING_STAGE pushes apart: its cell is there, so its body is fetched; its body is there, so its
 * place is; then it is counted.
 */
enum { RING_SLOTS = 64, RING_STAGE = 8 };

struct ring {
    struct heap *h;
    bool black;
    struct obj *at[RING_SLOTS];
    uint32_t pushed, with_body, with_place, counted;
};

static void ring_fetch_body(struct ring *r)
{
    struct obj **t = &r->at[r->with_body++ % RING_SLOTS];
    if ((*t)->flags & OBJ_VISIBLE)
        prefetch(obj_body(*t));
    else
        *t = NULL;
}

static void ring_fetch_place(struct ring *r)
{
    const struct obj *t = r->at[r->with_place++ % RING_SLOTS];
    const struct collect *c = &r->h->collect;
    if (!t) return;
    uint32_t place = obj_words(t)->place;
    if (place && place <= c->places) prefetch(place_at(c, place));
}

static void ring_count(struct ring *r)
{
    struct obj *t = r->at[r->counted++ % RING_SLOTS];
    if (!t) return;
    if (r->black)
        black_count(r->h, t);
    else
        gray_count(r->h, t);
}

static void ring_visit(void *ring, struct obj *t)
{
    struct ring *r = ring;
    prefetch(t);
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

/* Begins to scan a container; most are through with it. */
static void scan_start(struct heap *h, struct obj *o, uint32_t slots, struct ring *r)
{
    struct collect *c = &h->collect;
    const struct heap_type *type = type_of(h, o);
    uint64_t at = type->begin(o), end = type->end(o);
    if (at < end) at = type->visit(o, at, end, slots, ring_visit, r);
    if (at < end) {
        c->scanning = o;
        c->cursor = at;
        c->limit = end;
    } else if (c->phase == COLLECT_GRAY) {
        c->next++;
    }
}

/* Visits some slots of the container in mid-scan. What lies outside of its present ends has gone
 * since. */
static void scan_step(struct heap *h, uint32_t slots, struct ring *r)
{
    struct collect *c = &h->collect;
    struct obj *o = c->scanning;
    const struct heap_type *type = type_of(h, o);
    uint64_t begin = type->begin(o), end = type->end(o);
    if (c->cursor < begin) c->cursor = begin;
    uint64_t limit = c->limit < end ? c->limit : end;
    if (c->cursor < limit) c->cursor = type->visit(o, c->cursor, limit, slots, ring_visit, r);
    if (c->cursor < limit) return;
    if (limit < end) hit(c, COLLECT_HIT_LIMIT);
    trial_scan_stop(c);
}

void trial_start(struct heap *h)
{
    struct collect *c = &h->collect;
    c->phase = COLLECT_GRAY;
    c->trial_open = true;
    c->places = c->roots = c->roots_left = c->black_list = 0;
    c->next = 1;
    c->take_left = c->candidates.count;
    c->candidates.oldest_ns =
        clock_coarse_ns(h->clock); /* of those that come now; the trial takes these */
    c->trial_taken = c->trial_rescued = c->trial_condemned = c->trial_ns = 0;
    c->faulted = false;
    c->stats.trials++;
}

static void adapt_threshold(struct collect *c, uint64_t reached)
{
    if (c->threshold_fixed) return;
    if (c->trial_condemned * 4 < reached && c->threshold < COLLECT_THRESHOLD_MAX)
        c->threshold *= 2;
    else if (c->trial_condemned * 2 >= reached && c->threshold > COLLECT_THRESHOLD_MIN)
        c->threshold /= 2;
}

/* The trial is over, whatever became of it. */
static void trial_end(struct heap *h)
{
    struct collect *c = &h->collect;
    struct collect_trial *last = c->stats.last;
    uint64_t reached = c->phase == COLLECT_FREE ? c->trial_reached : c->places;
    memmove(last + 1, last, (COLLECT_TRIALS_SHOWN - 1) * sizeof *last);
    last[0] = (struct collect_trial){.candidates = c->trial_taken,
                                     .reached = reached,
                                     .condemned = c->trial_condemned,
                                     .rescued = c->trial_rescued};
    c->stats.ended++;
    c->stats.reached_objects += reached;
    c->stats.rescued_objects += c->trial_rescued;
    adapt_threshold(c, reached);
    c->bytes_mark = h->mem->bytes;
    c->ended = true;
    c->phase = COLLECT_IDLE;
    c->places = 0;
    if (c->full_running) c->full_trials++;
}

/* Whether nothing can be condemned any more: all that the trial reached is reached from what is
 * live, or from the dead, whose slots make candidates as they are cleared. */
static bool trial_is_futile(const struct collect *c)
{
    return c->trial_open && c->take_left == 0 && c->roots_left == 0;
}

void trial_abandon(struct collect *c)
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
    if (!o || (o->flags & OBJ_VISIBLE) == 0 || o->roots) return;
    if (o->count == OBJ_COUNT_MAX) {
        hit(c, COLLECT_HIT_IMMORTAL);
        return;
    }
    if (o->flags & OBJ_FROZEN) { /* thawed, it is found by the walk */
        hit(c, COLLECT_HIT_FROZEN);
        return;
    }
    if (place_of(c, o)) { /* it came up again since this trial took it: it is the next one's */
        hit(c, COLLECT_HIT_CAME_AGAIN);
        candidates_add(h, o);
        return;
    }
    c->trial_taken++;
    if (place_add(h, o)) {
        c->roots = c->places;
        c->roots_left++;
    } else {
        candidates_add(h, o);
        c->faulted = true;
    }
}

/* The next thing to do in gray; false when all places are scanned and the ring may hold the only
 * ones that are not there yet. */
static bool gray_advance(struct heap *h, struct ring *r, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (!c->scanning) {
        if (c->next > c->places) return false;
        place_fetch_ahead(h, c->next);
        /* What died has no slots left to visit; what was rescued is live, and black will enter it
         * if it is needed. */
        const struct collect_place *p = place_at(c, c->next);
        if (!p->o || p->rescued) {
            c->next++;
            return true;
        }
        scan_start(h, p->o, slots, r);
    } else {
        hit(c, COLLECT_HIT_RESUMED_GRAY);
        scan_step(h, slots, r);
    }
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
    for (uint32_t i = 0; i < places && c->next <= c->places; i++, c->next++) {
        const struct collect_place *p = place_at(c, c->next);
        if (p->o && (p->rescued || p->shadow > 0)) place_blacken(c, c->next);
    }
}

/* Takes up to n places off the black list and fetches what scanning them needs; returns how many.
 */
static uint32_t black_take(struct heap *h, uint32_t *batch, uint32_t n)
{
    struct collect *c = &h->collect;
    uint32_t taken = 0;
    while (taken < n && c->black_list) {
        uint32_t place = c->black_list;
        const struct collect_place *p = place_at(c, place);
        c->black_list = p->black_next;
        if (!p->o) {
            hit(c, COLLECT_HIT_DIED_LISTED);
            continue;
        }
        prefetch(p->o);
        batch[taken++] = place;
    }
    for (uint32_t i = 0; i < taken; i++) prefetch(obj_body(place_at(c, batch[i])->o));
    for (uint32_t i = 0; i < taken; i++) {
        const struct obj *o = place_at(c, batch[i])->o;
        if (type_of(h, o)->prefetch) type_of(h, o)->prefetch(o);
    }
    return taken;
}

/* Scans some of the black list; what of the batch is not begun goes back to it. */
static void black_scan(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    struct ring r = {.h = h, .black = true};
    uint32_t batch[BLACK_BATCH], taken = 0, scanned = 0;
    if (c->scanning) {
        hit(c, COLLECT_HIT_RESUMED_BLACK);
        scan_step(h, slots, &r);
    } else {
        taken = black_take(h, batch, slots < BLACK_BATCH ? slots : BLACK_BATCH);
    }
    while (scanned < taken && !c->scanning && r.pushed < slots) {
        scan_start(h, place_at(c, batch[scanned++])->o, slots, &r);
    }
    while (taken > scanned) place_list_black(c, batch[--taken]);
    ring_drain(&r);
}

static void black_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (c->scanning || c->black_list) {
        black_scan(h, slots);
    } else if (c->next <= c->places) {
        black_sweep(c, slots);
    } else {
        c->trial_open = false; /* the commit */
        c->trial_reached = c->places;
        trial_free_start(c);
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
    if (!o || (o->flags & OBJ_CANDIDATE)) return;
    hit(c, COLLECT_HIT_PUT_BACK);
    candidates_add(h, o);
}

bool trial_step(struct heap *h, uint32_t slots)
{
    struct collect *c = &h->collect;
    if (trial_is_futile(c)) {
        c->trial_open = false;
        c->scanning = NULL;
        trial_end(h);
        return true;
    }
    switch (c->phase) {
    case COLLECT_IDLE: return false;
    case COLLECT_GRAY: gray_step(h, slots); break;
    case COLLECT_BLACK: black_step(h, slots); break;
    case COLLECT_FREE:
        if (trial_free_step(h, slots)) trial_end(h);
        break;
    case COLLECT_ABANDON: abandon_step(h); break;
    }
    return true;
}
