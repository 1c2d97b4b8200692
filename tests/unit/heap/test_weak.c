/*
 * Weak references. Goal: one keeps nothing alive, reads as gone from the moment on in which its
 * target's count is zero or a trial has condemned it, and leaves its slot in bounded steps; whoever
 * asked is told once; and whatever order things die in, nothing is left behind.
 *
 * Method: slots of every type, targets that die by count and in cycles, with slices of one slot so
 * that every moment of a trial is looked at; the nth allocation fails; a random history in which
 * what the test can reach must be read, and what is read must live. heap_check() follows each step.
 */
#include "value/hash.h"
#include "value/set.h"
#include "value/zset.h"
#include "world.h"

static struct obj *container_new(struct world *w, enum obj_type type)
{
    struct obj *o = heap_container_new(&w->heap, type);
    assert_non_null(o);
    return o;
}

/* The count is the caller's. */
static val weak_val(struct world *w, struct obj *target)
{
    struct obj *o = weak_new(&w->heap, target);
    assert_non_null(o);
    return val_of_obj(o);
}

static struct needle field(struct world *w, const char *text)
{
    return needle_of_text(&w->heap, view_of(text));
}

static void hash_put(struct world *w, struct obj *hash, const char *name, val v)
{
    struct needle n = field(w, name);
    assert_int_equal(hash_set_take(&w->heap, hash, &n, v, NULL), STATUS_OK);
}

static val hash_read(struct world *w, const struct obj *hash, const char *name)
{
    struct needle n = field(w, name);
    return hash_get(hash, &n);
}

static void set_put(struct world *w, struct obj *set, struct obj *target)
{
    struct needle n = needle_of_val(&w->heap, val_of_obj(target));
    bool added;
    n.weakly = true;
    assert_int_equal(set_add(&w->heap, set, &n, &added), STATUS_OK);
}

static void zset_put(struct world *w, struct obj *zset, struct obj *target, double score)
{
    struct needle n = needle_of_val(&w->heap, val_of_obj(target));
    n.weakly = true;
    assert_int_equal(zset_set(&w->heap, zset, &n, score, NULL), STATUS_OK);
}

static void push_weak(struct world *w, struct obj *list, struct obj *target)
{
    assert_int_equal(list_push_take(&w->heap, list, LIST_TAIL, weak_val(w, target)), STATUS_OK);
}

/* Nothing of the pools is in use any more. */
static void finish(struct world *w)
{
    collect_all(w);
    while (weak_step(&w->heap, 100)) {
    }
    collect_all(w);
    assert_sound(w);
    struct pool_stats stats;
    pool_get_stats(w->heap.pool, &stats);
    assert_int_equal(stats.live_bytes, 0);
    assert_int_equal(w->heap.weak.left, 0);
    world_free(w);
}

/* --- ends --- */

static void test_keeps_nothing_alive(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *hash = keep(w, container_new(w, OBJ_HASH)), *target = keep(w, list_new(w));
    push(w, target, target);
    hash_put(w, hash, "f", weak_val(w, target));
    assert_int_equal(target->count, 2);
    assert_int_equal(target->roots, 0);
    assert_int_equal(target->flags & OBJ_WEAKLY, OBJ_WEAKLY);
    assert_int_equal(hash->flags & OBJ_VISIBLE, 0);
    assert_ptr_equal(val_obj(hash_read(w, hash, "f")), target);
    assert_int_equal(weak_count(&w->heap, target), 1);
    assert_sound(w);
    drop(w, target);
    collect_all(w);
    assert_true(val_is_none(hash_read(w, hash, "f")));
    drop(w, hash);
    finish(w);
}

/* Before any slot of the target is cleared. */
static void test_ends_at_count_zero(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct obj *hash = keep(w, container_new(w, OBJ_HASH)), *target = keep(w, list_new(w));
    struct obj *inner = keep(w, list_new(w));
    push(w, target, inner);
    hash_put(w, hash, "f", weak_val(w, target));
    drop(w, target);
    assert_int_equal(h->release_pending, 1);
    assert_int_equal(inner->count, 2);
    assert_true(val_is_none(hash_read(w, hash, "f")));
    assert_int_equal(hash_length(hash), 1);
    assert_int_equal(hash_shown(h, hash), 0);
    assert_true(weak_is_pending(h));
    assert_sound(w);
    assert_true(weak_step(h, 1));
    assert_int_equal(hash_length(hash), 0);
    assert_false(weak_step(h, 1));
    assert_false(weak_is_pending(h));
    assert_sound(w);
    drop(w, hash);
    drop(w, inner);
    finish(w);
}

/* The last weak reference takes the node along: the target pays for it no longer. */
static void test_the_last_reference_takes_the_node_along(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *target = keep(w, list_new(w));
    val a = weak_val(w, target), b = weak_val(w, target);
    assert_int_equal(weak_count(&w->heap, target), 2);
    val_release(&w->heap, a);
    assert_int_equal(weak_count(&w->heap, target), 1);
    val_release(&w->heap, b);
    assert_int_equal(weak_count(&w->heap, target), 0);
    assert_int_equal(target->flags & OBJ_WEAKLY, 0);
    assert_int_equal(w->heap.weak.nodes.used, 0);
    assert_sound(w);
    drop(w, target);
    finish(w);
}

/* However many refer to it, a target ends at once, and a step removes no more than it may. */
static void test_steps_are_bounded(void **state)
{
    (void)state;
    enum { REFERENCES = 1000, STEP = 7 };
    struct world *w = world_new(1);
    struct obj *hash = keep(w, container_new(w, OBJ_HASH)), *target = keep(w, list_new(w));
    char name[32];
    for (int i = 0; i < REFERENCES; i++) {
        snprintf(name, sizeof name, "a field of its own %d", i);
        hash_put(w, hash, name, weak_val(w, target));
    }
    drop(w, target);
    assert_int_equal(hash_length(hash), REFERENCES);
    uint64_t before = REFERENCES;
    while (weak_step(&w->heap, STEP)) {
        assert_true(before - hash_length(hash) <= STEP);
        before = hash_length(hash);
    }
    assert_int_equal(hash_length(hash), 0);
    drop(w, hash);
    finish(w);
}

/* --- slots --- */

static void test_slots_of_every_type(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct obj *target = keep(w, list_new(w)), *list = keep(w, list_new(w)),
               *hash = keep(w, container_new(w, OBJ_HASH)),
               *set = keep(w, container_new(w, OBJ_SET)),
               *zset = keep(w, container_new(w, OBJ_ZSET));
    push_weak(w, list, target);
    hash_put(w, hash, "f", weak_val(w, target));
    hash_put(w, hash, "stays", val_of_small(1));
    set_put(w, set, target);
    zset_put(w, zset, target, 1);
    assert_int_equal(weak_count(h, target), 4);
    assert_sound(w);
    drop(w, target);
    assert_sound(w);
    while (weak_step(h, 1)) assert_sound(w);
    assert_int_equal(list_length(list), 1);
    assert_true(val_is_nil(list_get(list, 0)));
    assert_int_equal(hash_length(hash), 1);
    assert_int_equal(set_length(set), 0);
    assert_int_equal(zset_length(zset), 0);
    assert_int_equal(h->objects[OBJ_WEAK], 1);
    assert_int_equal(h->weak.left, 1);
    drop(w, list);
    drop(w, hash);
    drop(w, set);
    drop(w, zset);
    finish(w);
}

/* What dies itself is left to be cleared, in whatever order. */
static void test_dying_owners_are_left_alone(void **state)
{
    (void)state;
    for (int order = 0; order < 4; order++) {
        struct world *w = world_new(1);
        struct heap *h = &w->heap;
        struct obj *set = keep(w, container_new(w, OBJ_SET)), *target = keep(w, list_new(w));
        set_put(w, set, target);
        drop(w, order % 2 ? set : target);
        drop(w, order % 2 ? target : set);
        assert_sound(w);
        if (order / 2) {
            while (weak_step(h, 1)) assert_sound(w);
            assert_int_equal(h->objects[OBJ_WEAK], 1);
            assert_int_equal(h->weak.left, 1);
        }
        drain(w);
        assert_sound(w);
        assert_int_equal(h->objects[OBJ_WEAK], 0);
        while (weak_step(h, 1)) assert_sound(w);
        finish(w);
    }
}

static void test_a_container_may_refer_to_itself(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *hash = keep(w, container_new(w, OBJ_HASH));
    hash_put(w, hash, "self", weak_val(w, hash));
    assert_sound(w);
    drop(w, hash);
    assert_sound(w);
    finish(w);
}

/* --- hooks --- */

struct told {
    uint64_t numbers[8];
    uint32_t count;
    const struct obj *emptied;
    const void *name;
};

static void tell_gone(void *ctx, uint64_t number)
{
    struct told *t = ctx;
    t->numbers[t->count++] = number;
}

static void tell_emptied(void *ctx, struct obj *o)
{
    ((struct told *)ctx)->emptied = o;
}

static void tell_name(void *ctx, void *name)
{
    ((struct told *)ctx)->name = name;
}

/* Once for each target that somebody knows by its number, when its slots are gone; in order. */
static void test_tells_who_is_gone(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct told told = {.count = 0};
    h->weak.gone = tell_gone;
    h->weak.gone_ctx = &told;
    struct obj *hash = keep(w, container_new(w, OBJ_HASH)), *a = keep(w, list_new(w)),
               *b = keep(w, list_new(w)), *unknown = keep(w, list_new(w)),
               *unreferred = keep(w, list_new(w));
    uint64_t of_a, of_b, of_unreferred;
    assert_int_equal(ident_number(h, a, &of_a), STATUS_OK);
    assert_int_equal(ident_number(h, b, &of_b), STATUS_OK);
    assert_int_equal(ident_number(h, unreferred, &of_unreferred), STATUS_OK);
    hash_put(w, hash, "a", weak_val(w, a));
    hash_put(w, hash, "again", weak_val(w, a));
    hash_put(w, hash, "b", weak_val(w, b));
    hash_put(w, hash, "unknown", weak_val(w, unknown));
    drop(w, b);
    drop(w, unknown);
    drop(w, unreferred);
    drop(w, a);
    assert_int_equal(told.count, 0);
    while (weak_step(h, 1))
        for (uint32_t i = 0; i < told.count; i++)
            assert_true(told.numbers[i] != of_a || hash_length(hash) == 0);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.numbers[0], of_b);
    assert_int_equal(told.numbers[1], of_a);
    drop(w, hash);
    finish(w);
}

/* The collector's, too, and also when nothing refers to them any more by the time of the step. */
static void test_tells_of_collected_cycles(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct told told = {.count = 0};
    h->weak.gone = tell_gone;
    h->weak.gone_ctx = &told;
    struct obj *ring = ring_new(w, 5, 1), *hash = container_new(w, OBJ_HASH);
    uint64_t number;
    assert_int_equal(ident_number(h, ring, &number), STATUS_OK);
    hash_put(w, hash, "f", weak_val(w, ring));
    push_take(w, ring, hash);
    rc_dec(h, ring);
    collect_all(w);
    while (weak_step(h, 1)) {
    }
    assert_int_equal(told.count, 1);
    assert_int_equal(told.numbers[0], number);
    finish(w);
}

static void test_tells_of_emptied_owners(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct told told = {.emptied = NULL};
    h->emptied = tell_emptied;
    h->emptied_ctx = &told;
    struct obj *set = keep(w, container_new(w, OBJ_SET));
    for (int round = 0; round < 3; round++) {
        struct obj *target = keep(w, list_new(w));
        set_put(w, set, target);
        bool added;
        struct needle text = field(w, "another member");
        if (round == 1) assert_int_equal(set_add(h, set, &text, &added), STATUS_OK);
        if (round == 2) set->flags |= OBJ_REFERRED;
        told.emptied = NULL;
        drop(w, target);
        while (weak_step(h, 1)) {
        }
        if (round == 0)
            assert_ptr_equal(told.emptied, set);
        else
            assert_null(told.emptied);
        if (round == 1) assert_true(set_remove(h, set, &text));
    }
    drop(w, set);
    finish(w);
}

static void test_asks_for_names_to_be_removed(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct told told = {.name = NULL};
    uint64_t name = 0;
    h->weak.unname = tell_name;
    h->weak.unname_ctx = &told;
    struct obj *target = keep(w, list_new(w)), *weak = weak_new(h, target);
    assert_non_null(weak);
    keep(w, weak);
    weak_set_name(weak, &name);
    assert_ptr_equal(weak_name((struct weak *)weak), &name);
    assert_null(weak_owner((struct weak *)weak));
    assert_sound(w);
    drop(w, target);
    assert_true(weak_step(h, 1));
    assert_ptr_equal(told.name, &name);
    while (weak_step(h, 1)) {
    }
    drop(w, weak);
    finish(w);
}

/* --- people --- */

struct seen {
    const struct obj *owners[4];
    uint32_t count, max;
};

static bool see(void *ctx, const struct weak *w)
{
    struct seen *s = ctx;
    s->owners[s->count++] = weak_owner(w);
    return s->count < s->max;
}

static void test_walk_gives_the_newest_first(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *target = keep(w, list_new(w)), *a = keep(w, list_new(w)), *b = keep(w, list_new(w));
    push_weak(w, a, target);
    push_weak(w, b, target);
    struct seen seen = {.max = 4};
    weak_walk(&w->heap, target, see, &seen);
    assert_int_equal(seen.count, 2);
    assert_ptr_equal(seen.owners[0], b);
    assert_ptr_equal(seen.owners[1], a);
    seen = (struct seen){.max = 1};
    weak_walk(&w->heap, target, see, &seen);
    assert_int_equal(seen.count, 1);
    seen = (struct seen){.max = 1};
    weak_walk(&w->heap, a, see, &seen);
    assert_int_equal(seen.count, 0);
    drop(w, a);
    drop(w, b);
    drop(w, target);
    finish(w);
}

/* --- the collector --- */

/* At every slice of a trial: what is condemned is read by nobody, before it is pinned, while it is,
 * and after; what lives is read. An owner that is condemned itself is left alone. */
static void test_the_condemned_are_gone(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    enum { RING = 6 };
    bool seen_before_pins = false, seen_pinned = false;
    struct obj *live = keep(w, ring_new(w, RING, 1)), *ring = keep(w, ring_new(w, RING, 1));
    struct obj *hash = keep(w, container_new(w, OBJ_HASH)), *at = ring;
    struct obj *inside = container_new(w, OBJ_HASH);
    char name[RING][16];
    struct obj *targets[RING];
    for (int i = 0; i < RING; i++, at = val_obj(list_get(at, 0))) {
        snprintf(name[i], sizeof name[i], "f%d", i);
        hash_put(w, hash, name[i], weak_val(w, at));
        hash_put(w, inside, name[i], weak_val(w, at));
        targets[i] = at;
    }
    push_take(w, ring, inside);
    hash_put(w, hash, "live", weak_val(w, live));
    /* A handle on each of the rings has been dropped; one of them lives by a reference. */
    drop(w, ring);
    rc_inc(h, live);
    rc_dec(h, live);
    h->collect.slice_slots_max = 1;
    uint64_t found, ticket = collect_full_begin(h);
    while (!collect_full_found(h, ticket, &found)) {
        collect_step(h, true);
        assert_sound(w);
        for (int i = 0; i < RING; i++) {
            val v = hash_read(w, hash, name[i]);
            bool before_pins = h->collect.phase == COLLECT_FREE &&
                               h->collect.free_pass == COLLECT_PINS && h->collect.next == 1;
            if (h->collect.phase != COLLECT_FREE && h->weak.nodes.used == RING + 1) {
                assert_ptr_equal(val_obj(v), targets[i]);
                continue;
            }
            assert_true(val_is_none(v));
            seen_before_pins |= before_pins;
            seen_pinned |= h->collect.free_pass == COLLECT_CLEARS;
        }
        assert_ptr_equal(val_obj(hash_read(w, hash, "live")), live);
        if (h->collect.phase == COLLECT_FREE) assert_int_equal(hash_shown(h, hash), 1);
    }
    assert_true(seen_before_pins && seen_pinned);
    assert_int_equal(found, RING); /* `inside`, which is not visible to it, died with them */
    while (weak_step(h, 1)) assert_sound(w);
    assert_int_equal(hash_length(hash), 1);
    drop(w, live);
    drop(w, hash);
    finish(w);
}

/* What is condemned is cleared by the collector alone: in the midst of that a slot could not be
 * removed (a zset's order goes before its members). */
static void test_the_condemned_are_left_to_the_collector(void **state)
{
    (void)state;
    enum { TARGETS = 40, TEXTS = 300 };
    for (int when = 0; when < 200; when++) {
        struct world *w = world_new(1);
        struct heap *h = &w->heap;
        struct obj *zset = keep(w, container_new(w, OBJ_ZSET)), *targets[TARGETS];
        struct needle self = needle_of_val(h, val_of_obj(zset));
        char name[48];
        assert_int_equal(zset_set(h, zset, &self, 1, NULL), STATUS_OK);
        for (int i = 0; i < TARGETS; i++) zset_put(w, zset, targets[i] = keep(w, list_new(w)), i);
        for (int i = 0; i < TEXTS; i++) {
            snprintf(name, sizeof name, "a member of the zset %d", i);
            struct needle n = field(w, name);
            assert_int_equal(zset_set(h, zset, &n, i, NULL), STATUS_OK);
        }
        drop(w, zset);
        h->collect.slice_slots_max = 4;
        uint64_t found, ticket = collect_full_begin(h);
        while (h->collect.phase != COLLECT_FREE) collect_step(h, true);
        for (int i = 0; i < when && h->collect.phase == COLLECT_FREE; i++) collect_step(h, true);
        for (int i = 0; i < TARGETS; i++) {
            drop(w, targets[i]);
            if (i % 2) weak_step(h, 1);
        }
        assert_sound(w);
        while (weak_step(h, 3)) assert_sound(w);
        while (!collect_full_found(h, ticket, &found)) collect_step(h, true);
        assert_int_equal(found, 1);
        finish(w);
    }
}

/* A reference that is taken through a weak one, in mid-trial, keeps the object. */
static void test_a_weak_read_rescues(void **state)
{
    (void)state;
    for (int slices = 0; slices < 60; slices++) {
        struct world *w = world_new(1);
        struct heap *h = &w->heap;
        struct obj *ring = keep(w, ring_new(w, 4, 1)), *hash = keep(w, container_new(w, OBJ_HASH));
        hash_put(w, hash, "f", weak_val(w, ring));
        drop(w, ring);
        h->collect.slice_slots_max = 1;
        uint64_t found, ticket = collect_full_begin(h);
        for (int i = 0; i < slices; i++) collect_step(h, true);
        val v = hash_read(w, hash, "f");
        if (!val_is_none(v)) {
            rc_inc(h, val_obj(v));
            keep(w, val_obj(v));
        }
        while (!collect_full_found(h, ticket, &found)) {
            collect_step(h, true);
            assert_sound(w);
        }
        if (!val_is_none(v)) {
            assert_int_equal(found, 0);
            assert_ptr_equal(val_obj(hash_read(w, hash, "f")), val_obj(v));
            drop(w, val_obj(v));
        } else {
            assert_int_equal(found, 4);
        }
        drop(w, hash);
        finish(w);
    }
}

/* --- memory --- */

static void test_without_memory_nothing_changes(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        struct world *w = world_new(1);
        struct obj *target = keep(w, list_new(w));
        world_fails_at(w, nth, false);
        struct obj *weak = weak_new(&w->heap, target);
        world_fails_at(w, 0, false);
        bool made = weak != NULL;
        if (made) {
            val_release(&w->heap, val_of_obj(weak));
        } else {
            assert_int_equal(target->flags & OBJ_WEAKLY, 0);
            assert_int_equal(w->heap.weak.nodes.used, 0);
        }
        assert_sound(w);
        drop(w, target);
        finish(w);
        if (made) break;
        assert_true(nth < 20);
    }
}

/* --- the check --- */

static void assert_found(struct world *w, const char *expected)
{
    char text[256];
    const char *wrong = heap_check(&w->heap, text);
    if (!wrong) fail_msg("not found: %s", expected);
    if (!strstr(wrong, expected)) fail_msg("'%s' instead of '%s'", wrong, expected);
}

static void test_check_finds_what_is_wrong(void **state)
{
    (void)state;
    static const char wrong[] = "the weak references are wrong";
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct obj *target = keep(w, list_new(w)), *hash = keep(w, container_new(w, OBJ_HASH));
    hash_put(w, hash, "f", weak_val(w, target));
    struct needle n = field(w, "f");
    struct weak *weak = (struct weak *)val_obj(hash_slot(hash, &n));
    assert_sound(w);

    target->flags ^= OBJ_WEAKLY;
    assert_found(w, wrong);
    target->flags ^= OBJ_WEAKLY;
    hash->flags |= OBJ_WEAKLY;
    assert_found(w, wrong);
    hash->flags ^= OBJ_WEAKLY;
    h->weak.left++;
    assert_found(w, wrong);
    h->weak.left--;
    struct weak **link = weak->link;
    weak->link = &weak->next;
    assert_found(w, wrong);
    weak->link = link;

    weak_set_owner(&weak->head, target);
    assert_found(w, "a hash breaks its invariants");
    weak_set_owner(&weak->head, hash);
    weak->field++;
    assert_found(w, "a hash breaks its invariants");
    weak->field--;
    weak->head.count++;
    assert_found(w, "weak: count is 2, but 1 references were found");
    weak->head.count--;
    assert_sound(w);
    drop(w, target);
    drop(w, hash);
    finish(w);
}

/* --- a random history --- */

enum { OBJECTS = 24, FIELDS = 6 };

/* Objects that the test knows by their numbers; those that it holds are reachable. */
struct play {
    struct world *w;
    uint64_t numbers[OBJECTS];
    bool held[OBJECTS];
};

static struct obj *alive(struct play *p, int i)
{
    return p->numbers[i] ? ident_find(&p->w->heap, p->numbers[i]) : NULL;
}

static void remake(struct play *p, int i)
{
    struct world *w = p->w;
    if (p->held[i]) drop(w, alive(p, i));
    struct obj *o = keep(w, container_new(w, OBJ_HASH));
    p->held[i] = true;
    assert_int_equal(ident_number(&w->heap, o, &p->numbers[i]), STATUS_OK);
}

static const char *draw_field(struct play *p)
{
    static const char *const names[FIELDS] = {
        "f0", "f1", "2", "a field with a long name", "another field with a long name", "f5"};
    return names[draw(p->w, FIELDS)];
}

static void play_step(struct play *p)
{
    struct world *w = p->w;
    int i = (int)draw(w, OBJECTS), k = (int)draw(w, OBJECTS);
    struct obj *o = alive(p, i), *target = alive(p, k);
    struct needle n = field(w, draw_field(p));
    val v;
    switch (draw(w, 8)) {
    case 0:
        if (!o || draw(w, 3) == 0) remake(p, i);
        break;
    case 1:
        if (p->held[i] && draw(w, 2)) {
            p->held[i] = false;
            drop(w, o);
        }
        break;
    case 2:
        if (!o || !target) break;
        rc_inc(&w->heap, target);
        assert_int_equal(hash_set_take(&w->heap, o, &n, val_of_obj(target), NULL), STATUS_OK);
        break;
    case 3:
    case 4:
        if (!o || !target) break;
        assert_int_equal(hash_set_take(&w->heap, o, &n, weak_val(w, target), NULL), STATUS_OK);
        break;
    case 5:
        if (!o) break;
        rc_inc(&w->heap, o); /* the field may be what it lives by */
        hash_delete(&w->heap, o, &n);
        rc_dec(&w->heap, o);
        break;
    case 6: /* what is read can be held */
        v = o ? hash_get(o, &n) : VAL_NONE;
        if (val_is_none(v)) break;
        for (k = 0; k < OBJECTS; k++)
            if (alive(p, k) == val_obj(v) && !p->held[k]) {
                rc_inc(&w->heap, val_obj(v));
                keep(w, val_obj(v));
                p->held[k] = true;
                break;
            }
        break;
    default:
        if (draw(w, 8) == 0) collect_full_begin(&w->heap);
        for (uint64_t left = draw(w, 16); left > 0; left--) collect_step(&w->heap, true);
        if (draw(w, 2)) weak_step(&w->heap, 1);
        if (draw(w, 2)) heap_release_step(&w->heap, 1);
        break;
    }
}

static void look(void *ctx, val name, val value)
{
    struct play *p = ctx;
    (void)name;
    assert_true(val_is_container(value) && val_obj(value)->count > 0);
    assert_false(collect_is_condemned(&p->w->heap, val_obj(value)));
}

static void test_a_random_history(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct play p = {.w = world_new(seed)};
        struct heap *h = &p.w->heap;
        h->collect.slice_slots_max = 1;
        for (int i = 0; i < 3000; i++) {
            play_step(&p);
            if (i % 4 == 0) assert_sound(p.w);
            for (int k = 0; k < OBJECTS; k++) {
                struct obj *o = p.held[k] ? alive(&p, k) : NULL;
                uint64_t cursor = 0;
                assert_true(o || !p.held[k]);
                if (!o) continue;
                while (hash_walk(o, &cursor, 100, look, &p)) {
                }
                assert_true(hash_shown(h, o) <= hash_length(o));
            }
        }
        assert_true(h->collect.stats.collected_objects > 0);
        for (int k = 0; k < OBJECTS; k++)
            if (p.held[k]) drop(p.w, alive(&p, k));
        finish(p.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_nothing_alive),
        cmocka_unit_test(test_ends_at_count_zero),
        cmocka_unit_test(test_the_last_reference_takes_the_node_along),
        cmocka_unit_test(test_steps_are_bounded),
        cmocka_unit_test(test_slots_of_every_type),
        cmocka_unit_test(test_dying_owners_are_left_alone),
        cmocka_unit_test(test_a_container_may_refer_to_itself),
        cmocka_unit_test(test_tells_who_is_gone),
        cmocka_unit_test(test_tells_of_collected_cycles),
        cmocka_unit_test(test_tells_of_emptied_owners),
        cmocka_unit_test(test_asks_for_names_to_be_removed),
        cmocka_unit_test(test_walk_gives_the_newest_first),
        cmocka_unit_test(test_the_condemned_are_gone),
        cmocka_unit_test(test_the_condemned_are_left_to_the_collector),
        cmocka_unit_test(test_a_weak_read_rescues),
        cmocka_unit_test(test_without_memory_nothing_changes),
        cmocka_unit_test(test_check_finds_what_is_wrong),
        cmocka_unit_test(test_a_random_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
