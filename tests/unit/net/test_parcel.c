/*
 * Parcels: what is packed is what was read, wherever the bytes lay, however much was left behind,
 * and whichever allocation fails.
 *
 * Method: random requests, plain, inline and quoted, whose arguments are known; they are read onto
 * a sheet from a buffer that is overwritten as soon as they are packed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../proto/random.h"
#include "net/parcel.h"

enum { BYTES_MAX = 1 << 20, REQUESTS_MAX = 2000, ARGS_MAX = 20 };

/* Every argument is a run of one letter. */
struct expected {
    uint32_t argc;
    struct {
        char letter;
        size_t n;
    } args[ARGS_MAX];
};

struct script {
    char *bytes;
    size_t n;
    uint32_t count;
    struct expected *requests;
};

static void put(struct script *s, const char *text, size_t n)
{
    assert_in_range(s->n + n, 0, BYTES_MAX);
    memcpy(s->bytes + s->n, text, n);
    s->n += n;
}

static void put_run(struct script *s, char letter, size_t n)
{
    assert_in_range(s->n + n, 0, BYTES_MAX);
    memset(s->bytes + s->n, letter, n);
    s->n += n;
}

/* A request of this kind: 0 multibulk, 1 inline, 2 inline and quoted. */
static void put_request(struct script *s, uint64_t *random, int kind, size_t bulk_max)
{
    struct expected *e = &s->requests[s->count++];
    char head[32];
    e->argc = 1 + (uint32_t)random_below(random, kind ? 4 : ARGS_MAX);
    if (!kind) put(s, head, (size_t)snprintf(head, sizeof head, "*%u\r\n", e->argc));
    for (uint32_t i = 0; i < e->argc; i++) {
        size_t n = (kind == 1) + random_below(random, bulk_max);
        e->args[i].n = n;
        e->args[i].letter = (char)('a' + random_below(random, 26));
        if (!kind) put(s, head, (size_t)snprintf(head, sizeof head, "$%zu\r\n", n));
        if (kind == 2) put(s, "\"", 1);
        put_run(s, e->args[i].letter, n);
        if (kind == 2) put(s, "\"", 1);
        put(s, kind ? " " : "\r\n", kind ? 1 : 2);
    }
    if (kind) put(s, "\r\n", 2);
}

static void script_init(struct script *s)
{
    s->bytes = malloc(BYTES_MAX);
    s->requests = calloc(REQUESTS_MAX, sizeof *s->requests);
    assert_non_null(s->bytes);
    assert_non_null(s->requests);
}

static void script_fini(struct script *s)
{
    free(s->bytes);
    free(s->requests);
}

static void expect_requests(struct parcel *p, const struct expected *e)
{
    for (; parcel_has_requests(p); e++) {
        assert_int_equal(parcel_check(p), 0);
        assert_int_equal(p->argc[p->taken], e->argc);
        for (uint32_t i = 0; i < e->argc; i++) {
            assert_int_equal(p->next[i].n, e->args[i].n);
            for (size_t k = 0; k < e->args[i].n; k++)
                assert_int_equal(p->next[i].p[k], e->args[i].letter);
        }
        parcel_take(p);
    }
}

static void spoil(struct inbox *in, char *shared, size_t n)
{
    memset(shared, '#', n);
    if (in->begin) memset(in->p, '#', in->begin);
}

/* Reads and packs all of the script; each allocation fails once where that can be ordered. */
static void read_all(struct script *s, struct sheet *sheet, struct mem *m, bool in_inbox)
{
    struct request_reader reader;
    struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    request_reader_init(&reader, &limits);
    struct inbox in;
    inbox_init(&in);
    struct parcel p;
    parcel_init(&p);
    struct bulks bulks;
    bulks_init(&bulks);
    char *shared = malloc(BYTES_MAX);
    assert_non_null(shared);
    if (in_inbox) assert_int_equal(inbox_replace(&in, m, (struct view){s->bytes, s->n}), STATUS_OK);
    size_t at = 0;
    uint32_t seen = 0;
    while (at < s->n) {
        size_t used;
        if (!in_inbox) memcpy(shared, s->bytes + at, s->n - at);
        struct view bytes = in_inbox ? inbox_view(&in) : (struct view){shared, s->n - at};
        assert_int_equal(sheet_read(sheet, &reader, bytes, &used), REQUEST_READY);
        assert_in_range(used, 1, bytes.n);
        assert_in_range(sheet->count, 1, CONN_SHARE_COMMANDS);
        struct view packed = {bytes.p, used};
        enum status status = STATUS_OOM;
        uint64_t before = m->bytes;
        for (uint64_t n = 1; status; n++) {
#ifdef HEAPD_DEBUG
            m->fail_at = n;
#endif
            status = parcel_pack(&p, sheet, packed, in_inbox ? &in : NULL, &bulks);
            m->fail_at = 0;
            if (!status) break;
            assert_int_equal(m->bytes, before);
            assert_int_equal(parcel_check(&p), 0);
            if (in_inbox) assert_ptr_equal(inbox_view(&in).p, bytes.p);
        }
        spoil(&in, shared, BYTES_MAX);
        expect_requests(&p, &s->requests[seen]);
        seen += p.count;
        at += used;
        parcel_empty(&p, m);
        assert_int_equal(parcel_check(&p), 0);
        assert_int_equal(inbox_check(&in), 0);
        if (in_inbox) assert_int_equal(inbox_bytes(&in), s->n - at);
    }
    assert_int_equal(seen, s->count);
    free(shared);
    parcel_fini(&p, m);
    replies_fini(&p.out, NULL);
    inbox_fini(&in, m);
    request_reader_fini(&reader);
}

static void test_packed_requests_are_those_read(void **state)
{
    (void)state;
    static struct sheet sheet;
    struct mem m;
    mem_init(&m);
    sheet_init(&sheet, &m);
    uint64_t random = 88172645463325252u;
    struct script s;
    script_init(&s);
    for (int round = 0; round < 60; round++) {
        size_t bulk_max = round % 10 == 9 ? 9000 : 12;
        uint32_t most = bulk_max > 100 ? 4 : 1 + (uint32_t)random_below(&random, REQUESTS_MAX);
        s.n = s.count = 0;
        for (uint32_t i = 0; i < most; i++) {
            int kind = round % 3 == 0 ? 0 : (int)random_below(&random, 3);
            put_request(&s, &random, kind, bulk_max);
        }
        read_all(&s, &sheet, &m, round % 2);
    }
    script_fini(&s);
    sheet_fini(&sheet);
    assert_int_equal(m.bytes, 0);
    mem_fini(&m);
}

/* Why it stops: bytes are missing, or the request is broken; what stood before it is packed. */
static void test_reading_says_why_it_stops(void **state)
{
    (void)state;
    static struct sheet sheet;
    static const struct {
        const char *text;
        enum request_status status;
        uint32_t count;
        size_t used;
    } cases[] = {
        {"PING\r\nPING\r\n", REQUEST_READY, 2, 12},
        {"PING\r\nPI", REQUEST_MORE, 1, 6},
        {"\r\n\r\n*0\r\n", REQUEST_READY, 0, 8},
        {"PING\r\n*1\r\n!\r\n", REQUEST_BROKEN, 1, 6},
        {"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPIN", REQUEST_MORE, 1, 14},
        {"ECHO 'a'\r\nPING\r\n", REQUEST_READY, 1, 10}, /* the reader's text is needed */
    };
    struct mem m;
    mem_init(&m);
    sheet_init(&sheet, &m);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request_reader reader;
        struct request_limits limits = REQUEST_LIMITS_DEFAULT;
        size_t used;
        request_reader_init(&reader, &limits);
        struct view bytes = {cases[i].text, strlen(cases[i].text)};
        assert_int_equal(sheet_read(&sheet, &reader, bytes, &used), cases[i].status);
        assert_int_equal(sheet.count, cases[i].count);
        assert_int_equal(used, cases[i].used);
        request_reader_fini(&reader);
    }
    sheet_fini(&sheet);
    mem_fini(&m);
}

static void test_many_arguments_give_their_room_back(void **state)
{
    (void)state;
    static struct sheet sheet;
    struct mem m;
    mem_init(&m);
    sheet_init(&sheet, &m);
    struct script s;
    script_init(&s);
    s.n = 0;
    put(&s, "*100000\r\n", 9);
    for (int i = 0; i < 100000; i++) put(&s, "$1\r\na\r\n", 7);
    struct request_reader reader;
    struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    size_t used;
    request_reader_init(&reader, &limits);
    assert_int_equal(sheet_read(&sheet, &reader, (struct view){s.bytes, s.n}, &used),
                     REQUEST_READY);
    assert_int_equal(sheet.count, 1);
    assert_int_equal(sheet.argc[0], 100000);
    assert_int_equal(sheet_read(&sheet, &reader, (struct view){"PING\r\n", 6}, &used),
                     REQUEST_READY);
    assert_in_range(sheet.arg_room, 1, SHEET_ARGS_KEPT);
    request_reader_fini(&reader);
    script_fini(&s);
    sheet_fini(&sheet);
    assert_int_equal(m.bytes, 0);
    mem_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed_requests_are_those_read),
        cmocka_unit_test(test_reading_says_why_it_stops),
        cmocka_unit_test(test_many_arguments_give_their_room_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
