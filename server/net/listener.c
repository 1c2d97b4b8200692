#include "net/listener.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/address.h"
#include "base/panic.h"

static_assert(LISTENERS_MAX <= (int)ADDRESS_MAX, "a list of them is an address_list");

struct listener {
    uv_poll_t poll;
    struct listeners *home;
    int fd;
    bool stalled; /* a connection waits that could not be accepted */
};

/* --- accepting --- */

static void on_connection(uv_poll_t *handle, int status, int events);

/* Accepts what waits. False: it cannot be accepted now. */
static bool accept_some(struct listener *l)
{
    int error = 0;
    for (int n = 0; !error && n < LISTENER_ACCEPTS_MAX; n++)
        error = l->home->accept(l->home->self, l->fd);
    return !error || error == -EAGAIN;
}

static void try_accept(struct listener *l)
{
    bool stalled = !accept_some(l);
    if (stalled == l->stalled) return;
    l->stalled = stalled;
    if (stalled)
        uv_poll_stop(&l->poll);
    else
        uv_poll_start(&l->poll, UV_READABLE, on_connection);
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    try_accept(handle->data);
}

void listeners_retry(struct listeners *ls)
{
    for (uint32_t i = 0; i < ls->count; i++)
        if (ls->all[i]->stalled) try_accept(ls->all[i]);
}

/* --- opening --- */

static bool refuse(char error[LISTENER_ERROR_BYTES], const char *address, uint64_t port,
                   const char *why)
{
    snprintf(error, LISTENER_ERROR_BYTES, "heapd: cannot listen on %.128s port %" PRIu64 ": %s",
             address, port, why);
    return false;
}

/* 0 or -errno. */
static int open_one(struct listeners *ls, const struct config *config, const struct address *at)
{
    struct listener *l = mem_alloc(ls->mem, sizeof *l);
    if (!l) return -ENOMEM;
    int fd = address_listen(at, (int)config->tcp_backlog);
    if (fd < 0) {
        mem_free(ls->mem, l, sizeof *l);
        return fd;
    }
    *l = (struct listener){.home = ls, .fd = fd};
    ASSERT(uv_poll_init(ls->uv, &l->poll, fd) == 0); /* it is a socket */
    l->poll.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_connection);
    ls->all[ls->count++] = l;
    return 0;
}

/* All that `text` stands for and that is not in `open` yet, where they are entered. */
static bool open_text(struct listeners *ls, const struct config *config, const char *text,
                      struct address_list *open, char error[LISTENER_ERROR_BYTES])
{
    uint64_t port = config->port;
    struct address_list list;
    const char *why = address_resolve(&list, text, (uint16_t)port);
    if (why) return refuse(error, text, port, why);
    int lacking = 0;
    size_t opened = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct address *at = &list.of[i];
        bool again = address_is_in(open, &at->at.any);
        if (!again && open->count == LISTENERS_MAX)
            return refuse(error, text, port, "too many addresses");
        int code = again ? 0 : open_one(ls, config, at);
        if (code && !(list.named && address_is_lacking(code)))
            return refuse(error, text, port, uv_strerror(code));
        if (code) lacking = code;
        if (!code) opened++;
        if (!code && !again) open->of[open->count++] = *at;
    }
    return opened > 0 || refuse(error, text, port, uv_strerror(lacking));
}

bool listeners_open(struct listeners *ls, const struct config *config,
                    char error[LISTENER_ERROR_BYTES])
{
    char addresses[CONFIG_TEXT_BYTES], *rest = addresses;
    struct address_list open = {.count = 0};
    memcpy(addresses, config->bind, sizeof addresses);
    for (char *text; (text = strsep(&rest, " "));)
        if (*text && !open_text(ls, config, text, &open, error)) return false;
    return open.count > 0 || refuse(error, "''", config->port, "no address");
}

/* --- closing --- */

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    close(l->fd);
    mem_free(l->home->mem, l, sizeof *l);
}

void listeners_close(struct listeners *ls)
{
    for (uint32_t i = 0; i < ls->count; i++) uv_close((uv_handle_t *)&ls->all[i]->poll, on_closed);
    ls->count = 0;
}
