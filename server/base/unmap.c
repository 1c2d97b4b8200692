#include "base/unmap.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/sanitize.h"

/* The beginning of a block that waits. */
struct waiting {
    struct waiting *next;
    size_t bytes;
};

enum unmapper { UNMAPPER_NONE, UNMAPPER_RUNS, UNMAPPER_REFUSED };

static struct {
    pthread_mutex_t lock; /* of all but `bytes` */
    pthread_cond_t put;   /* something was, or the thread is to end */
    pthread_cond_t ended;
    struct waiting *first;
    struct unmap_lend *lend_first, *lend_last;
    enum unmapper unmapper;
    bool finishing;
    atomic_size_t bytes; /* a gauge: orders nothing */
} the_queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
               .put = PTHREAD_COND_INITIALIZER,
               .ended = PTHREAD_COND_INITIALIZER,
               .unmapper = UNMAPPER_NONE};

void unmap_now(void *p, size_t bytes)
{
    sanitize_unpoison(p, bytes);
    /* Cutting a hole into a mapping can fail when the process has too many mappings. The pages are
     * then given back all the same, and only the addresses are lost, of which there are plenty. */
    if (munmap(p, bytes) != 0) madvise(p, bytes, MADV_DONTNEED);
}

static void count_given(size_t bytes)
{
    atomic_fetch_sub_explicit(&the_queue.bytes, bytes, memory_order_relaxed);
}

/* --- one piece: called, and returns, with the lock; not while the system works --- */

/* The last piece of the first block: the link stays until all but the first piece are gone. */
static void block_piece(void)
{
    struct waiting *w = the_queue.first;
    size_t bytes = w->bytes < UNMAP_PIECE_BYTES ? w->bytes : UNMAP_PIECE_BYTES;
    w->bytes -= bytes;
    char *piece = (char *)w + w->bytes;
    if (w->bytes == 0) the_queue.first = w->next;
    pthread_mutex_unlock(&the_queue.lock);
    unmap_now(piece, bytes);
    count_given(bytes);
    pthread_mutex_lock(&the_queue.lock);
}

/* Takes the first neighbours among the cells, as many as make a piece. */
static uint64_t cells_take(struct unmap_lend *l)
{
    uint64_t cell = l->cells & -l->cells, piece = 0;
    for (size_t bytes = 0; (l->cells & cell) && bytes < UNMAP_PIECE_BYTES; cell <<= 1) {
        piece |= cell;
        bytes += l->cell_bytes;
    }
    l->cells &= ~piece;
    return piece;
}

/* Cells that are neighbours, from the first set bit to the last. */
static char *cells_span(const struct unmap_lend *l, uint64_t cells, size_t *bytes)
{
    size_t first = (size_t)__builtin_ctzl(cells), past = 64 - (size_t)__builtin_clzl(cells);
    size_t from = first ? first * l->cell_bytes : l->kept_bytes;
    *bytes = past * l->cell_bytes - from;
    return l->base + from;
}

static struct unmap_lend *lend_pop(void)
{
    struct unmap_lend *l = the_queue.lend_first;
    the_queue.lend_first = l->next;
    if (!l->next) the_queue.lend_last = NULL;
    return l;
}

static void lend_push_front(struct unmap_lend *l)
{
    l->next = the_queue.lend_first;
    the_queue.lend_first = l;
    if (!l->next) the_queue.lend_last = l;
}

/* Of the first lend. Meanwhile it is out of the queue, so that nobody else is at it, and whoever
 * does the last piece knows that it is the last. */
static void lend_piece(void)
{
    struct unmap_lend *l = lend_pop();
    size_t bytes;
    char *piece = cells_span(l, cells_take(l), &bytes);
    bool more = l->cells != 0;
    pthread_mutex_unlock(&the_queue.lock);
    madvise(piece, bytes, MADV_DONTNEED);
    count_given(bytes);
    if (!more) atomic_store_explicit(&l->lent, true, memory_order_release); /* its owner's again */
    pthread_mutex_lock(&the_queue.lock);
    if (more) lend_push_front(l);
}

static bool is_empty(void)
{
    return !the_queue.first && !the_queue.lend_first;
}

static void piece(void)
{
    if (the_queue.first)
        block_piece();
    else
        lend_piece();
}

/* --- the thread --- */

static void *run(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&the_queue.lock);
    for (;;) {
        while (is_empty() && !the_queue.finishing)
            pthread_cond_wait(&the_queue.put, &the_queue.lock);
        if (is_empty()) break;
        piece();
    }
    the_queue.unmapper = UNMAPPER_NONE;
    pthread_cond_broadcast(&the_queue.ended);
    pthread_mutex_unlock(&the_queue.lock);
    return NULL;
}

/* With the lock. */
static void start(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the loop */
    pthread_attr_t detached;
    pthread_t thread;
    bool good = pthread_attr_init(&detached) == 0;
    if (good) {
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        good = pthread_create(&thread, &detached, run, NULL) == 0;
        pthread_attr_destroy(&detached);
    }
    the_queue.unmapper = good ? UNMAPPER_RUNS : UNMAPPER_REFUSED;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* With the lock, after something was put. */
static void wake(bool was_empty)
{
    if (the_queue.unmapper != UNMAPPER_RUNS)
        start();
    else if (was_empty)
        pthread_cond_signal(&the_queue.put);
}

/* --- for others --- */

void unmap_put(void *p, size_t bytes)
{
    sanitize_unpoison(p, sizeof(struct waiting));
    struct waiting *w = p;
    w->bytes = bytes;
    atomic_fetch_add_explicit(&the_queue.bytes, bytes, memory_order_relaxed);
    pthread_mutex_lock(&the_queue.lock);
    bool was_empty = is_empty();
    w->next = the_queue.first;
    the_queue.first = w;
    wake(was_empty);
    pthread_mutex_unlock(&the_queue.lock);
}

size_t unmap_lend_bytes(const struct unmap_lend *l)
{
    size_t bytes = (size_t)__builtin_popcountl(l->cells) * l->cell_bytes;
    return l->cells & 1 ? bytes - l->kept_bytes : bytes;
}

void unmap_lend(struct unmap_lend *l)
{
    l->next = NULL;
    atomic_store_explicit(&l->lent, false, memory_order_relaxed);
    atomic_fetch_add_explicit(&the_queue.bytes, unmap_lend_bytes(l), memory_order_relaxed);
    pthread_mutex_lock(&the_queue.lock);
    bool was_empty = is_empty();
    if (!the_queue.lend_last)
        the_queue.lend_first = l;
    else
        the_queue.lend_last->next = l;
    the_queue.lend_last = l;
    wake(was_empty);
    pthread_mutex_unlock(&the_queue.lock);
}

bool unmap_is_lent(const struct unmap_lend *l)
{
    return atomic_load_explicit(&l->lent, memory_order_acquire);
}

bool unmap_help(void)
{
    if (unmap_bytes() == 0) return false;
    pthread_mutex_lock(&the_queue.lock);
    bool some = !is_empty();
    if (some) piece();
    pthread_mutex_unlock(&the_queue.lock);
    return some;
}

bool unmap_wants_steps(void)
{
    if (unmap_bytes() == 0) return false;
    pthread_mutex_lock(&the_queue.lock);
    bool wants = the_queue.unmapper == UNMAPPER_REFUSED && !is_empty();
    pthread_mutex_unlock(&the_queue.lock);
    return wants;
}

bool unmap_step(void)
{
    return unmap_wants_steps() && unmap_help() && unmap_wants_steps();
}

size_t unmap_bytes(void)
{
    return atomic_load_explicit(&the_queue.bytes, memory_order_relaxed);
}

void unmap_finish(void)
{
    while (unmap_step()) continue;
    pthread_mutex_lock(&the_queue.lock);
    the_queue.finishing = true;
    pthread_cond_signal(&the_queue.put);
    while (the_queue.unmapper == UNMAPPER_RUNS)
        pthread_cond_wait(&the_queue.ended, &the_queue.lock);
    the_queue.finishing = false;
    pthread_mutex_unlock(&the_queue.lock);
}
