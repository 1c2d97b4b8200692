/*
 * Large arguments of a request that are string objects already: net/ reads each into a block of its
 * own (net/bulk.h) and passes it with the request. While the command runs, val_of_text() returns
 * such a string instead of copying its bytes. execute() sets the list for one command; a command
 * that is run by another one (EXEC, a script) has its own list.
 *
 * Ownership: the caller owns the list and holds its strings while they are offered.
 * Cost: none for texts below ADOPTED_BYTES_MIN; else at most ADOPTED_LOOKS comparisons, from the
 * string that was taken last: a command stores its arguments in order. A text that is not found is
 * copied.
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
