/*
 * Names: the keys of the keyspace, each bound to a value. Names are the roots of the heap.
 *
 * A name is an entry (entry.h). The entry stores a plain value until the value is first shared, and
 * refers to any other. The name, not the object, owns the TTL and the access clock. Entries are in
 * a linear hash table (heap/table.h), which grows and shrinks by one bucket per step.
 *
 * A name is due when its expiry time is <= now_ms. A name may refer weakly (heap/weak.h): then it
 * does not keep its object alive, is not a root, and is gone when the object goes. Callers see a
 * name that is due or gone as missing, although it is still in the table, because lookups are pure.
 * Such a name is removed by keyspace_step (due) or weak_step (gone) in bounded steps, by binding it
 * anew, or by eviction.
 *
 * Called by command/ and engine/. Only these functions change a binding: keyspace_bind_take and its
 * variants, _rebind, _rename, _unbind, _commit, _flush and the changes of expiry. Each reports an
 * effect (heap/effect.h) once it has succeeded. The command floor decides what happens to values,
 * and when OBJ_REFERRED is set.
 *
 * keyspace.c has single names, keyspace_bind.c binds values, keyspace_many.c has flushing, steps,
 * walks and the check, keyspace_move.c moves entries.
 *
 * Invariants (keyspace_check; the exact counts and roots are heap_check()'s, which asks the holder)
 *   1. Every entry is in the table once, where its key's hash says; names == used of the table.
 *   2. An entry with an expiry has a place in the expiry queue that names it, and no other has.
 *   3. Every bound container counts the name among its roots. Names that FLUSHALL dropped count
 *      until they are freed.
 *   4. entry_bytes == the pool bytes of all entries, including those that FLUSHALL dropped.
 *   5. known (binding_index.h) has a record of every bound container that has a number and that REF
 *      never stored, and no false record.
 *   6. A name that refers weakly is the owner that its weak reference names.
 *   7. Every entry is laid out as entry.h says.
 *   8. The evidence is sound.
 *   9. While there are names, `spare` is allocated, so that a flush cannot fail.
 * Ownership: the keyspace owns entries and one count (and one root) of each value. `struct entry *`
 *    and borrowed bytes of an entry are valid until that name gets another value or a TTL, or goes
 *    (unbound, renamed, flushed), and for one command at most, because entries move between
 * commands (keyspace_move_step). A function that may move an entry takes a pointer to the pointer.
 * Cost: O(1) expected, O(log n) where a TTL changes. FLUSHALL is O(1); keyspace_step frees the
 * names that it dropped. A new value of about the same size allocates nothing.
 */
#ifndef HEAPD_STORE_KEYSPACE_H
#define HEAPD_STORE_KEYSPACE_H

#include "store/access.h"
#include "store/binding_index.h"
#include "store/entry.h"
#include "store/expiry.h"
#include "value/evidence.h"

enum { KEYSPACE_KEY_BYTES_MAX = 512 << 20, KEYSPACE_NEVER = -1 };

/* A keyspace that FLUSHALL detached, to be freed in steps. */
struct keyspace_debris;

struct keyspace {
    struct heap *h;
    struct table names;
    struct expiry expiry;
    struct binding_index known;
    struct keyspace_debris *debris, *spare;
    struct heap_holder holder;
    struct access access;
    int64_t now_ms;           /* the wall clock of the running command or step; kept by engine/ */
    struct evidence evidence; /* whether the texts that names are bound to repeat */
    uint64_t entry_bytes;     /* of all entries, as the pools count */
    uint64_t hits, misses;    /* counted by keyspace_lookup */
    uint64_t expired;         /* names removed because their time had come */
    uint64_t evicted;         /* and for lack of memory */
};

/* Registers itself with the heap as a holder: it must not move, and stays until heap_fini(). */
void keyspace_init(struct keyspace *ks, struct heap *h);
/* Frees all at once, at exit, and runs the heap's release queue to its end. */
void keyspace_fini(struct keyspace *ks);

/*
 * Prefetching for a pipeline: what the next commands will touch is fetched into the cache, several
 * keys at a time. These are hints, and change nothing. In this order, with time between: the hash,
 * which fetches nothing; the place in the directory; the bucket (table.h); the entry that is likely
 * to be meant, which may be another's. keyspace_prefetch_entry takes NULL first, and what it
 * returned as long as that is not NULL: then the entry may be in an overflow bucket, which is being
 * fetched. The table must not change between.
 */
uint32_t keyspace_hash(const struct keyspace *ks, struct view key);
void keyspace_prefetch_directory(const struct keyspace *ks, uint32_t hash);
void keyspace_prefetch_bucket(const struct keyspace *ks, uint32_t hash);
const void *keyspace_prefetch_entry(const struct keyspace *ks, uint32_t hash, const void *chain);

/* The entry of a key that is neither due nor gone, or NULL. Counts and changes nothing. */
struct entry *keyspace_find(const struct keyspace *ks, struct view key);
/* The same for a command that reads: counts a hit or a miss and sets the access clock. */
struct entry *keyspace_lookup(struct keyspace *ks, struct view key);
/* Both for a caller that has the key's hash already. */
struct entry *keyspace_find_hashed(const struct keyspace *ks, struct view key, uint32_t hash);
struct entry *keyspace_lookup_hashed(struct keyspace *ks, struct view key, uint32_t hash);
/* Sets the access clock of a name that was found by keyspace_find, as a lookup does. */
static inline void keyspace_touch(struct keyspace *ks, struct entry *e)
{
    entry_set_clock(e, access_again(&ks->access, entry_clock(e)));
}
/* From the access clock (access.h): seconds since the name was last bound or looked up, and its use
 * count. */
uint32_t keyspace_idle_s(const struct keyspace *ks, const struct entry *e);
uint32_t keyspace_frequency(const struct keyspace *ks, const struct entry *e);

/*
 * Binds the key to v, creating the name or binding it anew (the old value is released). Immediates
 * and bytes are written into the entry, wherever they are borrowed from; the count of an object is
 * stolen on every path. Options: the old TTL stays or goes; expires_ms, when not KEYSPACE_NEVER, is
 * the new one (the caller sees to it that it lies in the future). A name that is due is bound as a
 * new one: its TTL goes. `hash` is the key's, or 0 where the caller has not computed it. On failure
 * (STATUS_OOM, STATUS_TOO_LONG) nothing changed but that v is released. *out (may be NULL) receives
 * the entry.
 */
struct keyspace_bind {
    bool keep_ttl;
    int64_t expires_ms;
    uint32_t hash;
};
enum status keyspace_bind_take(struct keyspace *ks, struct view key, RC_STEALS val v,
                               struct keyspace_bind options, struct entry **out) MUST_USE;
/* The same for a text: it lies in the entry if it is not long, and is interned if such texts are
 * seen to repeat. */
enum status keyspace_bind_text(struct keyspace *ks, struct view key, struct view text,
                               struct keyspace_bind options, struct entry **out) MUST_USE;
enum status keyspace_bind_integer(struct keyspace *ks, struct view key, int64_t n,
                                  struct keyspace_bind options, struct entry **out) MUST_USE;
/* Give an entry, which may move, another value; its TTL stays. The first steals v on every path. On
 * failure nothing else changed. */
enum status keyspace_rebind_take(struct keyspace *ks, struct entry **e, RC_STEALS val v) MUST_USE;
enum status keyspace_rebind_text(struct keyspace *ks, struct entry **e, struct view text) MUST_USE;
enum status keyspace_rebind_integer(struct keyspace *ks, struct entry **e, int64_t n) MUST_USE;
/* What a name is bound to, for others to refer to as well: bytes that lie in the entry, which may
 * move, become an object. *out is borrowed and never of VAL_TAG_BYTES. On failure (STATUS_OOM)
 * nothing changed. */
enum status keyspace_share_value(struct keyspace *ks, struct entry **e,
                                 RC_BORROWED val *out) MUST_USE;
/* Renames, TTL and access clock included; what `to` was bound to is released. from != to. On
 * failure nothing changed. The reference moves (rule 2 of collect.h). */
enum status keyspace_rename(struct keyspace *ks, struct entry *e, struct view to) MUST_USE;
/* Why a name goes. ROLLED_BACK: the command that bound it has failed. */
enum name_gone {
    NAME_REMOVED,
    NAME_EXPIRED,
    NAME_EVICTED,
    NAME_EMPTIED,
    NAME_TARGET_GONE,
    NAME_RENAMED,
    NAME_ROLLED_BACK,
};
/* Removes the name and releases the value. */
void keyspace_unbind(struct keyspace *ks, struct entry *e, enum name_gone why);
/* Empties the keyspace in O(1); what was in it is freed by keyspace_step. Needs no memory. */
void keyspace_flush(struct keyspace *ks);

/*
 * Several names at once: each is staged, then all are committed, which cannot fail, or all are
 * unstaged, and nothing has changed. Between that nothing else may happen to the keyspace. A name
 * that was not bound is bound by staging already; one may be staged more than once. Committed in
 * the order of staging, they have no TTL. An object's count is stolen on every path.
 */
struct keyspace_staged {
    struct entry *e;
    uint32_t hash;
    bool fresh;
};
enum status keyspace_stage_take(struct keyspace *ks, struct view key, RC_STEALS val v,
                                struct keyspace_staged *out) MUST_USE;
enum status keyspace_stage_text(struct keyspace *ks, struct view key, struct view text,
                                struct keyspace_staged *out) MUST_USE;
void keyspace_unstage(struct keyspace *ks, const struct keyspace_staged *staged);
void keyspace_commit(struct keyspace *ks, const struct keyspace_staged *staged);

/*
 * A container that is emptied takes its name with it unless REF ever stored it (OBJ_REFERRED), also
 * when it is emptied through a handle or because its weak references vanish: so before a handle or
 * an identity of what a name is bound to is given out, before it gets a number by which a zset
 * orders it, before it is referred to weakly, and before it gets a slot that refers weakly, the
 * keyspace is told. Fails with STATUS_OOM alone.
 */
enum status keyspace_know(struct keyspace *ks, struct entry *e) MUST_USE;
/* REF has stored the container in a name or a slot: from now on it keeps its names. */
void keyspace_refer(struct keyspace *ks, struct obj *o);
/* A container has lost its last slot otherwise than through its name: the name goes, if it has one
 * and REF never stored it; the caller holds the container. Registered as heap.emptied. */
void keyspace_emptied(struct keyspace *ks, const struct obj *o);

/* The expiry time in wall-clock ms, or KEYSPACE_NEVER. */
int64_t keyspace_expires_ms(const struct keyspace *ks, const struct entry *e);
/* The exact mean of the remaining TTLs; 0 if no name has one. */
int64_t keyspace_mean_ttl_ms(const struct keyspace *ks);
/* Fails, and moves the entry, only where there was no TTL; when it fails nothing changed. */
enum status keyspace_set_expiry(struct keyspace *ks, struct entry **e, int64_t when_ms) MUST_USE;
void keyspace_clear_expiry(struct keyspace *ks, struct entry *e);

/* Bounded work: removes names that are due, earliest first, then frees what FLUSHALL dropped, about
 * entries_max of them in all. True while there is more to do at now_ms. What dies
 * goes through the heap's release queue, which is stepped elsewhere. */
bool keyspace_step(struct keyspace *ks, uint32_t entries_max);
/*
 * For eviction (evict.h). Calls each for about so many names, of those that have a TTL or of all;
 * for one at least if there are any. They are drawn at random: those that lie together in the table
 * come together, and one may come twice. The callback changes nothing in the keyspace.
 */
typedef void keyspace_sampled(void *ctx, struct entry *e);
struct keyspace_sample {
    uint32_t names;
    bool with_expiry;
};
void keyspace_sample(struct keyspace *ks, struct keyspace_sample what, keyspace_sampled *each,
                     void *ctx);
/* A name whose key has this hash and that has this access clock, or NULL. Nothing is removed. */
struct entry *keyspace_sampled_before(const struct keyspace *ks, uint32_t hash, uint32_t clock);
/* Removes a name for lack of memory; a due one counts as expired. */
void keyspace_evict(struct keyspace *ks, struct entry *e);

/* When the next name expires, or KEYSPACE_NEVER. */
int64_t keyspace_next_expiry_ms(const struct keyspace *ks);

/* For store/compact.h, as the table's own steps: fits the table of names, and moves what of it, of
 * the entries, and of the strings that they alone hold lies in pools that are leaving. */
bool keyspace_fit_step(struct keyspace *ks, uint32_t merges_max);
uint64_t keyspace_move_step(struct keyspace *ks, uint64_t cursor, uint32_t names_max);

typedef void keyspace_each(void *ctx, const struct entry *e);
/* SCAN: table_scan's cursor and promise. Names that are due or gone are not shown. The callback
 * changes nothing in the keyspace. */
uint64_t keyspace_scan(const struct keyspace *ks, uint64_t cursor, keyspace_each *each, void *ctx);
/* Every entry of the table, due and gone ones included, and the entry of a key likewise: for checks
 * and for who applies effects. */
void keyspace_walk_all(const struct keyspace *ks, keyspace_each *each, void *ctx);
struct entry *keyspace_find_any(const struct keyspace *ks, struct view key);
/* All of them in one go, for KEYS and tests; as keyspace_scan otherwise. */
void keyspace_walk(const struct keyspace *ks, keyspace_each *each, void *ctx);

/* Both count names that are due or gone until they are removed. */
uint64_t keyspace_names(const struct keyspace *ks);
/* Names that FLUSHALL dropped and that keyspace_step has not freed yet. */
uint64_t keyspace_dropped_names(const struct keyspace *ks);
uint64_t keyspace_names_with_expiry(const struct keyspace *ks);

/* Bytes of the table of names. */
size_t keyspace_table_bytes(const struct keyspace *ks);

/* Whether the entry is a live name, and not one that FLUSHALL dropped. */
bool keyspace_has(const struct keyspace *ks, const struct entry *e);

/* Whether the invariants hold. O(names): for tests and the debug builds' own check. */
bool keyspace_check(const struct keyspace *ks);

#endif
