#include "net/stream_ring.h"

#include <assert.h>
#include <errno.h>

#include "base/panic.h"

/* A write that was put off. */
struct slot {
    struct ring_send send; /* first */
    struct stream *stream; /* NULL: free */
    struct slot *next;     /* of the free ones */
    struct stream_rings *home;
};

struct stream_rings {
    struct ring *ring;
    struct slot *free;
    struct slot slots[STREAM_RING_WRITES];
};

static_assert(offsetof(struct slot, send) == 0 && offsetof(struct ring_send, op) == 0,
              "on_tried casts");

static struct ring *ring_of(const struct stream *s)
{
    return s->place->rings->ring;
}

static void began(struct stream *s)
{
    s->ring.under_way++;
}

/* An operation is no more. */
static void ended(struct stream *s)
{
    DASSERT(s->ring.under_way > 0);
    if (--s->ring.under_way == 0 && s->closing) stream_gone(s);
}

/* --- reading --- */

/* Asks for the next bytes. */
static void receive(struct stream *s)
{
    struct stream_space space = {0};
    s->ring.receiving = true;
    s->ring.no_memory = s->user->space(s, &space) != STATUS_OK;
    s->ring.asked = space.p ? space.n : 0;
    began(s);
    if (s->ring.no_memory)
        ring_later(ring_of(s), &s->ring.receive.op);
    else
        ring_receive(ring_of(s), &s->ring.receive, s->fd, space.p, space.n);
}

/* A read filled the user's own space: more is likely there, and large values that arrive one after
 * the other take less memory than many at once. Goes on until a read does not fill it, or
 * STREAM_READS_MAX did: others wait. */
static void receive_more(struct stream *s)
{
    for (int reads = 0; reads < STREAM_READS_MAX; reads++) {
        if (!s->reading || s->ring.receiving) return;
        if (!stream_read_now(s, NULL, 0)) return;
    }
}

static bool is_to_try_again(int error)
{
    return error == -ENOBUFS || error == -EAGAIN || error == -EINTR;
}

static void on_received(struct ring_op *op, int n, char *buffer)
{
    struct stream *s = (struct stream *)((char *)op - offsetof(struct stream, ring.receive.op));
    s->ring.receiving = false;
    size_t asked = s->ring.asked ? s->ring.asked : RING_BUFFER_BYTES - INBOX_FRONT_BYTES;
    if (!s->closing && s->ring.no_memory)
        stream_received(s, NULL, UV_ENOBUFS, 0);
    else if (!s->closing && !is_to_try_again(n))
        stream_received(s, buffer, n, asked);
    if (n > 0 && (size_t)n == s->ring.asked) receive_more(s);
    if (s->reading && !s->ring.receiving) receive(s);
    ended(s);
}

static void on_writable(struct ring_op *op, int result, char *buffer)
{
    (void)buffer;
    struct stream *s = (struct stream *)((char *)op - offsetof(struct stream, ring.writable));
    s->ring.awaits_writable = false;
    if (!s->closing) s->user->writable(s, result < 0 ? result : 0);
    ended(s);
}

static void on_end(struct ring_op *op, int result, char *buffer)
{
    (void)result, (void)buffer;
    ended((struct stream *)((char *)op - offsetof(struct stream, ring.end)));
}

static void uring_open(struct stream *s)
{
    s->ring.receive.op.done = on_received;
    s->ring.writable.done = on_writable;
    s->ring.end.done = on_end;
}

static void uring_read(struct stream *s)
{
    if (!s->ring.receiving) receive(s);
}

static void uring_close(struct stream *s)
{
    if (s->ring.receiving) ring_cancel_receive(ring_of(s), &s->ring.receive);
    if (s->ring.awaits_writable) ring_cancel(ring_of(s), &s->ring.writable);
    began(s);
    ring_later(ring_of(s), &s->ring.end);
}

/* --- writing --- */

static void put_back(struct stream_rings *rings, struct slot *slot)
{
    slot->stream = NULL;
    slot->next = rings->free;
    rings->free = slot;
}

static void on_tried(struct ring_op *op, int result, char *buffer)
{
    (void)buffer;
    struct slot *slot = (struct slot *)op;
    struct stream *s = slot->stream;
    put_back(slot->home, slot);
    if (!s->closing) s->user->written(s, result);
    ended(s);
}

static int64_t uring_write(struct stream *s, const uv_buf_t *pieces, unsigned count)
{
    struct stream_rings *rings = s->place->rings;
    struct slot *slot = rings->free;
    if (count != 1 || pieces->len > STREAM_RING_WRITE_BYTES || !slot)
        return stream_write_now(s, pieces, count);
    rings->free = slot->next;
    slot->stream = s;
    began(s);
    ring_send(rings->ring, &slot->send, s->fd, pieces->base, pieces->len);
    return STREAM_LATER;
}

static void uring_await_writable(struct stream *s)
{
    DASSERT(!s->ring.awaits_writable);
    s->ring.awaits_writable = true;
    began(s);
    ring_writable(ring_of(s), &s->ring.writable, s->fd);
}

/* --- the place --- */

static void uring_submit(struct stream_place *place)
{
    ring_flush(place->rings->ring);
}

static void uring_hurry(struct stream_place *place)
{
    ring_hurry(place->rings->ring);
}

static void uring_turn(struct stream_place *place, ring_gap *gap, void *self)
{
    struct ring_hooks hooks = {gap, self, place->before_submit, place->self};
    ring_turn(place->rings->ring, &hooks);
}

static void uring_place_close(struct stream_place *place)
{
    place->before_submit = NULL;
    while (place->open) uring_turn(place, NULL, NULL);
    ring_close(place->rings->ring);
}

static void uring_place_fini(struct stream_place *place)
{
    ring_free(place->rings->ring);
    mem_free(place->mem, place->rings, sizeof *place->rings);
}

static const struct stream_backend RING_BACKEND = {
    .name = "io_uring",
    .open = uring_open,
    .read = uring_read,
    .write = uring_write,
    .await_writable = uring_await_writable,
    .shut = stream_socket_shut,
    .unread = stream_socket_unread,
    .close = uring_close,
    .release = stream_socket_release,
    .submit = uring_submit,
    .hurry = uring_hurry,
    .turn = uring_turn,
    .place_close = uring_place_close,
    .place_fini = uring_place_fini,
};

int stream_ring_init(struct stream_place *place, struct mem *m, uv_loop_t *loop)
{
    struct stream_rings *rings = mem_alloc(m, sizeof *rings);
    if (!rings) return -ENOMEM;
    *rings = (struct stream_rings){.ring = NULL};
    int error = ring_new(&rings->ring, m, loop);
    if (error) {
        mem_free(m, rings, sizeof *rings);
        return error;
    }
    for (int i = STREAM_RING_WRITES - 1; i >= 0; i--) {
        rings->slots[i] = (struct slot){.send.op.done = on_tried, .home = rings};
        put_back(rings, &rings->slots[i]);
    }
    *place =
        (struct stream_place){.backend = &RING_BACKEND, .mem = m, .loop = loop, .rings = rings};
    return 0;
}

int stream_ring_check(const struct stream_place *place)
{
    if (place->backend != &RING_BACKEND) return 0;
    int free = 0, taken = 0;
    for (const struct slot *s = place->rings->free; s; s = s->next, free++)
        if (s->stream) return 1;
    for (int i = 0; i < STREAM_RING_WRITES; i++) {
        const struct stream *s = place->rings->slots[i].stream;
        if (s && s->ring.under_way == 0) return 1;
        taken += s != NULL;
    }
    return free + taken == STREAM_RING_WRITES ? 0 : 1;
}
