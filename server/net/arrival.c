#include "net/arrival.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

static void put_address(char to[SESSION_ADDRESS_BYTES], const struct sockaddr_storage *from)
{
    char name[INET6_ADDRSTRLEN] = "?";
    bool six = from->ss_family == AF_INET6;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)from;
    if (six)
        uv_ip6_name(in6, name, sizeof name);
    else
        uv_ip4_name(in4, name, sizeof name);
    unsigned port = ntohs(six ? in6->sin6_port : in4->sin_port);
    snprintf(to, SESSION_ADDRESS_BYTES, six ? "[%s]:%u" : "%s:%u", name, port);
}

/* --- the next one --- */

/* libuv accepts, and does not let go of a descriptor: what comes through is a copy. */
struct door {
    uv_tcp_t tcp;
    struct net *net;
};

static void on_door_closed(uv_handle_t *handle)
{
    struct door *door = handle->data;
    mem_free(&door->net->engine->mem, door, sizeof *door);
}

static bool is_one_too_many(const struct net *net)
{
    uint64_t most = net->engine->config.maxclients;
    if (most > net->clients_max) most = net->clients_max;
    return net->engine->sessions.count >= most;
}

/* Tells it so, without waiting, and counts it. */
static void refuse(struct net *net, uv_stream_t *stream)
{
    static char text[] = "-ERR max number of clients reached\r\n";
    uv_buf_t buf = {.base = text, .len = sizeof text - 1};
    net->engine->stats.rejected_connections++;
    uv_try_write(stream, &buf, 1);
}

static int copy_of(struct door *door)
{
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&door->tcp, &fd) != 0) return -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

bool arrival_take(struct net *net, uv_stream_t *listening, int *fd)
{
    struct door *door = mem_alloc(&net->engine->mem, sizeof *door);
    if (!door) return false;
    door->net = net;
    uv_tcp_init(net->loop, &door->tcp);
    door->tcp.data = door;
    uv_stream_t *stream = (uv_stream_t *)&door->tcp;
    bool accepted = uv_accept(listening, stream) == 0, many = is_one_too_many(net);
    if (accepted && many) refuse(net, stream);
    *fd = accepted && !many ? copy_of(door) : -1;
    uv_close((uv_handle_t *)stream, on_door_closed);
    return true;
}

/* --- what its session is told --- */

/* A silent client is asked again so soon, and so often, and then is gone; as libuv does it. */
enum { KEEPALIVE_AGAIN_S = 1, KEEPALIVE_TIMES = 10 };

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

void arrival_introduce(const struct net *net, int fd, struct session *session)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &length) == 0)
        put_address(session->address, &address);
    length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
        put_address(session->local_address, &address);
    session->fd = fd;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    int keepalive = (int)net->engine->config.tcp_keepalive;
    if (!keepalive) return;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_AGAIN_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TIMES);
}
