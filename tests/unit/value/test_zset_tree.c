/*
 * Goal: the tree holds what a sorted array would hold, whatever its history, and an insertion for
 * which memory is out changes nothing. Method: random histories beside a sorted array, with few
 * distinct scores so that ties are common; the tree's own check after every step while it is small;
 * every shape of growth and decay up to 20,000 entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap/heap.h"
#include "value/zset_tree.h"

enum { ENTRIES_MAX = 20000 };

struct world {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct zset_tree tree;
    struct zset_entry sorted[ENTRIES_MAX + 1]; /* what the tree should hold */
    uint64_t used;
    uint64_t random;
    uint64_t live_bytes; /* of the pools, before anything was done */
};

static uint64_t pool_live(const struct world *w)
{
    struct pool_stats stats;
    pool_get_stats(w->heap.pool, &stats);
    return stats.live_bytes + stats.large_bytes;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{1}}), STATUS_OK);
    zset_tree_init(&w->tree);
    w->random = 88172645463325252u;
    w->live_bytes = pool_live(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    while (!zset_tree_free_step(&w->tree, w->heap.pool, 7)) {
    }
    assert_int_equal(pool_live(w), w->live_bytes);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
    free(w);
    return 0;
}

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

static struct zset_entry entry_of(int64_t member, double score)
{
    return (struct zset_entry){val_of_small(member), score};
}

static int compare(const struct world *w, struct zset_entry a, struct zset_entry b)
{
    if (a.score < b.score) return -1;
    if (a.score > b.score) return 1;
    return val_compare(&w->heap, a.member, b.member);
}

/* Where the entry is in the array, or would be. */
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

static void sorted_put(struct world *w, struct zset_entry entry)
{
    uint64_t at = sorted_rank(w, entry);
    memmove(w->sorted + at + 1, w->sorted + at, (w->used - at) * sizeof entry);
    w->sorted[at] = entry;
    w->used++;
}

static void sorted_erase(struct world *w, struct zset_entry entry)
{
    uint64_t at = sorted_rank(w, entry);
    w->used--;
    memmove(w->sorted + at, w->sorted + at + 1, (w->used - at) * sizeof entry);
}

static enum status try_put(struct world *w, struct zset_entry entry)
{
    struct zset_tree_room room;
    enum status s = zset_tree_reserve(&w->tree, &w->heap, entry, &room);
    if (s == STATUS_OK) zset_tree_insert(&w->tree, &w->heap, &room, entry);
    return s;
}

static void put(struct world *w, struct zset_entry entry)
{
    assert_int_equal(try_put(w, entry), STATUS_OK);
    sorted_put(w, entry);
}

static void take(struct world *w, struct zset_entry entry)
{
    zset_tree_remove(&w->tree, &w->heap, entry);
    sorted_erase(w, entry);
}

static void assert_checked(const struct world *w)
{
    assert_true(zset_tree_check(&w->tree, &w->heap, w->used));
    assert_int_equal(zset_tree_bytes(&w->tree), pool_live(w) - w->live_bytes);
}

static void assert_entry(struct zset_entry is, struct zset_entry should)
{
    assert_int_equal(is.member.w, should.member.w);
    assert_memory_equal(&is.score, &should.score, sizeof is.score);
}

/* Everything, in both directions. */
static void assert_same(const struct world *w)
{
    struct zset_tree_iter it;
    assert_checked(w);
    if (w->used == 0) return;
    zset_tree_seek(&w->tree, 0, &it);
    for (uint64_t i = 0; i < w->used; i++) {
        assert_entry(zset_tree_at(&it), w->sorted[i]);
        assert_int_equal(zset_tree_rank(&w->tree, &w->heap, w->sorted[i]), i);
        assert_int_equal(zset_tree_next(&it), i + 1 < w->used);
    }
    for (uint64_t i = w->used; i-- > 0;) {
        struct zset_tree_iter at;
        zset_tree_seek(&w->tree, i, &at);
        assert_entry(zset_tree_at(&it), w->sorted[i]);
        assert_true(at.leaf == it.leaf && at.index == it.index);
        assert_int_equal(zset_tree_prev(&it), i > 0);
    }
}

static bool below(const void *ctx, double score, val member)
{
    (void)member;
    return score < *(const double *)ctx;
}

static void assert_count(const struct world *w, double score)
{
    /* An empty text comes before every other. */
    uint64_t should = sorted_rank(w, (struct zset_entry){{VAL_TAG_SHORT}, score});
    assert_int_equal(zset_tree_count(&w->tree, below, &score), should);
}

static void rescore(struct world *w, struct zset_entry old, double score)
{
    struct zset_entry new = {old.member, score};
    if (draw(w, 4) == 0) {
        zset_tree_shift(&w->tree, &w->heap, old, score);
    } else if (!zset_tree_rescore(&w->tree, &w->heap, old, score)) {
        assert_checked(w);
        assert_int_equal(try_put(w, new), STATUS_OK);
        zset_tree_remove(&w->tree, &w->heap, old);
    }
    sorted_erase(w, old);
    sorted_put(w, new);
}

/* One random step; `size` is about where the tree stays. Members are the numbers from 0 on, each
 * with one score at a time. */
static void step(struct world *w, double *scores, uint64_t members, uint64_t score_kinds,
                 uint64_t size)
{
    uint64_t m = draw(w, members);
    double score = (double)draw(w, score_kinds) - (double)(score_kinds / 2);
    struct zset_entry old = entry_of((int64_t)m, scores[m]);
    if (scores[m] != scores[m]) { /* NaN: not in the tree */
        if (draw(w, 2 * size) < w->used) return;
        put(w, entry_of((int64_t)m, score));
        scores[m] = score;
    } else if (draw(w, 3) == 0 || draw(w, 2 * size) < w->used) {
        take(w, old);
        scores[m] = __builtin_nan("");
    } else if (score != scores[m]) {
        rescore(w, old, score);
        scores[m] = score;
    }
}

static void history(struct world *w, uint64_t members, uint64_t score_kinds, uint64_t size,
                    uint64_t steps, uint64_t check_every)
{
    double *scores = malloc(members * sizeof *scores);
    assert_non_null(scores);
    for (uint64_t i = 0; i < members; i++) scores[i] = __builtin_nan("");
    for (uint64_t i = 0; i < steps; i++) {
        step(w, scores, members, score_kinds, size);
        assert_count(w, (double)draw(w, score_kinds + 2) - (double)(score_kinds / 2) - 1);
        if (i % check_every == 0) assert_checked(w);
        if (i % (check_every * 16) == 0) assert_same(w);
    }
    assert_same(w);
    while (w->used) take(w, w->sorted[draw(w, w->used)]);
    assert_same(w);
    free(scores);
}

static void test_history_small_with_ties(void **state)
{
    history(*state, 40, 3, 12, 20000, 1);
    history(*state, 300, 5, 120, 20000, 1);
}

static void test_history_of_two_levels(void **state)
{
    history(*state, 2000, 7, 900, 20000, 8);
    history(*state, 2000, 1, 900, 10000, 8);
    history(*state, 2000, 1000000, 900, 20000, 8);
}

static void test_history_of_three_levels(void **state)
{
    history(*state, 16000, 40, 9000, 60000, 1000);
    history(*state, 16000, 100000, 9000, 60000, 1000);
}

enum order { ASCENDING, DESCENDING, SHUFFLED, ALTERNATING, ORDERS };

/* A permutation of 0 .. n-1. */
static void order_fill(struct world *w, enum order order, int64_t *at, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        at[i] = order == DESCENDING ? n - 1 - i : i;
        if (order == ALTERNATING) at[i] = i % 2 ? n - 1 - i / 2 : i / 2;
    }
    if (order != SHUFFLED) return;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)draw(w, (uint64_t)i + 1), swap = at[i];
        at[i] = at[j];
        at[j] = swap;
    }
}

static void grow_and_decay(struct world *w, int64_t n, enum order in, enum order out, int64_t every)
{
    int64_t *at = malloc((size_t)n * sizeof *at);
    assert_non_null(at);
    order_fill(w, in, at, n);
    for (int64_t i = 0; i < n; i++) {
        put(w, entry_of(at[i], (double)at[i] / 2));
        if (i % every == 0) assert_checked(w);
    }
    assert_same(w);
    order_fill(w, out, at, n);
    for (int64_t i = 0; i < n; i++) {
        take(w, entry_of(at[i], (double)at[i] / 2));
        if (i % every == 0) assert_checked(w);
    }
    assert_same(w);
    free(at);
}

static void test_growth_and_decay_in_every_order(void **state)
{
    for (enum order in = 0; in < ORDERS; in++)
        for (enum order out = 0; out < ORDERS; out++) {
            for (int64_t n = 0; n < 200; n += 31) grow_and_decay(*state, n, in, out, 1);
            grow_and_decay(*state, 1700, in, out, 50);
        }
}

static void test_growth_to_20000_and_back(void **state)
{
    grow_and_decay(*state, ENTRIES_MAX, ASCENDING, SHUFFLED, 2000);
    grow_and_decay(*state, ENTRIES_MAX, SHUFFLED, ASCENDING, 2000);
    grow_and_decay(*state, ENTRIES_MAX, SHUFFLED, SHUFFLED, 2000);
}

static void test_insert_ascending_fills_leaves(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 62 * 100; i++) put(w, entry_of(i, (double)i));
    assert_int_equal(w->tree.leaves, 100);
    assert_same(w);
}

static void test_insert_small_trees_take_small_blocks(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 20; i++) put(w, entry_of(i, 1));
    assert_in_range(zset_tree_bytes(&w->tree), 20 * 16, 512);
    for (int64_t i = 0; i < 18; i++) take(w, entry_of(i, 1));
    assert_in_range(zset_tree_bytes(&w->tree), 1, 152);
}

static void test_queue_of_constant_length(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 12000; i++) {
        put(w, entry_of(i, (double)i));
        if (i >= 3000) take(w, w->sorted[0]);
        if (i % 100 == 0) assert_checked(w);
    }
    assert_in_range(w->tree.leaves, 3000 / 62, 3000 / 21);
    assert_same(w);
}

static void test_stack_at_the_end_of_a_full_leaf(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 62 * 36; i++) put(w, entry_of(i, (double)i));
    for (int64_t i = 0; i < 200; i++) {
        put(w, entry_of(100000, 1e6));
        assert_checked(w);
        take(w, entry_of(100000, 1e6));
        assert_checked(w);
    }
    while (w->used) {
        take(w, w->sorted[w->used - 1]);
        assert_checked(w);
    }
}

static void test_scores_infinite_and_minus_zero(void **state)
{
    struct world *w = *state;
    double inf = __builtin_inf();
    const double scores[] = {inf, -inf, 0.0, -0.0, 1, -1, 5e-324, -5e-324, 1.7e308, -1.7e308};
    int64_t member = 0;
    for (int round = 0; round < 30; round++)
        for (size_t i = 0; i < sizeof scores / sizeof *scores; i++)
            put(w, entry_of(member++, scores[i]));
    assert_same(w);
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) assert_count(w, scores[i]);
    /* 0 and -0 are one score: those 60 entries lie in the order of their members' texts. */
    double zero = -0.0;
    uint64_t first = zset_tree_count(&w->tree, below, &zero);
    assert_int_equal(first, 4 * 30);
    for (uint64_t i = first; i < first + 60; i++) assert_true(w->sorted[i].score == 0);
    assert_true(w->sorted[first + 60].score > 0);
    while (w->used) take(w, w->sorted[draw(w, w->used)]);
    assert_checked(w);
}

static void test_free_step_of_one(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 5000; i++) put(w, entry_of(i, (double)draw(w, 1000)));
    uint32_t steps = 1, leaves = w->tree.leaves;
    assert_true(leaves > 62);
    while (!zset_tree_free_step(&w->tree, w->heap.pool, 1)) {
        assert_int_equal(zset_tree_bytes(&w->tree), pool_live(w) - w->live_bytes);
        steps++;
    }
    assert_int_equal(steps, leaves);
    w->used = 0;
    assert_checked(w);
    put(w, entry_of(1, 1));
    assert_same(w);
}

static void test_cancel_gives_everything_back(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 3000; i++) {
        struct zset_tree_room room;
        struct zset_entry entry = entry_of(i, (double)draw(w, 100000));
        assert_int_equal(zset_tree_reserve(&w->tree, &w->heap, entry, &room), STATUS_OK);
        zset_tree_cancel(&w->heap, &room);
        assert_int_equal(zset_tree_bytes(&w->tree), pool_live(w) - w->live_bytes);
        put(w, entry);
    }
    assert_same(w);
}

/* Faults are ordered in debug builds only; elsewhere this inserts and no more. */
static void fail_each(struct world *w, struct zset_entry entry)
{
    for (uint64_t n = 1;; n++) {
        w->mem.fail_at = n;
        enum status s = try_put(w, entry);
        w->mem.fail_at = 0;
        if (s == STATUS_OK) break;
        assert_int_equal(s, STATUS_OOM);
        assert_checked(w);
    }
    sorted_put(w, entry);
}

static void test_reserve_without_memory(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 4000; i++) fail_each(w, entry_of(i, (double)draw(w, 100000)));
    assert_same(w);
    /* A removal needs no memory: without it a small leaf stays in a large block. */
    w->mem.fail_on = true;
    w->mem.fail_at = 1;
    while (w->used > 1) take(w, w->sorted[draw(w, w->used)]);
    w->mem.fail_at = 0;
    assert_same(w);
    for (int64_t i = 10000; i < 14000; i++) fail_each(w, entry_of(i, (double)i));
    assert_same(w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_history_small_with_ties),
        TEST(test_history_of_two_levels),
        TEST(test_history_of_three_levels),
        TEST(test_growth_and_decay_in_every_order),
        TEST(test_growth_to_20000_and_back),
        TEST(test_insert_ascending_fills_leaves),
        TEST(test_insert_small_trees_take_small_blocks),
        TEST(test_queue_of_constant_length),
        TEST(test_stack_at_the_end_of_a_full_leaf),
        TEST(test_scores_infinite_and_minus_zero),
        TEST(test_free_step_of_one),
        TEST(test_cancel_gives_everything_back),
        TEST(test_reserve_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
