#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "heapd: %s:%d: assertion failed: %s\n", file, line, what);
    abort();
}
