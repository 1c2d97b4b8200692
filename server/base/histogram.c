#include "base/histogram.h"

#include <math.h>
#include <string.h>

enum { OCTAVE_BUCKETS = 4 };

static uint32_t bucket_of(uint64_t value)
{
    if (value == 0) return 0;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(value);
    uint32_t quarter =
        octave < 2 ? (uint32_t)(value << (2 - octave)) & 3 : (uint32_t)(value >> (octave - 2)) & 3;
    uint32_t bucket = octave * OCTAVE_BUCKETS + quarter;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of a bucket. Of the eight lowest buckets some hold no whole number; their end
 * is then that of the one before. The last bucket takes all that is larger. */
static uint64_t bucket_end(uint32_t bucket)
{
    if (bucket == HISTOGRAM_BUCKETS - 1) return UINT64_MAX;
    uint64_t quarters = OCTAVE_BUCKETS + bucket % OCTAVE_BUCKETS + 1;
    return ((quarters << (bucket / OCTAVE_BUCKETS)) + OCTAVE_BUCKETS - 1) / OCTAVE_BUCKETS - 1;
}

void histogram_record(struct histogram *h, uint64_t value)
{
    h->count++;
    h->sum += value;
    if (value > h->max) h->max = value;
    h->buckets[bucket_of(value)]++;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    if (h->count == 0) return 0;
    double rank = ceil(q * (double)h->count);
    uint64_t seen = 0;
    for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
        seen += h->buckets[b];
        if (seen == 0 || (double)seen < rank) continue;
        uint64_t end = bucket_end(b);
        return end < h->max ? end : h->max;
    }
    return h->max;
}

uint64_t histogram_below(const struct histogram *h, uint64_t limit)
{
    /* h->max is not looked at: a bucket that counts as long as max is below the limit and no longer
     * once a larger value came into it would make a counter run backwards. */
    uint64_t below = 0;
    for (uint32_t b = 0; b < HISTOGRAM_BUCKETS && bucket_end(b) <= limit; b++) {
        below += h->buckets[b];
    }
    return below;
}

void histogram_doublings(const struct histogram *h, uint32_t n, uint64_t out[])
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t below = i + 1 < n ? histogram_below(h, (UINT64_C(1024) << i) - 1) : h->count;
        out[i] = below - before;
        before = below;
    }
}

bool histogram_check(const struct histogram *h)
{
    uint64_t count = 0;
    uint32_t last = 0;
    for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
        count += h->buckets[b];
        if (h->buckets[b]) last = b;
    }
    if (count != h->count) return false;                    /* 1 */
    return count ? bucket_of(h->max) == last : h->max == 0; /* 2 */
}
