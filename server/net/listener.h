/*
 * The listening sockets: one for each address of the configuration's `bind`. daemon.c opens them at
 * start-up; accepted connections are conn.c's.
 *
 * Addresses are numeric, IPv4 or IPv6; `*` is every IPv4 address. IPv6 sockets take IPv6 only, so
 * that `0.0.0.0 ::` names both without a conflict. Names are not resolved: which address a name
 * stands for may change, and a listener stays.
 *
 * Invariants: 1. net->listener_count <= NET_LISTENERS_MAX; 2. a listener is in net->listeners until
 *   it is closed.
 * Ownership: net owns the listeners; each is freed when libuv has closed it.
 * Cost: nothing but accept(2).
 */
#ifndef HEAPD_NET_LISTENER_H
#define HEAPD_NET_LISTENER_H

#include "net/net.h"

enum { LISTENER_ERROR_BYTES = 256 };

/* Listens on all of config.bind at config.port; nothing at port 0. False with one line in `error`
 * (no newline) that says which address; what was opened stays until listener_close_all. */
bool listener_open_all(struct net *net, char error[LISTENER_ERROR_BYTES]) MUST_USE;
void listener_close_all(struct net *net);
/* Takes connections that could not be taken when they came, for lack of memory. */
void listener_retry_all(struct net *net);

#endif
