#include "model_parts.h"

/* --- candidates --- */

static bool append(struct model *m, uint8_t o)
{
    if (m->memory_out) return false;
    if (m->candidate_count == MODEL_CANDIDATES) {
        fail(m, FAIL_ENDLESS);
        return true;
    }
    m->candidates[m->candidate_count++] = o;
    return true;
}

/* The oldest; 0 when there is none, or when it has died since. */
static uint8_t candidates_take(struct model *m)
{
    if (!m->candidate_count) return 0;
    uint8_t o = m->candidates[0];
    m->candidate_count--;
    for (uint8_t i = 0; i < m->candidate_count; i++) m->candidates[i] = m->candidates[i + 1];
    m->candidates[m->candidate_count] = 0;
    struct model_object *p = cell(m, o);
    if (m->failure) return 0;
    /* Off: the flag stands until the trial has ended. */
    if (rule(m, RULE_10_FLAG)) p->flags &= (uint8_t)~FLAG_CANDIDATE;
    if (p->count > 0) return o;
    p->flags &= (uint8_t)~FLAG_CANDIDATE;
    if (p->state != CELL_KEPT) return 0; /* the release queue will free the cell */
    m->candidates_dead--;
    p->state = CELL_FREE;
    p->flags = 0;
    return 0;
}

static void shed_dead(struct model *m)
{
    for (int i = 0;
         i < 2 && m->candidates_dead > SHED_DEAD_MIN && m->candidates_dead * 2 > m->candidate_count;
         i++) {
        uint8_t o = candidates_take(m);
        if (!o) continue;
        if (append(m, o))
            m->objects[o].flags |= FLAG_CANDIDATE;
        else
            m->lost = true;
    }
}

void candidates_add(struct model *m, uint8_t o)
{
    if (append(m, o))
        cell(m, o)->flags |= FLAG_CANDIDATE;
    else
        m->lost = true;
    shed_dead(m);
}

void collect_candidate(struct model *m, uint8_t o)
{
    const struct model_object *p = cell(m, o);
    if (immortal(m, p) || collect_is_condemned(m, o)) return;
    if (!m->enabled && !rule(m, RULE_14_OFF)) return;
    candidates_add(m, o);
}

/* --- places --- */

static uint8_t place_of(const struct model *m, uint8_t o)
{
    uint8_t place = m->objects[o].place;
    if (!place || place > m->places) return 0;
    /* Off: nobody looks whether the place is this object's, so words of an earlier trial count. */
    return m->table[place].o == o || !rule(m, RULE_10_RESET) ? place : 0;
}

static uint8_t place_add(struct model *m, uint8_t o)
{
    if (m->memory_out) return 0;
    uint8_t place = (uint8_t)(m->places + 1);
    if (place >= MODEL_PLACES || (m->places_max && place > m->places_max)) {
        fail(m, FAIL_ENDLESS);
        return 0;
    }
    m->places = place;
    struct model_object *p = cell(m, o);
    uint8_t shadow = rule(m, RULE_11_SHADOW) ? p->count : p->count & 1;
    m->table[place] = (struct model_place){.o = o, .shadow = shadow};
    p->place = place;
    return place;
}

static void blacken(struct model *m, uint8_t place)
{
    struct model_place *p = &m->table[place];
    if (p->black) return;
    if (place <= m->trial_roots && !p->rescued) m->roots_left--;
    p->black = true;
    p->black_next = m->black_list;
    m->black_list = place;
}

static void rescue_place(struct model *m, uint8_t place)
{
    struct model_place *p = &m->table[place];
    if (!p->rescued && !p->black && place <= m->trial_roots) m->roots_left--;
    p->rescued = true;
    if (m->phase == PHASE_BLACK && rule(m, RULE_1_BLACK)) blacken(m, place);
    /* Others, which the trial will take only now, may become garbage together with this one before
     * they are taken. The trial keeps them all for this one's sake; so the next must try it. */
    if (m->phase == PHASE_GRAY && m->take_left && rule(m, RULE_1_TAKE) && p->o &&
        (m->objects[p->o].flags & FLAG_CANDIDATE) == 0)
        candidates_add(m, p->o);
}

void collect_rescue(struct model *m, uint8_t o)
{
    if (m->phase == PHASE_GRAY && !rule(m, RULE_1_GRAY)) return;
    uint8_t place = place_of(m, o);
    if (place) rescue_place(m, place);
}

bool collect_is_condemned(const struct model *m, uint8_t o)
{
    const struct model_object *p = &m->objects[o];
    if (m->phase != PHASE_FREE) return false;
    if (p->flags & FLAG_PINNED) return true;
    if (m->free_pass != PASS_PINS || (p->flags & FLAG_VISIBLE) == 0) return false;
    uint8_t place = place_of(m, o);
    return place && !m->table[place].black;
}

static void scan_stop(struct model *m)
{
    m->scanning = 0;
    m->cursor = m->limit = m->scan_left = 0;
    m->resumed = false;
    if (m->phase == PHASE_GRAY) m->next++;
}

void collect_forget(struct model *m, uint8_t o)
{
    if (m->phase == PHASE_IDLE || (m->objects[o].flags & FLAG_PINNED)) return;
    uint8_t place = place_of(m, o);
    if (!place) return;
    if (m->scanning == o && rule(m, RULE_6_CURSOR)) scan_stop(m);
    if (!rule(m, RULE_6_TABLE)) return;
    struct model_place *p = &m->table[place];
    if (place <= m->trial_roots && !p->rescued && !p->black) m->roots_left--;
    p->o = 0;
}

void collect_disturb(struct model *m, uint8_t o)
{
    if (m->scanning != o || m->phase != PHASE_GRAY || !rule(m, RULE_4_GRAY)) return;
    if (!rule(m, RULE_4_RESTART)) {
        m->cursor = 0;
        m->resumed = false;
        return;
    }
    uint8_t place = place_of(m, o);
    if (place) rescue_place(m, place);
    scan_stop(m);
}

void collect_slot_moved(struct model *m, uint8_t owner, uint8_t o)
{
    if (m->scanning != owner || m->phase != PHASE_BLACK || !rule(m, RULE_4_BLACK)) return;
    if (o && (m->objects[o].flags & FLAG_VISIBLE)) collect_rescue(m, o);
}

/* --- the phases --- */

/* Takes `times` from the shadow; more than it has is a fault, unless the object was rescued. */
static void shadow_take(struct model *m, struct model_place *p, uint8_t times)
{
    if (p->shadow >= times) {
        p->shadow = (uint8_t)(p->shadow - times);
    } else {
        p->shadow = 0;
        if (!p->rescued && rule(m, RULE_13)) m->faulted = true;
    }
}

static void gray_visit(struct model *m, uint8_t o)
{
    const struct model_object *t = cell(m, o);
    if ((t->flags & FLAG_VISIBLE) == 0) return;
    uint8_t place = place_of(m, o);
    if (!place) {
        if (t->roots || (immortal(m, t) && rule(m, RULE_11_IMMORTAL)) ||
            ((t->flags & FLAG_FROZEN) && rule(m, RULE_14_ROOT)) ||
            (t->place == MODEL_PLACE_NEW && rule(m, RULE_12_BORN)))
            return;
        place = place_add(m, o);
        if (!place) {
            m->faulted = true;
            return;
        }
    }
    bool injected = m->fault_injected;
    m->fault_injected = false;
    shadow_take(m, &m->table[place], injected ? UINT8_MAX : 1);
}

static void black_visit(struct model *m, uint8_t o)
{
    if ((cell(m, o)->flags & FLAG_VISIBLE) == 0) return;
    uint8_t place = place_of(m, o);
    if (place) blacken(m, place);
}

static void scan_start(struct model *m, uint8_t o)
{
    m->scanning = o;
    m->cursor = 0;
    m->limit = (int8_t)cell(m, o)->length;
    m->scan_left = m->limit;
    m->resumed = false;
}

static void scan_visit(struct model *m, int8_t at)
{
    const struct model_object *p = cell(m, m->scanning);
    bool gray = m->phase == PHASE_GRAY;
    uint8_t t = p->slots[at];
    if (t == 0 || (at == MODEL_SLOTS - 1 && !rule(m, RULE_5_MISSED))) return;
    if (gray)
        gray_visit(m, t);
    else
        black_visit(m, t);
    if (gray && at == 0 && !rule(m, RULE_5_TWICE) && !m->failure) gray_visit(m, t);
}

static void scan_step(struct model *m)
{
    int8_t length = (int8_t)cell(m, m->scanning)->length;
    bool gray = m->phase == PHASE_GRAY;
    if (m->cursor < 0) m->cursor = 0;
    int8_t limit = m->limit < length && rule(m, RULE_12_LIMIT) ? m->limit : length;
    if (m->resumed && !gray && !rule(m, RULE_3_BLACK)) m->cursor++;
    if (m->resumed && gray && !rule(m, RULE_3_GRAY) && m->cursor > 0 && m->cursor <= length)
        scan_visit(m, (int8_t)(m->cursor - 1));
    if (m->cursor < limit) {
        if (m->scan_left-- == 0 && rule(m, RULE_4_RESTART)) fail(m, FAIL_ENDLESS);
        scan_visit(m, m->cursor++);
        m->resumed = true;
    }
    if (m->cursor >= limit) scan_stop(m);
}

/* What became visible in earlier trials is new no longer: the change of the trial's number. */
static void number_change(struct model *m)
{
    for (uint8_t o = 1; o <= m->config.objects; o++)
        if (m->objects[o].place == MODEL_PLACE_NEW) m->objects[o].place = 0;
}

/* From now on nothing but what is visible now can get a place: the bound of the trial. */
static void taken(struct model *m)
{
    if (rule(m, RULE_12_TAKE)) number_change(m);
    m->places_max = m->places;
    for (uint8_t o = 1; o <= m->config.objects; o++)
        if ((m->objects[o].flags & FLAG_VISIBLE) && !place_of(m, o)) m->places_max++;
}

static void trial_start(struct model *m)
{
    m->phase = PHASE_GRAY;
    m->places = m->trial_roots = m->roots_left = m->black_list = 0;
    m->next = 1;
    m->take_left = m->candidate_count;
    m->faulted = false;
    if (!rule(m, RULE_12_TAKE)) number_change(m);
}

static void flags_clear(struct model *m)
{
    if (rule(m, RULE_10_FLAG)) return;
    for (uint8_t place = 1; place <= m->trial_roots; place++)
        if (m->table[place].o) m->objects[m->table[place].o].flags &= (uint8_t)~FLAG_CANDIDATE;
}

static void trial_end(struct model *m)
{
    flags_clear(m);
    m->phase = PHASE_IDLE;
    for (uint8_t place = 1; place < MODEL_PLACES && rule(m, RULE_10_RESET); place++)
        m->table[place] = (struct model_place){0};
    m->places = m->places_max = m->trial_roots = m->roots_left = m->next = 0;
    m->black_list = m->free_pass = 0;
    if (m->full == 2) m->full_trials++;
}

static void trial_abandon(struct model *m)
{
    m->phase = PHASE_ABANDON;
    if (m->scanning) scan_stop(m);
    m->black_list = m->take_left = 0;
    m->faulted = false;
    m->next = 1;
}

static void take_candidate(struct model *m)
{
    m->take_left--;
    uint8_t o = candidates_take(m);
    if (!o) return;
    struct model_object *p = &m->objects[o];
    if ((p->flags & FLAG_VISIBLE) == 0 || p->roots ||
        (immortal(m, p) && rule(m, RULE_11_IMMORTAL)) ||
        ((p->flags & FLAG_FROZEN) && rule(m, RULE_14_TAKE))) {
        p->flags &= (uint8_t)~FLAG_CANDIDATE;
        return;
    }
    if (place_of(m, o)) {
        candidates_add(m, o);
    } else if (place_add(m, o)) {
        m->trial_roots = m->places;
        m->roots_left++;
    } else {
        candidates_add(m, o);
        m->faulted = true;
    }
}

static void gray_step(struct model *m)
{
    if (m->take_left) {
        take_candidate(m);
        if (m->take_left == 0) taken(m);
    } else if (m->scanning) {
        scan_step(m);
    } else if (m->next <= m->places) {
        const struct model_place *p = &m->table[m->next];
        if (!p->o || p->rescued) {
            m->next++;
        } else {
            scan_start(m, p->o);
            scan_step(m);
        }
    } else {
        m->phase = PHASE_BLACK;
        m->next = 1;
    }
    if (m->faulted) trial_abandon(m);
}

static void commit(struct model *m)
{
    uint8_t condemned = 0;
    for (uint8_t place = 1; place <= m->places; place++)
        if (m->table[place].o && !m->table[place].black) condemned |= bit_of(m->table[place].o);
    m->phase = PHASE_FREE;
    m->next = 1;
    oracle_commit(m, condemned);
}

static void black_step(struct model *m)
{
    if (m->scanning) {
        scan_step(m);
    } else if (m->black_list) {
        const struct model_place *p = &m->table[m->black_list];
        m->black_list = p->black_next;
        if (!p->o) return;
        scan_start(m, p->o);
        scan_step(m);
    } else if (m->next <= m->places) {
        const struct model_place *p = &m->table[m->next];
        if (p->o && (p->rescued || p->shadow > 0)) blacken(m, m->next);
        m->next++;
    } else {
        commit(m);
    }
}

/* The condemned object at a place, or 0. */
static uint8_t condemned_at(const struct model *m, uint8_t place)
{
    const struct model_place *p = &m->table[place];
    return p->black ? 0 : p->o;
}

static void clear_step(struct model *m)
{
    if (!m->clearing) m->clearing = condemned_at(m, m->next++);
    if (m->clearing && heap_clear_step(m, m->clearing)) m->clearing = 0;
}

static void unpin_step(struct model *m)
{
    uint8_t o = condemned_at(m, m->next);
    m->table[m->next++].o = 0;
    if (o) heap_unpin(m, o);
}

/* The dead may refer to the condemned, for they left the table when they died: their slots are
 * cleared while the condemned are pinned yet, or these would be neither condemned nor freed. */
static void pass_ended(struct model *m)
{
    bool pending = m->released_count || m->releasing;
    uint8_t drains = rule(m, RULE_8_UNPIN) ? PASS_CLEARS : PASS_UNPINS;
    if (m->free_pass == drains && pending) {
        heap_release_step(m);
    } else if (m->free_pass != PASS_UNPINS) {
        m->free_pass++;
        m->next = 1;
    } else {
        trial_end(m);
    }
}

static void free_step(struct model *m)
{
    if (m->next > m->places && !m->clearing) {
        pass_ended(m);
        return;
    }
    switch ((enum model_pass)m->free_pass) {
    case PASS_PINS: {
        uint8_t o = condemned_at(m, m->next++);
        if (o) cell(m, o)->flags |= FLAG_PINNED;
        break;
    }
    case PASS_CLEARS: clear_step(m); break;
    case PASS_UNPINS: unpin_step(m); break;
    }
}

static void abandon_step(struct model *m)
{
    if (m->next > m->trial_roots || !rule(m, RULE_10_ABANDON)) {
        trial_end(m);
        return;
    }
    uint8_t o = m->table[m->next++].o;
    if (o && (m->objects[o].flags & FLAG_CANDIDATE) == 0) candidates_add(m, o);
}

/* --- between trials --- */

static void walk_step(struct model *m)
{
    if (!m->walking) {
        m->walking = true;
        m->walk_next = 1;
        m->lost = false;
    }
    uint8_t o = m->walk_next++;
    const struct model_object *p = &m->objects[o];
    if (p->state == CELL_LIVE && p->count && p->roots == 0 &&
        (p->flags & (FLAG_VISIBLE | FLAG_CANDIDATE)) == FLAG_VISIBLE)
        candidates_add(m, o);
    if (m->walk_next > m->config.objects) {
        m->walking = false;
        m->walk_next = 0;
    }
}

static void freeze_cell(struct model *m, uint8_t o)
{
    struct model_object *p = &m->objects[o];
    if (p->state == CELL_LIVE && p->count && !collect_is_condemned(m, o)) p->flags |= FLAG_FROZEN;
}

static void freeze_step(struct model *m)
{
    uint8_t o = m->freeze_next++;
    if (m->freezing == FREEZING_FREEZES)
        freeze_cell(m, o);
    else
        m->objects[o].flags &= (uint8_t)~FLAG_FROZEN;
    if (o < m->config.objects) return;
    /* What came up while it was frozen was dropped, and what it kept alive was not tried again. */
    if (m->freezing == FREEZING_THAWS && rule(m, RULE_14_QUEUE)) m->lost = true;
    m->freezing = FREEZING_NOT;
    m->freeze_next = 0;
}

void collect_freeze(struct model *m, bool on)
{
    uint8_t frozen = 0;
    for (uint8_t o = 1; o <= m->config.objects; o++) frozen |= m->objects[o].flags & FLAG_FROZEN;
    if (!on && !frozen && !m->freezing) return;
    m->freezing = on ? FREEZING_FREEZES : FREEZING_THAWS;
    m->freeze_next = 1;
    if (rule(m, RULE_14_TRIAL)) return;
    while (m->freezing) freeze_step(m);
}

static void full_step(struct model *m)
{
    if (m->full == 1) {
        m->full = 2;
        m->full_trials = 0;
    }
    if (m->released_count || m->releasing) {
        heap_release_step(m);
    } else if (m->lost || m->walking) {
        walk_step(m);
    } else if (m->candidate_count && m->full_trials < FULL_TRIALS_MAX) {
        trial_start(m);
    } else {
        m->full = m->full_trials = 0;
    }
}

static void idle_step(struct model *m)
{
    if (m->freezing)
        freeze_step(m);
    else if (m->full)
        full_step(m);
    else if (m->walking || (m->lost && m->enabled))
        walk_step(m);
    else if (m->enabled && m->candidate_count)
        trial_start(m);
}

void collect_slice(struct model *m)
{
    if (m->in_command && rule(m, RULE_9_SLICE)) {
        fail(m, FAIL_SLICE_INSIDE);
        return;
    }
    if (trial_open(m) && m->take_left == 0 && m->roots_left == 0) {
        /* All that was reached is reached from what is black or rescued, or from the dead. */
        if (m->scanning) scan_stop(m);
        trial_end(m);
        return;
    }
    switch ((enum model_phase)m->phase) {
    case PHASE_IDLE: idle_step(m); break;
    case PHASE_GRAY: gray_step(m); break;
    case PHASE_BLACK: black_step(m); break;
    case PHASE_FREE:
        free_step(m);
        oracle_weak(m);
        break;
    case PHASE_ABANDON: abandon_step(m); break;
    }
}

void collect_enable(struct model *m, bool on)
{
    m->enabled = on;
    if (!on && trial_open(m) && m->full != 2) trial_abandon(m);
}
