/*
 * Annotations by which the allocators inform AddressSanitizer and LeakSanitizer; empty in other
 * builds.
 *
 * Only base/mem.c, heap/pool*.c and value/str.c call it. SANITIZE_ON is a constant, so code for
 * sanitized builds is compiled in every build and removed by the optimizer, and cannot rot behind
 * an #if.
 */
#ifndef HEAPD_BASE_SANITIZE_H
#define HEAPD_BASE_SANITIZE_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS_BUILD 1
#endif
#endif

#ifdef SANITIZE_ADDRESS_BUILD
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

enum { SANITIZE_ON = 1 };
/* For the reads and writes that an allocator makes in blocks that it has poisoned itself. */
#define SANITIZE_UNCHECKED __attribute__((no_sanitize_address))

/* Every access to the bytes is reported from now on. */
static inline void sanitize_poison(void *p, size_t bytes)
{
    __asan_poison_memory_region(p, bytes);
}

static inline void sanitize_unpoison(void *p, size_t bytes)
{
    __asan_unpoison_memory_region(p, bytes);
}

static inline bool sanitize_is_poisoned(const void *p)
{
    return __asan_address_is_poisoned(p);
}

/* Reports a block that is freed twice. */
static inline void sanitize_touch(const void *p)
{
    (void)*(const volatile char *)p;
}

/* Mapped memory may hold the only pointer to an allocated block: without this it would pass for a
 * leak. */
static inline void sanitize_root_add(void *p, size_t bytes)
{
    __lsan_register_root_region(p, bytes);
}

static inline void sanitize_root_remove(void *p, size_t bytes)
{
    __lsan_unregister_root_region(p, bytes);
}

#else

enum { SANITIZE_ON = 0 };
#define SANITIZE_UNCHECKED

static inline void sanitize_poison(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

static inline void sanitize_unpoison(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

static inline bool sanitize_is_poisoned(const void *p)
{
    (void)p;
    return false;
}

static inline void sanitize_touch(const void *p)
{
    (void)p;
}

static inline void sanitize_root_add(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

static inline void sanitize_root_remove(void *p, size_t bytes)
{
    (void)p, (void)bytes;
}

#endif
#endif
