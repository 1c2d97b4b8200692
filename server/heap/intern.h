/*
 * The intern table: equal strings that are one object. It holds its strings weakly: a string that
 * dies takes its entry along (value/str calls intern_forget before it frees). Field names are
 * always interned.
 *
 * Invariants (intern_check; the second half of 1 is heap_check()'s)
 *   1. Every entry is a live object with OBJ_INTERNED, and every such object has an entry.
 *   2. No two entries have equal bytes.
 *   3. saved_bytes == the sum over interned strings of their size times (count - 1): what copies
 *      would take.
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
    uint64_t saved_bytes;
};

/* The interned object with these bytes, uncounted, or NULL. */
RC_BORROWED struct obj *intern_find(struct heap *h, struct view text, uint32_t hash);
/* Makes a string that intern_find did not find the interned one; on failure it stays an ordinary
 * string. */
enum status intern_add(struct heap *h, struct obj *o, uint32_t hash) MUST_USE;
void intern_forget(struct heap *h, struct obj *o);
/* rc.h: one more or one less reference shares the string. */
void intern_shared(struct heap *h, const struct obj *o);
void intern_unshared(struct heap *h, const struct obj *o);
/* The interned string lies at `to` now, where it has been moved; what was at `from` is not looked
 * at. */
void intern_moved(struct heap *h, const struct obj *from, struct obj *to);
/* table_compact_step of the table alone. */
bool intern_compact_step(struct heap *h, uint64_t *cursor, uint32_t slots_max);
bool intern_check(const struct heap *h);

#endif
