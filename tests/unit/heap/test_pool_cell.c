/*
 * Goal: a walk sees every cell that stays exactly once and any other at most once, in bounded
 * steps. Method: random births and deaths between the steps of walks, against a model that counts
 * how often each was seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "heap/pool.h"

enum { CELLS = 200000 };

struct world {
    struct mem mem;
    struct pool *pool;
    uint64_t random;
    struct cell *cells[CELLS]; /* head.count is the place in this array */
    uint32_t seen[CELLS];      /* in this walk; of the cell that has the place now */
    uint32_t born_walk[CELLS];
    uint32_t walk;
    uint32_t seen_step;
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
    free(w);
    return 0;
}

static uint32_t draw(struct world *w, uint32_t limit)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random % limit);
}

static void birth(struct world *w, uint32_t place)
{
    struct cell *c = pool_cell_alloc(w->pool);
    assert_non_null(c);
    assert_int_equal((uintptr_t)c % 16, 0);
    assert_true(c->head.count == 0 && c->head.roots == 0 && c->head.type == OBJ_NONE);
    assert_true(c->head.flags == 0 && c->body == NULL);
    c->head.count = place;
    c->head.type = OBJ_LIST;
    c->body = w;
    w->cells[place] = c;
    w->seen[place] = 0;
    w->born_walk[place] = w->walk;
}

static void death(struct world *w, uint32_t place)
{
    pool_cell_free(w->pool, w->cells[place]);
    w->cells[place] = NULL;
}

static void flip(struct world *w, uint32_t place)
{
    if (w->cells[place]) {
        death(w, place);
    } else {
        birth(w, place);
    }
}

static void see(void *ctx, struct cell *c)
{
    struct world *w = ctx;
    assert_ptr_equal(w->cells[c->head.count], c);
    assert_int_equal(w->seen[c->head.count]++, 0);
    w->seen_step++;
}

/* A whole walk with `flips` births or deaths between the steps; the number of steps. */
static uint32_t walk(struct world *w, uint32_t cells_max, uint32_t places, uint32_t flips)
{
    w->walk++;
    for (uint32_t i = 0; i < CELLS; i++) w->seen[i] = 0;
    uint64_t cursor = 0;
    uint32_t steps = 0;
    bool more = true;
    while (more) {
        w->seen_step = 0;
        more = pool_cell_walk(w->pool, &cursor, cells_max, see, w);
        assert_true(w->seen_step <= cells_max);
        steps++;
        for (uint32_t i = 0; more && i < flips; i++) flip(w, draw(w, places));
    }
    assert_int_equal(cursor, 0);
    for (uint32_t i = 0; i < CELLS; i++) {
        if (w->cells[i] && w->born_walk[i] != w->walk) assert_int_equal(w->seen[i], 1);
    }
    return steps;
}

static void test_walk_empty_pool(void **state)
{
    struct world *w = *state;
    assert_int_equal(walk(w, 10, 1, 0), 1);
    assert_non_null(pool_alloc(w->pool, 16));
    assert_int_equal(walk(w, 10, 1, 0), 1);
}

static void test_walk_unchanged(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 0; i < 20000; i++) birth(w, i);
    for (uint32_t i = 0; i < 20000; i += 3) death(w, i);
    walk(w, 1, 1, 0);
    walk(w, 7, 1, 0);
    assert_in_range(walk(w, 1000, 1, 0), 14, 20);
    walk(w, CELLS, 1, 0);
}

static void test_walk_random_births_and_deaths(void **state)
{
    struct world *w = *state;
    enum { PLACES = 30000 };
    for (uint32_t i = 0; i < PLACES; i++) flip(w, draw(w, PLACES));
    for (uint32_t round = 0; round < 12; round++) {
        walk(w, 1 + draw(w, 700), PLACES, draw(w, 400));
        assert_true(pool_check(w->pool));
    }
}

/* Whole arenas of cells go and others come, with other blocks between them. */
static void test_walk_tides(void **state)
{
    struct world *w = *state;
    for (uint32_t round = 0; round < 4; round++) {
        uint64_t cursor = 0;
        w->walk++;
        for (uint32_t i = 0; i < CELLS; i++) w->seen[i] = 0;
        for (uint32_t step = 0; pool_cell_walk(w->pool, &cursor, 2000, see, w); step++) {
            uint32_t first = draw(w, CELLS);
            uint32_t last = first + draw(w, CELLS - first);
            for (uint32_t i = first; step % 4 == 0 && i < last; i++) {
                if (!w->cells[i]) birth(w, i);
            }
            for (uint32_t i = first; step % 4 == 2 && i < last; i++) {
                if (w->cells[i]) death(w, i);
            }
            void *other = pool_alloc(w->pool, 1 + draw(w, POOL_SMALL_MAX));
            assert_non_null(other);
            while (step % 16 == 7 && pool_purge_step(w->pool)) {
            }
        }
        for (uint32_t i = 0; i < CELLS; i++) {
            if (w->cells[i] && w->born_walk[i] != w->walk) assert_int_equal(w->seen[i], 1);
            if (!w->cells[i] && draw(w, 2)) birth(w, i);
        }
        assert_true(pool_check(w->pool));
    }
}

/* Few cells among very many free ones: a step stops although it has found nothing. */
static void test_walk_steps_are_bounded(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 0; i < CELLS; i++) birth(w, i);
    for (uint32_t i = 0; i < CELLS; i++) {
        if (i % 1000) death(w, i);
    }
    assert_in_range(walk(w, 1, 1, 0), CELLS / 100, CELLS / 10);
    assert_in_range(walk(w, 100, 1, 0), CELLS / 1000, CELLS / 100);
}

#define POOL_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_walk_empty_pool),
        POOL_TEST(test_walk_unchanged),
        POOL_TEST(test_walk_random_births_and_deaths),
        POOL_TEST(test_walk_tides),
        POOL_TEST(test_walk_steps_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
