#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/panic.h"

void stream_open(struct stream *s, const struct stream_user *user, struct stream_place *place,
                 int fd)
{
    *s = (struct stream){.user = user, .place = place, .fd = fd};
    place->open++;
    place->backend->open(s);
}

void stream_read(struct stream *s, bool on)
{
    if (s->closing || on == s->reading) return;
    s->reading = on;
    if (on) s->place->backend->read(s);
}

void stream_close(struct stream *s)
{
    if (s->closing) return;
    s->closing = true;
    s->reading = false;
    s->place->backend->close(s);
}

void stream_gone(struct stream *s)
{
    s->place->backend->release(s);
    s->place->open--;
    s->user->closed(s);
}

/* --- a socket --- */

int stream_socket_shut(struct stream *s, int how)
{
    return shutdown(s->fd, how) == 0 ? 0 : -errno;
}

uint64_t stream_socket_unread(struct stream *s)
{
    int bytes = 0;
    return ioctl(s->fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

void stream_socket_release(struct stream *s)
{
    close(s->fd);
}

int64_t stream_write_now(struct stream *s, const uv_buf_t *pieces, unsigned count)
{
    static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "uv_buf_t is an iovec");
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = count};
    ssize_t n;
    do
        n = count == 1 ? send(s->fd, pieces->base, pieces->len, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? n : -errno;
}

void stream_received(struct stream *s, char *p, ssize_t n, size_t asked)
{
    if (n <= 0) s->reading = false;
    s->full = n == (ssize_t)asked;
    s->user->received(s, p, n == 0 ? UV_EOF : n);
}

bool stream_read_now(struct stream *s, char *p, size_t n)
{
    struct stream_space space = {0};
    if (s->user->space(s, &space) != STATUS_OK) {
        if (p) stream_received(s, NULL, UV_ENOBUFS, 0);
        return false;
    }
    if (!space.p && !p) return false;
    bool own = space.p;
    if (!own) space = (struct stream_space){p, space.n && space.n < n ? space.n : n};
    ssize_t got = recv(s->fd, space.p, space.n, MSG_DONTWAIT);
    int error = got < 0 ? -errno : 0;
    if (error == -EAGAIN || error == -EINTR) return false;
    stream_received(s, own ? NULL : p, error ? error : got, space.n);
    return own && got == (ssize_t)space.n && s->reading;
}
