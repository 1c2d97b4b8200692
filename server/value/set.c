#include "value/set.h"

#include "value/move.h"
#include "value/report.h"
#include "value/set_integers.h"
#include "value/set_table.h"

enum { WALK_STEP_SLOTS = 256, RANDOM_TRIES = 64, REPACK_PART = 4 };

static const struct value_limits *limits(const struct heap *h)
{
    return &h->values->limits;
}

/* --- packed members --- */

/* The entry of a member in a block of entries, or NULL. */
static const uint8_t *entry_find(const struct packed *b, const struct needle *member)
{
    struct pack_item item;
    if (!pack_item_of_needle(member, &item)) return NULL;
    return pack_find(b->at, packed_end(b), &item);
}

static bool integer_find(const struct packed *b, const struct needle *member, uint32_t *index)
{
    return val_is_int(member->v) && set_integers_find(b, val_small(member->v), index);
}

/* The members of a packed set, one after the other. */
struct packed_walk {
    const struct packed *block;
    const uint8_t *at; /* the next entry; not of integers */
    uint32_t index;    /* the next member */
};

static bool packed_walk_next(struct packed_walk *w, val *member)
{
    if (w->index == w->block->count) return false;
    if (w->block->width) {
        *member = val_of_small(set_integers_at(w->block, w->index));
    } else {
        *member = pack_get(w->at);
        w->at = pack_next(w->at);
    }
    w->index++;
    return true;
}

static struct packed_walk packed_walk_of(const struct packed *b)
{
    return (struct packed_walk){.block = b, .at = b->at};
}

/* --- looking --- */

uint64_t set_length(const struct obj *o)
{
    const struct packed *b = packed_of(o);
    return b ? b->count : body_table_length(o);
}

bool set_has(const struct obj *o, const struct needle *member)
{
    const struct packed *b = packed_of(o);
    uint32_t index;
    if (b == NULL) return set_table_find(o, member) != NULL;
    return b->width ? integer_find(b, member, &index) : entry_find(b, member) != NULL;
}

RC_BORROWED val set_slot(const struct obj *o, const struct needle *member)
{
    const struct packed *b = packed_of(o);
    uint32_t index;
    if (b == NULL) {
        const val *slot = set_table_find(o, member);
        return slot ? *slot : VAL_NONE;
    }
    if (b->width) return integer_find(b, member, &index) ? member->v : VAL_NONE;
    const uint8_t *at = entry_find(b, member);
    return at ? pack_get(at) : VAL_NONE;
}

enum set_form set_form(const struct obj *o)
{
    const struct packed *b = packed_of(o);
    return b == NULL ? SET_TABLE : b->width ? SET_INTEGERS : SET_PACKED;
}

/* --- conversions: to a cell of our own first, so that nothing has changed when memory is out ---
 */

/* Gives up what was made, and says why. */
static enum status give_up(struct heap *h, struct cell *made)
{
    while (!set_heap_type.clear(h, &made->head, UINT32_MAX)) continue;
    return STATUS_OOM;
}

static enum status to_table(struct heap *h, struct obj *o)
{
    struct cell made = {.head = {.type = OBJ_SET}};
    struct packed_walk w = packed_walk_of(packed_of(o));
    for (val member, v; packed_walk_next(&w, &member);) {
        if (val_keep(h, member, &v)) return give_up(h, &made);
        if (set_table_put(h, &made.head, val_hash(h, v), v)) {
            val_release(h, v);
            return give_up(h, &made);
        }
    }
    packed_swap(h, o, &made);
    return STATUS_OK;
}

/* A set of integers gets entries. Its block has room for them: the caller has asked. */
static enum status to_entries(struct heap *h, struct obj *o, size_t bytes)
{
    const struct packed *b = packed_of(o);
    struct cell made = {.head = {.type = OBJ_SET}};
    uint8_t *at = packed_open(h, &made.head, 0, bytes, b->count);
    if (at == NULL) return STATUS_OOM;
    for (uint32_t i = 0; i < b->count; i++) {
        struct pack_item item = pack_item_of_integer(set_integers_at(b, i));
        at = pack_put(at, &item);
    }
    packed_swap(h, o, &made);
    return STATUS_OK;
}

static size_t bytes_as_entries(const struct packed *integers)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < integers->count; i++) {
        struct pack_item item = pack_item_of_integer(set_integers_at(integers, i));
        bytes += pack_item_bytes(&item);
    }
    return bytes;
}

/* A set that has shrunk becomes packed again, if all its members can be. */
struct repack {
    struct heap *heap;
    struct cell made;
    bool integers, failed;
};

static void repack_member(void *ctx, val member)
{
    struct repack *r = ctx;
    struct heap *h = r->heap;
    struct obj *to = &r->made.head;
    const struct packed *b = packed_of(to);
    if (r->failed) return;
    if (r->integers) {
        uint32_t index = 0;
        r->failed = !val_is_int(member);
        if (r->failed) return;
        if (b) set_integers_find(b, val_small(member), &index);
        r->failed = set_integers_add(h, to, index, val_small(member)) != STATUS_OK;
        return;
    }
    struct packed_in in;
    uint8_t *at = NULL;
    if (packed_in_of_val(&member, limits(h)->set_text_bytes, &in) &&
        packed_has_room(b, packed_in_bytes(&in)))
        at = packed_open(h, to, b ? b->used : 0, packed_in_bytes(&in), 1);
    if (at) packed_put(h, at, &in);
    r->failed = at == NULL;
}

static bool repack(struct heap *h, struct obj *o, bool integers)
{
    struct repack r = {.heap = h, .made = {.head = {.type = OBJ_SET}}, .integers = integers};
    uint64_t cursor = 0;
    while (set_table_walk(o, &cursor, 1, BODY_SLOTS, repack_member, &r) && !r.failed) continue;
    if (r.failed)
        packed_drop(h, &r.made.head);
    else
        packed_swap(h, o, &r.made);
    return !r.failed;
}

/* After a removal. Without the memory for it the set stays as it is. */
static void shrunk(struct heap *h, struct obj *o)
{
    const struct value_limits *l = limits(h);
    if (packed_of(o) || obj_body(o) == NULL) return;
    if ((o->flags & OBJ_VISIBLE) && h->collect.phase != COLLECT_IDLE) return;
    uint64_t length = set_length(o);
    if (length & (length - 1)) return;
    if (length <= l->set_integers / REPACK_PART && repack(h, o, true)) return;
    if (length <= l->set_entries / REPACK_PART) (void)repack(h, o, false);
}

/* --- adding --- */

static bool fits_integers(const struct heap *h, const struct packed *b, const struct needle *member)
{
    uint32_t count = b ? b->count : 0;
    return val_is_int(member->v) && !member->weakly && count < limits(h)->set_integers &&
           count < set_integers_max(b, val_small(member->v));
}

/* Whether a set of `count` members in `used` bytes can have this one more as entries. */
static bool fits_entries(const struct heap *h, uint32_t count, size_t used,
                         const struct needle *member, struct packed_in *in)
{
    const struct value_limits *l = limits(h);
    return count < l->set_entries && packed_in_of_needle(member, l->set_text_bytes, in) &&
           sizeof(struct packed) + used + packed_in_bytes(in) <= PACKED_BYTES_MAX;
}

static enum status add_entry(struct heap *h, struct obj *o, const struct packed_in *in)
{
    const struct packed *b = packed_of(o);
    uint8_t *at = packed_open(h, o, b ? b->used : 0, packed_in_bytes(in), 1);
    if (at == NULL) return STATUS_OOM;
    packed_put(h, at, in);
    return STATUS_OK;
}

static enum status add_to_table(struct heap *h, struct obj *o, const struct needle *member)
{
    val v;
    enum status s = needle_take_value(h, member, &v);
    if (s != STATUS_OK) return s;
    s = set_table_put(h, o, member->hash, v);
    if (s != STATUS_OK) val_release(h, v);
    return s;
}

/* Adds a member that is not there to a set that is packed or empty: in the first form that takes
 * it, of integers, of entries, and the table. `index` is an integer's place. */
static enum status add_to_packed(struct heap *h, struct obj *o, uint32_t index,
                                 const struct needle *member)
{
    const struct packed *b = packed_of(o);
    struct packed_in in;
    enum status s = STATUS_OK;
    if (b == NULL || b->width) {
        if (fits_integers(h, b, member)) return set_integers_add(h, o, index, val_small(member->v));
        size_t used = b ? bytes_as_entries(b) : 0;
        if (fits_entries(h, b ? b->count : 0, used, member, &in)) {
            if (b) s = to_entries(h, o, used);
            return s ? s : add_entry(h, o, &in);
        }
    } else if (fits_entries(h, b->count, b->used, member, &in)) {
        return add_entry(h, o, &in);
    }
    if (b) s = to_table(h, o);
    return s ? s : add_to_table(h, o, member);
}

enum status set_add(struct heap *h, struct obj *o, const struct needle *member, bool *added)
{
    const struct packed *b = packed_of(o);
    uint32_t index = 0;
    enum status s = STATUS_OK;
    if (b == NULL && obj_body(o))
        *added = set_table_find(o, member) == NULL;
    else if (b && b->width)
        *added = !integer_find(b, member, &index);
    else
        *added = b == NULL || entry_find(b, member) == NULL;
    if (!*added) return STATUS_OK;
    s = b || obj_body(o) == NULL ? add_to_packed(h, o, index, member) : add_to_table(h, o, member);
    if (s != STATUS_OK)
        *added = false;
    else if (report_wanted(h))
        report_set_add(h, o, member);
    return s;
}

void set_expect(struct heap *h, struct obj *o, struct packed_more more)
{
    const struct packed *b = packed_of(o);
    if (b && b->width)
        packed_expect(h, o, (size_t)more.elements * b->width);
    else if (b && b->count + more.elements <= limits(h)->set_entries)
        packed_expect(h, o, more.bytes);
}

void set_expect_end(struct heap *h, struct obj *o)
{
    packed_expect_end(h, o);
}

/* --- removing --- */

static bool remove_packed(struct heap *h, struct obj *o, const struct needle *member)
{
    const struct packed *b = packed_of(o);
    uint32_t index;
    if (b->width) {
        if (!integer_find(b, member, &index)) return false;
        set_integers_remove(h, o, index);
        return true;
    }
    const uint8_t *at = entry_find(b, member);
    if (at == NULL) return false;
    packed_remove(h, o, (size_t)(at - b->at), (size_t)(pack_next(at) - at), 1);
    packed_fit(h, o);
    return true;
}

bool set_remove(struct heap *h, struct obj *o, const struct needle *member)
{
    if (report_wanted(h) && set_has(o, member)) report_set_remove(h, o, member);
    if (packed_of(o)) return remove_packed(h, o, member);
    val *slot = set_table_find(o, member);
    if (slot == NULL) return false;
    val v = set_table_take(h, o, member->hash, slot);
    val_release(h, v); /* the needle may lie in it, and is not looked at any more */
    shrunk(h, o);
    return true;
}

static void report_any(struct heap *h, const struct obj *o, val stored)
{
    struct needle member = needle_of_val(h, stored);
    report_set_remove(h, o, &member);
}

bool set_remove_any(struct heap *h, struct obj *o)
{
    const struct packed *b = packed_of(o);
    if (obj_body(o) == NULL) return false;
    if (b == NULL) {
        val *slot = set_table_random(h, o);
        if (report_wanted(h)) report_any(h, o, *slot);
        val_release(h, set_table_take(h, o, val_hash(h, *slot), slot));
        shrunk(h, o);
    } else if (b->width) {
        if (report_wanted(h)) report_any(h, o, val_of_small(set_integers_at(b, b->count - 1u)));
        set_integers_remove(h, o, b->count - 1u);
    } else {
        if (report_wanted(h)) report_any(h, o, pack_get(b->at));
        packed_remove(h, o, 0, (size_t)(pack_next(b->at) - b->at), 1);
        packed_fit(h, o);
    }
    return true;
}

static void set_drop_weak(struct heap *h, struct obj *o, struct weak *w)
{
    struct needle member = needle_of_val(h, val_of_obj(&w->head));
    set_remove(h, o, &member);
}

/* --- walks --- */

static void packed_each(const struct packed *b, set_each *each, void *ctx)
{
    struct packed_walk w = packed_walk_of(b);
    for (val member; packed_walk_next(&w, &member);) each(ctx, member);
}

/* A packed set is one step. */
static bool walk(const struct obj *o, uint64_t *cursor, uint32_t max, enum body_shows shows,
                 set_each *each, void *ctx)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return set_table_walk(o, cursor, max, shows, each, ctx);
    if (*cursor == 0) packed_each(b, each, ctx);
    *cursor = 1;
    return false;
}

bool set_walk(const struct obj *o, uint64_t *cursor, uint32_t max, set_each *each, void *ctx)
{
    return walk(o, cursor, max, BODY_TARGETS, each, ctx);
}

bool set_walk_slots(const struct obj *o, uint64_t *cursor, uint32_t max, set_each *each, void *ctx)
{
    return walk(o, cursor, max, BODY_SLOTS, each, ctx);
}

/* Also where the scan began while the set had a table: what is there is shown at least once. */
uint64_t set_scan(const struct obj *o, uint64_t cursor, set_each *each, void *ctx)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return set_table_scan(o, cursor, each, ctx);
    packed_each(b, each, ctx);
    return 0;
}

static void count_each(void *ctx, val member)
{
    (void)member;
    ++*(uint64_t *)ctx;
}

uint64_t set_shown(const struct heap *h, const struct obj *o)
{
    uint64_t shown = 0, cursor = 0;
    if (!body_may_lag(h, o)) return set_length(o);
    while (set_walk(o, &cursor, WALK_STEP_SLOTS, count_each, &shown)) continue;
    return shown;
}

/* One of the members that a walk shows, each with the same chance. */
struct pick {
    struct heap *heap;
    uint64_t seen;
    val picked;
};

static void pick_each(void *ctx, val member)
{
    struct pick *p = ctx;
    if (heap_random(p->heap) % ++p->seen == 0) p->picked = member;
}

RC_BORROWED val set_random(struct heap *h, const struct obj *o)
{
    const struct packed *b = packed_of(o);
    if (obj_body(o) == NULL) return VAL_NONE;
    if (b) {
        uint32_t index = (uint32_t)(heap_random(h) % b->count);
        return b->width ? val_of_small(set_integers_at(b, index))
                        : pack_get(packed_at(b, index, 1));
    }
    for (int i = 0; i < RANDOM_TRIES; i++) {
        val v = val_target(*set_table_random(h, o));
        if (!val_is_none(v)) return v;
    }
    /* Nearly all members are gone and not yet removed. */
    struct pick p = {.heap = h, .picked = VAL_NONE};
    uint64_t cursor = 0;
    while (set_walk(o, &cursor, WALK_STEP_SLOTS, pick_each, &p)) continue;
    return p.picked;
}

struct copied {
    struct heap *h;
    const struct obj *o;
};

static void report_copied(void *ctx, val member)
{
    const struct copied *c = ctx;
    struct needle n = needle_of_val(c->h, member);
    report_set_add(c->h, c->o, &n);
}

static void report_copy(struct heap *h, const struct obj *o)
{
    struct copied c = {h, o};
    uint64_t cursor = 0;
    while (set_walk_slots(o, &cursor, WALK_STEP_SLOTS, report_copied, &c)) continue;
}

enum status set_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out)
{
    struct obj *to = heap_container_new(h, OBJ_SET);
    if (to == NULL) return STATUS_OOM;
    enum status s = packed_of(from) ? packed_copy(h, from, to) : set_table_copy(h, from, to);
    if (report_wanted(h) && !s) report_copy(h, to);
    if (s == STATUS_OK)
        *out = to;
    else
        rc_dec(h, to);
    return s;
}

/* --- for the heap --- */

static uint64_t set_begin(const struct obj *o)
{
    (void)o;
    return 0;
}

static uint64_t set_end(const struct obj *o)
{
    return packed_of(o) ? 1 : body_table_end(o);
}

static uint64_t set_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                          heap_visit *fn, void *ctx)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return set_table_visit(o, cursor, limit, slots_max, fn, ctx);
    if (cursor == 0) packed_visit(b, fn, ctx);
    return limit;
}

static bool set_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    if (packed_of(o) == NULL) return set_table_clear(h, o, slots_max);
    packed_drop(h, o);
    return true;
}

static size_t set_bytes(const struct obj *o)
{
    const struct packed *b = packed_of(o);
    return b ? packed_bytes(b) : set_table_bytes(o);
}

bool set_check(const struct heap *h, const struct obj *o)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return set_table_check(h, o);
    if (!packed_check(o, 1)) return false;
    if (b->width) return set_integers_check(b);
    struct packed_walk w = packed_walk_of(b);
    for (const uint8_t *at = w.at; at < packed_end(b); at = pack_next(at)) {
        val v = pack_get(at);
        struct needle n = needle_of_val(h, v);
        if (entry_find(b, &n) != at) return false; /* 2. */
    }
    return true;
}

const struct heap_type set_heap_type = {
    .name = "set",
    .begin = set_begin,
    .end = set_end,
    .visit = set_visit,
    .prefetch = body_table_prefetch,
    .clear = set_clear,
    .drop_weak = set_drop_weak,
    .move = set_move,
    .bytes = set_bytes,
    .check = set_check,
};
