/*
 * Goal: sets against a model that is an array of flags. Method: random histories of all operations
 * with set_check and the contents compared after each; every allocation of a history made to fail
 * in its turn (debug builds); the collector scanning one slot at a time while members come and go.
 */
#include "containers.h"

/* The first PALETTE members are those of the palette, the others are texts. */
enum { MEMBERS = 900 };

struct fixture {
    struct world world;
    uint32_t length;
    bool present[MEMBERS];
    uint8_t seen[MEMBERS];
    uint64_t refused;
};

static void begin(struct fixture *f, uint64_t seed)
{
    f->length = 0;
    f->refused = 0;
    memset(f->present, 0, sizeof f->present);
    world_begin(&f->world, seed);
    subject_make(&f->world, OBJ_SET);
}

static struct needle needle_of(const struct fixture *f, uint32_t member, char text[64])
{
    if (member >= PALETTE) return needle_of_text(&f->world.heap, text_of(member, text));
    return needle_of_val(&f->world.heap, f->world.palette[member]);
}

static uint32_t member_of(const struct fixture *f, val v)
{
    char text[64];
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct needle n = needle_of(f, i, text);
        if (needle_matches(&n, v)) return i;
    }
    fail_msg("a member that nobody added");
    return 0;
}

static void assert_same(const struct fixture *f, const struct obj *o)
{
    char text[64];
    assert_true(set_check(&f->world.heap, o));
    assert_int_equal(set_length(o), f->length);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct needle n = needle_of(f, i, text);
        if (set_has(o, &n) != f->present[i]) fail_msg("member %u differs", i);
    }
}

static void check(const struct fixture *f)
{
    assert_same(f, f->world.subject);
}

/* True when it was done; when memory was out, the set is as before. */
static bool done(struct fixture *f, enum status s)
{
    if (s == STATUS_OK) return true;
    assert_int_equal(s, STATUS_OOM);
    f->refused++;
    check(f);
    return false;
}

static void add(struct fixture *f, uint32_t member)
{
    char text[64];
    struct needle n = needle_of(f, member, text);
    bool added = false;
    while (!done(f, set_add(&f->world.heap, f->world.subject, &n, &added))) assert_false(added);
    assert_int_equal(added, !f->present[member]);
    f->length += added;
    f->present[member] = true;
}

static void drop(struct fixture *f, uint32_t member)
{
    char text[64];
    struct needle n = needle_of(f, member, text);
    struct heap *h = &f->world.heap;
    val slot = set_slot(f->world.subject, &n);
    assert_int_equal(!val_is_none(slot), f->present[member]);
    if (f->present[member]) assert_true(needle_matches(&n, slot));
    assert_int_equal(set_remove(h, f->world.subject, &n), f->present[member]);
    f->length -= f->present[member];
    f->present[member] = false;
}

static void see(void *ctx, val member)
{
    struct fixture *f = ctx;
    f->seen[member_of(f, member)]++;
}

static void walk(struct fixture *f, uint32_t max)
{
    memset(f->seen, 0, sizeof f->seen);
    uint64_t cursor = 0;
    while (set_walk(f->world.subject, &cursor, max, see, f)) continue;
    for (uint32_t i = 0; i < MEMBERS; i++) assert_int_equal(f->seen[i], f->present[i]);
}

static void scan(struct fixture *f)
{
    memset(f->seen, 0, sizeof f->seen);
    uint64_t cursor = 0;
    do cursor = set_scan(f->world.subject, cursor, see, f);
    while (cursor);
    for (uint32_t i = 0; i < MEMBERS; i++) assert_int_equal(f->seen[i], f->present[i]);
}

static void copy(struct fixture *f)
{
    struct obj *o = NULL;
    struct heap *h = &f->world.heap;
    while (!done(f, set_copy(h, f->world.subject, &o))) assert_null(o);
    assert_same(f, o);
    assert_int_equal(o->count, 1);
    rc_dec(h, o);
}

static void test_set_random_history_matches_model(void **state)
{
    (void)state;
    static struct fixture f;
    static const uint32_t aims[] = {3, 0, 30, 0, 500, 50, 900, 0};
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&f, seed);
        for (size_t k = 0; k < sizeof aims / sizeof *aims; k++) {
            for (uint32_t i = 0; i < 300 + 3 * aims[k]; i++) {
                uint32_t member = below(&f.world, below(&f.world, 2) ? MEMBERS : PALETTE);
                if (below(&f.world, MEMBERS) < aims[k])
                    add(&f, member);
                else
                    drop(&f, member);
                if (below(&f.world, 40) == 0) copy(&f);
                check(&f);
                settle(&f.world);
            }
            walk(&f, 1 + below(&f.world, 50));
            scan(&f);
            copy(&f);
            settle(&f.world);
            assert_heap(&f.world);
            assert_visits(&f.world, f.world.subject, 1 + below(&f.world, 50));
        }
        for (uint32_t i = 0; i < MEMBERS; i++) drop(&f, i);
        assert_null(obj_body(f.world.subject));
        assert_int_equal(f.world.subject->flags & OBJ_VISIBLE, 0);
        subject_drop(&f.world);
        assert_only_palette(&f.world);
        world_end(&f.world);
    }
}

static void test_set_of_containers_is_by_identity(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 3);
    struct heap *h = &f.world.heap;
    struct obj *twin = heap_container_new(h, OBJ_LIST);
    assert_non_null(twin);
    assert_true(val_is_container(f.world.palette[1]));
    struct needle one = needle_of_val(h, f.world.palette[1]),
                  other = needle_of_val(h, val_of_obj(twin));
    bool added = false;
    assert_int_equal(set_add(h, f.world.subject, &one, &added), STATUS_OK);
    assert_true(added);
    assert_int_equal(set_add(h, f.world.subject, &one, &added), STATUS_OK);
    assert_false(added);
    assert_false(set_has(f.world.subject, &other));
    assert_int_equal(set_add(h, f.world.subject, &other, &added), STATUS_OK);
    assert_true(added);
    assert_int_equal(set_length(f.world.subject), 2);
    assert_int_equal(twin->count, 2);
    rc_dec(h, twin);
    subject_drop(&f.world);
    assert_only_palette(&f.world);
    world_end(&f.world);
}

static void test_set_random_draws_every_member(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 4);
    assert_true(val_is_none(set_random(&f.world.heap, f.world.subject)));
    for (uint32_t i = 0; i < PALETTE; i++) add(&f, i);
    memset(f.seen, 0, sizeof f.seen);
    for (uint32_t i = 0; i < 40 * PALETTE; i++) {
        uint32_t member = palette_index(&f.world, set_random(&f.world.heap, f.world.subject));
        if (f.seen[member] < UINT8_MAX) f.seen[member]++;
    }
    for (uint32_t i = 0; i < PALETTE; i++) assert_in_range(f.seen[i], 10, 100);
    world_end(&f.world);
}

static void test_set_copy_shares_the_members(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 5);
    struct heap *h = &f.world.heap;
    copy(&f);
    for (uint32_t i = 0; i < MEMBERS; i++) add(&f, i);
    uint64_t objects = heap_objects(h);
    struct obj *o = NULL;
    assert_int_equal(set_copy(h, f.world.subject, &o), STATUS_OK);
    assert_int_equal(heap_objects(h), objects + 1);
    assert_true(o->flags & OBJ_VISIBLE);
    assert_same(&f, o);
    for (uint32_t i = 0; i < PALETTE; i++)
        if (val_is_obj(f.world.palette[i])) assert_int_equal(val_obj(f.world.palette[i])->count, 3);
    rc_dec(h, o);
    subject_drop(&f.world);
    assert_only_palette(&f.world);
    world_end(&f.world);
}

static void test_set_visit_reports_each_member_once(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 6);
    uint64_t references = 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        char text[64];
        struct needle n = needle_of(&f, i, text);
        add(&f, i);
        references += val_is_none(n.v) || val_is_obj(n.v);
    }
    for (uint32_t slots = 1; slots < 2000; slots = slots * 3 + 1) {
        assert_int_equal(visits_of(&f.world, f.world.subject, slots).all, references);
        assert_visits(&f.world, f.world.subject, slots);
    }
    world_end(&f.world);
}

static void test_set_clear_goes_in_steps(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 7);
    for (uint32_t i = 0; i < MEMBERS; i++) add(&f, i);
    subject_drop(&f.world);
    uint64_t objects = heap_objects(&f.world.heap);
    while (heap_release_step(&f.world.heap, 1)) {
        assert_true(objects - heap_objects(&f.world.heap) <= 7); /* a bucket at most */
        objects = heap_objects(&f.world.heap);
        assert_heap(&f.world);
    }
    assert_only_palette(&f.world);
    world_end(&f.world);
}

static void run_operations(struct fixture *f)
{
    for (uint32_t i = 0; i < 20; i++) add(f, i);
    copy(f);
    for (uint32_t i = 0; i < 450; i++) add(f, i);
    copy(f);
    for (uint32_t i = 0; i < 450; i++) drop(f, i * 7 % 450);
    assert_null(obj_body(f->world.subject));
    add(f, 70);
    subject_drop(&f->world);
    f->world.mem.fail_at = 0;
    assert_only_palette(&f->world);
}

static void test_set_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    static struct fixture f;
    begin(&f, 8);
    f.world.mem.attempts = 0;
    run_operations(&f);
    uint64_t attempts = f.world.mem.attempts, refused = 0;
    world_end(&f.world);
    for (uint64_t n = 1; n <= attempts; n++) {
        begin(&f, 8);
        f.world.mem.fail_at = n;
        run_operations(&f);
        refused += f.refused;
        world_end(&f.world);
    }
    assert_true(refused > 200);
}

struct children {
    struct scene scene;
    uint32_t length;
    val members[CHILDREN_MAX];
    int64_t numbers[CHILDREN_MAX];
    int64_t next;
};

static void children_check(struct children *c)
{
    struct heap *h = &c->scene.world.heap;
    assert_true(set_check(h, c->scene.o));
    assert_int_equal(set_length(c->scene.o), c->length);
    for (uint32_t i = 0; i < c->length; i++) {
        struct needle n = needle_of_val(h, c->members[i]);
        assert_true(set_has(c->scene.o, &n));
        assert_int_equal(child_number(&c->scene, c->members[i]), c->numbers[i]);
    }
}

static void children_add(struct children *c)
{
    struct heap *h = &c->scene.world.heap;
    val v = child_new(&c->scene, c->next);
    struct needle n = needle_of_val(h, v);
    bool added = false;
    scene_note(&c->scene);
    assert_int_equal(set_add(h, c->scene.o, &n, &added), STATUS_OK);
    assert_true(added);
    val_release(h, v);
    c->members[c->length] = v;
    c->numbers[c->length++] = c->next++;
}

static void children_remove(struct children *c, uint32_t index)
{
    struct heap *h = &c->scene.world.heap;
    struct needle n = needle_of_val(h, c->members[index]);
    scene_note(&c->scene);
    assert_true(set_remove(h, c->scene.o, &n));
    c->length--;
    c->members[index] = c->members[c->length];
    c->numbers[index] = c->numbers[c->length];
}

/* Taken out, while the caller holds it, and put back. */
static void children_move(struct children *c, uint32_t index)
{
    struct heap *h = &c->scene.world.heap;
    struct needle n = needle_of_val(h, c->members[index]);
    val v = c->members[index];
    val_retain(h, v);
    scene_note(&c->scene);
    assert_true(set_remove(h, c->scene.o, &n));
    bool added = false;
    assert_int_equal(set_add(h, c->scene.o, &n, &added), STATUS_OK);
    val_release(h, v);
}

static void run_scene(uint64_t seed, uint32_t length_aim)
{
    static struct children c;
    c.length = 0;
    c.next = 0;
    scene_begin(&c.scene, OBJ_SET, seed);
    struct world *w = &c.scene.world;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t changes = 1 + length_aim / 100;
        bool grows = below(w, 100) < (i / 200 % 2 ? 20 : 80);
        for (; changes > 0; changes--) {
            if (grows && c.length < 2 * length_aim)
                children_add(&c);
            else if (!grows && c.length)
                children_remove(&c, below(w, c.length));
        }
        if (c.length && below(w, 4) == 0) children_move(&c, below(w, c.length));
        /* Merges, and later splits, in one scan: what was visited could come back in a bucket that
         * was not. */
        if (c.scene.world.heap.collect.scanning == c.scene.o && below(w, 2) == 0) {
            if (c.length > length_aim / 2)
                while (c.length > length_aim / 6) children_remove(&c, below(w, c.length));
            else
                while (c.length < 3 * length_aim / 2) children_add(&c);
        }
        scene_pause(&c.scene, length_aim);
        if (i % 20 == 0) children_check(&c);
        if (i % 100 == 0) assert_heap(w);
    }
    children_check(&c);
    /* A small table is scanned in one step. */
    assert_true(length_aim <= 2 || (c.scene.gray > 0 && c.scene.black > 0));
    scene_end(&c.scene);
}

static void test_set_changed_in_mid_scan_loses_nothing(void **state)
{
    (void)state;
    run_scene(1, 2);
    run_scene(2, 30);
    run_scene(3, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_random_history_matches_model),
        cmocka_unit_test(test_set_of_containers_is_by_identity),
        cmocka_unit_test(test_set_random_draws_every_member),
        cmocka_unit_test(test_set_copy_shares_the_members),
        cmocka_unit_test(test_set_visit_reports_each_member_once),
        cmocka_unit_test(test_set_clear_goes_in_steps),
        cmocka_unit_test(test_set_nth_allocation_fails),
        cmocka_unit_test(test_set_changed_in_mid_scan_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
