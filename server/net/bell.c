#include "net/bell.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/panic.h"

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct bell *b = poll->data;
    uint64_t rings;
    if (status == 0 && read(b->fd, &rings, sizeof rings) == sizeof rings) b->rung(b->self);
}

bool bell_init(struct bell *b, uv_loop_t *loop, bell_rung *rung, void *self)
{
    *b = (struct bell){.rung = rung, .self = self};
    b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (b->fd < 0) return false;
    if (uv_poll_init(loop, &b->poll, b->fd) != 0) {
        close(b->fd);
        return false;
    }
    b->poll.data = b;
    uv_poll_start(&b->poll, UV_READABLE, on_ready);
    return true;
}

void bell_ring(struct bell *b)
{
    /* It can only fail when the counter is full, and then the loop has not answered for long. */
    uint64_t one = 1;
    ssize_t written = write(b->fd, &one, sizeof one);
    (void)written;
}

void bell_close(struct bell *b)
{
    uv_close((uv_handle_t *)&b->poll, NULL);
    close(b->fd);
}
