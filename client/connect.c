#include <stdio.h>
#include <string.h>

#include "client/conn.h"

enum { PROTOCOL_DEFAULT = 3 };

/* One command of the handshake. */
static enum heapd_status introduce(struct heapd *h, size_t argc, const struct proto_view *argv)
{
    struct heapd_reply *reply = heapd_call_argv(h, argc, argv);
    if (!reply) return h->status;
    enum heapd_status status = HEAPD_OK;
    if (heapd_is_error(reply)) status = heapd_conn_note(h, HEAPD_REFUSED, "%s", reply->text);
    heapd_reply_free(reply);
    return status;
}

static struct proto_view view(const char *text)
{
    return (struct proto_view){text, strlen(text)};
}

/* HELLO does it all in one round trip. A connection that wants nothing special says nothing. */
static enum heapd_status hello(struct heapd *h, const struct heapd_options *o, int protocol)
{
    if (protocol == 2 && !o->password && !o->name) return HEAPD_OK;
    struct proto_view argv[8];
    size_t argc = 0;
    argv[argc++] = view("HELLO");
    argv[argc++] = view(protocol == 2 ? "2" : "3");
    if (o->password) {
        argv[argc++] = view("AUTH");
        argv[argc++] = view(o->user ? o->user : "default");
        argv[argc++] = view(o->password);
    }
    if (o->name) {
        argv[argc++] = view("SETNAME");
        argv[argc++] = view(o->name);
    }
    return introduce(h, argc, argv);
}

enum heapd_status heapd_connect(struct heapd *h, const struct heapd_options *options)
{
    static const struct heapd_options defaults = {0};
    const struct heapd_options *o = options ? options : &defaults;
    int protocol = o->protocol != 0 ? o->protocol : PROTOCOL_DEFAULT;
    heapd_close(h);
    heapd_conn_note(h, HEAPD_OK, "%s", "");
    if (protocol != 2 && protocol != 3)
        return heapd_conn_note(h, HEAPD_INVALID, "There is no protocol %d", protocol);
    h->timeout_ms = o->timeout_ms;
    enum heapd_status status = heapd_conn_open(h, o->host ? o->host : HEAPD_HOST_DEFAULT,
                                               o->port != 0 ? o->port : HEAPD_PORT_DEFAULT);
    if (status != HEAPD_OK) return status;
    status = hello(h, o, protocol);
    if (status != HEAPD_OK || o->db == 0) return status;
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)o->db);
    return introduce(h, 2, (struct proto_view[]){view("SELECT"), view(number)});
}
