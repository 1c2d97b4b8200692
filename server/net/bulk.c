#include "net/bulk.h"

#include <string.h>

#include "base/panic.h"

enum { HEAD_BYTES = offsetof(struct str, bytes), LINE_END_BYTES = 2 };

static_assert(offsetof(struct bulk, given) == 0, "what is offered is a list of bulks");

static char *bytes_of(const struct bulk *b)
{
    return b->block + HEAD_BYTES;
}

static struct bulk *next_of(const struct bulk *b)
{
    return (struct bulk *)b->given.next;
}

void bulks_init(struct bulks *b)
{
    *b = (struct bulks){0};
}

void bulks_fini(struct bulks *b, struct mem *m)
{
    for (struct bulk *bulk = b->first, *next; bulk; bulk = next) {
        next = next_of(bulk);
        DASSERT(!bulk->given.s);
        mem_free(m, bulk->block, bulk->cap);
        mem_free(m, bulk, sizeof *bulk);
    }
    bulks_init(b);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A block of so many bytes, or of those of its string where these take it. */
static size_t cap_of(size_t length, size_t most)
{
    return most >= HEAD_BYTES + length ? str_block_bytes(length) : most;
}

/* The bytes of a new block. */
static size_t first_cap(const struct bulks *b, size_t length, size_t arrived)
{
    size_t most = b->probes ? BULK_AT_ONCE_BYTES : BULK_FIRST_BYTES;
    if (most < BULK_FACTOR * arrived) most = BULK_FACTOR * arrived;
    if (most > BULK_AT_ONCE_BYTES) most = BULK_AT_ONCE_BYTES;
    return cap_of(length, most);
}

enum status bulks_begin(struct bulks *b, struct mem *m, const struct request_reader *r, char *p,
                        size_t *n)
{
    size_t at, length = request_reader_bulk(r, &at);
    if (b->filling) return STATUS_OK;
    if (length < BULK_BYTES_MIN || length > STR_BYTES_MAX) {
        b->probes = false;
        return STATUS_OK;
    }
    struct bulk *bulk = mem_alloc(m, sizeof *bulk);
    if (!bulk) return STATUS_OOM;
    size_t arrived = min_size(*n - at, length);
    *bulk = (struct bulk){.length = length, .filled = arrived};
    bulk->cap = first_cap(b, length, arrived);
    bulk->block = mem_alloc(m, bulk->cap);
    if (!bulk->block) {
        mem_free(m, bulk, sizeof *bulk);
        return STATUS_OOM;
    }
    memcpy(bytes_of(bulk), p + at, arrived);
    memmove(p + at, p + at + arrived, *n - at - arrived);
    *n -= arrived;
    if (b->last)
        b->last->given.next = &bulk->given;
    else
        b->first = bulk;
    b->last = bulk;
    b->bytes += arrived;
    b->caps += bulk->cap;
    b->filling = true;
    return STATUS_OK;
}

enum status bulks_space(struct bulks *b, struct mem *m, struct stream_space *space)
{
    struct bulk *bulk = b->last;
    if (bulk->filled == bulk->cap - HEAD_BYTES && bulk->filled < bulk->length) {
        size_t most = min_size(BULK_FACTOR * bulk->filled, BULK_AT_ONCE_BYTES);
        size_t cap = cap_of(bulk->length, most > 2 * bulk->cap ? most : 2 * bulk->cap);
        char *block = mem_realloc(m, bulk->block, bulk->cap, cap);
        if (!block) return STATUS_OOM;
        bulk->block = block;
        b->caps += cap - bulk->cap;
        bulk->cap = cap;
    }
    size_t n = min_size(bulk->cap - HEAD_BYTES, bulk->length + LINE_END_BYTES) - bulk->filled;
    *space = (struct stream_space){bytes_of(bulk) + bulk->filled, min_size(n, BULK_READ_BYTES_MAX)};
    return STATUS_OK;
}

bool bulks_filled(struct bulks *b, size_t n, struct view *behind)
{
    struct bulk *bulk = b->last;
    size_t lacks = bulk->length - bulk->filled, taken = min_size(n, lacks);
    bulk->filled += taken;
    b->bytes += taken;
    if (n < lacks) return false;
    *behind = (struct view){bytes_of(bulk) + bulk->length, n - lacks};
    b->filling = false;
    return true;
}

const char *bulks_last(const struct bulks *b)
{
    return bytes_of(b->last);
}

const struct given *bulks_give(struct bulks *b, struct heap *h)
{
    DASSERT(!b->filling);
    for (struct bulk *bulk = b->first; bulk; bulk = next_of(bulk)) {
        bulk->given.s = str_of_block(h, bulk->block, bulk->length);
        bulk->block = NULL;
    }
    b->caps = 0;
    return &b->first->given;
}

void bulks_given(struct bulks *b, struct heap *h)
{
    for (struct bulk *bulk = b->first; bulk; bulk = next_of(bulk)) {
        rc_dec(h, &bulk->given.s->head);
        bulk->given.s = NULL;
    }
}

int bulks_check(const struct bulks *b)
{
    uint64_t bytes = 0, caps = 0;
    for (const struct bulk *bulk = b->first; bulk; bulk = next_of(bulk)) {
        bool whole = bulk->filled == bulk->length, last = bulk == b->last;
        if (whole == (last && b->filling)) return 1;
        if (bulk->block && whole && bulk->cap != str_block_bytes(bulk->length)) return 2;
        bytes += bulk->filled;
        caps += bulk->block ? bulk->cap : 0;
    }
    return bytes == b->bytes && caps == b->caps ? 0 : 3;
}
