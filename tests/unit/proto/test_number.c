/*
 * Goal: numbers are read as Redis' string2ll reads them. Method: a table at the edges.
 */
#include "cmocka_all.h"
#include "proto/number.h"

static bool read_number(const char *text, int64_t *out)
{
    struct proto_number number = {0};
    for (; *text != '\0'; text++) proto_number_push(&number, *text);
    return proto_number_end(&number, out);
}

static void test_end_good_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } ROWS[] = {
        {"0", 0},
        {"7", 7},
        {"-1", -1},
        {"1048576", 1048576},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", -INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        int64_t value = 42;
        assert_true(read_number(ROWS[i].text, &value));
        assert_true(value == ROWS[i].value);
    }
}

static void test_end_bad_numbers(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"",
                                       "-",
                                       "--1",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "00",
                                       "01",
                                       "-0",
                                       "-01",
                                       "1-",
                                       "a",
                                       "1a",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "99999999999999999999",
                                       "100000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        int64_t value = 42;
        assert_false(read_number(ROWS[i], &value));
        assert_true(value == 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_good_numbers),
        cmocka_unit_test(test_end_bad_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
