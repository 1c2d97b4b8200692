#include "monitor/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "monitor/host.h"
#include "monitor/page.h"

enum { NS_PER_MS = 1000000 };

struct rendered {
    struct MHD_Response *response; /* NULL: nobody asked in this event */
    unsigned status;
};

struct port {
    uv_poll_t poll;
    int fd;
};

struct monitor {
    const struct engine *engine;
    struct MHD_Daemon *http;
    struct address_list bound;
    struct port ports[ADDRESS_MAX]; /* one for each address that could be listened on */
    unsigned port_count;
    uv_poll_t ready; /* the epoll descriptor of `http` */
    uv_timer_t due;
    unsigned handles; /* of libuv, not closed yet */
    struct visits visits;
    int64_t deaf_until_ns; /* no accept before */
    int64_t rest_until_ns; /* no run before */
    uint64_t commands;     /* that the other port had executed at the end of the last run */
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

static bool is_served(struct monitor *m, struct MHD_Connection *c)
{
    const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return host_is_served(&m->engine->config, &m->bound, host);
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
    if (!is_served(m, c)) return answer(m, c, PAGE_WRONG_HOST);
    bool known =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!known) return answer(m, c, PAGE_WRONG_METHOD);
    if (has_body(c)) return answer(m, c, PAGE_UNWANTED_BODY);
    return MHD_YES;
}

/* --- connections --- */

static void on_connection(void *context, struct MHD_Connection *c, void **visit,
                          enum MHD_ConnectionNotificationCode what)
{
    struct monitor *m = context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        visits_end(&m->visits, *visit);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    *visit = visits_begin(&m->visits, info->connect_fd, clock_mono_ns(m->engine->heap.clock));
}

static void enter(struct monitor *m, struct MHD_Connection *c, enum visit_state state)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    visit_enters(info->socket_context, state, clock_mono_ns(m->engine->heap.clock));
}

/* The result becomes on_request's *seen. */
static void *on_first_line(void *context, const char *uri, struct MHD_Connection *c)
{
    (void)uri;
    enter(context, c, VISIT_REQUEST);
    return NULL;
}

static void on_answered(void *context, struct MHD_Connection *c, void **seen,
                        enum MHD_RequestTerminationCode how)
{
    (void)seen, (void)how;
    enter(context, c, VISIT_IDLE);
}

/* As many as there are places for: libmicrohttpd counts a new one at the latest when it runs. */
static void accept_all(struct monitor *m, int64_t now_ns)
{
    unsigned places = VISITS_MAX - m->visits.count;
    for (unsigned i = 0; i < m->port_count && m->deaf_until_ns <= now_ns; i++) {
        for (; places > 0; places--) {
            struct sockaddr_storage at;
            socklen_t bytes = sizeof at;
            int fd = accept4(m->ports[i].fd, (struct sockaddr *)&at, &bytes,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                    m->deaf_until_ns = now_ns + MONITOR_DEAF_MS * (int64_t)NS_PER_MS;
                break;
            }
            /* It closes the descriptor of a connection that it does not take. */
            MHD_add_connection(m->http, fd, (struct sockaddr *)&at, bytes);
        }
    }
}

/* --- the loop --- */

static void run(struct monitor *m);

static void on_due(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    run(poll->data);
}

static void watch(uv_poll_t *poll, bool wanted)
{
    if (uv_is_active((uv_handle_t *)poll) == wanted) return;
    if (wanted)
        uv_poll_start(poll, UV_READABLE, on_ready);
    else
        uv_poll_stop(poll);
}

/* When the next run is due without an event. */
static int64_t next_ns(const struct monitor *m, int64_t now_ns)
{
    MHD_UNSIGNED_LONG_LONG in_ms; /* 0: connections have no time limit of libmicrohttpd's */
    if (m->rest_until_ns > now_ns) return m->rest_until_ns;
    if (MHD_get_timeout(m->http, &in_ms) == MHD_YES) return now_ns;
    int64_t due_ns = visits_due_ns(&m->visits);
    bool deaf = m->deaf_until_ns > now_ns;
    return deaf && m->deaf_until_ns < due_ns ? m->deaf_until_ns : due_ns;
}

static void await(struct monitor *m, int64_t now_ns)
{
    bool rests = m->rest_until_ns > now_ns;
    bool full = m->visits.count == VISITS_MAX, deaf = m->deaf_until_ns > now_ns;
    watch(&m->ready, !rests);
    for (unsigned i = 0; i < m->port_count; i++) watch(&m->ports[i].poll, !rests && !full && !deaf);
    int64_t due_ns = next_ns(m, now_ns);
    if (due_ns == INT64_MAX)
        uv_timer_stop(&m->due);
    else
        uv_timer_start(&m->due, on_due,
                       due_ns > now_ns ? (uint64_t)(due_ns - now_ns) / NS_PER_MS + 1 : 1, 0);
}

/* How long HTTP leaves the loop to others after a run. */
static void rest(struct monitor *m, int64_t began_ns, int64_t now_ns)
{
    uint64_t commands = m->engine->stats.commands;
    int64_t ns = commands == m->commands ? 0 : (now_ns - began_ns) * MONITOR_REST_PART;
    int64_t ns_max = MONITOR_REST_MS_MAX * (int64_t)NS_PER_MS;
    m->rest_until_ns = now_ns + (ns < ns_max ? ns : ns_max);
    m->commands = commands;
}

static void run(struct monitor *m)
{
    int64_t began_ns = clock_mono_ns(m->engine->heap.clock);
    if (m->rest_until_ns > began_ns) { /* libuv's clock is that of the turn's beginning */
        await(m, began_ns);
        return;
    }
    visits_end_late(&m->visits, began_ns);
    accept_all(m, began_ns);
    MHD_run(m->http);
    forget_rendered(m);
    DASSERT(visits_check(&m->visits) == 0);
    int64_t now_ns = clock_mono_ns(m->engine->heap.clock);
    rest(m, began_ns, now_ns);
    await(m, now_ns);
}

/* --- beginning and end --- */

static int open_http(struct monitor *m)
{
    errno = 0;
    m->http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, m,
        MHD_OPTION_URI_LOG_CALLBACK, on_first_line, m, MHD_OPTION_NOTIFY_COMPLETED, on_answered, m,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, m, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)VISITS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MONITOR_REQUEST_BYTES,
        MHD_OPTION_END);
    if (m->http) return 0;
    return errno ? -errno : UV_EIO;
}

static int poll_init(struct monitor *m, uv_loop_t *loop, uv_poll_t *poll, int fd)
{
    int error = uv_poll_init(loop, poll, fd);
    if (error) return error;
    poll->data = m;
    m->handles++;
    return 0;
}

/* Of a name's addresses those count that this machine has, and at least one of them. */
static int open_ports(struct monitor *m, uv_loop_t *loop)
{
    int lacking = UV_EADDRNOTAVAIL;
    for (size_t i = 0; i < m->bound.count; i++) {
        int fd = address_listen(&m->bound.of[i], MONITOR_BACKLOG);
        if (m->bound.named && address_is_lacking(fd)) {
            lacking = fd;
            continue;
        }
        if (fd < 0) return fd;
        struct port *p = &m->ports[m->port_count++];
        p->fd = fd;
        int error = poll_init(m, loop, &p->poll, fd);
        if (error) return error;
    }
    return m->port_count ? 0 : lacking;
}

static int begin(struct monitor *m, uv_loop_t *loop)
{
    int error = open_http(m);
    if (error) return error;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info) return UV_ENOTSUP;
    uv_timer_init(loop, &m->due);
    m->due.data = m;
    m->handles++;
    error = poll_init(m, loop, &m->ready, info->epoll_fd);
    if (!error) error = open_ports(m, loop);
    if (!error) await(m, clock_mono_ns(m->engine->heap.clock));
    return error;
}

static int fail(const struct config *config, const char *why)
{
    fprintf(stderr, "heapd: cannot listen on %.128s port %" PRIu64 " for HTTP: %s\n",
            config->http_bind, config->http_port, why);
    return 1;
}

int monitor_start(struct monitor **out, const struct engine *s, uv_loop_t *loop)
{
    const struct config *config = &s->config;
    if (config->http_port == 0) {
        *out = NULL;
        return 0;
    }
    struct monitor *m = calloc(1, sizeof *m);
    if (!m) return fail(config, uv_strerror(UV_ENOMEM));
    m->engine = s;
    const char *why = address_resolve(&m->bound, config->http_bind, (uint16_t)config->http_port);
    int error = why ? 0 : begin(m, loop);
    if (error) why = uv_strerror(error);
    if (why) {
        monitor_stop(m);
        return fail(config, why);
    }
    *out = m;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct monitor *m = handle->data;
    if (--m->handles == 0) free(m);
}

/* A handle that was not initialized has no data. */
static void close_handle(uv_handle_t *handle)
{
    if (handle->data) uv_close(handle, on_closed);
}

void monitor_stop(struct monitor *m)
{
    if (!m) return;
    bool empty = m->handles == 0;
    close_handle((uv_handle_t *)&m->ready);
    close_handle((uv_handle_t *)&m->due);
    for (unsigned i = 0; i < m->port_count; i++) {
        close_handle((uv_handle_t *)&m->ports[i].poll);
        close(m->ports[i].fd);
    }
    if (m->http) MHD_stop_daemon(m->http);
    if (empty) free(m);
}
