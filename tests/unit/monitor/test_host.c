/* Goal: the HTTP port answers to its own names and to no other.
 * Method: a table of headers for each way to bind. How requests fare is tried in tests/monitor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "monitor/host.h"

static bool served(const char *http_bind, const char *http_hosts, const char *host)
{
    struct config config;
    config_init(&config);
    strcpy(config.http_bind, http_bind);
    strcpy(config.http_hosts, http_hosts);
    struct address_list bound = {.count = 1};
    struct address_list *known = &bound;
    if (!address_parse(&bound.of[0], strcmp(http_bind, "*") == 0 ? "0.0.0.0" : http_bind))
        assert_true(address_parse(&known->of[0], "192.0.2.1")); /* what the name stands for */
    return host_is_served(&config, &bound, host);
}

static void test_no_header_is_no_browser(void **state)
{
    (void)state;
    assert_true(served("127.0.0.1", "", NULL));
}

static void test_loopback_is_always_served(void **state)
{
    (void)state;
    static const char *const binds[] = {"127.0.0.1", "*", "::", "192.0.2.9", "metrics.lan"};
    static const char *const hosts[] = {"localhost",      "LocalHost.", "localhost:1", "127.0.0.1",
                                        "127.9.9.9:7380", "[::1]",      "[::1]:65535"};
    for (size_t i = 0; i < sizeof binds / sizeof *binds; i++)
        for (size_t j = 0; j < sizeof hosts / sizeof *hosts; j++)
            assert_true(served(binds[i], "", hosts[j]));
}

static void test_names_of_others_are_refused(void **state)
{
    (void)state;
    static const char *const binds[] = {"127.0.0.1", "*", "::", "192.0.2.9", "metrics.lan"};
    static const char *const hosts[] = {"",
                                        ":",
                                        ":80",
                                        ".",
                                        "evil.example",
                                        "localhost.evil.example",
                                        "127.0.0.1.evil.example",
                                        "evil.example:7380",
                                        "[",
                                        "[]",
                                        "[::1",
                                        "[::1]1",
                                        "[::1]:",
                                        "localhost:",
                                        "localhost:1a",
                                        "a b",
                                        "127.0.0.1 evil.example",
                                        "metrics.lan.evil.example",
                                        "user@localhost"};
    for (size_t i = 0; i < sizeof binds / sizeof *binds; i++)
        for (size_t j = 0; j < sizeof hosts / sizeof *hosts; j++)
            assert_false(served(binds[i], "a.b", hosts[j]));
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(served("*", "", longest));
}

static void test_what_is_bound_is_served(void **state)
{
    (void)state;
    assert_true(served("192.0.2.9", "", "192.0.2.9:80"));
    assert_false(served("192.0.2.9", "", "192.0.2.8"));
    assert_true(served("2001:db8::1", "", "[2001:DB8:0::1]:80"));
    assert_false(served("2001:db8::1", "", "[2001:db8::2]"));
    assert_true(served("metrics.lan", "", "Metrics.LAN:7380"));
    assert_true(served("metrics.lan", "", "192.0.2.1"));
    assert_true(served("*", "", "203.0.113.5"));
    assert_true(served("::", "", "[2001:db8::5]:7380"));
    assert_true(served("::", "", "203.0.113.5"));
    assert_false(served("127.0.0.1", "", "203.0.113.5"));
}

static void test_listed_names_are_served(void **state)
{
    (void)state;
    assert_true(served("*", "heapd", "HEAPD:80"));
    assert_true(served("*", "a  heapd.lan b", "heapd.lan."));
    assert_true(served("127.0.0.1", "a 203.0.113.5", "203.0.113.5:80"));
    assert_false(served("*", "heapd.lan", "heapd"));
    assert_false(served("*", "heapd", "heapd.lan"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_header_is_no_browser),
        cmocka_unit_test(test_loopback_is_always_served),
        cmocka_unit_test(test_names_of_others_are_refused),
        cmocka_unit_test(test_what_is_bound_is_served),
        cmocka_unit_test(test_listed_names_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
