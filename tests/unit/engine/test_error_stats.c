/* Goal: errors are counted by their first word, in order, and no number of words takes more room.
 * Method: lines by hand. That every error reply is counted is tried in tests/wire/server/info.txt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/error_stats.h"

static void test_error_stats_words(void **state)
{
    (void)state;
    static struct error_stats all;
    static const char *const lines[] = {"WRONGTYPE Operation",
                                        "ERR no",
                                        "OOM out",
                                        "ERR a",
                                        "NOSPACE",
                                        "",
                                        " x",
                                        "a_word_of_more_than_thirty_one_letters is none",
                                        "ERR b",
                                        "WRONGTYPE again"};
    static const struct error_stat wanted[] = {{"ERR", 7}, {"OOM", 1}, {"WRONGTYPE", 2}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) error_stats_add(&all, lines[i]);
    assert_int_equal(all.count, 3);
    for (uint32_t i = 0; i < all.count; i++) {
        assert_string_equal(all.of[i].word, wanted[i].word);
        assert_int_equal(all.of[i].replies, wanted[i].replies);
    }
    assert_int_equal(all.other, 0);
}

static void test_error_stats_are_bounded(void **state)
{
    (void)state;
    static struct error_stats all;
    char line[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "E%03d text", i * 7 % 1000);
        error_stats_add(&all, line);
        error_stats_add(&all, "E000 text");
    }
    assert_int_equal(all.count, ERROR_STATS_MAX);
    assert_int_equal(all.other, 1000 - ERROR_STATS_MAX);
    assert_int_equal(all.of[0].replies, 1001);
    for (uint32_t i = 1; i < all.count; i++)
        assert_true(strcmp(all.of[i - 1].word, all.of[i].word) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_stats_words),
        cmocka_unit_test(test_error_stats_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
