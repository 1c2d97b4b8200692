/*
 * The listening sockets: one for each address that the configuration's `bind` stands for. net.c
 * opens them at start-up and is called back (`accept`) while connections wait there.
 *
 * base/address.h says how addresses are written. A name is resolved here, once; of the addresses
 * that it stands for, those that this machine lacks are passed over, but one has to be left. An
 * address that two names stand for is listened on once.
 *
 * A listener whose connections cannot be accepted, for lack of memory or descriptors, is not polled
 * until listeners_retry: it would only be found ready again and again.
 *
 * Invariants: 1. count <= LISTENERS_MAX; 2. a listener is in `all` until it is closed.
 * Ownership: a listener owns its descriptor and is freed when libuv has closed its handle. Cost:
 * accept4(2), at most LISTENER_ACCEPTS_MAX an event.
 */
#ifndef HEAPD_NET_LISTENER_H
#define HEAPD_NET_LISTENER_H

#include <uv.h>

#include "base/config.h"
#include "base/mem.h"
#include "base/status.h"

enum { LISTENERS_MAX = 16, LISTENER_ACCEPTS_MAX = 64, LISTENER_ERROR_BYTES = 256 };

struct listener;

struct listeners {
    uv_loop_t *uv;
    struct mem *mem;
    /* Accepts one connection. 0, -EAGAIN: none waits, or another -errno: one waits and cannot be
     * accepted now. */
    int (*accept)(void *self, int listening_fd);
    void *self;
    struct listener *all[LISTENERS_MAX];
    uint32_t count;
};

/* Listens on all of config->bind at config->port. False with one line in `error`
 * (no newline) that says which address; what was opened stays until listeners_close. */
bool listeners_open(struct listeners *ls, const struct config *config,
                    char error[LISTENER_ERROR_BYTES]) MUST_USE;
void listeners_close(struct listeners *ls);
/* Accepts connections that could not be accepted when they came. */
void listeners_retry(struct listeners *ls);

#endif
