#include "net/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

/* A connection that is gone before it was accepted says so by one of these (accept(2)). */
static bool is_gone(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

int accept_next(int listening_fd)
{
    int fd;
    do fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && is_gone(errno));
    return fd >= 0 ? fd : -errno;
}

bool accept_is_denied(int fd, const struct config *config)
{
    if (!config->protected_mode || config->requirepass[0]) return false;
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    /* One that has gone meanwhile is nobody's. */
    if (getpeername(fd, (struct sockaddr *)&from, &length) != 0) return false;
    return !address_is_loopback((const struct sockaddr *)&from);
}

/* Redis's words, by which its clients and scanners know the case. */
static const char *text_of(enum accept_refusal why)
{
    switch (why) {
    case ACCEPT_TOO_MANY: return "-ERR max number of clients reached\r\n";
    case ACCEPT_DENIED:
        return "-DENIED Redis is running in protected mode because protected mode is enabled and "
               "no password is set for the default user. In this mode connections are only "
               "accepted from the loopback interface. If you want to connect from external "
               "computers to Redis you may adopt one of the following solutions: 1) Just disable "
               "protected mode sending the command 'CONFIG SET protected-mode no' from the "
               "loopback interface by connecting to Redis from the same host the server is "
               "running, however MAKE SURE Redis is not publicly accessible from internet if you "
               "do so. 2) Alternatively you can just disable the protected mode by editing the "
               "Redis configuration file, and setting the protected mode option to 'no', and then "
               "restarting the server. 3) If you started the server manually just for testing, "
               "restart it with the '--protected-mode no' option. 4) Set up an authentication "
               "password for the default user. NOTE: You only need to do one of the above things "
               "in order for the server to start accepting connections from the outside.\r\n";
    case ACCEPT_SERVED: break;
    }
    return "";
}

void accept_refuse(int fd, enum accept_refusal why)
{
    const char *text = text_of(why);
    ssize_t sent = send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* it is closed in either case */
    close(fd);
}

static void put_address(char to[SESSION_ADDRESS_BYTES], const struct sockaddr_storage *from)
{
    char name[INET6_ADDRSTRLEN] = "?";
    bool six = from->ss_family == AF_INET6;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)from;
    if (six)
        inet_ntop(AF_INET6, &in6->sin6_addr, name, sizeof name);
    else
        inet_ntop(AF_INET, &in4->sin_addr, name, sizeof name);
    unsigned port = ntohs(six ? in6->sin6_port : in4->sin_port);
    snprintf(to, SESSION_ADDRESS_BYTES, six ? "[%s]:%u" : "%s:%u", name, port);
}

/* A silent client is asked again so soon, and so often, and then is gone; as libuv does it. */
enum { KEEPALIVE_AGAIN_S = 1, KEEPALIVE_TIMES = 10 };

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

void accept_introduce(int fd, struct session *session, uint64_t keepalive_s)
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
    if (!keepalive_s) return;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_AGAIN_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TIMES);
}
