#include "alloc.h"

#include <stdint.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

static size_t count;
static size_t until = SIZE_MAX;
static bool failed;

void alloc_fail_after(size_t after)
{
    until = after;
    failed = false;
}

bool alloc_fail_end(void)
{
    until = SIZE_MAX;
    return failed;
}

size_t alloc_count(void)
{
    return count;
}

static bool fails(void)
{
    count++;
    if (until == SIZE_MAX) return false;
    if (until-- != 0) return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t members, size_t n)
{
    return fails() ? NULL : __real_calloc(members, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}
