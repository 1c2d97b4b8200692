/*
 * The bucket of a table, and how a hash finds it: what table.c (find, insert, remove),
 * table_directory.c (room for buckets), table_move.c and table_scan.c (walks) share. Nobody else
 * includes it. Entry sizes are arguments here, so that callers which know theirs as a constant get
 * code for that size. Layout and invariants are in table.h.
 */
#ifndef HEAPD_HEAP_TABLE_BUCKET_H
#define HEAPD_HEAP_TABLE_BUCKET_H

#include <string.h>

#include "base/panic.h"
#include "heap/table.h"

enum {
    BUCKET_USED = 0x7f, /* meta: which entries are used */
    BUCKET_CHAINED =
        0x80, /* meta: the last entry's place holds the address of an overflow bucket */
    BUCKET_LAST = TABLE_BUCKET_ENTRIES - 1,
    ENTRY_BYTES_MAX = 16,
    TABLE_PAGE_SLOTS = 512, /* of a directory, of 4 KiB: a block of the pools */
};

struct bucket {
    _Alignas(8) uint8_t tags[TABLE_BUCKET_ENTRIES];
    uint8_t meta;
    unsigned char entries[];
};

static_assert(sizeof(struct bucket) == 8, "tags and meta are one word");

static inline size_t bucket_bytes(uint32_t entry_bytes)
{
    return sizeof(struct bucket) + (size_t)TABLE_BUCKET_ENTRIES * entry_bytes;
}

static inline void bucket_clear(struct bucket *b)
{
    memset(b, 0, sizeof *b);
}

static inline void *bucket_entry(struct bucket *b, uint32_t entry_bytes, uint32_t place)
{
    return b->entries + (size_t)place * entry_bytes;
}

static inline uint32_t bucket_count(const struct bucket *b)
{
    return (uint32_t)__builtin_popcount(b->meta & BUCKET_USED);
}

/* The overflow bucket, or NULL. */
static inline struct bucket *bucket_next(const struct bucket *b, uint32_t entry_bytes)
{
    if (LIKELY(!(b->meta & BUCKET_CHAINED))) return NULL;
    struct bucket *next;
    memcpy(&next, b->entries + (size_t)BUCKET_LAST * entry_bytes, sizeof next);
    return next;
}

/* The place of the last entry must be free. */
static inline void bucket_set_next(struct bucket *b, uint32_t entry_bytes, struct bucket *next)
{
    memcpy(b->entries + (size_t)BUCKET_LAST * entry_bytes, &next, sizeof next);
    b->meta |= BUCKET_CHAINED;
}

static inline uint8_t hash_tag(uint32_t hash)
{
    return (uint8_t)(hash >> 24);
}

/* 2^level of a table with that many buckets (> 0). */
static inline uint32_t level_buckets(uint32_t buckets)
{
    return (uint32_t)1 << (31 - __builtin_clz(buckets));
}

/* The bucket of a hash in a table that has buckets: invariant 2. */
static inline uint32_t table_index(const struct table *t, uint32_t hash)
{
    uint32_t half = level_buckets(t->buckets);
    uint32_t index = hash & (2 * half - 1);
    return index < t->buckets ? index : index - half;
}

static inline uint32_t table_segments(const struct table *t)
{
    return (t->buckets + TABLE_SEGMENT_BUCKETS - 1) / TABLE_SEGMENT_BUCKETS;
}

/* Whether the directory is an array of pages. */
static inline bool table_is_paged(const struct table *t)
{
    return t->directory_slots > TABLE_PAGE_SLOTS;
}

/* The pages of the directory, 0 where it is one array. */
static inline uint32_t table_pages(const struct table *t)
{
    return table_is_paged(t) ? (table_segments(t) + TABLE_PAGE_SLOTS - 1) / TABLE_PAGE_SLOTS : 0;
}

/* What the array that the table names has in it, and takes. */
static inline uint32_t table_array_used(const struct table *t)
{
    return table_is_paged(t) ? table_pages(t) : table_segments(t);
}

static inline size_t table_array_bytes(const struct table *t)
{
    return t->directory_slots / (table_is_paged(t) ? TABLE_PAGE_SLOTS : 1) * sizeof(void *);
}

/* The place in the directory that names a segment. */
static inline void **table_slot(const struct table *t, uint32_t segment)
{
    void **at = t->buckets_at;
    if (table_is_paged(t)) {
        at = ((void ***)at)[segment / TABLE_PAGE_SLOTS];
        segment %= TABLE_PAGE_SLOTS;
    }
    return at + segment;
}

static inline struct bucket *table_bucket(const struct table *t, uint32_t entry_bytes,
                                          uint32_t index)
{
    unsigned char *at = t->buckets_at;
    if (t->directory_slots) {
        at = *table_slot(t, index / TABLE_SEGMENT_BUCKETS);
        index %= TABLE_SEGMENT_BUCKETS;
    }
    return (struct bucket *)(void *)(at + index * bucket_bytes(entry_bytes));
}

/* The buckets that the one block of a table without a directory has room for. Blocks grow by a
 * quarter, as the pools' classes do: by doubling, a third of a small table would be idle. */
static inline uint32_t block_buckets(uint32_t buckets)
{
    if (buckets <= 8) return buckets;
    uint32_t step = level_buckets(buckets - 1) / 4;
    return (buckets + step - 1) / step * step;
}

/* table_directory.c: an empty bucket at the end, and room for it; false: no memory. */
bool table_bucket_add(struct table *t, struct pool *p, uint32_t entry_bytes);
/* Takes the last bucket, which is empty, away from a table that has others. `block` is where the
 * others go if the one block becomes smaller. */
void table_bucket_drop(struct table *t, struct pool *p, uint32_t entry_bytes, void *block);
/* Shortens a directory that has become too long; without memory it stays so, until the next merge.
 * A table that is being drained keeps it to the end. */
void table_directory_fit(struct table *t, struct pool *p);
/* Frees all buckets but those of overflows. */
void table_buckets_free(struct table *t, struct pool *p, uint32_t entry_bytes);

#endif
