/*
 * What travels between an I/O thread and the heap's: requests there, their replies back. Each
 * connection has one parcel, so at most one is on its way, its requests stay in order, and nothing
 * in it is ever shared: it belongs to the thread that has its letter.
 *
 * The I/O thread reads requests into its sheet (sheet_read), which holds views into whatever buffer
 * they arrived in, and packs the sheet when it knows where they end: the parcel then has one block,
 * with the arguments' views and their bytes. Only where the bytes are many and lie in the
 * connection's own buffer, the buffer itself goes along, and nothing is copied. The heap's thread
 * reads the requests where they are, writes the replies into `out`, and never allocates or frees
 * what the I/O thread has made.
 *
 *   block   argc 0 | argc 1 | ...    view | view | view ...    the bytes of the requests
 *
 * Large arguments lie apart (bulk.h) and go along as they are; they belong to the first request.
 *
 * A parcel that comes back with `more` holds requests that have not run yet, or its session waits:
 * it is sent again when the replies that it brought are on their way.
 *
 * Invariants (parcel_check)
 *   1. taken <= count; next is the view behind those of the requests taken.
 *   2. An empty parcel has no memory but its replies'.
 * Ownership: the parcel owns its block and the buffer that went along; both come from the I/O
 * thread's struct mem. Cost: one block a parcel; copying what is packed: at most a loan,
 * or from a connection's own PARCEL_COPY_BYTES or as much as stays behind.
 */
#ifndef HEAPD_NET_PARCEL_H
#define HEAPD_NET_PARCEL_H

#include "base/mailbox.h"
#include "net/conn.h"

enum {
    PARCEL_COPY_BYTES = 16 << 10, /* so much is always copied, since the buffer may be used again */
    SHEET_ARGS_KEPT = 4096,
};

struct parcel {
    /* For the heap's thread. */
    const uint32_t *argc;    /* of each request */
    const struct view *next; /* the arguments of the next one */
    uint32_t count, taken;
    uint64_t read_bytes; /* that arrived since the last parcel */
    struct replies out;
    /* For the I/O thread. */
    bool more;  /* it is to be sent again, */
    bool waits; /* but not before all replies are written, which would wait with it */
    bool end;   /* the connection ends behind these replies */
    /* The I/O thread's memory. */
    void *block;
    size_t block_bytes;
    struct inbox along; /* the buffer that went along */
    struct bulks bulks; /* of the first request; those that were given are the heap's memory */
};

/* What an I/O thread has read and not yet packed; one a thread. */
struct sheet {
    struct mem *mem;
    uint32_t count, arg_count, arg_room;
    uint32_t argc[CONN_SHARE_COMMANDS];
    struct view *args;
    struct view text; /* of a quoted inline request: the reader's, which is the last on the sheet */
    struct request_batch batch;
};

void sheet_init(struct sheet *sheet, struct mem *mem);
void sheet_fini(struct sheet *sheet);

/* Reads requests from the front of the bytes until a parcel's share is full; *used is their length.
 * Requests without a word are not put on the sheet. READY: more may follow. Else why the reader
 * cannot go on behind them. */
enum request_status sheet_read(struct sheet *sheet, struct request_reader *reader,
                               struct view bytes, size_t *used);

void parcel_init(struct parcel *p);
/* But for the replies. */
void parcel_fini(struct parcel *p, struct mem *m);

/* Packs what the sheet holds, one request at least, into an empty parcel. `bytes` are those of its
 * requests. When they lie at the front of `from`, they go along or are skipped there; NULL: they
 * are copied. All that is in `bulks` goes along, too. On failure nothing has changed. */
enum status parcel_pack(struct parcel *p, const struct sheet *sheet, struct view bytes,
                        struct inbox *from, struct bulks *bulks) MUST_USE;
/* All has run. */
void parcel_empty(struct parcel *p, struct mem *m);

static inline bool parcel_has_requests(const struct parcel *p)
{
    return p->taken < p->count;
}

/* The next request is taken. */
static inline void parcel_take(struct parcel *p)
{
    p->next += p->argc[p->taken++];
}

/* The number of the invariant above that does not hold, or 0. */
int parcel_check(const struct parcel *p);

#endif
