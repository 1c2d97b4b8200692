/*
 * Counts of durations, from which quantiles and Prometheus buckets are computed.
 *
 * Log-linear: 4 buckets of equal width per power of two, from 1 to 2^41, so a quantile is less than
 * 25 % too high. The caller chooses the unit (nanoseconds everywhere in heapd). 0 counts as 1;
 * larger values go to the last bucket, which has no upper end. A zeroed struct is an empty
 * histogram.
 *
 * Invariants
 *   1. count == the sum of all buckets.
 *   2. max is the largest recorded value, exactly; its bucket is the last one that is not empty.
 * Cost: recording is a count-leading-zeros and four writes; reading visits all buckets.
 */
#ifndef HEAPD_BASE_HISTOGRAM_H
#define HEAPD_BASE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 4 * 41 };

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, uint64_t value);
/* The upper end of the bucket in which the quantile q (0 to 1) lies, at most max; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* How many recorded values lie in buckets whose upper end is at most `limit` (cumulative, for `le`
 * buckets: it never decreases while values are recorded). Exact where `limit` is one less than 4,
 * 5, 6 or 7 times a power of two; elsewhere the bucket in which `limit` lies is left out. */
uint64_t histogram_below(const struct histogram *h, uint64_t limit);
/* Counts by powers of two of 1024: out[i] values lie above 1024 * 2^(i-1) and below 1024 * 2^i;
 * out[0] has what is below 1024 too, and out[n - 1] whatever is above. */
void histogram_doublings(const struct histogram *h, uint32_t n, uint64_t out[]);
bool histogram_check(const struct histogram *h);

#endif
