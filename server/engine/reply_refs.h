/*
 * Large strings in replies. A reply does not copy them: it holds a reference to the string, and
 * net/ sends the bytes from the heap. The list has the references in the order of the replies; each
 * one has the offset in the reply buffer at which its bytes belong.
 *
 *   buffer   $70000\r\n \r\n :1\r\n $20000\r\n \r\n          sent: $70000\r\n  ....  \r\n:1\r\n ...
 *                      ^                      ^
 *   refs               70,000 bytes of o      20,000 bytes of p
 *
 * reply_string() appends to the list that net/ passed with the request (struct reply_to). net/
 * releases a reference when its last byte was sent or the connection closed. A referenced string
 * has a count above that of its owners, so nobody writes into it in place.
 *
 * Invariants (reply_refs_check)
 *   1. `at` never decreases along a list; bytes == the sum of the bytes of its references.
 *   2. `all` links the references of all lists, each once; each holds one count of its string (the
 *      holder reports it to heap_check()).
 * Ownership: a list belongs to the owner of the buffer beside it, and moves with it. Cost: one
 * small allocation per reference; if it fails, the string is copied.
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

/* Where the reply to a request goes: bytes to `buf`, large values to `refs`, the list of that
 * buffer. refs == NULL: every value is copied. */
struct reply_to {
    struct proto_buf *buf;
    struct reply_refs *refs;
};

/* Registers itself with the heap as a holder. */
void reply_refs_init(struct reply_refs_all *all, struct heap *h);

/* Adds a reference to `bytes` of `o` at offset `at`. False: no memory, nothing changed. */
bool reply_refs_add(struct reply_refs_all *all, struct reply_refs *list, struct obj *o,
                    struct view bytes, size_t at) MUST_USE;
/* Releases the references behind `last`; NULL: all. */
void reply_refs_drop_behind(struct reply_refs_all *all, struct reply_refs *list,
                            struct reply_ref *last);
/* `bytes` were inserted into the buffer before offset `from`. */
void reply_refs_shift(struct reply_refs *list, size_t from, size_t bytes);

/* The number of the invariant above that does not hold, or 0. */
int reply_refs_check(const struct reply_refs *list);

#endif
