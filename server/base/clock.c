#include "base/clock.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

enum {
    RATE_NS_MIN = 10000000,   /* the first length of a tick is measured over this, */
    RATE_NS_MAX = 1000000000, /* and then anew over each second */
    /* Between the counter before and after the clock was asked: above this the process was
     * interrupted meanwhile, and the two do not belong together. */
    PAIR_TICKS_MAX = 5000,
};

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
