/*
 * Goal: the table against a model that is an array of flags, with hashes that are good, bad and
 * hostile. Method: random histories of insertions and removals, the invariants and the account of
 * memory checked after every step; walks, scans and drains interleaved with such histories; every
 * allocation of a history made to fail in its turn (debug builds).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "heap/table_bucket.h"

enum { IDS_MAX = 4096, SMALL = 500, MILLION = 1000000 };

/* How an entry's number becomes its hash. */
enum hashing { HASH_RANDOM, HASH_SEQUENTIAL, HASH_EQUAL, HASH_HIGH_BITS, HASH_FEW, HASHINGS };

struct fixture {
    struct mem mem;
    struct pool *pool;
    struct table table;
    struct table_type type;
    enum hashing hashing;
    uint64_t seed;
    uint32_t present_count;
    bool present[IDS_MAX];
    bool moved[IDS_MAX]; /* since it was last cleared */
    uint32_t seen[IDS_MAX];
};

static uint64_t draw(void *ctx)
{
    uint64_t *seed = ctx;
    *seed += 0x9e3779b97f4a7c15ULL;
    return hash_word(0, *seed);
}

static uint32_t below(struct fixture *f, uint32_t n)
{
    return (uint32_t)(draw(&f->seed) % n);
}

static uint32_t hash_of(const struct fixture *f, uint64_t id)
{
    switch (f->hashing) {
    case HASH_RANDOM: return (uint32_t)hash_word(7, id);
    case HASH_SEQUENTIAL: return (uint32_t)id;
    case HASH_EQUAL: return 0x00beef2a;
    case HASH_HIGH_BITS: return (uint32_t)id << 20;
    case HASH_FEW: return (uint32_t)hash_word(7, id % 5);
    case HASHINGS: break;
    }
    abort();
}

/* An entry is its number and, if there is room, the number's complement. */
static uint64_t entry_id(const struct fixture *f, const void *entry)
{
    uint64_t words[2];
    memcpy(words, entry, f->type.entry_bytes);
    if (f->type.entry_bytes == 16) assert_true(words[1] == ~words[0]);
    return words[0];
}

static uint32_t entry_hash(const void *ctx, const void *entry)
{
    return hash_of(ctx, entry_id(ctx, entry));
}

static void entry_moved(void *ctx, void *entry)
{
    struct fixture *f = ctx;
    uint64_t id = entry_id(f, entry);
    if (id >= IDS_MAX) return;
    assert_true(f->present[id]);
    f->moved[id] = true;
}

static bool entry_matches(const void *needle, const void *entry)
{
    return memcmp(needle, entry, sizeof(uint64_t)) == 0;
}

static void *find(const struct fixture *f, uint64_t id)
{
    return table_find(&f->table, &f->type, hash_of(f, id), entry_matches, &id);
}

static bool insert(struct fixture *f, uint64_t id)
{
    void *entry = table_insert(&f->table, &f->type, f->pool, f, hash_of(f, id));
    if (!entry) return false;
    uint64_t words[2] = {id, ~id};
    memcpy(entry, words, f->type.entry_bytes);
    if (id < IDS_MAX) {
        assert_false(f->present[id]);
        f->present[id] = true;
        f->present_count++;
    }
    return true;
}

static void remove_id(struct fixture *f, uint64_t id)
{
    void *entry = find(f, id);
    assert_non_null(entry);
    if (id < IDS_MAX) {
        f->present[id] = false;
        f->present_count--;
    }
    table_remove(&f->table, &f->type, f->pool, f, hash_of(f, id), entry);
}

/* Puts an entry in if it is not there, and takes it out if it is. */
static void toggle(struct fixture *f, uint64_t id)
{
    if (f->present[id])
        remove_id(f, id);
    else
        assert_true(insert(f, id));
}

static size_t bytes_in_use(const struct fixture *f)
{
    struct pool_stats stats;
    pool_get_stats(f->pool, &stats);
    return stats.live_bytes + stats.large_bytes;
}

static void check(const struct fixture *f)
{
    assert_true(table_check(&f->table, &f->type, f));
    assert_int_equal(f->table.used, f->present_count);
    assert_int_equal(table_bytes(&f->table, &f->type), bytes_in_use(f));
}

static void check_contents(const struct fixture *f, uint32_t ids)
{
    for (uint32_t id = 0; id < ids; id++) assert_true((find(f, id) != NULL) == f->present[id]);
}

static void begin(struct fixture *f, uint32_t entry_bytes, enum hashing hashing)
{
    memset(f, 0, sizeof *f);
    mem_init(&f->mem);
    f->pool = pool_new(&f->mem);
    assert_non_null(f->pool);
    table_init(&f->table);
    f->type = (struct table_type){entry_bytes, entry_hash, entry_moved};
    f->hashing = hashing;
    f->seed = entry_bytes + hashing;
}

static void end(struct fixture *f)
{
    table_fini(&f->table, &f->type, f->pool);
    assert_int_equal(bytes_in_use(f), 0);
    pool_delete(f->pool);
    mem_fini(&f->mem);
}

static void for_each_kind(void (*test)(struct fixture *f))
{
    static struct fixture f;
    for (uint32_t entry_bytes = 8; entry_bytes <= 16; entry_bytes += 8) {
        for (enum hashing hashing = 0; hashing < HASHINGS; hashing++) {
            begin(&f, entry_bytes, hashing);
            test(&f);
            end(&f);
        }
    }
}

/* In waves, so that the table becomes large and empty again and again. */
static void run_model(struct fixture *f)
{
    for (uint32_t step = 0; step < 12000; step++) {
        uint32_t id = below(f, SMALL);
        bool growing = step / 1000 % 2 == 0;
        if (f->present[id] ? !growing || below(f, 8) == 0 : growing || below(f, 8) == 0)
            toggle(f, id);
        assert_true((find(f, id) != NULL) == f->present[id]);
        check(f);
        if (step % 100 == 0) check_contents(f, SMALL);
    }
    for (uint32_t id = 0; id < SMALL; id++) {
        if (f->present[id]) remove_id(f, id);
        check(f);
    }
    assert_int_equal(f->table.buckets, 0);
    assert_null(f->table.buckets_at);
}

static void test_table_random_history_matches_model(void **state)
{
    (void)state;
    for_each_kind(run_model);
}

/* Through the directory and back, in order and in reverse order. */
static void run_growth(struct fixture *f)
{
    for (uint32_t id = 0; id < IDS_MAX / 2; id++) {
        assert_true(insert(f, id));
        if (id % 64 == 0) check(f);
    }
    check_contents(f, IDS_MAX / 2);
    assert_true(f->table.directory_slots > 0);
    for (uint32_t id = IDS_MAX / 2; id-- > 0;) {
        remove_id(f, id);
        if (id % 64 == 0) check(f);
        if (id == 50) assert_int_equal(f->table.directory_slots, 0);
    }
    assert_int_equal(bytes_in_use(f), 0);
}

static void test_table_grows_and_shrinks_through_segments(void **state)
{
    (void)state;
    for_each_kind(run_growth);
}

/* Bucket 9 of 10, with 7 + 6 entries in two buckets, merges into bucket 1, with 7: 20 take four. */
static void test_table_merge_makes_a_longer_chain(void **state)
{
    static struct fixture f;
    (void)state;
    for (uint32_t entry_bytes = 8; entry_bytes <= 16; entry_bytes += 8) {
        begin(&f, entry_bytes, HASH_SEQUENTIAL);
        for (uint32_t k = 0; k < 13; k++) assert_true(insert(&f, 9 + 16 * k));
        for (uint32_t k = 0; k < 7; k++) assert_true(insert(&f, 1 + 16 * k));
        for (uint32_t k = 0; k < 40; k++) assert_true(insert(&f, 10 + k % 5 + 16 * (k / 5)));
        assert_int_equal(f.table.buckets, 10);
        for (uint32_t k = 0; k < 37; k++) remove_id(&f, 10 + k % 5 + 16 * (k / 5));
        assert_int_equal(f.table.buckets, 10);
        remove_id(&f, 10 + 37 % 5 + 16 * (37 / 5));
        assert_int_equal(f.table.buckets, 9);
        check(&f);
        check_contents(&f, IDS_MAX);
        end(&f);
    }
}

static void visit_seen(void *ctx, void *entry)
{
    struct fixture *f = ctx;
    uint64_t id = entry_id(f, entry);
    assert_true(id < IDS_MAX);
    f->seen[id]++;
}

static void scan_whole(struct fixture *f, uint64_t cursor)
{
    uint64_t steps = 0;
    do {
        cursor = table_scan(&f->table, &f->type, cursor, visit_seen, f);
        assert_true(steps++ <= f->table.buckets);
    } while (cursor);
}

static void run_scan_quiescent(struct fixture *f)
{
    scan_whole(f, 0);
    for (uint32_t n = 0; n < SMALL; n++) {
        assert_true(insert(f, n));
        memset(f->seen, 0, sizeof f->seen);
        scan_whole(f, 0);
        for (uint32_t id = 0; id < SMALL; id++) assert_int_equal(f->seen[id], f->present[id]);
        scan_whole(f, draw(&f->seed));
        scan_whole(f, UINT64_MAX);
    }
}

static void test_table_scan_of_a_quiet_table_sees_each_once(void **state)
{
    (void)state;
    for_each_kind(run_scan_quiescent);
}

/* Some insertions and removals between two steps of a walk. In some rounds most are insertions, in
 * others removals, so that a table passes through all its sizes. What has not stayed is struck out.
 */
static void disturb(struct fixture *f, uint32_t round, bool *throughout)
{
    bool removing = round / 8 % 2;
    uint32_t ids = f->hashing <= HASH_SEQUENTIAL ? IDS_MAX : SMALL;
    for (uint32_t n = below(f, 60); n > 0; n--) {
        uint32_t id = below(f, ids);
        bool present = below(f, 8) ? removing : !removing;
        if (f->present_count == (present ? 0 : ids)) continue;
        while (f->present[id] != present) id = (id + 1) % ids;
        throughout[id] = false;
        toggle(f, id);
    }
}

static void run_scan_changing(struct fixture *f)
{
    static bool throughout[IDS_MAX];
    for (uint32_t round = 0; round < 64; round++) {
        memset(f->seen, 0, sizeof f->seen);
        memcpy(throughout, f->present, sizeof throughout);
        uint64_t cursor = 0;
        uint32_t steps = 0;
        do {
            cursor = table_scan(&f->table, &f->type, cursor, visit_seen, f);
            if (steps < 40) disturb(f, round, throughout);
            assert_true(steps++ < 40 + IDS_MAX);
        } while (cursor);
        for (uint32_t id = 0; id < IDS_MAX; id++) assert_true(!throughout[id] || f->seen[id]);
    }
}

static void test_table_scan_misses_nothing_that_stays(void **state)
{
    (void)state;
    for_each_kind(run_scan_changing);
}

static void run_walk_quiescent(struct fixture *f)
{
    assert_int_equal(table_walk(&f->table, &f->type, 0, 0, 1, visit_seen, f), 0);
    assert_int_equal(table_walk(&f->table, &f->type, 0, 9, 1, visit_seen, f), 9);
    for (uint32_t id = 0; id < SMALL * 2; id++) assert_true(insert(f, id));
    uint64_t limit = f->table.buckets;
    for (uint64_t cursor = 0; cursor < limit;) {
        uint64_t next = table_walk(&f->table, &f->type, cursor, limit, 20, visit_seen, f);
        assert_true(next > cursor && next <= limit);
        cursor = next;
    }
    for (uint32_t id = 0; id < IDS_MAX; id++) assert_int_equal(f->seen[id], f->present[id]);
}

static void test_table_walk_of_a_quiet_table_sees_each_once(void **state)
{
    (void)state;
    for_each_kind(run_walk_quiescent);
}

/* The collector's use: what a walk missed or saw twice, `moved` has told. */
static void run_walk_changing(struct fixture *f)
{
    static bool throughout[IDS_MAX];
    uint32_t missed[2] = {0};
    for (uint32_t round = 0; round < 128; round++) {
        disturb(f, round, throughout);
        memset(f->seen, 0, sizeof f->seen);
        memset(f->moved, 0, sizeof f->moved);
        memcpy(throughout, f->present, sizeof throughout);
        uint64_t limit = f->table.buckets;
        for (uint64_t cursor = 0; cursor < limit;) {
            uint32_t slots_max = 1 + below(f, f->present_count / 8 + 1);
            cursor = table_walk(&f->table, &f->type, cursor, limit, slots_max, visit_seen, f);
            disturb(f, round, throughout);
        }
        for (uint32_t id = 0; id < IDS_MAX; id++) {
            if (!throughout[id] || f->seen[id] == 1) continue;
            assert_true(f->moved[id]);
            missed[round / 8 % 2] += f->seen[id] == 0;
        }
    }
    /* Splits and merges that the walk would have missed: or the test would show nothing. */
    if (f->hashing == HASH_RANDOM) assert_true(missed[0] > 0 && missed[1] > 0);
}

static void test_table_walk_and_moved_account_for_what_stays(void **state)
{
    (void)state;
    for_each_kind(run_walk_changing);
}

/* The entry is gone when its copy is seen. The lookup is the test's own: it reads only. */
static void visit_drained(void *ctx, void *entry)
{
    struct fixture *f = ctx;
    uint64_t id = entry_id(f, entry);
    assert_true(f->present[id]);
    assert_null(find(f, id));
    f->present[id] = false;
    f->present_count--;
    f->seen[0]++;
}

static void run_drain(struct fixture *f)
{
    static const uint32_t slots[] = {1, 7, 100, UINT32_MAX};
    assert_true(table_drain(&f->table, &f->type, f->pool, 1, visit_drained, f));
    for (uint32_t round = 0; round < 8; round++) {
        uint32_t slots_max = slots[round % 4];
        uint32_t ids = round < 4 ? SMALL * 2 : 60;
        for (uint32_t id = 0; id < ids; id++) assert_true(insert(f, id));
        uint32_t steps = 0;
        bool done;
        do {
            uint32_t buckets = f->table.buckets;
            f->seen[0] = 0;
            done = table_drain(&f->table, &f->type, f->pool, slots_max, visit_drained, f);
            assert_true(f->seen[0] < (uint64_t)slots_max + TABLE_BUCKET_ENTRIES);
            /* Empty buckets are work, too; the one block goes at once. */
            assert_true(buckets - f->table.buckets <= (uint64_t)slots_max + TABLE_SEGMENT_BUCKETS);
            if (f->table.used) check(f);
            if (done || steps++ > 200) continue;
            check_contents(f, ids);
            toggle(f, below(f, ids));
            check(f);
        } while (!done && f->table.buckets);
        assert_int_equal(f->present_count, 0);
        assert_int_equal(bytes_in_use(f), 0);
    }
}

static void test_table_drain_leaves_a_sound_table_between_steps(void **state)
{
    (void)state;
    for_each_kind(run_drain);
}

static void run_random(struct fixture *f)
{
    static const uint32_t sizes[] = {1, 7, 60, 2000};
    assert_null(table_random(&f->table, &f->type, draw, &f->seed));
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t n = sizes[i];
        for (uint32_t id = 0; id < n; id++)
            if (!f->present[id]) assert_true(insert(f, id));
        memset(f->seen, 0, sizeof f->seen);
        for (uint32_t k = 0; k < 100 * n; k++)
            visit_seen(f, table_random(&f->table, &f->type, draw, &f->seed));
        /* With hostile hashes only the small table is exact. */
        if (f->hashing > HASH_SEQUENTIAL && f->table.directory_slots) continue;
        double chi_square = 0;
        for (uint32_t id = 0; id < n; id++) {
            double off = (double)f->seen[id] - 100;
            chi_square += off * off / 100;
        }
        assert_true(chi_square < n + 6 * sqrt(2.0 * n));
    }
}

static void test_table_random_is_uniform(void **state)
{
    (void)state;
    for_each_kind(run_random);
}

/* Grows past a segment, shrinks, and grows again; what could not be inserted is simply not there.
 */
static void run_history(struct fixture *f)
{
    for (uint32_t wave = 0; wave < 2; wave++) {
        for (uint32_t id = 0; id < SMALL + 100; id++) {
            uint64_t attempts = f->mem.attempts;
            if (f->present[id]) continue;
            if (!insert(f, id)) assert_true(f->mem.attempts > attempts);
            if (id % 50 == 0) check(f);
        }
        check_contents(f, SMALL + 100);
        for (uint32_t id = 0; id < SMALL + 100; id++) {
            if (f->present[id] && id % 16 != wave) remove_id(f, id);
            if (id % 50 == 0) check(f);
        }
        check_contents(f, SMALL + 100);
    }
}

static void run_failures(enum hashing hashing, uint32_t entry_bytes, bool all_later)
{
    static struct fixture f;
    begin(&f, entry_bytes, hashing);
    f.mem.attempts = 0;
    run_history(&f);
    uint64_t attempts = f.mem.attempts;
    end(&f);
    for (uint64_t n = 1; n <= attempts; n++) {
        begin(&f, entry_bytes, hashing);
        f.mem.fail_at = n;
        f.mem.fail_on = all_later;
        run_history(&f);
        check(&f);
        /* What a failed split or merge put off is done later, and an end needs no memory. */
        while (!table_drain(&f.table, &f.type, f.pool, 10, visit_drained, &f)) continue;
        assert_int_equal(f.present_count, 0);
        end(&f);
    }
}

static void test_table_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    run_failures(HASH_RANDOM, 8, false);
    run_failures(HASH_RANDOM, 16, true);
    run_failures(HASH_EQUAL, 8, true);
    run_failures(HASH_EQUAL, 16, false);
    run_failures(HASH_FEW, 16, false);
}

static void test_table_insert_into_a_full_one_is_refused(void **state)
{
    static struct fixture f;
    (void)state;
    begin(&f, 8, HASH_RANDOM);
    assert_true(insert(&f, 1));
    f.table.used = TABLE_ENTRIES_MAX;
    assert_false(insert(&f, 2));
    f.table.used = 1;
    check(&f);
    end(&f);
}

static void test_table_prefetch_changes_nothing(void **state)
{
    static struct fixture f;
    (void)state;
    begin(&f, 16, HASH_RANDOM);
    table_prefetch_directory(&f.table, 1);
    table_prefetch_bucket(&f.table, &f.type, 1);
    for (uint32_t id = 0; id < SMALL; id++) {
        assert_true(insert(&f, id));
        uint32_t hash = (uint32_t)draw(&f.seed);
        table_prefetch_directory(&f.table, hash);
        table_prefetch_bucket(&f.table, &f.type, hash);
    }
    check(&f);
    end(&f);
}

/* A glimpse is an entry with the same tag, and nearly always the one that is meant: all but those
 * behind another of the same tag. */
static void test_table_glimpse_is_a_good_guess(void **state)
{
    static struct fixture f;
    (void)state;
    const void *chain = NULL;
    begin(&f, 8, HASH_RANDOM);
    assert_null(table_glimpse(&f.table, &f.type, 1, &chain));
    assert_null(chain);
    uint32_t right = 0, again = 0;
    for (uint32_t id = 0; id < SMALL; id++) assert_true(insert(&f, id));
    for (uint32_t id = 0; id < SMALL; id++) {
        uint32_t hash = hash_of(&f, id);
        const void *guess = table_glimpse(&f.table, &f.type, hash, &chain);
        for (; chain; again++) guess = table_glimpse(&f.table, &f.type, hash, &chain);
        assert_non_null(guess);
        assert_int_equal(entry_hash(&f, guess) >> 24, hash >> 24);
        right += guess == find(&f, id);
    }
    assert_true(right > SMALL / 10 * 9);
    assert_true(again > 0);
    check(&f);
    end(&f);
}

/* The cost that the header names, and nothing left at the end. */
static void test_table_of_a_million_keeps_to_its_bytes(void **state)
{
    static struct fixture f;
    (void)state;
    for (uint32_t entry_bytes = 8; entry_bytes <= 16; entry_bytes += 8) {
        begin(&f, entry_bytes, HASH_RANDOM);
        for (uint64_t id = IDS_MAX; id < IDS_MAX + MILLION; id++) {
            assert_true(insert(&f, id));
            if (id % 100000 == 0)
                assert_true(table_bytes(&f.table, &f.type) <
                            2 * entry_bytes * (uint64_t)f.table.used);
        }
        assert_int_equal(table_bytes(&f.table, &f.type), bytes_in_use(&f));
        assert_true(table_check(&f.table, &f.type, &f));
        for (uint64_t id = IDS_MAX; id < IDS_MAX + MILLION; id++) {
            remove_id(&f, id);
            if (id % 100000 == 0)
                assert_true(table_bytes(&f.table, &f.type) <
                            4 * entry_bytes * (uint64_t)f.table.used);
        }
        assert_int_equal(f.table.buckets, 0);
        end(&f);
    }
}

/* --- a directory of pages --- */

enum { PAGE_BUCKETS = TABLE_PAGE_SLOTS * TABLE_SEGMENT_BUCKETS };

static void check_large(const struct fixture *f, uint64_t ids)
{
    assert_int_equal(f->table.used, ids);
    assert_int_equal(table_bytes(&f->table, &f->type), bytes_in_use(f));
    assert_true(table_check(&f->table, &f->type, f));
}

/* Release builds order no failures: there the page is simply added. */
#ifdef HEAPD_DEBUG
enum { FAILURES_MIN = 3 }; /* a segment, a page, and once or twice an array of pages */
#else
enum { FAILURES_MIN = 0 };
#endif

/* The next insertion needs a segment, and that a page. Whichever allocation fails, the table is
 * what it was, but for an entry that found room without them. */
static uint64_t fail_at_page(struct fixture *f, uint64_t ids)
{
    uint32_t buckets = f->table.buckets;
    uint64_t n = 1;
    for (; f->table.buckets == buckets && n < 10; n++) {
        f->mem.fail_at = n;
        ids += insert(f, IDS_MAX + ids);
        if (f->table.buckets == buckets) check_large(f, ids);
    }
    f->mem.fail_at = 0;
    assert_in_range(n, FAILURES_MIN + 1, 9);
    assert_int_equal(f->table.buckets, buckets + 1);
    return ids;
}

static void count_one(void *ctx, void *entry)
{
    (void)entry;
    ++*(uint64_t *)ctx;
}

static void run_pages(struct fixture *f)
{
    enum { PAGES = 3 };
    uint64_t ids = 0, drained = 0;
    while (f->table.buckets < PAGES * PAGE_BUCKETS + 1) {
        bool full = f->table.buckets && f->table.buckets % PAGE_BUCKETS == 0 &&
                    f->table.used >= (uint64_t)f->table.buckets * 6;
        if (full && f->type.entry_bytes == 16)
            ids = fail_at_page(f, ids);
        else
            ids += insert(f, IDS_MAX + ids);
    }
    check_large(f, ids);
    assert_int_equal(table_pages(&f->table), PAGES + 1);
    pool_move_always(f->pool, true);
    for (uint64_t at = 0; (at = table_move_step(&f->table, &f->type, f->pool, at, 1000, NULL, f));)
        continue;
    pool_move_always(f->pool, false);
    check_large(f, ids);
    for (uint64_t id = 0; id < ids; id += 97) assert_non_null(find(f, IDS_MAX + id));
    for (bool done = false; !done;) {
        uint32_t pages = table_pages(&f->table);
        done = table_drain(&f->table, &f->type, f->pool, 1000, count_one, &drained);
        if (!done && table_pages(&f->table) != pages) {
            assert_int_equal(table_bytes(&f->table, &f->type), bytes_in_use(f));
            assert_true(insert(f, IDS_MAX + ids++)); /* as any other table */
            check_large(f, ids - drained);
        }
    }
    assert_int_equal(drained, ids);
    assert_int_equal(bytes_in_use(f), 0);
}

static void test_table_directory_of_pages(void **state)
{
    static struct fixture f;
    (void)state;
    for (uint32_t entry_bytes = 8; entry_bytes <= 16; entry_bytes += 8) {
        begin(&f, entry_bytes, HASH_RANDOM);
        run_pages(&f);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_random_history_matches_model),
        cmocka_unit_test(test_table_grows_and_shrinks_through_segments),
        cmocka_unit_test(test_table_merge_makes_a_longer_chain),
        cmocka_unit_test(test_table_scan_of_a_quiet_table_sees_each_once),
        cmocka_unit_test(test_table_scan_misses_nothing_that_stays),
        cmocka_unit_test(test_table_walk_of_a_quiet_table_sees_each_once),
        cmocka_unit_test(test_table_walk_and_moved_account_for_what_stays),
        cmocka_unit_test(test_table_drain_leaves_a_sound_table_between_steps),
        cmocka_unit_test(test_table_random_is_uniform),
        cmocka_unit_test(test_table_nth_allocation_fails),
        cmocka_unit_test(test_table_insert_into_a_full_one_is_refused),
        cmocka_unit_test(test_table_prefetch_changes_nothing),
        cmocka_unit_test(test_table_glimpse_is_a_good_guess),
        cmocka_unit_test(test_table_of_a_million_keeps_to_its_bytes),
        cmocka_unit_test(test_table_directory_of_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
