#include "store/binding_index.h"

#include "base/hash.h"
#include "base/panic.h"

/* A cell never moves, so its address is what it is known by. */
static uint32_t address_hash(const struct obj *o)
{
    return (uint32_t)hash_word(0, (uintptr_t)o);
}

static uint32_t record_hash(const void *ctx, const void *record)
{
    (void)ctx;
    return address_hash(((const struct binding_name *)record)->o);
}

static const struct table_type binding_type = {.entry_bytes = sizeof(struct binding_name),
                                               .hash = record_hash};

static bool record_has(const void *needle, const void *record)
{
    return ((const struct binding_name *)record)->o == needle;
}

static struct binding_name *find(const struct binding_index *k, const struct obj *o)
{
    if (LIKELY(k->names.used == 0)) return NULL;
    return table_find(&k->names, &binding_type, address_hash(o), record_has, o);
}

void binding_init(struct binding_index *k)
{
    table_init(&k->names);
}

struct entry *binding_get(const struct binding_index *k, const struct obj *o)
{
    const struct binding_name *record = find(k, o);
    return record ? record->e : NULL;
}

enum status binding_set(struct binding_index *k, struct pool *p, const struct obj *o,
                        struct entry *e)
{
    struct binding_name *record = find(k, o);
    if (!record) record = table_insert(&k->names, &binding_type, p, NULL, address_hash(o));
    if (!record) return STATUS_OOM;
    *record = (struct binding_name){o, e};
    return STATUS_OK;
}

void binding_forget(struct binding_index *k, struct pool *p, const struct obj *o,
                    const struct entry *e)
{
    struct binding_name *record = find(k, o);
    if (record && record->e == e)
        table_remove(&k->names, &binding_type, p, NULL, address_hash(o), record);
}

void binding_moved(struct binding_index *k, const struct obj *o, const struct entry *from,
                   struct entry *to)
{
    struct binding_name *record = find(k, o);
    if (record && record->e == from) record->e = to;
}

static void drop_record(void *ctx, void *record)
{
    (void)ctx;
    (void)record;
}

bool binding_drain(struct binding_index *k, struct pool *p, uint32_t records_max)
{
    return table_drain(&k->names, &binding_type, p, records_max, drop_record, NULL);
}

void binding_fini(struct binding_index *k, struct pool *p)
{
    while (!binding_drain(k, p, UINT32_MAX)) {
    }
}

struct walk {
    binding_each *each;
    void *ctx;
};

static void walk_record(void *ctx, void *record)
{
    const struct walk *w = ctx;
    w->each(w->ctx, record);
}

void binding_walk(const struct binding_index *k, binding_each *each, void *ctx)
{
    struct walk w = {each, ctx};
    for (uint64_t at = 0; at < k->names.buckets;)
        at =
            table_walk(&k->names, &binding_type, at, k->names.buckets, UINT32_MAX, walk_record, &w);
}

bool binding_check(const struct binding_index *k)
{
    return table_check(&k->names, &binding_type, NULL);
}
