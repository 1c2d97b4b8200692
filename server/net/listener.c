#include "net/listener.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "net/conn.h"

enum { COMPLAINT_NS = 1000000000 }; /* the log hears of failing accepts at most so often */

static_assert(NET_LISTENERS_MAX <= (int)ADDRESS_MAX, "a list of them is an address_list");

struct listener {
    uv_tcp_t tcp;
    struct net *net;
    bool stalled; /* a connection waits in libuv for memory */
};

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    mem_free(&l->net->engine->mem, l, sizeof *l);
}

static void complain(struct net *net, const char *why)
{
    int64_t now_ns = net->engine->mono_ns;
    if (net->complained_ns && now_ns - net->complained_ns < COMPLAINT_NS) return;
    net->complained_ns = now_ns;
    log_line(LOG_WARNING, "a connection was not accepted: %s", why);
}

/* False when there was no memory for the connection, and it still waits. */
static bool take_next(struct listener *l)
{
    uv_stream_t *stream = (uv_stream_t *)&l->tcp;
    return conn_accept(l->net, stream);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    net_turn(l->net);
    if (status < 0) {
        complain(l->net, uv_strerror(status));
        return;
    }
    l->stalled = !take_next(l);
    if (l->stalled) complain(l->net, "no memory");
}

static bool refuse(char error[LISTENER_ERROR_BYTES], const char *address, uint64_t port,
                   const char *why)
{
    snprintf(error, LISTENER_ERROR_BYTES, "heapd: cannot listen on %.128s port %" PRIu64 ": %s",
             address, port, why);
    return false;
}

/* 0, or libuv's code, which is -errno. */
static int open_one(struct net *net, const struct address *at)
{
    int backlog = (int)net->engine->config.tcp_backlog, fd = address_listen(at, backlog);
    if (fd < 0) return fd;
    struct listener *l = mem_alloc(&net->engine->mem, sizeof *l);
    if (!l) {
        close(fd);
        return UV_ENOMEM;
    }
    *l = (struct listener){.net = net};
    uv_tcp_init(net->loop, &l->tcp);
    l->tcp.data = l;
    net->listeners[net->listener_count++] = l;
    int error = uv_tcp_open(&l->tcp, fd);
    if (error) close(fd);
    return error ? error : uv_listen((uv_stream_t *)&l->tcp, backlog, on_connection);
}

/* All that `text` stands for and that is not in `open` yet, where they are entered. */
static bool open_text(struct net *net, const char *text, struct address_list *open,
                      char error[LISTENER_ERROR_BYTES])
{
    uint64_t port = net->engine->config.port;
    struct address_list list;
    const char *why = address_resolve(&list, text, (uint16_t)port);
    if (why) return refuse(error, text, port, why);
    int lacking = 0;
    size_t opened = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct address *at = &list.of[i];
        bool again = address_is_in(open, &at->at.any);
        if (!again && open->count == NET_LISTENERS_MAX)
            return refuse(error, text, port, "too many addresses");
        int code = again ? 0 : open_one(net, at);
        if (code && !(list.named && address_is_lacking(code)))
            return refuse(error, text, port, uv_strerror(code));
        if (code) lacking = code;
        if (!code) opened++;
        if (!code && !again) open->of[open->count++] = *at;
    }
    return opened > 0 || refuse(error, text, port, uv_strerror(lacking));
}

bool listener_open_all(struct net *net, char error[LISTENER_ERROR_BYTES])
{
    const struct config *config = &net->engine->config;
    char addresses[CONFIG_TEXT_BYTES], *rest = addresses;
    struct address_list open = {.count = 0};
    memcpy(addresses, config->bind, sizeof addresses);
    for (char *text; (text = strsep(&rest, " "));)
        if (*text && !open_text(net, text, &open, error)) return false;
    return open.count > 0 || refuse(error, "''", config->port, "no address");
}

void listener_close_all(struct net *net)
{
    for (uint32_t i = 0; i < net->listener_count; i++)
        uv_close((uv_handle_t *)&net->listeners[i]->tcp, on_closed);
    net->listener_count = 0;
}

void listener_retry_all(struct net *net)
{
    for (uint32_t i = 0; i < net->listener_count; i++) {
        struct listener *l = net->listeners[i];
        if (l->stalled) l->stalled = !take_next(l);
    }
}
