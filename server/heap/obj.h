/*
 * The header of every object, and the cell of a container.
 *
 *   struct obj   (8 bytes, all objects)          struct cell  (16 bytes, containers)
 *   +--------+-------+------+-------+            +--------------+------------+
 *   | count  | roots | type | flags |            | struct obj   | body *     |
 *   | u32    | u16   | u8   | u8    |            +--------------+-----+------+
 *   +--------+-------+------+-------+                                  v
 *                                                struct gc_words, then what the type keeps
 *
 * A cell never moves; its body may. A body begins with the collector's two words, so that a
 * container becomes visible to the collector by a flag and never by an allocation. An empty
 * container has no body.
 *
 * Invariants (heap_check() recounts them)
 *   1. count == references from names, slots, handles and the holders that heap_check() can list; a
 *      count that has reached OBJ_COUNT_MAX stays there: the object is immortal.
 *   2. roots == references from names and handles, containers only; OBJ_ROOTS_MAX = see the
 *      overflow table (rc.h).
 *   3. A container whose slots refer to a container has OBJ_VISIBLE; OBJ_VISIBLE implies a body
 *      that begins with the collector's words. Of packed bodies only those of visible hashes have
 *      the words: packed lists, sets and zsets refer to strings alone.
 *   4. count == 0 only in the release queue, or for a cell that the candidate buffer still names.
 */
#ifndef HEAPD_HEAP_OBJ_H
#define HEAPD_HEAP_OBJ_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ownership in signatures: the caller must release the result / may use it until its owner changes
 * / loses it. */
#define RC_NEW __attribute__((warn_unused_result))
#define RC_OUT /* what the pointer receives, the caller must release */
#define RC_BORROWED
#define RC_STEALS

enum obj_type {
    OBJ_NONE, /* no object has it: a free cell reads as this */
    OBJ_STRING,
    OBJ_NUMBER, /* an integer too large for an immediate */
    OBJ_LIST,
    OBJ_HASH,
    OBJ_SET,
    OBJ_ZSET,
    OBJ_WEAK,
    OBJ_SHAPE,
    OBJ_TYPES
};

enum obj_flag {
    OBJ_VISIBLE = 1 << 0,    /* may refer to containers: the collector looks at it */
    OBJ_CANDIDATE = 1 << 1,  /* the candidate buffer names it */
    OBJ_IDENTIFIED = 1 << 2, /* has a number in the identity table */
    OBJ_REFERRED = 1 << 3,   /* REF once stored it in a name or slot: it outlives being emptied */
    OBJ_INTERNED = 1 << 4,   /* strings: in the intern table */
    OBJ_PACKED = 1 << 4,     /* containers: the body is packed, and has no words unless visible */
    OBJ_PINNED = 1 << 5,     /* condemned; the collector holds one count */
    OBJ_FROZEN = 1 << 6,     /* GC FREEZE: a root to the collector */
    OBJ_WEAKLY = 1 << 7,     /* there are weak references to it (weak.h) */
};

enum {
    OBJ_COUNT_MAX = 2147483647,
    OBJ_ROOTS_MAX = 65535,
};

struct obj {
    uint32_t count;
    uint16_t roots;
    uint8_t type;
    uint8_t flags;
};

struct cell {
    struct obj head;
    void *body;
};

/* What a body begins with, from the first reference that it holds on. A dead container's words are
 * its link in the release queue. */
union gc_words {
    struct {
        uint32_t place; /* where the trial's table holds the object; checked against the table */
        bool weakly;    /* a slot has held a weak reference since the body was made */
    };
    struct cell *next_dead;
};

static_assert(sizeof(struct obj) == 8, "the header is one word");
static_assert(sizeof(struct cell) == 16, "a container's cell is two words");
static_assert(sizeof(union gc_words) == 8, "the collector's words are one word");

static inline bool obj_is_container(const struct obj *o)
{
    return o->type >= OBJ_LIST && o->type <= OBJ_ZSET;
}

static inline bool obj_is_interned(const struct obj *o)
{
    return (o->flags & OBJ_INTERNED) && !obj_is_container(o);
}

static inline void *obj_body(const struct obj *o)
{
    return ((const struct cell *)o)->body;
}

/* Not of a packed body, unless it is visible. */
static inline union gc_words *obj_words(const struct obj *o)
{
    return ((const struct cell *)o)->body;
}

#endif
