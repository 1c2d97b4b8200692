/*
 * Looks ahead in a pipeline: before the first of a few requests runs, memory is asked for what all
 * of them will touch. Most of a small request's time would else be waiting for its bucket, then for
 * its entry, then for its value, one after the other; here each wait is shared by the whole batch.
 *
 * net/ fills in the arguments, calls ahead_look once for the batch, and then dispatch_ahead for
 * each. Everything learnt is about a request's bytes alone (its row in the command table, its first
 * key's hash, the needle of a field or member), or is a hint (what was fetched; where the name
 * likely is, which the keyspace looks at before it believes it), so it stays right whatever the
 * requests before it change. Nothing is counted, nothing expires, nothing fails.
 *
 * Ownership: argv is the caller's, and so are the bytes; both stay as they are until the request
 * has run. Cost: what dispatch would do for these requests anyhow, done earlier, and a few loads.
 */
#ifndef HEAPD_COMMAND_AHEAD_H
#define HEAPD_COMMAND_AHEAD_H

#include "base/view.h"
#include "command/command.h"

struct ahead {
    const struct view *argv;
    uint32_t argc;
    const struct given *adopted;   /* arguments that are strings already; NULL: none */
    uint32_t hash;                 /* of the first key; only with `command` */
    struct keyspace_place place;   /* likely its entry's */
    const struct command *command; /* NULL: not known, or it names no key */
    uint32_t element_at;           /* the argument that was looked for in a container; 0: none */
    struct needle element;         /* its needle as a text; only with `element_at` */
    /* Hints of ahead_look, good until the next request runs. */
    const void *chain;     /* where to look for the name again */
    const struct obj *obj; /* what it refers to */
};

/* A request of which nothing is known. The rest stays what it was: clearing it all takes as long as
 * a good part of a small request. */
static inline void ahead_begin(struct ahead *r, const struct view *argv, uint32_t argc)
{
    r->argv = argv;
    r->argc = argc;
    r->adopted = NULL;
    r->place.slot = NULL;
    r->command = NULL;
    r->element_at = 0;
    r->chain = NULL;
    r->obj = NULL;
}

void ahead_look(const struct engine *s, struct ahead *requests, uint32_t count);

/* As dispatch(). */
void dispatch_ahead(struct engine *engine, struct session *session, const struct ahead *request,
                    struct reply_to to);

#endif
