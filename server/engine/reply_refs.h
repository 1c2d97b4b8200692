/*
 * Large values on their way out: a reply does not copy them, it holds a reference to the string and
 * is sent from the heap. What is held stands in the order of the replies, each with the place in
 * the buffer of replies where its bytes belong.
 *
 *   buffer   $70000\r\n \r\n :1\r\n $20000\r\n \r\n          sent: $70000\r\n  ....  \r\n:1\r\n ...
 *                      ^                      ^
 *   held               70,000 bytes of o      20,000 bytes of p
 *
 * reply_string() adds to the list that net/ gave with the request (struct reply_to); net/ sends,
 * and releases when the last byte has left or the client has. A string that is held has a count
 * more than its owners, so nobody writes into it in place.
 *
 * Invariants (reply_refs_check)
 *   1. Along a list `at` never decreases; bytes == the sum of what is held.
 *   2. `all` lists what the lists hold, each once; every one holds one count of its string (the
 *      holder tells heap_check()).
 * Ownership: a list belongs to whoever owns the buffer beside it, and moves with it. Cost: one
 * small allocation a value; a value that gets none is copied.
 */
#ifndef HEAPD_ENGINE_REPLY_REFS_H
#define HEAPD_ENGINE_REPLY_REFS_H

#include "heap/heap.h"

struct proto_buf;

enum { REPLY_REF_BYTES_MIN = 16 << 10 }; /* below, copying costs less than holding */

struct reply_ref {
    struct reply_ref *next, *previous; /* among all */
    struct reply_ref *behind;          /* in the list */
    struct obj *o;
    struct view bytes;
    size_t at;
};

struct reply_refs {
    struct reply_ref *first, *last;
    uint64_t bytes;
    uint32_t count;
};

struct reply_refs_all {
    struct heap *h;
    struct reply_ref *first;
    uint64_t count;
    struct heap_holder holder;
};

/* Where the reply to a request goes: it is appended to `buf`, and large values to `refs`, the list
 * that belongs to that buffer; NULL: every value is copied. */
struct reply_to {
    struct proto_buf *buf;
    struct reply_refs *refs;
};

/* Registers itself with the heap as a holder. */
void reply_refs_init(struct reply_refs_all *all, struct heap *h);

/* Holds `bytes` of `o`, whose place is `at`. False: no memory, and nothing changed. */
bool reply_refs_add(struct reply_refs_all *all, struct reply_refs *list, struct obj *o,
                    struct view bytes, size_t at) MUST_USE;
/* Lets go of what is behind `last` in the list; NULL: of everything. */
void reply_refs_drop_behind(struct reply_refs_all *all, struct reply_refs *list,
                            struct reply_ref *last);
/* The buffer has got `bytes` more in front of `from`. */
void reply_refs_shift(struct reply_refs *list, size_t from, size_t bytes);

/* The number of the invariant above that does not hold, or 0. */
int reply_refs_check(const struct reply_refs *list);

#endif
