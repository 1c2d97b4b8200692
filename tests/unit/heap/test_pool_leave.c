/*
 * Goal: an evacuation loses no byte of any block, gives back nearly all that is free, never makes a
 * class take memory while marked pools have room, and leaves no mark; and nobody gets a pool whose
 * pages are on their way to the system. Method: random histories against a model that knows every
 * block's content, with moves between them and pool_check() always; pages go in steps that the
 * test takes (threads are refused, the linker's --wrap), and in one history on a thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/sanitize.h"
#include "base/unmap.h"
#include "heap/pool.h"

enum { ITEMS = 60000, BYTES_MAX = 700, STAY_SLABS = 7 };

struct item {
    unsigned char *block;
    uint16_t bytes;
    unsigned char fill;
};

struct world {
    struct mem mem;
    struct pool *pool;
    uint64_t random;
    struct item items[ITEMS];
};

static bool threads_allowed;

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg)
{
    return threads_allowed ? __real_pthread_create(t, a, run, arg) : EAGAIN;
}

static int setup(void **state)
{
    threads_allowed = false;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    mem_init(&w->mem);
    w->pool = pool_new(&w->mem);
    w->random = 88172645463325252ULL;
    assert_non_null(w->pool);
    *state = w;
    return 0;
}

static uint64_t draw(struct world *w, uint64_t limit)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % limit;
}

static void make(struct world *w, struct item *i, size_t bytes)
{
    i->block = pool_alloc(w->pool, bytes);
    assert_non_null(i->block);
    i->bytes = (uint16_t)bytes;
    i->fill = (unsigned char)draw(w, 256);
    memset(i->block, i->fill, bytes);
}

static void drop(struct world *w, struct item *i)
{
    for (size_t k = 0; k < i->bytes; k++) assert_int_equal(i->block[k], i->fill);
    pool_free(w->pool, i->block, i->bytes);
    i->block = NULL;
}

static void move(struct world *w, struct item *i)
{
    if (i->block) i->block = pool_move(w->pool, i->block, i->bytes);
}

static void purge(struct world *w)
{
    while (pool_purge_step(w->pool)) continue;
}

static void stay(struct world *w)
{
    while (pool_stay_step(w->pool, STAY_SLABS)) assert_true(pool_check(w->pool));
    assert_true(pool_check(w->pool));
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (uint32_t k = 0; k < ITEMS; k++)
        if (w->items[k].block) drop(w, &w->items[k]);
    purge(w);
    assert_true(pool_check(w->pool));
    pool_delete(w->pool);
    assert_int_equal(w->mem.bytes, 0);
    mem_fini(&w->mem);
    unmap_finish();
    free(w);
    return 0;
}

static struct pool_stats stats(struct world *w)
{
    struct pool_stats s;
    pool_get_stats(w->pool, &s);
    return s;
}

/* All items, and then a random half of them. */
static void make_half(struct world *w)
{
    for (uint32_t k = 0; k < ITEMS; k++) make(w, &w->items[k], 1 + draw(w, BYTES_MAX));
    for (uint32_t k = 0; k < ITEMS; k++)
        if (draw(w, 2)) drop(w, &w->items[k]);
    purge(w);
}

static void mark_all(struct world *w)
{
    while (pool_leave_step(w->pool, 3)) continue;
    assert_true(pool_check(w->pool));
}

static void test_what_is_moved_makes_room(void **state)
{
    struct world *w = *state;
    make_half(w);
    struct pool_stats before = stats(w);
    assert_true(before.waste_bytes > before.live_bytes / 2);
    mark_all(w);
    for (uint32_t k = 0; k < ITEMS; k++) {
        move(w, &w->items[k]);
        if (k % 4096 == 0) assert_true(pool_check(w->pool));
    }
    purge(w);
    stay(w);
    purge(w);
    struct pool_stats after = stats(w);
    assert_int_equal(after.live_bytes, before.live_bytes);
    assert_true(after.moved_blocks > ITEMS / 8);
    /* Beside a pool for each class that is not full, and red zones where there are any. */
    uint64_t pools = POOL_CLASSES * (uint64_t)POOL_BYTES;
    assert_true(after.waste_bytes < after.live_bytes / 8 + pools);
    if (!SANITIZE_ON) assert_true(after.reserved_bytes < after.live_bytes * 9 / 8 + pools);
    assert_true(after.reserved_bytes < before.reserved_bytes * 3 / 4);
}

/* Twice in a row there is nothing to gain. */
static void test_a_second_evacuation_marks_nothing(void **state)
{
    struct world *w = *state;
    make_half(w);
    mark_all(w);
    for (uint32_t k = 0; k < ITEMS; k++) move(w, &w->items[k]);
    purge(w);
    stay(w);
    uint64_t moved = stats(w).moved_blocks;
    mark_all(w);
    for (uint32_t k = 0; k < ITEMS; k++) move(w, &w->items[k]);
    stay(w);
    assert_true(stats(w).moved_blocks < moved + moved / 16);
}

static void random_history(struct world *w)
{
    make_half(w);
    for (uint32_t round = 0; round < 6; round++) {
        for (uint32_t k = 0; k < ITEMS; k++) {
            struct item *i = &w->items[draw(w, ITEMS)];
            if (k % 64 == 0 && draw(w, 2)) (void)pool_leave_step(w->pool, 1);
            switch (draw(w, 4)) {
            case 0:
                if (i->block)
                    drop(w, i);
                else if (round % 2)
                    make(w, i, 1 + draw(w, BYTES_MAX));
                break;
            case 1: (void)pool_stay_step(w->pool, draw(w, 50) == 0); break;
            default: move(w, i);
            }
            if (k % 2048 == 0) assert_true(pool_check(w->pool));
            if (draw(w, 5000) == 0) purge(w);
            if (draw(w, 50) == 0) (void)unmap_step();
            if (draw(w, 500) == 0) (void)pool_trim_step(w->pool);
        }
    }
    stay(w);
}

static void test_random_history(void **state)
{
    random_history(*state);
}

static void test_random_history_with_a_thread(void **state)
{
    threads_allowed = true;
    random_history(*state);
}

/* A class takes the marks off its pools, one after the other, before it takes another pool. */
static void test_marks_go_before_a_class_grows(void **state)
{
    struct world *w = *state;
    enum { BYTES = 64, BLOCKS = 10000 };
    for (uint32_t k = 0; k < BLOCKS; k++) make(w, &w->items[k], BYTES);
    for (uint32_t k = 0; k < BLOCKS; k += 2) drop(w, &w->items[k]);
    purge(w);
    mark_all(w);
    uint64_t reserved = stats(w).reserved_bytes;
    for (uint32_t k = 0; k < BLOCKS; k += 2) make(w, &w->items[k], BYTES);
    assert_true(pool_check(w->pool));
    assert_int_equal(stats(w).reserved_bytes, reserved);
}

/* No room, no memory, not marked, too large: the block stays what and where it is. */
static void test_what_cannot_be_moved_stays(void **state)
{
    struct world *w = *state;
    struct item *i = &w->items[0];
    make_half(w);
    for (uint32_t k = 0; k < ITEMS; k++) {
        const void *at = w->items[k].block;
        move(w, &w->items[k]);
        assert_ptr_equal(w->items[k].block, at);
    }
    mark_all(w);
#ifdef HEAPD_DEBUG
    for (uint32_t k = 0; k < ITEMS; k++) {
        const void *at = w->items[k].block;
        w->mem.fail_at = 1;
        move(w, &w->items[k]);
        assert_ptr_equal(w->items[k].block, at);
    }
    w->mem.fail_at = 0;
    assert_true(pool_check(w->pool));
#endif
    while (i->block) i++;
    make(w, i, POOL_SMALL_MAX + 1);
    const void *at = i->block;
    move(w, i);
    assert_ptr_equal(i->block, at);
    stay(w);
}

static void assert_sums(struct world *w, uint64_t arenas)
{
    assert_true(pool_check(w->pool));
    struct pool_stats s = stats(w);
    assert_int_equal(s.arenas, arenas);
    assert_int_equal(s.reserved_bytes + s.lent_bytes, arenas * POOL_ARENA_BYTES);
}

static bool is_in(const void *block, const void *arena)
{
    return ((uintptr_t)block ^ (uintptr_t)arena) < POOL_ARENA_BYTES;
}

/* What is lent is counted by nobody, and counted again when it is used. Until the system has it,
 * whoever needs room takes another arena; then the pools are the first to be taken. */
static void test_lent_pages(void **state)
{
    struct world *w = *state;
    enum { BYTES = 512, SOME = 500 };
    struct cell *cell = pool_cell_alloc(w->pool);
    assert_non_null(cell);
    for (uint32_t k = 0; k < SOME; k++) make(w, &w->items[k], BYTES);
    size_t peak = w->mem.bytes;
    for (uint32_t k = 0; k < SOME; k++) drop(w, &w->items[k]);
    purge(w);
    assert_sums(w, 1);
    uint64_t lent = stats(w).lent_bytes;
    assert_true(lent > POOL_ARENA_BYTES / 2);
    assert_int_equal(unmap_bytes(), lent);
    assert_true(w->mem.bytes < POOL_ARENA_BYTES);

    assert_true(unmap_step()); /* some of it */
    assert_false(pool_has_spare(w->pool));
    for (uint32_t k = 0; k < SOME; k++) {
        make(w, &w->items[k], BYTES);
        assert_false(is_in(w->items[k].block, cell));
    }
    while (unmap_step()) continue;
    assert_true(pool_has_spare(w->pool));
    assert_sums(w, 2);
    assert_int_equal(stats(w).lent_bytes, lent);
    assert_false(pool_trim_step(w->pool));
    assert_false(pool_has_spare(w->pool));

    for (uint32_t k = 0; k < SOME; k++) drop(w, &w->items[k]);
    purge(w); /* the other arena, and of this what was the pool in use */
    while (unmap_step()) continue;
    assert_sums(w, 1);
    assert_true(stats(w).lent_bytes >= lent);
    for (uint32_t k = 0; k < SOME; k++) {
        make(w, &w->items[k], BYTES);
        assert_true(is_in(w->items[k].block, cell));
    }
    assert_sums(w, 1);
    while (stats(w).lent_bytes) {
        struct item *i = &w->items[SOME];
        while (i->block) i++;
        make(w, i, BYTES);
    }
    assert_int_equal(w->mem.bytes, peak);
    cell->head = (struct obj){.count = 1, .type = OBJ_LIST};
    pool_cell_free(w->pool, cell);
}

/* Pools go with pages on their way: it is waited for them. */
static void test_delete_waits_for_lent_pages(void **state)
{
    struct world *w = *state;
    for (int round = 0; round < 2; round++) {
        threads_allowed = round == 1;
        struct pool *p = pool_new(&w->mem);
        assert_non_null(p);
        void *block = pool_alloc(p, 64);
        assert_non_null(block);
        while (pool_purge_step(p)) continue;
        pool_free(p, block, 64);
        pool_delete(p);
        assert_int_equal(unmap_bytes(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_moved_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_second_evacuation_marks_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks_go_before_a_class_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_moved_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_history_with_a_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lent_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete_waits_for_lent_pages, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
