/*
 * One client's connection when there are I/O threads: the socket belongs to one of them, the
 * session to the heap's thread, and the parcel goes back and forth.
 *
 *     the heap's thread (remote.c)                     its I/O thread (wire.c)
 *     session, handles, wait, kill          <- parcel  reads, parses
 *     runs the requests, writes replies     parcel ->  sends, watches a slow reader, ends well
 *
 * Everything that they tell each other is a letter, and each letter but the parcel's is written
 * once in a connection's life, so none can be missing and none needs memory:
 *
 *   BEGIN     ->  there is a socket            CLOSED   <-  no more parcels: it has ended, or broke
 *   PARCEL   <->                               FAREWELL ->  the session is gone too, the heap's
 *   END       ->  let it go (killed, idle)                  thread touches nothing any more
 *                                              GONE     <-  the socket is closed and all is freed
 *
 * The I/O thread's side of it:
 *
 *   OPEN       reads, sends parcels off, writes what comes back
 *   FINISHING  nothing more is run (QUIT, a broken request, the end of the input): writes the rest
 *   LEAVING    CLOSED is written. After a good end it lingers as conn.h tells. The socket stays
 *              open until FAREWELL is here: the heap's thread may shut it (CLIENT KILL) as long as
 *              there is a session, and the descriptor must not be somebody else's by then
 *   CLOSING    the stream is being closed; then GONE is written
 *
 * What a client sees is what conn.h promises; the numbers are the same (CONN_...). While a parcel
 * is away its thread reads on, up to REMOTE_AHEAD_BYTES. A parcel whose share is used up comes back
 * with the replies so far and is sent again: so no client holds up the heap, and none runs far
 * ahead of a reader that is slow. So does one whose session waits, for the replies before a wait do
 * not wait; it is sent again when they are all written.
 *
 * Invariants (remote_check, for the heap's thread; wire_check, for the I/O thread)
 *   1. A connection without a session is in no queue. The session is open until END is written or
 *      CLOSED has arrived.
 *   2. It is in the queue NET_WAITING exactly while its session waits and the parcel is here.
 *   3. FINISHING begins with the parcel at home, and it stays there.
 *   4. While a write is under way, further replies stand behind it or are away with the parcel;
 *      never in a parcel at home.
 * Ownership: the heap's thread makes and frees the memory of a connection; its fields belong to one
 * thread each, the parcel and what CLOSED tells to whoever has the letter. Cost: for each parcel
 * one block, and its share of two wake-ups.
 */
#ifndef HEAPD_NET_REMOTE_H
#define HEAPD_NET_REMOTE_H

#include "net/conn.h"
#include "net/parcel.h"

enum { REMOTE_AHEAD_BYTES = 64 << 10 };

/* The first ones are a connection's, the others an I/O thread's (io.h). */
enum letter_kind {
    LETTER_PARCEL,
    LETTER_BEGIN,
    LETTER_END,
    LETTER_FAREWELL,
    LETTER_CLOSED,
    LETTER_GONE,
    LETTERS_OF_REMOTE,
    LETTER_DRAIN = LETTERS_OF_REMOTE,
    LETTER_STOP,
    LETTER_KINDS
};

enum wire_state { WIRE_OPEN, WIRE_FINISHING, WIRE_LEAVING, WIRE_CLOSING };

/* The I/O thread's half. */
struct wire {
    struct io_thread *thread;
    struct wire *previous, *next; /* of this thread's */
    enum wire_state state;
    bool opened;  /* the stream has the descriptor */
    bool ended;   /* the input has ended, or no more of it is wanted */
    bool hungry;  /* the waiting bytes are an unfinished request */
    bool slow;    /* over CONN_HIGH_BYTES, and not yet below CONN_LOW_BYTES */
    bool in_bulk; /* the read under way goes to a bulk that lies apart */
    bool away;    /* the parcel is */
    bool lingering;
    bool farewell;              /* it has arrived */
    enum request_status broken; /* behind the parcel; REQUEST_READY: nothing is */
    uint64_t drain_bytes;       /* while the process ends: input that is still wanted */
    uint64_t read_bytes;        /* that no parcel has told of */
    int64_t linger_until_ns;
    struct inbox in;
    struct bulks bulks; /* of the request that is unfinished */
    struct outbox out;
    struct request_reader reader;
    struct stream stream;
};

struct remote {
    /* The heap's thread's. */
    struct session session;
    struct net *net;
    struct net_seat seat;
    bool session_open;
    bool here; /* the parcel is */
    int64_t share_began_ns;
    /* Whoever's letter it is. */
    struct parcel parcel;
    struct letter letters[LETTERS_OF_REMOTE];
    /* With CLOSED: */
    const char *why; /* for the log; NULL: an end like others */
    uint64_t why_bytes;
    uint64_t read_bytes;  /* that no parcel has told of */
    uint64_t error_bytes; /* replies that the I/O thread wrote itself */
    /* The I/O thread's. */
    int fd;
    struct wire wire;
};

static inline struct remote *remote_of(struct session *s)
{
    return (struct remote *)s;
}

static inline struct remote *remote_in(struct net_seat *seat)
{
    return (struct remote *)((char *)seat - offsetof(struct remote, seat));
}

static inline struct remote *remote_of_letter(struct letter *l)
{
    return (struct remote *)((char *)(l - l->kind) - offsetof(struct remote, letters));
}

static inline struct remote *remote_of_wire(struct wire *w)
{
    return (struct remote *)((char *)w - offsetof(struct remote, wire));
}

/* --- the heap's thread --- */

/* As conn_accept; gives the connection to the thread that has the fewest. */
bool remote_accept(struct net *net, uv_stream_t *listening) MUST_USE;
/* A letter from its thread. */
void remote_receive(struct remote *r, enum letter_kind kind);
/* Asks whether a wait is over; if so writes the reply and goes on. */
void remote_resume(struct remote *r);
/* Ends the session, and asks the thread to close the connection; unsent replies are lost. */
void remote_end(struct remote *r);
int remote_check(const struct remote *r);

/* --- its I/O thread --- */

void wire_receive(struct wire *w, enum letter_kind kind);
/* Answers what has arrived by now, then ends. */
void wire_drain(struct wire *w);
/* Once in a while: a lingering one has had its time. */
void wire_tick(struct wire *w, int64_t now_ns);
int wire_check(const struct wire *w);

#endif
