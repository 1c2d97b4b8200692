/*
 * The log: what a line looks like, which lines are written, and what a client's bytes cannot do to
 * it.
 *
 * Method: the log is opened on a file of a temporary folder, which is read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

static char folder[] = "/tmp/heapd-test-log-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/log", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    log_open("", LOG_NOTICE);
    unlink(path);
    return rmdir(folder);
}

static const char *content(void)
{
    static char text[8192];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void start(enum log_level level)
{
    unlink(path);
    assert_int_equal(log_open(path, level), 0);
}

static void test_log_line_form(void **state)
{
    (void)state;
    static const char form[] =
        "^[0-9]+:M [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8}\\.[0-9]{3} \\* port 7379\n$";
    regex_t regex;
    assert_int_equal(regcomp(&regex, form, REG_EXTENDED | REG_NOSUB), 0);
    start(LOG_NOTICE);
    log_line(LOG_NOTICE, "port %d", 7379);
    int result = regexec(&regex, content(), 0, NULL, 0);
    regfree(&regex);
    if (result != 0) fail_msg("%s", content());
}

static void test_log_line_below_the_level_is_not_written(void **state)
{
    (void)state;
    start(LOG_NOTICE);
    log_line(LOG_VERBOSE, "unseen");
    assert_string_equal(content(), "");
    log_level_set(LOG_DEBUG);
    log_line(LOG_DEBUG, "one");
    log_line(LOG_WARNING, "two");
    assert_null(strstr(content(), "unseen"));
    assert_non_null(strstr(content(), " . one\n"));
    assert_non_null(strstr(content(), " # two\n"));
}

static void test_log_line_cannot_be_forged(void **state)
{
    (void)state;
    start(LOG_NOTICE);
    log_line(LOG_NOTICE, "client %s left", "a\n1:M forged\x1b[2J");
    assert_non_null(strstr(content(), "client a?1:M forged?[2J left\n"));
}

static void test_log_line_too_long_is_cut_and_ends(void **state)
{
    (void)state;
    char *text = calloc(1, 5000);
    memset(text, 'x', 4999);
    start(LOG_NOTICE);
    errno = ENOENT;
    log_line(LOG_NOTICE, "%s", text);
    assert_int_equal(errno, ENOENT);
    log_line(LOG_NOTICE, "next");
    free(text);
    const char *newline = strchr(content(), '\n');
    assert_non_null(newline);
    assert_in_range(newline - content(), 2000, 2048);
    assert_non_null(strstr(newline, " * next\n"));
}

static void test_log_open_failure_keeps_the_log(void **state)
{
    (void)state;
    start(LOG_NOTICE);
    assert_int_equal(log_open("/nonexistent/folder/log", LOG_NOTICE), ENOENT);
    log_line(LOG_NOTICE, "still here");
    assert_non_null(strstr(content(), "still here"));
}

static void test_log_open_appends(void **state)
{
    (void)state;
    start(LOG_NOTICE);
    log_line(LOG_NOTICE, "first");
    assert_int_equal(log_open(path, LOG_NOTICE), 0);
    log_line(LOG_NOTICE, "second");
    assert_non_null(strstr(content(), "first\n"));
    assert_non_null(strstr(content(), "second\n"));
}

static void test_log_level_of(void **state)
{
    (void)state;
    enum log_level level = LOG_DEBUG;
    assert_true(log_level_of(view_of("Warning"), &level));
    assert_int_equal(level, LOG_WARNING);
    assert_false(log_level_of(view_of("warn"), &level));
    assert_false(log_level_of(view_of(""), &level));
    assert_int_equal(level, LOG_WARNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_line_form),
        cmocka_unit_test(test_log_line_below_the_level_is_not_written),
        cmocka_unit_test(test_log_line_cannot_be_forged),
        cmocka_unit_test(test_log_line_too_long_is_cut_and_ends),
        cmocka_unit_test(test_log_open_failure_keeps_the_log),
        cmocka_unit_test(test_log_open_appends),
        cmocka_unit_test(test_log_level_of),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
