/*
 * Names that refer weakly. Goal: such a name acts as one of its object, is no root of it, and is
 * gone with it for every caller, whichever way the object went; what it is renamed, bound or
 * flushed to keeps the books right.
 *
 * Method: each operation alone, and a random history of them beside a model of what each name
 * should stand for, with steps that remove a few of the gone names now and then. keyspace_check()
 * and heap_check() follow each change.
 */
#include "world.h"

enum { NAMES = 24, OBJECTS = WORLD_HELD };

static val weak_val(struct world *w, struct obj *o)
{
    val v = VAL_NONE;
    assert_int_equal(val_weaken(&w->heap, val_of_obj(o), &v), STATUS_OK);
    return v;
}

static void bind_weakly(struct world *w, uint32_t key, struct obj *o)
{
    world_bind(w, key, weak_val(w, o), KEYSPACE_NEVER);
}

static void let_go(struct world *w, int i)
{
    struct obj *o = w->held[i];
    w->held[i] = NULL;
    rc_dec(&w->heap, o);
}

static void steps(struct world *w)
{
    while (weak_step(&w->heap, 1)) world_check(w);
    world_check(w);
}

static void count_name(void *ctx, const struct entry *e)
{
    assert_false(val_is_none(entry_value(e)));
    ++*(uint64_t *)ctx;
}

static uint64_t names_shown(struct world *w)
{
    uint64_t walked = 0, scanned = 0, cursor = 0;
    keyspace_walk(at(&w->ks, 0), count_name, &walked);
    do cursor = keyspace_scan(at(&w->ks, 0), cursor, count_name, &scanned);
    while (cursor);
    assert_int_equal(walked, scanned);
    return walked;
}

static void test_stands_for_its_object(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.held[0] = world_list(&w, 7);
    bind_weakly(&w, 1, w.held[0]);
    world_check(&w);
    struct entry *e = world_find(&w, 1, 0);
    assert_non_null(e);
    assert_ptr_equal(val_obj(entry_value(e)), w.held[0]);
    assert_true(keyspace_has(at(&w.ks, 0), e));
    assert_int_equal(w.held[0]->count, 1);
    assert_int_equal(w.held[0]->roots, 0);
    assert_int_equal(names_shown(&w), 1);
    let_go(&w, 0);
    world_check(&w);
    assert_int_equal(names_shown(&w), 0);
    assert_false(keyspace_has(at(&w.ks, 0), e));
    assert_int_equal(keyspace_names(&w.ks), 1);
    assert_null(world_find(&w, 1, 0));
    assert_int_equal(keyspace_names(&w.ks), 1); /* a lookup removes nothing */
    steps(&w);
    assert_int_equal(keyspace_names(&w.ks), 0);
    assert_int_equal(w.ks.expired, 0);
    world_fini(&w);
}

static void test_a_step_removes_the_name(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.held[0] = world_list(&w, 7);
    for (uint32_t key = 1; key <= 5; key++) bind_weakly(&w, key, w.held[0]);
    struct entry *e = world_find(&w, 3, 0);
    assert_int_equal(keyspace_set_expiry(&w.ks, &e, 1000), STATUS_OK);
    world_check(&w);
    let_go(&w, 0);
    assert_int_equal(keyspace_names(&w.ks), 5);
    assert_true(weak_step(&w.heap, 2));
    assert_int_equal(keyspace_names(&w.ks), 3);
    steps(&w);
    assert_int_equal(keyspace_names(&w.ks), 0);
    assert_int_equal(keyspace_names_with_expiry(&w.ks), 0);
    world_fini(&w);
}

static void test_a_cycle_that_only_weak_names_know(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    struct obj *o = world_list(&w, 7);
    rc_inc(&w.heap, o);
    assert_int_equal(list_push_take(&w.heap, o, LIST_TAIL, val_of_obj(o)), STATUS_OK);
    bind_weakly(&w, 1, o);
    rc_dec(&w.heap, o);
    assert_non_null(world_find(&w, 1, 0));
    world_collect(&w);
    assert_null(world_find(&w, 1, 0));
    steps(&w);
    world_fini(&w);
}

static void test_rename(void **state)
{
    (void)state;
    struct world w;
    char text[WORLD_KEY_CHARS];
    world_init(&w, 1);
    w.held[0] = world_list(&w, 7);
    bind_weakly(&w, 1, w.held[0]);
    assert_int_equal(keyspace_rename(&w.ks, world_find(&w, 1, 0), world_key(2, text)), STATUS_OK);
    world_check(&w);
    assert_null(world_find(&w, 1, 0));
    assert_ptr_equal(val_obj(entry_value(world_find(&w, 2, 0))), w.held[0]);
    /* Onto another weak name, and onto the only strong one. */
    bind_weakly(&w, 3, w.held[0]);
    assert_int_equal(keyspace_rename(&w.ks, world_find(&w, 2, 0), world_key(3, text)), STATUS_OK);
    world_check(&w);
    assert_int_equal(weak_count(&w.heap, w.held[0]), 1);
    world_bind(&w, 4, val_of_obj(w.held[0]), KEYSPACE_NEVER);
    w.held[0] = NULL;
    assert_int_equal(keyspace_rename(&w.ks, world_find(&w, 3, 0), world_key(4, text)), STATUS_OK);
    world_check(&w);
    assert_null(world_find(&w, 4, 0));
    steps(&w);
    assert_int_equal(keyspace_names(&w.ks), 0);
    world_fini(&w);
}

static void test_bound_anew(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.held[0] = world_list(&w, 7);
    w.held[1] = world_list(&w, 8);
    bind_weakly(&w, 1, w.held[0]);
    bind_weakly(&w, 1, w.held[1]);
    assert_int_equal(weak_count(&w.heap, w.held[0]), 0);
    assert_ptr_equal(val_obj(entry_value(world_find(&w, 1, 0))), w.held[1]);
    world_check(&w);
    world_bind(&w, 1, world_string(&w, 1), KEYSPACE_NEVER);
    assert_int_equal(weak_count(&w.heap, w.held[1]), 0);
    bind_weakly(&w, 1, w.held[1]);
    let_go(&w, 1);
    world_bind(&w, 1, world_string(&w, 1), KEYSPACE_NEVER); /* over what is gone */
    steps(&w);
    assert_non_null(world_find(&w, 1, 0));
    world_fini(&w);
}

static void test_staged(void **state)
{
    (void)state;
    struct world w;
    char text[WORLD_KEY_CHARS];
    struct keyspace_staged a, b;
    world_init(&w, 1);
    w.held[0] = world_list(&w, 7);
    bind_weakly(&w, 1, w.held[0]);
    for (int round = 0; round < 2; round++) {
        val v = weak_val(&w, w.held[0]), u = weak_val(&w, w.held[0]);
        assert_int_equal(keyspace_stage_take(&w.ks, world_key(1, text), v, &a), STATUS_OK);
        assert_int_equal(keyspace_stage_take(&w.ks, world_key(2, text), u, &b), STATUS_OK);
        if (round) {
            keyspace_commit(&w.ks, &a);
            keyspace_commit(&w.ks, &b);
        } else {
            keyspace_unstage(&w.ks, &b);
            keyspace_unstage(&w.ks, &a);
        }
        world_check(&w);
        assert_int_equal(weak_count(&w.heap, w.held[0]), 1 + round);
    }
    let_go(&w, 0);
    steps(&w);
    assert_int_equal(keyspace_names(&w.ks), 0);
    world_fini(&w);
}

/* A name that FLUSHALL dropped is nobody's, and is freed in its turn. */
static void test_flushed(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    w.held[0] = world_list(&w, 7);
    for (uint32_t key = 1; key <= 50; key++) bind_weakly(&w, key, w.held[0]);
    const struct entry *e = world_find(&w, 1, 0);
    keyspace_flush(&w.ks);
    assert_false(keyspace_has(at(&w.ks, 0), e));
    world_check(&w);
    bind_weakly(&w, 1, w.held[0]);
    let_go(&w, 0);
    world_check(&w);
    steps(&w);
    assert_int_equal(keyspace_names(&w.ks), 0);
    while (keyspace_step(at(&w.ks, 0), 7)) world_check(&w);
    assert_int_equal(w.heap.objects[OBJ_WEAK], 0);
    world_fini(&w);
}

/* --- a random history --- */

/* What a name stands for: nothing, a text, or an object, weakly or not. */
struct expected {
    bool text, weakly;
    struct obj *o;
};

static void assert_names(struct world *w, const struct expected *names)
{
    uint64_t expected = 0;
    for (uint32_t key = 1; key <= NAMES; key++) expected += names[key].text || names[key].o != NULL;
    assert_int_equal(names_shown(w), expected);
    assert_true(keyspace_names(&w->ks) >= expected);
    world_check(w);
}

/* Nothing holds the object strongly: all that refers to it weakly goes with it. */
static void forget_if_gone(struct world *w, struct expected *names, const struct obj *o)
{
    for (int i = 0; i < OBJECTS; i++)
        if (o == NULL || w->held[i] == o) return;
    for (uint32_t key = 1; key <= NAMES; key++)
        if (names[key].o == o && !names[key].weakly) return;
    for (uint32_t key = 1; key <= NAMES; key++)
        if (names[key].o == o) names[key] = (struct expected){0};
}

static void bind_random(struct world *w, struct expected *names, uint32_t key)
{
    struct obj *o = w->held[world_below(w, OBJECTS)];
    struct expected old = names[key], now = {.o = o, .weakly = world_below(w, 2)};
    if (!o) now = (struct expected){.text = true};
    val v = !o ? world_string(w, key) : now.weakly ? weak_val(w, o) : world_retained(w, o);
    world_bind(w, key, v, KEYSPACE_NEVER);
    names[key] = now;
    forget_if_gone(w, names, old.o);
}

static void find_random(struct world *w, const struct expected *names, uint32_t key)
{
    const struct entry *e = world_find(w, key, 0);
    assert_int_equal(e != NULL, names[key].text || names[key].o);
    if (e && names[key].o) assert_ptr_equal(val_obj(entry_value(e)), names[key].o);
}

static void rename_random(struct world *w, struct expected *names, uint32_t key)
{
    char text[WORLD_KEY_CHARS];
    uint32_t to = 1 + world_below(w, NAMES);
    struct entry *e = world_find(w, key, 0);
    if (!e || to == key) return;
    struct expected old = names[to];
    assert_int_equal(keyspace_rename(&w->ks, e, world_key(to, text)), STATUS_OK);
    names[to] = names[key];
    names[key] = (struct expected){0};
    forget_if_gone(w, names, old.o);
}

static void unbind_random(struct world *w, struct expected *names, uint32_t key)
{
    struct entry *e = world_find(w, key, 0);
    struct expected old = names[key];
    if (!e) return;
    keyspace_unbind(&w->ks, e, NAME_REMOVED);
    names[key] = (struct expected){0};
    forget_if_gone(w, names, old.o);
}

static void drop_random(struct world *w, struct expected *names)
{
    int i = (int)world_below(w, OBJECTS);
    struct obj *o = w->held[i];
    if (!o) {
        w->held[i] = world_list(w, 1);
        return;
    }
    w->held[i] = NULL;
    forget_if_gone(w, names, o);
    rc_dec(&w->heap, o);
}

static void test_a_random_history(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world w;
        struct expected names[NAMES + 1] = {{0}};
        world_init(&w, seed);
        for (int i = 0; i < 4000; i++) {
            uint32_t key = 1 + world_below(&w, NAMES);
            switch (world_below(&w, 8)) {
            case 0:
            case 1: bind_random(&w, names, key); break;
            case 2: find_random(&w, names, key); break;
            case 3: rename_random(&w, names, key); break;
            case 4: unbind_random(&w, names, key); break;
            case 5:
            case 6: drop_random(&w, names); break;
            default:
                weak_step(&w.heap, 1 + world_below(&w, 3));
                heap_release_step(&w.heap, world_below(&w, 3));
                if (world_below(&w, 200) == 0) {
                    keyspace_flush(&w.ks);
                    memset(names, 0, sizeof names);
                    /* Until it is freed, what was dropped keeps its objects. */
                    while (keyspace_step(at(&w.ks, 0), 2)) world_check(&w);
                }
                break;
            }
            assert_names(&w, names);
        }
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stands_for_its_object),
        cmocka_unit_test(test_a_step_removes_the_name),
        cmocka_unit_test(test_a_cycle_that_only_weak_names_know),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_bound_anew),
        cmocka_unit_test(test_staged),
        cmocka_unit_test(test_flushed),
        cmocka_unit_test(test_a_random_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
