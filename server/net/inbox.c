#include "net/inbox.h"

#include <string.h>

#include "base/panic.h"

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

void inbox_init(struct inbox *in)
{
    *in = (struct inbox){0};
}

void inbox_fini(struct inbox *in, struct mem *m)
{
    mem_free(m, in->p, in->cap);
    inbox_init(in);
}

/* What waits moves to the front. */
static void compact(struct inbox *in)
{
    if (in->begin == 0) return;
    memmove(in->p, in->p + in->begin, inbox_bytes(in));
    in->end -= in->begin;
    in->begin = 0;
}

static enum status grow(struct inbox *in, struct mem *m, size_t cap)
{
    char *p = mem_realloc(m, in->p, in->cap, cap);
    if (!p) return STATUS_OOM;
    in->p = p;
    in->cap = cap;
    return STATUS_OK;
}

/* Rests are of any length and live shortly. Those that do not stay small get blocks of one length,
 * which are used again: of many lengths each would leave pages of its own behind. */
static size_t cap_for(size_t bytes)
{
    return bytes > INBOX_KEPT_BYTES && bytes < INBOX_BLOCK_BYTES ? INBOX_BLOCK_BYTES : bytes;
}

/* Space for n bytes behind what waits. Doubling while a step may copy; from INBOX_GROWTH_BYTES_MAX
 * on the block is mapped, and growth moves no bytes. */
static enum status reserve(struct inbox *in, struct mem *m, size_t n)
{
    compact(in);
    if (in->cap - in->end >= n) return STATUS_OK;
    size_t more = min_size(in->end, INBOX_GROWTH_BYTES_MAX);
    return grow(in, m, cap_for(in->end + (more > n ? more : n)));
}

enum status inbox_append(struct inbox *in, struct mem *m, struct view bytes)
{
    if (!bytes.n) return STATUS_OK;
    enum status status = reserve(in, m, bytes.n);
    if (status) return status;
    memcpy(in->p + in->end, bytes.p, bytes.n);
    in->end += bytes.n;
    return STATUS_OK;
}

enum status inbox_join(struct inbox *in, struct mem *m, char *p, size_t n, struct view *all,
                       bool *inside)
{
    size_t waits = inbox_bytes(in);
    *inside = waits > INBOX_FRONT_BYTES;
    if (*inside) {
        enum status status = inbox_append(in, m, (struct view){p, n});
        *all = inbox_view(in);
        return status;
    }
    if (waits) memcpy(p - waits, in->p + in->begin, waits);
    *all = (struct view){p - waits, waits + n};
    return STATUS_OK;
}

enum status inbox_replace(struct inbox *in, struct mem *m, struct view rest)
{
    if (rest.n > in->cap) {
        size_t cap = cap_for(rest.n);
        char *p = mem_alloc(m, cap);
        if (!p) return STATUS_OOM;
        mem_free(m, in->p, in->cap);
        in->p = p;
        in->cap = cap;
    }
    if (rest.n) memcpy(in->p, rest.p, rest.n);
    in->begin = 0;
    in->end = rest.n;
    if (rest.n == 0 && in->cap > INBOX_KEPT_BYTES) inbox_fini(in, m);
    return STATUS_OK;
}

void inbox_skip(struct inbox *in, struct mem *m, size_t n)
{
    DASSERT(n <= inbox_bytes(in));
    in->begin += n;
    if (in->begin < in->end) return;
    in->begin = in->end = 0;
    if (in->cap > INBOX_KEPT_BYTES) inbox_fini(in, m);
}

void inbox_cut(struct inbox *in, size_t n)
{
    DASSERT(n > 0 && n <= inbox_bytes(in));
    in->end = in->begin + n;
}

int inbox_check(const struct inbox *in)
{
    if (in->begin > in->end || in->end > in->cap) return 1;
    if (in->begin == in->end && in->end != 0) return 1;
    if (in->end == 0 && in->cap > INBOX_KEPT_BYTES) return 2;
    return 0;
}
