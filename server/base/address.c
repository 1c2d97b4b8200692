#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool address_parse(struct address *out, const char *text)
{
    struct address a;
    memset(&a, 0, sizeof a);
    if (inet_pton(AF_INET, text, &a.at.in4.sin_addr) == 1) {
        a.at.in4.sin_family = AF_INET;
        a.bytes = sizeof a.at.in4;
    } else if (inet_pton(AF_INET6, text, &a.at.in6.sin6_addr) == 1) {
        a.at.in6.sin6_family = AF_INET6;
        a.bytes = sizeof a.at.in6;
    } else {
        return false;
    }
    *out = a;
    return true;
}

bool address_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    if (a->sa_family != AF_INET6) return false;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
    return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr) &&
           a6->sin6_scope_id == b6->sin6_scope_id;
}

bool address_is_in(const struct address_list *list, const struct sockaddr *at)
{
    for (size_t i = 0; i < list->count; i++)
        if (address_same_host(&list->of[i].at.any, at)) return true;
    return false;
}

const char *address_resolve(struct address_list *out, const char *text, uint16_t port)
{
    if (strcmp(text, "*") == 0) text = "0.0.0.0";
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *found;
    struct address_list list = {.count = 0};
    int error = getaddrinfo(text, service, &hints, &found);
    if (error == EAI_NONAME) {
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
        list.named = true;
        error = getaddrinfo(text, service, &hints, &found);
    }
    if (error == EAI_SYSTEM) return strerror(errno);
    if (error) return gai_strerror(error);
    for (const struct addrinfo *i = found; i && list.count < ADDRESS_MAX; i = i->ai_next) {
        if (i->ai_addrlen > sizeof list.of->at || address_is_in(&list, i->ai_addr)) continue;
        struct address *a = &list.of[list.count++];
        memcpy(&a->at, i->ai_addr, i->ai_addrlen);
        a->bytes = i->ai_addrlen;
    }
    freeaddrinfo(found);
    *out = list;
    return NULL;
}

bool address_is_loopback(const struct sockaddr *at)
{
    if (at->sa_family == AF_INET) {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)at;
        return ntohl(in4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (at->sa_family != AF_INET6) return true;
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)at)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(in6)) return in6->s6_addr[12] == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(in6);
}

bool address_is_any(const struct sockaddr *at)
{
    if (at->sa_family == AF_INET)
        return ((const struct sockaddr_in *)at)->sin_addr.s_addr == htonl(INADDR_ANY);
    if (at->sa_family != AF_INET6) return false;
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)at)->sin6_addr);
}

int address_listen(const struct address *a, int backlog)
{
    int family = a->at.any.sa_family, on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    bool good = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (good && family == AF_INET6)
        good = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    good = good && bind(fd, &a->at.any, a->bytes) == 0 && listen(fd, backlog) == 0;
    if (good) return fd;
    int error = errno;
    close(fd);
    return -error;
}

bool address_is_lacking(int error)
{
    return error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT;
}
