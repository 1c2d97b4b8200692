/*
 * What TAB does, and the hint at the right of the line, as functions of a text and the docs; repl.c
 * puts them on the screen.
 *
 * Invariants
 *  1. A completion begins with what was typed, in the letters' case that was typed.
 *
 * Ownership: struct complete owns its words.
 *
 * Cost: one pass over the docs.
 */
#ifndef HEAPCTL_COMPLETE_H
#define HEAPCTL_COMPLETE_H

#include <stdio.h>

#include "client/heapctl/docs.h"

enum { COMPLETE_WORD_BYTES_MAX = 64, COMPLETE_WORDS_MAX = 1024 };

struct complete {
    size_t typed; /* bytes of the word that is completed: to be replaced */
    char common[COMPLETE_WORD_BYTES_MAX];
    size_t count;
    char (*words)[COMPLETE_WORD_BYTES_MAX];
    bool lower;
};

/* Completions of the last word of a line, which ends at the cursor; common is what all of them
 * begin with. False: no memory, or an open quote; nothing to free. */
bool complete_init(struct complete *c, const struct docs *docs, const char *line, size_t n);
void complete_fini(struct complete *c);

/* The words in columns that fit the width. */
void complete_print(FILE *to, const struct complete *c, size_t width);

/* What may follow the line, at most `room` bytes with the NUL; "" if nothing is known. */
void complete_hint(const struct docs *docs, const char *line, size_t n, char *to, size_t room);

#endif
