/*
 * The ticker: as good as the monotonic clock, from the first reading on.
 *
 * Method: both are read in turn over some time. How far they may be apart is what a thread that is
 * interrupted between the two readings makes of it, so the smallest distance of many counts.
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

static int64_t apart_ns(const struct clock_ticker *t)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t before = clock_mono_ns(), ticker = clock_ticker_ns(t), after = clock_mono_ns();
        int64_t apart = ticker < before ? before - ticker : ticker > after ? ticker - after : 0;
        if (apart < least) least = apart;
    }
    return least;
}

static void test_ticker_keeps_time(void **state)
{
    (void)state;
    struct clock_ticker t = {0};
    int64_t before = clock_mono_ns(), set = clock_ticker_set(&t);
    assert_in_range(set - before, 0, 1000000000);
    for (int turn = 0; turn < 50; turn++) {
        assert_in_range(apart_ns(&t), 0, APART_NS_MAX);
        usleep(1000);
        assert_in_range(apart_ns(&t), 0, APART_NS_MAX);
        clock_ticker_set(&t);
    }
    assert_true(t.uneven == (t.tick_ns_32 == 0));
}

/* Also where it was not told the time for long. */
static void test_ticker_goes_on_alone(void **state)
{
    (void)state;
    struct clock_ticker t = {0};
    for (int turn = 0; turn < 50; turn++) {
        clock_ticker_set(&t);
        usleep(1000);
    }
    usleep(300000);
    assert_in_range(apart_ns(&t), 0, 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticker_keeps_time),
        cmocka_unit_test(test_ticker_goes_on_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
