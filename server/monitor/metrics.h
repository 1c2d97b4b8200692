/*
 * /metrics: the numbers of the server in Prometheus' text format 0.0.4. page.c calls it.
 *
 * Base units (seconds, bytes), `_total` on counters alone, HELP and TYPE for each family. A command
 * appears with its first call, so that the page has no two hundred families of zeros.
 * CONFIG RESETSTAT sets counters back to zero, which Prometheus takes for a restart.
 *
 * Cost: reads counters, and the histograms of called commands; the heap is not walked. About 2 KiB
 * of text for each command that was called.
 */
#ifndef HEAPD_MONITOR_METRICS_H
#define HEAPD_MONITOR_METRICS_H

#include <hiredis/sds.h>

#include "engine/engine.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The caller frees it with sdsfree; NULL when memory is short. */
sds metrics_text(const struct engine *s);

#endif
