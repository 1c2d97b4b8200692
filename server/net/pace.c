#include "net/pace.h"

/* What follows from the window that ends. */
static int64_t gap_after(const struct pace *p, int64_t passed_ns, int64_t gap_ns_max)
{
    if (p->arrivals < PACE_ARRIVALS_MIN) return 0;
    int64_t gap_ns = passed_ns / p->busiest / PACE_PART;
    if (gap_ns > gap_ns_max) gap_ns = gap_ns_max;
    return gap_ns >= passed_ns / p->arrivals * PACE_ARRIVALS_MIN ? gap_ns : 0;
}

static bool is_reference(const struct pace *p)
{
    return p->window % PACE_REFERENCE == 0;
}

static void next_window(struct pace *p, int64_t now_ns, int64_t gap_ns_max)
{
    int64_t passed_ns = now_ns - p->window_ns;
    if (is_reference(p))
        p->budget_ns = (int64_t)(2.0 * (double)p->blocked_ns / (double)passed_ns * PACE_WINDOW_NS);
    p->gap_ns = gap_after(p, passed_ns, gap_ns_max);
    p->window++;
    p->window_ns = now_ns;
    p->arrivals = p->busiest = 0;
    p->blocked_ns = p->waited_ns = 0;
}

static int64_t wait_at(const struct pace *p, int64_t now_ns)
{
    int64_t wait_ns = p->polled_ns + p->gap_ns - now_ns;
    bool waits =
        wait_ns >= PACE_WAIT_NS_MIN && !is_reference(p) && p->waited_ns + wait_ns <= p->budget_ns;
    return waits ? wait_ns : 0;
}

int64_t pace_poll(struct pace *p, int64_t now_ns, int64_t gap_ns_max)
{
    if (now_ns - p->window_ns >= PACE_WINDOW_NS) next_window(p, now_ns, gap_ns_max);
    int64_t wait_ns = wait_at(p, now_ns);
    p->waited_ns += wait_ns;
    p->polled_ns = now_ns + wait_ns;
    p->polling = true;
    return wait_ns;
}
