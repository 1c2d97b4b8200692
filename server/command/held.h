/*
 * Large values on their way out: a reply does not copy them, it holds a reference to the string and
 * is sent from the heap. What is held stands in the order of the replies, each with the place in
 * the buffer of replies where its bytes belong.
 *
 *   buffer   $70000\r\n \r\n :1\r\n $20000\r\n \r\n          sent: $70000\r\n  ....  \r\n:1\r\n ...
 *                      ^                      ^
 *   held               70,000 bytes of o      20,000 bytes of p
 *
 * reply_string() adds to the list that net/ has named for the running command
 * (server.held_into); net/ sends, and lets go when the last byte has left or the client has. A
 * string that is held has a count more than its owners, so nobody writes into it in place.
 *
 * Where an I/O thread has sent it, that thread gives it back (held_return), and the heap's thread
 * lets go. Of a list that another thread has, that thread reads `behind`, `o`, `bytes` and `at`,
 * which are set once, and no other field.
 *
 * Invariants (held_check)
 *   1. Along a list `at` never decreases; bytes == the sum of what is held.
 *   2. `all` lists what the lists hold, each once; every one holds one count of its string (the
 *      holder tells heap_check()).
 * Ownership: a list belongs to whoever owns the buffer beside it, and moves with it. Cost: one
 * small allocation a value; a value that gets none is copied.
 */
#ifndef HEAPD_COMMAND_HELD_H
#define HEAPD_COMMAND_HELD_H

#include "base/mailbox.h"
#include "heap/heap.h"

enum { HELD_BYTES_MIN = 16 << 10 }; /* below, copying costs less than holding */

struct held {
    struct held *next, *previous; /* among all */
    struct held *behind;          /* in the list */
    struct letter letter;         /* on its way back */
    struct obj *o;
    struct view bytes;
    size_t at;
};

struct held_list {
    struct held *first, *last;
    uint64_t bytes;
    uint32_t count;
};

struct held_all {
    struct heap *h;
    struct held *first;
    uint64_t count;
    struct mailbox returned; /* by other threads */
    struct heap_holder holder;
};

/* Registers itself with the heap as a holder. */
void held_init(struct held_all *all, struct heap *h);

/* Holds `bytes` of `o`, whose place is `at`. False: no memory, and nothing changed. */
bool held_add(struct held_all *all, struct held_list *list, struct obj *o, struct view bytes,
              size_t at) MUST_USE;
/* Lets go of what is behind `last` in the list; NULL: of everything. */
void held_drop_behind(struct held_all *all, struct held_list *list, struct held *last);
/* The list `from`, which is empty then, goes behind `to`: values that wait to be given back. Their
 * order means nothing any more. */
void held_gather(struct held_list *to, struct held_list *from);
/* From any thread: gives back what the list holds. True when the heap's thread is to be woken, and
 * to call held_drop_returned. */
bool held_return(struct held_all *all, struct held_list *list);
void held_drop_returned(struct held_all *all);
/* The buffer has got `bytes` more in front of `from`. */
void held_shift(struct held_list *list, size_t from, size_t bytes);

/* The number of the invariant above that does not hold, or 0. */
int held_check(const struct held_list *list);

#endif
