/*
 * Goal: in a sanitized build the misuse of a block inside a pool is reported as that of one outside
 * would be. Method: children that misuse a block and must die of an AddressSanitizer report; other
 * builds have nothing to test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sanitize.h"
#include "heap/pool.h"

enum { REPORT_BYTES = 4096 };

static struct mem mem;

static int setup(void **state)
{
    mem_init(&mem);
    *state = pool_new(&mem);
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    pool_delete(*state);
    mem_fini(&mem);
    assert_int_equal(mem.bytes, 0);
    return 0;
}

typedef void sin_fn(struct pool *p);

/* Runs `sin` in a child; whether it died of an AddressSanitizer report that says `words`. */
static bool is_reported(struct pool *p, sin_fn *sin, const char *words)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        sin(p);
        _exit(0);
    }
    close(ends[1]);
    char report[REPORT_BYTES];
    size_t bytes = 0;
    ssize_t n;
    while ((n = read(ends[0], report + bytes, sizeof report - 1 - bytes)) > 0) bytes += (size_t)n;
    report[bytes] = 0;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status != 0 && strstr(report, "AddressSanitizer") && strstr(report, words);
}

static volatile char *volatile_block(struct pool *p, size_t bytes)
{
    return pool_alloc(p, bytes);
}

static void sin_use_after_free(struct pool *p)
{
    volatile char *b = volatile_block(p, 40);
    pool_free(p, (void *)b, 40);
    b[39] = 1;
}

static void sin_overflow_into_tail(struct pool *p)
{
    volatile char *b = volatile_block(p, 37);
    b[37] = 1;
}

static void sin_overflow_into_next(struct pool *p)
{
    volatile char *b = volatile_block(p, 40);
    volatile_block(p, 40);
    b[40] = 1;
}

static void sin_overflow_of_large(struct pool *p)
{
    volatile char *b = volatile_block(p, 2100);
    b[2100] = 1;
}

static void sin_double_free(struct pool *p)
{
    volatile char *b = volatile_block(p, 40);
    pool_free(p, (void *)b, 40);
    pool_free(p, (void *)b, 40);
}

static void sin_cell_after_free(struct pool *p)
{
    volatile struct cell *c = pool_cell_alloc(p);
    pool_cell_free(p, (struct cell *)c);
    c->body = NULL;
}

static void sin_none(struct pool *p)
{
    volatile char *b = volatile_block(p, 40);
    b[39] = 1;
    pool_free(p, (void *)b, 40);
}

static void test_free_misuse_is_reported(void **state)
{
    struct pool *p = *state;
    if (!SANITIZE_ON) skip();
    assert_false(is_reported(p, sin_none, ""));
    assert_true(is_reported(p, sin_use_after_free, "use-after-poison"));
    assert_true(is_reported(p, sin_overflow_into_tail, "use-after-poison"));
    assert_true(is_reported(p, sin_overflow_into_next, "use-after-poison"));
    assert_true(is_reported(p, sin_overflow_of_large, "use-after-poison"));
    assert_true(is_reported(p, sin_double_free, "use-after-poison"));
    assert_true(is_reported(p, sin_cell_after_free, "use-after-poison"));
}

/* A freed block comes back only after POOL_QUARANTINE_BYTES of others have been freed. */
static void test_free_holds_blocks_in_quarantine(void **state)
{
    struct pool *p = *state;
    if (!SANITIZE_ON) skip();
    void *first = pool_alloc(p, 1024);
    pool_free(p, first, 1024);
    for (uint32_t k = 0; k < POOL_QUARANTINE_BYTES / 1024 - 1; k++) {
        void *b = pool_alloc(p, 1024);
        assert_ptr_not_equal(b, first);
        pool_free(p, b, 1024);
    }
    assert_true(pool_check(p));
    struct pool_class_stats c;
    uint32_t i = 0;
    do pool_get_class_stats(p, i++, &c);
    while (c.block_bytes != 1024);
    assert_int_equal(c.live_blocks, 0);
    assert_true(c.free_blocks >= POOL_QUARANTINE_BYTES / 1024);
    while (pool_purge_step(p)) {
    }
    struct pool_stats s;
    pool_get_stats(p, &s);
    assert_int_equal(s.arenas, 0);
}

#define POOL_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_free_misuse_is_reported),
        POOL_TEST(test_free_holds_blocks_in_quarantine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
