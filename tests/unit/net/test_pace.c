/*
 * Polls wait where that helps and nobody notices, and nowhere else.
 *
 * Method: simulated clients, each with a time between its answer and its next request, against a
 * loop that polls, serves what has come, and takes some time for each; time is a number. Compared
 * with the same without waiting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/pace.h"

enum { CLIENTS_MAX = 256, GAP_NS = 100000 };

struct client {
    int64_t asks_ns;  /* when its next request comes */
    int64_t think_ns; /* from an answer to that */
    struct pace_count share;
    uint64_t served;
};

struct loop {
    struct pace pace;
    struct client clients[CLIENTS_MAX];
    uint32_t count;
    int64_t serve_ns, now_ns;
    uint64_t polls, waits, served;
};

static void begin(struct loop *l, uint32_t count, int64_t think_ns, int64_t serve_ns)
{
    *l = (struct loop){.count = count, .serve_ns = serve_ns, .now_ns = 1000000000};
    for (uint32_t i = 0; i < count; i++) {
        l->clients[i].think_ns = think_ns;
        l->clients[i].asks_ns = l->now_ns + think_ns * (i + 1) / count;
    }
}

static int64_t next_request(const struct loop *l)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < l->count; i++)
        if (l->clients[i].asks_ns < next) next = l->clients[i].asks_ns;
    return next;
}

static void run(struct loop *l, int64_t ns, int64_t gap_ns_max)
{
    int64_t end_ns = l->now_ns + ns;
    while (l->now_ns < end_ns) {
        int64_t wait_ns = pace_poll(&l->pace, l->now_ns, gap_ns_max);
        assert_true(wait_ns >= 0 && wait_ns <= gap_ns_max);
        l->now_ns += wait_ns;
        l->waits += wait_ns > 0;
        l->polls++;
        if (next_request(l) > l->now_ns) l->now_ns = next_request(l);
        int64_t polled_ns = l->now_ns;
        pace_turn(&l->pace, polled_ns);
        for (uint32_t i = 0; i < l->count; i++) {
            struct client *c = &l->clients[i];
            if (c->asks_ns > polled_ns) continue;
            pace_arrived(&l->pace, &c->share);
            l->now_ns += l->serve_ns;
            c->asks_ns = l->now_ns + c->think_ns;
            c->served++;
            l->served++;
        }
    }
}

/* A second after a tenth of one, in which the gap is found. */
static uint64_t served_in_a_second(struct loop *l, int64_t gap_ns_max)
{
    run(l, 100000000, gap_ns_max);
    for (uint32_t i = 0; i < l->count; i++) l->clients[i].served = 0;
    l->served = l->polls = l->waits = 0;
    run(l, 1000000000, gap_ns_max);
    return l->served;
}

static void test_many_clients_are_found_together(void **state)
{
    static struct loop l;
    (void)state;
    begin(&l, 50, 1000000, 10000);
    uint64_t alone = served_in_a_second(&l, 0);
    assert_int_equal(l.waits, 0);
    assert_true(l.polls > alone * 8 / 10);
    begin(&l, 50, 1000000, 10000);
    uint64_t together = served_in_a_second(&l, GAP_NS);
    assert_true(l.waits > 0);
    assert_true(l.polls < together / 3);
    assert_true(l.pace.gap_ns <= GAP_NS && l.pace.gap_ns >= 50000);
}

/* However many there are, and however long they think: nobody gets less than eight ninths of what
 * it got without waiting, nor does anyone among others who are slower. */
static void test_no_client_is_slowed_down_by_more_than_its_part(void **state)
{
    static struct loop without, with;
    static const int64_t thinks_ns[] = {5000, 20000, 50000, 100000, 300000, 1000000, 10000000};
    (void)state;
    for (uint32_t count = 1; count <= CLIENTS_MAX; count = count * 3 / 2 + 1) {
        for (size_t t = 0; t < sizeof thinks_ns / sizeof *thinks_ns; t++) {
            for (int eager = 0; eager < 2; eager++) {
                begin(&without, count, thinks_ns[t], 5000);
                begin(&with, count, thinks_ns[t], 5000);
                if (eager) without.clients[0].think_ns = with.clients[0].think_ns = 10000;
                served_in_a_second(&without, 0);
                served_in_a_second(&with, GAP_NS);
                for (uint32_t i = 0; i < count; i += count - 1 ? count - 1 : 1)
                    assert_true(with.clients[i].served * (PACE_PART + 1) + PACE_PART + 1 >=
                                without.clients[i].served * PACE_PART);
            }
        }
    }
}

static void test_few_clients_never_wait(void **state)
{
    static struct loop l;
    (void)state;
    for (uint32_t count = 1; count <= PACE_PART * PACE_ARRIVALS_MIN / 2; count++) {
        begin(&l, count, 30000, 5000);
        served_in_a_second(&l, GAP_NS);
        assert_int_equal(l.waits, 0);
    }
}

static void test_a_loop_that_has_enough_to_do_never_waits(void **state)
{
    static struct loop l;
    (void)state;
    /* Each is served again after 5 us times their number, a little more than it takes to ask: there
     * is always somebody, but often one alone. */
    for (uint32_t count = 61; count <= 90; count++) {
        begin(&l, count, 300000, 5000);
        served_in_a_second(&l, GAP_NS);
        assert_true(l.pace.gap_ns > 0);
        assert_int_equal(l.waits, 0);
    }
}

static void test_a_rare_request_does_not_wait(void **state)
{
    static struct loop l;
    (void)state;
    begin(&l, 100, 1000000, 5000);
    served_in_a_second(&l, GAP_NS);
    assert_true(l.waits > 0);
    /* They all fall silent, and then one asks. */
    l.count = 1;
    l.waits = 0;
    l.clients[0].think_ns = l.clients[0].asks_ns = 0;
    l.now_ns += 500000000;
    run(&l, 100000, GAP_NS);
    assert_int_equal(l.waits, 0);
}

static void test_off_is_off(void **state)
{
    static struct loop l;
    (void)state;
    begin(&l, 100, 1000000, 5000);
    served_in_a_second(&l, 0);
    assert_int_equal(l.waits, 0);
    assert_int_equal(l.pace.gap_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_clients_are_found_together),
        cmocka_unit_test(test_no_client_is_slowed_down_by_more_than_its_part),
        cmocka_unit_test(test_few_clients_never_wait),
        cmocka_unit_test(test_a_loop_that_has_enough_to_do_never_waits),
        cmocka_unit_test(test_a_rare_request_does_not_wait),
        cmocka_unit_test(test_off_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
