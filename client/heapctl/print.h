/*
 * Prints replies as redis-cli does: for eyes (quoted, numbered, indented) or raw (bytes as they
 * are). heapctl calls it for every reply; JSON is jsonify.h.
 *
 * Raw, elements stand one a line, those of arrays in arrays too; a map is a line "key value" for
 * each pair. Here redis-cli spreads a map in a map, or an array, over lines that look like further
 * pairs of the outer one: what lies in a map, and a map in an array, stands on its line as JSON
 * instead.
 *
 * Invariants
 *  1. What is printed ends with a newline.
 *
 * Ownership: nothing is kept.
 *
 * Cost: O(bytes printed). It recurses into children, REPLY_DEPTH_MAX deep at most: no server can
 * make a deeper tree.
 */
#ifndef HEAPCTL_PRINT_H
#define HEAPCTL_PRINT_H

#include <stdio.h>

#include "proto/reply.h"

void print_pretty(FILE *to, const struct heapd_reply *reply);
void print_raw(FILE *to, const struct heapd_reply *reply);
/* Raw, without a second newline: for what is written for people anyhow, such as INFO. */
void print_text(FILE *to, const struct heapd_reply *reply);
/* In double quotes, with escapes for what no terminal shows. */
void print_quoted(FILE *to, const char *p, size_t n);

#endif
