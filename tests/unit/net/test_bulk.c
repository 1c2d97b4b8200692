/*
 * Large arguments: their bytes are whole however they arrive, they become strings without being
 * copied, and nothing of them is left behind, whenever the client goes or memory is out.
 *
 * Method: bulks alone, fed in pieces of any length; then clients on real sockets (world.h), by
 * io_uring and by libuv. A bulk is of one letter each, so that a byte in the wrong place
 * shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "heap/check.h"
#include "world.h"

/* --- bulks alone --- */

static uint64_t seed = 88172645463325252u;

static size_t below(size_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % n;
}

static char pattern(size_t i)
{
    return (char)('a' + i % 23);
}

/* A reader in the middle of an argument of that length, of which so many bytes lie at p. */
static void begin_reading(struct request_reader *r, char *p, size_t length, size_t arrived,
                          size_t *n)
{
    struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    request_reader_init(r, &limits);
    size_t head = (size_t)sprintf(p, "*1\r\n$%zu\r\n", length);
    for (size_t i = 0; i < arrived; i++) p[head + i] = i < length ? pattern(i) : '\r';
    *n = head + arrived;
    assert_int_equal(request_reader_next(r, p, *n), REQUEST_MORE);
}

/* Fills the bulk from `filled` on. */
static void fill(struct bulks *b, struct mem *m, size_t length, size_t filled, size_t piece_max)
{
    struct stream_space space;
    struct view behind;
    for (bool whole = false; !whole;) {
        assert_int_equal(bulks_space(b, m, &space), STATUS_OK);
        assert_in_range(space.n, 1, BULK_READ_BYTES_MAX);
        size_t n = 1 + below(space.n < piece_max ? space.n : piece_max);
        for (size_t i = 0; i < n; i++)
            space.p[i] = filled + i < length ? pattern(filled + i) : "\r\n"[filled + i - length];
        filled += n;
        whole = bulks_filled(b, n, &behind);
        assert_int_equal(whole, filled >= length);
        assert_int_equal(bulks_check(b), 0);
        if (!whole) continue;
        assert_int_equal(behind.n, filled - length);
        assert_memory_equal(behind.p, "\r\n", behind.n);
    }
}

static void test_bulks_are_whole_however_they_arrive(void **state)
{
    (void)state;
    static char p[64 << 10];
    static const size_t lengths[] = {
        BULK_BYTES_MIN, BULK_BYTES_MIN + 1, 65536 - 16,     65536,         (1 << 20) - 16,
        1 << 20,        (2 << 20) - 16,     (2 << 20) - 15, (2 << 20) + 1, 5000000};
    struct world *w = world_new(NULL);
    struct heap *h = &w->engine.heap;
    size_t before = h->mem->bytes;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct mem *m = h->mem;
        size_t length = lengths[i], n, arrived = below(BULK_BYTES_MIN);
        struct request_reader r;
        struct bulks b;
        bulks_init(&b);
        begin_reading(&r, p, length, arrived, &n);
        size_t head = n - arrived;
        assert_int_equal(bulks_begin(&b, m, &r, p, &n), STATUS_OK);
        assert_int_equal(n, head);
        assert_true(b.filling);
        fill(&b, m, length, arrived, i % 3 ? SIZE_MAX : 100000);
        assert_int_equal(b.bytes, length);
        assert_int_equal(request_reader_put_apart(&r, bulks_last(&b)), REQUEST_READY);
        memcpy(p + n, "\r\n", 2);
        assert_int_equal(request_reader_next(&r, p, n + 2), REQUEST_READY);

        adopted_offer(h, bulks_give(&b, h));
        struct view text = {r.argv[0].p, r.argv[0].n};
        val v;
        assert_int_equal(val_of_text(h, text, &v), STATUS_OK);
        adopted_offer(h, NULL);
        bulks_given(&b, h);
        bulks_fini(&b, m);
        assert_int_equal(val_obj(v)->count, 1);
        const struct str *s = (const struct str *)val_obj(v);
        assert_ptr_equal(s->bytes, text.p);
        assert_int_equal(s->length, length);
        for (size_t k = 0; k < length; k++)
            if (s->bytes[k] != pattern(k)) fail_msg("byte %zu of %zu", k, length);
        val_release(h, v);
        assert_int_equal(h->mem->bytes, before);
        request_reader_fini(&r);
    }
    world_free(w);
}

/* What is short, or no bulk, stays where it is; of a byte too many only that. */
static void test_bulks_begin_where_it_pays(void **state)
{
    (void)state;
    static char p[64 << 10];
    struct mem m;
    mem_init(&m);
    static const struct {
        size_t length, arrived;
        bool apart;
    } cases[] = {{BULK_BYTES_MIN - 1, 100, false},
                 {BULK_BYTES_MIN, 0, true},
                 {BULK_BYTES_MIN, BULK_BYTES_MIN, true},
                 {BULK_BYTES_MIN, BULK_BYTES_MIN + 1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request_reader r;
        struct bulks b;
        bulks_init(&b);
        b.probes = true;
        size_t n, before;
        begin_reading(&r, p, cases[i].length, cases[i].arrived, &n);
        before = n;
        assert_int_equal(bulks_begin(&b, &m, &r, p, &n), STATUS_OK);
        assert_int_equal(b.probes, cases[i].apart);
        assert_int_equal(b.first != NULL, cases[i].apart);
        size_t moved = cases[i].arrived < cases[i].length ? cases[i].arrived : cases[i].length;
        assert_int_equal(before - n, cases[i].apart ? moved : 0);
        assert_true(moved == cases[i].arrived || p[n - 1] == '\r');
        bulks_fini(&b, &m);
        request_reader_fini(&r);
    }
    struct bulks b;
    bulks_init(&b);
    assert_int_equal(bulks_probe(&b), 0);
    b.probes = true;
    assert_int_equal(bulks_probe(&b), BULK_PROBE_BYTES);
    assert_int_equal(m.bytes, 0);
    mem_fini(&m);
}

/* Taken in any order near by; one that is far from the last is copied, and is none the worse. */
static void test_given_are_found_near_the_last(void **state)
{
    enum { ADOPTED = 3 * ADOPTED_LOOKS };
    (void)state;
    struct world *w = world_new(NULL);
    struct heap *h = &w->engine.heap;
    struct given given[ADOPTED];
    for (int i = 0; i < ADOPTED; i++) {
        given[i].s = str_new(h, ADOPTED_BYTES_MIN);
        given[i].next = i + 1 < ADOPTED ? &given[i + 1] : NULL;
        assert_non_null(given[i].s);
        memset(given[i].s->bytes, 'a' + i % 26, ADOPTED_BYTES_MIN);
    }
    adopted_offer(h, given);
    static const struct {
        int i;
        bool found;
    } takes[] = {{0, true},
                 {1, true},
                 {3, true},
                 {2, false},
                 {3 + ADOPTED_LOOKS, true},
                 {3 + 2 * ADOPTED_LOOKS, true},
                 {0, true},
                 {0, false},
                 {ADOPTED - 1, false}};
    for (size_t k = 0; k < sizeof takes / sizeof *takes; k++) {
        const struct str *s = given[takes[k].i].s;
        val v;
        assert_int_equal(val_of_text(h, (struct view){s->bytes, s->length}, &v), STATUS_OK);
        assert_int_equal(val_obj(v) == &s->head, takes[k].found);
        assert_memory_equal(((const struct str *)val_obj(v))->bytes, s->bytes, ADOPTED_BYTES_MIN);
        val_release(h, v);
    }
    /* Other bytes are not taken for them, nor a part of them. */
    val v;
    assert_int_equal(val_of_text(h, (struct view){given[1].s->bytes, ADOPTED_BYTES_MIN - 1}, &v),
                     STATUS_OK);
    assert_true(val_obj(v) != &given[1].s->head);
    val_release(h, v);
    adopted_offer(h, NULL);
    for (int i = 0; i < ADOPTED; i++) rc_dec(h, &given[i].s->head);
    assert_int_equal(heap_objects(h), 0);
    world_free(w);
}

/* --- over the wire --- */

static void turns(struct world *w, int count)
{
    for (int i = 0; i < count; i++) world_turn(w);
}

static void assert_nothing_is_left(struct world *w)
{
    turns(w, 5);
    assert_int_equal(heap_objects(&w->engine.heap), 0);
    char text[256];
    assert_null(heap_check(&w->engine.heap, text));
}

static void test_large_arguments_are_not_copied(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    static const size_t sizes[] = {40000, 65000, 65536, 70000, 1 << 20, 3000000};
    for (size_t i = 0; i < 3 * sizeof sizes / sizeof *sizes; i++) {
        /* What arrives whole with other requests need not lie apart; so it comes by itself. */
        world_say(w, fd, i % 2 ? "*2\r\n$4\r\nKEEP\r\n" : "PING\r\n*2\r\n$4\r\nKEEP\r\n");
        turns(w, 3);
        char head[32];
        world_send(w, fd, head, (size_t)sprintf(head, "$%zu\r\nz", sizes[i / 3]));
        turns(w, 3);
        for (size_t left = sizes[i / 3] - 1, n; left; left -= n) {
            static char piece[100000];
            n = left < sizeof piece ? left : 1 + below(sizeof piece);
            memset(piece, 'z', n);
            world_send(w, fd, piece, n);
        }
        world_say(w, fd, i % 4 ? "\r\nPING\r\n" : "\r\n");
        world_expect(w, fd, i % 2 ? ":1\r\n" : "+PONG\r\n:1\r\n");
        if (i % 4) world_expect(w, fd, "+PONG\r\n");
    }
    assert_nothing_is_left(w);
    close(fd);
    world_free(w);
}

/* Several in one request, small ones between them, and requests around it, in one go: all but those
 * that arrived whole in one read are taken as they are. */
static void test_many_large_arguments(void **state)
{
    enum { BULKS = 40, LENGTH = 300000 };
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    for (int round = 0; round < 3; round++) {
        char head[64];
        snprintf(head, sizeof head, "PING\r\n*%d\r\n$4\r\nKEEP\r\n", 1 + 2 * BULKS);
        world_say(w, fd, head);
        for (int i = 0; i < BULKS; i++) {
            world_say_bulk(w, fd, (char)('a' + i % 26), LENGTH);
            world_say_bulk(w, fd, 's', (size_t)i);
        }
        world_say(w, fd, "PING\r\n");
        snprintf(head, sizeof head, "+PONG\r\n:%d\r\n+PONG\r\n", BULKS);
        world_expect(w, fd, head);
    }
    assert_nothing_is_left(w);
    close(fd);
    world_free(w);
}

/* A pipeline of requests whose argument lies across the ends of reads. */
static void test_pipeline_of_large_arguments(void **state)
{
    enum { REQUESTS = 60, LENGTH = 50000 };
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    char reply[32];
    for (int i = 0; i < REQUESTS; i++) {
        world_say(w, fd, "*2\r\n$6\r\nLENGTH\r\n");
        world_say_bulk(w, fd, 'p', (size_t)(LENGTH + i));
    }
    for (int i = 0; i < REQUESTS; i++) {
        snprintf(reply, sizeof reply, ":%d\r\n", LENGTH + i);
        world_expect(w, fd, reply);
    }
    world_say(w, fd, "PING\r\n");
    world_expect(w, fd, "+PONG\r\n");
    assert_nothing_is_left(w);
    close(fd);
    world_free(w);
}

/* A bulk that turns out to be followed by what is no request. */
static void test_broken_behind_a_large_argument(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    int fd = world_connect(w);
    world_say(w, fd, "*3\r\n$4\r\nKEEP\r\n");
    world_say_bulk(w, fd, 'q', 200000);
    world_say(w, fd, "oops\r\n");
    world_expect(w, fd, "-ERR Protocol error: expected '$', got 'o'\r\n");
    close(fd);
    WORLD_UNTIL(w, w->net.loop.open == 0);
    assert_nothing_is_left(w);
    world_free(w);
}

/* The client goes after so many bytes of it, or resets the connection. */
static void test_client_vanishes_in_a_large_argument(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    static const char head[] = "*3\r\n$4\r\nKEEP\r\n$70000\r\n";
    static char bytes[sizeof head - 1 + 70002 + 30];
    memset(bytes, 'v', sizeof bytes);
    memcpy(bytes, head, sizeof head - 1);
    memcpy(bytes + sizeof head - 1 + 70000, "\r\n$99999\r\n", 10);
    for (size_t cut = sizeof head - 2; cut < sizeof bytes;
         cut += cut < 66000 ? 997 : 1 + below(700))
        for (int resets = 0; resets < 2; resets++) {
            int fd = world_connect(w);
            world_send(w, fd, bytes, cut);
            turns(w, (int)below(4));
            if (resets)
                world_vanish(fd);
            else
                close(fd);
            WORLD_UNTIL(w, w->net.loop.open == 0);
        }
    assert_nothing_is_left(w);
    world_free(w);
}

/* Only debug builds can let an allocation fail; elsewhere nothing fails and one round suffices. */
static void test_nth_allocation_fails(void **state)
{
    (void)state;
    struct world *w = world_new(NULL);
    bool failed = true;
    for (uint64_t n = 1; failed && n < 60; n++) {
        int fd = world_connect(w);
        struct mem *m = &w->engine.mem;
        world_say(w, fd, "*3\r\n$4\r\nKEEP\r\n");
        turns(w, 4);
        m->fail_at = n;
        static char bytes[100000 + 3000000 + 64];
        size_t at = (size_t)sprintf(bytes, "$100000\r\n");
        memset(bytes + at, 'f', sizeof bytes - at);
        size_t second = at + 100000 + (size_t)sprintf(bytes + at + 100000, "\r\n$3000000\r\n");
        bytes[second] = 'f';
        for (size_t sent = 0, all = second + 3000000; sent < all;) {
            ssize_t some = send(fd, bytes + sent, all - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (some > 0) sent += (size_t)some;
            if (w->net.loop.open == 0) break;
            world_turn(w);
        }
        send(fd, "\r\n", 2, MSG_NOSIGNAL | MSG_DONTWAIT);
        turns(w, 20);
        failed = m->fail_at == 0;
#ifndef HEAPD_DEBUG
        failed = false;
#endif
        m->fail_at = 0;
        if (!failed) world_expect(w, fd, ":2\r\n");
        close(fd);
        WORLD_UNTIL(w, w->net.loop.open == 0);
        assert_nothing_is_left(w);
    }
    assert_false(failed);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulks_are_whole_however_they_arrive),
        cmocka_unit_test(test_bulks_begin_where_it_pays),
        cmocka_unit_test(test_given_are_found_near_the_last),
        cmocka_unit_test(test_large_arguments_are_not_copied),
        cmocka_unit_test(test_many_large_arguments),
        cmocka_unit_test(test_pipeline_of_large_arguments),
        cmocka_unit_test(test_broken_behind_a_large_argument),
        cmocka_unit_test(test_client_vanishes_in_a_large_argument),
        cmocka_unit_test(test_nth_allocation_fails),
    };
    int failed = cmocka_run_group_tests_name("by io_uring", tests, NULL, NULL);
    world_without_ring = true;
    return failed + cmocka_run_group_tests_name("by libuv", tests, NULL, NULL);
}
