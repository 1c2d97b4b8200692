#include "value/list_deque.h"

#include "base/prefetch.h"
#include "value/body.h"
#include "value/list_slots.h"

enum { TRIM_DIRECT_SLOTS = 2 * LIST_CHUNK_SLOTS };

uint64_t list_deque_length(const struct obj *o)
{
    const struct list *l = obj_body(o);
    return l ? l->length : 0;
}

RC_BORROWED val list_deque_slot(const struct obj *o, uint64_t index)
{
    const struct list *l = obj_body(o);
    DASSERT(l && index < l->length);
    return *list_slot_at(l, l->first_seq + index);
}

/* The body of the list, with room at one end. A body that is new has no elements yet, and the
 * caller adds one. */
static enum status body_with_room(struct heap *h, struct obj *o, enum list_end end,
                                  struct list **out)
{
    const struct list *l = obj_body(o);
    if (l != NULL) {
        if (l->length == LIST_LENGTH_MAX) return STATUS_TOO_MANY;
        if (!list_slots_room(h, o, end)) return STATUS_OOM;
    } else if (!list_slots_make(h, o, 0)) {
        return STATUS_OOM;
    }
    *out = obj_body(o);
    return STATUS_OK;
}

/* Forgets elements whose counts the caller has taken: `head` at the head, the others but `keep` at
 * the tail; frees the chunks that they leave empty, and the body with the last element. The
 * elements that stay keep their sequence numbers. */
static void ends_drop(struct heap *h, struct obj *o, uint64_t head, uint64_t keep)
{
    struct list *l = obj_body(o);
    uint64_t first = l->first_seq + head, end = first + keep;
    if (l->chunked) {
        uint64_t chunk = list_chunk_of(l->first_seq), chunks_end = chunk + list_chunk_count(l);
        uint64_t kept = keep ? list_chunk_of(first) : chunks_end;
        uint64_t kept_end = keep ? list_chunk_of(end - 1) + 1 : chunks_end;
        for (; chunk < kept; chunk++)
            pool_free(h->pool, *list_chunk_at(l, chunk), LIST_CHUNK_BYTES);
        for (chunk = kept_end; chunk < chunks_end; chunk++)
            pool_free(h->pool, *list_chunk_at(l, chunk), LIST_CHUNK_BYTES);
    }
    l->first_seq = first;
    l->length = (uint32_t)keep;
    if (keep > 0)
        list_slots_shrink(h, o);
    else
        list_slots_drop(h, o);
}

/* --- the ends --- */

enum status list_deque_push_take(struct heap *h, struct obj *o, enum list_end end, RC_STEALS val v)
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
    *list_slot_at(l, end == LIST_HEAD ? l->first_seq : list_end_seq(l) - 1) = v;
    return STATUS_OK;
}

RC_NEW val list_deque_pop(struct heap *h, struct obj *o, enum list_end end)
{
    const struct list *l = obj_body(o);
    if (l == NULL) return VAL_NONE;
    val v = *list_slot_at(l, end == LIST_HEAD ? l->first_seq : list_end_seq(l) - 1);
    ends_drop(h, o, end == LIST_HEAD ? 1 : 0, l->length - 1);
    return v;
}

void list_deque_set_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v)
{
    struct list *l = obj_body(o);
    DASSERT(l && index < l->length);
    val *slot = list_slot_at(l, l->first_seq + index), old = *slot;
    val_stored(h, o, v);
    *slot = v;
    val_release(h, old);
}

/* --- the middle --- */

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
        val *slots = list_slot_at(l, from);
        run = list_run_slots(l, from);
        if (run > end - from) run = end - from;
        moved(h, o, slots, run);
        *list_slot_at(l, from - 1) = slots[0];
        memmove(slots, slots + 1, (run - 1) * sizeof *slots);
    }
}

/* Moves the last `count` elements from one slot earlier to where they belong, after the length went
 * up by one. */
static void shift_up(struct heap *h, const struct obj *o, uint64_t count)
{
    const struct list *l = obj_body(o);
    uint64_t end = list_end_seq(l) - 1, begin = end - count;
    for (uint64_t run; end > begin; end -= run) {
        uint64_t lap = l->chunked ? LIST_CHUNK_SLOTS : l->capacity;
        run = ((end - 1) & (lap - 1)) + 1;
        if (run > end - begin) run = end - begin;
        val *slots = list_slot_at(l, end - run);
        moved(h, o, slots, run);
        *list_slot_at(l, end) = slots[run - 1];
        memmove(slots + 1, slots, (run - 1) * sizeof *slots);
    }
}

enum status list_deque_insert_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v)
{
    uint64_t length = list_deque_length(o);
    DASSERT(index <= length);
    if (index == 0) return list_deque_push_take(h, o, LIST_HEAD, v);
    if (index == length) return list_deque_push_take(h, o, LIST_TAIL, v);
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
    *list_slot_at(l, l->first_seq + index) = v;
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
        val *slot = list_slot_at(l, l->first_seq + index), gone = *slot;
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
        val v = *list_slot_at(l, from);
        if (val_is_none(v)) continue;
        moved(h, o, &v, 1);
        *list_slot_at(l, to) = v;
        to += step;
    }
    return end;
}

uint64_t list_deque_remove_matching(struct heap *h, struct obj *o, const struct needle *n,
                                    enum list_end from, uint64_t max)
{
    if (obj_body(o) == NULL) return 0;
    uint64_t length = list_deque_length(o);
    struct holes holes = holes_make(h, o, n, from, max);
    if (holes.count == 0) return 0;
    collect_disturb(h, o, 0);
    enum list_end end = holes_close(h, o, holes);
    ends_drop(h, o, end == LIST_HEAD ? holes.count : 0, length - holes.count);
    return holes.count;
}

/* --- trimming --- */

static void release_slots(struct heap *h, const struct list *l, uint64_t seq, uint64_t end)
{
    for (; seq < end; seq++) val_release(h, *list_slot_at(l, seq));
}

/* Slots that are about to go to a dying list keep no weak references: those would still name this
 * list as their owner, and might outlive it. */
static void release_weak(struct heap *h, const struct list *l, uint64_t seq, uint64_t end)
{
    if (!l->words.weakly) return;
    for (; seq < end; seq++) {
        val *slot = list_slot_at(l, seq), v = *slot;
        if (!val_is_weak(v)) continue;
        *slot = VAL_NIL;
        val_release(h, v);
    }
}

/*
 * A dying list is a container that is made to be dropped: it takes over chunks as they are, and the
 * release queue clears it in steps. It need not be visible to the collector, because nothing looks
 * at it before its only count goes.
 */

/* Nobody else ever knows it, so that it comes and goes is no effect. */
static struct obj *dying_make(struct heap *h)
{
    bool on = effects_pause(&h->effects);
    struct obj *o = heap_container_new(h, OBJ_LIST);
    effects_resume(&h->effects, on);
    return o;
}

static void dying_drop(struct heap *h, struct obj *o)
{
    bool on = effects_pause(&h->effects);
    rc_dec(h, o);
    effects_resume(&h->effects, on);
}

/* One with a directory for so many chunks, and none of them yet. */
static struct list *dying_new(struct heap *h, uint64_t chunks, struct obj **out)
{
    struct obj *o = dying_make(h);
    if (o == NULL) return NULL;
    struct list *l = list_slots_make(h, o, chunks);
    if (l == NULL) {
        dying_drop(h, o);
        return NULL;
    }
    *out = o;
    return l;
}

/* The whole list is cut off: its body becomes that of a dying list. */
static enum status cut_all(struct heap *h, struct obj *o)
{
    struct obj *dying = dying_make(h);
    if (dying == NULL) return STATUS_OOM;
    const struct list *l = obj_body(o);
    release_weak(h, l, l->first_seq, list_end_seq(l));
    ((struct cell *)dying)->body = body_take(h, o);
    dying_drop(h, dying);
    return STATUS_OK;
}

/* Moves chunks from the one directory to the other. */
static void chunks_move(const struct list *from, uint64_t first, uint64_t end,
                        const struct list *to, uint64_t at)
{
    for (uint64_t c = first; c < end; c++) *list_chunk_at(to, at++) = *list_chunk_at(from, c);
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
    uint64_t chunks = list_chunk_of(l->first_seq), chunks_end = chunks + list_chunk_count(l);
    uint64_t kept = list_chunk_of(first), kept_end = list_chunk_of(end - 1) + 1;
    uint64_t kept_first_seq = kept * LIST_CHUNK_SLOTS, kept_end_seq = kept_end * LIST_CHUNK_SLOTS;
    if (kept_first_seq < l->first_seq) kept_first_seq = l->first_seq;
    if (kept_end_seq > list_end_seq(l)) kept_end_seq = list_end_seq(l);

    if (kept > chunks || kept_end < chunks_end) {
        struct obj *dying;
        struct list *d = dying_new(h, kept - chunks + chunks_end - kept_end, &dying);
        if (d == NULL) return STATUS_OOM;
        release_weak(h, l, l->first_seq, kept_first_seq);
        release_weak(h, l, kept_end_seq, list_end_seq(l));
        uint64_t at = list_chunk_of(LIST_FIRST_SEQ);
        chunks_move(l, chunks, kept, d, at);
        chunks_move(l, kept_end, chunks_end, d, at + kept - chunks);
        if (kept > chunks) d->first_seq += l->first_seq % LIST_CHUNK_SLOTS;
        d->length = (uint32_t)(l->length - (kept_end_seq - kept_first_seq));
        dying_drop(h, dying);
    }
    release_slots(h, l, kept_first_seq, first);
    release_slots(h, l, end, kept_end_seq);
    l->length = (uint32_t)(kept_end_seq - kept_first_seq);
    l->first_seq = kept_first_seq;
    ends_drop(h, o, first - kept_first_seq, end - first);
    return STATUS_OK;
}

enum status list_deque_trim(struct heap *h, struct obj *o, uint64_t first, uint64_t count)
{
    struct list *l = obj_body(o);
    uint64_t length = list_deque_length(o);
    DASSERT(first <= length && count <= length - first);
    if (count == length) return STATUS_OK;
    if (length - count > TRIM_DIRECT_SLOTS) {
        if (count == 0) return cut_all(h, o);
        return cut_ends(h, o, l->first_seq + first, l->first_seq + first + count);
    }
    release_slots(h, l, l->first_seq, l->first_seq + first);
    release_slots(h, l, l->first_seq + first + count, list_end_seq(l));
    ends_drop(h, o, first, count);
    return STATUS_OK;
}

enum status list_deque_copy(struct heap *h, const struct obj *from, struct obj *to)
{
    uint64_t length = list_deque_length(from);
    enum status s = STATUS_OK;
    for (uint64_t i = 0; i < length && s == STATUS_OK; i++) {
        val v;
        s = val_share(h, list_deque_slot(from, i), &v);
        if (s == STATUS_OK)
            s = list_deque_push_take(h, to, LIST_TAIL, val_is_none(v) ? VAL_NIL : v);
    }
    return s;
}

/* --- for the heap --- */

uint64_t list_deque_begin(const struct obj *o)
{
    const struct list *l = obj_body(o);
    return l ? l->first_seq : 0;
}

uint64_t list_deque_end(const struct obj *o)
{
    const struct list *l = obj_body(o);
    return l ? list_end_seq(l) : 0;
}

uint64_t list_deque_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                          heap_visit *fn, void *ctx)
{
    const struct list *l = obj_body(o);
    if (l == NULL) return limit;
    uint64_t stop = limit < list_end_seq(l) ? limit : list_end_seq(l);
    if (cursor < l->first_seq) cursor = l->first_seq;
    if (cursor >= stop) return limit;
    uint64_t pause = slots_max < stop - cursor ? cursor + slots_max : stop;
    for (uint64_t run; cursor < pause; cursor += run) {
        const val *slots = list_slot_at(l, cursor);
        run = list_run_slots(l, cursor);
        if (run > pause - cursor) run = pause - cursor;
        for (uint64_t i = 0; i < run; i++)
            if (val_is_obj(slots[i])) fn(ctx, val_obj(slots[i]));
    }
    return cursor < stop ? cursor : limit;
}

/* From the head, so that what is left is an ordinary list; but nothing shrinks on the way. */
bool list_deque_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    struct list *l = obj_body(o);
    if (l == NULL) return true;
    while (slots_max > 0 && l->length > 0) {
        val *slots = list_slot_at(l, l->first_seq);
        uint64_t run = list_run_slots(l, l->first_seq);
        if (run > l->length) run = l->length;
        if (run > slots_max) run = slots_max;
        for (uint64_t i = 0; i < run; i++) val_release(h, slots[i]);
        slots_max -= (uint32_t)run;
        l->first_seq += run;
        l->length -= (uint32_t)run;
        if (l->chunked && (l->length == 0 || l->first_seq % LIST_CHUNK_SLOTS == 0))
            pool_free(h->pool, *list_chunk_at(l, list_chunk_of(l->first_seq - 1)),
                      LIST_CHUNK_BYTES);
    }
    if (l->length > 0) return false;
    list_slots_drop(h, o);
    return true;
}

size_t list_deque_bytes(const struct obj *o)
{
    const struct list *l = obj_body(o);
    size_t bytes = pool_good_bytes(sizeof(struct cell));
    if (l == NULL) return bytes;
    bytes += pool_good_bytes(list_body_bytes(l));
    if (!l->chunked) return bytes;
    bytes += pool_good_bytes(l->capacity * sizeof(val *));
    return bytes + list_chunk_count(l) * pool_good_bytes(LIST_CHUNK_BYTES);
}

bool list_deque_check(const struct heap *h, const struct obj *o)
{
    (void)h;
    const struct list *l = obj_body(o);
    if (l == NULL) return (o->flags & OBJ_VISIBLE) == 0;
    if (l->length == 0) return false; /* 1. */
    if (l->capacity < LIST_RING_SLOTS_MIN || (l->capacity & (l->capacity - 1)) != 0)
        return false; /* 2. */
    if (!l->chunked && (l->capacity > LIST_RING_SLOTS_MAX || l->length > l->capacity)) return false;
    if (l->chunked && list_chunk_count(l) > l->capacity) return false;
    if (l->first_seq < LIST_FIRST_SEQ / 2 || l->first_seq > LIST_FIRST_SEQ / 2 * 3)
        return false; /* 3. */
    for (uint64_t s = l->first_seq; s < list_end_seq(l); s++) {
        val v = *list_slot_at(l, s);
        if (val_is_none(v) || !val_check(v)) return false;
        if (val_is_container(v) && (o->flags & OBJ_VISIBLE) == 0) return false;
        if (val_is_weak(v) && !l->words.weakly) return false;
    }
    return true;
}

void list_deque_prefetch(const struct obj *o)
{
    /* The body is there already; its slots may lie in the next line. */
    prefetch((const char *)obj_body(o) + sizeof(struct list));
}
