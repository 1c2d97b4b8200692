/*
 * Goal: lines are kept, for their owner alone, without passwords, and not for ever.
 * Method: a home folder of its own; the file is read back.
 */
#include "client/heapctl/hist.h"
#include "tests/unit/client/canned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_home(void **state)
{
    char *home = strdup("/tmp/test-hist-XXXXXX");
    *state = home;
    return mkdtemp(home) == NULL || setenv("HOME", home, 1) != 0;
}

static int drop_home(void **state)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/" HIST_FILE, (char *)*state);
    unlink(path);
    int failed = rmdir(*state);
    free(*state);
    return failed;
}

static size_t file_lines(const char *home, mode_t *mode)
{
    char path[64];
    struct stat file;
    size_t lines = 0;
    snprintf(path, sizeof(path), "%s/" HIST_FILE, home);
    assert_int_equal(stat(path, &file), 0);
    *mode = file.st_mode & 0777;
    FILE *from = fopen(path, "r");
    for (int c = getc(from); c != EOF; c = getc(from))
        if (c == '\n') lines++;
    fclose(from);
    return lines;
}

static void test_hist_is_kept_and_cut(void **state)
{
    struct hist hist;
    mode_t mode;
    assert_true(hist_init(&hist));
    for (int i = 0; i < 2 * HIST_LINES_KEPT; i++) {
        char line[32];
        int n = snprintf(line, sizeof(line), "get %d", i);
        hist_add(&hist, line, (size_t)n);
    }
    hist_fini(&hist);
    assert_int_equal(file_lines(*state, &mode), 2 * HIST_LINES_KEPT);
    assert_int_equal(mode, 0600);
    assert_true(hist_init(&hist));
    HistEvent event;
    assert_true(history(hist.lines, &event, H_FIRST) >= 0);
    assert_string_equal(event.str, "get 1999");
    hist_fini(&hist);
    assert_int_equal(file_lines(*state, &mode), HIST_LINES_KEPT);
    assert_int_equal(mode, 0600);
}

static bool secret(const char *line)
{
    struct words words;
    assert_int_equal(words_split(line, strlen(line), &words), WORDS_OK);
    bool is = hist_is_secret(words.argc, words.argv);
    words_fini(&words);
    return is;
}

static void test_hist_is_secret(void **state)
{
    (void)state;
    assert_true(secret("auth pw"));
    assert_true(secret("AUTH u pw"));
    assert_true(secret("hello 3 auth u pw"));
    assert_true(secret("config set requirepass pw"));
    assert_true(secret("acl setuser u >pw"));
    assert_false(secret(""));
    assert_false(secret("hello 3"));
    assert_false(secret("get auth"));
    assert_false(secret("config get requirepass"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hist_is_kept_and_cut, make_home, drop_home),
        cmocka_unit_test(test_hist_is_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
