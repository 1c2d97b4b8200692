#include "client/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(struct heapd *h, enum heapd_status status, const char *format, va_list args)
{
    h->status = status;
    vsnprintf(h->error, sizeof h->error, format, args);
}

enum heapd_status heapd_conn_note(struct heapd *h, enum heapd_status status, const char *format,
                                  ...)
{
    va_list args;
    va_start(args, format);
    note(h, status, format, args);
    va_end(args);
    return status;
}

enum heapd_status heapd_conn_fail(struct heapd *h, enum heapd_status status, const char *format,
                                  ...)
{
    va_list args;
    va_start(args, format);
    note(h, status, format, args);
    va_end(args);
    if (h->fd >= 0) close(h->fd);
    h->fd = -1;
    proto_buf_clear(&h->out, 0);
    h->out_at = 0;
    return status;
}

static enum heapd_status timed_out(struct heapd *h)
{
    return heapd_conn_fail(h, HEAPD_TIMEOUT, "Timeout: nothing for %d ms", h->timeout_ms);
}

/* Waits for `events`; what came is in *revents. */
static enum heapd_status wait_for(struct heapd *h, short events, short *revents)
{
    struct pollfd fd = {.fd = h->fd, .events = events};
    int n;
    do n = poll(&fd, 1, h->timeout_ms > 0 ? h->timeout_ms : -1);
    while (n < 0 && errno == EINTR);
    if (n < 0) return heapd_conn_fail(h, HEAPD_CLOSED, "poll: %s", strerror(errno));
    if (n == 0) return timed_out(h);
    *revents = fd.revents;
    return HEAPD_OK;
}

/* 0, or the errno of a connect that did not come about. */
static int connect_wait(int fd, const struct addrinfo *address, int timeout_ms)
{
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    int n;
    do n = poll(&poller, 1, timeout_ms > 0 ? timeout_ms : -1);
    while (n < 0 && errno == EINTR);
    if (n < 0) return errno;
    if (n == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
}

static int open_one(const struct addrinfo *address, int timeout_ms, int *out)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    if (fd < 0) return errno;
    int error = connect_wait(fd, address, timeout_ms);
    if (error != 0) {
        close(fd);
        return error;
    }
    int on = 1;
    /* Both only make things better: a failure changes nothing that a caller relies on. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    *out = fd;
    return 0;
}

enum heapd_status heapd_conn_open(struct heapd *h, const char *host, uint16_t port)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed != 0)
        return heapd_conn_fail(h, HEAPD_NO_CONNECTION, "Could not connect to %s:%u: %s", host,
                               (unsigned)port, gai_strerror(failed));
    int error = ECONNREFUSED;
    for (const struct addrinfo *a = found; a && h->fd < 0; a = a->ai_next)
        error = open_one(a, h->timeout_ms, &h->fd);
    freeaddrinfo(found);
    if (h->fd < 0)
        return heapd_conn_fail(h, error == ETIMEDOUT ? HEAPD_TIMEOUT : HEAPD_NO_CONNECTION,
                               "Could not connect to %s:%u: %s", host, (unsigned)port,
                               strerror(error));
    h->connection++;
    return HEAPD_OK;
}

enum heapd_status heapd_conn_receive(struct heapd *h, bool *got)
{
    char chunk[CONN_CHUNK_BYTES];
    ssize_t n;
    do n = recv(h->fd, chunk, sizeof chunk, 0);
    while (n < 0 && errno == EINTR);
    *got = n > 0;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return HEAPD_OK;
    if (n < 0) return heapd_conn_fail(h, HEAPD_CLOSED, "Connection lost: %s", strerror(errno));
    if (n == 0) return heapd_conn_fail(h, HEAPD_CLOSED, "Server closed the connection");
    switch (reply_reader_feed(&h->in, chunk, (size_t)n)) {
    case REPLY_OOM: return heapd_conn_fail(h, HEAPD_OOM, "Out of memory");
    case REPLY_BROKEN: return heapd_conn_fail(h, HEAPD_BROKEN, "Protocol error: %s", h->in.error);
    case REPLY_READY:
    case REPLY_MORE: break;
    }
    return HEAPD_OK;
}

enum heapd_status heapd_conn_read(struct heapd *h)
{
    /* Why there is none is told by the failure; what was noted since says nothing of it. */
    if (h->fd < 0 && (h->status == HEAPD_OK || h->status == HEAPD_REFUSED))
        return heapd_conn_note(h, HEAPD_NO_CONNECTION, "Not connected");
    if (h->fd < 0) return h->status;
    for (;;) {
        bool got = false;
        enum heapd_status status = heapd_conn_receive(h, &got);
        if (status != HEAPD_OK || got) return status;
        short revents;
        status = wait_for(h, POLLIN, &revents);
        if (status != HEAPD_OK) return status;
    }
}

/* The socket takes no more, ever. What the server said before it closed is fetched first. */
static enum heapd_status write_failed(struct heapd *h, int error)
{
    bool got = true;
    while (got && h->fd >= 0)
        if (heapd_conn_receive(h, &got) != HEAPD_OK) return h->status;
    return heapd_conn_fail(h, HEAPD_CLOSED, "Connection lost: %s", strerror(error));
}

enum heapd_status heapd_conn_write(struct heapd *h, void (*arrived)(struct heapd *h))
{
    while (h->out_at < h->out.n) {
        size_t left = h->out.n - h->out_at;
        if (left > CONN_CHUNK_BYTES) left = CONN_CHUNK_BYTES;
        ssize_t n = send(h->fd, h->out.p + h->out_at, left, MSG_NOSIGNAL);
        if (n >= 0) {
            h->out_at += (size_t)n;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return write_failed(h, errno);
        short revents = 0;
        enum heapd_status status = wait_for(h, POLLIN | POLLOUT, &revents);
        if (status != HEAPD_OK) return status;
        if ((revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
        bool got = false;
        status = heapd_conn_receive(h, &got);
        if (got && arrived) arrived(h);
        if (status != HEAPD_OK) return status;
        if (h->fd < 0) return h->status; /* `arrived` found the bytes broken */
    }
    proto_buf_clear(&h->out, CONN_OUT_BYTES_KEPT);
    h->out_at = 0;
    return HEAPD_OK;
}
