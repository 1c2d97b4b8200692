/*
 * heapctl --pipe: sends RESP from a descriptor as fast as the server takes it, counts what comes
 * back, and draws how far it is on stderr: a bar on a terminal, elsewhere a line a second. The
 * bytes are not parsed; the end is known by an ECHO of random bytes behind them.
 *
 * Invariants
 *  1. Memory stays bounded, however long the input is and however slow the server.
 *
 * Ownership: the connection is borrowed, and must have nothing pending.
 *
 * Cost: one copy of each byte; a reply is a tree for as long as it is counted.
 */
#ifndef HEAPCTL_PIPE_H
#define HEAPCTL_PIPE_H

#include "client/heapd.h"

/* The connection's own timeout, or this one: an input that ends in mid-command would wait for ever.
 */
enum { PIPE_TIMEOUT_MS = 30000 };

/* The exit code of heapctl. */
int pipe_run(struct heapd *h, int fd);

#endif
