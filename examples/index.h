/*
 * Debian's package index, read from the text that `apt-cache dumpavail` prints: records of fields,
 * and between them the dependencies that make a graph of it. The tour calls it once, and everything
 * else reads what it filled in. It knows nothing of heapd.
 *
 * The first record of a package counts, and within a record the last field of a name. A dependency
 * is a package that Depends, Pre-Depends, Recommends or Suggests names (each alternative of it) and
 * that has a record; each is listed once, in the order of its first mention.
 *
 * Invariants
 *  1. The fields and the edges of a package are neighbours, in the packages' order.
 *  2. Every edge is a number below package_count, and no package lists one twice.
 * Ownership: struct index owns its arrays and the text; all texts point into it.
 * Cost: one pass over the bytes, and one over the dependency fields.
 */
#ifndef EXAMPLES_INDEX_H
#define EXAMPLES_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes of the index, without a NUL. */
struct text {
    const char *p;
    size_t n;
};

struct index_field {
    struct text name, value;
};

struct index_package {
    struct text name;
    uint32_t field, field_count; /* from `field` on, in fields */
    uint32_t edge, edge_count;   /* from `edge` on, in edges */
};

struct index {
    char *bytes;
    size_t byte_count;
    struct index_field *fields;
    uint32_t field_count, field_room;
    struct index_package *packages;
    uint32_t package_count, package_room;
    uint32_t *edges; /* package numbers */
    uint32_t edge_count, edge_room;
    uint32_t *slots; /* a hash table of package numbers + 1, 0 = empty */
    uint32_t slot_count;
};

enum { INDEX_NONE = UINT32_MAX };

/* Reads all of `in`. False: no memory, or more than the 32-bit numbers hold; index_fini all the
 * same. An unreadable or empty stream gives an index without packages. */
bool index_read(struct index *ix, FILE *in);
void index_fini(struct index *ix);

/* The number of a package, or INDEX_NONE. */
uint32_t index_find(const struct index *ix, struct text name);
/* The value of a package's field; p is NULL when it has none of that name. */
struct text index_value(const struct index *ix, uint32_t package, const char *field);

#endif
