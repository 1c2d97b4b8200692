/*
 * Goal: values that repeat become one object each, values that do not cost next to nothing, and
 * what changes its mind is followed. Method: streams of texts of which the truth is known, with the
 * numbers that the header promises; memory that fails.
 */
#include "containers.h"

#include "value/evidence.h"

enum { MANY = 100000, HELD_MAX = 4096 };

static struct view text_with(uint32_t number, char at[128])
{
    return (struct view){
        at, (size_t)snprintf(at, 128, "a text that is long enough to be shared %u", number)};
}

/* Asks about a text, and lets go of it again; whether it was interned. */
static bool ask(struct world *w, struct evidence *ev, uint32_t number)
{
    char at[128];
    struct view text = text_with(number, at);
    struct obj *o = evidence_intern(&w->heap, ev, text);
    assert_true(evidence_check(ev));
    if (!o) return false;
    val v = val_of_obj(o);
    char scratch[VAL_TEXT_CHARS];
    assert_true(o->flags & OBJ_INTERNED);
    assert_true(view_eq(val_text(&v, scratch), text));
    rc_dec(&w->heap, o);
    return true;
}

static void test_evidence_of_unique_values_is_nearly_free(void **state)
{
    struct world w;
    struct evidence ev = {0};
    (void)state;
    world_begin(&w, 1);
    for (uint32_t i = 0; i < MANY; i++) assert_false(ask(&w, &ev, i));
    assert_int_equal(ev.hits_all, 0);
    assert_int_equal(ev.verdict, EVIDENCE_IS_RARE);
    /* The first windows, which come closer together, and then one of 64 values. */
    assert_true(ev.asked_all <= 8 * EVIDENCE_WINDOW + MANY / 64);
    assert_only_palette(&w);
    world_end(&w);
}

static void test_evidence_of_few_values(void **state)
{
    enum { VALUES = 500 };
    struct world w;
    struct evidence ev = {0};
    uint32_t missed = 0;
    (void)state;
    world_begin(&w, 2);
    struct obj *held[VALUES] = {NULL};
    for (uint32_t i = 0; i < MANY; i++) {
        char at[128];
        uint32_t number = below(&w, VALUES);
        struct obj *o = evidence_intern(&w.heap, &ev, text_with(number, at));
        assert_true(evidence_check(&ev));
        if (o && held[number]) assert_ptr_equal(o, held[number]);
        missed += !o;
        if (o && held[number]) rc_dec(&w.heap, o);
        if (o) held[number] = o;
    }
    /* Each was kept plain once at most, but for the first windows and their pauses. */
    assert_true(missed <= VALUES + 6 * EVIDENCE_WINDOW);
    assert_int_equal(ev.verdict, EVIDENCE_IS_OFTEN);
    assert_string_equal(evidence_verdict_name(&ev), "often");
    for (uint32_t i = 0; i < VALUES; i++)
        if (held[i]) rc_dec(&w.heap, held[i]);
    assert_only_palette(&w);
    world_end(&w);
}

/* Now unique, now not: what was found out long ago does not stand in the way. */
static void test_evidence_changes_its_mind(void **state)
{
    struct world w;
    struct evidence ev = {0};
    uint32_t fresh = 1000;
    (void)state;
    world_begin(&w, 3);
    for (int round = 0; round < 3; round++) {
        uint32_t interned = 0, until = 0;
        for (uint32_t i = 0; i < MANY; i++) interned += ask(&w, &ev, fresh++);
        assert_true(interned <= EVIDENCE_WINDOW); /* what the last round's verdict began with */
        assert_int_equal(ev.verdict, EVIDENCE_IS_RARE);
        while (ev.verdict != EVIDENCE_IS_OFTEN) {
            (void)ask(&w, &ev, until++ % 20);
            assert_true(until < EVIDENCE_PAUSE_MAX + 3 * EVIDENCE_WINDOW);
        }
        /* From now on also what is new is one object. */
        char at[128];
        struct obj *first = evidence_intern(&w.heap, &ev, text_with(fresh, at));
        struct obj *second = evidence_intern(&w.heap, &ev, text_with(fresh, at));
        assert_non_null(first);
        assert_ptr_equal(first, second);
        assert_int_equal(first->count, 2);
        rc_dec(&w.heap, first);
        rc_dec(&w.heap, second);
        fresh++;
    }
    assert_only_palette(&w);
    world_end(&w);
}

/* One value in sixteen comes twice, so the verdict is neither. */
static void test_evidence_some_waits_for_the_second(void **state)
{
    struct world w;
    struct evidence ev = {0};
    (void)state;
    world_begin(&w, 4);
    for (uint32_t i = 0; i < MANY; i++) {
        bool again = i % 16 == 15;
        assert_int_equal(ask(&w, &ev, again ? i - 1 : i), again);
    }
    assert_int_equal(ev.verdict, EVIDENCE_IS_SOME);
    assert_int_equal(ev.hits_all, MANY / 16);
    assert_only_palette(&w);
    world_end(&w);
}

static void test_evidence_leaves_short_and_huge_texts_alone(void **state)
{
    static char huge[EVIDENCE_TEXT_BYTES_MAX + 1];
    struct world w;
    struct evidence ev = {0};
    (void)state;
    world_begin(&w, 5);
    for (int i = 0; i < 200; i++) {
        assert_null(evidence_intern(&w.heap, &ev, (struct view){huge, sizeof huge}));
        assert_null(
            evidence_intern(&w.heap, &ev, (struct view){huge, EVIDENCE_TEXT_BYTES_MIN - 1}));
    }
    assert_int_equal(ev.asked_all, 0);
    assert_null(evidence_intern(&w.heap, &ev, (struct view){huge, sizeof huge - 1}));
    struct obj *o = evidence_intern(&w.heap, &ev, (struct view){huge, sizeof huge - 1});
    assert_non_null(o);
    rc_dec(&w.heap, o);
    world_end(&w);
}

static void test_evidence_without_memory(void **state)
{
    struct world w;
    (void)state;
    world_begin(&w, 6);
    uint64_t refused = 0;
    struct obj *held[HELD_MAX];
    struct evidence ev = {.verdict = EVIDENCE_IS_OFTEN};
    for (uint32_t i = 0; i < HELD_MAX; i++) {
        char at[128];
        for (uint64_t n = 1;; n++) {
            uint64_t objects = heap_objects(&w.heap), strings = w.heap.intern.strings.used;
            ev.verdict = EVIDENCE_IS_OFTEN;
            ev.skip = ev.pause = 0;
            w.mem.fail_at = n;
            held[i] = evidence_intern(&w.heap, &ev, text_with(i, at));
            w.mem.fail_at = 0;
            assert_int_equal(heap_objects(&w.heap), objects + (held[i] != NULL));
            assert_int_equal(w.heap.intern.strings.used, strings + (held[i] != NULL));
            if (held[i]) break;
            refused++;
        }
    }
#ifdef HEAPD_DEBUG
    assert_true(refused > 0);
#endif
    for (uint32_t i = 0; i < HELD_MAX; i++) rc_dec(&w.heap, held[i]);
    assert_only_palette(&w);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evidence_of_unique_values_is_nearly_free),
        cmocka_unit_test(test_evidence_of_few_values),
        cmocka_unit_test(test_evidence_changes_its_mind),
        cmocka_unit_test(test_evidence_some_waits_for_the_second),
        cmocka_unit_test(test_evidence_leaves_short_and_huge_texts_alone),
        cmocka_unit_test(test_evidence_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
