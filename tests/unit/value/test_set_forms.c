/*
 * Goal: a set shows the same members whichever form it has, and changes its form when it should.
 * Method: random histories against an array of flags under limits so small that the form changes
 * all the time, of texts, integers of every width, shared strings, and now and then a container;
 * every allocation of a history made to fail in its turn (debug builds); containers and texts
 * that come and go in the middle of a trial's scan; sorted integers against a sorted array.
 */
#include "containers.h"

#include "value/set_integers.h"

enum { MEMBERS = 96, INTEGERS = 40, TEXTS = 80 }; /* then come containers */

struct fixture {
    struct world world;
    uint32_t length;
    bool present[MEMBERS];
    uint8_t seen[MEMBERS];
    val made[MEMBERS]; /* of texts: values of the test's own, of some members */
    struct heap_holder holder;
    uint64_t refused;
    uint64_t changes[SET_TABLE + 1][SET_TABLE + 1]; /* from form to form */
};

static void limits_set(struct fixture *f, uint32_t integers, uint32_t entries, uint32_t bytes)
{
    struct value_limits *l = &f->world.values.limits;
    l->set_integers = integers;
    l->set_entries = entries;
    l->set_text_bytes = bytes;
}

static struct view member_text(uint32_t i, char text[128])
{
    int64_t n = (int64_t)1 << (i % INTEGERS * 62 / INTEGERS);
    if (i < INTEGERS) return (struct view){text, num_put_integer(text, i % 3 ? n + i : -n - i)};
    if (i % 5) return (struct view){text, (size_t)snprintf(text, 128, "a text%u", i)};
    return (struct view){text, (size_t)snprintf(text, 128, "%0*u", 18 + (int)i % 20, i)};
}

static void made_each(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct fixture *f = self;
    for (uint32_t i = 0; i < TEXTS; i++)
        if (val_is_obj(f->made[i])) visit(ctx, val_obj(f->made[i]), HEAP_HOLD_COUNT);
}

static void begin(struct fixture *f, uint64_t seed)
{
    char text[128];
    memset(f, 0, sizeof *f);
    world_begin(&f->world, seed);
    subject_make(&f->world, OBJ_SET);
    for (uint32_t i = 0; i < TEXTS; i += 2)
        assert_int_equal(val_of_text(&f->world.heap, member_text(i, text), &f->made[i]), STATUS_OK);
    f->holder = (struct heap_holder){.name = "made", .each = made_each, .self = f};
    heap_add_holder(&f->world.heap, &f->holder);
}

static void end(struct fixture *f)
{
    f->world.mem.fail_at = 0;
    if (f->world.subject) subject_drop(&f->world);
    for (uint32_t i = 0; i < TEXTS; i++) {
        val_release(&f->world.heap, f->made[i]);
        f->made[i] = VAL_NONE;
    }
    assert_only_palette(&f->world);
    world_end(&f->world);
}

/* By text, or (where the test has one) by value; the last are containers of the palette. */
static struct needle needle_of(struct fixture *f, uint32_t i, char text[128])
{
    struct heap *h = &f->world.heap;
    if (i >= TEXTS) return needle_of_val(h, f->world.palette[2 * (i - TEXTS) + 1]);
    if (i % 2 == 0 && below(&f->world, 2)) return needle_of_val(h, f->made[i]);
    return needle_of_text(h, member_text(i, text));
}

static void assert_same(struct fixture *f, const struct obj *o)
{
    char text[128];
    assert_true(set_check(&f->world.heap, o));
    assert_int_equal(set_length(o), f->length);
    assert_int_equal(set_shown(&f->world.heap, o), f->length);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct needle n = needle_of(f, i, text);
        if (set_has(o, &n) != f->present[i]) fail_msg("member %u differs", i);
        val slot = set_slot(o, &n);
        assert_int_equal(!val_is_none(slot), f->present[i]);
        assert_true(!f->present[i] || needle_matches(&n, slot));
    }
}

static bool done(struct fixture *f, enum status s)
{
    if (s == STATUS_OK) return true;
    assert_int_equal(s, STATUS_OOM);
    f->refused++;
    assert_same(f, f->world.subject);
    return false;
}

static void add(struct fixture *f, uint32_t i)
{
    char text[128];
    struct needle n = needle_of(f, i, text);
    bool added = false;
    enum set_form form = set_form(f->world.subject);
    while (!done(f, set_add(&f->world.heap, f->world.subject, &n, &added))) assert_false(added);
    assert_int_equal(added, !f->present[i]);
    f->length += added;
    f->present[i] = true;
    if (f->length > 1) f->changes[form][set_form(f->world.subject)]++;
}

static void drop(struct fixture *f, uint32_t i)
{
    char text[128];
    struct needle n = needle_of(f, i, text);
    enum set_form form = set_form(f->world.subject);
    assert_int_equal(set_remove(&f->world.heap, f->world.subject, &n), f->present[i]);
    f->length -= f->present[i];
    f->present[i] = false;
    if (f->length) f->changes[form][set_form(f->world.subject)]++;
}

/* What is asked for with what the set itself shows, lies in the block that changes. */
static void drop_random(struct fixture *f)
{
    char text[128];
    struct heap *h = &f->world.heap;
    if (f->length == 0) return;
    val v = set_random(h, f->world.subject);
    enum set_form form = set_form(f->world.subject);
    uint32_t i = 0;
    for (;; i++) {
        struct needle n = needle_of(f, i, text);
        if (needle_matches(&n, v)) break;
    }
    struct needle n = needle_of_val(h, v);
    bool added = true;
    assert_int_equal(set_add(h, f->world.subject, &n, &added), STATUS_OK);
    assert_false(added);
    assert_true(set_remove(h, f->world.subject, &n));
    assert_true(f->present[i]);
    f->present[i] = false;
    f->length--;
    if (f->length) f->changes[form][set_form(f->world.subject)]++;
}

static void see(void *ctx, val member)
{
    struct fixture *f = ctx;
    char text[128];
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct needle n = needle_of(f, i, text);
        if (needle_matches(&n, member)) f->seen[i]++;
    }
}

static void walk(struct fixture *f)
{
    uint64_t cursor = 0;
    memset(f->seen, 0, sizeof f->seen);
    while (set_walk(f->world.subject, &cursor, 1 + below(&f->world, 9), see, f)) continue;
    for (uint32_t i = 0; i < MEMBERS; i++) assert_int_equal(f->seen[i], f->present[i]);
    memset(f->seen, 0, sizeof f->seen);
    cursor = 0;
    do cursor = set_scan(f->world.subject, cursor, see, f);
    while (cursor);
    for (uint32_t i = 0; i < MEMBERS; i++) assert_int_equal(f->seen[i] > 0, f->present[i]);
}

static void copy(struct fixture *f)
{
    struct obj *o = NULL;
    struct heap *h = &f->world.heap;
    while (!done(f, set_copy(h, f->world.subject, &o))) assert_null(o);
    assert_same(f, o);
    if (f->length) assert_int_equal(set_form(o), set_form(f->world.subject));
    rc_dec(h, o);
    settle(&f->world);
}

/* `integers` out of 16 draws are integers, `containers` containers. */
static void history(struct fixture *f, uint32_t rounds, uint32_t integers, uint32_t containers)
{
    struct world *w = &f->world;
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t kind = below(w, 16), member = INTEGERS + below(w, TEXTS - INTEGERS);
        if (kind < integers)
            member = below(w, INTEGERS);
        else if (kind < integers + containers)
            member = TEXTS + below(w, MEMBERS - TEXTS);
        bool grows = i / 60 % 2 ? below(w, 4) == 0 : below(w, 4) != 0;
        if (grows)
            add(f, member);
        else if (below(w, 3) == 0)
            drop(f, member);
        else
            drop_random(f);
        if (below(w, 16) == 0) walk(f);
        if (below(w, 16) == 0) copy(f);
        assert_same(f, w->subject);
    }
    assert_heap(w);
    while (f->length) {
        assert_true(set_remove_any(&w->heap, w->subject));
        f->length--;
        assert_true(set_check(&w->heap, w->subject));
    }
    memset(f->present, 0, sizeof f->present);
    assert_false(set_remove_any(&w->heap, w->subject));
    assert_null(obj_body(w->subject));
    assert_int_equal(w->subject->flags & (OBJ_VISIBLE | OBJ_PACKED), 0);
    settle(w);
}

static void test_set_forms_random_history_matches_model(void **state)
{
    (void)state;
    static struct fixture f;
    uint64_t changes[SET_TABLE + 1][SET_TABLE + 1] = {0};
    for (uint32_t seed = 1; seed <= 24; seed++) {
        begin(&f, seed);
        limits_set(&f, seed % 3 ? 16 : 4, seed % 4 ? 16 : 8, seed % 5 ? 64 : 20);
        history(&f, 400, seed % 2 ? 16 : 8, 0);
        history(&f, 300, 2, seed % 2);
        history(&f, 300, 15, 1);
        for (int from = 0; from <= SET_TABLE; from++)
            for (int to = 0; to <= SET_TABLE; to++) changes[from][to] += f.changes[from][to];
        end(&f);
    }
    assert_true(changes[SET_INTEGERS][SET_PACKED] > 10);
    assert_true(changes[SET_INTEGERS][SET_TABLE] > 10);
    assert_true(changes[SET_PACKED][SET_TABLE] > 10);
    assert_true(changes[SET_TABLE][SET_INTEGERS] > 10);
    assert_true(changes[SET_TABLE][SET_PACKED] > 10);
}

static void test_set_forms_by_limits(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 30);
    struct obj *o = f.world.subject;
    assert_int_equal(set_form(o), SET_TABLE);
    limits_set(&f, 8, 12, 8);
    for (uint32_t i = 0; i < 8; i++) add(&f, i);
    assert_int_equal(set_form(o), SET_INTEGERS);
    add(&f, 8); /* too many integers */
    assert_int_equal(set_form(o), SET_PACKED);
    for (uint32_t i = INTEGERS + 1; i < INTEGERS + 4; i++) add(&f, i);
    assert_int_equal(set_form(o), SET_PACKED);
    add(&f, INTEGERS + 4); /* too many members */
    assert_int_equal(set_form(o), SET_TABLE);
    for (uint32_t i = 8; i-- > 0;) drop(&f, i);
    assert_int_equal(set_length(o), 5);
    assert_int_equal(set_form(o), SET_TABLE);
    drop(&f, 8);
    drop(&f, INTEGERS + 4);
    drop(&f, INTEGERS + 3);
    assert_int_equal(set_form(o), SET_PACKED);
    add(&f, TEXTS - 5); /* too long a text */
    assert_int_equal(set_form(o), SET_TABLE);
    drop(&f, INTEGERS + 1);
    assert_int_equal(set_form(o), SET_TABLE);
    drop(&f, TEXTS - 5);
    assert_int_equal(set_form(o), SET_PACKED);
    add(&f, TEXTS); /* a container */
    assert_int_equal(set_form(o), SET_TABLE);
    assert_true(o->flags & OBJ_VISIBLE);
    drop(&f, TEXTS);
    assert_int_equal(set_form(o), SET_PACKED);
    assert_false(o->flags & OBJ_VISIBLE);
    limits_set(&f, 0, 0, 0);
    add(&f, INTEGERS + 9);
    assert_int_equal(set_form(o), SET_TABLE);
    assert_same(&f, o);
    end(&f);
}

static void test_set_forms_share_strings(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 31);
    struct heap *h = &f.world.heap;
    val v;
    assert_int_equal(val_of_text(h, view_of("a string of some length"), &v), STATUS_OK);
    struct needle n = needle_of_val(h, v), text = needle_of_text(h, view_of("another of the kind"));
    bool added;
    assert_int_equal(set_add(h, f.world.subject, &n, &added), STATUS_OK);
    assert_int_equal(set_add(h, f.world.subject, &text, &added), STATUS_OK);
    assert_int_equal(set_form(f.world.subject), SET_PACKED);
    assert_int_equal(val_obj(v)->count, 2);
    assert_int_equal(set_slot(f.world.subject, &n).w, v.w);
    assert_true(val_is_bytes(set_slot(f.world.subject, &text)));
    struct obj *twin;
    assert_int_equal(set_copy(h, f.world.subject, &twin), STATUS_OK);
    assert_int_equal(val_obj(v)->count, 3);
    assert_int_equal(visits_of(&f.world, twin, 1).all, 1);
    rc_dec(h, twin);
    assert_int_equal(val_obj(v)->count, 2);
    assert_true(set_remove(h, f.world.subject, &n));
    assert_int_equal(val_obj(v)->count, 1);
    val_release(h, v);
    end(&f);
}

static void test_set_forms_draw_every_member_as_often(void **state)
{
    (void)state;
    static struct fixture f;
    for (uint32_t first = 0; first < 2; first++) {
        begin(&f, 32);
        for (uint32_t i = 0; i < 20; i++) add(&f, first * INTEGERS + i);
        assert_int_equal(set_form(f.world.subject), first ? SET_PACKED : SET_INTEGERS);
        for (uint32_t i = 0; i < 1000; i++) see(&f, set_random(&f.world.heap, f.world.subject));
        for (uint32_t i = 0; i < 20; i++) assert_in_range(f.seen[first * INTEGERS + i], 25, 85);
        end(&f);
    }
}

static void run_operations(struct fixture *f)
{
    limits_set(f, 8, 12, 40);
    history(f, 120, 8, 1);
    f->world.mem.fail_at = 0;
}

static void test_set_forms_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    static struct fixture f;
    begin(&f, 33);
    f.world.mem.attempts = 0;
    run_operations(&f);
    uint64_t attempts = f.world.mem.attempts, refused = 0;
    end(&f);
    for (uint64_t n = 1; n <= attempts; n++) {
        begin(&f, 33);
        f.world.mem.attempts = 0;
        f.world.mem.fail_at = n;
        run_operations(&f);
        refused += f.refused;
        end(&f);
    }
    assert_true(refused > 20);
}

/* A set that is scanned, with texts beside its children. It becomes packed between two trials, and
 * never in one. */
static void test_set_forms_change_beside_the_collector(void **state)
{
    (void)state;
    static struct scene s;
    enum { LENGTH = 60 };
    val children[LENGTH];
    uint32_t count = 0, again = 0, before;
    int64_t numbers[LENGTH], next = 0;
    char text[64];
    bool added;
    scene_begin(&s, OBJ_SET, 34);
    struct world *w = &s.world;
    struct heap *h = &w->heap;
    w->values.limits.set_entries = 32;
    for (uint32_t i = 0; i < 12000; i++) {
        bool grows = i / 120 % 2;
        bool coloured = (s.o->flags & OBJ_VISIBLE) && h->collect.phase != COLLECT_IDLE;
        before = set_form(s.o);
        scene_note(&s);
        if (below(w, 3) == 0 && grows && count < LENGTH) {
            val v = child_new(&s, next);
            struct needle n = needle_of_val(h, v);
            scene_note(&s);
            assert_int_equal(set_add(h, s.o, &n, &added), STATUS_OK);
            val_release(h, v);
            children[count] = v;
            numbers[count++] = next++;
        } else if (below(w, 2) && !grows && count) {
            uint32_t k = below(w, count);
            struct needle n = needle_of_val(h, children[k]);
            assert_true(set_remove(h, s.o, &n));
            children[k] = children[--count];
            numbers[k] = numbers[count];
        } else {
            struct needle n = needle_of_text(h, text_of(below(w, 8), text));
            if (below(w, 2))
                assert_int_equal(set_add(h, s.o, &n, &added), STATUS_OK);
            else
                set_remove(h, s.o, &n);
        }
        if (before == SET_TABLE && set_form(s.o) != SET_TABLE) {
            again++;
            assert_false(coloured);
        }
        assert_true(set_check(h, s.o));
        for (uint32_t k = 0; k < count; k++) {
            struct needle n = needle_of_val(h, children[k]);
            assert_true(set_has(s.o, &n));
            assert_int_equal(child_number(&s, children[k]), numbers[k]);
        }
        if (below(w, 3)) scene_slices(&s, below(w, 12));
        if (i % 100 == 0) assert_heap(w);
    }
    assert_true(again > 2 && s.gray > 0 && s.black > 0);
    scene_end(&s);
}

/* --- sorted integers --- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_set_integers_of_every_width(void **state)
{
    (void)state;
    static const uint32_t widths[] = {1, 2, 3, 4, 5, 6, 8};
    static struct world w;
    for (uint32_t round = 0; round < 40; round++) {
        int64_t numbers[400];
        uint32_t count = 0, index, width = widths[round % 7];
        world_begin(&w, round);
        subject_make(&w, OBJ_SET);
        for (uint32_t i = 0; i < 300; i++) {
            /* At the edges of the width, and anywhere in it. */
            uint32_t bits = width == 8 ? 61 : 8 * width;
            int64_t edge = (int64_t)1 << (bits - 1), n = (int64_t)(hash_word(round, i) >> 1);
            n = below(&w, 4) ? n % edge : edge - 1 - below(&w, 3);
            if (below(&w, 2)) n = -n - 1;
            const struct packed *b = packed_of(w.subject);
            bool known = bsearch(&n, numbers, count, sizeof n, by_value) != NULL;
            index = 0;
            assert_int_equal(b && set_integers_find(b, n, &index), known);
            if (known) continue;
            assert_true(count < set_integers_max(b, n));
            assert_int_equal(set_integers_add(&w.heap, w.subject, index, n), STATUS_OK);
            numbers[count++] = n;
            qsort(numbers, count, sizeof n, by_value);
            assert_int_equal(numbers[index], n);
            assert_true(packed_of(w.subject)->width <= width);
            assert_true(packed_check(w.subject, 1) && set_integers_check(packed_of(w.subject)));
        }
        assert_int_equal(packed_of(w.subject)->width, width);
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(set_integers_at(packed_of(w.subject), i), numbers[i]);
        while (count > 0) {
            uint32_t gone = below(&w, count);
            set_integers_remove(&w.heap, w.subject, gone);
            memmove(numbers + gone, numbers + gone + 1, (--count - gone) * sizeof *numbers);
            for (uint32_t i = 0; i < count; i++)
                assert_int_equal(set_integers_at(packed_of(w.subject), i), numbers[i]);
        }
        assert_null(obj_body(w.subject));
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_forms_random_history_matches_model),
        cmocka_unit_test(test_set_forms_by_limits),
        cmocka_unit_test(test_set_forms_share_strings),
        cmocka_unit_test(test_set_forms_draw_every_member_as_often),
        cmocka_unit_test(test_set_forms_nth_allocation_fails),
        cmocka_unit_test(test_set_forms_change_beside_the_collector),
        cmocka_unit_test(test_set_integers_of_every_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
