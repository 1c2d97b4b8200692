/*
 * Goal: a sorted set shows the same members in the same order whichever form it has, changes its
 * form when it should, and takes back without memory what it was told to do.
 * Method: random histories against a sorted array under limits so small that the form changes all
 * the time, of integers, texts, shared strings, now and then a container, and scores of every
 * packed kind; ranks, ranges and walks in both directions beside the array; changes taken back
 * while every allocation fails; every allocation of a history made to fail in its turn (debug
 * builds).
 */
#include "containers.h"

#include <math.h>

#include "value/zset.h"

enum { TEXTS = 70, CONTAINERS = 4, MEMBERS = TEXTS + CONTAINERS };

struct item {
    uint32_t id;
    double score;
};

struct fixture {
    struct world world;
    struct heap_holder holder;
    val made[TEXTS]; /* of every other text a value of the test's own */
    uint32_t length;
    struct item items[MEMBERS]; /* sorted */
    uint32_t seen[MEMBERS];
    uint64_t refused;
    uint64_t packed, unpacked; /* changes of form */
};

static void made_each(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct fixture *f = self;
    for (uint32_t i = 0; i < TEXTS; i++)
        if (val_is_obj(f->made[i])) visit(ctx, val_obj(f->made[i]), HEAP_HOLD_COUNT);
}

static struct view id_text(uint32_t id, char text[128])
{
    int64_t n = (int64_t)1 << (id % 62);
    if (id % 3 == 0) return (struct view){text, num_put_integer(text, id % 2 ? n + id : -n - id)};
    if (id % 3 == 1) return (struct view){text, (size_t)snprintf(text, 128, "text %u", id)};
    return (struct view){text, (size_t)snprintf(text, 128, "%0*u", 22 + (int)id % 20, id)};
}

static void begin(struct fixture *f, uint64_t seed)
{
    char text[128];
    memset(f, 0, sizeof *f);
    world_begin(&f->world, seed);
    f->holder = (struct heap_holder){.name = "made", .each = made_each, .self = f};
    heap_add_holder(&f->world.heap, &f->holder);
    subject_make(&f->world, OBJ_ZSET);
    for (uint32_t i = 0; i < TEXTS; i += 2)
        assert_int_equal(val_of_text(&f->world.heap, id_text(i, text), &f->made[i]), STATUS_OK);
    for (uint32_t i = 0; i < CONTAINERS; i++) { /* the order in which they compare */
        uint64_t number;
        struct obj *o = val_obj(f->world.palette[2 * i + 1]);
        assert_int_equal(ident_number(&f->world.heap, o, &number), STATUS_OK);
    }
    f->world.base_bytes = live_bytes(&f->world);
}

static void end(struct fixture *f)
{
    f->world.mem.fail_at = 0;
    subject_drop(&f->world);
    settle(&f->world);
    assert_heap(&f->world);
    for (uint32_t i = 0; i < TEXTS; i++) {
        val_release(&f->world.heap, f->made[i]);
        f->made[i] = VAL_NONE;
    }
    world_end(&f->world);
}

static struct needle needle_of(struct fixture *f, uint32_t id, char text[128])
{
    struct heap *h = &f->world.heap;
    if (id >= TEXTS) return needle_of_val(h, f->world.palette[2 * (id - TEXTS) + 1]);
    if (id % 2 == 0 && below(&f->world, 2)) return needle_of_val(h, f->made[id]);
    return needle_of_text(h, id_text(id, text));
}

static int item_compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    char one[128], other[128];
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    if (x->id >= TEXTS || y->id >= TEXTS) return (x->id > y->id) - (x->id < y->id);
    return view_compare(id_text(x->id, one), id_text(y->id, other));
}

static uint32_t index_of(const struct fixture *f, uint32_t id)
{
    uint32_t i = 0;
    while (i < f->length && f->items[i].id != id) i++;
    return i;
}

static void model_set(struct fixture *f, uint32_t id, double score)
{
    uint32_t i = index_of(f, id);
    if (i < f->length && f->items[i].score == score) return; /* 0 and -0 */
    f->items[i] = (struct item){id, score};
    if (i == f->length) f->length++;
    qsort(f->items, f->length, sizeof *f->items, item_compare);
}

static void model_remove(struct fixture *f, uint32_t first, uint32_t count)
{
    memmove(f->items + first, f->items + first + count,
            (f->length - first - count) * sizeof *f->items);
    f->length -= count;
}

static bool entry_is(struct fixture *f, struct zset_entry e, struct item item)
{
    char text[128];
    struct needle n = needle_of(f, item.id, text);
    return needle_matches(&n, e.member) && memcmp(&e.score, &item.score, sizeof e.score) == 0;
}

static void assert_members(struct fixture *f, const struct obj *o)
{
    char text[128];
    for (uint32_t id = 0; id < MEMBERS; id++) {
        struct needle n = needle_of(f, id, text);
        uint64_t rank = 0;
        double score = 0;
        uint32_t i = index_of(f, id);
        assert_int_equal(zset_score(o, &n, &score), i < f->length);
        assert_int_equal(zset_rank(&f->world.heap, o, &n, &rank), i < f->length);
        if (i == f->length) continue;
        assert_int_equal(rank, i);
        assert_memory_equal(&score, &f->items[i].score, sizeof score);
    }
}

static void assert_same(struct fixture *f, const struct obj *o)
{
    struct zset_iter it;
    assert_true(zset_check(&f->world.heap, o));
    assert_int_equal(zset_length(o), f->length);
    assert_int_equal(zset_shown(&f->world.heap, o, 0, f->length), f->length);
    assert_members(f, o);
    if (f->length == 0) return;
    zset_seek(o, 0, &it);
    for (uint32_t i = 0; i < f->length; i++) {
        if (!entry_is(f, zset_at(&it), f->items[i])) fail_msg("entry %u differs", i);
        assert_int_equal(zset_next(&it), i + 1 < f->length);
    }
    uint32_t i = below(&f->world, f->length);
    zset_seek(o, i, &it);
    do assert_true(entry_is(f, zset_at(&it), f->items[i]));
    while (zset_prev(&it) && i-- > 0);
    assert_int_equal(i, 0);
}

static bool done(struct fixture *f, enum status s)
{
    if (s == STATUS_OK) return true;
    assert_int_equal(s, STATUS_OOM);
    f->refused++;
    assert_same(f, f->world.subject);
    return false;
}

static double draw_score(struct fixture *f)
{
    static const double scores[] = {0,    -0.0, 1,     2,     127,       128,     8320, 1e6,
                                    1e15, 1e17, 0.5,   -0.5,  3.14159,   -1,      -200, 1e300,
                                    2e9,  5e9,  -1e12, -1e15, -INFINITY, INFINITY};
    if (below(&f->world, 3) == 0) return below(&f->world, 4); /* ties */
    return scores[below(&f->world, sizeof scores / sizeof *scores)];
}

static void set(struct fixture *f, uint32_t id, double score)
{
    char text[128];
    bool known = index_of(f, id) < f->length, created = known;
    struct needle n = needle_of(f, id, text);
    while (!done(f, zset_set(&f->world.heap, f->world.subject, &n, score, &created))) continue;
    assert_int_equal(created, !known);
    model_set(f, id, score);
}

static void drop(struct fixture *f, uint32_t id)
{
    char text[128];
    struct needle n = needle_of(f, id, text);
    uint32_t i = index_of(f, id);
    assert_int_equal(zset_remove(&f->world.heap, f->world.subject, &n), i < f->length);
    if (i < f->length) model_remove(f, i, 1);
}

static void pop(struct fixture *f)
{
    enum zset_side side = below(&f->world, 2) ? ZSET_BEGIN : ZSET_END;
    uint32_t count = 1 + below(&f->world, below(&f->world, 4) ? 1 : f->length);
    zset_pop(&f->world.heap, f->world.subject, side, count);
    model_remove(f, side == ZSET_BEGIN ? 0 : f->length - count, count);
}

/* Members are added and get other scores, as ZADD does it for several; then all of it is taken
 * back, and there is no memory for it. */
static void take_back(struct fixture *f, uint32_t others)
{
    enum { CHANGES = 12 };
    struct {
        uint32_t id;
        double old;
    } changed[CHANGES];
    struct heap *h = &f->world.heap;
    char text[128];
    uint32_t k = 0, changes = below(&f->world, CHANGES);
    for (; k < changes; k++) {
        uint32_t id = below(&f->world, 100) < others ? TEXTS + below(&f->world, CONTAINERS)
                                                     : below(&f->world, TEXTS);
        struct needle n = needle_of(f, id, text);
        double old = NAN;
        (void)zset_score(f->world.subject, &n, &old);
        if (zset_set(h, f->world.subject, &n, draw_score(f), NULL) != STATUS_OK) break;
        changed[k].id = id;
        changed[k].old = old;
        assert_true(zset_check(h, f->world.subject));
    }
    uint64_t fail_at = f->world.mem.fail_at;
    f->world.mem.fail_at = 1;
    f->world.mem.fail_on = true;
    while (k-- > 0) {
        struct needle n = needle_of(f, changed[k].id, text);
        if (isnan(changed[k].old))
            zset_retract(h, f->world.subject, &n);
        else
            zset_restore(h, f->world.subject, &n, changed[k].old);
        assert_true(zset_check(h, f->world.subject));
    }
    assert_same(f, f->world.subject);
    f->world.mem.fail_on = false;
    f->world.mem.fail_at = fail_at;
}

static void ranges(struct fixture *f)
{
    char text[128];
    const struct obj *o = f->world.subject;
    struct zset_bound bound = {draw_score(f), below(&f->world, 2)};
    enum zset_side side = below(&f->world, 2) ? ZSET_BEGIN : ZSET_END;
    bool behind = bound.exclusive == (side == ZSET_BEGIN), same = true;
    uint64_t before = 0;
    for (uint32_t i = 0; i < f->length; i++) {
        double score = f->items[i].score;
        before += score < bound.score || (behind && score == bound.score);
        same &= score == f->items[0].score && f->items[i].id < TEXTS;
    }
    assert_int_equal(zset_rank_of_score(o, bound, side), before);
    if (!same) return;
    struct zset_lex_bound lex = {ZSET_LEX_TEXT, bound.exclusive,
                                 id_text(below(&f->world, TEXTS), text)};
    before = 0;
    for (uint32_t i = 0; i < f->length; i++) {
        char other[128];
        int c = view_compare(id_text(f->items[i].id, other), lex.text);
        before += c < 0 || (behind && c == 0);
    }
    assert_int_equal(zset_rank_of_lex(&f->world.heap, o, lex, side), before);
    lex.kind = ZSET_LEX_MAX;
    assert_int_equal(zset_rank_of_lex(&f->world.heap, o, lex, side), f->length);
    lex.kind = ZSET_LEX_MIN;
    assert_int_equal(zset_rank_of_lex(&f->world.heap, o, lex, side), 0);
}

static void see(void *ctx, val member, double score)
{
    struct fixture *f = ctx;
    for (uint32_t i = 0; i < f->length; i++)
        if (entry_is(f, (struct zset_entry){member, score}, f->items[i])) f->seen[i]++;
}

static void scan(struct fixture *f)
{
    uint64_t cursor = 0;
    memset(f->seen, 0, sizeof f->seen);
    do cursor = zset_scan(f->world.subject, cursor, see, f);
    while (cursor);
    for (uint32_t i = 0; i < f->length; i++) assert_true(f->seen[i] > 0);
}

static void copy(struct fixture *f)
{
    struct obj *o = NULL;
    while (!done(f, zset_copy(&f->world.heap, f->world.subject, &o))) assert_null(o);
    assert_same(f, o);
    assert_int_equal(zset_is_packed(o), zset_is_packed(f->world.subject));
    rc_dec(&f->world.heap, o);
    settle(&f->world);
}

/* `others` out of 100 members are containers; `ties`: one score for all. */
static void history(struct fixture *f, uint32_t rounds, uint32_t others, bool ties)
{
    struct world *w = &f->world;
    for (uint32_t i = 0; i < rounds; i++) {
        bool was_packed = zset_is_packed(w->subject), had = f->length > 0;
        bool grows = i / 50 % 2 ? below(w, 4) == 0 : below(w, 4) != 0;
        uint32_t kind = below(w, 20), id = below(w, TEXTS);
        if (below(w, 100) < others) id = TEXTS + below(w, CONTAINERS);
        if (kind == 0 && f->length)
            set(f, f->items[below(w, f->length)].id, ties ? 1 : draw_score(f));
        else if (kind == 1)
            take_back(f, others);
        else if (kind == 2)
            copy(f);
        else if (kind == 3)
            scan(f);
        else if (grows)
            set(f, id, ties ? 1 : draw_score(f));
        else if (f->length && below(w, 4) == 0)
            pop(f);
        else if (f->length && below(w, 2))
            drop(f, f->items[below(w, f->length)].id);
        else
            drop(f, id);
        if (had && f->length) {
            f->packed += !was_packed && zset_is_packed(w->subject);
            f->unpacked += was_packed && !zset_is_packed(w->subject);
        }
        assert_same(f, w->subject);
        ranges(f);
        settle(w);
    }
    assert_heap(w);
    if (f->length) zset_pop(&w->heap, w->subject, ZSET_END, f->length);
    f->length = 0;
    assert_null(obj_body(w->subject));
    assert_int_equal(w->subject->flags & (OBJ_VISIBLE | OBJ_PACKED), 0);
}

static void limits_set(struct fixture *f, uint32_t entries, uint32_t text)
{
    f->world.values.limits.zset_entries = entries;
    f->world.values.limits.zset_text_bytes = text;
}

static void test_zset_forms_random_history_matches_model(void **state)
{
    (void)state;
    static struct fixture f;
    for (uint32_t seed = 1; seed <= 12; seed++) {
        begin(&f, seed);
        limits_set(&f, seed % 3 ? 16 : 4, seed % 5 ? 64 : 24);
        history(&f, 400, 0, seed % 2);
        history(&f, 400, 1, false);
        history(&f, 300, 20, seed % 3 == 0);
        assert_true(f.packed > 0 && f.unpacked > 0);
        end(&f);
    }
    begin(&f, 30); /* longer than an iterator's window */
    limits_set(&f, 128, 64);
    for (uint32_t i = 0; i < 150; i++) {
        set(&f, below(&f.world, TEXTS), draw_score(&f));
        assert_same(&f, f.world.subject);
    }
    assert_true(zset_is_packed(f.world.subject) && f.length > PACKED_WINDOW - 10);
    end(&f);
}

static void test_zset_forms_by_limits(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 31);
    struct obj *o = f.world.subject;
    limits_set(&f, 16, 24);
    for (uint32_t i = 0; i < 16; i++) set(&f, 3 * i + 1, i);
    assert_true(zset_is_packed(o));
    set(&f, 1, 99); /* another score */
    assert_true(zset_is_packed(o));
    set(&f, 0, 5); /* too many */
    assert_false(zset_is_packed(o));
    for (uint32_t i = 0; i < 12; i++) drop(&f, f.items[i % 2 ? 0 : f.length - 1].id);
    assert_int_equal(f.length, 5);
    assert_false(zset_is_packed(o));
    drop(&f, f.items[0].id);
    assert_true(zset_is_packed(o));
    set(&f, 17, 7); /* too long a text */
    assert_false(zset_is_packed(o));
    drop(&f, 17);
    assert_true(zset_is_packed(o));
    set(&f, TEXTS, -1); /* a container */
    assert_false(zset_is_packed(o));
    assert_true(o->flags & OBJ_VISIBLE);
    drop(&f, TEXTS);
    assert_true(zset_is_packed(o));
    assert_false(o->flags & OBJ_VISIBLE);
    assert_same(&f, o);
    end(&f);
}

static void test_zset_forms_share_strings(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 32);
    struct heap *h = &f.world.heap;
    val v;
    assert_int_equal(val_of_text(h, view_of("a string of some length"), &v), STATUS_OK);
    struct needle n = needle_of_val(h, v);
    assert_int_equal(zset_set(h, f.world.subject, &n, 2.5, NULL), STATUS_OK);
    assert_int_equal(val_obj(v)->count, 2);
    set(&f, 1, 2.5);
    f.length = 0; /* from here on by hand */
    assert_int_equal(zset_set(h, f.world.subject, &n, 7, NULL), STATUS_OK);
    assert_true(zset_is_packed(f.world.subject) && zset_check(h, f.world.subject));
    struct obj *twin;
    assert_int_equal(zset_copy(h, f.world.subject, &twin), STATUS_OK);
    assert_int_equal(val_obj(v)->count, 3);
    assert_int_equal(visits_of(&f.world, twin, 1).all, 1);
    rc_dec(h, twin);
    assert_int_equal(val_obj(v)->count, 2);
    zset_pop(h, f.world.subject, ZSET_END, 1);
    assert_int_equal(val_obj(v)->count, 1);
    val_release(h, v);
    end(&f);
}

static void run_operations(struct fixture *f)
{
    limits_set(f, 12, 30);
    history(f, 200, 3, false);
    f->world.mem.fail_at = 0;
}

static void test_zset_forms_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    static struct fixture f;
    begin(&f, 33);
    f.world.mem.attempts = 0;
    run_operations(&f);
    uint64_t attempts = f.world.mem.attempts, refused = 0;
    end(&f);
    for (uint64_t n = 1; n <= attempts; n++) {
        begin(&f, 33);
        f.world.mem.attempts = 0;
        f.world.mem.fail_at = n;
        run_operations(&f);
        refused += f.refused;
        end(&f);
    }
    assert_true(refused > 50);
}

/* A zset that is scanned, with texts beside its children. It becomes packed between two trials, and
 * never in one. */
static void test_zset_forms_change_beside_the_collector(void **state)
{
    (void)state;
    static struct scene s;
    enum { LENGTH = 60 };
    val children[LENGTH];
    uint32_t count = 0, again = 0;
    int64_t numbers[LENGTH], next = 0;
    scene_begin(&s, OBJ_ZSET, 34);
    struct world *w = &s.world;
    struct heap *h = &w->heap;
    w->values.limits.zset_entries = 32;
    for (uint32_t i = 0; i < 12000; i++) {
        bool grows = i / 120 % 2, was_packed = zset_is_packed(s.o);
        bool coloured = (s.o->flags & OBJ_VISIBLE) && h->collect.phase != COLLECT_IDLE;
        scene_note(&s);
        if (below(w, 3) == 0 && grows && count < LENGTH) {
            val v = child_new(&s, next);
            struct needle n = needle_of_val(h, v);
            scene_note(&s);
            assert_int_equal(zset_set(h, s.o, &n, below(w, 5), NULL), STATUS_OK);
            val_release(h, v);
            children[count] = v;
            numbers[count++] = next++;
        } else if (below(w, 2) && !grows && count) {
            uint32_t k = below(w, count);
            struct needle n = needle_of_val(h, children[k]);
            assert_true(zset_remove(h, s.o, &n));
            children[k] = children[--count];
            numbers[k] = numbers[count];
        } else {
            char text[64];
            struct needle n = needle_of_text(h, text_of(below(w, 8), text));
            if (below(w, 2))
                assert_int_equal(zset_set(h, s.o, &n, below(w, 5), NULL), STATUS_OK);
            else
                zset_remove(h, s.o, &n);
        }
        if (!was_packed && zset_is_packed(s.o)) {
            again += zset_length(s.o) > 1;
            assert_false(coloured);
        }
        assert_true(zset_check(h, s.o));
        for (uint32_t k = 0; k < count; k++) {
            double score;
            struct needle n = needle_of_val(h, children[k]);
            assert_true(zset_score(s.o, &n, &score));
            assert_int_equal(child_number(&s, children[k]), numbers[k]);
        }
        if (below(w, 3)) scene_slices(&s, below(w, 12));
        if (i % 100 == 0) assert_heap(w);
    }
    assert_true(again > 2 && s.gray > 0 && s.black > 0);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zset_forms_random_history_matches_model),
        cmocka_unit_test(test_zset_forms_by_limits),
        cmocka_unit_test(test_zset_forms_share_strings),
        cmocka_unit_test(test_zset_forms_change_beside_the_collector),
        cmocka_unit_test(test_zset_forms_nth_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
