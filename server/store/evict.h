/*
 * Chooses the names to evict: Redis's policies, extended to names whose objects may be shared.
 *
 * engine/maxmemory.c asks for one name after another until enough is free; it decides when, and
 * frees condemned memory first. This module chooses a name, removes it (keyspace_evict) and counts
 * the bytes that it freed. An object is freed only when nothing else refers to it, so names have
 * classes:
 *
 *   SOLE     the value lies in the entry, or its object has no other reference, or the name refers
 *            weakly: eviction frees everything the name has
 *   SHARED   few references to the object, all from names or handles as far as is known: eviction
 *            frees the entry, and the object once the other references are gone
 *   HELD     a container also refers to the object, or many references do: eviction frees the entry
 *
 * Among the names examined, those of a better class go first under any policy; within a class the
 * policy decides. As in Redis, maxmemory-samples names are examined per eviction, and the best of
 * the rest are kept as candidates. Up to EVICT_LOOKS_MAX names are examined before a name that is
 * not SOLE goes. volatile-ttl needs no sampling: the expiry queue knows the earliest.
 *
 * A name that is not SOLE is evicted only where that helps (evict_one's `wanted`), and never during
 * a collection, which may find enough garbage of names evicted before. It helps in two cases:
 *   - The wanted bytes do not exceed the entries of all names that may go. Then entries are freed
 *     until enough is free, and objects when they have lost their last name.
 *   - As an attempt: up to EVICT_VAIN_MAX such names, whose object has at most EVICT_SHARERS_MAX
 *     references, in the hope that the other references are names that go next. Each evicted SOLE
 *     name allows one more attempt. The count restarts when there was enough memory, or when the
 *     collector freed something (a self-referring object is HELD, and garbage once its name is
 *     gone).
 *
 * Otherwise nothing is evicted and the command is refused. For example, a thousand names of one
 * huge object to which a client has a handle are all kept, because evicting them would not free it.
 *
 * A candidate is the hash of its key and its access clock, not a pointer. So candidates take no
 * extra memory, need no update when a name goes, and no longer match once the name was used or
 * bound anew.
 *
 * Invariants (evict_check)
 *   1. There are at most EVICT_CANDIDATES, the best last, none twice.
 *   2. None is kept if the policy evicts nothing, at random, or by TTL.
 *   3. keyspace.access counts if and only if the policy is an LFU policy.
 * Ownership: numbers only; the keyspace is borrowed.
 * Cost: no memory. An eviction examines `samples` names, neighbours in the table, and at most
 * EVICT_LOOKS_MAX; removing the name is O(1), or O(log n) with a TTL.
 */
#ifndef HEAPD_STORE_EVICT_H
#define HEAPD_STORE_EVICT_H

#include "store/keyspace.h"

enum {
    EVICT_CANDIDATES = 16,
    EVICT_SAMPLES_MAX = 64, /* caps maxmemory-samples */
    EVICT_LOOKS_MAX = 128,
    EVICT_VAIN_MAX = 32,
    EVICT_SHARERS_MAX = 8,
};

/* The order in which a policy evicts names. */
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
    uint64_t key; /* within a class the smallest goes first */
};

struct evict {
    struct keyspace *ks;
    const struct evict_policy *policy;
    uint32_t samples;
    uint32_t count;
    struct evict_candidate candidates[EVICT_CANDIDATES];
    uint32_t vain;           /* attempts so far */
    uint64_t collected_seen; /* objects that the collector had freed at the last attempt */
    bool collecting;         /* a collection runs: names that are not SOLE are kept */
    uint64_t names_shared;   /* evicted names that freed only their entry; ks->evicted counts all */
    uint64_t freed_bytes;    /* by evictions; reclaim.c adds what it frees of them in steps */
};

void evict_init(struct evict *ev, struct keyspace *ks);
/* The policies in the order of Redis's documentation; NULL past the last. */
const struct evict_policy *evict_policy_at(uint32_t index);
/* `policy` is the name of one of them. access.h tells how clocks of the other kind are read. */
void evict_configure(struct evict *ev, const char *policy, uint64_t samples);

/* Evicts one name. wanted_bytes: what is to be freed in all. EVICT_NO_HELP, with nothing changed:
 * no name may go, or none that may would help. EVICT_LATER: one might, but the collector may
 * find more. */
enum evict_result { EVICT_WENT, EVICT_LATER, EVICT_NO_HELP };
enum evict_result evict_one(struct evict *ev, uint64_t wanted_bytes);
/* Called when there is enough memory. */
static inline void evict_enough(struct evict *ev)
{
    ev->vain = 0;
}

/* Whether the policy lets any name go. */
bool evict_has_names(const struct evict *ev);
bool evict_check(const struct evict *ev);

#endif
