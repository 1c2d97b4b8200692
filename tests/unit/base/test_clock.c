/*
 * The ticks: as good as the monotonic clock, from the first reading on. A simulated clock: nothing
 * but the test moves it.
 *
 * Method: the monotonic clock and the ticks are read in turn over some time. How far they may be
 * apart is what a thread that is interrupted between the two readings makes of it, so the smallest
 * distance of many counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { APART_NS_MAX = 20000, TRIES = 100 };

static int64_t apart_ns(struct clock *c)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t before = clock_mono_ns(c), ticks = clock_ticks_ns(c), after = clock_mono_ns(c);
        int64_t apart = ticks < before ? before - ticks : ticks > after ? ticks - after : 0;
        if (apart < least) least = apart;
    }
    return least;
}

static void test_ticks_keep_time(void **state)
{
    (void)state;
    struct clock c = {0};
    int64_t before = clock_mono_ns(&c), set = clock_sync_ns(&c);
    assert_in_range(set - before, 0, 1000000000);
    for (int turn = 0; turn < 50; turn++) {
        assert_in_range(apart_ns(&c), 0, APART_NS_MAX);
        usleep(1000);
        assert_in_range(apart_ns(&c), 0, APART_NS_MAX);
        clock_sync_ns(&c);
    }
    assert_true(c.uneven == (c.tick_ns_32 == 0));
}

/* Also where the clock was not read for long. */
static void test_ticks_go_on_alone(void **state)
{
    (void)state;
    struct clock c = {0};
    for (int turn = 0; turn < 50; turn++) {
        clock_sync_ns(&c);
        usleep(1000);
    }
    usleep(300000);
    assert_in_range(apart_ns(&c), 0, 3000000);
}

static void assert_all_show(struct clock *c, int64_t mono_ns, int64_t wall_ns)
{
    assert_int_equal(clock_mono_ns(c), mono_ns);
    assert_int_equal(clock_coarse_ns(c), mono_ns);
    assert_int_equal(clock_thread_ns(c), mono_ns);
    assert_int_equal(clock_sync_ns(c), mono_ns);
    assert_int_equal(clock_ticks_ns(c), mono_ns);
    assert_int_equal(clock_wall_ns(c), wall_ns);
}

static void test_simulated_clock_stands_still(void **state)
{
    (void)state;
    struct clock c = {0};
    for (int turn = 0; turn < 20; turn++) { /* so that it counts ticks */
        clock_sync_ns(&c);
        usleep(1000);
    }
    clock_simulate(&c, &(struct clock_simulation){.mono_ns = 1000, .wall_ns = 5000});
    assert_all_show(&c, 1000, 5000);
    usleep(1000);
    assert_all_show(&c, 1000, 5000);
    clock_advance(&c, 70);
    assert_all_show(&c, 1070, 5070);
    clock_sleep_ns(&c, 30);
    assert_all_show(&c, 1100, 5100);
}

static void test_simulated_wall_clock_is_set(void **state)
{
    (void)state;
    struct clock c;
    clock_simulate(&c, &(struct clock_simulation){.mono_ns = 1000, .wall_ns = 5000});
    clock_wall_shift(&c, -4500);
    assert_all_show(&c, 1000, 500);
    clock_wall_shift(&c, 10000);
    clock_advance(&c, 1);
    assert_all_show(&c, 1001, 10501);
}

static void test_simulated_clock_advances_at_each_reading(void **state)
{
    (void)state;
    struct clock c;
    clock_simulate(&c, &(struct clock_simulation){.wall_ns = 50, .reading_ns = 7});
    assert_int_equal(clock_mono_ns(&c), 7);
    assert_int_equal(clock_coarse_ns(&c), 14);
    assert_int_equal(clock_thread_ns(&c), 21);
    assert_int_equal(clock_sync_ns(&c), 28);
    assert_int_equal(clock_ticks_ns(&c), 35);
    assert_int_equal(clock_wall_ns(&c), 50 + 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks_keep_time),
        cmocka_unit_test(test_ticks_go_on_alone),
        cmocka_unit_test(test_simulated_clock_stands_still),
        cmocka_unit_test(test_simulated_wall_clock_is_set),
        cmocka_unit_test(test_simulated_clock_advances_at_each_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
