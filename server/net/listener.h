/*
 * The listening sockets: one for each address that the configuration's `bind` stands for. daemon.c
 * opens them at start-up; accepted connections are conn.c's.
 *
 * base/address.h says how addresses are written. A name is resolved here, once; of the addresses
 * that it stands for, those that this machine lacks are passed over, but one has to be left. An
 * address that two names stand for is listened on once.
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

/* Listens on all of config.bind at config.port. False with one line in `error`
 * (no newline) that says which address; what was opened stays until listener_close_all. */
bool listener_open_all(struct net *net, char error[LISTENER_ERROR_BYTES]) MUST_USE;
void listener_close_all(struct net *net);
/* Takes connections that could not be taken when they came, for lack of memory. */
void listener_retry_all(struct net *net);

#endif
