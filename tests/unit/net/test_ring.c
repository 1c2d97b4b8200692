/*
 * The ring: what is asked is done and told of once, in order where there is one, and the buffers
 * come back; it waits as a loop's poll would.
 *
 * Method: socket pairs whose other ends the test reads and writes itself. Where the system has no
 * io_uring there is nothing to try, and every test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/inbox.h"
#include "net/ring.h"

enum { EAGER = 900, OPS_MAX = EAGER };

static_assert(OPS_MAX > 3 * RING_OPS, "they are handed over in parts");

/* Something asked for, and what was told of it. */
struct ask {
    union {
        struct ring_op op;
        struct ring_send send;
        struct ring_receive receive;
    };
    int told, result;
    uint32_t order; /* among all that were told of */
    bool buffer;
    char first, last; /* bytes received */
};

struct rig {
    struct mem mem;
    uv_loop_t loop;
    struct ring *ring;
    /* Closed with the rig, so they live as long. */
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_async_t async;
    int ours, theirs;
    uint32_t told;
    struct ask asks[OPS_MAX];
};

static struct rig *rig;
static bool asked_gap;

static void on_done(struct ring_op *op, int result, char *buffer)
{
    struct ask *a = (struct ask *)op;
    a->told++;
    a->result = result;
    a->order = ++rig->told;
    a->buffer = buffer != NULL;
    if (!buffer || result <= 0) return;
    a->first = buffer[0];
    a->last = buffer[result - 1];
    memset(buffer - INBOX_FRONT_BYTES, 'f', INBOX_FRONT_BYTES); /* which may be written to */
}

static struct ring_op *op_of(int i)
{
    return &rig->asks[i].op;
}

static bool rig_new(void)
{
    rig = test_calloc(1, sizeof *rig);
    mem_init(&rig->mem);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    rig->ours = ends[0];
    rig->theirs = ends[1];
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    for (int i = 0; i < OPS_MAX; i++) rig->asks[i].op.done = on_done;
    int error = ring_new(&rig->ring, &rig->mem, &rig->loop);
    if (!error) return true;
    print_message("no io_uring: %s\n", uv_strerror(error));
    assert_null(rig->ring);
    return false;
}

static void rig_free(void)
{
    if (rig->ring) ring_close(rig->ring);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    if (rig->ring) ring_free(rig->ring);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    assert_int_equal(rig->mem.bytes, 0);
    mem_fini(&rig->mem);
    close(rig->ours);
    close(rig->theirs);
    test_free(rig);
}

static void receive(int i, int fd, char *p, size_t n)
{
    ring_receive(rig->ring, &rig->asks[i].receive, fd, p, n);
}

static int64_t gap_of(void *gap_ns)
{
    asked_gap = true;
    return *(int64_t *)gap_ns;
}

static void turn_with(ring_gap *gap, void *self)
{
    struct ring_hooks hooks = {.gap = gap, .gap_self = self};
    ring_turn(rig->ring, &hooks);
}

/* A turn that does not wait. */
static void turn(void)
{
    ring_hurry(rig->ring);
    turn_with(NULL, NULL);
}

static void say(const char *text)
{
    assert_int_equal(write(rig->theirs, text, strlen(text)), strlen(text));
}

static void on_timer(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* A timer, so that a poll of the loop would wait; and the loop's own descriptors are watched. */
static void make_wait(bool *rung)
{
    uv_timer_init(&rig->loop, &rig->timer);
    rig->timer.data = rung;
    uv_timer_start(&rig->timer, on_timer, 10000, 0);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static void test_ring_receives_into_a_buffer(void **state)
{
    (void)state;
    if (rig_new()) {
        receive(0, rig->ours, NULL, 0);
        turn();
        assert_int_equal(rig->told, 0);
        say("hello");
        turn();
        assert_int_equal(rig->asks[0].told, 1);
        assert_int_equal(rig->asks[0].result, 5);
        assert_true(rig->asks[0].buffer);
        assert_int_equal(rig->asks[0].first, 'h');
        assert_int_equal(rig->asks[0].last, 'o');
        say("more");
        receive(1, rig->ours, NULL, 3);
        turn();
        assert_int_equal(rig->asks[1].result, 3);
        char own[8];
        receive(2, rig->ours, own, sizeof own);
        turn();
        assert_int_equal(rig->asks[2].result, 1);
        assert_false(rig->asks[2].buffer);
        assert_int_equal(own[0], 'e');
        shutdown(rig->theirs, SHUT_WR);
        receive(3, rig->ours, NULL, 0);
        turn();
        assert_int_equal(rig->asks[3].told, 1);
        assert_int_equal(rig->asks[3].result, 0);
    }
    rig_free();
}

/* More get something at once than there are buffers: some are told so, and more go round then, up
 * to all; after many times as many they are still there. */
static void test_ring_lends_to_so_many(void **state)
{
    (void)state;
    enum { PAIRS = RING_BUFFERS + 10, ROUNDS = 20 };
    bool rung = false;
    if (rig_new()) {
        int ends[PAIRS][2];
        make_wait(&rung);
        for (int i = 0; i < PAIRS; i++)
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < PAIRS; i++) {
                rig->asks[i].told = 0;
                receive(i, ends[i][0], NULL, 0);
            }
            turn();
            for (int i = 0; i < PAIRS; i++) assert_int_equal(write(ends[i][1], "x", 1), 1);
            int64_t gap_ns = 1000000; /* without one the kernel does some twenty at once */
            turn_with(gap_of, &gap_ns);
            turn();
            int got = 0, none = 0;
            for (int i = 0; i < PAIRS; i++) {
                assert_int_equal(rig->asks[i].told, 1);
                got += rig->asks[i].result == 1;
                none += rig->asks[i].result == -ENOBUFS;
                char byte;
                if (rig->asks[i].result < 0) assert_int_equal(read(ends[i][0], &byte, 1), 1);
            }
            assert_int_equal(none, PAIRS - got);
            assert_true(round == 0 ? none > 0 : got >= RING_BUFFERS);
        }
        uv_close((uv_handle_t *)&rig->timer, NULL);
        for (int i = 0; i < PAIRS; i++) close(ends[i][0]), close(ends[i][1]);
    }
    rig_free();
}

static int eager_ends[EAGER][2];
static uint32_t eager_served[EAGER];

/* Asks again, and has the next byte already. */
static void on_done_again(struct ring_op *op, int result, char *buffer)
{
    int i = (int)((struct ask *)op - rig->asks);
    on_done(op, result, buffer);
    if (result > 0) {
        eager_served[i]++;
        assert_int_equal(write(eager_ends[i][1], "x", 1), 1);
    }
    receive(i, eager_ends[i][0], NULL, 0);
}

/* As many as the system lets one have: false, and says so, where they are not enough. */
static bool descriptors_suffice(rlim_t count)
{
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < count)
        print_message("only %lu descriptors\n", (unsigned long)files.rlim_cur);
    return files.rlim_cur >= count;
}

/* Many that always have something, several times as many as there are buffers: nobody is served
 * twice as often as another, though whoever finds no buffer once may find none again at the same
 * place of the next turn. */
static void test_ring_serves_everybody(void **state)
{
    (void)state;
    if (rig_new() && descriptors_suffice(2 * EAGER + 100)) {
        uint32_t least = UINT32_MAX, most = 0;
        for (int i = 0; i < EAGER; i++) {
            eager_served[i] = 0;
            rig->asks[i].op.done = on_done_again;
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, eager_ends[i]), 0);
            assert_int_equal(write(eager_ends[i][1], "x", 1), 1);
            receive(i, eager_ends[i][0], NULL, 0);
        }
        for (int turns = 0; turns < 400; turns++) turn();
        for (int i = 0; i < EAGER; i++) {
            least = eager_served[i] < least ? eager_served[i] : least;
            most = eager_served[i] > most ? eager_served[i] : most;
            close(eager_ends[i][0]);
            close(eager_ends[i][1]);
        }
        assert_true(least > 20);
        assert_in_range(most, least, 2 * least);
    }
    rig_free();
}

static void test_ring_sends_what_there_is_room_for(void **state)
{
    (void)state;
    if (rig_new()) {
        static char bytes[1 << 20];
        int small = 4096;
        setsockopt(rig->ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        ring_send(rig->ring, &rig->asks[0].send, rig->ours, bytes, 100);
        ring_send(rig->ring, &rig->asks[1].send, rig->ours, bytes, sizeof bytes);
        ring_send(rig->ring, &rig->asks[2].send, rig->ours, bytes, 100);
        assert_int_equal(rig->told, 0);
        ring_submit(rig->ring);
        assert_int_equal(rig->told, 0); /* nobody is told of anything */
        ring_flush(rig->ring);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(rig->asks[i].told, 1);
            assert_int_equal(rig->asks[i].order, i + 1);
        }
        assert_int_equal(rig->asks[0].result, 100);
        assert_in_range(rig->asks[1].result, 1, sizeof bytes - 1);
        assert_int_equal(rig->asks[2].result, -EAGAIN);
        ssize_t got = 0, n;
        while ((n = recv(rig->theirs, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) got += n;
        assert_int_equal(got, 100 + rig->asks[1].result);
        turn(); /* what failed is not told of twice */
        assert_int_equal(rig->told, 3);
        /* nor of whoever sends with the same next */
        ring_send(rig->ring, &rig->asks[1].send, rig->ours, bytes, sizeof bytes);
        ring_flush(rig->ring);
        assert_in_range(rig->asks[1].result, 1, sizeof bytes - 1);
        while (recv(rig->theirs, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
        ring_send(rig->ring, &rig->asks[1].send, rig->ours, bytes, 100);
        turn();
        assert_int_equal(rig->asks[1].result, 100);
        close(rig->theirs);
        ring_send(rig->ring, &rig->asks[3].send, rig->ours, bytes, 100);
        turn();
        assert_int_equal(rig->asks[3].result, -EPIPE);
        rig->theirs = -1;
    }
    rig_free();
}

static char letters[100];

/* So many sends that some are handed over before whoever asks for them returns. */
static void on_done_sends(struct ring_op *op, int result, char *buffer)
{
    on_done(op, result, buffer);
    for (int i = 1; i < 2 * RING_OPS; i++)
        ring_send(rig->ring, &rig->asks[i].send, rig->ours, letters, sizeof letters);
}

static void test_ring_sends_from_what_is_told(void **state)
{
    (void)state;
    if (rig_new()) {
        int sent = 0;
        while (send(rig->ours, letters, sizeof letters, MSG_DONTWAIT) > 0) sent++;
        assert_true(sent > 0);
        rig->asks[0].op.done = on_done_sends;
        ring_later(rig->ring, op_of(0));
        turn();
        turn();
        for (int i = 1; i < 2 * RING_OPS; i++) {
            assert_int_equal(rig->asks[i].told, 1);
            assert_int_equal(rig->asks[i].result, -EAGAIN);
        }
    }
    rig_free();
}

/* Sends are told of before what came in the meantime: their buffers are free for the answers. */
static void test_ring_tells_of_sends_first(void **state)
{
    (void)state;
    if (rig_new()) {
        receive(0, rig->ours, NULL, 0);
        ring_later(rig->ring, op_of(1));
        ring_send(rig->ring, &rig->asks[2].send, rig->ours, "abc", 3);
        say("x");
        turn();
        assert_int_equal(rig->told, 3);
        assert_int_equal(rig->asks[2].order, 1);
    }
    rig_free();
}

static void test_ring_waits_for_room(void **state)
{
    (void)state;
    if (rig_new()) {
        static char bytes[1 << 20];
        ring_send(rig->ring, &rig->asks[0].send, rig->ours, bytes, sizeof bytes);
        turn();
        assert_in_range(rig->asks[0].result, 1, sizeof bytes - 1);
        ring_writable(rig->ring, op_of(1), rig->ours);
        turn();
        assert_int_equal(rig->asks[1].told, 0);
        while (recv(rig->theirs, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
        turn();
        assert_int_equal(rig->asks[1].told, 1);
        assert_true(rig->asks[1].result > 0);
    }
    rig_free();
}

static void test_ring_cancels(void **state)
{
    (void)state;
    if (rig_new()) {
        receive(0, rig->ours, NULL, 0);
        turn();
        ring_cancel_receive(rig->ring, &rig->asks[0].receive);
        char own[8];
        receive(1, rig->ours, own, sizeof own);
        ring_cancel_receive(rig->ring, &rig->asks[1].receive); /* before it was even handed over */
        ring_cancel(rig->ring, op_of(2));                      /* of nothing */
        turn();
        turn();
        assert_int_equal(rig->told, 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(rig->asks[i].told, 1);
            assert_int_equal(rig->asks[i].result, -ECANCELED);
        }
    }
    rig_free();
}

/* More than there are entries: some are handed over before the turn. */
static void test_ring_takes_any_number(void **state)
{
    (void)state;
    if (rig_new()) {
        for (int i = 0; i < OPS_MAX; i++) ring_later(rig->ring, op_of(i));
        turn();
        for (int i = 0; i < OPS_MAX; i++) assert_int_equal(rig->asks[i].told, 1);
    }
    rig_free();
}

static void on_told(uv_async_t *async)
{
    *(bool *)async->data = true;
}

static void tell_later(void *arg)
{
    usleep(20000);
    uv_async_send(arg);
}

/* A turn of the loop as net.c makes it: the ring in the prepare phase. */
static void on_prepare(uv_prepare_t *prepare)
{
    (void)prepare;
    turn_with(NULL, NULL);
}

/* The loop's timers and descriptors end the ring's wait, and the loop's own poll does not wait. */
static void test_ring_waits_for_the_loop(void **state)
{
    (void)state;
    if (rig_new()) {
        bool rung = false, told = false;
        uv_prepare_init(&rig->loop, &rig->prepare);
        uv_timer_init(&rig->loop, &rig->timer);
        uv_async_init(&rig->loop, &rig->async, on_told);
        rig->timer.data = &rung;
        rig->async.data = &told;
        uv_prepare_start(&rig->prepare, on_prepare);
        uv_timer_start(&rig->timer, on_timer, 30, 0);
        int64_t began_ns = clock_system_ns(CLOCK_MONOTONIC);
        for (int turns = 0; !rung; turns++) {
            assert_in_range(turns, 0, 20); /* it does not spin */
            uv_run(&rig->loop, UV_RUN_ONCE);
        }
        assert_in_range(clock_system_ns(CLOCK_MONOTONIC) - began_ns, 25000000, 5000000000);
        uv_thread_t thread;
        uv_thread_create(&thread, tell_later, &rig->async);
        for (int turns = 0; !told; turns++) {
            assert_in_range(turns, 0, 20);
            uv_run(&rig->loop, UV_RUN_ONCE);
        }
        uv_thread_join(&thread);
        receive(0, rig->ours, NULL, 0);
        say("x");
        while (!rig->asks[0].told) uv_run(&rig->loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&rig->prepare, NULL);
        uv_close((uv_handle_t *)&rig->timer, NULL);
        uv_close((uv_handle_t *)&rig->async, NULL);
    }
    rig_free();
}

/* With a gap it lets that time pass, though something is there at once; but not if something was
 * told of already, when only the first of many were asked for. */
static void test_ring_lets_a_gap_pass(void **state)
{
    (void)state;
    if (rig_new()) {
        bool rung = false;
        make_wait(&rung);
        receive(0, rig->ours, NULL, 0);
        say("x");
        int64_t began_ns = clock_system_ns(CLOCK_MONOTONIC);
        int64_t gap_ns = 20000000;
        turn_with(gap_of, &gap_ns);
        assert_in_range(clock_system_ns(CLOCK_MONOTONIC) - began_ns, 19000000, 5000000000);
        assert_int_equal(rig->asks[0].told, 1);
        /* A turn that does not wait does not ask for one. */
        for (int i = 1; i < RING_BUFFERS; i++) receive(i, rig->ours, NULL, 0);
        say("x");
        asked_gap = false;
        turn_with(gap_of, &gap_ns);
        assert_int_equal(rig->told, 2);
        assert_false(asked_gap);
        uv_close((uv_handle_t *)&rig->timer, NULL);
    }
    rig_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_receives_into_a_buffer),
        cmocka_unit_test(test_ring_lends_to_so_many),
        cmocka_unit_test(test_ring_serves_everybody),
        cmocka_unit_test(test_ring_sends_what_there_is_room_for),
        cmocka_unit_test(test_ring_sends_from_what_is_told),
        cmocka_unit_test(test_ring_tells_of_sends_first),
        cmocka_unit_test(test_ring_waits_for_room),
        cmocka_unit_test(test_ring_cancels),
        cmocka_unit_test(test_ring_takes_any_number),
        cmocka_unit_test(test_ring_waits_for_the_loop),
        cmocka_unit_test(test_ring_lets_a_gap_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
