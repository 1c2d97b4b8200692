/*
 * The table of all numbers in struct figures: the offset of each, its key in /stats.json, and its
 * family in /metrics. metrics.c and stats.c iterate over it, so a new number needs one row here and
 * appears in both. Arrays and histograms have no row; metrics.c and stats.c write them.
 *
 * Invariants (the unit test reads every word of struct figures and every row)
 *   1. Every field of struct figures except gc.phase and heap.objects_by_type has one row.
 *   2. The rows of a section are adjacent, and so are the rows of a family; rows of one family
 *      differ only in their label.
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
    const char *section, *key; /* of /stats.json: the names in struct figures */
    size_t offset;             /* in struct figures */
    enum number_form form;
    enum number_unit unit;
    enum number_kind kind;
    const char *family; /* NULL: it is not in /metrics */
    const char *label;  /* `name="value"`, or "" */
    const char *help;
};

/* In the order of struct figures; NULL past the last. */
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
