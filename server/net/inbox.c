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

enum status inbox_offer(struct inbox *in, struct mem *m, char *shared, struct inbox_room *room)
{
    size_t bytes = inbox_bytes(in);
    if (bytes <= INBOX_SMALL_BYTES) {
        if (bytes) memcpy(shared, in->p + in->begin, bytes);
        *room = (struct inbox_room){shared + bytes, INBOX_SHARED_BYTES - bytes};
        return STATUS_OK;
    }
    compact(in);
    if (in->cap - in->end < INBOX_SMALL_BYTES) {
        /* Doubling while a step may copy; from INBOX_GROWTH_BYTES_MAX on the block is mapped, and
         * growth moves no bytes. */
        size_t more = min_size(bytes, INBOX_GROWTH_BYTES_MAX);
        if (more < INBOX_SHARED_BYTES) more = INBOX_SHARED_BYTES;
        enum status status = grow(in, m, in->end + more);
        if (status) return status;
    }
    *room = (struct inbox_room){in->p + in->end, min_size(in->cap - in->end, INBOX_SHARED_BYTES)};
    return STATUS_OK;
}

void inbox_filled(struct inbox *in, size_t n)
{
    DASSERT(n <= in->cap - in->end);
    in->end += n;
}

/* Rests are of any length and live shortly. Those that do not stay small get blocks of one length,
 * which are used again: of many lengths each would leave pages of its own behind. */
static size_t cap_for(size_t bytes)
{
    return bytes > INBOX_KEPT_BYTES && bytes < INBOX_SHARED_BYTES ? INBOX_SHARED_BYTES : bytes;
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
