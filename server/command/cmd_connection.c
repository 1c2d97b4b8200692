/* The connection: its protocol, its authentication, and its end. */
#include "command/cmd_connection.h"

enum status cmd_ping(struct call *c)
{
    if (c->argc > 2) return call_error_arity(c);
    if (c->argc == 2)
        reply_bulk(c, c->argv[1]);
    else
        reply_simple(c, "PONG");
    return STATUS_OK;
}

enum status cmd_echo(struct call *c)
{
    reply_bulk(c, c->argv[1]);
    return STATUS_OK;
}

enum status cmd_quit(struct call *c)
{
    c->session->close_after_reply = true;
    reply_ok(c);
    return STATUS_OK;
}

enum status cmd_reset(struct call *c)
{
    enum status status = session_reset(&c->engine->sessions, c->session);
    if (status) return status;
    reply_simple(c, "RESET");
    return STATUS_OK;
}

/* SELECT index: there is one keyspace, number 0. A client that was refused another one must not go
 * on in it (unsupported.h). */
enum status cmd_select(struct call *c)
{
    int64_t index;
    c->session->refused_select = true;
    enum status status = call_integer(c, 1, &index);
    if (status) return status;
    if (index < INT32_MIN || index > INT32_MAX)
        return call_error(c, "ERR value is out of range, value must between %d and %d", INT32_MIN,
                          INT32_MAX);
    if (index != 0) return call_error(c, "ERR DB index is out of range");
    c->session->refused_select = false;
    reply_ok(c);
    return STATUS_OK;
}

/* --- authentication --- */

/* Whether a text is the password, in a time that tells nothing of where it differs. The password's
 * length bounds the loop, the given one's does not: what is missing counts as different. */
static bool is_password(const struct config *config, struct view given)
{
    size_t n = strlen(config->requirepass);
    unsigned different = given.n != n;
    for (size_t i = 0; i < n; i++) {
        char of_given = i < given.n ? given.p[i] : '\0';
        different |= (unsigned char)(of_given ^ config->requirepass[i]);
    }
    return !different;
}

/* Without a password the only user may give any, as in Redis. */
static bool may_enter(const struct call *c, struct view user, struct view password)
{
    const struct config *config = &c->engine->config;
    if (!view_eq(user, view_of("default"))) return false;
    return !config->requirepass[0] || is_password(config, password);
}

static enum status refuse_entry(struct call *c)
{
    return call_error(c, "WRONGPASS invalid username-password pair or user is disabled.");
}

/* AUTH [user] password */
enum status cmd_auth(struct call *c)
{
    if (c->argc > 3) return STATUS_SYNTAX;
    if (c->argc == 2 && !c->engine->config.requirepass[0])
        return call_error(c, "ERR AUTH <password> called without any password configured for the "
                             "default user. Are you sure your configuration is correct?");
    struct view user = c->argc == 3 ? c->argv[1] : view_of("default");
    if (!may_enter(c, user, c->argv[c->argc - 1])) return refuse_entry(c);
    c->session->authenticated = true;
    reply_ok(c);
    return STATUS_OK;
}

/* --- HELLO --- */

bool connection_name_fits(struct view text, size_t bytes_max)
{
    if (text.n >= bytes_max) return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '!' || text.p[i] > '~') return false;
    return true;
}

enum status connection_check_name(struct call *c, struct view name)
{
    if (connection_name_fits(name, SESSION_NAME_BYTES)) return STATUS_OK;
    if (connection_name_fits(name, SIZE_MAX))
        return call_error(c, "ERR Client names cannot be longer than %d bytes.",
                          SESSION_NAME_BYTES - 1);
    return call_error(c, "ERR Client names cannot contain spaces, newlines or special characters.");
}

void connection_put_text(char *field, struct view text)
{
    memcpy(field, text.p, text.n);
    field[text.n] = '\0';
}

struct hello {
    int64_t protocol; /* 0: as it is */
    bool enters;
    const struct view *name;
};

/* All options are looked at before anything changes, the session's protocol at the very last. */
static enum status parse_hello(struct call *c, struct hello *out)
{
    *out = (struct hello){0};
    if (c->argc > 1 && !num_get_integer(c->argv[1], &out->protocol))
        return call_error(c, "ERR Protocol version is not an integer or out of range");
    if (c->argc > 1 && out->protocol != 2 && out->protocol != 3)
        return call_error(c, "NOPROTO unsupported protocol version");
    for (uint32_t i = 2; i < c->argc; i++) {
        uint32_t more = c->argc - 1 - i;
        if (call_is(c, i, "auth") && more >= 2) {
            if (!may_enter(c, c->argv[i + 1], c->argv[i + 2])) return refuse_entry(c);
            out->enters = true;
            i += 2;
        } else if (call_is(c, i, "setname") && more >= 1) {
            enum status status = connection_check_name(c, c->argv[i + 1]);
            if (status) return status;
            out->name = &c->argv[i + 1];
            i++;
        } else {
            struct view option = c->argv[i];
            return call_error(c, "ERR Syntax error in HELLO option '%.*s'",
                              option.n > 128 ? 128 : (int)option.n, option.p);
        }
    }
    return STATUS_OK;
}

/* HELLO [protover [AUTH user password] [SETNAME name]] */
enum status cmd_hello(struct call *c)
{
    struct hello hello;
    struct session *session = c->session;
    enum status status = parse_hello(c, &hello);
    if (status) return status;
    if (c->engine->config.requirepass[0] && !session->authenticated && !hello.enters)
        return call_error(c, "NOAUTH HELLO must be called with the client already authenticated, "
                             "otherwise the HELLO <proto> AUTH <user> <pass> option can be used to "
                             "authenticate the client and select the RESP protocol version at the "
                             "same time");
    if (hello.enters) session->authenticated = true;
    if (hello.name) connection_put_text(session->name, *hello.name);
    if (hello.protocol) session->protocol = (int)hello.protocol;
    reply_map(c, 7);
    reply_text(c, "server");
    reply_text(c, "heapd");
    reply_text(c, "version");
    reply_text(c, HEAPD_VERSION);
    reply_text(c, "proto");
    reply_integer(c, session->protocol);
    reply_text(c, "id");
    reply_integer(c, (int64_t)session->id);
    reply_text(c, "mode");
    reply_text(c, "standalone");
    reply_text(c, "role");
    reply_text(c, "master");
    reply_text(c, "modules");
    reply_array(c, 0);
    return STATUS_OK;
}
