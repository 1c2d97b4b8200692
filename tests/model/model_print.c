#include "model_parts.h"

static char letter(uint8_t o)
{
    return o ? (char)('a' + o - 1) : '-';
}

/* How a step is written: %a and %w are objects, %i and %j the numbers, %r and %s the roots of these
 * numbers, %c the cell, %n the number of slices. */
static const char *const formats[OPS] = {
    [OP_MAKE] = "%r = a new object",
    [OP_NAME] = "%r = %w",
    [OP_DROP] = "%r = nil",
    [OP_RENAME] = "%s = %r, moved",
    [OP_PUSH] = "%a: push %w",
    [OP_PUSH_HEAD] = "%a: push %w at the head",
    [OP_STORE] = "%a[%i] = %w",
    [OP_CLEAR] = "%a[%i] = nil",
    [OP_POP] = "%r = pop %a, moved",
    [OP_POP_HEAD] = "%r = pop the head of %a, moved",
    [OP_DISCARD] = "%a: drop the head",
    [OP_MOVE] = "%w: push the head of %a, moved",
    [OP_PLANT] = "%a: push %r, moved",
    [OP_SWAP] = "%a: swap [%i] and [%j]",
    [OP_INSERT] = "%a: insert %w before [%i]",
    [OP_REMOVE] = "%a: remove [%i]",
    [OP_REHASH] = "%a: rehash",
    [OP_TRIM] = "%a: trim all",
    [OP_WEAK] = "%s = weak read of %c",
    [OP_HOLD] = "hold %w without a count",
    [OP_SLICE] = "slice x %n",
    [OP_RELEASE] = "release x %n",
    [OP_FULL] = "ask for a full collection",
    [OP_ENABLE] = "enable",
    [OP_DISABLE] = "disable",
    [OP_FREEZE] = "freeze",
    [OP_UNFREEZE] = "unfreeze",
    [OP_MEMORY_OUT] = "memory is out",
    [OP_MEMORY_BACK] = "memory is back",
    [OP_FAULT] = "fault: the next gray visit takes too much",
    [OP_SLICE_INSIDE] = "a slice inside a command",
};

void model_print_step(FILE *f, const struct model *m, struct model_step s)
{
    uint8_t i = s.ij & 15, j = s.ij >> 4;
    for (const char *at = formats[s.op]; *at; at++) {
        if (*at != '%') {
            fputc(*at, f);
            continue;
        }
        switch (*++at) {
        case 'a': fputc(letter(s.at), f); break;
        case 'w': fputc(letter(s.what), f); break;
        case 'i': fprintf(f, "%d", i); break;
        case 'j': fprintf(f, "%d", j); break;
        case 'r': fprintf(f, "r%d", i % m->config.roots); break;
        case 's': fprintf(f, "r%d", j % m->config.roots); break;
        case 'c': fputc(letter((uint8_t)(i % m->config.objects + 1)), f); break;
        default: fprintf(f, "%d", i + 1); break;
        }
    }
}

static void print_object(FILE *f, const struct model *m, uint8_t o)
{
    static const char *const states[] = {"", "", " dead", " kept"};
    const struct model_object *p = &m->objects[o];
    fprintf(f, "  %c%d", letter(o), p->count);
    if (p->length) {
        fputc('[', f);
        for (uint8_t i = 0; i < p->length; i++) fputc(letter(p->slots[i]), f);
        fputc(']', f);
    }
    if (p->flags & FLAG_CANDIDATE) fputc('?', f);
    if (p->flags & FLAG_FROZEN) fputc('*', f);
    fputs(states[p->state], f);
}

void model_print(FILE *f, const struct model *m)
{
    static const char *const phases[] = {"idle", "gray", "black", "free", "abandon"};
    fputs("roots ", f);
    for (uint8_t r = 0; r < m->config.roots; r++) fputc(letter(m->roots[r]), f);
    for (uint8_t o = 1; o <= m->config.objects; o++)
        if (m->objects[o].state != CELL_FREE) print_object(f, m, o);
    if (m->phase == PHASE_IDLE) return;
    fprintf(f, "  | %s:", phases[m->phase]);
    for (uint8_t place = 1; place <= m->places; place++) {
        const struct model_place *p = &m->table[place];
        fprintf(f, " %c", letter(p->o));
        if (!p->o) continue;
        if (m->phase == PHASE_GRAY) fprintf(f, "%d", p->shadow);
        if (p->rescued) fputs(" rescued", f);
        if (p->black) fputs(" black", f);
        if (place < m->places) fputc(',', f);
    }
    if (m->take_left) fprintf(f, "  %d to take", m->take_left);
    if (m->scanning) fprintf(f, "  scanning %c at %d", letter(m->scanning), m->cursor);
}
