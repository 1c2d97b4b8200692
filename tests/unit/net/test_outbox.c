/*
 * The outbox: replies leave whole and in order, by any backend, however slowly they are read.
 *
 * Method: a stream over one end of a socket pair, read slowly at the other end; every test runs
 * with libuv's poll, and with a ring where the system has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/outbox.h"
#include "net/stream_poll.h"
#include "net/stream_ring.h"
#include "value/state.h"
#include "value/str.h"

struct wire {
    uv_loop_t loop;
    struct stream_place place;
    struct stream stream;
    int ours, fd; /* the writer's end, and the reader's */
    bool closed;
    struct outbox out;
    struct replies_pool pool;
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct reply_refs_all all;
    int waits, put_off; /* how often the socket took bytes again, and writes that were put off */
    uint64_t got;       /* bytes read so far, as numbers in sequence */
};

static struct wire *wire_of(struct stream *s)
{
    return (struct wire *)((char *)s - offsetof(struct wire, stream));
}

static void on_writable(struct stream *s, int status)
{
    assert_int_equal(status, 0);
    wire_of(s)->waits++;
    outbox_writable(&wire_of(s)->out);
}

static void on_written(struct stream *s, int result)
{
    struct wire *w = wire_of(s);
    w->put_off++;
    assert_int_equal(outbox_written(&w->out, s, result), 0);
    assert_int_equal(outbox_check(&w->out), 0);
}

static void on_closed(struct stream *s)
{
    wire_of(s)->closed = true;
}

static const struct stream_user USER = {
    .written = on_written, .writable = on_writable, .closed = on_closed};

static bool has_ring(const struct wire *w)
{
    return strcmp(w->place.backend->name, "io_uring") == 0;
}

static void place_init(struct wire *w, bool ring)
{
    int error = ring ? stream_ring_init(&w->place, &w->mem, &w->loop) : 0;
    if (error) print_message("no io_uring: %s\n", uv_strerror(error));
    if (error || !ring)
        assert_int_equal(stream_poll_init(&w->place, &w->mem, &w->loop, &w->clock), STATUS_OK);
}

/* state: whether with a ring. */
static struct wire *wire_new(void **state)
{
    struct wire *w = test_calloc(1, sizeof *w);
    int ends[2], bytes = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    mem_init(&w->mem);
    place_init(w, *state != NULL);
    stream_open(&w->stream, &USER, &w->place, ends[0]);
    w->ours = ends[0];
    w->fd = ends[1];
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{1}}), STATUS_OK);
    value_init(&w->heap, &w->values);
    reply_refs_init(&w->all, &w->heap);
    replies_pool_init(&w->pool, &w->mem, &w->all);
    outbox_init(&w->out, &w->pool);
    return w;
}

static void turn_loop(struct wire *w)
{
    stream_hurry(&w->place);
    stream_turn(&w->place, NULL, NULL);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_int_equal(stream_ring_check(&w->place), 0);
    assert_int_equal(replies_pool_check(&w->pool), 0);
}

static void wire_free(struct wire *w)
{
    stream_close(&w->stream);
    for (int turns = 0; !w->closed; turns++) {
        assert_in_range(turns, 0, 100);
        turn_loop(w);
    }
    stream_place_close(&w->place);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    outbox_fini(&w->out);
    stream_place_fini(&w->place);
    replies_pool_fini(&w->pool);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    assert_int_equal(w->all.count, 0);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    assert_int_equal(w->mem.bytes, 0);
    mem_fini(&w->mem);
    close(w->fd);
    test_free(w);
}

/* The end of a turn, as a connection does it. */
static void send_replies(struct wire *w)
{
    if (outbox_can_send(&w->out)) assert_int_equal(outbox_send(&w->out, &w->stream), 0);
    assert_int_equal(outbox_check(&w->out), 0);
}

static struct replies *open_outbox(struct wire *w)
{
    struct replies *r = outbox_open(&w->out);
    assert_non_null(r);
    return r;
}

/* Puts `count` numbers behind those put before as a string that only the replies hold. */
static void hold(struct wire *w, struct replies *to, uint32_t *next, uint32_t count)
{
    struct str *s = str_new(&w->heap, count * sizeof *next);
    assert_non_null(s);
    for (uint32_t i = 0; i < count; i++, (*next)++)
        memcpy(s->bytes + i * sizeof *next, next, sizeof *next);
    struct view bytes = {s->bytes, s->length};
    assert_true(reply_refs_add(&w->all, &to->refs, &s->head, bytes, to->buf.n));
    rc_dec(&w->heap, &s->head);
}

/* The same among numbers in the buffer: one before, one between two strings. */
static void put_held(struct wire *w, uint32_t *next, uint32_t count, uint32_t strings)
{
    struct replies *target = open_outbox(w);
    for (uint32_t i = 0; i < strings; i++) {
        if (i % 3 != 2) {
            proto_buf_append(&target->buf, (const char *)next, sizeof *next);
            (*next)++;
        }
        hold(w, target, next, count);
    }
    outbox_shut(&w->out);
    assert_int_equal(outbox_check(&w->out), 0);
}

/* Puts `count` numbers behind those put before. */
static void put(struct wire *w, uint32_t *next, uint32_t count)
{
    struct proto_buf *target = &open_outbox(w)->buf;
    for (; count; count--, (*next)++) proto_buf_append(target, (const char *)next, sizeof *next);
    outbox_shut(&w->out);
    assert_int_equal(outbox_check(&w->out), 0);
}

static void take(struct wire *w, size_t most)
{
    unsigned char bytes[5000];
    ssize_t n = recv(w->fd, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++, w->got++) {
        uint32_t number = (uint32_t)(w->got / 4);
        if (bytes[i] != ((const unsigned char *)&number)[w->got % 4])
            fail_msg("byte %llu", (unsigned long long)w->got);
    }
}

/* The end of a turn, and what the loop tells then. */
static void turn(struct wire *w)
{
    send_replies(w);
    turn_loop(w);
    assert_int_equal(outbox_check(&w->out), 0);
}

/* Everything that was put, all the numbers below `next`, arrives, and nothing waits then. */
static void take_all(struct wire *w, uint32_t next)
{
    for (int turns = 0; w->got < (uint64_t)next * 4; turns++) {
        assert_in_range(turns, 0, 1000000);
        take(w, 5000);
        turn(w);
    }
    turn(w);
    assert_int_equal(outbox_bytes(&w->out), 0);
    assert_int_equal(outbox_memory(&w->out), 0);
    assert_null(w->out.first);
    assert_int_equal(w->all.count, 0);
}

static void test_outbox_sends_at_the_end_of_a_turn(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put(w, &next, 100);
    put(w, &next, 100);
    take(w, 5000);
    assert_int_equal(w->got, 0);
    assert_int_equal(outbox_bytes(&w->out), 800);
    turn(w);
    take(w, 5000);
    assert_int_equal(w->got, 800);
    assert_int_equal(outbox_bytes(&w->out), 0);
    assert_int_equal(w->put_off, has_ring(w) ? 1 : 0);
    put(w, &next, 0);
    assert_null(w->out.first);
    wire_free(w);
}

/* What is put while the kernel has the first piece goes to another, and leaves behind it. */
static void test_outbox_puts_while_it_writes(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    for (int i = 0; i < 20; i++) {
        put(w, &next, 100);
        send_replies(w);
        assert_int_equal(w->out.writing, has_ring(w));
        put(w, &next, 100);
        assert_true(!has_ring(w) || w->out.first != w->out.last);
        send_replies(w);
        turn_loop(w);
        take(w, 5000);
    }
    take_all(w, next);
    wire_free(w);
}

static void test_outbox_keeps_the_order_behind_a_slow_reader(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    for (int i = 0; i < 3000; i++) {
        put(w, &next, (uint32_t)(i * 7 % 300));
        turn(w);
        if (i % 3) take(w, (size_t)(i % 1500));
    }
    uint64_t waits = outbox_bytes(&w->out);
    assert_in_range(waits, 1, (uint64_t)next * 4);
    assert_in_range(outbox_memory(&w->out), waits, 3 * waits);
    take_all(w, next);
    assert_false(w->out.awaits_socket);
    assert_in_range(w->waits, 1, 3000);
    wire_free(w);
}

static void test_outbox_sends_what_is_held(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put_held(w, &next, 100, 1);
    turn(w);
    put_held(w, &next, 50, 3);
    turn(w);
    assert_int_equal(w->all.count, 0);
    for (int i = 0; i < 600; i++) {
        if (i % 3 == 0)
            put(w, &next, (uint32_t)(i * 7 % 300));
        else
            put_held(w, &next, 1 + (uint32_t)(i * 11 % 500), 1 + (uint32_t)(i % 9));
        turn(w);
        if (i % 3) take(w, (size_t)(i % 5000));
    }
    assert_in_range(w->all.count, 1, 6000);
    assert_in_range(outbox_bytes(&w->out), 1, (uint64_t)next * 4);
    take_all(w, next);
    wire_free(w);
}

/* More pieces than one system call takes. */
static void test_outbox_sends_thousands_of_pieces(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put_held(w, &next, 3, 5000);
    take_all(w, next);
    wire_free(w);
}

/* A socket that has room for everything gets so much in each turn, all the same. */
static void test_outbox_writes_so_much_a_turn(void **state)
{
    struct wire *w = wire_new(state);
    int bytes = 1 << 24;
    if (setsockopt(w->ours, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(w->ours, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    uint32_t next = 0;
    put_held(w, &next, 40000, 2);
    put_held(w, &next, 1000, 600);
    for (int i = 0; i < 100; i++) put(w, &next, 5000);
    uint64_t total = (uint64_t)next * 4, left = outbox_bytes(&w->out);
    assert_int_equal(left, total);
    for (int turns = 0; left; turns++) {
        assert_true(turns < 1000);
        while (w->got < total - left) take(w, 5000);
        send_replies(w);
        uint64_t now = outbox_bytes(&w->out);
        assert_in_range(left - now, 0, OUTBOX_WRITE_BYTES);
        turn_loop(w);
        left = outbox_bytes(&w->out);
    }
    take_all(w, next);
    wire_free(w);
}

/* Replies for which there was no memory: what was written before them leaves. */
static void test_outbox_failed_buffer(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put(w, &next, 10);
    struct replies *r = open_outbox(w);
    assert_null(proto_buf_reserve(&r->buf, SIZE_MAX));
    outbox_shut(&w->out);
    take_all(w, next);
    assert_null(proto_buf_reserve(&open_outbox(w)->buf, SIZE_MAX));
    outbox_shut(&w->out);
    assert_null(w->out.first);
    put(w, &next, 10);
    take_all(w, next);
    wire_free(w);
}

static void test_outbox_without_memory(void **state)
{
    struct wire *w = wire_new(state);
#ifdef HEAPD_DEBUG
    w->mem.fail_at = 1;
    assert_null(outbox_open(&w->out));
    w->mem.fail_at = 1;
    assert_null(outbox_push(&w->out));
    w->mem.fail_at = 0;
    assert_int_equal(outbox_check(&w->out), 0);
#endif
    wire_free(w);
}

static void test_outbox_closed_under_way(void **state)
{
    for (int turns = 0; turns < 3; turns++) {
        struct wire *w = wire_new(state);
        uint32_t next = 0;
        put(w, &next, 100000);
        put(w, &next, 100000);
        put_held(w, &next, 1000, 5);
        for (int i = 0; i < turns; i++) turn(w);
        assert_int_equal(w->all.count, 5);
        wire_free(w);
        w = wire_new(state);
        next = 0;
        put(w, &next, 100); /* short enough to be put off */
        if (turns) send_replies(w);
        wire_free(w);
    }
}

#define BOTH(test)                                                                                 \
    {#test, test, NULL, NULL, NULL},                                                               \
    {                                                                                              \
#test " by a ring", test, NULL, NULL, &with_ring                                           \
    }

int main(void)
{
    static bool with_ring;
    const struct CMUnitTest tests[] = {
        BOTH(test_outbox_sends_at_the_end_of_a_turn),
        BOTH(test_outbox_puts_while_it_writes),
        BOTH(test_outbox_keeps_the_order_behind_a_slow_reader),
        BOTH(test_outbox_sends_what_is_held),
        BOTH(test_outbox_sends_thousands_of_pieces),
        BOTH(test_outbox_writes_so_much_a_turn),
        BOTH(test_outbox_failed_buffer),
        BOTH(test_outbox_without_memory),
        BOTH(test_outbox_closed_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
