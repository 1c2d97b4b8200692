/*
 * Goal: every item is written as RESP says, whole or not at all. Method: expected bytes; numbers
 * against snprintf; allocations that fail on purpose.
 */
#include "alloc.h"
#include "cmocka_all.h"
#include "proto/writer.h"
#include "random.h"

#include <inttypes.h>
#include <stdio.h>

static void check(struct proto_buf *buf, const char *expected, size_t n)
{
    assert_false(buf->failed);
    assert_int_equal(buf->n, n);
    assert_memory_equal(buf->p, expected, n);
    proto_buf_fini(buf);
}

#define CHECK(buf, expected) check(buf, expected, sizeof(expected) - 1)

static void test_put_headers(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_array(&buf, 0);
    proto_put_map(&buf, 10);
    proto_put_set(&buf, 99);
    proto_put_push(&buf, 100);
    proto_put_attribute(&buf, 1234567);
    proto_put_header(&buf, '*', UINT64_MAX);
    CHECK(&buf, "*0\r\n%10\r\n~99\r\n>100\r\n|1234567\r\n*18446744073709551615\r\n");
}

static void test_put_scalars(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_integer(&buf, 0);
    proto_put_integer(&buf, INT64_MAX);
    proto_put_integer(&buf, INT64_MIN);
    CHECK(&buf, ":0\r\n:9223372036854775807\r\n:-9223372036854775808\r\n");
    proto_put_null(&buf);
    proto_put_null_bulk(&buf);
    proto_put_null_array(&buf);
    proto_put_bool(&buf, true);
    proto_put_bool(&buf, false);
    proto_put_ok(&buf);
    CHECK(&buf, "_\r\n$-1\r\n*-1\r\n#t\r\n#f\r\n+OK\r\n");
    proto_put_double(&buf, "-1.5", 4);
    CHECK(&buf, ",-1.5\r\n");
}

static void test_put_texts(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_bulk(&buf, "", 0);
    proto_put_bulk(&buf, NULL, 0);
    proto_put_bulk(&buf, "a\r\n\0b", 5);
    proto_put_bulk_integer(&buf, -10);
    CHECK(&buf, "$0\r\n\r\n$0\r\n\r\n$5\r\na\r\n\0b\r\n$3\r\n-10\r\n");
    proto_put_bulk_begin(&buf, 4);
    proto_buf_append(&buf, "ab", 2);
    proto_buf_append(&buf, "cd", 2);
    proto_put_bulk_end(&buf);
    CHECK(&buf, "$4\r\nabcd\r\n");
    proto_put_verbatim(&buf, "txt", "Some string", 11);
    proto_put_verbatim(&buf, "mkd", "", 0);
    CHECK(&buf, "=15\r\ntxt:Some string\r\n=4\r\nmkd:\r\n");
}

static void test_put_lines_never_break_the_framing(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_simple(&buf, "a\r\n+b", 5);
    proto_put_error(&buf, "ERR unknown '\n'", 15);
    CHECK(&buf, "+a  +b\r\n-ERR unknown ' '\r\n");
}

static void test_request(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    const struct proto_view argv[] = {{"SET", 3}, {"", 0}, {"\0x", 2}};
    proto_request(&buf, 3, argv);
    CHECK(&buf, "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\n\0x\r\n");
}

static void check_format(int64_t value)
{
    char expected[32], to[PROTO_I64_BYTES_MAX];
    snprintf(expected, sizeof(expected), "%" PRId64, value);
    size_t n = proto_format_i64(to, value);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(to, expected, n);
    snprintf(expected, sizeof(expected), "%" PRIu64, (uint64_t)value);
    n = proto_format_u64(to, (uint64_t)value);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(to, expected, n);
}

static void test_format_numbers(void **state)
{
    (void)state;
    for (int64_t value = -11000; value <= 11000; value++) check_format(value);
    uint64_t power = 1;
    for (int i = 0; i < 20; i++, power *= 10) {
        check_format((int64_t)(power - 1));
        check_format((int64_t)power);
        check_format((int64_t)(power + 1));
    }
    check_format(INT64_MIN);
    check_format(INT64_MAX);
    uint64_t seed = 3;
    for (int i = 0; i < 100000; i++) check_format((int64_t)(random_next(&seed) >> (i % 64)));
}

static void put_everything(struct proto_buf *buf)
{
    static const char LONG[700] = {'x'};
    const struct proto_view argv[] = {{LONG, sizeof(LONG)}, {"abc", 3}, {LONG, sizeof(LONG)}};
    proto_put_bulk(buf, LONG, sizeof(LONG));
    proto_put_map(buf, 1);
    proto_put_verbatim(buf, "txt", LONG, sizeof(LONG));
    proto_put_simple(buf, LONG, sizeof(LONG));
    proto_put_integer(buf, 5);
    proto_request(buf, 3, argv);
    proto_put_ok(buf);
}

static void test_put_without_memory(void **state)
{
    (void)state;
    struct proto_buf whole;
    proto_buf_init(&whole);
    put_everything(&whole);
    size_t failures = 0;
    for (bool failed = true; failed; failures += failed) {
        struct proto_buf buf;
        proto_buf_init(&buf);
        alloc_fail_after(failures);
        put_everything(&buf);
        failed = alloc_fail_end();
        assert_int_equal(buf.failed, failed);
        /* What is there is a beginning of the whole, and it ends with an item. */
        assert_true(failed ? buf.n < whole.n : buf.n == whole.n);
        assert_true(buf.n == 0 || memcmp(buf.p, whole.p, buf.n) == 0);
        assert_true(buf.n == 0 || buf.p[buf.n - 1] == '\n');
        proto_buf_fini(&buf);
    }
    assert_true(failures >= 3);
    proto_buf_fini(&whole);
}

static void test_request_leaves_no_half(void **state)
{
    (void)state;
    static const char LONG[5000] = {'x'};
    const struct proto_view argv[] = {{"SET", 3}, {LONG, sizeof(LONG)}};
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_ok(&buf);
    alloc_fail_after(0);
    proto_request(&buf, 2, argv);
    assert_true(alloc_fail_end());
    assert_true(buf.failed);
    assert_int_equal(buf.n, 5);
    proto_put_ok(&buf);
    assert_int_equal(buf.n, 5);
    proto_buf_fini(&buf);
}

static void test_put_lengths_that_overflow(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_bulk(&buf, "", SIZE_MAX);
    assert_true(buf.failed);
    proto_buf_clear(&buf, 0);
    proto_put_verbatim(&buf, "txt", "", SIZE_MAX - 5);
    assert_true(buf.failed);
    proto_buf_clear(&buf, 0);
    proto_put_error(&buf, "", SIZE_MAX - 1);
    assert_true(buf.failed);
    proto_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_headers),
        cmocka_unit_test(test_put_scalars),
        cmocka_unit_test(test_put_texts),
        cmocka_unit_test(test_put_lines_never_break_the_framing),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_format_numbers),
        cmocka_unit_test(test_put_without_memory),
        cmocka_unit_test(test_request_leaves_no_half),
        cmocka_unit_test(test_put_lengths_that_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
