/*
 * What the model's files share: the counts and the barrier (model_heap.c), the candidate buffer and
 * the trial (model_collect.c), the oracle (model_check.c). Nobody else includes it.
 */
#ifndef HEAPD_MODEL_PARTS_H
#define HEAPD_MODEL_PARTS_H

#include "model.h"

enum {
    FLAG_VISIBLE = 1 << 0,
    FLAG_CANDIDATE = 1 << 1,
    FLAG_PINNED = 1 << 2,
    FLAG_FROZEN = 1 << 3,
};

enum { FULL_TRIALS_MAX = 8, SHED_DEAD_MIN = 1 };

static inline bool rule(const struct model *m, enum model_rule r)
{
    return (m->config.off & RULE_BIT(r)) == 0;
}

static inline void fail(struct model *m, enum model_failure failure)
{
    if (!m->failure) m->failure = (uint8_t)failure;
}

static inline uint8_t bit_of(uint8_t o)
{
    return (uint8_t)(1U << (o - 1));
}

static inline bool immortal(const struct model *m, const struct model_object *o)
{
    return o->count == m->config.count_max;
}

static inline bool trial_open(const struct model *m)
{
    return m->phase == PHASE_GRAY || m->phase == PHASE_BLACK;
}

/* The object, whose cell somebody is about to look at. */
static inline struct model_object *cell(struct model *m, uint8_t o)
{
    if (m->objects[o].state == CELL_FREE) fail(m, FAIL_MEMORY);
    return &m->objects[o];
}

/* model_heap.c: counts. */
uint8_t heap_make(struct model *m); /* 0: no cell is free */
void heap_increment(struct model *m, uint8_t o);
void heap_decrement(struct model *m, uint8_t o);
void heap_moved(struct model *m, uint8_t o); /* after it has been stored */
void heap_stored(struct model *m, uint8_t owner, uint8_t o);
void heap_root_add(struct model *m, uint8_t root, uint8_t o);
uint8_t heap_root_take(struct model *m, uint8_t root);
uint8_t heap_slot_take(struct model *m, uint8_t owner, uint8_t at); /* closes the gap at an end */
void heap_slot_add(struct model *m, uint8_t owner, bool head, uint8_t o);
void heap_body_drop(struct model *m, uint8_t o);
void heap_release(struct model *m, uint8_t o);
void heap_release_step(struct model *m);
/* Drops one slot; true when none is left. */
bool heap_clear_step(struct model *m, uint8_t o);
void heap_unpin(struct model *m, uint8_t o);

/* model_collect.c: the barrier and the trial. */
void collect_rescue(struct model *m, uint8_t o);
void collect_candidate(struct model *m, uint8_t o);
void collect_forget(struct model *m, uint8_t o);
void collect_disturb(struct model *m, uint8_t o);
void collect_slot_moved(struct model *m, uint8_t owner, uint8_t o);
bool collect_is_condemned(const struct model *m, uint8_t o);
void collect_slice(struct model *m);
void collect_enable(struct model *m, bool on);
void collect_freeze(struct model *m, bool on);
void candidates_add(struct model *m, uint8_t o);

/* model_check.c: the oracle. */
uint8_t oracle_reached(const struct model *m, bool frozen_too);
void oracle_commit(struct model *m, uint8_t condemned);
void oracle_freed(struct model *m, uint8_t o);
/* Whether a weak read would find the object; that of a dead or condemned one is a failure at any
 * time. */
bool weak_finds(const struct model *m, uint8_t o);
void oracle_weak(struct model *m);

#endif
