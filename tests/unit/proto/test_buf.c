/*
 * Goal: a buffer grows, fails for good, and never shows a hole. Method: writes against a copy that
 * is kept aside, and allocations that fail on purpose.
 */
#include "alloc.h"
#include "cmocka_all.h"
#include "proto/buf.h"

#include <stdlib.h>

static void test_append_keeps_every_byte(void **state)
{
    (void)state;
    enum { N = 5000 };
    static char copy[N];
    struct proto_buf buf;
    proto_buf_init(&buf);
    for (size_t i = 0; i < N; i++) {
        copy[i] = (char)(i * 31);
        proto_buf_append(&buf, &copy[i], 1);
        assert_true(buf.n <= buf.cap);
    }
    assert_false(buf.failed);
    assert_int_equal(buf.n, N);
    assert_memory_equal(buf.p, copy, N);
    proto_buf_fini(&buf);
    assert_null(buf.p);
}

static void test_append_grows_seldom(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    size_t before = alloc_count();
    for (size_t i = 0; i < 1000000; i++) proto_buf_append(&buf, "x", 1);
    assert_true(alloc_count() - before < 30);
    proto_buf_fini(&buf);
}

static void test_append_nothing(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_buf_append(&buf, NULL, 0);
    assert_false(buf.failed);
    assert_int_equal(buf.n, 0);
    proto_buf_fini(&buf);
}

static void test_failure_stays(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_buf_append(&buf, "abc", 3);
    alloc_fail_after(0);
    char *room = proto_buf_reserve(&buf, 10000);
    assert_true(alloc_fail_end());
    assert_null(room);
    assert_true(buf.failed);
    /* There would have been room for this one; it must not follow a hole. */
    proto_buf_append(&buf, "d", 1);
    assert_int_equal(buf.n, 3);
    assert_memory_equal(buf.p, "abc", 3);
    proto_buf_clear(&buf, 1000);
    assert_false(buf.failed);
    proto_buf_append(&buf, "d", 1);
    assert_int_equal(buf.n, 1);
    proto_buf_fini(&buf);
}

static void test_reserve_too_much(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_buf_append(&buf, "abc", 3);
    assert_null(proto_buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    proto_buf_fini(&buf);
}

static void test_clear_keeps_what_is_small(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_buf_append(&buf, "abc", 3);
    char *p = buf.p;
    proto_buf_clear(&buf, PROTO_BUF_BYTES_FIRST);
    assert_ptr_equal(buf.p, p);
    assert_int_equal(buf.n, 0);
    proto_buf_clear(&buf, PROTO_BUF_BYTES_FIRST - 1);
    assert_null(buf.p);
    assert_int_equal(buf.cap, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_keeps_every_byte),
        cmocka_unit_test(test_append_grows_seldom),
        cmocka_unit_test(test_append_nothing),
        cmocka_unit_test(test_failure_stays),
        cmocka_unit_test(test_reserve_too_much),
        cmocka_unit_test(test_clear_keeps_what_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
