/*
 * Which name goes when memory is short: Redis's policies, for names whose objects may be shared.
 *
 * engine/maxmemory.c asks for one name after the other until enough is free; it decides when, and
 * drains what waits to be freed before. Here a name is chosen and removed (keyspace_evict), and
 * what that freed is counted. The object goes only if nothing else refers to it, so names are told
 * apart:
 *
 *   SOLE     the value lies in the entry, or its object has no other reference, or the name refers
 *            weakly: evicting frees all that the name has
 *   SHARED   few refer to the object, and all of them are names or handles as far as is known:
 *            evicting frees the entry, and the object when the others went too
 *   HELD     a container refers to it too, or many do: evicting frees the entry
 *
 * Among the names looked at, those of a better class go first, whatever the policy says; within a
 * class the policy decides. Redis looks at maxmemory-samples names for each that goes, and keeps
 * the best of those that did not; so it is here, but up to EVICT_LOOKS_MAX names are looked at
 * before a name goes that is not SOLE. volatile-ttl needs no chance: the expiry queue knows the
 * earliest.
 *
 * A name that is not SOLE goes only where that helps (evict_one's `wanted`), and not while garbage
 * is being looked for: what names that went before have left may be enough. Otherwise:
 *   - what is wanted is not more than the entries of all names that may go: then entries are freed
 *     until it is there, and objects when they have lost their last name; or
 *   - for a trial: up to EVICT_VAIN_MAX of them whose object has at most EVICT_SHARERS_MAX
 *     references, in the hope that the others are names that go next. A SOLE name that goes allows
 *     one more; the tries begin anew when there was enough memory, or when the collector freed
 *     something (what refers to itself is HELD, and garbage when its name has gone).
 * Else nothing is evicted, and the command that wants memory is refused: a thousand names of
 * one huge object that a client has a handle to are all kept, since evicting them would not free
 * it.
 *
 * A candidate is kept as the hash of its key and its clock, not as a pointer: so it needs no memory
 * of its own, nothing has to be told when a name goes, and one that was used meanwhile, or was
 * bound anew, is not found any more.
 *
 * Invariants (evict_check)
 *   1. There are at most EVICT_CANDIDATES, the best last, none twice.
 *   2. None is kept where the policy is to evict nothing, at random, or by TTL.
 *   3. keyspace.access counts exactly if the policy is one of LFU.
 * Ownership: numbers; the keyspace is borrowed.
 * Cost: no memory. A name that goes costs looking at `samples` names, neighbours in the table, and
 *    at most at EVICT_LOOKS_MAX; removing it is O(1), or O(log n) with a TTL.
 */
#ifndef HEAPD_STORE_EVICT_H
#define HEAPD_STORE_EVICT_H

#include "store/keyspace.h"

enum {
    EVICT_CANDIDATES = 16,
    EVICT_SAMPLES_MAX = 64, /* of a larger maxmemory-samples no more are looked at */
    EVICT_LOOKS_MAX = 128,
    EVICT_VAIN_MAX = 32,
    EVICT_SHARERS_MAX = 8,
};

/* By what the policy tells which name goes first. */
enum evict_order { EVICT_NONE, EVICT_IDLE, EVICT_RARE, EVICT_RANDOM, EVICT_TTL };

struct evict_policy {
    const char *name; /* of maxmemory-policy */
    enum evict_order order;
    bool with_expiry; /* only names that have a TTL */
};

enum evict_class { EVICT_SOLE, EVICT_SHARED, EVICT_HELD };

struct evict_candidate {
    uint32_t hash, clock;
    enum evict_class class;
    uint64_t key; /* of one class the least goes first */
};

struct evict {
    struct keyspace *ks;
    const struct evict_policy *policy;
    uint32_t samples;
    uint32_t count;
    struct evict_candidate candidates[EVICT_CANDIDATES];
    uint32_t vain;           /* tries so far */
    uint64_t collected_seen; /* objects that the collector had freed at the last one */
    bool collecting;         /* garbage is being looked for: names that are not SOLE can wait */
    uint64_t names_shared;   /* evicted names that freed their entry alone; ks->evicted has all */
    uint64_t freed_bytes;    /* by evictions; who frees their objects in steps adds to it */
};

void evict_init(struct evict *ev, struct keyspace *ks);
/* Of all policies, in the order of Redis's documentation; NULL past the last. */
const struct evict_policy *evict_policy_at(uint32_t index);
/* The policy has one of those names. Clocks of the other kind are read as access.h says. */
void evict_configure(struct evict *ev, const char *policy, uint64_t samples);

/* Evicts one name. wanted_bytes: what is to be freed in all. EVICT_NO_HELP, with nothing changed:
 * no name may go, or none that may would help. EVICT_LATER: one might, but the collector may
 * find more. */
enum evict_result { EVICT_WENT, EVICT_LATER, EVICT_NO_HELP };
enum evict_result evict_one(struct evict *ev, uint64_t wanted_bytes);
/* There is enough memory. */
static inline void evict_enough(struct evict *ev)
{
    ev->vain = 0;
}

/* Whether the policy lets any name go. */
bool evict_has_names(const struct evict *ev);
bool evict_check(const struct evict *ev);

#endif
