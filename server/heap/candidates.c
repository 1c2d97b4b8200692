#include "base/clock.h"
#include "heap/heap.h"

/* Candidates that are taken soon are fetched: their cells twice as far ahead as their bodies. */
enum { CHUNK_CANDIDATES = 508, SHED_DEAD_MIN = 1024, TAKE_AHEAD = 8 };

struct collect_chunk {
    struct collect_chunk *next;
    uint32_t head, tail;
    struct obj *at[CHUNK_CANDIDATES];
};

static struct collect_chunk *chunk_get(struct heap *h)
{
    struct candidates *b = &h->collect.candidates;
    struct collect_chunk *chunk = b->spare;
    b->spare = NULL;
    if (chunk) return chunk;
    chunk = mem_alloc(h->mem, sizeof *chunk);
    b->chunks += chunk != NULL;
    return chunk;
}

static void chunk_put(struct heap *h, struct collect_chunk *chunk)
{
    struct candidates *b = &h->collect.candidates;
    if (!b->spare) {
        b->spare = chunk;
        return;
    }
    mem_free(h->mem, chunk, sizeof *chunk);
    b->chunks--;
}

static bool append(struct heap *h, struct obj *o)
{
    struct candidates *b = &h->collect.candidates;
    struct collect_chunk *last = b->last;
    if (!last || last->tail == CHUNK_CANDIDATES) {
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
    b->newest_ns = clock_coarse_ns();
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
        __builtin_prefetch(first->at[first->head + 2 * TAKE_AHEAD], 1);
        __builtin_prefetch(obj_body(first->at[first->head + TAKE_AHEAD]), 1);
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
        mem_free(h->mem, b->first, sizeof *b->first);
        b->first = next;
    }
    if (b->spare) mem_free(h->mem, b->spare, sizeof *b->spare);
    *b = (struct candidates){0};
}

size_t candidates_bytes(const struct candidates *b)
{
    return b->chunks * sizeof(struct collect_chunk);
}
