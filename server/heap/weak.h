/*
 * Weak references: a slot or a name holds one instead of a counted reference, so that it does not
 * keep its target alive.
 *
 *   target --table--> struct weak_node <----- struct weak   one for each slot or name
 *                        | first  ^ node       | next, link: the node's list
 *                        +--------|------->    | owner: the container or the name that holds it
 *
 * A weak reference is an object (OBJ_WEAK) that exactly one slot or name holds: so it knows its
 * owner, and the slot is removed without a search. It is counted like any object; its target is
 * not. The collector ignores it, because nothing is reached through it.
 *
 * All weak references to one object share a node. A flag of the object says that there is one, and
 * a table finds it, so that only objects with weak references pay. A target ends when its count
 * reaches zero or a trial condemns it, in both cases before any of its slots is cleared. Its node
 * is then marked `gone` and queued, in O(1) however many references there are; weak_step removes
 * their slots in bounded steps between commands. Until then the slots are there and read as gone.
 * Between the commit of a trial and the marking of the node, weak_target asks the target itself
 * whether it is condemned, so that nobody sees a condemned one (rule 8 of collect.h).
 *
 * The holder calls weak_set_owner (through rc_stored), weak_set_field or weak_set_name whenever a
 * weak reference is stored or moved. A list keeps the positions of ended targets, and shows nil;
 * slots of a dying container stay too, because they are cleared with it.
 *
 * Called by value/, store/ and command/ (what reads and stores), release.c and trial.c (what ends).
 * It knows no value type and no keyspace: slots are removed by heap_type's drop_weak, names by the
 * hook `unname`.
 *
 * Invariants (weak_check; that every owner is the one whose slot it is, is heap_check()'s and
 * keyspace_check()'s)
 *   1. The table holds exactly the nodes whose target lives; those objects, and no others, have
 *      OBJ_WEAKLY. Each has a weak reference at least, and lists all of them.
 *   2. What is not in the table is gone: it is in the queue, or has no listed references.
 *   3. objects[OBJ_WEAK] == the references of the nodes in the table and in the queue, and `left`.
 * Ownership: whoever holds a weak reference owns its one count; the last of them to go takes its
 *    node along. A node owns nothing. Hooks are called by weak_step alone.
 * Cost: 48 bytes a reference, 48 and a table entry a target; all O(1) but for weak_walk.
 */
#ifndef HEAPD_HEAP_WEAK_H
#define HEAPD_HEAP_WEAK_H

#include "heap/obj.h"
#include "heap/table.h"

struct heap;
struct heap_type;
struct weak_node;

struct weak {
    struct obj head;
    struct weak_node *node;
    struct weak *next;
    struct weak **link; /* what points at it in the list; NULL: not listed any more */
    uintptr_t owner;    /* a container, or a name with the lowest bit set; 0: not stored yet */
    uint64_t field;     /* of a hash's value: the field as value/ stores it; borrowed */
};

static_assert(sizeof(struct weak) == 48, "a weak reference is six words");

struct weaks {
    struct table nodes;             /* by target */
    struct weak_node *first, *last; /* the queue of nodes whose targets are gone */
    uint64_t left;                  /* references that stay where they are although gone */
    /* Called once for each queued node, when its slots have been removed, with the number that the
     * target had; not for a target whose number nobody has asked for. May be NULL. */
    void (*gone)(void *ctx, uint64_t number);
    void *gone_ctx;
    /* Removes a name whose target is gone; it may be one that is being freed already. */
    void (*unname)(void *ctx, void *name);
    void *unname_ctx;
};

extern const struct heap_type weak_heap_type;

/* A weak reference to a living container, not stored yet. NULL: no memory. */
RC_NEW struct obj *weak_new(struct heap *h, struct obj *target);
/* The target, or NULL when it is gone. */
RC_BORROWED struct obj *weak_target(const struct obj *w);
/* Where the target lies, or lay: what the reference is hashed by. */
const struct obj *weak_address(const struct obj *w);
/* The target's number, also when it is gone; 0: it had none. */
uint64_t weak_number(const struct heap *h, const struct obj *w);

/* It lies in a slot of this container, or in this name, from now on. */
void weak_set_owner(struct obj *w, const struct obj *owner);
void weak_set_field(struct obj *w, uint64_t field);
void weak_set_name(struct obj *w, const void *name);
/* Who holds it; NULL: the other kind, or nobody. */
RC_BORROWED struct obj *weak_owner(const struct weak *w);
RC_BORROWED void *weak_name(const struct weak *w);

/* The target, which has OBJ_WEAKLY, has ended: its count is zero, or it is condemned. */
void weak_ended(struct heap *h, struct obj *target);

/* Removes about `max` slots whose targets are gone; true while there are more. Between commands
 * only. */
bool weak_step(struct heap *h, uint32_t max);
/* Whether some container may hold members that are gone and not yet removed: else what it counts
 * is what it shows. */
bool weak_is_pending(const struct heap *h);

/* Whether a slot of the container has held a weak reference since its body was made. */
static inline bool weak_in(const struct obj *o)
{
    return obj_body(o) && (o->flags & OBJ_PACKED) == 0 && obj_words(o)->weakly;
}

/* How many weak references there are to a living object; those of containers and names that wait
 * to be freed count, as they do in OBJECT REFCOUNT. */
uint64_t weak_count(const struct heap *h, const struct obj *target);
/* Calls each for them, newest first, until it returns false. */
typedef bool weak_each(void *ctx, const struct weak *w);
void weak_walk(const struct heap *h, const struct obj *target, weak_each *each, void *ctx);

bool weak_check(const struct heap *h);

#endif
