/*
 * Accepting one connection: taking it from a listening socket, refusing one too many, and what its
 * session is told about it. net.c calls it.
 */
#ifndef HEAPD_NET_ACCEPT_H
#define HEAPD_NET_ACCEPT_H

#include "session/session.h"

/* The next connection of a listening socket, or -errno; -EAGAIN: there is none. */
int accept_next(int listening_fd) MUST_USE;
/* Tells the client, without waiting, that it is one too many, and closes. */
void accept_refuse(int fd);
/* Puts the addresses and the descriptor into the session, and sets the socket's options;
 * keepalive_s as tcp-keepalive. */
void accept_introduce(int fd, struct session *session, uint64_t keepalive_s);

#endif
