#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/panic.h"

enum { READS_ON = 8 };

static int fd_of(const struct stream *s)
{
    uv_os_fd_t fd = -1;
    if (s->place->ring) return s->ring.fd;
    uv_fileno((const uv_handle_t *)&s->uv.tcp, &fd);
    return fd;
}

/* --- libuv's --- */

static uv_stream_t *tcp_of(struct stream *s)
{
    return (uv_stream_t *)&s->uv.tcp;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct stream *s = handle->data;
    struct stream_room room = {0};
    size_t loan = STREAM_LOAN_BYTES - INBOX_FRONT_BYTES;
    enum status status = s->user->room(s, &room);
    if (status)
        *buf = (uv_buf_t){.base = NULL, .len = 0}; /* libuv reports it as UV_ENOBUFS */
    else if (room.p)
        *buf = (uv_buf_t){.base = room.p, .len = room.n};
    else
        *buf = (uv_buf_t){.base = s->place->loan + INBOX_FRONT_BYTES,
                          .len = room.n && room.n < loan ? room.n : loan};
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = tcp->data;
    if (n == 0) return; /* it would have blocked */
    if (n < 0) s->reading = false;
    s->full = n == (ssize_t)buf->len;
    s->user->got(s, n > 0 ? buf->base : NULL, n);
}

static void on_written(uv_write_t *request, int status)
{
    struct stream *s = request->data;
    if (!s->closing) s->user->wrote(s, status);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    s->user->closed(s);
}

static void uv_read(struct stream *s, bool on)
{
    if (!on)
        uv_read_stop(tcp_of(s));
    else
        ASSERT(uv_read_start(tcp_of(s), on_alloc, on_read) == 0); /* else it is closing */
}

/* --- the ring's --- */

/* What was under way is no more. */
void stream_ended(struct stream *s)
{
    DASSERT(s->ring.under_way > 0);
    if (--s->ring.under_way || !s->closing) return;
    close(s->ring.fd);
    s->user->closed(s);
}

/* Asks for the next bytes. */
static void receive(struct stream *s)
{
    struct ring *r = s->place->ring;
    struct stream_room room = {0};
    s->ring.receiving = true;
    s->ring.no_room = s->user->room(s, &room) != STATUS_OK;
    s->ring.asked = room.p ? room.n : 0;
    stream_began(s);
    if (s->ring.no_room)
        ring_later(r, &s->ring.receive.op);
    else
        ring_receive(r, &s->ring.receive, s->ring.fd, room.p, room.n);
}

/* Tells of a read; 0 is the end of the input. */
static void tell(struct stream *s, char *p, ssize_t n)
{
    if (n <= 0) s->reading = false;
    s->full = n == RING_LOAN_BYTES - INBOX_FRONT_BYTES;
    s->user->got(s, p, n == 0 ? UV_EOF : n);
}

static bool is_to_try_again(int error)
{
    return error == -ENOBUFS || error == -EAGAIN || error == -EINTR;
}

/* A read filled a place of the user's own: more is likely there, and large values that arrive one
 * after the other take less memory than many at once. Goes on until a read does not, or some more
 * did: others wait. */
static void receive_on(struct stream *s)
{
    bool full = true;
    for (int reads = 0; full && reads < READS_ON; reads++) {
        struct stream_room room = {0};
        if (!s->reading || s->ring.receiving) return;
        if (s->user->room(s, &room) != STATUS_OK || !room.p) return;
        ssize_t n = recv(s->ring.fd, room.p, room.n, MSG_DONTWAIT);
        int error = n < 0 ? -errno : 0;
        if (is_to_try_again(error)) return; /* the ring's read will tell */
        full = n == (ssize_t)room.n;
        tell(s, NULL, error ? error : n);
    }
}

static void on_received(struct ring_op *op, int n, char *loan)
{
    struct stream *s = (struct stream *)((char *)op - offsetof(struct stream, ring.receive.op));
    s->ring.receiving = false;
    if (!s->closing && s->ring.no_room)
        tell(s, NULL, UV_ENOBUFS);
    else if (!s->closing && !is_to_try_again(n))
        tell(s, loan, n);
    if (n > 0 && (size_t)n == s->ring.asked) receive_on(s);
    if (s->reading && !s->ring.receiving) receive(s);
    stream_ended(s);
}

static void on_room(struct ring_op *op, int result, char *loan)
{
    (void)loan;
    struct stream *s = (struct stream *)((char *)op - offsetof(struct stream, ring.room));
    s->ring.awaits_room = false;
    if (!s->closing) s->user->wrote(s, result < 0 ? result : 0);
    stream_ended(s);
}

static void on_end(struct ring_op *op, int result, char *loan)
{
    (void)result, (void)loan;
    stream_ended((struct stream *)((char *)op - offsetof(struct stream, ring.end)));
}

static void close_ring(struct stream *s)
{
    struct ring *r = s->place->ring;
    if (s->ring.receiving) ring_cancel_receive(r, &s->ring.receive);
    if (s->ring.awaits_room) ring_cancel(r, &s->ring.room);
    stream_began(s);
    ring_later(r, &s->ring.end);
}

/* --- both --- */

enum status stream_place_init(struct stream_place *place, struct mem *m, uv_loop_t *loop,
                              bool uring, int *error)
{
    *place = (struct stream_place){.loop = loop, .mem = m};
    *error = uring ? ring_new(&place->ring, m, loop) : 0;
    if (place->ring) return STATUS_OK;
    place->loan = mem_alloc(m, STREAM_LOAN_BYTES);
    return place->loan ? STATUS_OK : STATUS_OOM;
}

void stream_place_close(struct stream_place *place)
{
    if (place->ring) ring_close(place->ring);
}

void stream_place_fini(struct stream_place *place)
{
    if (place->ring) ring_free(place->ring);
    mem_free(place->mem, place->loan, STREAM_LOAN_BYTES);
}

int stream_open(struct stream *s, const struct stream_user *user, struct stream_place *place,
                int fd)
{
    *s = (struct stream){.user = user, .place = place};
    if (place->ring) {
        s->ring.fd = fd;
        s->ring.receive.op.done = on_received;
        s->ring.room.done = on_room;
        s->ring.end.done = on_end;
        return 0;
    }
    uv_tcp_init(place->loop, &s->uv.tcp);
    s->uv.tcp.data = s->uv.write.data = s;
    return uv_tcp_open(&s->uv.tcp, fd);
}

void stream_read(struct stream *s, bool on)
{
    if (s->closing || on == s->reading) return;
    s->reading = on;
    if (!s->place->ring)
        uv_read(s, on);
    else if (on && !s->ring.receiving)
        receive(s);
}

int stream_write(struct stream *s, const uv_buf_t *pieces, unsigned count)
{
    static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "uv_buf_t is an iovec");
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = count};
    ssize_t n;
    do
        n = count == 1 ? send(fd_of(s), pieces->base, pieces->len, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : sendmsg(fd_of(s), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? (int)n : -errno;
}

int64_t stream_leave(struct stream *s, const uv_buf_t *pieces, unsigned count)
{
    if (s->place->ring) {
        DASSERT(!s->ring.awaits_room);
        s->ring.awaits_room = true;
        stream_began(s);
        ring_room(s->place->ring, &s->ring.room, s->ring.fd);
        return 0;
    }
    int64_t bytes = 0;
    for (unsigned i = 0; i < count; i++) bytes += (int64_t)pieces[i].len;
    int error = uv_write(&s->uv.write, tcp_of(s), pieces, count, on_written);
    return error ? error : bytes;
}

uint64_t stream_left(const struct stream *s)
{
    return s->place->ring ? 0 : uv_stream_get_write_queue_size((const uv_stream_t *)&s->uv.tcp);
}

int stream_shut(struct stream *s)
{
    return shutdown(fd_of(s), SHUT_WR) == 0 ? 0 : -errno;
}

void stream_close(struct stream *s)
{
    if (s->closing) return;
    s->closing = true;
    s->reading = false;
    if (s->place->ring)
        close_ring(s);
    else
        uv_close((uv_handle_t *)&s->uv.tcp, on_closed);
}
