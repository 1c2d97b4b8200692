#include "base/hash.h"
#include "base/prefetch.h"
#include "store/keyspace_parts.h"

enum { ENTRY_LINE_BYTES = 64 };

static uint32_t slot_hash(const void *ctx, const void *slot)
{
    return keyspace_hash(ctx, entry_key(entry_in(slot)));
}

/* The names' references lie in entries, which a split or merge leaves where they are: no `moved`.
 */
const struct table_type keyspace_names_type = {.entry_bytes = sizeof(struct entry *),
                                               .hash = slot_hash};

static bool slot_has_key(const void *needle, const void *slot)
{
    const struct entry *e = entry_in(slot);
    /* It is the one, nearly always, and its value goes on there: both lines come at once. */
    prefetch((const char *)e + ENTRY_LINE_BYTES);
    return view_eq(entry_key(e), ((const struct key_needle *)needle)->key);
}

static bool slot_has_entry(const void *needle, const void *slot)
{
    return entry_in(slot) == needle;
}

uint32_t keyspace_hash(const struct keyspace *ks, struct view key)
{
    return (uint32_t)hash_bytes(&ks->h->hash_key, key.p, key.n);
}

struct key_needle keyspace_needle(const struct keyspace *ks, struct view key)
{
    return (struct key_needle){key, keyspace_hash(ks, key)};
}

void keyspace_prefetch_directory(const struct keyspace *ks, uint32_t hash)
{
    table_prefetch_directory(&ks->names, hash);
}

void keyspace_prefetch_bucket(const struct keyspace *ks, uint32_t hash)
{
    table_prefetch_bucket(&ks->names, &keyspace_names_type, hash);
}

const void *keyspace_prefetch_entry(const struct keyspace *ks, uint32_t hash, const void *chain)
{
    (void)table_glimpse(&ks->names, &keyspace_names_type, hash, &chain);
    return chain;
}

struct entry **keyspace_slot(const struct keyspace *ks, const struct key_needle *n)
{
    return table_find(&ks->names, &keyspace_names_type, n->hash, slot_has_key, n);
}

struct entry **keyspace_slot_of(const struct keyspace *ks, const struct entry *e)
{
    uint32_t hash = keyspace_hash(ks, entry_key(e));
    return table_find(&ks->names, &keyspace_names_type, hash, slot_has_entry, e);
}

/* --- entries, and what they refer to --- */

struct entry *keyspace_make_entry(struct keyspace *ks, struct view key,
                                  const struct entry_content *c, bool expires)
{
    struct entry *e = entry_new(ks->h->pool, key, c, expires);
    if (!e) return NULL;
    entry_set_clock(e, access_new(&ks->access));
    ks->entry_bytes += entry_bytes(e);
    return e;
}

void keyspace_free_entry(struct keyspace *ks, struct entry *e)
{
    ks->entry_bytes -= entry_bytes(e);
    entry_free(ks->h->pool, e);
}

/* Where there are no names a flush needs nothing: invariant 9. */
static void spare_fit(struct keyspace *ks)
{
    if (LIKELY(ks->names.used || !ks->spare)) return;
    pool_free(ks->h->pool, ks->spare, sizeof *ks->spare);
    ks->spare = NULL;
}

bool keyspace_insert(struct keyspace *ks, struct entry *e, uint32_t hash)
{
    if (UNLIKELY(!ks->spare)) ks->spare = pool_alloc(ks->h->pool, sizeof *ks->spare);
    if (!ks->spare) return false;
    struct entry **slot = table_insert(&ks->names, &keyspace_names_type, ks->h->pool, ks, hash);
    if (slot)
        *slot = e;
    else
        spare_fit(ks);
    return slot != NULL;
}

void keyspace_extract(struct keyspace *ks, struct entry *e)
{
    struct entry **slot = keyspace_slot_of(ks, e);
    ASSERT(slot);
    table_remove(&ks->names, &keyspace_names_type, ks->h->pool, ks, keyspace_hash(ks, entry_key(e)),
                 slot);
    spare_fit(ks);
}

/* The root before the count, so that the collector gets to know what has neither. */
void keyspace_drop(struct keyspace *ks, struct obj *o)
{
    if (!o) return;
    rc_root_drop(ks->h, o);
    rc_dec(ks->h, o);
}

void keyspace_forget(struct keyspace *ks, const struct entry *e, const struct obj *o)
{
    if (o) binding_forget(&ks->known, ks->h->pool, o, e);
}

void keyspace_stored(struct entry *e)
{
    if (UNLIKELY(e->head & ENTRY_WEAKLY)) weak_set_name(entry_obj(e), e);
}

void keyspace_moved(struct keyspace *ks, struct entry **slot, const struct entry *from,
                    struct entry *to)
{
    *slot = to;
    if (entry_place(to)) expiry_moved(&ks->expiry, to);
    struct obj *o = entry_referred(to);
    if (o && o == entry_referred(from)) binding_moved(&ks->known, o, from, to);
}

bool keyspace_is_due(const struct keyspace *ks, const struct entry *e)
{
    return UNLIKELY(entry_place(e) != 0) && expiry_when(&ks->expiry, e) <= ks->now_ms;
}

/* Whether the name refers weakly to what is gone. */
static bool is_gone(const struct entry *e)
{
    return UNLIKELY(e->head & ENTRY_WEAKLY) && !weak_target(entry_obj(e));
}

bool keyspace_is_live(const struct keyspace *ks, const struct entry *e)
{
    return !keyspace_is_due(ks, e) && !is_gone(e);
}

/* --- looking up --- */

struct entry *keyspace_find_any(const struct keyspace *ks, struct view key)
{
    struct key_needle n = keyspace_needle(ks, key);
    struct entry **slot = keyspace_slot(ks, &n);
    return slot ? *slot : NULL;
}

struct entry *keyspace_find_hashed(const struct keyspace *ks, struct view key, uint32_t hash)
{
    struct key_needle n = {key, hash};
    DASSERT(hash == keyspace_hash(ks, key));
    struct entry **slot = keyspace_slot(ks, &n);
    return slot && keyspace_is_live(ks, *slot) ? *slot : NULL;
}

struct entry *keyspace_find(const struct keyspace *ks, struct view key)
{
    return keyspace_find_hashed(ks, key, keyspace_hash(ks, key));
}

struct entry *keyspace_lookup(struct keyspace *ks, struct view key)
{
    return keyspace_lookup_hashed(ks, key, keyspace_hash(ks, key));
}

struct entry *keyspace_lookup_hashed(struct keyspace *ks, struct view key, uint32_t hash)
{
    struct entry *e = keyspace_find_hashed(ks, key, hash);
    if (!e) {
        ks->misses++;
        return NULL;
    }
    ks->hits++;
    keyspace_touch(ks, e);
    return e;
}

void keyspace_evict(struct keyspace *ks, struct entry *e)
{
    keyspace_unbind(ks, e, keyspace_is_due(ks, e) ? NAME_EXPIRED : NAME_EVICTED);
}

uint32_t keyspace_idle_s(const struct keyspace *ks, const struct entry *e)
{
    return access_idle_s(&ks->access, entry_clock(e));
}

uint32_t keyspace_frequency(const struct keyspace *ks, const struct entry *e)
{
    return access_count(&ks->access, entry_clock(e));
}

void keyspace_unbind(struct keyspace *ks, struct entry *e, enum name_gone why)
{
    struct obj *o = entry_referred(e);
    ks->expired += why == NAME_EXPIRED;
    ks->evicted += why == NAME_EVICTED;
    if (keyspace_reports(ks)) keyspace_report_unbind(ks, e, why);
    keyspace_drop_expiry(ks, e);
    keyspace_forget(ks, e, o);
    keyspace_extract(ks, e);
    keyspace_free_entry(ks, e);
    keyspace_drop(ks, o);
}

/* --- containers that lose their name when they are emptied, however that happens --- */

enum status keyspace_know(struct keyspace *ks, struct entry *e)
{
    struct obj *o = entry_referred(e);
    if (!o || !obj_is_container(o) || (o->flags & OBJ_REFERRED)) return STATUS_OK;
    return binding_set(&ks->known, ks->h->pool, o, e);
}

void keyspace_refer(struct keyspace *ks, struct obj *o)
{
    if (o->flags & OBJ_REFERRED) return;
    heap_mark_referred(ks->h, o);
    const struct entry *e = binding_get(&ks->known, o);
    if (e) binding_forget(&ks->known, ks->h->pool, o, e);
}

void keyspace_emptied(struct keyspace *ks, const struct obj *o)
{
    struct entry *e = binding_get(&ks->known, o);
    if (e && (o->flags & OBJ_REFERRED) == 0) keyspace_unbind(ks, e, NAME_EMPTIED);
}

/* --- TTL --- */

int64_t keyspace_expires_ms(const struct keyspace *ks, const struct entry *e)
{
    return entry_place(e) ? expiry_when(&ks->expiry, e) : KEYSPACE_NEVER;
}

int64_t keyspace_mean_ttl_ms(const struct keyspace *ks)
{
    int64_t mean_ms = expiry_mean_ms(&ks->expiry);
    return mean_ms > ks->now_ms ? mean_ms - ks->now_ms : 0;
}

enum status keyspace_set_expiry(struct keyspace *ks, struct entry **e, int64_t when_ms)
{
    struct entry *old = *e;
    if (!entry_has_room(old)) {
        if (expiry_reserve(&ks->expiry, ks->h->mem)) return STATUS_OOM;
        struct entry *now = entry_with_room(ks->h->pool, old);
        if (!now) return STATUS_OOM;
        if (now != old) {
            ks->entry_bytes += entry_bytes(now);
            keyspace_moved(ks, keyspace_slot_of(ks, old), old, now);
            keyspace_stored(now);
            keyspace_free_entry(ks, old);
        }
        *e = now;
    }
    enum status s = expiry_set(&ks->expiry, ks->h->mem, *e, when_ms);
    if (!s && keyspace_reports(ks)) keyspace_report_expiry(ks, *e);
    return s;
}

/* The space in the entry stays until the name is bound anew: a smaller entry could not always be
 * had. */
void keyspace_drop_expiry(struct keyspace *ks, struct entry *e)
{
    if (entry_place(e)) expiry_remove(&ks->expiry, ks->h->mem, e);
}

void keyspace_clear_expiry(struct keyspace *ks, struct entry *e)
{
    if (!entry_place(e)) return;
    keyspace_drop_expiry(ks, e);
    if (keyspace_reports(ks)) keyspace_report_expiry(ks, e);
}
