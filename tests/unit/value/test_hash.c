/*
 * Goal: hashes against a model that is an array of fields. Method: random histories of all
 * operations with hash_check and the contents compared after each; every allocation of a history
 * made to fail in its turn (debug builds); the collector scanning one slot at a time while fields
 * come and go. Each is done to tables alone, and with limits at which a hash changes its form all
 * the time.
 */
#include "containers.h"

enum { FIELDS = 900, ABSENT = 255, TABLES = 0 };

struct fixture {
    struct world world;
    uint32_t length;
    uint8_t ids[FIELDS]; /* places in the palette, or ABSENT */
    uint8_t seen[FIELDS];
    uint64_t refused;
};

/* Up to how many fields a hash is packed. */
static void limit(struct world *w, uint32_t entries)
{
    w->values.limits.hash_entries = entries;
    w->values.limits.hash_text_bytes = entries % 2 ? 20 : 64;
}

static void begin(struct fixture *f, uint64_t seed, uint32_t entries)
{
    f->length = 0;
    f->refused = 0;
    memset(f->ids, ABSENT, sizeof f->ids);
    world_begin(&f->world, seed);
    limit(&f->world, entries);
    subject_make(&f->world, OBJ_HASH);
}

static struct needle needle_of(const struct fixture *f, uint32_t field, char text[64])
{
    return needle_of_text(&f->world.heap, text_of(field, text));
}

static uint32_t field_of(val v)
{
    static const char digits[] = "0123456789";
    char scratch[VAL_TEXT_CHARS], text[64];
    struct view t = val_text(&v, scratch);
    size_t n = 0;
    while (n < t.n && n < 5 && memchr(digits, t.p[t.n - 1 - n], 10)) n++;
    memcpy(text, t.p + t.n - n, n);
    text[n] = '\0';
    return (uint32_t)strtoul(text, NULL, 10);
}

/* A container is stored as it is, a string perhaps as an equal one. */
static bool is_stored(val v, val want)
{
    return v.w == want.w || (val_is_string(want) && val_eq(v, want));
}

static void assert_same(const struct fixture *f, const struct obj *o)
{
    char text[64];
    assert_true(hash_check(&f->world.heap, o));
    assert_int_equal(hash_length(o), f->length);
    for (uint32_t i = 0; i < FIELDS; i++) {
        struct needle n = needle_of(f, i, text);
        val v = hash_get(o, &n),
            want = f->ids[i] == ABSENT ? VAL_NONE : f->world.palette[f->ids[i]];
        if (!is_stored(v, want)) fail_msg("field %u differs", i);
    }
}

static void check(const struct fixture *f)
{
    assert_same(f, f->world.subject);
}

/* True when it was done; when memory was out, the hash is as before. */
static bool done(struct fixture *f, enum status s)
{
    if (s == STATUS_OK) return true;
    assert_int_equal(s, STATUS_OOM);
    f->refused++;
    check(f);
    return false;
}

static void set(struct fixture *f, uint32_t field, uint32_t id)
{
    char text[64];
    struct heap *h = &f->world.heap;
    struct needle n = needle_of(f, field, text);
    bool created = false;
    while (!done(f, hash_set_take(h, f->world.subject, &n, palette_take(&f->world, id), &created)))
        assert_false(created);
    assert_int_equal(created, f->ids[field] == ABSENT);
    f->length += created;
    f->ids[field] = (uint8_t)id;
}

static void delete (struct fixture *f, uint32_t field)
{
    char text[64];
    struct needle n = needle_of(f, field, text);
    assert_int_equal(hash_delete(&f->world.heap, f->world.subject, &n), f->ids[field] != ABSENT);
    f->length -= f->ids[field] != ABSENT;
    f->ids[field] = ABSENT;
}

static void see(void *ctx, val field, val value)
{
    struct fixture *f = ctx;
    uint32_t i = field_of(field);
    assert_true(i < FIELDS);
    assert_true(is_stored(value, f->world.palette[f->ids[i]]));
    f->seen[i]++;
}

static void walk(struct fixture *f, uint32_t max)
{
    memset(f->seen, 0, sizeof f->seen);
    uint64_t cursor = 0;
    while (hash_walk(f->world.subject, &cursor, max, see, f)) continue;
    for (uint32_t i = 0; i < FIELDS; i++) assert_int_equal(f->seen[i], f->ids[i] != ABSENT);
}

static void scan(struct fixture *f)
{
    memset(f->seen, 0, sizeof f->seen);
    uint64_t cursor = 0;
    do cursor = hash_scan(f->world.subject, cursor, see, f);
    while (cursor);
    for (uint32_t i = 0; i < FIELDS; i++) assert_int_equal(f->seen[i], f->ids[i] != ABSENT);
}

static void copy(struct fixture *f)
{
    struct obj *o = NULL;
    struct heap *h = &f->world.heap;
    while (!done(f, hash_copy(h, f->world.subject, &o))) assert_null(o);
    assert_same(f, o);
    assert_int_equal(o->count, 1);
    rc_dec(h, o);
}

static void test_hash_random_history_matches_model(void **state)
{
    (void)state;
    static struct fixture f;
    static const uint32_t aims[] = {3, 0, 30, 0, 500, 50, 900, 0}, limits[] = {TABLES, 128, 5, 33};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        begin(&f, seed, limits[seed - 1]);
        for (size_t k = 0; k < sizeof aims / sizeof *aims; k++) {
            for (uint32_t i = 0; i < 300 + 3 * aims[k]; i++) {
                uint32_t field = below(&f.world, FIELDS);
                if (below(&f.world, FIELDS) < aims[k])
                    set(&f, field, below(&f.world, PALETTE));
                else
                    delete (&f, field);
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
            assert_int_equal(hash_heap_type.bytes(f.world.subject) <= live_bytes(&f.world), true);
        }
        for (uint32_t i = 0; i < FIELDS; i++) delete (&f, i);
        assert_null(obj_body(f.world.subject));
        assert_int_equal(f.world.subject->flags & OBJ_VISIBLE, 0);
        subject_drop(&f.world);
        assert_only_palette(&f.world);
        world_end(&f.world);
    }
}

static void note_field(void *ctx, val field, val value)
{
    (void)value;
    *(val *)ctx = field;
}

static void test_hash_fields_are_shared_between_hashes(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 3, TABLES);
    struct heap *h = &f.world.heap;
    enum { LONG = 6 }; /* text_of gives it more than seven bytes */
    set(&f, LONG, 0);
    struct obj *other = heap_container_new(h, OBJ_HASH);
    assert_non_null(other);
    char text[64];
    struct needle n = needle_of(&f, LONG, text);
    uint64_t objects = heap_objects(h);
    assert_int_equal(hash_set_take(h, other, &n, VAL_NIL, NULL), STATUS_OK);
    assert_int_equal(heap_objects(h), objects);
    val a = VAL_NONE, b = VAL_NONE;
    uint64_t cursor = 0;
    assert_false(hash_walk(f.world.subject, &cursor, UINT32_MAX, note_field, &a));
    cursor = 0;
    assert_false(hash_walk(other, &cursor, UINT32_MAX, note_field, &b));
    assert_int_equal(a.w, b.w);
    assert_true(val_is_obj(a));
    assert_int_equal(val_obj(a)->count, 2);
    /* The needle is made from what goes. */
    n = needle_of_val(h, b);
    assert_true(hash_delete(h, other, &n));
    assert_false(hash_delete(h, other, &n));
    rc_dec(h, other);
    delete (&f, LONG);
    subject_drop(&f.world);
    assert_only_palette(&f.world);
    world_end(&f.world);
}

static void test_hash_copy_shares_fields_and_values(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 4, TABLES);
    struct heap *h = &f.world.heap;
    copy(&f);
    for (uint32_t i = 0; i < FIELDS; i++) set(&f, i, i % PALETTE);
    uint64_t objects = heap_objects(h);
    struct obj *o = NULL;
    assert_int_equal(hash_copy(h, f.world.subject, &o), STATUS_OK);
    assert_int_equal(heap_objects(h), objects + 1);
    assert_true(o->flags & OBJ_VISIBLE);
    assert_same(&f, o);
    struct visits visits = visits_of(&f.world, o, 7);
    for (uint32_t i = 0; i < PALETTE; i++)
        if (val_is_obj(f.world.palette[i]))
            assert_int_equal(val_obj(f.world.palette[i])->count, 1 + 2 * visits.palette[i]);
    rc_dec(h, o);
    subject_drop(&f.world);
    assert_only_palette(&f.world);
    world_end(&f.world);
}

/* Fields and values alike: what a scan of the hash does not report, heap_check() would miss. */
static void test_hash_visit_reports_each_reference_once(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 5, TABLES);
    uint64_t references = 0;
    for (uint32_t i = 0; i < FIELDS; i++) {
        char text[64];
        struct needle n = needle_of(&f, i, text);
        set(&f, i, i % PALETTE);
        references += val_is_none(n.v); /* a field that needs an object */
        references += val_is_obj(f.world.palette[i % PALETTE]);
    }
    for (uint32_t slots = 1; slots < 2000; slots = slots * 3 + 1) {
        assert_int_equal(visits_of(&f.world, f.world.subject, slots).all, references);
        assert_visits(&f.world, f.world.subject, slots);
    }
    world_end(&f.world);
}

static void test_hash_clear_goes_in_steps(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 6, TABLES);
    for (uint32_t i = 0; i < FIELDS; i++) set(&f, i, 1);
    struct obj *o = val_obj(f.world.palette[1]);
    subject_drop(&f.world);
    uint32_t count = o->count;
    assert_int_equal(count, 1 + FIELDS);
    while (heap_release_step(&f.world.heap, 1)) {
        assert_true(count - o->count <= 7); /* a bucket at most */
        count = o->count;
        assert_heap(&f.world);
    }
    assert_only_palette(&f.world);
    world_end(&f.world);
}

static void run_operations(struct fixture *f)
{
    for (uint32_t i = 0; i < 20; i++) set(f, i, i);
    copy(f);
    for (uint32_t i = 0; i < 20; i++) set(f, i, i + 20);
    for (uint32_t i = 20; i < 450; i++) set(f, i, i % PALETTE);
    copy(f);
    for (uint32_t i = 0; i < 450; i++) delete (f, i * 7 % 450);
    assert_null(obj_body(f->world.subject));
    set(f, 6, 6);
    subject_drop(&f->world);
    f->world.mem.fail_at = 0;
    assert_only_palette(&f->world);
}

static uint64_t refused_of_all(uint32_t entries)
{
    static struct fixture f;
    begin(&f, 7, entries);
    f.world.mem.attempts = 0;
    run_operations(&f);
    uint64_t attempts = f.world.mem.attempts, refused = 0;
    world_end(&f.world);
    for (uint64_t n = 1; n <= attempts; n++) {
        begin(&f, 7, entries);
        f.world.mem.fail_at = n;
        run_operations(&f);
        refused += f.refused;
        world_end(&f.world);
    }
    return refused;
}

static void test_hash_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    assert_true(refused_of_all(TABLES) > 200);
    assert_true(refused_of_all(128) > 200);
}

struct children {
    struct scene scene;
    uint32_t length;
    bool present[CHILDREN_MAX]; /* field number n holds child number n */
};

static struct needle field_needle(const struct children *c, uint32_t number)
{
    return needle_of_val(&c->scene.world.heap, val_of_small(number));
}

static void children_check(struct children *c)
{
    assert_true(hash_check(&c->scene.world.heap, c->scene.o));
    assert_int_equal(hash_length(c->scene.o), c->length);
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        struct needle n = field_needle(c, i);
        val v = hash_get(c->scene.o, &n);
        assert_int_equal(!val_is_none(v), c->present[i]);
        if (c->present[i]) assert_int_equal(child_number(&c->scene, v), i);
    }
}

static void children_set(struct children *c, uint32_t number)
{
    struct needle n = field_needle(c, number);
    val v = child_new(&c->scene, number);
    bool created;
    scene_note(&c->scene);
    assert_int_equal(hash_set_take(&c->scene.world.heap, c->scene.o, &n, v, &created), STATUS_OK);
    assert_int_equal(created, !c->present[number]);
    c->length += created;
    c->present[number] = true;
}

static void children_delete(struct children *c, uint32_t number)
{
    struct needle n = field_needle(c, number);
    scene_note(&c->scene);
    assert_int_equal(hash_delete(&c->scene.world.heap, c->scene.o, &n), c->present[number]);
    c->length -= c->present[number];
    c->present[number] = false;
}

static void run_scene(uint64_t seed, uint32_t length_aim, uint32_t entries)
{
    static struct children c;
    c.length = 0;
    memset(c.present, 0, sizeof c.present);
    scene_begin(&c.scene, OBJ_HASH, seed);
    struct world *w = &c.scene.world;
    limit(w, entries);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t number = below(w, 2 * length_aim);
        /* Growing and shrinking by turns, so that buckets are split and merged. */
        if (below(w, 100) < (i / 200 % 2 ? 20 : 80))
            children_set(&c, number);
        else
            children_delete(&c, number);
        for (uint32_t k = 0; k < length_aim / 200; k++) {
            if (i / 200 % 2)
                children_delete(&c, below(w, 2 * length_aim));
            else
                children_set(&c, below(w, 2 * length_aim));
        }
        /* Merges, and later splits, in one scan: what was visited could come back in a bucket that
         * was not. */
        if (c.scene.world.heap.collect.scanning == c.scene.o && below(w, 2) == 0) {
            if (c.length > length_aim / 2)
                while (c.length > length_aim / 6) children_delete(&c, below(w, 2 * length_aim));
            else
                while (c.length < length_aim) children_set(&c, below(w, 2 * length_aim));
        }
        scene_pause(&c.scene, length_aim);
        if (i % 20 == 0) children_check(&c);
        if (i % 100 == 0) assert_heap(w);
    }
    children_check(&c);
    /* A small table is scanned in one step, and so is what is packed. */
    assert_true(length_aim <= 2 || entries || (c.scene.gray > 0 && c.scene.black > 0));
    scene_end(&c.scene);
}

static void test_hash_changed_in_mid_scan_loses_nothing(void **state)
{
    (void)state;
    run_scene(1, 2, TABLES);
    run_scene(2, 30, TABLES);
    run_scene(3, 600, TABLES);
    run_scene(4, 2, 128);
    run_scene(5, 30, 128);
    run_scene(6, 30, 20);
    run_scene(7, 200, 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_random_history_matches_model),
        cmocka_unit_test(test_hash_fields_are_shared_between_hashes),
        cmocka_unit_test(test_hash_copy_shares_fields_and_values),
        cmocka_unit_test(test_hash_visit_reports_each_reference_once),
        cmocka_unit_test(test_hash_clear_goes_in_steps),
        cmocka_unit_test(test_hash_nth_allocation_fails),
        cmocka_unit_test(test_hash_changed_in_mid_scan_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
