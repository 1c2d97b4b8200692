/*
 * Where a list keeps its elements: private to list_deque.c.
 *
 * The place of an element follows from its sequence number s alone:
 *
 *   ring       ring[s % capacity]                          up to LIST_CHUNK_SLOTS elements
 *   directory  directory[s / 512 % capacity][s % 512]      more
 *
 * so pushes and pops at the ends move nothing, and a ring of 512 slots that is full becomes two
 * chunks (or one) by giving one of them its part: every element keeps its offset.
 *
 * Nothing here counts references or knows of the collector.
 *
 * Ownership: a list owns its ring, or its directory and the chunks that its elements lie in; there
 * are no others.
 *
 * Cost: a ring is copied when it doubles or halves, and so is a directory (8 bytes for each chunk).
 */
#ifndef HEAPD_VALUE_LIST_SLOTS_H
#define HEAPD_VALUE_LIST_SLOTS_H

#include "value/list_deque.h"

enum {
    LIST_RING_SLOTS_MIN = 4,
    LIST_DIRECTORY_SLOTS_MIN = 4,
    LIST_UNCHUNK_LENGTH = LIST_CHUNK_SLOTS / 2, /* a list this short goes back into a ring */
    LIST_CHUNK_BYTES = LIST_CHUNK_SLOTS * sizeof(val),
};
#define LIST_LENGTH_MAX UINT32_MAX
/* Of a new body: room on both sides for longer than anything runs. */
#define LIST_FIRST_SEQ ((uint64_t)1 << 62)

struct list {
    union gc_words words;
    uint64_t first_seq;
    void *slots_at; /* val[capacity], or val *[capacity] */
    uint32_t length;
    uint32_t capacity : 31; /* a power of two */
    uint32_t chunked : 1;
};

static_assert(sizeof(struct list) == 32, "a list pays 32 bytes beside its cell and its slots");

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
    return (val **)l->slots_at + (chunk & (l->capacity - 1u));
}

static inline val *list_slot_at(const struct list *l, uint64_t seq)
{
    if (!l->chunked) return (val *)l->slots_at + (seq & (l->capacity - 1u));
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

/* Gives a zeroed body a ring, or, if `chunks` is not 0, a directory for so many, which the caller
 * fills. False: no memory. */
bool list_slots_make(struct heap *h, struct list *l, uint64_t chunks);
/* Room for a slot before the first or behind the last. False: no memory, and the elements are as
 * before. */
bool list_slots_room(struct heap *h, struct list *l, enum list_end end);
/* Gives back what the list has become too short for. Without memory for the smaller block it keeps
 * the larger. */
void list_slots_shrink(struct heap *h, struct list *l);
/* Frees the ring or the directory of a list that has no elements any more; the chunks went with
 * their elements. */
void list_slots_free(struct heap *h, struct list *l);

#endif
