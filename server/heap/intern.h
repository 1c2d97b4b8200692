/*
 * The intern table: equal strings that are one object. It holds its strings weakly: a string that dies takes its
 * entry along (value/str calls intern_forget before it frees). Field names are always interned.
 *
 * Invariants
 *   1. Every entry is a live object with OBJ_INTERNED, and every such object has an entry.
 *   2. No two entries have equal bytes.
 */
#ifndef HEAPD_HEAP_INTERN_H
#define HEAPD_HEAP_INTERN_H

#include "base/view.h"
#include "heap/table.h"

struct heap;

struct intern {
    struct table strings;
    uint64_t hits;   /* asked and found */
    uint64_t misses; /* asked and not found */
};

/* The interned object with these bytes, uncounted, or NULL. */
RC_BORROWED struct obj *intern_find(struct heap *h, struct view text, uint32_t hash);
/* Makes a string that intern_find did not find the interned one; on failure it stays an ordinary string. */
enum status intern_add(struct heap *h, struct obj *o, uint32_t hash) MUST_USE;
void intern_forget(struct heap *h, struct obj *o);
/* Bytes that copies would take: for every interned string, its size times (count - 1). Walks the table: for tests only. */
uint64_t intern_count_saved_bytes(const struct heap *h);

#endif
