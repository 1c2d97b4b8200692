#include "net/arrival.h"

#include <stdio.h>

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

bool arrival_is_one_too_many(const struct net *net)
{
    uint64_t most = net->server->config.maxclients;
    if (most > net->clients_max) most = net->clients_max;
    return net->server->sessions.count >= most;
}

void arrival_refuse(struct net *net, uv_stream_t *stream)
{
    static char text[] = "-ERR max number of clients reached\r\n";
    uv_buf_t buf = {.base = text, .len = sizeof text - 1};
    net->server->stats.rejected_connections++;
    uv_try_write(stream, &buf, 1);
}

void arrival_introduce(const struct net *net, uv_tcp_t *tcp, struct session *session)
{
    struct sockaddr_storage address = {0};
    int length = sizeof address;
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &length) == 0)
        put_address(session->address, &address);
    length = sizeof address;
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &length) == 0)
        put_address(session->local_address, &address);
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0) session->fd = fd;
    uv_tcp_nodelay(tcp, 1);
    uint64_t keepalive = net->server->config.tcp_keepalive;
    if (keepalive) uv_tcp_keepalive(tcp, 1, (unsigned)keepalive);
}
