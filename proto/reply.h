/*
 * Parses replies as hiredis does: feed bytes as they arrive, take what is complete. The client
 * library uses one reader per connection; tests use it too. It handles all types of RESP2 and
 * RESP3, as events (reply_reader_event: one item at a time, nothing copied) or as trees
 * (reply_reader_next). Streamed RESP3 types (`$?`, `*?`) are refused by name, because no server
 * that we know sends them. It does no input or output and knows no command. Push messages are
 * returned like replies; their type distinguishes them.
 *
 * Invariants
 *   1. at <= in.n: the bytes before `at` were taken. Within a line, at <= scan <= in.n: its end is
 *      searched once, however it arrives.
 *   2. depth <= REPLY_DEPTH_MAX, and depth <= stack_room.
 *   3. Memory is proportional to the bytes that have arrived, not to announced lengths.
 *   4. Nothing recurses; the position is kept in data.
 *
 * Ownership: the reader owns the fed bytes and the unfinished tree. A returned tree belongs to the
 * caller (heapd_reply_free). The text of an event is borrowed until the next call on the reader.
 *
 * Cost: O(bytes). An event allocates only stack for depth; a tree allocates once per text, and once
 * per container and whenever it doubles.
 */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include "proto/buf.h"
#include "proto/number.h"
#include "proto/reply_tree.h"

#include <stdint.h>

#define REPLY_DEPTH_MAX 1024
/* The longest text of a reader's error, with its NUL. */
#define REPLY_ERROR_BYTES 96
/* An empty reader keeps at most this much room for input. */
#define REPLY_BYTES_KEPT ((size_t)1024 * 1024)

struct reply_limits {
    size_t bulk_bytes_max;
    size_t line_bytes_max; /* simple strings, errors, numbers, headers */
    uint64_t children_max; /* items that one container may announce */
};

#define REPLY_LIMITS_DEFAULT                                                                       \
    ((struct reply_limits){                                                                        \
        .bulk_bytes_max = (size_t)512 * 1024 * 1024,                                               \
        .line_bytes_max = (size_t)1024 * 1024,                                                     \
        .children_max = UINT32_MAX,                                                                \
    })

enum reply_status {
    REPLY_READY,
    REPLY_MORE,   /* feed more bytes */
    REPLY_BROKEN, /* `error` is set; the reader is of no more use */
    REPLY_OOM     /* no memory; the reader is of no more use */
};

/* One item. The children of a container are the events that follow it. */
struct reply_event {
    enum heapd_reply_type type;
    char format[4];
    int64_t integer;
    double number;
    size_t n;         /* bytes of text, or children (a map: pairs) */
    const char *text; /* borrowed, no NUL; NULL in containers and nulls */
    uint32_t depth;   /* 0 for a reply, 1 for its children, ... */
    bool last;        /* this item ends a whole reply */
};

/* A container of which items are still to come; the fields of the tree are unused by events. */
struct reply_frame {
    uint64_t left;                  /* items still to come; a pair is two */
    bool attribute;                 /* does not count as an item of the frame below */
    struct heapd_reply *node;       /* the container */
    struct heapd_reply *attributes; /* of the next child */
    size_t used, room;              /* of node->children */
};

struct reply_reader {
    char error[REPLY_ERROR_BYTES]; /* BROKEN: what is wrong with the bytes */

    /* Progress; private. */
    struct reply_limits limits;
    enum reply_status status; /* READY until BROKEN or OOM */
    struct proto_buf in;
    size_t at;                  /* the first byte not taken */
    size_t scan;                /* the first byte of the current line not looked at */
    struct proto_number number; /* of the current line */
    bool in_bulk;               /* the header is taken: `bulk` bytes and \r\n follow */
    char type;                  /* the current item's first byte */
    size_t bulk;
    struct reply_frame *stack;
    uint32_t depth, stack_room;
    struct heapd_reply *root;       /* the unfinished tree */
    struct heapd_reply *attributes; /* of the root */
};

/* NULL limits are REPLY_LIMITS_DEFAULT. */
void reply_reader_init(struct reply_reader *r, const struct reply_limits *limits);
void reply_reader_fini(struct reply_reader *r);

/* Copies n bytes in: READY, OOM, or BROKEN when the reader already is. */
enum reply_status reply_reader_feed(struct reply_reader *r, const char *p, size_t n);

/* READY: *out is the next reply, the caller's. Do not mix with events within one reply. */
enum reply_status reply_reader_next(struct reply_reader *r, struct heapd_reply **out);

/* READY: *out is the next item. */
enum reply_status reply_reader_event(struct reply_reader *r, struct reply_event *out);

/* The number of the invariant above that does not hold, or 0. */
int reply_reader_check(const struct reply_reader *r);

#endif
