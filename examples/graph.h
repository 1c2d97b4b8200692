/*
 * What the dependencies of an index say without any server: circles, and who reaches whom. The tour
 * computes it first and then compares heapd's own figures with it.
 *
 * A circle is a strongly connected component with an edge inside: packages that all reach each
 * other, or one that depends on itself. What lies on a circle, and what that reaches, reference
 * counts alone never free.
 *
 * Invariants
 *  1. A set's `count` is the number of its members, `with_edges` that of those with edges of their
 *     own.
 * Ownership: the caller owns the sets and frees them (graph_set_fini).
 * Cost: O(packages + edges) each, iterative; 13 bytes a package while cycles are looked for.
 */
#ifndef EXAMPLES_GRAPH_H
#define EXAMPLES_GRAPH_H

#include "examples/index.h"

/* Some of the packages. */
struct graph_set {
    bool *has; /* by package number */
    uint32_t count, with_edges;
};

struct graph_cycles {
    uint32_t count;      /* circles */
    uint32_t largest;    /* packages of the largest */
    struct graph_set on; /* the packages on any */
};

/* All of these: false when memory is out, and *out is empty then. */
bool graph_find_cycles(const struct index *ix, struct graph_cycles *out);
/* What a package reaches, itself included. */
bool graph_reach_one(const struct index *ix, uint32_t from, struct graph_set *out);
/* What the members of both sets reach, they included; `only` may be NULL. */
bool graph_reach_set(const struct index *ix, const struct graph_set *from,
                     const struct graph_set *only, struct graph_set *out);
void graph_set_fini(struct graph_set *set);

/* How many packages depend on each, by package number; NULL: no memory. The caller frees it. */
uint32_t *graph_dependents(const struct index *ix);

#endif
