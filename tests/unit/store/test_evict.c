/*
 * Goal: only names that may go do, in the order that the policy says, those first whose going frees
 * something, and none in vain. Method: random histories under each policy beside an array of what
 * each name is bound to, with everything checked after each eviction; then the cases of sharing;
 * and how near the approximations come to evicting the very name that a full ordering would.
 */
#include "store/evict.h"
#include "world.h"

enum { NAMES = 64, STEPS = 3000, TTL_MS = 1000000, MUCH = 1 << 30 };

static void assert_went(enum evict_result r)
{
    assert_int_equal(r, EVICT_WENT);
}

static void assert_useless(enum evict_result r)
{
    assert_int_equal(r, EVICT_NO_HELP);
}

static void evict_world(struct world *w, struct evict *ev, const char *policy, uint64_t seed)
{
    world_init(w, seed);
    evict_init(ev, &w->ks);
    evict_configure(ev, policy, 5);
}

static uint64_t names(const struct world *w)
{
    return keyspace_names(&w->ks);
}

/* --- the policies --- */

static void test_evict_policies_are_redis(void **state)
{
    (void)state;
    static const char *const known[] = {"noeviction",      "allkeys-lru",  "allkeys-lfu",
                                        "allkeys-random",  "volatile-lru", "volatile-lfu",
                                        "volatile-random", "volatile-ttl"};
    uint32_t i = 0;
    for (; evict_policy_at(i); i++) {
        const struct evict_policy *p = evict_policy_at(i);
        assert_string_equal(p->name, known[i]);
        assert_int_equal(p->with_expiry, strncmp(p->name, "volatile", 8) == 0);
    }
    assert_int_equal(i, sizeof known / sizeof *known);
}

static void test_evict_nothing_where_nothing_may_go(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    for (uint32_t i = 0; evict_policy_at(i); i++) {
        const struct evict_policy *p = evict_policy_at(i);
        evict_world(&w, &ev, p->name, i);
        assert_useless(evict_one(&ev, MUCH)); /* an empty keyspace */
        for (uint32_t k = 0; k < 20; k++)
            (void)world_bind(&w, k, world_string(&w, k), KEYSPACE_NEVER);
        bool may = !p->with_expiry && p->order != EVICT_NONE;
        assert_int_equal(evict_one(&ev, MUCH), may ? EVICT_WENT : EVICT_NO_HELP);
        assert_int_equal(names(&w), may ? 19 : 20);
        assert_int_equal(w.ks.evicted, may);
        assert_true(evict_check(&ev));
        world_fini(&w);
    }
}

/* --- random histories --- */

/* What a name is bound to: nothing; a string of its own; a list of its own; one of the held lists,
 * which the world and other names refer to; a string that it shares with the name before. */
enum kind { NONE, OWN_STRING, OWN_LIST, HELD_LIST };

struct history {
    struct world w;
    struct evict ev;
    enum kind kinds[NAMES];
    bool expires[NAMES];
};

static bool is_sole(const struct history *h, uint32_t k)
{
    return h->kinds[k] == OWN_STRING || h->kinds[k] == OWN_LIST;
}

static void bind_something(struct history *h)
{
    uint32_t k = world_below(&h->w, NAMES);
    enum kind kind = 1 + world_below(&h->w, 3);
    bool expires = world_below(&h->w, 2);
    val v = kind == OWN_STRING ? world_string(&h->w, k)
            : kind == OWN_LIST ? val_of_obj(world_list(&h->w, k))
                               : world_retained(&h->w, h->w.held[k % WORLD_HELD]);
    (void)world_bind(&h->w, k, v,
                     expires ? TTL_MS + (int64_t)world_below(&h->w, 1000) : KEYSPACE_NEVER);
    h->kinds[k] = kind;
    h->expires[k] = expires;
}

static void look_up_something(struct history *h)
{
    char text[WORLD_KEY_CHARS];
    h->w.ks.access.now_s += world_below(&h->w, 200);
    (void)keyspace_lookup(at(&h->w.ks, 0), world_key(world_below(&h->w, NAMES), text));
}

/* Evicts and finds out which name went: at most one, that may; one of the first class if there is
 * one among the few that there are. */
static void evict_something(struct history *h)
{
    const struct evict_policy *p = h->ev.policy;
    uint32_t may = 0, sole = 0, gone = NAMES;
    for (uint32_t k = 0; k < NAMES; k++) {
        if (!h->kinds[k] || (p->with_expiry && !h->expires[k])) continue;
        may++;
        sole += is_sole(h, k);
    }
    uint64_t shared_before = h->ev.names_shared;
    bool went = evict_one(&h->ev, 1) == EVICT_WENT;
    assert_int_equal(went, may > 0 && p->order != EVICT_NONE);
    for (uint32_t k = 0; k < NAMES; k++) {
        if (!h->kinds[k] || world_find(&h->w, k, 0)) continue;
        assert_int_equal(gone, NAMES);
        gone = k;
    }
    assert_int_equal(went, gone < NAMES);
    if (!went) return;
    assert_true(!p->with_expiry || h->expires[gone]);
    /* 128 looks at random miss one of 64 names with probability 0.13, and each of 8 with 10^-7. */
    if (sole >= 8 || p->order == EVICT_TTL) assert_int_equal(is_sole(h, gone), sole > 0);
    assert_int_equal(h->ev.names_shared - shared_before, !is_sole(h, gone));
    h->kinds[gone] = NONE;
}

static void test_evict_random_histories(void **state)
{
    (void)state;
    for (uint32_t i = 0; evict_policy_at(i); i++) {
        struct history *h = calloc(1, sizeof *h);
        assert_non_null(h);
        evict_world(&h->w, &h->ev, evict_policy_at(i)->name, i + 1);
        for (uint32_t k = 0; k < WORLD_HELD; k++) h->w.held[k] = world_list(&h->w, k);
        for (int step = 0; step < STEPS; step++) {
            uint32_t die = world_below(&h->w, 100);
            if (die < 40)
                bind_something(h);
            else if (die < 70)
                look_up_something(h);
            else if (die < 98)
                evict_something(h);
            else
                evict_configure(&h->ev, evict_policy_at(world_below(&h->w, 8))->name,
                                1 + world_below(&h->w, 100));
            (void)heap_release_step(&h->w.heap, 1);
            assert_true(evict_check(&h->ev));
            if (step % 8 == 0) world_check(&h->w);
        }
        assert_true(h->w.ks.evicted > 100 && h->ev.names_shared > 0);
        assert_true(h->ev.freed_bytes > 0);
        world_fini(&h->w);
        free(h);
    }
}

/* --- the order --- */

static void test_evict_ttl_takes_the_earliest(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    evict_world(&w, &ev, "volatile-ttl", 1);
    for (uint32_t k = 1; k <= 500; k++)
        (void)world_bind(&w, k, world_string(&w, k), TTL_MS + k * 7919 % 501);
    (void)world_bind(&w, 501, world_string(&w, 501), KEYSPACE_NEVER);
    int64_t last = 0;
    for (uint32_t n = 0; n < 500; n++) {
        int64_t first = keyspace_next_expiry_ms(&w.ks);
        assert_true(first > last);
        last = first;
        assert_went(evict_one(&ev, MUCH));
        assert_true(n == 499 || keyspace_next_expiry_ms(&w.ks) > first);
    }
    assert_useless(evict_one(&ev, MUCH));
    assert_int_equal(names(&w), 1);
    world_fini(&w);
}

/* Keys used in 1000 moments, one after the other; the oldest half is to go. How many of those that
 * went were of it, of 1000. */
static uint32_t right_in_1000(const char *policy, uint64_t samples)
{
    struct world w;
    struct evict ev;
    char text[WORLD_KEY_CHARS];
    evict_world(&w, &ev, policy, 3);
    evict_configure(&ev, policy, samples);
    enum { COUNT = 2000 };
    for (uint32_t k = 0; k < COUNT; k++)
        (void)world_bind(&w, k, world_string(&w, k), KEYSPACE_NEVER);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t k = (uint32_t)((uint64_t)i * 7919 % COUNT);
        w.ks.access.now_s = 100 + i;
        for (uint32_t uses = i < COUNT / 2 ? 1 : 30; uses; uses--)
            assert_non_null(keyspace_lookup(at(&w.ks, 0), world_key(k, text)));
    }
    for (uint32_t n = 0; n < COUNT / 2; n++) assert_went(evict_one(&ev, 1));
    uint32_t right = 0;
    for (uint32_t i = 0; i < COUNT / 2; i++)
        right += !world_find(&w, (uint32_t)((uint64_t)i * 7919 % COUNT), 0);
    world_fini(&w);
    return right;
}

static void test_evict_approximates(void **state)
{
    (void)state;
    assert_in_range(right_in_1000("allkeys-random", 5), 400, 600); /* half, by chance */
    assert_in_range(right_in_1000("allkeys-lru", 5), 890, 1000);
    assert_in_range(right_in_1000("allkeys-lru", 10), 950, 1000);
    assert_in_range(right_in_1000("allkeys-lfu", 5), 890, 1000);
}

/* A candidate that was used after it was looked at is not the best any more. */
static void test_evict_forgets_candidates_that_were_used(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    char text[WORLD_KEY_CHARS];
    evict_world(&w, &ev, "allkeys-lru", 5);
    for (uint32_t k = 0; k < 20; k++) (void)world_bind(&w, k, world_string(&w, k), KEYSPACE_NEVER);
    w.ks.access.now_s = 10;
    for (int n = 0; n < 5; n++) assert_went(evict_one(&ev, 1));
    assert_true(ev.count > 0);
    for (uint32_t k = 0; k < 20; k++) (void)keyspace_lookup(at(&w.ks, 0), world_key(k, text));
    w.ks.access.now_s = 20;
    (void)world_bind(&w, 100, world_string(&w, 100), KEYSPACE_NEVER);
    for (int n = 0; n < 14; n++) assert_went(evict_one(&ev, 1));
    assert_non_null(world_find(&w, 100, 0)); /* 15 were older */
    keyspace_flush(&w.ks);
    assert_useless(evict_one(&ev, 1)); /* what FLUSHALL dropped is no candidate */
    world_fini(&w);
}

/* --- sharing --- */

static void test_evict_what_frees_goes_first(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    evict_world(&w, &ev, "allkeys-lru", 7);
    w.held[0] = world_list(&w, 1);
    for (uint32_t k = 0; k < 200; k++)
        (void)world_bind(&w, k, world_retained(&w, w.held[0]), KEYSPACE_NEVER);
    w.ks.access.now_s = 1000; /* used last, and yet */
    for (uint32_t k = 200; k < 300; k++)
        (void)world_bind(&w, k, world_string(&w, k), KEYSPACE_NEVER);
    for (int n = 0; n < 90; n++) assert_went(evict_one(&ev, MUCH));
    assert_int_equal(ev.names_shared, 0);
    assert_int_equal(names(&w), 210);
    world_check(&w);
    world_fini(&w);
}

/* One object, many names, and somebody else who holds it. */
static void test_evict_keeps_names_that_free_nothing(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    evict_world(&w, &ev, "allkeys-lru", 9);
    w.held[0] = world_list(&w, 1);
    for (uint32_t k = 0; k < 1000; k++)
        (void)world_bind(&w, k, world_retained(&w, w.held[0]), KEYSPACE_NEVER);
    uint64_t entries = w.ks.entry_bytes;
    for (int n = 0; n < 100; n++) assert_useless(evict_one(&ev, entries + 1));
    assert_int_equal(names(&w), 1000);
    /* The entries are memory too, where that is enough, and garbage is not looked for. */
    ev.collecting = true;
    assert_int_equal(evict_one(&ev, entries), EVICT_LATER);
    assert_int_equal(evict_one(&ev, entries + 1), EVICT_LATER);
    assert_int_equal(names(&w), 1000);
    ev.collecting = false;
    assert_went(evict_one(&ev, entries));
    assert_int_equal(names(&w), 999);
    assert_int_equal(ev.names_shared, 1);
    assert_true(ev.freed_bytes > 0 && ev.freed_bytes < 200);
    world_fini(&w);
}

/* Few names each, and somebody else: tried for a while, and not for ever. */
static void test_evict_tries_end(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    evict_world(&w, &ev, "allkeys-random", 11);
    struct obj *outer = w.held[0] = world_list(&w, 1);
    for (uint32_t k = 0; k < 400; k++) {
        struct obj *o = world_list(&w, k);
        assert_int_equal(list_push_take(&w.heap, outer, LIST_TAIL, world_retained(&w, o)),
                         STATUS_OK);
        (void)world_bind(&w, k, val_of_obj(o), KEYSPACE_NEVER);
    }
    uint32_t tries = 0;
    while (evict_one(&ev, MUCH) == EVICT_WENT) tries++;
    assert_int_equal(tries, EVICT_VAIN_MAX);
    for (int n = 0; n < 100; n++) assert_useless(evict_one(&ev, MUCH));
    evict_enough(&ev);
    assert_went(evict_one(&ev, MUCH));
    world_check(&w);
    world_fini(&w);
}

/* Two names each and nobody else: the second frees it. */
static void test_evict_pairs(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    evict_world(&w, &ev, "allkeys-lru", 13);
    for (uint32_t k = 0; k < 100; k++) {
        struct obj *o = world_list(&w, k);
        (void)world_bind(&w, k, world_retained(&w, o), KEYSPACE_NEVER);
        (void)world_bind(&w, 100 + k, val_of_obj(o), KEYSPACE_NEVER);
    }
    for (int n = 0; n < 100; n++) assert_went(evict_one(&ev, MUCH));
    while (heap_release_step(&w.heap, 100)) {
    }
    assert_true(heap_objects(&w.heap) < 90);
    assert_true(ev.names_shared < 80);
    world_check(&w);
    world_fini(&w);
}

/* What refers to itself is garbage when its name has gone: when the collector has been there, tries
 * go on. */
static void test_evict_cycles(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    evict_world(&w, &ev, "allkeys-lru", 15);
    for (uint32_t k = 0; k < 3 * EVICT_VAIN_MAX; k++) {
        struct obj *o = world_list(&w, k);
        assert_int_equal(list_push_take(&w.heap, o, LIST_TAIL, world_retained(&w, o)), STATUS_OK);
        (void)world_bind(&w, k, val_of_obj(o), KEYSPACE_NEVER);
    }
    for (uint32_t round = 1; round <= 3; round++) {
        while (evict_one(&ev, MUCH) == EVICT_WENT) {
        }
        assert_int_equal(w.ks.evicted, round * EVICT_VAIN_MAX);
        world_collect(&w);
        assert_int_equal(heap_objects(&w.heap), (3 - round) * EVICT_VAIN_MAX);
    }
    world_fini(&w);
}

/* Weak names hold nothing, so they go like those with a value of their own, and the object stays.
 */
static void test_evict_weak_names(void **state)
{
    (void)state;
    struct world w;
    struct evict ev;
    evict_world(&w, &ev, "allkeys-lru", 17);
    struct obj *o = w.held[0] = world_list(&w, 1);
    for (uint32_t k = 0; k < 10; k++) {
        val weak;
        assert_int_equal(val_weaken(&w.heap, val_of_obj(o), &weak), STATUS_OK);
        (void)world_bind(&w, k, weak, KEYSPACE_NEVER);
    }
    for (int n = 0; n < 10; n++) {
        assert_went(evict_one(&ev, MUCH));
        world_check(&w);
    }
    assert_int_equal(ev.names_shared, 0);
    assert_int_equal(o->count, 1);
    world_fini(&w);
}

#ifdef HEAPD_DEBUG
/* It asks for no memory of its own; what removing a name puts off is put off. */
static void test_evict_without_memory(void **state)
{
    (void)state;
    for (uint32_t i = 1; evict_policy_at(i); i++) {
        struct world w;
        struct evict ev;
        evict_world(&w, &ev, evict_policy_at(i)->name, i);
        for (uint32_t k = 0; k < 300; k++) (void)world_bind(&w, k, world_string(&w, k), TTL_MS + k);
        w.mem.fail_at = 1;
        w.mem.fail_on = true;
        for (uint32_t n = 0; n < 300; n++) assert_went(evict_one(&ev, MUCH));
        w.mem.fail_at = 0;
        w.mem.fail_on = false;
        assert_int_equal(names(&w), 0);
        world_check(&w);
        world_fini(&w);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evict_policies_are_redis),
        cmocka_unit_test(test_evict_nothing_where_nothing_may_go),
        cmocka_unit_test(test_evict_random_histories),
        cmocka_unit_test(test_evict_ttl_takes_the_earliest),
        cmocka_unit_test(test_evict_approximates),
        cmocka_unit_test(test_evict_forgets_candidates_that_were_used),
        cmocka_unit_test(test_evict_what_frees_goes_first),
        cmocka_unit_test(test_evict_keeps_names_that_free_nothing),
        cmocka_unit_test(test_evict_tries_end),
        cmocka_unit_test(test_evict_pairs),
        cmocka_unit_test(test_evict_cycles),
        cmocka_unit_test(test_evict_weak_names),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_evict_without_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
