/*
 * /metrics: the figures of the server in Prometheus' text format 0.0.4. page.c calls it.
 *
 * Units are seconds and bytes; only counters end in `_total`; each family has HELP and TYPE. A
 * command appears after its first call, so the page does not list two hundred families of zeros.
 * CONFIG RESETSTAT sets counters back to zero, which Prometheus treats as a restart.
 *
 * Cost: reads counters, and the histograms of called commands; does not walk the heap. About 2 KiB
 * of text per command that was called.
 */
#ifndef HEAPD_MONITOR_METRICS_H
#define HEAPD_MONITOR_METRICS_H

#include <hiredis/sds.h>

#include "engine/engine.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The caller frees it with sdsfree; NULL when memory is short. */
sds metrics_text(const struct engine *s);

#endif
