#include "monitor/page.h"

#include "monitor/metrics.h"
#include "monitor/stats.h"

static const char plain[] = "text/plain; charset=utf-8";

static const char *const paths[] = {
    [PAGE_INDEX] = "/",     [PAGE_METRICS] = "/metrics", [PAGE_STATS] = "/stats.json",
    [PAGE_LIVE] = "/livez", [PAGE_READY] = "/readyz",
};

enum page page_of(const char *path)
{
    for (int page = PAGE_INDEX; page <= PAGE_READY; page++)
        if (strcmp(path, paths[page]) == 0) return (enum page)page;
    return PAGE_MISSING;
}

static void free_sds(void *bytes)
{
    sdsfree(bytes);
}

static struct page_text fixed(unsigned status, const char *type, const char *bytes)
{
    return (struct page_text){
        .status = status, .type = type, .bytes = bytes, .size = strlen(bytes)};
}

/* Steals `text`, which may be NULL for lack of memory. */
static struct page_text written_take(const char *type, sds text)
{
    if (!text) return fixed(500, plain, "out of memory\n");
    return (struct page_text){200, type, text, sdslen(text), free_sds};
}

static struct page_text index_page(void)
{
    return fixed(200, "text/html; charset=utf-8",
                 "<!doctype html>\n"
                 "<html lang=\"en\"><title>heapd " HEAPD_VERSION "</title>\n"
                 "<h1>heapd " HEAPD_VERSION "</h1>\n"
                 "<ul>\n"
                 "<li><a href=\"/metrics\">/metrics</a>: for Prometheus\n"
                 "<li><a href=\"/stats.json\">/stats.json</a>: the same numbers as JSON\n"
                 "<li><a href=\"/livez\">/livez</a>: whether the process answers\n"
                 "<li><a href=\"/readyz\">/readyz</a>: whether it takes commands\n"
                 "</ul>\n");
}

static struct page_text render(enum page page, const struct engine *s)
{
    switch (page) {
    case PAGE_INDEX: return index_page();
    case PAGE_METRICS: return written_take(METRICS_TYPE, metrics_text(s));
    case PAGE_STATS: return written_take("application/json", stats_text(s));
    case PAGE_LIVE: return fixed(200, plain, "ok\n");
    case PAGE_READY:
        if (s->shutdown == ENGINE_RUNS) return fixed(200, plain, "ok\n");
        return fixed(503, plain, "shutting down\n");
    case PAGE_WRONG_HOST:
        return fixed(421, plain, "this host name is not served; http-hosts may list it\n");
    case PAGE_WRONG_METHOD: return fixed(405, plain, "only GET and HEAD\n");
    case PAGE_UNWANTED_BODY: return fixed(413, plain, "a request has no body here\n");
    case PAGE_MISSING:
    case PAGES: break;
    }
    return fixed(404, plain, "no such page; / lists them\n");
}

void page_render(enum page page, const struct engine *s, struct page_text *out)
{
    *out = render(page, s);
}

void page_text_free(struct page_text *text)
{
    if (text->free) text->free((void *)text->bytes);
}
