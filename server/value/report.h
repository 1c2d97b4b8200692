/*
 * Reports the changes of containers as effects (heap/effect.h). The mutators of hash, list, set and
 * zset call these when they have succeeded, and nobody else does.
 *
 * A mutator reports what its slot holds now, however it was given, and a removal before it removes.
 * A slot that refers weakly to what is gone is there for nobody: its removal is no effect, and
 * these functions report none. So a mutator need not tell whether it was called by a command or by
 * the step that removes such slots.
 *
 * Invariants: none of its own. Ownership: none; values and needles are borrowed.
 * Cost: a predicted branch where nobody listens (report_wanted).
 */
#ifndef HEAPD_VALUE_REPORT_H
#define HEAPD_VALUE_REPORT_H

#include "value/val.h"

/* Whether to call the functions below. */
static inline bool report_wanted(const struct heap *h)
{
    return UNLIKELY(h->effects.on);
}

/* A value of a slot or a name, as records have it. It borrows from *v. */
struct effect_value report_value(const val *v);

/* The same of a text that was stored, which need not be looked up. */
static inline struct effect_value report_of_text(struct view text)
{
    return (struct effect_value){.kind = EFFECT_TEXT, .text = text};
}

/* `stored` is what the slot holds. */
void report_hash_set(struct heap *h, const struct obj *o, const struct needle *field,
                     struct effect_value stored);
void report_hash_delete(struct heap *h, const struct obj *o, const struct needle *field);
void report_list_insert(struct heap *h, const struct obj *o, uint64_t index,
                        struct effect_value stored);
void report_list_set(struct heap *h, const struct obj *o, uint64_t index,
                     struct effect_value stored);
void report_list_delete(struct heap *h, const struct obj *o, uint64_t index, uint64_t count);
void report_set_add(struct heap *h, const struct obj *o, const struct needle *member);
void report_set_remove(struct heap *h, const struct obj *o, const struct needle *member);
void report_zset_set(struct heap *h, const struct obj *o, const struct needle *member,
                     double score);
void report_zset_remove(struct heap *h, const struct obj *o, const struct needle *member);

#endif
