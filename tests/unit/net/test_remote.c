/*
 * Connections of I/O threads: all that test_conn.c tries where it shows on the wire, and what only
 * they can get wrong: parcels that come back with requests left, letters that cross, and memory of
 * two threads.
 *
 * Method: as test_conn.c; the threads' loops run in this thread, so that every turn can be checked
 * and every allocation can fail. That they may run in threads of their own is what the tests with a
 * server show, built with HEAPD_TSAN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "world.h"

static struct world *new_world(const char *option, const char *value)
{
    return world_new((const char *const[]){"--io-threads", "3", option, value, NULL});
}

static void turns(struct world *w, int count)
{
    for (int i = 0; i < count; i++) world_turn(w);
}

static void test_connections_are_shared_out(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fds[6];
    for (int i = 0; i < 6; i++) fds[i] = world_connect(w);
    assert_int_equal(w->net.io->count, 2);
    assert_int_equal(w->net.io->threads[0].connections, 3);
    assert_int_equal(w->net.io->threads[1].connections, 3);
    close(fds[0]);
    close(fds[2]);
    WORLD_UNTIL(w, w->net.open == 4);
    for (int i = 0; i < 3; i += 2) {
        fds[i] = world_connect(w);
        world_say(w, fds[i], "PING\r\n");
        world_expect(w, fds[i], "+PONG\r\n");
    }
    assert_int_equal(w->net.io->threads[0].connections, 3);
    assert_int_equal(w->net.io->threads[1].connections, 3);
    for (int i = 0; i < 6; i++) close(fds[i]);
    world_free(w);
}

static void test_request_cut_anywhere(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    static const char text[] =
        "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\nPING\r\nECHO 'a b' \r\n\r\n*0\r\n*1\r\n$4\r\nPING\r\n";
    for (size_t at = 1; at < sizeof text - 1; at++) {
        world_send(w, fd, text, at);
        turns(w, (int)at % 4);
        world_send(w, fd, text + at, sizeof text - 1 - at);
        world_expect(w, fd, "$3\r\nabc\r\n+PONG\r\n$3\r\na b\r\n+PONG\r\n");
    }
    turns(w, 5);
    assert_int_equal(inbox_bytes(&world_wire(w)->in), 0);
    assert_int_equal(w->engine.stats.net_input_bytes, (sizeof text - 1) * (sizeof text - 2));
    close(fd);
    WORLD_UNTIL(w, w->net.open == 0);
    world_free(w);
}

static void test_bulk_of_any_size(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    const struct wire *wire = world_wire(w);
    static const size_t sizes[] = {0,     1,     16384,  65500,   65536,
                                   65537, 70000, 100000, 1 << 20, 5000000};
    size_t before = wire->thread->mem.bytes;
    char *bulk = malloc(5000000);
    assert_non_null(bulk);
    memset(bulk, 'b', 5000000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char head[64], reply[64];
        snprintf(head, sizeof head, "PING\r\n*2\r\n$6\r\nLENGTH\r\n$%zu\r\n", sizes[i]);
        world_say(w, fd, head);
        world_send(w, fd, bulk, sizes[i]);
        world_say(w, fd, "\r\nPING\r\nPING\r\n");
        snprintf(reply, sizeof reply, "+PONG\r\n:%zu\r\n+PONG\r\n+PONG\r\n", sizes[i]);
        world_expect(w, fd, reply);
        turns(w, 3);
        assert_in_range(wire->in.cap, 0, INBOX_KEPT_BYTES);
        assert_null(remote_of(world_session(w))->parcel.block);
    }
    /* A long one goes along with its buffer: it is never there twice. */
    size_t most = wire->thread->mem.bytes_peak - before;
    assert_in_range(most, 5000000, 5000000 + (1 << 20));
    free(bulk);
    close(fd);
    world_free(w);
}

static void test_many_arguments_leave_no_memory(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    const struct wire *wire = world_wire(w);
    size_t before = wire->thread->mem.bytes;
    world_say(w, fd, "*100001\r\n$4\r\nPING\r\n");
    world_say_times(w, fd, "$1\r\na\r\n", 100000);
    world_expect(w, fd, "+PONG\r\n");
    world_say(w, fd, "PING\r\n");
    world_expect(w, fd, "+PONG\r\n");
    turns(w, 3);
    assert_in_range(wire->reader.room, 0, REQUEST_ARGS_KEPT);
    assert_in_range(wire->thread->mem.bytes - before, 0, INBOX_BLOCK_BYTES + 16 * SHEET_ARGS_KEPT);
    close(fd);
    world_free(w);
}

static void test_parcels_have_a_share(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int greedy = world_connect(w);
    struct session *s = world_session(w);
    int other = world_connect(w);
    world_say_times(w, greedy, "PING\r\n", 30000);
    world_say(w, other, "PING\r\n");
    WORLD_UNTIL(w, s->commands > 0);
    assert_in_range(s->commands, 1, CONN_SHARE_COMMANDS);
    world_expect(w, other, "+PONG\r\n");
    assert_in_range(s->commands, 1, 8 * CONN_SHARE_COMMANDS);
    world_expect_times(w, greedy, "+PONG\r\n", 30000);
    turns(w, 5);
    assert_true(remote_of(s)->wire.stream.reading);
    assert_int_equal(session_input(s), 0);
    assert_int_equal(w->engine.stats.net_input_bytes, 30001 * 6);
    assert_int_equal(w->engine.stats.net_output_bytes, 30001 * 7);
    close(greedy);
    close(other);
    world_free(w);
}

/* However much a client sends without reading: what waits is bounded at either end. */
static void slow_reader_stops_and_goes_on(const char *what)
{
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect_narrow(w);
    struct session *s = world_session(w);
    const struct wire *wire = world_wire(w);
    world_say_times(w, fd, what, 200);
    WORLD_UNTIL(w, wire->slow);
    turns(w, 5);
    uint64_t run = s->commands;
    assert_in_range(run, CONN_HIGH_BYTES / 100011, 60);
    turns(w, 20);
    assert_int_equal(s->commands, run);
    assert_false(wire->stream.reading);
    assert_in_range(session_output(s), CONN_HIGH_BYTES, 3 * CONN_HIGH_BYTES);
    char *reply = malloc(100011);
    assert_non_null(reply);
    for (int i = 0; i < 200; i++) {
        world_read(w, fd, reply, 100011);
        assert_memory_equal(reply, "$100000\r\nxxx", 12);
        assert_memory_equal(reply + 100007, "xx\r\n", 4);
    }
    free(reply);
    world_say(w, fd, "PING\r\n");
    world_expect(w, fd, "+PONG\r\n");
    turns(w, 5);
    assert_false(wire->slow);
    assert_int_equal(session_output(s), 0);
    assert_int_equal(w->engine.held.count, 0);
    close(fd);
    world_free(w);
}

static void test_slow_reader_stops_and_goes_on(void **state)
{
    (void)state;
    slow_reader_stops_and_goes_on("BULK 100000\r\n");
    slow_reader_stops_and_goes_on("HOLD 100000\r\n");
}

static void test_output_limit_closes(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct world *w = new_world("--output-buffer-limit", "2mb");
        int fd = world_connect_narrow(w);
        world_say(w, fd, held ? "HOLD 1000000\r\n" : "BULK 1000000\r\n");
        turns(w, 10);
        assert_int_equal(w->engine.sessions.count, 1);
        world_say(w, fd, held ? "HOLD 9000000\r\n" : "BULK 9000000\r\n");
        WORLD_UNTIL(w, w->net.open == 0 && w->engine.held.count == 0);
        close(fd);
        world_free(w);
    }
}

static void test_changed_limit_holds(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    w->engine.config.proto_max_bulk_len = 1 << 20;
    world_say(w, fd, "PING\r\n"); /* whoever has changed it waits for the reply */
    world_expect(w, fd, "+PONG\r\n");
    world_say(w, fd, "*1\r\n$1048577\r\n");
    world_expect(w, fd, "-ERR Protocol error: invalid bulk length\r\n");
    world_expect_end(w, fd);
    close(fd);
    world_free(w);
}

/* What came before a wait is answered before it, what stands behind it is not run. */
static void test_wait_holds_back_the_pipeline(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    struct session *s = world_session(w);
    world_say(w, fd, "PING\r\nWAIT\r\nPING\r\nWAIT\r\nPING\r\n");
    world_expect(w, fd, "+PONG\r\n");
    turns(w, 10);
    assert_int_equal(s->commands, 2);
    assert_int_equal(remote_of(s)->seat.place, NET_WAITING);
    w->go = true;
    world_expect(w, fd, ":1\r\n+PONG\r\n:1\r\n+PONG\r\n");
    close(fd);
    WORLD_UNTIL(w, w->net.open == 0);
    world_free(w);
}

/* Replies that a slow reader has not taken are written while its session waits. */
static void test_replies_before_a_wait_are_written(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect_narrow(w);
    world_say(w, fd, "BULK 400000\r\nPING\r\n");
    WORLD_UNTIL(w, world_wire(w)->out.under_way);
    world_say(w, fd, "PING\r\nWAIT\r\nPING\r\n");
    WORLD_UNTIL(w, w->engine.sessions.waiting == 1);
    turns(w, 10);
    assert_false(world_wire(w)->away); /* it does not go to and fro */
    char *reply = malloc(400011);
    assert_non_null(reply);
    world_read(w, fd, reply, 400011);
    free(reply);
    world_expect(w, fd, "+PONG\r\n+PONG\r\n");
    turns(w, 10);
    assert_int_equal(remote_of(world_session(w))->seat.place, NET_WAITING);
    w->go = true;
    world_expect(w, fd, ":1\r\n+PONG\r\n");
    close(fd);
    world_free(w);
}

static void test_waiting_client_is_closed(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct world *w = new_world(NULL, NULL);
        int fd = world_connect(w);
        world_say(w, fd, "WAIT\r\nPING\r\n");
        WORLD_UNTIL(w, w->engine.sessions.waiting == 1);
        turns(w, how * 10);
        remote_end(remote_of(world_session(w)));
        assert_int_equal(w->engine.sessions.waiting, 0);
        assert_null(w->net.queues[NET_WAITING].first);
        if (how) WORLD_UNTIL(w, w->net.open == 0);
        close(fd);
        world_free(w);
    }
}

static void test_broken_request_is_told_and_closed(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    world_say(w, fd, "PING\r\n*1\r\n!\r\nPING\r\n");
    world_say_times(w, fd, "more and more", 100000);
    world_expect(w, fd, "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
    world_expect_end(w, fd);
    WORLD_UNTIL(w, w->engine.sessions.count == 0);
    assert_int_equal(w->net.open, 1); /* it lingers until the client closes */
    uint64_t told = w->engine.stats.net_output_bytes;
    assert_int_equal(told, strlen("+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n"));
    close(fd);
    WORLD_UNTIL(w, w->net.open == 0);
    fd = world_connect(w);
    world_say(w, fd, "*1\r\n!\r\n"); /* with no request before it */
    world_expect(w, fd, "-ERR Protocol error: expected '$', got '!'\r\n");
    world_expect_end(w, fd);
    close(fd);
    world_free(w);
}

static void test_quit_before_a_broken_request(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    world_say(w, fd, "PING\r\nQUIT\r\nPING\r\n*1\r\n!\r\n");
    world_expect(w, fd, "+PONG\r\n+OK\r\n");
    world_expect_end(w, fd);
    WORLD_UNTIL(w, w->net.open == 0); /* its lingering ends by itself */
    close(fd);
    world_free(w);
}

static void test_half_closed_peer_is_answered(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w);
    world_say_times(w, fd, "PING\r\n", 5000);
    world_say(w, fd, "WAIT\r\nPING\r\nECHO unfinished");
    shutdown(fd, SHUT_WR);
    world_expect_times(w, fd, "+PONG\r\n", 5000);
    w->go = true;
    world_expect(w, fd, ":1\r\n+PONG\r\n");
    world_expect_end(w, fd);
    WORLD_UNTIL(w, w->net.open == 0);
    close(fd);
    world_free(w);
}

static void test_client_vanishes_while_written_to(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    for (int how = 0; how < 4; how++) {
        int fd = world_connect_narrow(w);
        bool held = how >= 2;
        world_say(w, fd,
                  held ? "HOLD 3000000\r\nHOLD 3000000\r\n" : "BULK 3000000\r\nBULK 3000000\r\n");
        WORLD_UNTIL(w, world_wire(w)->out.under_way);
        assert_true(held == (w->engine.held.count > 0));
        how % 2 ? world_vanish(fd) : (void)close(fd);
        WORLD_UNTIL(w, w->net.open == 0 && w->engine.held.count == 0);
    }
    world_free(w);
}

/* At every moment of a parcel's way, with pipelines and waits: letters cross in all orders. */
static void test_client_vanishes_at_any_turn(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    static const char *const texts[] = {"PING\r\n", "WAIT\r\n", "HOLD 3000000\r\nPING\r\n",
                                        "QUIT\r\n", "*1\r\n!\r\n"};
    for (int how = 0; how < 3; how++) {
        for (int turn = 0; turn < 6; turn++) {
            for (int text = 0; text < 5; text++) {
                int fd = world_connect(w);
                world_say(w, fd, texts[text]);
                turns(w, turn);
                struct session *s = w->engine.sessions.first;
                if (how == 2 && s) remote_end(remote_of(s));
                how ? world_vanish(fd) : (void)close(fd);
                turns(w, 2);
                if (text == 1) w->go = true;
                WORLD_UNTIL(w, w->net.open == 0 && w->engine.held.count == 0);
                w->go = false;
            }
        }
    }
    world_free(w);
}

static void test_closed_with_a_write_under_way(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect_narrow(w);
    world_say(w, fd, "BULK 3000000\r\nHOLD 3000000\r\n");
    WORLD_UNTIL(w, world_wire(w)->out.under_way);
    world_free(w);
    close(fd);
}

static void test_killed_by_another(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int victim = world_connect(w), killer = -1;
    struct session *s = world_session(w);
    char text[64], byte;
    snprintf(text, sizeof text, "KILL %llu\r\n", (unsigned long long)s->id);
    world_say(w, victim, "WAIT\r\n");
    killer = world_connect(w);
    world_say(w, killer, text);
    world_expect(w, killer, "+OK\r\n");
    assert_int_equal(recv(victim, &byte, 1, MSG_DONTWAIT), 0); /* it has ended by then */
    WORLD_UNTIL(w, w->net.open == 1);
    snprintf(text, sizeof text, "PING\r\nKILL %llu\r\nPING\r\n",
             (unsigned long long)world_session(w)->id);
    world_say(w, killer, text); /* itself */
    world_expect(w, killer, "+PONG\r\n+OK\r\n");
    world_expect_end(w, killer);
    WORLD_UNTIL(w, w->net.open == 0);
    close(victim);
    close(killer);
    world_free(w);
}

static void test_reply_without_memory_ends_the_client(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int fd = world_connect(w), other = world_connect(w);
    world_say(w, fd, "PING\r\nNOMEM\r\nPING\r\n");
    world_expect(w, fd, "+PONG\r\n");
    world_expect_end(w, fd);
    world_say(w, other, "PING\r\n");
    world_expect(w, other, "+PONG\r\n");
    close(fd);
    close(other);
    world_free(w);
}

static void test_one_client_too_many(void **state)
{
    (void)state;
    struct world *w = new_world("--maxclients", "2");
    int a = world_connect(w), b = world_connect(w), c = world_connect(w);
    world_expect(w, c, "-ERR max number of clients reached\r\n");
    world_expect_end(w, c);
    assert_int_equal(w->engine.stats.rejected_connections, 1);
    close(a);
    WORLD_UNTIL(w, w->engine.sessions.count == 1);
    close(c);
    c = world_connect(w);
    world_say(w, c, "PING\r\n");
    world_expect(w, c, "+PONG\r\n");
    close(b);
    close(c);
    world_free(w);
}

static void test_idle_client_is_closed(void **state)
{
    (void)state;
    struct world *w = new_world("--timeout", "1");
    int idle = world_connect(w), busy = world_connect(w);
    for (int i = 0; i < 40; i++) {
        world_say(w, busy, "PING\r\n");
        world_expect(w, busy, "+PONG\r\n");
        usleep(100000);
    }
    assert_int_equal(w->engine.sessions.count, 1);
    world_expect_end(w, idle);
    close(idle);
    close(busy);
    world_free(w);
}

static void test_drain_answers_what_arrived(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int idle = world_connect(w), busy = world_connect(w), slow = world_connect_narrow(w);
    world_say(w, slow, "BULK 2000000\r\n");
    WORLD_UNTIL(w, world_wire(w)->out.under_way);
    world_say_times(w, busy, "PING\r\n", 3000);
    net_drain(&w->net);
    world_expect_end(w, idle);
    world_expect_times(w, busy, "+PONG\r\n", 3000);
    world_expect_end(w, busy);
    assert_false(net_is_drained(&w->net));
    char *reply = malloc(2000012);
    assert_non_null(reply);
    world_read(w, slow, reply, 2000012);
    free(reply);
    world_expect_end(w, slow);
    WORLD_UNTIL(w, net_is_drained(&w->net));
    close(idle);
    close(busy);
    close(slow);
    world_free(w);
}

static struct mem *memory_of(struct world *w, int which)
{
    return which ? &w->net.io->threads[which - 1].mem : &w->engine.mem;
}

/* Of the heap's thread or of an I/O thread. Only debug builds can let an allocation fail; elsewhere
 * nothing fails and one round suffices. */
static void test_nth_allocation_fails(void **state)
{
    (void)state;
    struct world *w = new_world(NULL, NULL);
    int witness = world_connect(w);
    for (int which = 0; which < 3; which++) {
        bool failed = true;
        for (uint64_t n = 1; failed && n < 50; n++) {
            struct mem *m = memory_of(w, which);
            m->fail_at = n;
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            struct sockaddr_in at = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)w->engine.config.port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
            assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
            static const char head[] = "PING\r\nECHO 'a b'\r\n*2\r\n$6\r\nLENGTH\r\n$200000\r\n";
            send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
            turns(w, 5);
            for (int i = 0; i < 26; i++) {
                char part[8000] = {0};
                send(fd, part, sizeof part, MSG_NOSIGNAL | MSG_DONTWAIT);
                world_turn(w);
            }
            turns(w, 5);
            failed = m->fail_at == 0 && n < 50;
#ifndef HEAPD_DEBUG
            failed = false;
#endif
            m->fail_at = 0;
            close(fd);
            world_say(w, witness, "PING\r\n");
            world_expect(w, witness, "+PONG\r\n");
            /* A connection that waits for memory in libuv is taken at the next tick. */
            WORLD_UNTIL(w, w->net.open == 1 && w->engine.sessions.count == 1);
        }
        assert_false(failed);
    }
    close(witness);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_shared_out),
        cmocka_unit_test(test_request_cut_anywhere),
        cmocka_unit_test(test_bulk_of_any_size),
        cmocka_unit_test(test_many_arguments_leave_no_memory),
        cmocka_unit_test(test_parcels_have_a_share),
        cmocka_unit_test(test_slow_reader_stops_and_goes_on),
        cmocka_unit_test(test_output_limit_closes),
        cmocka_unit_test(test_changed_limit_holds),
        cmocka_unit_test(test_wait_holds_back_the_pipeline),
        cmocka_unit_test(test_replies_before_a_wait_are_written),
        cmocka_unit_test(test_waiting_client_is_closed),
        cmocka_unit_test(test_broken_request_is_told_and_closed),
        cmocka_unit_test(test_quit_before_a_broken_request),
        cmocka_unit_test(test_half_closed_peer_is_answered),
        cmocka_unit_test(test_client_vanishes_while_written_to),
        cmocka_unit_test(test_client_vanishes_at_any_turn),
        cmocka_unit_test(test_closed_with_a_write_under_way),
        cmocka_unit_test(test_killed_by_another),
        cmocka_unit_test(test_reply_without_memory_ends_the_client),
        cmocka_unit_test(test_one_client_too_many),
        cmocka_unit_test(test_idle_client_is_closed),
        cmocka_unit_test(test_drain_answers_what_arrived),
        cmocka_unit_test(test_nth_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
