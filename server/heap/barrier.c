/* The trial's table of places, and the barrier: what commands tell the collector. */
#include "base/prefetch.h"
#include "heap/collect_parts.h"

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

/* A large trial writes to all of a new segment, place after place: its pages are asked for some at
 * a time. A small one touches a few pages, and they come as they are touched. */
static void populate(struct collect *c, uint32_t place)
{
    uint32_t first = place / COLLECT_POPULATED_PLACES * COLLECT_POPULATED_PLACES;
    mem_populate(place_at(c, first), COLLECT_POPULATED_PLACES * sizeof(struct collect_place));
    c->populated = first + COLLECT_POPULATED_PLACES;
}

void place_segment_drop(struct heap *h)
{
    struct collect *c = &h->collect;
    uint32_t left = (c->segment_count - 1) * COLLECT_SEGMENT_PLACES;
    if (c->populated > left) c->populated = left ? left : COLLECT_POPULATED_PLACES;
    mem_free(h->mem, c->segments[--c->segment_count],
             COLLECT_SEGMENT_PLACES * sizeof(struct collect_place));
}

/* Colours an object; 0 when there is no memory for a place. */
uint32_t place_add(struct heap *h, struct obj *o)
{
    struct collect *c = &h->collect;
    uint32_t place = c->places + 1;
    if (place > PLACES_MAX) return 0;
    if (place / COLLECT_SEGMENT_PLACES == c->segment_count && !segment_add(h)) return 0;
    if (place >= c->populated) populate(c, place);
    c->places = place;
    *place_at(c, place) = (struct collect_place){.o = o, .shadow = o->count};
    obj_words(o)->place = place;
    return place;
}

void place_list_black(struct collect *c, uint32_t place)
{
    place_at(c, place)->black_next = c->black_list & PLACES_MAX;
    c->black_list = place;
}

void place_blacken(struct collect *c, uint32_t place)
{
    struct collect_place *p = place_at(c, place);
    if (p->black) return;
    if (place <= c->roots && !p->rescued) c->roots_left--;
    p->black = true;
    place_list_black(c, place);
}

void place_fetch_ahead(const struct heap *h, uint32_t place)
{
    const struct collect *c = &h->collect;
    if (place + 3 * PLACES_AHEAD > c->places) return;
    const struct obj *far = place_at(c, place + 3 * PLACES_AHEAD)->o;
    const struct obj *middle = place_at(c, place + 2 * PLACES_AHEAD)->o;
    const struct obj *near = place_at(c, place + PLACES_AHEAD)->o;
    if (far) prefetch(far);
    if (middle) prefetch(obj_body(middle));
    if (near && obj_body(near) && type_of(h, near)->prefetch) type_of(h, near)->prefetch(near);
}

static void rescue_place(struct collect *c, uint32_t place)
{
    struct collect_place *p = place_at(c, place);
    if (!p->rescued) {
        c->stats.hits[c->phase == COLLECT_BLACK ? COLLECT_HIT_RESCUED_BLACK
                                                : COLLECT_HIT_RESCUED_GRAY]++;
        c->trial_rescued++;
        c->roots_left -= place <= c->roots && !p->black;
    }
    p->rescued = true;
    if (c->phase == COLLECT_BLACK) place_blacken(c, place);
}

void collect_rescue(struct heap *h, struct obj *o)
{
    struct collect *c = &h->collect;
    uint32_t place = place_of(c, o);
    if (!place) return;
    rescue_place(c, place);
    /* Others, which the trial will take only now, may become garbage together with this one before
     * they are taken. The trial keeps them all for this one's sake; so the next must try it. */
    if (c->take_left && (o->flags & OBJ_CANDIDATE) == 0) {
        c->stats.hits[COLLECT_HIT_RESCUED_TAKING]++;
        collect_candidate(h, o);
    }
}

void collect_moved(struct heap *h, struct obj *o)
{
    struct collect *c = &h->collect;
    if (place_of(c, o)) c->stats.hits[COLLECT_HIT_MOVED]++;
    collect_rescue(h, o);
}

bool collect_is_condemned(struct heap *h, const struct obj *o)
{
    const struct collect *c = &h->collect;
    if (c->phase != COLLECT_FREE) return false;
    if (o->flags & OBJ_PINNED) return true;
    if (c->free_pass != COLLECT_PINS || (o->flags & OBJ_VISIBLE) == 0) return false;
    uint32_t place = place_of(c, o);
    return place && !place_at(c, place)->black;
}

void collect_candidate(struct heap *h, struct obj *o)
{
    if (o->count == OBJ_COUNT_MAX || collect_is_condemned(h, o)) return;
    if (!h->collect.enabled) h->collect.stats.hits[COLLECT_HIT_NOTED_OFF]++;
    candidates_add(h, o);
}

void trial_count_collected(struct heap *h, const struct obj *o)
{
    h->collect.trial_condemned++;
    h->collect.collected++;
    h->collect.stats.collected_objects++;
    h->collect.stats.collected_bytes += type_of(h, o)->bytes(o);
}

/* The scan of `scanning` is over or given up: gray goes on with the next place. */
void trial_scan_stop(struct collect *c)
{
    c->scanning = NULL;
    if (c->phase == COLLECT_GRAY) c->next++;
}

void collect_forget(struct heap *h, struct obj *o)
{
    struct collect *c = &h->collect;
    if (c->phase == COLLECT_IDLE || (o->flags & OBJ_PINNED)) return;
    uint32_t place = place_of(c, o);
    if (!place) return;
    c->stats.hits[COLLECT_HIT_DIED_COLOURED]++;
    if (collect_is_condemned(h, o)) trial_count_collected(h, o);
    if (c->scanning == o) {
        c->stats.hits[COLLECT_HIT_DIED_SCANNED]++;
        trial_scan_stop(c);
    }
    struct collect_place *p = place_at(c, place);
    if (place <= c->roots && !p->rescued && !p->black) c->roots_left--;
    p->o = NULL;
}

void collect_disturbed(struct heap *h, struct obj *o, uint64_t back)
{
    struct collect *c = &h->collect;
    if (c->phase == COLLECT_GRAY) {
        c->stats.hits[COLLECT_HIT_DISTURBED_GRAY]++;
        rescue_place(c, place_of(c, o));
        trial_scan_stop(c);
    } else {
        c->stats.hits[COLLECT_HIT_DISTURBED_BLACK]++;
        c->cursor -= back < c->cursor ? back : c->cursor;
    }
}

bool collect_check(const struct heap *h)
{
    const struct collect *c = &h->collect;
    if (c->trial_open != (c->phase == COLLECT_GRAY || c->phase == COLLECT_BLACK)) return false;
    if (c->scanning && (!c->trial_open || !place_of(c, c->scanning))) return false;
    for (uint32_t place = 1; place <= c->places; place++) {
        const struct obj *o = place_at(c, place)->o;
        if (o && (o->flags & OBJ_PINNED) == 0 &&
            (o->count == 0 || (o->flags & OBJ_VISIBLE) == 0 || obj_words(o)->place != place))
            return false;
    }
    return true;
}
