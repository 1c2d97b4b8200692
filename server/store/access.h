/*
 * The access clock of a name: when it was last made use of, or how often, in the 24 bits that its
 * entry has for it.
 *
 *   0 + 23 bits of seconds                       when (maxmemory-policy is none of lfu)
 *   1 + 15 bits of minutes + 8 bits of a count   how often (Redis's LFU counter), and when last
 *
 * Redis has one more bit for either time and does not say in the clock which of the two it is; so
 * after a change between LRU and LFU it reads times as counts and the reverse, and evicts at random
 * until every name was used again. Here a clock of the other kind is read for what it says: a time
 * as that of a name made then and not used since, a count as the minute of the last use. It is
 * written anew when the name is used. The price is that idle times begin again after 97 days, and
 * those of a count after 22; Redis's do after 194 and 45.
 *
 * The count is Redis's: a new name has ACCESS_COUNT_NEW, a use adds 1 with probability
 * 1 / ((count - ACCESS_COUNT_NEW) * log_factor + 1), and for each decay_minutes without one it is 1
 * less. keyspace.c calls it for its names, evict.c compares clocks. It knows neither.
 *
 * Invariants: none; every 24 bits are a clock.
 * Ownership: numbers alone.
 * Cost: where uses are not counted a use is two instructions, else some twenty.
 */
#ifndef HEAPD_STORE_ACCESS_H
#define HEAPD_STORE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/panic.h"

enum {
    ACCESS_COUNTED = 1 << 23, /* the clock has a count */
    ACCESS_SECONDS_MASK = ACCESS_COUNTED - 1,
    ACCESS_MINUTES_MASK = 0x7fff,
    ACCESS_COUNT_NEW = 5,
    ACCESS_COUNT_MAX = 255,
};

struct access {
    /* Seconds of the monotonic clock. The daemon sets it once a turn: reading the clock at each
     * lookup would cost as much as the lookup. */
    uint32_t now_s;
    bool counts;                        /* the policy asks how often, not when */
    uint32_t log_factor, decay_minutes; /* 0: every use counts; a count never becomes less */
    uint64_t random;
};

void access_init(struct access *a, uint64_t seed);
/* Of a name that is made now. */
uint32_t access_new(const struct access *a);
/* Of a name that is made use of now and had this clock. */
uint32_t access_counted(struct access *a, uint32_t clock);
static inline uint32_t access_again(struct access *a, uint32_t clock)
{
    if (UNLIKELY(a->counts)) return access_counted(a, clock);
    return a->now_s & ACCESS_SECONDS_MASK;
}
/* Seconds since the last use, modulo what the clock can tell; of a count to the minute. */
uint32_t access_idle_s(const struct access *a, uint32_t clock);
/* What the count has become by now. */
uint32_t access_count(const struct access *a, uint32_t clock);

#endif
