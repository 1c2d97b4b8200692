#include "heap/weak.h"

#include "base/hash.h"
#include "heap/rc.h"

/* What all weak references to one object share. */
struct weak_node {
    struct heap *heap;  /* readers of slots have none at hand */
    struct obj *target; /* its address still, when it is gone */
    struct weak *first;
    struct weak_node *next_gone;
    uint64_t number; /* of the target, once it is gone */
    uint64_t count : 62;
    uint64_t gone : 1;
    uint64_t queued : 1;
};

static_assert(sizeof(struct weak_node) == 48, "a node is six words");

enum { OWNER_IS_NAME = 1 };

static uint32_t target_hash(const struct obj *target)
{
    return (uint32_t)hash_word(0, (uint64_t)(uintptr_t)target);
}

static struct weak_node *node_in(const void *entry)
{
    return *(struct weak_node *const *)entry;
}

static uint32_t node_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return target_hash(node_in(entry)->target);
}

static bool node_match(const void *needle, const void *entry)
{
    return node_in(entry)->target == needle;
}

static const struct table_type node_type = {.entry_bytes = sizeof(struct weak_node *),
                                            .hash = node_hash};

static void *entry_find(const struct heap *h, const struct obj *target)
{
    return table_find(&h->weak.nodes, &node_type, target_hash(target), node_match, target);
}

static struct weak_node *node_find(const struct heap *h, const struct obj *target)
{
    return target->flags & OBJ_WEAKLY ? node_in(entry_find(h, target)) : NULL;
}

static struct weak *weak_of(const struct obj *w)
{
    DASSERT(w->type == OBJ_WEAK);
    return (struct weak *)(uintptr_t)w;
}

/* --- making and reading --- */

static struct weak_node *node_new(struct heap *h, struct obj *target)
{
    struct weak_node *n = pool_alloc(h->pool, sizeof *n);
    if (!n) return NULL;
    struct weak_node **entry =
        table_insert(&h->weak.nodes, &node_type, h->pool, NULL, target_hash(target));
    if (!entry) {
        pool_free(h->pool, n, sizeof *n);
        return NULL;
    }
    *n = (struct weak_node){.heap = h, .target = target};
    *entry = n;
    target->flags |= OBJ_WEAKLY;
    return n;
}

/* The node of a living target leaves the table. */
static void node_forget(struct heap *h, struct weak_node *n)
{
    struct obj *target = n->target;
    table_remove(&h->weak.nodes, &node_type, h->pool, NULL, target_hash(target),
                 entry_find(h, target));
    target->flags &= (uint8_t)~OBJ_WEAKLY;
}

static void list_add(struct weak_node *n, struct weak *w)
{
    w->next = n->first;
    w->link = &n->first;
    if (n->first) n->first->link = &w->next;
    n->first = w;
}

static void list_remove(struct weak *w)
{
    if (!w->link) return;
    *w->link = w->next;
    if (w->next) w->next->link = w->link;
    w->link = NULL;
}

struct obj *weak_new(struct heap *h, struct obj *target)
{
    DASSERT(obj_is_container(target) && target->count > 0);
    struct weak *w = pool_alloc(h->pool, sizeof *w);
    if (!w) return NULL;
    struct weak_node *n = node_find(h, target);
    if (!n) n = node_new(h, target);
    if (!n) {
        pool_free(h->pool, w, sizeof *w);
        return NULL;
    }
    *w = (struct weak){.node = n};
    heap_object_made(h, &w->head, OBJ_WEAK);
    n->count++;
    list_add(n, w);
    return &w->head;
}

/* Its slot or name let go of it. */
static void weak_destroy(struct heap *h, struct obj *o)
{
    struct weak *w = weak_of(o);
    struct weak_node *n = w->node;
    list_remove(w);
    n->count--;
    if (n->gone && !n->queued) h->weak.left--;
    if (n->count == 0 && !n->queued) {
        if (!n->gone) node_forget(h, n);
        pool_free(h->pool, n, sizeof *n);
    }
    heap_object_gone(h, o);
    pool_free(h->pool, w, sizeof *w);
}

static size_t weak_bytes(const struct obj *o)
{
    (void)o;
    return pool_good_bytes(sizeof(struct weak));
}

const struct heap_type weak_heap_type = {
    .name = "weak",
    .destroy = weak_destroy,
    .bytes = weak_bytes,
};

struct obj *weak_target(const struct obj *w)
{
    const struct weak_node *n = weak_of(w)->node;
    if (n->gone) return NULL;
    if (UNLIKELY(collect_is_condemned(n->heap, n->target))) {
        n->heap->collect.stats.hits[COLLECT_HIT_REFUSED]++;
        return NULL;
    }
    return n->target;
}

const struct obj *weak_address(const struct obj *w)
{
    return weak_of(w)->node->target;
}

uint64_t weak_number(const struct heap *h, const struct obj *w)
{
    const struct weak_node *n = weak_of(w)->node;
    return n->gone ? n->number : ident_get(h, n->target);
}

/* --- owners --- */

void weak_set_owner(struct obj *w, const struct obj *owner)
{
    weak_of(w)->owner = (uintptr_t)owner;
}

void weak_set_field(struct obj *w, uint64_t field)
{
    weak_of(w)->field = field;
}

void weak_set_name(struct obj *w, const void *name)
{
    weak_of(w)->owner = (uintptr_t)name | OWNER_IS_NAME;
}

struct obj *weak_owner(const struct weak *w)
{
    return w->owner & OWNER_IS_NAME ? NULL : (struct obj *)w->owner; // NOLINT: its address
}

void *weak_name(const struct weak *w)
{
    if ((w->owner & OWNER_IS_NAME) == 0) return NULL;
    return (void *)(w->owner & ~(uintptr_t)OWNER_IS_NAME); // NOLINT: its address
}

/* --- ends --- */

void weak_ended(struct heap *h, struct obj *target)
{
    struct weaks *weaks = &h->weak;
    struct weak_node *n = node_find(h, target);
    n->number = ident_get(h, target);
    node_forget(h, n);
    n->gone = n->queued = true;
    if (weaks->last)
        weaks->last->next_gone = n;
    else
        weaks->first = n;
    weaks->last = n;
}

/* Removes the slot or the name of a reference whose target is gone. What is dying itself is left
 * alone, and so are the types that know no drop_weak. */
static void slot_remove(struct heap *h, struct weak *w)
{
    void *name = weak_name(w);
    if (name) {
        if (h->weak.unname) h->weak.unname(h->weak.unname_ctx, name);
        return;
    }
    struct obj *owner = weak_owner(w);
    if (!owner || owner->count == 0 || collect_is_condemned(h, owner)) return;
    const struct heap_type *type = h->types[owner->type];
    if (!type->drop_weak) return;
    type->drop_weak(h, owner, w);
    if (!obj_body(owner) && (owner->flags & OBJ_REFERRED) == 0 && h->emptied)
        h->emptied(h->emptied_ctx, owner);
}

/* The first of the queue has no slot left to remove. */
static void queue_shift(struct heap *h)
{
    struct weaks *weaks = &h->weak;
    struct weak_node *n = weaks->first;
    uint64_t number = n->number;
    weaks->first = n->next_gone;
    if (!weaks->first) weaks->last = NULL;
    n->queued = false;
    weaks->left += n->count;
    if (n->count == 0) pool_free(h->pool, n, sizeof *n);
    if (number && weaks->gone) weaks->gone(weaks->gone_ctx, number);
}

bool weak_step(struct heap *h, uint32_t max)
{
    for (; max && h->weak.first; max--) {
        struct weak *w = h->weak.first->first;
        if (!w) {
            queue_shift(h);
            continue;
        }
        list_remove(w);
        slot_remove(h, w);
    }
    return h->weak.first;
}

bool weak_is_pending(const struct heap *h)
{
    if (h->weak.first) return true;
    const struct collect *c = &h->collect;
    return c->phase == COLLECT_FREE && c->free_pass == COLLECT_PINS && h->weak.nodes.used > 0;
}

/* --- for people --- */

uint64_t weak_count(const struct heap *h, const struct obj *target)
{
    const struct weak_node *n = node_find(h, target);
    return n ? n->count : 0;
}

void weak_walk(const struct heap *h, const struct obj *target, weak_each *each, void *ctx)
{
    const struct weak_node *n = node_find(h, target);
    for (const struct weak *w = n ? n->first : NULL; w; w = w->next)
        if (!each(ctx, w)) return;
}

/* --- the check --- */

struct check {
    const struct heap *h;
    uint64_t references;
    bool right;
};

/* How many references a node lists; they must all be its own. */
static uint64_t listed(struct check *c, const struct weak_node *n)
{
    uint64_t count = 0;
    struct weak *const *link = &n->first;
    for (struct weak *w = n->first; w; link = &w->next, w = w->next, count++)
        c->right &= w->node == n && w->link == link && w->head.type == OBJ_WEAK && w->owner;
    return count;
}

static void check_entry(void *ctx, void *entry)
{
    struct check *c = ctx;
    const struct weak_node *n = node_in(entry);
    c->right &= n->target->count > 0 && (n->target->flags & OBJ_WEAKLY) && !n->gone; /* 1. */
    c->right &= n->count > 0 && listed(c, n) == n->count;                            /* 1. */
    c->references += n->count;
}

bool weak_check(const struct heap *h)
{
    const struct weaks *weaks = &h->weak;
    const struct table *t = &weaks->nodes;
    struct check c = {.h = h, .right = true};
    for (uint64_t at = 0; at < t->buckets;)
        at = table_walk(t, &node_type, at, t->buckets, UINT32_MAX, check_entry, &c);
    const struct weak_node *last = NULL;
    for (const struct weak_node *n = weaks->first; n; last = n, n = n->next_gone) {
        c.right &= n->gone && n->queued && listed(&c, n) <= n->count; /* 2. */
        c.references += n->count;
    }
    c.right &= last == weaks->last && c.references + weaks->left == h->objects[OBJ_WEAK]; /* 3. */
    return c.right && table_check(t, &node_type, NULL);
}
