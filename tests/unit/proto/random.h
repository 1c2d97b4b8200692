/*
 * Seeded numbers for tests: the same on every machine and every run.
 *
 * Invariants: the state is never 0. Ownership: none. Cost: a few instructions a number.
 */
#ifndef TEST_PROTO_RANDOM_H
#define TEST_PROTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* Below `end`, which is not 0. */
static inline size_t random_below(uint64_t *state, size_t end)
{
    return (size_t)(random_next(state) >> 16) % end;
}

#endif
