/*
 * A reply as a tree. proto/reply.h builds it, and libheapd hands it to programs. This header is
 * installed with the library, so its names begin with heapd_.
 *
 * Invariants
 *   1. A null or scalar has no children; a container has no text.
 *   2. Freeing does not recurse: its position is kept in the tree.
 *
 * Ownership: a tree owns everything in it. Cost: freeing is O(nodes).
 */
#ifndef HEAPD_REPLY_TREE_H
#define HEAPD_REPLY_TREE_H

#include <stddef.h>
#include <stdint.h>

enum heapd_reply_type {
    HEAPD_REPLY_SIMPLE,     /* + text */
    HEAPD_REPLY_ERROR,      /* - or ! text */
    HEAPD_REPLY_INTEGER,    /* : integer */
    HEAPD_REPLY_BULK,       /* $ text */
    HEAPD_REPLY_ARRAY,      /* * children */
    HEAPD_REPLY_NULL,       /* _ and $-1 and *-1 */
    HEAPD_REPLY_BOOL,       /* # integer: 0 or 1 */
    HEAPD_REPLY_DOUBLE,     /* , number, and text as sent */
    HEAPD_REPLY_BIG_NUMBER, /* ( text */
    HEAPD_REPLY_VERBATIM,   /* = text without its format; format */
    HEAPD_REPLY_MAP,        /* % 2n children: key, value, key, ... */
    HEAPD_REPLY_SET,        /* ~ children */
    HEAPD_REPLY_PUSH,       /* > children */
    HEAPD_REPLY_ATTRIBUTE /* | 2n children; only as an event, or as `attributes` of another reply */
};

struct heapd_reply {
    enum heapd_reply_type type;
    char format[4]; /* VERBATIM: "txt" or "mkd"; else "" */
    int64_t integer;
    double number;
    size_t n; /* bytes of text, or children (a map: pairs) */
    union {
        char *text;             /* n bytes and a NUL; NULL in containers and nulls */
        struct heapd_reply *up; /* used while a tree is being freed */
    };
    struct heapd_reply *children;   /* n of them, or 2n in a map or attribute; NULL if none */
    struct heapd_reply *attributes; /* of type ATTRIBUTE, or NULL */
};

/* Frees a tree; NULL is allowed. */
void heapd_reply_free(struct heapd_reply *reply);

/* How many children the array holds: n, or 2n for pairs; 0 for scalars. */
size_t heapd_reply_children(const struct heapd_reply *reply);

#endif
