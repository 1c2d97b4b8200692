/*
 * The hash table under everything: names, hash fields, set members, zset members, interned strings,
 * identities. It knows nothing of what it holds: the type gives an entry's hash (for splits and
 * merges), the caller a match. It is never iterated while it changes, but in steps between changes.
 *
 * Linear hashing (Litwin, 1980): the table grows by splitting one bucket at each insertion that
 * needs it, and shrinks by merging the last one, so no operation ever rehashes everything, nothing
 * is stored twice, and reads change nothing. Buckets lie in segments of TABLE_SEGMENT_BUCKETS,
 * which a directory names: an array, and from 100,000 entries on an array of pages of 4 KiB. A
 * table of one segment has no directory, and has about the buckets it needs, in one block.
 * Everything comes from the pools.
 *
 *   bucket   +--------+------+---------+---- ... ----+---------+
 *            | tags 7 | meta | entry 0 |             | entry 6 |      entries of 8 or 16 bytes
 *            +--------+------+---------+---- ... ----+---------+
 *   meta: bit i = entry i is used; bit 7 = the place of entry 6 holds the address of an overflow
 *   bucket (then the bucket has 6 entries).
 *
 * Invariants (table_check)
 *   1. buckets == 2^level + split, split < 2^level.
 *   2. An entry with hash g lies in the chain of bucket g & (2^level - 1), or, if that is below
 *      split, of bucket g & (2^(level+1) - 1).
 *   3. used == the number of entries, overflow_buckets == the number of overflow buckets; a tag is
 *      the top byte of its entry's 32-bit hash, the tag of an unused place is 0.
 *   4. A table with no entries holds no memory, unless table_drain() has yet to free its directory.
 *   5. Chains are compact: every bucket of a chain but the last is full, and an overflow bucket
 *      that is the last holds at least two entries (one alone would fit into the one before it).
 *   6. There is a directory if and only if there are more than TABLE_SEGMENT_BUCKETS buckets, and
 *      it has pages if and only if it names more segments than one page does.
 * Ownership: the table owns its buckets, never what entries refer to. Pointers to entries are good
 *    until the next insertion into, removal from or draining of the same table, or a step that fits
 *    or moves it.
 * Cost: find, insert, remove O(1) expected, with one cache line or two for small entries; a split
 *    or a merge moves a few entries. The load lies between 32 % (merges) and 86 % (splits); random
 *    hashes then give 1.19 buckets looked at for a hit, and 14 (28) bytes for each entry of 8 (16)
 *    bytes while a table grows. An array is copied when it doubles: at most 2 KiB of segments, and
 *    of pages 8 bytes for 100,000 entries.
 *    A split or merge whose memory fails is put off to the next insertion or removal.
 */
#ifndef HEAPD_HEAP_TABLE_H
#define HEAPD_HEAP_TABLE_H

#include "base/status.h"
#include "heap/pool.h"

enum {
    TABLE_BUCKET_ENTRIES = 7,
    TABLE_SEGMENT_BUCKETS = 32, /* 2 KiB or nearly 4: blocks of the pools */
};
#define TABLE_ENTRIES_MAX UINT32_MAX /* of one table */

struct table {
    void *buckets_at; /* the one block of buckets, or the directory of segments */
    uint32_t used;
    uint32_t overflow_buckets;
    uint32_t buckets;
    uint32_t directory_slots; /* for segments; 0: buckets_at is a block of buckets */
};

struct table_type {
    uint32_t entry_bytes; /* 8 or 16 */
    /* The hash of a stored entry. `ctx` is what the caller passed. */
    uint32_t (*hash)(const void *ctx, const void *entry);
    /* May be NULL: called for each entry that a split or merge has moved to another bucket, for the
     * write barrier. It must not touch the table; the entry's address is good during the call. */
    void (*moved)(void *ctx, void *entry);
};

/* Whether `entry` is what is looked for. */
typedef bool table_match(const void *needle, const void *entry);
typedef void table_visit(void *ctx, void *entry);

static inline void table_init(struct table *t)
{
    *t = (struct table){0};
}

/* Frees the buckets at once: for tables that a bound keeps small, or that are empty; any other goes
 * through table_drain(). */
void table_fini(struct table *t, const struct table_type *type, struct pool *p);

/* The entry, or NULL. */
void *table_find(const struct table *t, const struct table_type *type, uint32_t hash,
                 table_match *match, const void *needle);
/*
 * Looking ahead for several hashes at once: what a lookup would wait for is fetched into the cache,
 * one wait for all of them. In this order, with time between; each may be left out.
 */

/* The place in the directory that says where the bucket of a hash is. */
void table_prefetch_directory(const struct table *t, uint32_t hash);
/* The bucket. */
void table_prefetch_bucket(const struct table *t, const struct table_type *type, uint32_t hash);
/* An entry that may be one of this hash, or NULL: the first whose tag fits. Nothing is compared, so
 * it costs no more than the bucket's cache line: a hint at what comes next, of which the first two
 * lines are fetched: an entry's first word is taken for an address, which does no harm where it is
 * none. *chain is NULL at the first call. Where nothing fits and the bucket has an overflow, that
 * is being fetched when this returns, and *chain is what a later call goes on with; the table must
 * not change between. */
void *table_glimpse(const struct table *t, const struct table_type *type, uint32_t hash,
                    const void **chain);

/* Room for a new entry of this hash, for the caller to fill at once. NULL: no memory, or the table
 * is full; then its entries are what they were (but pointers to them are no longer good). The
 * caller knows that no equal entry is there. A split happens before the room is made: the pointer
 * is good. */
void *table_insert(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                   uint32_t hash) MUST_USE;
/* Removes an entry that table_find, _insert, a visit of scan or walk, or _random gave. What it
 * referred to is the caller's, and may be gone already: only other entries are asked their hash. */
void table_remove(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                  uint32_t hash, void *entry);

/*
 * SCAN. Visits every entry of one hash suffix and returns the next cursor, 0 at the end: an entry
 * that is there from the first call to the last is visited at least once, whatever grows or shrinks
 * between, and exactly once if nothing does (the reverse binary order of Redis's dictScan). Any
 * number is a good cursor: the scan ends from wherever it begins. The callback changes nothing in
 * the table.
 */
uint64_t table_scan(const struct table *t, const struct table_type *type, uint64_t cursor,
                    table_visit *visit, void *ctx);

/*
 * Visits entries in bucket order from bucket `cursor` on, whole buckets (with overflow), until at
 * least slots_max entries or empty buckets were looked at or no bucket is left below `limit`.
 * Returns the next bucket, `limit` when none is left (also where the table has fewer buckets). The
 * collector's and every whole walk's order. Between two calls a split or a merge may carry an entry
 * across the cursor: that is what `moved` tells. The callback changes nothing in the table.
 */
uint64_t table_walk(const struct table *t, const struct table_type *type, uint64_t cursor,
                    uint64_t limit, uint32_t slots_max, table_visit *visit, void *ctx);

/*
 * Empties the table from its last bucket in bounded steps: calls visit for slots_max (> 0) entries
 * or a few more, each of which is gone from the table when visit gets a copy of it, and frees
 * buckets behind them. True when the table is empty and holds no memory. Between steps the table
 * may be read and used as any other. Needs no memory, so it never stops short. The callback must
 * not touch this table.
 */
bool table_drain(struct table *t, const struct table_type *type, struct pool *p, uint32_t slots_max,
                 table_visit *visit, void *ctx);

/*
 * A uniformly chosen entry, draw() giving 64 random bits at each call; NULL when empty. Exactly
 * uniform (but for 32-bit rounding) in a table of one segment, which is counted through. In a
 * larger one a random place of a random bucket is tried until it holds an entry, 24 / load
 * times on average: uniform but for chains longer than 24 entries, which random hashes practically
 * never make, and for the one in 10^4 draws that finds none, which takes from the nearest bucket
 * that has entries.
 */
void *table_random(const struct table *t, const struct table_type *type,
                   uint64_t (*draw)(void *ctx), void *ctx);

/*
 * For store/compact.h. table_fit_step merges up to merges_max buckets of a table that has lost many
 * entries, until it is nearly as small as one that has only grown; true while there are more to
 * merge. `ctx` is for the type's functions. table_move_step moves what of the table lies in pools
 * that are leaving, from bucket `cursor` on (0 = the beginning), whole buckets until slots_max
 * entries or empty buckets were looked at, and then visits those entries: the callback may change
 * what they refer to, but not their hashes; it may be NULL. Returns the next cursor, 0 at the end;
 * any number is a good cursor. Neither can fail, and after moves pointers to entries are no longer
 * good. table_compact_step does both, for a table whose entries refer to nothing that moves: true
 * while there is more to do, *cursor is 0 at the beginning and at the end.
 */
bool table_fit_step(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                    uint32_t merges_max);
uint64_t table_move_step(struct table *t, const struct table_type *type, struct pool *p,
                         uint64_t cursor, uint32_t slots_max, table_visit *visit, void *ctx);
bool table_compact_step(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                        uint64_t *cursor, uint32_t slots_max);

/* What the buckets, the overflow buckets and the directory take from the pools. */
size_t table_bytes(const struct table *t, const struct table_type *type);

/* Whether the invariants hold. O(table): for tests and the heap's own check. */
bool table_check(const struct table *t, const struct table_type *type, const void *ctx);

#endif
