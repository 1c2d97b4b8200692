/*
 * What value/ keeps for a heap beside its objects: the limits of the packed forms, and the table of
 * shapes. It belongs to whoever owns the heap, is handed in with value_init(), and is found as
 * heap.values.
 *
 * The limits may change at any time (CONFIG SET): a container looks at them when it grows or
 * shrinks, and is never converted by the change itself.
 */
#ifndef HEAPD_VALUE_STATE_H
#define HEAPD_VALUE_STATE_H

#include "heap/heap.h"

/* Up to how many entries a container is packed, and how long a text in it may be. Beyond either it
 * takes its plain form. */
struct value_limits {
    uint32_t list_entries, list_text_bytes;
    uint32_t list_bytes; /* of a list's whole block */
    uint32_t hash_entries, hash_text_bytes;
    uint32_t set_entries, set_text_bytes;
    uint32_t set_integers; /* sets of integers alone */
    uint32_t zset_entries, zset_text_bytes;
};

#define VALUE_LIMITS_DEFAULT                                                                       \
    ((struct value_limits){                                                                        \
        .list_entries = 128,                                                                       \
        .list_text_bytes = 64,                                                                     \
        .list_bytes = UINT32_MAX,                                                                  \
        .hash_entries = 128,                                                                       \
        .hash_text_bytes = 64,                                                                     \
        .set_entries = 32,                                                                         \
        .set_text_bytes = 64,                                                                      \
        .set_integers = 512,                                                                       \
        .zset_entries = 128,                                                                       \
        .zset_text_bytes = 64,                                                                     \
    })

/* Of shape.h. */
enum { SHAPES_NOTED = 1024 };

struct shapes {
    struct table listed; /* all shapes, by their sequence of fields; weak */
    struct table names;  /* of fields of listed shapes */
    size_t bytes;        /* of the shapes and names, without the tables */
    uint32_t noted[SHAPES_NOTED];
    struct heap_holder holder;
};

/* Of evidence.h: the hashes of values that were asked about lately, each at a place of its own. */
enum { EVIDENCE_FILTER_HASHES = 4096 };

struct evidence_filter {
    uint32_t hashes[EVIDENCE_FILTER_HASHES];
};

struct given;

struct value_state {
    struct value_limits limits;
    const struct given *given, *adopted_last; /* of given.h: what is offered, and was taken last */
    struct shapes shapes;
    struct evidence_filter seen;
};

#endif
