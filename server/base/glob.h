/*
 * Patterns of KEYS, SCAN MATCH, CONFIG GET and COMMAND LIST: Redis's stringmatchlen.
 *
 * `*` `?` `[a-z]` `[^x]` and `\\x`. Only the last star is ever retried, so the work is at most
 * pattern bytes x text bytes; Redis's own recursion explodes on patterns of many stars.
 */
#ifndef HEAPD_BASE_GLOB_H
#define HEAPD_BASE_GLOB_H

#include <stdbool.h>

#include "base/view.h"

enum glob_case { GLOB_EXACT, GLOB_NOCASE };

bool glob_match(struct view pattern, struct view text, enum glob_case how);

#endif
