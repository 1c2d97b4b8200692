#include "net/stream_poll.h"

#include <errno.h>

#include "base/clock.h"
#include "base/panic.h"

static void on_event(uv_poll_t *handle, int status, int events);

/* Polls for what is wanted now. */
static void update(struct stream *s)
{
    int events = (s->reading ? UV_READABLE : 0) | (s->poll.awaits_writable ? UV_WRITABLE : 0);
    if (events == s->poll.events) return;
    s->poll.events = events;
    int error =
        events ? uv_poll_start(&s->poll.handle, events, on_event) : uv_poll_stop(&s->poll.handle);
    ASSERT(error == 0); /* else it is closing */
}

static void receive(struct stream *s)
{
    char *p = s->place->poll.buffer + INBOX_FRONT_BYTES;
    for (int reads = 0; reads < STREAM_READS_MAX; reads++)
        if (!stream_read_now(s, p, STREAM_POLL_BYTES - INBOX_FRONT_BYTES)) return;
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct stream *s = handle->data;
    if (status < 0) { /* libuv has stopped polling: the socket has an error, which a call tells */
        s->poll.events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if ((events & UV_WRITABLE) && s->poll.awaits_writable) {
        s->poll.awaits_writable = false;
        s->user->writable(s, 0);
    }
    if ((events & UV_READABLE) && s->reading) receive(s);
    if (!s->closing) update(s);
}

static void poll_open(struct stream *s)
{
    ASSERT(uv_poll_init(s->place->loop, &s->poll.handle, s->fd) == 0); /* it is a socket */
    s->poll.handle.data = s;
}

static void poll_await_writable(struct stream *s)
{
    s->poll.awaits_writable = true;
    update(s);
}

static void on_closed(uv_handle_t *handle)
{
    stream_gone(handle->data);
}

static void poll_close(struct stream *s)
{
    uv_close((uv_handle_t *)&s->poll.handle, on_closed);
}

/* --- the place --- */

static void nothing(struct stream_place *place)
{
    (void)place;
}

static void poll_turn(struct stream_place *place, ring_gap *gap, void *self)
{
    if (place->before_submit) place->before_submit(place->self);
    if (gap) clock_sleep_ns(place->poll.clock, gap(self));
}

static void poll_place_fini(struct stream_place *place)
{
    mem_free(place->mem, place->poll.buffer, STREAM_POLL_BYTES);
}

static const struct stream_backend POLL_BACKEND = {
    .name = "epoll",
    .open = poll_open,
    .read = update,
    .write = stream_write_now,
    .await_writable = poll_await_writable,
    .shut = stream_socket_shut,
    .unread = stream_socket_unread,
    .close = poll_close,
    .release = stream_socket_release,
    .submit = nothing,
    .hurry = nothing,
    .turn = poll_turn,
    .place_close = nothing,
    .place_fini = poll_place_fini,
};

enum status stream_poll_init(struct stream_place *place, struct mem *m, uv_loop_t *loop,
                             struct clock *clock)
{
    *place = (struct stream_place){.backend = &POLL_BACKEND, .mem = m, .loop = loop};
    place->poll.clock = clock;
    place->poll.buffer = mem_alloc(m, STREAM_POLL_BYTES);
    return place->poll.buffer ? STATUS_OK : STATUS_OOM;
}
