#include "heap/table_bucket.h"

enum {
    RANDOM_PLACES = 24, /* chains of random hashes are shorter, even in the buckets not yet split */
    RANDOM_TRIES_MAX = 128,
};

static uint32_t chain_visit(struct bucket *b, uint32_t entry_bytes, table_visit *visit, void *ctx)
{
    uint32_t count = 0;
    for (; b; b = bucket_next(b, entry_bytes)) {
        for (uint32_t used = b->meta & BUCKET_USED; used; used &= used - 1) {
            visit(ctx, bucket_entry(b, entry_bytes, (uint32_t)__builtin_ctz(used)));
            count++;
        }
    }
    return count;
}

static uint64_t reverse_bits(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555ULL) | (v & 0x5555555555555555ULL) << 1;
    v = (v >> 2 & 0x3333333333333333ULL) | (v & 0x3333333333333333ULL) << 2;
    v = (v >> 4 & 0x0f0f0f0f0f0f0f0fULL) | (v & 0x0f0f0f0f0f0f0f0fULL) << 4;
    return __builtin_bswap64(v);
}

/*
 * The cursor counts in the bits of the mask, the highest of them first. The hashes whose low bits
 * are the cursor's lie in one bucket or, where that has been split, in two, which are visited
 * together. When the level rises or falls between two calls, the suffixes already counted through
 * stay just that: every one of them was visited whole, whatever number of buckets it lay in.
 */
uint64_t table_scan(const struct table *t, const struct table_type *type, uint64_t cursor,
                    table_visit *visit, void *ctx)
{
    if (t->buckets == 0) return 0;
    uint32_t half = level_buckets(t->buckets);
    uint64_t mask = half - 1;
    uint32_t index = (uint32_t)(cursor & mask);
    chain_visit(table_bucket(t, type->entry_bytes, index), type->entry_bytes, visit, ctx);
    if (index < t->buckets - half)
        chain_visit(table_bucket(t, type->entry_bytes, index + half), type->entry_bytes, visit,
                    ctx);
    return reverse_bits(reverse_bits(cursor | ~mask) + 1);
}

uint64_t table_walk(const struct table *t, const struct table_type *type, uint64_t cursor,
                    uint64_t limit, uint32_t slots_max, table_visit *visit, void *ctx)
{
    uint64_t end = limit < t->buckets ? limit : t->buckets;
    uint64_t looked = 0;
    while (cursor < end && looked < slots_max) {
        struct bucket *b = table_bucket(t, type->entry_bytes, (uint32_t)cursor++);
        uint32_t count = chain_visit(b, type->entry_bytes, visit, ctx);
        looked += count ? count : 1;
    }
    return cursor < end ? cursor : limit;
}

/* The entry of this rank in a chain, or NULL with what is left of the rank behind the chain. */
static void *chain_at(struct bucket *b, uint32_t entry_bytes, uint32_t *rank)
{
    for (; b; b = bucket_next(b, entry_bytes)) {
        uint32_t count = bucket_count(b);
        if (*rank >= count) {
            *rank -= count;
            continue;
        }
        uint32_t used = b->meta & BUCKET_USED;
        for (; *rank; --*rank) used &= used - 1;
        return bucket_entry(b, entry_bytes, (uint32_t)__builtin_ctz(used));
    }
    return NULL;
}

/* A number below n out of 32 random bits. */
static uint32_t below(uint32_t bits, uint32_t n)
{
    return (uint32_t)((uint64_t)bits * n >> 32);
}

void *table_random(const struct table *t, const struct table_type *type,
                   uint64_t (*draw)(void *ctx), void *ctx)
{
    uint32_t entry_bytes = type->entry_bytes;
    if (t->used == 0) return NULL;
    if (!t->directory_slots) {
        uint32_t rank = below((uint32_t)(draw(ctx) >> 32), t->used);
        for (uint32_t i = 0;; i++) {
            ASSERT(i < t->buckets);
            void *entry = chain_at(table_bucket(t, entry_bytes, i), entry_bytes, &rank);
            if (entry) return entry;
        }
    }

    for (uint32_t try = 0; try < RANDOM_TRIES_MAX; try++) {
        uint64_t bits = draw(ctx);
        uint32_t rank = below((uint32_t)bits, RANDOM_PLACES);
        struct bucket *b = table_bucket(t, entry_bytes, below((uint32_t)(bits >> 32), t->buckets));
        void *entry = chain_at(b, entry_bytes, &rank);
        if (entry) return entry;
    }

    uint64_t bits = draw(ctx);
    uint32_t index = below((uint32_t)(bits >> 32), t->buckets);
    for (;;) {
        struct bucket *b = table_bucket(t, entry_bytes, index);
        uint32_t count = 0;
        for (struct bucket *c = b; c; c = bucket_next(c, entry_bytes)) count += bucket_count(c);
        uint32_t rank = below((uint32_t)bits, count);
        if (count) return chain_at(b, entry_bytes, &rank);
        index = index + 1 < t->buckets ? index + 1 : 0;
    }
}

size_t table_bytes(const struct table *t, const struct table_type *type)
{
    size_t bytes = bucket_bytes(type->entry_bytes);
    if (t->buckets == 0) return 0;
    size_t overflow = t->overflow_buckets * pool_good_bytes(bytes);
    if (!t->directory_slots) return overflow + pool_good_bytes(block_buckets(t->buckets) * bytes);
    return overflow + pool_good_bytes(table_array_bytes(t)) +
           table_pages(t) * pool_good_bytes(TABLE_PAGE_SLOTS * sizeof(void *)) +
           table_segments(t) * pool_good_bytes(TABLE_SEGMENT_BUCKETS * bytes);
}

/* What check has counted. */
struct census {
    uint64_t used;
    uint64_t overflow_buckets;
};

static bool chain_check(const struct table *t, const struct table_type *type, const void *ctx,
                        uint32_t index, struct census *census)
{
    uint32_t entry_bytes = type->entry_bytes;
    struct bucket *head = table_bucket(t, entry_bytes, index);
    for (struct bucket *b = head, *next; b; b = next) {
        next = bucket_next(b, entry_bytes);
        for (uint32_t place = 0; place < TABLE_BUCKET_ENTRIES; place++) {
            if (!(b->meta >> place & 1)) {
                if (b->tags[place]) return false; /* 3 */
                continue;
            }
            uint32_t hash = type->hash(ctx, bucket_entry(b, entry_bytes, place));
            if (table_index(t, hash) != index) return false;    /* 2 */
            if (b->tags[place] != hash_tag(hash)) return false; /* 3 */
            census->used++;
        }
        if (b != head && ++census->overflow_buckets > t->overflow_buckets) return false; /* 3 */
        if (next && bucket_count(b) != BUCKET_LAST) return false;                        /* 5 */
        if (next && (b->meta >> BUCKET_LAST & 1)) return false;                          /* 5 */
        if (b != head && !next && bucket_count(b) < 2) return false;                     /* 5 */
    }
    return true;
}

bool table_check(const struct table *t, const struct table_type *type, const void *ctx)
{
    if (t->buckets == 0) /* 4 */
        return !t->buckets_at && !t->used && !t->overflow_buckets && !t->directory_slots;
    if (t->used == 0 && !t->directory_slots) return false;                              /* 4 */
    if (!t->buckets_at) return false;                                                   /* 4 */
    if ((t->buckets > TABLE_SEGMENT_BUCKETS) != (t->directory_slots > 0)) return false; /* 6 */
    if (t->directory_slots && t->directory_slots < table_segments(t)) return false;     /* 6 */
    if (table_is_paged(t) != (table_segments(t) > TABLE_PAGE_SLOTS)) return false;      /* 6 */
    uint32_t half = level_buckets(t->buckets);
    if (t->buckets - half >= half) return false; /* 1 */
    struct census census = {0};
    for (uint32_t i = 0; i < t->buckets; i++)
        if (!chain_check(t, type, ctx, i, &census)) return false;
    return census.used == t->used && census.overflow_buckets == t->overflow_buckets; /* 3 */
}
