#include "store/expiry.h"

#include "store/entry.h"

enum {
    ROOT = 1,
    CHILDREN = 4,
    PLACE_OFFSET = 2, /* siblings share a cache line, see the header */
    DIRECTORY_SLOTS_MIN = 8,
};

static struct expiry_item *item_at(const struct expiry *x, uint64_t place)
{
    uint64_t i = place + PLACE_OFFSET;
    return &x->segments[i / EXPIRY_SEGMENT_ITEMS][i % EXPIRY_SEGMENT_ITEMS];
}

static uint64_t parent_of(uint64_t place)
{
    return (place + PLACE_OFFSET) / CHILDREN;
}

static uint64_t first_child_of(uint64_t place)
{
    return place * CHILDREN - PLACE_OFFSET;
}

static uint32_t segments_for(uint64_t used)
{
    return used ? (uint32_t)((used + PLACE_OFFSET) / EXPIRY_SEGMENT_ITEMS + 1) : 0;
}

static void place_item(struct expiry *x, uint64_t place, struct expiry_item item)
{
    *item_at(x, place) = item;
    entry_set_place(item.e, (uint32_t)place);
}

static __int128 sum_get(const struct expiry *x)
{
    return (__int128)((unsigned __int128)x->sum_ms[1] << 64 | x->sum_ms[0]);
}

static void sum_add(struct expiry *x, __int128 ms)
{
    unsigned __int128 sum = (unsigned __int128)(sum_get(x) + ms);
    x->sum_ms[0] = (uint64_t)sum;
    x->sum_ms[1] = (uint64_t)(sum >> 64);
}

/* Moves the hole at `place` towards the root until an item of this time fits into it. */
static uint64_t hole_rise(struct expiry *x, uint64_t place, int64_t when_ms)
{
    while (place > ROOT) {
        uint64_t parent = parent_of(place);
        struct expiry_item above = *item_at(x, parent);
        if (above.when_ms <= when_ms) break;
        place_item(x, place, above);
        place = parent;
    }
    return place;
}

/* Moves it away from the root, behind the earliest children, until the item fits. */
static uint64_t hole_sink(struct expiry *x, uint64_t place, int64_t when_ms)
{
    for (;;) {
        uint64_t child = first_child_of(place);
        if (child > x->used) return place;
        uint64_t last = child + CHILDREN - 1 < x->used ? child + CHILDREN - 1 : x->used;
        uint64_t earliest = child;
        struct expiry_item below = *item_at(x, child);
        while (++child <= last) {
            if (item_at(x, child)->when_ms >= below.when_ms) continue;
            below = *item_at(x, child);
            earliest = child;
        }
        if (below.when_ms >= when_ms) return place;
        place_item(x, place, below);
        place = earliest;
    }
}

/* Puts an item where it belongs, given a hole. */
static void hole_fill(struct expiry *x, uint64_t hole, struct expiry_item item)
{
    uint64_t place = hole_rise(x, hole, item.when_ms);
    if (place == hole) place = hole_sink(x, hole, item.when_ms);
    place_item(x, place, item);
}

static bool directory_resize(struct expiry *x, struct mem *m, uint32_t slots)
{
    size_t each = sizeof *x->segments;
    void *directory = mem_realloc(m, x->segments, x->segment_slots * each, slots * each);
    if (!directory) return false;
    x->segments = directory;
    x->segment_slots = slots;
    return true;
}

/* Makes room for so many items. Names come one by one, so a segment is all that can be missing. */
static bool segment_reserve(struct expiry *x, struct mem *m, uint64_t used)
{
    if (segments_for(used) <= x->segment_count) return true;
    if (x->segment_count == x->segment_slots) {
        uint32_t slots = x->segment_slots ? 2 * x->segment_slots : DIRECTORY_SLOTS_MIN;
        if (!directory_resize(x, m, slots)) return false;
    }
    void *segment = mem_alloc(m, EXPIRY_SEGMENT_ITEMS * sizeof(struct expiry_item));
    if (!segment) return false;
    x->segments[x->segment_count++] = segment;
    return true;
}

static void segment_drop(struct expiry *x, struct mem *m)
{
    struct expiry_item *segment = x->segments[--x->segment_count];
    mem_free(m, segment, EXPIRY_SEGMENT_ITEMS * sizeof *segment);
}

/* After a removal: invariant 3. */
static void segments_trim(struct expiry *x, struct mem *m)
{
    if (x->segment_count < segments_for(x->used) + 2) return;
    segment_drop(x, m);
    /* Without memory the directory stays too long, until the next segment goes. */
    if (x->segment_slots > DIRECTORY_SLOTS_MIN && x->segment_count <= x->segment_slots / 4)
        (void)directory_resize(x, m, x->segment_slots / 2);
}

void expiry_init(struct expiry *x)
{
    *x = (struct expiry){0};
}

void expiry_fini(struct expiry *x, struct mem *m)
{
    while (!expiry_free_step(x, m, UINT32_MAX)) {
    }
}

bool expiry_free_step(struct expiry *x, struct mem *m, uint32_t segments_max)
{
    for (; segments_max && x->segment_count; segments_max--) segment_drop(x, m);
    if (x->segment_count) return false;
    mem_free(m, x->segments, x->segment_slots * sizeof *x->segments);
    expiry_init(x);
    return true;
}

enum status expiry_reserve(struct expiry *x, struct mem *m)
{
    uint64_t used = (uint64_t)x->used + 1;
    return used <= UINT32_MAX && segment_reserve(x, m, used) ? STATUS_OK : STATUS_OOM;
}

enum status expiry_set(struct expiry *x, struct mem *m, struct entry *e, int64_t when_ms)
{
    uint64_t place = entry_place(e);
    if (!place) {
        if (expiry_reserve(x, m)) return STATUS_OOM;
        place = ++x->used;
    } else {
        sum_add(x, -(__int128)item_at(x, place)->when_ms);
    }
    sum_add(x, when_ms);
    hole_fill(x, place, (struct expiry_item){when_ms, e});
    return STATUS_OK;
}

void expiry_remove(struct expiry *x, struct mem *m, struct entry *e)
{
    uint32_t place = entry_place(e);
    DASSERT(expiry_names(x, e));
    sum_add(x, -(__int128)item_at(x, place)->when_ms);
    struct expiry_item last = *item_at(x, x->used--);
    if (last.e != e) hole_fill(x, place, last);
    entry_set_place(e, 0);
    segments_trim(x, m);
}

const struct expiry_item *expiry_first(const struct expiry *x)
{
    return x->used ? item_at(x, ROOT) : NULL;
}

const struct expiry_item *expiry_at(const struct expiry *x, uint32_t index)
{
    DASSERT(index < x->used);
    return item_at(x, (uint64_t)ROOT + index);
}

int64_t expiry_mean_ms(const struct expiry *x)
{
    return x->used ? (int64_t)(sum_get(x) / x->used) : 0;
}

int64_t expiry_when(const struct expiry *x, const struct entry *e)
{
    DASSERT(expiry_names(x, e));
    return item_at(x, entry_place(e))->when_ms;
}

void expiry_moved(struct expiry *x, struct entry *e)
{
    DASSERT(entry_place(e) && entry_place(e) <= x->used);
    item_at(x, entry_place(e))->e = e;
}

bool expiry_names(const struct expiry *x, const struct entry *e)
{
    uint32_t place = entry_place(e);
    return place && place <= x->used && item_at(x, place)->e == e;
}

size_t expiry_bytes(const struct expiry *x)
{
    return x->segment_count * EXPIRY_SEGMENT_ITEMS * sizeof(struct expiry_item) +
           x->segment_slots * sizeof *x->segments;
}

bool expiry_check(const struct expiry *x)
{
    uint32_t needed = segments_for(x->used);
    if (x->segment_count < needed || x->segment_count > needed + 1) return false; /* 3 */
    if (x->segment_count > x->segment_slots) return false;                        /* 3 */
    __int128 sum_ms = 0;
    for (uint64_t place = ROOT; place <= x->used; place++) {
        const struct expiry_item *item = item_at(x, place);
        if (entry_place(item->e) != place) return false; /* 2 */
        if (place > ROOT && item_at(x, parent_of(place))->when_ms > item->when_ms)
            return false; /* 1 */
        sum_ms += item->when_ms;
    }
    return sum_ms == sum_get(x); /* 4 */
}
