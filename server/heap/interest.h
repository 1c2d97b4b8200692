/*
 * Interests: who wants to know that a container or a name changes. WATCH, clients that sleep on a
 * key, and client-side caches ask which name or object changed, and not how.
 *
 * effect_put (heap/effect.h) touches the interests in the container or the key of each effect: so a
 * change is noticed whatever name, handle, identity, expiry or step it came through, and a command
 * that changed nothing touches nobody. Touched interests are told when the effects are committed,
 * that is when the command has ended, once each, in the order in which they were touched; a command
 * that fails rewinds its touches with its effects.
 *
 * Invariants (interest_check)
 *   1. count == the interests in both tables; none is listed twice.
 *   2. The touched are listed once each, and only they say so.
 * Ownership: whoever is interested owns its struct interest and the bytes of its key, and removes
 * it before either goes. An interest stays when it was told. told() may add and remove interests;
 * it changes nothing in the heap. Cost: nothing while there are none. Else a lookup for each
 * effect; 16 bytes of a table and the struct for each interest.
 */
#ifndef HEAPD_HEAP_INTEREST_H
#define HEAPD_HEAP_INTEREST_H

#include "base/hash.h"
#include "base/status.h"
#include "base/view.h"
#include "heap/table.h"

struct interest {
    void (*told)(struct interest *i);
    struct view key; /* p NULL: it is in the cell */
    uint64_t cell;   /* effect_cell(), of a container that lives */
    /* Kept by interest.c. */
    struct interest *next; /* in the same key or cell */
    struct interest *next_touched, *previous_touched;
    bool touched;
};

struct interests {
    struct pool *pool;
    const struct hash_key *hash_key;
    struct table cells, keys;
    struct interest *first_touched, *last_touched;
    uint64_t count;
};

/* Both outlive it. */
void interests_init(struct interests *all, struct pool *pool, const struct hash_key *hash_key);
/* Nobody is interested any more. */
void interests_fini(struct interests *all);

/* `told`, and the key or the cell, are set. */
enum status interest_add(struct interests *all, struct interest *i) MUST_USE;
void interest_remove(struct interests *all, struct interest *i);

void interest_touch_cell(struct interests *all, uint64_t cell);
void interest_touch_key(struct interests *all, struct view key);
/* Every name goes at once. */
void interest_touch_keys(struct interests *all);

/* Those that were touched after `last` (NULL: all of them) are not touched any more. */
void interest_rewind(struct interests *all, struct interest *last);
/* Tells the touched. */
void interest_tell(struct interests *all);

/* The number of the invariant above that does not hold, or 0. */
int interest_check(const struct interests *all);

#endif
