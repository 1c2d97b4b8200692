#include "heap/ident.h"

#include "base/hash.h"
#include "heap/heap.h"

struct ident_entry {
    uint64_t number;
    struct obj *o;
};

static uint32_t number_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return (uint32_t)hash_word(0, ((const struct ident_entry *)entry)->number);
}

static uint32_t object_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return (uint32_t)hash_word(0, (uint64_t)(uintptr_t)((const struct ident_entry *)entry)->o);
}

static bool number_match(const void *needle, const void *entry)
{
    return ((const struct ident_entry *)entry)->number ==
           ((const struct ident_entry *)needle)->number;
}

static bool object_match(const void *needle, const void *entry)
{
    return ((const struct ident_entry *)entry)->o == ((const struct ident_entry *)needle)->o;
}

static const struct table_type number_type = {.entry_bytes = 16, .hash = number_hash};
static const struct table_type object_type = {.entry_bytes = 16, .hash = object_hash};

static struct ident_entry *find_object(const struct heap *h, const struct obj *o)
{
    struct ident_entry needle = {0, (struct obj *)(uintptr_t)o};
    return table_find(&h->ident.by_object, &object_type, object_hash(NULL, &needle), object_match,
                      &needle);
}

uint64_t ident_get(const struct heap *h, const struct obj *o)
{
    return o->flags & OBJ_IDENTIFIED ? find_object(h, o)->number : 0;
}

enum status ident_number(struct heap *h, struct obj *o, uint64_t *out)
{
    struct ident *id = &h->ident;
    if (o->flags & OBJ_IDENTIFIED) {
        *out = find_object(h, o)->number;
        return STATUS_OK;
    }
    struct ident_entry entry = {id->next, o};
    struct ident_entry *a =
        table_insert(&id->by_number, &number_type, h->pool, NULL, number_hash(NULL, &entry));
    if (!a) return STATUS_OOM;
    *a = entry;
    struct ident_entry *b =
        table_insert(&id->by_object, &object_type, h->pool, NULL, object_hash(NULL, &entry));
    if (!b) {
        table_remove(&id->by_number, &number_type, h->pool, NULL, number_hash(NULL, &entry), a);
        return STATUS_OOM;
    }
    *b = entry;
    id->next++;
    o->flags |= OBJ_IDENTIFIED;
    if (UNLIKELY(h->effects.on) && obj_is_container(o))
        effect_put(
            &h->effects,
            &(struct effect){.op = EFFECT_IDENT, .cell = effect_cell(o), .number = entry.number});
    *out = entry.number;
    return STATUS_OK;
}

enum status ident_restore(struct heap *h, struct obj *o, uint64_t number)
{
    struct ident *id = &h->ident;
    uint64_t next = id->next;
    DASSERT((o->flags & OBJ_IDENTIFIED) == 0);
    id->next = number;
    enum status s = ident_number(h, o, &number);
    if (s || id->next < next) id->next = next;
    return s;
}

struct obj *ident_find(struct heap *h, uint64_t number)
{
    struct ident_entry needle = {number, NULL};
    struct ident_entry *e = table_find(&h->ident.by_number, &number_type,
                                       number_hash(NULL, &needle), number_match, &needle);
    if (!e || e->o->count == 0) return NULL;
    if (collect_is_condemned(h, e->o)) {
        h->collect.stats.hits[COLLECT_HIT_REFUSED]++;
        return NULL;
    }
    return e->o;
}

uint64_t ident_fresh(struct heap *h)
{
    return h->ident.next++;
}

void ident_forget(struct heap *h, struct obj *o)
{
    if ((o->flags & OBJ_IDENTIFIED) == 0) return;
    struct ident_entry *b = find_object(h, o), entry = *b;
    table_remove(&h->ident.by_object, &object_type, h->pool, NULL, object_hash(NULL, &entry), b);
    struct ident_entry *a = table_find(&h->ident.by_number, &number_type, number_hash(NULL, &entry),
                                       number_match, &entry);
    table_remove(&h->ident.by_number, &number_type, h->pool, NULL, number_hash(NULL, &entry), a);
    o->flags &= (uint8_t)~OBJ_IDENTIFIED;
}

bool ident_compact_numbers_step(struct heap *h, uint64_t *cursor, uint32_t slots_max)
{
    return table_compact_step(&h->ident.by_number, &number_type, h->pool, NULL, cursor, slots_max);
}

bool ident_compact_objects_step(struct heap *h, uint64_t *cursor, uint32_t slots_max)
{
    return table_compact_step(&h->ident.by_object, &object_type, h->pool, NULL, cursor, slots_max);
}

struct check {
    const struct heap *h;
    bool right;
};

static void check_entry(void *ctx, void *entry)
{
    struct check *c = ctx;
    const struct ident_entry *a = entry;
    const struct ident_entry *b = find_object(c->h, a->o);
    c->right &= b && b->number == a->number && (a->o->flags & OBJ_IDENTIFIED); /* 1. */
    c->right &= a->number > 0 && a->number < c->h->ident.next;                 /* 2. */
}

bool ident_check(const struct heap *h)
{
    const struct table *t = &h->ident.by_number;
    struct check c = {h, t->used == h->ident.by_object.used};
    for (uint64_t at = 0; at < t->buckets;)
        at = table_walk(t, &number_type, at, t->buckets, UINT32_MAX, check_entry, &c);
    return c.right && table_check(t, &number_type, NULL) &&
           table_check(&h->ident.by_object, &object_type, NULL);
}
