/*
 * Goal: whoever is interested in a name or a container is told of each change of it, whatever way
 * the change came, once, when the command has ended; and of nothing else.
 * Method: interests in a key, in a key that is not bound, and in a container; a table of commands
 * with what each of them must touch. Failed commands, reads, and commands that change nothing must
 * touch nobody. Then interests that go from within told().
 */
#include "world.h"

#include "value/hash.h"

struct watcher {
    struct interest interest;
    struct world *w;
    uint32_t told;
    struct watcher *removes; /* when it is told; or NULL */
};

static void told(struct interest *i)
{
    struct watcher *me = (struct watcher *)i;
    me->told++;
    assert_int_equal(me->w->engine.heap.effects.used, 0); /* the command has ended */
    if (me->removes) effects_remove_interest(&me->w->engine.heap.effects, &me->removes->interest);
    me->removes = NULL;
}

static void watch_key(struct world *w, struct watcher *me, const char *key)
{
    *me = (struct watcher){.interest = {.told = told, .key = view_of(key)}, .w = w};
    assert_int_equal(effects_add_interest(&w->engine.heap.effects, &me->interest), STATUS_OK);
}

static void watch_container(struct world *w, struct watcher *me, const char *key)
{
    const struct entry *e = keyspace_find(&w->engine.keyspace, view_of(key));
    *me = (struct watcher){.interest = {.told = told, .cell = effect_cell(entry_obj(e))}, .w = w};
    assert_int_equal(effects_add_interest(&w->engine.heap.effects, &me->interest), STATUS_OK);
}

static void unwatch(struct watcher *me)
{
    effects_remove_interest(&me->w->engine.heap.effects, &me->interest);
}

/* What a command touches: the name k, the container that k and alias are bound to, the name free.
 */
struct row {
    const char *line;
    bool key, container, free;
};

static const struct row rows[] = {
    {"GET free", 0, 0, 0},
    {"HGETALL k", 0, 0, 0},
    {"HSET k f w", 0, 1, 0},
    {"HSET alias f w", 0, 1, 0},
    {"HSET &:1 f w", 0, 1, 0},
    {"HDEL k nothing", 0, 0, 0},
    {"HDEL k f", 0, 1, 0},
    {"HSETNX k g w", 0, 0, 0},
    {"HINCRBY k g 1", 0, 0, 0}, /* fails: no integer */
    {"LPUSH k x", 0, 0, 0},     /* fails: wrong type */
    {"SET k text", 1, 0, 0},
    {"SET k text NX", 0, 0, 0},
    {"DEL k", 1, 0, 0},
    {"DEL nothing", 0, 0, 0},
    {"DEL k alias", 1, 0, 0}, /* the handle holds it */
    {"RENAME k elsewhere", 1, 0, 0},
    {"RENAME other free", 0, 0, 1},
    {"EXPIRE k 100", 1, 0, 0},
    {"EXPIRE free 100", 0, 0, 0},
    {"PERSIST k", 0, 0, 0},
    {"SET free x", 0, 0, 1},
    {"REF SET free k", 0, 0, 1},
    {"REF HSET other h k", 0, 0, 0},
    {"REF HSET k h other", 0, 1, 0},
    {"MSET free 1 unrelated 2", 0, 0, 1},
    {"COPY k free", 0, 0, 1},
    {"OBJECT ID k", 0, 0, 0},
    {"FLUSHALL", 1, 0, 1},
    {"GC COLLECT", 0, 0, 0},
};

static void prepare(struct world *w)
{
    world_init(w, 1);
    world_do(w, 0, "HSET k f v g text");
    world_do(w, 0, "HSET other f v");
    world_do(w, 0, "REF SET alias k");
    world_assert_reply(w, "REF GET k", "$3\r\n&:1\r\n");
}

static void test_a_command_touches_what_it_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int oracle = 0; oracle < 2; oracle++) {
            struct world w;
            struct watcher key, container, missing, second;
            prepare(&w);
            if (!oracle) oracle_fini(&w.oracle, &w.engine.heap);
            watch_key(&w, &key, "k");
            watch_container(&w, &container, "k");
            watch_key(&w, &missing, "free");
            watch_key(&w, &second, "k");
            world_do(&w, 0, rows[i].line);
            if (key.told != rows[i].key || container.told != rows[i].container ||
                missing.told != rows[i].free || second.told != rows[i].key)
                fail_msg("%s: told %u, %u, %u", rows[i].line, (unsigned)key.told,
                         (unsigned)container.told, (unsigned)missing.told);
            world_assert_sound(&w);
            assert_int_equal(effect_check(&w.engine.heap.effects), 0);
            unwatch(&key);
            unwatch(&container);
            unwatch(&missing);
            unwatch(&second);
            assert_int_equal(w.engine.heap.effects.on, oracle);
            world_fini(&w);
        }
}

static void test_steps_touch_what_they_remove(void **state)
{
    (void)state;
    struct world w;
    struct watcher due, weak;
    world_init_simulated(&w, 1, 100);
    world_do(&w, 0, "SET due v PX 5");
    world_do(&w, 0, "HSET target f v");
    world_do(&w, 0, "WEAKREF SET weak target");
    watch_key(&w, &due, "due");
    watch_key(&w, &weak, "weak");
    world_advance_ms(&w, 10);
    world_do(&w, 0, "EXISTS due");
    assert_int_equal(due.told, 0); /* a lookup changes nothing */
    while (steps_run(&w.engine, true)) continue;
    assert_int_equal(due.told, 1);
    world_do(&w, 0, "DEL target");
    while (steps_run(&w.engine, true)) continue;
    assert_int_equal(weak.told, 1);
    unwatch(&due);
    unwatch(&weak);
    world_fini(&w);
}

static void test_interests_come_and_go_while_they_are_told(void **state)
{
    (void)state;
    struct world w;
    struct watcher all[3];
    prepare(&w);
    for (int i = 0; i < 3; i++) watch_key(&w, &all[i], "k");
    all[2].removes = &all[0]; /* the last that came is touched first */
    all[1].removes = &all[1];
    world_do(&w, 0, "SET k text");
    assert_int_equal(all[2].told, 1);
    assert_int_equal(all[1].told, 1);
    assert_int_equal(all[0].told, 0);
    assert_int_equal(effect_check(&w.engine.heap.effects), 0);
    world_do(&w, 0, "SET k again");
    assert_int_equal(all[2].told, 2);
    unwatch(&all[2]);
    world_fini(&w);
}

static void test_what_is_rewound_touches_nobody(void **state)
{
    (void)state;
    struct world w;
    struct watcher before, rewound;
    prepare(&w);
    oracle_fini(&w.oracle, &w.engine.heap); /* what is changed here is not taken back */
    watch_container(&w, &before, "other");
    watch_container(&w, &rewound, "k");
    struct effects *x = &w.engine.heap.effects;
    struct needle field = needle_of_text(&w.engine.heap, view_of("f"));
    struct obj *k = entry_obj(keyspace_find(&w.engine.keyspace, view_of("k")));
    struct obj *other = entry_obj(keyspace_find(&w.engine.keyspace, view_of("other")));
    assert_int_equal(hash_set_text(&w.engine.heap, other, &field, view_of("w"), NULL), STATUS_OK);
    struct effects_mark mark = effects_mark(x);
    assert_int_equal(hash_set_text(&w.engine.heap, k, &field, view_of("w"), NULL), STATUS_OK);
    effects_rewind(x, mark);
    effects_commit(x);
    assert_int_equal(before.told, 1);
    assert_int_equal(rewound.told, 0);
    unwatch(&before);
    unwatch(&rewound);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_touches_what_it_changes),
        cmocka_unit_test(test_steps_touch_what_they_remove),
        cmocka_unit_test(test_what_is_rewound_touches_nobody),
        cmocka_unit_test(test_interests_come_and_go_while_they_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
