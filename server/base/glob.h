/*
 * Patterns of KEYS, SCAN MATCH, CONFIG GET and COMMAND LIST: Redis's stringmatchlen.
 *
 * The syntax is `*` `?` `[a-z]` `[^x]` and `\x`. Odd cases give Redis 7.0's results: `[` without
 * `]` reaches to the end of the pattern, `[]` matches nothing, `[z-a]` is `[a-z]`, a backslash at
 * the end is a backslash, an escaped character in a class keeps its case, and only the empty
 * pattern matches the empty text.
 *
 * KEYS and SCAN do not call this for the pattern "*", so they list an empty key.
 *
 * Cost: only the last star is retried, so the work is at most pattern bytes x text bytes, without
 * recursion.
 */
#ifndef HEAPD_BASE_GLOB_H
#define HEAPD_BASE_GLOB_H

#include <stdbool.h>

#include "base/view.h"

enum glob_case { GLOB_EXACT, GLOB_NOCASE };

bool glob_match(struct view pattern, struct view text, enum glob_case how);

#endif
