#include "heap/heap.h"

#include "base/hash.h"
#include "heap/rc.h"

enum status heap_init(struct heap *h, struct mem *m, struct clock *clock,
                      const struct hash_seed *seed)
{
    *h = (struct heap){.mem = m, .clock = clock, .ident = {.next = 1}};
    hash_key_init(&h->hash_key, seed);
    /* What is drawn tells this state, which must not tell the key. */
    for (uint8_t i = 0; i < 4; i++)
        h->random[i] = hash_bytes(&h->hash_key, (uint8_t[]){i, 'r', 'a', 'n', 'd', 'o', 'm', 0}, 8);
    h->pool = pool_new(m);
    if (!h->pool) return STATUS_OOM;
    effects_init(&h->effects, h->pool, &h->hash_key);
    collect_init(&h->collect);
    heap_set_type(h, OBJ_WEAK, &weak_heap_type);
    return STATUS_OK;
}

void heap_fini(struct heap *h)
{
    collect_fini(h);
    effects_fini(&h->effects);
    pool_delete(h->pool);
    h->pool = NULL;
}

void heap_set_type(struct heap *h, enum obj_type t, const struct heap_type *type)
{
    h->types[t] = type;
}

void heap_add_holder(struct heap *h, struct heap_holder *holder)
{
    holder->next = h->holders;
    h->holders = holder;
}

void heap_object_made(struct heap *h, struct obj *o, enum obj_type t)
{
    *o = (struct obj){.count = 1, .type = (uint8_t)t};
    h->objects[t]++;
    h->allocated++;
}

void heap_object_gone(struct heap *h, struct obj *o)
{
    h->objects[o->type]--;
}

struct obj *heap_container_new(struct heap *h, enum obj_type t)
{
    struct cell *c = pool_cell_alloc(h->pool);
    if (!c) return NULL;
    heap_object_made(h, &c->head, t);
    c->body = NULL;
    if (UNLIKELY(h->effects.on))
        effect_put(&h->effects,
                   &(struct effect){.op = EFFECT_NEW, .cell = effect_cell(&c->head), .number = t});
    return &c->head;
}

void heap_make_visible(struct heap *h, struct obj *o)
{
    DASSERT(obj_body(o));
    o->flags |= OBJ_VISIBLE;
    obj_words(o)->place = COLLECT_NEW | h->collect.trial_number;
}

void heap_mark_referred(struct heap *h, struct obj *o)
{
    if (o->flags & OBJ_REFERRED) return;
    o->flags |= OBJ_REFERRED;
    if (UNLIKELY(h->effects.on))
        effect_put(&h->effects, &(struct effect){.op = EFFECT_REFERRED, .cell = effect_cell(o)});
}
bool heap_compact_step(struct heap *h, uint64_t *cursor, uint32_t slots_max)
{
    enum { TABLE_SHIFT = 40 };
    typedef bool step(struct heap * h, uint64_t * cursor, uint32_t slots_max);
    static step *const steps[] = {intern_compact_step, ident_compact_numbers_step,
                                  ident_compact_objects_step};
    enum { STEPS = sizeof steps / sizeof steps[0] };
    uint64_t at = *cursor >> TABLE_SHIFT, within = *cursor & (((uint64_t)1 << TABLE_SHIFT) - 1);
    if (at < STEPS && !steps[at](h, &within, slots_max)) at++;
    *cursor = at < STEPS ? at << TABLE_SHIFT | within : 0;
    return at < STEPS;
}

uint64_t heap_objects(const struct heap *h)
{
    uint64_t n = 0;
    for (int t = 0; t < OBJ_TYPES; t++) n += h->objects[t];
    return n;
}

uint64_t heap_containers(const struct heap *h)
{
    return h->objects[OBJ_LIST] + h->objects[OBJ_HASH] + h->objects[OBJ_SET] + h->objects[OBJ_ZSET];
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* xoshiro256** 1.0 (Blackman and Vigna). */
uint64_t heap_random(struct heap *h)
{
    uint64_t *s = h->random, result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}
