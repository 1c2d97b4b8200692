/* Many names at a time: flushing, the steps after it, walks, the heap's questions, the check. */
#include "store/keyspace_parts.h"

enum { FINI_SLOTS = 1 << 16, SAMPLE_WALKS_MAX = 4 };

/* --- FLUSHALL and the steps after it --- */

void keyspace_flush(struct keyspace *ks)
{
    if (ks->names.used == 0) return;
    struct keyspace_debris *d = ks->spare;
    ks->spare = NULL;
    *d = (struct keyspace_debris){ks->debris, ks->names, ks->expiry, ks->known};
    ks->debris = d;
    if (keyspace_reports(ks)) effect_put(&ks->h->effects, &(struct effect){.op = EFFECT_FLUSH});
    table_init(&ks->names);
    expiry_init(&ks->expiry);
    binding_init(&ks->known);
}

/* Frees an entry that a table has let go of. Its place in a queue means nothing any more. */
static void drained(void *ctx, void *slot)
{
    struct keyspace *ks = ctx;
    struct entry *e = entry_in(slot);
    struct obj *o = entry_referred(e);
    keyspace_free_entry(ks, e);
    keyspace_drop(ks, o);
}

/* Frees debris, about entries_max names of it. A segment of its queue, and some of what is known of
 * it, go beside each batch: there are so many more names that this is soon done. */
static void debris_step(struct keyspace *ks, uint32_t entries_max)
{
    uint64_t left = entries_max;
    while (left && ks->debris) {
        struct keyspace_debris *d = ks->debris;
        uint64_t cost = (uint64_t)d->names.used + 1;
        bool rest_gone = expiry_free_step(&d->expiry, ks->h->mem, 1);
        rest_gone &= binding_drain(&d->known, ks->h->pool, (uint32_t)left);
        if (!table_drain(&d->names, &keyspace_names_type, ks->h->pool, (uint32_t)left, drained, ks))
            return;
        left -= cost < left ? cost : left;
        if (!rest_gone) continue;
        ks->debris = d->next;
        pool_free(ks->h->pool, d, sizeof *d);
    }
}

bool keyspace_step(struct keyspace *ks, uint32_t entries_max)
{
    const struct expiry_item *first;
    uint32_t left = entries_max;
    for (; left && (first = expiry_first(&ks->expiry)) && first->when_ms <= ks->now_ms; left--)
        keyspace_unbind(ks, first->e, NAME_EXPIRED);
    debris_step(ks, left);
    first = expiry_first(&ks->expiry);
    return ks->debris || (first && first->when_ms <= ks->now_ms);
}

int64_t keyspace_next_expiry_ms(const struct keyspace *ks)
{
    const struct expiry_item *first = expiry_first(&ks->expiry);
    return first ? first->when_ms : KEYSPACE_NEVER;
}

/* --- walks --- */

struct each_live {
    const struct keyspace *ks;
    keyspace_each *each;
    void *ctx;
};

static void visit_live(void *ctx, void *slot)
{
    const struct each_live *live = ctx;
    const struct entry *e = entry_in(slot);
    if (keyspace_is_live(live->ks, e)) live->each(live->ctx, e);
}

static void names_walk(const struct table *names, table_visit *visit, void *ctx)
{
    for (uint64_t at = 0; at < names->buckets;)
        at = table_walk(names, &keyspace_names_type, at, names->buckets, UINT32_MAX, visit, ctx);
}

uint64_t keyspace_scan(const struct keyspace *ks, uint64_t cursor, keyspace_each *each, void *ctx)
{
    struct each_live live = {ks, each, ctx};
    return table_scan(&ks->names, &keyspace_names_type, cursor, visit_live, &live);
}

void keyspace_walk(const struct keyspace *ks, keyspace_each *each, void *ctx)
{
    struct each_live live = {ks, each, ctx};
    names_walk(&ks->names, visit_live, &live);
}

static void visit_any(void *ctx, void *slot)
{
    const struct each_live *all = ctx;
    all->each(all->ctx, entry_in(slot));
}

void keyspace_walk_all(const struct keyspace *ks, keyspace_each *each, void *ctx)
{
    struct each_live all = {ks, each, ctx};
    names_walk(&ks->names, visit_any, &all);
}

bool keyspace_has(const struct keyspace *ks, const struct entry *e)
{
    return keyspace_slot_of(ks, e) && keyspace_is_live(ks, e);
}

uint64_t keyspace_names(const struct keyspace *ks)
{
    return ks->names.used;
}

uint64_t keyspace_dropped_names(const struct keyspace *ks)
{
    uint64_t names = 0;
    for (const struct keyspace_debris *d = ks->debris; d; d = d->next) names += d->names.used;
    return names;
}

size_t keyspace_table_bytes(const struct keyspace *ks)
{
    return table_bytes(&ks->names, &keyspace_names_type);
}

uint64_t keyspace_names_with_expiry(const struct keyspace *ks)
{
    return ks->expiry.used;
}

/* --- samples --- */

struct sampling {
    keyspace_sampled *each;
    void *ctx;
    uint32_t seen;
};

static void visit_sampled(void *ctx, void *slot)
{
    struct sampling *s = ctx;
    s->seen++;
    s->each(s->ctx, entry_in(slot));
}

static uint32_t below(struct heap *h, uint32_t n)
{
    return (uint32_t)((heap_random(h) >> 32) * n >> 32);
}

/* Neighbours in the table: a few cache misses for all of them, where names drawn one by one take
 * some for each. A walk ends early at the end of the table, and where buckets are empty. */
static void sample_table(struct keyspace *ks, uint32_t names, struct sampling *s)
{
    const struct table *t = &ks->names;
    if (names > t->used) names = t->used;
    uint32_t at = names ? below(ks->h, t->buckets) : 0;
    for (uint32_t i = 0; s->seen < names && i < SAMPLE_WALKS_MAX; i++)
        at = (uint32_t)(table_walk(t, &keyspace_names_type, at, t->buckets, names - s->seen,
                                   visit_sampled, s) %
                        t->buckets);
}

void keyspace_sample(struct keyspace *ks, struct keyspace_sample what, keyspace_sampled *each,
                     void *ctx)
{
    struct sampling s = {each, ctx, 0};
    if (!what.with_expiry) {
        sample_table(ks, what.names, &s);
        return;
    }
    if (!ks->expiry.used) return;
    for (uint32_t i = 0; i < what.names; i++)
        each(ctx, expiry_at(&ks->expiry, below(ks->h, ks->expiry.used))->e);
}

struct seen_before {
    const struct keyspace *ks;
    uint32_t hash, clock;
};

static bool slot_was_seen(const void *needle, const void *slot)
{
    const struct seen_before *s = needle;
    const struct entry *e = entry_in(slot);
    return entry_clock(e) == s->clock && keyspace_hash(s->ks, entry_key(e)) == s->hash;
}

struct entry *keyspace_sampled_before(const struct keyspace *ks, uint32_t hash, uint32_t clock)
{
    struct seen_before needle = {ks, hash, clock};
    struct entry **slot =
        table_find(&ks->names, &keyspace_names_type, hash, slot_was_seen, &needle);
    return slot ? *slot : NULL;
}

/* --- the heap's questions --- */

struct holding {
    heap_hold_visit *visit;
    void *ctx;
};

static void visit_held(void *ctx, void *slot)
{
    const struct holding *held = ctx;
    struct obj *o = entry_referred(entry_in(slot));
    if (o) held->visit(held->ctx, o, HEAP_HOLD_ROOT);
}

static void each_held(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct keyspace *ks = self;
    struct holding held = {visit, ctx};
    names_walk(&ks->names, visit_held, &held);
    for (const struct keyspace_debris *d = ks->debris; d; d = d->next)
        names_walk(&d->names, visit_held, &held);
}

/* The hook of weak references. A name that FLUSHALL dropped is in no table, and goes with the
 * others. */
static void heap_unname(void *ctx, void *name)
{
    struct keyspace *ks = ctx;
    struct entry *e = name;
    if (keyspace_slot_of(ks, e)) keyspace_unbind(ks, e, NAME_TARGET_GONE);
}

static void heap_emptied(void *ctx, struct obj *o)
{
    keyspace_emptied(ctx, o);
}

void keyspace_init(struct keyspace *ks, struct heap *h)
{
    *ks = (struct keyspace){.h = h, .holder = {.name = "names", .each = each_held, .self = ks}};
    access_init(&ks->access, heap_random(h));
    table_init(&ks->names);
    expiry_init(&ks->expiry);
    binding_init(&ks->known);
    h->weak.unname = heap_unname;
    h->weak.unname_ctx = ks;
    h->emptied = heap_emptied;
    h->emptied_ctx = ks;
    heap_add_holder(h, &ks->holder);
}

void keyspace_fini(struct keyspace *ks)
{
    while (!table_drain(&ks->names, &keyspace_names_type, ks->h->pool, FINI_SLOTS, drained, ks)) {
    }
    if (ks->spare) pool_free(ks->h->pool, ks->spare, sizeof *ks->spare);
    ks->spare = NULL;
    expiry_fini(&ks->expiry, ks->h->mem);
    binding_fini(&ks->known, ks->h->pool);
    while (ks->debris) debris_step(ks, FINI_SLOTS);
    while (heap_release_step(ks->h, FINI_SLOTS)) {
    }
}

/* --- the check --- */

/* What check has counted. */
struct census {
    const struct keyspace *ks;
    uint64_t names, with_expiry, bytes;
    bool wrong;
};

static void census_entry(struct census *c, const struct entry *e)
{
    const struct obj *o = entry_referred(e);
    c->bytes += entry_bytes(e);
    if (!entry_check(e)) c->wrong = true;                                                    /* 7 */
    if (o && obj_is_container(o) && rc_roots(c->ks->h, o) == 0) c->wrong = true;             /* 3 */
    if ((e->head & ENTRY_WEAKLY) && weak_name((const struct weak *)o) != e) c->wrong = true; /* 6 */
}

static void census_debris(void *ctx, void *slot)
{
    census_entry(ctx, entry_in(slot));
}

static void census_name(void *ctx, void *slot)
{
    struct census *c = ctx;
    const struct entry *e = entry_in(slot);
    const struct obj *o = entry_referred(e);
    struct view key = entry_key(e);
    struct key_needle n = {key, keyspace_hash(c->ks, key)};
    struct entry **found = keyspace_slot(c->ks, &n);
    if (!found || *found != e) c->wrong = true; /* 1 */
    if (entry_place(e)) {
        if (!expiry_names(&c->ks->expiry, e)) c->wrong = true; /* 2 */
        c->with_expiry++;
    }
    if (o && obj_is_container(o)) {
        bool loses_name = (o->flags & (OBJ_IDENTIFIED | OBJ_REFERRED)) == OBJ_IDENTIFIED;
        if (loses_name && binding_get(&c->ks->known, o) != e) c->wrong = true; /* 5 */
    }
    c->names++;
    census_entry(c, e);
}

static void census_known(void *ctx, const struct binding_name *record)
{
    struct census *c = ctx;
    if (!keyspace_slot_of(c->ks, record->e) || entry_referred(record->e) != record->o)
        c->wrong = true;
}

bool keyspace_check(const struct keyspace *ks)
{
    struct census c = {.ks = ks};
    if (!table_check(&ks->names, &keyspace_names_type, ks)) return false; /* 1 */
    if (!expiry_check(&ks->expiry)) return false;                         /* 2 */
    if (!binding_check(&ks->known)) return false;                         /* 5 */
    if (!evidence_check(&ks->evidence)) return false;                     /* 8 */
    if ((ks->spare != NULL) != (ks->names.used > 0)) return false;        /* 9 */
    names_walk(&ks->names, census_name, &c);
    binding_walk(&ks->known, census_known, &c); /* 5 */
    for (const struct keyspace_debris *d = ks->debris; d; d = d->next) {
        if (!table_check(&d->names, &keyspace_names_type, ks)) return false; /* 1 */
        names_walk(&d->names, census_debris, &c);
    }
    return !c.wrong && c.names == ks->names.used &&                        /* 1 */
           c.with_expiry == ks->expiry.used && c.bytes == ks->entry_bytes; /* 2, 4 */
}
