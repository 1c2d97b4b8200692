/*
 * The pages of the HTTP port: chooses the page for a request and renders it. monitor.c calls it; it
 * knows nothing of connections.
 *
 *   /             lists the others           /livez   200 "ok" as long as the process answers
 *   /metrics      Prometheus (metrics.h)     /readyz  200 "ok", 503 while it shuts down
 *   /stats.json   the same as JSON (stats.h)
 *
 * Ownership: the caller of page_render owns the text, and frees it with page_text_free.
 */
#ifndef HEAPD_MONITOR_PAGE_H
#define HEAPD_MONITOR_PAGE_H

#include "engine/engine.h"

enum page {
    PAGE_INDEX,
    PAGE_METRICS,
    PAGE_STATS,
    PAGE_LIVE,
    PAGE_READY,
    PAGE_MISSING,       /* 404 */
    PAGE_WRONG_HOST,    /* 421 */
    PAGE_WRONG_METHOD,  /* 405 */
    PAGE_UNWANTED_BODY, /* 413 */
    PAGES
};

struct page_text {
    unsigned status; /* of HTTP */
    const char *type;
    const char *bytes;
    size_t size;
    void (*free)(void *bytes); /* NULL: the bytes are static */
};

/* By the path, for a GET or HEAD without a body. */
enum page page_of(const char *path);
/* 500 when memory is short. */
void page_render(enum page page, const struct engine *s, struct page_text *out);
void page_text_free(struct page_text *text);

#endif
