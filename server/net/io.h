/*
 * I/O threads: loops beside the heap's, which read, parse and write for the connections that they
 * own (remote.h). net.c makes them when `io-threads` is above 1; with 1 there is none of this.
 *
 * Of N threads one is the heap's. It accepts connections, and serves none itself: every system call
 * that it made for a client would be a request less from the heap, which is what the others wait
 * for. It talks to each thread through a mailbox, and the thread to it; what one turn of a loop has
 * to say is bundled, and wakes the other at most once. A turn with many letters sends its answers
 * off in between, every IO_FLUSH_LETTERS.
 *
 * Their streams are libuv's. A ring (ring.h) was tried and gained nothing: each letter that wakes a
 * thread passes through two waits then. It would have to wait for letters itself, and replies to
 * leave together.
 *
 * An I/O thread never touches the heap, the sessions (but for three atomic fields), the
 * configuration, the statistics or the log. What it must know of the configuration the heap's
 * thread publishes in `struct io`, and what it has to tell comes with letters.
 *
 * Invariants
 *   1. A thread's connections are in its list, from BEGIN until their sockets are closed.
 *   2. At the end of a turn no bundle holds a letter, and no value that was sent waits to go back.
 * Ownership: io owns the threads; a thread owns its loop, its memory and its halves of connections.
 * The heap's thread outlives them. Cost: a turn with letters costs a wake-up of one system call at
 * either end; a thread takes its stack, its place of streams, and up to IO_SPARES buffers.
 */
#ifndef HEAPD_NET_IO_H
#define HEAPD_NET_IO_H

#include "net/bell.h"
#include "net/remote.h"

enum {
    IO_FLUSH_LETTERS = 16,
    IO_SPARES = 32, /* buffers for replies that a thread keeps */
    IO_SPARE_BYTES_MAX = 64 << 10,
};

struct io_thread {
    struct io *io;
    uint32_t index;
    /* The heap's thread's. */
    struct bundle to; /* letters for it */
    uint64_t connections;
    uv_thread_t id;
    bool started;
    /* Shared. */
    struct mailbox in;
    struct bell bell;
    _Atomic uint64_t mem_bytes; /* as of its last turn */
    struct letter letters[LETTER_KINDS - LETTERS_OF_REMOTE];
    /* Its own. */
    uv_loop_t loop;
    uv_prepare_t before_poll;
    uv_idle_t trimming;
    uv_timer_t tick;
    bool draining;
    bool busy;                /* it has read in this turn */
    struct bundle out;        /* letters for the heap's thread */
    struct reply_refs landed; /* values that were sent */
    struct mem mem;
    struct stream_place place;
    struct sheet sheet;
    struct proto_buf spares[IO_SPARES];
    uint32_t spare_count;
    struct wire *wires;
};

struct io {
    struct net *net;
    struct mailbox in; /* of the heap's thread */
    struct bell bell;
    bool closing;
    _Atomic uint64_t bulk_bytes_max, output_buffer_limit; /* the configuration's */
    uint32_t count;
    struct io_thread threads[];
};

/* Makes the threads' loops; io_start begins to run them, without which a test turns them itself. */
enum status io_new(struct io **out, struct net *net) MUST_USE;
bool io_start(struct io *io) MUST_USE;
void io_free(struct io *io);

/* --- the heap's thread --- */

/* A letter to a thread; it leaves with the next io_flush. */
void io_send(struct io_thread *t, struct letter *l);
void io_flush(struct io *io);
/* Every connection answers what has arrived by now, then ends. */
void io_drain(struct io *io);
/* The threads end when their connections have; all sessions were closed. */
void io_close(struct io *io);

/* --- an I/O thread --- */

/* A letter to the heap's thread; it leaves at the end of the turn. */
static inline void io_reply(struct io_thread *t, struct letter *l)
{
    bundle_add(&t->out, l);
}

/* An empty buffer, with room if the thread has one. */
struct proto_buf io_spare_take(struct io_thread *t);
void io_spare_put(struct io_thread *t, struct proto_buf *buf);

#endif
