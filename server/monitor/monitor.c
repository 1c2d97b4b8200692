#include "monitor/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor/page.h"

struct rendered {
    struct MHD_Response *response; /* NULL: nobody asked in this event */
    unsigned status;
};

struct monitor {
    const struct engine *engine;
    struct MHD_Daemon *http;
    uv_poll_t ready; /* the epoll descriptor of `http` */
    uv_timer_t due;  /* its next timeout */
    int handles;     /* of libuv, not closed yet */
    struct rendered pages[PAGES];
};

/* --- one request --- */

static struct MHD_Response *response_of(struct page_text *text)
{
    void *bytes = (void *)text->bytes;
    struct MHD_Response *response =
        text->free
            ? MHD_create_response_from_buffer_with_free_callback(text->size, bytes, text->free)
            : MHD_create_response_from_buffer(text->size, bytes, MHD_RESPMEM_PERSISTENT);
    if (!response) page_text_free(text);
    return response;
}

/* NULL when memory is short. */
static const struct rendered *rendered(struct monitor *m, enum page page)
{
    struct rendered *r = &m->pages[page];
    if (r->response) return r;
    struct page_text text;
    page_render(page, m->engine, &text);
    struct MHD_Response *response = response_of(&text);
    if (!response) return NULL;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, text.type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (page == PAGE_WRONG_METHOD)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    *r = (struct rendered){response, text.status};
    return r;
}

static void forget_rendered(struct monitor *m)
{
    for (int page = 0; page < PAGES; page++) {
        if (m->pages[page].response) MHD_destroy_response(m->pages[page].response);
        m->pages[page].response = NULL;
    }
}

/* MHD_NO closes the connection. */
static enum MHD_Result answer(struct monitor *m, struct MHD_Connection *c, enum page page)
{
    const struct rendered *r = rendered(m, page);
    return r ? MHD_queue_response(c, r->status, r->response) : MHD_NO;
}

static bool has_body(struct MHD_Connection *c)
{
    const char *bytes =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (bytes && strcmp(bytes, "0") != 0) return true;
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/*
 * Called twice for a request. An answer in the first call closes the connection after it, which is
 * wanted where a body may follow: nothing of it is read. `*seen` tells the calls apart.
 */
static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_bytes, void **seen)
{
    (void)version, (void)body, (void)body_bytes;
    struct monitor *m = context;
    if (*seen) return answer(m, c, page_of(path));
    *seen = m;
    bool known =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!known) return answer(m, c, PAGE_WRONG_METHOD);
    if (has_body(c)) return answer(m, c, PAGE_UNWANTED_BODY);
    return MHD_YES;
}

/* --- the loop --- */

static void on_due(uv_timer_t *timer);

static unsigned connections(const struct monitor *m)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/*
 * libmicrohttpd stops watching its listening socket while it has all the connections that it may
 * have, and watches it again at the beginning of a run. A run in which connections ended is
 * therefore followed by another: if all of them ended at once, no event would ever come again.
 */
static void run(struct monitor *m)
{
    unsigned before, after = connections(m);
    do {
        before = after;
        MHD_run(m->http);
        after = connections(m);
    } while (after < before);
    forget_rendered(m);
    MHD_UNSIGNED_LONG_LONG in_ms;
    if (MHD_get_timeout(m->http, &in_ms) == MHD_YES)
        uv_timer_start(&m->due, on_due, in_ms, 0);
    else
        uv_timer_stop(&m->due);
}

static void on_due(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    run(poll->data);
}

/* --- beginning and end --- */

/* The result is libuv's error code; *flags receives what libmicrohttpd has to know. */
static int address_of(const struct config *config, struct sockaddr_storage *at, unsigned *flags)
{
    const char *address = strcmp(config->http_bind, "*") == 0 ? "0.0.0.0" : config->http_bind;
    int port = (int)config->http_port;
    if (uv_ip4_addr(address, port, (struct sockaddr_in *)at) == 0) return 0;
    *flags |= MHD_USE_IPv6;
    return uv_ip6_addr(address, port, (struct sockaddr_in6 *)at);
}

static int open_port(struct monitor *m)
{
    struct sockaddr_storage at;
    unsigned flags = MHD_USE_EPOLL;
    int error = address_of(&m->engine->config, &at, &flags);
    if (error) return error;
    errno = 0;
    m->http = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, m, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)MONITOR_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MONITOR_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MONITOR_REQUEST_BYTES, MHD_OPTION_END);
    if (m->http) return 0;
    return errno ? -errno : UV_EIO;
}

static int watch(struct monitor *m, uv_loop_t *loop)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD);
    int error = info ? uv_poll_init(loop, &m->ready, info->epoll_fd) : UV_ENOTSUP;
    if (error) return error;
    uv_timer_init(loop, &m->due);
    m->ready.data = m->due.data = m;
    m->handles = 2;
    return uv_poll_start(&m->ready, UV_READABLE, on_ready);
}

static int begin(struct monitor *m, uv_loop_t *loop)
{
    int error = open_port(m);
    return error ? error : watch(m, loop);
}

int monitor_start(struct monitor **out, const struct engine *s, uv_loop_t *loop)
{
    if (s->config.http_port == 0) {
        *out = NULL;
        return 0;
    }
    struct monitor *m = calloc(1, sizeof *m);
    int error = UV_ENOMEM;
    if (m) {
        m->engine = s;
        error = begin(m, loop);
    }
    if (error) {
        fprintf(stderr, "heapd: cannot listen on %.128s port %" PRIu64 " for HTTP: %s\n",
                s->config.http_bind, s->config.http_port, uv_strerror(error));
        monitor_stop(m);
        return 1;
    }
    *out = m;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct monitor *m = handle->data;
    if (--m->handles == 0) free(m);
}

void monitor_stop(struct monitor *m)
{
    if (!m) return;
    if (m->handles) {
        uv_close((uv_handle_t *)&m->ready, on_closed);
        uv_close((uv_handle_t *)&m->due, on_closed);
    }
    if (m->http) MHD_stop_daemon(m->http);
    if (!m->handles) free(m);
}
