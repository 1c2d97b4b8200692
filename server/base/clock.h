/*
 * The engine's clock: wall, monotonic and thread CPU time in one struct clock. struct engine owns
 * it and passes it down by pointer. Nothing else reads the system's clocks, except the log, whose
 * lines are compared with those of other programs, and the hash seeds, which need entropy.
 *
 * A clock shows the machine's time or, in tests, a simulated time (clock_simulate). Simulated time
 * stands still until the test advances it, and may advance by a fixed amount at each reading, so
 * that work with a deadline always ends after the same number of steps.
 *
 * Deadlines of bounded steps use the monotonic clock, which is read without a system call. The time
 * that a step used is measured by the thread's CPU clock, which other processes do not disturb.
 * TTLs use the wall clock. Where even the monotonic clock costs too much, after each command,
 * clock_ticks_ns counts processor ticks since the clock was last read. It drifts by a few
 * microseconds per second without a reading, and may then jump back by as much.
 *
 * Invariants
 *   1. Of a simulated clock, monotonic and CPU time are equal and never go back; the wall clock is
 *      ahead of them by what clock_wall_shift and clock_simulate say.
 *   2. A simulated clock never counts ticks.
 * Ownership: none. Cost: one branch more than the system's own function, which makes a system call
 * only for CPU time; clock_ticks_ns has the branch only where ticks are not counted.
 */
#ifndef HEAPD_BASE_CLOCK_H
#define HEAPD_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* A struct of zeros is a clock that shows the machine's time. It wants clock_sync_ns to be called
 * now and then; until it knows how long a tick is, and where the processor's counter does not run
 * evenly, clock_ticks_ns asks the system. */
struct clock {
    int64_t set_ns;     /* when clock_sync_ns was last called, */
    uint64_t set_ticks; /* and the counter then */
    int64_t rated_ns;   /* since when the length of a tick is being measured */
    uint64_t rated_ticks;
    uint64_t tick_ns_32; /* 2^32 times the length of a tick; 0: not known */
    bool uneven;         /* it never will be */
    bool simulated;      /* then the rest counts: */
    int64_t now_ns;      /* monotonic */
    int64_t reading_ns;  /* by so much it advances at each reading */
    int64_t wall_ahead_ns;
};

static inline int64_t clock_system_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_simulated_ns(struct clock *c)
{
    return c->now_ns += c->reading_ns;
}

static inline int64_t clock_ns(struct clock *c, clockid_t id)
{
    return __builtin_expect(c->simulated, 0) ? clock_simulated_ns(c) : clock_system_ns(id);
}

static inline int64_t clock_mono_ns(struct clock *c)
{
    return clock_ns(c, CLOCK_MONOTONIC);
}

/* The same to a few milliseconds, for a fraction of the price. */
static inline int64_t clock_coarse_ns(struct clock *c)
{
    return clock_ns(c, CLOCK_MONOTONIC_COARSE);
}

/* CPU time of the calling thread. */
static inline int64_t clock_thread_ns(struct clock *c)
{
    return clock_ns(c, CLOCK_THREAD_CPUTIME_ID);
}

/* Since 1970. */
static inline int64_t clock_wall_ns(struct clock *c)
{
    return clock_ns(c, CLOCK_REALTIME) + c->wall_ahead_ns;
}

/* Sleeps of this thread end when they should: otherwise the system takes up to 50 us more, so as to
 * wake several together. */
void clock_sleeps_are_short(void);
/* Not longer than that and what waking takes; shorter if a signal comes. A simulated clock advances
 * instead. */
void clock_sleep_ns(struct clock *c, int64_t ns);

/* Reads the monotonic clock, returns it, and counts ticks on from it. */
int64_t clock_sync_ns(struct clock *c);

static inline uint64_t clock_ticks(void)
{
#ifdef __x86_64__
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/* The monotonic clock, nearly. */
static inline int64_t clock_ticks_ns(struct clock *c)
{
    if (!c->tick_ns_32) return clock_mono_ns(c);
    uint64_t ticks = clock_ticks() - c->set_ticks;
    return c->set_ns + (int64_t)(uint64_t)((__uint128_t)ticks * c->tick_ns_32 >> 32);
}

/* Where a simulated clock begins, and by how much each reading advances it. */
struct clock_simulation {
    int64_t mono_ns, wall_ns;
    int64_t reading_ns;
};
/* From now on the clock is a simulated one. Of one thread. */
void clock_simulate(struct clock *c, const struct clock_simulation *begin);
/* Lets so much time pass on a simulated clock; ns >= 0. */
void clock_advance(struct clock *c, int64_t ns);
/* Sets a simulated wall clock forward, or back where ns < 0; no time passes. */
void clock_wall_shift(struct clock *c, int64_t ns);

#endif
