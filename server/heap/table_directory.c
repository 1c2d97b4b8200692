/*
 * Room for buckets: the one block of a small table, the segments of a large one and the directory
 * that names them. What a table of so many buckets has allocated follows from the number (but for a
 * directory, which may be too long), so nothing else is kept.
 */
#include "heap/table_bucket.h"

enum { DIRECTORY_SLOTS_MIN = 2, PAGE_BYTES = TABLE_PAGE_SLOTS * sizeof(void *) };

/* --- the directory: an array, of segments or of pages --- */

static bool array_resize(struct table *t, struct pool *p, uint32_t slots)
{
    void **array = pool_alloc(p, slots * sizeof *array);
    if (!array) return false;
    memcpy(array, t->buckets_at, table_array_used(t) * sizeof *array);
    pool_free(p, t->buckets_at, table_array_bytes(t));
    t->buckets_at = array;
    t->directory_slots = table_is_paged(t) ? slots * TABLE_PAGE_SLOTS : slots;
    return true;
}

/* What the table names becomes the first of an array: the one block of buckets, or an array that
 * has become one page. */
static bool array_begin(struct table *t, struct pool *p, uint32_t segments_each)
{
    void **array = pool_alloc(p, DIRECTORY_SLOTS_MIN * sizeof *array);
    if (!array) return false;
    array[0] = t->buckets_at;
    t->buckets_at = array;
    t->directory_slots = DIRECTORY_SLOTS_MIN * segments_each;
    return true;
}

static bool page_add(struct table *t, struct pool *p)
{
    uint32_t pages = table_segments(t) / TABLE_PAGE_SLOTS;
    void *page = pool_alloc(p, PAGE_BYTES);
    if (!page) return false;
    bool fits = table_segments(t) < t->directory_slots;
    if (!fits && !(table_is_paged(t) ? array_resize(t, p, 2 * pages)
                                     : array_begin(t, p, TABLE_PAGE_SLOTS))) {
        pool_free(p, page, PAGE_BYTES);
        return false;
    }
    ((void **)t->buckets_at)[pages] = page;
    return true;
}

/* The last page is empty. */
static void page_drop(struct table *t, struct pool *p, uint32_t pages_left)
{
    void **array = t->buckets_at;
    pool_free(p, array[pages_left], PAGE_BYTES);
    if (pages_left > 1) return;
    t->buckets_at = array[0];
    pool_free(p, array, t->directory_slots / TABLE_PAGE_SLOTS * sizeof *array);
    t->directory_slots = TABLE_PAGE_SLOTS;
}

/* A slot for one more segment. All there are are full. */
static bool slot_add(struct table *t, struct pool *p)
{
    uint32_t segments = table_segments(t);
    if (segments % TABLE_PAGE_SLOTS == 0) return page_add(t, p);
    return segments < t->directory_slots || array_resize(t, p, 2 * segments);
}

void table_directory_fit(struct table *t, struct pool *p)
{
    if (!t->directory_slots) return;
    uint32_t slots = (uint32_t)(table_array_bytes(t) / sizeof(void *));
    if (table_array_used(t) <= slots / 4) (void)array_resize(t, p, slots / 2);
}

/* --- buckets --- */

/* Room for bucket number t->buckets where a segment is full. */
static bool segment_add(struct table *t, struct pool *p, uint32_t entry_bytes)
{
    size_t segment_bytes = TABLE_SEGMENT_BUCKETS * bucket_bytes(entry_bytes);
    void *segment = pool_alloc(p, segment_bytes);
    if (!segment) return false;
    if (!(t->directory_slots ? slot_add(t, p) : array_begin(t, p, 1))) {
        pool_free(p, segment, segment_bytes);
        return false;
    }
    *table_slot(t, table_segments(t)) = segment;
    return true;
}

/* Moves the one block into one that has room for so many buckets; `keep` are those there now. */
static void block_move(struct table *t, struct pool *p, uint32_t entry_bytes, void *block,
                       uint32_t keep)
{
    size_t bytes = bucket_bytes(entry_bytes);
    if (keep) memcpy(block, t->buckets_at, keep * bytes);
    pool_free(p, t->buckets_at, block_buckets(t->buckets) * bytes);
    t->buckets_at = block;
}

bool table_bucket_add(struct table *t, struct pool *p, uint32_t entry_bytes)
{
    uint32_t n = t->buckets;
    if (n >= TABLE_SEGMENT_BUCKETS) {
        if (n % TABLE_SEGMENT_BUCKETS == 0 && !segment_add(t, p, entry_bytes)) return false;
    } else if (n == 0 || block_buckets(n) != block_buckets(n + 1)) {
        void *block = pool_alloc(p, block_buckets(n + 1) * bucket_bytes(entry_bytes));
        if (!block) return false;
        block_move(t, p, entry_bytes, block, n);
    }
    t->buckets = n + 1;
    bucket_clear(table_bucket(t, entry_bytes, n));
    return true;
}

void table_bucket_drop(struct table *t, struct pool *p, uint32_t entry_bytes, void *block)
{
    uint32_t n = t->buckets - 1;
    if (block) block_move(t, p, entry_bytes, block, n);
    t->buckets = n;
    if (!t->directory_slots || n % TABLE_SEGMENT_BUCKETS != 0) return;

    uint32_t segments = n / TABLE_SEGMENT_BUCKETS;
    pool_free(p, *table_slot(t, segments), TABLE_SEGMENT_BUCKETS * bucket_bytes(entry_bytes));
    if (segments % TABLE_PAGE_SLOTS == 0) {
        page_drop(t, p, segments / TABLE_PAGE_SLOTS);
    } else if (segments == 1) {
        void **directory = t->buckets_at;
        t->buckets_at = directory[0];
        pool_free(p, directory, t->directory_slots * sizeof *directory);
        t->directory_slots = 0;
    }
}

void table_buckets_free(struct table *t, struct pool *p, uint32_t entry_bytes)
{
    size_t bytes = bucket_bytes(entry_bytes);
    if (t->directory_slots) {
        for (uint32_t i = table_segments(t); i-- > 0;)
            pool_free(p, *table_slot(t, i), TABLE_SEGMENT_BUCKETS * bytes);
        for (uint32_t i = table_pages(t); i-- > 0;)
            pool_free(p, ((void **)t->buckets_at)[i], PAGE_BYTES);
        pool_free(p, t->buckets_at, table_array_bytes(t));
    } else if (t->buckets) {
        pool_free(p, t->buckets_at, block_buckets(t->buckets) * bytes);
    }
    *t = (struct table){0};
}
