/*
 * The bucket of a table, and how a hash finds it: what table.c (find, insert, remove) and
 * table_scan.c (walks) share. Nobody else includes it. Entry sizes are arguments here, so that
 * callers which know theirs as a constant get code for that size. Layout and invariants are in
 * table.h.
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

static inline struct bucket *table_bucket(const struct table *t, uint32_t entry_bytes,
                                          uint32_t index)
{
    unsigned char *at = t->buckets_at;
    if (t->directory_slots) {
        at = ((unsigned char **)t->buckets_at)[index / TABLE_SEGMENT_BUCKETS];
        index %= TABLE_SEGMENT_BUCKETS;
    }
    return (struct bucket *)(void *)(at + index * bucket_bytes(entry_bytes));
}

static inline uint32_t table_segments(const struct table *t)
{
    return (t->buckets + TABLE_SEGMENT_BUCKETS - 1) / TABLE_SEGMENT_BUCKETS;
}

/* The buckets that the one block of a table without a directory has room for. Blocks grow by a
 * quarter, as the pools' classes do: by doubling, a third of a small table would be idle. */
static inline uint32_t block_buckets(uint32_t buckets)
{
    if (buckets <= 8) return buckets;
    uint32_t step = level_buckets(buckets - 1) / 4;
    return (buckets + step - 1) / step * step;
}

#endif
