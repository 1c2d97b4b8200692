/*
 * Numbers are read and printed as Redis does it.
 *
 * Method: tables of texts with what redis-server 7.0.15 answers: ZADD and ZSCORE for doubles,
 * ZCOUNT for bounds, ZINCRBY for printed doubles, INCRBYFLOAT for long doubles (HINCRBYFLOAT
 * answers the same); integers and printed doubles besides against the C library, on random values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return *seed ^ *seed >> 29;
}

static void test_num_get_integer_canonical(void **state)
{
    (void)state;
    static const int64_t values[] = {0,  1,   -1,   9,         10,        -10,
                                     42, 100, -999, INT64_MAX, INT64_MIN, INT64_MAX - 1};
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[NUM_INTEGER_CHARS], want[32];
        int64_t back = 7;
        size_t n = num_put_integer(text, values[i]);
        snprintf(want, sizeof want, "%" PRId64, values[i]);
        assert_string_equal(text, want);
        assert_int_equal(n, strlen(want));
        assert_true(num_get_integer((struct view){text, n}, &back));
        assert_true(back == values[i]);
    }
}

static void test_num_get_integer_refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "-",
                                        "+1",
                                        "-0",
                                        "00",
                                        "007",
                                        "-01",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "1e3",
                                        "0x1",
                                        "a",
                                        "1a",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "9999999999999999999",
                                        "18446744073709551616",
                                        "10000000000000000000",
                                        "99999999999999999999999999",
                                        "--1",
                                        "1-"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t v = 7;
        if (num_get_integer(view_of(texts[i]), &v)) fail_msg("'%s' was read", texts[i]);
        assert_true(v == 7);
    }
    int64_t v = 7;
    assert_false(num_get_integer((struct view){"1\0", 2}, &v));
    assert_true(num_get_integer((struct view){"123", 2}, &v));
    assert_true(v == 12);
}

static void test_num_put_integer_equals_printf(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int i = 0; i < 20000; i++) {
        int64_t value = (int64_t)draw(&seed) >> (draw(&seed) % 64), back;
        char got[NUM_INTEGER_CHARS], want[32];
        size_t n = num_put_integer(got, value);
        assert_int_equal(n, snprintf(want, sizeof want, "%" PRId64, value));
        assert_string_equal(got, want);
        assert_true(num_get_integer(view_of(got), &back) && back == value);
    }
}

/* What ZSCORE says after ZADD; NULL: "value is not a valid float". */
static const struct {
    const char *text, *score;
} doubles[] = {
    {"1e400", NULL},
    {"-1e400", NULL},
    {"0x10", "16"},
    {"0x1p-3", "0.125"},
    {" 1", NULL},
    {"\t1", NULL},
    {"1 ", NULL},
    {"", NULL},
    {"inf", "inf"},
    {"+inf", "inf"},
    {"-inf", "-inf"},
    {"INF", "inf"},
    {"infinity", "inf"},
    {"Infinity", "inf"},
    {"infx", NULL},
    {"nan", NULL},
    {"-nan", NULL},
    {"nan(12)", NULL},
    {"1e-400", NULL},
    {"4e-324", "4.9406564584124654e-324"},
    {"1e-310", "9.9999999999999694e-311"},
    {"2.2250738585072014e-308", "2.2250738585072014e-308"},
    {"2.2250738585072011e-308", "2.2250738585072009e-308"},
    {"1.7976931348623159e308", NULL},
    {"1e308", "1e+308"},
    {"+5", "5"},
    {"0", "0"},
    {"-12", "-12"},
    {"1.", "1"},
    {".5", "0.5"},
    {".", NULL},
    {"1e", NULL},
    {"1e5", "100000"},
    {"1e+5", "100000"},
    {"1e 5", NULL},
    {"0x", NULL},
    {"0b1", NULL},
    {"1_000", NULL},
    {"1,5", NULL},
    {"007", "7"},
    {"9223372036854775807", "9.2233720368547758e+18"},
    {"9007199254740993", "9007199254740992"},
};

static void test_num_get_double_as_redis(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(doubles); i++) {
        double v = 7;
        char text[NUM_DOUBLE_CHARS];
        bool read = num_get_double(view_of(doubles[i].text), &v);
        if (read != (doubles[i].score != NULL)) fail_msg("'%s': %d", doubles[i].text, read);
        if (!read) {
            assert_true(v == 7);
            continue;
        }
        assert_int_equal(num_put_double(text, v), strlen(doubles[i].score));
        assert_string_equal(text, doubles[i].score);
    }
}

static void test_num_get_double_of_bytes(void **state)
{
    (void)state;
    double v = 7;
    assert_false(num_get_double((struct view){"1\0", 2}, &v));
    assert_false(num_get_double((struct view){"1.5\0", 4}, &v));
    assert_false(num_get_double((struct view){"\0", 1}, &v));
    assert_false(num_get_double((struct view){NULL, 0}, &v));
    assert_true(num_get_double((struct view){"1.25", 3}, &v));
    assert_true(v == 1.2);

    static char zeros[NUM_LONG_DOUBLE_CHARS];
    memset(zeros, '0', sizeof zeros);
    zeros[1] = '.';
    zeros[2] = '1';
    assert_true(num_get_double((struct view){zeros, sizeof zeros - 1}, &v));
    assert_true(v == 0.1);
    assert_false(num_get_double((struct view){zeros, sizeof zeros}, &v));
}

static void test_num_get_bound_as_redis(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        double bound; /* NaN: "min or max is not a float" */
    } bounds[] = {
        {"1e400", 5, INFINITY},
        {"-1e400", 6, -INFINITY},
        {" 1", 2, 1},
        {"1 ", 2, NAN},
        {"", 0, 0},
        {"0x1", 3, 1},
        {"nan", 3, NAN},
        {"1\0zz", 4, 1},
        {"inf", 3, INFINITY},
        {"1e-400", 6, 0},
        {"-inf", 4, -INFINITY},
        {"1x", 2, NAN},
    };
    for (size_t i = 0; i < COUNT(bounds); i++) {
        double v = 7;
        bool read = num_get_bound((struct view){bounds[i].text, bounds[i].n}, &v);
        assert_int_equal(read, !isnan(bounds[i].bound));
        assert_true(v == (read ? bounds[i].bound : 7));
    }
    double v = 7;
    assert_true(num_get_bound((struct view){NULL, 0}, &v) && v == 0);
}

static void test_num_put_double_as_redis(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1 + 0.2, "0.30000000000000004"},
        {1e16, "10000000000000000"},
        {1e17, "1e+17"},
        {99999999999999984.0, "99999999999999984"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {1e15 + 0.5, "1000000000000000.5"},
        {3.1, "3.1000000000000001"},
        {1e-5, "1.0000000000000001e-05"},
        {0.0001, "0.0001"},
        {1e21, "1e+21"},
        {4503599627370497.5, "4503599627370498"},
        {0.1, "0.10000000000000001"},
        {-1e15, "-1000000000000000"},
        {2.5e15 + 0.5, "2500000000000000.5"},
        {0.0, "0"},
        {-0.0, "-0"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {DBL_MAX, "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[NUM_DOUBLE_CHARS];
        assert_int_equal(num_put_double(text, cases[i].value), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void test_num_put_double_equals_printf(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 20000; i++) {
        /* Whole numbers of all sizes around the limit of the fast way, and any bits at all. */
        double value = (double)((int64_t)draw(&seed) >> (draw(&seed) % 63));
        if (i % 2) value /= 8;
        if (i % 5 == 0) {
            uint64_t bits = draw(&seed);
            memcpy(&value, &bits, sizeof value);
            if (!isfinite(value)) continue;
        }
        char got[NUM_DOUBLE_CHARS], want[64];
        size_t n = num_put_double(got, value);
        assert_int_equal(n, snprintf(want, sizeof want, "%.17g", value));
        assert_string_equal(got, want);
    }
}

/* What INCRBYFLOAT says after SET key a and INCRBYFLOAT key b. */
static void test_num_long_double_as_redis(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *sum;
    } sums[] = {
        {"10.5", "0.1", "10.6"},
        {"5.0e3", "2.0e2", "5200"},
        {"0.1", "0.2", "0.3"},
        {"1e20", "1", "100000000000000000000"},
        {"-0", "0", "0"},
        {"-0", "-0", "0"},
        {"-1e-20", "0", "0"},
        {"3.0", "0", "3"},
        {"1", "1e-17", "1.00000000000000001"},
        {"0", "1e-18", "0"},
        {"0", "4.9e-18", "0"},
        {"0", "5.1e-18", "0.00000000000000001"},
        {"123456789.123456789", "0", "123456789.12345678899873747"},
        {"-1.5", "1.5", "0"},
        {"0x10", "1", "17"},
    };
    static char text[NUM_LONG_DOUBLE_CHARS];
    for (size_t i = 0; i < COUNT(sums); i++) {
        long double a, b;
        assert_true(num_get_long_double(view_of(sums[i].a), &a));
        assert_true(num_get_long_double(view_of(sums[i].b), &b));
        assert_int_equal(num_put_long_double(text, a + b), strlen(sums[i].sum));
        assert_string_equal(text, sums[i].sum);
    }
    long double big;
    assert_true(num_get_long_double(view_of("1e400"), &big));
    assert_int_equal(num_put_long_double(text, big), 401);
    assert_memory_equal(text, "10000000000000000000281880683947", 32);
    assert_int_equal(num_put_long_double(text, LDBL_MAX), 4933);
    assert_int_equal(num_put_long_double(text, -LDBL_MAX), 4934);
    assert_int_equal(num_put_long_double(text, (long double)INFINITY), 3);
    assert_string_equal(text, "inf");
}

static void test_num_get_long_double_refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     " 1", "1 ",   "\t1",     "nan",
                                        "-nan", ".",  "1e",   "1e99999", "-1e9999",
                                        "1,5",  "0x", "1e 5", "1e-9999"};
    long double v = 7;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (num_get_long_double(view_of(texts[i]), &v)) fail_msg("'%s' was read", texts[i]);
        assert_true(v == 7);
    }
    assert_false(num_get_long_double((struct view){"1\0", 2}, &v));
    assert_false(num_get_long_double((struct view){NULL, 0}, &v));
    static char zeros[NUM_LONG_DOUBLE_CHARS];
    memset(zeros, '0', sizeof zeros);
    assert_true(num_get_long_double((struct view){zeros, sizeof zeros - 1}, &v) && v == 0);
    assert_false(num_get_long_double((struct view){zeros, sizeof zeros}, &v));
    assert_true(num_get_long_double(view_of("inf"), &v) && isinf(v));
}

static void test_num_hex(void **state)
{
    (void)state;
    char text[NUM_INTEGER_CHARS], want[32];
    uint64_t seed = 17, back;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = i == 0 ? 0 : draw(&seed) >> (i % 64);
        size_t n = num_put_hex(text, value);
        assert_int_equal(n, snprintf(want, sizeof want, "%" PRIx64, value));
        assert_string_equal(text, want);
        assert_true(num_get_hex(view_of(text), &back) && back == value);
    }
    static const char *const refused[] = {
        "", "00", "01", "A", "1g", "0x1", "-1", " 1", "10000000000000000"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_false(num_get_hex(view_of(refused[i]), &back));
    }
    assert_true(num_get_hex(view_of("ffffffffffffffff"), &back) && back == UINT64_MAX);
}

/* What strtoul reads, which Redis asks. */
static void test_num_get_cursor(void **state)
{
    (void)state;
    static const struct view taken[] = {{"0", 1},
                                        {"", 0},
                                        {"17", 2},
                                        {"007", 3},
                                        {"+5", 2},
                                        {"-5", 2},
                                        {"-0", 2},
                                        {"5\0x", 3},
                                        {"\0"
                                         "5",
                                         2},
                                        {"18446744073709551615", 20},
                                        {"-18446744073709551615", 21}};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        uint64_t cursor = 99;
        char text[32];
        memcpy(text, taken[i].p, taken[i].n);
        text[taken[i].n] = 0;
        assert_true(num_get_cursor(taken[i], &cursor));
        assert_int_equal(cursor, strtoul(text, NULL, 10));
    }
    static const char *const refused[] = {"-",
                                          "+",
                                          "x",
                                          " 5",
                                          "5 ",
                                          "5x",
                                          "--5",
                                          "+-5",
                                          "0x5",
                                          "1.0",
                                          "\t",
                                          "18446744073709551616",
                                          "99999999999999999999999"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        uint64_t cursor = 99;
        assert_false(num_get_cursor(view_of(refused[i]), &cursor));
        assert_int_equal(cursor, 99);
    }
}

static void test_num_get_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"12", 12},
        {"12b", 12},
        {"100k", 100000},
        {"100kb", 102400},
        {"1KB", 1024},
        {"3m", 3000000},
        {"512mb", 536870912},
        {"2g", 2000000000},
        {"1gb", 1073741824},
        {"1Gb", 1073741824},
        {"007", 7},
        {"18446744073709551615", UINT64_MAX},
    };
    static const char *const refused[] = {"",
                                          "mb",
                                          "-1",
                                          "1 mb",
                                          " 1",
                                          "1tb",
                                          "1.5gb",
                                          "0x10",
                                          "1mbb",
                                          "18446744073709551616",
                                          "18446744073709551615k"};
    uint64_t v = 7;
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (num_get_bytes(view_of(refused[i]), &v)) fail_msg("'%s' was read", refused[i]);
        assert_true(v == 7);
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(num_get_bytes(view_of(good[i].text), &v));
        assert_true(v == good[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_num_get_integer_canonical),
        cmocka_unit_test(test_num_get_integer_refuses),
        cmocka_unit_test(test_num_put_integer_equals_printf),
        cmocka_unit_test(test_num_get_double_as_redis),
        cmocka_unit_test(test_num_get_double_of_bytes),
        cmocka_unit_test(test_num_get_bound_as_redis),
        cmocka_unit_test(test_num_put_double_as_redis),
        cmocka_unit_test(test_num_put_double_equals_printf),
        cmocka_unit_test(test_num_long_double_as_redis),
        cmocka_unit_test(test_num_get_long_double_refuses),
        cmocka_unit_test(test_num_hex),
        cmocka_unit_test(test_num_get_cursor),
        cmocka_unit_test(test_num_get_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
