/*
 * Clocks. Deadlines of bounded steps look at the monotonic clock, which is read without a system
 * call; what a step really used is told by the thread's CPU clock, which other processes do not
 * disturb.
 */
#ifndef HEAPD_BASE_CLOCK_H
#define HEAPD_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_mono_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

/* CPU time of the calling thread. */
static inline int64_t clock_thread_ns(void)
{
    return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Wall-clock time since 1970, what TTLs are measured in. */
static inline int64_t clock_real_ms(void)
{
    return clock_read_ns(CLOCK_REALTIME) / 1000000;
}

static inline int64_t clock_real_us(void)
{
    return clock_read_ns(CLOCK_REALTIME) / 1000;
}

#endif
