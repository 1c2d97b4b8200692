#include "value/list.h"

#include "value/list_deque.h"
#include "value/move.h"
#include "value/report.h"

enum { REPACK_PART = 4 };

/* --- looking --- */

uint64_t list_length(const struct obj *o)
{
    const struct packed *b = packed_of(o);
    return b ? b->count : list_deque_length(o);
}

bool list_is_packed(const struct obj *o)
{
    return packed_of(o) != NULL;
}

static val target(val slot)
{
    val v = val_target(slot);
    return val_is_none(v) ? VAL_NIL : v;
}

RC_BORROWED val list_slot(const struct obj *o, uint64_t index)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return list_deque_slot(o, index);
    DASSERT(index < b->count);
    return pack_get(packed_at(b, (uint32_t)index, 1));
}

RC_BORROWED val list_get(const struct obj *o, uint64_t index)
{
    return target(list_slot(o, index));
}

void list_seek(const struct obj *o, uint64_t index, struct list_iter *it)
{
    const struct packed *b = packed_of(o);
    DASSERT(index < list_length(o));
    it->o = o;
    it->index = index;
    if (b) packed_seek(&it->packed, b, (uint32_t)index, 1);
}

RC_BORROWED val list_at_slot(const struct list_iter *it)
{
    return packed_of(it->o) ? pack_get(it->packed.at) : list_deque_slot(it->o, it->index);
}

RC_BORROWED val list_at(const struct list_iter *it)
{
    return target(list_at_slot(it));
}

bool list_next(struct list_iter *it)
{
    if (packed_of(it->o)) return packed_next(&it->packed);
    if (it->index + 1 >= list_deque_length(it->o)) return false;
    it->index++;
    return true;
}

bool list_prev(struct list_iter *it)
{
    if (packed_of(it->o)) return packed_prev(&it->packed);
    if (it->index == 0) return false;
    it->index--;
    return true;
}

/* --- conversions: to a cell of our own first, so that nothing has changed when memory is out ---
 */

static enum status to_deque(struct heap *h, struct obj *o)
{
    const struct packed *b = packed_of(o);
    struct cell made = {.head = {.type = OBJ_LIST}};
    for (const uint8_t *at = b->at; at < packed_end(b); at = pack_next(at)) {
        val v;
        enum status s = val_keep(h, pack_get(at), &v);
        if (s == STATUS_OK) s = list_deque_push_take(h, &made.head, LIST_TAIL, v);
        if (s == STATUS_OK) continue;
        while (!list_deque_clear(h, &made.head, UINT32_MAX)) continue;
        return s;
    }
    packed_swap(h, o, &made);
    return STATUS_OK;
}

/* Whether a block can have so many entries more. */
static bool has_room(const struct heap *h, const struct packed *b, uint32_t entries, size_t bytes)
{
    const struct value_limits *l = &h->values->limits;
    size_t used = b ? b->used : 0;
    return (b ? b->count : 0u) + entries <= l->list_entries &&
           sizeof *b + used + bytes <= l->list_bytes && packed_has_room(b, bytes);
}

/* One entry more at the end of a packed or empty list; false: it does not fit, or no memory. */
static bool append(struct heap *h, struct obj *o, const struct packed_in *in)
{
    const struct packed *b = packed_of(o);
    size_t bytes = packed_in_bytes(in);
    uint8_t *at = NULL;
    if (has_room(h, b, 1, bytes)) at = packed_open(h, o, b ? b->used : 0, bytes, 1);
    if (at) packed_put(h, at, in);
    return at != NULL;
}

/* A deque that has shrunk becomes packed again, if all that is left can be; without the memory for
 * it, it stays as it is. */
static void repack(struct heap *h, struct obj *o)
{
    const struct value_limits *l = &h->values->limits;
    uint64_t length = list_length(o);
    struct cell made = {.head = {.type = OBJ_LIST}};
    if (packed_of(o) || length == 0 || length > l->list_entries / REPACK_PART) return;
    if ((o->flags & OBJ_VISIBLE) && h->collect.phase != COLLECT_IDLE) return;
    for (uint64_t i = 0; i < length; i++) {
        struct packed_in in;
        val v = list_deque_slot(o, i);
        if (packed_in_of_val(&v, l->list_text_bytes, &in) && append(h, &made.head, &in)) continue;
        packed_drop(h, &made.head);
        return;
    }
    packed_swap(h, o, &made);
}

static void popped(struct heap *h, struct obj *o)
{
    uint64_t length = list_length(o);
    if ((length & (length - 1)) == 0) repack(h, o);
}

/* --- storing --- */

/* What is to be stored: a text, or a counted value. */
struct incoming {
    const struct view *text; /* NULL: the value */
    val v;
};

static bool in_of(const struct heap *h, const struct incoming *in, struct packed_in *out)
{
    uint32_t max = h->values->limits.list_text_bytes;
    return in->text ? packed_in_of_text(*in->text, max, out) : packed_in_of_val(&in->v, max, out);
}

static void dismiss(struct heap *h, const struct incoming *in)
{
    if (!in->text) val_release(h, in->v);
}

/* Makes sure that the list is a deque, and what comes in a value, which is the caller's. */
static enum status as_value(struct heap *h, struct obj *o, const struct incoming *in, val *out)
{
    enum status s = packed_of(o) ? to_deque(h, o) : STATUS_OK;
    if (s != STATUS_OK) {
        dismiss(h, in);
        return s;
    }
    *out = in->v;
    return in->text ? val_of_text(h, *in->text, out) : STATUS_OK;
}

/* Whether a list is packed, or may become so, with this element. */
static bool fits(const struct heap *h, const struct obj *o, const struct incoming *in,
                 struct packed_in *out)
{
    const struct packed *b = packed_of(o);
    if (b == NULL && obj_body(o) != NULL) return false;
    return in_of(h, in, out) && has_room(h, b, 1, packed_in_bytes(out));
}

static enum status put_before(struct heap *h, struct obj *o, uint64_t index,
                              const struct incoming *in)
{
    struct packed_in entry;
    val v;
    DASSERT(index <= list_length(o));
    if (!fits(h, o, in, &entry)) {
        enum status s = as_value(h, o, in, &v);
        return s ? s : list_deque_insert_take(h, o, index, v);
    }
    const struct packed *b = packed_of(o);
    size_t offset = b ? (size_t)(packed_at(b, (uint32_t)index, 1) - b->at) : 0;
    uint8_t *at = packed_open(h, o, offset, packed_in_bytes(&entry), 1);
    if (at) packed_put(h, at, &entry);
    dismiss(h, in);
    return at ? STATUS_OK : STATUS_OOM;
}

/* What the report of a stored element says. A value that came in is the list's now, and may have
 * become bytes. The result borrows a text that came in, or from the object that the slot holds. */
static struct effect_value stored_at(const struct obj *o, uint64_t index, const struct incoming *in)
{
    if (in->text) return report_of_text(*in->text);
    if (val_is_short(in->v)) return report_value(&in->v);
    val stored = list_slot(o, index);
    return report_value(&stored);
}

static enum status insert(struct heap *h, struct obj *o, uint64_t index, const struct incoming *in)
{
    enum status s = put_before(h, o, index, in);
    if (report_wanted(h) && !s) report_list_insert(h, o, index, stored_at(o, index, in));
    return s;
}

static enum status push(struct heap *h, struct obj *o, enum list_end end, const struct incoming *in)
{
    return insert(h, o, end == LIST_HEAD ? 0 : list_length(o), in);
}

enum status list_push_take(struct heap *h, struct obj *o, enum list_end end, RC_STEALS val v)
{
    return push(h, o, end, &(struct incoming){.v = v});
}

enum status list_push_text(struct heap *h, struct obj *o, enum list_end end, struct view text)
{
    return push(h, o, end, &(struct incoming){.text = &text});
}

enum status list_insert_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v)
{
    return insert(h, o, index, &(struct incoming){.v = v});
}

enum status list_insert_text(struct heap *h, struct obj *o, uint64_t index, struct view text)
{
    return insert(h, o, index, &(struct incoming){.text = &text});
}

static enum status put_at(struct heap *h, struct obj *o, uint64_t index, const struct incoming *in)
{
    const struct packed *b = packed_of(o);
    struct packed_in entry;
    val v;
    if (b && in_of(h, in, &entry)) {
        const uint8_t *old = packed_at(b, (uint32_t)index, 1);
        size_t offset = (size_t)(old - b->at), old_bytes = (size_t)(pack_next(old) - old);
        size_t bytes = packed_in_bytes(&entry), more = bytes > old_bytes ? bytes - old_bytes : 0;
        if (has_room(h, b, 0, more)) {
            uint8_t *at = packed_replace(h, o, offset, old_bytes, bytes);
            if (at) packed_put(h, at, &entry);
            packed_fit(h, o);
            dismiss(h, in);
            return at ? STATUS_OK : STATUS_OOM;
        }
    }
    enum status s = as_value(h, o, in, &v);
    if (s == STATUS_OK) list_deque_set_take(h, o, index, v);
    return s;
}

static enum status set(struct heap *h, struct obj *o, uint64_t index, const struct incoming *in)
{
    enum status s = put_at(h, o, index, in);
    if (report_wanted(h) && !s) report_list_set(h, o, index, stored_at(o, index, in));
    return s;
}

enum status list_set_take(struct heap *h, struct obj *o, uint64_t index, RC_STEALS val v)
{
    return set(h, o, index, &(struct incoming){.v = v});
}

enum status list_set_text(struct heap *h, struct obj *o, uint64_t index, struct view text)
{
    return set(h, o, index, &(struct incoming){.text = &text});
}

void list_expect(struct heap *h, struct obj *o, struct packed_more more)
{
    const struct packed *b = packed_of(o);
    if (b && b->count + more.elements <= h->values->limits.list_entries)
        packed_expect(h, o, more.bytes);
}

void list_expect_end(struct heap *h, struct obj *o)
{
    packed_expect_end(h, o);
}

/* --- removing --- */

/* The elements of a block from one index to another. */
static void remove_range(struct heap *h, struct obj *o, uint32_t from, uint32_t to)
{
    const struct packed *b = packed_of(o);
    const uint8_t *begin = packed_at(b, from, 1), *end = packed_at(b, to, 1);
    packed_remove(h, o, (size_t)(begin - b->at), (size_t)(end - begin), to - from);
    packed_fit(h, o);
}

void list_drop(struct heap *h, struct obj *o, enum list_end end)
{
    const struct packed *b = packed_of(o);
    if (report_wanted(h)) report_list_delete(h, o, end == LIST_HEAD ? 0 : list_length(o) - 1, 1);
    if (b) {
        uint32_t at = end == LIST_HEAD ? 0 : b->count - 1u;
        remove_range(h, o, at, at + 1);
    } else {
        val_release(h, list_deque_pop(h, o, end));
        popped(h, o);
    }
}

RC_NEW val list_pop(struct heap *h, struct obj *o, enum list_end end)
{
    const struct packed *b = packed_of(o);
    val v;
    if (b == NULL) {
        v = list_deque_pop(h, o, end);
        popped(h, o);
        return v;
    }
    if (val_keep(h, list_slot(o, end == LIST_HEAD ? 0 : b->count - 1u), &v)) return VAL_NONE;
    list_drop(h, o, end);
    return v;
}

/* How many entries match in all. */
static uint64_t count_matches(const struct packed *b, const struct pack_item *item)
{
    uint64_t n = 0;
    for (const uint8_t *at = b->at; at < packed_end(b); at = pack_next(at)) n += pack_is(at, item);
    return n;
}

/* From the tail the first matches are those that stay. */
static uint64_t remove_packed(struct heap *h, struct obj *o, const struct needle *n,
                              enum list_end from, uint64_t max)
{
    const struct packed *b = packed_of(o);
    struct pack_item item;
    if (!pack_item_of_needle(n, &item)) return 0;
    uint64_t matches = count_matches(b, &item), removed = matches < max ? matches : max;
    uint64_t stay = from == LIST_HEAD ? 0 : matches - removed;
    size_t offset = 0;
    for (uint64_t left = removed; left > 0; b = packed_of(o)) {
        const uint8_t *at = b->at + offset;
        size_t bytes = (size_t)(pack_next(at) - at);
        bool match = pack_is(at, &item);
        if (!match || stay > 0) {
            stay -= match;
            offset += bytes;
            continue;
        }
        packed_remove(h, o, offset, bytes, 1);
        left--;
    }
    packed_fit(h, o);
    return removed;
}

/* Which elements are about to go, in an order in which each index says where the element is then.
 */
static void report_matching(struct heap *h, const struct obj *o, const struct needle *n,
                            enum list_end from, uint64_t max)
{
    struct list_iter it;
    uint64_t removed = 0, length = list_length(o);
    bool forward = from == LIST_HEAD;
    if (length == 0) return;
    list_seek(o, forward ? 0 : length - 1, &it);
    for (uint64_t seen = 0; seen < length && removed < max; seen++) {
        bool matches = needle_matches(n, list_at_slot(&it));
        if (matches) report_list_delete(h, o, forward ? seen - removed : length - 1 - seen, 1);
        removed += matches;
        (void)(forward ? list_next(&it) : list_prev(&it));
    }
}

uint64_t list_remove_matching(struct heap *h, struct obj *o, const struct needle *n,
                              enum list_end from, uint64_t max)
{
    if (report_wanted(h)) report_matching(h, o, n, from, max);
    if (packed_of(o)) return remove_packed(h, o, n, from, max);
    uint64_t removed = list_deque_remove_matching(h, o, n, from, max);
    if (removed) repack(h, o);
    return removed;
}

static enum status keep(struct heap *h, struct obj *o, uint64_t first, uint64_t count)
{
    uint64_t length = list_length(o);
    if (packed_of(o) == NULL) {
        enum status s = list_deque_trim(h, o, first, count);
        if (s == STATUS_OK) repack(h, o);
        return s;
    }
    if (first + count < length) remove_range(h, o, (uint32_t)(first + count), (uint32_t)length);
    if (first > 0 && packed_of(o)) remove_range(h, o, 0, (uint32_t)first);
    return STATUS_OK;
}

enum status list_trim(struct heap *h, struct obj *o, uint64_t first, uint64_t count)
{
    uint64_t length = list_length(o), behind = length - first - count;
    DASSERT(first <= length && count <= length - first);
    if (count == length) return STATUS_OK;
    struct effects_mark mark = effects_mark(&h->effects);
    if (report_wanted(h) && behind) report_list_delete(h, o, first + count, behind);
    if (report_wanted(h) && first) report_list_delete(h, o, 0, first);
    enum status s = keep(h, o, first, count);
    if (s) effects_rewind(&h->effects, mark);
    return s;
}

static void report_copy(struct heap *h, const struct obj *o)
{
    struct list_iter it;
    if (list_length(o) == 0) return;
    uint64_t index = 0;
    list_seek(o, 0, &it);
    do {
        val stored = list_at_slot(&it);
        report_list_insert(h, o, index++, report_value(&stored));
    } while (list_next(&it));
}

enum status list_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out)
{
    struct obj *to = heap_container_new(h, OBJ_LIST);
    if (to == NULL) return STATUS_OOM;
    enum status s = packed_of(from) ? packed_copy(h, from, to) : list_deque_copy(h, from, to);
    if (report_wanted(h) && !s) report_copy(h, to);
    if (s == STATUS_OK)
        *out = to;
    else
        rc_dec(h, to);
    return s;
}

/* --- for the heap --- */

static uint64_t list_begin(const struct obj *o)
{
    return packed_of(o) ? 0 : list_deque_begin(o);
}

static uint64_t list_heap_end(const struct obj *o)
{
    return packed_of(o) ? 1 : list_deque_end(o);
}

static uint64_t list_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                           heap_visit *fn, void *ctx)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return list_deque_visit(o, cursor, limit, slots_max, fn, ctx);
    if (cursor == 0) packed_visit(b, fn, ctx);
    return limit;
}

static bool list_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    if (packed_of(o) == NULL) return list_deque_clear(h, o, slots_max);
    packed_drop(h, o);
    return true;
}

static size_t list_bytes(const struct obj *o)
{
    const struct packed *b = packed_of(o);
    return b ? packed_bytes(b) : list_deque_bytes(o);
}

bool list_check(const struct heap *h, const struct obj *o)
{
    if (packed_of(o) == NULL) return list_deque_check(h, o);
    return packed_check(o, 1) && packed_of(o)->width == 0;
}

const struct heap_type list_heap_type = {
    .name = "list",
    .begin = list_begin,
    .end = list_heap_end,
    .visit = list_visit,
    .prefetch = list_deque_prefetch,
    .clear = list_clear,
    .move = list_move,
    .bytes = list_bytes,
    .check = list_check,
};
