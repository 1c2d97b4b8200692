/*
 * What COMMAND DOCS says of each command, for heapctl's help, hints and completion. heapd gives the
 * arguments as one line ("syntax"); Redis gives a tree of them, which is written as such a line
 * here.
 *
 * Invariants
 *  1. Rows are sorted by name, in upper case, a subcommand's as two words: "CONFIG GET".
 *
 * Ownership: struct docs owns the rows and their texts; docs_find lends.
 *
 * Cost: a find is a binary search; a completion looks at all rows.
 */
#ifndef HEAPCTL_DOCS_H
#define HEAPCTL_DOCS_H

#include "proto/buf.h"
#include "proto/reply.h"

struct doc {
    char *name;
    char *syntax; /* of the arguments; "" if there are none */
    char *summary, *since, *group, *complexity;
};

struct docs {
    struct doc *rows;
    size_t count, room;
};

/* Takes the rows out of the answer to COMMAND DOCS, RESP2 or RESP3; false: no memory, or another
 * answer. *docs is then empty. */
bool docs_init(struct docs *docs, const struct heapd_reply *reply);
void docs_fini(struct docs *docs);

/* The command that the words begin, with REF or WEAKREF before it or not. *used is how many words
 * stand before its arguments. NULL: there is none. */
const struct doc *docs_find(const struct docs *docs, size_t argc, const struct proto_view *argv,
                            size_t *used);

/*
 * Calls `found` with each word that can stand in the place of the last one of argv and begins as
 * it does, in upper case, sorted: names of commands, and of subcommands.
 */
void docs_complete(const struct docs *docs, size_t argc, const struct proto_view *argv,
                   void (*found)(void *context, const char *word, size_t n), void *context);

/*
 * What is left of a syntax when `given` arguments are there: its first words go, as far as they are
 * plain ones. Borrowed from `syntax`.
 */
const char *docs_rest(const char *syntax, size_t given);

#endif
