/* Lists: LPUSH and its kin, pops, ranges, LSET, LREM, LINSERT, LTRIM and the moves between lists.
 */
#include "command/command.h"
#include "command/members.h"
#include "value/list.h"

/* --- pushes --- */

enum push_where { PUSH_ANYWHERE, PUSH_ON_EXISTING };

/* Argument i goes to an end. */
static enum status push_argument(struct call *c, struct obj *o, enum list_end end, uint32_t i)
{
    val v;
    if (c->form == BY_VALUE) return list_push_text(c->heap, o, end, c->argv[i]);
    enum status status = call_value(c, i, &v);
    return status ? status : list_push_take(c->heap, o, end, v);
}

static enum status push(struct call *c, enum list_end end, enum push_where where)
{
    struct subject s;
    enum status status = call_write(c, 1, OBJ_LIST, &s);
    if (!status) status = members_bound(c, (struct members_at){.first = 2, .step = 1});
    if (!status) status = members_reply_room(c);
    if (status) return status;
    if (!s.o) {
        if (where == PUSH_ON_EXISTING) {
            reply_integer(c, 0);
            return STATUS_OK;
        }
        status = call_ensure(c, 1, OBJ_LIST, &s);
        if (status) return status;
    }
    bool several = c->argc > 3;
    uint32_t i = 2;
    for (; i < c->argc && !(status = push_argument(c, s.o, end, i)); i++)
        if (several && i == 2)
            list_expect(c->heap, s.o, members_more(c, (struct members_at){3, 1}, 0));
    if (!status) {
        if (several) list_expect_end(c->heap, s.o);
        call_made(c, &s, STATUS_OK);
        for (i = 2; i < c->argc; i++) call_stored_source(c, i);
        reply_integer(c, (int64_t)list_length(s.o));
        return STATUS_OK;
    }
    while (i-- > 2) list_drop(c->heap, s.o, end);
    call_made(c, &s, status);
    return status;
}

enum status cmd_lpush(struct call *c)
{
    return push(c, LIST_HEAD, PUSH_ANYWHERE);
}

enum status cmd_rpush(struct call *c)
{
    return push(c, LIST_TAIL, PUSH_ANYWHERE);
}

enum status cmd_lpushx(struct call *c)
{
    return push(c, LIST_HEAD, PUSH_ON_EXISTING);
}

enum status cmd_rpushx(struct call *c)
{
    return push(c, LIST_TAIL, PUSH_ON_EXISTING);
}

/* --- pops --- */

/* The index of the element at an end. */
static uint64_t index_from(const struct obj *o, enum list_end end)
{
    return end == LIST_HEAD ? 0 : list_length(o) - 1;
}

static enum status pop_one(struct call *c, struct subject *s, enum list_end end)
{
    enum status status = reply_value(c, list_get(s->o, index_from(s->o, end)));
    if (!status && c->out->failed) status = STATUS_OOM;
    if (status) return status;
    list_drop(c->heap, s->o, end);
    call_settle(c, s);
    return STATUS_OK;
}

static enum status pop_many(struct call *c, struct subject *s, enum list_end end, uint64_t count)
{
    uint64_t length = list_length(s->o);
    if (count > length) count = length;
    reply_array(c, count);
    if (count == 0) return STATUS_OK;
    struct list_iter it;
    enum status status = STATUS_OK;
    list_seek(s->o, index_from(s->o, end), &it);
    for (uint64_t i = 0; i < count && !status; i++) {
        status = reply_value(c, list_at(&it));
        (void)(end == LIST_HEAD ? list_next(&it) : list_prev(&it));
    }
    if (!status && c->out->failed) status = STATUS_OOM;
    if (!status) status = list_trim(c->heap, s->o, end == LIST_HEAD ? count : 0, length - count);
    if (!status) call_settle(c, s);
    return status;
}

static enum status pop(struct call *c, enum list_end end)
{
    bool counted = c->argc > 2;
    int64_t count = 1;
    if (c->argc > 3) return call_error_arity(c);
    if (counted && (call_integer(c, 2, &count) || count < 0))
        return call_error(c, "ERR value is out of range, must be positive");
    struct subject s;
    enum status status = call_write(c, 1, OBJ_LIST, &s);
    if (status) return status;
    /* An empty list that REF keeps bound has nothing to give, as one that is not there. */
    if (!s.o || list_length(s.o) == 0) {
        if (counted)
            reply_null_array(c);
        else
            reply_null(c);
        return STATUS_OK;
    }
    return counted ? pop_many(c, &s, end, (uint64_t)count) : pop_one(c, &s, end);
}

enum status cmd_lpop(struct call *c)
{
    return pop(c, LIST_HEAD);
}

enum status cmd_rpop(struct call *c)
{
    return pop(c, LIST_TAIL);
}

/* --- looking --- */

enum status cmd_llen(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_LIST, &s);
    if (!status) reply_integer(c, s.o ? (int64_t)list_length(s.o) : 0);
    return status;
}

struct span {
    uint64_t first, count;
};

/* What `start` to `stop`, both counted from the end when negative, mean for a list of this length.
 */
static struct span span_of(int64_t start, int64_t stop, uint64_t length)
{
    int64_t n = (int64_t)length;
    if (start < 0) start += n;
    if (stop < 0) stop += n;
    if (start < 0) start = 0;
    if (stop >= n) stop = n - 1;
    if (start > stop) return (struct span){0};
    return (struct span){(uint64_t)start, (uint64_t)(stop - start) + 1};
}

/* The span that arguments 2 and 3 give, of the list in argument 1 if it is there. */
enum span_use { SPAN_READ, SPAN_WRITE };

static enum status span_get(struct call *c, enum span_use use, struct subject *s, struct span *span)
{
    int64_t start, stop;
    enum status status = call_integer(c, 2, &start);
    if (!status) status = call_integer(c, 3, &stop);
    if (!status)
        status = use == SPAN_READ ? call_read(c, 1, OBJ_LIST, s) : call_write(c, 1, OBJ_LIST, s);
    if (!status) *span = s->o ? span_of(start, stop, list_length(s->o)) : (struct span){0};
    return status;
}

enum status cmd_lrange(struct call *c)
{
    struct subject s;
    struct span span;
    enum status status = span_get(c, SPAN_READ, &s, &span);
    if (status) return status;
    c->open = s.o;
    reply_array(c, span.count);
    if (span.count == 0) return STATUS_OK;
    struct list_iter it;
    list_seek(s.o, span.first, &it);
    for (uint64_t i = 0; i < span.count && !status; i++) {
        status = reply_value(c, list_at(&it));
        list_next(&it);
    }
    return status;
}

/* The place that argument 2 means; STATUS_INDEX_RANGE when the list has no such place. */
static enum status index_get(struct call *c, const struct obj *o, uint64_t *index)
{
    int64_t i, n = (int64_t)list_length(o);
    enum status status = call_integer(c, 2, &i);
    if (status) return status;
    if (i < 0) i += n;
    if (i < 0 || i >= n) return STATUS_INDEX_RANGE;
    *index = (uint64_t)i;
    return STATUS_OK;
}

/* The key is looked up before the index is read, as Redis does it. */
enum status cmd_lindex(struct call *c)
{
    struct subject s;
    uint64_t index;
    enum status status = call_read(c, 1, OBJ_LIST, &s);
    if (status) return status;
    status = s.o ? index_get(c, s.o, &index) : STATUS_INDEX_RANGE;
    if (status == STATUS_OK) return reply_value(c, list_get(s.o, index));
    if (status != STATUS_INDEX_RANGE) return status;
    reply_null(c);
    return STATUS_OK;
}

/* --- changes in the middle --- */

enum status cmd_lset(struct call *c)
{
    struct subject s;
    uint64_t index;
    val v;
    enum status status = call_write(c, 1, OBJ_LIST, &s);
    if (!status && !s.o) status = STATUS_NO_KEY;
    if (!status) status = index_get(c, s.o, &index);
    if (!status) status = members_reply_room(c);
    if (!status && c->form == BY_VALUE) {
        status = list_set_text(c->heap, s.o, index, c->argv[3]);
    } else if (!status) {
        status = call_value(c, 3, &v);
        if (!status) status = list_set_take(c->heap, s.o, index, v);
        if (!status) call_stored_source(c, 3);
    }
    if (!status) reply_ok(c);
    return status;
}

enum status cmd_lrem(struct call *c)
{
    int64_t count;
    struct subject s;
    struct needle n;
    enum status status = call_integer(c, 2, &count);
    if (!status) status = call_write(c, 1, OBJ_LIST, &s);
    if (!status) status = call_needle_in(c, 3, s.o, &n);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    uint64_t removed = 0, max = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    if (s.o) {
        /* What an identity names may live by this list alone, and has to outlive the search. */
        val held = val_is_obj(n.v) ? n.v : VAL_NONE;
        val_retain(c->heap, held);
        removed = list_remove_matching(c->heap, s.o, &n, count < 0 ? LIST_TAIL : LIST_HEAD,
                                       max ? max : UINT64_MAX);
        val_release(c->heap, held);
        call_settle(c, &s);
    }
    reply_integer(c, (int64_t)removed);
    return STATUS_OK;
}

/* The first element that matches, or the list's length. */
static uint64_t list_find(const struct obj *o, const struct needle *n)
{
    uint64_t length = list_length(o), i = 0;
    struct list_iter it;
    if (length > 0) list_seek(o, 0, &it);
    while (i < length && !needle_matches(n, list_at(&it))) {
        list_next(&it);
        i++;
    }
    return i;
}

enum status cmd_linsert(struct call *c)
{
    bool after = call_is(c, 2, "after");
    if (!after && !call_is(c, 2, "before")) return STATUS_SYNTAX;
    struct subject s;
    struct needle pivot;
    enum status status = call_write(c, 1, OBJ_LIST, &s);
    if (!status) status = members_bound(c, (struct members_at){.first = 4, .step = 1});
    if (!status) status = call_needle_in(c, 3, s.o, &pivot);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    if (!s.o) {
        reply_integer(c, 0);
        return STATUS_OK;
    }
    uint64_t at = list_find(s.o, &pivot);
    if (at == list_length(s.o)) {
        reply_integer(c, -1);
        return STATUS_OK;
    }
    val v;
    if (c->form == BY_VALUE) {
        status = list_insert_text(c->heap, s.o, at + after, c->argv[4]);
    } else {
        status = call_value(c, 4, &v);
        if (!status) status = list_insert_take(c->heap, s.o, at + after, v);
        if (!status) call_stored_source(c, 4);
    }
    if (!status) reply_integer(c, (int64_t)list_length(s.o));
    return status;
}

enum status cmd_ltrim(struct call *c)
{
    struct subject s;
    struct span span;
    enum status status = span_get(c, SPAN_WRITE, &s, &span);
    if (!status) status = members_reply_room(c);
    if (!status && s.o) {
        status = list_trim(c->heap, s.o, span.first, span.count);
        if (!status) call_settle(c, &s);
    }
    if (!status) reply_ok(c);
    return status;
}

/* --- moves --- */

/*
 * The element is pushed first, which can fail and then has changed nothing, and popped second,
 * which cannot. In between it is counted twice; so a collector's trial sees an increment (rule 1 of
 * collect.h) and need not be told of a move. A weak reference is moved as it is.
 */
static enum status move_element(struct call *c, struct subject *from, enum list_end from_end,
                                struct subject *to, enum list_end to_end)
{
    uint64_t index = index_from(from->o, from_end);
    val v;
    enum status status = reply_value_or_cut(c, list_get(from->o, index));
    if (!status && c->out->failed) status = STATUS_OOM;
    /* An end that is pushed back where it was: nothing moves. */
    if (status || (from->o == to->o && (from_end == to_end || list_length(from->o) == 1)))
        return status;
    if (!to->o) status = call_ensure(c, to->i, OBJ_LIST, to);
    if (status) return status;
    val slot = list_slot(from->o, index);
    status = val_is_weak(slot) ? call_give(c, to->e) : STATUS_OK;
    if (!status) status = val_keep(c->heap, slot, &v);
    if (!status) status = list_push_take(c->heap, to->o, to_end, v);
    if (!status) list_drop(c->heap, from->o, from_end);
    call_made(c, to, status);
    if (!status) call_settle(c, from);
    return status;
}

static enum status move(struct call *c, enum list_end from_end, enum list_end to_end)
{
    struct subject from, to;
    enum status status = call_write(c, 1, OBJ_LIST, &from);
    if (status) return status;
    if (!from.o || list_length(from.o) == 0) {
        reply_null(c);
        return STATUS_OK;
    }
    status = call_write(c, 2, OBJ_LIST, &to);
    return status ? status : move_element(c, &from, from_end, &to, to_end);
}

static bool end_get(struct call *c, uint32_t i, enum list_end *end)
{
    *end = call_is(c, i, "left") ? LIST_HEAD : LIST_TAIL;
    return *end == LIST_HEAD || call_is(c, i, "right");
}

enum status cmd_lmove(struct call *c)
{
    enum list_end from_end, to_end;
    if (!end_get(c, 3, &from_end) || !end_get(c, 4, &to_end)) return STATUS_SYNTAX;
    return move(c, from_end, to_end);
}

enum status cmd_rpoplpush(struct call *c)
{
    return move(c, LIST_TAIL, LIST_HEAD);
}
