#include "net/replies.h"

void replies_pool_init(struct replies_pool *pool, struct mem *m, struct reply_refs_all *refs)
{
    *pool = (struct replies_pool){.mem = m, .refs = refs};
}

static void destroy(struct replies_pool *pool, struct replies *r)
{
    proto_buf_fini(&r->buf);
    mem_free(pool->mem, r, sizeof *r);
}

void replies_pool_fini(struct replies_pool *pool)
{
    while (pool->free) destroy(pool, replies_take(pool));
}

struct replies *replies_take(struct replies_pool *pool)
{
    struct replies *r = pool->free;
    if (r) {
        pool->free = r->next;
        pool->free_count--;
        r->next = NULL;
        return r;
    }
    r = mem_alloc(pool->mem, sizeof *r);
    if (r) *r = (struct replies){.next = NULL};
    return r;
}

void replies_put_back(struct replies_pool *pool, struct replies *r)
{
    if (r->refs.count) reply_refs_drop_behind(pool->refs, &r->refs, NULL);
    if (pool->free_count == REPLIES_KEPT) {
        destroy(pool, r);
        return;
    }
    proto_buf_clear(&r->buf, REPLIES_KEPT_BYTES);
    r->next = pool->free;
    pool->free = r;
    pool->free_count++;
}

int replies_pool_check(const struct replies_pool *pool)
{
    uint32_t count = 0;
    for (const struct replies *r = pool->free; r; r = r->next, count++)
        if (replies_bytes(r) || r->refs.first || r->buf.cap > REPLIES_KEPT_BYTES) return 1;
    return count == pool->free_count && count <= REPLIES_KEPT ? 0 : 1;
}
