/* Bytes in the order of a stream, and draws from a seed. Memory that is out ends the process. */
#ifndef TEST_SIM_BYTES_H
#define TEST_SIM_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct random {
    uint64_t state;
};

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014). */
static inline uint64_t random_next(struct random *r)
{
    uint64_t x = r->state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* 0 <= drawn < below. */
static inline uint64_t random_below(struct random *r, uint64_t below)
{
    return random_next(r) % below;
}

static inline bool random_one_in(struct random *r, uint64_t n)
{
    return random_below(r, n) == 0;
}

struct bytes {
    char *p;
    size_t begin, end, cap;
};

static inline size_t bytes_count(const struct bytes *b)
{
    return b->end - b->begin;
}

static inline const char *bytes_front(const struct bytes *b)
{
    return b->p + b->begin;
}

static inline void bytes_put(struct bytes *b, const char *p, size_t n)
{
    if (n == 0) return;
    if (b->end + n > b->cap && b->begin > 0) {
        memmove(b->p, b->p + b->begin, b->end - b->begin);
        b->end -= b->begin;
        b->begin = 0;
    }
    if (b->end + n > b->cap) {
        b->cap = 2 * (b->end + n);
        b->p = realloc(b->p, b->cap);
        if (!b->p) abort();
    }
    memcpy(b->p + b->end, p, n);
    b->end += n;
}

static inline void bytes_drop(struct bytes *b, size_t n)
{
    b->begin += n;
    if (b->begin == b->end) b->begin = b->end = 0;
}

static inline void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes){0};
}

#endif
