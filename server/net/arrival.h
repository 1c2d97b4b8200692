/*
 * What happens to a connection of either kind when it arrives: whether there is room for it, and
 * what its session is told about it. conn.c and remote.c call it.
 */
#ifndef HEAPD_NET_ARRIVAL_H
#define HEAPD_NET_ARRIVAL_H

#include "net/net.h"

/* Whether there are as many clients as there may be. */
bool arrival_is_one_too_many(const struct net *net);
/* Tells it so, without waiting, and counts it. */
void arrival_refuse(struct net *net, uv_stream_t *stream);
/* Puts the addresses and the descriptor into the session, and sets the socket's options. */
void arrival_introduce(const struct net *net, uv_tcp_t *tcp, struct session *session);

#endif
