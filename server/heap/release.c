/* What happens to an object whose count has become zero: the release queue. */
#include "heap/rc.h"

/* A type's objects are found through the table; whoever asks for a type that was never handed in is
 * wrong. */
static const struct heap_type *type_of(const struct heap *h, const struct obj *o)
{
    const struct heap_type *type = h->types[o->type];
    DASSERT(type);
    return type;
}

/* The cell's memory goes back, unless the candidate buffer still names it: then the buffer frees
 * it. */
static void cell_free(struct heap *h, struct cell *c)
{
    heap_object_gone(h, &c->head);
    if (c->head.flags & OBJ_FROZEN) h->collect.frozen--;
    if (c->head.flags & OBJ_CANDIDATE) {
        h->collect.candidates.dead++;
        h->collect.stats.hits[COLLECT_HIT_DIED_CANDIDATE]++;
        return;
    }
    pool_cell_free(h->pool, c);
}

void heap_release(struct heap *h, struct obj *o)
{
    DASSERT(o->count == 0 && o->roots == 0);
    if (!obj_is_container(o)) {
        type_of(h, o)->destroy(h, o);
        return;
    }
    struct cell *c = (struct cell *)o;
    if (UNLIKELY(h->effects.on))
        effect_put(&h->effects, &(struct effect){.op = EFFECT_DEAD, .cell = effect_cell(o)});
    if (o->flags & OBJ_WEAKLY) weak_ended(h, o);
    if (o->flags & OBJ_VISIBLE) collect_forget(h, o);
    ident_forget(h, o);
    /* A packed body that is not visible has no words to be linked by. It is small, and refers to
     * strings alone. */
    if ((o->flags & (OBJ_PACKED | OBJ_VISIBLE)) == OBJ_PACKED)
        type_of(h, o)->clear(h, o, UINT32_MAX);
    if (!c->body) {
        cell_free(h, c);
        return;
    }
    /* What is packed says by the flag that its body begins with the words. */
    if ((o->flags & OBJ_PACKED) == 0) o->flags &= (uint8_t)~OBJ_VISIBLE;
    obj_words(o)->next_dead = h->release_head;
    h->release_head = c;
    h->release_pending++;
}

bool heap_release_step(struct heap *h, uint32_t slots_max)
{
    for (uint64_t done = 0; done < slots_max; done++) {
        struct cell *c = h->release_now;
        if (!c) {
            c = h->release_head;
            if (!c) return false;
            h->release_head = obj_words(&c->head)->next_dead;
            h->release_now = c;
        }
        const struct heap_type *type = type_of(h, &c->head);
        uint64_t slots = type->end(&c->head) - type->begin(&c->head);
        if (!type->clear(h, &c->head, (uint32_t)(slots_max - done))) return true;
        done += slots;
        h->release_now = NULL;
        h->release_pending--;
        cell_free(h, c);
    }
    return h->release_now || h->release_head;
}
