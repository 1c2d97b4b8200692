/*
 * Lets the nth allocation of a test program fail. The linker sends malloc, calloc and realloc here
 * (-Wl,--wrap); free is the real one.
 *
 * Invariants: none beyond the counter. Ownership: none. Cost: a counter an allocation.
 */
#ifndef TEST_PROTO_ALLOC_H
#define TEST_PROTO_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From now on `after` allocations succeed and the next one fails; those behind it succeed again. */
void alloc_fail_after(size_t after);
/* Back to normal; true when an allocation failed since alloc_fail_after. */
bool alloc_fail_end(void);
/* Allocations so far, failed ones included. */
size_t alloc_count(void);

#endif
