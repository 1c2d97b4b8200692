/*
 * What happens to a connection when it arrives: whether there is room for it, and
 * what its session is told about it. conn.c calls it.
 */
#ifndef HEAPD_NET_ARRIVAL_H
#define HEAPD_NET_ARRIVAL_H

#include "net/net.h"

/* Takes the next connection of a listening stream. *fd is its descriptor, the caller's, or -1: it
 * could not be had, or was one too many, and was told so and closed. False when there was no
 * memory, and it still waits. */
bool arrival_take(struct net *net, uv_stream_t *listening, int *fd) MUST_USE;
/* Puts the addresses and the descriptor into the session, and sets the socket's options. */
void arrival_introduce(const struct net *net, int fd, struct session *session);

#endif
