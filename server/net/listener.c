#include "net/listener.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "net/conn.h"

enum { COMPLAINT_MS = 1000 }; /* the log hears of failing accepts at most so often */

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
    int64_t now_ms = net->engine->now_ms;
    if (net->complained_ms && now_ms - net->complained_ms < COMPLAINT_MS) return;
    net->complained_ms = now_ms;
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

static int listen_on(struct listener *l, const char *address, const struct config *config)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } at;
    int port = (int)config->port;
    unsigned flags = 0;
    if (strcmp(address, "*") == 0) address = "0.0.0.0";
    int error = uv_ip4_addr(address, port, &at.in4);
    if (error) {
        error = uv_ip6_addr(address, port, &at.in6);
        flags = UV_TCP_IPV6ONLY;
    }
    if (!error) error = uv_tcp_bind(&l->tcp, &at.any, flags);
    if (!error) error = uv_listen((uv_stream_t *)&l->tcp, (int)config->tcp_backlog, on_connection);
    return error;
}

static bool open_one(struct net *net, const char *address, char error[LISTENER_ERROR_BYTES])
{
    struct engine *s = net->engine;
    if (net->listener_count == NET_LISTENERS_MAX)
        return refuse(error, address, s->config.port, "too many addresses");
    struct listener *l = mem_alloc(&s->mem, sizeof *l);
    if (!l) return refuse(error, address, s->config.port, "out of memory");
    *l = (struct listener){.net = net};
    uv_tcp_init(net->loop, &l->tcp);
    l->tcp.data = l;
    net->listeners[net->listener_count++] = l;
    int code = listen_on(l, address, &s->config);
    return code == 0 || refuse(error, address, s->config.port, uv_strerror(code));
}

bool listener_open_all(struct net *net, char error[LISTENER_ERROR_BYTES])
{
    const struct config *config = &net->engine->config;
    char addresses[CONFIG_TEXT_BYTES], *rest = addresses;
    if (config->port == 0) return true;
    memcpy(addresses, config->bind, sizeof addresses);
    for (char *address; (address = strsep(&rest, " "));)
        if (*address && !open_one(net, address, error)) return false;
    return net->listener_count > 0 || refuse(error, "''", config->port, "no address");
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
