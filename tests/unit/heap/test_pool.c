/*
 * Goal: blocks never overlap, every byte is accounted for, memory goes back, and a failed
 * allocation changes nothing. Method: random histories against a model that knows size and content
 * of every block, with pool_check() in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/sanitize.h"
#include "heap/pool.h"

enum { ITEMS = 4000, STEPS = 200000, CHECK_EVERY = 5000 };

struct item {
    unsigned char *block;
    size_t bytes;
    unsigned char fill;
};

struct world {
    struct mem mem;
    struct pool *pool;
    uint64_t random;
    struct item items[ITEMS];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    mem_init(&w->mem);
    w->pool = pool_new(&w->mem);
    w->random = 88172645463325252ULL;
    assert_non_null(w->pool);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    assert_true(pool_check(w->pool));
    pool_delete(w->pool);
    mem_fini(&w->mem);
    assert_int_equal(w->mem.bytes, 0);
    assert_int_equal(w->mem.trim_bytes, 0);
    free(w);
    return 0;
}

static uint64_t draw(struct world *w, uint64_t limit)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % limit;
}

/* Every class is as likely as any other; one block in fifty is large. */
static size_t draw_bytes(struct world *w)
{
    if (draw(w, 50) == 0) return POOL_SMALL_MAX + 1 + (size_t)draw(w, 20000);
    return (size_t)1 << draw(w, 13) | (size_t)draw(w, POOL_SMALL_MAX) >> draw(w, 13);
}

static void item_alloc(struct world *w, struct item *i, size_t bytes)
{
    i->block = pool_alloc(w->pool, bytes);
    assert_non_null(i->block);
    assert_int_equal((uintptr_t)i->block % 8, 0);
    i->bytes = bytes;
    i->fill = (unsigned char)draw(w, 256);
    memset(i->block, i->fill, bytes);
}

static void item_free(struct world *w, struct item *i)
{
    for (size_t k = 0; k < i->bytes; k++) assert_int_equal(i->block[k], i->fill);
    pool_free(w->pool, i->block, i->bytes);
    i->block = NULL;
}

static void items_free(struct world *w)
{
    for (uint32_t k = 0; k < ITEMS; k++) {
        if (w->items[k].block) item_free(w, &w->items[k]);
    }
}

/* Lets the quarantine of a sanitized build go, and the kept arena with it; and waits until the
 * system has what is lent. */
static void purge(struct world *w)
{
    while (pool_purge_step(w->pool)) {
    }
    unmap_finish();
}

static struct pool_stats stats(struct world *w)
{
    struct pool_stats s;
    pool_get_stats(w->pool, &s);
    return s;
}

static void check_against_model(struct world *w)
{
    uint64_t live = 0;
    uint64_t large = 0;
    for (uint32_t k = 0; k < ITEMS; k++) {
        const struct item *i = &w->items[k];
        if (!i->block) continue;
        *(i->bytes > POOL_SMALL_MAX ? &large : &live) += pool_good_bytes(i->bytes);
    }
    struct pool_stats s = stats(w);
    assert_true(pool_check(w->pool));
    assert_int_equal(s.live_bytes, live);
    assert_int_equal(s.large_bytes, large);
    assert_int_equal(s.reserved_bytes, s.live_bytes + s.free_bytes + s.overhead_bytes);
    assert_int_equal(s.reserved_bytes + s.lent_bytes, s.arenas * POOL_ARENA_BYTES);

    struct pool_class_stats c;
    uint64_t live_of_classes = 0;
    uint64_t reserved = 0;
    for (uint32_t i = 0; i < POOL_CLASSES; i++) {
        pool_get_class_stats(w->pool, i, &c);
        live_of_classes += c.live_blocks * c.block_bytes;
        reserved += c.reserved_bytes;
        assert_true((c.live_blocks + c.free_blocks) * c.block_bytes <= c.reserved_bytes);
        assert_true(c.reserved_bytes <= (uint64_t)c.pools * POOL_BYTES);
    }
    assert_int_equal(live_of_classes, live);
    assert_true(reserved < s.reserved_bytes || s.arenas == 0);
}

static void test_good_bytes_any_size(void **state)
{
    (void)state;
    assert_int_equal(pool_good_bytes(0), 0);
    size_t last = 0;
    for (size_t n = 1; n < 300000; n++) {
        size_t good = pool_good_bytes(n);
        assert_true(good >= n && good >= last && good % 8 == 0);
        assert_int_equal(pool_good_bytes(good), good);
        if (n <= POOL_LINEAR_MAX) assert_true(good - n < 8);
        if (n <= POOL_FINE_MAX) assert_true(good - n < 8 || (good - n) * 16 < n);
        if (n > POOL_FINE_MAX && n <= POOL_SMALL_MAX)
            assert_int_equal(POOL_BYTES / good, POOL_BYTES / ((n + 7) & ~(size_t)7));
        assert_true((good - n) * 4 <= n + 32); /* a quarter, and what rounding to 8 takes */
        last = good;
    }
    assert_int_equal(pool_good_bytes(257), 264);
    assert_int_equal(pool_good_bytes(513), 544);
    assert_int_equal(pool_good_bytes(1025), 1088);
    assert_int_equal(pool_good_bytes(2048), 2048);
    assert_int_equal(pool_good_bytes(2049), 2336);
    assert_int_equal(pool_good_bytes(2337), 2728);
    assert_int_equal(pool_good_bytes(3273), 4096);
    assert_int_equal(pool_good_bytes(4097), 5120);
}

static void test_alloc_sizes_beyond_the_address_space(void **state)
{
    struct world *w = *state;
    size_t bytes_before = w->mem.bytes;
    for (size_t n = 0; n < 5000; n += 99) assert_null(pool_alloc(w->pool, SIZE_MAX - n));
    assert_null(pool_alloc(w->pool, SIZE_MAX / 2));
    assert_int_equal(w->mem.bytes, bytes_before);
    assert_int_equal(stats(w).large_blocks, 0);
    pool_free(w->pool, NULL, 0);
}

static void test_alloc_random_history(void **state)
{
    struct world *w = *state;
    for (uint32_t step = 0; step < STEPS; step++) {
        struct item *i = &w->items[draw(w, ITEMS)];
        if (i->block) {
            item_free(w, i);
        } else {
            item_alloc(w, i, draw_bytes(w));
        }
        if (step % CHECK_EVERY == 0) check_against_model(w);
    }
    items_free(w);
    check_against_model(w);
}

/* One class swells and shrinks after the other, so that slabs change their class and arenas come
 * and go. */
static void test_alloc_tides_of_one_size(void **state)
{
    struct world *w = *state;
    for (size_t bytes = 2048; bytes; bytes = bytes * 2 / 3) {
        for (uint32_t k = 0; k < ITEMS; k++) item_alloc(w, &w->items[k], bytes);
        check_against_model(w);
        for (uint32_t k = 0; k < ITEMS; k += 1 + (uint32_t)draw(w, 2)) item_free(w, &w->items[k]);
        check_against_model(w);
        items_free(w);
        check_against_model(w);
    }
}

static void test_free_of_all_keeps_one_arena(void **state)
{
    struct world *w = *state;
    for (uint32_t k = 0; k < ITEMS; k++) item_alloc(w, &w->items[k], 2000);
    assert_true(stats(w).arenas > 4);
    size_t table_bytes = w->mem.bytes - stats(w).reserved_bytes; /* and the set itself */
    items_free(w);
    if (!SANITIZE_ON) {
        assert_true(pool_has_spare(w->pool));
        while (pool_trim_step(w->pool)) {
        }
        assert_false(pool_has_spare(w->pool));
        assert_int_equal(stats(w).arenas, 1);
        assert_int_equal(w->mem.bytes, table_bytes + POOL_ARENA_BYTES);
    }
    purge(w);
    assert_int_equal(stats(w).arenas, 0);
    assert_int_equal(w->mem.bytes, table_bytes);
    assert_false(pool_purge_step(w->pool));
    item_alloc(w, &w->items[0], 1);
    assert_int_equal(stats(w).arenas, 1);
    items_free(w);
}

static void test_delete_with_blocks_in_use(void **state)
{
    struct world *w = *state;
    struct mem m;
    mem_init(&m);
    struct pool *p = pool_new(&m);
    assert_non_null(p);
    for (uint32_t k = 0; k < 1000; k++) {
        assert_non_null(pool_alloc(p, 1 + (size_t)draw(w, POOL_SMALL_MAX)));
    }
    pool_delete(p);
    assert_int_equal(m.bytes, 0);
    pool_delete(NULL);
}

static void test_alloc_refills_half_empty_pools(void **state)
{
    struct world *w = *state;
    for (size_t bytes = 8; bytes <= POOL_SMALL_MAX; bytes *= 4) {
        for (uint32_t k = 0; k < ITEMS; k++) item_alloc(w, &w->items[k], bytes);
        uint64_t arenas = stats(w).arenas;
        for (uint32_t k = 0; k < ITEMS; k++) {
            if (draw(w, 2)) item_free(w, &w->items[k]);
        }
        purge(w);
        for (uint32_t k = 0; k < ITEMS; k++) {
            if (!w->items[k].block) item_alloc(w, &w->items[k], bytes);
        }
        assert_int_equal(stats(w).arenas, arenas);
        check_against_model(w);
        items_free(w);
    }
}

static uintptr_t slab_number(const void *block)
{
    return (uintptr_t)block / POOL_BYTES;
}

static void test_alloc_takes_the_fullest_pool(void **state)
{
    struct world *w = *state;
    enum { BYTES = 128, COUNT = 1040 };
    for (uint32_t k = 0; k < COUNT; k++) item_alloc(w, &w->items[k], BYTES);
    /* The last slab is half full. Of two full ones, one loses most of its blocks, the
     * other three. */
    uintptr_t sparse = slab_number(w->items[200].block);
    uintptr_t full = slab_number(w->items[500].block);
    assert_true(sparse != full && sparse != slab_number(w->items[COUNT - 1].block));
    uint32_t taken = 0;
    for (uint32_t k = 0; k < COUNT; k++) {
        uintptr_t s = slab_number(w->items[k].block);
        if ((s == sparse && k % 8) || (s == full && taken < 3)) {
            taken += s == full;
            item_free(w, &w->items[k]);
        }
    }
    purge(w);
    for (uint32_t k = 0; k < 3; k++) {
        item_alloc(w, &w->items[COUNT + k], BYTES);
        assert_int_equal(slab_number(w->items[COUNT + k].block), full);
    }
    item_alloc(w, &w->items[COUNT + 3], BYTES);
    assert_int_not_equal(slab_number(w->items[COUNT + 3].block), sparse);
    items_free(w);
}

/* A quarter of the blocks stays, scattered; as old ones are replaced, they gather in few pools. */
static void test_alloc_drains_sparse_pools(void **state)
{
    struct world *w = *state;
    for (uint32_t k = 0; k < ITEMS; k++) item_alloc(w, &w->items[k], 256);
    for (uint32_t k = 0; k < ITEMS; k++) {
        if (k % 4) item_free(w, &w->items[k]);
    }
    purge(w);
    struct pool_class_stats before;
    struct pool_class_stats after;
    pool_get_class_stats(w->pool, 31, &before);
    for (uint32_t step = 0; step < 10 * ITEMS; step++) {
        struct item *i = &w->items[draw(w, ITEMS / 4) * 4];
        item_free(w, i);
        if (step % 100 == 0) purge(w);
        item_alloc(w, i, 256);
    }
    purge(w);
    pool_get_class_stats(w->pool, 31, &after);
    assert_int_equal(after.block_bytes, 256);
    assert_int_equal(after.live_blocks, before.live_blocks);
    assert_true(after.pools <= before.pools / 2);
    items_free(w);
}

static void test_alloc_large_blocks(void **state)
{
    struct world *w = *state;
    size_t bytes_before = w->mem.bytes;
    item_alloc(w, &w->items[0], POOL_SMALL_MAX + 1);
    item_alloc(w, &w->items[1], MEM_MAP_BYTES - 5000);
    item_alloc(w, &w->items[2], MEM_MAP_BYTES * 3 + 1);
    struct pool_stats s = stats(w);
    assert_int_equal(s.large_blocks, 3);
    assert_int_equal(s.large_bytes, w->mem.bytes - bytes_before);
    assert_int_equal(s.arenas, 0);
    check_against_model(w);
    items_free(w);
    assert_int_equal(stats(w).large_bytes, 0);
    assert_int_equal(w->mem.bytes, bytes_before);
    assert_int_equal(w->mem.trim_bytes, MEM_MAP_BYTES * 3 + 4096);
}

/* One block of each class, a cell and a large block; true when all could be had. Whatever was had
 * is given back. */
static bool grab_and_return(struct pool *p)
{
    void *blocks[POOL_SMALL_MAX / 32] = {NULL};
    enum { BLOCKS = sizeof blocks / sizeof *blocks };
    struct cell *cell = pool_cell_alloc(p);
    size_t large_bytes = 5000;
    void *large = cell ? pool_alloc(p, large_bytes) : NULL;
    bool done = large != NULL;
    for (size_t i = 0; done && i < BLOCKS; i++) {
        blocks[i] = pool_alloc(p, (i + 1) * 32);
        done = blocks[i] != NULL;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i]) pool_free(p, blocks[i], (i + 1) * 32);
    }
    if (large) pool_free(p, large, large_bytes);
    if (cell) pool_cell_free(p, cell);
    return done;
}

static void test_alloc_nth_failure(void **state)
{
    struct world *w = *state;
#ifndef HEAPD_DEBUG
    (void)w;
    skip();
#endif
    for (uint64_t n = 1;; n++) {
        assert_in_range(n, 1, 1000);
        struct mem m;
        mem_init(&m);
        m.fail_at = n;
        m.fail_on = n % 2;
        struct pool *p = pool_new(&m);
        bool done = p && grab_and_return(p);
        assert_true(done || m.attempts >= n);
        m.fail_at = 0;
        if (p) {
            assert_true(pool_check(p));
            assert_true(grab_and_return(p));
        }
        pool_delete(p);
        mem_fini(&m);
        assert_int_equal(m.bytes, 0);
        if (done) break;
    }
    (void)w;
}

#define POOL_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_bytes_any_size),
        POOL_TEST(test_alloc_sizes_beyond_the_address_space),
        POOL_TEST(test_alloc_random_history),
        POOL_TEST(test_alloc_tides_of_one_size),
        POOL_TEST(test_alloc_refills_half_empty_pools),
        POOL_TEST(test_alloc_takes_the_fullest_pool),
        POOL_TEST(test_alloc_drains_sparse_pools),
        POOL_TEST(test_alloc_large_blocks),
        POOL_TEST(test_alloc_nth_failure),
        POOL_TEST(test_free_of_all_keeps_one_arena),
        POOL_TEST(test_delete_with_blocks_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
