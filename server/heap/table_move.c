/* Tables on the move: store/compact.h. */
#include "heap/table_bucket.h"

static void root_move(struct table *t, uint32_t entry_bytes, struct pool *p)
{
    size_t bytes = t->directory_slots ? table_array_bytes(t)
                                      : block_buckets(t->buckets) * bucket_bytes(entry_bytes);
    t->buckets_at = pool_move(p, t->buckets_at, bytes);
}

/* The segment that begins with this bucket, and before it the page of the directory that begins
 * with the segment. Of a table without a directory the root is all. */
static void segment_move(struct table *t, uint32_t entry_bytes, struct pool *p, uint64_t bucket)
{
    if (!t->directory_slots || bucket % TABLE_SEGMENT_BUCKETS != 0) return;
    uint32_t segment = (uint32_t)(bucket / TABLE_SEGMENT_BUCKETS);
    if (table_is_paged(t) && segment % TABLE_PAGE_SLOTS == 0) {
        void **page = (void **)t->buckets_at + segment / TABLE_PAGE_SLOTS;
        *page = pool_move(p, *page, TABLE_PAGE_SLOTS * sizeof(void *));
    }
    void **slot = table_slot(t, segment);
    *slot = pool_move(p, *slot, TABLE_SEGMENT_BUCKETS * bucket_bytes(entry_bytes));
}

/* Moves the overflow buckets of a chain and visits all its entries; returns how many. */
static uint32_t chain_move(struct bucket *b, uint32_t entry_bytes, struct pool *p,
                           table_visit *visit, void *ctx)
{
    uint32_t count = 0;
    for (struct bucket *next; b; b = next) {
        next = bucket_next(b, entry_bytes);
        if (next) {
            next = pool_move(p, next, bucket_bytes(entry_bytes));
            bucket_set_next(b, entry_bytes, next);
        }
        count += bucket_count(b);
        for (uint32_t used = b->meta & BUCKET_USED; used && visit; used &= used - 1)
            visit(ctx, bucket_entry(b, entry_bytes, (uint32_t)__builtin_ctz(used)));
    }
    return count;
}

uint64_t table_move_step(struct table *t, const struct table_type *type, struct pool *p,
                         uint64_t cursor, uint32_t slots_max, table_visit *visit, void *ctx)
{
    if (t->buckets == 0) return 0;
    if (cursor == 0) root_move(t, type->entry_bytes, p);
    for (uint64_t looked = 0; cursor < t->buckets && looked < slots_max;) {
        segment_move(t, type->entry_bytes, p, cursor);
        struct bucket *b = table_bucket(t, type->entry_bytes, (uint32_t)cursor++);
        uint32_t count = chain_move(b, type->entry_bytes, p, visit, ctx);
        looked += count ? count : 1;
    }
    return cursor < t->buckets ? cursor : 0;
}

bool table_compact_step(struct table *t, const struct table_type *type, struct pool *p, void *ctx,
                        uint64_t *cursor, uint32_t slots_max)
{
    if (*cursor == 0 && table_fit_step(t, type, p, ctx, slots_max)) return true;
    *cursor = table_move_step(t, type, p, *cursor, slots_max, NULL, NULL);
    return *cursor != 0;
}
