/*
 * The outbox: replies leave whole and in order, at once or by libuv.
 *
 * Method: a stream over one end of a socket pair, read slowly at the other end.
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
#include "value/state.h"
#include "value/str.h"

struct wire {
    uv_loop_t loop;
    uv_pipe_t pipe;
    int fd; /* the reader's end */
    struct outbox out;
    struct replies shared;
    struct mem mem;
    struct heap heap;
    struct value_state values;
    struct held_all all;
    int landings;
    uint64_t got; /* bytes read so far, as numbers in sequence */
};

static void on_written(uv_write_t *request, int status)
{
    struct wire *w = request->data;
    w->landings++;
    outbox_landed(&w->out, status != 0);
}

static struct wire *wire_new(void)
{
    struct wire *w = test_calloc(1, sizeof *w);
    int ends[2], bytes = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_pipe_init(&w->loop, &w->pipe, 0);
    assert_int_equal(uv_pipe_open(&w->pipe, ends[0]), 0);
    w->fd = ends[1];
    mem_init(&w->mem);
    assert_int_equal(heap_init(&w->heap, &w->mem, 1), STATUS_OK);
    value_init(&w->heap, &w->values);
    held_init(&w->all, &w->heap);
    outbox_init(&w->out, (struct outlet){.all = &w->all});
    w->out.request.data = w;
    replies_init(&w->shared);
    return w;
}

static void wire_free(struct wire *w)
{
    uv_close((uv_handle_t *)&w->pipe, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    outbox_fini(&w->out);
    replies_fini(&w->shared, &w->out.outlet);
    assert_int_equal(w->all.count, 0);
    assert_int_equal(heap_objects(&w->heap), 0);
    heap_fini(&w->heap);
    mem_fini(&w->mem);
    close(w->fd);
    test_free(w);
}

/* Puts `count` numbers behind those put before as a string that only the replies hold. */
static void hold(struct wire *w, struct replies *to, uint32_t *next, uint32_t count)
{
    struct str *s = str_new(&w->heap, count * sizeof *next);
    assert_non_null(s);
    for (uint32_t i = 0; i < count; i++, (*next)++)
        memcpy(s->bytes + i * sizeof *next, next, sizeof *next);
    struct view bytes = {s->bytes, s->length};
    assert_true(held_add(&w->all, &to->held, &s->head, bytes, to->buf.n));
    rc_dec(&w->heap, &s->head);
}

/* The same among numbers in the buffer: one before, one between two strings, and sends. */
static void put_held(struct wire *w, uint32_t *next, uint32_t count, uint32_t strings)
{
    struct replies *target = outbox_target(&w->out, &w->shared);
    for (uint32_t i = 0; i < strings; i++) {
        if (i % 3 != 2) {
            proto_buf_append(&target->buf, (const char *)next, sizeof *next);
            (*next)++;
        }
        hold(w, target, next, count);
    }
    assert_int_equal(outbox_send(&w->out, (uv_stream_t *)&w->pipe, &w->shared, on_written), 0);
    assert_int_equal(outbox_check(&w->out), 0);
    assert_int_equal(replies_bytes(&w->shared), 0);
}

/* Puts `count` numbers behind those put before, and sends. */
static void put(struct wire *w, uint32_t *next, uint32_t count)
{
    struct proto_buf *target = &outbox_target(&w->out, &w->shared)->buf;
    for (; count; count--, (*next)++) proto_buf_append(target, (const char *)next, sizeof *next);
    assert_int_equal(outbox_send(&w->out, (uv_stream_t *)&w->pipe, &w->shared, on_written), 0);
    assert_int_equal(outbox_check(&w->out), 0);
    assert_int_equal(w->shared.buf.n, 0);
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
    uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_int_equal(outbox_resend(&w->out, (uv_stream_t *)&w->pipe, on_written), 0);
}

static void test_outbox_sends_at_once(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    uint32_t next = 0;
    put(w, &next, 100);
    assert_int_equal(outbox_bytes(&w->out), 0);
    take(w, 5000);
    assert_int_equal(w->got, 400);
    put(w, &next, 0);
    wire_free(w);
}

static void test_outbox_keeps_the_order_behind_a_slow_reader(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    uint32_t next = 0;
    for (int i = 0; i < 3000; i++) {
        put(w, &next, (uint32_t)(i * 7 % 300));
        turn(w);
        if (i % 3) take(w, (size_t)(i % 1500));
    }
    assert_in_range(outbox_bytes(&w->out), 1, (uint64_t)next * 4);
    while (w->got < (uint64_t)next * 4) {
        take(w, 5000);
        turn(w);
        assert_int_equal(outbox_check(&w->out), 0);
    }
    turn(w);
    assert_int_equal(outbox_bytes(&w->out), 0);
    assert_false(w->out.under_way);
    assert_in_range(w->landings, 1, 3000);
    wire_free(w);
}

static void test_outbox_sends_what_is_held(void **state)
{
    (void)state;
    struct wire *w = wire_new();
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
    assert_in_range(outbox_bytes(&w->out), 1, (uint64_t)next * 4);
    while (w->got < (uint64_t)next * 4) {
        take(w, 5000);
        turn(w);
        assert_int_equal(outbox_check(&w->out), 0);
    }
    turn(w);
    assert_int_equal(outbox_bytes(&w->out), 0);
    assert_int_equal(w->all.count, 0);
    wire_free(w);
}

/* More pieces than one system call takes. */
static void test_outbox_sends_thousands_of_pieces(void **state)
{
    (void)state;
    struct wire *w = wire_new();
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
    (void)state;
    struct wire *w = wire_new();
    int bytes = 1 << 24;
    if (setsockopt(w->pipe.io_watcher.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(w->pipe.io_watcher.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    uint32_t next = 0;
    put_held(w, &next, 40000, 2);
    put_held(w, &next, 1000, 600);
    uint64_t total = (uint64_t)next * 4, left = outbox_bytes(&w->out);
    assert_true(left >= total - OUTBOX_WRITE_BYTES);
    for (int turns = 0; left; turns++) {
        assert_true(turns < 1000);
        while (w->got < total - left) take(w, 5000);
        turn(w);
        uint64_t now = outbox_bytes(&w->out);
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
    (void)state;
    struct wire *w = wire_new();
    uint32_t next = 0;
    hold(w, &w->shared, &next, 10);
    assert_int_equal(w->all.count, 1);
    assert_int_equal(outbox_send(&w->out, (uv_stream_t *)&w->pipe, &w->shared, on_written), 0);
    assert_int_equal(w->all.count, 0);
    assert_false(outbox_is_busy(&w->out));
    wire_free(w);
}

static void test_outbox_closed_under_way(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    uint32_t next = 0;
    put(w, &next, 100000);
    put(w, &next, 100000);
    assert_in_range(outbox_bytes(&w->out), 400001, 800000);
    put_held(w, &next, 1000, 5);
    assert_int_equal(w->all.count, 5);
    wire_free(w);
    w = wire_new();
    put_held(w, &next, 100000, 2);
    put_held(w, &next, 100000, 2);
    assert_int_equal(w->all.count, 4);
    wire_free(w);
}

static void test_outbox_failed_buffer_starts_afresh(void **state)
{
    (void)state;
    struct wire *w = wire_new();
    assert_null(proto_buf_reserve(&w->shared.buf, SIZE_MAX));
    uint32_t next = 0;
    put(w, &next, 0);
    assert_false(w->shared.buf.failed);
    put(w, &next, 10);
    take(w, 5000);
    assert_int_equal(w->got, 40);
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbox_sends_at_once),
        cmocka_unit_test(test_outbox_keeps_the_order_behind_a_slow_reader),
        cmocka_unit_test(test_outbox_sends_what_is_held),
        cmocka_unit_test(test_outbox_sends_thousands_of_pieces),
        cmocka_unit_test(test_outbox_writes_a_share_a_turn),
        cmocka_unit_test(test_outbox_failed_buffer_lets_go),
        cmocka_unit_test(test_outbox_closed_under_way),
        cmocka_unit_test(test_outbox_failed_buffer_starts_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
