#include "base/unmap.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

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
    enum unmapper unmapper;
    bool finishing;
    atomic_size_t bytes; /* a gauge: orders nothing */
} the_queue = {PTHREAD_MUTEX_INITIALIZER,
               PTHREAD_COND_INITIALIZER,
               PTHREAD_COND_INITIALIZER,
               NULL,
               UNMAPPER_NONE,
               false,
               0};

void unmap_now(void *p, size_t bytes)
{
    sanitize_unpoison(p, bytes);
    /* Cutting a hole into a mapping can fail when the process has too many mappings. The pages are
     * then given back all the same, and only the addresses are lost, of which there are plenty. */
    if (munmap(p, bytes) != 0) madvise(p, bytes, MADV_DONTNEED);
}

/* Takes the last piece of the first block out of the queue, which is not empty: the link stays
 * until all but the first piece are gone. */
static char *piece_take(size_t *bytes)
{
    struct waiting *w = the_queue.first;
    *bytes = w->bytes < UNMAP_PIECE_BYTES ? w->bytes : UNMAP_PIECE_BYTES;
    w->bytes -= *bytes;
    char *piece = (char *)w + w->bytes;
    if (w->bytes == 0) the_queue.first = w->next;
    return piece;
}

/* Called, and returns, with the lock; not while the system works. */
static void piece_unmap(void)
{
    size_t bytes;
    char *piece = piece_take(&bytes);
    pthread_mutex_unlock(&the_queue.lock);
    unmap_now(piece, bytes);
    atomic_fetch_sub_explicit(&the_queue.bytes, bytes, memory_order_relaxed);
    pthread_mutex_lock(&the_queue.lock);
}

/* With the lock: false when nothing came for UNMAP_IDLE_MS, or nothing will. */
static bool await_more(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until); /* a condition's clock; a leap of it does no harm here */
    until.tv_sec += UNMAP_IDLE_MS / 1000;
    until.tv_nsec += UNMAP_IDLE_MS % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    while (!the_queue.first && !the_queue.finishing) {
        if (pthread_cond_timedwait(&the_queue.put, &the_queue.lock, &until) != 0) break;
    }
    return the_queue.first != NULL;
}

static void *run(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&the_queue.lock);
    while (await_more()) piece_unmap();
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

void unmap_put(void *p, size_t bytes)
{
    sanitize_unpoison(p, sizeof(struct waiting));
    struct waiting *w = p;
    w->bytes = bytes;
    atomic_fetch_add_explicit(&the_queue.bytes, bytes, memory_order_relaxed);
    pthread_mutex_lock(&the_queue.lock);
    w->next = the_queue.first;
    the_queue.first = w;
    if (the_queue.unmapper != UNMAPPER_RUNS)
        start();
    else if (!w->next)
        pthread_cond_signal(&the_queue.put);
    pthread_mutex_unlock(&the_queue.lock);
}

bool unmap_step(void)
{
    if (unmap_bytes() == 0) return false;
    pthread_mutex_lock(&the_queue.lock);
    if (the_queue.unmapper == UNMAPPER_REFUSED && the_queue.first) piece_unmap();
    bool more = the_queue.unmapper == UNMAPPER_REFUSED && the_queue.first;
    pthread_mutex_unlock(&the_queue.lock);
    return more;
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
