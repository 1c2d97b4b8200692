/*
 * Splits a line into arguments with redis-cli's quoting: "a\x00\n" with escapes, 'a' without (but
 * \'), words apart by blanks. Called for lines typed and lines read; knows no command.
 *
 * Invariants
 *  1. Every argument is followed by a NUL that does not count, so that one without NULs inside is a
 *     C string.
 *
 * Ownership: struct words owns the bytes; views point into them.
 *
 * Cost: O(bytes), two allocations.
 */
#ifndef HEAPCTL_WORDS_H
#define HEAPCTL_WORDS_H

#include "proto/buf.h"

struct words {
    size_t argc;
    struct proto_view *argv;
    char *text;
};

enum words_result { WORDS_OK, WORDS_UNBALANCED, WORDS_OOM };

/* UNBALANCED: a quote is not closed, or something follows a closing one. Only OK needs a fini. */
enum words_result words_split(const char *line, size_t n, struct words *out);
void words_fini(struct words *words);

/* Whether a word is this one, given in upper case, letters of either case. */
bool words_is(struct proto_view word, const char *upper);

#endif
