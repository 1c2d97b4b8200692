#include "heap/interest.h"

#include "base/panic.h"

/* The interests in one cell, or in the keys of one hash. */
struct group {
    uint64_t id; /* the cell, or the hash */
    struct interest *first;
};

static_assert(sizeof(struct group) == 16, "an entry of either table");

static uint32_t hash_of(uint64_t id)
{
    return (uint32_t)hash_word(0, id);
}

static uint32_t group_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return hash_of(((const struct group *)entry)->id);
}

static bool group_has(const void *needle, const void *entry)
{
    return ((const struct group *)entry)->id == *(const uint64_t *)needle;
}

static const struct table_type group_type = {.entry_bytes = sizeof(struct group),
                                             .hash = group_hash};

static struct group *find(const struct table *t, uint64_t id)
{
    return table_find(t, &group_type, hash_of(id), group_has, &id);
}

static uint64_t key_id(const struct interests *all, struct view key)
{
    return hash_bytes(all->hash_key, key.p, key.n);
}

static struct table *table_of(struct interests *all, const struct interest *i)
{
    return i->key.p ? &all->keys : &all->cells;
}

static uint64_t id_of(const struct interests *all, const struct interest *i)
{
    return i->key.p ? key_id(all, i->key) : i->cell;
}

/* --- touched ones --- */

static void touch(struct interests *all, struct interest *i)
{
    if (i->touched) return;
    i->touched = true;
    i->next_touched = NULL;
    i->previous_touched = all->last_touched;
    if (all->last_touched)
        all->last_touched->next_touched = i;
    else
        all->first_touched = i;
    all->last_touched = i;
}

static void untouch(struct interests *all, struct interest *i)
{
    if (!i->touched) return;
    i->touched = false;
    if (i->previous_touched)
        i->previous_touched->next_touched = i->next_touched;
    else
        all->first_touched = i->next_touched;
    if (i->next_touched)
        i->next_touched->previous_touched = i->previous_touched;
    else
        all->last_touched = i->previous_touched;
}

void interest_touch_cell(struct interests *all, uint64_t cell)
{
    const struct group *g = find(&all->cells, cell);
    for (struct interest *i = g ? g->first : NULL; i; i = i->next) touch(all, i);
}

void interest_touch_key(struct interests *all, struct view key)
{
    if (!all->keys.used) return;
    const struct group *g = find(&all->keys, key_id(all, key));
    for (struct interest *i = g ? g->first : NULL; i; i = i->next)
        if (view_eq(i->key, key)) touch(all, i);
}

static void touch_group(void *ctx, void *entry)
{
    for (struct interest *i = ((struct group *)entry)->first; i; i = i->next) touch(ctx, i);
}

void interest_touch_keys(struct interests *all)
{
    const struct table *t = &all->keys;
    for (uint64_t at = 0; at < t->buckets;)
        at = table_walk(t, &group_type, at, t->buckets, UINT32_MAX, touch_group, all);
}

void interest_rewind(struct interests *all, struct interest *last)
{
    while (all->last_touched && all->last_touched != last) untouch(all, all->last_touched);
}

void interest_tell(struct interests *all)
{
    for (struct interest *i; (i = all->first_touched);) {
        untouch(all, i);
        i->told(i);
    }
}

/* --- coming and going --- */

enum status interest_add(struct interests *all, struct interest *i)
{
    struct table *t = table_of(all, i);
    uint64_t id = id_of(all, i);
    struct group *g = find(t, id);
    if (!g) {
        g = table_insert(t, &group_type, all->pool, NULL, hash_of(id));
        if (!g) return STATUS_OOM;
        *g = (struct group){.id = id};
    }
    i->touched = false;
    i->next = g->first;
    g->first = i;
    all->count++;
    return STATUS_OK;
}

void interest_remove(struct interests *all, struct interest *i)
{
    struct table *t = table_of(all, i);
    uint64_t id = id_of(all, i);
    struct group *g = find(t, id);
    ASSERT(g);
    struct interest **link = &g->first;
    while (*link != i) link = &(*link)->next;
    *link = i->next;
    if (!g->first) table_remove(t, &group_type, all->pool, NULL, hash_of(id), g);
    untouch(all, i);
    all->count--;
}

void interests_init(struct interests *all, struct pool *pool, const struct hash_key *hash_key)
{
    *all = (struct interests){.pool = pool, .hash_key = hash_key};
    table_init(&all->cells);
    table_init(&all->keys);
}

static void forget(void *ctx, void *entry)
{
    (void)ctx, (void)entry;
}

void interests_fini(struct interests *all)
{
    while (!table_drain(&all->cells, &group_type, all->pool, UINT32_MAX, forget, NULL)) continue;
    while (!table_drain(&all->keys, &group_type, all->pool, UINT32_MAX, forget, NULL)) continue;
    all->count = 0;
}

/* --- the check --- */

struct census {
    uint64_t count, touched;
};

static void count_group(void *ctx, void *entry)
{
    struct census *c = ctx;
    for (const struct interest *i = ((const struct group *)entry)->first; i; i = i->next) {
        c->count++;
        c->touched += i->touched;
    }
}

int interest_check(const struct interests *all)
{
    struct census c = {0};
    const struct table *const tables[] = {&all->cells, &all->keys};
    for (int k = 0; k < 2; k++)
        for (uint64_t at = 0; at < tables[k]->buckets;)
            at = table_walk(tables[k], &group_type, at, tables[k]->buckets, UINT32_MAX, count_group,
                            &c);
    if (c.count != all->count) return 1;
    const struct interest *previous = NULL;
    for (const struct interest *i = all->first_touched; i; previous = i, i = i->next_touched) {
        if (!i->touched || i->previous_touched != previous || c.touched-- == 0) return 2;
    }
    return previous != all->last_touched || c.touched ? 2 : 0;
}
