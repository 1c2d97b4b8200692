/*
 * Histories: the steps that led to a failure, played again, made shorter and printed. Used by the
 * drivers.
 *
 * Invariants: a history is played from an empty heap, and settled at its end; a step that cannot be
 * done does nothing. Ownership: plain bytes. Cost: shortening plays the history some hundreds to
 * thousands of times.
 */
#ifndef HEAPD_MODEL_HISTORY_H
#define HEAPD_MODEL_HISTORY_H

#include "model.h"

enum { HISTORY_STEPS = 64 };

struct history {
    struct model_config config;
    uint32_t count;
    struct model_step steps[HISTORY_STEPS];
};

/* Plays it, and the quiet collections at its end. */
enum model_failure history_play(const struct history *h);
/* Takes steps and slices out as long as it still fails in the same way. */
void history_shorten(struct history *h);
/* Its length: steps, with each slice for itself. */
uint32_t history_length(const struct history *h);
void history_print(FILE *f, const struct history *h);

#endif
