/*
 * The hash table under everything: names, hash fields, set members, zset members, interned strings, identities.
 *
 * Linear hashing (Litwin, 1980): the table grows by splitting one bucket at each insertion that needs it, and
 * shrinks by merging the last one, so no operation ever rehashes everything, nothing is stored twice, and reads
 * change nothing. Buckets lie in segments of TABLE_SEGMENT_BUCKETS; a table of one segment has just the buckets it
 * needs (1, 2, 4, ... in one block).
 *
 *   bucket   +--------+------+---------+---- ... ----+---------+
 *            | tags 7 | meta | entry 0 |             | entry 6 |      entries of 8 or 16 bytes
 *            +--------+------+---------+---- ... ----+---------+
 *   meta: bit i = entry i is used; bit 7 = the last entry's first 8 bytes are the address of an overflow bucket (then 6 entries).
 *
 * The table knows nothing of what it holds: the type gives an entry's hash (for splits), the caller a match.
 *
 * Invariants (table_check)
 *   1. buckets == 2^level + split, split < 2^level.
 *   2. An entry with hash g lies in the chain of bucket g & (2^level - 1), or, if that is below split, g & (2^(level+1) - 1).
 *   3. used == the number of entries; a tag is the top byte of its entry's 32-bit hash.
 *   4. A table with no entries holds no memory.
 * Ownership: the table owns its buckets, never what entries refer to. Pointers to entries are good until the next
 *    insertion into or removal from the same table.
 * Cost: find, insert, remove O(1) expected, with one cache line for small entries; a split or a merge moves a few entries.
 *    A segment's allocation that fails delays the split and nothing else.
 */
#ifndef HEAPD_HEAP_TABLE_H
#define HEAPD_HEAP_TABLE_H

#include "base/status.h"
#include "heap/pool.h"

enum {
    TABLE_BUCKET_ENTRIES = 7,
    TABLE_SEGMENT_BUCKETS = 64,
    TABLE_ENTRIES_MAX = 0xffffffff, /* of one table */
};

struct table {
    void *buckets_at; /* the one block of buckets, or the directory of segments */
    uint64_t used;
    uint32_t buckets;
    uint32_t directory_slots; /* 0: buckets_at is a block of buckets */
};

struct table_type {
    uint32_t entry_bytes; /* 8 or 16 */
    /* The hash of a stored entry. `ctx` is what the caller passed. */
    uint32_t (*hash)(const void *ctx, const void *entry);
    /* May be NULL: called for each entry that a split or merge moved, after it has moved. For the write barrier. */
    void (*moved)(void *ctx, void *entry);
};

/* Whether `entry` is what is looked for. */
typedef bool table_match(const void *needle, const void *entry);
typedef void table_visit(void *ctx, void *entry);

static inline void table_init(struct table *t)
{
    *t = (struct table){0};
}

/* Frees the buckets at once: only for tables that a bound keeps small, or that are empty. Else table_drain(). */
void table_fini(struct table *t, const struct table_type *type, struct pool *p);

/* The entry, or NULL. */
void *table_find(const struct table *t, const struct table_type *type, uint32_t hash,
                 table_match *match, const void *needle);
/* Fetches the bucket of a hash into the cache. */
void table_prefetch(const struct table *t, const struct table_type *type, uint32_t hash);

/* Room for a new entry of this hash, for the caller to fill at once; NULL: no memory (nothing changed) or full.
 * The caller knows that no equal entry is there. Splits happen before the room is made: the pointer is good. */
void *table_insert(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                   uint32_t hash) MUST_USE;
/* Removes an entry that table_find, _insert, _visit or _random gave. What it referred to is the caller's. */
void table_remove(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                  uint32_t hash, void *entry);

/*
 * SCAN. Visits every entry of one hash suffix and returns the next cursor, 0 at the end: an entry that is there from the
 * first call to the last is visited at least once, whatever grows or shrinks between (the reverse binary order of
 * Redis's dictScan). The callback changes nothing in the table.
 */
uint64_t table_scan(const struct table *t, const struct table_type *type, uint64_t cursor,
                    table_visit *visit, void *ctx);

/*
 * Visits entries in bucket order from bucket *cursor on, whole buckets (with overflow), until at least slots_max entries or empty buckets were
 * looked at or `limit` buckets is reached. Returns the next bucket. The collector's and every whole walk's order. The callback
 * changes nothing in the table.
 */
uint64_t table_walk(const struct table *t, const struct table_type *type, uint64_t cursor,
                    uint64_t limit, uint32_t slots_max, table_visit *visit, void *ctx);

/*
 * Empties the table from its last bucket in bounded steps: calls visit for at most about slots_max entries, which are gone from
 * the table when visit is called, and frees buckets behind them. True when the table is empty and holds no memory.
 * Between steps the table may be read and used as any other. The callback must not touch this table.
 */
bool table_drain(struct table *t, const struct table_type *type, struct pool *p, uint32_t slots_max,
                 table_visit *visit, void *ctx);

/* A uniformly chosen entry, `random` being 64 random bits at each call of draw(); NULL when empty. */
void *table_random(const struct table *t, const struct table_type *type,
                   uint64_t (*draw)(void *ctx), void *ctx);

/* The bytes of the buckets and the directory. */
size_t table_bytes(const struct table *t, const struct table_type *type);

bool table_check(const struct table *t, const struct table_type *type, const void *ctx);

#endif
