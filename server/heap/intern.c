#include "heap/intern.h"

#include "base/panic.h"
#include "heap/heap.h"

struct intern_needle {
    const struct heap *h;
    struct view text;
};

static struct view text_of(const struct heap *h, const struct obj *o)
{
    return h->types[o->type]->text(o);
}

static uint32_t intern_hash(const void *ctx, const void *entry)
{
    const struct heap *h = ctx;
    const struct obj *o = *(struct obj *const *)entry;
    return h->types[o->type]->hash(h, o);
}

static bool text_match(const void *needle, const void *entry)
{
    const struct intern_needle *n = needle;
    return view_eq(text_of(n->h, *(struct obj *const *)entry), n->text);
}

static bool object_match(const void *needle, const void *entry)
{
    return *(struct obj *const *)entry == needle;
}

static const struct table_type intern_type = {.entry_bytes = 8, .hash = intern_hash};

struct obj *intern_find(struct heap *h, struct view text, uint32_t hash)
{
    struct intern_needle needle = {h, text};
    struct obj **entry = table_find(&h->intern.strings, &intern_type, hash, text_match, &needle);
    if (!entry) {
        h->intern.misses++;
        return NULL;
    }
    h->intern.hits++;
    return *entry;
}

enum status intern_add(struct heap *h, struct obj *o, uint32_t hash)
{
    struct obj **entry = table_insert(&h->intern.strings, &intern_type, h->pool, h, hash);
    if (!entry) return STATUS_OOM;
    *entry = o;
    o->flags |= OBJ_INTERNED;
    h->intern.saved_bytes += h->types[o->type]->bytes(o) * (o->count - 1);
    return STATUS_OK;
}

void intern_forget(struct heap *h, struct obj *o)
{
    uint32_t hash = h->types[o->type]->hash(h, o);
    struct obj **entry = table_find(&h->intern.strings, &intern_type, hash, object_match, o);
    ASSERT(entry);
    table_remove(&h->intern.strings, &intern_type, h->pool, h, hash, entry);
    o->flags &= (uint8_t)~OBJ_INTERNED;
}

void intern_moved(struct heap *h, const struct obj *from, struct obj *to)
{
    uint32_t hash = h->types[to->type]->hash(h, to);
    struct obj **entry = table_find(&h->intern.strings, &intern_type, hash, object_match, from);
    ASSERT(entry);
    *entry = to;
}

void intern_shared(struct heap *h, const struct obj *o)
{
    h->intern.saved_bytes += h->types[o->type]->bytes(o);
}

void intern_unshared(struct heap *h, const struct obj *o)
{
    h->intern.saved_bytes -= h->types[o->type]->bytes(o);
}

bool intern_compact_step(struct heap *h, uint64_t *cursor, uint32_t slots_max)
{
    return table_compact_step(&h->intern.strings, &intern_type, h->pool, h, cursor, slots_max);
}

struct check {
    const struct heap *h;
    uint64_t saved_bytes;
    bool right;
};

static void check_entry(void *ctx, void *entry)
{
    struct check *c = ctx;
    const struct obj *o = *(struct obj *const *)entry;
    struct intern_needle same = {c->h, text_of(c->h, o)};
    c->right &= o->count > 0 && (o->flags & OBJ_INTERNED) != 0; /* 1. */
    c->right &= table_find(&c->h->intern.strings, &intern_type, intern_hash(c->h, entry),
                           text_match, &same) == entry; /* 2. */
    c->saved_bytes += c->h->types[o->type]->bytes(o) * (o->count - 1);
}

bool intern_check(const struct heap *h)
{
    struct check c = {h, 0, true};
    const struct table *t = &h->intern.strings;
    for (uint64_t at = 0; at < t->buckets;)
        at = table_walk(t, &intern_type, at, t->buckets, UINT32_MAX, check_entry, &c);
    return c.right && c.saved_bytes == h->intern.saved_bytes /* 3. */ &&
           table_check(t, &intern_type, h);
}
