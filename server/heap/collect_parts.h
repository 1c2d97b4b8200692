/*
 * What the collector's files share, and nobody else: the trial's table of places (barrier.c), the
 * phases of a trial (trial.c, and trial_free.c for the last one), and the pace (collect.c). See
 * collect.h for the algorithm.
 *
 * Invariants: those of collect.h; collect_check verifies that every place names an object that
 * knows it. Ownership: the table belongs to struct collect. Cost: 16 bytes a place.
 */
#ifndef HEAPD_HEAP_COLLECT_PARTS_H
#define HEAPD_HEAP_COLLECT_PARTS_H

#include "heap/rc.h"

struct collect_place {
    struct obj *o;            /* NULL: it died since */
    uint32_t shadow;          /* references not yet seen to come from inside the trial */
    uint32_t black_next : 30; /* link of the black list */
    uint32_t black : 1;
    uint32_t rescued : 1;
};

enum { PLACES_MAX = (1 << 30) - 1, PLACE_SEGMENTS_KEPT = 1, PLACES_AHEAD = 4 };

static_assert(sizeof(struct collect_place) == 16, "a place is two words");

static inline const struct heap_type *type_of(const struct heap *h, const struct obj *o)
{
    return h->types[o->type];
}

static inline struct collect_place *place_at(const struct collect *c, uint32_t place)
{
    return &c->segments[place / COLLECT_SEGMENT_PLACES][place % COLLECT_SEGMENT_PLACES];
}

/* The place of an object that has a body, or 0: its colour. */
static inline uint32_t place_of(const struct collect *c, const struct obj *o)
{
    uint32_t place = obj_words(o)->place;
    return place && place <= c->places && place_at(c, place)->o == o ? place : 0;
}

/* barrier.c */
/* Colours an object; 0 when there is no memory for a place. */
uint32_t place_add(struct heap *h, struct obj *o);
/* Frees the last segment of the table. */
void place_segment_drop(struct heap *h);
void place_blacken(struct collect *c, uint32_t place);
/* Fetches what the places after this one will need: the nearer ones' slots, the farther ones'
 * bodies and cells. */
void place_fetch_ahead(const struct heap *h, uint32_t place);
/* Puts a black place on the list of those to be scanned. */
void place_list_black(struct collect *c, uint32_t place);
/* One more object that the trial condemned. */
void trial_count_collected(struct heap *h, const struct obj *o);
/* The scan of `scanning` is over or given up: gray goes on with the next place. */
void trial_scan_stop(struct collect *c);

/* trial.c */
void trial_start(struct heap *h);
/* Bounded work of the open trial; false when there is none. */
bool trial_step(struct heap *h, uint32_t slots);
void trial_abandon(struct collect *c);

/* trial_free.c */
/* Begins FREE: what has a place and is not black is condemned. */
void trial_free_start(struct collect *c);
/* True when nothing is left: the trial is over. */
bool trial_free_step(struct heap *h, uint32_t slots);

#endif
