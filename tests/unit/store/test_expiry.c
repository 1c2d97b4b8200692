/*
 * Goal: the queue gives names in the order of their times, every name knows its place, and segments
 * come and go as they are needed. Method: random histories beside an array, the invariants checked
 * as they go; counts of segments at the edges; the nth allocation failing (debug builds).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "store/entry.h"
#include "store/expiry.h"

/* More segments than the directory has room for at first. */
enum { NAMES = 12 * EXPIRY_SEGMENT_ITEMS, STEPS = 60000 };

struct fixture {
    struct mem mem;
    struct expiry expiry;
    struct entry *entries[NAMES];
    int64_t when[NAMES]; /* 0: not in the queue */
    uint64_t seed;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    mem_init(&f->mem);
    expiry_init(&f->expiry);
    for (int i = 0; i < NAMES; i++) {
        /* Room for a place, and behind that, where a key would begin, the number. */
        f->entries[i] = calloc(1, sizeof *f->entries[i] + 2 * sizeof(uint32_t));
        assert_non_null(f->entries[i]);
        f->entries[i]->head = ENTRY_EXPIRES;
        f->entries[i]->rest[1] = (uint32_t)i;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    expiry_fini(&f->expiry, &f->mem);
    assert_int_equal(f->mem.bytes, 0);
    mem_fini(&f->mem);
    for (int i = 0; i < NAMES; i++) free(f->entries[i]);
    free(f);
    return 0;
}

static uint32_t below(struct fixture *f, uint32_t n)
{
    f->seed += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_word(0, f->seed) % n);
}

static void set(struct fixture *f, uint32_t i, int64_t when)
{
    assert_int_equal(expiry_set(&f->expiry, &f->mem, f->entries[i], when), STATUS_OK);
    f->when[i] = when;
}

static void take(struct fixture *f, uint32_t i)
{
    expiry_remove(&f->expiry, &f->mem, f->entries[i]);
    assert_int_equal(entry_place(f->entries[i]), 0);
    f->when[i] = 0;
}

static void test_expiry_random_history(void **state)
{
    struct fixture *f = *state;
    uint32_t used = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        /* Few names and few times at first: every case of the small heap, and many ties. */
        uint32_t i = below(f, step < STEPS / 2 ? 40 : 2 * EXPIRY_SEGMENT_ITEMS);
        int64_t when = 1 + below(f, step % 3 ? 1000000 : 10);
        if (below(f, 8) < 5) {
            used += f->when[i] == 0;
            set(f, i, when);
        } else if (f->when[i]) {
            assert_int_equal(expiry_when(&f->expiry, f->entries[i]), f->when[i]);
            take(f, i);
            used--;
        }
        assert_int_equal(f->expiry.used, used);
        if (step < STEPS / 2 || step % 500 == 0) assert_true(expiry_check(&f->expiry));
    }
    for (int i = 0; i < NAMES; i++)
        assert_int_equal(entry_place(f->entries[i]) != 0, f->when[i] != 0);
}

static void test_expiry_first_gives_the_order(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < NAMES; i++) set(f, i, 1 + below(f, NAMES));
    assert_true(expiry_check(&f->expiry));
    int64_t before = 0;
    for (uint32_t left = NAMES; left; left--) {
        const struct expiry_item *first = expiry_first(&f->expiry);
        assert_non_null(first);
        uint32_t i = first->e->rest[1];
        assert_int_equal(first->when_ms, f->when[i]);
        assert_true(first->when_ms >= before);
        before = first->when_ms;
        take(f, i);
        if (left % 4096 == 0) assert_true(expiry_check(&f->expiry));
    }
    assert_null(expiry_first(&f->expiry));
}

static void test_expiry_set_moves_both_ways(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 100; i++) set(f, i, 100 + i);
    set(f, 99, 1);
    assert_ptr_equal(expiry_first(&f->expiry)->e, f->entries[99]);
    set(f, 99, 1000);
    assert_ptr_equal(expiry_first(&f->expiry)->e, f->entries[0]);
    assert_true(expiry_check(&f->expiry));
}

static void test_expiry_mean_of_times_that_add_up_to_more_than_64_bits(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(expiry_mean_ms(&f->expiry), 0);
    for (uint32_t i = 0; i < 100; i++) set(f, i, INT64_MAX - 2 * (int64_t)i);
    assert_int_equal(expiry_mean_ms(&f->expiry), INT64_MAX - 99);
    for (uint32_t i = 0; i < 100; i++) set(f, i, 1000 + i);
    assert_int_equal(expiry_mean_ms(&f->expiry), 1049);
    take(f, 99);
    assert_int_equal(expiry_mean_ms(&f->expiry), 1049);
    assert_true(expiry_check(&f->expiry));
    while (!expiry_free_step(&f->expiry, &f->mem, 1)) continue;
    assert_int_equal(expiry_mean_ms(&f->expiry), 0);
}

static void test_expiry_moved_names_the_new_entry(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 10; i++) set(f, i, 100 + i);
    entry_set_place(f->entries[20], entry_place(f->entries[0]));
    expiry_moved(&f->expiry, f->entries[20]);
    assert_false(expiry_names(&f->expiry, f->entries[0]));
    assert_true(expiry_names(&f->expiry, f->entries[20]));
    assert_ptr_equal(expiry_first(&f->expiry)->e, f->entries[20]);
    entry_set_place(f->entries[0], 0);
    assert_true(expiry_check(&f->expiry));
}

static void test_expiry_segments_have_hysteresis(void **state)
{
    struct fixture *f = *state;
    uint32_t i = 0;
    for (; f->expiry.segment_count < 3; i++) set(f, i, 1 + i);
    uint64_t attempts = f->mem.attempts;
    for (int n = 0; n < 100; n++) { /* at the edge of the third segment */
        take(f, --i);
        set(f, i++, 5);
        assert_int_equal(f->expiry.segment_count, 3);
    }
    assert_int_equal(f->mem.attempts, attempts);
    while (i) take(f, --i);
    assert_int_equal(f->expiry.segment_count, 1);
    assert_int_equal(f->expiry.used, 0);
    assert_true(expiry_check(&f->expiry));
}

static void test_expiry_free_step_is_bounded(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < NAMES; i++) set(f, i, 1 + i);
    uint32_t segments = f->expiry.segment_count, steps = 1;
    assert_true(segments > 10);
    while (!expiry_free_step(&f->expiry, &f->mem, 1)) {
        assert_int_equal(f->expiry.segment_count, segments - steps);
        steps++;
    }
    assert_int_equal(steps, segments);
    assert_int_equal(f->mem.bytes, 0);
    assert_true(expiry_free_step(&f->expiry, &f->mem, 1));
}

static void test_expiry_set_without_memory(void **state)
{
#ifndef HEAPD_DEBUG
    (void)state;
    skip();
#else
    struct fixture *f = *state;
    uint32_t failures = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        f->mem.fail_at = 1;
        enum status s = expiry_set(&f->expiry, &f->mem, f->entries[i], 1 + i);
        f->mem.fail_at = 0;
        if (s == STATUS_OK) continue;
        failures++;
        assert_int_equal(s, STATUS_OOM);
        assert_int_equal(entry_place(f->entries[i]), 0);
        assert_int_equal(f->expiry.used, i);
        if (i % EXPIRY_SEGMENT_ITEMS == 0) assert_true(expiry_check(&f->expiry));
        f->mem.fail_at = 2; /* the segment, where the directory has to grow before */
        s = expiry_set(&f->expiry, &f->mem, f->entries[i], 1 + i);
        f->mem.fail_at = 0;
        if (s != STATUS_OK) set(f, i, 1 + i);
    }
    assert_true(failures > 10);
    f->mem.fail_at = 1;
    f->mem.fail_on = true;
    /* A new time for an old name, and removal, need no memory. */
    for (uint32_t i = 0; i < NAMES; i++) set(f, i, NAMES - i);
    for (uint32_t i = 0; i < NAMES; i++) take(f, i);
    f->mem.fail_at = 0;
    assert_true(expiry_check(&f->expiry));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_expiry_random_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_first_gives_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_set_moves_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_mean_of_times_that_add_up_to_more_than_64_bits,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_moved_names_the_new_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_segments_have_hysteresis, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_free_step_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_set_without_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
