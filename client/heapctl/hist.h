/*
 * The history of the interactive mode: libedit's in memory, and a file of plain lines in the home
 * folder, readable by its owner alone. Lines that hold a password are kept in neither.
 *
 * Invariants
 *  1. A line is in the file as soon as it was entered, so that sessions side by side lose nothing.
 *  2. The file is cut to HIST_LINES_KEPT once it has twice as many.
 *
 * Ownership: struct hist owns libedit's history.
 *
 * Cost: an open, a write and a close for each line entered.
 */
#ifndef HEAPCTL_HIST_H
#define HEAPCTL_HIST_H

#include <histedit.h>
#include <stdbool.h>

#include "client/heapctl/words.h"

enum { HIST_LINES_KEPT = 1000 };
#define HIST_FILE ".heapctl_history"

struct hist {
    History *lines;
    char *path; /* NULL: there is no home folder */
};

/* False: no memory. A file that cannot be read is an empty one. */
bool hist_init(struct hist *hist);
void hist_fini(struct hist *hist);

void hist_add(struct hist *hist, const char *line, size_t n);

/* Whether a password stands in the command. */
bool hist_is_secret(size_t argc, const struct proto_view *argv);

#endif
