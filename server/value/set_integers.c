#include "value/set_integers.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

static uint32_t load_u16(const uint8_t *at)
{
    uint16_t n;
    memcpy(&n, at, sizeof n);
    return n;
}

static uint32_t load_u32(const uint8_t *at)
{
    uint32_t n;
    memcpy(&n, at, sizeof n);
    return n;
}

/* Where the width is a constant this is a load or two. */
static ALWAYS_INLINE int64_t load(const uint8_t *at, uint32_t width)
{
    int64_t n;
    switch (width) {
    case 1: return (int8_t)at[0];
    case 2: return (int16_t)load_u16(at);
    case 3: return (int64_t)(int8_t)at[2] * (1 << 16) + load_u16(at);
    case 4: return (int32_t)load_u32(at);
    case 5: return (int64_t)(int8_t)at[4] * ((int64_t)1 << 32) + load_u32(at);
    case 6: return (int64_t)(int16_t)load_u16(at + 4) * ((int64_t)1 << 32) + load_u32(at);
    default: memcpy(&n, at, sizeof n); return n;
    }
}

static void store(uint8_t *at, int64_t n, uint32_t width)
{
    memcpy(at, &n, width);
}

static uint32_t width_of(int64_t n)
{
    uint64_t magnitude = n < 0 ? ~(uint64_t)n : (uint64_t)n;
    uint32_t bits = magnitude ? 65 - (uint32_t)__builtin_clzll(magnitude) : 1;
    uint32_t bytes = (bits + 7) / 8;
    return bytes > 6 ? 8 : bytes;
}

uint32_t set_integers_max(const struct packed *b, int64_t n)
{
    uint32_t width = width_of(n);
    if (b && b->width > width) width = b->width;
    return (PACKED_BYTES_MAX - (uint32_t)sizeof *b) / width;
}

int64_t set_integers_at(const struct packed *b, uint32_t index)
{
    DASSERT(index < b->count);
    return load(b->at + (size_t)index * b->width, b->width);
}

/* How many are below n: the comparisons choose without a branch. */
static ALWAYS_INLINE uint32_t search(const struct packed *b, int64_t n, uint32_t width)
{
    uint32_t first = 0, left = b->count;
    while (left > 1) {
        uint32_t half = left / 2;
        first = load(b->at + (size_t)(first + half - 1) * width, width) < n ? first + half : first;
        left -= half;
    }
    return first + (load(b->at + (size_t)first * width, width) < n);
}

bool set_integers_find(const struct packed *b, int64_t n, uint32_t *index)
{
    switch (b->width) {
    case 1: *index = search(b, n, 1); break;
    case 2: *index = search(b, n, 2); break;
    case 3: *index = search(b, n, 3); break;
    case 4: *index = search(b, n, 4); break;
    case 5: *index = search(b, n, 5); break;
    case 6: *index = search(b, n, 6); break;
    default: *index = search(b, n, 8); break;
    }
    return *index < b->count && set_integers_at(b, *index) == n;
}

/* A block of its own, of another width, with a gap at `index`. */
static enum status widen(struct heap *h, struct obj *o, uint32_t index, uint32_t width)
{
    const struct packed *b = packed_of(o);
    uint32_t count = b ? b->count : 0;
    struct cell made = {.head = {.type = o->type}};
    if (!packed_open(h, &made.head, 0, (size_t)(count + 1) * width, count + 1)) return STATUS_OOM;
    struct packed *wide = made.body;
    wide->width = (uint16_t)width;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to = i + (i >= index);
        store(wide->at + (size_t)to * width, set_integers_at(b, i), width);
    }
    packed_swap(h, o, &made);
    return STATUS_OK;
}

enum status set_integers_add(struct heap *h, struct obj *o, uint32_t index, int64_t n)
{
    struct packed *b = packed_of(o);
    uint32_t width = width_of(n);
    uint8_t *at;
    if (!b || b->width < width) {
        if (widen(h, o, index, width)) return STATUS_OOM;
        b = packed_of(o);
        at = b->at + (size_t)index * width;
    } else {
        width = b->width;
        at = packed_open(h, o, (size_t)index * width, width, 1);
        if (!at) return STATUS_OOM;
    }
    store(at, n, width);
    return STATUS_OK;
}

void set_integers_remove(struct heap *h, struct obj *o, uint32_t index)
{
    uint32_t width = packed_of(o)->width;
    packed_close(h, o, (size_t)index * width, width, 1);
    packed_fit(h, o);
}

bool set_integers_check(const struct packed *b)
{
    if (b->width == 0 || b->width == 7 || b->width > 8) return false; /* 2. */
    for (uint32_t i = 0; i < b->count; i++) {
        int64_t n = set_integers_at(b, i);
        if (!val_int_fits(n)) return false;
        if (i > 0 && set_integers_at(b, i - 1) >= n) return false; /* 1. */
    }
    return true;
}
