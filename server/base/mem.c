#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/panic.h"
#include "base/sanitize.h"

#ifdef HEAPD_JEMALLOC
#include <jemalloc/jemalloc.h>

/* See the header. Blocks above 4 KiB would lie in a thread's cache for as long as it does not ask
 * for another. */
const char *malloc_conf = "background_thread:true,max_background_threads:1,"
                          "dirty_decay_ms:500,muzzy_decay_ms:0,tcache_max:4096";
#endif

/* The beginning of a freed mapped block that waits to be unmapped. */
struct mem_trim {
    struct mem_trim *next;
    size_t bytes;
};

enum {
    BLOCK_BYTES_MIN = 16, /* jemalloc aligns smaller blocks to 8 only */
    TRIM_LOOKS = 8,       /* at waiting blocks, for one that can be used again */
};

static size_t page_round(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t sum;
    return __builtin_add_overflow(bytes, page - 1, &sum) ? 0 : sum & ~(page - 1);
}

static bool is_mapped(size_t bytes)
{
    return bytes >= MEM_MAP_BYTES;
}

/* What a block of `bytes` counts for: what was asked, or whole pages; 0 when there is no such
 * block. */
static size_t block_cost(size_t bytes)
{
    return is_mapped(bytes) ? page_round(bytes) : bytes;
}

static void count_add(struct mem *m, size_t bytes)
{
    m->bytes += bytes;
    if (m->bytes > m->bytes_peak) m->bytes_peak = m->bytes;
}

static void count_remove(struct mem *m, size_t bytes)
{
    ASSERT(bytes <= m->bytes);
    m->bytes -= bytes;
}

static void *pages_new(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void *pages_new_aligned(size_t bytes, size_t align)
{
    /* The kernel lays mappings side by side: after the first block of aligned size the next ones
     * are aligned. */
    char *p = pages_new(bytes);
    if (!p || ((uintptr_t)p & (align - 1)) == 0) return p;
    unmap_now(p, bytes);
    size_t wide;
    if (__builtin_add_overflow(bytes, align, &wide)) return NULL;
    p = pages_new(wide);
    if (!p) return NULL;
    size_t head = -(uintptr_t)p & (align - 1);
    if (head) unmap_now(p, head);
    if (wide - head > bytes) unmap_now(p + head + bytes, wide - head - bytes);
    return p + head;
}

/* A freed mapped block of this size that still waits, or NULL. The kernel would have to fill
 * the pages of a new one with zeros, one fault each. */
static void *block_again(struct mem *m, size_t cost, size_t align)
{
    struct mem_trim **at = &m->trim;
    for (int i = 0; i < TRIM_LOOKS && *at; i++, at = &(*at)->next) {
        struct mem_trim *t = *at;
        if (t->bytes != cost || ((uintptr_t)t & (align - 1)) != 0) continue;
        *at = t->next;
        m->trim_bytes -= cost;
        m->trim_changes++;
        sanitize_unpoison(t, cost);
        return t;
    }
    return NULL;
}

/* The system has refused memory: gives some back that waits for that. False when none does. */
static bool give_back(struct mem *m)
{
    struct mem_trim *t = m->trim;
    if (!t) return unmap_help();
    m->trim = t->next;
    m->trim_bytes -= t->bytes;
    unmap_now(t, t->bytes);
    return true;
}

static void *pages_get(struct mem *m, size_t bytes, size_t align)
{
    void *p = pages_new_aligned(bytes, align);
    while (!p && give_back(m)) p = pages_new_aligned(bytes, align);
    return p;
}

static void *block_new(struct mem *m, size_t bytes)
{
    if (!is_mapped(bytes)) return malloc(bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : bytes);
    size_t cost = block_cost(bytes);
    void *p = cost ? block_again(m, cost, 1) : NULL;
    if (cost && !p) p = pages_get(m, cost, 1);
    if (p) sanitize_root_add(p, cost);
    return p;
}

/* A mapped block waits to be unmapped. */
static void block_wait(struct mem *m, void *p, size_t cost)
{
    struct mem_trim *t = p;
    t->bytes = cost;
    t->next = m->trim;
    m->trim = t;
    m->trim_bytes += t->bytes;
    m->trim_changes++;
    sanitize_root_remove(p, t->bytes);
    sanitize_unpoison(p, t->bytes);
    sanitize_poison(t + 1, t->bytes - sizeof *t);
}

static void block_free(struct mem *m, void *p, size_t bytes)
{
    if (is_mapped(bytes))
        block_wait(m, p, block_cost(bytes));
    else
        free(p);
}

/* A block in another size of the same kind; the old one stays on failure. */
static void *block_resize(void *p, size_t bytes_old, size_t bytes_new)
{
    if (!is_mapped(bytes_new)) {
        return realloc(p, bytes_new < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : bytes_new);
    }
    size_t cost_old = block_cost(bytes_old);
    size_t cost_new = block_cost(bytes_new);
    if (cost_old == cost_new) return p;
    void *q = cost_new ? mremap(p, cost_old, cost_new, MREMAP_MAYMOVE) : MAP_FAILED;
    if (q == MAP_FAILED) return NULL;
    sanitize_root_remove(p, cost_old);
    sanitize_root_add(q, cost_new);
    return q;
}

void mem_init(struct mem *m)
{
    *m = (struct mem){0};
}

void mem_fini(struct mem *m)
{
    while (mem_trim_step(m)) {
    }
}

void *mem_alloc(struct mem *m, size_t bytes)
{
    if (mem_fault(m)) return NULL;
    void *p = block_new(m, bytes);
    if (p) count_add(m, block_cost(bytes));
    return p;
}

void *mem_realloc(struct mem *m, void *p, size_t bytes_old, size_t bytes_new)
{
    if (!p) return mem_alloc(m, bytes_new);
    if (mem_fault(m)) return NULL;
    void *q;
    if (is_mapped(bytes_old) == is_mapped(bytes_new)) {
        q = block_resize(p, bytes_old, bytes_new);
        if (!q) return NULL;
    } else {
        q = block_new(m, bytes_new);
        if (!q) return NULL;
        memcpy(q, p, bytes_old < bytes_new ? bytes_old : bytes_new);
        block_free(m, p, bytes_old);
    }
    count_remove(m, block_cost(bytes_old));
    count_add(m, block_cost(bytes_new));
    return q;
}

void mem_free(struct mem *m, void *p, size_t bytes)
{
    if (!p) return;
    count_remove(m, block_cost(bytes));
    block_free(m, p, bytes);
}

void *mem_map(struct mem *m, size_t bytes, size_t align)
{
    DASSERT(align && (align & (align - 1)) == 0);
    if (mem_fault(m)) return NULL;
    size_t cost = page_round(bytes);
    void *p = is_mapped(cost) ? block_again(m, cost, align) : NULL;
    if (cost && !p) p = pages_get(m, cost, align);
    if (!p) return NULL;
    sanitize_root_add(p, cost);
    count_add(m, cost);
    return p;
}

void mem_unmap(struct mem *m, void *p, size_t bytes)
{
    if (!p) return;
    size_t cost = page_round(bytes);
    count_remove(m, cost);
    if (is_mapped(cost)) {
        block_wait(m, p, cost);
        return;
    }
    sanitize_root_remove(p, cost);
    unmap_now(p, cost);
}

static char *page_after(const void *p)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (char *)(((uintptr_t)p + page - 1) & ~(uintptr_t)(page - 1)); // NOLINT: an address
}

void mem_populate(void *p, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    /* Where the system does not know this, or has no pages, they come when they are written. */
    size_t pages = mem_lendable(p, bytes);
    if (pages) (void)madvise(page_after(p), pages, MADV_POPULATE_WRITE);
#else
    (void)p;
    (void)bytes;
#endif
}

size_t mem_lendable(const void *p, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)page_after(p), to = ((uintptr_t)p + bytes) & ~(uintptr_t)(page - 1);
    return to > from ? to - from : 0;
}

void mem_lend(struct mem *m, struct unmap_lend *l)
{
    count_remove(m, unmap_lend_bytes(l));
    unmap_lend(l);
}

void mem_reclaim(struct mem *m, const void *p, size_t bytes)
{
    count_add(m, mem_lendable(p, bytes));
}

bool mem_trim_step(struct mem *m)
{
    struct mem_trim *t = m->trim;
    if (t) {
        m->trim = t->next;
        m->trim_bytes -= t->bytes;
        unmap_put(t, t->bytes);
    }
    return m->trim || unmap_step();
}

bool mem_trim_is_urgent(const struct mem *m)
{
    size_t kept = m->bytes / 4;
    if (kept < MEM_TRIM_KEPT_BYTES_MIN) kept = MEM_TRIM_KEPT_BYTES_MIN;
    if (kept > MEM_TRIM_KEPT_BYTES_MAX) kept = MEM_TRIM_KEPT_BYTES_MAX;
    return m->trim_bytes > kept;
}
