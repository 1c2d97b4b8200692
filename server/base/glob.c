#include "base/glob.h"

#include <stdint.h>

/* ASCII only, whatever the locale: Redis runs in the C locale. */
static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Bytes are compared as signed ones, because Redis's `char` is: it decides what lies in a range. */
static int byte_at(struct view v, size_t at)
{
    return (signed char)v.p[at];
}

static bool same(int a, int b, enum glob_case how)
{
    return how == GLOB_EXACT ? a == b : lower(a) == lower(b);
}

/* The ends are put in order before they lose their case, so [Z-a] holds nothing when case is
 * ignored. */
static bool range_holds(int from, int to, int c, enum glob_case how)
{
    if (from > to) {
        int t = from;
        from = to;
        to = t;
    }
    if (how == GLOB_NOCASE) {
        from = lower(from);
        to = lower(to);
        c = lower(c);
    }
    return c >= from && c <= to;
}

/* `*at` stands behind the '['; moves it behind the ']'. A class that nothing closes reaches to the
 * end of the pattern, "[]" is empty, and what is escaped keeps its case: all as in Redis. */
static bool class_holds(struct view pattern, size_t *at, int c, enum glob_case how)
{
    size_t p = *at;
    bool negated = p < pattern.n && pattern.p[p] == '^', found = false;
    for (p += negated; p < pattern.n && pattern.p[p] != ']'; p++) {
        size_t left = pattern.n - p;
        if (pattern.p[p] == '\\' && left >= 2) {
            found |= byte_at(pattern, ++p) == c;
        } else if (left >= 3 && pattern.p[p + 1] == '-') {
            found |= range_holds(byte_at(pattern, p), byte_at(pattern, p + 2), c, how);
            p += 2;
        } else {
            found |= same(byte_at(pattern, p), c, how);
        }
    }
    *at = p < pattern.n ? p + 1 : p;
    return found != negated;
}

/* Whether what stands at `*at` (not a star) matches one byte; moves `*at` behind it. */
static bool one_matches(struct view pattern, size_t *at, int c, enum glob_case how)
{
    char kind = pattern.p[(*at)++];
    if (kind == '?') return true;
    if (kind == '[') return class_holds(pattern, at, c, how);
    if (kind == '\\' && *at < pattern.n) ++*at;
    return same(byte_at(pattern, *at - 1), c, how);
}

bool glob_match(struct view pattern, struct view text, enum glob_case how)
{
    /* Redis looks at no pattern when there is no text: not even "*" matches it here. */
    if (text.n == 0) return pattern.n == 0;

    size_t p = 0, t = 0, behind_star = 0, retry = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            while (p < pattern.n && pattern.p[p] == '*') p++;
            if (p == pattern.n) return true;
            behind_star = p; /* never 0, which therefore means that there was no star yet */
            retry = t;
        } else if (p < pattern.n && one_matches(pattern, &p, byte_at(text, t), how)) {
            t++;
        } else {
            /* Everything but a star matches exactly one byte, so the earliest match of what stands
             * between two stars is as good as any later one: only the last star takes one more. */
            if (behind_star == 0) return false;
            p = behind_star;
            t = ++retry;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}
