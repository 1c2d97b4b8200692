/*
 * Goal: a list shows the same elements whichever form it has, and changes its form when it should.
 * Method: random histories of all operations against an array under limits so small that the form
 * changes all the time, of texts of every packed kind, shared strings, and now and then a
 * container or nil; iterators in both directions beside it; every allocation of a history made to
 * fail in its turn (debug builds); children and texts that come and go in the middle of a trial's
 * scan.
 */
#include "containers.h"

enum { LENGTH_MAX = 200, TEXTS = 60, CONTAINERS = 4, IDS = TEXTS + CONTAINERS + 1 };

struct fixture {
    struct world world;
    struct heap_holder holder;
    val made[TEXTS]; /* of every other text a value of the test's own */
    uint32_t length;
    uint8_t ids[LENGTH_MAX]; /* texts, then containers, then nil */
    uint64_t refused;
    uint64_t packed, unpacked; /* changes of form */
};

static void made_each(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct fixture *f = self;
    for (uint32_t i = 0; i < TEXTS; i++)
        if (val_is_obj(f->made[i])) visit(ctx, val_obj(f->made[i]), HEAP_HOLD_COUNT);
}

static struct view id_text(uint32_t id, char text[128])
{
    int64_t n = (int64_t)1 << (id + 2);
    if (id % 3 == 0) return (struct view){text, num_put_integer(text, id % 2 ? n : -n)};
    if (id % 3 == 1) return (struct view){text, (size_t)snprintf(text, 128, "text %u", id)};
    return (struct view){text, (size_t)snprintf(text, 128, "%0*u", 22 + (int)id % 20, id)};
}

static void begin(struct fixture *f, uint64_t seed)
{
    char text[128];
    memset(f, 0, sizeof *f);
    world_begin(&f->world, seed);
    f->holder = (struct heap_holder){.name = "made", .each = made_each, .self = f};
    heap_add_holder(&f->world.heap, &f->holder);
    subject_make(&f->world, OBJ_LIST);
    for (uint32_t i = 0; i < TEXTS; i += 2)
        assert_int_equal(val_of_text(&f->world.heap, id_text(i, text), &f->made[i]), STATUS_OK);
}

static void end(struct fixture *f)
{
    f->world.mem.fail_at = 0;
    subject_drop(&f->world);
    for (uint32_t i = 0; i < TEXTS; i++) {
        val_release(&f->world.heap, f->made[i]);
        f->made[i] = VAL_NONE;
    }
    assert_only_palette(&f->world);
    world_end(&f->world);
}

static bool is(struct fixture *f, val v, uint32_t id)
{
    char text[128];
    if (id >= TEXTS + CONTAINERS) return val_is_nil(v);
    if (id >= TEXTS) return v.w == f->world.palette[2 * (id - TEXTS) + 1].w;
    struct needle n = needle_of_text(&f->world.heap, id_text(id, text));
    return needle_matches(&n, v);
}

static void assert_same(struct fixture *f, const struct obj *o)
{
    struct list_iter it;
    assert_true(list_check(&f->world.heap, o));
    assert_int_equal(list_length(o), f->length);
    if (f->length == 0) return;
    list_seek(o, 0, &it);
    for (uint32_t i = 0; i < f->length; i++) {
        if (!is(f, list_at(&it), f->ids[i])) fail_msg("element %u differs", i);
        assert_int_equal(list_get(o, i).w, list_at_slot(&it).w);
        assert_int_equal(list_next(&it), i + 1 < f->length);
    }
    uint32_t i = below(&f->world, f->length);
    list_seek(o, i, &it);
    do assert_true(is(f, list_at(&it), f->ids[i]));
    while (list_prev(&it) && i-- > 0);
    assert_int_equal(i, 0);
}

static bool done(struct fixture *f, enum status s)
{
    if (s == STATUS_OK) return true;
    assert_int_equal(s, STATUS_OOM);
    f->refused++;
    assert_same(f, f->world.subject);
    return false;
}

/* An id, by text or by a value that the list takes. */
struct stored {
    bool by_text;
    struct view text;
    val v;
    char chars[128];
};

static void store(struct fixture *f, uint32_t id, struct stored *s)
{
    s->v = VAL_NIL;
    s->by_text = id < TEXTS && (id % 2 || below(&f->world, 2));
    if (s->by_text)
        s->text = id_text(id, s->chars);
    else if (id < TEXTS + CONTAINERS)
        s->v = id < TEXTS ? f->made[id] : f->world.palette[2 * (id - TEXTS) + 1];
    val_retain(&f->world.heap, s->v);
}

static enum status insert_at(struct fixture *f, uint32_t index, uint32_t id)
{
    struct heap *h = &f->world.heap;
    struct obj *o = f->world.subject;
    struct stored s;
    bool pushes = below(&f->world, 2);
    store(f, id, &s);
    if (pushes && (index == 0 || index == f->length)) {
        enum list_end end = index == 0 ? LIST_HEAD : LIST_TAIL;
        return s.by_text ? list_push_text(h, o, end, s.text) : list_push_take(h, o, end, s.v);
    }
    return s.by_text ? list_insert_text(h, o, index, s.text) : list_insert_take(h, o, index, s.v);
}

static void insert(struct fixture *f, uint32_t index, uint32_t id)
{
    while (!done(f, insert_at(f, index, id))) continue;
    memmove(f->ids + index + 1, f->ids + index, f->length - index);
    f->ids[index] = (uint8_t)id;
    f->length++;
}

static enum status set_at(struct fixture *f, uint32_t index, uint32_t id)
{
    struct stored s;
    store(f, id, &s);
    if (s.by_text) return list_set_text(&f->world.heap, f->world.subject, index, s.text);
    return list_set_take(&f->world.heap, f->world.subject, index, s.v);
}

static void set(struct fixture *f, uint32_t index, uint32_t id)
{
    while (!done(f, set_at(f, index, id))) continue;
    f->ids[index] = (uint8_t)id;
}

static void forget(struct fixture *f, uint32_t index, uint32_t count)
{
    memmove(f->ids + index, f->ids + index + count, f->length - index - count);
    f->length -= count;
}

static void drop(struct fixture *f, enum list_end end)
{
    struct heap *h = &f->world.heap;
    uint32_t index = end == LIST_HEAD ? 0 : f->length - 1;
    val v;
    if (below(&f->world, 2)) {
        list_drop(h, f->world.subject, end);
    } else {
        do v = list_pop(h, f->world.subject, end);
        while (!done(f, val_is_none(v) ? STATUS_OOM : STATUS_OK));
        assert_true(!val_is_bytes(v) && is(f, v, f->ids[index]));
        val_release(h, v);
    }
    forget(f, index, 1);
}

static void trim(struct fixture *f)
{
    uint32_t first = below(&f->world, f->length), count = below(&f->world, f->length - first + 1);
    while (!done(f, list_trim(&f->world.heap, f->world.subject, first, count))) continue;
    forget(f, first + count, f->length - first - count);
    forget(f, 0, first);
}

static void remove_matching(struct fixture *f, uint32_t id, enum list_end from, uint64_t max)
{
    char text[128];
    struct heap *h = &f->world.heap;
    struct needle n = id < TEXTS ? needle_of_text(h, id_text(id, text))
                                 : needle_of_val(h, f->world.palette[2 * (id - TEXTS) + 1]);
    uint64_t removed = 0, gone = list_remove_matching(h, f->world.subject, &n, from, max);
    for (uint32_t i = 0, length = f->length, at = 0; i < length && removed < max; i++) {
        uint32_t index = from == LIST_HEAD ? at : length - 1 - i;
        if (f->ids[index] == id) {
            forget(f, index, 1);
            removed++;
        } else {
            at++;
        }
    }
    assert_int_equal(gone, removed);
}

/* An element of its own goes to the other end, as LMOVE does it. */
static void rotate(struct fixture *f)
{
    struct heap *h = &f->world.heap;
    val v;
    enum status s = val_keep(h, list_get(f->world.subject, 0), &v);
    if (s == STATUS_OK) s = list_push_take(h, f->world.subject, LIST_TAIL, v);
    if (!done(f, s)) return;
    list_drop(h, f->world.subject, LIST_HEAD);
    uint8_t id = f->ids[0];
    forget(f, 0, 1);
    f->ids[f->length++] = id;
}

static void copy(struct fixture *f)
{
    struct obj *o = NULL;
    while (!done(f, list_copy(&f->world.heap, f->world.subject, &o))) assert_null(o);
    assert_same(f, o);
    assert_int_equal(list_is_packed(o), list_is_packed(f->world.subject));
    rc_dec(&f->world.heap, o);
    settle(&f->world);
}

static uint32_t draw_id(struct fixture *f, uint32_t others)
{
    if (below(&f->world, 100) >= others) return below(&f->world, TEXTS);
    return TEXTS + below(&f->world, CONTAINERS + 1);
}

/* `others` out of 100 elements are no strings. */
static void history(struct fixture *f, uint32_t rounds, uint32_t others)
{
    struct world *w = &f->world;
    for (uint32_t i = 0; i < rounds; i++) {
        bool was_packed = list_is_packed(w->subject), had = f->length > 0;
        bool grows = i / 50 % 2 ? below(w, 4) == 0 : below(w, 4) != 0;
        uint32_t id = draw_id(f, others), kind = below(w, 24);
        if (kind == 0 && f->length)
            set(f, below(w, f->length), id);
        else if (kind == 1 && id != IDS - 1)
            remove_matching(f, id, below(w, 2) ? LIST_HEAD : LIST_TAIL, 1 + below(w, 3));
        else if (kind == 2 && f->length && !grows)
            trim(f);
        else if (kind == 3 && f->length)
            rotate(f);
        else if (kind == 4)
            copy(f);
        else if (grows && f->length < LENGTH_MAX)
            insert(f, below(w, 2) ? f->length : below(w, f->length + 1), id);
        else if (f->length)
            drop(f, below(w, 2) ? LIST_HEAD : LIST_TAIL);
        if (had && f->length) {
            f->packed += !was_packed && list_is_packed(w->subject);
            f->unpacked += was_packed && !list_is_packed(w->subject);
        }
        assert_same(f, w->subject);
        settle(w);
    }
    assert_heap(w);
    while (f->length) drop(f, LIST_TAIL);
    assert_null(obj_body(w->subject));
    assert_int_equal(w->subject->flags & (OBJ_VISIBLE | OBJ_PACKED), 0);
}

static void limits_set(struct fixture *f, uint32_t entries, uint32_t bytes, uint32_t text)
{
    f->world.values.limits.list_entries = entries;
    f->world.values.limits.list_bytes = bytes;
    f->world.values.limits.list_text_bytes = text;
}

static void test_list_forms_random_history_matches_model(void **state)
{
    (void)state;
    static struct fixture f;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        begin(&f, seed);
        limits_set(&f, seed % 3 ? 16 : 4, seed % 4 ? UINT32_MAX : 120, seed % 5 ? 64 : 24);
        history(&f, 600, 0);
        history(&f, 600, 1);
        history(&f, 300, 20);
        assert_true(f.packed > 0 && f.unpacked > 0);
        end(&f);
    }
    begin(&f, 30); /* longer than an iterator's window */
    limits_set(&f, LENGTH_MAX, UINT32_MAX, 64);
    for (uint32_t i = 0; i < LENGTH_MAX; i++) {
        insert(&f, i, below(&f.world, TEXTS));
        assert_same(&f, f.world.subject);
    }
    assert_true(list_is_packed(f.world.subject));
    end(&f);
}

static void test_list_forms_by_limits(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 31);
    struct obj *o = f.world.subject;
    limits_set(&f, 16, UINT32_MAX, 24);
    for (uint32_t i = 0; i < 16; i++) insert(&f, i, 1);
    assert_true(list_is_packed(o));
    insert(&f, 7, 3); /* too many */
    assert_false(list_is_packed(o));
    for (uint32_t i = 0; i < 12; i++) drop(&f, i % 2 ? LIST_HEAD : LIST_TAIL);
    assert_int_equal(f.length, 5);
    assert_false(list_is_packed(o));
    drop(&f, LIST_TAIL);
    assert_true(list_is_packed(o));
    set(&f, 2, 17); /* too long a text */
    assert_false(list_is_packed(o));
    remove_matching(&f, 17, LIST_HEAD, 1);
    assert_true(list_is_packed(o));
    set(&f, 0, TEXTS); /* a container */
    assert_false(list_is_packed(o));
    assert_true(o->flags & OBJ_VISIBLE);
    while (!done(&f, list_trim(&f.world.heap, o, 1, 2))) continue;
    forget(&f, 0, 1);
    assert_true(list_is_packed(o));
    assert_false(o->flags & OBJ_VISIBLE);
    insert(&f, 1, IDS - 1); /* nil */
    assert_false(list_is_packed(o));
    remove_matching(&f, 1, LIST_HEAD, UINT64_MAX);
    assert_int_equal(f.length, 2);
    drop(&f, LIST_TAIL);
    assert_true(list_is_packed(o));
    drop(&f, LIST_HEAD);
    limits_set(&f, 16, 24, 24);
    insert(&f, 0, 1);
    insert(&f, 1, 1);
    assert_true(list_is_packed(o)); /* 8 + 7 + 7 bytes */
    set(&f, 0, 13);
    assert_true(list_is_packed(o));
    insert(&f, 1, 1); /* too many bytes */
    assert_false(list_is_packed(o));
    assert_same(&f, o);
    end(&f);
}

static void run_operations(struct fixture *f)
{
    limits_set(f, 12, UINT32_MAX, 30);
    history(f, 250, 3);
    f->world.mem.fail_at = 0;
}

static void test_list_forms_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    static struct fixture f;
    begin(&f, 32);
    f.world.mem.attempts = 0;
    run_operations(&f);
    uint64_t attempts = f.world.mem.attempts, refused = 0;
    end(&f);
    for (uint64_t n = 1; n <= attempts; n++) {
        begin(&f, 32);
        f.world.mem.attempts = 0;
        f.world.mem.fail_at = n;
        run_operations(&f);
        refused += f.refused;
        end(&f);
    }
    assert_true(refused > 50);
}

/* A list that is scanned, with texts between its children. It becomes packed between two trials,
 * and never in one. */
static void test_list_forms_change_beside_the_collector(void **state)
{
    (void)state;
    static struct scene s;
    enum { LENGTH = 60 };
    uint32_t again = 0;
    int64_t next = 0;
    char text[64];
    scene_begin(&s, OBJ_LIST, 34);
    struct world *w = &s.world;
    struct heap *h = &w->heap;
    w->values.limits.list_entries = 40;
    for (uint32_t i = 0; i < 20000; i++) {
        bool grows = i / 150 % 2, was_packed = list_is_packed(s.o);
        bool coloured = (s.o->flags & OBJ_VISIBLE) && h->collect.phase != COLLECT_IDLE;
        uint64_t length = list_length(s.o);
        scene_note(&s);
        if (grows && length < LENGTH) {
            uint64_t at = below(w, length + 1);
            if (below(w, 8)) {
                struct view v = text_of(below(w, 8), text);
                assert_int_equal(list_insert_text(h, s.o, at, v), STATUS_OK);
            } else {
                val v = child_new(&s, next++);
                assert_int_equal(list_insert_take(h, s.o, at, v), STATUS_OK);
            }
        } else if (!grows && length) {
            if (below(w, 4))
                list_drop(h, s.o, below(w, 2) ? LIST_HEAD : LIST_TAIL);
            else
                assert_int_equal(list_trim(h, s.o, length / 10, length - length / 8), STATUS_OK);
        }
        if (!was_packed && length && list_is_packed(s.o)) {
            again++;
            assert_false(coloured);
        }
        assert_true(list_check(h, s.o));
        for (uint64_t k = 0; k < list_length(s.o); k++) {
            val v = list_get(s.o, k);
            if (val_is_container(v)) assert_in_range(child_number(&s, v), 0, next);
        }
        if (below(w, 3)) scene_slices(&s, below(w, 12));
        while (!grows && i % 8 == 0 && h->collect.phase != COLLECT_IDLE) scene_slices(&s, 1);
        if (i % 100 == 0) assert_heap(w);
    }
    assert_true(again > 10 && s.gray > 0 && s.black > 0);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_forms_random_history_matches_model),
        cmocka_unit_test(test_list_forms_by_limits),
        cmocka_unit_test(test_list_forms_nth_allocation_fails),
        cmocka_unit_test(test_list_forms_change_beside_the_collector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
