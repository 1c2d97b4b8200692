/*
 * Memory from the system, with every byte accounted for and with failures that a test can order.
 *
 * Everything that lives longer than a command and is not a cell of a pool comes from here: arenas,
 * large blocks, tables of connections, output buffers. The caller gives the size back when it frees
 * (no header is kept), so the account is exact. Smaller blocks are malloc's, which is jemalloc's:
 * pages that it needs no more go back to the system from a thread of its own, half a second after
 * they became free (jemalloc(3), "background_thread"). An allocator that does that in malloc or in
 * free makes one of them take milliseconds. Blocks of MEM_MAP_BYTES and above are mapped,
 * because giving back one huge block at once takes milliseconds: mem_trim_step() hands them to a
 * thread that does (base/unmap.h). What waits for that is used again by whoever asks for a block of
 * the same size, and without a page fault for each of its pages; so whoever calls mem_trim_step
 * lets it wait for a while (trim_changes tells whether blocks still come and go). Where the system
 * refuses a mapping, what waits goes back at once, block after block, until the mapping succeeds.
 *
 * Invariants
 *   1. bytes == the sum of the sizes handed out and not yet freed: as asked below MEM_MAP_BYTES,
 *      and in whole pages from there on and for mem_map.
 *   2. bytes_peak >= bytes.
 *   3. trim_bytes == what waits for mem_trim_step; it is not part of bytes.
 *   4. Pages lent to the system, or on their way there (mem_lend), are not part of bytes.
 * Ownership: a block belongs to the caller until mem_free() with the same size.
 * Cost: small and large blocks as the allocator's; a freed mapped block costs O(1).
 */
#ifndef HEAPD_BASE_MEM_H
#define HEAPD_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/unmap.h"

enum {
    MEM_MAP_BYTES = 1 << 20, /* blocks of this size and above are mapped */
    /* What may wait while blocks come and go: a quarter of what is in use, within these. */
    MEM_TRIM_KEPT_BYTES_MIN = 16 << 20,
    MEM_TRIM_KEPT_BYTES_MAX = 64 << 20,
};

struct mem_trim;

struct mem {
    size_t bytes;
    size_t bytes_peak;
    size_t trim_bytes;
    struct mem_trim
        *trim; /* freed mapped blocks that wait to be unmapped; the link lies in the block */
    uint64_t trim_changes; /* blocks that began to wait, or were used again */
    uint64_t fail_at;      /* debug builds: the n-th attempt from now fails; 0 = none */
    uint64_t attempts;     /* debug builds: allocations attempted so far */
    bool fail_on;          /* debug builds: and so do all after it */
};

void mem_init(struct mem *m);
/* Hands over what waits (unmap_finish waits until it is gone). Everything must have been freed. */
void mem_fini(struct mem *m);

/* At least `bytes` bytes aligned to 16, or NULL. */
void *mem_alloc(struct mem *m, size_t bytes) __attribute__((malloc, warn_unused_result));
/* As realloc(3); on failure NULL, and the old block stays. Not for blocks a client can make huge:
 * it may copy. */
void *mem_realloc(struct mem *m, void *p, size_t bytes_old, size_t bytes_new)
    __attribute__((warn_unused_result));
/* p may be NULL. */
void mem_free(struct mem *m, void *p, size_t bytes);

/* `bytes` bytes of whole pages aligned to `align` (a power of two, a multiple of the page size),
 * not zeroed, or NULL. */
void *mem_map(struct mem *m, size_t bytes, size_t align) __attribute__((warn_unused_result));
/* Gives them back: as mem_free those of MEM_MAP_BYTES and above, fewer at once. */
void mem_unmap(struct mem *m, void *p, size_t bytes);

/* These bytes of a block will all be written soon: asks the system for their pages at once, which
 * costs less than a fault for each. */
void mem_populate(void *p, size_t bytes);

/* The whole pages within these bytes of a mapped block. */
size_t mem_lendable(const void *p, size_t bytes);
/* Gives the pages of these cells back to the system, but not their addresses (base/unmap.h). When
 * they are lent, and somebody wants them, mem_reclaim comes first, so that they are counted again;
 * also before their block is unmapped. */
void mem_lend(struct mem *m, struct unmap_lend *l);
void mem_reclaim(struct mem *m, const void *p, size_t bytes);

/* Hands over one freed mapped block to be unmapped; false when there is nothing more to do here. */
bool mem_trim_step(struct mem *m);
/* Whether so much waits that it should not wait for a quiet moment. */
bool mem_trim_is_urgent(const struct mem *m);

/* Whether this attempt is to fail by a test's order. Always false in release builds. */
static inline bool mem_fault(struct mem *m)
{
#ifdef HEAPD_DEBUG
    m->attempts++;
    if (m->fail_at && --m->fail_at == 0) {
        if (m->fail_on) m->fail_at = 1;
        return true;
    }
#else
    (void)m;
#endif
    return false;
}

#endif
