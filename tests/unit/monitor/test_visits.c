/* Goal: a connection loses its place when its request or its silence takes too long, and to the
 * next one while all places are taken; never before. Method: pairs of sockets and times by hand;
 * who was shut reads the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/visits.h"

enum { MS = 1000000 };

struct pairs {
    struct visits all;
    struct visit *visit[VISITS_MAX];
    int mine[VISITS_MAX], theirs[VISITS_MAX];
    int count;
};

static int setup(void **state)
{
    static struct pairs p;
    memset(&p, 0, sizeof p);
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct pairs *p = *state;
    for (int i = 0; i < p->count; i++) {
        close(p->mine[i]);
        close(p->theirs[i]);
    }
    return 0;
}

static struct visit *begin(struct pairs *p, int64_t now_ns)
{
    int ends[2], i = p->count++;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    p->mine[i] = ends[0];
    p->theirs[i] = ends[1];
    p->visit[i] = visits_begin(&p->all, ends[0], now_ns);
    assert_non_null(p->visit[i]);
    assert_int_equal(visits_check(&p->all), 0);
    return p->visit[i];
}

static bool is_shut(const struct pairs *p, int i)
{
    char byte;
    return recv(p->theirs[i], &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_nobody_is_never_due(void **state)
{
    struct pairs *p = *state;
    assert_true(visits_due_ns(&p->all) == INT64_MAX);
    visits_end_late(&p->all, INT64_MAX - 1);
    visits_end(&p->all, NULL);
    visit_enters(NULL, VISIT_IDLE, 0);
    assert_int_equal(visits_check(&p->all), 0);
}

static void test_a_request_has_its_time(void **state)
{
    struct pairs *p = *state;
    struct visit *v = begin(p, 7 * MS);
    int64_t due_ns = (7 + VISIT_REQUEST_MS) * (int64_t)MS;
    assert_true(visits_due_ns(&p->all) == due_ns);
    visits_end_late(&p->all, due_ns - 1);
    assert_false(is_shut(p, 0));
    visits_end_late(&p->all, due_ns);
    assert_true(is_shut(p, 0));
    assert_true(visits_due_ns(&p->all) == INT64_MAX);
    visit_enters(v, VISIT_IDLE, due_ns); /* its answer was under way: it stays shut */
    assert_int_equal(v->state, VISIT_LATE);
    assert_int_equal(visits_check(&p->all), 0);
    visits_end(&p->all, v);
    assert_int_equal(p->all.count, 0);
    assert_int_equal(visits_check(&p->all), 0);
}

static void test_idle_is_longer_and_each_request_begins_anew(void **state)
{
    struct pairs *p = *state;
    struct visit *v = begin(p, 0);
    int64_t now_ns = 0;
    for (int i = 0; i < 5; i++) {
        now_ns += (VISIT_REQUEST_MS - 1) * (int64_t)MS;
        visits_end_late(&p->all, now_ns);
        visit_enters(v, VISIT_IDLE, now_ns);
        now_ns += (VISIT_IDLE_MS - 1) * (int64_t)MS;
        visits_end_late(&p->all, now_ns);
        visit_enters(v, VISIT_REQUEST, now_ns);
    }
    assert_false(is_shut(p, 0));
    visit_enters(v, VISIT_IDLE, now_ns);
    assert_true(visits_due_ns(&p->all) == now_ns + VISIT_IDLE_MS * (int64_t)MS);
    visits_end_late(&p->all, visits_due_ns(&p->all));
    assert_true(is_shut(p, 0));
}

static void test_the_first_of_a_crowd_gives_way(void **state)
{
    struct pairs *p = *state;
    for (int i = 0; i < VISITS_MAX; i++) {
        assert_true(i == 0 || visits_due_ns(&p->all) == VISIT_REQUEST_MS * (int64_t)MS);
        begin(p, i * MS);
    }
    assert_null(visits_begin(&p->all, 99, 0));
    visit_enters(p->visit[0], VISIT_IDLE, 100 * MS); /* busy or not */
    int64_t due_ns = VISIT_CROWDED_MS * (int64_t)MS;
    assert_true(visits_due_ns(&p->all) == due_ns);
    visits_end_late(&p->all, due_ns - 1);
    assert_false(is_shut(p, 0));
    visits_end_late(&p->all, due_ns + 500 * MS);
    visits_end_late(&p->all, due_ns + 501 * MS); /* a place is about to be free */
    assert_true(is_shut(p, 0));
    for (int i = 1; i < VISITS_MAX; i++) assert_false(is_shut(p, i));
    visits_end(&p->all, p->visit[0]);
    visits_end_late(&p->all, due_ns + 502 * MS); /* a place is free */
    assert_false(is_shut(p, 1));
    close(p->mine[0]);
    close(p->theirs[0]);
    p->count = 0;
    begin(p, due_ns + 503 * MS);
    p->count = VISITS_MAX;
    visits_end_late(&p->all, due_ns + 503 * MS);
    assert_true(is_shut(p, 1));
    assert_int_equal(visits_check(&p->all), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_is_never_due),
        TEST(test_a_request_has_its_time),
        TEST(test_idle_is_longer_and_each_request_begins_anew),
        TEST(test_the_first_of_a_crowd_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
