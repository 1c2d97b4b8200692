/*
 * heap_check() and heap_trace(). Goal: each kind of corruption is found, and named as what it is; a
 * sound heap passes, in every phase of the collector. All other tests lean on this.
 *
 * Method: one heap that has everything (strings shared and interned, containers, cycles, roots,
 * identities, what waits to be freed, dead candidates) is corrupted in one place, checked, mended,
 * and checked again.
 */
#include "value/hash_pack.h"
#include "world.h"

struct scene {
    struct world *w;
    struct obj *list, *text, *name, *hash, *numbered;
};

static struct scene scene_new(void)
{
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct scene s = {.w = w, .list = keep(w, list_new(w))};
    w->values.limits.hash_entries = 0; /* a table, whose fields are objects */
    s.text = keep(w, text_new(w, "a string that needs an object"));
    push(w, s.list, s.text);
    push(w, s.list, s.text);
    s.hash = keep(w, heap_container_new(h, OBJ_HASH));
    for (int i = 0; i < 3; i++) {
        char text[32];
        snprintf(text, sizeof text, "a field of the name %d", i);
        struct needle field = needle_of_text(h, view_of(text));
        rc_inc(h, s.list);
        assert_int_equal(hash_set_take(h, s.hash, &field, val_of_obj(s.list), NULL), STATUS_OK);
        if (i == 0) s.name = intern_find(h, field.text, field.hash);
    }
    rc_inc(h, s.name);
    keep(w, s.name);
    s.numbered = keep(w, ring_new(w, 4, 1));
    uint64_t number;
    assert_int_equal(ident_number(h, s.numbered, &number), STATUS_OK);
    root(w, s.list);
    root(w, s.list);
    /* One dead candidate, and one that waits in the queue. */
    for (int i = 0; i < 2; i++) {
        struct obj *dying = list_new(w);
        push_take(w, dying, list_new(w));
        rc_inc(h, dying);
        rc_dec(h, dying);
        rc_dec(h, dying);
        if (i == 0) drain(w);
    }
    assert_int_equal(h->release_pending, 1);
    assert_int_equal(h->collect.candidates.dead, 1);
    assert_sound(w);
    return s;
}

static void scene_free(struct scene *s)
{
    struct world *w = s->w;
    assert_sound(w);
    unroot(w, s->list);
    unroot(w, s->list);
    drop(w, s->numbered);
    drop(w, s->name);
    drop(w, s->hash);
    drop(w, s->text);
    drop(w, s->list);
    world_free(w);
}

/* The check must find something, and say what is in `expected`. */
static void assert_found(struct world *w, const char *expected)
{
    char text[256];
    const char *wrong = heap_check(&w->heap, text);
    if (!wrong) fail_msg("not found: %s", expected);
    if (!strstr(wrong, expected)) fail_msg("'%s' instead of '%s'", wrong, expected);
}

/* The field is changed by `change`, which must be found, and gets its value back. */
#define ASSERT_FOUND(w, field, change, expected)                                                   \
    do {                                                                                           \
        __typeof__(field) sound_ = (field);                                                        \
        (field) = (__typeof__(field))((field) + (__typeof__(field))(change));                      \
        assert_found(w, expected);                                                                 \
        (field) = sound_;                                                                          \
        assert_sound(w);                                                                           \
    } while (0)

static void test_check_passes_an_empty_heap(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    assert_sound(w);
    world_free(w);
}

static void test_check_finds_wrong_counts(void **state)
{
    (void)state;
    struct scene s = scene_new();
    ASSERT_FOUND(s.w, s.list->count, 1, "list: count is 7, but 6 references were found");
    ASSERT_FOUND(s.w, s.list->count, -1, "list: count is 5, but 6 references were found");
    ASSERT_FOUND(s.w, s.text->count, 1, "string: count is 4, but 3 references were found");
    ASSERT_FOUND(s.w, s.text->count, -1, "string: count is 2, but 3 references were found");
    ASSERT_FOUND(s.w, s.hash->count, 1, "hash: count is 2, but 1 references were found");
    ASSERT_FOUND(s.w, s.numbered->count, -1, "list: count is 1, but 2 references were found");
    scene_free(&s);
}

/* Hashes with the same fields: the first has its own, and all others share a shape. */
static void test_check_finds_wrong_shapes(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct heap *h = &w->heap;
    struct obj *kept[3], *o = NULL;
    for (int i = 0; i < 3; i++) {
        kept[i] = o = keep(w, heap_container_new(h, OBJ_HASH));
        struct needle field = needle_of_text(h, view_of("a field of the shape"));
        assert_int_equal(hash_set_text(h, o, &field, view_of("1"), NULL), STATUS_OK);
    }
    assert_int_equal(hash_form(o), HASH_SHAPED);
    assert_sound(w);
    struct shape *s = hash_pack_shape(*hash_pack_word(o));
    ASSERT_FOUND(w, s->head.count, 1, "shape: count is 3, but 2 references were found");
    ASSERT_FOUND(w, s->head.count, -1, "shape: count is 1, but 2 references were found");
    ASSERT_FOUND(w, val_obj(s->field[0])->count, 1,
                 "string: count is 2, but 1 references were found");
    ASSERT_FOUND(w, s->sequence, 1, "a hash breaks its invariants");
    ASSERT_FOUND(w, h->objects[OBJ_SHAPE], 1, "type 8: 2 objects are counted, but 1 were found");
    for (int i = 0; i < 3; i++) drop(w, kept[i]);
    world_free(w);
}

/* A pin is a count of the collector's, and no other. */
static void test_check_counts_pins(void **state)
{
    (void)state;
    struct scene s = scene_new();
    s.list->flags |= OBJ_PINNED;
    assert_found(s.w, "list: count is 6, but 7 references were found");
    s.list->count++;
    assert_sound(s.w);
    s.list->count--;
    s.list->flags &= (uint8_t)~OBJ_PINNED;
    scene_free(&s);
}

static void test_check_finds_wrong_roots(void **state)
{
    (void)state;
    struct scene s = scene_new();
    ASSERT_FOUND(s.w, s.list->roots, 1, "list: roots are 3, but 2 were found");
    ASSERT_FOUND(s.w, s.list->roots, -1, "list: roots are 1, but 2 were found");
    ASSERT_FOUND(s.w, s.hash->roots, 1, "hash: roots are 1, but 0 were found");
    /* As many as do not fit, and the table of those does not know it. */
    ASSERT_FOUND(s.w, s.list->roots, OBJ_ROOTS_MAX - 2, "the table of roots is wrong");
    scene_free(&s);
}

static void test_check_finds_wrong_roots_beyond_the_header(void **state)
{
    (void)state;
    struct scene s = scene_new();
    while (rc_roots(&s.w->heap, s.hash) < OBJ_ROOTS_MAX + 2) root(s.w, s.hash);
    assert_sound(s.w);
    hold_of(s.w, s.hash)->roots--;
    hold_of(s.w, s.hash)->counts++;
    assert_found(s.w, "hash: roots are 65537, but 65536 were found");
    hold_of(s.w, s.hash)->roots++;
    hold_of(s.w, s.hash)->counts--;
    assert_sound(s.w);
    ASSERT_FOUND(s.w, s.hash->roots, -1, "the table of roots is wrong"); /* an entry of nobody */
    ASSERT_FOUND(s.w, s.list->roots, OBJ_ROOTS_MAX - 2, "the table of roots is wrong");
    /* As many as there are entries, but not the same objects. */
    uint16_t roots = s.list->roots;
    s.hash->roots = 1;
    s.list->roots = OBJ_ROOTS_MAX;
    assert_found(s.w, "the table of roots is wrong");
    s.hash->roots = OBJ_ROOTS_MAX;
    s.list->roots = roots;
    while (rc_roots(&s.w->heap, s.hash)) unroot(s.w, s.hash);
    scene_free(&s);
}

/* A string that nobody refers to any more has no cell to be found by; its type's number tells. */
static void test_check_finds_leaks(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct obj *leaked = text_new(s.w, "a string that nobody will free");
    assert_found(s.w, "type 1: 5 objects are counted, but 4 were found");
    rc_dec(&s.w->heap, leaked);
    assert_sound(s.w);
    leaked = list_new(s.w);
    assert_found(s.w, "list: count is 1, but 0 references were found");
    rc_dec(&s.w->heap, leaked);
    scene_free(&s);
}

static void test_check_finds_wrong_numbers_of_objects(void **state)
{
    (void)state;
    struct scene s = scene_new();
    for (int type = OBJ_STRING; type < OBJ_TYPES; type++) {
        char expected[64];
        snprintf(expected, sizeof expected, "type %d: %llu objects are counted", type,
                 (unsigned long long)s.w->heap.objects[type] + 1);
        ASSERT_FOUND(s.w, s.w->heap.objects[type], 1, expected);
    }
    ASSERT_FOUND(s.w, s.w->heap.objects[OBJ_LIST], -1, "type 3");
    ASSERT_FOUND(s.w, s.w->heap.saturated, 1, "immortal objects are miscounted");
    ASSERT_FOUND(s.w, s.w->heap.release_pending, 1, "the release queue's length is wrong");
    ASSERT_FOUND(s.w, s.w->heap.release_pending, -1, "the release queue's length is wrong");
    ASSERT_FOUND(s.w, s.w->heap.collect.candidates.dead, 1, "dead candidates are miscounted");
    ASSERT_FOUND(s.w, s.w->heap.collect.candidates.dead, -1, "dead candidates are miscounted");
    ASSERT_FOUND(s.w, s.w->heap.collect.frozen, 1, "frozen objects are miscounted");
    /* An immortal is not counted after, but it is counted. */
    uint32_t count = s.text->count;
    s.text->count = OBJ_COUNT_MAX;
    assert_found(s.w, "immortal objects are miscounted");
    s.w->heap.saturated = 1;
    assert_sound(s.w);
    s.text->count = count;
    assert_found(s.w, "immortal objects are miscounted");
    s.w->heap.saturated = 0;
    scene_free(&s);
}

/* The object says one thing about itself, a table another. */
#define ASSERT_FLAG_FOUND(w, o, flag, expected)                                                    \
    do {                                                                                           \
        (o)->flags ^= (flag);                                                                      \
        assert_found(w, expected);                                                                 \
        (o)->flags ^= (flag);                                                                      \
        assert_sound(w);                                                                           \
    } while (0)

static void test_check_finds_wrong_flags(void **state)
{
    (void)state;
    struct scene s = scene_new();
    ASSERT_FLAG_FOUND(s.w, s.list, OBJ_IDENTIFIED, "the identities are wrong");
    ASSERT_FLAG_FOUND(s.w, s.numbered, OBJ_IDENTIFIED, "the identities are wrong");
    ASSERT_FLAG_FOUND(s.w, s.text, OBJ_INTERNED, "the intern table is wrong");
    ASSERT_FLAG_FOUND(s.w, s.name, OBJ_INTERNED, "a hash breaks its invariants");
    ASSERT_FLAG_FOUND(s.w, s.hash, OBJ_FROZEN, "frozen objects are miscounted");
    ASSERT_FLAG_FOUND(s.w, s.hash, OBJ_VISIBLE, "a hash breaks its invariants");
    ASSERT_FLAG_FOUND(s.w, s.numbered, OBJ_VISIBLE, "a list breaks its invariants");
    scene_free(&s);
}

/* As many flags as entries, but not the same objects. */
static void test_check_finds_swapped_flags(void **state)
{
    (void)state;
    struct scene s = scene_new();
    s.list->flags |= OBJ_IDENTIFIED;
    s.numbered->flags &= (uint8_t)~OBJ_IDENTIFIED;
    assert_found(s.w, "the identities are wrong");
    s.list->flags &= (uint8_t)~OBJ_IDENTIFIED;
    s.numbered->flags |= OBJ_IDENTIFIED;
    scene_free(&s);
}

static void test_check_finds_wrong_identities(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct ident *id = &s.w->heap.ident;
    assert_int_equal(id->next, 2);
    ASSERT_FOUND(s.w, id->next, -1, "the identities are wrong"); /* a number that is to come */
    ASSERT_FOUND(s.w, id->by_number.used, 1, "the identities are wrong");
    ASSERT_FOUND(s.w, id->by_object.used, 1, "the identities are wrong");
    scene_free(&s);
}

static void test_check_finds_wrong_interning(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct intern *intern = &s.w->heap.intern;
    ASSERT_FOUND(s.w, intern->saved_bytes, 1, "the intern table is wrong");
    ASSERT_FOUND(s.w, intern->saved_bytes, -1, "the intern table is wrong");
    ASSERT_FOUND(s.w, intern->strings.used, 1, "the intern table is wrong");
    /* Two equal strings in the table. */
    struct view text = s.w->heap.types[OBJ_STRING]->text(s.name);
    val twin;
    assert_int_equal(val_of_text(&s.w->heap, text, &twin), STATUS_OK);
    keep(s.w, val_obj(twin));
    assert_sound(s.w);
    assert_int_equal(intern_add(&s.w->heap, val_obj(twin), val_hash(&s.w->heap, twin)), STATUS_OK);
    assert_found(s.w, "");
    assert_false(intern_check(&s.w->heap));
    drop(s.w, val_obj(twin));
    assert_true(intern_check(&s.w->heap));
    scene_free(&s);
}

static void test_check_finds_wrong_pools(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct pool_stats stats;
    pool_get_stats(s.w->heap.pool, &stats);
    assert_true(stats.reserved_bytes > 0);
    size_t bytes = s.w->mem.bytes;
    s.w->mem.bytes = stats.reserved_bytes - 1; /* less than the arenas alone */
    assert_found(s.w, "the pools do not add up");
    s.w->mem.bytes = bytes;
    scene_free(&s);
}

/* --- the collector --- */

/* Runs a trial up to a phase, one slot at a time. */
static void run_to(struct world *w, enum collect_phase phase)
{
    w->heap.collect.slice_slots_max = 1;
    collect_full_begin(&w->heap);
    while (w->heap.collect.phase != phase) assert_true(collect_step(&w->heap, true));
}

static void run_out(struct world *w)
{
    while (w->heap.collect.full_done != w->heap.collect.full_wanted) collect_step(&w->heap, true);
}

static void test_check_finds_wrong_colours(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct collect *c = &s.w->heap.collect;
    const char *expected = "the collector's table is wrong";
    ASSERT_FOUND(s.w, c->trial_open, 1, expected);
    rc_inc(&s.w->heap, s.numbered);
    rc_dec(&s.w->heap, s.numbered);
    for (enum collect_phase phase = COLLECT_GRAY; phase <= COLLECT_BLACK; phase++) {
        run_to(s.w, phase);
        while (obj_words(s.numbered)->place == 0 || c->places == 0) collect_step(&s.w->heap, true);
        assert_sound(s.w);
        c->trial_open = false;
        assert_found(s.w, expected);
        c->trial_open = true;
        /* The object forgets its place, or claims another's. */
        ASSERT_FOUND(s.w, obj_words(s.numbered)->place, 1, expected);
        ASSERT_FOUND(s.w, obj_words(s.numbered)->place, -obj_words(s.numbered)->place, expected);
        struct obj *scanning = c->scanning;
        c->scanning = s.hash; /* which has no place */
        assert_found(s.w, expected);
        c->scanning = scanning;
        assert_sound(s.w);
    }
    run_out(s.w);
    scene_free(&s);
}

/* Not a word of complaint at any moment of a collection that has something to free. */
static void test_check_passes_every_slice(void **state)
{
    (void)state;
    struct scene s = scene_new();
    struct world *w = s.w;
    for (uint32_t i = 1; i < 12; i++) rc_dec(&w->heap, ring_new(w, i, 1));
    rc_inc(&w->heap, s.numbered);
    rc_dec(&w->heap, s.numbered);
    bool seen[COLLECT_ABANDON + 1] = {false};
    w->heap.collect.slice_slots_max = 1;
    uint64_t found, ticket = collect_full_begin(&w->heap);
    while (!collect_full_found(&w->heap, ticket, &found)) {
        collect_step(&w->heap, true);
        seen[w->heap.collect.phase] = true;
        assert_sound(w);
        assert_int_equal(heap_trace(&w->heap).condemned, 0);
    }
    assert_int_equal(found, 11 * 12 / 2);
    assert_true(seen[COLLECT_GRAY] && seen[COLLECT_BLACK] && seen[COLLECT_FREE]);
    scene_free(&s);
}

/* --- the trace --- */

static void test_trace_counts_what_holders_reach(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    assert_int_equal(heap_trace(&w->heap).objects, 0);
    struct obj *ring = keep(w, ring_new(w, 3000, 1)), *text = text_new(w, "a string of an object");
    push(w, ring, text);
    push_take(w, val_obj(list_get(ring, 0)), text); /* shared: once */
    struct heap_trace trace = heap_trace(&w->heap);
    assert_int_equal(trace.objects, 3001);
    assert_int_equal(trace.condemned, 0);
    assert_false(trace.failed);
    root(w, ring); /* held twice: once */
    assert_int_equal(heap_trace(&w->heap).objects, 3001);
    unroot(w, ring);
    rc_dec(&w->heap, ring_new(w, 100, 1));
    assert_int_equal(heap_trace(&w->heap).objects, 3001); /* not garbage */
    assert_int_equal(heap_objects(&w->heap), 3101);
    drop(w, ring);
    assert_int_equal(heap_trace(&w->heap).objects, 0);
    world_free(w);
}

/* What only the trace can know: that the condemned are reached after all. */
static void test_trace_finds_live_condemned(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct obj *ring = ring_new(w, 5, 1);
    rc_dec(&w->heap, ring);
    run_to(w, COLLECT_FREE);
    assert_int_equal(heap_trace(&w->heap).condemned, 0);
    keep(w, ring); /* a reference that the barrier was not told of */
    struct heap_trace trace = heap_trace(&w->heap);
    assert_int_equal(trace.objects, 5);
    assert_int_equal(trace.condemned, 5);
    hold_of(w, ring)->counts = 0;
    hold_tidy(w, hold_of(w, ring));
    run_out(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_passes_an_empty_heap),
        cmocka_unit_test(test_check_finds_wrong_counts),
        cmocka_unit_test(test_check_finds_wrong_shapes),
        cmocka_unit_test(test_check_counts_pins),
        cmocka_unit_test(test_check_finds_wrong_roots),
        cmocka_unit_test(test_check_finds_wrong_roots_beyond_the_header),
        cmocka_unit_test(test_check_finds_leaks),
        cmocka_unit_test(test_check_finds_wrong_numbers_of_objects),
        cmocka_unit_test(test_check_finds_wrong_flags),
        cmocka_unit_test(test_check_finds_swapped_flags),
        cmocka_unit_test(test_check_finds_wrong_identities),
        cmocka_unit_test(test_check_finds_wrong_interning),
        cmocka_unit_test(test_check_finds_wrong_pools),
        cmocka_unit_test(test_check_finds_wrong_colours),
        cmocka_unit_test(test_check_passes_every_slice),
        cmocka_unit_test(test_trace_counts_what_holders_reach),
        cmocka_unit_test(test_trace_finds_live_condemned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
