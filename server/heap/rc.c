#include "heap/rc.h"

#include "base/hash.h"

/* An object whose roots do not fit in its header, and how many it has. */
struct roots_entry {
    const struct obj *o;
    uint64_t roots;
};

static uint32_t object_hash(const struct obj *o)
{
    return (uint32_t)hash_word(0, (uint64_t)(uintptr_t)o);
}

static uint32_t roots_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return object_hash(((const struct roots_entry *)entry)->o);
}

static bool roots_match(const void *needle, const void *entry)
{
    return ((const struct roots_entry *)entry)->o == needle;
}

static const struct table_type roots_type = {.entry_bytes = 16, .hash = roots_hash};

static_assert(sizeof(struct roots_entry) == 16, "an entry of the overflow table");

static struct roots_entry *roots_find(const struct heap *h, const struct obj *o)
{
    return table_find(&h->roots_over, &roots_type, object_hash(o), roots_match, o);
}

enum status rc_root_add(struct heap *h, struct obj *o)
{
    if (!obj_is_container(o)) return STATUS_OK;
    if (LIKELY(o->roots < OBJ_ROOTS_MAX - 1)) {
        o->roots++;
        return STATUS_OK;
    }
    if (o->roots == OBJ_ROOTS_MAX) {
        roots_find(h, o)->roots++;
        return STATUS_OK;
    }
    struct roots_entry *e =
        table_insert(&h->roots_over, &roots_type, h->pool, NULL, object_hash(o));
    if (!e) return STATUS_OOM;
    *e = (struct roots_entry){o, OBJ_ROOTS_MAX};
    o->roots = OBJ_ROOTS_MAX;
    return STATUS_OK;
}

void rc_root_drop(struct heap *h, struct obj *o)
{
    if (!obj_is_container(o)) return;
    DASSERT(o->roots > 0);
    if (LIKELY(o->roots < OBJ_ROOTS_MAX)) {
        o->roots--;
        return;
    }
    struct roots_entry *e = roots_find(h, o);
    if (--e->roots < OBJ_ROOTS_MAX) {
        o->roots = OBJ_ROOTS_MAX - 1;
        table_remove(&h->roots_over, &roots_type, h->pool, NULL, object_hash(o), e);
    }
}

uint64_t rc_roots(const struct heap *h, const struct obj *o)
{
    return o->roots < OBJ_ROOTS_MAX ? o->roots : roots_find(h, o)->roots;
}

static void check_entry(void *right, void *entry)
{
    const struct roots_entry *e = entry;
    if (e->o->roots != OBJ_ROOTS_MAX || e->roots < OBJ_ROOTS_MAX) *(bool *)right = false;
}

bool rc_check(const struct heap *h)
{
    bool right = true;
    const struct table *t = &h->roots_over;
    for (uint64_t at = 0; at < t->buckets;)
        at = table_walk(t, &roots_type, at, t->buckets, UINT32_MAX, check_entry, &right);
    return right && table_check(t, &roots_type, NULL);
}
