/*
 * Large arguments on their way in. Where a request is unfinished in the middle of a bulk of
 * BULK_BYTES_MIN or more, the bytes of that bulk leave the connection's input: they are read
 * straight into a block that a string can be made of (value/str.h), and while the request runs that
 * string goes along for whatever stores the argument (value/adopted_args.h). So only the part of a
 * large value that lay in the first read is copied. conn.c and requests.c call this.
 *
 *   block   | head of a string |  filled: has arrived  |  length  |  cap
 *
 * What follows a request with large arguments is often another: the next read takes no more than
 * BULK_PROBE_BYTES, so that most of its bulk need not be copied either.
 *
 * A block is at most BULK_FACTOR times what has arrived, or BULK_FIRST_BYTES, so announcing a large
 * bulk does not allocate it. If the previous request had one, BULK_AT_ONCE_BYTES are allocated
 * immediately. Beyond that the block grows with what arrives, by mremap.
 *
 * Invariants (bulks_check)
 *   1. All but the last are whole, and it is too unless `filling`.
 *   2. A whole one's block is as large as its string's.
 *   3. bytes is the sum of what has arrived for each, caps that of their blocks.
 * Ownership: bulks own their blocks until they are given; then each holds one count of its string.
 * Cost: a small allocation beside the block.
 */
#ifndef HEAPD_NET_BULK_H
#define HEAPD_NET_BULK_H

#include "net/stream.h"
#include "proto/request.h"
#include "value/adopted_args.h"

enum {
    BULK_BYTES_MIN = ADOPTED_BYTES_MIN,
    BULK_FACTOR = 128,
    BULK_FIRST_BYTES = 256 << 10,
    BULK_AT_ONCE_BYTES = 2 << 20,
    BULK_READ_BYTES_MAX = 128 << 10, /* of one read */
    BULK_PROBE_BYTES = 4 << 10,
};

struct bulk {
    struct given given; /* first: what is offered is a list of these */
    char *block;
    size_t length, filled, cap;
};

struct bulks {
    struct bulk *first, *last;
    uint64_t bytes; /* that have arrived for them */
    uint64_t caps;  /* of their blocks, as long as these are theirs */
    bool filling;   /* the last one */
    bool probes;    /* the last request had some */
};

void bulks_init(struct bulks *b);
void bulks_fini(struct bulks *b, struct mem *m);

/* How much the next read that goes to no bulk takes at most; 0: all. */
static inline size_t bulks_probe(const struct bulks *b)
{
    return b->probes ? BULK_PROBE_BYTES : 0;
}

/* The reader has returned MORE for these *n bytes at p. If they end in a bulk that is long enough,
 * its bytes are moved into a new one, which is to be filled next, and *n becomes smaller. On
 * failure nothing has changed. */
enum status bulks_begin(struct bulks *b, struct mem *m, const struct request_reader *r, char *p,
                        size_t *n) MUST_USE;
/* Where the next bytes are to be read to. On failure nothing has changed. */
enum status bulks_space(struct bulks *b, struct mem *m, struct stream_space *space) MUST_USE;
/* `n` bytes were read to there. Returns whether the bulk is whole now: then it is the reader's turn
 * (request_reader_put_apart with bulks_last), and *behind are bytes that came behind the bulk. */
bool bulks_filled(struct bulks *b, size_t n, struct view *behind);
const char *bulks_last(const struct bulks *b);

/* All of them, which are whole, become strings: the list that goes along with the request
 * (struct request). */
const struct given *bulks_give(struct bulks *b, struct heap *h);
/* After the request: those that nobody has stored go. */
void bulks_given(struct bulks *b, struct heap *h);

/* The number of the invariant above that does not hold, or 0. */
int bulks_check(const struct bulks *b);

#endif
