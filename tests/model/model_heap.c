#include "model_parts.h"

uint8_t heap_make(struct model *m)
{
    for (uint8_t o = 1; o <= m->config.objects; o++) {
        struct model_object *p = &m->objects[o];
        if (p->state != CELL_FREE) continue;
        /* The words of the collector hold whatever the memory held before. */
        p->state = CELL_LIVE;
        p->count = 1;
        return o;
    }
    return 0;
}

void heap_increment(struct model *m, uint8_t o)
{
    struct model_object *p = cell(m, o);
    if (!immortal(m, p)) p->count++;
    if ((p->flags & FLAG_VISIBLE) && trial_open(m)) collect_rescue(m, o);
}

void heap_decrement(struct model *m, uint8_t o)
{
    struct model_object *p = cell(m, o);
    if (immortal(m, p) || m->failure) return;
    if (p->count == 0) {
        fail(m, FAIL_COUNT);
        return;
    }
    if (--p->count == 0 && (p->flags & FLAG_PINNED) == 0)
        heap_release(m, o);
    else if ((p->flags & (FLAG_VISIBLE | FLAG_CANDIDATE | FLAG_PINNED)) == FLAG_VISIBLE &&
             p->roots == 0)
        collect_candidate(m, o);
}

void heap_moved(struct model *m, uint8_t o)
{
    if (o == 0) return;
    const struct model_object *p = cell(m, o);
    if ((p->flags & FLAG_VISIBLE) == 0) return;
    if (trial_open(m) && rule(m, RULE_2_RESCUE)) collect_rescue(m, o);
    if ((p->flags & FLAG_CANDIDATE) == 0 && rule(m, RULE_2_CANDIDATE)) collect_candidate(m, o);
}

void heap_stored(struct model *m, uint8_t owner, uint8_t o)
{
    struct model_object *p = cell(m, owner);
    if (o == 0 || (p->flags & FLAG_VISIBLE)) return;
    p->flags |= FLAG_VISIBLE;
    if (rule(m, RULE_6_NEW)) p->place = MODEL_PLACE_NEW;
}

/* Takes the count over. */
void heap_root_add(struct model *m, uint8_t root, uint8_t o)
{
    m->roots[root] = o;
    if (o) cell(m, o)->roots++;
}

uint8_t heap_root_take(struct model *m, uint8_t root)
{
    uint8_t o = m->roots[root];
    m->roots[root] = 0;
    if (o) cell(m, o)->roots--;
    return o;
}

uint8_t heap_slot_take(struct model *m, uint8_t owner, uint8_t at)
{
    struct model_object *p = cell(m, owner);
    uint8_t o = p->slots[at];
    for (uint8_t i = at; i + 1 < p->length; i++) p->slots[i] = p->slots[i + 1];
    p->slots[--p->length] = 0;
    if (at == 0 && m->scanning == owner) {
        m->cursor--;
        m->limit--;
    }
    if (p->length == 0) heap_body_drop(m, owner);
    return o;
}

/* Takes the count over. */
void heap_slot_add(struct model *m, uint8_t owner, bool head, uint8_t o)
{
    struct model_object *p = cell(m, owner);
    heap_stored(m, owner, o);
    uint8_t at = head ? 0 : p->length;
    if (head) {
        for (uint8_t i = p->length; i > 0; i--) p->slots[i] = p->slots[i - 1];
        if (m->scanning == owner) {
            m->cursor++;
            m->limit++;
        }
    }
    p->slots[at] = o;
    p->length++;
}

/* The words mean nothing from now on, and the object is invisible. */
void heap_body_drop(struct model *m, uint8_t o)
{
    struct model_object *p = cell(m, o);
    if ((p->flags & FLAG_VISIBLE) == 0) return;
    collect_forget(m, o);
    p->flags &= (uint8_t)~FLAG_VISIBLE;
}

static void cell_free(struct model *m, uint8_t o)
{
    struct model_object *p = &m->objects[o];
    oracle_freed(m, o);
    p->roots = 0;
    if ((p->flags & FLAG_CANDIDATE) && rule(m, RULE_6_BUFFER)) {
        p->state = CELL_KEPT;
        p->flags = FLAG_CANDIDATE;
        m->candidates_dead++;
    } else {
        p->state = CELL_FREE;
        p->flags = 0;
    }
}

void heap_release(struct model *m, uint8_t o)
{
    struct model_object *p = cell(m, o);
    if (p->flags & FLAG_VISIBLE) {
        if (rule(m, RULE_7) && trial_open(m))
            for (uint8_t i = 0; i < p->length; i++)
                if (p->slots[i]) collect_rescue(m, p->slots[i]);
        collect_forget(m, o);
    }
    if (p->length == 0) {
        cell_free(m, o);
        return;
    }
    p->flags &= (uint8_t)~FLAG_VISIBLE;
    p->state = CELL_DEAD;
    if (m->released_count == MODEL_OBJECTS) {
        fail(m, FAIL_COUNT);
        return;
    }
    m->released[m->released_count++] = o;
}

bool heap_clear_step(struct model *m, uint8_t o)
{
    const struct model_object *p = cell(m, o);
    if (p->length) {
        uint8_t gone = heap_slot_take(m, o, 0);
        if (gone) heap_decrement(m, gone);
    }
    return p->length == 0;
}

void heap_release_step(struct model *m)
{
    uint8_t o = m->releasing;
    if (!o) {
        if (!m->released_count) return;
        o = m->releasing = m->released[--m->released_count];
        m->released[m->released_count] = 0;
    }
    if (!heap_clear_step(m, o)) return;
    m->releasing = 0;
    cell_free(m, o);
}

/* The pin is no count here: one more could make a count of two bits stick. */
void heap_unpin(struct model *m, uint8_t o)
{
    struct model_object *p = cell(m, o);
    p->flags &= (uint8_t)~FLAG_PINNED;
    if (p->count == 0) heap_release(m, o);
}
