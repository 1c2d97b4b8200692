#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/panic.h"
#include "net/io.h"

static struct wire *wire_with(struct stream *s)
{
    return (struct wire *)((char *)s - offsetof(struct wire, stream));
}

static struct parcel *parcel_of(struct wire *w)
{
    return &remote_of_wire(w)->parcel;
}

static struct session *session_of(struct wire *w)
{
    return &remote_of_wire(w)->session;
}

static void post(struct wire *w, enum letter_kind kind)
{
    io_reply(w->thread, &remote_of_wire(w)->letters[kind]);
}

static void touch(struct wire *w)
{
    session_touch(session_of(w), clock_read_ns(CLOCK_REALTIME_COARSE) / 1000000);
}

/* --- the end --- */

static void on_closed(struct stream *s)
{
    struct wire *w = wire_with(s);
    struct io_thread *t = w->thread;
    struct parcel *p = parcel_of(w);
    if (!w->opened) close(remote_of_wire(w)->fd);
    if (w->previous)
        w->previous->next = w->next;
    else
        t->wires = w->next;
    if (w->next) w->next->previous = w->previous;
    inbox_fini(&w->in, &t->mem);
    bulks_fini(&w->bulks, &t->mem);
    parcel_fini(p, &t->mem);
    replies_fini(&p->out, &w->out.outlet);
    outbox_fini(&w->out);
    request_reader_fini(&w->reader);
    post(w, LETTER_GONE);
}

/* Closes it when nothing holds it any more. */
static void let_go(struct wire *w)
{
    if (w->state != WIRE_LEAVING || !w->farewell || w->lingering) return;
    w->state = WIRE_CLOSING;
    stream_close(&w->stream);
}

static void tell_closed(struct wire *w)
{
    w->state = WIRE_LEAVING;
    remote_of_wire(w)->read_bytes = w->read_bytes;
    post(w, LETTER_CLOSED);
}

static void read_on(struct wire *w, bool on);

/* At once; unsent replies are lost. `why`: for the log. */
static void leave(struct wire *w, const char *why, uint64_t bytes)
{
    w->lingering = false;
    if (w->state < WIRE_LEAVING) {
        read_on(w, false);
        remote_of_wire(w)->why = why;
        remote_of_wire(w)->why_bytes = bytes;
        tell_closed(w);
    }
    let_go(w);
}

/* Everything is written. */
static void end(struct wire *w)
{
    if (w->ended || w->thread->draining || stream_shut(&w->stream) != 0) {
        leave(w, NULL, 0);
        return;
    }
    w->lingering = true;
    w->linger_until_ns = clock_mono_ns() + NET_LINGER_NS;
    tell_closed(w);
    read_on(w, true);
}

/* --- replies --- */

/* Keeps the accounts of what waits. False when that closed the connection. */
static bool account_output(struct wire *w)
{
    uint64_t waits = outbox_bytes(&w->out, &w->stream);
    struct io *io = w->thread->io;
    if (waits != session_output(session_of(w))) session_set_output(session_of(w), waits);
    if (waits > atomic_load_explicit(&io->output_buffer_limit, memory_order_relaxed)) {
        leave(w, "more replies wait for it than output-buffer-limit allows", waits);
        return false;
    }
    w->slow = waits > (w->slow ? CONN_LOW_BYTES : CONN_HIGH_BYTES);
    return true;
}

/* Writes until the socket is full. */
static int send_rest(struct wire *w)
{
    int error = 0;
    while (!error && outbox_rests(&w->out)) error = outbox_resend(&w->out, &w->stream);
    return error;
}

/* Sends what the parcel has brought; it leaves its buffer behind. False when that closed the
 * connection. */
static bool send_replies(struct wire *w)
{
    struct replies *out = &parcel_of(w)->out;
    if (w->out.under_way) {
        DASSERT(w->out.behind.buf.p == NULL);
        w->out.behind = *out;
        replies_init(out);
    } else if (outbox_send(&w->out, &w->stream, out) != 0 || send_rest(w) != 0) {
        leave(w, NULL, 0);
        return false;
    }
    io_spare_put(w->thread, &out->buf);
    return account_output(w);
}

/* What waits behind a write under way goes along, so that the replies to come stand behind it. */
static void send_parcel(struct wire *w)
{
    struct parcel *p = parcel_of(w);
    if (w->out.under_way) {
        p->out = w->out.behind;
        replies_init(&w->out.behind);
    }
    if (!p->out.buf.p) p->out.buf = io_spare_take(w->thread);
    p->read_bytes = w->read_bytes;
    w->read_bytes = 0;
    w->away = true;
    post(w, LETTER_PARCEL);
}

/* What the reader has to say about a request that it cannot read. */
static void send_error(struct wire *w)
{
    struct replies *out = outbox_target(&w->out, &parcel_of(w)->out);
    size_t before = out->buf.n;
    char text[REQUEST_ERROR_BYTES + 8] = "OOM no memory for the request";
    if (w->broken == REQUEST_BROKEN) snprintf(text, sizeof text, "ERR %s", w->reader.error);
    proto_put_error(&out->buf, text, strlen(text));
    remote_of_wire(w)->error_bytes = out->buf.n - before;
    w->state = WIRE_FINISHING;
    if (!w->out.under_way) send_replies(w);
}

/* --- requests --- */

static void log_input(struct wire *w, uint64_t bytes)
{
    leave(w, "no memory for its input", bytes);
}

/* Packs what is on the sheet. */
static enum status pack(struct wire *w, struct view packed, bool in_inbox)
{
    struct sheet *sheet = &w->thread->sheet;
    w->bulks.probes = w->bulks.probes && sheet->count == 0;
    if (sheet->count)
        return parcel_pack(parcel_of(w), sheet, packed, in_inbox ? &w->in : NULL, &w->bulks);
    if (in_inbox && packed.n) inbox_skip(&w->in, &w->thread->mem, packed.n);
    return STATUS_OK;
}

/* What stays of the bytes is an unfinished request: a large bulk's bytes move apart. */
static enum status move_apart(struct wire *w, char *rest, size_t *n)
{
    return w->hungry ? bulks_begin(&w->bulks, &w->thread->mem, &w->reader, rest, n) : STATUS_OK;
}

/* Parses the bytes and packs what is whole; *rest are those that are left. They are in the inbox,
 * from which the parcel may take them, or in a loan. False when that closed the
 * connection. */
static bool fill_parcel(struct wire *w, struct view bytes, bool in_inbox, struct view *rest)
{
    struct io_thread *t = w->thread;
    uint64_t bulk_bytes_max = atomic_load_explicit(&t->io->bulk_bytes_max, memory_order_relaxed);
    if (w->reader.limits.bulk_bytes_max != bulk_bytes_max) {
        struct request_limits limits = REQUEST_LIMITS_DEFAULT;
        limits.bulk_bytes_max = bulk_bytes_max;
        request_reader_limit(&w->reader, &limits);
    }
    size_t used;
    enum request_status status = sheet_read(&t->sheet, &w->reader, bytes, &used);
    w->hungry = status == REQUEST_MORE;
    if (status == REQUEST_BROKEN || status == REQUEST_OOM) w->broken = status;
    *rest = (struct view){bytes.p + used, bytes.n - used};
    enum status packed = pack(w, (struct view){bytes.p, used}, in_inbox);
    if (!packed && in_inbox) {
        size_t left = inbox_bytes(&w->in);
        packed = move_apart(w, w->in.p + w->in.begin, &left);
        if (!packed && left) inbox_cut(&w->in, left);
    } else if (!packed) {
        packed = move_apart(w, (char *)(uintptr_t)rest->p, &rest->n);
    }
    if (packed) log_input(w, bytes.n);
    return packed == STATUS_OK;
}

/* Whether requests are there that were packed, or a wait, which the parcel is to be sent for. */
static bool has_parcel(struct wire *w)
{
    return parcel_of(w)->more || parcel_of(w)->count > 0;
}

/* With the parcel at home: packs what waits, sends it off, or sees that there is nothing more. */
static void next_parcel(struct wire *w)
{
    struct view rest;
    while (!has_parcel(w) && !w->broken && !w->hungry && inbox_bytes(&w->in))
        if (!fill_parcel(w, inbox_view(&w->in), true, &rest)) return;
    if (has_parcel(w)) {
        bool held_up = w->slow || (parcel_of(w)->waits && w->out.under_way);
        if (!held_up) send_parcel(w);
    } else if (w->broken) {
        send_error(w);
    } else if (w->ended) {
        w->state = WIRE_FINISHING;
    } else if (!inbox_bytes(&w->in)) {
        request_reader_trim(&w->reader);
    }
}

/* --- what comes next --- */

static void read_on(struct wire *w, bool on)
{
    if (w->opened) stream_read(&w->stream, on);
}

/* After anything happened: the one place that decides whether to send the parcel off, to end, or to
 * read. */
static void settle(struct wire *w)
{
    if (w->state == WIRE_OPEN && !w->away) next_parcel(w);
    if (w->state == WIRE_FINISHING) {
        read_on(w, false);
        if (outbox_bytes(&w->out, &w->stream) == 0) end(w);
    }
    if (w->state != WIRE_OPEN) return;
    uint64_t waits = inbox_bytes(&w->in), apart = w->bulks.bytes;
    if (waits + apart != session_input(session_of(w)))
        session_set_input(session_of(w), waits + apart);
    bool room = waits < REMOTE_AHEAD_BYTES || !(w->away || has_parcel(w));
    read_on(w, room && !w->ended && !w->slow);
}

/* --- letters --- */

static const struct stream_user WIRE_USER;

static void begin(struct wire *w)
{
    struct io_thread *t = w->thread;
    w->next = t->wires;
    if (w->next) w->next->previous = w;
    t->wires = w;
    w->opened = stream_open(&w->stream, &WIRE_USER, &t->place, remote_of_wire(w)->fd) == 0;
    if (w->opened)
        settle(w);
    else
        leave(w, NULL, 0);
}

static void came_home(struct wire *w)
{
    struct parcel *p = parcel_of(w);
    w->away = false;
    if (w->state != WIRE_OPEN || !send_replies(w)) return;
    if (!p->more) parcel_empty(p, &w->thread->mem);
    if (p->end) w->state = WIRE_FINISHING;
    settle(w);
}

void wire_receive(struct wire *w, enum letter_kind kind)
{
    switch (kind) {
    case LETTER_BEGIN: begin(w); return;
    case LETTER_PARCEL: came_home(w); return;
    case LETTER_END: leave(w, NULL, 0); return;
    case LETTER_FAREWELL:
        w->farewell = true;
        let_go(w);
        return;
    case LETTER_CLOSED:
    case LETTER_GONE:
    case LETTER_DRAIN:
    case LETTER_STOP:
    case LETTER_KINDS: break;
    }
    ASSERT(false);
}

void wire_drain(struct wire *w)
{
    int waiting = 0;
    if (w->state == WIRE_LEAVING) leave(w, NULL, 0);
    if (w->state != WIRE_OPEN) return;
    if (ioctl(remote_of_wire(w)->fd, FIONREAD, &waiting) != 0 || waiting <= 0)
        w->ended = true;
    else
        w->drain_bytes = (uint64_t)waiting;
    settle(w);
}

void wire_tick(struct wire *w, int64_t now_ns)
{
    if (w->lingering && now_ns >= w->linger_until_ns) leave(w, NULL, 0);
}

/* --- events --- */

static void on_wrote(struct stream *s, int status)
{
    struct wire *w = wire_with(s);
    outbox_landed(&w->out, status < 0 || w->state >= WIRE_LEAVING);
    if (w->state >= WIRE_LEAVING) return;
    if (status < 0 || send_rest(w) != 0) {
        leave(w, NULL, 0);
        return;
    }
    touch(w);
    if (account_output(w)) settle(w);
}

static enum status on_room(struct stream *s, struct stream_room *room)
{
    struct wire *w = wire_with(s);
    w->in_bulk = w->state == WIRE_OPEN && w->bulks.filling;
    if (w->in_bulk) return bulks_room(&w->bulks, &w->thread->mem, room);
    room->n = bulks_probe(&w->bulks);
    return STATUS_OK;
}

/* Bytes in a loan: what was not packed stays. */
static void keep_rest(struct wire *w, struct view rest)
{
    struct mem *m = &w->thread->mem;
    if ((rest.n || inbox_bytes(&w->in)) && inbox_replace(&w->in, m, rest)) log_input(w, rest.n);
}

/* A large bulk has got n bytes. Once it is whole, those that came behind it stand behind what has
 * waited. */
static enum status fill_bulk(struct wire *w, size_t n)
{
    struct view behind;
    if (!bulks_filled(&w->bulks, n, &behind)) return STATUS_OK;
    w->hungry = false;
    if (request_reader_put_apart(&w->reader, bulks_last(&w->bulks)) != REQUEST_READY)
        return STATUS_OOM;
    return inbox_append(&w->in, &w->thread->mem, behind);
}

/* The n bytes at p stand behind what has waited: what is in the inbox settle reads there, of others
 * a parcel is made if it is at home. False when that closed the connection. */
static bool take_bytes(struct wire *w, char *p, size_t n)
{
    struct view bytes;
    bool inside;
    if (inbox_join(&w->in, &w->thread->mem, p, n, &bytes, &inside) != STATUS_OK) {
        log_input(w, inbox_bytes(&w->in) + n);
        return false;
    }
    w->hungry = false;
    if (inside) return true;
    struct view rest = bytes;
    bool idle = !w->away && !has_parcel(w) && !w->broken;
    if (idle && !fill_parcel(w, bytes, false, &rest)) return false;
    keep_rest(w, rest);
    return true;
}

static void on_bytes(struct wire *w, char *p, size_t n)
{
    struct io_thread *t = w->thread;
    t->busy = true;
    w->read_bytes += n;
    if (t->draining) {
        w->ended = n >= w->drain_bytes;
        w->drain_bytes -= w->ended ? w->drain_bytes : n;
    }
    DASSERT(w->in_bulk == w->bulks.filling); /* libuv asks for room when bytes are there */
    if (w->in_bulk && fill_bulk(w, n) != STATUS_OK) {
        log_input(w, w->bulks.bytes);
        return;
    }
    if (!w->in_bulk && !take_bytes(w, p, n)) return;
    if (w->state == WIRE_OPEN) settle(w);
    uint64_t waits = inbox_bytes(&w->in) + w->bulks.bytes;
    if (w->state != WIRE_OPEN || !waits) return;
    touch(w); /* of what a parcel brings, the heap's thread takes note */
    uint64_t most = w->reader.limits.bulk_bytes_max + CONN_REQUEST_BYTES_MORE;
    if (w->hungry && waits > most) leave(w, "its request is too long", waits);
}

static void on_got(struct stream *s, char *p, ssize_t n)
{
    struct wire *w = wire_with(s);
    if (n > 0) {
        if (w->state == WIRE_OPEN) on_bytes(w, p, (size_t)n);
    } else if (n == UV_EOF && w->state == WIRE_OPEN) {
        w->ended = true;
        settle(w);
    } else if (n == UV_ENOBUFS && w->state == WIRE_OPEN) {
        log_input(w, inbox_bytes(&w->in) + w->bulks.bytes);
    } else {
        leave(w, NULL, 0);
    }
}

static const struct stream_user WIRE_USER = {
    .room = on_room, .got = on_got, .wrote = on_wrote, .closed = on_closed};

int wire_check(const struct wire *w)
{
    const struct remote *r =
        (const struct remote *)((const char *)w - offsetof(struct remote, wire));
    if (w->state == WIRE_FINISHING && w->away) return 3;
    if (!w->away && w->state < WIRE_LEAVING && parcel_check(&r->parcel)) return 3;
    if (w->out.under_way && !w->away && r->parcel.out.buf.n) return 4;
    return 0;
}
