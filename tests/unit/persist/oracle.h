/*
 * The replay oracle: a second heap to which every batch of effects is applied when it is committed,
 * and a comparison of both. A mutator or a binder that forgets its effect, or reports what it did
 * not do, cannot survive it.
 *
 * Ownership: the second heap has memory of its own, so that allocations that a test lets fail are
 * those of the commands alone.
 */
#ifndef TEST_PERSIST_ORACLE_H
#define TEST_PERSIST_ORACLE_H

#include "heap/check.h"
#include "persist/compare.h"

struct oracle {
    struct mem mem;
    struct clock clock;
    struct heap heap;
    struct value_state values;
    struct keyspace keyspace;
    struct apply apply;
    uint64_t batches;
};

static inline void oracle_apply(void *ctx, struct effect_batch batch)
{
    struct oracle *o = ctx;
    o->batches++;
    assert_false(batch.lost);
    enum status s = apply_batch(&o->apply, batch.records);
    if (s) fail_msg("batch %llu: %s", (unsigned long long)o->batches, status_text(s));
}

/* Listens to the heap's effects. The heap is empty. It must not move. */
static inline void oracle_init(struct oracle *o, struct heap *live)
{
    *o = (struct oracle){0};
    mem_init(&o->mem);
    assert_int_equal(heap_init(&o->heap, &o->mem, &o->clock, &(struct hash_seed){{77}}), STATUS_OK);
    value_init(&o->heap, &o->values);
    keyspace_init(&o->keyspace, &o->heap);
    apply_init(&o->apply, &o->heap, &o->keyspace);
    effects_listen(&live->effects, &o->mem, oracle_apply, o);
}

/* What is different, or NULL: nothing, or the oracle has ended. */
static inline const char *oracle_check(struct oracle *o, const struct keyspace *live)
{
    static char text[COMPARE_TEXT_BYTES];
    if (!o->apply.h) return NULL;
    const char *wrong = compare(live, &o->apply, text);
    if (wrong) return wrong;
    assert_int_equal(apply_finish(&o->apply), STATUS_OK);
    wrong = heap_check(&o->heap, text);
    if (wrong) return wrong;
    if (!keyspace_check(&o->keyspace)) return "keyspace_check of the second heap";
    return effect_check(&live->h->effects) ? "effect_check" : NULL;
}

/* Ends it, if it has not ended already. */
static inline void oracle_fini(struct oracle *o, struct heap *live)
{
    if (!o->apply.h) return;
    effects_listen(&live->effects, NULL, NULL, NULL);
    apply_fini(&o->apply);
    keyspace_fini(&o->keyspace);
    uint64_t found, ticket = collect_full_begin(&o->heap);
    while (!collect_full_found(&o->heap, ticket, &found)) collect_step(&o->heap, true);
    while (heap_release_step(&o->heap, UINT32_MAX)) continue;
    assert_int_equal(heap_objects(&o->heap), 0);
    heap_fini(&o->heap);
    mem_fini(&o->mem);
    o->apply.h = NULL;
}

#endif
