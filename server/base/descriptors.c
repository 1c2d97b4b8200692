#include "base/descriptors.h"

#include <sys/resource.h>

uint64_t descriptors_for(uint64_t clients)
{
    const rlim_t reserved = DESCRIPTORS_RESERVED;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return clients;
    rlim_t wanted = (rlim_t)clients + reserved;
    if (limit.rlim_cur >= wanted) return clients;
    struct rlimit raised = {.rlim_cur = wanted, .rlim_max = limit.rlim_max};
    if (limit.rlim_max < wanted) raised.rlim_max = wanted; /* allowed to root */
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return clients;
    raised = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) raised = limit;
    if (raised.rlim_cur >= wanted) return clients;
    return raised.rlim_cur > reserved ? raised.rlim_cur - reserved : 0;
}
