#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/conn.h"
#include "proto/writer.h"

/* C strings are gathered into this many views on the stack, more on the heap. */
enum { ARGS_SMALL = 16 };
#define READY_ROOM_FIRST ((size_t)16)

struct heapd *heapd_new(void)
{
    struct heapd *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->fd = -1;
    proto_buf_init(&h->out);
    reply_reader_init(&h->in, NULL);
    return h;
}

void heapd_close(struct heapd *h)
{
    if (h->fd >= 0) close(h->fd);
    h->fd = -1;
    proto_buf_clear(&h->out, 0);
    h->out_at = 0;
    reply_reader_fini(&h->in);
    for (; h->ready_count > 0; h->ready_count--) {
        heapd_reply_free(h->ready[h->ready_first]);
        h->ready_first = (h->ready_first + 1) & (h->ready_room - 1);
    }
    h->awaited = h->kept = 0;
}

void heapd_free(struct heapd *h)
{
    if (!h) return;
    heapd_close(h);
    free(h->ready);
    free(h);
}

bool heapd_connected(const struct heapd *h)
{
    return h->fd >= 0;
}

const char *heapd_error(const struct heapd *h)
{
    return h->error;
}

enum heapd_status heapd_last_status(const struct heapd *h)
{
    return h->status;
}

uint64_t heapd_pending(const struct heapd *h)
{
    return h->awaited + h->ready_count;
}

void heapd_on_reply(struct heapd *h, void (*take)(void *context, struct heapd_reply *reply),
                    void *context)
{
    h->take = take;
    h->take_context = context;
}

void heapd_on_push(struct heapd *h, void (*take)(void *context, struct heapd_reply *push),
                   void *context)
{
    h->take_push = take;
    h->take_push_context = context;
}

static void push_arrived(struct heapd *h, struct heapd_reply *push)
{
    if (h->take_push)
        h->take_push(h->take_push_context, push);
    else
        heapd_reply_free(push);
}

/* The next reply among the bytes that are here; *out is NULL if there is none. */
static enum heapd_status reply_here(struct heapd *h, struct heapd_reply **out)
{
    *out = NULL;
    for (;;) {
        struct heapd_reply *reply = NULL;
        switch (reply_reader_next(&h->in, &reply)) {
        case REPLY_MORE: return HEAPD_OK;
        case REPLY_OOM: return heapd_conn_fail(h, HEAPD_OOM, "Out of memory");
        case REPLY_BROKEN:
            return heapd_conn_fail(h, HEAPD_BROKEN, "Protocol error: %s", h->in.error);
        case REPLY_READY: break;
        }
        if (reply->type != HEAPD_REPLY_PUSH) {
            if (h->awaited > 0) h->awaited--;
            *out = reply;
            return HEAPD_OK;
        }
        push_arrived(h, reply);
    }
}

static enum heapd_status reply_wait(struct heapd *h, struct heapd_reply **out)
{
    for (;;) {
        enum heapd_status status = reply_here(h, out);
        if (status != HEAPD_OK || *out) return status;
        status = heapd_conn_read(h);
        if (status != HEAPD_OK) return status;
    }
}

/* Gives the taker what is here. Without one the bytes stay as they are, smaller than trees. */
static void arrived(struct heapd *h)
{
    while (h->take && (h->awaited > h->kept || (h->awaited == 0 && h->kept == 0))) {
        struct heapd_reply *reply;
        if (reply_here(h, &reply) != HEAPD_OK || !reply) return;
        h->take(h->take_context, reply);
    }
}

static enum heapd_status ready_push(struct heapd *h, struct heapd_reply *reply)
{
    if (h->ready_count == h->ready_room) {
        size_t room = h->ready_room > 0 ? 2 * h->ready_room : READY_ROOM_FIRST;
        struct heapd_reply **ready = calloc(room, sizeof *ready);
        if (!ready) {
            heapd_reply_free(reply);
            return heapd_conn_fail(h, HEAPD_OOM, "Out of memory");
        }
        for (size_t i = 0; i < h->ready_count; i++)
            ready[i] = h->ready[(h->ready_first + i) & (h->ready_room - 1)];
        free(h->ready);
        h->ready = ready;
        h->ready_room = room;
        h->ready_first = 0;
    }
    h->ready[(h->ready_first + h->ready_count++) & (h->ready_room - 1)] = reply;
    return HEAPD_OK;
}

/* Whether something may be queued. */
static enum heapd_status usable(struct heapd *h)
{
    if (h->fd >= 0) return HEAPD_OK;
    if (h->status == HEAPD_OK || h->status == HEAPD_REFUSED)
        heapd_conn_note(h, HEAPD_NO_CONNECTION, "Not connected");
    return h->status;
}

static enum heapd_status queued(struct heapd *h)
{
    if (h->out.failed) return heapd_conn_fail(h, HEAPD_OOM, "Out of memory");
    if (h->out.n < CONN_CHUNK_BYTES) return HEAPD_OK;
    enum heapd_status status = heapd_conn_write(h, arrived);
    /* Also where the socket took it all at once: what is not read here piles up in the server. */
    return status == HEAPD_OK && h->take ? heapd_poll(h) : status;
}

enum heapd_status heapd_append_argv(struct heapd *h, size_t argc, const struct proto_view *argv)
{
    if (argc == 0) return heapd_conn_note(h, HEAPD_INVALID, "A command has at least its name");
    enum heapd_status status = usable(h);
    if (status != HEAPD_OK) return status;
    proto_request(&h->out, argc, argv);
    h->awaited++;
    return queued(h);
}

enum heapd_status heapd_append_raw(struct heapd *h, const char *bytes, size_t n)
{
    enum heapd_status status = usable(h);
    if (status != HEAPD_OK) return status;
    proto_buf_append(&h->out, bytes, n);
    return queued(h);
}

enum heapd_status heapd_alive(struct heapd *h)
{
    enum heapd_status status = usable(h);
    bool got = true;
    while (status == HEAPD_OK && got) status = heapd_conn_receive(h, &got);
    return status;
}

enum heapd_status heapd_poll(struct heapd *h)
{
    enum heapd_status status = usable(h);
    bool got = h->take;
    while (status == HEAPD_OK && got) {
        status = heapd_conn_receive(h, &got);
        arrived(h);
    }
    return status;
}

enum heapd_status heapd_flush(struct heapd *h)
{
    enum heapd_status status = usable(h);
    return status == HEAPD_OK ? heapd_conn_write(h, arrived) : status;
}

enum heapd_status heapd_read(struct heapd *h, struct heapd_reply **out)
{
    if (h->ready_count > 0) {
        *out = h->ready[h->ready_first];
        h->ready_first = (h->ready_first + 1) & (h->ready_room - 1);
        h->ready_count--;
        return HEAPD_OK;
    }
    /* On a lost connection, replies that had arrived are still to be had. */
    if (h->fd >= 0) heapd_conn_write(h, arrived);
    return reply_wait(h, out);
}

enum heapd_status heapd_drain(struct heapd *h)
{
    while (heapd_pending(h) > 0) {
        struct heapd_reply *reply;
        enum heapd_status status = heapd_read(h, &reply);
        if (status != HEAPD_OK) return status;
        if (h->take)
            h->take(h->take_context, reply);
        else
            heapd_reply_free(reply);
    }
    return heapd_flush(h);
}

/* The reply to the command appended last; those before it go to the taker, or wait. */
static enum heapd_status reply_of_last(struct heapd *h, struct heapd_reply **out)
{
    if (h->fd >= 0) heapd_conn_write(h, arrived);
    for (;;) {
        bool own = h->awaited == 1;
        struct heapd_reply *reply;
        enum heapd_status status = reply_wait(h, &reply);
        if (status != HEAPD_OK) return status;
        if (own || h->awaited == 0) {
            *out = reply;
            return HEAPD_OK;
        }
        if (h->take)
            h->take(h->take_context, reply);
        else if (ready_push(h, reply) != HEAPD_OK)
            return h->status;
    }
}

/* After the append of a call. A server that closes in mid-command may have said why. */
static enum heapd_status call_end(struct heapd *h, enum heapd_status status,
                                  struct heapd_reply **out)
{
    if (status == HEAPD_OK || status == HEAPD_CLOSED) status = reply_of_last(h, out);
    h->kept = 0;
    return status;
}

struct heapd_reply *heapd_call_argv(struct heapd *h, size_t argc, const struct proto_view *argv)
{
    struct heapd_reply *reply = NULL;
    if (usable(h) != HEAPD_OK) return NULL;
    h->kept = 1;
    call_end(h, heapd_append_argv(h, argc, argv), &reply);
    return reply;
}

enum heapd_status heapd_conn_call_raw(struct heapd *h, const char *bytes, size_t n,
                                      struct heapd_reply **out)
{
    enum heapd_status status = usable(h);
    if (status != HEAPD_OK) return status;
    h->kept = 1;
    h->awaited++; /* before the append, which may read already */
    return call_end(h, heapd_append_raw(h, bytes, n), out);
}

/* The views of C strings up to NULL; `small` has ARGS_SMALL. NULL: no memory. */
static struct proto_view *gather(const char *command, va_list args, struct proto_view *small,
                                 size_t *argc)
{
    struct proto_view *argv = small;
    size_t n = 0, room = ARGS_SMALL;
    for (const char *text = command; text; text = va_arg(args, const char *)) {
        if (n == room) {
            room *= 2;
            struct proto_view *more = realloc(argv == small ? NULL : argv, room * sizeof *argv);
            if (!more) {
                if (argv != small) free(argv);
                return NULL;
            }
            if (argv == small) memcpy(more, small, n * sizeof *argv);
            argv = more;
        }
        argv[n++] = (struct proto_view){text, strlen(text)};
    }
    *argc = n;
    return argv;
}

struct heapd_reply *heapd_conn_call_list(struct heapd *h, const char *command, va_list args)
{
    struct proto_view small[ARGS_SMALL];
    size_t argc = 0;
    struct proto_view *argv = gather(command, args, small, &argc);
    if (!argv) {
        heapd_conn_note(h, HEAPD_OOM, "Out of memory");
        return NULL;
    }
    struct heapd_reply *reply = heapd_call_argv(h, argc, argv);
    if (argv != small) free(argv);
    return reply;
}

struct heapd_reply *heapd_call_strings(struct heapd *h, const char *command, ...)
{
    va_list args;
    va_start(args, command);
    struct heapd_reply *reply = heapd_conn_call_list(h, command, args);
    va_end(args);
    return reply;
}

enum heapd_status heapd_append_strings(struct heapd *h, const char *command, ...)
{
    struct proto_view small[ARGS_SMALL];
    size_t argc = 0;
    va_list args;
    va_start(args, command);
    struct proto_view *argv = gather(command, args, small, &argc);
    va_end(args);
    if (!argv) return heapd_conn_note(h, HEAPD_OOM, "Out of memory");
    enum heapd_status status = heapd_append_argv(h, argc, argv);
    if (argv != small) free(argv);
    return status;
}
