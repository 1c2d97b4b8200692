/*
 * Goal: ZADD of many members gives all of them their new scores, or none, whichever allocation
 * fails, and if none succeeds from there on: what takes a change back needs no memory.
 * Method: zsets whose leaves are full, so that a change splits them; random commands of every form;
 * a twin where nothing fails.
 */
#include "world.h"

#ifdef HEAPD_DEBUG

enum { MEMBERS = 310, PAIRS = 24 };

static const char *const zadd_forms[] = {"",    "CH ",    "XX ",    "NX ",   "GT ",
                                         "LT ", "GT CH ", "XX LT ", "INCR ", "GT INCR "};

/* Put in by their scores, members fill their leaves: any change of one splits another. */
static void zadd_fill(struct world *w)
{
    for (int i = 0; i < MEMBERS; i += PAIRS) {
        world_begin(w);
        world_arg(w, "ZADD");
        world_arg(w, "z");
        for (int m = i; m < i + PAIRS && m < MEMBERS; m++) {
            world_arg(w, "%d", m);
            world_arg(w, "member-%d", m);
        }
        world_run(w, 0);
        assert_true(world_replied(w, ":"));
    }
}

/* A command of random pairs: members that are there, some more than once, and a few that are not.
 */
static void zadd_draw(struct world *w, const char *form)
{
    world_begin(w);
    world_arg(w, "ZADD");
    world_arg(w, "z");
    for (size_t n; *form; form += n + 1) {
        n = strcspn(form, " ");
        world_arg_bytes(w, form, n);
    }
    int pairs = strstr(w->text, "INCR") ? 1 : PAIRS;
    for (int i = 0; i < pairs; i++) {
        world_arg(w, "%d.5", (int)draw(w, MEMBERS) - 5);
        world_arg(w, "member-%d", (int)draw(w, MEMBERS + 5));
    }
}

/* The command that has been put together stays so. */
static struct proto_buf zset_written_down(struct world *w)
{
    struct proto_buf all = {0}, saved = w->out;
    const struct view argv[] = {view_of("ZRANGE"), view_of("z"), view_of("0"), view_of("-1"),
                                view_of("WITHSCORES")};
    proto_buf_init(&w->out);
    dispatch(&w->engine, &w->sessions[1], &(struct request){.argv = argv, .argc = 5}, world_to(w));
    all = w->out;
    w->out = saved;
    return all;
}

static void assert_written(struct world *w, const struct proto_buf *should)
{
    struct proto_buf now = zset_written_down(w);
    if (now.n != should->n || memcmp(now.p, should->p, now.n) != 0)
        fail_msg("%s: neither the old scores nor the new ones", world_command(w));
    proto_buf_fini(&now);
}

/* The same command, failing at the nth allocation and from there on, for every n, until it is done:
 * then the zset is what it is where nothing failed. */
static uint64_t zadd_at_last(struct world *w, struct world *twin, bool goes_on)
{
    uint64_t refused = 0;
    struct proto_buf before = zset_written_down(w);
    for (uint64_t nth = 1;; nth++) {
        w->engine.mem.fail_at = nth;
        w->engine.mem.fail_on = goes_on;
        world_run(w, 0);
        w->engine.mem.fail_at = 0;
        w->engine.mem.fail_on = false;
        world_assert_one_reply(w);
        world_assert_sound(w);
        if (!world_replied(w, "-OOM")) break;
        refused++;
        assert_written(w, &before);
    }
    world_run(twin, 0);
    assert_int_equal(twin->out.n, w->out.n);
    assert_memory_equal(twin->out.p, w->out.p, w->out.n);
    struct proto_buf after = zset_written_down(twin);
    assert_written(w, &after);
    proto_buf_fini(&after);
    proto_buf_fini(&before);
    return refused;
}

static void test_zadd_has_all_scores_or_none(void **state)
{
    (void)state;
    enum { ROUNDS = 6, FORMS = sizeof zadd_forms / sizeof zadd_forms[0] };
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        uint64_t refused = 0;
        for (uint64_t round = 0; round < ROUNDS * FORMS; round++) {
            struct world *w = calloc(2, sizeof *w);
            for (int i = 0; i < 2; i++) {
                world_init(&w[i], round + 1);
                zadd_fill(&w[i]);
                zadd_draw(&w[i], zadd_forms[round % FORMS]);
            }
            refused += zadd_at_last(&w[0], &w[1], goes_on);
            world_fini(&w[0]);
            world_fini(&w[1]);
            free(w);
        }
        assert_true(refused > ROUNDS * FORMS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zadd_has_all_scores_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_failures_are_ordered_in_debug_builds_alone(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_are_ordered_in_debug_builds_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
