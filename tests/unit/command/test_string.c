/*
 * Goal: MSET binds all its names or none, also where it has to go back over names that were bound
 * to containers, had a TTL or were given twice; and nothing is written in place that somebody else
 * can see.
 * Method: the nth allocation fails, for every n, with all that the keyspace says written down
 * before and after; for the roots of an object also at the number where they outgrow their header.
 */
#include "base/hash.h"
#include "world.h"

#ifdef HEAPD_DEBUG

static void assert_reply(const struct world *w, const char *reply)
{
    if (!world_replied(w, reply) || w->out.n != strlen(reply))
        fail_msg("%s: %.*s instead of %s", world_command(w), (int)w->out.n, w->out.p, reply);
}

/* What one name says, in a number; the sum of them is what all say, in whatever order. */
struct digest {
    const struct world *w;
    uint64_t sum;
};

/* A plain value that has been shared lies elsewhere, and is the same. */
static void digest_name(void *ctx, const struct entry *e)
{
    struct digest *d = ctx;
    const struct heap *h = &d->w->engine.heap;
    struct view key = entry_key(e);
    uint64_t n = hash_bytes(&h->hash_key, key.p, key.n);
    char scratch[VAL_TEXT_CHARS];
    val v = entry_value(e);
    n = hash_word(n, (uint64_t)keyspace_expires_ms(&d->w->engine.keyspace, e));
    n = hash_word(n, val_is_obj(v) ? val_obj(v)->count : 1);
    if (val_is_container(v)) {
        n = hash_word(n, v.w);
        n = hash_word(n, rc_roots(h, val_obj(v)));
    } else {
        struct view text = val_text(&v, scratch);
        n = hash_word(n, hash_bytes(&h->hash_key, text.p, text.n));
    }
    d->sum += n;
}

static uint64_t digest(struct world *w)
{
    struct digest d = {.w = w};
    keyspace_walk(&w->engine.keyspace, digest_name, &d);
    return d.sum;
}

/* Runs a command with the nth allocation failing, for every n, each time from the same names. */
static void run_over_names(const char *command, const char *reply)
{
    for (uint64_t at = 1;; at++) {
        struct world w;
        world_init(&w, 2);
        world_do(&w, 0, "SET text a-string-that-is-an-object EX 1000");
        world_do(&w, 0, "RPUSH list a b c");
        world_do(&w, 0, "SADD set a b c");
        world_do(&w, 0, "EXPIRE set 500");
        world_do(&w, 0, "REF SET alias set");
        uint64_t before = digest(&w);
        w.engine.mem.fail_at = at;
        world_do(&w, 0, command);
        bool failed = w.engine.mem.fail_at == 0;
        w.engine.mem.fail_at = 0;
        bool oom = world_replied(&w, "-OOM");
        if (oom)
            assert_int_equal(digest(&w), before);
        else
            assert_reply(&w, reply);
        world_assert_sound(&w);
        world_fini(&w);
        if (!failed) return;
    }
}

static void test_mset_goes_back_to_what_names_were_bound_to(void **state)
{
    (void)state;
    run_over_names("MSET text another-string-of-some-length new one-more-string set a-third-string "
                   "new a-string-for-the-same-name list 7 last a-name-that-is-not-there-yet",
                   "+OK\r\n");
    run_over_names("REF MSET text list new set set text new nokey",
                   "-NOOBJECT no object is bound to 'nokey'\r\n");
    run_over_names("REF MSET text list new set set text new list list set last alias", "+OK\r\n");
    run_over_names("MSET 1 one-string-as-a-value 2 two-string-as-a-value 3 three-string-as-a-value "
                   "4 four-string-as-a-value 5 5 6 6 7 7 8 8 9 9 10 10 11 11 12 12 13 13 14 14 "
                   "15 15 16 16 17 seventeen-are-more-than-lie-on-the-stack text 18",
                   "+OK\r\n");
    run_over_names("MSETNX n1 the-first-new-string n2 the-second-new-string n1 the-third-of-them",
                   ":1\r\n");
}

/* Only one object is at the limit: what the table of such objects has room for would hide that
 * putting an object into it can fail. */
static void run_at_the_limit_of_roots(const char *subject, int roots_gained)
{
    struct world w;
    world_init(&w, 3);
    struct heap *h = &w.engine.heap;
    world_do(&w, 0, "RPUSH source a");
    world_do(&w, 0, "RPUSH full a");
    world_do(&w, 0, "REF MSET n1 full n2 full n3 full");
    struct obj *o = val_obj(entry_value(keyspace_find(&w.engine.keyspace, view_of(subject))));
    uint64_t own = rc_roots(h, o);
    for (uint64_t roots = OBJ_ROOTS_MAX - 8; roots < OBJ_ROOTS_MAX + 4; roots++) {
        while (rc_roots(h, o) < roots) assert_int_equal(rc_root_add(h, o), STATUS_OK);
        for (uint64_t at = 1;; at++) {
            uint64_t before = digest(&w);
            w.engine.mem.fail_at = at;
            w.engine.mem.fail_on = true;
            world_do(&w, 0, "REF MSET n1 source n2 source n3 source fresh full fresher full");
            bool failed = w.engine.mem.fail_at == 1;
            w.engine.mem.fail_at = 0;
            if (world_replied(&w, "-OOM")) {
                assert_int_equal(digest(&w), before);
                continue;
            }
            assert_reply(&w, "+OK\r\n");
            assert_int_equal((int64_t)(rc_roots(h, o) - roots), roots_gained);
            world_do(&w, 0, "REF MSET n1 full n2 full n3 full");
            world_do(&w, 0, "DEL fresh fresher");
            assert_int_equal(rc_roots(h, o), roots);
            if (!failed) break;
        }
    }
    /* The roots that only the test added. */
    while (rc_roots(h, o) > own) rc_root_drop(h, o);
    world_assert_sound(&w);
    world_fini(&w);
}

static void test_mset_at_the_limit_of_roots_changes_nothing(void **state)
{
    (void)state;
    run_at_the_limit_of_roots("source", 3);
    run_at_the_limit_of_roots("full", -1);
}

static void test_append_in_place_is_seen_by_its_name_alone(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 4);
    world_do(&w, 0, "SET text a-string-that-is-an-object-of-some-length");
    world_do(&w, 0, "SADD set a-string-that-is-an-object-of-some-length");
    world_do(&w, 0, "HSET hash a-string-that-is-an-object-of-some-length 1");
    for (int i = 0; i < 300; i++) {
        world_do(&w, 0, "REF SET alias text");
        world_do(&w, 0, "APPEND text +");
        world_do(&w, 0, "APPEND text -");
        world_do(&w, 0, "STRLEN alias");
        char reply[32];
        snprintf(reply, sizeof reply, ":%d\r\n", 41 + 2 * i);
        assert_reply(&w, reply);
    }
    world_do(&w, 0, "SISMEMBER set a-string-that-is-an-object-of-some-length");
    assert_reply(&w, ":1\r\n");
    world_do(&w, 0, "HEXISTS hash a-string-that-is-an-object-of-some-length");
    assert_reply(&w, ":1\r\n");
    world_assert_sound(&w);
    world_fini(&w);
}

/* Runs a command that must be answered so. */
static void expect(struct world *w, const char *command, const char *reply)
{
    world_do(w, 0, command);
    assert_reply(w, reply);
}

static void test_values_that_repeat_are_one_object(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 5);
    const char *whole =
        "$63\r\nanother-long-text-which-nobody-has-seen-before-these-few-lines-\r\n";
    expect(&w, "SET a another-long-text-which-nobody-has-seen-before-these-few-lines-", "+OK\r\n");
    expect(&w, "GET a", whole);
    expect(&w, "OBJECT REFCOUNT a", ":1\r\n");
    for (int i = 0; i < 100; i++) {
        char command[128];
        snprintf(command, sizeof command, "SET k%d one-of-a-few-long-texts-that-come-again-%d", i,
                 i % 5);
        expect(&w, command, "+OK\r\n");
    }
    expect(&w, "SET b a-text-that-is-as-long-and-that-nobody-has-ever-seen-so-far", "+OK\r\n");
    expect(&w, "SET c a-text-that-is-as-long-and-that-nobody-has-ever-seen-so-far", "+OK\r\n");
    expect(&w, "OBJECT REFCOUNT b", ":2\r\n");
    expect(&w, "OBJECT REFCOUNT c", ":2\r\n");
    /* Each name is bound anew for itself. */
    expect(&w, "APPEND b +", ":60\r\n");
    expect(&w, "OBJECT REFCOUNT c", ":1\r\n");
    expect(&w, "GET c", "$59\r\na-text-that-is-as-long-and-that-nobody-has-ever-seen-so-far\r\n");
    expect(&w, "SETRANGE c 0 A", ":59\r\n");
    expect(&w, "GET c", "$59\r\nA-text-that-is-as-long-and-that-nobody-has-ever-seen-so-far\r\n");
    expect(&w, "RENAME k1 d", "+OK\r\n");
    expect(&w, "COPY d e", ":1\r\n");
    expect(&w, "GET e", "$41\r\none-of-a-few-long-texts-that-come-again-1\r\n");
    expect(&w, "MSETNX s1 short s2 short", ":1\r\n");
    expect(&w, "OBJECT REFCOUNT s1", ":2147483647\r\n");
    expect(&w, "FLUSHALL", "+OK\r\n");
    while (steps_run(&w.engine, true)) {
    }
    assert_int_equal(w.engine.heap.intern.strings.used, 0);
    world_assert_sound(&w);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mset_goes_back_to_what_names_were_bound_to),
        cmocka_unit_test(test_mset_at_the_limit_of_roots_changes_nothing),
        cmocka_unit_test(test_values_that_repeat_are_one_object),
        cmocka_unit_test(test_append_in_place_is_seen_by_its_name_alone),
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
