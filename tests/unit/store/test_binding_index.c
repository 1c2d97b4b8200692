/*
 * Goal: a container that is emptied behind its name's back loses that name, whatever became of the
 * name since, and only that one.
 * Method: a random history of lists with one name each, some of them known, beside an array that
 * says which list each name has; then the cases with a rule of their own, and without memory.
 */
#include "world.h"

enum { NAMES = 24, LISTS = 40, STEPS = 6000, NOBODY = -1 };

struct model {
    struct world w;
    struct obj *lists[LISTS]; /* held by the test, so that they outlive their names */
    bool is_known[LISTS];
    int list_of[NAMES]; /* NOBODY: not bound to one of them */
    int64_t when_ms[NAMES];
    int64_t now_ms;
};

static void lists_held(void *self, heap_hold_visit *visit, void *ctx)
{
    struct model *m = self;
    for (int i = 0; i < LISTS; i++)
        if (m->lists[i]) visit(ctx, m->lists[i], HEAP_HOLD_COUNT);
}

static struct entry *find(struct model *m, uint32_t k)
{
    struct entry *e = world_find(&m->w, k, m->now_ms);
    bool due = m->when_ms[k] != KEYSPACE_NEVER && m->when_ms[k] <= m->now_ms;
    if (m->list_of[k] != NOBODY) assert_int_equal(e != NULL, !due);
    return e;
}

/* A list that no name has, as a new one: nothing is known of it. */
static int fresh_list(struct model *m)
{
    int i = (int)world_below(&m->w, LISTS);
    for (uint32_t k = 0; k < NAMES; k++)
        if (m->list_of[k] == i) return NOBODY;
    m->is_known[i] = false;
    return i;
}

static void do_bind(struct model *m, uint32_t k)
{
    int i = world_below(&m->w, 4) ? fresh_list(m) : NOBODY;
    val v = i == NOBODY ? val_of_small(k) : world_retained(&m->w, m->lists[i]);
    int64_t when_ms = world_below(&m->w, 3) ? KEYSPACE_NEVER : m->now_ms + 1 + (int64_t)k;
    (void)world_bind(&m->w, k, v, when_ms);
    m->list_of[k] = i;
    m->when_ms[k] = when_ms;
}

static void do_stage(struct model *m, uint32_t k)
{
    char text[WORLD_KEY_CHARS];
    struct keyspace_staged staged;
    int i = fresh_list(m);
    if (i == NOBODY) return;
    assert_int_equal(keyspace_stage_take(&m->w.ks, world_key(k, text),
                                         world_retained(&m->w, m->lists[i]), &staged),
                     STATUS_OK);
    if (world_below(&m->w, 2)) {
        keyspace_unstage(&m->w.ks, &staged);
        return;
    }
    keyspace_commit(&m->w.ks, &staged);
    m->list_of[k] = i;
    m->when_ms[k] = KEYSPACE_NEVER;
}

static void do_know(struct model *m, uint32_t k)
{
    struct entry *e = find(m, k);
    if (!e) return;
    assert_int_equal(keyspace_know(&m->w.ks, e), STATUS_OK);
    if (m->list_of[k] != NOBODY) m->is_known[m->list_of[k]] = true;
}

static void do_rename(struct model *m, uint32_t k)
{
    char text[WORLD_KEY_CHARS];
    uint32_t to = world_below(&m->w, NAMES);
    struct entry *e = find(m, k);
    if (!e || to == k) return;
    assert_int_equal(keyspace_rename(&m->w.ks, e, world_key(to, text)), STATUS_OK);
    m->list_of[to] = m->list_of[k];
    m->when_ms[to] = m->when_ms[k];
    m->list_of[k] = NOBODY;
}

static void do_unbind(struct model *m, uint32_t k)
{
    struct entry *e = find(m, k);
    if (!e) return;
    keyspace_unbind(&m->w.ks, e, NAME_REMOVED);
    m->list_of[k] = NOBODY;
}

/* The heap's hook, for a list that has a name and is known, or has a name and is not, or has none.
 */
static void do_empty(struct model *m)
{
    int i = (int)world_below(&m->w, LISTS);
    uint64_t names = keyspace_names(&m->w.ks);
    m->w.heap.emptied(m->w.heap.emptied_ctx, m->lists[i]);
    for (uint32_t k = 0; k < NAMES; k++) {
        if (m->list_of[k] != i || !m->is_known[i]) continue;
        assert_int_equal(keyspace_names(&m->w.ks), names - 1);
        m->list_of[k] = NOBODY;
        assert_null(find(m, k));
        return;
    }
    assert_int_equal(keyspace_names(&m->w.ks), names);
}

static void step(struct model *m)
{
    uint32_t k = world_below(&m->w, NAMES);
    switch (world_below(&m->w, 12)) {
    case 0:
    case 1: do_bind(m, k); break;
    case 2:
    case 3:
    case 4: do_know(m, k); break;
    case 5: do_rename(m, k); break;
    case 6: do_unbind(m, k); break;
    case 7:
    case 8: do_empty(m); break;
    case 9: do_stage(m, k); break;
    case 10:
        m->now_ms += world_below(&m->w, 20);
        for (uint32_t i = 0; i < NAMES; i++) (void)find(m, i);
        break;
    default:
        if (world_below(&m->w, 60) == 0) {
            keyspace_flush(&m->w.ks);
            for (uint32_t i = 0; i < NAMES; i++) m->list_of[i] = NOBODY;
        }
        (void)keyspace_step(at(&m->w.ks, m->now_ms), world_below(&m->w, 4));
        for (uint32_t i = 0; i < NAMES; i++) /* at a time at which no name is due */
            if (!world_find(&m->w, i, 0)) m->list_of[i] = NOBODY;
    }
}

static void test_known_random_history(void **state)
{
    struct model m = {0};
    (void)state;
    world_init(&m.w, 5);
    struct heap_holder holder = {.name = "lists", .each = lists_held, .self = &m};
    heap_add_holder(&m.w.heap, &holder);
    for (uint32_t i = 0; i < LISTS; i++) m.lists[i] = world_list(&m.w, i);
    for (uint32_t k = 0; k < NAMES; k++) m.list_of[k] = NOBODY;
    uint64_t most = 0;
    for (int i = 0; i < STEPS; i++) {
        step(&m);
        world_check(&m.w);
        if (m.w.ks.known.names.used > most) most = m.w.ks.known.names.used;
    }
    assert_true(most > 5);
    for (int i = 0; i < LISTS; i++) {
        rc_dec(&m.w.heap, m.lists[i]);
        m.lists[i] = NULL;
    }
    world_fini(&m.w);
}

static void test_known_referred_keeps_its_name(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 6);
    w.held[0] = world_list(&w, 0);
    struct entry *e = world_bind(&w, 1, world_retained(&w, w.held[0]), KEYSPACE_NEVER);
    assert_int_equal(keyspace_know(&w.ks, e), STATUS_OK);
    w.held[0]->flags |= OBJ_REFERRED;
    keyspace_emptied(&w.ks, w.held[0]);
    assert_non_null(world_find(&w, 1, 0));
    world_check(&w);
    keyspace_unbind(&w.ks, e, NAME_REMOVED);
    assert_int_equal(w.ks.known.names.used, 0);
    e = world_bind(&w, 1, world_retained(&w, w.held[0]), KEYSPACE_NEVER);
    assert_int_equal(keyspace_know(&w.ks, e), STATUS_OK);
    assert_int_equal(w.ks.known.names.used, 0);
    world_fini(&w);
}

static void test_known_nth_allocation_fails(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 7);
    uint64_t failed = 0;
    struct entry *entries[300];
    for (uint32_t i = 0; i < 300; i++)
        entries[i] = world_bind(&w, i, val_of_obj(world_list(&w, i)), KEYSPACE_NEVER);
    for (uint32_t i = 0; i < 300; i++) {
        for (uint64_t n = 1;; n++) {
            uint64_t known = w.ks.known.names.used;
            w.mem.fail_at = n;
            enum status s = keyspace_know(&w.ks, entries[i]);
            w.mem.fail_at = 0;
            assert_int_equal(w.ks.known.names.used, known + !s);
            world_check(&w);
            if (!s) break;
            failed++;
        }
    }
#ifdef HEAPD_DEBUG
    assert_true(failed > 0);
#endif
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_random_history),
        cmocka_unit_test(test_known_referred_keeps_its_name),
        cmocka_unit_test(test_known_nth_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
