#include <string.h>

#include "model_parts.h"

void model_init(struct model *m, const struct model_config *config)
{
    memset(m, 0, sizeof *m);
    m->config = *config;
    m->enabled = true;
}

/* --- operands --- */

struct operands {
    uint8_t at, what; /* objects */
    uint8_t i, j;
    uint8_t root_i, root_j;
    struct model_object *owner; /* of `at`, or NULL */
};

/* What a step uses of `at` (1) and `what` (2). */
static const uint8_t op_operands[OPS] = {
    [OP_NAME] = 2,   [OP_PUSH] = 3,   [OP_PUSH_HEAD] = 3, [OP_STORE] = 3,
    [OP_CLEAR] = 1,  [OP_POP] = 1,    [OP_POP_HEAD] = 1,  [OP_DISCARD] = 1,
    [OP_MOVE] = 3,   [OP_PLANT] = 1,  [OP_SWAP] = 1,      [OP_INSERT] = 3,
    [OP_REMOVE] = 1, [OP_REHASH] = 1, [OP_TRIM] = 1,      [OP_HOLD] = 2,
};

static struct operands operands_of(struct model *m, struct model_step s)
{
    struct operands a = {.i = s.ij & 15, .j = s.ij >> 4};
    if (op_operands[s.op]) {
        uint8_t reached = oracle_reached(m, false);
        if (s.at && (reached & bit_of(s.at))) a.at = s.at;
        if (s.what && (reached & bit_of(s.what))) a.what = s.what;
    }
    a.root_i = (uint8_t)(a.i % m->config.roots);
    a.root_j = (uint8_t)(a.j % m->config.roots);
    a.owner = a.at ? &m->objects[a.at] : NULL;
    return a;
}

/* --- commands on roots --- */

static void root_drop(struct model *m, uint8_t root)
{
    uint8_t old = heap_root_take(m, root);
    if (old) heap_decrement(m, old);
}

/* Takes the count over. */
static void root_set(struct model *m, uint8_t root, uint8_t o)
{
    root_drop(m, root);
    heap_root_add(m, root, o);
}

static void do_make(struct model *m, const struct operands *a)
{
    if (m->roots[a->root_i]) return;
    uint8_t o = heap_make(m);
    if (o) heap_root_add(m, a->root_i, o);
}

static void do_name(struct model *m, const struct operands *a)
{
    if (!a->what || m->roots[a->root_i] == a->what) return;
    heap_increment(m, a->what);
    root_set(m, a->root_i, a->what);
}

static void do_rename(struct model *m, const struct operands *a)
{
    if (a->root_i == a->root_j || !m->roots[a->root_i]) return;
    uint8_t o = heap_root_take(m, a->root_i);
    root_set(m, a->root_j, o);
    heap_moved(m, o);
}

static void do_weak(struct model *m, const struct operands *a)
{
    uint8_t o = (uint8_t)(a->i % m->config.objects + 1);
    if (m->roots[a->root_j] || !weak_finds(m, o)) return;
    heap_increment(m, o);
    heap_root_add(m, a->root_j, o);
}

/* --- commands on slots --- */

static bool has_room(const struct model *m, const struct model_object *p)
{
    return p->length < m->config.slots;
}

static void do_push(struct model *m, const struct operands *a, bool head)
{
    if (!a->at || !a->what || !has_room(m, a->owner)) return;
    heap_increment(m, a->what);
    heap_slot_add(m, a->at, head, a->what);
}

static void do_store(struct model *m, const struct operands *a, uint8_t what)
{
    if (!a->at || a->i >= a->owner->length) return;
    if (what) heap_increment(m, what);
    uint8_t old = a->owner->slots[a->i];
    a->owner->slots[a->i] = what;
    if (old) heap_decrement(m, old);
}

static void do_pop(struct model *m, const struct operands *a, bool head)
{
    if (!a->at || !a->owner->length || m->roots[a->root_i]) return;
    uint8_t o = heap_slot_take(m, a->at, head ? 0 : (uint8_t)(a->owner->length - 1));
    if (!o) return;
    heap_root_add(m, a->root_i, o);
    heap_moved(m, o);
}

static void do_discard(struct model *m, const struct operands *a)
{
    if (!a->at || !a->owner->length) return;
    uint8_t o = heap_slot_take(m, a->at, 0);
    if (o) heap_decrement(m, o);
}

/* Between the taking and the storing an allocation might want to run the collector (rule 9). */
static void allocate(struct model *m)
{
    if (!rule(m, RULE_9_SLICE))
        for (int i = 0; i < 24 && !m->failure; i++) collect_slice(m);
}

static void do_move(struct model *m, const struct operands *a)
{
    if (!a->at || !a->what || !a->owner->length || !a->owner->slots[0]) return;
    if (a->at != a->what && !has_room(m, &m->objects[a->what])) return;
    uint8_t o = heap_slot_take(m, a->at, 0);
    allocate(m);
    if (m->failure) return;
    heap_slot_add(m, a->what, false, o);
    heap_moved(m, o);
}

static void do_plant(struct model *m, const struct operands *a)
{
    if (!a->at || !m->roots[a->root_i] || !has_room(m, a->owner)) return;
    uint8_t o = heap_root_take(m, a->root_i);
    heap_slot_add(m, a->at, false, o);
    heap_moved(m, o);
}

static void do_trim(struct model *m, const struct operands *a)
{
    if (!a->at || !a->owner->length) return;
    uint8_t dying = heap_make(m);
    if (!dying) return;
    struct model_object *p = &m->objects[dying];
    memcpy(p->slots, a->owner->slots, sizeof p->slots);
    p->length = a->owner->length;
    heap_body_drop(m, a->at);
    memset(a->owner->slots, 0, sizeof a->owner->slots);
    a->owner->length = 0;
    heap_decrement(m, dying);
}

/* --- commands on layouts --- */

static void slots_swap(struct model *m, uint8_t owner, uint8_t i, uint8_t j)
{
    struct model_object *p = &m->objects[owner];
    uint8_t o = p->slots[i];
    p->slots[i] = p->slots[j];
    p->slots[j] = o;
    collect_slot_moved(m, owner, p->slots[i]);
    collect_slot_moved(m, owner, p->slots[j]);
}

static void do_swap(struct model *m, const struct operands *a)
{
    if (!a->at || a->i >= a->owner->length || a->j >= a->owner->length || a->i == a->j) return;
    collect_disturb(m, a->at);
    slots_swap(m, a->at, a->i, a->j);
}

static void do_rehash(struct model *m, const struct operands *a)
{
    if (!a->at || a->owner->length < 2) return;
    collect_disturb(m, a->at);
    slots_swap(m, a->at, 0, (uint8_t)(a->owner->length - 1));
}

static void do_insert(struct model *m, const struct operands *a)
{
    if (!a->at || !a->what || !has_room(m, a->owner) || a->i >= a->owner->length) return;
    struct model_object *p = a->owner;
    heap_increment(m, a->what);
    collect_disturb(m, a->at);
    for (uint8_t k = p->length++; k > a->i; k--) {
        p->slots[k] = p->slots[k - 1];
        collect_slot_moved(m, a->at, p->slots[k]);
    }
    p->slots[a->i] = a->what;
}

static void do_remove(struct model *m, const struct operands *a)
{
    if (!a->at || a->i == 0 || a->i >= a->owner->length) return;
    struct model_object *p = a->owner;
    collect_disturb(m, a->at);
    for (uint8_t k = (uint8_t)(a->i + 1); k < p->length; k++)
        collect_slot_moved(m, a->at, p->slots[k]);
    uint8_t o = heap_slot_take(m, a->at, a->i);
    if (o) heap_decrement(m, o);
}

/* --- steps --- */

static void do_slice_inside(struct model *m)
{
    m->in_command = true;
    collect_slice(m);
    m->in_command = false;
}

static void do_command(struct model *m, enum model_op op, const struct operands *a)
{
    switch (op) {
    case OP_MAKE: do_make(m, a); break;
    case OP_NAME: do_name(m, a); break;
    case OP_DROP: root_drop(m, a->root_i); break;
    case OP_RENAME: do_rename(m, a); break;
    case OP_PUSH: do_push(m, a, false); break;
    case OP_PUSH_HEAD: do_push(m, a, true); break;
    case OP_STORE: do_store(m, a, a->what); break;
    case OP_CLEAR: do_store(m, a, 0); break;
    case OP_POP: do_pop(m, a, false); break;
    case OP_POP_HEAD: do_pop(m, a, true); break;
    case OP_DISCARD: do_discard(m, a); break;
    case OP_MOVE: do_move(m, a); break;
    case OP_PLANT: do_plant(m, a); break;
    case OP_SWAP: do_swap(m, a); break;
    case OP_INSERT: do_insert(m, a); break;
    case OP_REMOVE: do_remove(m, a); break;
    case OP_REHASH: do_rehash(m, a); break;
    case OP_TRIM: do_trim(m, a); break;
    case OP_WEAK: do_weak(m, a); break;
    case OP_HOLD:
        if (!rule(m, RULE_9_HOLD)) m->borrowed = a->what;
        break;
    case OP_SLICE:
        for (int i = 0; i <= a->i && !m->failure; i++) collect_slice(m);
        break;
    case OP_RELEASE:
        for (int i = 0; i <= a->i && !m->failure; i++) heap_release_step(m);
        break;
    case OP_FULL: m->full = m->full ? m->full : 1; break;
    case OP_ENABLE: collect_enable(m, true); break;
    case OP_DISABLE: collect_enable(m, false); break;
    case OP_FREEZE: collect_freeze(m, true); break;
    case OP_UNFREEZE: collect_freeze(m, false); break;
    case OP_MEMORY_OUT: m->memory_out = true; break;
    case OP_MEMORY_BACK: m->memory_out = false; break;
    case OP_FAULT: m->fault_injected = true; break;
    case OP_SLICE_INSIDE: do_slice_inside(m); break;
    case OPS: break;
    }
}

uint8_t model_reached(const struct model *m)
{
    return oracle_reached(m, false);
}

void model_do(struct model *m, struct model_step s)
{
    if (m->failure) return;
    struct operands a = operands_of(m, s);
    do_command(m, (enum model_op)s.op, &a);
    if (!m->failure) oracle_weak(m);
}
