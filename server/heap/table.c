#include "base/prefetch.h"
#include "heap/table_bucket.h"

enum {
    SPLIT_LOAD = 6, /* entries for each bucket: measured, above this chains grow faster than memory
                       shrinks */
    MERGE_LOAD_QUARTERS =
        9, /* far below a half of SPLIT_LOAD: a merge is never undone by the next insertion */
    MERGE_SPARES_MAX = 2,
    CACHE_LINE_BYTES = 64,
    DRAIN_AHEAD = 2, /* buckets */
    FIT_LOAD = 5,    /* below SPLIT_LOAD, so that the next insertions do not split it all again */
};

/* Overflow buckets that a split or a merge has at hand, linked through their first entries. */
struct spares {
    struct bucket *first;
};

/* The entries of one bucket, taken out of it. */
struct batch {
    uint32_t count;
    uint8_t tags[TABLE_BUCKET_ENTRIES];
    _Alignas(8) unsigned char entries[TABLE_BUCKET_ENTRIES * ENTRY_BYTES_MAX];
};

static void batch_take(struct batch *batch, struct bucket *b, uint32_t entry_bytes)
{
    batch->count = 0;
    for (uint32_t used = b->meta & BUCKET_USED; used; used &= used - 1) {
        uint32_t place = (uint32_t)__builtin_ctz(used);
        batch->tags[batch->count] = b->tags[place];
        memcpy(batch->entries + (size_t)batch->count * entry_bytes,
               bucket_entry(b, entry_bytes, place), entry_bytes);
        batch->count++;
    }
    bucket_clear(b);
}

static void spares_push(struct spares *s, struct bucket *b)
{
    memcpy(b->entries, &s->first, sizeof s->first);
    s->first = b;
}

static struct bucket *spares_pop(struct spares *s)
{
    struct bucket *b = s->first;
    ASSERT(b);
    memcpy(&s->first, b->entries, sizeof s->first);
    bucket_clear(b);
    return b;
}

static void overflow_free(struct table *t, struct pool *p, uint32_t entry_bytes, struct bucket *b)
{
    pool_free(p, b, bucket_bytes(entry_bytes));
    t->overflow_buckets--;
}

static struct bucket *overflow_alloc(struct table *t, struct pool *p, uint32_t entry_bytes)
{
    struct bucket *b = pool_alloc(p, bucket_bytes(entry_bytes));
    if (!b) return NULL;
    bucket_clear(b);
    t->overflow_buckets++;
    return b;
}

static void spares_free(struct spares *s, struct table *t, struct pool *p, uint32_t entry_bytes)
{
    while (s->first) overflow_free(t, p, entry_bytes, spares_pop(s));
}

/* Hangs an overflow bucket behind a full last one, whose last entry gives way to the address. */
static void chain_extend(struct bucket *last, struct bucket *overflow, uint32_t entry_bytes)
{
    overflow->tags[0] = last->tags[BUCKET_LAST];
    memcpy(bucket_entry(overflow, entry_bytes, 0), bucket_entry(last, entry_bytes, BUCKET_LAST),
           entry_bytes);
    overflow->meta = 1;
    last->tags[BUCKET_LAST] = 0;
    last->meta &= (uint8_t) ~(1u << BUCKET_LAST);
    bucket_set_next(last, entry_bytes, overflow);
}

static struct bucket *chain_last(struct bucket *b, uint32_t entry_bytes)
{
    for (struct bucket *next; (next = bucket_next(b, entry_bytes));) b = next;
    return b;
}

static uint32_t chain_count(const struct bucket *b, uint32_t entry_bytes)
{
    uint32_t count = 0;
    for (; b; b = bucket_next(b, entry_bytes)) count += bucket_count(b);
    return count;
}

/* The overflow buckets of a compact chain of so many entries. */
static uint32_t chain_overflow(uint32_t count)
{
    return count <= TABLE_BUCKET_ENTRIES ? 0 : (count - 2) / BUCKET_LAST;
}

/* Takes a free place of the last bucket of a chain, which has one. */
static void *bucket_claim(struct bucket *b, uint32_t entry_bytes, uint8_t tag)
{
    uint32_t place = (uint32_t)__builtin_ctz(~(uint32_t)b->meta);
    b->tags[place] = tag;
    b->meta |= (uint8_t)(1u << place);
    return bucket_entry(b, entry_bytes, place);
}

/* Adds an entry of a batch behind *last, which moves on as the chain grows by a spare. */
static void *chain_append(struct bucket **last, struct spares *spares, uint32_t entry_bytes,
                          const struct batch *batch, uint32_t i)
{
    if ((*last)->meta == BUCKET_USED) {
        struct bucket *overflow = spares_pop(spares);
        chain_extend(*last, overflow, entry_bytes);
        *last = overflow;
    }
    void *entry = bucket_claim(*last, entry_bytes, batch->tags[i]);
    memcpy(entry, batch->entries + (size_t)i * entry_bytes, entry_bytes);
    return entry;
}

/*
 * SPLIT and MERGE. A split never needs overflow buckets beyond those of the chain that it parts: of
 * k entries in a compact chain, any division into two compact chains takes as many or fewer, also
 * while the chain is gone through from its head. A merge may need MERGE_SPARES_MAX more: 7 and 7
 * entries, for which two buckets were enough, make a chain of three.
 */

static void split(struct table *t, const struct table_type *type, struct pool *p, void *ctx)
{
    uint32_t entry_bytes = type->entry_bytes;
    uint32_t half = level_buckets(t->buckets);
    uint32_t from = t->buckets - half;
    if (!table_bucket_add(t, p, entry_bytes)) return;

    struct spares spares = {NULL};
    struct bucket *head = table_bucket(t, entry_bytes, from);
    struct bucket *stay = head;
    struct bucket *move = table_bucket(t, entry_bytes, from + half);
    for (struct bucket *b = head, *next; b; b = next) {
        struct batch batch;
        uint32_t hashes[TABLE_BUCKET_ENTRIES];
        next = bucket_next(b, entry_bytes);
        batch_take(&batch, b, entry_bytes);
        if (b != head) spares_push(&spares, b);
        /* In a loop of their own, so that the processor waits for what the entries refer to at
         * once. */
        for (uint32_t i = 0; i < batch.count; i++)
            hashes[i] = type->hash(ctx, batch.entries + (size_t)i * entry_bytes);
        for (uint32_t i = 0; i < batch.count; i++) {
            bool moves = hashes[i] & half;
            void *entry = chain_append(moves ? &move : &stay, &spares, entry_bytes, &batch, i);
            if (moves && type->moved) type->moved(ctx, entry);
        }
    }
    spares_free(&spares, t, p, entry_bytes);
}

static void merge(struct table *t, const struct table_type *type, struct pool *p, void *ctx)
{
    uint32_t entry_bytes = type->entry_bytes;
    uint32_t last = t->buckets - 1;
    struct bucket *from = table_bucket(t, entry_bytes, last);
    struct bucket *to = table_bucket(t, entry_bytes, last - level_buckets(last));
    uint32_t from_count = chain_count(from, entry_bytes);
    uint32_t to_count = chain_count(to, entry_bytes);
    struct spares spares = {NULL};
    void *block = NULL;

    uint32_t spares_needed = MERGE_SPARES_MAX;
    if (!(from->meta & BUCKET_CHAINED))
        spares_needed = chain_overflow(from_count + to_count) - chain_overflow(to_count);
    for (; spares_needed; spares_needed--) {
        struct bucket *b = overflow_alloc(t, p, entry_bytes);
        if (!b) goto out;
        spares_push(&spares, b);
    }
    if (!t->directory_slots && block_buckets(last) != block_buckets(last + 1)) {
        block = pool_alloc(p, block_buckets(last) * bucket_bytes(entry_bytes));
        if (!block) goto out;
    }

    to = chain_last(to, entry_bytes);
    for (struct bucket *b = from, *next; b; b = next) {
        struct batch batch;
        next = bucket_next(b, entry_bytes);
        batch_take(&batch, b, entry_bytes);
        if (b != from) spares_push(&spares, b);
        for (uint32_t i = 0; i < batch.count; i++) {
            void *entry = chain_append(&to, &spares, entry_bytes, &batch, i);
            if (type->moved) type->moved(ctx, entry);
        }
    }
    table_bucket_drop(t, p, entry_bytes, block);
    table_directory_fit(t, p);
out:
    spares_free(&spares, t, p, entry_bytes);
}

bool table_fit_step(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                    uint32_t merges_max)
{
    for (; t->buckets > 1 && (uint64_t)t->used < ((uint64_t)t->buckets - 1) * FIT_LOAD;
         merges_max--) {
        uint32_t before = t->buckets;
        if (merges_max == 0) return true;
        merge(t, type, p, ctx);
        if (t->buckets == before) return false; /* no memory: it stays as it is */
    }
    return false;
}

void table_fini(struct table *t, const struct table_type *type, struct pool *p)
{
    uint32_t entry_bytes = type->entry_bytes;
    for (uint32_t i = 0; t->overflow_buckets; i++) {
        ASSERT(i < t->buckets);
        struct bucket *b = bucket_next(table_bucket(t, entry_bytes, i), entry_bytes);
        for (struct bucket *next; b; b = next) {
            next = bucket_next(b, entry_bytes);
            overflow_free(t, p, entry_bytes, b);
        }
    }
    table_buckets_free(t, p, entry_bytes);
}

/* A bit at 8 * i + 7 for each used place i whose tag is this one. */
static inline uint64_t bucket_tagged(const struct bucket *b, uint8_t tag)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fULL, high = 0x0080808080808080ULL;
    /* 2^7 + 2^14 + ... + 2^49: bit i of what is multiplied by this goes to 8 * i + 7, too. */
    const uint64_t spread = 0x0002040810204080ULL;
    uint64_t word;
    memcpy(&word, b, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t used = (b->meta & BUCKET_USED) * spread & high;
    word ^= 0x0101010101010101ULL * tag;
    /* A byte is 0 if neither its low bits carry into its top bit nor that is set. The top byte is
     * meta, and the tag of an unused place is 0, which is also a tag. */
    return ~(((word & low) + low) | word | low) & used;
}

static inline void *find(const struct table *t, uint32_t entry_bytes, uint32_t hash,
                         table_match *match, const void *needle)
{
    if (t->buckets == 0) return NULL;
    struct bucket *b = table_bucket(t, entry_bytes, table_index(t, hash));
    do {
        for (uint64_t hits = bucket_tagged(b, hash_tag(hash)); hits; hits &= hits - 1) {
            uint32_t place = (uint32_t)__builtin_ctzll(hits) / 8;
            void *entry = bucket_entry(b, entry_bytes, place);
            if (LIKELY(match(needle, entry))) return entry;
        }
        b = bucket_next(b, entry_bytes);
    } while (b);
    return NULL;
}

void *table_find(const struct table *t, const struct table_type *type, uint32_t hash,
                 table_match *match, const void *needle)
{
    if (type->entry_bytes == 8) return find(t, 8, hash, match, needle);
    return find(t, 16, hash, match, needle);
}

/* Blocks are aligned to 8 bytes, not to cache lines. */
static inline void bucket_prefetch(const struct bucket *b, uint32_t entry_bytes)
{
    prefetch(b);
    prefetch((const char *)b + bucket_bytes(entry_bytes) - 1);
}

void table_prefetch_directory(const struct table *t, uint32_t hash)
{
    if (!t->directory_slots) return;
    prefetch(table_slot(t, table_index(t, hash) / TABLE_SEGMENT_BUCKETS));
}

void table_prefetch_bucket(const struct table *t, const struct table_type *type, uint32_t hash)
{
    if (t->buckets == 0) return;
    bucket_prefetch(table_bucket(t, type->entry_bytes, table_index(t, hash)), type->entry_bytes);
}

/* No branch depends on what the bucket says: it may still be on its way, and a wrong guess of the
 * processor would make the next glimpse wait for it. */
void *table_glimpse(const struct table *t, const struct table_type *type, uint32_t hash,
                    const void **chain)
{
    if (t->buckets == 0) return NULL;
    struct bucket *b = *chain ? (struct bucket *)(uintptr_t)*chain
                              : table_bucket(t, type->entry_bytes, table_index(t, hash));
    uint64_t hits = bucket_tagged(b, hash_tag(hash));
    /* Where no tag fits the last place, which has the address of the overflow bucket. */
    uint32_t place = (uint32_t)__builtin_ctzll(hits | UINT64_C(0x80) << 8 * BUCKET_LAST) / 8;
    void *entry = bucket_entry(b, type->entry_bytes, place);
    uintptr_t word;
    memcpy(&word, entry, sizeof word);
    prefetch((const void *)word);                      // NOLINT: an address, or harmless
    prefetch((const void *)(word + CACHE_LINE_BYTES)); // NOLINT
    *chain = !hits && (b->meta & BUCKET_CHAINED) ? (const void *)word : NULL; // NOLINT: it is one
    return hits ? entry : NULL;
}

static inline void *insert(struct table *t, struct pool *p, uint32_t entry_bytes, uint32_t hash)
{
    struct bucket *b = table_bucket(t, entry_bytes, table_index(t, hash));
    b = chain_last(b, entry_bytes);
    if (UNLIKELY(b->meta == BUCKET_USED)) {
        struct bucket *overflow = overflow_alloc(t, p, entry_bytes);
        if (!overflow) return NULL;
        chain_extend(b, overflow, entry_bytes);
        b = overflow;
    }
    t->used++;
    return bucket_claim(b, entry_bytes, hash_tag(hash));
}

void *table_insert(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                   uint32_t hash)
{
    uint64_t used = t->used;
    if (UNLIKELY(used == TABLE_ENTRIES_MAX)) return NULL;
    if (t->buckets == 0) {
        if (!table_bucket_add(t, p, type->entry_bytes)) return NULL;
    } else if (used >= (uint64_t)t->buckets * SPLIT_LOAD && used >= TABLE_BUCKET_ENTRIES) {
        split(t, type, p, ctx);
    }
    if (type->entry_bytes == 8) return insert(t, p, 8, hash);
    return insert(t, p, 16, hash);
}

/* Fills the hole at a place of `b` with an entry of the chain's last bucket: invariant 5. */
static void chain_close(struct table *t, struct pool *p, uint32_t entry_bytes, struct bucket *head,
                        struct bucket *b, uint32_t place)
{
    struct bucket *before = head;
    struct bucket *last = bucket_next(head, entry_bytes);
    for (struct bucket *next; (next = bucket_next(last, entry_bytes)); last = next) before = last;
    if (b != last) {
        uint32_t other = (uint32_t)__builtin_ctz(last->meta);
        b->tags[place] = last->tags[other];
        b->meta |= (uint8_t)(1u << place);
        memcpy(bucket_entry(b, entry_bytes, place), bucket_entry(last, entry_bytes, other),
               entry_bytes);
        last->tags[other] = 0;
        last->meta &= (uint8_t) ~(1u << other);
    }
    if (bucket_count(last) > 1) return;
    uint32_t other = (uint32_t)__builtin_ctz(last->meta);
    before->meta = BUCKET_USED;
    before->tags[BUCKET_LAST] = last->tags[other];
    memcpy(bucket_entry(before, entry_bytes, BUCKET_LAST), bucket_entry(last, entry_bytes, other),
           entry_bytes);
    overflow_free(t, p, entry_bytes, last);
}

void table_remove(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                  uint32_t hash, void *entry)
{
    uint32_t entry_bytes = type->entry_bytes;
    ASSERT(t->used > 0);
    struct bucket *head = table_bucket(t, entry_bytes, table_index(t, hash));
    struct bucket *b = head;
    size_t offset;
    while ((offset = (uintptr_t)entry - (uintptr_t)b->entries) >=
           (size_t)TABLE_BUCKET_ENTRIES * entry_bytes) {
        b = bucket_next(b, entry_bytes);
        ASSERT(b);
    }
    uint32_t place = (uint32_t)(entry_bytes == 8 ? offset / 8 : offset / 16);
    ASSERT(b->meta >> place & 1);
    b->tags[place] = 0;
    b->meta &= (uint8_t) ~(1u << place);
    if (head->meta & BUCKET_CHAINED) chain_close(t, p, entry_bytes, head, b, place);

    t->used--;
    if (t->used == 0) {
        table_fini(t, type, p);
    } else if (t->buckets > 1 &&
               (uint64_t)t->used * 4 < (uint64_t)t->buckets * MERGE_LOAD_QUARTERS) {
        merge(t, type, p, ctx);
    }
}

/* Fetches what the entries of a bucket refer to, to be freed; their words are taken for addresses,
 * as table_glimpse does. */
static void bucket_fetch_referred(const struct bucket *b, uint32_t entry_bytes)
{
    const unsigned char *at = b->entries, *end = at + (size_t)TABLE_BUCKET_ENTRIES * entry_bytes;
    for (; at < end; at += sizeof(uintptr_t)) {
        uintptr_t word;
        memcpy(&word, at, sizeof word);
        pool_fetch_to_free((const void *)word); // NOLINT: an address, or harmless
    }
}

/* Takes the entries of one bucket out of a chain: of the first overflow bucket, which goes, or of
 * the head. From the front, because the way to the end of a long chain would be gone for every
 * bucket. */
static uint32_t chain_drain(struct table *t, struct pool *p, uint32_t entry_bytes,
                            struct bucket *head, table_visit *visit, void *ctx)
{
    struct batch batch;
    struct bucket *b = bucket_next(head, entry_bytes);
    if (b) {
        struct bucket *after = bucket_next(b, entry_bytes);
        bucket_fetch_referred(b, entry_bytes);
        head->meta &= BUCKET_USED;
        if (after) bucket_set_next(head, entry_bytes, after);
        batch_take(&batch, b, entry_bytes);
        overflow_free(t, p, entry_bytes, b);
    } else {
        batch_take(&batch, head, entry_bytes);
    }
    t->used -= batch.count;
    for (uint32_t i = 0; i < batch.count; i++) visit(ctx, batch.entries + (size_t)i * entry_bytes);
    return batch.count;
}

/* Who drains a table frees what its entries refer to, which lies anywhere. */
static void drain_fetch_ahead(const struct table *t, uint32_t entry_bytes, uint32_t at)
{
    if (at > DRAIN_AHEAD)
        bucket_fetch_referred(table_bucket(t, entry_bytes, at - DRAIN_AHEAD - 1), entry_bytes);
    if (at > 3 * DRAIN_AHEAD)
        prefetch_to_write(table_bucket(t, entry_bytes, at - 3 * DRAIN_AHEAD - 1));
}

bool table_drain(struct table *t, const struct table_type *type, struct pool *p, uint32_t slots_max,
                 table_visit *visit, void *ctx)
{
    uint32_t entry_bytes = type->entry_bytes;
    uint32_t at = t->buckets;
    uint32_t looked = 0;
    while ((t->used || t->directory_slots) && looked < slots_max) {
        struct bucket *head = table_bucket(t, entry_bytes, at - 1);
        drain_fetch_ahead(t, entry_bytes, at);
        uint32_t count = chain_drain(t, p, entry_bytes, head, visit, ctx);
        looked += count;
        if (head->meta) continue;
        at--;
        /* The one block keeps its empty buckets until the end, because a smaller one would need
         * memory; each step passes them again, and they are few. */
        if (!t->directory_slots) continue;
        if (count == 0) looked++;
        table_bucket_drop(t, p, entry_bytes, NULL);
    }
    if (t->used || t->directory_slots) return false;
    table_fini(t, type, p);
    return true;
}
