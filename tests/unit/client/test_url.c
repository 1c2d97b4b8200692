/*
 * Goal: a URL is taken apart as written, or refused with a reason and nothing kept.
 * Method: tables of both.
 */
#include "tests/unit/client/canned.h"

struct good {
    const char *url, *host, *user, *password;
    uint16_t port;
    int64_t db;
};

static void same(const char *got, const char *expected)
{
    if (expected == NULL)
        assert_null(got);
    else
        assert_string_equal(got, expected);
}

static void test_url_parse_good(void **state)
{
    (void)state;
    static const struct good table[] = {
        {"redis://", NULL, NULL, NULL, 0, 0},
        {"redis://h", "h", NULL, NULL, 0, 0},
        {"heapd://h:7379/0", "h", NULL, NULL, 7379, 0},
        {"REDIS://h:1/3", "h", NULL, NULL, 1, 3},
        {"redis://:pw@h", "h", NULL, "pw", 0, 0},
        {"redis://u:pw@h:65535/", "h", "u", "pw", 65535, 0},
        {"redis://u:@h", "h", "u", "", 0, 0},
        {"redis://@h", "h", NULL, NULL, 0, 0},
        {"redis://u:p%40%3a%2F%25@h", "h", "u", "p@:/%", 0, 0},
        {"redis://u:p@q@h", "h", "u", "p@q", 0, 0},
        {"redis://u:p/q@h/2", "h", "u", "p/q", 0, 2},
        {"redis://u:p/q@h", "h", "u", "p/q", 0, 0},
        {"redis://[::1]:7/1", "::1", NULL, NULL, 7, 1},
        {"redis://u:p@[fe80::1]", "fe80::1", "u", "p", 0, 0},
        {"redis://:7390", NULL, NULL, NULL, 7390, 0},
        {"redis:///4", NULL, NULL, NULL, 0, 4},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct heapd_url url;
        const char *error = NULL;
        assert_int_equal(heapd_url_parse(table[i].url, &url, &error), HEAPD_OK);
        same(url.options.host, table[i].host);
        same(url.options.user, table[i].user);
        same(url.options.password, table[i].password);
        assert_int_equal(url.options.port, table[i].port);
        assert_int_equal(url.options.db, table[i].db);
        heapd_url_fini(&url);
    }
}

static void test_url_parse_bad(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "h",
        "http://h",
        "rediss://h",
        "redis:/h",
        "redis://h:",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:7x",
        "redis://h/x",
        "redis://h/99999999999",
        "redis://h/0?a=1",
        "redis://h#a",
        "redis://u@h",
        "redis://u:%4@h",
        "redis://u:%00@h",
        "redis://u:%zz@h",
        "redis://[::1",
        "redis://[::1]x",
        "redis://%zz",
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct heapd_url url;
        const char *error = NULL;
        assert_int_equal(heapd_url_parse(table[i], &url, &error), HEAPD_INVALID);
        assert_non_null(error);
        assert_null(url.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_parse_good),
        cmocka_unit_test(test_url_parse_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
