#include "command/unsupported.h"

static bool is_one_of(const struct call *c, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (call_is(c, 0, words[i])) return true;
    return false;
}

enum status unsupported_multi(struct call *c)
{
    if (c->form != BY_VALUE || !call_is(c, 0, "multi")) return STATUS_OK;
    c->session->refused_multi = true;
    return call_error(c, "ERR transactions are not supported: no command is run up to EXEC or "
                         "DISCARD");
}

static enum status in_transaction(struct call *c)
{
    static const char *const obeyed[] = {"quit", "reset"};
    if (is_one_of(c, obeyed, sizeof obeyed / sizeof *obeyed)) return STATUS_OK;
    bool exec = call_is(c, 0, "exec");
    if (exec || call_is(c, 0, "discard")) c->session->refused_multi = false;
    if (exec)
        return call_error(c, "EXECABORT Transaction discarded: transactions are not supported");
    return call_error(c, "ERR transactions are not supported: nothing was run");
}

static enum status in_database(struct call *c)
{
    static const char *const obeyed[] = {"select", "reset", "quit", "auth",
                                         "hello",  "ping",  "echo"};
    if (is_one_of(c, obeyed, sizeof obeyed / sizeof *obeyed)) return STATUS_OK;
    return call_error(c, "ERR SELECT was refused, there is database 0 alone: nothing is run before "
                         "a SELECT 0");
}

enum status unsupported_check(struct call *c)
{
    if (c->session->refused_multi) return in_transaction(c);
    if (unsupported_multi(c)) return STATUS_REPLIED;
    return in_database(c);
}
