#include "store/keyspace.h"

#include "base/hash.h"

enum { FINI_SLOTS = 1 << 16 };

struct keyspace_debris {
    struct keyspace_debris *next;
    struct table names;
    struct expiry expiry;
    struct known known;
};

/* What a key is looked up with. */
struct key_needle {
    struct view key;
    uint32_t hash;
};

static struct entry *entry_in(const void *slot)
{
    return *(struct entry *const *)slot;
}

static uint32_t slot_hash(const void *ctx, const void *slot)
{
    (void)ctx;
    return entry_in(slot)->hash;
}

/* The names' references lie in entries, which a split or merge leaves where they are: no `moved`.
 */
static const struct table_type names_type = {.entry_bytes = sizeof(struct entry *),
                                             .hash = slot_hash};

static bool slot_has_key(const void *needle, const void *slot)
{
    const struct key_needle *n = needle;
    const struct entry *e = entry_in(slot);
    return e->hash == n->hash && view_eq(entry_key(e), n->key);
}

static bool slot_has_entry(const void *needle, const void *slot)
{
    return entry_in(slot) == needle;
}

uint32_t keyspace_hash(const struct keyspace *ks, struct view key)
{
    return (uint32_t)hash_bytes(ks->h->hash_seed, key.p, key.n);
}

static struct key_needle needle_of_key(const struct keyspace *ks, struct view key)
{
    const struct keyspace_expected *x = &ks->expected;
    bool known = key.p == x->key.p && key.n == x->key.n && key.p;
    DASSERT(!known || x->hash == keyspace_hash(ks, key));
    return (struct key_needle){key, known ? x->hash : keyspace_hash(ks, key)};
}

void keyspace_expect(struct keyspace *ks, struct view key, uint32_t hash)
{
    ks->expected = (struct keyspace_expected){key, hash};
}

void keyspace_prefetch(const struct keyspace *ks, uint32_t hash)
{
    table_prefetch(&ks->names, &names_type, hash);
}

const struct entry *keyspace_prefetch_entry(const struct keyspace *ks, uint32_t hash,
                                            const void **chain)
{
    const void *slot = table_glimpse(&ks->names, &names_type, hash, chain);
    if (!slot) return NULL;
    const struct entry *e = entry_in(slot);
    __builtin_prefetch(e);
    /* A short key, and most of a short value: entries are aligned to 8 bytes, not to cache lines.
     */
    __builtin_prefetch((const char *)e + 64);
    return e;
}

static struct entry *entry_find(const struct keyspace *ks, const struct key_needle *n)
{
    void *slot = table_find(&ks->names, &names_type, n->hash, slot_has_key, n);
    return slot ? entry_in(slot) : NULL;
}

size_t entry_bytes(const struct entry *e)
{
    return pool_good_bytes(sizeof *e + e->key_bytes);
}

/* An entry that is in no table and holds nothing yet. */
static struct entry *entry_new(struct keyspace *ks, const struct key_needle *n)
{
    struct entry *e = pool_alloc(ks->h->pool, sizeof *e + n->key.n);
    if (!e) return NULL;
    *e = (struct entry){.hash = n->hash, .clock_s = ks->clock_s, .key_bytes = (uint32_t)n->key.n};
    memcpy(e->key, n->key.p, n->key.n);
    ks->entry_bytes += entry_bytes(e);
    return e;
}

static void entry_free(struct keyspace *ks, struct entry *e)
{
    ks->entry_bytes -= entry_bytes(e);
    pool_free(ks->h->pool, e, sizeof *e + e->key_bytes);
}

/* Puts a complete entry into the table: the last step that can fail. */
static bool entry_insert(struct keyspace *ks, struct entry *e)
{
    struct entry **slot = table_insert(&ks->names, &names_type, ks->h->pool, NULL, e->hash);
    if (!slot) return false;
    *slot = e;
    return true;
}

/* A name is not bound to v any more. */
static void value_forget(struct keyspace *ks, const struct entry *e, val v)
{
    if (val_is_container(v)) known_forget(&ks->known, ks->h->pool, val_obj(v), e);
}

/* Removes an entry that has no place in the expiry queue; its value is the caller's. */
static void entry_remove(struct keyspace *ks, struct entry *e)
{
    void *slot = table_find(&ks->names, &names_type, e->hash, slot_has_entry, e);
    ASSERT(slot);
    table_remove(&ks->names, &names_type, ks->h->pool, NULL, e->hash, slot);
    entry_free(ks, e);
}

static enum status root_add(struct keyspace *ks, val v)
{
    return val_is_obj(v) ? rc_root_add(ks->h, val_obj(v)) : STATUS_OK;
}

static void root_drop(struct keyspace *ks, val v)
{
    if (val_is_obj(v)) rc_root_drop(ks->h, val_obj(v));
}

/* A name lets go of its value: the root before the count, so that the collector gets to know what
 * has neither. */
static void value_drop(struct keyspace *ks, val v)
{
    root_drop(ks, v);
    val_release(ks->h, v);
}

static bool entry_is_bound(const struct keyspace *ks, const struct entry *e)
{
    return table_find(&ks->names, &names_type, e->hash, slot_has_entry, e) != NULL;
}

/* Whether the name refers weakly to what is gone. */
static bool is_gone(const struct entry *e)
{
    return val_is_none(entry_value(e));
}

/* An entry has got its value. */
static void value_stored(struct entry *e)
{
    if (val_is_weak(e->v)) weak_set_name(val_obj(e->v), e);
}

static bool is_due(const struct keyspace *ks, const struct entry *e, int64_t now_ms)
{
    return UNLIKELY(e->expiry_place != 0) && expiry_when(&ks->expiry, e) <= now_ms;
}

static void expire(struct keyspace *ks, struct entry *e)
{
    ks->expired++;
    keyspace_unbind(ks, e);
}

struct entry *keyspace_find(struct keyspace *ks, struct view key, int64_t now_ms)
{
    struct key_needle n = needle_of_key(ks, key);
    struct entry *e = entry_find(ks, &n);
    if (!e) return NULL;
    if (is_due(ks, e, now_ms))
        expire(ks, e);
    else if (is_gone(e))
        keyspace_unbind(ks, e);
    else
        return e;
    return NULL;
}

struct entry *keyspace_lookup(struct keyspace *ks, struct view key, int64_t now_ms)
{
    struct entry *e = keyspace_find(ks, key, now_ms);
    if (!e) {
        ks->misses++;
        return NULL;
    }
    ks->hits++;
    e->clock_s = ks->clock_s;
    return e;
}

/* A new name. On failure nothing changed, and v is still the caller's. */
static struct entry *bind_new(struct keyspace *ks, const struct key_needle *n, val v,
                              int64_t expires_ms)
{
    struct entry *e = entry_new(ks, n);
    if (!e) return NULL;
    if (root_add(ks, v) != STATUS_OK) goto free_entry;
    if (expires_ms != KEYSPACE_NEVER &&
        expiry_set(&ks->expiry, ks->h->mem, e, expires_ms) != STATUS_OK)
        goto drop_root;
    if (!entry_insert(ks, e)) goto drop_expiry;
    e->v = v;
    value_stored(e);
    return e;
drop_expiry:
    keyspace_clear_expiry(ks, e);
drop_root:
    root_drop(ks, v);
free_entry:
    entry_free(ks, e);
    return NULL;
}

/* A name that is bound already. On failure nothing changed, and v is still the caller's. */
static enum status bind_anew(struct keyspace *ks, struct entry *e, val v,
                             struct keyspace_bind options)
{
    enum status s = root_add(ks, v);
    if (s != STATUS_OK) return s;
    if (options.expires_ms != KEYSPACE_NEVER) {
        s = expiry_set(&ks->expiry, ks->h->mem, e, options.expires_ms);
        if (s != STATUS_OK) {
            root_drop(ks, v);
            return s;
        }
    } else if (!options.keep_ttl) {
        keyspace_clear_expiry(ks, e);
    }
    val old = e->v;
    e->v = v;
    value_stored(e);
    e->clock_s = ks->clock_s;
    if (old.w != v.w) value_forget(ks, e, old);
    value_drop(ks, old);
    return STATUS_OK;
}

enum status keyspace_bind_take(struct keyspace *ks, struct view key, val v,
                               struct keyspace_bind options, struct entry **out)
{
    enum status s = STATUS_TOO_LONG;
    if (key.n > KEYSPACE_KEY_BYTES_MAX) goto out;
    struct key_needle n = needle_of_key(ks, key);
    struct entry *e = entry_find(ks, &n);
    if (e) {
        s = bind_anew(ks, e, v, options);
    } else {
        e = bind_new(ks, &n, v, options.expires_ms);
        s = e ? STATUS_OK : STATUS_OOM;
    }
    if (s == STATUS_OK && out) *out = e;
out:
    if (s != STATUS_OK) val_release(ks->h, v);
    return s;
}

enum status keyspace_rebind_take(struct keyspace *ks, struct entry *e, val v)
{
    enum status s =
        bind_anew(ks, e, v, (struct keyspace_bind){.keep_ttl = true, .expires_ms = KEYSPACE_NEVER});
    if (s != STATUS_OK) val_release(ks->h, v);
    return s;
}

enum status keyspace_rename(struct keyspace *ks, struct entry *e, struct view to)
{
    DASSERT(!view_eq(entry_key(e), to));
    if (to.n > KEYSPACE_KEY_BYTES_MAX) return STATUS_TOO_LONG;
    struct key_needle n = needle_of_key(ks, to);
    struct entry *target = entry_find(ks, &n);
    if (target) {
        keyspace_clear_expiry(ks, target);
        value_forget(ks, target, target->v);
        value_drop(ks, target->v);
    } else {
        target = entry_new(ks, &n);
        if (!target) return STATUS_OOM;
        if (!entry_insert(ks, target)) {
            entry_free(ks, target);
            return STATUS_OOM;
        }
    }
    target->v = e->v;
    value_stored(target);
    target->clock_s = e->clock_s;
    target->expiry_place = e->expiry_place;
    if (target->expiry_place) expiry_moved(&ks->expiry, target);
    e->expiry_place = 0;
    if (val_is_container(target->v)) known_moved(&ks->known, val_obj(target->v), e, target);
    entry_remove(ks, e);
    val_moved(ks->h, target->v);
    return STATUS_OK;
}

val keyspace_take(struct keyspace *ks, struct entry *e)
{
    val v = e->v;
    keyspace_clear_expiry(ks, e);
    value_forget(ks, e, v);
    entry_remove(ks, e);
    root_drop(ks, v);
    return v;
}

void keyspace_unbind(struct keyspace *ks, struct entry *e)
{
    val_release(ks->h, keyspace_take(ks, e));
}

/*
 * Several names at once.
 */

enum status keyspace_stage_take(struct keyspace *ks, struct view key, val v,
                                struct keyspace_staged *out)
{
    enum status s = STATUS_TOO_LONG;
    struct key_needle n;
    if (key.n > KEYSPACE_KEY_BYTES_MAX) goto release;
    n = needle_of_key(ks, key);
    *out = (struct keyspace_staged){.hash = n.hash, .fresh = !entry_find(ks, &n)};
    s = STATUS_OOM;
    out->e = out->fresh ? bind_new(ks, &n, v, KEYSPACE_NEVER) : entry_new(ks, &n);
    if (!out->e) goto release;
    if (out->fresh) return STATUS_OK;
    s = root_add(ks, v);
    if (s) goto free_entry;
    out->e->v = v;
    value_stored(out->e);
    return STATUS_OK;
free_entry:
    entry_free(ks, out->e);
release:
    val_release(ks->h, v);
    return s;
}

void keyspace_unstage(struct keyspace *ks, const struct keyspace_staged *staged)
{
    val v = staged->e->v;
    if (staged->fresh) {
        keyspace_unbind(ks, staged->e);
        return;
    }
    entry_free(ks, staged->e);
    value_drop(ks, v);
}

void keyspace_commit(struct keyspace *ks, const struct keyspace_staged *staged)
{
    if (staged->fresh) return;
    struct key_needle n = {entry_key(staged->e), staged->hash};
    struct entry **slot = table_find(&ks->names, &names_type, n.hash, slot_has_key, &n);
    ASSERT(slot);
    struct entry *old = *slot;
    val v = old->v;
    keyspace_clear_expiry(ks, old);
    value_forget(ks, old, v);
    *slot = staged->e;
    entry_free(ks, old);
    value_drop(ks, v);
}

/*
 * Containers that lose their name when they are emptied, however that happens.
 */

enum status keyspace_know(struct keyspace *ks, struct entry *e)
{
    if (!val_is_container(e->v) || (val_obj(e->v)->flags & OBJ_REFERRED)) return STATUS_OK;
    return known_set(&ks->known, ks->h->pool, val_obj(e->v), e);
}

void keyspace_emptied(struct keyspace *ks, const struct obj *o)
{
    struct entry *e = known_get(&ks->known, o);
    if (e && (o->flags & OBJ_REFERRED) == 0) keyspace_unbind(ks, e);
}

/* The hook of weak references. A name that FLUSHALL dropped is in no table, and goes with the
 * others. */
static void heap_unname(void *ctx, void *name)
{
    struct keyspace *ks = ctx;
    struct entry *e = name;
    if (entry_is_bound(ks, e)) keyspace_unbind(ks, e);
}

static void heap_emptied(void *ctx, struct obj *o)
{
    keyspace_emptied(ctx, o);
}

int64_t keyspace_expires_ms(const struct keyspace *ks, const struct entry *e)
{
    return e->expiry_place ? expiry_when(&ks->expiry, e) : KEYSPACE_NEVER;
}

int64_t keyspace_mean_ttl_ms(const struct keyspace *ks, int64_t now_ms)
{
    int64_t mean_ms = expiry_mean_ms(&ks->expiry);
    return mean_ms > now_ms ? mean_ms - now_ms : 0;
}

enum status keyspace_set_expiry(struct keyspace *ks, struct entry *e, int64_t when_ms)
{
    return expiry_set(&ks->expiry, ks->h->mem, e, when_ms);
}

void keyspace_clear_expiry(struct keyspace *ks, struct entry *e)
{
    if (e->expiry_place) expiry_remove(&ks->expiry, ks->h->mem, e);
}

/*
 * FLUSHALL and the steps after it.
 */

enum status keyspace_flush(struct keyspace *ks)
{
    if (ks->names.used == 0) return STATUS_OK;
    struct keyspace_debris *d = pool_alloc(ks->h->pool, sizeof *d);
    if (!d) return STATUS_OOM;
    *d = (struct keyspace_debris){ks->debris, ks->names, ks->expiry, ks->known};
    ks->debris = d;
    table_init(&ks->names);
    expiry_init(&ks->expiry);
    known_init(&ks->known);
    return STATUS_OK;
}

/* Frees an entry that a table has let go of. Its place in a queue means nothing any more. */
static void drained(void *ctx, void *slot)
{
    struct keyspace *ks = ctx;
    struct entry *e = entry_in(slot);
    val v = e->v;
    entry_free(ks, e);
    value_drop(ks, v);
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
        rest_gone &= known_drain(&d->known, ks->h->pool, (uint32_t)left);
        if (!table_drain(&d->names, &names_type, ks->h->pool, (uint32_t)left, drained, ks)) return;
        left -= cost < left ? cost : left;
        if (!rest_gone) continue;
        ks->debris = d->next;
        pool_free(ks->h->pool, d, sizeof *d);
    }
}

bool keyspace_step(struct keyspace *ks, int64_t now_ms, uint32_t entries_max)
{
    const struct expiry_item *first;
    uint32_t left = entries_max;
    for (; left && (first = expiry_first(&ks->expiry)) && first->when_ms <= now_ms; left--)
        expire(ks, first->e);
    debris_step(ks, left);
    first = expiry_first(&ks->expiry);
    return ks->debris || (first && first->when_ms <= now_ms);
}

int64_t keyspace_next_expiry_ms(const struct keyspace *ks)
{
    const struct expiry_item *first = expiry_first(&ks->expiry);
    return first ? first->when_ms : KEYSPACE_NEVER;
}

/*
 * Walks.
 */

struct each_live {
    const struct keyspace *ks;
    int64_t now_ms;
    keyspace_each *each;
    void *ctx;
};

static void visit_live(void *ctx, void *slot)
{
    const struct each_live *live = ctx;
    const struct entry *e = entry_in(slot);
    if (!is_due(live->ks, e, live->now_ms) && !is_gone(e)) live->each(live->ctx, e);
}

static void names_walk(const struct table *names, table_visit *visit, void *ctx)
{
    for (uint64_t at = 0; at < names->buckets;)
        at = table_walk(names, &names_type, at, names->buckets, UINT32_MAX, visit, ctx);
}

uint64_t keyspace_scan(const struct keyspace *ks, uint64_t cursor, int64_t now_ms,
                       keyspace_each *each, void *ctx)
{
    struct each_live live = {ks, now_ms, each, ctx};
    return table_scan(&ks->names, &names_type, cursor, visit_live, &live);
}

void keyspace_walk(const struct keyspace *ks, int64_t now_ms, keyspace_each *each, void *ctx)
{
    struct each_live live = {ks, now_ms, each, ctx};
    names_walk(&ks->names, visit_live, &live);
}

bool keyspace_has(const struct keyspace *ks, const struct entry *e, int64_t now_ms)
{
    return entry_is_bound(ks, e) && !is_due(ks, e, now_ms) && !is_gone(e);
}

uint64_t keyspace_names(const struct keyspace *ks)
{
    return ks->names.used;
}

uint64_t keyspace_names_with_expiry(const struct keyspace *ks)
{
    return ks->expiry.used;
}

struct held {
    heap_hold_visit *visit;
    void *ctx;
};

static void visit_held(void *ctx, void *slot)
{
    const struct held *held = ctx;
    val v = entry_in(slot)->v;
    if (val_is_obj(v)) held->visit(held->ctx, val_obj(v), HEAP_HOLD_ROOT);
}

static void each_held(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct keyspace *ks = self;
    struct held held = {visit, ctx};
    names_walk(&ks->names, visit_held, &held);
    for (const struct keyspace_debris *d = ks->debris; d; d = d->next)
        names_walk(&d->names, visit_held, &held);
}

void keyspace_init(struct keyspace *ks, struct heap *h)
{
    *ks = (struct keyspace){.h = h, .holder = {.name = "names", .each = each_held, .self = ks}};
    table_init(&ks->names);
    expiry_init(&ks->expiry);
    known_init(&ks->known);
    h->weak.unname = heap_unname;
    h->weak.unname_ctx = ks;
    h->emptied = heap_emptied;
    h->emptied_ctx = ks;
    heap_add_holder(h, &ks->holder);
}

void keyspace_fini(struct keyspace *ks)
{
    while (!table_drain(&ks->names, &names_type, ks->h->pool, FINI_SLOTS, drained, ks)) {
    }
    expiry_fini(&ks->expiry, ks->h->mem);
    known_fini(&ks->known, ks->h->pool);
    while (ks->debris) debris_step(ks, FINI_SLOTS);
    while (heap_release_step(ks->h, FINI_SLOTS)) {
    }
}

/* What check has counted. */
struct census {
    const struct keyspace *ks;
    uint64_t names, with_expiry, bytes;
    bool wrong;
};

static void census_value(struct census *c, const struct entry *e)
{
    c->bytes += entry_bytes(e);
    if (val_is_container(e->v) && rc_roots(c->ks->h, val_obj(e->v)) == 0) c->wrong = true; /* 3 */
    if (val_is_weak(e->v) && weak_name((const struct weak *)val_obj(e->v)) != e)
        c->wrong = true; /* 6 */
}

/* Whether the table has this very entry, of which nothing else is asked before. */
static bool is_name(const struct keyspace *ks, const struct entry *e)
{
    return table_find(&ks->names, &names_type, e->hash, slot_has_entry, e) != NULL;
}

static void census_debris(void *ctx, void *slot)
{
    census_value(ctx, entry_in(slot));
}

static void census_name(void *ctx, void *slot)
{
    struct census *c = ctx;
    const struct entry *e = entry_in(slot);
    struct key_needle n = needle_of_key(c->ks, entry_key(e));
    if (n.hash != e->hash || entry_find(c->ks, &n) != e) c->wrong = true; /* 1 */
    if (e->expiry_place) {
        if (!expiry_names(&c->ks->expiry, e)) c->wrong = true; /* 2 */
        c->with_expiry++;
    }
    c->names++;
    if (val_is_container(e->v)) {
        const struct obj *o = val_obj(e->v);
        bool loses_name = (o->flags & (OBJ_IDENTIFIED | OBJ_REFERRED)) == OBJ_IDENTIFIED;
        if (loses_name && known_get(&c->ks->known, o) != e) c->wrong = true; /* 5 */
    }
    census_value(c, e);
}

static void census_known(void *ctx, const struct known_name *record)
{
    struct census *c = ctx;
    if (!is_name(c->ks, record->e) || record->e->v.w != val_of_obj(record->o).w) c->wrong = true;
}

bool keyspace_check(const struct keyspace *ks)
{
    struct census c = {.ks = ks};
    if (!table_check(&ks->names, &names_type, NULL)) return false; /* 1 */
    if (!expiry_check(&ks->expiry)) return false;                  /* 2 */
    if (!known_check(&ks->known)) return false;                    /* 5 */
    names_walk(&ks->names, census_name, &c);
    known_walk(&ks->known, census_known, &c); /* 5 */
    for (const struct keyspace_debris *d = ks->debris; d; d = d->next) {
        if (!table_check(&d->names, &names_type, NULL)) return false; /* 1 */
        names_walk(&d->names, census_debris, &c);
    }
    return !c.wrong && c.names == ks->names.used &&                        /* 1 */
           c.with_expiry == ks->expiry.used && c.bytes == ks->entry_bytes; /* 2, 4 */
}
