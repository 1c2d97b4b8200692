/*
 * Goal: without memory an operation has done nothing at all, but for the value that it stole.
 * Method: each operation is tried on keyspaces of many small sizes with its nth allocation failing,
 * for every n; then on one that grows in spite of that; then with more names for one container than
 * its header can count. Failures are ordered in debug builds only; other builds run the same
 * operations without them.
 */
#include "world.h"

/* Sizes at which tables grow: their bucket, their blocks, their first directory. */
enum { SIZES = 500, ATTEMPTS_MAX = 40 };

enum operation {
    BIND_NEW,
    BIND_NEW_EXPIRING,
    BIND_ANEW_EXPIRING,
    REBIND,
    RENAME_TO_NEW,
    RENAME_TO_BOUND,
    SET_EXPIRY,
    FLUSH,
    STAGE_NEW,
    STAGE_BOUND,
    BIND_TEXT,
    BIND_LONG_TEXT,
    REBIND_TEXT,
    SHARE,
    OPERATIONS
};

/* Staged, and committed when that succeeded. */
static enum status stage(struct world *w, uint32_t key)
{
    char text[WORLD_KEY_CHARS];
    struct keyspace_staged staged;
    enum status s =
        keyspace_stage_take(&w->ks, world_key(key, text), world_retained(w, w->held[1]), &staged);
    if (!s) keyspace_commit(&w->ks, &staged);
    return s;
}

static struct view text_of_bytes(uint32_t n)
{
    static char at[5000];
    memset(at, 'x', sizeof at);
    assert_true(n <= sizeof at);
    return (struct view){at, n};
}

/* Name 1 is bound to held[0] without a TTL, name 2 to a text, `fresh` is not bound. */
static enum status run(struct world *w, enum operation op, uint32_t fresh)
{
    char text[WORLD_KEY_CHARS];
    struct entry *one = world_find(w, 1, 0), *two = world_find(w, 2, 0);
    val v;
    struct keyspace_bind plain = {.expires_ms = KEYSPACE_NEVER}, expiring = {.expires_ms = 77};
    struct keyspace *ks = &w->ks;
    switch (op) {
    case BIND_NEW:
        return keyspace_bind_take(ks, world_key(fresh, text), world_retained(w, w->held[1]), plain,
                                  NULL);
    case BIND_NEW_EXPIRING:
        return keyspace_bind_take(ks, world_key(fresh, text), world_retained(w, w->held[1]),
                                  expiring, NULL);
    case BIND_ANEW_EXPIRING:
        return keyspace_bind_take(ks, world_key(1, text), world_retained(w, w->held[1]), expiring,
                                  NULL);
    case REBIND: return keyspace_rebind_take(ks, &one, world_retained(w, w->held[1]));
    case RENAME_TO_NEW: return keyspace_rename(ks, one, world_key(fresh, text));
    case RENAME_TO_BOUND: return keyspace_rename(ks, one, world_key(2, text));
    case SET_EXPIRY: return keyspace_set_expiry(ks, &one, 77);
    case FLUSH: keyspace_flush(ks); return STATUS_OK;
    case STAGE_NEW: return stage(w, fresh);
    case STAGE_BOUND: return stage(w, 1);
    case BIND_TEXT:
        return keyspace_bind_text(ks, world_key(fresh, text), text_of_bytes(90), expiring, NULL);
    case BIND_LONG_TEXT:
        return keyspace_bind_text(ks, world_key(1, text), text_of_bytes(5000), expiring, NULL);
    case REBIND_TEXT: return keyspace_rebind_text(ks, &one, text_of_bytes(90));
    case SHARE: return keyspace_share_value(ks, &two, &v);
    case OPERATIONS: break;
    }
    abort();
}

/* Everything that an operation may change, in numbers. */
struct figures {
    uint64_t names, with_expiry, entry_bytes, objects, count[2], roots[2];
};

static struct figures figures_of(struct world *w)
{
    return (struct figures){
        .names = keyspace_names(&w->ks),
        .with_expiry = keyspace_names_with_expiry(&w->ks),
        .entry_bytes = w->ks.entry_bytes,
        .objects = heap_objects(&w->heap),
        .count = {w->held[0]->count, w->held[1]->count},
        .roots = {rc_roots(&w->heap, w->held[0]), rc_roots(&w->heap, w->held[1])},
    };
}

/* What became of an operation whose nth allocation fails. */
enum outcome {
    FAILED,    /* and nothing changed */
    PUT_OFF,   /* it succeeded all the same: what failed was growth that can wait */
    UNTOUCHED, /* it made fewer allocations */
};

static enum outcome attempt(struct world *w, enum operation op, uint32_t fresh, uint64_t n)
{
    struct figures before = figures_of(w);
    w->mem.fail_at = n;
    enum status s = run(w, op, fresh);
    bool reached = w->mem.fail_at == 0;
    w->mem.fail_at = 0;
    if (s == STATUS_OK) return reached ? PUT_OFF : UNTOUCHED;
    struct figures after = figures_of(w);
    assert_int_equal(s, STATUS_OOM);
    assert_true(reached);
    assert_memory_equal(&before, &after, sizeof before);
    assert_non_null(world_find(w, 1, 0));
    assert_int_equal(entry_value(world_find(w, 1, 0)).w, val_of_obj(w->held[0]).w);
    assert_null(world_find(w, fresh, 0));
    assert_true(val_is_bytes(entry_value(world_find(w, 2, 0))));
    assert_true(keyspace_check(&w->ks));
    return FAILED;
}

/* Fails the first allocation, the second, and so on, until it succeeds; returns how many times it
 * failed. */
static uint64_t run_failing(struct world *w, enum operation op, uint32_t fresh)
{
    for (uint64_t n = 1; n < ATTEMPTS_MAX; n++)
        if (attempt(w, op, fresh, n) != FAILED) return n - 1;
    fail_msg("operation %d never succeeds", (int)op);
    return 0;
}

static void world_begin(struct world *w, uint32_t names)
{
    world_init(w, 11);
    w->held[0] = world_list(w, 0);
    w->held[1] = world_list(w, 1);
    (void)world_bind(w, 1, world_retained(w, w->held[0]), KEYSPACE_NEVER);
    for (uint32_t i = 2; i <= names; i++) (void)world_bind(w, i, val_of_small(i), KEYSPACE_NEVER);
    struct entry *two = world_find(w, 2, 0);
    assert_int_equal(keyspace_rebind_text(&w->ks, &two, text_of_bytes(100)), STATUS_OK);
}

static void test_keyspace_nth_allocation_fails(void **state)
{
    (void)state;
    uint64_t outcomes[OPERATIONS][UNTOUCHED + 1] = {0};
    for (int op = 0; op < OPERATIONS; op++) {
        /* Every size while there are few names, then fewer sizes. */
        for (uint32_t names = 2; names < SIZES; names += 1 + names / 10) {
            enum outcome outcome = FAILED;
            for (uint64_t n = 1; outcome != UNTOUCHED; n++) {
                struct world w;
                assert_true(n < ATTEMPTS_MAX);
                world_begin(&w, names);
                outcome = attempt(&w, (enum operation)op, names + 1, n);
                outcomes[op][outcome]++;
                world_check(&w);
                world_fini(&w);
            }
        }
    }
#ifdef HEAPD_DEBUG
    for (int op = 0; op < OPERATIONS; op++)
        assert_int_equal(outcomes[op][FAILED] > 0, op != REBIND && op != FLUSH);
    assert_true(outcomes[BIND_NEW][PUT_OFF] > 0);
#endif
}

static void test_keyspace_growth_without_memory(void **state)
{
    struct world w;
    (void)state;
    world_begin(&w, 2);
    uint64_t failures = 0;
    for (uint32_t i = 3; i < SIZES; i++) {
        failures += run_failing(&w, i % 2 ? BIND_NEW : BIND_NEW_EXPIRING, i);
        assert_non_null(world_find(&w, i, 0));
    }
    assert_int_equal(rc_roots(&w.heap, w.held[1]), SIZES - 3);
    world_check(&w);
    w.mem.fail_at = 1; /* from now on there is none: what removes names does not need any */
    w.mem.fail_on = true;
    for (uint32_t i = 3; i < SIZES; i += 2)
        keyspace_unbind(&w.ks, world_find(&w, i, 0), NAME_REMOVED);
    while (keyspace_step(at(&w.ks, 77), 10)) {
    }
    w.mem.fail_at = 0;
    assert_int_equal(keyspace_names(&w.ks), 2);
    assert_int_equal(rc_roots(&w.heap, w.held[1]), 0);
    world_check(&w);
    world_fini(&w);
}

/* Removes all names of held[1] in one of the ways that there are. */
static void names_go(struct world *w, uint32_t from, uint32_t end, bool flushed)
{
    if (flushed) {
        keyspace_flush(&w->ks);
        while (keyspace_step(at(&w->ks, 0), 1000)) {
        }
        return;
    }
    for (uint32_t i = from; i < end; i++) {
        struct entry *e = world_find(w, i, 0);
        if (e) keyspace_unbind(&w->ks, e, NAME_REMOVED);
    }
}

static void test_keyspace_more_names_than_the_header_counts(void **state)
{
    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        struct world w;
        world_begin(&w, 2);
        uint32_t i = 3, end = OBJ_ROOTS_MAX + 1000;
        for (; w.held[1]->roots < OBJ_ROOTS_MAX - 1; i++)
            (void)world_bind(&w, i, world_retained(&w, w.held[1]), KEYSPACE_NEVER);
        world_check(&w);
        /* Each way of binding the name that no longer fits. */
        uint64_t failures = run_failing(&w, REBIND, i);
        assert_int_equal(w.held[1]->roots, OBJ_ROOTS_MAX);
        struct entry *one = world_find(&w, 1, 0);
        assert_int_equal(keyspace_rebind_take(&w.ks, &one, world_retained(&w, w.held[0])),
                         STATUS_OK);
        assert_int_equal(w.held[1]->roots, OBJ_ROOTS_MAX - 1);
        failures += run_failing(&w, BIND_NEW_EXPIRING, i++);
#ifdef HEAPD_DEBUG
        assert_true(failures >= 5);
#else
        assert_int_equal(failures, 0);
#endif
        for (; i < end; i++) (void)world_bind(&w, i, world_retained(&w, w.held[1]), KEYSPACE_NEVER);
        assert_int_equal(rc_roots(&w.heap, w.held[1]), end - 3);
        assert_int_equal(w.held[1]->count, end - 3 + 1);
        world_check(&w);
        names_go(&w, 3, end, flushed);
        assert_int_equal(rc_roots(&w.heap, w.held[1]), 0);
        assert_int_equal(w.held[1]->count, 1);
        world_check(&w);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyspace_nth_allocation_fails),
        cmocka_unit_test(test_keyspace_growth_without_memory),
        cmocka_unit_test(test_keyspace_more_names_than_the_header_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
