#include "store/known.h"

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
    return address_hash(((const struct known_name *)record)->o);
}

static const struct table_type known_type = {.entry_bytes = sizeof(struct known_name),
                                             .hash = record_hash};

static bool record_has(const void *needle, const void *record)
{
    return ((const struct known_name *)record)->o == needle;
}

static struct known_name *find(const struct known *k, const struct obj *o)
{
    if (LIKELY(k->names.used == 0)) return NULL;
    return table_find(&k->names, &known_type, address_hash(o), record_has, o);
}

void known_init(struct known *k)
{
    table_init(&k->names);
}

struct entry *known_get(const struct known *k, const struct obj *o)
{
    const struct known_name *record = find(k, o);
    return record ? record->e : NULL;
}

enum status known_set(struct known *k, struct pool *p, const struct obj *o, struct entry *e)
{
    struct known_name *record = find(k, o);
    if (!record) record = table_insert(&k->names, &known_type, p, NULL, address_hash(o));
    if (!record) return STATUS_OOM;
    *record = (struct known_name){o, e};
    return STATUS_OK;
}

void known_forget(struct known *k, struct pool *p, const struct obj *o, const struct entry *e)
{
    struct known_name *record = find(k, o);
    if (record && record->e == e)
        table_remove(&k->names, &known_type, p, NULL, address_hash(o), record);
}

void known_moved(struct known *k, const struct obj *o, const struct entry *from, struct entry *to)
{
    struct known_name *record = find(k, o);
    if (record && record->e == from) record->e = to;
}

static void drop_record(void *ctx, void *record)
{
    (void)ctx;
    (void)record;
}

bool known_drain(struct known *k, struct pool *p, uint32_t records_max)
{
    return table_drain(&k->names, &known_type, p, records_max, drop_record, NULL);
}

void known_fini(struct known *k, struct pool *p)
{
    while (!known_drain(k, p, UINT32_MAX)) {
    }
}

struct walk {
    known_each *each;
    void *ctx;
};

static void walk_record(void *ctx, void *record)
{
    const struct walk *w = ctx;
    w->each(w->ctx, record);
}

void known_walk(const struct known *k, known_each *each, void *ctx)
{
    struct walk w = {each, ctx};
    for (uint64_t at = 0; at < k->names.buckets;)
        at = table_walk(&k->names, &known_type, at, k->names.buckets, UINT32_MAX, walk_record, &w);
}

bool known_check(const struct known *k)
{
    return table_check(&k->names, &known_type, NULL);
}
