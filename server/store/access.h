/*
 * The access clock of a name, in 24 bits of its entry: when, or how often, the name was last used.
 *
 *   0 + 23 bits of seconds                       last use (maxmemory-policy is not an lfu policy)
 *   1 + 15 bits of minutes + 8 bits of a count   last use, and Redis's LFU counter
 *
 * Redis has one more bit for either time, and its clock does not say which kind it is. After a
 * change between LRU and LFU, Redis therefore reads times as counts and counts as times, and evicts
 * at random until every name was used again. Here a clock of the other kind keeps its meaning: a
 * time is read as a name made then and not used since, and a count as the minute of the last use.
 * The next use rewrites the clock. The price: idle times wrap after 97 days, those of counts after
 * 22 (Redis: 194 and 45).
 *
 * The counter is Redis's. A new name has ACCESS_COUNT_NEW. A use adds 1 with probability 1 /
 * ((count - ACCESS_COUNT_NEW) * log_factor + 1), and each decay_minutes without a use subtract 1.
 * keyspace.c calls this module for its names, evict.c compares clocks.
 *
 * Invariants: none; any 24 bits are a valid clock.
 * Ownership: none.
 * Cost: two instructions per use, some twenty if uses are counted.
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
    bool counts;                        /* the policy needs counts, not times */
    uint32_t log_factor, decay_minutes; /* 0: every use counts; counts never decay */
    uint64_t random;
};

void access_init(struct access *a, uint64_t seed);
/* The clock of a new name. */
uint32_t access_new(const struct access *a);
/* The new clock of a name that is used now and had this clock. */
uint32_t access_counted(struct access *a, uint32_t clock);
static inline uint32_t access_again(struct access *a, uint32_t clock)
{
    if (UNLIKELY(a->counts)) return access_counted(a, clock);
    return a->now_s & ACCESS_SECONDS_MASK;
}
/* Seconds since the last use, modulo the clock's range; to the minute if uses are counted. */
uint32_t access_idle_s(const struct access *a, uint32_t clock);
/* The count after decay. */
uint32_t access_count(const struct access *a, uint32_t clock);

#endif
