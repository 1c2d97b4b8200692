/*
 * Where a list keeps its elements: private to list_deque.c and move.c.
 *
 *   body   | words | first_seq | length capacity chunked | ring, or the address of a directory |
 *
 * The place of an element follows from its sequence number s alone:
 *
 *   ring       ring[s % capacity]                          up to LIST_RING_SLOTS_MAX elements
 *   directory  directory[s / 128 % capacity][s % 128]      more
 *
 * so pushes and pops at the ends move nothing. A ring lies in the body: a graph is mostly short
 * lists, and to free one, or to look at its slots, is a walk to one place in memory instead of two.
 * A chunk is a block of the pools, sixteen to one pool: those of a list that is dropped go back to
 * the system as arenas do, a few system calls to a step, and what is left of a long queue can be
 * moved together. Large blocks would go back one by one.
 *
 * Nothing here counts references or knows of the collector, whose words move with the body.
 *
 * Ownership: a list owns its body, its directory, and the chunks that its elements lie in; there
 * are no others.
 *
 * Cost: a ring is copied when it doubles or halves, with its body, and so is a directory (8 bytes
 * for each chunk).
 */
#ifndef HEAPD_VALUE_LIST_SLOTS_H
#define HEAPD_VALUE_LIST_SLOTS_H

#include "value/list_deque.h"

enum {
    LIST_RING_SLOTS_MIN = 2,
    LIST_RING_SLOTS_MAX = 128,
    LIST_DIRECTORY_SLOTS_MIN = 4,
    LIST_UNCHUNK_LENGTH = LIST_RING_SLOTS_MAX / 2, /* a list this short goes back into a ring */
    LIST_CHUNK_BYTES = LIST_CHUNK_SLOTS * sizeof(val),
};
#define LIST_LENGTH_MAX UINT32_MAX
/* Of a new body: room on both sides for longer than anything runs. */
#define LIST_FIRST_SEQ ((uint64_t)1 << 62)

struct list {
    union gc_words words;
    uint64_t first_seq;
    uint32_t length;
    uint32_t capacity : 31; /* of the ring or the directory, a power of two */
    uint32_t chunked : 1;
    val slots[];
};

static_assert(sizeof(struct list) == 24, "a list pays 24 bytes beside its cell and its slots");

static inline size_t list_body_bytes(const struct list *l)
{
    return sizeof *l + (l->chunked ? 1 : l->capacity) * sizeof(val);
}

static inline val **list_directory(const struct list *l)
{
    return (val **)(uintptr_t)l->slots[0].w; // NOLINT: the address that was stored
}

static inline void list_directory_set(struct list *l, val **directory)
{
    l->slots[0].w = (uint64_t)(uintptr_t)directory;
}

static inline uint64_t list_end_seq(const struct list *l)
{
    return l->first_seq + l->length;
}

static inline uint64_t list_chunk_of(uint64_t seq)
{
    return seq / LIST_CHUNK_SLOTS;
}

static inline val **list_chunk_at(const struct list *l, uint64_t chunk)
{
    return list_directory(l) + (chunk & (l->capacity - 1u));
}

static inline val *list_slot_at(const struct list *l, uint64_t seq)
{
    /* Whose list it is may be const; its slots are the caller's to change or not. */
    if (!l->chunked) return ((struct list *)(uintptr_t)l)->slots + (seq & (l->capacity - 1u));
    return *list_chunk_at(l, list_chunk_of(seq)) + seq % LIST_CHUNK_SLOTS;
}

/* How many slots from that of `seq` on lie side by side. */
static inline uint64_t list_run_slots(const struct list *l, uint64_t seq)
{
    uint64_t lap = l->chunked ? LIST_CHUNK_SLOTS : l->capacity;
    return lap - (seq & (lap - 1));
}

/* Of a list that has elements. */
static inline uint64_t list_chunk_count(const struct list *l)
{
    return list_chunk_of(list_end_seq(l) - 1) - list_chunk_of(l->first_seq) + 1;
}

/* A body for a list that has none, without elements: with a ring, or, if `chunks` is not 0, with a
 * directory for so many, which the caller fills. NULL: no memory. */
struct list *list_slots_make(struct heap *h, struct obj *o, uint64_t chunks);
/* Room for a slot before the first or behind the last; the body may move. False: no memory, and
 * nothing has changed. */
bool list_slots_room(struct heap *h, struct obj *o, enum list_end end);
/* Gives back what the list has become too short for; the body may move. Without memory for the
 * smaller block it keeps the larger. */
void list_slots_shrink(struct heap *h, struct obj *o);
/* Drops the body of a list that has no elements any more; the chunks went with their elements. */
void list_slots_drop(struct heap *h, struct obj *o);

#endif
