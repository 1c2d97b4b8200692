/*
 * The intern table. Goal: equal strings are one object as long as somebody holds it; saved_bytes is
 * exact whatever happened; without memory a string stays what it was.
 *
 * Method: random histories of field names beside counts of the test's own, from which saved_bytes
 * is computed anew after every change; counts near their end are written into the header.
 */
#include "value/str.h"
#include "world.h"

/* A field name's value through the table; the count is the caller's. */
static struct obj *interned(struct world *w, const char *text)
{
    struct needle n = needle_of_text(&w->heap, view_of(text));
    val v;
    assert_int_equal(needle_take_interned(&w->heap, &n, &v), STATUS_OK);
    assert_true(val_is_obj(v));
    assert_true(val_obj(v)->flags & OBJ_INTERNED);
    return val_obj(v);
}

static struct obj *find(struct world *w, const char *text)
{
    struct needle n = needle_of_text(&w->heap, view_of(text));
    return intern_find(&w->heap, n.text, n.hash);
}

static uint32_t hash_of(struct world *w, const char *text)
{
    return needle_of_text(&w->heap, view_of(text)).hash;
}

static uint64_t bytes_of(struct world *w, const struct obj *o)
{
    return val_own_bytes(&w->heap, val_of_obj(o));
}

static void test_intern_holds_weakly(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    const char *text = "a field name of some length";
    assert_null(find(w, text));
    struct obj *o = interned(w, text);
    assert_int_equal(o->count, 1); /* the table's entry does not count */
    assert_ptr_equal(find(w, text), o);
    assert_int_equal(o->count, 1); /* nor does finding it */
    assert_ptr_equal(interned(w, text), o);
    assert_int_equal(o->count, 2);
    assert_int_equal(w->heap.intern.strings.used, 1);
    assert_int_equal(heap_objects(&w->heap), 1);
    rc_dec(&w->heap, o);
    assert_ptr_equal(find(w, text), o);
    rc_dec(&w->heap, o);
    assert_null(find(w, text));
    assert_int_equal(w->heap.intern.strings.used, 0);
    assert_int_equal(heap_objects(&w->heap), 0);
    world_free(w);
}

static void test_intern_find_counts(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    find(w, "a name that nobody has used");
    assert_int_equal(w->heap.intern.misses, 1);
    assert_int_equal(w->heap.intern.hits, 0);
    struct obj *o = keep(w, interned(w, "a name that is used"));
    assert_int_equal(w->heap.intern.misses, 2);
    find(w, "a name that is used");
    assert_int_equal(w->heap.intern.hits, 1);
    find(w, "a name that is use");
    find(w, "a name that is used!");
    find(w, "A name that is used");
    assert_int_equal(w->heap.intern.misses, 5);
    assert_int_equal(w->heap.intern.hits, 1);
    drop(w, o);
    world_free(w);
}

/* Interning a string that is shared already: what its copies would take is saved from now on. */
static void test_intern_add_of_a_shared_string(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    const char *text = "a string that is shared by some";
    struct obj *o = keep(w, text_new(w, text));
    for (int i = 0; i < 4; i++) {
        rc_inc(&w->heap, o);
        keep(w, o);
    }
    assert_int_equal(w->heap.intern.saved_bytes, 0);
    assert_int_equal(intern_add(&w->heap, o, hash_of(w, text)), STATUS_OK);
    assert_int_equal(w->heap.intern.saved_bytes, 4 * bytes_of(w, o));
    assert_sound(w);
    for (uint64_t left = 4; left > 0; left--) {
        drop(w, o);
        assert_int_equal(w->heap.intern.saved_bytes, (left - 1) * bytes_of(w, o));
        assert_sound(w);
    }
    drop(w, o);
    assert_int_equal(w->heap.intern.saved_bytes, 0);
    world_free(w);
}

/* The value of another object is interned as it is, and found instead of a second one. */
static void test_intern_of_values_and_of_texts(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *a = keep(w, text_new(w, "one text, two objects"));
    struct obj *b = keep(w, text_new(w, "one text, two objects"));
    struct needle needle_a = needle_of_val(&w->heap, val_of_obj(a));
    struct needle needle_b = needle_of_val(&w->heap, val_of_obj(b));
    val v;
    assert_ptr_not_equal(a, b);
    assert_int_equal(needle_take_interned(&w->heap, &needle_a, &v), STATUS_OK);
    assert_ptr_equal(keep(w, val_obj(v)), a);
    assert_int_equal(needle_take_interned(&w->heap, &needle_b, &v), STATUS_OK);
    assert_ptr_equal(keep(w, val_obj(v)), a);
    assert_false(b->flags & OBJ_INTERNED);
    assert_int_equal(b->count, 1);
    assert_int_equal(a->count, 3);
    assert_int_equal(w->heap.intern.saved_bytes, 2 * bytes_of(w, a));
    assert_sound(w);
    for (int i = 0; i < 3; i++) drop(w, a);
    drop(w, b);
    world_free(w);
}

/* --- histories --- */

enum { NAMES = 60 };

struct name {
    char text[200];
    struct obj *o;
    uint64_t counts;
};

static void name_text(struct name *name, uint32_t i)
{
    int n = snprintf(name->text, sizeof name->text, "a name with the number %u ", (unsigned)i);
    size_t more = i * 7 % 150;
    memset(name->text + n, 'x', more);
    name->text[(size_t)n + more] = 0;
}

static void assert_saved(struct world *w, const struct name names[NAMES])
{
    uint64_t saved = 0;
    uint32_t used = 0;
    for (int i = 0; i < NAMES; i++) {
        if (names[i].counts == 0) continue;
        assert_int_equal(names[i].o->count, names[i].counts);
        saved += bytes_of(w, names[i].o) * (names[i].counts - 1);
        used++;
    }
    assert_int_equal(w->heap.intern.saved_bytes, saved);
    assert_int_equal(w->heap.intern.strings.used, used);
}

static void name_let_go(struct world *w, struct name *name)
{
    rc_dec(&w->heap, name->o);
    if (--name->counts == 0) assert_null(find(w, name->text));
}

static void test_intern_saved_bytes_through_histories(void **state)
{
    (void)state;
    struct world *w = world_new(11);
    struct name names[NAMES] = {0};
    for (uint32_t i = 0; i < NAMES; i++) name_text(&names[i], i);
    for (int i = 0; i < 30000; i++) {
        struct name *name = &names[draw(w, NAMES)];
        uint64_t what = draw(w, 100), phase = (uint64_t)i / 3000 % 2;
        if (what < 50 + 8 * phase && name->counts) {
            name_let_go(w, name);
        } else if (what < 75 && name->counts) {
            rc_inc(&w->heap, name->o);
            name->counts++;
        } else {
            struct obj *o = interned(w, name->text);
            if (name->counts) assert_ptr_equal(o, name->o);
            name->o = o;
            name->counts++;
        }
        assert_saved(w, names);
        if (i % 100 == 0) assert_true(intern_check(&w->heap));
    }
    for (int i = 0; i < NAMES; i++)
        while (names[i].counts) name_let_go(w, &names[i]);
    assert_saved(w, names);
    assert_int_equal(w->heap.intern.saved_bytes, 0);
    world_free(w);
}

/* A count that stays at its end saves no more, however often it is asked for. */
static void test_intern_saved_bytes_of_a_saturated_count(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *o = interned(w, "a field name in every hash there is");
    uint64_t bytes = bytes_of(w, o);
    w->heap.intern.saved_bytes = bytes * (OBJ_COUNT_MAX - 3);
    o->count = OBJ_COUNT_MAX - 2;
    assert_true(intern_check(&w->heap));
    for (int i = 0; i < 10; i++) {
        rc_inc(&w->heap, o);
        assert_int_equal(w->heap.intern.saved_bytes, bytes * (o->count - 1));
        assert_true(intern_check(&w->heap));
    }
    assert_int_equal(o->count, OBJ_COUNT_MAX);
    for (int i = 0; i < 10; i++) {
        rc_dec(&w->heap, o);
        assert_int_equal(w->heap.intern.saved_bytes, bytes * (OBJ_COUNT_MAX - 1));
    }
    assert_true(intern_check(&w->heap));
    o->count = 1;
    w->heap.intern.saved_bytes = 0;
    w->heap.saturated = 0;
    rc_dec(&w->heap, o);
    world_free(w);
}

#ifdef HEAPD_DEBUG
enum { BLOCKS_MAX = 1 << 17 };

/* Takes all blocks of all sizes that the arenas still have, so that the table cannot grow. */
static uint32_t exhaust(struct world *w, void **blocks, uint32_t *sizes)
{
    uint32_t n = 0;
    world_fails_at(w, 1, true);
    for (uint32_t bytes = POOL_SMALL_MAX; bytes >= 8; bytes -= 8) {
        while (n < BLOCKS_MAX && (blocks[n] = pool_alloc(w->heap.pool, bytes))) sizes[n++] = bytes;
        assert_true(n < BLOCKS_MAX);
    }
    return n;
}

static void test_intern_add_without_memory(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    void **blocks = calloc(BLOCKS_MAX, sizeof *blocks);
    uint32_t *sizes = calloc(BLOCKS_MAX, sizeof *sizes);
    const char *text = "a string that cannot be interned";
    struct obj *o = keep(w, text_new(w, text));
    rc_inc(&w->heap, o);
    keep(w, o);
    uint32_t n = exhaust(w, blocks, sizes);
    assert_int_equal(intern_add(&w->heap, o, hash_of(w, text)), STATUS_OOM);
    assert_false(o->flags & OBJ_INTERNED);
    assert_int_equal(o->count, 2);
    assert_int_equal(w->heap.intern.saved_bytes, 0);
    assert_null(find(w, text));
    assert_sound(w);
    /* By a field name: the text's own object goes, a value's object stays its holders'. */
    struct needle by_value = needle_of_val(&w->heap, val_of_obj(o));
    val v = VAL_NIL;
    assert_int_equal(needle_take_interned(&w->heap, &by_value, &v), STATUS_OOM);
    assert_true(val_is_nil(v));
    assert_int_equal(o->count, 2);
    assert_sound(w);
    world_fails_at(w, 0, false);
    while (n--) pool_free(w->heap.pool, blocks[n], sizes[n]);
    free(blocks);
    free(sizes);
    assert_int_equal(intern_add(&w->heap, o, hash_of(w, text)), STATUS_OK);
    assert_ptr_equal(find(w, text), o);
    assert_sound(w);
    drop(w, o);
    drop(w, o);
    world_free(w);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intern_holds_weakly),
        cmocka_unit_test(test_intern_find_counts),
        cmocka_unit_test(test_intern_add_of_a_shared_string),
        cmocka_unit_test(test_intern_of_values_and_of_texts),
        cmocka_unit_test(test_intern_saved_bytes_through_histories),
        cmocka_unit_test(test_intern_saved_bytes_of_a_saturated_count),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_intern_add_without_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
