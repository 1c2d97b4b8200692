#include "store/evict.h"

#include "base/prefetch.h"

#include <string.h>

static const struct evict_policy policies[] = {
    {"noeviction", EVICT_NONE, false},       {"allkeys-lru", EVICT_IDLE, false},
    {"allkeys-lfu", EVICT_RARE, false},      {"allkeys-random", EVICT_RANDOM, false},
    {"volatile-lru", EVICT_IDLE, true},      {"volatile-lfu", EVICT_RARE, true},
    {"volatile-random", EVICT_RANDOM, true}, {"volatile-ttl", EVICT_TTL, true},
};

enum { POLICIES = sizeof policies / sizeof *policies };

const struct evict_policy *evict_policy_at(uint32_t index)
{
    return index < POLICIES ? &policies[index] : NULL;
}

void evict_init(struct evict *ev, struct keyspace *ks)
{
    *ev = (struct evict){.ks = ks, .policy = policies, .samples = 5};
}

void evict_configure(struct evict *ev, const char *policy, uint64_t samples)
{
    const struct evict_policy *p = policies;
    while (strcmp(p->name, policy) != 0) {
        p++;
        ASSERT(p < policies + POLICIES);
    }
    if (p != ev->policy) ev->count = ev->vain = 0;
    ev->policy = p;
    ev->samples = samples < EVICT_SAMPLES_MAX ? (uint32_t)samples : EVICT_SAMPLES_MAX;
    ev->ks->access.counts = p->order == EVICT_RARE;
}

/* --- candidates --- */

/* Whether what was better than others is still when other names go. */
static bool keeps(const struct evict_policy *p)
{
    return p->order == EVICT_IDLE || p->order == EVICT_RARE;
}

static enum evict_class class_of(const struct heap *h, const struct entry *e)
{
    const struct obj *o = entry_referred(e);
    if (!o || o->count == 1) return EVICT_SOLE; /* also a weak reference */
    if (o->count > EVICT_SHARERS_MAX) return EVICT_HELD;
    return obj_is_container(o) && rc_roots(h, o) < o->count ? EVICT_HELD : EVICT_SHARED;
}

/* The last use as a number that grows, however often the clock has begun again. */
static uint64_t last_use_s(const struct keyspace *ks, const struct entry *e)
{
    return ((uint64_t)1 << 32) + ks->access.now_s - keyspace_idle_s(ks, e);
}

static uint64_t key_of(const struct evict *ev, const struct entry *e)
{
    switch (ev->policy->order) {
    case EVICT_IDLE: return last_use_s(ev->ks, e);
    case EVICT_RARE: return (uint64_t)keyspace_frequency(ev->ks, e) << 34 | last_use_s(ev->ks, e);
    case EVICT_RANDOM: return heap_random(ev->ks->h);
    case EVICT_TTL: return (uint64_t)keyspace_expires_ms(ev->ks, e);
    case EVICT_NONE: break;
    }
    return 0;
}

static bool goes_before(const struct evict_candidate *a, const struct evict_candidate *b)
{
    return a->class != b->class ? a->class < b->class : a->key < b->key;
}

static void forget(struct evict *ev, uint32_t i)
{
    ev->count--;
    memmove(&ev->candidates[i], &ev->candidates[i + 1], (ev->count - i) * sizeof ev->candidates[0]);
}

/* If it is not better than the worst of a full list, nothing happens. */
static void consider(struct evict *ev, struct evict_candidate c)
{
    for (uint32_t i = 0; i < ev->count; i++) {
        if (ev->candidates[i].hash != c.hash) continue;
        forget(ev, i);
        break;
    }
    if (ev->count == EVICT_CANDIDATES) {
        if (!goes_before(&c, &ev->candidates[0])) return;
        forget(ev, 0);
    }
    uint32_t at = ev->count++;
    for (; at && goes_before(&ev->candidates[at - 1], &c); at--)
        ev->candidates[at] = ev->candidates[at - 1];
    ev->candidates[at] = c;
}

/* Names that were sampled and are being fetched into the cache. */
struct batch {
    struct entry *e[EVICT_SAMPLES_MAX];
    uint32_t count;
};

static void fetch(void *ctx, struct entry *e)
{
    struct batch *b = ctx;
    if (b->count == EVICT_SAMPLES_MAX) return;
    prefetch(e);
    b->e[b->count++] = e;
}

static void fetch_objects(const struct batch *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (entry_refers(b->e[i])) prefetch(entry_obj(b->e[i]));
}

static void consider_all(struct evict *ev, const struct batch *b)
{
    fetch_objects(b);
    for (uint32_t i = 0; i < b->count; i++) {
        const struct entry *e = b->e[i];
        consider(ev, (struct evict_candidate){
                         .hash = keyspace_hash(ev->ks, entry_key(e)),
                         .clock = entry_clock(e),
                         .class = class_of(ev->ks->h, e),
                         .key = key_of(ev, e),
                     });
    }
}

static void sample(struct evict *ev)
{
    struct batch b = {.count = 0};
    struct keyspace_sample what = {ev->samples, ev->policy->with_expiry};
    keyspace_sample(ev->ks, what, fetch, &b);
    consider_all(ev, &b);
}

/* The first places of the queue hold the earliest name first, and then those that are about as
 * early. */
static void take_earliest(struct evict *ev)
{
    const struct expiry *x = &ev->ks->expiry;
    for (uint32_t i = 0; i < x->used && i < EVICT_LOOKS_MAX;) {
        struct batch b = {.count = 0};
        for (; b.count < ev->samples && i < x->used; i++) fetch(&b, expiry_at(x, i)->e);
        consider_all(ev, &b);
        if (ev->candidates[ev->count - 1].class == EVICT_SOLE) return;
    }
}

/* The name of a candidate, if it is still what it was. */
static struct entry *still_there(const struct evict *ev, const struct evict_candidate *c)
{
    struct entry *e = keyspace_sampled_before(ev->ks, c->hash, c->clock);
    if (!e || class_of(ev->ks->h, e) > c->class) return NULL;
    return ev->policy->with_expiry && !entry_place(e) ? NULL : e;
}

/* The best candidate that is what it was, and takes it out; NULL: there is none. */
static struct entry *best(struct evict *ev)
{
    while (ev->count) {
        struct entry *e = still_there(ev, &ev->candidates[ev->count - 1]);
        if (e) return e;
        ev->count--;
    }
    return NULL;
}

/* The best name that can be found, which is also the last candidate. */
static struct entry *choose(struct evict *ev)
{
    if (ev->policy->order == EVICT_TTL) {
        take_earliest(ev);
        return best(ev);
    }
    struct entry *e = NULL;
    for (uint32_t looks = 0; looks < EVICT_LOOKS_MAX; looks += ev->samples) {
        sample(ev);
        e = best(ev);
        if (e && class_of(ev->ks->h, e) == EVICT_SOLE) return e;
    }
    return e;
}

/* --- whether to --- */

/* What the entries of all names that may go take. */
static uint64_t entries_bytes(const struct evict *ev)
{
    const struct keyspace *ks = ev->ks;
    if (!ev->policy->with_expiry) return ks->entry_bytes;
    uint64_t names = keyspace_names(ks);
    return names ? ks->entry_bytes / names * keyspace_names_with_expiry(ks) : 0;
}

static bool may_try(struct evict *ev, const struct entry *e)
{
    uint64_t collected = ev->ks->h->collect.collected;
    if (collected != ev->collected_seen) ev->vain = 0;
    ev->collected_seen = collected;
    if (ev->vain >= EVICT_VAIN_MAX || entry_obj(e)->count > EVICT_SHARERS_MAX) return false;
    ev->vain++;
    return true;
}

enum evict_result evict_one(struct evict *ev, uint64_t wanted_bytes)
{
    if (ev->policy->order == EVICT_NONE) return EVICT_NO_HELP;
    struct entry *e = choose(ev);
    if (!e) return EVICT_NO_HELP;
    ev->count = keeps(ev->policy) ? ev->count - 1 : 0;
    struct heap *h = ev->ks->h;
    bool is_sole = class_of(h, e) == EVICT_SOLE;
    if (is_sole)
        ev->vain -= ev->vain > 0;
    else if (ev->collecting)
        return EVICT_LATER;
    else if (wanted_bytes > entries_bytes(ev) && !may_try(ev, e))
        return EVICT_NO_HELP;
    ev->names_shared += !is_sole;
    uint64_t before = heap_used_bytes(h);
    keyspace_evict(ev->ks, e);
    uint64_t after = heap_used_bytes(h);
    if (after < before) ev->freed_bytes += before - after;
    return EVICT_WENT;
}

bool evict_has_names(const struct evict *ev)
{
    const struct keyspace *ks = ev->ks;
    if (ev->policy->order == EVICT_NONE) return false;
    return (ev->policy->with_expiry ? keyspace_names_with_expiry(ks) : keyspace_names(ks)) > 0;
}

bool evict_check(const struct evict *ev)
{
    if (ev->count > EVICT_CANDIDATES) return false; /* 1 */
    for (uint32_t i = 0; i < ev->count; i++) {
        if (i && goes_before(&ev->candidates[i - 1], &ev->candidates[i])) return false; /* 1 */
        for (uint32_t k = 0; k < i; k++)
            if (ev->candidates[k].hash == ev->candidates[i].hash) return false; /* 1 */
    }
    if (ev->count && !keeps(ev->policy)) return false;                 /* 2 */
    return ev->ks->access.counts == (ev->policy->order == EVICT_RARE); /* 3 */
}
