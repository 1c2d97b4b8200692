#include "net/requests.h"

#include <stdio.h>

#include "base/panic.h"

static_assert(sizeof(struct view) == sizeof(struct proto_view) &&
                  offsetof(struct view, p) == offsetof(struct proto_view, p) &&
                  offsetof(struct view, n) == offsetof(struct proto_view, n),
              "the arguments of a request are passed on as they were read");

static const char NO_REPLY_MEMORY[] = "no memory for its replies";

static struct conn_fault fault(const char *why, uint64_t bytes)
{
    return (struct conn_fault){.why = why, .bytes = bytes};
}

/* --- the quota --- */

void requests_begin_quota(struct conn *c)
{
    const struct engine *s = c->loop->engine;
    c->loop->busy = true;
    if (c->quota.turn != c->loop->turn) {
        c->quota.turn = c->loop->turn;
        c->quota.bytes = c->quota.commands = c->quota.reply_bytes = 0;
        c->quota.began_ns = s->mono_ns;
    }
    if (c->reader.limits.bulk_bytes_max != s->config.proto_max_bulk_len) {
        struct request_limits limits = REQUEST_LIMITS_DEFAULT;
        limits.bulk_bytes_max = s->config.proto_max_bulk_len;
        request_reader_limit(&c->reader, &limits);
    }
}

/* Whether another request may run now; `before`: bytes of replies that were there before these. */
static bool may_run(const struct conn *c, const struct replies *out, uint64_t before)
{
    uint64_t reply_bytes = c->quota.reply_bytes + replies_bytes(out) - before;
    return c->state == CONN_OPEN && !session_waits(&c->session) && !c->session.close_after_reply &&
           !c->session.kill && !out->buf.failed && c->quota.commands < QUOTA_COMMANDS &&
           reply_bytes < QUOTA_REPLY_BYTES &&
           c->loop->engine->mono_ns - c->quota.began_ns < QUOTA_NS;
}

/* --- running --- */

/* The reader cannot go on: bytes are missing, or the request is broken. */
static void stop(struct conn *c, enum request_status why, struct proto_buf *out)
{
    c->unfinished = true;
    if (why == REQUEST_MORE) return;
    char text[REQUEST_ERROR_BYTES + 8];
    const char *error = why == REQUEST_OOM ? "OOM no memory for the request" : text;
    if (why == REQUEST_BROKEN) snprintf(text, sizeof text, "ERR %s", c->reader.error);
    proto_put_error(out, error, strlen(error));
    c->state = CONN_FINISHING;
}

static void run_one(struct conn *c, const struct request *request, struct replies *out)
{
    c->quota.commands++;
    if (!request->argc) return;
    struct reply_to to = {&out->buf, &out->refs};
    dispatch(c->loop->engine, &c->session, request, to);
}

/* The same, with the arguments that lie apart. */
static void run_large(struct conn *c, struct request *request, struct replies *out)
{
    struct engine *s = c->loop->engine;
    request->adopted = bulks_give(&c->bulks, &s->heap);
    conn_count_memory(c); /* from now on they are the heap's */
    run_one(c, request, out);
    bulks_given(&c->bulks, &s->heap);
    bulks_fini(&c->bulks, &s->mem);
    c->bulks.probes = true;
}

/* Runs the plain requests at the front, several of which are looked at before the first runs.
 * Those that may not run any more stay in the input, and are read again. Returns the bytes that
 * were used. */
static size_t run_batch(struct conn *c, struct view bytes, struct replies *out, uint64_t before)
{
    struct request_batch *batch = &c->loop->batch;
    struct request *requests = c->loop->requests;
    size_t at = 0;
    uint32_t most = (uint32_t)(QUOTA_COMMANDS - c->quota.commands);
    request_batch_read(batch, &c->reader.limits, most, bytes.p, bytes.n);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct batch_request *r = &batch->requests[i];
        requests[i] = (struct request){.argv = (const struct view *)r->argv, .argc = r->argc};
    }
    if (batch->count > 1) prefetch_requests(c->loop->engine, requests, batch->count);
    for (uint32_t i = 0; i < batch->count && may_run(c, out, before); i++) {
        at += batch->requests[i].bytes;
        run_one(c, &requests[i], out);
    }
    return at;
}

/* Runs one request that the reader gives. False: it gives none. */
static bool run_next(struct conn *c, struct view bytes, struct replies *out, size_t *used)
{
    struct request_reader *r = &c->reader;
    enum request_status status = request_reader_next(r, bytes.p, bytes.n);
    if (status != REQUEST_READY) {
        stop(c, status, &out->buf);
        return false;
    }
    *used = r->bytes;
    struct request request = {.argv = (const struct view *)r->argv, .argc = r->argc};
    if (c->bulks.first)
        run_large(c, &request, out);
    else
        run_one(c, &request, out);
    return true;
}

/* Runs requests until the bytes or the quota are used up; returns the bytes that were used. */
static size_t run(struct conn *c, struct view bytes, struct replies *out)
{
    size_t at = 0;
    uint64_t before = replies_bytes(out);
    while (at < bytes.n && may_run(c, out, before)) {
        struct view rest = {bytes.p + at, bytes.n - at};
        size_t used = request_reader_begins(&c->reader) ? run_batch(c, rest, out, before) : 0;
        if (used)
            c->bulks.probes = false;
        else if (!run_next(c, rest, out, &used))
            break;
        at += used;
    }
    c->quota.reply_bytes += replies_bytes(out) - before;
    c->loop->engine->stats.net_output_bytes += replies_bytes(out) - before;
    return at;
}

/* --- what is left --- */

/* What was not run stays: in the inbox, where it may lie already, or a large bulk's bytes apart. */
static struct conn_fault keep_rest(struct conn *c, struct view bytes, size_t used, bool in_inbox)
{
    struct mem *m = &c->loop->engine->mem;
    struct view rest = {bytes.p + used, bytes.n - used};
    char *p = (char *)(uintptr_t)rest.p; /* the inbox's, or of a buffer that may be written to */
    enum status status = STATUS_OK;
    if (c->unfinished) status = bulks_begin(&c->bulks, m, &c->reader, p, &rest.n);
    if (!status && !in_inbox && (rest.n || inbox_bytes(&c->in)))
        status = inbox_replace(&c->in, m, rest);
    if (status) return fault("no memory for its input", rest.n);
    if (in_inbox) inbox_skip(&c->in, m, used);
    if (in_inbox && rest.n) inbox_cut(&c->in, rest.n);
    uint64_t most = c->loop->engine->config.proto_max_bulk_len + REQUEST_BYTES_MORE;
    uint64_t waits = rest.n + c->bulks.bytes;
    if (c->unfinished && waits > most) return fault("its request is too long", waits);
    if (rest.n == 0) request_reader_trim(&c->reader);
    return fault(NULL, 0);
}

/* Requests have written into the open piece. */
static void shut_outbox(struct conn *c)
{
    outbox_shut(&c->out);
    if (c->out.first) loop_add_output(c->loop, &c->output);
}

struct conn_fault requests_run(struct conn *c, struct view bytes, bool in_inbox)
{
    struct replies *out = outbox_open(&c->out);
    if (!out) return fault(NO_REPLY_MEMORY, 0);
    /* One turn may have many large replies: no more are made until clients were closed for it. */
    size_t used = engine_clients_are_over(c->loop->engine) ? 0 : run(c, bytes, out);
    struct conn_fault failed = fault(out->buf.failed ? NO_REPLY_MEMORY : NULL, replies_bytes(out));
    failed.finishes = true;
    shut_outbox(c);
    struct conn_fault why = keep_rest(c, bytes, used, in_inbox);
    return why.why ? why : failed;
}

bool requests_resume(struct conn *c, struct conn_fault *why)
{
    struct replies *out = outbox_open(&c->out);
    *why = fault(out ? NULL : NO_REPLY_MEMORY, 0);
    if (!out) return false;
    struct reply_to to = {&out->buf, &out->refs};
    uint64_t before = replies_bytes(out);
    bool over = dispatch_resume(c->loop->engine, &c->session, to);
    c->loop->engine->stats.net_output_bytes += replies_bytes(out) - before;
    shut_outbox(c);
    return over;
}
