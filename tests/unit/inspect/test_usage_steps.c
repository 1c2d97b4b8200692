/*
 * Goal: a walk in steps gives what a walk at once gives, if nothing changes; if anything does, it
 * ends, and the heap stays sound; and who goes away while it waits leaves nothing behind.
 * Method: random graphs, asked both ways; the least possible step; heap_check() and usages_check()
 * after each, between random changes; one allocation, and all from one on, fail.
 */
#include "world.h"

enum { NODES = 60, STEPS_MAX = 100000, FIELD_CHARS = 24 };

static void ask(struct world *w, struct obj *o, struct usage *q)
{
    w->usages.slots_at_once = 0;
    assert_int_equal(usage_ask(&w->usages, val_of_obj(o), 7, q), STATUS_OK);
    assert_false(q->done);
    assert_int_equal(usage_wait(&w->usages, val_of_obj(o), q), STATUS_OK);
}

static void drop_mine(struct world *w)
{
    struct obj *o = w->mine[0];
    w->mine[0] = NULL;
    drop(w, o);
}

static void settle(struct world *w)
{
    uint32_t steps = 0;
    while (usages_step(&w->usages, 0)) {
        world_assert_sound(w);
        assert_true(++steps < STEPS_MAX);
    }
    assert_false(usages_have_work(&w->usages));
    assert_int_equal(w->usages.pins.used, 0);
}

static uint64_t in_steps(struct world *w, struct obj *o)
{
    struct usage q;
    ask(w, o, &q);
    settle(w);
    assert_true(q.done);
    assert_int_equal(q.status, STATUS_OK);
    return q.bytes - 7;
}

/* --- random graphs --- */

struct graph {
    struct world w;
    uint64_t seed;
    struct obj *node[NODES];
};

static uint64_t draw(struct graph *g, uint64_t below)
{
    g->seed = g->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (g->seed >> 33) % below;
}

static struct needle draw_field(struct graph *g, char field[FIELD_CHARS])
{
    int n = snprintf(field, FIELD_CHARS, "field-%d", (int)draw(g, 50));
    return needle_of_text(&g->w.heap, (struct view){field, (size_t)n});
}

static void put(struct graph *g, struct obj *into, val v)
{
    struct heap *h = &g->w.heap;
    char field[FIELD_CHARS];
    struct needle n = needle_of_val(h, v), name = draw_field(g, field);
    bool created;
    switch ((enum obj_type)into->type) {
    case OBJ_LIST:
        val_retain(h, v);
        assert_int_equal(list_push_take(h, into, draw(g, 2) ? LIST_HEAD : LIST_TAIL, v), STATUS_OK);
        break;
    case OBJ_HASH:
        val_retain(h, v);
        assert_int_equal(hash_set_take(h, into, &name, v, NULL), STATUS_OK);
        break;
    case OBJ_SET: assert_int_equal(set_add(h, into, &n, &created), STATUS_OK); break;
    case OBJ_ZSET:
        assert_int_equal(zset_set(h, into, &n, (double)draw(g, 9), &created), STATUS_OK);
        break;
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: fail();
    }
}

static void put_text(struct graph *g, struct obj *into)
{
    val v = draw(g, 3) ? text(&g->w, (int)draw(g, 100000)) : val_of_small((int64_t)draw(g, 1000));
    put(g, into, v);
    val_release(&g->w.heap, v);
}

/* Nodes of all types with texts in them, each below an earlier one, some below several. */
static void graph_make(struct graph *g, uint64_t seed)
{
    static const enum obj_type types[] = {OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_ZSET};
    g->seed = seed;
    world_init(&g->w);
    for (int i = 0; i < NODES; i++) {
        g->node[i] = container(&g->w, types[draw(g, 4)]);
        g->w.mine[i] = g->node[i];
        for (uint64_t n = draw(g, 30); n > 0; n--) put_text(g, g->node[i]);
        if (i == 0) continue;
        put(g, g->node[draw(g, (uint64_t)i)], val_of_obj(g->node[i]));
        if (draw(g, 8) == 0) put(g, g->node[draw(g, NODES) % (uint64_t)i], val_of_obj(g->node[i]));
        if (draw(g, 20) == 0)
            put(g, g->node[i], val_of_obj(g->node[draw(g, (uint64_t)i + 1)])); /* a cycle */
    }
}

static void let_go(struct graph *g, int i)
{
    if (!g->w.mine[i]) return;
    g->w.mine[i] = NULL;
    drop(&g->w, g->node[i]);
}

static void graph_end(struct graph *g)
{
    for (int i = 0; i < NODES; i++) let_go(g, i);
    world_fini(&g->w);
}

static void test_steps_agree_with_at_once(void **state)
{
    (void)state;
    struct graph g;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        graph_make(&g, seed);
        /* Of most nodes the test's own count goes, so that there is something to count. */
        for (int i = 1; i < NODES; i++)
            if (draw(&g, 10)) let_go(&g, i);
        for (int i = 0; i < NODES; i++)
            if (g.w.mine[i])
                assert_int_equal(in_steps(&g.w, g.node[i]), usage(&g.w, val_of_obj(g.node[i])));
        graph_end(&g);
    }
}

/* What a walk has in its hands counts as it did: for those who are answered at once, and for people
 * who look at counts. */
static void test_pins_are_taken_off(void **state)
{
    (void)state;
    struct graph g;
    graph_make(&g, 5);
    uint64_t had[NODES];
    uint32_t count[NODES];
    for (int i = 1; i < NODES; i++) let_go(&g, i); /* they are all below the first */
    for (int i = 0; i < NODES; i++) {
        had[i] = usage(&g.w, val_of_obj(g.node[i]));
        count[i] = g.node[i]->count;
    }
    struct usage q;
    uint64_t pinned = 0;
    ask(&g.w, g.node[0], &q);
    do {
        for (int i = 0; i < NODES; i++) {
            uint32_t pins = usages_pins(&g.w.usages, g.node[i]);
            assert_int_equal(usage(&g.w, val_of_obj(g.node[i])), had[i]);
            assert_int_equal(g.node[i]->count - pins, count[i]);
            pinned += pins;
        }
    } while (usages_step(&g.w.usages, 0));
    assert_true(pinned > 10);
    assert_int_equal(q.bytes - 7, had[0]);
    graph_end(&g);
}

/* --- many, and long ones --- */

static void test_several_wait_at_once(void **state)
{
    (void)state;
    enum { QUESTIONS = 20 };
    struct graph g;
    struct usage q[QUESTIONS];
    graph_make(&g, 11);
    for (int i = 0; i < QUESTIONS; i++) ask(&g.w, g.node[i], &q[i]);
    assert_true(usages_step(&g.w.usages, 0));
    /* Some lose interest: the first, whose walk has begun, one in the middle, the last. */
    usage_cancel(&g.w.usages, &q[0]);
    usage_cancel(&g.w.usages, &q[9]);
    usage_cancel(&g.w.usages, &q[QUESTIONS - 1]);
    world_assert_sound(&g.w);
    settle(&g.w);
    for (int i = 0; i < QUESTIONS; i++) {
        bool cancelled = i == 0 || i == 9 || i == QUESTIONS - 1;
        assert_int_equal(q[i].done, !cancelled);
        if (!cancelled) assert_int_equal(q[i].bytes - 7, usage(&g.w, val_of_obj(g.node[i])));
    }
    usage_cancel(&g.w.usages, &q[1]); /* it is done: nothing happens */
    graph_end(&g);
}

/* One that goes away at any moment of its walk, and the object with it. */
static void test_cancelled_at_every_step(void **state)
{
    (void)state;
    struct world w;
    bool done = false;
    for (int at = 0; !done; at++) {
        struct usage q;
        world_init(&w);
        struct obj *list = w.mine[0] = library(&w, 100);
        ask(&w, list, &q);
        for (int i = 0; i < at; i++) usages_step(&w.usages, 0);
        done = q.done;
        usage_cancel(&w.usages, &q);
        if (at % 2) drop_mine(&w);
        settle(&w);
        if (at % 2 == 0) drop_mine(&w);
        assert_true(at < 1000);
        world_fini(&w);
    }
}

/* Who asked about what went before its turn came is told so; a walk that has begun goes on. */
static void test_object_goes(void **state)
{
    (void)state;
    struct world w;
    struct usage first, second;
    world_init(&w);
    struct obj *a = w.mine[0] = library(&w, 100), *b = library(&w, 100);
    uint64_t bytes = usage(&w, val_of_obj(a));
    ask(&w, a, &first);
    ask(&w, b, &second);
    assert_true(usages_step(&w.usages, 0));
    drop(&w, b);
    drop_mine(&w);
    settle(&w);
    assert_int_equal(first.status, STATUS_OK);
    assert_int_equal(first.bytes - 7, bytes);
    assert_true(second.done);
    assert_int_equal(second.status, STATUS_NO_OBJECT);
    world_fini(&w);
}

/* A chain takes one frame or two; a comb (each has a next and a leaf) one for each tooth at most.
 */
static void test_chain_and_comb(void **state)
{
    (void)state;
    enum { LINKS = 20000 };
    struct world w;
    for (int teeth = 0; teeth < 2; teeth++) {
        world_init(&w);
        struct obj *first = container(&w, OBJ_LIST);
        for (int i = 1; i < LINKS; i++) {
            struct obj *o = container(&w, OBJ_LIST);
            if (teeth) give(&w, o, container(&w, OBJ_LIST));
            give(&w, o, first);
            first = o;
        }
        uint64_t frames_max = 0, bytes = usage(&w, val_of_obj(first));
        struct usage q;
        ask(&w, first, &q);
        do
            if (w.usages.walk.frames > frames_max) frames_max = w.usages.walk.frames;
        while (usages_step(&w.usages, 20000));
        assert_int_equal(q.bytes - 7, bytes);
        assert_true(teeth ? frames_max <= LINKS + 2 : frames_max <= 2);
        drop(&w, first);
        world_fini(&w);
    }
}

/* --- changes --- */

static int held_node(struct graph *g)
{
    int i = (int)draw(g, NODES);
    while (!g->w.mine[i]) i = (i + 1) % NODES;
    return i;
}

/* A member, or whatever a field has. */
static void take_out(struct graph *g, struct obj *from, val v)
{
    struct heap *h = &g->w.heap;
    char field[FIELD_CHARS];
    struct needle n = needle_of_val(h, v), name = draw_field(g, field);
    if (from->type == OBJ_SET) set_remove(h, from, &n);
    if (from->type == OBJ_ZSET) zset_remove(h, from, &n);
    if (from->type == OBJ_HASH) hash_delete(h, from, &name);
}

static void change(struct graph *g)
{
    struct obj *o = g->node[held_node(g)], *other = g->node[held_node(g)];
    struct heap *h = &g->w.heap;
    switch (draw(g, 8)) {
    case 0: put(g, o, val_of_obj(other)); break;
    case 1: put_text(g, o); break;
    case 2:
        if (o->type == OBJ_LIST && list_length(o)) val_release(h, list_pop(h, o, LIST_HEAD));
        break;
    case 3:
        if (o->type == OBJ_LIST && list_length(o)) { /* a move */
            val v = list_pop(h, o, LIST_TAIL);
            put(g, other, v);
            val_release(h, v);
        }
        break;
    case 4: take_out(g, o, val_of_obj(other)); break;
    case 5: {
        struct obj *deeper = container(&g->w, OBJ_LIST);
        put(g, o, val_of_obj(deeper));
        put(g, deeper, val_of_obj(other));
        rc_dec(h, deeper);
        break;
    }
    case 6: heap_release_step(h, 5); break;
    default: collect_step(h, true); break;
    }
}

static void test_random_changes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct graph g;
        struct usage q[3];
        graph_make(&g, seed);
        g.w.heap.collect.slice_slots_max = 1;
        for (int i = 1; i < NODES; i++)
            if (draw(&g, 3)) let_go(&g, i);
        for (int i = 0; i < 3; i++) ask(&g.w, g.node[held_node(&g)], &q[i]);
        for (int steps = 0; usages_step(&g.w.usages, 0); steps++) {
            world_assert_sound(&g.w);
            for (uint64_t n = draw(&g, 4); n > 0; n--) change(&g);
            world_assert_sound(&g.w);
            assert_true(steps < STEPS_MAX);
        }
        for (int i = 0; i < 3; i++) assert_true(q[i].done);
        graph_end(&g);
    }
}

/* A client that makes the graph deeper as fast as it is walked does not keep the walk going. */
static void test_it_ends_though_the_graph_grows(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct obj *first = library(&w, 20), *deepest = container(&w, OBJ_LIST);
    struct usage q;
    give(&w, first, deepest);
    ask(&w, first, &q);
    for (int steps = 0; usages_step(&w.usages, 0); steps++) {
        for (int i = 0; i < 70; i++) {
            struct obj *o = container(&w, OBJ_LIST);
            give(&w, deepest, o);
            deepest = o;
        }
        assert_true(steps < 1000);
    }
    assert_true(q.done);
    assert_int_equal(q.status, STATUS_OK);
    drop(&w, first);
    world_fini(&w);
}

#ifdef HEAPD_DEBUG
struct pair_asked {
    struct usage q[2];
    enum status status[2]; /* of asking, then of the answer */
};

static struct pair_asked ask_twice(struct world *w, struct obj *o)
{
    struct pair_asked p;
    for (int i = 0; i < 2; i++) {
        p.status[i] = usage_ask(&w->usages, val_of_obj(o), 7, &p.q[i]);
        if (!p.status[i]) p.status[i] = usage_wait(&w->usages, val_of_obj(o), &p.q[i]);
        if (p.status[i]) continue;
        while (!p.q[i].done && w->usages.walk.frames < 40) usages_step(&w->usages, 0);
    }
    while (usages_step(&w->usages, 0)) assert_true(usages_check(&w->usages));
    for (int i = 0; i < 2; i++) {
        if (p.status[i]) continue;
        assert_true(p.q[i].done);
        p.status[i] = p.q[i].status;
    }
    return p;
}

/* One allocation fails, or all from one on: an answer is the whole one, or none. */
static void test_out_of_memory(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        struct world w;
        int failures = 0;
        bool failed = true;
        world_init(&w);
        struct obj *list = w.mine[0] = container(&w, OBJ_LIST);
        for (int i = 0; i < 100; i++) give(&w, list, library(&w, 1));
        uint64_t bytes = usage(&w, val_of_obj(list));
        w.usages.slots_at_once = 0;
        for (uint64_t nth = 1; failed; nth++) {
            uint64_t before = w.mem.attempts;
            w.mem.fail_on = all;
            w.mem.fail_at = nth;
            struct pair_asked p = ask_twice(&w, list);
            w.mem.fail_on = false;
            w.mem.fail_at = 0;
            failed = w.mem.attempts - before >= nth;
            for (int i = 0; i < 2; i++) {
                if (p.status[i] == STATUS_OK) assert_int_equal(p.q[i].bytes - 7, bytes);
                if (p.status[i] == STATUS_OK) continue;
                assert_true(failed && p.status[i] == STATUS_OOM);
                failures++;
            }
            world_assert_sound(&w);
            assert_true(nth < 3000);
        }
        assert_true(failures > 5);
        drop_mine(&w);
        world_fini(&w);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_agree_with_at_once),
        cmocka_unit_test(test_pins_are_taken_off),
        cmocka_unit_test(test_several_wait_at_once),
        cmocka_unit_test(test_cancelled_at_every_step),
        cmocka_unit_test(test_object_goes),
        cmocka_unit_test(test_chain_and_comb),
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_it_ends_though_the_graph_grows),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_out_of_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
