/*
 * A libuv server that answers every request with the same bytes: its cost is that of the kernel and
 * of libuv, a baseline for heapd. speed.py --baseline drives it.
 *
 * It counts requests by their `*`, however they were split into reads, so values must contain none.
 * The replies to a read are a slice of one buffer that repeats the constant: nothing is parsed,
 * looked up or copied. What the socket does not take is left to libuv without a bound, since this
 * program only serves for measuring.
 *
 * usage: baseline PORT [BYTES]    answers +PONG, or a bulk of BYTES bytes
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { READ_BYTES = 64 << 10, ANSWERS_BYTES = 1 << 20, BACKLOG = 511 };

/* One process, one loop: what the callbacks share. */
static struct {
    char input[READ_BYTES];
    char *answers; /* as many copies of the answer as there is room for */
    size_t answer_bytes, copies;
} shared;

struct client {
    uv_tcp_t tcp;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_written(uv_write_t *request, int status)
{
    uv_handle_t *handle = (uv_handle_t *)request->handle;
    free(request);
    if (status < 0 && !uv_is_closing(handle)) uv_close(handle, on_closed);
}

/* What uv_try_write did not take. */
static int write_rest(uv_stream_t *stream, uv_buf_t rest)
{
    uv_write_t *request = malloc(sizeof *request);
    if (!request) return UV_ENOMEM;
    int error = uv_write(request, stream, &rest, 1, on_written);
    if (error) free(request);
    return error;
}

static int answer(uv_stream_t *stream, size_t requests)
{
    while (requests) {
        size_t now = requests < shared.copies ? requests : shared.copies;
        uv_buf_t buf = {.base = shared.answers, .len = now * shared.answer_bytes};
        int sent = uv_try_write(stream, &buf, 1);
        if (sent < 0 && sent != UV_EAGAIN) return sent;
        size_t gone = sent > 0 ? (size_t)sent : 0;
        if (gone < buf.len) {
            int error =
                write_rest(stream, (uv_buf_t){.base = buf.base + gone, .len = buf.len - gone});
            if (error) return error;
        }
        requests -= now;
    }
    return 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle, (void)suggested;
    *buf = (uv_buf_t){.base = shared.input, .len = READ_BYTES};
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    size_t requests = 0;
    for (ssize_t i = 0; i < n; i++) requests += buf->base[i] == '*';
    if (n < 0 || answer(stream, requests) != 0) {
        if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, on_closed);
    }
}

static void on_connection(uv_stream_t *listening, int status)
{
    struct client *c = status == 0 ? malloc(sizeof *c) : NULL;
    if (!c) return;
    uv_tcp_init(listening->loop, &c->tcp);
    c->tcp.data = c;
    if (uv_accept(listening, (uv_stream_t *)&c->tcp) != 0 || uv_tcp_nodelay(&c->tcp, 1) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static bool make_answers(const char *bulk_bytes)
{
    size_t bytes = bulk_bytes ? (size_t)strtoul(bulk_bytes, NULL, 10) : 0;
    char *one = malloc(bytes + 32);
    if (!one) return false;
    size_t n = (size_t)snprintf(one, 32, bulk_bytes ? "$%zu\r\n" : "+PONG\r\n", bytes);
    if (bulk_bytes) {
        memset(one + n, 'x', bytes);
        memcpy(one + n + bytes, "\r\n", 2);
        n += bytes + 2;
    }
    shared.answer_bytes = n;
    shared.copies = n < ANSWERS_BYTES ? ANSWERS_BYTES / n : 1;
    shared.answers = malloc(shared.copies * n);
    for (size_t i = 0; shared.answers && i < shared.copies; i++)
        memcpy(shared.answers + i * n, one, n);
    free(one);
    return shared.answers != NULL;
}

int main(int argc, char **argv)
{
    uv_tcp_t listening;
    struct sockaddr_in at;
    if (argc < 2 || !make_answers(argc > 2 ? argv[2] : NULL)) {
        fprintf(stderr, "usage: baseline PORT [BYTES]\n");
        return 1;
    }
    uv_ip4_addr("127.0.0.1", atoi(argv[1]), &at);
    uv_tcp_init(uv_default_loop(), &listening);
    int error = uv_tcp_bind(&listening, (const struct sockaddr *)&at, 0);
    if (!error) error = uv_listen((uv_stream_t *)&listening, BACKLOG, on_connection);
    if (error) {
        fprintf(stderr, "baseline: %s\n", uv_strerror(error));
        return 1;
    }
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
