/*
 * Assertions. ASSERT is always on and guards against corruption of the heap; DASSERT is on in debug
 * builds (HEAPD_DEBUG). Bytes from a client never trip one: input is checked and answered with an
 * error.
 */
#ifndef HEAPD_BASE_PANIC_H
#define HEAPD_BASE_PANIC_H

_Noreturn void panic(const char *file, int line, const char *what);

#define ASSERT(condition)                                                                          \
    (__builtin_expect(!!(condition), 1) ? (void)0 : panic(__FILE__, __LINE__, #condition))

#ifdef HEAPD_DEBUG
#define DASSERT(condition) ASSERT(condition)
#else
#define DASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
