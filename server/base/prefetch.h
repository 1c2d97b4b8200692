/*
 * Fetching memory into the cache before it is needed. The one place that says how: GCC 12 takes a
 * function that does nothing but __builtin_prefetch for one without effects, and drops the calls of
 * it (GCC bug 109985; across files too, where the program is optimized as it is linked). An empty
 * volatile statement is an effect, and costs nothing.
 *
 * The address may be any: what is not mapped is not fetched.
 */
#ifndef HEAPD_BASE_PREFETCH_H
#define HEAPD_BASE_PREFETCH_H

/* To be read. */
static inline void prefetch(const void *p)
{
    __builtin_prefetch(p);
    __asm__ volatile("");
}

/* To be written. */
static inline void prefetch_to_write(const void *p)
{
    __builtin_prefetch(p, 1);
    __asm__ volatile("");
}

#endif
