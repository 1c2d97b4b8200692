/*
 * Goal: every byte is counted, what was freed goes back, and failures come where a test orders
 * them. Method: the account is compared with a sum kept here; whether pages are gone is asked of
 * the kernel (mincore).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/unmap.h"

enum { BLOCKS = 300, STEPS = 20000 };

/* The system's limit: what may be mapped further. */
static struct {
    bool on;
    size_t left;
} mappable;

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    if (mappable.on && bytes > mappable.left) return MAP_FAILED;
    if (mappable.on) mappable.left -= bytes;
    return __real_mmap(at, bytes, prot, flags, fd, offset);
}

int __real_munmap(void *p, size_t bytes);
int __wrap_munmap(void *p, size_t bytes);
int __wrap_munmap(void *p, size_t bytes)
{
    if (mappable.on) mappable.left += bytes;
    return __real_munmap(p, bytes);
}

static int setup(void **state)
{
    static struct mem m;
    mem_init(&m);
    *state = &m;
    return 0;
}

static int teardown(void **state)
{
    struct mem *m = *state;
    mem_fini(m);
    unmap_finish();
    assert_int_equal(m->bytes, 0);
    assert_int_equal(m->trim_bytes, 0);
    assert_null(m->trim);
    return 0;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t cost(size_t bytes)
{
    return bytes < MEM_MAP_BYTES ? bytes : (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

static bool is_gone(const void *page)
{
    unsigned char in_core;
    return mincore((void *)((uintptr_t)page & ~(page_bytes() - 1)), 1, &in_core) != 0 &&
           errno == ENOMEM;
}

static uint64_t draw(uint64_t *random, uint64_t limit)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random % limit;
}

static bool is_filled(const unsigned char *p, unsigned char fill, size_t bytes)
{
    size_t step = bytes > 100000 ? 997 : 1;
    for (size_t i = 0; i < bytes; i += step) {
        if (p[i] != fill) return false;
    }
    return p[bytes - 1] == fill;
}

static void test_alloc_counts_any_size(void **state)
{
    struct mem *m = *state;
    const size_t sizes[] = {
        0, 1, 8, 24, 4096, MEM_MAP_BYTES - 1, MEM_MAP_BYTES, MEM_MAP_BYTES + 1, 5 * MEM_MAP_BYTES};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    void *blocks[SIZES];
    size_t sum = 0;
    for (size_t i = 0; i < SIZES; i++) {
        blocks[i] = mem_alloc(m, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], 1, sizes[i]);
        sum += cost(sizes[i]);
        assert_int_equal(m->bytes, sum);
    }
    for (size_t i = 0; i < SIZES; i++) mem_free(m, blocks[i], sizes[i]);
    mem_free(m, NULL, 0);
    assert_int_equal(m->bytes, 0);
    assert_int_equal(m->bytes_peak, sum);
    assert_int_equal(m->trim_bytes, 7 * MEM_MAP_BYTES + page_bytes());
}

static void test_alloc_sizes_beyond_the_address_space(void **state)
{
    struct mem *m = *state;
    for (size_t n = 0; n < 10000; n += 77) {
        assert_null(mem_alloc(m, SIZE_MAX - n));
        assert_null(mem_map(m, SIZE_MAX - n, page_bytes()));
        assert_null(mem_map(m, SIZE_MAX / 2 - n, (size_t)1 << 62));
    }
    unsigned char *p = mem_alloc(m, 100);
    assert_non_null(p);
    memset(p, 7, 100);
    assert_null(mem_realloc(m, p, 100, SIZE_MAX - 5));
    assert_true(is_filled(p, 7, 100));
    assert_int_equal(m->bytes, 100);
    mem_free(m, p, 100);
    p = mem_alloc(m, MEM_MAP_BYTES);
    assert_non_null(p);
    assert_null(mem_realloc(m, p, MEM_MAP_BYTES, SIZE_MAX - 5));
    assert_int_equal(m->bytes, MEM_MAP_BYTES);
    mem_free(m, p, MEM_MAP_BYTES);
}

static void test_realloc_random_history(void **state)
{
    struct mem *m = *state;
    struct {
        unsigned char *p;
        size_t bytes;
        unsigned char fill;
    } blocks[BLOCKS] = {{0}};
    uint64_t random = 88172645463325252ULL;
    size_t sum = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t k = (uint32_t)draw(&random, BLOCKS);
        size_t bytes_max = draw(&random, 200) ? 3000 : 3 * MEM_MAP_BYTES;
        size_t bytes = 1 + (size_t)draw(&random, bytes_max);
        if (blocks[k].p && draw(&random, 3) == 0) {
            mem_free(m, blocks[k].p, blocks[k].bytes);
            sum -= cost(blocks[k].bytes);
            blocks[k].p = NULL;
            blocks[k].bytes = 0;
        } else {
            size_t kept = blocks[k].bytes < bytes ? blocks[k].bytes : bytes;
            unsigned char *p = mem_realloc(m, blocks[k].p, blocks[k].bytes, bytes);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            if (kept) assert_true(is_filled(p, blocks[k].fill, kept));
            sum += cost(bytes) - cost(blocks[k].bytes);
            blocks[k].p = p;
            blocks[k].bytes = bytes;
            blocks[k].fill = (unsigned char)draw(&random, 256);
            memset(p, blocks[k].fill, bytes);
        }
        assert_int_equal(m->bytes, sum);
        assert_true(m->bytes_peak >= sum);
        if (step % 16 == 0) mem_trim_step(m);
    }
    for (uint32_t k = 0; k < BLOCKS; k++) mem_free(m, blocks[k].p, blocks[k].bytes);
}

static void test_map_aligned(void **state)
{
    struct mem *m = *state;
    enum { MAPS = 20 };
    unsigned char *maps[MAPS];
    for (size_t align = page_bytes(); align <= (size_t)8 << 20; align *= 2) {
        size_t bytes = 5 * page_bytes();
        for (uint32_t i = 0; i < MAPS; i++) {
            maps[i] = mem_map(m, bytes - 1, align);
            assert_non_null(maps[i]);
            assert_int_equal((uintptr_t)maps[i] % align, 0);
            memset(maps[i], 1, bytes);
        }
        assert_int_equal(m->bytes, MAPS * bytes);
        for (uint32_t i = 0; i < MAPS; i++) {
            mem_unmap(m, maps[i], bytes - 1);
            assert_true(is_gone(maps[i]));
        }
        assert_int_equal(m->bytes, 0);
    }
    mem_unmap(m, NULL, 0);
}

static void test_trim_block_after_block(void **state)
{
    struct mem *m = *state;
    assert_false(mem_trim_step(m));
    size_t bytes = 3 * UNMAP_PIECE_BYTES + MEM_MAP_BYTES + 1;
    char *p = mem_alloc(m, bytes);
    char *q = mem_alloc(m, MEM_MAP_BYTES);
    assert_non_null(p);
    assert_non_null(q);
    memset(p, 1, bytes);
    mem_free(m, q, MEM_MAP_BYTES);
    mem_free(m, p, bytes);
    size_t left = cost(bytes) + MEM_MAP_BYTES;
    assert_int_equal(m->bytes, 0);
    assert_int_equal(m->trim_bytes, left);
    assert_false(is_gone(p + bytes - 1));
    assert_true(mem_trim_step(m));
    assert_int_equal(m->trim_bytes, MEM_MAP_BYTES);
    assert_false(is_gone(q));
    assert_false(mem_trim_step(m));
    assert_int_equal(m->trim_bytes, 0);
    unmap_finish();
    assert_true(is_gone(p));
    assert_true(is_gone(p + bytes - 1));
    assert_true(is_gone(q));
}

static void test_waiting_block_is_used_again(void **state)
{
    struct mem *m = *state;
    size_t bytes = 2 * MEM_MAP_BYTES;
    char *p = mem_alloc(m, bytes);
    char *other = mem_alloc(m, MEM_MAP_BYTES);
    assert_non_null(p);
    assert_non_null(other);
    mem_free(m, p, bytes);
    mem_free(m, other, MEM_MAP_BYTES);
    char *again = mem_alloc(m, bytes - 1); /* the same pages */
    assert_ptr_equal(again, p);
    memset(again, 1, bytes - 1);
    assert_int_equal(m->bytes, bytes);
    assert_int_equal(m->trim_bytes, MEM_MAP_BYTES);
    mem_free(m, again, bytes - 1);
    mem_trim_step(m); /* too late */
    again = mem_alloc(m, bytes);
    assert_non_null(again);
    memset(again, 1, bytes);
    assert_int_equal(m->trim_bytes, MEM_MAP_BYTES);
    mem_free(m, again, bytes);
}

static void test_fault_nth_attempt(void **state)
{
    struct mem *m = *state;
#ifndef HEAPD_DEBUG
    (void)m;
    skip();
#endif
    m->fail_at = 3;
    void *a = mem_alloc(m, 10);
    void *b = mem_map(m, 1, page_bytes());
    assert_non_null(a);
    assert_non_null(b);
    assert_null(mem_realloc(m, a, 10, 20));
    assert_int_equal(m->bytes, 10 + page_bytes());
    a = mem_realloc(m, a, 10, 20);
    assert_non_null(a);
    assert_int_equal(m->attempts, 4);
    m->fail_at = 1;
    m->fail_on = true;
    for (uint32_t i = 0; i < 5; i++) {
        assert_null(mem_alloc(m, 10));
        assert_null(mem_map(m, 1, page_bytes()));
        assert_null(mem_realloc(m, NULL, 0, 1));
    }
    m->fail_at = 0;
    mem_free(m, a, 20);
    mem_unmap(m, b, 1);
}

/* Mapped pages that were given back wait as blocks do, and whoever asks for as many has them, if
 * they lie as they must. */
static void test_map_is_used_again(void **state)
{
    struct mem *m = *state;
    const size_t bytes = MEM_MAP_BYTES;
    char *a = mem_map(m, bytes, bytes), *b = mem_map(m, bytes, bytes);
    assert_non_null(a);
    assert_non_null(b);
    memset(a, 1, bytes);
    mem_unmap(m, a, bytes);
    assert_int_equal(m->bytes, bytes);
    assert_int_equal(m->trim_bytes, bytes);
    uint64_t changes = m->trim_changes;
    assert_ptr_equal(mem_map(m, bytes, bytes), a);
    assert_int_equal(m->trim_bytes, 0);
    assert_int_equal(m->trim_changes, changes + 1);
    memset(a, 2, bytes);
    mem_unmap(m, a, bytes);
    char *unaligned = mem_alloc(m, bytes);
    assert_ptr_equal(unaligned, a);
    mem_free(m, unaligned, bytes);
    char *wide = mem_map(m, bytes, (size_t)1 << 40);
    if (wide) assert_true(wide != a || (uintptr_t)a % ((size_t)1 << 40) == 0);
    mem_unmap(m, wide, bytes);
    mem_unmap(m, b, bytes);
    assert_int_equal(m->bytes, 0);
    while (mem_trim_step(m)) {
    }
    unmap_finish();
    assert_true(is_gone((unsigned char *)a));
}

static void test_trim_is_urgent_above_a_share(void **state)
{
    struct mem *m = *state;
    static const struct {
        size_t used, waiting;
        bool urgent;
    } cases[] = {{0, MEM_TRIM_KEPT_BYTES_MIN, false},
                 {0, MEM_TRIM_KEPT_BYTES_MIN + 1, true},
                 {100 << 20, 25 << 20, false},
                 {100 << 20, (25 << 20) + 1, true},
                 {(size_t)1 << 40, MEM_TRIM_KEPT_BYTES_MAX, false},
                 {(size_t)1 << 40, MEM_TRIM_KEPT_BYTES_MAX + 1, true}};
    struct mem real = *m;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        m->bytes = cases[i].used;
        m->trim_bytes = cases[i].waiting;
        assert_int_equal(mem_trim_is_urgent(m), cases[i].urgent);
    }
    *m = real;
}

static void test_populate_keeps_what_is_there(void **state)
{
    struct mem *m = *state;
    const size_t bytes = MEM_MAP_BYTES;
    unsigned char *p = mem_alloc(m, bytes);
    assert_non_null(p);
    memset(p, 7, 5000);
    mem_populate(p + 100, bytes - 200);
    mem_populate(p, 10);
    assert_true(is_filled(p, 7, 5000));
    memset(p, 8, bytes);
    assert_int_equal(m->bytes, bytes);
    mem_free(m, p, bytes);
}

/* Freed blocks wait, of other sizes than the one that is asked for. */
static void test_nothing_is_refused_while_freed_blocks_wait(void **state)
{
    struct mem *m = *state;
    const size_t bytes = MEM_MAP_BYTES;
    mappable.left = 8 * bytes;
    mappable.on = true;
    void *blocks[8];
    for (int i = 0; i < 8; i++) assert_non_null(blocks[i] = mem_alloc(m, bytes));
    assert_null(mem_alloc(m, bytes));
    for (int i = 0; i < 8; i++) mem_free(m, blocks[i], bytes);
    void *p = mem_alloc(m, 3 * bytes);
    assert_non_null(p);
    assert_true(m->trim_bytes > 0); /* no more goes than must */
    void *q = mem_map(m, 5 * bytes, page_bytes());
    assert_non_null(q);
    assert_null(mem_alloc(m, bytes));
    mem_unmap(m, q, 5 * bytes);
    p = mem_realloc(m, p, 3 * bytes, 3 * bytes); /* the same */
    assert_non_null(p);
    mem_free(m, p, 3 * bytes);
    assert_null(mem_alloc(m, 9 * bytes));
    assert_int_equal(m->trim_bytes + unmap_bytes(), 0);
    mappable.on = false;
}

#define MEM_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEM_TEST(test_alloc_counts_any_size),
        MEM_TEST(test_alloc_sizes_beyond_the_address_space),
        MEM_TEST(test_realloc_random_history),
        MEM_TEST(test_map_aligned),
        MEM_TEST(test_map_is_used_again),
        MEM_TEST(test_trim_is_urgent_above_a_share),
        MEM_TEST(test_populate_keeps_what_is_there),
        MEM_TEST(test_trim_block_after_block),
        MEM_TEST(test_waiting_block_is_used_again),
        MEM_TEST(test_nothing_is_refused_while_freed_blocks_wait),
        MEM_TEST(test_fault_nth_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
