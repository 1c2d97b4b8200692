/*
 * Goal: an access clock tells when a name was last used and how often, and a clock of the other
 * kind is read for what it says. Method: clocks and times by hand; the counter's odds by many draws
 * beside the formula of Redis's documentation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/access.h"

enum { MINUTE = 60, DAY = 24 * 60 * MINUTE };

static struct access access_at(uint32_t now_s, bool counts)
{
    struct access a;
    access_init(&a, 7);
    a.now_s = now_s;
    a.counts = counts;
    return a;
}

static void test_access_idle_in_seconds(void **state)
{
    (void)state;
    static const uint32_t begins[] = {0, 1000, ACCESS_SECONDS_MASK - 5, ACCESS_SECONDS_MASK + 9};
    static const uint32_t passed[] = {0, 1, 59, 100000, 97 * DAY};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        for (size_t k = 0; k < sizeof passed / sizeof *passed; k++) {
            struct access a = access_at(begins[i], false);
            uint32_t clock = access_new(&a);
            assert_true(clock <= 0xffffff);
            a.now_s += passed[k];
            assert_int_equal(access_idle_s(&a, clock), passed[k]);
            assert_int_equal(access_idle_s(&a, access_again(&a, clock)), 0);
        }
    }
}

static void test_access_counts(void **state)
{
    (void)state;
    struct access a = access_at(1000 * MINUTE + 30, true);
    uint32_t clock = access_new(&a);
    assert_int_equal(access_count(&a, clock), 5);
    clock = access_again(&a, clock); /* the sixth is certain */
    assert_int_equal(access_count(&a, clock), 6);
    a.now_s += 2 * MINUTE;
    assert_int_equal(access_idle_s(&a, clock), 2 * MINUTE);
    assert_int_equal(access_count(&a, clock), 4);
    a.decay_minutes = 2;
    assert_int_equal(access_count(&a, clock), 5);
    a.decay_minutes = 0;
    assert_int_equal(access_count(&a, clock), 6);
    a.decay_minutes = 1;
    a.now_s += 10 * DAY;
    assert_int_equal(access_count(&a, clock), 0);
    clock = access_again(&a, clock);
    assert_int_equal(access_count(&a, clock), 1);
    assert_int_equal(access_idle_s(&a, clock), 0);
}

/* What the documentation of lfu-log-factor says that a count is after so many uses. */
static void test_access_counts_logarithmically(void **state)
{
    (void)state;
    static const struct {
        uint32_t factor, uses, least, most;
    } cases[] = {
        {0, 100, 105, 105},     {0, 1000, 255, 255},       {1, 100, 16, 22},
        {1, 1000, 43, 56},      {10, 100, 8, 13},          {10, 1000, 16, 22},
        {10, 100000, 133, 155}, {10, 1000000, 255, 255},   {100, 1000, 8, 13},
        {100, 100000, 43, 56},  {INT32_MAX, 100000, 6, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct access a = access_at(50, true);
        a.log_factor = cases[i].factor;
        uint64_t sum = 0;
        for (int round = 0; round < 8; round++) {
            uint32_t clock = access_new(&a);
            for (uint32_t n = 0; n < cases[i].uses; n++) clock = access_again(&a, clock);
            sum += access_count(&a, clock);
        }
        assert_in_range(sum, 8 * cases[i].least, 8 * cases[i].most);
    }
}

static void test_access_after_a_change_of_policy(void **state)
{
    (void)state;
    struct access a = access_at(500000 * MINUTE, false);
    uint32_t old = access_new(&a);
    a.now_s += 3 * MINUTE;
    uint32_t young = access_new(&a);
    a.now_s += MINUTE;
    a.counts = true; /* as names that were made then, and not used since */
    assert_int_equal(access_count(&a, old), 1);
    assert_int_equal(access_count(&a, young), 4);
    uint32_t used = access_again(&a, young);
    assert_int_equal(access_count(&a, used), 5);
    a.now_s += 2 * MINUTE;
    a.counts = false; /* the minute of the last use */
    assert_int_equal(access_idle_s(&a, used), 2 * MINUTE);
    assert_int_equal(access_idle_s(&a, old), 6 * MINUTE);
    assert_int_equal(access_idle_s(&a, access_again(&a, used)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access_idle_in_seconds),
        cmocka_unit_test(test_access_counts),
        cmocka_unit_test(test_access_counts_logarithmically),
        cmocka_unit_test(test_access_after_a_change_of_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
