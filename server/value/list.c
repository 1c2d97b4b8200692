#include "value/list.h"

#include "value/body.h"

enum {
    RING_SLOTS_MIN = 4,
    DIRECTORY_SLOTS_MIN = 4,
    UNCHUNK_LENGTH = LIST_CHUNK_SLOTS / 2, /* a list this short goes back into a ring */
    TRIM_DIRECT_SLOTS = 2 * LIST_CHUNK_SLOTS,
    CHUNK_BYTES = LIST_CHUNK_SLOTS * sizeof(val),
};
#define FIRST_SEQ                                                                                  \
    ((uint64_t)1 << 62) /* of a new body: room on both sides for longer than anything runs */
#define LENGTH_MAX UINT32_MAX

/*
 * Where an element lies follows from its sequence number s alone:
 *
 *   ring       ring[s % slots]
 *   directory  directory[s / 512 % slots][s % 512]
 *
 * so pushes and pops at the ends move nothing, and a ring of 512 slots that is full becomes two
 * chunks (or one) by giving one of them its part: every element keeps its offset.
 */
struct list {
    union gc_words words;
    uint64_t first_seq;
    void *slots_at; /* val[slots], or val *[slots] */
    uint32_t length;
  uint32_t slots : 31; /* a power of two */
    uint32_t chunked : 1;
};

static_assert(sizeof(struct list) == 32, "a list pays 32 bytes beside its cell and its slots");

static uint64_t end_seq(const struct list *l)
{
    return l->first_seq + l->length;
}

static uint64_t chunk_of(uint64_t seq)
{
    return seq / LIST_CHUNK_SLOTS;
}

static val **chunk_at(const struct list *l, uint64_t chunk)
{
    return (val **)l->slots_at + (chunk & (l->slots - 1));
}

static val *slot_at(const struct list *l, uint64_t seq)
{
    if (!l->chunked) return (val *)l->slots_at + (seq & (l->slots - 1));
    return *chunk_at(l, chunk_of(seq)) + seq % LIST_CHUNK_SLOTS;
}

/* How many slots from that of `seq` on lie side by side. */
static uint64_t run_slots(const struct list *l, uint64_t seq)
{
    uint64_t lap = l->chunked ? LIST_CHUNK_SLOTS : l->slots;
    return lap - (seq & (lap - 1));
}

static uint64_t chunk_count(const struct list *l)
{
    return chunk_of(end_seq(l) - 1) - chunk_of(l->first_seq) + 1;
}

uint64_t list_length(const struct obj *o)
{
    const struct list *l = obj_body(o);
    return l ? l->length : 0;
}

RC_BORROWED val list_get(const struct obj *o, uint64_t index)
{
    const struct list *l = obj_body(o);
    DASSERT(l && index < l->length);
    return *slot_at(l, l->first_seq + index);
}

/* --- room
 * --------------------------------------------------------------------------------------------------------
 */

/* A ring of another size, with the same elements. */
static bool ring_resize(struct heap *h, struct list *l, uint32_t slots)
{
    val *ring = pool_alloc(h->pool, slots * sizeof *ring);
    if (ring == NULL) return false;
    for (uint64_t s = l->first_seq; s < end_seq(l); s++) ring[s & (slots - 1)] = *slot_at(l, s);
    pool_free(h->pool, l->slots_at, l->slots * sizeof *ring);
    l->slots_at = ring;
    l->slots = slots & INT32_MAX;
    return true;
}

static bool directory_resize(struct heap *h, struct list *l, uint32_t slots)
{
    val **directory = pool_alloc(h->pool, slots * sizeof *directory);
    if (directory == NULL) return false;
    uint64_t first = chunk_of(l->first_seq), count = chunk_count(l);
    for (uint64_t c = first; c < first + count; c++) directory[c & (slots - 1)] = *chunk_at(l, c);
    pool_free(h->pool, l->slots_at, l->slots * sizeof *directory);
    l->slots_at = directory;
    l->slots = slots & INT32_MAX;
    return true;
}

/* Makes a full ring of LIST_CHUNK_SLOTS into chunks: the ring is one of them, and the part that
 * belongs to the next is copied out. */
static bool ring_to_chunks(struct heap *h, struct list *l)
{
    val *ring = l->slots_at, *next = NULL;
    uint64_t first = chunk_of(l->first_seq), offset = l->first_seq % LIST_CHUNK_SLOTS;
    val **directory = pool_alloc(h->pool, DIRECTORY_SLOTS_MIN * sizeof *directory);
    if (directory == NULL) return false;
    if (offset > 0) {
        next = pool_alloc(h->pool, CHUNK_BYTES);
        if (next == NULL) {
            pool_free(h->pool, directory, DIRECTORY_SLOTS_MIN * sizeof *directory);
            return false;
        }
        memcpy(next, ring, offset * sizeof *ring);
        directory[(first + 1) % DIRECTORY_SLOTS_MIN] = next;
    }
    directory[first % DIRECTORY_SLOTS_MIN] = ring;
    l->slots_at = directory;
    l->slots = DIRECTORY_SLOTS_MIN;
    l->chunked = true;
    return true;
}

/* Makes at most two chunks, with at most LIST_CHUNK_SLOTS elements, into a ring: the reverse. */
static void chunks_to_ring(struct heap *h, struct list *l)
{
    val *ring = *chunk_at(l, chunk_of(l->first_seq));
    if (chunk_count(l) == 2) {
        val *next = *chunk_at(l, chunk_of(end_seq(l) - 1));
        memcpy(ring, next, end_seq(l) % LIST_CHUNK_SLOTS * sizeof *ring);
        pool_free(h->pool, next, CHUNK_BYTES);
    }
    pool_free(h->pool, l->slots_at, l->slots * sizeof(val *));
    l->slots_at = ring;
    l->slots = LIST_CHUNK_SLOTS;
    l->chunked = false;
}

/* Room for a slot before the first or behind the last. On failure nothing that can be seen has
 * changed. */
static bool room_make(struct heap *h, struct list *l, enum list_end end)
{
    if (!l->chunked) {
        if (l->length < l->slots) return true;
        if (l->slots < LIST_CHUNK_SLOTS) return ring_resize(h, l, l->slots * 2u);
        if (!ring_to_chunks(h, l)) return false;
    }
    uint64_t chunk = chunk_of(end == LIST_HEAD ? l->first_seq - 1 : end_seq(l));
    if (chunk == chunk_of(end == LIST_HEAD ? l->first_seq : end_seq(l) - 1)) return true;
    if (chunk_count(l) == l->slots && !directory_resize(h, l, l->slots * 2u)) return false;
    val *slots = pool_alloc(h->pool, CHUNK_BYTES);
    if (slots == NULL) return false;
    *chunk_at(l, chunk) = slots;
    return true;
}

/* The body of the list, with room at one end. A body that is new has no elements yet, and the
 * caller adds one. */
static enum status body_with_room(struct heap *h, struct obj *o, enum list_end end,
                                  struct list **out)
{
    struct list *l = obj_body(o);
    if (l != NULL) {
        if (l->length == LENGTH_MAX) return STATUS_TOO_MANY;
        if (!room_make(h, l, end)) return STATUS_OOM;
        *out = l;
        return STATUS_OK;
    }
    void *ring = pool_alloc(h->pool, RING_SLOTS_MIN * sizeof(val));
    if (ring == NULL) return STATUS_OOM;
    l = body_make(h, o, sizeof *l);
    if (l == NULL) {
        pool_free(h->pool, ring, RING_SLOTS_MIN * sizeof(val));
        return STATUS_OOM;
    }
    l->first_seq = FIRST_SEQ;
    l->slots_at = ring;
    l->slots = RING_SLOTS_MIN;
    *out = l;
    return STATUS_OK;
}

/* Frees the slots of a list that has no elements any more, but for chunks, which went with their
 * elements. */
static void slots_free(struct heap *h, struct list *l)
{
    pool_free(h->pool, l->slots_at, l->slots * (l->chunked ? sizeof(val *) : sizeof(val)));
}

/* Gives back what the list has become too short for. Without memory for the smaller block it keeps
 * the larger. */
static void room_shrink(struct heap *h, struct list *l)
{
    if (l->chunked && l->length <= UNCHUNK_LENGTH) chunks_to_ring(h, l);
    uint64_t used = l->chunked ? chunk_count(l) : l->length;
    uint32_t slots_min = l->chunked ? DIRECTORY_SLOTS_MIN : RING_SLOTS_MIN, slots = l->slots;
    while (slots > slots_min && used <= slots / 4) slots /= 2;
    if (slots == l->slots) return;
    if (l->chunked)
        (void)directory_resize(h, l, slots);
    else
        (void)ring_resize(h, l, slots);
}

/* Forgets elements whose counts the caller has taken: `head` at the head, the others but `keep` at
 * the tail; frees the chunks that they leave empty, and the body with the last element. The
 * elements that stay keep their sequence numbers. */
static void ends_drop(struct heap *h, struct obj *o, uint64_t head, uint64_t keep)
{
    struct list *l = obj_body(o);
    uint64_t first = l->first_seq + head, end = first + keep;
    if (l->chunked) {
        uint64_t chunk = chunk_of(l->first_seq), chunks_end = chunk + chunk_count(l);
        uint64_t kept = keep ? chunk_of(first) : chunks_end;
        uint64_t kept_end = keep ? chunk_of(end - 1) + 1 : chunks_end;
        for (; chunk < kept; chunk++) pool_free(h->pool, *chunk_at(l, chunk), CHUNK_BYTES);
        for (chunk = kept_end; chunk < chunks_end; chunk++)
            pool_free(h->pool, *chunk_at(l, chunk), CHUNK_BYTES);
    }
    l->first_seq = first;
    l->length = (uint32_t)keep;
    if (keep > 0) {
        room_shrink(h, l);
        return;
    }
    slots_free(h, l);
    body_drop(h, o, sizeof *l);
}

/* --- the ends
 * ----------------------------------------------------------------------------------------------------
 */

enum status list_push_take(struct heap *h, struct obj *o, enum list_end end, RC_STEALS val v)
{
    struct list *l;
    enum status s = body_with_room(h, o, end, &l);
    if (s != STATUS_OK) {
        val_release(h, v);
        return s;
    }
    val_stored(h, o, v);
    if (end == LIST_HEAD) l->first_seq--;
    l->length++;
    *slot_at(l, end == LIST_HEAD ? l->first_seq : end_seq(l) - 1) = v;
    return STATUS_OK;
}

RC_NEW val list_pop(struct heap *h, struct obj *o, enum list_end end)
{
    const struct list *l = obj_body(o);
    if (l == NULL) return VAL_NONE;
    val v = *slot_at(l, end == LIST_HEAD ? l->first_seq : end_seq(l) - 1);
    ends_drop(h, o, end == LIST_HEAD ? 1 : 0, l->length - 1);
    return v;
}

void list_set_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v)
{
    struct list *l = obj_body(o);
    DASSERT(l && index < l->length);
    val *slot = slot_at(l, l->first_seq + index), old = *slot;
    val_stored(h, o, v);
    *slot = v;
    val_release(h, old);
}

/* --- the middle
 * --------------------------------------------------------------------------------------------------
 */

/*
 * Elements that change their sequence numbers while the list is in mid-scan: in gray
 * collect_disturb has rescued the list and stopped the scan. In black every element that moves is
 * rescued, so it does not matter whether it moves from one side of the cursor, or of the scan's
 * limit, to the other; elements that do not move keep their numbers, so cursor and limit stay right
 * for them. Sending the cursor back instead would not do where elements move up: they could pass
 * the limit.
 */
static void moved(struct heap *h, const struct obj *o, const val *slots, uint64_t count)
{
    if (!collect_in_black_scan(h, o)) return;
    for (uint64_t i = 0; i < count; i++) body_moved(h, slots[i]);
}

/* Moves the first `count` elements from one slot later to where they belong, after first_seq went
 * down by one. */
static void shift_down(struct heap *h, const struct obj *o, uint64_t count)
{
    const struct list *l = obj_body(o);
    uint64_t from = l->first_seq + 1, end = from + count;
    for (uint64_t run; from < end; from += run) {
        val *slots = slot_at(l, from);
        run = run_slots(l, from);
        if (run > end - from) run = end - from;
        moved(h, o, slots, run);
        *slot_at(l, from - 1) = slots[0];
        memmove(slots, slots + 1, (run - 1) * sizeof *slots);
    }
}

/* Moves the last `count` elements from one slot earlier to where they belong, after the length went
 * up by one. */
static void shift_up(struct heap *h, const struct obj *o, uint64_t count)
{
    const struct list *l = obj_body(o);
    uint64_t end = end_seq(l) - 1, begin = end - count;
    for (uint64_t run; end > begin; end -= run) {
        uint64_t lap = l->chunked ? LIST_CHUNK_SLOTS : l->slots;
        run = ((end - 1) & (lap - 1)) + 1;
        if (run > end - begin) run = end - begin;
        val *slots = slot_at(l, end - run);
        moved(h, o, slots, run);
        *slot_at(l, end) = slots[run - 1];
        memmove(slots + 1, slots, (run - 1) * sizeof *slots);
    }
}

enum status list_insert_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v)
{
    uint64_t length = list_length(o);
    DASSERT(index <= length);
    if (index == 0) return list_push_take(h, o, LIST_HEAD, v);
    if (index == length) return list_push_take(h, o, LIST_TAIL, v);
    enum list_end end = index < length - index ? LIST_HEAD : LIST_TAIL;
    struct list *l;
    enum status s = body_with_room(h, o, end, &l);
    if (s != STATUS_OK) {
        val_release(h, v);
        return s;
    }
    collect_disturb(h, o, 0);
    val_stored(h, o, v);
    if (end == LIST_HEAD) l->first_seq--;
    l->length++;
    if (end == LIST_HEAD)
        shift_down(h, o, index);
    else
        shift_up(h, o, length - index);
    *slot_at(l, l->first_seq + index) = v;
    return STATUS_OK;
}

/* The indexes of the first and the last slot that a pass over the list left empty. */
struct holes {
    uint64_t count, first, last;
};

/* Releases what matches, and leaves VAL_NONE in its slot. */
static struct holes holes_make(struct heap *h, struct obj *o, const struct needle *n,
                               enum list_end from, uint64_t max)
{
    const struct list *l = obj_body(o);
    struct holes holes = {0};
    for (uint64_t i = 0; i < l->length && holes.count < max; i++) {
        uint64_t index = from == LIST_HEAD ? i : l->length - 1 - i;
        val *slot = slot_at(l, l->first_seq + index), gone = *slot;
        if (!needle_matches(n, gone)) continue;
        if (holes.count == 0)
            holes.first = holes.last = index;
        else if (from == LIST_HEAD)
            holes.last = index;
        else
            holes.first = index;
        holes.count++;
        *slot = VAL_NONE;
        val_release(h, gone);
    }
    return holes;
}

/* Closes the holes by moving what lies on the shorter side of them; returns where the slots are
 * then left over. */
static enum list_end holes_close(struct heap *h, const struct obj *o, struct holes holes)
{
    const struct list *l = obj_body(o);
    enum list_end end = holes.last + 1 <= l->length - holes.first ? LIST_HEAD : LIST_TAIL;
    uint64_t count = end == LIST_HEAD ? holes.last + 1 : l->length - holes.first;
    uint64_t from = l->first_seq + (end == LIST_HEAD ? holes.last : holes.first), to = from;
    uint64_t step = end == LIST_HEAD ? UINT64_MAX : 1; /* UINT64_MAX: backwards, modulo 2^64 */
    for (; count > 0; count--, from += step) {
        val v = *slot_at(l, from);
        if (val_is_none(v)) continue;
        moved(h, o, &v, 1);
        *slot_at(l, to) = v;
        to += step;
    }
    return end;
}

uint64_t list_remove_matching(struct heap *h, struct obj *o, const struct needle *n,
                              enum list_end from, uint64_t max)
{
    if (obj_body(o) == NULL) return 0;
    uint64_t length = list_length(o);
    struct holes holes = holes_make(h, o, n, from, max);
    if (holes.count == 0) return 0;
    collect_disturb(h, o, 0);
    enum list_end end = holes_close(h, o, holes);
    ends_drop(h, o, end == LIST_HEAD ? holes.count : 0, length - holes.count);
    return holes.count;
}

/* --- trimming
 * ----------------------------------------------------------------------------------------------------
 */

static void release_slots(struct heap *h, const struct list *l, uint64_t seq, uint64_t end)
{
    for (; seq < end; seq++) val_release(h, *slot_at(l, seq));
}

/*
 * A dying list is a container that is made to be dropped: it takes over chunks as they are, and the
 * release queue clears it in steps. It need not be visible to the collector, because nothing looks
 * at it before its only count goes.
 */

/* One with a directory, and no chunks in it yet. */
static struct list *dying_new(struct heap *h, uint64_t chunks, struct obj **out)
{
    uint32_t slots = DIRECTORY_SLOTS_MIN;
    while (slots < chunks) slots *= 2;
    struct obj *o = heap_container_new(h, OBJ_LIST);
    if (o == NULL) return NULL;
    void *directory = pool_alloc(h->pool, slots * sizeof(val *));
    struct list *l = directory ? body_make(h, o, sizeof *l) : NULL;
    if (l == NULL) {
        pool_free(h->pool, directory, directory ? slots * sizeof(val *) : 0);
        rc_dec(h, o);
        return NULL;
    }
    l->first_seq = FIRST_SEQ;
    l->slots_at = directory;
    l->slots = slots & INT32_MAX;
    l->chunked = true;
    *out = o;
    return l;
}

/* The whole list is cut off: its body becomes that of a dying list. */
static enum status cut_all(struct heap *h, struct obj *o)
{
    struct obj *dying = heap_container_new(h, OBJ_LIST);
    if (dying == NULL) return STATUS_OOM;
    ((struct cell *)dying)->body = body_take(h, o);
    rc_dec(h, dying);
    return STATUS_OK;
}

/* Moves chunks from the one directory to the other. */
static void chunks_move(const struct list *from, uint64_t first, uint64_t end,
                        const struct list *to, uint64_t at)
{
    for (uint64_t c = first; c < end; c++) *chunk_at(to, at++) = *chunk_at(from, c);
}

/*
 * Cuts off what lies before `first` and behind `end`; something stays. The chunks that nothing of
 * what stays is in go to a dying list: those of the head, which end full, and then those of the
 * tail, which begin full, so that all but its outer two are full. What lies beside what stays, in
 * the same chunks, is released here.
 */
static enum status cut_ends(struct heap *h, struct obj *o, uint64_t first, uint64_t end)
{
    struct list *l = obj_body(o);
    uint64_t chunks = chunk_of(l->first_seq), chunks_end = chunks + chunk_count(l);
    uint64_t kept = chunk_of(first), kept_end = chunk_of(end - 1) + 1;
    uint64_t kept_first_seq = kept * LIST_CHUNK_SLOTS, kept_end_seq = kept_end * LIST_CHUNK_SLOTS;
    if (kept_first_seq < l->first_seq) kept_first_seq = l->first_seq;
    if (kept_end_seq > end_seq(l)) kept_end_seq = end_seq(l);

    if (kept > chunks || kept_end < chunks_end) {
        struct obj *dying;
        struct list *d = dying_new(h, kept - chunks + chunks_end - kept_end, &dying);
        if (d == NULL) return STATUS_OOM;
        uint64_t at = chunk_of(FIRST_SEQ);
        chunks_move(l, chunks, kept, d, at);
        chunks_move(l, kept_end, chunks_end, d, at + kept - chunks);
        if (kept > chunks) d->first_seq += l->first_seq % LIST_CHUNK_SLOTS;
        d->length = (uint32_t)(l->length - (kept_end_seq - kept_first_seq));
        rc_dec(h, dying);
    }
    release_slots(h, l, kept_first_seq, first);
    release_slots(h, l, end, kept_end_seq);
    l->length = (uint32_t)(kept_end_seq - kept_first_seq);
    l->first_seq = kept_first_seq;
    ends_drop(h, o, first - kept_first_seq, end - first);
    return STATUS_OK;
}

enum status list_trim(struct heap *h, struct obj *o, uint64_t first, uint64_t count)
{
    struct list *l = obj_body(o);
    uint64_t length = list_length(o);
    DASSERT(first <= length && count <= length - first);
    if (count == length) return STATUS_OK;
    if (length - count > TRIM_DIRECT_SLOTS) {
        if (count == 0) return cut_all(h, o);
        return cut_ends(h, o, l->first_seq + first, l->first_seq + first + count);
    }
    release_slots(h, l, l->first_seq, l->first_seq + first);
    release_slots(h, l, l->first_seq + first + count, end_seq(l));
    ends_drop(h, o, first, count);
    return STATUS_OK;
}

enum status list_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out)
{
    struct obj *to = heap_container_new(h, OBJ_LIST);
    if (to == NULL) return STATUS_OOM;
    uint64_t length = list_length(from);
    for (uint64_t i = 0; i < length; i++) {
        val v = list_get(from, i);
        val_retain(h, v);
        enum status s = list_push_take(h, to, LIST_TAIL, v);
        if (s != STATUS_OK) {
            rc_dec(h, to);
            return s;
        }
    }
    *out = to;
    return STATUS_OK;
}

/* --- for the heap
 * ------------------------------------------------------------------------------------------------
 */

static uint64_t list_begin(const struct obj *o)
{
    const struct list *l = obj_body(o);
    return l ? l->first_seq : 0;
}

static uint64_t list_end(const struct obj *o)
{
    const struct list *l = obj_body(o);
    return l ? end_seq(l) : 0;
}

static uint64_t list_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                           heap_visit *fn, void *ctx)
{
    const struct list *l = obj_body(o);
    if (l == NULL) return limit;
    uint64_t stop = limit < end_seq(l) ? limit : end_seq(l);
    if (cursor < l->first_seq) cursor = l->first_seq;
    if (cursor >= stop) return limit;
    uint64_t pause = slots_max < stop - cursor ? cursor + slots_max : stop;
    for (uint64_t run; cursor < pause; cursor += run) {
        const val *slots = slot_at(l, cursor);
        run = run_slots(l, cursor);
        if (run > pause - cursor) run = pause - cursor;
        for (uint64_t i = 0; i < run; i++)
            if (val_is_obj(slots[i])) fn(ctx, val_obj(slots[i]));
    }
    return cursor < stop ? cursor : limit;
}

/* From the head, so that what is left is an ordinary list; but nothing shrinks on the way. */
static bool list_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    struct list *l = obj_body(o);
    if (l == NULL) return true;
    while (slots_max > 0 && l->length > 0) {
        val *slots = slot_at(l, l->first_seq);
        uint64_t run = run_slots(l, l->first_seq);
        if (run > l->length) run = l->length;
        if (run > slots_max) run = slots_max;
        for (uint64_t i = 0; i < run; i++) val_release(h, slots[i]);
        slots_max -= (uint32_t)run;
        l->first_seq += run;
        l->length -= (uint32_t)run;
        if (l->chunked && (l->length == 0 || l->first_seq % LIST_CHUNK_SLOTS == 0))
            pool_free(h->pool, *chunk_at(l, chunk_of(l->first_seq - 1)), CHUNK_BYTES);
    }
    if (l->length > 0) return false;
    slots_free(h, l);
    body_drop(h, o, sizeof *l);
    return true;
}

static size_t list_bytes(const struct obj *o)
{
    const struct list *l = obj_body(o);
    size_t bytes = pool_good_bytes(sizeof(struct cell));
    if (l == NULL) return bytes;
    bytes += pool_good_bytes(sizeof *l);
    if (!l->chunked) return bytes + pool_good_bytes(l->slots * sizeof(val));
    bytes += pool_good_bytes(l->slots * sizeof(val *));
    return bytes + chunk_count(l) * pool_good_bytes(CHUNK_BYTES);
}

bool list_check(const struct heap *h, const struct obj *o)
{
    (void)h;
    const struct list *l = obj_body(o);
    if (l == NULL) return (o->flags & OBJ_VISIBLE) == 0;
    if (l->length == 0) return false;                                                /* 1. */
    if (l->slots < RING_SLOTS_MIN || (l->slots & (l->slots - 1)) != 0) return false; /* 2. */
    if (!l->chunked && (l->slots > LIST_CHUNK_SLOTS || l->length > l->slots)) return false;
    if (l->chunked && chunk_count(l) > l->slots) return false;
    /* A list that the collector is clearing only becomes shorter. */
    if (l->chunked && l->length <= UNCHUNK_LENGTH && (o->flags & OBJ_PINNED) == 0) return false;
    if (l->first_seq < FIRST_SEQ / 2 || l->first_seq > FIRST_SEQ / 2 * 3) return false; /* 3. */
    for (uint64_t s = l->first_seq; s < end_seq(l); s++) {
        val v = *slot_at(l, s);
        if (val_is_none(v)) return false;
        if (val_is_container(v) && (o->flags & OBJ_VISIBLE) == 0) return false;
    }
    return true;
}

const struct heap_type list_heap_type = {
    .name = "list",
    .begin = list_begin,
    .end = list_end,
    .visit = list_visit,
    .clear = list_clear,
    .bytes = list_bytes,
    .check = list_check,
};
