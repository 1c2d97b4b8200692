#include "base/prefetch.h"
#include "heap/heap.h"

/* Candidates that are taken soon are fetched: their cells twice as far ahead as their bodies. */
enum { SHED_DEAD_MIN = 1024, TAKE_AHEAD = 8 };

/* The first chunks are small. Where there are many candidates, more would be given back one by one
 * in the middle of slices, at the allocator's cost; a large one is mapped, and goes to what waits
 * to be unmapped. */
enum { CHUNK_SMALL_BYTES = 4 << 10, CHUNK_LARGE_BYTES = MEM_MAP_BYTES, LARGE_FROM = 4096 };

struct collect_chunk {
    struct collect_chunk *next;
    uint32_t head, tail, room;
    struct obj *at[];
};

static size_t chunk_bytes(const struct collect_chunk *chunk)
{
    return chunk->room > CHUNK_SMALL_BYTES / sizeof(struct obj *) ? CHUNK_LARGE_BYTES
                                                                  : CHUNK_SMALL_BYTES;
}

static struct collect_chunk *chunk_get(struct heap *h)
{
    struct candidates *b = &h->collect.candidates;
    struct collect_chunk *chunk = b->spare;
    b->spare = NULL;
    if (chunk) return chunk;
    size_t bytes = b->count < LARGE_FROM ? CHUNK_SMALL_BYTES : CHUNK_LARGE_BYTES;
    chunk = mem_alloc(h->mem, bytes);
    if (!chunk) return NULL;
    chunk->room = (uint32_t)((bytes - sizeof *chunk) / sizeof *chunk->at);
    b->bytes += bytes;
    return chunk;
}

static void chunk_free(struct heap *h, struct collect_chunk *chunk)
{
    size_t bytes = chunk_bytes(chunk);
    h->collect.candidates.bytes -= bytes;
    mem_free(h->mem, chunk, bytes);
}

static void chunk_put(struct heap *h, struct collect_chunk *chunk)
{
    struct candidates *b = &h->collect.candidates;
    if (!b->spare && chunk_bytes(chunk) == CHUNK_SMALL_BYTES)
        b->spare = chunk;
    else
        chunk_free(h, chunk);
}

static bool append(struct heap *h, struct obj *o)
{
    struct candidates *b = &h->collect.candidates;
    struct collect_chunk *last = b->last;
    if (!last || last->tail == last->room) {
        struct collect_chunk *chunk = chunk_get(h);
        if (!chunk) return false;
        chunk->next = NULL;
        chunk->head = chunk->tail = 0;
        if (last)
            last->next = chunk;
        else
            b->first = chunk;
        b->last = last = chunk;
    }
    last->at[last->tail++] = o;
    b->newest_ns = clock_coarse_ns(h->clock);
    if (b->count++ == 0) b->oldest_ns = b->newest_ns;
    return true;
}

struct obj *candidates_take(struct heap *h)
{
    struct candidates *b = &h->collect.candidates;
    struct collect_chunk *first = b->first;
    if (!first) return NULL;
    struct obj *o = first->at[first->head++];
    b->count--;
    if (first->head + 2 * TAKE_AHEAD < first->tail) {
        prefetch_to_write(first->at[first->head + 2 * TAKE_AHEAD]);
        prefetch_to_write(obj_body(first->at[first->head + TAKE_AHEAD]));
    }
    if (first->head == first->tail) {
        b->first = first->next;
        if (!b->first) b->last = NULL;
        chunk_put(h, first);
    }
    o->flags &= (uint8_t)~OBJ_CANDIDATE;
    if (o->count > 0) return o;
    if (obj_body(o)) return NULL; /* it waits in the release queue, which will free the cell */
    b->dead--;
    pool_cell_free(h->pool, (struct cell *)o);
    return NULL;
}

/*
 * While the collector is off nobody takes candidates out, and cells that have died since would pile
 * up in the buffer: when most are dead, each addition looks at two of the oldest, so the buffer
 * stays in proportion to what lives.
 */
static void shed_dead(struct heap *h)
{
    struct candidates *b = &h->collect.candidates;
    for (int i = 0; i < 2 && b->dead > SHED_DEAD_MIN && b->dead * 2 > b->count; i++) {
        struct obj *o = candidates_take(h);
        if (!o) continue;
        if (append(h, o))
            o->flags |= OBJ_CANDIDATE;
        else
            b->lost = true;
    }
}

void candidates_add(struct heap *h, struct obj *o)
{
    if (append(h, o))
        o->flags |= OBJ_CANDIDATE;
    else
        h->collect.candidates.lost = true;
    shed_dead(h);
}

void candidates_fini(struct heap *h)
{
    struct candidates *b = &h->collect.candidates;
    while (b->first) {
        struct collect_chunk *next = b->first->next;
        chunk_free(h, b->first);
        b->first = next;
    }
    if (b->spare) chunk_free(h, b->spare);
    *b = (struct candidates){0};
}

size_t candidates_bytes(const struct candidates *b)
{
    return b->bytes;
}
