/*
 * Internet addresses: the addresses of `bind` and `http-bind`, and whether an address belongs to
 * this machine. net/ and monitor/ listen on them.
 *
 * An address is a number (127.0.0.1, ::1), a name that the system's resolver knows, or `*`, which
 * is every IPv4 address. A name is resolved once, at start, and may have several addresses of both
 * families.
 *
 * Ownership: none. Cost: resolving a name may use the network and take seconds; a number does not.
 */
#ifndef HEAPD_BASE_ADDRESS_H
#define HEAPD_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDRESS_MAX = 16 }; /* that one name may stand for; more are left out */

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } at;
    socklen_t bytes; /* of the member that is meant */
};

struct address_list {
    struct address of[ADDRESS_MAX];
    size_t count;
    bool named; /* by a name: an address that this machine does not have may be passed over */
};

/* Of one family and one host; ports do not count. */
bool address_same_host(const struct sockaddr *a, const struct sockaddr *b);
bool address_is_in(const struct address_list *list, const struct sockaddr *at);

/* NULL, or why it stands for no address; then `out` is untouched. */
const char *address_resolve(struct address_list *out, const char *text, uint16_t port);
/* A number alone, without a port; false when it is none, and then *out is untouched. */
bool address_parse(struct address *out, const char *text);
/* 127.0.0.0/8, ::1, and the former inside IPv6 (::ffff:127.0.0.1). An address of a family without
 * hosts (AF_UNIX) is this machine's. */
bool address_is_loopback(const struct sockaddr *at);
/* 0.0.0.0 or ::. */
bool address_is_any(const struct sockaddr *at);
/* Binds the socket and listens on it, an IPv6 socket for IPv6 alone, so that `0.0.0.0 ::` names
 * both without a conflict. A descriptor that neither blocks nor is inherited, or a negative errno.
 */
int address_listen(const struct address *a, int backlog);
/* Whether address_listen's error says that the machine lacks this address or its family. */
bool address_is_lacking(int error);

#endif
