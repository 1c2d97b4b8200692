/*
 * The inbox: that the bytes that wait, and those that arrive behind them, stay whole.
 *
 * Method: bytes with a known pattern are fed in pieces and compared; the account of memory must
 * return to zero.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/inbox.h"

enum { LOAN_BYTES = 64 << 10 };

static char loan[INBOX_FRONT_BYTES + LOAN_BYTES];

static char pattern(size_t i)
{
    return (char)('a' + i % 23);
}

static void assert_holds(const struct inbox *in, size_t from, size_t n)
{
    struct view v = inbox_view(in);
    assert_int_equal(v.n, n);
    for (size_t i = 0; i < n; i++)
        if (v.p[i] != pattern(from + i)) fail_msg("byte %zu", i);
    assert_int_equal(inbox_check(in), 0);
}

/* A read of n bytes, as conn.c does it, of which nothing is executed. */
static size_t feed(struct inbox *in, struct mem *m, size_t have, size_t n)
{
    struct view all;
    bool inside;
    char *p = loan + INBOX_FRONT_BYTES;
    for (size_t i = 0; i < n; i++) p[i] = pattern(have + i);
    assert_int_equal(inbox_join(in, m, p, n, &all, &inside), STATUS_OK);
    assert_int_equal(all.n, have + n);
    assert_int_equal(inside, have > INBOX_FRONT_BYTES);
    assert_ptr_equal(all.p, inside ? in->p + in->begin : p - have);
    if (!inside) assert_int_equal(inbox_replace(in, m, all), STATUS_OK);
    if (have < 20000) assert_holds(in, 0, have + n);
    return n;
}

static void test_inbox_grows_with_what_arrives(void **state)
{
    (void)state;
    struct mem m;
    mem_init(&m);
    static const size_t reads[] = {1, 100, INBOX_FRONT_BYTES, 5000, LOAN_BYTES};
    for (size_t r = 0; r < sizeof reads / sizeof *reads; r++) {
        struct inbox in;
        inbox_init(&in);
        size_t whole = reads[r] < 5000 ? 6000 : 5 << 20, have = 0;
        while (have < whole) {
            have += feed(&in, &m, have, reads[r]);
            assert_in_range(in.cap, have, 2 * (have + INBOX_BLOCK_BYTES));
        }
        assert_holds(&in, 0, have);
        inbox_skip(&in, &m, have);
        assert_int_equal(in.cap, 0);
        assert_int_equal(m.bytes, 0);
    }
    mem_fini(&m);
}

static void test_inbox_skip_keeps_the_rest(void **state)
{
    (void)state;
    struct mem m;
    mem_init(&m);
    struct inbox in;
    inbox_init(&in);
    size_t have = 0;
    while (have < 100000) have += feed(&in, &m, have, 30000);
    size_t skipped = 0;
    for (size_t n = 1; skipped + n < have; skipped += n, n *= 3) {
        inbox_skip(&in, &m, n);
        assert_holds(&in, skipped + n, have - skipped - n);
    }
    size_t left = inbox_bytes(&in);
    inbox_cut(&in, left - 1);
    assert_holds(&in, skipped, left - 1);
    have--;
    /* What is left of a large rest is small: it goes to the front of what arrives. */
    inbox_skip(&in, &m, inbox_bytes(&in) - 100);
    struct view all;
    bool inside;
    char *p = loan + INBOX_FRONT_BYTES;
    *p = pattern(have);
    assert_int_equal(inbox_join(&in, &m, p, 1, &all, &inside), STATUS_OK);
    assert_false(inside);
    assert_int_equal(all.n, 101);
    for (size_t i = 0; i < all.n; i++) assert_int_equal(all.p[i], pattern(have - 100 + i));
    inbox_fini(&in, &m);
    assert_int_equal(m.bytes, 0);
    mem_fini(&m);
}

static void test_inbox_replace_gives_memory_back(void **state)
{
    (void)state;
    struct mem m;
    mem_init(&m);
    struct inbox in;
    inbox_init(&in);
    assert_int_equal(inbox_replace(&in, &m, (struct view){loan, 60000}), STATUS_OK);
    assert_int_equal(inbox_replace(&in, &m, (struct view){loan, 0}), STATUS_OK);
    assert_int_equal(m.bytes, 0);
    assert_int_equal(inbox_replace(&in, &m, (struct view){loan, 100}), STATUS_OK);
    inbox_skip(&in, &m, 100);
    assert_in_range(m.bytes, 1, INBOX_KEPT_BYTES);
    inbox_fini(&in, &m);
    assert_int_equal(m.bytes, 0);
    mem_fini(&m);
}

#ifdef HEAPD_DEBUG
static void test_inbox_without_memory_is_unchanged(void **state)
{
    (void)state;
    struct mem m;
    mem_init(&m);
    struct inbox in;
    inbox_init(&in);
    size_t have = 0;
    while (have < 50000) have += feed(&in, &m, have, 10000);
    struct view all;
    bool inside;
    m.fail_at = 1;
    assert_int_equal(inbox_join(&in, &m, loan + INBOX_FRONT_BYTES, LOAN_BYTES, &all, &inside),
                     STATUS_OOM);
    m.fail_at = 1;
    assert_int_equal(inbox_append(&in, &m, (struct view){loan, LOAN_BYTES}), STATUS_OOM);
    m.fail_at = 1;
    struct view larger = {loan, sizeof loan};
    assert_int_equal(inbox_replace(&in, &m, larger), STATUS_OOM);
    m.fail_at = 0;
    assert_holds(&in, 0, have);
    inbox_fini(&in, &m);
    mem_fini(&m);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inbox_grows_with_what_arrives),
        cmocka_unit_test(test_inbox_skip_keeps_the_rest),
        cmocka_unit_test(test_inbox_replace_gives_memory_back),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_inbox_without_memory_is_unchanged),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
