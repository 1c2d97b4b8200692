/*
 * Patterns of KEYS, SCAN MATCH, CONFIG GET and COMMAND LIST: Redis's stringmatchlen.
 *
 * `*` `?` `[a-z]` `[^x]` and `\x`. The same results as Redis 7.0 in the odd cases too: `[` without
 * its
 * `]` reaches to the end of the pattern, `[]` matches nothing, `[z-a]` is `[a-z]`, a backslash at
 * the end is a backslash, what is escaped in a class keeps its case, and an empty text matches the
 * empty pattern alone.
 *
 * KEYS and SCAN do not ask at all when the pattern is "*", so an empty key is listed by it.
 *
 * Cost: only the last star is ever retried, so the work is at most pattern bytes x text bytes,
 * without recursion.
 */
#ifndef HEAPD_BASE_GLOB_H
#define HEAPD_BASE_GLOB_H

#include <stdbool.h>

#include "base/view.h"

enum glob_case { GLOB_EXACT, GLOB_NOCASE };

bool glob_match(struct view pattern, struct view text, enum glob_case how);

#endif
