/*
 * The outbox: replies leave whole and in order, at once, later, or with those of others.
 *
 * Method: a stream over one end of a socket pair, read slowly at the other end; every test runs
 * with libuv's streams, and with a ring's where the system has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sends.h"
#include "value/state.h"
#include "value/str.h"

struct wire {
    uv_loop_t loop;
    struct stream_place place;
    struct stream stream;
    int ours, fd; /* the writer's end, and the reader's */
    bool later;   /* what is put leaves with others' where it may */
    bool closed;
    struct outbox out;
    struct sends sends;
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct reply_refs_all all;
    int landings, sent;
    uint64_t got; /* bytes read so far, as numbers in sequence */
};

static struct wire *wire_of(struct stream *s)
{
    return (struct wire *)((char *)s - offsetof(struct wire, stream));
}

static void on_wrote(struct stream *s, int status)
{
    struct wire *w = wire_of(s);
    w->landings++;
    outbox_landed(&w->out, status != 0);
}

static void on_sent(struct stream *s, struct replies *shared, int result)
{
    struct wire *w = wire_of(s);
    w->sent++;
    assert_int_equal(outbox_sent(&w->out, s, shared, result), 0);
    assert_int_equal(outbox_check(&w->out), 0);
}

static void on_closed(struct stream *s)
{
    wire_of(s)->closed = true;
}

static const struct stream_user USER = {.wrote = on_wrote, .sent = on_sent, .closed = on_closed};

/* state: whether with a ring. */
static struct wire *wire_new(void **state)
{
    struct wire *w = test_calloc(1, sizeof *w);
    int ends[2], bytes = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    mem_init(&w->mem);
    int error;
    assert_int_equal(stream_place_init(&w->place, &w->mem, &w->loop, *state != NULL, &error),
                     STATUS_OK);
    if (error) print_message("no io_uring: %s\n", uv_strerror(error));
    assert_int_equal(stream_open(&w->stream, &USER, &w->place, ends[0]), 0);
    w->ours = ends[0];
    w->fd = ends[1];
    assert_int_equal(heap_init(&w->heap, &w->mem, &w->clock, &(struct hash_seed){{1}}), STATUS_OK);
    value_init(&w->heap, &w->values);
    reply_refs_init(&w->all, &w->heap);
    outbox_init(&w->out, &w->all);
    sends_init(&w->sends, w->place.ring);
    return w;
}

static void turn_loop(struct wire *w)
{
    if (w->place.ring) ring_hurry(w->place.ring), ring_turn(w->place.ring, NULL, NULL);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_int_equal(sends_check(&w->sends), 0);
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
    sends_fini(&w->sends, &w->all);
    stream_place_fini(&w->place);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    assert_int_equal(w->all.count, 0);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    assert_int_equal(w->mem.bytes, 0);
    mem_fini(&w->mem);
    close(w->fd);
    test_free(w);
}

static struct replies *shared_of(struct wire *w)
{
    return sends_at_hand(&w->sends);
}

/* As a connection does it. */
static void send_replies(struct wire *w)
{
    if (w->later && !outbox_is_busy(&w->out) && sends_later(&w->sends, &w->stream))
        outbox_send_later(&w->out);
    else
        assert_int_equal(outbox_send(&w->out, &w->stream, shared_of(w)), 0);
    assert_int_equal(outbox_check(&w->out), 0);
    assert_int_equal(sends_check(&w->sends), 0);
    assert_int_equal(replies_bytes(shared_of(w)), 0);
}

/* Puts `count` numbers behind those put before as a string that only the replies hold. */
static void hold(struct wire *w, struct replies *to, uint32_t *next, uint32_t count)
{
    struct str *s = str_new(&w->heap, count * sizeof *next);
    assert_non_null(s);
    for (uint32_t i = 0; i < count; i++, (*next)++)
        memcpy(s->bytes + i * sizeof *next, next, sizeof *next);
    struct view bytes = {s->bytes, s->length};
    assert_true(reply_refs_add(&w->all, &to->held, &s->head, bytes, to->buf.n));
    rc_dec(&w->heap, &s->head);
}

/* The same among numbers in the buffer: one before, one between two strings, and sends. */
static void put_held(struct wire *w, uint32_t *next, uint32_t count, uint32_t strings)
{
    struct replies *target = outbox_target(&w->out, shared_of(w));
    for (uint32_t i = 0; i < strings; i++) {
        if (i % 3 != 2) {
            proto_buf_append(&target->buf, (const char *)next, sizeof *next);
            (*next)++;
        }
        hold(w, target, next, count);
    }
    send_replies(w);
}

/* Puts `count` numbers behind those put before, and sends. */
static void put(struct wire *w, uint32_t *next, uint32_t count)
{
    struct proto_buf *target = &outbox_target(&w->out, shared_of(w))->buf;
    for (; count; count--, (*next)++) proto_buf_append(target, (const char *)next, sizeof *next);
    send_replies(w);
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

/* A turn of the loop, and of the connection. */
static void turn(struct wire *w)
{
    turn_loop(w);
    assert_int_equal(outbox_resend(&w->out, &w->stream), 0);
}

/* Everything that was put, all the numbers below `next`, arrives, and nothing waits then. */
static void take_all(struct wire *w, uint32_t next)
{
    while (w->got < (uint64_t)next * 4) {
        take(w, 5000);
        turn(w);
        assert_int_equal(outbox_check(&w->out), 0);
    }
    turn(w);
    assert_int_equal(outbox_bytes(&w->out, &w->stream), 0);
}

static void test_outbox_sends_at_once(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put(w, &next, 100);
    assert_int_equal(outbox_bytes(&w->out, &w->stream), 0);
    take(w, 5000);
    assert_int_equal(w->got, 400);
    put(w, &next, 0);
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
    assert_in_range(outbox_bytes(&w->out, &w->stream), 1, (uint64_t)next * 4);
    take_all(w, next);
    assert_false(w->out.under_way);
    assert_in_range(w->landings, 1, 3000);
    wire_free(w);
}

static void test_outbox_sends_what_is_held(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put_held(w, &next, 100, 1);
    put_held(w, &next, 50, 3);
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
    assert_in_range(outbox_bytes(&w->out, &w->stream), 1, (uint64_t)next * 4);
    take_all(w, next);
    assert_int_equal(w->all.count, 0);
    wire_free(w);
}

/* More pieces than one system call takes. */
static void test_outbox_sends_thousands_of_pieces(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put_held(w, &next, 3, 5000);
    while (w->got < (uint64_t)next * 4) {
        take(w, 5000);
        turn(w);
    }
    assert_int_equal(w->all.count, 0);
    wire_free(w);
}

/* A socket that has room for everything gets a write's share in each turn, all the same. */
static void test_outbox_writes_a_share_a_turn(void **state)
{
    struct wire *w = wire_new(state);
    int bytes = 1 << 24;
    if (setsockopt(w->ours, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(w->ours, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    uint32_t next = 0;
    put_held(w, &next, 40000, 2);
    put_held(w, &next, 1000, 600);
    uint64_t total = (uint64_t)next * 4, left = outbox_bytes(&w->out, &w->stream);
    assert_true(left >= total - OUTBOX_WRITE_BYTES);
    for (int turns = 0; left; turns++) {
        assert_true(turns < 1000);
        while (w->got < total - left) take(w, 5000);
        turn(w);
        uint64_t now = outbox_bytes(&w->out, &w->stream);
        /* One of libuv's, when there was room again, and the next. */
        assert_in_range(left - now, 0, 2 * OUTBOX_WRITE_BYTES);
        assert_int_equal(outbox_check(&w->out), 0);
        left = now;
    }
    while (w->got < total) take(w, 5000);
    turn(w);
    assert_false(w->out.under_way);
    assert_int_equal(w->all.count, 0);
    wire_free(w);
}

/* Replies for which there was no memory: what was held for them is let go all the same. */
static void test_outbox_failed_buffer_lets_go(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    hold(w, shared_of(w), &next, 10);
    assert_int_equal(w->all.count, 1);
    assert_int_equal(outbox_send(&w->out, &w->stream, shared_of(w)), 0);
    assert_int_equal(w->all.count, 0);
    assert_false(outbox_is_busy(&w->out));
    wire_free(w);
}

static void test_outbox_closed_under_way(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    put(w, &next, 100000);
    put(w, &next, 100000);
    assert_in_range(outbox_bytes(&w->out, &w->stream), 400001, 800000);
    put_held(w, &next, 1000, 5);
    assert_int_equal(w->all.count, 5);
    wire_free(w);
    w = wire_new(state);
    put_held(w, &next, 100000, 2);
    put_held(w, &next, 100000, 2);
    assert_int_equal(w->all.count, 4);
    wire_free(w);
}

static void test_outbox_failed_buffer_starts_afresh(void **state)
{
    struct wire *w = wire_new(state);
    assert_null(proto_buf_reserve(&shared_of(w)->buf, SIZE_MAX));
    uint32_t next = 0;
    put(w, &next, 0);
    assert_false(shared_of(w)->buf.failed);
    put(w, &next, 10);
    take(w, 5000);
    assert_int_equal(w->got, 40);
    wire_free(w);
}

/* Replies that leave with the turn: nothing before it, then everything, in order. */
static void test_outbox_sends_later(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    w->later = true;
    put(w, &next, 100);
    take(w, 5000);
    assert_int_equal(w->got, w->place.ring ? 0 : 400);
    put(w, &next, 100); /* behind what is being sent */
    turn(w);
    take(w, 5000);
    assert_int_equal(w->got, 800);
    assert_int_equal(w->sent, w->place.ring ? 1 : 0);
    wire_free(w);
}

static void test_outbox_sends_later_to_a_slow_reader(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    w->later = true;
    for (int i = 0; i < 5000; i++) {
        put(w, &next, (uint32_t)(i * 7 % 90) * (i % 100 == 99 ? 50 : 1));
        if (i % 50 == 0) put_held(w, &next, 1 + (uint32_t)(i % 500), 2);
        if (i % 3) turn(w);
        for (int takes = i % 1000 > 300 ? 4 : 0; takes; takes--) {
            take(w, (size_t)(i % 5000));
            turn(w);
        }
    }
    take_all(w, next);
    if (w->place.ring) assert_in_range(w->sent, 100, 5000);
    assert_int_equal(w->all.count, 0);
    wire_free(w);
}

static void test_outbox_closed_before_it_sends(void **state)
{
    struct wire *w = wire_new(state);
    uint32_t next = 0;
    w->later = true;
    put(w, &next, 100);
    put(w, &next, 100);
    wire_free(w);
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
        BOTH(test_outbox_sends_at_once),
        BOTH(test_outbox_keeps_the_order_behind_a_slow_reader),
        BOTH(test_outbox_sends_what_is_held),
        BOTH(test_outbox_sends_thousands_of_pieces),
        BOTH(test_outbox_writes_a_share_a_turn),
        BOTH(test_outbox_failed_buffer_lets_go),
        BOTH(test_outbox_closed_under_way),
        BOTH(test_outbox_failed_buffer_starts_afresh),
        BOTH(test_outbox_sends_later),
        BOTH(test_outbox_sends_later_to_a_slow_reader),
        BOTH(test_outbox_closed_before_it_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
