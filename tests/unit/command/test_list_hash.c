/*
 * Goal: HSET, and a push of many, do all or nothing, also where fields are given twice, hold
 * containers, or are too many for what lies on the stack.
 * Method: the nth allocation fails, for every n, once and from there on, from the same state each
 * time; what fields hold and how often each object is referred to is read before and after.
 */
#include "world.h"

#ifdef HEAPD_DEBUG

enum { SHOWN_BYTES = 4096 };

static void show(struct world *w, const char *command, char *shown)
{
    world_do(w, 1, command);
    size_t used = strlen(shown);
    assert_true(used + w->out.n < SHOWN_BYTES);
    memcpy(shown + used, w->out.p, w->out.n);
    shown[used + w->out.n] = 0;
}

/* Field by field, because what was undone may stand in another order in the hash. */
static void show_all(struct world *w, char shown[SHOWN_BYTES])
{
    shown[0] = 0;
    show(w, "HMGET h a b c d a-field-that-is-an-object", shown);
    show(w, "HLEN h", shown);
    show(w, "LRANGE l 0 -1", shown);
    show(w, "OBJECT REFCOUNT one", shown);
    show(w, "OBJECT REFCOUNT two", shown);
    show(w, "EXISTS fresh", shown);
    show(w, "DBSIZE", shown);
}

static void prepare(struct world *w)
{
    world_init(w, 5);
    world_do(w, 0, "HSET one f 1");
    world_do(w, 0, "RPUSH two 1 2");
    world_do(w, 0, "HSET h a a-string-that-is-an-object b 2");
    world_do(w, 0, "REF HSET h c one d two");
    world_do(w, 0, "REF RPUSH l one two one two");
}

/* Whether an allocation failed at all. */
static bool run_at(const char *command, uint64_t at, bool goes_on, uint64_t *refusals)
{
    static char before[SHOWN_BYTES], after[SHOWN_BYTES];
    struct world w;
    prepare(&w);
    show_all(&w, before);
    w.engine.mem.fail_at = at;
    w.engine.mem.fail_on = goes_on;
    world_do(&w, 0, command);
    bool failed = w.engine.mem.fail_at == (goes_on ? 1 : 0);
    w.engine.mem.fail_at = 0;
    w.engine.mem.fail_on = false;
    bool refused = world_replied(&w, "-");
    world_assert_one_reply(&w);
    show_all(&w, after);
    *refusals += refused;
    if (refused)
        assert_string_equal(before, after);
    else
        assert_string_not_equal(before, after);
    world_assert_sound(&w);
    world_assert_no_garbage(&w);
    world_fini(&w);
    return failed;
}

/* Every command here changes what show_all shows when it succeeds. */
static void run(const char *command)
{
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        uint64_t refusals = 0;
        for (uint64_t at = 1; run_at(command, at, goes_on, &refusals); at++) {
        }
        assert_true(refusals > 0);
    }
}

static void test_hset_puts_back_what_it_replaced(void **state)
{
    (void)state;
    run("HSET h a another-string-as-an-object c a-string-for-a-container b a-third-long-string "
        "d 4 a-field-that-is-an-object a-value-that-is-an-object");
    run("HMSET h c text d text c a-string-that-is-an-object c more-text-that-is-an-object a 1");
    run("REF HSET h a one b two c two d one a two a-new-field-with-a-long-name one");
    run("REF HSET h h h a-field-that-is-an-object h c h");
}

static void test_hset_puts_back_more_than_lies_on_the_stack(void **state)
{
    (void)state;
    run("HSET h 1 the-first-long-string 2 the-second-long-string 3 3 4 4 5 5 6 6 7 7 8 8 9 9 10 10 "
        "11 11 12 12 13 13 14 14 15 15 16 16 17 17 c the-last-but-two c the-last-but-one "
        "a-field-that-is-an-object the-last-of-all");
}

static void test_hset_leaves_no_hash_that_it_made(void **state)
{
    (void)state;
    run("HSET fresh a-long-field-of-it a-long-value-of-it b a-long-value-of-it b and-another-one "
        "another-long-field-of-it another-long-value-of-it");
    run("REF HSET fresh a one b two a two");
    run("HSETNX fresh a-long-field-of-it a-long-value-of-it");
    run("HINCRBY fresh a-long-field-of-it 9223372036854775807");
    run("HINCRBYFLOAT fresh a-long-field-of-it 0.123456789");
}

static void test_pushes_and_moves_change_all_or_nothing(void **state)
{
    (void)state;
    run("RPUSH l the-first-long-string the-second-long-string the-third-long-string 4 5 6");
    run("REF LPUSH l two one two one two one");
    run("LPUSH fresh the-first-long-string the-second-long-string 3 4 5 the-third-long-string");
    run("REF LINSERT l AFTER two two");
    run("LMOVE l fresh LEFT RIGHT");
    run("REF RPOPLPUSH l fresh");
    run("REF LPOP l 2");
}

/* A container of at most 128 members is shown as a whole, whatever its form and COUNT, as in Redis;
 * a larger one is not. Each member is too long to be packed. */
static void test_scan_shows_small_containers_at_once(void **state)
{
    (void)state;
    static const char *const fills[] = {"SADD k %0100d", "HSET k %0100d v", "ZADD k 1 %0100d"};
    static const char *const scans[] = {"SSCAN k 0 COUNT 1", "HSCAN k 0 COUNT 1",
                                        "ZSCAN k 0 COUNT 1"};
    static const char *const whole[] = {"*2\r\n$1\r\n0\r\n*128\r\n", "*2\r\n$1\r\n0\r\n*256\r\n",
                                        "*2\r\n$1\r\n0\r\n*256\r\n"};
    for (size_t type = 0; type < sizeof fills / sizeof fills[0]; type++) {
        struct world w;
        char line[160];
        world_init(&w, 1);
        for (int i = 0; i < 128; i++) {
            snprintf(line, sizeof line, fills[type], i);
            world_do(&w, 0, line);
        }
        world_do(&w, 0, scans[type]);
        assert_true(world_replied(&w, whole[type]));
        snprintf(line, sizeof line, fills[type], 128);
        world_do(&w, 0, line);
        world_do(&w, 0, scans[type]);
        assert_true(w.out.n < 1000 && !world_replied(&w, "*2\r\n$1\r\n0\r\n"));
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hset_puts_back_what_it_replaced),
        cmocka_unit_test(test_hset_puts_back_more_than_lies_on_the_stack),
        cmocka_unit_test(test_hset_leaves_no_hash_that_it_made),
        cmocka_unit_test(test_pushes_and_moves_change_all_or_nothing),
        cmocka_unit_test(test_scan_shows_small_containers_at_once),
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
