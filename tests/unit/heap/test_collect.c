/*
 * The collector under random commands. Goal: no live object is ever condemned, no garbage is left
 * after quiet collections, and all counts add up at every moment, whatever happens between two
 * slices.
 *
 * Method: a world of containers of all four types, held by a few roots, is changed at random
 * (references stored, removed, moved, overwritten; containers emptied, grown in mid-scan, dropped),
 * with slices of one slot or of a few between two changes. After each slice a trace from the roots,
 * which uses nothing of the collector, must find no condemned object; heap_check() recounts every
 * so often.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap/check.h"
#include "heap/collect_parts.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/zset.h"

enum { ROOTS = 12, FIELDS = 40 };

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct obj *roots[ROOTS];
    struct heap_holder holder;
    uint64_t seed;
    uint64_t condemned_seen; /* slices that ended with something condemned */
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

static void each_root(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct world *w = self;
    for (int i = 0; i < ROOTS; i++)
        if (w->roots[i]) visit(ctx, w->roots[i], HEAP_HOLD_ROOT);
}

static void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.seed = seed};
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{seed}}),
                     STATUS_OK);
    value_init(&w->heap, &w->values);
    w->holder = (struct heap_holder){.name = "roots", .each = each_root, .self = w};
    heap_add_holder(&w->heap, &w->holder);
    w->heap.collect.slice_slots_max = 1;
    w->heap.collect.threshold = 4;
    w->heap.collect.threshold_fixed = true;
}

static void root_set(struct world *w, uint64_t i, struct obj *o)
{
    struct obj *old = w->roots[i];
    if (o) {
        rc_inc(&w->heap, o);
        assert_int_equal(rc_root_add(&w->heap, o), STATUS_OK);
    }
    w->roots[i] = o;
    if (!old) return;
    rc_root_drop(&w->heap, old);
    rc_dec(&w->heap, old);
}

static struct obj *make(struct world *w)
{
    static const enum obj_type types[] = {OBJ_LIST, OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_ZSET};
    struct obj *o = heap_container_new(&w->heap, types[draw(w, 5)]);
    assert_non_null(o);
    return o;
}

/* --- picking something that a client could reach --- */

struct pick {
    struct world *w;
    struct obj *chosen;
    uint64_t seen;
};

static void pick_one(void *ctx, struct obj *o)
{
    struct pick *p = ctx;
    if (obj_is_container(o) && draw(p->w, ++p->seen) == 0) p->chosen = o;
}

/* A random walk from a root: what it ends at is alive. */
static struct obj *pick(struct world *w)
{
    struct obj *at = w->roots[draw(w, ROOTS)];
    for (uint64_t steps = draw(w, 6); at && steps; steps--) {
        struct pick p = {.w = w};
        const struct heap_type *type = w->heap.types[at->type];
        if (!obj_body(at)) break;
        uint64_t end = type->end(at);
        for (uint64_t c = type->begin(at); c < end;) c = type->visit(at, c, end, 64, pick_one, &p);
        if (!p.chosen) break;
        at = p.chosen;
    }
    return at;
}

/* --- changes --- */

static struct needle text_needle(struct world *w, char text[32])
{
    int n = snprintf(text, 32, draw(w, 2) ? "f%u" : "a longer field name %u",
                     (unsigned)draw(w, FIELDS));
    return needle_of_text(&w->heap, (struct view){text, (size_t)n});
}

static void list_store(struct world *w, struct obj *o, val v)
{
    uint64_t n = list_length(o);
    val_retain(&w->heap, v);
    switch (draw(w, 5)) {
    case 0:
        if (n)
            assert_int_equal(list_set_take(&w->heap, o, draw(w, n), v), STATUS_OK);
        else
            val_release(&w->heap, v);
        break;
    case 1: assert_int_equal(list_insert_take(&w->heap, o, draw(w, n + 1), v), STATUS_OK); break;
    case 2: assert_int_equal(list_push_take(&w->heap, o, LIST_HEAD, v), STATUS_OK); break;
    default: assert_int_equal(list_push_take(&w->heap, o, LIST_TAIL, v), STATUS_OK); break;
    }
}

static void store(struct world *w, struct obj *o, val v)
{
    struct heap *h = &w->heap;
    char text[32];
    struct needle field = text_needle(w, text), member = needle_of_val(h, v);
    bool added;
    switch (o->type) {
    case OBJ_LIST: list_store(w, o, v); break;
    case OBJ_HASH:
        val_retain(h, v);
        assert_int_equal(hash_set_take(h, o, &field, v, NULL), STATUS_OK);
        break;
    case OBJ_SET: assert_int_equal(set_add(h, o, &member, &added), STATUS_OK); break;
    default: assert_int_equal(zset_set(h, o, &member, (double)draw(w, 9), NULL), STATUS_OK); break;
    }
}

static void store_text(struct world *w, struct obj *o)
{
    char text[32];
    struct needle n = text_needle(w, text);
    val v;
    assert_int_equal(needle_take_value(&w->heap, &n, &v), STATUS_OK);
    store(w, o, v);
    val_release(&w->heap, v);
}

static void list_shrink(struct world *w, struct obj *o)
{
    uint64_t n = list_length(o);
    if (draw(w, 8) == 0) {
        uint64_t first = draw(w, n);
        assert_int_equal(list_trim(&w->heap, o, first, draw(w, n - first + 1)), STATUS_OK);
    } else if (draw(w, 4) == 0) {
        val v; /* a needle borrows: it must outlive the slots that it removes */
        assert_int_equal(val_keep(&w->heap, list_get(o, draw(w, n)), &v), STATUS_OK);
        struct needle needle = needle_of_val(&w->heap, v);
        list_remove_matching(&w->heap, o, &needle, draw(w, 2) ? LIST_HEAD : LIST_TAIL,
                             1 + draw(w, 3));
        val_release(&w->heap, v);
    } else {
        val_release(&w->heap, list_pop(&w->heap, o, draw(w, 2) ? LIST_HEAD : LIST_TAIL));
    }
}

static void take_first(void *ctx, val member, double score)
{
    (void)score;
    *(val *)ctx = member;
}

static void shrink(struct world *w, struct obj *o)
{
    struct heap *h = &w->heap;
    char text[32];
    struct needle field = text_needle(w, text);
    if (!obj_body(o)) return;
    if (o->type == OBJ_LIST) {
        list_shrink(w, o);
    } else if (o->type == OBJ_HASH) {
        hash_delete(h, o, &field);
    } else if (o->type == OBJ_SET) {
        struct needle member = needle_of_val(h, set_random(h, o));
        set_remove(h, o, &member);
    } else {
        val first = VAL_NONE;
        for (uint64_t at = zset_scan(o, 0, take_first, &first); at && val_is_none(first);)
            at = zset_scan(o, at, take_first, &first);
        struct needle member = needle_of_val(h, first);
        if (!val_is_none(first)) zset_remove(h, o, &member);
    }
}

/* LMOVE, SMOVE: a reference changes its place with its count. */
static void move(struct world *w, struct obj *from, struct obj *to)
{
    struct heap *h = &w->heap;
    if (from->type == OBJ_LIST && to->type == OBJ_LIST && list_length(from)) {
        val v = list_pop(h, from, draw(w, 2) ? LIST_HEAD : LIST_TAIL);
        bool stays = val_is_container(v); /* a string may be packed, and gone as an object */
        assert_int_equal(list_push_take(h, to, draw(w, 2) ? LIST_HEAD : LIST_TAIL, v), STATUS_OK);
        if (stays) val_moved(h, v);
    }
}

static void change(struct world *w)
{
    struct obj *a = pick(w), *b = pick(w);
    uint64_t what = draw(w, 100);
    if (!a || !b) {
        struct obj *o = make(w);
        root_set(w, draw(w, ROOTS), o);
        rc_dec(&w->heap, o);
    } else if (what < 35) {
        struct obj *o = make(w);
        if (draw(w, 3) == 0) store(w, o, val_of_obj(b));
        store(w, a, val_of_obj(o));
        rc_dec(&w->heap, o);
    } else if (what < 60) {
        store(w, a, val_of_obj(b));
    } else if (what < 66) {
        store_text(w, a);
    } else if (what < 84) {
        shrink(w, a);
    } else if (what < 92) {
        move(w, a, b);
    } else if (what < 96) {
        root_set(w, draw(w, ROOTS), b);
    } else {
        root_set(w, draw(w, ROOTS), NULL);
    }
}

/* --- the tests --- */

static void assert_sound(struct world *w)
{
    char text[256];
    const char *wrong = heap_check(&w->heap, text);
    if (wrong) fail_msg("%s", wrong);
}

static void assert_no_live_condemned(struct world *w)
{
    if (w->heap.collect.phase != COLLECT_FREE) return;
    w->condemned_seen++;
    struct heap_trace trace = heap_trace(&w->heap);
    assert_false(trace.failed);
    assert_int_equal(trace.condemned, 0);
}

static void collect_all(struct world *w)
{
    collect_freeze(&w->heap, false);
    while (w->heap.collect.freezing) collect_step(&w->heap, true);
    for (int rounds = 0; rounds < 2; rounds++) {
        uint64_t found, ticket = collect_full_begin(&w->heap);
        while (!collect_full_found(&w->heap, ticket, &found)) {
            collect_step(&w->heap, true);
            heap_release_step(&w->heap, 8);
        }
        while (heap_release_step(&w->heap, 64)) {
        }
    }
}

static void run_history(uint64_t seed, int steps)
{
    struct world *w = calloc(1, sizeof *w);
    world_init(w, seed);
    w->heap.collect.eager = true; /* no rest after a trial that found little */
    for (int i = 0; i < steps; i++) {
        change(w);
        if (i % 512 == 0) /* most often one slot; now and then enough for batches */
            w->heap.collect.slice_slots_max = draw(w, 4) ? 1 : 2 + (uint32_t)draw(w, 48);
        if (i % 512 == 256) w->heap.collect.sort_min = draw(w, 3) ? 1 : COLLECT_SORT_MIN;
        for (uint64_t slices = draw(w, 4); slices; slices--) collect_step(&w->heap, draw(w, 2));
        if (draw(w, 8) == 0) heap_release_step(&w->heap, 1 + (uint32_t)draw(w, 16));
        if (draw(w, 500) == 0) collect_enable(&w->heap, draw(w, 2));
        if (draw(w, 1000) == 0) collect_freeze(&w->heap, draw(w, 2));
        assert_no_live_condemned(w);
        if (i % 64 == 0) assert_sound(w);
        if (i % 2000 == 1999) {
            collect_all(w);
            assert_sound(w);
            struct heap_trace trace = heap_trace(&w->heap);
            assert_int_equal(trace.objects, heap_objects(&w->heap));
        }
    }
    for (uint64_t i = 0; i < ROOTS; i++) root_set(w, i, NULL);
    collect_all(w);
    assert_sound(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    assert_true(w->condemned_seen > 0);
    assert_int_equal(w->heap.collect.stats.faults, 0);
    heap_fini(&w->heap);
    assert_int_equal(w->mem.bytes, 0);
    mem_fini(&w->mem);
    free(w);
}

static void test_collect_random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) run_history(seed * 7919, 10000);
}

static struct obj *ring(struct world *w, int n)
{
    struct obj *first = heap_container_new(&w->heap, OBJ_LIST), *last = first;
    for (int i = 1; i < n; i++) {
        struct obj *o = heap_container_new(&w->heap, OBJ_LIST);
        assert_int_equal(list_push_take(&w->heap, last, LIST_TAIL, val_of_obj(o)), STATUS_OK);
        last = o;
    }
    rc_inc(&w->heap, first);
    assert_int_equal(list_push_take(&w->heap, last, LIST_TAIL, val_of_obj(first)), STATUS_OK);
    return first;
}

static void test_collect_frees_a_ring(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    rc_dec(&w->heap, ring(w, 1000));
    assert_int_equal(heap_objects(&w->heap), 1000);
    uint64_t found, ticket = collect_full_begin(&w->heap);
    while (!collect_full_found(&w->heap, ticket, &found)) collect_step(&w->heap, true);
    assert_int_equal(found, 1000);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    free(w);
}

static void test_collect_does_not_enter_what_a_root_holds(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    struct obj *o = ring(w, 1000), *candidate = heap_container_new(&w->heap, OBJ_LIST);
    root_set(w, 0, o);
    rc_inc(&w->heap, o);
    assert_int_equal(list_push_take(&w->heap, candidate, LIST_TAIL, val_of_obj(o)), STATUS_OK);
    rc_inc(&w->heap, candidate);
    assert_int_equal(list_push_take(&w->heap, candidate, LIST_TAIL, val_of_obj(candidate)),
                     STATUS_OK);
    rc_dec(&w->heap, candidate);
    rc_dec(&w->heap, o);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 1000);
    assert_true(w->heap.collect.stats.last[0].reached <= 2);
    root_set(w, 0, NULL);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    free(w);
}

/* Candidates are noted while the collector is off, dead ones are shed, and ENABLE finds them. */
static void test_collect_disabled_notes_candidates(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    collect_enable(&w->heap, false);
    for (int i = 0; i < 500; i++) rc_dec(&w->heap, ring(w, 3));
    for (int i = 0; i < 1000; i++) collect_step(&w->heap, true);
    assert_int_equal(heap_objects(&w->heap), 1500);
    assert_sound(w);
    collect_enable(&w->heap, true);
    while (collect_step(&w->heap, true)) {
    }
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    assert_sound(w);
    heap_fini(&w->heap);
    free(w);
}

/* What is frozen is a root to the collector, and a candidate when it is thawed. */
static void test_collect_leaves_the_frozen(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    struct obj *o = ring(w, 100);
    collect_freeze(&w->heap, true);
    while (w->heap.collect.freezing) collect_step(&w->heap, true);
    assert_int_equal(w->heap.collect.frozen, 100);
    rc_dec(&w->heap, o);
    rc_dec(&w->heap, ring(w, 50));
    uint64_t found, ticket = collect_full_begin(&w->heap);
    while (!collect_full_found(&w->heap, ticket, &found)) collect_step(&w->heap, true);
    assert_int_equal(found, 50);
    assert_int_equal(heap_objects(&w->heap), 100);
    collect_all(w);
    assert_int_equal(w->heap.collect.frozen, 0);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    free(w);
}

static struct obj *named_list(struct world *w, uint64_t root)
{
    struct obj *o = heap_container_new(&w->heap, OBJ_LIST);
    root_set(w, root, o);
    rc_dec(&w->heap, o);
    return o;
}

static void push(struct world *w, struct obj *o, struct obj *target)
{
    rc_inc(&w->heap, target);
    assert_int_equal(list_push_take(&w->heap, o, LIST_TAIL, val_of_obj(target)), STATUS_OK);
}

/* --- many condemned --- */

static void assert_in_buckets(const struct collect *c)
{
    uintptr_t bucket = 0;
    assert_true(c->places >= COLLECT_SORT_MIN);
    for (uint32_t place = 1; place <= c->places; place++) {
        uintptr_t next = ((uintptr_t)place_at(c, place)->o - c->sort.least) >> c->sort.shift;
        assert_true(next >= bucket);
        bucket = next;
    }
    assert_true(bucket < COLLECT_SORT_BUCKETS && bucket > COLLECT_SORT_BUCKETS / 2);
}

/* Pairs that refer to each other, each of two cells far apart, come up at random; a list with a
 * name refers to some of them. Whatever is freed is first brought into the order of its addresses.
 */
static void test_collect_sorts_the_condemned(void **state)
{
    enum { PAIRS = 6000, LIVE_EVERY = 5, LIVE = PAIRS / LIVE_EVERY };
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    struct obj *keeper = named_list(w, 0), **at = calloc(2 * PAIRS, sizeof(struct obj *));
    for (int i = 0; i < 2 * PAIRS; i++) at[i] = heap_container_new(&w->heap, OBJ_LIST);
    for (uint64_t i = 2 * PAIRS - 1; i > 0; i--) {
        uint64_t j = draw(w, i + 1);
        struct obj *o = at[i];
        at[i] = at[j];
        at[j] = o;
    }
    for (int i = 0; i < PAIRS; i++) {
        push(w, at[2 * i], at[2 * i + 1]);
        push(w, at[2 * i + 1], at[2 * i]);
        if (i % LIVE_EVERY == 0) push(w, keeper, at[2 * i]);
    }
    for (int i = 0; i < 2 * PAIRS; i++) rc_dec(&w->heap, at[i]);
    struct collect *c = &w->heap.collect;
    c->slice_slots_max = 64;
    uint64_t found, ticket = collect_full_begin(&w->heap), sorted = 0;
    for (uint64_t i = 0; !collect_full_found(&w->heap, ticket, &found); i++) {
        bool sorts = c->phase == COLLECT_FREE && c->free_pass == COLLECT_SORTS;
        collect_step(&w->heap, true);
        if (sorts && c->free_pass == COLLECT_CLEARS) {
            sorted++;
            assert_in_buckets(c);
        }
        if (i % 64 == 0 || sorts) assert_sound(w);
    }
    assert_int_equal(sorted, 1);
    assert_int_equal(found, 2 * (PAIRS - LIVE));
    assert_int_equal(c->stats.last[0].reached, 2 * PAIRS);
    assert_int_equal(heap_objects(&w->heap), 2 * LIVE + 1);
    root_set(w, 0, NULL);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    free(at);
    free(w);
}

/* Candidates that came up during a trial that finds little wait until the rest after it is over. */
static void test_collect_rests_before_the_next_trial(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    struct obj *keeper = named_list(w, 0), *of[8];
    for (int i = 0; i < 8; i++) {
        of[i] = heap_container_new(&w->heap, OBJ_LIST);
        push(w, keeper, of[i]);
        push(w, of[i], keeper);
        rc_dec(&w->heap, of[i]);
    }
    struct collect *c = &w->heap.collect;
    while (c->phase != COLLECT_GRAY || c->take_left) collect_step(&w->heap, true);
    for (int i = 0; i < 8; i++) {
        rc_inc(&w->heap, of[i]);
        rc_dec(&w->heap, of[i]);
    }
    assert_int_equal(c->candidates.count, 8);
    c->slice_slots_max = 0;
    c->budget_ns = 1000000000;
    uint64_t ended = c->stats.ended;
    collect_step(&w->heap, false);
    assert_int_equal(c->stats.ended, ended + 1);
    assert_int_equal(c->phase, COLLECT_IDLE);
    assert_true(c->stats.last[0].reached > 0 && c->stats.last[0].ns > 0);
    assert_true(c->rest_until_ns > 0);
    assert_false(collect_step(&w->heap, false));
    root_set(w, 0, NULL);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    free(w);
}

static void candidates_again(struct world *w, struct obj *const *of, int n)
{
    for (int i = 0; i < n; i++) {
        rc_inc(&w->heap, of[i]);
        rc_dec(&w->heap, of[i]);
    }
}

/* By a simulated clock: enough candidates to start a trial do not, until the rest is over. */
static void test_collect_rest_lasts(void **state)
{
    (void)state;
    enum { LISTS = 64 };
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    clock_simulate(&w->clock, &(struct clock_simulation){.mono_ns = 1000, .reading_ns = 1000});
    struct collect *c = &w->heap.collect;
    struct obj *keeper = named_list(w, 0), *of[LISTS];
    for (int i = 0; i < LISTS; i++) {
        of[i] = heap_container_new(&w->heap, OBJ_LIST);
        push(w, keeper, of[i]);
        push(w, of[i], keeper);
        rc_dec(&w->heap, of[i]);
    }
    c->slice_slots_max = 0;
    c->budget_ns = 1000000;
    while (c->stats.ended == 0) collect_step(&w->heap, false);
    assert_int_equal(c->phase, COLLECT_IDLE);
    int64_t began = w->clock.now_ns, rest = c->rest_until_ns - began;
    assert_true(rest > COLLECT_REST_NS_MIN - 1000000 && rest <= COLLECT_REST_NS_MAX);
    clock_advance(&w->clock, rest * 6 / 10); /* so that quiet is not over before the rest is */
    candidates_again(w, of, LISTS);
    assert_false(collect_has_work(&w->heap, false));
    assert_false(collect_has_work(&w->heap, true));
    assert_true(collect_due_ns(&w->heap) >= c->rest_until_ns);
    clock_advance(&w->clock, c->rest_until_ns - w->clock.now_ns - 100000);
    assert_false(collect_has_work(&w->heap, false));
    clock_advance(&w->clock, 200000);
    assert_true(collect_has_work(&w->heap, false));
    root_set(w, 0, NULL);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    free(w);
}

/* A trial that is overtaken by the growth of memory gets more of each turn. */
static void test_collect_owes_slices_while_memory_grows(void **state)
{
    (void)state;
    enum { PART = COLLECT_GROWTH_BYTES_MIN / COLLECT_SLICES_OWED_MAX };
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    struct collect *c = &w->heap.collect;
    rc_dec(&w->heap, ring(w, 1000));
    c->bytes_mark = w->mem.bytes;
    assert_int_equal(collect_slices_owed(&w->heap), 1);
    c->eager = true;
    while (c->phase == COLLECT_IDLE) collect_step(&w->heap, false);
    assert_int_equal(collect_slices_owed(&w->heap), 1);
    void *some = mem_alloc(&w->mem, 5 * (size_t)PART);
    assert_int_equal(collect_slices_owed(&w->heap), 6);
    void *more = mem_alloc(&w->mem, 30 * (size_t)PART);
    assert_int_equal(collect_slices_owed(&w->heap), COLLECT_SLICES_OWED_MAX);
    while (c->phase != COLLECT_IDLE) collect_step(&w->heap, false);
    assert_int_equal(collect_slices_owed(&w->heap), 1);
    mem_free(&w->mem, some, 5 * (size_t)PART);
    mem_free(&w->mem, more, 30 * (size_t)PART);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
    free(w);
}

/* Two candidates; the first is taken and rescued, then both become garbage, then the second is
 * taken. */
static void test_collect_rescued_while_candidates_are_taken(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    w->heap.collect.threshold = 1;
    struct obj *a = named_list(w, 0), *b = named_list(w, 1);
    push(w, a, b);
    push(w, b, a);
    root_set(w, 0, NULL);
    root_set(w, 1, NULL);
    root_set(w, 1, b); /* a client finds b again through a */
    assert_int_equal(w->heap.collect.candidates.count, 2);
    for (int i = 0; i < 2; i++) collect_step(&w->heap, true);
    assert_int_equal(w->heap.collect.take_left, 1);
    push(w, a, a);
    root_set(w, 1, NULL);
    collect_all(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    free(w);
}

/* A dead object whose slots are not cleared yet refers to a condemned one: no identity may find
 * that, emptied, at any moment. */
static void test_collect_condemned_are_not_found_through_the_dead(void **state)
{
    (void)state;
    uint64_t condemned = 0;
    for (int after = 1; after < 24; after++) {
        struct world *w = calloc(1, sizeof *w);
        world_init(w, 1);
        w->heap.collect.threshold = 1;
        struct obj *z = named_list(w, 0), *d = named_list(w, 1), *x = named_list(w, 2);
        push(w, z, d);
        push(w, d, x);
        push(w, x, x);
        uint64_t number;
        assert_int_equal(ident_number(&w->heap, x, &number), STATUS_OK);
        root_set(w, 2, NULL);
        root_set(w, 1, NULL);
        for (int i = 0; i < after; i++) collect_step(&w->heap, true);
        val_release(&w->heap, list_pop(&w->heap, z, LIST_HEAD)); /* d dies */
        for (int i = 0; i < 60; i++) {
            collect_step(&w->heap, true);
            struct obj *found = ident_find(&w->heap, number);
            if (found) assert_int_equal(list_length(found), 1);
            condemned += w->heap.collect.phase == COLLECT_FREE;
        }
        collect_all(w);
        assert_int_equal(heap_objects(&w->heap), 1);
        root_set(w, 0, NULL);
        heap_fini(&w->heap);
        free(w);
    }
    assert_true(condemned > 0);
}

#ifdef HEAPD_DEBUG
/* Without memory for a place the trial is abandoned; without memory for a candidate the cells are
 * walked. Nothing is lost. */
static void test_collect_without_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 40; n++) {
        struct world *w = calloc(1, sizeof *w);
        world_init(w, 1);
        struct obj *rings[300];
        for (int i = 0; i < 300; i++) rings[i] = ring(w, 3);
        w->mem.fail_at = n;
        w->mem.fail_on = n % 2;
        for (int i = 0; i < 300; i++) rc_dec(&w->heap, rings[i]);
        for (int i = 0; i < 3000; i++) collect_step(&w->heap, true);
        w->mem.fail_at = 0;
        w->mem.fail_on = false;
        assert_sound(w);
        collect_all(w);
        assert_int_equal(heap_objects(&w->heap), 0);
        assert_sound(w);
        heap_fini(&w->heap);
        assert_int_equal(w->mem.bytes, 0);
        free(w);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect_random_histories),
        cmocka_unit_test(test_collect_frees_a_ring),
        cmocka_unit_test(test_collect_does_not_enter_what_a_root_holds),
        cmocka_unit_test(test_collect_disabled_notes_candidates),
        cmocka_unit_test(test_collect_leaves_the_frozen),
        cmocka_unit_test(test_collect_sorts_the_condemned),
        cmocka_unit_test(test_collect_rests_before_the_next_trial),
        cmocka_unit_test(test_collect_rest_lasts),
        cmocka_unit_test(test_collect_owes_slices_while_memory_grows),
        cmocka_unit_test(test_collect_rescued_while_candidates_are_taken),
        cmocka_unit_test(test_collect_condemned_are_not_found_through_the_dead),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_collect_without_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
