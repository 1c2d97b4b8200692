/*
 * What of a figure is the machine's: how long it takes for what no program can do without, and how
 * often it stops in the middle of nothing. heapd's steps cannot be shorter than these.
 *
 * usage: machine
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    CALLS = 100000,
    TOUCHED_BYTES = 256 << 20,
    PIECE_BYTES = 256 << 10, /* what one step of heapd gives back */
    PIECES = TOUCHED_BYTES / PIECE_BYTES,
    LOOP_S = 10,
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t cpu_ns(void)
{
    return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void calls(void)
{
    int64_t began = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < CALLS; i++) syscall(SYS_getppid);
    printf("a system call         %8.2f us\n",
           (double)(now_ns(CLOCK_MONOTONIC) - began) / CALLS / 1000);
}

static void pages(void)
{
    static int64_t took[PIECES];
    char *p = mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    int64_t began = cpu_ns();
    memset(p, 1, TOUCHED_BYTES);
    double fault_us = (double)(cpu_ns() - began) / 1000 / (TOUCHED_BYTES / 4096);
    for (int i = PIECES - 1; i >= 0; i--) {
        began = cpu_ns();
        munmap(p + (size_t)i * PIECE_BYTES, PIECE_BYTES);
        took[PIECES - 1 - i] = cpu_ns() - began;
    }
    int64_t first = took[0];
    qsort(took, PIECES, sizeof *took, by_size);
    printf("a page's first touch  %8.2f us\n", fault_us);
    printf("munmap of 256 KiB     %8.2f us; the first after %d MiB were touched %.0f, the 99th "
           "percentile %.0f\n",
           (double)took[PIECES / 2] / 1000, TOUCHED_BYTES >> 20, (double)first / 1000,
           (double)took[PIECES - 1 - PIECES / 100] / 1000);
}

/* Pieces of some microseconds of arithmetic; what takes longer was not the loop. */
static void stalls(void)
{
    int longer_100 = 0, longer_500 = 0;
    int64_t longest = 0, end = now_ns(CLOCK_MONOTONIC) + (int64_t)LOOP_S * 1000000000;
    while (now_ns(CLOCK_MONOTONIC) < end) {
        int64_t began = cpu_ns();
        for (volatile int i = 0; i < 20000; i++) {
        }
        int64_t took = cpu_ns() - began;
        longer_100 += took > 100000;
        longer_500 += took > 500000;
        if (took > longest) longest = took;
    }
    printf("stalls in %d s of CPU  %8d above 100 us, %d above 500 us, the longest %.0f us\n",
           LOOP_S, longer_100, longer_500, (double)longest / 1000);
}

int main(void)
{
    calls();
    pages();
    stalls();
    return 0;
}
