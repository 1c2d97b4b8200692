#include "value/list_slots.h"

bool list_slots_make(struct heap *h, struct list *l, uint64_t chunks)
{
    uint32_t capacity = chunks ? LIST_DIRECTORY_SLOTS_MIN : LIST_RING_SLOTS_MIN;
    while (capacity < chunks) capacity *= 2;
    l->slots_at = pool_alloc(h->pool, capacity * (chunks ? sizeof(val *) : sizeof(val)));
    if (l->slots_at == NULL) return false;
    l->first_seq = LIST_FIRST_SEQ;
    l->capacity = capacity & INT32_MAX;
    l->chunked = chunks > 0;
    return true;
}

/* A ring of another capacity, with the same elements. */
static bool ring_resize(struct heap *h, struct list *l, uint32_t capacity)
{
    val *ring = pool_alloc(h->pool, capacity * sizeof *ring);
    if (ring == NULL) return false;
    for (uint64_t s = l->first_seq; s < list_end_seq(l); s++)
        ring[s & (capacity - 1)] = *list_slot_at(l, s);
    pool_free(h->pool, l->slots_at, l->capacity * sizeof *ring);
    l->slots_at = ring;
    l->capacity = capacity & INT32_MAX;
    return true;
}

static bool directory_resize(struct heap *h, struct list *l, uint32_t capacity)
{
    val **directory = pool_alloc(h->pool, capacity * sizeof *directory);
    if (directory == NULL) return false;
    uint64_t first = list_chunk_of(l->first_seq), count = list_chunk_count(l);
    for (uint64_t c = first; c < first + count; c++)
        directory[c & (capacity - 1)] = *list_chunk_at(l, c);
    pool_free(h->pool, l->slots_at, l->capacity * sizeof *directory);
    l->slots_at = directory;
    l->capacity = capacity & INT32_MAX;
    return true;
}

/* Makes a full ring of LIST_CHUNK_SLOTS into chunks: the ring is one of them, and the part that
 * belongs to the next is copied out. */
static bool ring_to_chunks(struct heap *h, struct list *l)
{
    val *ring = l->slots_at, *next = NULL;
    uint64_t first = list_chunk_of(l->first_seq), offset = l->first_seq % LIST_CHUNK_SLOTS;
    val **directory = pool_alloc(h->pool, LIST_DIRECTORY_SLOTS_MIN * sizeof *directory);
    if (directory == NULL) return false;
    if (offset > 0) {
        next = pool_alloc(h->pool, LIST_CHUNK_BYTES);
        if (next == NULL) {
            pool_free(h->pool, directory, LIST_DIRECTORY_SLOTS_MIN * sizeof *directory);
            return false;
        }
        memcpy(next, ring, offset * sizeof *ring);
        directory[(first + 1) % LIST_DIRECTORY_SLOTS_MIN] = next;
    }
    directory[first % LIST_DIRECTORY_SLOTS_MIN] = ring;
    l->slots_at = directory;
    l->capacity = LIST_DIRECTORY_SLOTS_MIN;
    l->chunked = true;
    return true;
}

/* Makes at most two chunks, with at most LIST_CHUNK_SLOTS elements, into a ring: the reverse. */
static void chunks_to_ring(struct heap *h, struct list *l)
{
    val *ring = *list_chunk_at(l, list_chunk_of(l->first_seq));
    if (list_chunk_count(l) == 2) {
        val *next = *list_chunk_at(l, list_chunk_of(list_end_seq(l) - 1));
        memcpy(ring, next, list_end_seq(l) % LIST_CHUNK_SLOTS * sizeof *ring);
        pool_free(h->pool, next, LIST_CHUNK_BYTES);
    }
    pool_free(h->pool, l->slots_at, l->capacity * sizeof(val *));
    l->slots_at = ring;
    l->capacity = LIST_CHUNK_SLOTS;
    l->chunked = false;
}

bool list_slots_room(struct heap *h, struct list *l, enum list_end end)
{
    if (!l->chunked) {
        if (l->length < l->capacity) return true;
        if (l->capacity < LIST_CHUNK_SLOTS) return ring_resize(h, l, l->capacity * 2u);
        if (!ring_to_chunks(h, l)) return false;
    }
    uint64_t chunk = list_chunk_of(end == LIST_HEAD ? l->first_seq - 1 : list_end_seq(l));
    if (chunk == list_chunk_of(end == LIST_HEAD ? l->first_seq : list_end_seq(l) - 1)) return true;
    if (list_chunk_count(l) == l->capacity && !directory_resize(h, l, l->capacity * 2u))
        return false;
    val *slots = pool_alloc(h->pool, LIST_CHUNK_BYTES);
    if (slots == NULL) return false;
    *list_chunk_at(l, chunk) = slots;
    return true;
}

void list_slots_free(struct heap *h, struct list *l)
{
    pool_free(h->pool, l->slots_at, l->capacity * (l->chunked ? sizeof(val *) : sizeof(val)));
}

void list_slots_shrink(struct heap *h, struct list *l)
{
    if (l->chunked && l->length <= LIST_UNCHUNK_LENGTH) chunks_to_ring(h, l);
    uint64_t used = l->chunked ? list_chunk_count(l) : l->length;
    uint32_t capacity_min = l->chunked ? LIST_DIRECTORY_SLOTS_MIN : LIST_RING_SLOTS_MIN;
    uint32_t capacity = l->capacity;
    while (capacity > capacity_min && used <= capacity / 4) capacity /= 2;
    if (capacity == l->capacity) return;
    if (l->chunked)
        (void)directory_resize(h, l, capacity);
    else
        (void)ring_resize(h, l, capacity);
}
