#include "base/clock.h"

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

void clock_sleep_ns(int64_t ns)
{
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
static void rate(struct clock_ticker *t)
{
    int64_t ns = t->set_ns - t->rated_ns;
    if (t->rated_ns && ns < (t->tick_ns_32 ? RATE_NS_MAX : RATE_NS_MIN)) return;
    if (t->rated_ns && t->set_ticks > t->rated_ticks)
        t->tick_ns_32 =
            (uint64_t)(((__uint128_t)(uint64_t)ns << 32) / (t->set_ticks - t->rated_ticks));
    t->rated_ns = t->set_ns;
    t->rated_ticks = t->set_ticks;
}

int64_t clock_ticker_set(struct clock_ticker *t)
{
    if (t->set_ns == 0) t->uneven = !ticks_evenly();
    uint64_t before = clock_ticks();
    t->set_ns = clock_mono_ns();
    t->set_ticks = clock_ticks();
    if (!t->uneven && t->set_ticks - before <= PAIR_TICKS_MAX) rate(t);
    return t->set_ns;
}
