/*
 * Goal: what a batch takes is what the reader would have read, of any bytes and of any cut; plain
 * pipelines are taken as far as they are there. Method: the reader is the oracle; input lies in
 * buffers of exactly the right size, so that the sanitizer sees any look beyond the end.
 */
#include "cmocka_all.h"
#include "proto/batch.h"
#include "proto/writer.h"
#include "random.h"

#include <stdlib.h>

static const struct request_limits LIMITS = REQUEST_LIMITS_DEFAULT;
static const struct request_limits SMALL = {
    .bulk_bytes_max = 100, .args_max = 40, .inline_bytes_max = 50};

/* Each request of the batch is what a reader makes of the same bytes; returns their length. */
static size_t compare(const struct request_batch *batch, const struct request_limits *limits,
                      const char *buf, size_t len)
{
    struct request_reader r;
    size_t at = 0;
    request_reader_init(&r, limits);
    assert_true(batch->count <= BATCH_REQUESTS_MAX);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct batch_request *taken = &batch->requests[i];
        assert_int_equal(request_reader_next(&r, buf + at, len - at), REQUEST_READY);
        assert_int_equal(r.bytes, taken->bytes);
        assert_int_equal(r.argc, taken->argc);
        assert_true(taken->argc > 0);
        for (uint32_t j = 0; j < r.argc; j++) {
            assert_ptr_equal(r.argv[j].p, taken->argv[j].p);
            assert_int_equal(r.argv[j].n, taken->argv[j].n);
        }
        at += r.bytes;
    }
    request_reader_fini(&r);
    return at;
}

/* Reads a copy of the bytes, and compares; returns how many requests were taken. */
static uint32_t taken(const char *bytes, size_t n, const struct request_limits *limits,
                      uint32_t most)
{
    static struct request_batch batch;
    char *copy = malloc(n + (n == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    request_batch_read(&batch, limits, most, copy, n);
    assert_true(batch.count <= most);
    compare(&batch, limits, copy, n);
    free(copy);
    return batch.count;
}

static void test_batch_of_any_bytes(void **state)
{
    (void)state;
    static const char LETTERS[] = "*$\r\r\n\n0112345-a";
    static const char *const WORDS[] = {"*1\r\n",
                                        "*2\r\n",
                                        "*0\r\n",
                                        "*-1\r\n",
                                        "$1\r\na\r\n",
                                        "$0\r\n\r\n",
                                        "$3\r\nab",
                                        "PING\r\n",
                                        "$01\r\n",
                                        "*1\r\n$4\r\nPING\r\n",
                                        "*2\r\n$1\r\na\r\n$2\r\nbc\r\n"};
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint32_t all = 0;
    for (int round = 0; round < 100000; round++) {
        char bytes[200];
        size_t n = 0;
        while (n < 100 && random_below(&seed, 12)) {
            if (random_below(&seed, 8) == 0) {
                bytes[n++] = LETTERS[random_below(&seed, sizeof LETTERS - 1)];
                continue;
            }
            const char *word = WORDS[random_below(&seed, sizeof WORDS / sizeof *WORDS)];
            memcpy(bytes + n, word, strlen(word));
            n += strlen(word);
        }
        all += taken(bytes, n, round % 2 ? &LIMITS : &SMALL, BATCH_REQUESTS_MAX);
    }
    assert_true(all > 10000);
}

static void test_batch_of_a_cut_pipeline(void **state)
{
    (void)state;
    static const struct proto_view ARGV[] = {{"SET", 3}, {"key:000000000001", 16}, {"", 0}};
    struct proto_buf buf;
    proto_buf_init(&buf);
    for (int i = 0; i < 20; i++) proto_request(&buf, 3, ARGV);
    size_t one = buf.n / 20;
    for (size_t cut = 0; cut <= buf.n; cut++) {
        size_t whole = cut / one;
        assert_int_equal(taken(buf.p, cut, &LIMITS, 16), whole < 16 ? whole : 16);
        assert_int_equal(taken(buf.p, cut, &LIMITS, 3), whole < 3 ? whole : 3);
    }
    proto_buf_fini(&buf);
}

/* Where the arguments do not fit any more the batch ends, and so does it before a request of more
 * arguments than a batch has. */
static void test_batch_of_many_arguments(void **state)
{
    (void)state;
    for (size_t argc = 1; argc <= BATCH_ARGS_MAX + 1; argc++) {
        struct proto_view argv[BATCH_ARGS_MAX + 1];
        struct proto_buf buf;
        proto_buf_init(&buf);
        for (size_t i = 0; i < argc; i++) argv[i] = (struct proto_view){"a", 1};
        for (int i = 0; i < 20; i++) proto_request(&buf, argc, argv);
        size_t fit = BATCH_ARGS_MAX / argc;
        if (fit > BATCH_REQUESTS_MAX) fit = BATCH_REQUESTS_MAX;
        assert_int_equal(taken(buf.p, buf.n, &LIMITS, BATCH_REQUESTS_MAX), fit);
        proto_buf_fini(&buf);
    }
}

static void test_batch_within_limits(void **state)
{
    (void)state;
    static const struct request_limits SHORT_LINES = {
        .bulk_bytes_max = 100, .args_max = 40, .inline_bytes_max = 3};
    static const char BIG[] = "*1\r\n$101\r\n";
    char bytes[200] = "*1\r\n$4\r\nPING\r\n";
    assert_int_equal(taken(bytes, 14, &SMALL, 16), 1);
    assert_int_equal(taken(bytes, 14, &SHORT_LINES, 16), 0);
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, BIG, sizeof BIG - 1);
    assert_int_equal(taken(bytes, sizeof bytes, &SMALL, 16), 0);
    assert_int_equal(taken(bytes, sizeof bytes, &LIMITS, 16), 1);
    static const char HUGE[] = "*1\r\n$9999999999\r\nx";
    assert_int_equal(taken(HUGE, sizeof HUGE - 1, &LIMITS, 16), 0);
}

static void test_batch_begins_between_requests(void **state)
{
    (void)state;
    struct request_reader r;
    request_reader_init(&r, &LIMITS);
    assert_true(request_reader_begins(&r));
    assert_int_equal(request_reader_next(&r, "*1\r\n$4\r\nPI", 10), REQUEST_MORE);
    assert_false(request_reader_begins(&r));
    assert_int_equal(request_reader_next(&r, "*1\r\n$4\r\nPING\r\n", 14), REQUEST_READY);
    assert_true(request_reader_begins(&r));
    request_reader_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_of_any_bytes),
        cmocka_unit_test(test_batch_of_a_cut_pipeline),
        cmocka_unit_test(test_batch_of_many_arguments),
        cmocka_unit_test(test_batch_within_limits),
        cmocka_unit_test(test_batch_begins_between_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
