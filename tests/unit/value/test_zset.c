/*
 * Goal: a sorted set holds what a sorted array of (score, member) would hold, counts its members
 * once, and is unchanged when memory is out. Method: random histories over members of every kind
 * (integers, short and long strings, containers) with few scores beside an array; zset_check after
 * every step while small, heap_check where counts matter; the collector in slices of one slot. The
 * array borrows its members, so no zset here is packed: those have test_zset_forms.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap/check.h"
#include "value/set.h"
#include "value/zset.h"

enum { MEMBERS_MAX = 20000, KINDS = 5 };

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct obj *z;
    struct obj *held[64]; /* references of the test's own: containers that are members */
    struct obj *copy;
    struct heap_holder holder;
    struct zset_entry sorted[MEMBERS_MAX];
    uint64_t used;
    uint64_t random;
};

static void held_each(void *self, heap_hold_visit *visit, void *ctx)
{
    struct world *w = self;
    if (w->z) visit(ctx, w->z, HEAP_HOLD_COUNT);
    if (w->copy) visit(ctx, w->copy, HEAP_HOLD_COUNT);
    for (size_t i = 0; i < sizeof w->held / sizeof *w->held; i++)
        if (w->held[i]) visit(ctx, w->held[i], HEAP_HOLD_COUNT);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{1}}), STATUS_OK);
    value_init(&w->heap, &w->values);
    w->values.limits.zset_entries = 0;
    w->holder = (struct heap_holder){.name = "test", .each = held_each, .self = w};
    heap_add_holder(&w->heap, &w->holder);
    w->random = 88172645463325252u;
    w->z = heap_container_new(&w->heap, OBJ_ZSET);
    assert_non_null(w->z);
    *state = w;
    return 0;
}

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

static void assert_heap(struct world *w)
{
    char text[256];
    const char *wrong = heap_check(&w->heap, text);
    if (wrong) fail_msg("%s", wrong);
}

/* Until the collector has found all garbage and nothing waits to be released. */
static void quiesce(struct world *w)
{
    uint64_t found, ticket = collect_full_begin(&w->heap);
    while (!collect_full_found(&w->heap, ticket, &found)) {
        collect_step(&w->heap, true);
        heap_release_step(&w->heap, 100);
    }
    while (heap_release_step(&w->heap, 100)) {
    }
}

static void drop(struct world *w, struct obj **o)
{
    struct obj *gone = *o;
    *o = NULL;
    if (gone) rc_dec(&w->heap, gone);
}

static int teardown(void **state)
{
    struct world *w = *state;
    drop(w, &w->z);
    for (size_t i = 0; i < sizeof w->held / sizeof *w->held; i++) drop(w, &w->held[i]);
    quiesce(w);
    assert_heap(w);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
    free(w);
    return 0;
}

/* The needle of member number i: texts of every form, and a container for some. The text lies in
 * `text`. */
static struct needle member_of(struct world *w, uint64_t i, char text[64])
{
    int n = 0;
    switch (i % KINDS) {
    case 0: n = snprintf(text, 64, "%llu", (unsigned long long)i); break;
    case 1: n = snprintf(text, 64, "m%llu", (unsigned long long)i); break;
    case 2: n = snprintf(text, 64, "a long name of member %05llu", (unsigned long long)i); break;
    case 3: n = snprintf(text, 64, "-%llu", 9000000000000000000ull + i); break;
    case 4: break;
    }
    if (n > 0) return needle_of_text(&w->heap, (struct view){text, (size_t)n});
    struct obj **held = &w->held[i / KINDS % 64];
    if (!*held) *held = heap_container_new(&w->heap, OBJ_SET);
    assert_non_null(*held);
    return needle_of_val(&w->heap, val_of_obj(*held));
}

/* --- the array --- */

static int compare(const struct world *w, struct zset_entry a, struct zset_entry b)
{
    if (a.score < b.score) return -1;
    if (a.score > b.score) return 1;
    return val_compare(&w->heap, a.member, b.member);
}

static uint64_t sorted_rank(const struct world *w, struct zset_entry entry)
{
    uint64_t low = 0, high = w->used;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (compare(w, w->sorted[middle], entry) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool sorted_find(const struct world *w, const struct needle *n, uint64_t *rank)
{
    for (uint64_t i = 0; i < w->used; i++) {
        if (!needle_matches(n, w->sorted[i].member)) continue;
        *rank = i;
        return true;
    }
    return false;
}

static void sorted_erase(struct world *w, uint64_t at)
{
    w->used--;
    memmove(w->sorted + at, w->sorted + at + 1, (w->used - at) * sizeof *w->sorted);
}

static void sorted_put(struct world *w, struct zset_entry entry)
{
    uint64_t at = sorted_rank(w, entry);
    memmove(w->sorted + at + 1, w->sorted + at, (w->used - at) * sizeof *w->sorted);
    w->sorted[at] = entry;
    w->used++;
}

/* --- both together --- */

struct found {
    const struct needle *needle;
    val member;
};

static void note_member(void *ctx, val member, double score)
{
    struct found *f = ctx;
    (void)score;
    if (needle_matches(f->needle, member)) f->member = member;
}

/* The member as the set holds it. */
static val stored_of(const struct world *w, const struct needle *n)
{
    struct found f = {n, VAL_NONE};
    uint64_t cursor = 0;
    do cursor = zset_scan(w->z, cursor, note_member, &f);
    while (cursor && val_is_none(f.member));
    assert_false(val_is_none(f.member));
    return f.member;
}

static void set(struct world *w, const struct needle *n, double score)
{
    uint64_t rank;
    bool created, there = sorted_find(w, n, &rank);
    assert_int_equal(zset_set(&w->heap, w->z, n, score, &created), STATUS_OK);
    assert_int_equal(created, !there);
    struct zset_entry entry = {there ? w->sorted[rank].member : stored_of(w, n), score};
    if (there && w->sorted[rank].score == score) return; /* also 0 for -0 */
    if (there) sorted_erase(w, rank);
    sorted_put(w, entry);
}

static void take(struct world *w, const struct needle *n)
{
    uint64_t rank;
    bool there = sorted_find(w, n, &rank);
    if (there) sorted_erase(w, rank);
    assert_int_equal(zset_remove(&w->heap, w->z, n), there);
}

static void assert_asked(struct world *w, const struct needle *n)
{
    uint64_t rank = 0, is_rank = 1 << 30;
    double score = 4711;
    bool there = sorted_find(w, n, &rank);
    assert_int_equal(zset_score(w->z, n, &score), there);
    assert_int_equal(zset_rank(&w->heap, w->z, n, &is_rank), there);
    if (!there) return;
    assert_memory_equal(&score, &w->sorted[rank].score, sizeof score);
    assert_int_equal(is_rank, rank);
}

static void assert_same(struct world *w)
{
    struct zset_iter it;
    assert_true(zset_check(&w->heap, w->z));
    assert_int_equal(zset_length(w->z), w->used);
    if (w->used == 0) {
        assert_null(obj_body(w->z));
        return;
    }
    zset_seek(w->z, 0, &it);
    for (uint64_t i = 0; i < w->used; i++) {
        struct zset_entry entry = zset_at(&it);
        assert_int_equal(entry.member.w, w->sorted[i].member.w);
        assert_memory_equal(&entry.score, &w->sorted[i].score, sizeof entry.score);
        assert_int_equal(zset_next(&it), i + 1 < w->used);
    }
    for (uint64_t i = w->used; i-- > 0;) {
        assert_int_equal(zset_at(&it).member.w, w->sorted[i].member.w);
        assert_int_equal(zset_prev(&it), i > 0);
    }
}

static void assert_range(const struct world *w, struct zset_bound min, struct zset_bound max)
{
    uint64_t first = 0, last = w->used;
    while (first < w->used && (min.exclusive ? w->sorted[first].score <= min.score
                                             : w->sorted[first].score < min.score))
        first++;
    while (last > 0 && (max.exclusive ? w->sorted[last - 1].score >= max.score
                                      : w->sorted[last - 1].score > max.score))
        last--;
    assert_int_equal(zset_rank_of_score(w->z, min, ZSET_BEGIN), first);
    assert_int_equal(zset_rank_of_score(w->z, max, ZSET_END), last);
}

static double score_draw(struct world *w)
{
    static const double scores[] = {0, 1, 2, -1, 0.5, -0.0, 1e300};
    uint64_t i = draw(w, 9);
    if (i == 7) return __builtin_inf();
    if (i == 8) return -__builtin_inf();
    return scores[i];
}

static void history(struct world *w, uint64_t members, uint64_t steps, uint64_t check_every)
{
    char text[64];
    for (uint64_t i = 0; i < steps; i++) {
        struct needle n = member_of(w, draw(w, members), text);
        /* Long tides, so that the set is emptied now and then. */
        if (draw(w, 10) < (i / (members * 4) % 2 ? 7 : 3))
            take(w, &n);
        else
            set(w, &n, score_draw(w));
        n = member_of(w, draw(w, members), text);
        assert_asked(w, &n);
        assert_range(w, (struct zset_bound){score_draw(w), draw(w, 2)},
                     (struct zset_bound){score_draw(w), draw(w, 2)});
        if (i % check_every == 0) assert_same(w);
        if (i % (check_every * 64) == 0) assert_heap(w);
    }
    while (w->used) {
        struct needle n = needle_of_val(&w->heap, w->sorted[draw(w, w->used)].member);
        take(w, &n); /* the needle lies in the very member that goes */
    }
    assert_same(w);
    while (heap_release_step(&w->heap, 100)) {
    }
    assert_heap(w);
}

static void test_history_small(void **state)
{
    history(*state, 10, 4000, 1);
    history(*state, 200, 8000, 1);
}

static void test_history_larger(void **state)
{
    history(*state, 1500, 12000, 100);
}

/* --- single behaviours --- */

static void put(struct world *w, const char *member, double score)
{
    struct needle n = needle_of_text(&w->heap, view_of(member));
    assert_int_equal(zset_set(&w->heap, w->z, &n, score, NULL), STATUS_OK);
}

static double score_of(struct world *w, const char *member)
{
    struct needle n = needle_of_text(&w->heap, view_of(member));
    double score = __builtin_nan("");
    zset_score(w->z, &n, &score);
    return score;
}

static void test_empty(void **state)
{
    struct world *w = *state;
    struct needle n = needle_of_text(&w->heap, view_of("a"));
    double score;
    uint64_t rank;
    assert_int_equal(zset_length(w->z), 0);
    assert_false(zset_score(w->z, &n, &score));
    assert_false(zset_rank(&w->heap, w->z, &n, &rank));
    assert_false(zset_remove(&w->heap, w->z, &n));
    assert_int_equal(zset_rank_of_score(w->z, (struct zset_bound){0, false}, ZSET_END), 0);
    struct zset_lex_bound plus = {.kind = ZSET_LEX_MAX};
    assert_int_equal(zset_rank_of_lex(&w->heap, w->z, plus, ZSET_END), 0);
    assert_int_equal(zset_scan(w->z, 0, note_member, NULL), 0);
    assert_true(zset_check(&w->heap, w->z));
    assert_int_equal(zset_heap_type.end(w->z), 0);
    assert_int_equal(zset_heap_type.bytes(w->z), 16);
    assert_true(zset_heap_type.clear(&w->heap, w->z, 1));
}

static void test_set_zero_keeps_its_sign(void **state)
{
    struct world *w = *state;
    put(w, "a", -0.0);
    put(w, "b", 0.0);
    put(w, "a", 0.0);
    put(w, "b", -0.0);
    assert_true(__builtin_signbit(score_of(w, "a")));
    assert_false(__builtin_signbit(score_of(w, "b")));
    struct zset_bound zero = {-0.0, false};
    assert_int_equal(zset_rank_of_score(w->z, zero, ZSET_BEGIN), 0);
    assert_int_equal(zset_rank_of_score(w->z, zero, ZSET_END), 2);
}

static uint64_t lex(struct world *w, const char *text, bool exclusive, enum zset_side side)
{
    struct zset_lex_bound bound = {ZSET_LEX_TEXT, exclusive, view_of(text)};
    return zset_rank_of_lex(&w->heap, w->z, bound, side);
}

static void test_rank_of_lex(void **state)
{
    struct world *w = *state;
    static const char *const members[] = {"",  "10", "9", "B",
                                          "a", "aa", "b", "long enough for an object"};
    char text[64];
    for (size_t i = 0; i < 8; i++) put(w, members[i], 3);
    for (uint64_t i = 4; i < 20; i += KINDS) { /* three containers, behind all texts */
        struct needle n = member_of(w, i, text);
        assert_int_equal(zset_set(&w->heap, w->z, &n, 3, NULL), STATUS_OK);
    }
    assert_int_equal(zset_length(w->z), 12);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(lex(w, members[i], false, ZSET_BEGIN), i);
        assert_int_equal(lex(w, members[i], true, ZSET_BEGIN), i + 1);
        assert_int_equal(lex(w, members[i], false, ZSET_END), i + 1);
        assert_int_equal(lex(w, members[i], true, ZSET_END), i);
    }
    assert_int_equal(lex(w, "a\x01", false, ZSET_BEGIN), 5);
    assert_int_equal(lex(w, "z", false, ZSET_BEGIN), 8);
    struct zset_lex_bound minus = {.kind = ZSET_LEX_MIN}, plus = {.kind = ZSET_LEX_MAX};
    assert_int_equal(zset_rank_of_lex(&w->heap, w->z, minus, ZSET_BEGIN), 0);
    assert_int_equal(zset_rank_of_lex(&w->heap, w->z, minus, ZSET_END), 0);
    assert_int_equal(zset_rank_of_lex(&w->heap, w->z, plus, ZSET_BEGIN), 8);
    assert_int_equal(zset_rank_of_lex(&w->heap, w->z, plus, ZSET_END), 8);
    assert_true(zset_check(&w->heap, w->z));
}

static void test_set_counts_members_once(void **state)
{
    struct world *w = *state;
    char text[64];
    struct needle n = member_of(w, 4, text);
    struct obj *member = w->held[0];
    assert_int_equal(zset_set(&w->heap, w->z, &n, 1, NULL), STATUS_OK);
    assert_int_equal(zset_set(&w->heap, w->z, &n, 2, NULL), STATUS_OK);
    assert_int_equal(member->count, 2);
    assert_true(w->z->flags & OBJ_VISIBLE);
    assert_true(ident_get(&w->heap, member) != 0);
    assert_heap(w);
    assert_true(zset_remove(&w->heap, w->z, &n));
    assert_int_equal(member->count, 1);
    assert_false(w->z->flags & OBJ_VISIBLE);
    assert_heap(w);
}

static void fill(struct world *w, uint64_t members)
{
    char text[64];
    for (uint64_t i = 0; i < members; i++) {
        struct needle n = member_of(w, i, text);
        assert_int_equal(zset_set(&w->heap, w->z, &n, (double)draw(w, 50), NULL), STATUS_OK);
    }
}

static void count_target(void *ctx, struct obj *target)
{
    (void)target;
    ++*(uint64_t *)ctx;
}

static void test_visit_each_member_once(void **state)
{
    struct world *w = *state;
    fill(w, 3000);
    uint64_t targets = 0, objects = 0, end = zset_heap_type.end(w->z);
    for (uint64_t at = zset_heap_type.begin(w->z); at < end;)
        at = zset_heap_type.visit(w->z, at, end, 1, count_target, &targets);
    struct zset_iter it;
    zset_seek(w->z, 0, &it);
    do objects += val_is_obj(zset_at(&it).member);
    while (zset_next(&it));
    assert_int_equal(targets, objects);
    assert_true(targets > 1000);
}

static void test_scan_sees_all(void **state)
{
    struct world *w = *state;
    fill(w, 1000);
    char text[64];
    for (uint64_t i = 0; i < 1000; i += 97) {
        struct needle n = member_of(w, i, text);
        stored_of(w, &n);
    }
}

static void test_clear_in_steps_of_one(void **state)
{
    struct world *w = *state;
    fill(w, 2000);
    uint64_t length = zset_length(w->z), steps = 1, bytes = zset_heap_type.bytes(w->z);
    /* As the collector does: half cleared it is no whole zset. */
    rc_inc(&w->heap, w->z);
    w->z->flags |= OBJ_PINNED;
    while (!zset_heap_type.clear(&w->heap, w->z, 1)) {
        steps++;
        assert_true(zset_heap_type.bytes(w->z) <= bytes);
        bytes = zset_heap_type.bytes(w->z);
        if (steps % 100 == 0) assert_heap(w);
    }
    w->z->flags &= (uint8_t)~OBJ_PINNED;
    rc_dec(&w->heap, w->z);
    assert_true(steps >= length / 8);
    assert_null(obj_body(w->z));
    assert_int_equal(zset_length(w->z), 0);
    assert_false(w->z->flags & OBJ_VISIBLE);
    fill(w, 30);
    assert_true(zset_check(&w->heap, w->z));
}

static void test_copy(void **state)
{
    struct world *w = *state;
    static const uint64_t sizes[] = {0, 1, 7, 63, 3000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fill(w, sizes[i]);
        struct obj *copy;
        assert_int_equal(zset_copy(&w->heap, w->z, &copy), STATUS_OK);
        assert_true(zset_check(&w->heap, copy));
        assert_int_equal(zset_length(copy), zset_length(w->z));
        struct zset_iter a, b;
        bool more = zset_length(copy) > 0;
        if (more) zset_seek(copy, 0, &a), zset_seek(w->z, 0, &b);
        while (more) {
            assert_int_equal(zset_at(&a).member.w, zset_at(&b).member.w);
            assert_true(zset_at(&a).score == zset_at(&b).score);
            more = zset_next(&a);
            assert_int_equal(zset_next(&b), more);
        }
        w->copy = copy;
        assert_heap(w);
        drop(w, &w->copy);
    }
}

static void test_growth_to_20000_and_back(void **state)
{
    struct world *w = *state;
    char text[64];
    for (uint64_t i = 0; i < MEMBERS_MAX; i++) {
        if (i % KINDS == 4) continue;
        struct needle n = member_of(w, i, text);
        assert_int_equal(zset_set(&w->heap, w->z, &n, (double)draw(w, 300), NULL), STATUS_OK);
        if (i % 2000 == 0) assert_true(zset_check(&w->heap, w->z));
    }
    assert_int_equal(zset_length(w->z), 16000);
    assert_heap(w);
    for (uint64_t i = 0; i < MEMBERS_MAX; i++) {
        if (i % KINDS == 4) continue;
        struct needle n = member_of(w, i, text);
        assert_true(zset_remove(&w->heap, w->z, &n));
        if (i % 2000 == 0) assert_true(zset_check(&w->heap, w->z));
    }
    assert_null(obj_body(w->z));
}

/* --- memory that is out (ordered in debug builds only) --- */

static uint64_t live(const struct world *w)
{
    struct pool_stats stats;
    pool_get_stats(w->heap.pool, &stats);
    return stats.live_bytes + stats.large_bytes;
}

/* Runs one insertion or change with the nth allocation failing, for every n; each failure leaves
 * the set as it was. */
static void set_failing(struct world *w, const struct needle *n, double score)
{
    double before = 0, after = 0;
    uint64_t length = zset_length(w->z);
    bool there = zset_score(w->z, n, &before);
    for (uint64_t at = 1;; at++) {
        bool created = false;
        w->mem.fail_at = at;
        enum status s = zset_set(&w->heap, w->z, n, score, &created);
        bool failed = w->mem.fail_at == 0 && s != STATUS_OK;
        w->mem.fail_at = 0;
        if (s == STATUS_OK) return;
        assert_true(failed);
        assert_int_equal(s, STATUS_OOM);
        assert_false(created);
        assert_int_equal(zset_length(w->z), length);
        assert_int_equal(zset_score(w->z, n, &after), there);
        assert_true(before == after);
        assert_true(zset_check(&w->heap, w->z));
    }
}

static void test_set_without_memory(void **state)
{
    struct world *w = *state;
    char text[64];
    for (uint64_t i = 0; i < 900; i++) {
        struct needle n = member_of(w, i, text);
        set_failing(w, &n, (double)draw(w, 1000));
        if (i % 100 == 0) assert_heap(w);
        n = member_of(w, draw(w, i + 1), text);
        set_failing(w, &n, (double)draw(w, 1000));
    }
    assert_heap(w);
    w->mem.fail_on = true;
    while (zset_length(w->z)) {
        struct zset_iter it;
        zset_seek(w->z, draw(w, zset_length(w->z)), &it);
        struct needle n = needle_of_val(&w->heap, zset_at(&it).member);
        w->mem.fail_at = 1;
        assert_true(zset_remove(&w->heap, w->z, &n));
        w->mem.fail_at = 0;
    }
    assert_heap(w);
}

static void test_copy_without_memory(void **state)
{
    struct world *w = *state;
    struct obj *copy = NULL;
    fill(w, 400);
    while (heap_release_step(&w->heap, 100)) {
    }
    uint64_t before = live(w), failures = 0;
    bool reached = true;
    for (uint64_t at = 1; reached; at++) {
        w->mem.fail_at = at;
        enum status s = zset_copy(&w->heap, w->z, &copy);
        reached = w->mem.fail_at == 0; /* never where faults cannot be ordered */
        w->mem.fail_at = 0;
        failures += s != STATUS_OK;
        assert_int_equal(s == STATUS_OK, copy != NULL); /* a table can do without a split */
        if (copy) assert_true(zset_check(&w->heap, copy));
        drop(w, &copy);
        while (heap_release_step(&w->heap, 1)) {
        }
        assert_int_equal(live(w), before);
    }
#ifdef HEAPD_DEBUG
    assert_true(failures > 10);
#else
    assert_int_equal(failures, 0);
#endif
}

/* --- the collector --- */

static void add_container(struct world *w, struct obj *to, struct obj *member, double score)
{
    struct needle n = needle_of_val(&w->heap, val_of_obj(member));
    assert_int_equal(zset_set(&w->heap, to, &n, score, NULL), STATUS_OK);
}

static void test_cycles_are_collected(void **state)
{
    struct world *w = *state;
    w->heap.collect.slice_slots_max = 1;
    uint64_t objects = heap_objects(&w->heap);
    for (int i = 0; i < 10;
         i++) { /* a ring through two zsets and one in itself, with strings beside */
        struct obj *a = heap_container_new(&w->heap, OBJ_ZSET);
        struct obj *b = heap_container_new(&w->heap, OBJ_ZSET);
        assert_true(a && b);
        struct obj *keep = w->z;
        w->z = b;
        put(w, "a string that is an object", 1);
        w->z = keep;
        add_container(w, a, b, 1);
        add_container(w, b, a, 2);
        add_container(w, b, b, 1);
        rc_dec(&w->heap, a);
        rc_dec(&w->heap, b);
    }
    assert_int_equal(heap_objects(&w->heap), objects + 30);
    quiesce(w);
    assert_int_equal(heap_objects(&w->heap), objects);
    assert_heap(w);
}

/* The set changes in all ways between slices of one slot, while trials look at it. */
static void test_changes_during_trials(void **state)
{
    struct world *w = *state;
    struct collect *c = &w->heap.collect;
    char text[64];
    c->slice_slots_max = 1;
    for (uint64_t i = 0; i < 20000; i++) {
        struct needle n = member_of(w, draw(w, 320), text);
        if (draw(w, 10) < (i / 2000 % 2 ? 7 : 3))
            zset_remove(&w->heap, w->z, &n);
        else
            assert_int_equal(zset_set(&w->heap, w->z, &n, score_draw(w), NULL), STATUS_OK);
        struct obj *other = w->held[draw(w, 63)];
        if (other && draw(w, 4) == 0) { /* cycles: sets that hold the zset */
            struct needle z = needle_of_val(&w->heap, val_of_obj(w->z));
            bool added;
            if (draw(w, 2))
                assert_int_equal(set_add(&w->heap, other, &z, &added), STATUS_OK);
            else
                set_remove(&w->heap, other, &z);
        }
        if (draw(w, 8) == 0) drop(w, &w->held[draw(w, 63)]);
        if (draw(w, 50) == 0 && !collect_has_work(&w->heap, true)) collect_full_begin(&w->heap);
        for (uint64_t k = draw(w, 4); k > 0; k--) collect_step(&w->heap, true);
        heap_release_step(&w->heap, 2);
        if (draw(w, 200) == 0) { /* the set itself is given up: perhaps as part of a ring */
            drop(w, &w->z);
            w->z = heap_container_new(&w->heap, OBJ_ZSET);
            assert_non_null(w->z);
        }
        if (i % 16 == 0) assert_heap(w);
    }
    assert_true(c->stats.trials > 10);
    assert_int_equal(c->stats.faults, 0);
    assert_true(c->stats.collected_objects > 0);
}

/* Sets that nothing but the zset holds, and that the collector looks at because they hold a
 * container. */
static void fill_visible(struct world *w, uint64_t members)
{
    if (!w->held[0]) w->held[0] = heap_container_new(&w->heap, OBJ_SET);
    struct needle inner = needle_of_val(&w->heap, val_of_obj(w->held[0]));
    for (uint64_t i = 0; i < members; i++) {
        bool added;
        struct obj *member = heap_container_new(&w->heap, OBJ_SET);
        assert_non_null(member);
        assert_int_equal(set_add(&w->heap, member, &inner, &added), STATUS_OK);
        add_container(w, w->z, member, (double)i);
        rc_dec(&w->heap, member);
    }
}

static void assert_members_whole(const struct world *w)
{
    struct zset_iter it;
    zset_seek(w->z, 0, &it);
    do assert_int_equal(set_length(val_obj(zset_at(&it).member)), 1);
    while (zset_next(&it));
}

/* With garbage among its candidates a trial goes through black to the end. */
static void drop_cycle(struct world *w)
{
    struct obj *o = heap_container_new(&w->heap, OBJ_SET);
    assert_non_null(o);
    struct needle n = needle_of_val(&w->heap, val_of_obj(o));
    bool added;
    assert_int_equal(set_add(&w->heap, o, &n, &added), STATUS_OK);
    rc_dec(&w->heap, o);
}

/* In the middle of the scan of the zset: buckets are merged, and then split again. */
static void change_in_scan(struct world *w, enum collect_phase phase, uint64_t cursor)
{
    struct collect *c = &w->heap.collect;
    fill_visible(w, 300);
    quiesce(w);
    rc_inc(&w->heap, w->z);
    rc_dec(&w->heap, w->z); /* now it is a candidate */
    drop_cycle(w);
    collect_full_begin(&w->heap);
    for (int i = 0; c->phase != phase || c->scanning != w->z || c->cursor < cursor; i++) {
        assert_true(i < 100000);
        collect_step(&w->heap, true);
    }
    uint64_t buckets = zset_heap_type.end(w->z);
    while (zset_length(w->z) > 60) {
        struct zset_iter it;
        zset_seek(w->z, draw(w, zset_length(w->z)), &it);
        struct needle n = needle_of_val(&w->heap, zset_at(&it).member);
        assert_true(zset_remove(&w->heap, w->z, &n));
    }
    assert_true(zset_heap_type.end(w->z) < buckets);
    /* What a scan that went on would see now in a merged bucket, it would see again once that is
     * split. */
    for (int i = 0; i < 10 && phase == COLLECT_GRAY; i++) collect_step(&w->heap, true);
    if (phase == COLLECT_GRAY) fill_visible(w, 300);
    quiesce(w);
    assert_int_equal(c->stats.faults, 0);
    assert_members_whole(w);
    assert_heap(w);
    drop(w, &w->z);
    w->z = heap_container_new(&w->heap, OBJ_ZSET);
    assert_non_null(w->z);
}

static void test_merge_and_split_during_a_scan(void **state)
{
    struct world *w = *state;
    w->heap.collect.slice_slots_max = 1;
    for (uint64_t cursor = 1; cursor < 40; cursor += 3) {
        change_in_scan(w, COLLECT_GRAY, cursor);
        change_in_scan(w, COLLECT_BLACK, cursor);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_history_small),
        TEST(test_history_larger),
        TEST(test_empty),
        TEST(test_set_zero_keeps_its_sign),
        TEST(test_rank_of_lex),
        TEST(test_set_counts_members_once),
        TEST(test_visit_each_member_once),
        TEST(test_scan_sees_all),
        TEST(test_clear_in_steps_of_one),
        TEST(test_copy),
        TEST(test_growth_to_20000_and_back),
        TEST(test_set_without_memory),
        TEST(test_copy_without_memory),
        TEST(test_cycles_are_collected),
        TEST(test_changes_during_trials),
        TEST(test_merge_and_split_during_a_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
