#include <string.h>

#include "model_parts.h"

/*
 * What the roots reach, by bit o - 1. An object whose count is stuck lives for ever, so it is a
 * root, and so is what a command holds without a count, which is why it must not.
 */
uint8_t oracle_reached(const struct model *m, bool frozen_too)
{
    uint32_t reached = 0;
    for (uint8_t r = 0; r < m->config.roots; r++)
        if (m->roots[r]) reached |= bit_of(m->roots[r]);
    if (m->borrowed) reached |= bit_of(m->borrowed);
    for (uint8_t o = 1; o <= m->config.objects; o++) {
        const struct model_object *p = &m->objects[o];
        if (p->state != CELL_LIVE) continue;
        if (immortal(m, p) || (frozen_too && (p->flags & FLAG_FROZEN))) reached |= bit_of(o);
    }
    for (uint32_t todo = reached; todo;) {
        const struct model_object *p = &m->objects[__builtin_ctz(todo) + 1];
        todo &= todo - 1;
        for (uint8_t i = 0; i < p->length; i++) {
            uint8_t t = p->slots[i];
            if (t == 0 || (reached & bit_of(t))) continue;
            reached |= bit_of(t);
            todo |= bit_of(t);
        }
    }
    return (uint8_t)reached;
}

void oracle_commit(struct model *m, uint8_t condemned)
{
    m->doomed |= condemned;
    if (condemned & oracle_reached(m, false)) fail(m, FAIL_LIVE_CONDEMNED);
    if (condemned & oracle_reached(m, true)) fail(m, FAIL_FROZEN_CONDEMNED);
}

void oracle_freed(struct model *m, uint8_t o)
{
    m->doomed &= (uint8_t)~bit_of(o);
    if (oracle_reached(m, false) & bit_of(o)) fail(m, FAIL_LIVE_FREED);
}

bool weak_finds(const struct model *m, uint8_t o)
{
    const struct model_object *p = &m->objects[o];
    if (p->state != CELL_LIVE && p->state != CELL_DEAD) return false;
    if (p->count == 0 && rule(m, RULE_8_DEAD)) return false;
    return !rule(m, RULE_8_COMMIT) || !collect_is_condemned(m, o);
}

void oracle_weak(struct model *m)
{
    if (!m->doomed && !m->released_count && !m->releasing) return;
    for (uint8_t o = 1; o <= m->config.objects; o++)
        if ((m->objects[o].count == 0 || (m->doomed & bit_of(o))) && weak_finds(m, o))
            fail(m, FAIL_HANDED_OUT);
}

void model_check(struct model *m)
{
    uint8_t count[MODEL_OBJECTS + 1] = {0}, roots[MODEL_OBJECTS + 1] = {0};
    if (m->failure) return;
    for (uint8_t r = 0; r < MODEL_ROOTS; r++) {
        count[m->roots[r]]++;
        roots[m->roots[r]]++;
    }
    for (uint8_t o = 1; o <= MODEL_OBJECTS; o++) {
        const struct model_object *p = &m->objects[o];
        for (uint8_t i = 0; i < p->length; i++) count[p->slots[i]]++;
    }
    for (uint8_t o = 1; o <= MODEL_OBJECTS; o++) {
        const struct model_object *p = &m->objects[o];
        bool stuck = p->state == CELL_LIVE && immortal(m, p);
        bool live = p->state == CELL_LIVE && (p->flags & FLAG_PINNED) == 0;
        if (roots[o] != p->roots || (count[o] != p->count && !stuck) || (live && p->count == 0))
            fail(m, FAIL_COUNT);
    }
}

void model_settle(struct model *m)
{
    m->borrowed = 0;
    m->fault_injected = m->memory_out = false;
    collect_freeze(m, false);
    collect_enable(m, true);
    for (int full = 0; full < 2; full++) {
        m->full = m->full ? m->full : 1;
        int slices = 0;
        for (; !m->failure && m->full && slices < MODEL_SLICES_MAX; slices++) collect_slice(m);
        if (slices == MODEL_SLICES_MAX) fail(m, FAIL_ENDLESS);
    }
    if (m->failure) return;
    uint8_t reached = oracle_reached(m, false);
    for (uint8_t o = 1; o <= m->config.objects; o++) {
        bool there = m->objects[o].state == CELL_LIVE || m->objects[o].state == CELL_DEAD;
        if (there && (reached & bit_of(o)) == 0) fail(m, FAIL_GARBAGE);
    }
}

static const char *const rule_names[] = {
#define X(id, name, text) name,
    MODEL_RULES(X)
#undef X
};

static const char *const rule_texts[] = {
#define X(id, name, text) text,
    MODEL_RULES(X)
#undef X
};

const char *model_rule_name(enum model_rule r)
{
    return rule_names[r];
}

const char *model_rule_text(enum model_rule r)
{
    return rule_texts[r];
}

uint64_t model_rules_named(const char *name)
{
    uint64_t rules = 0;
    size_t bytes = strlen(name);
    for (int r = 0; r < RULES; r++)
        if (strncmp(rule_names[r], name, bytes) == 0 &&
            (rule_names[r][bytes] == 0 || rule_names[r][bytes] == '.'))
            rules |= RULE_BIT(r);
    return rules;
}

const char *model_failure_text(enum model_failure failure)
{
    static const char *const texts[FAILURES] = {
        [FAIL_NONE] = "nothing",
        [FAIL_LIVE_CONDEMNED] = "a live object condemned",
        [FAIL_LIVE_FREED] = "a live object freed",
        [FAIL_FROZEN_CONDEMNED] = "a frozen object condemned",
        [FAIL_HANDED_OUT] = "a dead or condemned object that a weak read finds",
        [FAIL_GARBAGE] = "garbage left after two quiet collections",
        [FAIL_ENDLESS] = "a trial that outgrows its bound",
        [FAIL_MEMORY] = "freed memory looked at",
        [FAIL_COUNT] = "a count that is wrong",
        [FAIL_SLICE_INSIDE] = "a slice inside a command",
    };
    return texts[failure];
}
