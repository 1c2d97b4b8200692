/* What a session waits for, and the reply when it is there. */
#include "command/command.h"
#include "engine/maxmemory.h"

void call_wait(struct call *c, enum session_wait what)
{
    c->session->wait = what;
    c->engine->sessions.waiting++;
}

static bool resume_collect(struct call *c)
{
    uint64_t found;
    if (!collect_full_found(c->heap, c->session->wait_ticket, &found)) return false;
    reply_integer(c, (int64_t)found);
    return true;
}

/* What was asked about may have gone before its turn came: then it is missing, as for OBJECT. */
static bool resume_usage(struct call *c)
{
    const struct usage *q = &c->session->usage;
    if (!q->done) return false;
    if (q->status == STATUS_OK)
        reply_integer(c, (int64_t)q->bytes);
    else if (q->status == STATUS_NO_OBJECT)
        reply_null(c);
    else
        call_error(c, "%s", status_text(q->status));
    c->engine->stats.error_replies += q->status == STATUS_OOM;
    return true;
}

static bool resume_compact(struct call *c)
{
    if (!compact_is_done(&c->engine->compact, c->session->wait_ticket)) return false;
    reply_ok(c);
    return true;
}

static bool resume(struct call *c)
{
    switch (c->session->wait) {
    case SESSION_WAITS_COLLECT: return resume_collect(c);
    case SESSION_WAITS_USAGE: return resume_usage(c);
    case SESSION_WAITS_MEMORY: return !maxmemory_is_short(c->engine); /* it has its reply */
    case SESSION_WAITS_COMPACT: return resume_compact(c);
    case SESSION_RUNS: break;
    }
    ASSERT(false);
    return false;
}

bool dispatch_resume(struct engine *engine, struct session *session, struct reply_to to)
{
    struct call c = {
        .engine = engine,
        .heap = &engine->heap,
        .keyspace = &engine->keyspace,
        .session = session,
        .out = to.buf,
        .out_start = to.buf->n,
        .refs = to.refs,
        .refs_start = to.refs ? to.refs->last : NULL,
        .refs_bytes_start = to.refs ? to.refs->bytes : 0,
        .now_ms = engine->now_ms,
    };
    if (!resume(&c)) return false;
    session->wait = SESSION_RUNS;
    engine->sessions.waiting--;
    return true;
}
