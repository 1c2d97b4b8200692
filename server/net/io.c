#include "net/io.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/panic.h"

/* --- an I/O thread --- */

struct proto_buf io_spare_take(struct io_thread *t)
{
    struct proto_buf buf;
    proto_buf_init(&buf);
    return t->spare_count ? t->spares[--t->spare_count] : buf;
}

void io_spare_put(struct io_thread *t, struct proto_buf *buf)
{
    proto_buf_clear(buf, IO_SPARE_BYTES_MAX);
    if (!buf->p) return;
    if (t->spare_count < IO_SPARES)
        t->spares[t->spare_count++] = *buf;
    else
        proto_buf_fini(buf);
    proto_buf_init(buf);
}

/* Memory that was freed goes back to the system in steps, and some of it not while bytes come, as
 * on the heap's thread. */
static void on_trimming(uv_idle_t *handle)
{
    struct io_thread *t = handle->data;
    bool due = !t->busy || mem_trim_is_urgent(&t->mem);
    t->busy = false;
    if (due && !mem_trim_step(&t->mem)) uv_idle_stop(handle);
}

/* The end of a turn: what it has to say leaves. */
static void before_poll(uv_prepare_t *handle)
{
    struct io_thread *t = handle->data;
    struct io *io = t->io;
    if (t->mem.bytes != atomic_load_explicit(&t->mem_bytes, memory_order_relaxed))
        atomic_store_explicit(&t->mem_bytes, t->mem.bytes, memory_order_relaxed);
    bool wake = reply_refs_return(&io->net->engine->held, &t->landed);
    wake |= mailbox_put(&io->in, &t->out);
    if (wake) bell_ring(&io->bell);
    if (t->mem.trim_bytes) uv_idle_start(&t->trimming, on_trimming);
}

static void on_tick(uv_timer_t *handle)
{
    struct io_thread *t = handle->data;
    int64_t now_ns = clock_mono_ns();
    for (struct wire *w = t->wires; w; w = w->next) wire_tick(w, now_ns);
}

static void drain(struct io_thread *t)
{
    t->draining = true;
    for (struct wire *w = t->wires; w; w = w->next) wire_drain(w);
}

/* All its connections are gone. */
static void stop(struct io_thread *t)
{
    ASSERT(!t->wires);
    bell_close(&t->bell);
    stream_place_close(&t->place);
    uv_close((uv_handle_t *)&t->before_poll, NULL);
    uv_close((uv_handle_t *)&t->trimming, NULL);
    uv_close((uv_handle_t *)&t->tick, NULL);
}

static void on_thread_rung(void *self)
{
    struct io_thread *t = self;
    struct letter *l = mailbox_take(&t->in);
    while (l) {
        struct letter *next = l->next;
        if (l->kind == LETTER_DRAIN)
            drain(t);
        else if (l->kind == LETTER_STOP)
            stop(t);
        else
            wire_receive(&remote_of_letter(l)->wire, (enum letter_kind)l->kind);
        l = next;
    }
}

static void run(void *arg)
{
    struct io_thread *t = arg;
    char name[16]; /* as long as the system takes */
    snprintf(name, sizeof name, "heapd-io-%u", (unsigned)t->index % 100);
    pthread_setname_np(pthread_self(), name);
    uv_run(&t->loop, UV_RUN_DEFAULT);
}

/* --- the heap's thread --- */

void io_send(struct io_thread *t, struct letter *l)
{
    bundle_add(&t->to, l);
}

/* What they must know is known before any letter. */
static void publish(struct io *io)
{
    const struct config *config = &io->net->engine->config;
    atomic_store_explicit(&io->bulk_bytes_max, config->proto_max_bulk_len, memory_order_relaxed);
    atomic_store_explicit(&io->output_buffer_limit, config->output_buffer_limit,
                          memory_order_relaxed);
}

void io_flush(struct io *io)
{
    bool published = false;
    for (uint32_t i = 0; i < io->count; i++) {
        struct io_thread *t = &io->threads[i];
        if (!t->to.newest) continue;
        if (!published) publish(io);
        published = true;
        if (mailbox_put(&t->in, &t->to)) bell_ring(&t->bell);
    }
}

static void send_all(struct io *io, enum letter_kind kind)
{
    for (uint32_t i = 0; i < io->count; i++)
        io_send(&io->threads[i], &io->threads[i].letters[kind - LETTERS_OF_REMOTE]);
    io_flush(io);
}

void io_drain(struct io *io)
{
    send_all(io, LETTER_DRAIN);
}

/* The last connection is gone: so are the threads, and then nothing can come from them. */
static void end(struct io *io)
{
    send_all(io, LETTER_STOP);
    for (uint32_t i = 0; i < io->count; i++)
        if (io->threads[i].started) uv_thread_join(&io->threads[i].id);
    bell_close(&io->bell);
}

void io_close(struct io *io)
{
    io->closing = true;
    io_flush(io);
    if (io->net->open == 0) end(io);
}

static void take_account(struct io *io)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < io->count; i++)
        bytes += atomic_load_explicit(&io->threads[i].mem_bytes, memory_order_relaxed);
    io->net->engine->io_bytes = bytes;
}

static void on_rung(void *self)
{
    struct io *io = self;
    struct net *net = io->net;
    if (!io->closing) net_turn(net);
    take_account(io);
    reply_refs_drop_returned(&net->engine->held);
    struct letter *l = mailbox_take(&io->in);
    for (uint32_t count = 1; l; count++) {
        struct letter *next = l->next;
        remote_receive(remote_of_letter(l), (enum letter_kind)l->kind);
        if (count % IO_FLUSH_LETTERS == 0) io_flush(io);
        l = next;
    }
    io_flush(io);
    if (io->closing && net->open == 0) end(io);
}

/* --- beginning and end --- */

static void init_thread(struct io_thread *t, struct io *io, uint32_t index)
{
    t->io = io;
    t->index = index;
    mem_init(&t->mem);
    sheet_init(&t->sheet, &t->mem);
    for (int i = 0; i < LETTER_KINDS - LETTERS_OF_REMOTE; i++)
        t->letters[i].kind = i + LETTERS_OF_REMOTE;
}

static bool open_thread(struct io_thread *t)
{
    if (uv_loop_init(&t->loop)) return false;
    int why;
    if (stream_place_init(&t->place, &t->mem, &t->loop, false, &why)) return false;
    if (!bell_init(&t->bell, &t->loop, on_thread_rung, t)) return false;
    uv_prepare_init(&t->loop, &t->before_poll);
    uv_idle_init(&t->loop, &t->trimming);
    uv_timer_init(&t->loop, &t->tick);
    t->before_poll.data = t->trimming.data = t->tick.data = t;
    uv_prepare_start(&t->before_poll, before_poll);
    uv_timer_start(&t->tick, on_tick, NET_TICK_MS, NET_TICK_MS);
    return true;
}

static size_t bytes_of(uint32_t count)
{
    return sizeof(struct io) + count * sizeof(struct io_thread);
}

enum status io_new(struct io **out, struct net *net)
{
    uint32_t count = (uint32_t)net->engine->config.io_threads - 1;
    struct io *io = mem_alloc(&net->engine->mem, bytes_of(count));
    if (!io) return STATUS_OOM;
    memset(io, 0, bytes_of(count));
    io->net = net;
    io->count = count;
    publish(io);
    if (!bell_init(&io->bell, net->loop, on_rung, io)) return STATUS_OOM;
    for (uint32_t i = 0; i < count; i++) {
        init_thread(&io->threads[i], io, i + 1);
        if (!open_thread(&io->threads[i])) return STATUS_OOM;
    }
    *out = io;
    return STATUS_OK;
}

bool io_start(struct io *io)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the heap's thread's */
    bool good = true;
    for (uint32_t i = 0; i < io->count && good; i++) {
        struct io_thread *t = &io->threads[i];
        good = t->started = uv_thread_create(&t->id, run, t) == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

static void free_thread(struct io_thread *t)
{
    while (t->spare_count) proto_buf_fini(&t->spares[--t->spare_count]);
    sheet_fini(&t->sheet);
    stream_place_fini(&t->place);
    ASSERT(t->mem.bytes == 0);
    mem_fini(&t->mem);
    ASSERT(uv_loop_close(&t->loop) == 0);
}

void io_free(struct io *io)
{
    reply_refs_drop_returned(&io->net->engine->held);
    for (uint32_t i = 0; i < io->count; i++) free_thread(&io->threads[i]);
    mem_free(&io->net->engine->mem, io, bytes_of(io->count));
}
