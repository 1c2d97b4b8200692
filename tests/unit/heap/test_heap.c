/*
 * The heap's base and its release queue. Goal: what dies is freed in bounded steps, newest first,
 * without recursion, and the counters are right at every moment, also while a release causes
 * others.
 *
 * Method: for order and bounds a type of the test's own ("node": a body of slots that writes down
 * each call of clear) stands in the table of types; for depth and width lists are nested, in a
 * thread whose stack could not hold a recursion.
 */
#include <pthread.h>

#include "world.h"

/* --- nodes --- */

enum { NODE_SLOTS_MAX = 64, LOG_MAX = 1 << 16 };

struct node {
    union gc_words words;
    uint32_t id;
    uint32_t slots; /* left */
    struct obj *child[NODE_SLOTS_MAX];
};

/* The calls of clear, in their order. */
static struct {
    uint32_t id, asked, cleared;
    bool done;
} calls[LOG_MAX];
static uint32_t call_count;

static uint64_t node_begin(const struct obj *o)
{
    (void)o;
    return 0;
}

static uint64_t node_end(const struct obj *o)
{
    const struct node *n = obj_body(o);
    return n ? n->slots : 0;
}

static uint64_t node_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                           heap_visit *fn, void *ctx)
{
    const struct node *n = obj_body(o);
    for (; cursor < limit && slots_max > 0; cursor++, slots_max--)
        if (n->child[cursor]) fn(ctx, n->child[cursor]);
    return cursor;
}

static bool node_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    struct node *n = obj_body(o);
    uint32_t call = call_count++, cleared = 0;
    assert_true(call < LOG_MAX);
    for (; n->slots && cleared < slots_max; cleared++) {
        struct obj *child = n->child[--n->slots];
        if (child) rc_dec(h, child);
    }
    calls[call].id = n->id;
    calls[call].asked = slots_max;
    calls[call].cleared = cleared;
    calls[call].done = n->slots == 0;
    if (n->slots) return false;
    ((struct cell *)o)->body = NULL;
    pool_free(h->pool, n, sizeof *n);
    return true;
}

static size_t node_bytes(const struct obj *o)
{
    return sizeof(struct cell) + (obj_body(o) ? pool_good_bytes(sizeof(struct node)) : 0);
}

static const struct heap_type node_type = {
    .name = "node",
    .begin = node_begin,
    .end = node_end,
    .visit = node_visit,
    .clear = node_clear,
    .bytes = node_bytes,
};

static struct world *node_world(void)
{
    struct world *w = world_new(1);
    heap_set_type(&w->heap, OBJ_SET, &node_type);
    call_count = 0;
    return w;
}

static struct obj *node_new(struct world *w, uint32_t id, uint32_t slots)
{
    struct obj *o = heap_container_new(&w->heap, OBJ_SET);
    struct node *n = pool_alloc(w->heap.pool, sizeof *n);
    assert_non_null(o);
    assert_non_null(n);
    *n = (struct node){.id = id, .slots = slots};
    ((struct cell *)o)->body = n;
    return o;
}

/* The node takes over the caller's count. */
static void node_put(struct world *w, struct obj *o, uint32_t slot, struct obj *child)
{
    rc_stored(&w->heap, o, child);
    ((struct node *)obj_body(o))->child[slot] = child;
}

/* --- the base --- */

static void test_heap_container_new_counts(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    static const enum obj_type types[] = {OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_ZSET};
    struct obj *made[4];
    for (uint32_t i = 0; i < 4; i++) {
        made[i] = keep(w, heap_container_new(&w->heap, types[i]));
        assert_int_equal(made[i]->count, 1);
        assert_int_equal(made[i]->roots, 0);
        assert_int_equal(made[i]->flags, 0);
        assert_int_equal(made[i]->type, types[i]);
        assert_null(obj_body(made[i]));
        assert_int_equal(w->heap.objects[types[i]], 1);
        assert_int_equal(w->heap.allocated, i + 1);
    }
    struct obj *text = keep(w, text_new(w, "a string that needs an object"));
    assert_int_equal(heap_containers(&w->heap), 4);
    assert_int_equal(heap_objects(&w->heap), 5);
    assert_int_equal(w->heap.allocated, 5);
    assert_sound(w);
    /* What has no slots is gone at once, and nothing waits. */
    for (uint32_t i = 0; i < 4; i++) drop(w, made[i]);
    drop(w, text);
    assert_int_equal(w->heap.release_pending, 0);
    assert_int_equal(heap_objects(&w->heap), 0);
    assert_int_equal(w->heap.allocated, 5);
    assert_false(heap_release_step(&w->heap, 100));
    world_free(w);
}

static void test_heap_random_follows_its_seed(void **state)
{
    (void)state;
    struct world *a = world_new(7), *b = world_new(7), *c = world_new(8);
    uint64_t ones = 0, same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = heap_random(&a->heap);
        assert_true(x == heap_random(&b->heap));
        same += x == heap_random(&c->heap);
        ones += (uint64_t)__builtin_popcountll(x);
    }
    assert_int_equal(same, 0);
    assert_in_range(ones, 31000, 33000);
    world_free(a);
    world_free(b);
    world_free(c);
}

#ifdef HEAPD_DEBUG
static void test_heap_init_without_memory(void **state)
{
    (void)state;
    struct mem mem;
    struct clock clock = {0};
    struct heap heap;
    mem_init(&mem);
    mem.fail_at = 1;
    assert_int_equal(heap_init(&heap, &mem, &clock, &(struct hash_seed){{1}}), STATUS_OOM);
    assert_int_equal(mem.bytes, 0);
}

static void test_heap_container_new_without_memory(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    world_fails_at(w, 1, true);
    assert_null(heap_container_new(&w->heap, OBJ_LIST));
    world_fails_at(w, 0, false);
    assert_int_equal(heap_objects(&w->heap), 0);
    assert_int_equal(w->heap.allocated, 0);
    assert_sound(w);
    drop(w, keep(w, list_new(w)));
    world_free(w);
}
#endif

/* --- the release queue --- */

static void test_heap_release_newest_first(void **state)
{
    (void)state;
    struct world *w = node_world();
    struct obj *nodes[5];
    for (uint32_t i = 0; i < 5; i++) nodes[i] = node_new(w, i, 2);
    for (uint32_t i = 0; i < 5; i++) {
        rc_dec(&w->heap, nodes[i]);
        assert_int_equal(w->heap.release_pending, i + 1);
        assert_int_equal(heap_objects(&w->heap), 5);
        assert_int_equal(call_count, 0);
    }
    assert_sound(w);
    drain(w);
    assert_int_equal(call_count, 5);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(calls[i].id, 4 - i);
    world_free(w);
}

/* What a container that is being cleared lets go of is cleared after it, before what was older. */
static void test_heap_release_during_release(void **state)
{
    (void)state;
    struct world *w = node_world();
    struct obj *old = node_new(w, 0, 1), *parent = node_new(w, 1, 3);
    struct obj *first = node_new(w, 2, 1), *second = node_new(w, 3, 1), *shared = node_new(w, 4, 1);
    node_put(w, parent, 2, first);
    node_put(w, parent, 1, shared);
    node_put(w, parent, 0, second);
    rc_inc(&w->heap, shared);
    node_put(w, second, 0, shared);
    rc_dec(&w->heap, old);
    rc_dec(&w->heap, parent);
    assert_sound(w);
    uint64_t pending_max = 0;
    for (bool more = true; more;) {
        more = heap_release_step(&w->heap, 1);
        assert_true(more == (w->heap.release_pending > 0));
        assert_sound(w);
        if (w->heap.release_pending > pending_max) pending_max = w->heap.release_pending;
    }
    assert_int_equal(pending_max, 3); /* old and first beside parent, then beside second */
    static const uint32_t order[] = {1, 1, 1, 3, 4, 2, 0};
    assert_int_equal(call_count, 7);
    for (uint32_t i = 0; i < 7; i++) assert_int_equal(calls[i].id, order[i]);
    world_free(w);
}

/* The slots and containers of one step, as clear was told and did. */
static void assert_step_bounded(uint32_t from, uint32_t slots_max)
{
    uint64_t slots = 0, containers = 0;
    for (uint32_t i = from; i < call_count; i++) {
        assert_true(calls[i].asked > 0);
        assert_true(calls[i].asked + slots <= slots_max);
        slots += calls[i].cleared;
        containers += calls[i].done;
    }
    assert_true(slots <= slots_max);
    assert_true(containers <= slots_max);
}

static void test_heap_release_step_is_bounded(void **state)
{
    (void)state;
    static const uint32_t budgets[] = {1, 2, 3, 7, 32, 100, 100000};
    for (size_t b = 0; b < sizeof budgets / sizeof *budgets; b++) {
        struct world *w = node_world();
        uint64_t slots = 0;
        for (uint32_t i = 0; i < 300; i++) {
            uint32_t n = (uint32_t)draw(w, NODE_SLOTS_MAX + 1);
            struct obj *o = node_new(w, i, n);
            for (uint32_t s = 0; s < n; s += 3) node_put(w, o, s, text_new(w, "a long string"));
            slots += n;
            rc_dec(&w->heap, o);
        }
        uint64_t steps = 0, cleared = 0;
        for (bool more = true; more; steps++) {
            uint32_t from = call_count;
            uint64_t pending = w->heap.release_pending;
            more = heap_release_step(&w->heap, budgets[b]);
            assert_step_bounded(from, budgets[b]);
            assert_true(call_count > from);
            assert_true(w->heap.release_pending <= pending);
            assert_true(more == (w->heap.release_pending > 0));
        }
        for (uint32_t i = 0; i < call_count; i++) cleared += calls[i].cleared;
        assert_int_equal(cleared, slots);
        /* Nor is a step idle: it clears its share, but for the slots that its last container lacks.
         */
        assert_true(steps * budgets[b] <= 2 * (slots + 300) + budgets[b]);
        world_free(w);
    }
}

static void test_heap_release_step_of_nothing(void **state)
{
    (void)state;
    struct world *w = node_world();
    assert_false(heap_release_step(&w->heap, 0));
    rc_dec(&w->heap, node_new(w, 1, 3));
    assert_true(heap_release_step(&w->heap, 0));
    assert_int_equal(call_count, 0);
    assert_false(heap_release_step(&w->heap, 100));
    assert_false(heap_release_step(&w->heap, 100));
    world_free(w);
}

/* The candidate buffer keeps a dead cell's memory, and nothing else of it. */
static void test_heap_release_of_a_candidate(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *o = keep(w, list_new(w));
    push_take(w, o, list_new(w));
    rc_inc(&w->heap, o);
    rc_dec(&w->heap, o);
    assert_true(o->flags & OBJ_CANDIDATE);
    assert_int_equal(collect_backlog(&w->heap), 1);
    drop(w, o);
    assert_int_equal(w->heap.release_pending, 1);
    assert_sound(w);
    drain(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    assert_int_equal(collect_backlog(&w->heap), 0);
    assert_sound(w);
    world_free(w);
}

/* --- deep and wide --- */

enum { DEEP_LISTS = 1000000, STACK_BYTES = 128 << 10, STEP_SLOTS = 32 };

struct deep {
    struct world *w;
    struct obj *outermost;
    uint64_t steps, pending_max, freed_max;
};

/* No assertion here: cmocka's jump does not cross threads. */
static void *free_deep(void *ctx)
{
    struct deep *d = ctx;
    struct heap *h = &d->w->heap;
    rc_dec(h, d->outermost);
    for (bool more = true; more; d->steps++) {
        uint64_t before = heap_objects(h);
        more = heap_release_step(h, STEP_SLOTS);
        uint64_t freed = before - heap_objects(h);
        if (freed > d->freed_max) d->freed_max = freed;
        if (h->release_pending > d->pending_max) d->pending_max = h->release_pending;
    }
    return NULL;
}

static void test_heap_release_a_million_deep(void **state)
{
    (void)state;
    struct deep d = {.w = world_new(1)};
    d.outermost = list_new(d.w);
    for (uint32_t i = 1; i < DEEP_LISTS; i++) {
        struct obj *outer = list_new(d.w);
        push_take(d.w, outer, d.outermost);
        d.outermost = outer;
    }
    assert_int_equal(heap_objects(&d.w->heap), DEEP_LISTS);
    pthread_attr_t small;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&small), 0);
    assert_int_equal(pthread_attr_setstacksize(&small, STACK_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &small, free_deep, &d), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&small);
    assert_int_equal(heap_objects(&d.w->heap), 0);
    assert_int_equal(d.pending_max, 1);
    assert_true(d.freed_max <= STEP_SLOTS);
    assert_true(d.steps >= DEEP_LISTS / STEP_SLOTS);
    world_free(d.w);
}

/* A tree of lists of ten, with a text in each leaf. */
static struct obj *tree_new(struct world *w, int levels, const char *text, uint64_t *containers)
{
    struct obj *o = list_new(w);
    ++*containers;
    if (levels == 0) push_take(w, o, text_new(w, text));
    for (int i = 0; levels > 0 && i < 10; i++)
        push_take(w, o, tree_new(w, levels - 1, text, containers));
    return o;
}

/* A leaf that is packed is freed at once, with the slot that held it. */
static void release_a_tree(const char *text, uint64_t freed_max)
{
    struct world *w = world_new(1);
    uint64_t containers = 0, steps = 0, pending_max = 0;
    struct obj *tree = tree_new(w, 5, text, &containers);
    assert_int_equal(containers, 111111);
    assert_int_equal(heap_containers(&w->heap), containers);
    rc_dec(&w->heap, tree);
    assert_int_equal(w->heap.release_pending, 1);
    for (bool more = true; more; steps++) {
        uint64_t before = heap_containers(&w->heap), strings = w->heap.objects[OBJ_STRING];
        more = heap_release_step(&w->heap, STEP_SLOTS);
        assert_true(before - heap_containers(&w->heap) <= freed_max);
        assert_true(strings - w->heap.objects[OBJ_STRING] <= STEP_SLOTS);
        assert_true(more == (w->heap.release_pending > 0));
        if (w->heap.release_pending > pending_max) pending_max = w->heap.release_pending;
        if (steps % 1000 == 0) assert_sound(w); /* counts what waits */
    }
    assert_int_equal(heap_objects(&w->heap), 0);
    assert_true(steps >= containers / freed_max);
    /* Newest first goes down before it goes across: the queue is as long as the tree is deep, not
     * as it is wide. */
    assert_true(pending_max <= 5 * 10 + STEP_SLOTS);
    world_free(w);
}

static void test_heap_release_a_tree(void **state)
{
    (void)state;
    release_a_tree(LONG_TEXT, STEP_SLOTS);
    release_a_tree("a short text", 2 * STEP_SLOTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_container_new_counts),
        cmocka_unit_test(test_heap_random_follows_its_seed),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_heap_init_without_memory),
        cmocka_unit_test(test_heap_container_new_without_memory),
#endif
        cmocka_unit_test(test_heap_release_newest_first),
        cmocka_unit_test(test_heap_release_during_release),
        cmocka_unit_test(test_heap_release_step_is_bounded),
        cmocka_unit_test(test_heap_release_step_of_nothing),
        cmocka_unit_test(test_heap_release_of_a_candidate),
        cmocka_unit_test(test_heap_release_a_million_deep),
        cmocka_unit_test(test_heap_release_a_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
