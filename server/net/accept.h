/*
 * Accepting one connection: taking it from a listening socket, refusing one that is not served, and
 * what its session is told about it. net.c calls it.
 */
#ifndef HEAPD_NET_ACCEPT_H
#define HEAPD_NET_ACCEPT_H

#include "base/config.h"
#include "session/session.h"

enum accept_refusal { ACCEPT_SERVED, ACCEPT_TOO_MANY, ACCEPT_DENIED };

/* The next connection of a listening socket, or -errno; -EAGAIN: there is none. */
int accept_next(int listening_fd) MUST_USE;
/* Whether protected mode keeps it out: no password is asked for, and it comes from another machine.
 */
bool accept_is_denied(int fd, const struct config *config);
/* Tells the client why, without waiting, and closes. */
void accept_refuse(int fd, enum accept_refusal why);
/* Puts the addresses and the descriptor into the session, and sets the socket's options;
 * keepalive_s as tcp-keepalive. */
void accept_introduce(int fd, struct session *session, uint64_t keepalive_s);

#endif
