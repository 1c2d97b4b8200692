/*
 * The process: builds the server around a libuv loop, shares out each turn of it between requests
 * and the bounded steps beside them, and ends it well. main.c calls daemon_run once.
 *
 * A turn: what was left over, then each ready connection's share (net/net.h); then one steps_run;
 * then those who waited for it. While steps or connections have work left the loop does not block;
 * when nothing is left it does, until bytes arrive, a name expires (to the millisecond), candidates
 * of the collector have waited long enough, or net's tick.
 *
 * The end: SIGTERM, SIGINT and SHUTDOWN close the listeners, run and answer what has arrived by
 * then, for at most DAEMON_DRAIN_MS, and exit 0. A second signal exits at once, within the handler,
 * with 128 + its number, whatever is running: it says that replies were lost.
 *
 * Invariants: 1. the server outlives the net, and both outlive the loop's last callback.
 * Ownership: everything is freed before daemon_run returns.
 * Cost: a turn without work beside requests costs two comparisons of the wake-up time.
 */
#ifndef HEAPD_DAEMON_H
#define HEAPD_DAEMON_H

#include "base/config.h"

enum { DAEMON_DRAIN_MS = 5000 };

/* Serves until it is told to end; the exit code. Failures at start-up: one line on standard error
 * that says what, and 1. There have to be descriptors for maxclients. */
int daemon_run(const struct config *config);

#endif
