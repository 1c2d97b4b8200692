#include "tests/unit/client/canned.h"
#include "proto/reply.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES 16384

static bool read_all(int fd, char *to, size_t n)
{
    while (n > 0) {
        ssize_t got = recv(fd, to, n, 0);
        if (got <= 0) return false;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const char *from, size_t n)
{
    while (n > 0) {
        ssize_t put = send(fd, from, n, MSG_NOSIGNAL);
        if (put <= 0) return false;
        from += put;
        n -= (size_t)put;
    }
    return true;
}

static void dialogue(struct canned *server, int fd)
{
    for (const struct canned_line *line = server->lines; line->expect != NULL; line++) {
        size_t n = strlen(line->expect);
        char *got = calloc(1, n + 1);
        bool same = read_all(fd, got, n) && memcmp(got, line->expect, n) == 0;
        if (!same) fprintf(stderr, "expected: %s\ngot: %s\n", line->expect, got);
        free(got);
        if (!same) return;
        server->said++;
        if (!write_all(fd, line->answer, strlen(line->answer))) return;
    }
}

static void numbered(const struct canned *server, int fd)
{
    char in[CHUNK_BYTES], header[32];
    char *out = malloc(server->answer_bytes + 3);
    size_t count = 0, n = server->answer_bytes;
    int header_n = snprintf(header, sizeof(header), "$%zu\r\n", n);
    ssize_t got;
    while ((got = recv(fd, in, sizeof(in), 0)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (in[i] != server->mark) continue;
            memset(out, '.', n);
            snprintf(out, n, "%010zu", count++);
            memcpy(out + n, "\r\n", 2);
            if (!write_all(fd, header, (size_t)header_n) || !write_all(fd, out, n + 2)) got = 0;
        }
    }
    free(out);
}

static void silence(int fd)
{
    char in[CHUNK_BYTES];
    while (recv(fd, in, sizeof(in), 0) > 0) {
    }
}

static void *serve(void *context)
{
    struct canned *server = context;
    int fd = accept(server->listener, NULL, NULL);
    if (fd < 0) return NULL;
    if (server->lines != NULL)
        dialogue(server, fd);
    else if (server->silent)
        silence(fd);
    else
        numbered(server, fd);
    close(fd);
    return NULL;
}

static void begin(struct canned *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

void canned_begin(struct canned *server, const struct canned_line *lines)
{
    *server = (struct canned){.lines = lines};
    begin(server);
}

void canned_begin_numbered(struct canned *server, size_t answer_bytes, char mark)
{
    *server = (struct canned){.answer_bytes = answer_bytes, .mark = mark};
    begin(server);
}

void canned_begin_silent(struct canned *server)
{
    *server = (struct canned){.silent = true};
    begin(server);
}

size_t canned_end(struct canned *server)
{
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    close(server->listener);
    return server->said;
}

struct heapd *canned_connect(const struct canned *server, int timeout_ms)
{
    struct heapd *h = heapd_new();
    assert_non_null(h);
    const struct heapd_options options = {
        .port = server->port, .protocol = 2, .timeout_ms = timeout_ms};
    assert_int_equal(heapd_connect(h, &options), HEAPD_OK);
    return h;
}

struct heapd_reply *canned_reply(const char *bytes)
{
    struct reply_reader reader;
    struct heapd_reply *reply = NULL;
    reply_reader_init(&reader, NULL);
    assert_int_equal(reply_reader_feed(&reader, bytes, strlen(bytes)), REPLY_READY);
    assert_int_equal(reply_reader_next(&reader, &reply), REPLY_READY);
    reply_reader_fini(&reader);
    return reply;
}
