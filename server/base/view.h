/* Bytes borrowed from somebody else: an argument of a request, the content of a string. */
#ifndef HEAPD_BASE_VIEW_H
#define HEAPD_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct view {
    const char *p;
    size_t n;
};

static inline struct view view_of(const char *text)
{
    return (struct view){text, strlen(text)};
}

static inline bool view_eq(struct view a, struct view b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Whether the bytes are `word`, in any case: options and subcommands are. */
static inline bool view_is(struct view a, const char *word)
{
    return strlen(word) == a.n && strncasecmp(a.p, word, a.n) == 0;
}

/* memcmp order, the shorter first when one begins the other. */
static inline int view_compare(struct view a, struct view b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

#endif
