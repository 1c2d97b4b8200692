/*
 * Connections: requests however they are cut, quotas, clients that read late, waits, and every way
 * to end.
 *
 * Method: real sockets against a loop in the same thread (world.h), which checks the invariants of
 * every connection after each turn; a world must end with no byte of memory left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/requests.h"
#include "world.h"

static void test_request_cut_anywhere(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    static const char text[] = "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\nPING\r\n*1\r\n$4\r\nPING\r\n";
    for (size_t at = 1; at < sizeof text - 1; at++) {
        world_send(w, fd, text, at);
        world_turn(w);
        world_turn(w);
        world_send(w, fd, text + at, sizeof text - 1 - at);
        world_expect(w, fd, "$3\r\nabc\r\n+PONG\r\n+PONG\r\n");
    }
    assert_int_equal(inbox_bytes(&world_conn(w)->in), 0);
    close(fd);
    WORLD_UNTIL(w, w->net.loop.open == 0);
    world_free(w);
}

static void test_bulk_of_any_size(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    static const size_t sizes[] = {0,     1,     16384,  65500,   65536,
                                   65537, 70000, 100000, 1 << 20, 5000000};
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
        assert_in_range(world_conn(w)->in.cap, 0, INBOX_KEPT_BYTES);
    }
    free(bulk);
    close(fd);
    world_free(w);
}

static void test_many_arguments_leave_no_memory(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    world_say(w, fd, "*100001\r\n$4\r\nPING\r\n");
    world_say_times(w, fd, "$1\r\na\r\n", 100000);
    world_expect(w, fd, "+PONG\r\n");
    assert_in_range(world_conn(w)->in.cap, 0, INBOX_KEPT_BYTES);
    assert_in_range(world_conn(w)->reader.room, 0, REQUEST_ARGS_KEPT);
    close(fd);
    world_free(w);
}

static void test_announced_bulk_takes_little_memory(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    size_t before = w->engine.mem.bytes;
    world_say(w, fd, "*2\r\n$4\r\nECHO\r\n$536870912\r\nabc");
    for (int i = 0; i < 10; i++) world_turn(w);
    assert_in_range(w->engine.mem.bytes - before, 0, BULK_FIRST_BYTES + INBOX_BLOCK_BYTES);
    close(fd);
    world_free(w);
}

static void test_quota_ends_and_goes_on(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int greedy = world_connect(w);
    struct conn *c = world_conn(w);
    int other = world_connect(w);
    world_say_times(w, greedy, "PING\r\n", 10000);
    world_say(w, other, "PING\r\n");
    WORLD_UNTIL(w, c->session.commands > 0);
    assert_in_range(c->session.commands, 1, QUOTA_COMMANDS);
    assert_int_equal(c->node.queue, LOOP_READY);
    assert_false(c->stream.reading);
    world_expect(w, other, "+PONG\r\n");
    assert_in_range(c->session.commands, 1, 4 * QUOTA_COMMANDS);
    world_expect_times(w, greedy, "+PONG\r\n", 10000);
    world_turn(w);
    assert_int_equal(c->node.queue, LOOP_NOWHERE);
    assert_true(c->stream.reading);
    assert_false(w->net.loop.going);
    close(greedy);
    close(other);
    world_free(w);
}

/* Who has used its quota waits while others send, though not for ever, and goes on at once when
 * nobody does. */
static void test_heavy_gives_way(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int heavy = world_connect(w);
    struct conn *c = world_conn(w);
    int light = world_connect(w);
    world_say_times(w, heavy, "PING\r\n", 10000);
    WORLD_UNTIL(w, c->node.queue == LOOP_READY);
    uint64_t run = c->session.commands;
    WORLD_UNTIL(w, c->session.commands > run); /* nobody else is there */

    w->net.loop.others = true;
    w->net.yield_until_ns = INT64_MAX;
    run = c->session.commands;
    for (int i = 0; i < 20; i++) {
        world_say(w, light, "PING\r\n");
        world_turn(w);
        assert_true(w->net.loop.others);
    }
    assert_int_equal(c->session.commands, run);
    assert_int_equal(c->node.queue, LOOP_READY);
    world_turn(w);
    world_turn(w);
    assert_true(c->session.commands > run);

    run = c->session.commands;
    for (int i = 0; i < 100000 && c->session.commands == run; i++) {
        world_say(w, light, "PING\r\n");
        world_turn(w);
    }
    assert_true(c->session.commands > run);
    world_expect_times(w, heavy, "+PONG\r\n", 10000);
    close(heavy);
    close(light);
    world_free(w);
}

/* A read that took all that there was room for is a quota: what follows gives way to others. */
static void test_full_read_gives_way(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int heavy = world_connect(w), light = world_connect(w);
    struct conn *c = conn_of(world_session(w)->next);
    static char text[1024];
    int n = sprintf(text, "*2\r\n$4\r\nECHO\r\n$1000\r\n%01000d\r\n", 7);
    assert_int_equal(n, strlen(text));
    world_say_times(w, heavy, text, 300);
    WORLD_UNTIL(w, c->session.commands > 0);
    assert_in_range(c->session.commands, 1, 70);
    assert_int_equal(c->node.queue, LOOP_READY);
    assert_false(c->stream.reading);
    world_say(w, light, "PING\r\n");
    world_expect(w, light, "+PONG\r\n");
    assert_in_range(c->session.commands, 1, 290);
    static char reply[1024];
    sprintf(reply, "$1000\r\n%01000d\r\n", 7);
    world_expect_times(w, heavy, reply, 300);
    close(heavy);
    close(light);
    world_free(w);
}

/* A client that writes everything before it reads anything is answered everything. */
static void run_for_who_reads_last(const char *what)
{
    struct world *w = world_new(NULL);
    int fd = world_connect_narrow(w);
    struct conn *c = world_conn(w);
    world_say_times(w, fd, what, 200);
    WORLD_UNTIL(w, c->session.commands == 200);
    assert_true(c->stream.reading);
    assert_in_range(c->session.output_bytes, 100 * 100011, 200 * 100011);
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
    world_turn(w);
    assert_int_equal(c->session.output_bytes, 0);
    assert_null(c->out.first);
    close(fd);
    world_free(w);
}

static void test_who_reads_last_is_run(void **state)
{
    (void)state;
    run_for_who_reads_last("BULK 100000\r\n");
    run_for_who_reads_last("HOLD 100000\r\n");
}

/* However many ask in one turn: beyond the limit nothing more is run until the clients that take
 * most were closed, and then the others are answered. */
static void test_clients_together_over_the_limit(void **state)
{
    (void)state;
    enum { CLIENTS = 6, LIMIT = 4 << 20, LENGTH = 3000000 };
    struct world *w = world_new(NULL);
    w->engine.clients_bytes_max = LIMIT;
    int small = world_connect(w), fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) fds[i] = world_connect_narrow(w);
    for (int k = 0; k < 3; k++) world_turn(w);
    for (int i = 0; i < CLIENTS; i++) world_say(w, fds[i], "BULK 3000000\r\n");
    world_say(w, small, "PING\r\n");
    world_expect(w, small, "+PONG\r\n");
    WORLD_UNTIL(w, w->engine.sessions.count == 2);
    assert_in_range(w->engine.sessions.memory.total, LENGTH / 2, LIMIT);
    assert_int_equal(w->engine.stats.evicted_clients, CLIENTS - 1);
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
    close(small);
    world_free(w);
}

/* What a command writes to another session leaves with the turn's replies, in order. */
static void test_push_to_another_session(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int to = world_connect(w), from = world_connect(w);
    unsigned long long id = conn_of(world_session(w)->next)->session.id;
    char text[64];
    snprintf(text, sizeof text, "TELL %llu abc\r\n", id);
    for (int i = 0; i < 5; i++) {
        world_say(w, from, text);
        world_say(w, to, "PING\r\n");
        world_expect(w, from, ":1\r\n");
    }
    size_t told = 0, answered = 0;
    for (int i = 0; i < 10; i++) {
        char kind;
        world_read(w, to, &kind, 1);
        world_expect(w, to, kind == '$' ? "3\r\nabc\r\n" : "PONG\r\n");
        kind == '$' ? told++ : answered++;
    }
    assert_int_equal(told, 5);
    assert_int_equal(answered, 5);
    /* To itself, before its own reply; to one that ends, not at all. */
    snprintf(text, sizeof text, "TELL %llu me\r\n", (unsigned long long)world_session(w)->id);
    world_say(w, from, text);
    world_expect(w, from, "$2\r\nme\r\n:1\r\n");
    snprintf(text, sizeof text, "TELL %llu abc\r\n", id);
    world_say(w, to, "QUIT\r\n");
    world_expect(w, to, "+OK\r\n");
    world_expect_end(w, to);
    world_say(w, from, text);
    world_expect(w, from, ":0\r\n");
    close(from);
    close(to);
    world_free(w);
}

/* A push over the limit ends its client, but not while the command runs. */
static void test_push_over_the_limit(void **state)
{
    (void)state;
    struct world *w =
        world_new((const char *const[]){"--client-output-buffer-limit", "normal 200kb 0 0", NULL});
    int to = world_connect_narrow(w);
    unsigned long long id = world_session(w)->id;
    int from = world_connect(w);
    char text[64];
    snprintf(text, sizeof text, "*3\r\n$4\r\nTELL\r\n$20\r\n%020llu\r\n", id);
    for (int i = 0; w->engine.sessions.count == 2 && i < 100; i++) {
        world_say(w, from, text);
        world_say_bulk(w, from, 't', 100000);
        world_expect(w, from, w->engine.sessions.count == 2 ? ":1\r\n" : ":0\r\n");
        world_turn(w);
    }
    assert_int_equal(w->engine.sessions.count, 1);
    close(from);
    close(to);
    world_free(w);
}

static int flushes;

static void before_send(void *self)
{
    struct world *w = self;
    flushes++;
    assert_non_null(w->net.loop.outputs);
    char byte;
    assert_int_equal(recv(w->tested_fd, &byte, 1, MSG_DONTWAIT), -1);
}

/* No reply is seen before what must be done before it is done. */
static void test_before_send(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    w->net.before_send = before_send;
    w->net.before_send_self = w;
    w->tested_fd = fd;
    flushes = 0;
    static const char *const asks[] = {"PING\r\n", "BULK 300000\r\n", "HOLD 300000\r\n"};
    static char reply[300012];
    for (int i = 0; i < 30; i++) {
        int before = flushes;
        world_say(w, fd, asks[i % 3]);
        WORLD_UNTIL(w, flushes > before);
        w->net.before_send = NULL;
        world_read(w, fd, reply, i % 3 ? 300011 : 7);
        for (int k = 0; k < 3; k++) world_turn(w);
        w->net.before_send = before_send;
    }
    close(fd);
    world_free(w);
}

static void test_output_limit_closes(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct world *w = world_new(
            (const char *const[]){"--client-output-buffer-limit", "normal 2mb 0 0", NULL});
        int fd = world_connect_narrow(w);
        world_say(w, fd, held ? "HOLD 1000000\r\n" : "BULK 1000000\r\n");
        for (int i = 0; i < 10; i++) world_turn(w);
        assert_int_equal(w->engine.sessions.count, 1);
        world_say(w, fd, held ? "HOLD 9000000\r\n" : "BULK 9000000\r\n");
        WORLD_UNTIL(w, w->net.loop.open == 0);
        assert_int_equal(w->engine.reply_refs.count, 0);
        close(fd);
        world_free(w);
    }
}

static void test_wait_holds_back_the_pipeline(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    struct conn *c = world_conn(w);
    world_say(w, fd, "PING\r\nWAIT\r\nPING\r\nWAIT\r\nPING\r\n");
    world_expect(w, fd, "+PONG\r\n");
    for (int i = 0; i < 10; i++) world_turn(w);
    assert_int_equal(c->session.commands, 2);
    assert_int_equal(c->node.queue, LOOP_NOWHERE);
    assert_true(session_waits(&c->session));
    w->go = true;
    world_expect(w, fd, ":1\r\n+PONG\r\n:1\r\n+PONG\r\n");
    close(fd);
    WORLD_UNTIL(w, w->net.loop.open == 0);
    world_free(w);
}

static void test_waiting_client_is_closed(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    world_say(w, fd, "WAIT\r\n");
    WORLD_UNTIL(w, w->engine.sessions.waiting == 1);
    conn_close(world_conn(w));
    assert_int_equal(w->engine.sessions.waiting, 0);
    close(fd);
    world_free(w);
}

static void test_broken_request_is_told_and_closed(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    world_say(w, fd, "PING\r\n*1\r\n!\r\nPING\r\n");
    world_say_times(w, fd, "more and more", 100000);
    world_expect(w, fd, "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
    world_expect_end(w, fd);
    assert_int_equal(w->engine.sessions.count, 0);
    assert_int_equal(w->net.loop.open, 1); /* it lingers until the client closes */
    close(fd);
    WORLD_UNTIL(w, w->net.loop.open == 0);
    world_free(w);
}

static void test_lingering_ends(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    world_say(w, fd, "QUIT\r\nPING\r\n");
    world_expect(w, fd, "+OK\r\n");
    world_expect_end(w, fd);
    WORLD_UNTIL(w, w->net.loop.open == 0);
    close(fd);
    world_free(w);
}

static void test_half_closed_peer_is_answered(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    world_say_times(w, fd, "PING\r\n", 5000);
    world_say(w, fd, "WAIT\r\nPING\r\nECHO unfinished");
    shutdown(fd, SHUT_WR);
    world_expect_times(w, fd, "+PONG\r\n", 5000);
    w->go = true;
    world_expect(w, fd, ":1\r\n+PONG\r\n");
    world_expect_end(w, fd);
    WORLD_UNTIL(w, w->net.loop.open == 0);
    close(fd);
    world_free(w);
}

static void test_client_vanishes_while_written_to(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    for (int how = 0; how < 4; how++) {
        int fd = world_connect_narrow(w);
        bool held = how >= 2;
        world_say(w, fd,
                  held ? "HOLD 3000000\r\nHOLD 3000000\r\n" : "BULK 3000000\r\nBULK 3000000\r\n");
        WORLD_UNTIL(w, world_conn(w)->out.awaits_socket);
        assert_true(held == (w->engine.reply_refs.count > 0));
        how % 2 ? world_vanish(fd) : (void)close(fd);
        WORLD_UNTIL(w, w->net.loop.open == 0);
        assert_int_equal(w->engine.reply_refs.count, 0);
    }
    world_free(w);
}

static void test_closed_with_a_write_under_way(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect_narrow(w);
    world_say(w, fd, "BULK 3000000\r\nHOLD 3000000\r\n");
    WORLD_UNTIL(w, world_conn(w)->out.awaits_socket);
    world_free(w);
    close(fd);
}

static void test_killed_by_another(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int victim = world_connect(w);
    struct conn *c = world_conn(w);
    int killer = world_connect(w);
    char text[64];
    snprintf(text, sizeof text, "KILL %llu\r\n", (unsigned long long)c->session.id);
    world_say(w, killer, text);
    world_expect(w, killer, "+OK\r\n");
    world_expect_end(w, victim);
    WORLD_UNTIL(w, w->net.loop.open == 1);
    close(victim);
    close(killer);
    world_free(w);
}

static void test_reply_without_memory_ends_the_client(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w), other = world_connect(w);
    world_say(w, fd, "NOMEM\r\nPING\r\n");
    world_expect_end(w, fd);
    world_say(w, other, "PING\r\n");
    world_expect(w, other, "+PONG\r\n");
    close(fd);
    fd = world_connect(w);
    world_say(w, fd, "PING\r\nNOMEM\r\nPING\r\n");
    world_expect(w, fd, "+PONG\r\n");
    world_expect_end(w, fd);
    close(fd);
    close(other);
    world_free(w);
}

static void test_one_client_too_many(void **state)
{
    (void)state;
    struct world *w = world_new((const char *const[]){"--maxclients", "2", NULL});
    int a = world_connect(w), b = world_connect(w), c = world_connect(w);
    world_expect(w, c, "-ERR max number of clients reached\r\n");
    world_expect_end(w, c);
    assert_int_equal(w->engine.stats.rejected_connections, 1);
    world_say(w, a, "PING\r\n");
    world_expect(w, a, "+PONG\r\n");
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

static void test_drain_answers_what_arrived(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int idle = world_connect(w), busy = world_connect(w), slow = world_connect_narrow(w);
    world_say(w, slow, "BULK 2000000\r\n");
    WORLD_UNTIL(w, world_conn(w)->out.awaits_socket);
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

static void turn_some(struct world *w)
{
    for (int i = 0; i < 50; i++) {
        world_turn(w);
        usleep(1000);
    }
}

/* `timeout` measures what has passed, not what the wall clock says. */
static void test_timeout_of_idle_clients(void **state)
{
    (void)state;
    struct world *w = world_new((const char *const[]){"--timeout", "60", NULL});
    clock_simulate(&w->engine.clock,
                   &(struct clock_simulation){.mono_ns = INT64_C(1000000000000),
                                              .wall_ns = INT64_C(1700000000000000000)});
    uv_timer_set_repeat(&w->net.tick, 1);
    uv_timer_again(&w->net.tick);
    int idle = world_connect(w), busy = world_connect(w);
    for (int i = -1; i <= 1; i++) {
        clock_wall_shift(&w->engine.clock, i * INT64_C(7200000000000));
        turn_some(w);
        assert_int_equal(w->engine.sessions.count, 2);
    }
    clock_advance(&w->engine.clock, INT64_C(40000000000));
    world_say(w, busy, "PING\r\n");
    world_expect(w, busy, "+PONG\r\n");
    turn_some(w);
    assert_int_equal(w->engine.sessions.count, 2);
    clock_advance(&w->engine.clock, INT64_C(21000000000));
    world_expect_end(w, idle);
    turn_some(w);
    assert_int_equal(w->engine.sessions.count, 1);
    close(idle);
    close(busy);
    world_free(w);
}

/* Only debug builds can let an allocation fail; elsewhere nothing fails and one round suffices. */
static void test_nth_allocation_fails(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int witness = world_connect(w);
    bool failed = true;
    for (uint64_t n = 1; failed && n < 50; n++) {
        w->engine.mem.fail_at = n;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)w->engine.config.port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
        static const char head[] = "PING\r\n*2\r\n$6\r\nLENGTH\r\n$200000\r\n";
        send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
        for (int i = 0; i < 5; i++) world_turn(w);
        for (int i = 0; i < 25; i++) {
            char part[8000] = {0};
            send(fd, part, sizeof part, MSG_NOSIGNAL | MSG_DONTWAIT);
            world_turn(w);
        }
        failed = w->engine.mem.fail_at == 0 && n < 50;
#ifndef HEAPD_DEBUG
        failed = false;
#endif
        w->engine.mem.fail_at = 0;
        close(fd);
        world_say(w, witness, "PING\r\n");
        world_expect(w, witness, "+PONG\r\n");
        /* A connection that waits for memory is accepted at the next tick. */
        WORLD_UNTIL(w, w->net.loop.open == 1 && w->engine.sessions.count == 1);
    }
    close(witness);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_cut_anywhere),
        cmocka_unit_test(test_bulk_of_any_size),
        cmocka_unit_test(test_many_arguments_leave_no_memory),
        cmocka_unit_test(test_announced_bulk_takes_little_memory),
        cmocka_unit_test(test_quota_ends_and_goes_on),
        cmocka_unit_test(test_heavy_gives_way),
        cmocka_unit_test(test_full_read_gives_way),
        cmocka_unit_test(test_who_reads_last_is_run),
        cmocka_unit_test(test_clients_together_over_the_limit),
        cmocka_unit_test(test_push_to_another_session),
        cmocka_unit_test(test_push_over_the_limit),
        cmocka_unit_test(test_before_send),
        cmocka_unit_test(test_output_limit_closes),
        cmocka_unit_test(test_wait_holds_back_the_pipeline),
        cmocka_unit_test(test_waiting_client_is_closed),
        cmocka_unit_test(test_broken_request_is_told_and_closed),
        cmocka_unit_test(test_lingering_ends),
        cmocka_unit_test(test_half_closed_peer_is_answered),
        cmocka_unit_test(test_client_vanishes_while_written_to),
        cmocka_unit_test(test_closed_with_a_write_under_way),
        cmocka_unit_test(test_killed_by_another),
        cmocka_unit_test(test_reply_without_memory_ends_the_client),
        cmocka_unit_test(test_one_client_too_many),
        cmocka_unit_test(test_drain_answers_what_arrived),
        cmocka_unit_test(test_timeout_of_idle_clients),
        cmocka_unit_test(test_nth_allocation_fails),
    };
    int failed = cmocka_run_group_tests_name("by io_uring", tests, NULL, NULL);
    world_without_ring = true;
    return failed + cmocka_run_group_tests_name("by libuv", tests, NULL, NULL);
}
