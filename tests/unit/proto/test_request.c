/*
 * Goal: requests come out the same however the bytes are cut, each byte is looked at once, broken
 * ones get Redis' words, and memory follows what has arrived. Method: tables of input and a printed
 * form of the items, fed at every cut in buffers of exactly the right size (the sanitizer then sees
 * any look beyond the end); bytes behind the reader are spoilt to show that it never looks back.
 * The expected texts were compared with redis-server 7.0.15.
 */
#include "alloc.h"
#include "cmocka_all.h"
#include "proto/request.h"
#include "proto/writer.h"
#include "random.h"

#include <stdio.h>
#include <stdlib.h>

#define PRINTED_MAX 65536

static const struct request_limits SMALL = {
    .bulk_bytes_max = 100, .args_max = 40, .inline_bytes_max = 50};

/* Where the input of a session stands: the bytes before `start` belong to finished requests. */
struct feed {
    const char *bytes;
    size_t n;
    size_t start;
};

static void print_args(char *to, const struct request_reader *r)
{
    size_t n = strlen(to);
    for (uint32_t i = 0; i < r->argc; i++) {
        n += (size_t)snprintf(to + n, PRINTED_MAX - n, "[");
        for (size_t j = 0; j < r->argv[i].n; j++) {
            unsigned char c = (unsigned char)r->argv[i].p[j];
            bool plain = c >= 0x20 && c < 0x7f;
            n += (size_t)snprintf(to + n, PRINTED_MAX - n, plain ? "%c" : "<%02x>", c);
        }
        n += (size_t)snprintf(to + n, PRINTED_MAX - n, "]");
    }
    snprintf(to + n, PRINTED_MAX - n, ";");
}

/* Takes all requests of the first `len` bytes; prints them behind `to`. */
static enum request_status take(struct request_reader *r, struct feed *feed, size_t len, char *to)
{
    for (;;) {
        size_t n = len - feed->start;
        char *copy = malloc(n + (n == 0));
        assert_non_null(copy);
        memcpy(copy, feed->bytes + feed->start, n);
        enum request_status status = request_reader_next(r, copy, n);
        assert_int_equal(request_reader_check(r), 0);
        if (status == REQUEST_READY) {
            print_args(to, r);
            feed->start += r->bytes;
        } else if (status == REQUEST_BROKEN) {
            strcat(to, r->error);
        }
        free(copy);
        if (status != REQUEST_READY) return status;
    }
}

/* The printed form of `n` bytes that arrive in two pieces, or byte by byte when cut is SIZE_MAX. */
static const char *printed(const char *bytes, size_t n, size_t cut,
                           const struct request_limits *limits)
{
    static char to[PRINTED_MAX];
    struct request_reader r;
    struct feed feed = {.bytes = bytes, .n = n};
    to[0] = '\0';
    request_reader_init(&r, limits);
    enum request_status status = REQUEST_MORE;
    if (cut != SIZE_MAX) {
        status = take(&r, &feed, cut, to);
        if (status == REQUEST_MORE) status = take(&r, &feed, n, to);
    } else {
        for (size_t len = 0; len <= n && status == REQUEST_MORE; len++)
            status = take(&r, &feed, len, to);
    }
    if (status == REQUEST_BROKEN)
        assert_int_equal(request_reader_next(&r, bytes, n), REQUEST_BROKEN);
    else if (feed.start < n)
        strcat(to, "...");
    request_reader_fini(&r);
    return to;
}

struct row {
    const char *bytes;
    size_t n;
    const char *printed;
};

#define ROW(bytes, printed)                                                                        \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, printed                                                          \
    }

static void check_row(const struct row *row, const struct request_limits *limits)
{
    assert_string_equal(printed(row->bytes, row->n, SIZE_MAX, limits), row->printed);
    for (size_t cut = 0; cut <= row->n; cut++)
        assert_string_equal(printed(row->bytes, row->n, cut, limits), row->printed);
}

static void test_next_multibulk(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("", ""),
        ROW("*1\r\n$4\r\nPING\r\n", "[PING];"),
        ROW("*2\r\n$3\r\nGET\r\n$16\r\n0123456789abcdef\r\n", "[GET][0123456789abcdef];"),
        ROW("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n", "[PING];[QUIT];"),
        ROW("*2\r\n$0\r\n\r\n$3\r\n\r\n\0\r\n", "[][<0d><0a><00>];"),
        ROW("*0\r\n*1\r\n$1\r\na\r\n", ";[a];"),
        ROW("*-1\r\n*-5\r\n*-9223372036854775808\r\n", ";;;"),
        ROW("*1\r\n$1\r\na\r\n*1\r\n$1", "[a];..."),
        /* The byte behind \r and the two behind a bulk are not looked at. */
        ROW("*1\rX$1\rYaZZ*1\r\n$1\r\nb\r\n", "[a];[b];"),
        ROW("*1\r\0$1\r\0a\0\0", "[a];"),
        /* A NUL before the end of a line hides the end. */
        ROW("*1\0\r\n$1\r\na\r\n", "..."),
        ROW("*1\r\n$1\0\r\na\r\n", "..."),
        ROW("*1\r\n\0$1\r\na\r\n", "..."),
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) check_row(&ROWS[i], &SMALL);
}

static void test_next_inline(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("PING\r\n", "[PING];"),
        ROW("PING\n", "[PING];"),
        ROW("\r\n\n  \t \r\n", ";;;"),
        ROW("  SET  a\tb  \r\n", "[SET][a][b];"),
        ROW("a\rb\r\n", "[a][b];"),
        ROW("a\r\r\n", "[a];"),
        /* \v and \f are blanks before a token and letters in it. */
        ROW("a \v\fb b\vc \"d\"\ve\n", "[a][b][b<0b>c][d][e];"),
        ROW("SET \"a b\" 'c d'\r\n", "[SET][a b][c d];"),
        ROW("\"\" ''\r\n", "[][];"),
        ROW("pre\"fix ed\" x'y z'\n", "[prefix ed][xy z];"),
        ROW("\"\\n\\r\\t\\b\\a\\q\\\\\\\"\"\n", "[<0a><0d><09><08><07>q\\\"];"),
        ROW("\"\\x41\\xfF\\x00\" \"\\x4g\\xg\\x\"\n", "[A<ff><00>][x4gxgx];"),
        ROW("\"\\x4\\x41\"\n", "[x4A];"),
        ROW("'it\\'s' '\\n' '\\\\x'\n", "[it's][\\n][\\\\x];"),
        ROW("\"it's\" 'say \"x\"'\n", "[it's][say \"x\"];"),
        ROW("\xff\xfe\n", "[<ff><fe>];"),
        ROW("GET a", "..."),
        ROW("GET\0a\r\nPING\r\n", "..."),
        ROW("PING\r\n*1\r\n$1\r\na\r\nPING \"x\"\r\nQUIT\n", "[PING];[a];[PING][x];[QUIT];"),
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) check_row(&ROWS[i], &SMALL);
}

#define UNBALANCED "Protocol error: unbalanced quotes in request"
#define BAD_ARGS   "Protocol error: invalid multibulk length"
#define BAD_BULK   "Protocol error: invalid bulk length"

static void test_next_broken(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("*\r\n", BAD_ARGS),
        ROW("*abc\r\n", BAD_ARGS),
        ROW("*+1\r\n", BAD_ARGS),
        ROW("*01\r\n", BAD_ARGS),
        ROW("*-0\r\n", BAD_ARGS),
        ROW("*1 \r\n", BAD_ARGS),
        ROW("*9223372036854775808\r\n", BAD_ARGS),
        ROW("*12345678901234567890123456789\r\n", BAD_ARGS),
        ROW("*41\r\n", BAD_ARGS),
        ROW("*1\r\n$1\r\na\r\n*x\r\n", "[a];" BAD_ARGS),
        /* Nothing is said before the line has ended. */
        ROW("*abc", "..."),
        ROW("*abc\r", "..."),
        ROW("*1\r\nX4\r", "..."),
        ROW("*1\r\nX4\r\n", "Protocol error: expected '$', got 'X'"),
        ROW("*1\r\n*1\r\n", "Protocol error: expected '$', got '*'"),
        ROW("*1\r\n\r\n", "Protocol error: expected '$', got ' '"),
        ROW("*1\r\n\n\r\n", "Protocol error: expected '$', got ' '"),
        ROW("*1\r\n\xff\r\n", "Protocol error: expected '$', got '\xff'"),
        ROW("*1\r\n$\r\n", BAD_BULK),
        ROW("*1\r\n$-1\r\n", BAD_BULK),
        ROW("*1\r\n$01\r\n", BAD_BULK),
        ROW("*1\r\n$4x\r\n", BAD_BULK),
        ROW("*1\r\n$101\r\n", BAD_BULK),
        ROW("*1\r\n$99999999999999999999\r\n", BAD_BULK),
        ROW("GET \"a\n", UNBALANCED),
        ROW("GET \"a\r\n", UNBALANCED),
        ROW("GET 'a\r\n", UNBALANCED),
        ROW("GET \"a\"b\r\n", UNBALANCED),
        ROW("GET 'a'b c\r\n", UNBALANCED),
        ROW("GET \"\"\"\"\r\n", UNBALANCED),
        ROW("GET \"a\\\"\r\n", UNBALANCED),
        ROW("GET \"a\\\r\n", UNBALANCED),
        ROW("GET \"\\x4\r\n", UNBALANCED),
        ROW("GET 'a\\'\r\n", UNBALANCED),
        /* In single quotes \ stands for itself, but before a quote. */
        ROW("GET 'a\\\\'\r\n", UNBALANCED),
        ROW("GET \"a\"b", "..."),
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) check_row(&ROWS[i], &SMALL);
}

/* `head`, so many times `1` that the line has n bytes, `tail`. */
static void check_long_line(const char *head, size_t n, const char *tail, const char *expected)
{
    char bytes[200];
    size_t line = strlen(head);
    const char *last = strrchr(head, '\n');
    size_t skipped = last == NULL ? 0 : (size_t)(last + 1 - head);
    memcpy(bytes, head, line);
    while (line - skipped < n) bytes[line++] = '1';
    memcpy(bytes + line, tail, strlen(tail));
    struct row row = {bytes, line + strlen(tail), expected};
    check_row(&row, &SMALL);
}

static void test_next_long_lines(void **state)
{
    (void)state;
    char whole[64];
    memset(whole, '1', sizeof(whole));
    memcpy(whole, "[", 1);
    strcpy(whole + 51, "];");
    check_long_line("", 50, "\n", whole);
    check_long_line("", 51, "", "Protocol error: too big inline request");
    check_long_line("\"", 51, "\n", "Protocol error: too big inline request");
    check_long_line("*", 50, "\r\n", BAD_ARGS);
    check_long_line("*", 51, "", "Protocol error: too big mbulk count string");
    check_long_line("*1\r\n$", 50, "\r\n", BAD_BULK);
    check_long_line("*1\r\n$", 51, "", "Protocol error: too big bulk count string");
    check_long_line("*1\r\nX", 51, "\r\n", "Protocol error: too big bulk count string");
}

static void test_next_limits_are_reached(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_array(&buf, 40);
    for (int i = 0; i < 40; i++) proto_put_bulk(&buf, "0123456789", 10);
    proto_put_array(&buf, 1);
    static const char HUNDRED[100] = {'x'};
    proto_put_bulk(&buf, HUNDRED, 100);
    struct request_reader r;
    request_reader_init(&r, &SMALL);
    assert_int_equal(request_reader_next(&r, buf.p, buf.n), REQUEST_READY);
    assert_int_equal(r.argc, 40);
    size_t first = r.bytes;
    assert_int_equal(request_reader_next(&r, buf.p + first, buf.n - first), REQUEST_READY);
    assert_int_equal(r.argc, 1);
    assert_memory_equal(r.argv[0].p, HUNDRED, 100);
    assert_int_equal(first + r.bytes, buf.n);
    request_reader_fini(&r);
    proto_buf_fini(&buf);
}

static void test_next_empty_argument_has_an_address(void **state)
{
    (void)state;
    struct request_reader r;
    request_reader_init(&r, &SMALL);
    assert_int_equal(request_reader_next(&r, "\"\"\n", 3), REQUEST_READY);
    assert_int_equal(r.argc, 1);
    assert_int_equal(r.argv[0].n, 0);
    assert_non_null(r.argv[0].p);
    request_reader_fini(&r);
}

static void test_limit_changes(void **state)
{
    (void)state;
    struct request_reader r;
    struct request_limits limits = SMALL;
    request_reader_init(&r, &limits);
    limits.bulk_bytes_max = 1000;
    request_reader_limit(&r, &limits);
    assert_int_equal(request_reader_next(&r, "*1\r\n$999\r\n", 10), REQUEST_MORE);
    size_t at;
    assert_int_equal(request_reader_bulk(&r, &at), 999);
    request_reader_fini(&r);
    limits.inline_bytes_max = SIZE_MAX;
    limits.bulk_bytes_max = SIZE_MAX;
    request_reader_init(&r, &limits);
    const char *far = "*1\r\n$9223372036854775807\r\n";
    assert_int_equal(request_reader_next(&r, far, strlen(far)), REQUEST_BROKEN);
    request_reader_fini(&r);
}

static void test_bulk_tells_what_is_unfinished(void **state)
{
    (void)state;
    struct request_reader r;
    size_t at = 0;
    const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    request_reader_init(&r, &limits);
    const char *bytes = "*2\r\n$3\r\nGET\r\n$5\r\nhe";
    static const struct {
        size_t len, bulk, at;
    } steps[] = {{4, 0, 0}, {7, 0, 0}, {8, 3, 8}, {12, 3, 8}, {15, 0, 0}, {17, 5, 17}, {19, 5, 17}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(request_reader_next(&r, bytes, steps[i].len), REQUEST_MORE);
        assert_int_equal(request_reader_bulk(&r, &at), steps[i].bulk);
        if (steps[i].bulk) assert_int_equal(at, steps[i].at);
    }
    request_reader_fini(&r);
    request_reader_init(&r, &limits);
    bytes = "*1\r\n$536870912\r\nx";
    assert_int_equal(request_reader_next(&r, bytes, strlen(bytes)), REQUEST_MORE);
    assert_int_equal(request_reader_bulk(&r, &at), 536870912);
    assert_int_equal(at, 16);
    request_reader_fini(&r);
}

/* A request of three arguments, the buffer ending after every number of bytes, and every bulk that
 * is unfinished then put apart: what is read is what it would have been. */
static void test_put_apart_anywhere(void **state)
{
    (void)state;
    static const char BYTES[] = "*4\r\n$3\r\nSET\r\n$7\r\na\r\nlong\r\n$0\r\n\r\n$5\r\nvalue\r\n"
                                "*1\r\n$4\r\nPING\r\n";
    static const char *const ARGS[] = {"SET", "a\r\nlong", "", "value"};
    const size_t n = sizeof BYTES - 1, first = n - strlen("*1\r\n$4\r\nPING\r\n");
    for (uint32_t cuts = 1; cuts < 8; cuts++) {
        struct request_reader r;
        const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
        request_reader_init(&r, &limits);
        char buf[sizeof BYTES], apart[4][8];
        size_t have = 0, fed = 0;
        uint32_t count = 0;
        enum request_status status = REQUEST_MORE;
        while (status == REQUEST_MORE) {
            size_t step = cuts < n - fed ? cuts : n - fed, at;
            memcpy(buf + have, BYTES + fed, step);
            have += step;
            fed += step;
            status = request_reader_next(&r, buf, have);
            size_t bulk = status == REQUEST_MORE ? request_reader_bulk(&r, &at) : 0;
            if (bulk == 0) continue;
            /* What is there, and the rest from the source; then the buffer goes on behind it. */
            size_t there = have - at < bulk ? have - at : bulk;
            char *to = apart[count++];
            memcpy(to, buf + at, there);
            memcpy(to + there, BYTES + fed, bulk - there);
            fed += bulk - there;
            memmove(buf + at, buf + at + there, have - at - there);
            have -= there;
            assert_int_equal(request_reader_put_apart(&r, to), REQUEST_READY);
            assert_int_equal(request_reader_check(&r), 0);
            assert_int_equal(request_reader_bulk(&r, &at), 0);
        }
        assert_int_equal(status, REQUEST_READY);
        assert_true(cuts > 6 || count > 0);
        assert_int_equal(r.argc, 4);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(r.argv[i].n, strlen(ARGS[i]));
            assert_memory_equal(r.argv[i].p, ARGS[i], r.argv[i].n);
        }
        /* What follows in the buffer is the next request. */
        memmove(buf, buf + r.bytes, have - r.bytes);
        have -= r.bytes;
        memcpy(buf + have, BYTES + fed, n - fed);
        have += n - fed;
        assert_int_equal(have, n - first);
        assert_int_equal(request_reader_next(&r, buf, have), REQUEST_READY);
        assert_int_equal(r.argc, 1);
        assert_memory_equal(r.argv[0].p, "PING", 4);
        request_reader_fini(&r);
    }
}

/* Bytes behind the reader are gone when it is called again: what it says cannot come from them. */
static void test_next_never_looks_back(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("*3\r\n$3\r\nSET\r\n$12\r\n0123456789ab\r\n$0\r\n\r\n", ""),
        ROW("*-000000000000000000000000000001\r\n", ""),
        ROW("*2\r\n$1\r\na\r\nQ123\r\n", ""),
        ROW("SET \"\\x41 b\\n\" 'c\\'d' e\r\n", ""),
        ROW("GET \"a\"b c d e\r\n", ""),
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct request_reader whole, cut;
        request_reader_init(&whole, &SMALL);
        request_reader_init(&cut, &SMALL);
        enum request_status expected = request_reader_next(&whole, ROWS[i].bytes, ROWS[i].n);
        enum request_status status = REQUEST_MORE;
        char bytes[100];
        memcpy(bytes, ROWS[i].bytes, ROWS[i].n);
        for (size_t n = 1; n <= ROWS[i].n && status == REQUEST_MORE; n++) {
            status = request_reader_next(&cut, bytes, n);
            assert_true(cut.at <= n);
            memset(bytes, '\'', cut.at);
        }
        assert_int_equal(status, expected);
        assert_string_equal(cut.error, whole.error);
        if (status == REQUEST_READY) assert_int_equal(cut.argc, whole.argc);
        for (uint32_t j = 0; status == REQUEST_READY && j < cut.argc; j++) {
            assert_int_equal(cut.argv[j].n, whole.argv[j].n);
            bool in_bytes = cut.argv[j].p >= bytes && cut.argv[j].p <= bytes + sizeof(bytes);
            if (in_bytes) assert_int_equal(cut.argv[j].p - bytes, whole.argv[j].p - ROWS[i].bytes);
            if (!in_bytes) assert_memory_equal(cut.argv[j].p, whole.argv[j].p, whole.argv[j].n);
        }
        request_reader_fini(&whole);
        request_reader_fini(&cut);
    }
}

static void test_next_allocates_for_what_arrived(void **state)
{
    (void)state;
    struct request_reader r;
    const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    request_reader_init(&r, &limits);
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_array(&buf, REQUEST_ARGS_MAX);
    for (int i = 0; i < REQUEST_ARGS_SMALL; i++) proto_put_bulk(&buf, "a", 1);
    size_t before = alloc_count();
    assert_int_equal(request_reader_next(&r, buf.p, buf.n), REQUEST_MORE);
    assert_int_equal(alloc_count(), before);
    for (uint32_t i = REQUEST_ARGS_SMALL; i < REQUEST_ARGS_MAX; i++) proto_put_bulk(&buf, "b", 1);
    before = alloc_count();
    assert_int_equal(request_reader_next(&r, buf.p, buf.n), REQUEST_READY);
    assert_true(alloc_count() - before <= 16);
    assert_int_equal(r.argc, REQUEST_ARGS_MAX);
    assert_memory_equal(r.argv[REQUEST_ARGS_MAX - 1].p, "b", 1);
    /* The next request gives it all back. */
    assert_int_equal(request_reader_next(&r, "*1\r\n$1\r\na\r\n", 11), REQUEST_READY);
    assert_int_equal(r.room, REQUEST_ARGS_SMALL);
    proto_buf_fini(&buf);
    request_reader_fini(&r);
}

static void test_trim_within_and_between_requests(void **state)
{
    (void)state;
    struct request_reader r;
    const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    request_reader_init(&r, &limits);
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_array(&buf, 5000);
    for (int i = 0; i < 5000; i++) proto_put_bulk(&buf, "a", 1);
    assert_int_equal(request_reader_next(&r, buf.p, buf.n - 1), REQUEST_MORE);
    request_reader_trim(&r);
    assert_int_equal(request_reader_next(&r, buf.p, buf.n), REQUEST_READY);
    assert_int_equal(r.argc, 5000);
    request_reader_trim(&r);
    assert_int_equal(r.room, REQUEST_ARGS_SMALL);
    assert_int_equal(request_reader_check(&r), 0);
    proto_buf_fini(&buf);
    request_reader_fini(&r);
}

static void test_next_without_memory(void **state)
{
    (void)state;
    char bytes[1000] = "";
    for (int i = 0; i < 100; i++) strcat(bytes, i % 2 ? "\"b\\x41\" " : "a ");
    strcat(bytes, "\r\n");
    const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    size_t failures = 0;
    for (bool failed = true; failed; failures += failed) {
        struct request_reader r;
        request_reader_init(&r, &limits);
        alloc_fail_after(failures);
        enum request_status status = request_reader_next(&r, bytes, strlen(bytes));
        failed = alloc_fail_end();
        assert_int_equal(status, failed ? REQUEST_OOM : REQUEST_READY);
        if (failed) assert_int_equal(request_reader_next(&r, bytes, 1), REQUEST_OOM);
        request_reader_fini(&r);
    }
    assert_true(failures >= 3);
}

static void test_next_random_bytes(void **state)
{
    (void)state;
    static const char LETTERS[] = "**$$\r\r\n\n\r\n0112345-ab \"\"''\\x\t";
    uint64_t seed = 0x9e3779b97f4a7c15;
    for (int round = 0; round < 20000; round++) {
        char bytes[80];
        size_t n = random_below(&seed, sizeof(bytes));
        bool any = round % 4 == 0;
        for (size_t i = 0; i < n; i++) {
            size_t letter = random_below(&seed, any ? 256 : sizeof(LETTERS) - 1);
            bytes[i] = any ? (char)(unsigned char)letter : LETTERS[letter];
        }
        static char whole[PRINTED_MAX];
        strcpy(whole, printed(bytes, n, n, &SMALL));
        assert_string_equal(printed(bytes, n, random_below(&seed, n + 1), &SMALL), whole);
        assert_string_equal(printed(bytes, n, SIZE_MAX, &SMALL), whole);
    }
}

static void test_next_reads_what_the_writer_wrote(void **state)
{
    (void)state;
    uint64_t seed = 7;
    static char noise[3000];
    for (size_t i = 0; i < sizeof(noise); i++) noise[i] = (char)random_below(&seed, 256);
    const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    struct request_reader r;
    request_reader_init(&r, &limits);
    struct proto_buf buf;
    proto_buf_init(&buf);
    for (int round = 0; round < 500; round++) {
        struct proto_view argv[60];
        size_t argc = 1 + random_below(&seed, 60);
        for (size_t i = 0; i < argc; i++) {
            argv[i].n = random_below(&seed, i % 7 == 0 ? 2000 : 20);
            argv[i].p = noise + random_below(&seed, 1000);
        }
        proto_buf_clear(&buf, 4096);
        proto_request(&buf, argc, argv);
        size_t n = 0;
        while (n < buf.n && request_reader_next(&r, buf.p, n) == REQUEST_MORE) {
            n += 1 + random_below(&seed, 300);
            if (n > buf.n) n = buf.n;
        }
        assert_int_equal(request_reader_next(&r, buf.p, buf.n), REQUEST_READY);
        assert_int_equal(r.bytes, buf.n);
        assert_int_equal(r.argc, argc);
        for (size_t i = 0; i < argc; i++) {
            assert_int_equal(r.argv[i].n, argv[i].n);
            assert_memory_equal(r.argv[i].p, argv[i].p, argv[i].n);
        }
    }
    proto_buf_fini(&buf);
    request_reader_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_multibulk),
        cmocka_unit_test(test_next_inline),
        cmocka_unit_test(test_next_broken),
        cmocka_unit_test(test_next_long_lines),
        cmocka_unit_test(test_next_limits_are_reached),
        cmocka_unit_test(test_next_empty_argument_has_an_address),
        cmocka_unit_test(test_limit_changes),
        cmocka_unit_test(test_bulk_tells_what_is_unfinished),
        cmocka_unit_test(test_put_apart_anywhere),
        cmocka_unit_test(test_next_never_looks_back),
        cmocka_unit_test(test_next_allocates_for_what_arrived),
        cmocka_unit_test(test_trim_within_and_between_requests),
        cmocka_unit_test(test_next_without_memory),
        cmocka_unit_test(test_next_random_bytes),
        cmocka_unit_test(test_next_reads_what_the_writer_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
