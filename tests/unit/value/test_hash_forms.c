/*
 * Goal: hashes share their fields where others have the same, keep what others must see, and never
 * lose a field on the way from form to form.
 * Method: the forms of hand-made hashes; many hashes beside a model, that come to and leave shapes
 * and tables with limits that change, while memory runs out now and then, with heap_check() all the
 * time; every allocation of what sets many fields at once made to fail; long chains.
 */
#include "containers.h"

#include "heap/collect_parts.h"
#include "value/hash_pack.h"
#include "value/shape.h"

enum { HASHES = 24, FIELDS = 8, FIELDS_WIDE = 60, ABSENT = 255 };

struct model {
    struct obj *o; /* NULL: not there */
    uint8_t ids[FIELDS_WIDE];
};

struct fixture {
    struct world world;
    struct heap_holder holder;
    struct model hashes[HASHES];
    uint32_t fields;  /* that there are */
    uint64_t wide[3]; /* hashes with a directory, as they are met, by their form */
    uint64_t gaps, shaped, own, tables, refused;
};

static void hold_hashes(void *self, heap_hold_visit *visit, void *ctx)
{
    struct fixture *f = self;
    for (int i = 0; i < HASHES; i++)
        if (f->hashes[i].o) visit(ctx, f->hashes[i].o, HEAP_HOLD_ROOT);
}

static void begin(struct fixture *f, uint64_t seed, uint32_t fields)
{
    memset(f, 0, sizeof *f);
    f->fields = fields;
    world_begin(&f->world, seed);
    f->holder = (struct heap_holder){.name = "hashes", .each = hold_hashes, .self = f};
    heap_add_holder(&f->world.heap, &f->holder);
}

static struct obj *make(struct fixture *f, int i)
{
    struct obj *o = heap_container_new(&f->world.heap, OBJ_HASH);
    assert_non_null(o);
    assert_int_equal(rc_root_add(&f->world.heap, o), STATUS_OK);
    f->hashes[i].o = o;
    memset(f->hashes[i].ids, ABSENT, FIELDS_WIDE);
    return o;
}

static void drop(struct fixture *f, int i)
{
    struct obj *o = f->hashes[i].o;
    f->hashes[i].o = NULL;
    if (!o) return;
    rc_root_drop(&f->world.heap, o);
    rc_dec(&f->world.heap, o);
}

static void end(struct fixture *f)
{
    for (int i = 0; i < HASHES; i++) drop(f, i);
    f->world.mem.fail_at = 0;
    assert_only_palette(&f->world);
    assert_int_equal(shapes_count(&f->world.heap), 0);
    assert_int_equal(shapes_bytes(&f->world.heap), 0);
    world_end(&f->world);
}

static void set_text(struct fixture *f, struct obj *o, const char *field, const char *text)
{
    struct heap *h = &f->world.heap;
    struct needle n = needle_of_text(h, view_of(field));
    assert_int_equal(hash_set_text(h, o, &n, view_of(text), NULL), STATUS_OK);
}

static void set_record(struct fixture *f, struct obj *o, const char *const *fields, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) set_text(f, o, fields[i], "value");
}

static const struct shape *shape_of(const struct obj *o)
{
    assert_int_equal(hash_form(o), HASH_SHAPED);
    return hash_pack_shape(*hash_pack_word(o));
}

static const char *const record[] = {"name",   "email",      "city",     "plan",  "age",
                                     "visits", "created_at", "language", "score", "the team of it"};
enum { RECORD = sizeof record / sizeof *record };

static void test_hashes_with_the_same_fields_share_them(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 1, FIELDS);
    struct heap *h = &f.world.heap;
    for (int i = 0; i < 3; i++) set_record(&f, make(&f, i), record, RECORD);
    assert_int_equal(hash_form(f.hashes[0].o), HASH_PACKED);
    const struct shape *s = shape_of(f.hashes[1].o);
    assert_ptr_equal(shape_of(f.hashes[2].o), s);
    assert_int_equal(s->head.count, 2);
    assert_int_equal(s->fields, RECORD);
    /* None is left of the stages that the records were built through. */
    assert_int_equal(h->objects[OBJ_SHAPE], 1);
    /* The same fields in another order are another shape. */
    for (int i = 3; i < 5; i++) {
        make(&f, i);
        for (int k = RECORD; k-- > 0;) set_text(&f, f.hashes[i].o, record[k], "1");
    }
    assert_ptr_not_equal(shape_of(f.hashes[4].o), s);
    struct obj *copy = NULL;
    assert_int_equal(hash_copy(h, f.hashes[2].o, &copy), STATUS_OK);
    assert_int_equal(s->head.count, 3);
    rc_dec(h, copy);
    assert_int_equal(s->head.count, 2);
    assert_heap(&f.world);
    drop(&f, 1);
    drop(&f, 2);
    drop(&f, 4);
    assert_int_equal(h->objects[OBJ_SHAPE], 0);
    end(&f);
}

static void test_hash_follows_its_fields_from_shape_to_shape(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 2, FIELDS);
    struct heap *h = &f.world.heap;
    for (int i = 0; i < 6; i++) set_record(&f, make(&f, i), record, 3);
    const struct shape *three = shape_of(f.hashes[5].o);
    for (int i = 3; i < 6; i++) set_text(&f, f.hashes[i].o, "more", "x");
    assert_int_equal(hash_form(f.hashes[3].o), HASH_PACKED);
    const struct shape *four = shape_of(f.hashes[4].o);
    assert_ptr_equal(shape_of(f.hashes[5].o), four);
    struct needle more = needle_of_text(h, view_of("more"));
    for (int i = 3; i < 6; i++) assert_true(hash_delete(h, f.hashes[i].o, &more));
    for (int i = 3; i < 6; i++) assert_ptr_equal(shape_of(f.hashes[i].o), three);
    assert_int_equal(h->objects[OBJ_SHAPE], 1);
    /* Set again, a field of a shape keeps its place. */
    set_text(&f, f.hashes[3].o, record[0], "a longer value than before");
    assert_ptr_equal(shape_of(f.hashes[3].o), three);
    assert_heap(&f.world);
    end(&f);
}

static void test_hash_holds_long_and_shared_strings_by_reference(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 3, FIELDS);
    struct heap *h = &f.world.heap;
    struct obj *o = make(&f, 0);
    char text[100];
    memset(text, 'x', sizeof text);
    set_text(&f, o, "short", "some text of twenty characters");
    uint64_t strings = h->objects[OBJ_STRING];
    struct needle n = needle_of_text(h, view_of("long"));
    assert_int_equal(hash_set_text(h, o, &n, (struct view){text, 100}, NULL), STATUS_OK);
    assert_int_equal(h->objects[OBJ_STRING], strings + 1);
    assert_int_equal(hash_form(o), HASH_PACKED);
    assert_int_equal(o->flags & OBJ_VISIBLE, 0);
    /* A string that somebody else holds is not copied. */
    uint32_t shared = 4;
    assert_true(val_is_obj(f.world.palette[shared]));
    assert_int_equal(hash_set_take(h, o, &n, palette_take(&f.world, shared), NULL), STATUS_OK);
    assert_int_equal(h->objects[OBJ_STRING], strings);
    assert_int_equal(hash_get(o, &n).w, f.world.palette[shared].w);
    assert_int_equal(val_obj(f.world.palette[shared])->count, 2);
    /* A container is one entry more, and makes the hash visible. */
    assert_int_equal(hash_set_take(h, o, &n, palette_take(&f.world, 1), NULL), STATUS_OK);
    assert_int_equal(hash_form(o), HASH_PACKED);
    assert_int_equal(o->flags & OBJ_VISIBLE, OBJ_VISIBLE);
    assert_int_equal(hash_get(o, &n).w, f.world.palette[1].w);
    assert_heap(&f.world);
    end(&f);
}

/* What repeats in one field of a shape becomes one string; what does not stays bytes, and is asked
 * about ever less often. */
static void test_hash_values_that_repeat_are_one_string(void **state)
{
    (void)state;
    enum { RECORDS = 2000, MAINTAINERS = 10 };
    static struct fixture f;
    static struct obj *records[RECORDS];
    begin(&f, 6, FIELDS);
    struct heap *h = &f.world.heap;
    uint64_t strings = h->objects[OBJ_STRING];
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct obj *o = records[i] = heap_container_new(h, OBJ_HASH);
        assert_non_null(o);
        char who[64], what[64];
        int n =
            snprintf(who, sizeof who, "a maintainer of the packages, number %u", i % MAINTAINERS);
        int m = snprintf(what, sizeof what, "what tells the record from others, number %u", i);
        struct view texts[] = {view_of("by"), {who, (size_t)n}, view_of("is"), {what, (size_t)m}};
        struct hash_pairs pairs = {texts, NULL, 2};
        int64_t created;
        assert_int_equal(hash_set_pairs(h, o, &pairs, &created), STATUS_OK);
        struct needle by = needle_of_text(h, texts[0]), is = needle_of_text(h, texts[2]);
        char scratch[VAL_TEXT_CHARS];
        val v = hash_get(o, &by), w = hash_get(o, &is);
        assert_true(view_eq(val_text(&v, scratch), texts[1]));
        assert_true(view_eq(val_text(&w, scratch), texts[3]));
        assert_int_equal(val_is_obj(v), i > MAINTAINERS);
        assert_false(val_is_obj(w));
        assert_true(hash_check(h, o));
    }
    assert_int_equal(h->objects[OBJ_STRING], strings + MAINTAINERS);
    const struct shape *s = shape_of(records[RECORDS - 1]);
    struct evidence *by = shape_evidence(s, 0), *is = shape_evidence(s, 1);
    assert_int_equal(by->asked_all, RECORDS - 1); /* the first had no shape */
    assert_int_equal(by->hits_all, RECORDS - 1 - MAINTAINERS);
    assert_int_equal(is->verdict, EVIDENCE_IS_RARE);
    assert_int_equal(is->hits_all, 0);
    assert_true(is->asked_all < 10 * EVIDENCE_WINDOW);
    for (uint32_t i = 0; i < RECORDS; i++) rc_dec(h, records[i]);
    assert_int_equal(h->objects[OBJ_STRING], strings);
    end(&f);
}

/* Two shapes have a field of one name: its evidence is one. */
static void test_shapes_share_the_names_of_their_fields(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 7, FIELDS);
    for (int i = 0; i < 4; i++) set_record(&f, make(&f, i), record, i < 2 ? 3 : 4);
    const struct shape *three = shape_of(f.hashes[1].o), *four = shape_of(f.hashes[3].o);
    for (uint32_t i = 0; i < 3; i++) assert_ptr_equal(shape_names(three)[i], shape_names(four)[i]);
    assert_int_equal(shape_names(four)[0]->shapes, 2);
    drop(&f, 3);
    assert_int_equal(shape_names(three)[0]->shapes, 1);
    assert_heap(&f.world);
    end(&f);
}

static void test_hash_with_a_weak_reference_is_a_table(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 4, FIELDS);
    struct heap *h = &f.world.heap;
    struct obj *o = make(&f, 0);
    set_record(&f, o, record, RECORD);
    val weak;
    assert_int_equal(val_weaken(h, f.world.palette[1], &weak), STATUS_OK);
    struct needle n = needle_of_text(h, view_of("weak"));
    assert_int_equal(hash_set_take(h, o, &n, weak, NULL), STATUS_OK);
    assert_int_equal(hash_form(o), HASH_TABLE);
    assert_int_equal(hash_get(o, &n).w, f.world.palette[1].w);
    assert_heap(&f.world);
    assert_true(hash_delete(h, o, &n));
    assert_heap(&f.world);
    end(&f);
}

/* --- many hashes beside a model --- */

static struct view field_text(uint32_t field, char text[64])
{
    return (struct view){
        text, (size_t)snprintf(text, 64, field % 3 ? "f%u" : "a field of more %u", field)};
}

static bool is_stored(val v, val want)
{
    return v.w == want.w || (val_is_string(want) && val_eq(v, want));
}

static void see(void *ctx, val field, val value)
{
    uint64_t *seen = ctx;
    assert_true(val_is_string(field) && !val_is_none(value));
    ++*seen;
}

static void compare(struct fixture *f, int i)
{
    const struct model *m = &f->hashes[i];
    const struct heap *h = &f->world.heap;
    uint64_t length = 0, walked = 0, scanned = 0, cursor = 0;
    if (!m->o) return;
    assert_true(hash_check(h, m->o));
    for (uint32_t k = 0; k < f->fields; k++) {
        char text[64];
        struct needle n = needle_of_text(h, field_text(k, text));
        val want = m->ids[k] == ABSENT ? VAL_NONE : f->world.palette[m->ids[k]];
        if (!is_stored(hash_get(m->o, &n), want)) fail_msg("field %u of %d differs", k, i);
        length += m->ids[k] != ABSENT;
    }
    assert_int_equal(hash_length(m->o), length);
    while (hash_walk(m->o, &cursor, 3, see, &walked)) continue;
    cursor = 0;
    do cursor = hash_scan(m->o, cursor, see, &scanned);
    while (cursor);
    assert_int_equal(walked, length);
    assert_int_equal(scanned, length);
    if (!length) return;
    enum hash_form form = hash_form(m->o);
    f->tables += form == HASH_TABLE;
    f->own += form == HASH_PACKED;
    f->shaped += form == HASH_SHAPED;
    if (form != HASH_TABLE) f->wide[form] += hash_pack_directory_bytes(*hash_pack_word(m->o)) > 0;
}

static void set_one(struct fixture *f, struct model *m)
{
    struct world *w = &f->world;
    uint32_t field = below(w, f->fields), id = below(w, PALETTE);
    char text[64], value[64];
    struct needle n = needle_of_text(&w->heap, field_text(field, text));
    bool created = false, by_text = val_is_string(w->palette[id]) && below(w, 2);
    enum status s = by_text ? hash_set_text(&w->heap, m->o, &n, text_of(id / 2, value), &created)
                            : hash_set_take(&w->heap, m->o, &n, palette_take(w, id), &created);
    if (s) {
        assert_int_equal(s, STATUS_OOM);
        f->refused++;
        return;
    }
    assert_int_equal(created, m->ids[field] == ABSENT);
    m->ids[field] = (uint8_t)id;
}

static void set_many(struct fixture *f, struct model *m)
{
    struct world *w = &f->world;
    char names[FIELDS_WIDE][64], values[FIELDS_WIDE][64];
    struct view texts[2 * FIELDS_WIDE];
    val given[FIELDS_WIDE];
    uint8_t ids[FIELDS_WIDE], fields[FIELDS_WIDE];
    bool by_text = below(w, 2);
    bool narrow = f->fields == FIELDS;
    uint32_t first = narrow ? below(w, 3) : 0, step = narrow ? 1 + below(w, 2) : 1;
    struct hash_pairs pairs = {.texts = texts, .values = by_text ? NULL : given};
    for (uint32_t k = first; k < f->fields && (pairs.n < f->fields / 3 || below(w, 6)); k += step) {
        uint32_t n = pairs.n++;
        ids[n] = (uint8_t)(by_text ? 2 * below(w, PALETTE / 2) : below(w, PALETTE));
        fields[n] = (uint8_t)(below(w, 4 * f->fields) ? k : 5); /* now and then a field twice */
        given[n] = w->palette[ids[n]];
        texts[2 * n] = field_text(fields[n], names[n]);
        texts[2 * n + 1] = text_of(ids[n] / 2, values[n]);
    }
    int64_t created, was_absent = 0;
    enum status s = hash_set_pairs(&w->heap, m->o, &pairs, &created);
    if (s) {
        assert_int_equal(s, STATUS_OOM);
        assert_int_equal(created, 0);
        f->refused++;
        return;
    }
    for (uint32_t k = 0; k < pairs.n; k++) {
        was_absent += m->ids[fields[k]] == ABSENT;
        m->ids[fields[k]] = ids[k];
    }
    assert_int_equal(created, was_absent);
}

static void delete_one(struct fixture *f, struct model *m)
{
    char text[64];
    uint32_t field = below(&f->world, f->fields);
    struct needle n = needle_of_text(&f->world.heap, field_text(field, text));
    assert_int_equal(hash_delete(&f->world.heap, m->o, &n), m->ids[field] != ABSENT);
    m->ids[field] = ABSENT;
    if (obj_body(m->o) && hash_form(m->o) == HASH_SHAPED)
        f->gaps += (*hash_pack_word(m->o) & HASH_PACK_GAPS) != 0;
}

static void copy_to(struct fixture *f, int from, int to)
{
    struct obj *o = NULL;
    if (from == to) return;
    if (hash_copy(&f->world.heap, f->hashes[from].o, &o)) {
        assert_null(o);
        f->refused++;
        return;
    }
    drop(f, to);
    assert_int_equal(rc_root_add(&f->world.heap, o), STATUS_OK);
    memcpy(f->hashes[to].ids, f->hashes[from].ids, FIELDS_WIDE);
    f->hashes[to].o = o;
}

/* Records are usually made anew, with the same fields. */
static void renew(struct fixture *f, int i)
{
    uint64_t fail_at = f->world.mem.fail_at;
    f->world.mem.fail_at = 0;
    drop(f, i);
    make(f, i);
    f->world.mem.fail_at = fail_at;
}

static void change(struct fixture *f)
{
    struct world *w = &f->world;
    int i = (int)below(w, HASHES);
    struct model *m = &f->hashes[i];
    if (!m->o) {
        w->mem.fail_at = 0;
        make(f, i);
    }
    /* One of the next allocations fails, now and then, or all from it on. */
    w->mem.fail_on = below(w, 2);
    w->mem.fail_at = below(w, 3) ? 0 : 1 + below(w, 4);
    switch (below(w, 8)) {
    case 0:
        if (below(w, 2)) renew(f, i);
        set_many(f, m);
        break;
    case 1: drop(f, i); break;
    case 2: copy_to(f, i, (int)below(w, HASHES)); break;
    case 3:
        w->mem.fail_at = w->mem.fail_on = true; /* no memory at all */
        delete_one(f, m);
        break;
    case 4:
    case 5: delete_one(f, m); break;
    default: set_one(f, m); break;
    }
    w->mem.fail_at = 0;
}

struct limits {
    uint32_t entries, text_bytes;
};

static void run_history(uint64_t seed, uint32_t fields, uint32_t steps, const struct limits *limits)
{
    static struct fixture f;
    begin(&f, seed, fields);
    for (uint32_t i = 0; i < steps; i++) {
        const struct limits *now = &limits[(seed + 4 * i / steps) % 4];
        f.world.values.limits.hash_entries = now->entries;
        f.world.values.limits.hash_text_bytes = now->text_bytes;
        change(&f);
        if (i % 7 == 0) settle(&f.world);
        if (i % 20 != 0) continue;
        for (int k = 0; k < HASHES; k++) compare(&f, k);
        assert_heap(&f.world);
    }
    assert_true(f.own > 100 && f.shaped > 100 && f.tables > 100);
    assert_true(fields == FIELDS || (f.wide[HASH_PACKED] > 100 && f.wide[HASH_SHAPED] > 100));
#ifdef HEAPD_DEBUG
    assert_true(f.refused > 100 && f.gaps > (fields == FIELDS ? 10 : 0));
#endif
    end(&f);
}

static void test_many_hashes_match_their_model(void **state)
{
    (void)state;
    static const struct limits limits[] = {{128, 64}, {6, 64}, {4, 10}, {7, 0}};
    for (uint64_t seed = 1; seed <= 4; seed++) run_history(seed, FIELDS, 12000, limits);
}

/* So many fields that their entries are found through a directory. */
static void test_many_wide_hashes_match_their_model(void **state)
{
    (void)state;
    static const struct limits limits[] = {{128, 64}, {48, 64}, {128, 10}, {20, 64}};
    for (uint64_t seed = 1; seed <= 4; seed++) run_history(seed, FIELDS_WIDE, 8000, limits);
}

/* --- all or nothing --- */

/* Hashes of each form, and an empty one; then all get many fields, of which some are there. */
static void run_pairs(struct fixture *f, bool by_text)
{
    struct world *w = &f->world;
    char names[FIELDS][64], values[FIELDS][64];
    struct view texts[2 * FIELDS];
    val given[FIELDS];
    struct hash_pairs pairs = {texts, by_text ? NULL : given, FIELDS};
    for (uint32_t k = 0; k < FIELDS; k++) {
        uint32_t id = by_text ? 2 * k : k + 7;
        texts[2 * k] = field_text(k, names[k]);
        texts[2 * k + 1] = text_of(id / 2, values[k]);
        given[k] = w->palette[id];
    }
    for (int i = 0; i < 6; i++) {
        struct model *m = &f->hashes[i];
        int64_t created;
        enum status s = hash_set_pairs(&w->heap, m->o, &pairs, &created);
        if (s) {
            f->refused++;
            compare(f, i);
            s = hash_set_pairs(&w->heap, m->o, &pairs, &created);
        }
        assert_int_equal(s, STATUS_OK);
        for (uint32_t k = 0; k < FIELDS; k++) m->ids[k] = (uint8_t)(by_text ? 2 * k : k + 7);
        compare(f, i);
    }
}

static void prepare_pairs(struct fixture *f, bool by_text)
{
    struct world *w = &f->world;
    begin(f, 9, FIELDS);
    for (int i = 0; i < 6; i++) {
        struct obj *o = make(f, i);
        w->values.limits.hash_entries = i == 5 ? 0 : 128;
        for (uint32_t k = 1; k < 4 && i > 1; k++) {
            char text[64];
            struct needle n = needle_of_text(&w->heap, field_text(k * (i == 2 ? 2 : 1), text));
            uint32_t id = by_text ? 8 : 3 + k;
            assert_int_equal(hash_set_take(&w->heap, o, &n, palette_take(w, id), NULL), STATUS_OK);
            f->hashes[i].ids[k * (i == 2 ? 2 : 1)] = (uint8_t)id;
        }
    }
    w->values.limits.hash_entries = by_text ? 128 : 5;
    w->mem.attempts = 0;
}

static void test_many_fields_are_set_or_none(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    static struct fixture f;
    for (int by_text = 0; by_text < 2; by_text++) {
        uint64_t refused = 0;
        prepare_pairs(&f, by_text);
        run_pairs(&f, by_text);
        uint64_t attempts = f.world.mem.attempts;
        end(&f);
        for (uint64_t n = 1; n <= attempts; n++) {
            prepare_pairs(&f, by_text);
            f.world.mem.fail_at = n;
            run_pairs(&f, by_text);
            f.world.mem.fail_at = 0;
            assert_heap(&f.world);
            refused += f.refused;
            end(&f);
        }
        assert_true(refused > 10);
    }
}

/* --- dying --- */

static void test_chain_of_packed_hashes_goes_in_steps(void **state)
{
    (void)state;
    enum { LENGTH = 50000 };
    static struct fixture f;
    begin(&f, 5, FIELDS);
    struct heap *h = &f.world.heap;
    struct obj *next = NULL;
    for (uint32_t i = 0; i < LENGTH; i++) {
        struct obj *o = heap_container_new(h, OBJ_HASH);
        assert_non_null(o);
        struct needle n = needle_of_text(h, view_of("next")),
                      name = needle_of_text(h, view_of("name"));
        assert_int_equal(hash_set_text(h, o, &name, view_of("a link of the chain"), NULL),
                         STATUS_OK);
        if (next) assert_int_equal(hash_set_take(h, o, &n, val_of_obj(next), NULL), STATUS_OK);
        next = o;
    }
    assert_int_equal(hash_form(next), HASH_SHAPED);
    uint64_t hashes = h->objects[OBJ_HASH];
    rc_dec(h, next);
    assert_int_equal(h->objects[OBJ_HASH], hashes);
    while (heap_release_step(h, 10)) {
        assert_true(hashes - h->objects[OBJ_HASH] <= 10);
        hashes = h->objects[OBJ_HASH];
    }
    end(&f);
}

#ifdef HEAPD_DEBUG
/* HSET of two fields fails in the middle of a trial: the body that is put back has the place. */
static void test_many_fields_fail_beside_the_collector(void **state)
{
    (void)state;
    static struct scene s;
    scene_begin(&s, OBJ_HASH, 3);
    struct heap *h = &s.world.heap;
    val children[3];
    for (int i = 0; i < 3; i++) {
        char name[16];
        struct view text = {name, (size_t)snprintf(name, sizeof name, "child%d", i)};
        struct needle field = needle_of_text(h, text);
        children[i] = child_new(&s, i);
        assert_int_equal(hash_set_take(h, s.o, &field, children[i], NULL), STATUS_OK);
    }
    assert_true(s.o->flags & OBJ_PACKED);
    const struct view texts[] = {view_of("child1"), view_of("a-text-in-the-place-of-a-child"),
                                 view_of("another-field"), view_of("another-value-of-some-length")};
    const struct hash_pairs pairs = {.texts = texts, .n = 2};
    uint64_t refused = 0;
    for (uint64_t nth = 1; nth < 8; nth++) {
        while (h->collect.phase != COLLECT_IDLE) scene_slices(&s, 1);
        while (h->collect.phase != COLLECT_GRAY || !place_of(&h->collect, s.o)) scene_slices(&s, 1);
        uint32_t place = place_of(&h->collect, s.o);
        int64_t created;
        s.world.mem.fail_at = nth;
        enum status status = hash_set_pairs(h, s.o, &pairs, &created);
        s.world.mem.fail_at = 0;
        if (status == STATUS_OK) break;
        refused++;
        assert_int_equal(status, STATUS_OOM);
        assert_int_equal(place_of(&h->collect, s.o), place);
        for (int i = 0; i < 3; i++) assert_int_equal(child_number(&s, children[i]), i);
        assert_heap(&s.world);
    }
    assert_true(refused > 1);
    scene_end(&s);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes_with_the_same_fields_share_them),
        cmocka_unit_test(test_hash_follows_its_fields_from_shape_to_shape),
        cmocka_unit_test(test_hash_holds_long_and_shared_strings_by_reference),
        cmocka_unit_test(test_hash_values_that_repeat_are_one_string),
        cmocka_unit_test(test_shapes_share_the_names_of_their_fields),
        cmocka_unit_test(test_hash_with_a_weak_reference_is_a_table),
        cmocka_unit_test(test_many_hashes_match_their_model),
        cmocka_unit_test(test_many_wide_hashes_match_their_model),
        cmocka_unit_test(test_many_fields_are_set_or_none),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_many_fields_fail_beside_the_collector),
#endif
        cmocka_unit_test(test_chain_of_packed_hashes_goes_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
