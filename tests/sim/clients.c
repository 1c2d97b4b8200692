/*
 * Clients: what each sends and how it is split, how fast it reads, how it ends; and whether what it
 * reads is what the twin said, whole and in order.
 *
 * A client that ends well has read every reply when it reads the end. Of one that breaks off, was
 * killed, or let a second pass after the server was done with it, what it read is a prefix of that.
 */
#include "sim.h"

enum {
    SEND_BUFFER_BYTES = 64 << 10, /* that the kernel takes for the server */
    UNSENT_BYTES = 32 << 10,      /* no more is asked while so much was not sent */
    TURNS_WITHOUT_MAX = 64,       /* in which it was offered, and nothing came of it */
    WAIT_TURNS_MAX = 20000,       /* of one whose session waits */
};

/* --- the beginning --- */

static size_t drawn_size(struct random *r)
{
    static const size_t sizes[] = {1, 7, 100, 3000, 65536, 1 << 20};
    return sizes[random_below(r, sizeof sizes / sizeof sizes[0])];
}

static void plan(struct sim *sim, struct client *c)
{
    struct random *r = &sim->random;
    c->requests_left = 1 + (uint32_t)random_below(r, random_one_in(r, 4) ? 400 : 40);
    c->pipeline = 1 + (uint32_t)random_below(r, random_one_in(r, 3) ? SIM_PIPELINE_MAX : 4);
    c->end = (enum client_end)random_below(r, CLIENT_ENDS);
    c->send_max = drawn_size(r);
    c->read_max = drawn_size(r);
    if (sim->crowded) c->requests_left += 1000;
    if (c->send_max < 100 && random_one_in(r, 2)) c->send_max = 3000;
    if (c->read_max < 100 && random_one_in(r, 2)) c->read_max = 65536;
    c->lazy = random_one_in(r, 4) ? 8 : 1;
    c->socket.client_room = 1 + random_below(r, drawn_size(r));
}

void client_connect(struct sim *sim)
{
    struct client *c = sim->clients;
    while (c < sim->clients + CLIENTS_MAX && c->there) c++;
    if (c == sim->clients + CLIENTS_MAX) return;
    *c = (struct client){.there = true};
    plan(sim, c);
    sim->counts[SIM_CLIENTS]++;
    int fd = sockets_add(&sim->sockets, &c->socket);
    loop_turn(&sim->net.loop);
    struct conn *conn = conn_new(&sim->net.loop);
    if (!conn) sim_fail(sim, "no memory");
    conn_begin(conn, fd);
}

/* --- asking --- */

static void made_one(struct client *c, size_t bytes_before)
{
    c->made_bytes += bytes_count(&c->unsent) - bytes_before;
    c->ends[c->made % SIM_ENDS] = c->made_bytes;
    c->made++;
}

static void ask(struct sim *sim, struct client *c)
{
    while (c->requests_left && c->made - c->executed < c->pipeline &&
           bytes_count(&c->unsent) < UNSENT_BYTES) {
        size_t before = bytes_count(&c->unsent);
        request_draw(sim, &c->unsent);
        c->requests_left--;
        made_one(c, before);
    }
}

/* All was asked: what comes then. */
static void say_end(struct sim *sim, struct client *c)
{
    static const char *const quit[] = {"QUIT", NULL}, *const ping[] = {"PING", "late", NULL};
    static const char *const broken[] = {"*1\r\n$x\r\n", "*-7x\r\n"};
    size_t before = bytes_count(&c->unsent);
    c->end_said = true;
    if (c->end == CLIENT_QUITS) {
        request_put(&c->unsent, quit);
        made_one(c, before);
        for (uint64_t more = random_below(&sim->random, 4); more; more--)
            request_put(&c->unsent, ping);
    } else if (c->end == CLIENT_BREAKS) {
        const char *text = broken[random_below(&sim->random, 2)];
        bytes_put(&c->unsent, text, strlen(text));
    }
}

/* --- the wire --- */

static void send_some(struct sim *sim, struct client *c)
{
    size_t n = bytes_count(&c->unsent), waits = bytes_count(&c->socket.to_server);
    size_t room = waits < SEND_BUFFER_BYTES ? SEND_BUFFER_BYTES - waits : 0;
    if (n > room) n = room;
    if (n > c->send_max) n = c->send_max;
    if (n && random_one_in(&sim->random, 3)) n = 1 + random_below(&sim->random, n);
    if (!n || c->socket.client_shut || c->socket.server_closed) return;
    bytes_put(&c->socket.to_server, bytes_front(&c->unsent), n);
    bytes_drop(&c->unsent, n);
    c->delivered_bytes += n;
    while (c->delivered < c->made && c->ends[c->delivered % SIM_ENDS] <= c->delivered_bytes)
        c->delivered++;
}

static void digest(struct sim *sim, const struct client *c, const char *p, size_t n)
{
    uint64_t d = sim->digest ^ (uint64_t)(c - sim->clients);
    for (size_t i = 0; i < n; i++) d = (d ^ (uint8_t)p[i]) * 0x100000001b3;
    sim->digest = d;
}

/* Behind the replies of a client that broke off, there is an error that is net/'s own. */
static bool is_last_error(struct client *c, const char *p, size_t n)
{
    static const char text[] = "-ERR Protocol error";
    if (c->end != CLIENT_BREAKS || !c->end_said) return false;
    for (size_t i = 0; i < n; i++, c->last_read++)
        if (c->last_read < sizeof text - 1 && p[i] != text[c->last_read]) return false;
    return true;
}

static void check_read(struct sim *sim, struct client *c, const char *p, size_t n)
{
    size_t known = bytes_count(&c->expected) < n ? bytes_count(&c->expected) : n;
    for (size_t i = 0; i < known; i++)
        if (p[i] != bytes_front(&c->expected)[i])
            sim_fail(sim, "client %d reads '%.*s' instead of '%.*s'", (int)(c - sim->clients),
                     (int)(n - i < 40 ? n - i : 40), p + i, (int)(known - i < 40 ? known - i : 40),
                     bytes_front(&c->expected) + i);
    bytes_drop(&c->expected, known);
    if (known < n && !is_last_error(c, p + known, n - known))
        sim_fail(sim, "client %d reads '%.*s', which nobody said", (int)(c - sim->clients),
                 (int)(n - known < 40 ? n - known : 40), p + known);
}

static void read_some(struct sim *sim, struct client *c)
{
    struct bytes *from = &c->socket.to_client;
    size_t n = bytes_count(from);
    if (!random_one_in(&sim->random, c->lazy)) return;
    if (n > c->read_max) n = c->read_max;
    if (n == 0) return;
    check_read(sim, c, bytes_front(from), n);
    digest(sim, c, bytes_front(from), n);
    sim->counts[SIM_REPLY_BYTES] += n;
    bytes_drop(from, n);
}

/* --- the end --- */

/* What it has not read is lost, and may be. */
static bool may_lose(const struct sim *sim, const struct client *c)
{
    int64_t since_ns = sim->engine.clock.now_ns - c->socket.shut_ns;
    bool late = c->socket.shut_ns && since_ns >= CONN_LINGER_NS;
    bool over_input = sim->drains && c->socket.closed_unread;
    return c->killed || c->socket.client_away || sim->closes || late || over_input;
}

static void check_end(struct sim *sim, const struct client *c)
{
    int number = (int)(c - sim->clients);
    if (may_lose(sim, c)) return;
    if (!c->end_said && !sim->drains)
        sim_fail(sim, "client %d reads the end, and has more to ask", number);
    uint64_t owed = sim->drains ? c->delivered : c->made;
    if (c->executed != owed)
        sim_fail(sim, "client %d: %llu of %llu requests were run", number,
                 (unsigned long long)c->executed, (unsigned long long)owed);
    if (c->awaits) sim_fail(sim, "client %d reads the end, and no reply to its last", number);
    if (bytes_count(&c->expected))
        sim_fail(sim, "client %d reads the end %zu bytes too early", number,
                 bytes_count(&c->expected));
}

/* It has read the end: then it closes. */
static void see_end(struct sim *sim, struct client *c)
{
    struct virtual_socket *v = &c->socket;
    bool at_end = v->server_shut && bytes_count(&v->to_client) == 0;
    if (!at_end && !v->reset) return;
    if (!c->saw_end && !v->reset) check_end(sim, c);
    c->saw_end = v->client_shut = true;
    if (v->server_closed) client_free(sim, c);
}

void client_free(struct sim *sim, struct client *c)
{
    sim->counts[SIM_KILLED] += c->killed;
    sim->counts[SIM_LEFT] += c->socket.reset || c->socket.client_away;
    sockets_remove(&sim->sockets, &c->socket);
    bytes_free(&c->socket.to_server);
    bytes_free(&c->socket.to_client);
    bytes_free(&c->unsent);
    bytes_free(&c->expected);
    *c = (struct client){0};
}

static void reset(struct client *c)
{
    c->socket.reset = c->end_said = true;
    bytes_drop(&c->socket.to_server, bytes_count(&c->socket.to_server));
    bytes_drop(&c->socket.to_client, bytes_count(&c->socket.to_client));
}

static void leave(struct client *c)
{
    c->socket.client_shut = c->socket.client_away = c->end_said = true;
    bytes_drop(&c->socket.to_client, bytes_count(&c->socket.to_client));
}

/* What may happen at any moment. */
static void break_off(struct sim *sim, struct client *c)
{
    if (!random_one_in(&sim->random, 60)) return;
    if (c->end == CLIENT_RESETS) reset(c);
    if (c->end == CLIENT_LEAVES) leave(c);
}

void client_act(struct sim *sim, struct client *c, bool begins)
{
    if (begins && !c->socket.client_shut) {
        break_off(sim, c);
        if (!c->end_said) ask(sim, c);
        if (!c->end_said && !c->requests_left && c->end < CLIENT_RESETS) say_end(sim, c);
        send_some(sim, c);
        if (c->end == CLIENT_SHUTS && c->end_said && !bytes_count(&c->unsent))
            c->socket.client_shut = true;
    }
    read_some(sim, c);
    see_end(sim, c);
}

/* --- nobody starves --- */

/* Whether the server has something to run for it. */
static bool is_owed(const struct client *c)
{
    return c->executed < c->delivered && c->session && !c->killed && !c->session->close_after_reply;
}

void client_check(struct sim *sim, struct client *c)
{
    struct virtual_socket *v = &c->socket;
    if (v->stream) {
        const struct conn *conn =
            (struct conn *)((char *)v->stream - offsetof(struct conn, stream));
        int wrong = conn_check(conn), wrong_out = outbox_check(&conn->out);
        if (wrong || wrong_out) sim_fail(sim, "conn_check %d, outbox_check %d", wrong, wrong_out);
    }
    uint64_t progress = c->executed + v->read_bytes;
    bool waits = c->session && session_waits(c->session);
    bool stands = is_owed(c) && progress == c->progress;
    c->progress = progress;
    bool counts = v->offered || (v->stream && !v->stream->reading);
    v->offered = false;
    if (!stands)
        c->turns_without = 0;
    else if (counts && ++c->turns_without > (waits ? WAIT_TURNS_MAX : TURNS_WITHOUT_MAX))
        sim_fail(sim, "client %d starves", (int)(c - sim->clients));
}
