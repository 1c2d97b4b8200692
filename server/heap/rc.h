/*
 * Reference counts: the only code that changes them. All floors above call these functions, which
 * contain the collector's write barrier (rules 1 and 6 of collect.h). Whoever moves a reference
 * without changing the count calls rc_moved (rule 2).
 *
 * A count that reaches OBJ_COUNT_MAX stays there for life. Roots (names and handles) are counted
 * apart, in 16 bits with an overflow table, because the collector does not enter what a root holds
 * directly.
 */
#ifndef HEAPD_HEAP_RC_H
#define HEAPD_HEAP_RC_H

#include "base/panic.h"
#include "heap/heap.h"

static inline void rc_inc(struct heap *h, struct obj *o)
{
    if (UNLIKELY(o->count >= OBJ_COUNT_MAX - 1)) {
        /* An immortal's count has changed for the last time: the intern table has it, and a trial
         * that had a place for it was told. */
        if (o->count == OBJ_COUNT_MAX) return;
        h->saturated++;
    }
    o->count++;
    if (o->flags & (OBJ_VISIBLE | OBJ_INTERNED)) {
        if ((o->flags & OBJ_VISIBLE) == 0) {
            if (obj_is_interned(o)) intern_shared(h, o);
        } else if (UNLIKELY(h->collect.trial_open)) {
            collect_rescue(h, o);
        }
    }
}

static inline void rc_dec(struct heap *h, struct obj *o)
{
    if (UNLIKELY(o->count == OBJ_COUNT_MAX)) return;
    DASSERT(o->count > 0);
    if (--o->count == 0) {
        heap_release(h, o);
    } else if (o->flags & (OBJ_VISIBLE | OBJ_INTERNED)) {
        if ((o->flags & OBJ_VISIBLE) == 0) {
            if (obj_is_interned(o)) intern_unshared(h, o);
        } else if ((o->flags & (OBJ_CANDIDATE | OBJ_PINNED)) == 0 && o->roots == 0) {
            collect_candidate(h, o);
        }
    }
}

/* A reference moved from one place to another without its count changing. Called after it has been
 * stored: moved into a slot of its own, a container that was invisible has only just become
 * visible. */
static inline void rc_moved(struct heap *h, struct obj *o)
{
    if ((o->flags & OBJ_VISIBLE) == 0) return;
    if (UNLIKELY(h->collect.trial_open)) collect_moved(h, o);
    if ((o->flags & OBJ_CANDIDATE) == 0) collect_candidate(h, o);
}

/* Before a container changes the places of its slots (rule 4). `back`: by how much a black cursor
 * must go back so that no slot is missed; 0 when the caller reports each slot that moves with
 * rc_moved, as collect_in_black_scan asks. */
static inline void collect_disturb(struct heap *h, struct obj *o, uint64_t back)
{
    if (UNLIKELY(h->collect.scanning == o)) collect_disturbed(h, o, back);
}

static inline bool collect_in_black_scan(const struct heap *h, const struct obj *o)
{
    return UNLIKELY(h->collect.scanning == o) && h->collect.phase == COLLECT_BLACK;
}

/* Before a reference to `target` is stored in a slot of `owner`: the owner becomes visible with the
 * first container (rule 12). A weak reference makes nothing visible, and is told its owner. */
static inline void rc_stored(struct heap *h, struct obj *owner, struct obj *target)
{
    if (!obj_is_container(target)) {
        if (target->type != OBJ_WEAK) return;
        weak_set_owner(target, owner);
        obj_words(owner)->weakly = true;
        return;
    }
    if ((owner->flags & OBJ_VISIBLE) == 0) heap_make_visible(h, owner);
}

/* One more name or handle refers to it; only after, or together with, rc_inc. Fails only when an
 * object has OBJ_ROOTS_MAX roots and memory is out. No-op for objects that are not containers. */
enum status rc_root_add(struct heap *h, struct obj *o) MUST_USE;
/* One name or handle less; before the matching rc_dec. */
void rc_root_drop(struct heap *h, struct obj *o);
/* The true number of roots. */
uint64_t rc_roots(const struct heap *h, const struct obj *o);
/* Whether the overflow table holds what it should: objects that say so, and numbers that do not
 * fit. */
bool rc_check(const struct heap *h);

#endif
