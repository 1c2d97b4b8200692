/*
 * Goal: a table that is fitted and moved holds the same entries, keeps its invariants, and lies in
 * no pool that is leaving. Method: random histories of insertions, removals, fits and moves over
 * pools that other blocks keep sparse, with the whole table checked; allocations that fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "heap/table.h"

enum { IDS = 6000, JUNK = 4000 };

struct world {
    struct mem mem;
    struct pool *pool;
    struct table table;
    struct table_type type;
    uint64_t seed;
    uint32_t visits;
    uint32_t hash_values; /* so many different hashes */
    bool present[IDS];
    void *junk[JUNK];
};

static uint32_t below(struct world *w, uint32_t n)
{
    w->seed += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_word(0, w->seed) % n);
}

static uint32_t hash_of(const struct world *w, uint64_t id)
{
    return (uint32_t)hash_word(3, hash_word(3, id) % w->hash_values);
}

static uint32_t entry_hash(const void *ctx, const void *entry)
{
    uint64_t id;
    memcpy(&id, entry, sizeof id);
    return hash_of(ctx, id);
}

static bool entry_matches(const void *needle, const void *entry)
{
    return memcmp(needle, entry, sizeof(uint64_t)) == 0;
}

static void setup(struct world *w, uint32_t entry_bytes, uint32_t hash_values)
{
    memset(w, 0, sizeof *w);
    mem_init(&w->mem);
    w->pool = pool_new(&w->mem);
    assert_non_null(w->pool);
    w->type = (struct table_type){.entry_bytes = entry_bytes, .hash = entry_hash};
    w->hash_values = hash_values;
    w->seed = entry_bytes + hash_values;
}

static size_t junk_bytes(uint32_t i, uint32_t entry_bytes)
{
    uint32_t few = i % 4;
    return few < 3 ? 8 + 7u * entry_bytes : 8u * (1 + i % 200);
}

static void junk_make_one(struct world *w, uint32_t i)
{
    w->junk[i] = pool_alloc(w->pool, junk_bytes(i, w->type.entry_bytes));
    assert_non_null(w->junk[i]);
}

static void junk_make(struct world *w)
{
    for (uint32_t i = 0; i < JUNK; i++) junk_make_one(w, i);
}

static void junk_drop(struct world *w, uint32_t of)
{
    for (uint32_t i = 0; i < JUNK; i++) {
        if (!w->junk[i] || below(w, of)) continue;
        pool_free(w->pool, w->junk[i], junk_bytes(i, w->type.entry_bytes));
        w->junk[i] = NULL;
    }
}

static void put(struct world *w, uint64_t id)
{
    uint64_t *entry = table_insert(&w->table, &w->type, w->pool, w, hash_of(w, id));
    if (!entry) return;
    memset(entry, (int)id & 0xff, w->type.entry_bytes);
    memcpy(entry, &id, sizeof id);
    w->present[id] = true;
}

static void *find(const struct world *w, uint64_t id)
{
    return table_find(&w->table, &w->type, hash_of(w, id), entry_matches, &id);
}

static void toggle(struct world *w, uint64_t id)
{
    if (!w->present[id]) {
        put(w, id);
        return;
    }
    void *entry = find(w, id);
    assert_non_null(entry);
    w->present[id] = false;
    table_remove(&w->table, &w->type, w->pool, w, hash_of(w, id), entry);
}

static void check(struct world *w)
{
    assert_true(table_check(&w->table, &w->type, w));
    assert_true(pool_check(w->pool));
    for (uint64_t id = 0; id < IDS; id++) assert_true((find(w, id) != NULL) == w->present[id]);
}

static void teardown(struct world *w)
{
    for (uint64_t id = 0; id < IDS; id++)
        if (w->present[id]) toggle(w, id);
    junk_drop(w, 1);
    while (pool_purge_step(w->pool)) continue;
    pool_delete(w->pool);
    assert_int_equal(w->mem.bytes, 0);
}

static void count_visit(void *ctx, void *entry)
{
    struct world *w = ctx;
    uint64_t id;
    memcpy(&id, entry, sizeof id);
    assert_true(id < IDS && w->present[id]);
    w->visits++;
}

static uint64_t move(struct world *w, uint64_t cursor, uint32_t slots)
{
    return table_move_step(&w->table, &w->type, w->pool, cursor, slots, count_visit, w);
}

/* A quarantine would keep what was freed in use. */
static void mark(struct world *w)
{
    while (pool_purge_step(w->pool)) continue;
    while (pool_leave_step(w->pool, 100)) continue;
}

static void unmark(struct world *w)
{
    while (pool_stay_step(w->pool, 100)) continue;
}

static void random_history(uint32_t entry_bytes, uint32_t hash_values, uint32_t ids)
{
    static struct world w;
    setup(&w, entry_bytes, hash_values);
    for (int round = 0; round < 4; round++) {
        junk_make(&w);
        for (uint32_t id = 0; id < ids; id++)
            if (!w.present[id]) toggle(&w, id);
        junk_drop(&w, 2);
        uint64_t cursor = 0;
        for (uint32_t i = 0; i < ids; i++) {
            if (i % 500 == 0) mark(&w);
            toggle(&w, below(&w, ids));
            if (i % 3 == 0)
                (void)table_fit_step(&w.table, &w.type, w.pool, &w, below(&w, 3));
            else
                cursor = move(&w, cursor, 1 + below(&w, 3));
            if (i % 500 == 0) check(&w);
        }
        unmark(&w);
        check(&w);
        junk_drop(&w, 1);
    }
    teardown(&w);
}

static void test_random_history(void **state)
{
    (void)state;
    random_history(8, UINT32_MAX, IDS);
    random_history(16, UINT32_MAX, IDS);
    random_history(8, UINT32_MAX, 60);
    random_history(16, UINT32_MAX, 20);
    random_history(8, 5, 300); /* long chains */
}

/* Each entry is visited once, and afterwards nothing of the table is where it would be moved. */
static void test_move_visits_all_and_leaves_nothing_behind(void **state)
{
    static struct world w;
    (void)state;
    setup(&w, 8, UINT32_MAX);
    for (uint32_t id = 0; id < IDS; id++) {
        put(&w, id);
        if (id < JUNK) junk_make_one(&w, id);
    }
    junk_drop(&w, 1);
    mark(&w);
    uint64_t cursor = 0;
    do cursor = move(&w, cursor, 1);
    while (cursor);
    assert_int_equal(w.visits, w.table.used);
    struct pool_stats first, second;
    pool_get_stats(w.pool, &first);
    assert_true(first.moved_blocks > 0);
    do cursor = move(&w, cursor, 1000);
    while (cursor);
    pool_get_stats(w.pool, &second);
    assert_int_equal(second.moved_blocks, first.moved_blocks);
    unmark(&w);
    check(&w);
    teardown(&w);
}

/* A table that has lost half of its entries becomes half as large, a few buckets at a time. */
static void test_fit_gives_back_what_half_of_a_table_took(void **state)
{
    static struct world w;
    (void)state;
    setup(&w, 8, UINT32_MAX);
    for (uint32_t id = 0; id < IDS / 2; id++) put(&w, id);
    uint32_t half = w.table.buckets;
    for (uint32_t id = IDS / 2; id < IDS; id++) put(&w, id);
    for (uint32_t id = IDS / 2; id < IDS; id++) toggle(&w, id);
    assert_true(w.table.buckets > half * 3 / 2);
    uint32_t before = w.table.buckets;
    while (table_fit_step(&w.table, &w.type, w.pool, &w, 2)) {
        assert_true(before - w.table.buckets <= 2);
        before = w.table.buckets;
    }
    assert_true(w.table.buckets <= half + half / 4);
    check(&w);
    teardown(&w);
}

/* Without memory a table stays as it is. */
static void test_without_memory(void **state)
{
#ifdef HEAPD_DEBUG
    static struct world w;
    setup(&w, 8, UINT32_MAX);
    junk_make(&w);
    for (uint32_t id = 0; id < IDS; id++) put(&w, id);
    for (uint32_t id = 0; id < IDS; id += 2) toggle(&w, id);
    junk_drop(&w, 2);
    mark(&w);
    uint64_t cursor = 0;
    for (uint32_t n = 1; n < 400; n++) {
        w.mem.fail_at = 1 + n % 3;
        (void)table_fit_step(&w.table, &w.type, w.pool, &w, 4);
        w.mem.fail_at = 1 + n % 2;
        cursor = move(&w, cursor, 20);
        w.mem.fail_at = 0;
        if (n % 40 == 0) check(&w);
    }
    unmark(&w);
    check(&w);
    teardown(&w);
#endif
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_history),
        cmocka_unit_test(test_move_visits_all_and_leaves_nothing_behind),
        cmocka_unit_test(test_fit_gives_back_what_half_of_a_table_took),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
