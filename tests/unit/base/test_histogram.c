/*
 * Histograms: every value lies in its bucket, quantiles are near, and what Prometheus reads only
 * grows.
 *
 * Method: edges of all buckets, then random values beside a sorted copy of them; the check after
 * each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/histogram.h"

static void test_histogram_empty(void **state)
{
    (void)state;
    struct histogram h = {0};
    assert_true(histogram_check(&h));
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_int_equal(histogram_below(&h, UINT64_MAX), 0);
}

static void test_histogram_record_at_every_edge(void **state)
{
    (void)state;
    for (unsigned octave = 0; octave <= 40; octave++) {
        for (unsigned quarter = 4; quarter < 8; quarter++) {
            uint64_t low = ((uint64_t)quarter << octave) / 4;
            if (low == 0 || low << 2 != (uint64_t)quarter << octave) continue;
            struct histogram h = {0};
            histogram_record(&h, low);
            assert_true(histogram_check(&h));
            assert_int_equal(histogram_below(&h, low - 1), 0);
            assert_int_equal(histogram_quantile(&h, 1), low);
            uint64_t end = (((uint64_t)quarter + 1) << octave) / 4 - 1;
            if (end < low || (octave == 40 && quarter == 7)) continue;
            assert_int_equal(histogram_below(&h, end), 1);
            histogram_record(&h, end);
            assert_int_equal(histogram_below(&h, end), 2);
            assert_true(histogram_check(&h));
        }
    }
}

static void test_histogram_record_beyond_the_last_bucket(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_record(&h, 0);
    histogram_record(&h, UINT64_MAX);
    assert_true(histogram_check(&h));
    assert_int_equal(histogram_below(&h, (uint64_t)1 << 62), 1);
    assert_int_equal(histogram_below(&h, UINT64_MAX), 2);
    assert_int_equal(histogram_quantile(&h, 0), 1);
    assert_int_equal(histogram_quantile(&h, 1), UINT64_MAX);
}

static void test_histogram_doublings_share_all_out(void **state)
{
    (void)state;
    struct histogram h = {0};
    const uint64_t values[] = {0, 1023, 1024, 2047, 2048, 4096, 9000, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) histogram_record(&h, values[i]);
    uint64_t rows[4];
    histogram_doublings(&h, 4, rows);
    const uint64_t expected[] = {2, 2, 1, 3};
    assert_memory_equal(rows, expected, sizeof rows);
    histogram_doublings(&h, 1, rows);
    assert_int_equal(rows[0], h.count);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_histogram_quantile_is_near(void **state)
{
    (void)state;
    enum { VALUES = 5000 };
    static uint64_t values[VALUES];
    struct histogram h = {0};
    uint64_t seed = 3, sum = 0;
    for (int i = 0; i < VALUES; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        values[i] = 1 + (seed >> 24) / ((uint64_t)1 << (seed >> 59));
        sum += values[i];
        histogram_record(&h, values[i]);
    }
    assert_true(histogram_check(&h));
    assert_int_equal(h.sum, sum);
    qsort(values, VALUES, sizeof *values, compare);
    for (int permille = 0; permille <= 1000; permille++) {
        int rank = (permille * VALUES + 999) / 1000;
        uint64_t exact = values[rank > 0 ? rank - 1 : 0];
        uint64_t got = histogram_quantile(&h, permille / 1000.0);
        /* A product such as 0.007 x 5000 may round up over its rank: then it is the next value's
         * bucket. */
        uint64_t next = values[rank < VALUES ? rank : VALUES - 1];
        assert_true(got >= exact && got <= h.max);
        assert_true(got < exact + exact / 4 + 1 || got < next + next / 4 + 1);
    }
    assert_int_equal(histogram_quantile(&h, 1), values[VALUES - 1]);
}

static void test_histogram_below_never_decreases(void **state)
{
    (void)state;
    struct histogram h = {0};
    uint64_t before = 0;
    for (uint64_t v = 1000; v < 1300; v++) {
        histogram_record(&h, v);
        uint64_t below = histogram_below(&h, 1250);
        assert_true(below >= before);
        before = below;
    }
    assert_int_equal(before, 24); /* 1000 to 1023; the bucket of 1250 goes on to 1279 */
    assert_int_equal(histogram_below(&h, 1279), 280);
}

static void test_histogram_check_sees_damage(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_record(&h, 77);
    h.count++;
    assert_false(histogram_check(&h));
    h.count--;
    h.max = 1000;
    assert_false(histogram_check(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_empty),
        cmocka_unit_test(test_histogram_record_at_every_edge),
        cmocka_unit_test(test_histogram_record_beyond_the_last_bucket),
        cmocka_unit_test(test_histogram_doublings_share_all_out),
        cmocka_unit_test(test_histogram_quantile_is_near),
        cmocka_unit_test(test_histogram_below_never_decreases),
        cmocka_unit_test(test_histogram_check_sees_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
