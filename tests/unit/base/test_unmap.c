/*
 * Goal: whatever is put is given back, once, by one thread, and in steps of the caller's where
 * there is none. Method: pages are filled, and the kernel is asked for what is there now;
 * threads are refused by the test's order (the linker's --wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/unmap.h"

static struct {
    bool refused;
    atomic_int started;
} threads;

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg)
{
    if (threads.refused) return EAGAIN;
    atomic_fetch_add(&threads.started, 1);
    return __real_pthread_create(t, a, run, arg);
}

static int setup(void **state)
{
    (void)state;
    threads.refused = false;
    atomic_store(&threads.started, 0);
    return 0;
}

/* Nothing is left of any test. */
static int teardown(void **state)
{
    (void)state;
    unmap_finish();
    return unmap_bytes() == 0 ? 0 : -1;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

enum { FILL = 0x57 };

/* Between pages that stay, so that a byte too many is seen. */
struct block {
    char *fence, *p;
    size_t bytes;
};

static struct block block_new(size_t bytes)
{
    size_t page = page_bytes();
    struct block b = {.bytes = bytes};
    b.fence =
        mmap(NULL, bytes + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(b.fence != MAP_FAILED);
    memset(b.fence, FILL, bytes + 2 * page);
    b.p = b.fence + page;
    return b;
}

/* Whether what block_new wrote is still there, but for the beginning, where a link may lie: its
 * place may be somebody else's by now. */
static bool is_mapped(const char *page)
{
    char seen[64], filled[sizeof seen];
    memset(filled, FILL, sizeof filled);
    struct iovec to = {seen, sizeof seen},
                 from = {(void *)(uintptr_t)(page + sizeof seen), sizeof seen};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof seen &&
           memcmp(seen, filled, sizeof seen) == 0;
}

/* Every page is gone, and those beside it are not. */
static void assert_gone(struct block *b)
{
    size_t page = page_bytes();
    for (size_t at = 0; at < b->bytes; at += page) assert_false(is_mapped(b->p + at));
    assert_int_equal(b->fence[page - 1], FILL);
    assert_int_equal(b->p[b->bytes], FILL);
    munmap(b->fence, page);
    munmap(b->p + b->bytes, page);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void test_one_thread_for_all_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = {page_bytes(), UNMAP_PIECE_BYTES, UNMAP_PIECE_BYTES + page_bytes(),
                            9 * (size_t)UNMAP_PIECE_BYTES - page_bytes()};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    struct block blocks[SIZES];
    for (size_t i = 0; i < SIZES; i++) blocks[i] = block_new(sizes[i]);
    for (size_t i = 0; i < SIZES; i++) unmap_put(blocks[i].p, blocks[i].bytes);
    assert_false(unmap_step()); /* somebody else does it */
    while (unmap_bytes()) nap();
    for (size_t i = 0; i < SIZES; i++) assert_gone(&blocks[i]);
    assert_int_equal(threads.started, 1);
}

/* The same thread takes what comes later; after a finish there is another. */
static void test_thread_waits_for_more(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct block b = block_new(page_bytes());
        unmap_put(b.p, b.bytes);
        while (unmap_bytes()) nap();
        assert_gone(&b);
        nap();
    }
    assert_int_equal(threads.started, 1);
    unmap_finish();
    struct block b = block_new(page_bytes());
    unmap_put(b.p, b.bytes);
    unmap_finish();
    assert_gone(&b);
    assert_int_equal(threads.started, 2);
}

static void test_finish_without_work(void **state)
{
    (void)state;
    unmap_finish();
    unmap_finish();
    assert_int_equal(threads.started, 0);
    assert_false(unmap_step());
}

/* Where there are no threads each step unmaps a piece, until there is one again. */
static void test_steps_where_threads_are_refused(void **state)
{
    (void)state;
    threads.refused = true;
    struct block b = block_new(3 * (size_t)UNMAP_PIECE_BYTES);
    struct block c = block_new(2 * page_bytes());
    unmap_put(b.p, b.bytes);
    unmap_put(c.p, c.bytes);
    size_t left = b.bytes + c.bytes;
    assert_int_equal(unmap_bytes(), left);
    assert_true(is_mapped(c.p));
    assert_true(unmap_step());
    assert_int_equal(unmap_bytes(), b.bytes);
    assert_gone(&c);
    assert_true(unmap_step());
    assert_true(unmap_step());
    assert_int_equal(unmap_bytes(), UNMAP_PIECE_BYTES);
    assert_true(is_mapped(b.p));
    assert_false(is_mapped(b.p + UNMAP_PIECE_BYTES));
    assert_false(unmap_step());
    assert_gone(&b);
    assert_false(unmap_step());

    struct block d = block_new(2 * (size_t)UNMAP_PIECE_BYTES), e = block_new(page_bytes());
    unmap_put(d.p, d.bytes);
    threads.refused = false;
    unmap_put(e.p, e.bytes);
    assert_false(unmap_step());
    while (unmap_bytes()) nap();
    assert_gone(&d);
    assert_gone(&e);
    assert_int_equal(threads.started, 1);
}

/* A block of 64 cells of four pages, of the first of which a page stays. */
struct cells {
    struct block block;
    struct unmap_lend lend;
};

static void cells_lend(struct cells *c, uint64_t cells)
{
    size_t cell = 4 * page_bytes();
    c->block = block_new(64 * cell);
    c->lend = (struct unmap_lend){
        .base = c->block.p, .cell_bytes = cell, .kept_bytes = page_bytes(), .cells = cells};
    unmap_lend(&c->lend);
}

/* What was lent reads as zeros, and nothing else does. */
static void assert_lent(struct cells *c, uint64_t cells)
{
    size_t page = page_bytes();
    assert_true(unmap_is_lent(&c->lend));
    for (size_t at = 0; at < c->block.bytes; at++) {
        bool lent = (cells >> at / (4 * page) & 1) && at >= page;
        if (c->block.p[at] != (lent ? 0 : FILL)) fail_msg("byte %zu", at);
    }
    assert_int_equal(c->block.fence[page - 1], FILL);
    assert_int_equal(c->block.p[c->block.bytes], FILL);
    munmap(c->block.fence, c->block.bytes + 2 * page);
}

static const uint64_t patterns[] = {
    1,
    2,
    UINT64_C(1) << 63,
    UINT64_MAX,
    UINT64_MAX - 1,
    UINT64_MAX >> 1,
    0x5555555555555555,
    0xf0f00ff000ff0003,
};
enum { PATTERNS = sizeof patterns / sizeof *patterns };

static size_t pattern_bytes(uint64_t cells)
{
    return ((size_t)__builtin_popcountl(cells) * 4 - (cells & 1)) * page_bytes();
}

static void test_lends(void **state)
{
    (void)state;
    struct cells c[PATTERNS];
    for (size_t i = 0; i < PATTERNS; i++) cells_lend(&c[i], patterns[i]);
    while (!unmap_is_lent(&c[PATTERNS - 1].lend)) nap(); /* the last, since they go in order */
    for (size_t i = 0; i < PATTERNS; i++) assert_lent(&c[i], patterns[i]);
    assert_int_equal(unmap_bytes(), 0);
    assert_int_equal(threads.started, 1);
}

/* What was lent can be used, and lent again. */
static void test_lent_twice(void **state)
{
    (void)state;
    struct cells c;
    cells_lend(&c, 6);
    while (!unmap_is_lent(&c.lend)) nap();
    memset(c.block.p, FILL, c.block.bytes);
    c.lend.cells = 12;
    unmap_lend(&c.lend);
    unmap_finish();
    assert_lent(&c, 12);
}

/* Piece by piece, each no larger than the bound; it is lent when the last is. */
static void test_lends_where_threads_are_refused(void **state)
{
    (void)state;
    threads.refused = true;
    struct cells c[PATTERNS];
    size_t left = 0;
    for (size_t i = 0; i < PATTERNS; i++) {
        cells_lend(&c[i], patterns[i]);
        left += pattern_bytes(patterns[i]);
        assert_int_equal(unmap_bytes(), left);
    }
    size_t done = 0;
    for (bool more = true; more;) {
        assert_false(unmap_is_lent(&c[PATTERNS - 1].lend));
        more = unmap_step();
        size_t now = unmap_bytes();
        assert_true(now < left && left - now <= UNMAP_PIECE_BYTES);
        left = now;
        while (done < PATTERNS && unmap_is_lent(&c[done].lend)) done++;
        size_t rest = 0;
        for (size_t i = done; i < PATTERNS; i++) rest += pattern_bytes(patterns[i]);
        assert_true(left <= rest && (left == rest || done < PATTERNS));
    }
    assert_int_equal(left, 0);
    for (size_t i = 0; i < PATTERNS; i++) assert_lent(&c[i], patterns[i]);
}

enum { PUTTERS = 4, PUTS = 300 };

static void *putter(void *arg)
{
    struct block *blocks = arg;
    for (int i = 0; i < PUTS; i++) {
        unmap_put(blocks[i].p, blocks[i].bytes);
        if (i % 100 == 99) nap();
    }
    return NULL;
}

static void test_many_threads_put(void **state)
{
    (void)state;
    static struct block blocks[PUTTERS][PUTS];
    pthread_t putters[PUTTERS];
    for (int t = 0; t < PUTTERS; t++) {
        for (int i = 0; i < PUTS; i++)
            blocks[t][i] = block_new((size_t)(1 + i % 70) * page_bytes());
    }
    for (int t = 0; t < PUTTERS; t++)
        assert_int_equal(__real_pthread_create(&putters[t], NULL, putter, blocks[t]), 0);
    for (int t = 0; t < PUTTERS; t++) pthread_join(putters[t], NULL);
    unmap_finish();
    assert_int_equal(unmap_bytes(), 0);
    for (int t = 0; t < PUTTERS; t++) {
        for (int i = 0; i < PUTS; i++) assert_gone(&blocks[t][i]);
    }
    assert_int_equal(threads.started, 1);
}

#define UNMAP_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNMAP_TEST(test_one_thread_for_all_sizes),
        UNMAP_TEST(test_thread_waits_for_more),
        UNMAP_TEST(test_finish_without_work),
        UNMAP_TEST(test_steps_where_threads_are_refused),
        UNMAP_TEST(test_lends),
        UNMAP_TEST(test_lent_twice),
        UNMAP_TEST(test_lends_where_threads_are_refused),
        UNMAP_TEST(test_many_threads_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
