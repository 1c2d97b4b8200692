#include "value/list_slots.h"

#include "value/body.h"

static size_t ring_body_bytes(uint32_t capacity)
{
    return sizeof(struct list) + capacity * sizeof(val);
}

enum { DIRECTORY_BODY_BYTES = sizeof(struct list) + sizeof(val) };

/* Another body takes the place of the list's: it has its head already. */
static void body_replace(struct heap *h, struct obj *o, struct list *now)
{
    struct list *old = obj_body(o);
    ((struct cell *)o)->body = now;
    pool_free(h->pool, old, list_body_bytes(old));
}

struct list *list_slots_make(struct heap *h, struct obj *o, uint64_t chunks)
{
    uint32_t capacity = chunks ? LIST_DIRECTORY_SLOTS_MIN : LIST_RING_SLOTS_MIN;
    while (capacity < chunks) capacity *= 2;
    val **directory = chunks ? pool_alloc(h->pool, capacity * sizeof *directory) : NULL;
    if (chunks && directory == NULL) return NULL;
    struct list *l = body_make(h, o, chunks ? DIRECTORY_BODY_BYTES : ring_body_bytes(capacity));
    if (l == NULL) {
        if (directory) pool_free(h->pool, directory, capacity * sizeof *directory);
        return NULL;
    }
    l->first_seq = LIST_FIRST_SEQ;
    l->capacity = capacity & INT32_MAX;
    l->chunked = chunks > 0;
    if (chunks) list_directory_set(l, directory);
    return l;
}

/* A ring of another capacity, with the same elements. */
static bool ring_resize(struct heap *h, struct obj *o, uint32_t capacity)
{
    const struct list *old = obj_body(o);
    struct list *l = pool_alloc(h->pool, ring_body_bytes(capacity));
    if (l == NULL) return false;
    *l = *old;
    l->capacity = capacity & INT32_MAX;
    for (uint64_t s = l->first_seq; s < list_end_seq(l); s++)
        *list_slot_at(l, s) = *list_slot_at(old, s);
    body_replace(h, o, l);
    return true;
}

static bool directory_resize(struct heap *h, struct list *l, uint32_t capacity)
{
    val **directory = pool_alloc(h->pool, capacity * sizeof *directory);
    if (directory == NULL) return false;
    uint64_t first = list_chunk_of(l->first_seq), count = list_chunk_count(l);
    for (uint64_t c = first; c < first + count; c++)
        directory[c & (capacity - 1)] = *list_chunk_at(l, c);
    pool_free(h->pool, list_directory(l), l->capacity * sizeof *directory);
    list_directory_set(l, directory);
    l->capacity = capacity & INT32_MAX;
    return true;
}

/* Chunks for the elements of a ring, which lie in one or two, in a directory of the least size. */
static bool chunks_make(struct heap *h, const struct list *ring, val **directory)
{
    uint64_t first = list_chunk_of(ring->first_seq), count = list_chunk_count(ring);
    for (uint64_t c = 0; c < count; c++) {
        val *chunk = pool_alloc(h->pool, LIST_CHUNK_BYTES);
        if (chunk == NULL && c > 0)
            pool_free(h->pool, directory[first % LIST_DIRECTORY_SLOTS_MIN], LIST_CHUNK_BYTES);
        if (chunk == NULL) return false;
        directory[(first + c) % LIST_DIRECTORY_SLOTS_MIN] = chunk;
    }
    return true;
}

/* Moves the elements of a full ring into chunks. */
static bool ring_to_chunks(struct heap *h, struct obj *o)
{
    const struct list *ring = obj_body(o);
    val **directory = pool_alloc(h->pool, LIST_DIRECTORY_SLOTS_MIN * sizeof *directory);
    struct list *l = pool_alloc(h->pool, DIRECTORY_BODY_BYTES);
    if (directory == NULL || l == NULL || !chunks_make(h, ring, directory)) {
        if (l) pool_free(h->pool, l, DIRECTORY_BODY_BYTES);
        if (directory) pool_free(h->pool, directory, LIST_DIRECTORY_SLOTS_MIN * sizeof *directory);
        return false;
    }
    *l = *ring;
    l->capacity = LIST_DIRECTORY_SLOTS_MIN;
    l->chunked = true;
    list_directory_set(l, directory);
    for (uint64_t s = l->first_seq; s < list_end_seq(l); s++)
        *list_slot_at(l, s) = *list_slot_at(ring, s);
    body_replace(h, o, l);
    return true;
}

static void directory_free(struct heap *h, const struct list *l)
{
    pool_free(h->pool, list_directory(l), l->capacity * sizeof(val *));
}

/* The reverse, for a list that has become short. */
static void chunks_to_ring(struct heap *h, struct obj *o)
{
    const struct list *old = obj_body(o);
    struct list *l = pool_alloc(h->pool, ring_body_bytes(LIST_RING_SLOTS_MAX));
    if (l == NULL) return;
    *l = *old;
    l->capacity = LIST_RING_SLOTS_MAX;
    l->chunked = false;
    for (uint64_t s = l->first_seq; s < list_end_seq(l); s++)
        *list_slot_at(l, s) = *list_slot_at(old, s);
    uint64_t first = list_chunk_of(old->first_seq), count = list_chunk_count(old);
    for (uint64_t c = first; c < first + count; c++)
        pool_free(h->pool, *list_chunk_at(old, c), LIST_CHUNK_BYTES);
    directory_free(h, old);
    body_replace(h, o, l);
}

bool list_slots_room(struct heap *h, struct obj *o, enum list_end end)
{
    struct list *l = obj_body(o);
    if (!l->chunked) {
        if (l->length < l->capacity) return true;
        if (l->capacity < LIST_RING_SLOTS_MAX) return ring_resize(h, o, l->capacity * 2u);
        if (!ring_to_chunks(h, o)) return false;
        l = obj_body(o);
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

void list_slots_drop(struct heap *h, struct obj *o)
{
    const struct list *l = obj_body(o);
    if (l->chunked) directory_free(h, l);
    body_drop(h, o, list_body_bytes(l));
}

void list_slots_shrink(struct heap *h, struct obj *o)
{
    struct list *l = obj_body(o);
    if (l->chunked && l->length <= LIST_UNCHUNK_LENGTH) {
        chunks_to_ring(h, o);
        l = obj_body(o);
    }
    uint64_t used = l->chunked ? list_chunk_count(l) : l->length;
    uint32_t capacity_min = l->chunked ? LIST_DIRECTORY_SLOTS_MIN : LIST_RING_SLOTS_MIN;
    uint32_t capacity = l->capacity;
    while (capacity > capacity_min && used <= capacity / 4) capacity /= 2;
    if (capacity == l->capacity) return;
    if (l->chunked)
        (void)directory_resize(h, l, capacity);
    else
        (void)ring_resize(h, o, capacity);
}
