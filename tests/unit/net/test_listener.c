/*
 * Listeners: what `bind` may say, and that a failure names the address.
 *
 * Method: worlds with other configurations; the sockets are tried by connecting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "world.h"

static void expect_refusal(const char *addresses, const char *word, const char *why)
{
    struct world *w = world_new(NULL);
    snprintf(w->engine.config.bind, sizeof w->engine.config.bind, "%s", addresses);
    char error[LISTENER_ERROR_BYTES];
    assert_false(net_listen(&w->net, error));
    assert_non_null(strstr(error, word));
    assert_non_null(strstr(error, why));
    assert_null(strchr(error, '\n'));
    world_free(w);
}

static void test_listen_bad_address(void **state)
{
    (void)state;
    expect_refusal("127.0.0.1 no_such-host.invalid", "no_such-host.invalid", "ame");
    expect_refusal("192.0.2.77", "192.0.2.77", "not available");
    expect_refusal("", "no address", "no address");
}

static void test_listen_too_many_addresses(void **state)
{
    (void)state;
    char all[CONFIG_TEXT_BYTES] = "";
    size_t n = 0;
    for (int i = 1; i <= LISTENERS_MAX + 1; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "127.0.0.%d ", i);
    expect_refusal(all, "127.0.0.17", "too many addresses");
}

static void test_listen_port_in_use(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    close(world_connect(w));
    char port[16], error[LISTENER_ERROR_BYTES];
    snprintf(port, sizeof port, "%u", (unsigned)w->engine.config.port);
    assert_false(net_listen(&w->net, error));
    assert_non_null(strstr(error, port));
    assert_non_null(strstr(error, "address already in use"));
    world_free(w);
}

/* Each of its addresses once, whatever else names them. */
static void test_listen_by_name(void **state)
{
    (void)state;
    struct world *w = world_new(
        (const char *const[]){"--bind", "localhost", "127.0.0.1", "localhost", "127.0.0.1", NULL});
    close(world_connect(w));
    assert_in_range(w->net.listeners.count, 1, 2);
    world_free(w);
}

static void test_listen_several_addresses(void **state)
{
    (void)state;
    struct world *w = world_new((const char *const[]){"--bind", "127.0.0.2", "127.0.0.1", NULL});
    int fd = world_connect(w);
    assert_int_equal(w->net.listeners.count, 2);
    assert_memory_equal(world_conn(w)->session.local_address, "127.0.0.1:", 10);
    assert_memory_equal(world_conn(w)->session.address, "127.0.0.1:", 10);
    close(fd);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_bad_address),
        cmocka_unit_test(test_listen_too_many_addresses),
        cmocka_unit_test(test_listen_port_in_use),
        cmocka_unit_test(test_listen_by_name),
        cmocka_unit_test(test_listen_several_addresses),
    };
    int failed = cmocka_run_group_tests_name("by io_uring", tests, NULL, NULL);
    world_without_ring = true;
    return failed + cmocka_run_group_tests_name("by libuv", tests, NULL, NULL);
}
