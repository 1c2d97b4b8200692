/*
 * Counts of durations, from which quantiles and Prometheus buckets are read.
 *
 * Log-linear: 4 buckets to each power of two, from 1 to 2^40 (units are the caller's: nanoseconds everywhere in
 * heapd), so a quantile is at most 19 % too high. Recording is a count-leading-zeros and an increment.
 *
 * Invariants
 *   1. count == the sum of all buckets.
 *   2. max is the largest value recorded, exact.
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
/* How many recorded values lie in buckets whose upper end is at most `limit` (cumulative, for `le` buckets). */
uint64_t histogram_below(const struct histogram *h, uint64_t limit);
void histogram_reset(struct histogram *h);
bool histogram_check(const struct histogram *h);

#endif
