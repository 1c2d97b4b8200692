#include "base/clock.h"

#include "base/panic.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif
#ifdef __x86_64__
#include <cpuid.h>
#endif

enum {
    RATE_NS_MIN = 10000000,   /* the first length of a tick is measured over this, */
    RATE_NS_MAX = 1000000000, /* and then anew over each second */
    /* Between the counter before and after the clock was asked: above this the process was
     * interrupted meanwhile, and the two do not belong together. */
    PAIR_TICKS_MAX = 5000,
    SLEEP_SLACK_NS = 1,
};

void clock_sleeps_are_short(void)
{
#ifdef __linux__
    (void)prctl(PR_SET_TIMERSLACK, SLEEP_SLACK_NS, 0, 0, 0);
#endif
}

void clock_sleep_ns(struct clock *c, int64_t ns)
{
    if (c->simulated) {
        clock_advance(c, ns);
        return;
    }
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    (void)nanosleep(&t, NULL);
}

/* Whether the counter runs at one speed, whatever the processor does. */
static bool ticks_evenly(void)
{
#ifdef __x86_64__
    enum { LEAF = (int)0x80000007, INVARIANT = 1 << 8 };
    unsigned a, b, c, d;
    return __get_cpuid((unsigned)LEAF, &a, &b, &c, &d) && (d & INVARIANT);
#else
    return false;
#endif
}

/* A pair of times from which, and from the one before, the length of a tick follows. */
static void rate(struct clock *c)
{
    int64_t ns = c->set_ns - c->rated_ns;
    if (c->rated_ns && ns < (c->tick_ns_32 ? RATE_NS_MAX : RATE_NS_MIN)) return;
    if (c->rated_ns && c->set_ticks > c->rated_ticks)
        c->tick_ns_32 =
            (uint64_t)(((__uint128_t)(uint64_t)ns << 32) / (c->set_ticks - c->rated_ticks));
    c->rated_ns = c->set_ns;
    c->rated_ticks = c->set_ticks;
}

int64_t clock_sync_ns(struct clock *c)
{
    if (c->simulated) return clock_simulated_ns(c);
    if (c->set_ns == 0) c->uneven = !ticks_evenly();
    uint64_t before = clock_ticks();
    c->set_ns = clock_system_ns(CLOCK_MONOTONIC);
    c->set_ticks = clock_ticks();
    if (!c->uneven && c->set_ticks - before <= PAIR_TICKS_MAX) rate(c);
    return c->set_ns;
}

void clock_simulate(struct clock *c, const struct clock_simulation *begin)
{
    ASSERT(begin->reading_ns >= 0);
    *c = (struct clock){
        .simulated = true,
        .now_ns = begin->mono_ns,
        .reading_ns = begin->reading_ns,
        .wall_ahead_ns = begin->wall_ns - begin->mono_ns,
    };
}

void clock_advance(struct clock *c, int64_t ns)
{
    ASSERT(c->simulated && ns >= 0);
    c->now_ns += ns;
}

void clock_wall_shift(struct clock *c, int64_t ns)
{
    ASSERT(c->simulated);
    c->wall_ahead_ns += ns;
}
