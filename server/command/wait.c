/* How a command waits, and how its reply is given when the wait is over (session/wait.h). The kinds
 * of wait are beside the commands that begin them. */
#include "command/command.h"

void call_wait(struct call *c, const struct wait_type *type, struct wait_queue *source)
{
    session_wait(&c->engine->sessions, c->session, type, source);
}

bool dispatch_resume(struct engine *engine, struct session *session, struct reply_to to)
{
    struct wait *w = &session->wait;
    if (!w->type->ready(engine, w)) {
        wait_sleep(w);
        return false;
    }
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
        .effects_start = effects_mark(&engine->heap.effects),
        .now_ms = engine->now_ms,
    };
    if (w->type->reply) w->type->reply(&c, w);
    session_wait_end(&engine->sessions, session);
    effects_commit(&engine->heap.effects);
    return true;
}
