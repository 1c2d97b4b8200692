#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/stream_ring.h"
#include "value/adopted_args.h"
#include "value/str.h"
#include "world.h"

bool world_without_ring;

static struct world *the_world;

/* --- a command floor of a few words --------------------------------------------------------------
 */

/* Makes values of texts of one letter each; how many are the texts themselves. */
static int keep(struct heap *h, const struct view *texts, uint32_t count)
{
    int same = 0;
    for (uint32_t i = 0; i < count; i++) {
        val v;
        if (val_of_text(h, texts[i], &v)) return -1;
        char scratch[VAL_TEXT_CHARS];
        struct view text = val_text(&v, scratch);
        for (size_t k = 1; k < text.n; k++) assert_int_equal(text.p[k], text.p[0]);
        same += text.p == texts[i].p;
        if (text.p == texts[i].p) assert_int_equal(val_obj(v)->count, 2);
        val_release(h, v);
    }
    return same;
}

static void put_bulk(struct proto_buf *out, size_t n)
{
    proto_put_bulk_begin(out, n);
    char *p = proto_buf_reserve(out, n);
    if (!p) return;
    memset(p, 'x', n);
    out->n += n;
    proto_put_bulk_end(out);
}

static void hold_bulk(struct engine *engine, struct reply_to to, size_t n)
{
    struct str *s = str_new(&engine->heap, n);
    assert_non_null(s);
    memset(s->bytes, 'x', n);
    proto_put_bulk_begin(to.buf, n);
    assert_true(reply_refs_add(&engine->reply_refs, to.refs, &s->head, (struct view){s->bytes, n},
                               to.buf->n));
    proto_put_bulk_end(to.buf);
    rc_dec(&engine->heap, &s->head);
}

void prefetch_requests(const struct engine *s, struct request *requests, uint32_t count)
{
    assert_ptr_equal(s, &the_world->engine);
    for (uint32_t i = 0; i < count; i++) assert_true(requests[i].argc > 0);
}

static const struct wait_type wait_type;

void dispatch(struct engine *engine, struct session *session, const struct request *request,
              struct reply_to to)
{
    struct proto_buf *out = to.buf;
    const struct view *argv = request->argv;
    uint32_t argc = request->argc;
    engine_tick(engine);
    assert_false(engine_clients_are_over(engine));
    session->commands++;
    session->last_command = "any";
    struct view last = argv[argc - 1];
    if (view_is(argv[0], "ping")) {
        proto_put_simple(out, "PONG", 4);
    } else if (view_is(argv[0], "echo")) {
        proto_put_bulk(out, last.p, last.n);
    } else if (view_is(argv[0], "length")) {
        proto_put_integer(out, (int64_t)last.n);
    } else if (view_is(argv[0], "keep")) {
        adopted_offer(&engine->heap, request->adopted);
        proto_put_integer(out, keep(&engine->heap, argv + 1, argc - 1));
        adopted_offer(&engine->heap, NULL);
    } else if (view_is(argv[0], "bulk")) {
        put_bulk(out, strtoul(last.p, NULL, 10));
    } else if (view_is(argv[0], "hold")) {
        hold_bulk(engine, to, strtoul(last.p, NULL, 10));
    } else if (view_is(argv[0], "wait")) {
        session_wait(&engine->sessions, session, &wait_type, &engine->waits.collect);
    } else if (view_is(argv[0], "quit")) {
        proto_put_ok(out);
        session->close_after_reply = true;
    } else if (view_is(argv[0], "kill")) {
        struct session *victim = sessions_find(&engine->sessions, strtoul(last.p, NULL, 10));
        if (victim) victim->kill = true;
        engine->killed += victim != NULL;
        proto_put_ok(out);
    } else if (view_is(argv[0], "tell")) {
        struct session *told = sessions_find(&engine->sessions, strtoul(argv[1].p, NULL, 10));
        struct proto_buf *push = told ? engine_push(engine, told) : NULL;
        if (push) proto_put_bulk(push, last.p, last.n);
        proto_put_integer(out, push != NULL);
    } else if (view_is(argv[0], "nomem")) {
        proto_buf_reserve(out, SIZE_MAX);
    } else {
        proto_put_error(out, "ERR unknown", 11);
    }
}

bool dispatch_resume(struct engine *engine, struct session *session, struct reply_to to)
{
    if (!the_world->go) {
        wait_sleep(&session->wait);
        return false;
    }
    session_wait_end(&engine->sessions, session);
    proto_put_integer(to.buf, 1);
    return true;
}

/* --- the loop --- */

static void on_check(uv_check_t *handle)
{
    struct world *w = handle->data;
    loop_turn(&w->net.loop);
    net_send(&w->net);
    wait_wake_all(&w->engine.waits.collect, &w->engine.sessions.woken);
    if (net_after_steps(&w->net))
        loop_keep_going(&w->net.loop);
    else
        loop_may_block(&w->net.loop);
}

static void check_conn(const struct conn *c)
{
    assert_int_equal(conn_check(c), 0);
    assert_int_equal(inbox_check(&c->in), 0);
    assert_int_equal(bulks_check(&c->bulks), 0);
    assert_int_equal(outbox_check(&c->out), 0);
    assert_int_equal(request_reader_check(&c->reader), 0);
}

static void check_all(struct world *w)
{
    assert_int_equal(loop_check(&w->net.loop), 0);
    assert_int_equal(stream_ring_check(&w->net.loop.place), 0);
    assert_int_equal(replies_pool_check(&w->net.loop.replies), 0);
    struct session_memory sum = {.total = 0}, *all = &w->engine.sessions.memory;
    for (struct session *s = w->engine.sessions.first; s; s = s->next) {
        check_conn(conn_of(s));
        sum.total += s->memory.total;
        sum.outside += s->memory.outside;
        sum.inside += s->memory.inside;
        sum.untouched += s->memory.untouched;
    }
    assert_memory_equal(&sum, all, sizeof sum);
}

void world_turn(struct world *w)
{
    stream_hurry(&w->net.loop.place); /* a ring would wait before libuv's poll, which does not */
    uv_run(&w->loop, UV_RUN_NOWAIT);
    check_all(w);
}

static uint64_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    close(fd);
    return ntohs(at.sin_port);
}

struct world *world_new(const char *const *options)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    the_world = w;
    signal(SIGPIPE, SIG_IGN); /* as the process does */
    char *argv[16] = {"heapd"}, error[CONFIG_ERROR_BYTES];
    int argc = 1;
    for (; options && options[argc - 1]; argc++) argv[argc] = (char *)(uintptr_t)options[argc - 1];
    struct config config;
    config_init(&config);
    config.port = free_port();
    config.io_uring = !world_without_ring;
    if (!config_load(&config, argc, argv, error)) fail_msg("%s", error);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    assert_int_equal(engine_init(&w->engine, &config, &(struct clock){0}), STATUS_OK);
    assert_int_equal(net_init(&w->net, &w->engine, &w->loop), STATUS_OK);
    uv_check_init(&w->loop, &w->check);
    w->check.data = w;
    uv_check_start(&w->check, on_check);
    return w;
}

void world_free(struct world *w)
{
    net_close(&w->net);
    uv_close((uv_handle_t *)&w->check, NULL);
    while (uv_run(&w->loop, UV_RUN_NOWAIT)) {
    }
    assert_int_equal(w->net.loop.open, 0);
    assert_int_equal(w->engine.sessions.count, 0);
    net_fini(&w->net);
    engine_fini(&w->engine);
    assert_int_equal(w->engine.mem.bytes, 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
}

/* --- clients --- */

int world_connect(struct world *w)
{
    if (w->net.listeners.count == 0) {
        char error[LISTENER_ERROR_BYTES];
        if (!net_listen(&w->net, error)) fail_msg("%s", error);
    }
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)w->engine.config.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t before = w->engine.stats.connections + w->engine.stats.rejected_connections;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    int on = 1; /* what is sent in pieces arrives in pieces */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    WORLD_UNTIL(w, w->engine.stats.connections + w->engine.stats.rejected_connections > before);
    return fd;
}

struct session *world_session(struct world *w)
{
    assert_non_null(w->engine.sessions.first);
    return w->engine.sessions.first;
}

struct conn *world_conn(struct world *w)
{
    return conn_of(world_session(w));
}

void world_send(struct world *w, int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            world_turn(w);
            continue;
        }
        text += sent;
        n -= (size_t)sent;
    }
}

void world_read(struct world *w, int fd, char *to, size_t n)
{
    for (int turns = 0; n; turns++) {
        ssize_t got = recv(fd, to, n, MSG_DONTWAIT);
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_in_range(turns, 0, 5000);
            world_turn(w);
            if (turns > 100) usleep(1000);
            continue;
        }
        assert_int_not_equal(got, 0);
        to += got;
        n -= (size_t)got;
    }
}

void world_expect(struct world *w, int fd, const char *text)
{
    char got[1024];
    size_t n = strlen(text);
    assert_in_range(n, 1, sizeof got);
    world_read(w, fd, got, n);
    assert_memory_equal(got, text, n);
}

void world_expect_end(struct world *w, int fd)
{
    char byte;
    ssize_t got = -1;
    WORLD_UNTIL(w, (got = recv(fd, &byte, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN);
    assert_true(got == 0 || errno == ECONNRESET);
}

void world_say(struct world *w, int fd, const char *text)
{
    world_send(w, fd, text, strlen(text));
}

void world_say_times(struct world *w, int fd, const char *text, size_t times)
{
    size_t n = strlen(text);
    char *all = malloc(n * times);
    assert_non_null(all);
    for (size_t i = 0; i < times; i++) memcpy(all + i * n, text, n);
    world_send(w, fd, all, n * times);
    free(all);
}

void world_say_bulk(struct world *w, int fd, char letter, size_t n)
{
    char head[32];
    char *all = malloc(n + sizeof head + 2);
    assert_non_null(all);
    size_t at = (size_t)sprintf(all, "$%zu\r\n", n);
    memset(all + at, letter, n);
    memcpy(all + at + n, "\r\n", 2);
    world_send(w, fd, all, at + n + 2);
    free(all);
}

void world_expect_times(struct world *w, int fd, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) world_expect(w, fd, text);
}

void world_vanish(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

int world_connect_narrow(struct world *w)
{
    int fd = world_connect(w), bytes = 64 << 10;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(world_session(w)->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return fd;
}
