/*
 * Goal: a copy equals what it was made from, shares what it says it shares, and is made whole or
 * not at all. Method: small shapes of which every reference is looked at, and random graphs of all
 * types, walked beside their copies; the nth allocation fails, for every n.
 */
#include "containers.h"

#include "value/copy.h"
#include "value/zset.h"

static struct obj *container(struct world *w, enum obj_type type)
{
    struct obj *o = heap_container_new(&w->heap, type);
    assert_non_null(o);
    return o;
}

static void push(struct world *w, struct obj *list, val v)
{
    val_retain(&w->heap, v);
    assert_int_equal(list_push_take(&w->heap, list, LIST_TAIL, v), STATUS_OK);
}

static void put(struct world *w, struct obj *hash, const char *field, val v)
{
    struct needle n = needle_of_text(&w->heap, view_of(field));
    val_retain(&w->heap, v);
    assert_int_equal(hash_set_take(&w->heap, hash, &n, v, NULL), STATUS_OK);
}

static val at_field(struct world *w, const struct obj *hash, const char *field)
{
    struct needle n = needle_of_text(&w->heap, view_of(field));
    return hash_get(hash, &n);
}

static void add(struct world *w, struct obj *set, val v)
{
    struct needle n = needle_of_val(&w->heap, v);
    bool added;
    assert_int_equal(set_add(&w->heap, set, &n, &added), STATUS_OK);
}

static void score(struct world *w, struct obj *zset, double s, val v)
{
    struct needle n = needle_of_val(&w->heap, v);
    assert_int_equal(zset_set(&w->heap, zset, &n, s, NULL), STATUS_OK);
}

/* The subject is what is copied; its copy is held by the caller. */
static struct obj *copy(struct world *w, enum copy_depth depth)
{
    val v = VAL_NONE;
    assert_int_equal(copy_value(&w->heap, val_of_obj(w->subject), depth, &v), STATUS_OK);
    assert_true(val_is_container(v));
    assert_int_equal(val_type(v), w->subject->type);
    assert_true(val_obj(v) != w->subject);
    return val_obj(v);
}

static void assert_sound(struct world *w, const struct obj *o)
{
    if (o->type == OBJ_ZSET)
        assert_true(zset_check(&w->heap, o));
    else
        assert_true(w->heap.types[o->type]->check(&w->heap, o));
}

/* Takes the copy and the subject apart; what they were made of is left to nobody. */
static void clear_all(struct world *w, struct obj *o)
{
    if (o) rc_dec(&w->heap, o);
    subject_drop(w);
    settle(w);
    uint64_t ticket = collect_full_begin(&w->heap), found;
    while (!collect_full_found(&w->heap, ticket, &found)) collect_step(&w->heap, true);
    assert_only_palette(w);
    world_end(w);
}

static void test_strings_are_shared(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1);
    for (uint32_t i = 0; i < PALETTE; i += 2) {
        val v;
        assert_int_equal(copy_value(&w.heap, w.palette[i], COPY_DEEP, &v), STATUS_OK);
        assert_int_equal(v.w, w.palette[i].w);
        val_release(&w.heap, v);
    }
    assert_only_palette(&w);
    world_end(&w);
}

/* A sorted set would do so, and what numbers take would count as leaked. */
static void number_palette(struct world *w)
{
    for (int i = 0; i < PALETTE; i++) {
        uint64_t number;
        if (!val_is_container(w->palette[i])) continue;
        assert_int_equal(ident_number(&w->heap, val_obj(w->palette[i]), &number), STATUS_OK);
    }
    w->base_bytes = live_bytes(w);
}

/* The plain forms refer to everything; a packed one may hold a string by its bytes. */
static bool is_counted(const struct world *w, val v)
{
    uint32_t count = val_obj(v)->count;
    return count == 3 || (w->values.limits.hash_entries && !val_is_container(v) && count == 1);
}

static void test_copy_of_a_level_shares_what_it_refers_to(void **state)
{
    static const enum obj_type types[] = {OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_ZSET};
    (void)state;
    for (size_t t = 0; t < 2 * sizeof types / sizeof *types; t++) {
        struct world w;
        world_begin(&w, t);
        if (t % 2) w.values.limits = (struct value_limits){0};
        number_palette(&w);
        subject_make(&w, types[t / 2]);
        for (uint32_t i = 0; i < PALETTE; i++) {
            char text[64];
            struct view field = text_of(i, text);
            text[field.n] = 0;
            if (types[t / 2] == OBJ_LIST) push(&w, w.subject, w.palette[i]);
            if (types[t / 2] == OBJ_HASH) put(&w, w.subject, text, w.palette[i]);
            if (types[t / 2] == OBJ_SET) add(&w, w.subject, w.palette[i]);
            if (types[t / 2] == OBJ_ZSET) score(&w, w.subject, i / 2, w.palette[i]);
        }
        struct obj *o = copy(&w, COPY_LEVEL);
        assert_int_equal(o->count, 1);
        assert_false(o->flags & OBJ_REFERRED);
        for (int i = 0; i < PALETTE; i++)
            if (val_is_obj(w.palette[i])) assert_true(is_counted(&w, w.palette[i]));
        assert_sound(&w, o);
        clear_all(&w, o);
    }
}

static void test_deep_copy_keeps_sharing_and_cycles(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 3);
    subject_make(&w, OBJ_HASH);
    struct obj *child = container(&w, OBJ_LIST), *members = container(&w, OBJ_SET);
    put(&w, w.subject, "one", val_of_obj(child));
    put(&w, w.subject, "two", val_of_obj(child));
    put(&w, w.subject, "self", val_of_obj(w.subject));
    put(&w, w.subject, "text", w.palette[4]);
    put(&w, w.subject, "members", val_of_obj(members));
    push(&w, child, val_of_obj(w.subject));
    push(&w, child, val_of_obj(child));
    add(&w, members, val_of_obj(child));
    add(&w, members, val_of_obj(members));
    rc_dec(&w.heap, child);
    rc_dec(&w.heap, members);

    uint64_t candidates = w.heap.collect.candidates.count;
    struct obj *o = copy(&w, COPY_DEEP);
    assert_int_equal(w.heap.collect.candidates.count, candidates);
    val one = at_field(&w, o, "one"), two = at_field(&w, o, "two");
    val set = at_field(&w, o, "members");
    assert_int_equal(one.w, two.w);
    assert_true(val_obj(one) != child);
    assert_ptr_equal(val_obj(at_field(&w, o, "self")), o);
    assert_int_equal(at_field(&w, o, "text").w, w.palette[4].w);
    assert_ptr_equal(val_obj(list_get(val_obj(one), 0)), o);
    assert_ptr_equal(val_obj(list_get(val_obj(one), 1)), val_obj(one));
    struct needle child_needle = needle_of_val(&w.heap, one);
    struct needle set_needle = needle_of_val(&w.heap, set);
    assert_int_equal(set_length(val_obj(set)), 2);
    assert_true(set_has(val_obj(set), &child_needle));
    assert_true(set_has(val_obj(set), &set_needle));
    /* From: the caller, itself, the list. From: two fields, itself, the set. */
    assert_int_equal(o->count, 3);
    assert_int_equal(val_obj(one)->count, 4);
    assert_int_equal(val_obj(set)->count, 2);
    clear_all(&w, o);
}

static void test_deep_copy_keeps_the_order_of_a_sorted_set(void **state)
{
    enum { MEMBERS = 300 };
    (void)state;
    struct world w;
    world_begin(&w, 4);
    subject_make(&w, OBJ_ZSET);
    for (int i = 0; i < MEMBERS; i++) {
        struct obj *member = container(&w, OBJ_LIST);
        push(&w, member, val_of_small(i));
        score(&w, w.subject, i / 7, val_of_obj(member));
        rc_dec(&w.heap, member);
    }
    struct obj *o = copy(&w, COPY_DEEP);
    assert_int_equal(zset_length(o), MEMBERS);
    struct zset_iter it;
    zset_seek(o, 0, &it);
    for (int i = 0; i < MEMBERS; i++) {
        struct zset_entry e = zset_at(&it);
        assert_true(e.score == i / 7); // NOLINT: small integers
        assert_int_equal(val_small(list_get(val_obj(e.member), 0)), i);
        assert_int_equal(zset_next(&it), i + 1 < MEMBERS);
    }
    assert_true(zset_check(&w.heap, o));
    clear_all(&w, o);
}

static void test_deep_copy_of_a_long_chain_does_not_recurse(void **state)
{
    enum { DEPTH = 200000 };
    (void)state;
    struct world w;
    world_begin(&w, 5);
    subject_make(&w, OBJ_LIST);
    struct obj *at = w.subject;
    for (int i = 0; i < DEPTH; i++) {
        struct obj *next = container(&w, OBJ_LIST);
        assert_int_equal(list_push_take(&w.heap, at, LIST_TAIL, val_of_obj(next)), STATUS_OK);
        at = next;
    }
    struct obj *o = copy(&w, COPY_DEEP);
    const struct obj *walk = o;
    uint64_t depth = 0;
    for (; list_length(walk); depth++) walk = val_obj(list_get(walk, 0));
    assert_int_equal(depth, DEPTH);
    clear_all(&w, o);
}

/* A graph of all types: containers that refer to each other and to the palette at random. */
enum { NODES = 40 };

static void graph_make(struct world *w)
{
    static const enum obj_type types[] = {OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_ZSET};
    struct obj *nodes[NODES];
    subject_make(w, OBJ_LIST);
    for (int i = 0; i < NODES; i++) {
        nodes[i] = container(w, types[i % 4]);
        push(w, w->subject, val_of_obj(nodes[i]));
    }
    for (uint32_t i = 0; i < NODES; i++) {
        for (uint32_t k = below(w, 12); k > 0; k--) {
            char field[64];
            val to = below(w, 2) ? val_of_obj(nodes[below(w, NODES)])
                                 : w->palette[2 * below(w, PALETTE / 2)];
            snprintf(field, sizeof field, "a field of some length %u", k);
            switch (i % 4) {
            case 0: push(w, nodes[i], to); break;
            case 1: put(w, nodes[i], field, to); break;
            case 2: add(w, nodes[i], to); break;
            default: score(w, nodes[i], below(w, 3), to); break;
            }
        }
    }
    for (int i = 0; i < NODES; i++) rc_dec(&w->heap, nodes[i]);
}

static void test_deep_copy_of_a_random_graph_refers_to_nothing_old(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct world w;
        world_begin(&w, seed);
        graph_make(&w);
        uint64_t before = heap_containers(&w.heap);
        uint32_t counts[NODES];
        for (uint32_t i = 0; i < NODES; i++) counts[i] = val_obj(list_get(w.subject, i))->count;
        struct obj *o = copy(&w, COPY_DEEP);
        assert_int_equal(heap_containers(&w.heap), before + NODES + 1);
        for (uint32_t i = 0; i < NODES; i++) {
            struct obj *from = val_obj(list_get(w.subject, i));
            struct obj *to = val_obj(list_get(o, i));
            assert_int_equal(from->count, counts[i]);
            assert_int_equal(to->count, counts[i]);
            assert_int_equal(to->type, from->type);
            assert_int_equal(to->flags & OBJ_VISIBLE, from->flags & OBJ_VISIBLE);
            assert_sound(&w, to);
        }
        /* The copy lives without the original. */
        subject_drop(&w);
        settle(&w);
        uint64_t ticket = collect_full_begin(&w.heap), found;
        while (!collect_full_found(&w.heap, ticket, &found)) collect_step(&w.heap, true);
        assert_int_equal(heap_containers(&w.heap), before);
        w.subject = o;
        assert_int_equal(rc_root_add(&w.heap, o), STATUS_OK);
        assert_heap(&w);
        clear_all(&w, NULL);
    }
}

static void test_copies_without_memory_leave_nothing_behind(void **state)
{
    (void)state;
    for (int depth = COPY_LEVEL; depth <= COPY_DEEP; depth++) {
        for (int fail_on = 0; fail_on < 2; fail_on++) {
            struct world w;
            world_begin(&w, 77);
            graph_make(&w);
            settle(&w);
            uint64_t objects = heap_objects(&w.heap);
            enum status s = STATUS_OOM;
            val v = VAL_NIL;
            for (uint64_t at = 1; s; at++) {
                w.mem.fail_at = at;
                w.mem.fail_on = fail_on;
                s = copy_value(&w.heap, val_of_obj(w.subject), (enum copy_depth)depth, &v);
                w.mem.fail_at = 0;
                settle(&w);
                if (!s) break;
                assert_int_equal(s, STATUS_OOM);
                assert_true(val_is_nil(v));
                assert_heap(&w);
                /* Candidates that died keep their cells until the collector has let go of them. */
                uint64_t ticket = collect_full_begin(&w.heap), found;
                while (!collect_full_found(&w.heap, ticket, &found)) collect_step(&w.heap, true);
                assert_int_equal(found, 0);
                assert_int_equal(heap_objects(&w.heap), objects);
            }
            clear_all(&w, val_obj(v));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_shared),
        cmocka_unit_test(test_copy_of_a_level_shares_what_it_refers_to),
        cmocka_unit_test(test_deep_copy_keeps_sharing_and_cycles),
        cmocka_unit_test(test_deep_copy_keeps_the_order_of_a_sorted_set),
        cmocka_unit_test(test_deep_copy_of_a_long_chain_does_not_recurse),
        cmocka_unit_test(test_deep_copy_of_a_random_graph_refers_to_nothing_old),
        cmocka_unit_test(test_copies_without_memory_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
