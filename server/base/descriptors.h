/*
 * The limit of open descriptors, which bounds the number of clients. main.c raises it for what
 * maxclients asks for, and CONFIG SET maxclients when that becomes more.
 *
 * Ownership: the limit is the process's; it is never lowered. Cost: three system calls at most.
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
