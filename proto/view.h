/*
 * Borrowed bytes, not terminated by a NUL. This header is installed with libheapd.
 */
#ifndef PROTO_VIEW_H
#define PROTO_VIEW_H

#include <stddef.h>

struct proto_view {
    const char *p;
    size_t n;
};

#endif
