/*
 * Goal: depth and memory of what is read stay bounded whatever was announced, and nothing leaks
 * when memory is short or a tree stays unfinished. Method: nesting at its limit and one beyond;
 * lengths of gigabytes; allocations that fail on purpose.
 */
#include "alloc.h"
#include "cmocka_all.h"
#include "proto/reply.h"
#include "proto/writer.h"
#include "read_one.h"

static void check_depth(uint32_t depth, enum reply_status expected)
{
    struct proto_buf buf;
    proto_buf_init(&buf);
    for (uint32_t i = 0; i < depth; i++) {
        /* Some of the nesting goes through attributes. */
        if (i % 3 == 2) {
            proto_put_attribute(&buf, 1);
            proto_put_integer(&buf, 1);
        } else {
            proto_put_array(&buf, 1);
        }
    }
    struct reply_reader r;
    struct heapd_reply *reply;
    reply_reader_init(&r, NULL);
    assert_int_equal(reply_reader_feed(&r, buf.p, buf.n), REPLY_READY);
    assert_int_equal(reply_reader_next(&r, &reply), expected);
    if (expected == REPLY_BROKEN) assert_string_equal(r.error, "replies are nested too deep");
    /* What is unfinished is freed from any depth. */
    reply_reader_fini(&r);
    proto_buf_fini(&buf);
}

static void test_next_depth_is_bounded(void **state)
{
    (void)state;
    assert_true(REPLY_DEPTH_MAX >= 512);
    check_depth(REPLY_DEPTH_MAX, REPLY_MORE);
    check_depth(REPLY_DEPTH_MAX + 1, REPLY_BROKEN);
}

static void test_free_deep_and_wide(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    for (int i = 0; i < REPLY_DEPTH_MAX; i++) proto_put_array(&buf, 1);
    proto_put_bulk(&buf, "x", 1);
    struct heapd_reply *reply = read_one(buf.p, buf.n);
    struct heapd_reply *inner = reply;
    while (inner->type == HEAPD_REPLY_ARRAY) inner = inner->children;
    assert_string_equal(inner->text, "x");
    heapd_reply_free(reply);
    proto_buf_clear(&buf, SIZE_MAX);
    proto_put_map(&buf, 50000);
    for (int i = 0; i < 100000; i++) proto_put_bulk_integer(&buf, i);
    reply = read_one(buf.p, buf.n);
    assert_int_equal(heapd_reply_children(reply), 100000);
    assert_string_equal(reply->children[99999].text, "99999");
    heapd_reply_free(reply);
    proto_buf_fini(&buf);
}

static void test_next_memory_follows_what_arrived(void **state)
{
    (void)state;
    struct reply_reader r;
    struct heapd_reply *reply;
    reply_reader_init(&r, NULL);
    static const char BYTES[] = "*4294967295\r\n%4294967295\r\n:1\r\n$536870912\r\nx";
    /* Were the announced lengths allocated, this would be hundreds of gigabytes. */
    assert_int_equal(reply_reader_feed(&r, BYTES, sizeof(BYTES) - 1), REPLY_READY);
    assert_int_equal(reply_reader_next(&r, &reply), REPLY_MORE);
    assert_true(r.in.cap < 10000);
    reply_reader_fini(&r);
}

static void test_feed_reuses_its_room(void **state)
{
    (void)state;
    struct reply_reader r;
    reply_reader_init(&r, NULL);
    /* One reply stays behind: never empty at a feed, and yet bounded. */
    assert_int_equal(reply_reader_feed(&r, "+hello\r\n", 8), REPLY_READY);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(reply_reader_feed(&r, "+hello\r\n+he", 11), REPLY_READY);
        assert_int_equal(reply_reader_feed(&r, "llo\r\n", 5), REPLY_READY);
        struct reply_event event;
        assert_int_equal(reply_reader_event(&r, &event), REPLY_READY);
        if (i % 2 == 0) continue;
        for (int j = 0; j < 2; j++) assert_int_equal(reply_reader_event(&r, &event), REPLY_READY);
        assert_memory_equal(event.text, "hello", 5);
    }
    assert_true(r.in.cap < 10000);
    reply_reader_fini(&r);
}

static void test_feed_gives_large_room_back(void **state)
{
    (void)state;
    struct reply_reader r;
    struct heapd_reply *reply;
    struct proto_buf buf;
    proto_buf_init(&buf);
    size_t n = 4 * REPLY_BYTES_KEPT;
    proto_put_bulk_begin(&buf, n);
    memset(proto_buf_reserve(&buf, n), 'x', n);
    buf.n += n;
    proto_put_bulk_end(&buf);
    reply_reader_init(&r, NULL);
    assert_int_equal(reply_reader_feed(&r, buf.p, buf.n), REPLY_READY);
    assert_int_equal(reply_reader_next(&r, &reply), REPLY_READY);
    assert_int_equal(reply->n, n);
    heapd_reply_free(reply);
    assert_int_equal(reply_reader_feed(&r, "+", 1), REPLY_READY);
    assert_true(r.in.cap <= REPLY_BYTES_KEPT);
    reply_reader_fini(&r);
    proto_buf_fini(&buf);
}

static void test_next_without_memory(void **state)
{
    (void)state;
    static const char BYTES[] =
        "|1\r\n+ttl\r\n:3\r\n*3\r\n$1\r\na\r\n%1\r\n|1\r\n+k\r\n*1\r\n+z\r\n+b\r\n=7\r\ntxt:abc\r\n"
        "|1\r\n+p\r\n,1.5\r\n|1\r\n+q\r\n:1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n|1\r\n+"
        "y\r\n:1\r\n"
        "$3\r\nend\r\n";
    size_t failures = 0;
    for (bool failed = true; failed; failures += failed) {
        struct reply_reader r;
        struct heapd_reply *reply = NULL;
        reply_reader_init(&r, NULL);
        alloc_fail_after(failures);
        enum reply_status status = reply_reader_feed(&r, BYTES, sizeof(BYTES) - 1);
        if (status == REPLY_READY) status = reply_reader_next(&r, &reply);
        failed = alloc_fail_end();
        assert_int_equal(status, failed ? REPLY_OOM : REPLY_READY);
        if (failed) assert_int_equal(reply_reader_next(&r, &reply), REPLY_OOM);
        heapd_reply_free(reply);
        reply_reader_fini(&r);
    }
    assert_true(failures >= 30);
}

static void test_fini_frees_unfinished_trees(void **state)
{
    (void)state;
    static const char BYTES[] =
        "|1\r\n+a\r\n:1\r\n%2\r\n|1\r\n+k\r\n*1\r\n+z\r\n$1\r\nb\r\n*2\r\n|2\r\n+x\r\n"
        "$1\r\ny\r\n+c\r\n";
    for (size_t n = 0; n < sizeof(BYTES); n++) {
        struct reply_reader r;
        struct heapd_reply *reply;
        reply_reader_init(&r, NULL);
        assert_int_equal(reply_reader_feed(&r, BYTES, n), REPLY_READY);
        assert_int_equal(reply_reader_next(&r, &reply), REPLY_MORE);
        reply_reader_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_depth_is_bounded),
        cmocka_unit_test(test_free_deep_and_wide),
        cmocka_unit_test(test_next_memory_follows_what_arrived),
        cmocka_unit_test(test_feed_reuses_its_room),
        cmocka_unit_test(test_feed_gives_large_room_back),
        cmocka_unit_test(test_next_without_memory),
        cmocka_unit_test(test_fini_frees_unfinished_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
