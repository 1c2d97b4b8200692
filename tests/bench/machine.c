/*
 * Measures the machine: the time of a system call, of a page's first touch and of munmap, and how
 * often a loop without system calls stalls. heapd's steps cannot be shorter than these.
 *
 * usage: machine
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CALLS = 100000,
    TOUCHED_BYTES = 256 << 20,
    PIECE_BYTES = 256 << 10, /* what heapd gives back at once */
    PIECES = TOUCHED_BYTES / PIECE_BYTES,
    LOOP_S = 10,
    LINES = 200, /* at random in */
    STALL_BYTES = 1 << 30,
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

/* One figure a line, as programs.py reads them. */
static void show(const char *name, const char *which, double value, const char *unit)
{
    char row[80];
    snprintf(row, sizeof row, "%s%s", name, which);
    printf("%-56s %10.2f %s\n", row, value, unit);
}

static void calls(void)
{
    int64_t began = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < CALLS; i++) syscall(SYS_getppid);
    show("a system call", "", (double)(now_ns(CLOCK_MONOTONIC) - began) / CALLS / 1000, "us");
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
    show("a page's first touch", "", fault_us, "us");
    show("munmap of 256 KiB", ", median", (double)took[PIECES / 2] / 1000, "us");
    show("munmap of 256 KiB", ", 99th percentile", (double)took[PIECES - 1 - PIECES / 100] / 1000,
         "us");
    show("munmap of 256 KiB", ", the first after 256 MiB were touched", (double)first / 1000, "us");
}

static void arithmetic(char *memory)
{
    (void)memory;
    for (volatile int i = 0; i < 20000; i++) {
    }
}

/* As many cache lines as a step of heapd touches. */
static void random_lines(char *memory)
{
    static uint64_t x = 88172645463325252;
    for (int i = 0; i < LINES; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memory[x % STALL_BYTES]++;
    }
}

/* Pieces of some microseconds without a system call; what takes longer was not the loop. */
static void stalls(const char *name, void (*piece)(char *memory), char *memory)
{
    int longer_100 = 0, longer_500 = 0;
    int64_t longest = 0, end = now_ns(CLOCK_MONOTONIC) + (int64_t)LOOP_S * 1000000000;
    while (now_ns(CLOCK_MONOTONIC) < end) {
        int64_t began = cpu_ns();
        piece(memory);
        int64_t took = cpu_ns() - began;
        longer_100 += took > 100000;
        longer_500 += took > 500000;
        if (took > longest) longest = took;
    }
    show(name, ", above 100 us", longer_100, "stalls");
    show(name, ", above 500 us", longer_500, "stalls");
    show(name, ", the longest", (double)longest / 1000, "us");
}

static void stay_on(size_t core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* What the other core does meanwhile. */
static pid_t start_neighbour(void)
{
    stay_on(0);
    pid_t child = fork();
    if (child == 0) stay_on(1);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile unsigned i = 0;; i++) {
        }
    }
    return child;
}

int main(void)
{
    calls();
    pages();
    char *memory =
        mmap(NULL, STALL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    madvise(memory, STALL_BYTES, MADV_DONTFORK); /* or the neighbour would share its pages */
    memset(memory, 1, STALL_BYTES);
    stalls("10 s of arithmetic", arithmetic, memory);
    stalls("10 s of random memory access", random_lines, memory);
    pid_t neighbour = start_neighbour();
    if (neighbour < 0) return 1;
    stalls("the same beside a busy process", random_lines, memory);
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
    return 0;
}
