#include "sockets.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"

static struct sockets *sockets_of(const struct stream_place *place)
{
    return place->own;
}

static struct virtual_socket *socket_of(const struct stream *s)
{
    return sockets_of(s->place)->all[s->fd - SOCKETS_FD_FIRST];
}

static struct random *random_of(const struct stream *s)
{
    return sockets_of(s->place)->random;
}

/* --- reading --- */

static bool is_readable(const struct virtual_socket *v)
{
    return bytes_count(&v->to_server) || v->client_shut || v->reset;
}

/* Brings some of what has arrived to p, or the end; n: how much there is room for. */
static ssize_t take(struct stream *s, char *p, size_t n)
{
    struct virtual_socket *v = socket_of(s);
    struct random *r = random_of(s);
    size_t there = bytes_count(&v->to_server);
    if (v->reset) return -ECONNRESET;
    if (there > n) there = n;
    if (there == 0) return 0; /* the end */
    if (random_one_in(r, 4)) there = 1 + random_below(r, there);
    if (random_one_in(r, 16)) there = 1;
    memcpy(p, bytes_front(&v->to_server), there);
    bytes_drop(&v->to_server, there);
    v->read_bytes += there;
    return (ssize_t)there;
}

/* A read into `space`, of which the user was asked before. */
static bool read_into(struct stream *s, struct stream_space space)
{
    struct sockets *all = sockets_of(s->place);
    bool own = space.p;
    size_t most = sizeof all->buffer - INBOX_FRONT_BYTES;
    if (!own) space.n = space.n && space.n < most ? space.n : most;
    char *p = own ? space.p : all->buffer + INBOX_FRONT_BYTES;
    ssize_t n = take(s, p, space.n);
    stream_received(s, own || n <= 0 ? NULL : p, n, space.n);
    return n > 0;
}

/* At once. False: no more of it in this turn. */
static bool read_now(struct stream *s)
{
    struct stream_space space = {0};
    if (s->user->space(s, &space) == STATUS_OK) return read_into(s, space);
    stream_received(s, NULL, UV_ENOBUFS, 0);
    return false;
}

static void begin_read(struct stream *s)
{
    struct virtual_socket *v = socket_of(s);
    if (v->receiving || !sockets_of(s->place)->deferred) return;
    v->receiving = true;
    v->space = (struct stream_space){0};
    v->no_memory = s->user->space(s, &v->space) != STATUS_OK;
}

/* The read that is under way comes back. */
static void end_read(struct stream *s)
{
    struct virtual_socket *v = socket_of(s);
    v->receiving = false;
    if (v->no_memory)
        stream_received(s, NULL, UV_ENOBUFS, 0);
    else
        read_into(s, v->space);
    if (s->reading && !s->closing) begin_read(s);
}

static void readable(struct stream *s)
{
    struct virtual_socket *v = socket_of(s);
    v->offered = true;
    if (v->receiving) {
        end_read(s);
        return;
    }
    for (int i = 0; i < STREAM_READS_MAX; i++)
        if (!s->reading || !is_readable(v) || !read_now(s) || random_one_in(random_of(s), 2))
            return;
}

/* --- writing --- */

static int64_t write_now(struct stream *s, const uv_buf_t *pieces, unsigned count)
{
    struct virtual_socket *v = socket_of(s);
    struct random *r = random_of(s);
    size_t total = 0, waits = bytes_count(&v->to_client);
    if (v->reset) return random_one_in(r, 2) ? -EPIPE : -ECONNRESET;
    for (unsigned i = 0; i < count; i++) total += pieces[i].len;
    if (v->client_away) { /* the kernel takes it, and hears then that nobody is there */
        v->reset = true;
        return (int64_t)total;
    }
    size_t room = waits < v->client_room ? v->client_room - waits : 0;
    if (room == 0 || random_one_in(r, 16)) return -EAGAIN;
    size_t n = total < room ? total : room;
    if (random_one_in(r, 4)) n = 1 + random_below(r, n);
    if (random_one_in(r, 16)) n = 1;
    size_t left = n;
    for (unsigned i = 0; left; i++) {
        size_t of_piece = pieces[i].len < left ? pieces[i].len : left;
        bytes_put(&v->to_client, pieces[i].base, of_piece);
        left -= of_piece;
    }
    return (int64_t)n;
}

static int64_t socket_write(struct stream *s, const uv_buf_t *pieces, unsigned count)
{
    struct virtual_socket *v = socket_of(s);
    bool later = sockets_of(s->place)->deferred && !random_one_in(random_of(s), 4);
    if (!later) return write_now(s, pieces, count);
    v->writing = true;
    memcpy(v->pieces, pieces, count * sizeof *pieces);
    v->piece_count = count;
    return STREAM_LATER;
}

static void try_write(struct stream *s)
{
    struct virtual_socket *v = socket_of(s);
    v->writing = false;
    int64_t n = write_now(s, v->pieces, v->piece_count);
    s->user->written(s, (int)n);
}

/* --- the rest of a stream --- */

static void socket_open(struct stream *s)
{
    socket_of(s)->stream = s;
}

static void await_writable(struct stream *s)
{
    socket_of(s)->awaits_writable = true;
}

static int socket_shut(struct stream *s, int how)
{
    struct virtual_socket *v = socket_of(s);
    if (v->reset) return -ENOTCONN;
    if (!v->server_shut) v->shut_ns = clock_mono_ns(sockets_of(s->place)->clock);
    v->server_shut = true;
    if (how == SHUT_RDWR) v->client_shut = true;
    return 0;
}

static uint64_t socket_unread(struct stream *s)
{
    return bytes_count(&socket_of(s)->to_server);
}

static void socket_close(struct stream *s)
{
    socket_of(s)->closing = true;
}

static void socket_release(struct stream *s)
{
    struct virtual_socket *v = socket_of(s);
    v->stream = NULL;
    v->server_shut = v->server_closed = true;
    v->closed_unread = bytes_count(&v->to_server) > 0;
    if (v->closed_unread) bytes_drop(&v->to_client, bytes_count(&v->to_client)); /* as TCP does */
    bytes_drop(&v->to_server, bytes_count(&v->to_server));
}

/* --- the place --- */

/* So many in a hundred of the results that are still to come. */
static void tell_written(struct sockets *all, uint32_t percent)
{
    for (uint32_t i = 0; i < all->count; i++) {
        struct virtual_socket *v = all->all[i];
        if (!v || !v->writing || v->closing) continue;
        if (random_below(all->random, 100) < percent) try_write(v->stream);
    }
}

static void submit(struct stream_place *place)
{
    tell_written(sockets_of(place), 100);
}

static void turn(struct stream_place *place, ring_gap *gap, void *self)
{
    if (place->before_submit) place->before_submit(place->self);
    if (gap) clock_sleep_ns(sockets_of(place)->clock, gap(self));
    tell_written(sockets_of(place), 70);
}

static void nothing(struct stream_place *place)
{
    (void)place;
}

struct stream_place sockets_place(struct sockets *sockets, struct mem *m)
{
    static const struct stream_backend backend = {
        .name = "simulation",
        .open = socket_open,
        .read = begin_read,
        .write = socket_write,
        .await_writable = await_writable,
        .shut = socket_shut,
        .unread = socket_unread,
        .close = socket_close,
        .release = socket_release,
        .submit = submit,
        .hurry = nothing,
        .turn = turn,
        .place_close = nothing,
        .place_fini = nothing,
    };
    return (struct stream_place){.backend = &backend, .mem = m, .own = sockets};
}

int sockets_add(struct sockets *sockets, struct virtual_socket *socket)
{
    uint32_t at = 0;
    while (at < sockets->count && sockets->all[at]) at++;
    if (at == SOCKETS_MAX) abort();
    if (at == sockets->count) sockets->count++;
    sockets->all[at] = socket;
    return SOCKETS_FD_FIRST + (int)at;
}

void sockets_remove(struct sockets *sockets, const struct virtual_socket *socket)
{
    for (uint32_t i = 0; i < sockets->count; i++)
        if (sockets->all[i] == socket) sockets->all[i] = NULL;
}

static void events_of(struct virtual_socket *v, struct random *r)
{
    struct stream *s = v->stream;
    if (!s || random_one_in(r, 4)) return;
    bool room = bytes_count(&v->to_client) < v->client_room;
    if (!v->closing && v->awaits_writable && (room || v->reset)) {
        v->awaits_writable = false;
        s->user->writable(s, v->reset && random_one_in(r, 2) ? -ECONNRESET : 0);
    }
    if (v->closing || !is_readable(v)) return;
    if (v->receiving || s->reading) readable(s);
}

void sockets_poll(struct sockets *sockets)
{
    uint32_t first = sockets->count ? (uint32_t)random_below(sockets->random, sockets->count) : 0;
    for (uint32_t i = 0; i < sockets->count; i++) {
        struct virtual_socket *v = sockets->all[(first + i) % sockets->count];
        if (v) events_of(v, sockets->random);
    }
}

void sockets_end_closed(struct sockets *sockets)
{
    for (uint32_t i = 0; i < sockets->count; i++) {
        struct virtual_socket *v = sockets->all[i];
        if (v && v->stream && v->closing) stream_gone(v->stream);
    }
}
