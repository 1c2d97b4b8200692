/*
 * Memory from the system, with exact accounting and with failures that a test can order.
 *
 * Arenas, large blocks, tables of connections and output buffers come from here: everything that
 * outlives a command and is not a cell of a pool. The caller passes the size when it frees, so no
 * header is needed and the account is exact.
 *
 * Blocks below MEM_MAP_BYTES come from malloc, which is jemalloc's. Its background thread returns
 * unused pages to the system half a second after they became free (jemalloc(3),
 * "background_thread"). An allocator that returns pages inside malloc or free delays one of those
 * calls by milliseconds.
 *
 * Blocks of MEM_MAP_BYTES and above are mapped. Unmapping one huge block can take milliseconds, so
 * mem_trim_step() hands freed ones to a thread (base/unmap.h). Until then a request for the same
 * size reuses the block without page faults. The caller of mem_trim_step therefore delays it while
 * blocks come and go (trim_changes). If the system refuses a mapping, waiting blocks are unmapped
 * one by one until the mapping succeeds.
 *
 * Invariants
 *   1. bytes == the sum of the sizes handed out and not yet freed: as requested below
 *      MEM_MAP_BYTES, and in whole pages from there on and for mem_map.
 *   2. bytes_peak >= bytes.
 *   3. trim_bytes == the bytes that wait for mem_trim_step; they are not part of bytes.
 *   4. Pages lent to the system, or queued for it (mem_lend), are not part of bytes.
 * Ownership: a block belongs to the caller until mem_free() with the same size.
 * Cost: the allocator's for blocks below MEM_MAP_BYTES; freeing a mapped block is O(1).
 */
#ifndef HEAPD_BASE_MEM_H
#define HEAPD_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/unmap.h"

enum {
    MEM_MAP_BYTES = 1 << 20, /* blocks of this size and above are mapped */
    /* Limits of trim_bytes while blocks come and go; between them, a quarter of the bytes in use.
     */
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
/* Hands waiting blocks to the thread (unmap_finish waits for it). All blocks must have been freed.
 */
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
