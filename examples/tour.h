/*
 * The steps of the tour, in their order; main.c calls them. Each talks about what it does, does it
 * on the server, and compares the server's figures with those that graph.h computes from the index.
 *
 * Ownership: struct tour owns what its names point to, but for the index and the connection, which
 * are main's. tour_fini after any step.
 * Cost: about a second on the whole index, and 150 MiB.
 */
#ifndef EXAMPLES_TOUR_H
#define EXAMPLES_TOUR_H

#include "examples/graph.h"
#include "examples/wire.h"

enum tour_moment { AT_START, AT_LOADED, AT_LINKED, AT_KEPT, AT_DROPPED, AT_END, TOUR_MOMENTS };

struct tour {
    struct wire *wire;
    const struct index *ix;
    struct proto_view *keys; /* "pkg:" and the name, by package number */
    char *key_bytes;
    struct proto_view *argv; /* room for the longest command */

    /* What is expected, from the index alone. */
    uint32_t linked; /* packages with dependencies */
    struct graph_cycles cycles;
    uint32_t root;                /* the package that keeps its name */
    uint32_t popular, dependents; /* the package that most others depend on */
    struct graph_set kept;        /* what root reaches */
    struct graph_set held;        /* of it, what is on a circle or reached from one */
    uint32_t circling;            /* of it, what is on a circle */
    uint64_t copied_bytes; /* text of each dependency's record, were it copied one level deep */

    /* What the server said. */
    struct figures at[TOUR_MOMENTS];
    uint64_t refcount;
    uint64_t collected; /* gc_collected_objects, after the last name was gone */
    uint32_t path[3];   /* of GETIN: package, dependency, its dependency */
    uint32_t path_count;
};

/* Looks at the index; false: the wire's error says why. The server must be empty. */
bool tour_init(struct tour *t, struct wire *wire, const struct index *ix);
void tour_fini(struct tour *t);

bool tour_load(struct tour *t);      /* packages become hashes */
bool tour_link(struct tour *t);      /* dependencies become references */
bool tour_look(struct tour *t);      /* counts, paths, identity */
bool tour_keep(struct tour *t);      /* one name for all of it */
bool tour_drop(struct tour *t);      /* no name at all */
void tour_sum(const struct tour *t); /* memory before and after */

/* Lines of `key value`, for programs. */
void tour_write_summary(const struct tour *t, FILE *out);

#endif
