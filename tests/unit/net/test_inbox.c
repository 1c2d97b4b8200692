/*
 * The inbox: where reads are offered to go, and that the bytes that wait stay whole.
 *
 * Method: bytes with a known pattern are fed in pieces, through the shared buffer or directly, and
 * compared; the account of memory must return to zero.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/inbox.h"

static char shared[INBOX_SHARED_BYTES];

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

/* One read of at most `most` bytes, as conn.c does it, of which nothing is executed. */
static size_t feed(struct inbox *in, struct mem *m, size_t have, size_t most)
{
    struct inbox_room room;
    assert_int_equal(inbox_offer(in, m, shared, &room), STATUS_OK);
    assert_int_not_equal(room.n, 0);
    size_t n = room.n < most ? room.n : most;
    for (size_t i = 0; i < n; i++) room.p[i] = pattern(have + i);
    if (room.p >= shared && room.p < shared + sizeof shared) {
        assert_ptr_equal(room.p, shared + have);
        struct view all = {shared, have + n};
        assert_int_equal(inbox_replace(in, m, all), STATUS_OK);
    } else {
        assert_in_range(room.n, INBOX_SMALL_BYTES, INBOX_SHARED_BYTES);
        inbox_filled(in, n);
    }
    return n;
}

static void test_inbox_grows_with_what_arrives(void **state)
{
    (void)state;
    struct mem m;
    mem_init(&m);
    static const size_t reads[] = {1, 100, 5000, 64 << 10, 1 << 20};
    for (size_t r = 0; r < sizeof reads / sizeof *reads; r++) {
        struct inbox in;
        inbox_init(&in);
        size_t whole = reads[r] < 5000 ? 40000 : 5 << 20, have = 0;
        while (have < whole) {
            have += feed(&in, &m, have, reads[r]);
            if (have > INBOX_SMALL_BYTES) assert_in_range(in.cap, have, 2 * have + 128 * 1024);
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
    /* What is left of a large rest is small: it goes back to the front of the shared buffer. */
    inbox_skip(&in, &m, inbox_bytes(&in) - 100);
    struct inbox_room room;
    assert_int_equal(inbox_offer(&in, &m, shared, &room), STATUS_OK);
    assert_ptr_equal(room.p, shared + 100);
    assert_int_equal(shared[0], pattern(have - 100));
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
    assert_int_equal(inbox_replace(&in, &m, (struct view){shared, 60000}), STATUS_OK);
    assert_int_equal(inbox_replace(&in, &m, (struct view){shared, 0}), STATUS_OK);
    assert_int_equal(m.bytes, 0);
    assert_int_equal(inbox_replace(&in, &m, (struct view){shared, 100}), STATUS_OK);
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
    struct inbox_room room = {NULL, 0};
    m.fail_at = 1;
    assert_int_equal(inbox_offer(&in, &m, shared, &room), STATUS_OOM);
    assert_null(room.p);
    m.fail_at = 1;
    struct view larger = {shared, sizeof shared};
    if (in.cap < larger.n) assert_int_equal(inbox_replace(&in, &m, larger), STATUS_OOM);
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
