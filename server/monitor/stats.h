/*
 * /stats.json: the figures of the server as one nested object, for dashboards and scripts. page.c
 * calls it.
 *
 *   {"version", "ready", "process": {...}, "clients", "memory", "heap": {"objects_by_type", ...},
 *    "gc": {"slice_ns", ...}, "stats": {"step_ns", ...}, "bucket_limits_ns": [...],
 *    "commands": {"get": {"calls", "rejected", "failed", "duration_ns"}, ...}}
 *
 * Keys are the field names of struct figures, units last. Durations (slice_ns, step_ns, and
 * duration_ns of a command) are {count, sum, max, p50, p99, buckets}: buckets[i] counts the values
 * of at most bucket_limits_ns[i], the limits of /metrics.
 *
 * Cost: that of /metrics, plus a tree of small allocations.
 */
#ifndef HEAPD_MONITOR_STATS_H
#define HEAPD_MONITOR_STATS_H

#include <hiredis/sds.h>

#include "engine/engine.h"

/* The caller frees it with sdsfree; NULL when memory is short. */
sds stats_text(const struct engine *s);

#endif
