/*
 * Fetches memory into the cache before it is needed. Only this file uses __builtin_prefetch: GCC 12
 * treats a function that does nothing else as one without effects and drops calls of it (GCC bug
 * 109985), also across files with link-time optimization. An empty volatile statement counts as an
 * effect and costs nothing.
 *
 * Any address is allowed; an unmapped one is not fetched.
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
