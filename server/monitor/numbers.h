/*
 * The table of everything that a snapshot holds: where each number lies, its key in /stats.json,
 * and its family in /metrics. metrics.c and stats.c go through it, so that a new number of the
 * snapshot is one row here and appears in both. What is an array or a histogram has no row: they
 * write it out themselves.
 *
 * Invariants (the unit test reads every word of the snapshot and every row)
 *   1. Every field of struct figures but gc.phase and heap.objects_by_type has one row.
 *   2. The rows of a section stand together, and so do the rows of a family; rows of one family
 *      differ in their label alone.
 *   3. A family ends in _total if and only if it is a counter; units are seconds and bytes.
 * Ownership: static. Cost: reading a number is one load.
 */
#ifndef HEAPD_MONITOR_NUMBERS_H
#define HEAPD_MONITOR_NUMBERS_H

#include "engine/figures.h"

enum number_form { NUMBER_U64, NUMBER_I64, NUMBER_BOOL, NUMBER_DOUBLE, NUMBER_TEXT };
/* What the integer counts; metrics are in seconds. */
enum number_unit { NUMBER_PLAIN, NUMBER_MICROSECONDS };
enum number_kind { NUMBER_GAUGE, NUMBER_COUNTER };

struct number {
    const char *section, *key; /* of /stats.json: the snapshot's own names */
    size_t offset;             /* in struct figures */
    enum number_form form;
    enum number_unit unit;
    enum number_kind kind;
    const char *family; /* NULL: it is not in /metrics */
    const char *label;  /* `name="value"`, or "" */
    const char *help;
};

/* In the order of the snapshot; NULL when index is past the last. */
const struct number *number_at(uint32_t index);
/* Where the number lies; the caller reads it as the row's form says. */
static inline const void *number_in(const struct figures *now, const struct number *row)
{
    return (const char *)now + row->offset;
}

/*
 * The limits of buckets that all histograms share, ascending; NULL when index is past the last.
 * Each is one less than a power of two: only there the counts of a histogram are exact.
 */
struct number_limit {
    uint64_t ns;
    const char *seconds; /* as text, written here once and not at every scrape for every command */
};
const struct number_limit *number_limit_at(uint32_t index);

#endif
