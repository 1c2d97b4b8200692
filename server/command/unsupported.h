/*
 * Transactions, and databases other than 0, which heapd does not have. A client that pipelines
 * sends MULTI or SELECT and goes on without reading the error: what follows would be run outside of
 * a transaction, or write to database 0. So a session whose MULTI was refused answers every command
 * with an error up to EXEC or DISCARD, and one whose SELECT was refused up to a SELECT that is not.
 * QUIT and RESET are obeyed in both states, and after a SELECT also what looks at no key and
 * belongs to the connection: AUTH, HELLO, PING and ECHO.
 *
 * Called by dispatch before it looks for the command, and for a command that it does not know.
 * Ownership: two flags of the session, which RESET clears. Cost: one branch a request.
 */
#ifndef HEAPD_COMMAND_UNSUPPORTED_H
#define HEAPD_COMMAND_UNSUPPORTED_H

#include "command/call.h"

/* Whether anything of the session was refused, so that unsupported_check() is to be asked. */
static inline bool unsupported_was_asked(const struct session *s)
{
    return s->refused_multi || s->refused_select;
}

/* STATUS_REPLIED where this command is not to be run, with its error written. */
enum status unsupported_check(struct call *c) MUST_USE;

/* For an unknown command: if it is MULTI, notes it and writes its error. */
enum status unsupported_multi(struct call *c) MUST_USE;

#endif
