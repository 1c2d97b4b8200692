/*
 * Goal: an address is read as its text says, a name becomes the addresses that it stands for, and a
 * socket listens on what was found.
 * Method: tables of texts; sockets on port 0 of loopback. Of names only localhost is known here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"

static const struct {
    const char *text;
    bool loopback, any;
} numbers[] = {
    {"127.0.0.1", true, false},
    {"127.255.0.9", true, false},
    {"::1", true, false},
    {"::ffff:127.0.0.1", true, false},
    {"0.0.0.0", false, true},
    {"::", false, true},
    {"10.0.0.1", false, false},
    {"128.0.0.1", false, false},
    {"::ffff:10.0.0.1", false, false},
    {"fe80::1", false, false},
    {"2001:db8::127.0.0.1", false, false},
};

static void test_address_parse_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct address a;
        assert_true(address_parse(&a, numbers[i].text));
        assert_int_equal(address_is_loopback(&a.at.any), numbers[i].loopback);
        assert_int_equal(address_is_any(&a.at.any), numbers[i].any);
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++) {
            struct address b;
            assert_true(address_parse(&b, numbers[j].text));
            assert_int_equal(address_same_host(&a.at.any, &b.at.any), i == j);
        }
    }
}

static void test_address_parse_refuses(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",      "*",         "localhost",  "1",     "127.1", "127.0.0.1:80",
        "[::1]", "256.0.0.1", "127.0.0.1 ", "::1%lo"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct address a = {.bytes = 77};
        assert_false(address_parse(&a, none[i]));
        assert_int_equal(a.bytes, 77);
    }
}

static void test_address_of_no_host_is_loopback(void **state)
{
    (void)state;
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    assert_true(address_is_loopback((struct sockaddr *)&local));
    assert_false(address_is_any((struct sockaddr *)&local));
}

static void test_address_resolve(void **state)
{
    (void)state;
    struct address_list list;
    struct address wanted;
    assert_null(address_resolve(&list, "*", 7379));
    assert_int_equal(list.count, 1);
    assert_false(list.named);
    assert_true(address_is_any(&list.of[0].at.any));
    assert_int_equal(list.of[0].at.in4.sin_port, htons(7379));
    assert_null(address_resolve(&list, "::1", 80));
    assert_int_equal(list.count, 1);
    assert_true(address_parse(&wanted, "::1"));
    assert_true(address_same_host(&list.of[0].at.any, &wanted.at.any));
    assert_int_equal(list.of[0].at.in6.sin6_port, htons(80));

    assert_null(address_resolve(&list, "localhost", 80));
    assert_true(list.named);
    assert_true(list.count >= 1);
    for (size_t i = 0; i < list.count; i++) assert_true(address_is_loopback(&list.of[i].at.any));
}

static void test_address_resolve_refuses(void **state)
{
    (void)state;
    static const char *const none[] = {"", "no name", "127.0.0.1:80", "[::1]"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct address_list list = {.count = 77};
        assert_non_null(address_resolve(&list, none[i], 80));
        assert_int_equal(list.count, 77);
    }
}

static void test_address_listen(void **state)
{
    (void)state;
    struct address a;
    assert_true(address_parse(&a, "127.0.0.1"));
    int fd = address_listen(&a, 1);
    assert_true(fd >= 0);
    socklen_t bytes = sizeof a.at;
    assert_int_equal(getsockname(fd, &a.at.any, &bytes), 0);
    assert_int_equal(address_listen(&a, 1), -EADDRINUSE);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &a.at.any, bytes), 0);
    close(client);
    close(fd);
    assert_true(address_parse(&a, "192.0.2.1")); /* of no machine: TEST-NET-1 */
    assert_true(address_is_lacking(address_listen(&a, 1)));
    assert_false(address_is_lacking(-EADDRINUSE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_parse_numbers),
        cmocka_unit_test(test_address_parse_refuses),
        cmocka_unit_test(test_address_of_no_host_is_loopback),
        cmocka_unit_test(test_address_resolve),
        cmocka_unit_test(test_address_resolve_refuses),
        cmocka_unit_test(test_address_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
