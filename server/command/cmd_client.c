/* CLIENT: what is known of the connections, and how one ends another. */
#include <hiredis/sds.h>
#include <stdio.h>

#include "command/cmd_connection.h"

enum { LINE_CHARS = 1024 };

/* --- the connection's own --- */

enum status cmd_client_id(struct call *c)
{
    reply_integer(c, (int64_t)c->session->id);
    return STATUS_OK;
}

enum status cmd_client_setname(struct call *c)
{
    enum status status = connection_check_name(c, c->argv[2]);
    if (status) return status;
    connection_put_text(c->session->name, c->argv[2]);
    reply_ok(c);
    return STATUS_OK;
}

enum status cmd_client_getname(struct call *c)
{
    if (c->session->name[0])
        reply_text(c, c->session->name);
    else
        reply_null(c);
    return STATUS_OK;
}

/* CLIENT SETINFO LIB-NAME name | LIB-VER version */
enum status cmd_client_setinfo(struct call *c)
{
    struct session *s = c->session;
    struct view option = c->argv[2], value = c->argv[3];
    int n = option.n > 128 ? 128 : (int)option.n;
    char *field = call_is(c, 2, "lib-name")  ? s->library_name
                  : call_is(c, 2, "lib-ver") ? s->library_version
                                             : NULL;
    if (!field) return call_error(c, "ERR Unrecognized option '%.*s'", n, option.p);
    if (!connection_name_fits(value, SIZE_MAX))
        return call_error(c, "ERR %.*s cannot contain spaces, newlines or special characters.", n,
                          option.p);
    if (!connection_name_fits(value, SESSION_LIBRARY_BYTES))
        return call_error(c, "ERR %.*s cannot be longer than %d bytes.", n, option.p,
                          SESSION_LIBRARY_BYTES - 1);
    connection_put_text(field, value);
    reply_ok(c);
    return STATUS_OK;
}

/* --- lists --- */

static int64_t seconds_since(const struct call *c, int64_t then_ns)
{
    int64_t now_ns = c->engine->mono_ns;
    return now_ns > then_ns ? (now_ns - then_ns) / 1000000000 : 0;
}

/* One line of CLIENT LIST. Fields that heapd has nothing for keep their place and what they are
 * without it, because clients parse the whole line. NULL: no memory, and the text is gone. */
static sds put_client(struct call *c, sds text, const struct session *s)
{
    char line[LINE_CHARS], flags[4];
    size_t f = 0;
    uint64_t input = s->input_bytes, output = s->output_bytes;
    if (session_waits(s)) flags[f++] = 'b';
    if (s->close_after_reply) flags[f++] = 'c';
    if (s->kill) flags[f++] = 'A';
    if (f == 0) flags[f++] = 'N';
    flags[f] = '\0';
    int n = snprintf(
        line, sizeof line,
        "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=%s db=0 sub=0 psub=0 "
        "ssub=0 multi=-1 qbuf=%llu qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=%llu oll=0 "
        "omem=0 tot-mem=%llu events=%s cmd=%s user=default redir=-1 resp=%d lib-name=%s lib-ver=%s "
        "handles=%llu\n",
        (unsigned long long)s->id, s->address, s->local_address, s->fd, s->name,
        (long long)seconds_since(c, s->created_ns), (long long)seconds_since(c, s->active_ns),
        flags, (unsigned long long)input, (unsigned long long)output,
        (unsigned long long)(sizeof *s + input + output), output ? "rw" : "r",
        s == c->session ? c->command->name : s->last_command, s->protocol, s->library_name,
        s->library_version, (unsigned long long)handles_count(&s->handles));
    sds longer = sdscatlen(text, line, n < LINE_CHARS ? (size_t)n : LINE_CHARS - 1);
    if (!longer) sdsfree(text);
    return longer;
}

static enum status reply_lines(struct call *c, sds text)
{
    if (!text) return STATUS_OOM;
    reply_verbatim(c, (struct view){text, sdslen(text)});
    sdsfree(text);
    return STATUS_OK;
}

/* The oldest first: new ones are linked at the front. */
static struct session *oldest(const struct sessions *ss)
{
    struct session *s = ss->first;
    while (s && s->next) s = s->next;
    return s;
}

enum status cmd_client_info(struct call *c)
{
    sds text = sdsempty();
    if (text) text = put_client(c, text, c->session);
    return reply_lines(c, text);
}

/* Every client is a normal one; the other kinds of Redis have none. */
static enum status parse_type(struct call *c, uint32_t i, bool *normal)
{
    static const char *const others[] = {"slave", "replica", "pubsub", "master"};
    *normal = call_is(c, i, "normal");
    if (*normal) return STATUS_OK;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (call_is(c, i, others[k])) return STATUS_OK;
    struct view type = c->argv[i];
    return call_error(c, "ERR Unknown client type '%.*s'", type.n > 128 ? 128 : (int)type.n,
                      type.p);
}

static enum status list_by_id(struct call *c)
{
    sds text = sdsempty();
    for (uint32_t i = 3; text && i < c->argc; i++) {
        int64_t id;
        if (!num_get_integer(c->argv[i], &id)) {
            sdsfree(text);
            return call_error(c, "ERR Invalid client ID");
        }
        const struct session *s = sessions_find(&c->engine->sessions, (uint64_t)id);
        if (s) text = put_client(c, text, s);
    }
    return reply_lines(c, text);
}

/* CLIENT LIST [TYPE type | ID id [id ...]] */
enum status cmd_client_list(struct call *c)
{
    bool normal = true;
    if (c->argc == 4 && call_is(c, 2, "type")) {
        enum status status = parse_type(c, 3, &normal);
        if (status) return status;
    } else if (c->argc > 3 && call_is(c, 2, "id")) {
        return list_by_id(c);
    } else if (c->argc != 2) {
        return STATUS_SYNTAX;
    }
    sds text = sdsempty();
    const struct session *s = normal ? oldest(&c->engine->sessions) : NULL;
    for (; s && text; s = s->previous) text = put_client(c, text, s);
    return reply_lines(c, text);
}

/* --- CLIENT KILL --- */

struct kill {
    uint64_t id; /* 0: any */
    const struct view *address, *local_address;
    bool normal; /* no other kind of client matches */
    bool skip_me;
};

static enum status parse_kill_option(struct call *c, uint32_t i, struct kill *k)
{
    const struct view *value = &c->argv[i + 1];
    int64_t id;
    if (call_is(c, i, "id")) {
        if (!num_get_integer(*value, &id) || id < 1)
            return call_error(c, "ERR client-id should be greater than 0");
        k->id = (uint64_t)id;
    } else if (call_is(c, i, "type")) {
        return parse_type(c, i + 1, &k->normal);
    } else if (call_is(c, i, "addr")) {
        k->address = value;
    } else if (call_is(c, i, "laddr")) {
        k->local_address = value;
    } else if (call_is(c, i, "user")) {
        if (!view_eq(*value, view_of("default")))
            return call_error(c, "ERR No such user '%.*s'", value->n > 128 ? 128 : (int)value->n,
                              value->p);
    } else if (call_is(c, i, "skipme")) {
        k->skip_me = call_is(c, i + 1, "yes");
        if (!k->skip_me && !call_is(c, i + 1, "no")) return STATUS_SYNTAX;
    } else {
        return STATUS_SYNTAX;
    }
    return STATUS_OK;
}

static bool matches(const struct kill *k, const struct session *s)
{
    if (s->kill || !k->normal) return false;
    if (k->id && k->id != s->id) return false;
    if (k->address && !view_eq(*k->address, view_of(s->address))) return false;
    return !k->local_address || view_eq(*k->local_address, view_of(s->local_address));
}

/* Marks them: net/ closes those of others at the end of the turn, this one after its reply. */
static int64_t kill_all(struct call *c, const struct kill *k)
{
    int64_t killed = 0;
    for (struct session *s = c->engine->sessions.first; s; s = s->next) {
        if (!matches(k, s) || (s == c->session && k->skip_me)) continue;
        killed++;
        if (s == c->session) {
            s->close_after_reply = true;
            continue;
        }
        s->kill = true;
        c->engine->killed++;
    }
    return killed;
}

/* CLIENT KILL address | option value [option value ...] */
enum status cmd_client_kill(struct call *c)
{
    struct kill k = {.normal = true, .skip_me = c->argc > 3};
    if (c->argc == 3) {
        k.address = &c->argv[2];
        if (kill_all(c, &k) == 0) return call_error(c, "ERR No such client");
        reply_ok(c);
        return STATUS_OK;
    }
    for (uint32_t i = 2; i < c->argc; i += 2) {
        enum status status = i + 1 < c->argc ? parse_kill_option(c, i, &k) : STATUS_SYNTAX;
        if (status) return status;
    }
    reply_integer(c, kill_all(c, &k));
    return STATUS_OK;
}

enum status cmd_client_help(struct call *c)
{
    static const char *const lines[] = {
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "KILL <ip:port>",
        "    Kill connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Kill connections. Options are:",
        "    * ADDR <ip:port>",
        "      Kill connections made from the specified address",
        "    * ID <client-id>",
        "      Kill the connection with this ID",
        "    * LADDR <ip:port>",
        "      Kill connections made to specified local address",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Kill connections by type.",
        "    * USER <username>",
        "      Kill connections authenticated by <username>.",
        "    * SKIPME (YES|NO)",
        "      Skip killing current connection (default: yes).",
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * ID <client-id> [<client-id> ...]",
        "      Return the clients with these IDs",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "SETINFO (LIB-NAME|LIB-VER) <value>",
        "    Tell the name or the version of the library that the client uses.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}
