/*
 * The seeded hash of all tables: XXH3 with a seed drawn at start, so that clients cannot aim at one
 * bucket.
 */
#ifndef HEAPD_BASE_HASH_H
#define HEAPD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(uint64_t seed, const void *p, size_t n);

/* For words: immediates, pointers, numbers. A full avalanche (the finalizer of MurmurHash3). */
static inline uint64_t hash_word(uint64_t seed, uint64_t w)
{
    w ^= seed;
    w ^= w >> 33;
    w *= 0xff51afd7ed558ccdULL;
    w ^= w >> 33;
    w *= 0xc4ceb9fe1a85ec53ULL;
    return w ^ (w >> 33);
}

/* Bytes that nobody can predict (getrandom). */
uint64_t hash_seed_random(void);

#endif
