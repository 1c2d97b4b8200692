/*
 * The limit of open descriptors, which bounds the number of clients. main.c raises it for
 * maxclients, and so does CONFIG SET maxclients when it grows.
 *
 * Ownership: the limit belongs to the process; it is never lowered. Cost: at most three system
 * calls.
 */
#ifndef HEAPD_BASE_DESCRIPTORS_H
#define HEAPD_BASE_DESCRIPTORS_H

#include <stdint.h>

/* What the process may have open beside clients: the listeners of both ports, HTTP's connections,
 * the loop's own, the log. */
enum { DESCRIPTORS_RESERVED = 112 };

/* As many clients as are asked for, or as the system allows. */
uint64_t descriptors_for(uint64_t clients);

#endif
