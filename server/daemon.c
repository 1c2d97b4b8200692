#include "daemon.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/panic.h"
#include "engine/steps.h"
#include "monitor/monitor.h"
#include "net/net.h"

enum { WAKE_MS_MAX = 60 * 60 * 1000, NO_WAKE = -1 };

struct daemon {
    const struct config *config; /* as it was at start-up */
    struct engine engine;
    struct net net;
    struct monitor *monitor; /* NULL: off */
    uv_loop_t loop;
    uv_check_t after_poll;
    uv_timer_t wake;
    uv_timer_t deadline; /* of draining */
    uv_async_t told;     /* a signal came */
    int64_t wake_ms;     /* what `wake` is set to, as wall-clock time; NO_WAKE */
    bool more;           /* steps had work left */
    bool draining, ending;
};

/* What a signal handler can reach has to be static. */
static struct {
    volatile sig_atomic_t signal; /* the first that came, 0 = none */
    uv_async_t *told;
} signals;

static void on_signal(int number)
{
    if (signals.signal) _exit(128 + number);
    signals.signal = number;
    uv_async_send(signals.told);
}

/* --- the turn ----------------------------------------------------------------------------------
 */

static void on_wake(uv_timer_t *handle)
{
    struct daemon *d = handle->data;
    d->wake_ms = NO_WAKE;
    loop_turn(&d->net.loop); /* so that the poll does not block, and after_poll has its turn */
}

static void set_wake(struct daemon *d)
{
    int64_t due_ms = steps_due_ms(&d->engine);
    if (due_ms == KEYSPACE_NEVER) due_ms = NO_WAKE;
    /* A wake that comes too early does no harm, and costs less than to be put off each turn. */
    if (due_ms == d->wake_ms || (d->wake_ms != NO_WAKE && d->wake_ms < due_ms)) return;
    d->wake_ms = due_ms;
    if (due_ms == NO_WAKE) {
        uv_timer_stop(&d->wake);
        return;
    }
    int64_t in_ms = due_ms - d->engine.now_ms;
    if (in_ms < 1) in_ms = 1;
    if (in_ms > WAKE_MS_MAX) in_ms = WAKE_MS_MAX;
    uv_update_time(&d->loop);
    uv_timer_start(&d->wake, on_wake, (uint64_t)in_ms, 0);
}

static void end(struct daemon *d);

static void on_deadline(uv_timer_t *handle)
{
    struct daemon *d = handle->data;
    log_line(LOG_WARNING, "%" PRIu64 " clients did not take their replies in time",
             d->engine.sessions.count);
    end(d);
}

static void drain(struct daemon *d)
{
    d->draining = true;
    if (signals.signal)
        log_line(LOG_NOTICE, "signal %d: finishing %" PRIu64 " clients", (int)signals.signal,
                 d->engine.sessions.count);
    else
        log_line(LOG_NOTICE, "SHUTDOWN: finishing %" PRIu64 " clients", d->engine.sessions.count);
    uv_timer_start(&d->deadline, on_deadline, DAEMON_DRAIN_MS, 0);
    net_drain(&d->net);
}

static void after_poll(uv_check_t *handle)
{
    struct daemon *d = handle->data;
    if (d->ending) return;
    loop_turn(&d->net.loop);
    if (d->more || d->engine.heap.release_pending || net_is_ready(&d->net)) net_send(&d->net);
    d->more = steps_run(&d->engine, !d->net.loop.busy);
    bool ready = net_after_steps(&d->net);
    if (d->engine.shutdown == ENGINE_SHUTTING_DOWN && !d->draining) {
        drain(d);
        loop_keep_going(&d->net.loop);
    } else if (d->draining && net_is_drained(&d->net)) {
        end(d);
    } else if (d->more || ready) {
        loop_keep_going(&d->net.loop);
    } else {
        loop_may_block(&d->net.loop);
        set_wake(d);
    }
}

static void on_told(uv_async_t *handle)
{
    struct daemon *d = handle->data;
    d->engine.shutdown = ENGINE_SHUTTING_DOWN;
}

/* --- beginning and end --------------------------------------------------------------------------
 */

static void handle_signals(struct daemon *d)
{
    signals.told = &d->told;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* From now on a signal has the system's own effect; the handler's handle may be closed. */
static void forget_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

/* The loop ends when the last handle is closed. */
static void end(struct daemon *d)
{
    if (d->ending) return;
    d->ending = true;
    net_close(&d->net);
    monitor_stop(d->monitor);
    uv_close((uv_handle_t *)&d->after_poll, NULL);
    uv_close((uv_handle_t *)&d->wake, NULL);
    uv_close((uv_handle_t *)&d->deadline, NULL);
}

static bool start(struct daemon *d)
{
    if (uv_loop_init(&d->loop) || uv_async_init(&d->loop, &d->told, on_told) ||
        engine_init(&d->engine, d->config, &(struct clock){0}) ||
        net_init(&d->net, &d->engine, &d->loop)) {
        fprintf(stderr, "heapd: out of memory or descriptors at start-up\n");
        return false;
    }
    uv_check_init(&d->loop, &d->after_poll);
    uv_timer_init(&d->loop, &d->wake);
    uv_timer_init(&d->loop, &d->deadline);
    d->told.data = d->after_poll.data = d->wake.data = d->deadline.data = d;
    d->wake_ms = NO_WAKE;
    uv_unref((uv_handle_t *)&d->told); /* it is closed last, so that signals always find it */
    return true;
}

static void announce(const struct config *config)
{
    char http[CONFIG_TEXT_BYTES + 32] = "off";
    if (config->http_port)
        snprintf(http, sizeof http, "on %s port %" PRIu64, config->http_bind, config->http_port);
    log_line(LOG_NOTICE, "heapd %s serves on %s port %" PRIu64 ", HTTP %s, pid %d", HEAPD_VERSION,
             config->bind, config->port, http, (int)getpid());
}

static bool serve(struct daemon *d)
{
    char error[LISTENER_ERROR_BYTES];
    if (!net_listen(&d->net, error)) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    if (monitor_start(&d->monitor, &d->engine, &d->loop)) return false;
    handle_signals(d);
    uv_check_start(&d->after_poll, after_poll);
    announce(d->config);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    forget_signals();
    log_line(LOG_NOTICE, "heapd ends");
    return true;
}

int daemon_run(const struct config *config)
{
    struct daemon *d = calloc(1, sizeof *d);
    if (!d) {
        fprintf(stderr, "heapd: out of memory at start-up\n");
        return 1;
    }
    d->config = config;
    if (!start(d)) return 1;
    bool served = serve(d);
    end(d);
    uv_close((uv_handle_t *)&d->told, NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    net_fini(&d->net);
#ifdef HEAPD_DEBUG
    engine_fini(&d->engine); /* for the leak check; else the system takes the memory back sooner
                                than we could */
#endif
    ASSERT(uv_loop_close(&d->loop) == 0);
    free(d);
    return served ? 0 : 1;
}
