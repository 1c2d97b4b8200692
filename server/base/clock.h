/*
 * Clocks. Deadlines of bounded steps look at the monotonic clock, which is read without a system
 * call; what a step really used is told by the thread's CPU clock, which other processes do not
 * disturb.
 *
 * Where even the monotonic clock costs too much, at each command, a struct clock_ticker counts the
 * processor's ticks since the clock was last read. It is right to a few microseconds for each
 * second that it was not told the time, and may then jump back by as much.
 */
#ifndef HEAPD_BASE_CLOCK_H
#define HEAPD_BASE_CLOCK_H

#include <stdbool.h>
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

/* The same to a few milliseconds, for a fraction of the price. */
static inline int64_t clock_coarse_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC_COARSE);
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

/* Sleeps of this thread end when they should: otherwise the system takes up to 50 us more, so as to
 * wake several together. */
void clock_sleeps_are_short(void);
/* Not longer than that and what waking takes; shorter if a signal comes. */
void clock_sleep_ns(int64_t ns);

/* Wants clock_ticker_set to be called now and then; until it knows how long a tick is, and where
 * the processor's counter does not run evenly, it asks the clock. A struct of zeros is a new one.
 */
struct clock_ticker {
    int64_t set_ns;     /* when clock_ticker_set was last called, */
    uint64_t set_ticks; /* and the counter then */
    int64_t rated_ns;   /* since when the length of a tick is being measured */
    uint64_t rated_ticks;
    uint64_t tick_ns_32; /* 2^32 times the length of a tick; 0: not known */
    bool uneven;         /* it never will be */
};

/* Reads the monotonic clock, returns it, and counts on from it. */
int64_t clock_ticker_set(struct clock_ticker *t);

static inline uint64_t clock_ticks(void)
{
#ifdef __x86_64__
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/* The monotonic clock, nearly. */
static inline int64_t clock_ticker_ns(const struct clock_ticker *t)
{
    if (!t->tick_ns_32) return clock_mono_ns();
    uint64_t ticks = clock_ticks() - t->set_ticks;
    return t->set_ns + (int64_t)(uint64_t)((__uint128_t)ticks * t->tick_ns_32 >> 32);
}

#endif
