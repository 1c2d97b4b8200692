/*
 * Texts that are strings already: the large arguments of a request, which net/ has read into blocks
 * of their own (net/bulk.h) and gives along with it. While the command runs val_of_text() takes
 * such a string, where its very bytes are to be stored, instead of copying them. execute() sets the
 * list for its command alone: one that is run by another command (EXEC, a script) has its own.
 *
 * Ownership: the list is the caller's, who holds the strings for as long as they are offered.
 * Cost: none for texts below ADOPTED_BYTES_MIN; else a look at ADOPTED_LOOKS of them at most,
 * behind the one that was taken last: a command stores its arguments in their order. One that is
 * not found is copied.
 */
#ifndef HEAPD_VALUE_ADOPTED_ARGS_H
#define HEAPD_VALUE_ADOPTED_ARGS_H

#include "value/str.h"

enum { ADOPTED_BYTES_MIN = 32 << 10, ADOPTED_LOOKS = 16 };

struct given {
    struct given *next;
    struct str *s;
};

/* From now on these, none of them shorter than ADOPTED_BYTES_MIN; NULL: none. */
static inline void adopted_offer(struct heap *h, const struct given *first)
{
    h->values->given = first;
    h->values->adopted_last = NULL;
}

static inline const struct given *adopted_offered(const struct heap *h)
{
    return h->values->given;
}

/* The string whose bytes these very bytes are, counted for the caller; NULL when there is none. */
RC_NEW struct obj *adopted_take(struct heap *h, struct view text);

#endif
