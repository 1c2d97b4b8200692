#include "store/access.h"

enum { SECONDS_PER_MINUTE = 60, COUNT_MASK = 0xff, COUNT_BITS = 8 };

static uint32_t minutes(const struct access *a)
{
    return a->now_s / SECONDS_PER_MINUTE & ACCESS_MINUTES_MASK;
}

static uint32_t idle_minutes(const struct access *a, uint32_t clock)
{
    if (!(clock & ACCESS_COUNTED)) return access_idle_s(a, clock) / SECONDS_PER_MINUTE;
    return (minutes(a) - (clock >> COUNT_BITS)) & ACCESS_MINUTES_MASK;
}

static uint32_t with_count(const struct access *a, uint32_t count)
{
    return (uint32_t)ACCESS_COUNTED | minutes(a) << COUNT_BITS | count;
}

/* 32 random bits (splitmix64). */
static uint32_t draw(struct access *a)
{
    uint64_t z = a->random += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    return (uint32_t)((z ^ z >> 27) * 0x94d049bb133111ebULL >> 32);
}

void access_init(struct access *a, uint64_t seed)
{
    *a = (struct access){.log_factor = 10, .decay_minutes = 1, .random = seed};
}

uint32_t access_new(const struct access *a)
{
    return a->counts ? with_count(a, ACCESS_COUNT_NEW) : a->now_s & ACCESS_SECONDS_MASK;
}

uint32_t access_counted(struct access *a, uint32_t clock)
{
    uint32_t count = access_count(a, clock);
    uint64_t above = count > ACCESS_COUNT_NEW ? count - ACCESS_COUNT_NEW : 0;
    bool is_lucky = draw(a) < ((uint64_t)1 << 32) / (above * a->log_factor + 1);
    return with_count(a, count + (count < ACCESS_COUNT_MAX && is_lucky));
}

uint32_t access_idle_s(const struct access *a, uint32_t clock)
{
    if (clock & ACCESS_COUNTED) return idle_minutes(a, clock) * SECONDS_PER_MINUTE;
    return (a->now_s - clock) & ACCESS_SECONDS_MASK;
}

uint32_t access_count(const struct access *a, uint32_t clock)
{
    uint32_t count = clock & ACCESS_COUNTED ? clock & COUNT_MASK : ACCESS_COUNT_NEW;
    uint32_t less = a->decay_minutes ? idle_minutes(a, clock) / a->decay_minutes : 0;
    return less < count ? count - less : 0;
}
