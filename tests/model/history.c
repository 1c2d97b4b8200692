#include "history.h"

#include <string.h>

enum model_failure history_play(const struct history *h)
{
    struct model m;
    model_init(&m, &h->config);
    for (uint32_t i = 0; i < h->count && !m.failure; i++) model_do(&m, h->steps[i]);
    if (!m.failure) model_settle(&m);
    return (enum model_failure)m.failure;
}

uint32_t history_length(const struct history *h)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        bool many = h->steps[i].op == OP_SLICE || h->steps[i].op == OP_RELEASE;
        length += many ? (h->steps[i].ij & 15U) + 1 : 1;
    }
    return length;
}

static bool keep_if_fails(struct history *h, const struct history *shorter, enum model_failure how)
{
    if (history_play(shorter) != how) return false;
    *h = *shorter;
    return true;
}

static bool shorten_by(struct history *h, uint32_t steps, enum model_failure how)
{
    bool shorter = false;
    for (uint32_t i = 0; i + steps <= h->count;) {
        struct history try = *h;
        memmove(&try.steps[i], &try.steps[i + steps], (try.count - i - steps) * sizeof *try.steps);
        try.count -= steps;
        if (keep_if_fails(h, &try, how))
            shorter = true;
        else
            i++;
    }
    return shorter;
}

/* Fewer slices in a step, and operands that are easier to read: smaller numbers, shorter paths. */
static bool simplify(struct history *h, enum model_failure how)
{
    bool simpler = false;
    for (uint32_t i = 0; i < h->count; i++) {
        uint8_t *const ij = &h->steps[i].ij;
        for (uint8_t less = 0; less < (*ij & 15); less++) {
            struct history try = *h;
            try.steps[i].ij = (uint8_t)((*ij & 0xf0) | less);
            if (keep_if_fails(h, &try, how)) {
                simpler = true;
                break;
            }
        }
    }
    return simpler;
}

void history_shorten(struct history *h)
{
    enum model_failure how = history_play(h);
    if (how == FAIL_NONE) return;
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t steps = h->count / 2; steps; steps /= 2) again |= shorten_by(h, steps, how);
        again |= shorten_by(h, 2, how);
        again |= simplify(h, how);
    }
}

void history_print(FILE *f, const struct history *h)
{
    struct model m;
    model_init(&m, &h->config);
    fprintf(f, "  (objects %d, slots %d, roots %d, count_max %d)\n", h->config.objects,
            h->config.slots, h->config.roots, h->config.count_max);
    for (uint32_t i = 0; i < h->count; i++) {
        fprintf(f, "  %2u  ", i + 1);
        model_print_step(f, &m, h->steps[i]);
        model_do(&m, h->steps[i]);
        fputs("\n            ", f);
        model_print(f, &m);
        fputc('\n', f);
    }
    if (!m.failure) {
        model_settle(&m);
        fputs("      two full collections\n            ", f);
        model_print(f, &m);
        fputc('\n', f);
    }
    fprintf(f, "  => %s\n", model_failure_text((enum model_failure)m.failure));
}
