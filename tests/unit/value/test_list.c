/*
 * Goal: lists against a model that is a plain array, through every size at which their form
 * changes. Method: random histories of all operations with list_check and the contents compared
 * after each; every allocation of a history made to fail in its turn (debug builds); the collector
 * scanning one slot at a time while the list is changed in the middle.
 */
#include "containers.h"

#include "value/list_deque.h"

enum { LENGTH_MAX = 6000 };

struct fixture {
    struct world world;
    uint32_t length;
    uint8_t ids[LENGTH_MAX]; /* places in the palette */
    uint64_t refused;        /* operations that failed for want of memory */
};

static void begin(struct fixture *f, uint64_t seed)
{
    f->length = 0;
    f->refused = 0;
    world_begin(&f->world, seed);
    subject_make(&f->world, OBJ_LIST);
}

static void assert_same(const struct fixture *f, const struct obj *o)
{
    assert_true(list_check(&f->world.heap, o));
    assert_int_equal(list_length(o), f->length);
    for (uint32_t i = 0; i < f->length; i++)
        if (!val_eq(list_get(o, i), f->world.palette[f->ids[i]]))
            fail_msg("element %u differs", i);
}

static void check(const struct fixture *f)
{
    assert_same(f, f->world.subject);
}

static void model_insert(struct fixture *f, uint32_t index, uint32_t id)
{
    memmove(f->ids + index + 1, f->ids + index, f->length - index);
    f->ids[index] = (uint8_t)id;
    f->length++;
}

static void model_remove(struct fixture *f, uint32_t index)
{
    f->length--;
    memmove(f->ids + index, f->ids + index + 1, f->length - index);
}

/* True when it was done; when memory was out, the list is as before. */
static bool done(struct fixture *f, enum status s)
{
    if (s == STATUS_OK) return true;
    assert_int_equal(s, STATUS_OOM);
    f->refused++;
    check(f);
    return false;
}

static void push(struct fixture *f, enum list_end end, uint32_t id)
{
    struct heap *h = &f->world.heap;
    while (!done(f, list_push_take(h, f->world.subject, end, palette_take(&f->world, id))))
        continue;
    model_insert(f, end == LIST_HEAD ? 0 : f->length, id);
}

static void pop(struct fixture *f, enum list_end end)
{
    struct heap *h = &f->world.heap;
    val v;
    if (f->length > 0 && below(&f->world, 2)) {
        list_drop(h, f->world.subject, end);
        model_remove(f, end == LIST_HEAD ? 0 : f->length - 1);
        return;
    }
    do v = list_pop(h, f->world.subject, end);
    while (!done(f, f->length && val_is_none(v) ? STATUS_OOM : STATUS_OK));
    if (f->length == 0) {
        assert_true(val_is_none(v));
        return;
    }
    uint32_t index = end == LIST_HEAD ? 0 : f->length - 1;
    assert_true(val_eq(v, f->world.palette[f->ids[index]]) && !val_is_bytes(v));
    val_release(h, v);
    model_remove(f, index);
}

static void insert(struct fixture *f, uint32_t index, uint32_t id)
{
    struct heap *h = &f->world.heap;
    struct obj *o = f->world.subject;
    while (!done(f, list_insert_take(h, o, index, palette_take(&f->world, id)))) continue;
    model_insert(f, index, id);
}

static void set(struct fixture *f, uint32_t index, uint32_t id)
{
    struct heap *h = &f->world.heap;
    struct obj *o = f->world.subject;
    while (!done(f, list_set_take(h, o, index, palette_take(&f->world, id)))) continue;
    f->ids[index] = (uint8_t)id;
}

static void remove_matching(struct fixture *f, uint32_t id, enum list_end from, uint64_t max)
{
    char scratch[VAL_TEXT_CHARS];
    struct heap *h = &f->world.heap;
    val v = f->world.palette[id];
    struct needle n =
        val_is_string(v) ? needle_of_text(h, val_text(&v, scratch)) : needle_of_val(h, v);
    uint64_t removed = 0;
    for (uint32_t i = 0, at = from == LIST_HEAD ? 0 : f->length - 1; i < f->length + removed; i++) {
        bool match = f->ids[at] == id && removed < max;
        if (match) {
            model_remove(f, at);
            removed++;
        }
        if (from == LIST_TAIL)
            at--;
        else if (!match)
            at++;
    }
    assert_int_equal(list_remove_matching(h, f->world.subject, &n, from, max), removed);
}

static void trim(struct fixture *f, uint32_t first, uint32_t count)
{
    while (!done(f, list_trim(&f->world.heap, f->world.subject, first, count))) continue;
    memmove(f->ids, f->ids + first, count);
    f->length = count;
}

static void copy(struct fixture *f)
{
    struct obj *o = NULL;
    struct heap *h = &f->world.heap;
    while (!done(f, list_copy(h, f->world.subject, &o))) assert_null(o);
    assert_same(f, o);
    assert_int_equal(o->count, 1);
    rc_dec(h, o);
}

static uint32_t any_id(struct fixture *f)
{
    return below(&f->world, PALETTE);
}

static enum list_end any_end(struct fixture *f)
{
    return below(&f->world, 2) ? LIST_HEAD : LIST_TAIL;
}

static void change(struct fixture *f, uint32_t length_aim)
{
    uint32_t what = below(&f->world, 100);
    bool grow = f->length < length_aim;
    if (what < 50) {
        if (grow)
            push(f, any_end(f), any_id(f));
        else
            pop(f, any_end(f));
    } else if (what < 80 && grow) {
        insert(f, below(&f->world, f->length + 1), any_id(f));
    } else if (what < 95 && f->length) {
        set(f, below(&f->world, f->length), any_id(f));
    } else if (what < 97) {
        remove_matching(f, any_id(f), any_end(f),
                        below(&f->world, 3) ? 1 + below(&f->world, 4) : UINT64_MAX);
    } else if (what < 98) {
        copy(f);
    } else if (f->length) {
        uint32_t cut = below(&f->world, grow ? 4 : f->length);
        if (cut > f->length) cut = f->length;
        trim(f, below(&f->world, cut + 1), f->length - cut);
    }
}

static void test_list_random_history_matches_model(void **state)
{
    (void)state;
    static struct fixture f;
    static const uint32_t aims[] = {3, 0, 40, 5, 600, 200, 700, 0, 2500, 300, 1200, 0};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin(&f, seed);
        for (size_t k = 0; k < sizeof aims / sizeof *aims; k++) {
            for (uint32_t i = 0; i < 300 + aims[k]; i++) {
                change(&f, aims[k]);
                check(&f);
                settle(&f.world);
            }
            assert_visits(&f.world, f.world.subject, 1 + below(&f.world, 100));
            assert_heap(&f.world);
        }
        subject_drop(&f.world);
        assert_only_palette(&f.world);
        world_end(&f.world);
    }
}

static void test_list_goes_through_all_sizes_and_back(void **state)
{
    (void)state;
    static struct fixture f;
    enum { SIZE = 5000 };
    for (int ends = 0; ends < 4; ends++) {
        begin(&f, 4);
        for (uint32_t i = 0; i < SIZE; i++) {
            push(&f, ends & 1 ? LIST_HEAD : LIST_TAIL, i * 7 % PALETTE);
            assert_int_equal(list_length(f.world.subject), i + 1);
            if (i < 600 || i % 100 == 0) check(&f);
        }
        assert_visits(&f.world, f.world.subject, 1);
        uint64_t bytes = list_heap_type.bytes(f.world.subject);
        assert_int_equal(bytes, live_bytes(&f.world) - f.world.base_bytes);
        assert_true(bytes < SIZE * sizeof(val) * 5 / 4);
        while (f.length > 0) {
            pop(&f, ends & 2 ? LIST_HEAD : LIST_TAIL);
            if (f.length < 600 || f.length % 100 == 0) check(&f);
            if (f.length == 100)
                assert_true(list_heap_type.bytes(f.world.subject) < 600 * sizeof(val));
        }
        assert_null(obj_body(f.world.subject));
        assert_int_equal(f.world.subject->flags & OBJ_VISIBLE, 0);
        subject_drop(&f.world);
        assert_only_palette(&f.world);
        world_end(&f.world);
    }
}

static void test_list_trim_hands_chunks_to_the_release_queue(void **state)
{
    (void)state;
    static struct fixture f;
    static const struct {
        uint32_t first, count;
    } cuts[] = {
        {0, 0},    {0, 1},      {4999, 1},    {2500, 1}, {2048, 512},
        {1, 4998}, {100, 4000}, {3000, 2000}, {0, 2000}, {1300, 900},
    };
    for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        for (uint32_t ahead = 0; ahead < 600; ahead += 170) {
            begin(&f, k);
            for (uint32_t i = 0; i < ahead; i++) push(&f, LIST_HEAD, any_id(&f));
            while (f.length < 5000) push(&f, LIST_TAIL, any_id(&f));
            uint64_t containers = heap_containers(&f.world.heap);
            trim(&f, cuts[k].first, cuts[k].count);
            check(&f);
            assert_heap(&f.world);
            bool few = 5000 - cuts[k].count <= 2 * LIST_CHUNK_SLOTS;
            assert_int_equal(heap_containers(&f.world.heap), containers + !few);
            assert_int_equal(f.world.heap.release_pending, !few);
            while (heap_release_step(&f.world.heap, 100)) assert_heap(&f.world);
            assert_visits(&f.world, f.world.subject, 10);
            push(&f, LIST_TAIL, any_id(&f));
            push(&f, LIST_HEAD, any_id(&f));
            check(&f);
            subject_drop(&f.world);
            assert_only_palette(&f.world);
            world_end(&f.world);
        }
    }
}

static void test_list_copy_shares_the_elements(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 5);
    struct heap *h = &f.world.heap;
    struct obj *o = NULL;
    assert_int_equal(list_copy(h, f.world.subject, &o), STATUS_OK);
    assert_null(obj_body(o));
    rc_dec(h, o);
    for (uint32_t i = 0; i < 1000; i++) push(&f, LIST_HEAD, i % PALETTE);
    uint64_t objects = heap_objects(h);
    assert_int_equal(list_copy(h, f.world.subject, &o), STATUS_OK);
    assert_int_equal(heap_objects(h), objects + 1);
    assert_true(o->flags & OBJ_VISIBLE);
    assert_same(&f, o);
    for (int i = 0; i < PALETTE; i++)
        if (val_is_obj(f.world.palette[i]))
            assert_int_equal(val_obj(f.world.palette[i])->count,
                             1 + 2 * (1000 / PALETTE + (i < 1000 % PALETTE)));
    rc_dec(h, o);
    subject_drop(&f.world);
    assert_only_palette(&f.world);
    world_end(&f.world);
}

static void test_list_clear_drops_one_slot_a_step(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 6);
    for (uint32_t i = 0; i < 1500; i++) push(&f, i % 3 ? LIST_HEAD : LIST_TAIL, 1);
    struct obj *o = val_obj(f.world.palette[1]);
    subject_drop(&f.world);
    for (uint32_t left = 1500; left > 0; left--) {
        assert_int_equal(o->count, 1 + left);
        heap_release_step(&f.world.heap, 1);
        if (left % 100 == 0) assert_heap(&f.world);
    }
    assert_only_palette(&f.world);
    world_end(&f.world);
}

/* Through all forms and all operations; what an operation cannot get the first time it gets the
 * second. */
static void run_script(struct fixture *f)
{
    begin(f, 7);
    f->world.mem.attempts = 0;
}

static void run_operations(struct fixture *f)
{
    for (uint32_t i = 0; i < 10; i++) push(f, LIST_TAIL, i);
    copy(f);
    for (uint32_t i = 0; i < 10; i++) insert(f, i * 2, i);
    for (uint32_t i = 0; i < 1000; i++) push(f, i % 4 ? LIST_TAIL : LIST_HEAD, i % PALETTE);
    for (uint32_t i = 0; i < 1100; i++) insert(f, i * 5 % f->length, i % PALETTE);
    for (uint32_t i = 0; i < 500; i++) push(f, LIST_HEAD, i % PALETTE);
    copy(f);
    remove_matching(f, 3, LIST_HEAD, UINT64_MAX);
    trim(f, 700, 1000);
    while (f->length < 1200) push(f, LIST_TAIL, 9);
    trim(f, 30, 40);
    while (f->length > 0) pop(f, LIST_TAIL);
    for (uint32_t i = 0; i < 1200; i++) push(f, LIST_HEAD, i % PALETTE);
    trim(f, 600, 0);
    assert_null(obj_body(f->world.subject));
    subject_drop(&f->world);
    f->world.mem.fail_at = 0;
    assert_only_palette(&f->world);
}

static void test_list_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    static struct fixture f;
    run_script(&f);
    run_operations(&f);
    uint64_t attempts = f.world.mem.attempts, refused = 0;
    world_end(&f.world);
    assert_true(attempts > 30);
    for (uint64_t n = 1; n <= attempts; n++) {
        run_script(&f);
        f.world.mem.fail_at = n;
        run_operations(&f);
        refused += f.refused;
        world_end(&f.world);
    }
    assert_true(refused > 20);
}

struct children {
    struct scene scene;
    uint32_t length;
    int64_t numbers[CHILDREN_MAX];
    int64_t next;
};

static void children_check(struct children *c)
{
    assert_true(list_check(&c->scene.world.heap, c->scene.o));
    assert_int_equal(list_length(c->scene.o), c->length);
    for (uint32_t i = 0; i < c->length; i++)
        assert_int_equal(child_number(&c->scene, list_get(c->scene.o, i)), c->numbers[i]);
}

static void children_insert(struct children *c, uint32_t index)
{
    struct heap *h = &c->scene.world.heap;
    val v = child_new(&c->scene, c->next);
    memmove(c->numbers + index + 1, c->numbers + index, (c->length - index) * sizeof *c->numbers);
    c->numbers[index] = c->next++;
    c->length++;
    scene_note(&c->scene);
    assert_int_equal(list_insert_take(h, c->scene.o, index, v), STATUS_OK);
}

static void children_remove(struct children *c, uint32_t index)
{
    struct heap *h = &c->scene.world.heap;
    struct needle n = needle_of_val(h, list_get(c->scene.o, index));
    val_retain(h, n.v); /* a needle does not live by the list alone */
    scene_note(&c->scene);
    assert_int_equal(list_remove_matching(h, c->scene.o, &n, index % 2 ? LIST_HEAD : LIST_TAIL, 1),
                     1);
    val_release(h, n.v);
    c->length--;
    memmove(c->numbers + index, c->numbers + index + 1, (c->length - index) * sizeof *c->numbers);
}

/* From one end to the other: the count goes along. */
static void children_rotate(struct children *c)
{
    struct heap *h = &c->scene.world.heap;
    val v = list_pop(h, c->scene.o, LIST_HEAD);
    int64_t number = c->numbers[0];
    val_moved(h, v);
    assert_int_equal(list_push_take(h, c->scene.o, LIST_TAIL, v), STATUS_OK);
    memmove(c->numbers, c->numbers + 1, (c->length - 1) * sizeof *c->numbers);
    c->numbers[c->length - 1] = number;
}

static void children_trim(struct children *c, uint32_t first, uint32_t count)
{
    scene_note(&c->scene);
    assert_int_equal(list_trim(&c->scene.world.heap, c->scene.o, first, count), STATUS_OK);
    memmove(c->numbers, c->numbers + first, count * sizeof *c->numbers);
    c->length = count;
}

/* Few slices between changes, but every now and then enough for the trial to end: a list that is
 * changed in each gray scan is rescued each time. */
static void run_scene(uint64_t seed, uint32_t length_aim)
{
    static struct children c;
    c.length = 0;
    c.next = 0;
    scene_begin(&c.scene, OBJ_LIST, seed);
    struct world *w = &c.scene.world;
    for (uint32_t i = 0; i < 1500; i++) {
        uint32_t what = below(w, 100);
        if (what < 2 && c.length > length_aim / 2) {
            uint32_t cut = below(w, what ? 3 : c.length);
            children_trim(&c, below(w, cut + 1), c.length - cut);
        } else if (what < 10 && c.length) {
            children_rotate(&c);
        } else if (c.length < length_aim && (what < 60 || c.length == 0)) {
            do children_insert(&c, below(w, c.length + 1));
            while (c.length < length_aim / 2);
        } else {
            children_remove(&c, below(w, c.length));
        }
        scene_pause(&c.scene, length_aim);
        if (i % 20 == 0) children_check(&c);
        if (i % 100 == 0) assert_heap(w);
    }
    children_check(&c);
    assert_true(c.scene.gray > 0 && c.scene.black > 0);
    scene_end(&c.scene);
}

static void test_list_changed_in_mid_scan_loses_nothing(void **state)
{
    (void)state;
    run_scene(1, 2);
    run_scene(2, 30);
    run_scene(3, 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_random_history_matches_model),
        cmocka_unit_test(test_list_goes_through_all_sizes_and_back),
        cmocka_unit_test(test_list_trim_hands_chunks_to_the_release_queue),
        cmocka_unit_test(test_list_copy_shares_the_elements),
        cmocka_unit_test(test_list_clear_drops_one_slot_a_step),
        cmocka_unit_test(test_list_nth_allocation_fails),
        cmocka_unit_test(test_list_changed_in_mid_scan_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
