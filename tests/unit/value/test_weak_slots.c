/*
 * Slots that refer weakly, in containers of every type. Goal: who reads gets what is there and
 * nothing else, whatever has gone and not yet been removed; a container is a member once, however
 * it is held; copies hold references of their own; no reference outlives its owner.
 *
 * Method: random histories of one container beside a model that knows what each slot should hold,
 * while targets come and go and a bounded step removes some of what is gone now and then; copies
 * that are made where the nth allocation fails, for every n. heap_check() follows each change.
 */
#include "containers.h"

#include "value/copy.h"
#include "value/list_deque.h"
#include "value/zset.h"

enum { TARGETS = PALETTE / 2, STEPS = 4000 };

/* Targets are the containers of the palette, which the world holds once: until they are dropped. */
static val *target_at(struct world *w, uint32_t i)
{
    return &w->palette[2 * i + 1];
}

static bool drawn(struct world *w, uint32_t one_of)
{
    return below(w, one_of) == 0;
}

static struct needle weak_needle(struct world *w, val target)
{
    struct needle n = needle_of_val(&w->heap, target);
    n.weakly = true;
    return n;
}

static val weak_val(struct world *w, val target)
{
    val v = VAL_NONE;
    assert_int_equal(val_weaken(&w->heap, target, &v), STATUS_OK);
    return v;
}

static void steps(struct world *w)
{
    while (weak_step(&w->heap, 16)) continue;
    settle(w);
    assert_heap(w);
}

static void end(struct world *w)
{
    subject_drop(w);
    steps(w);
    assert_int_equal(w->heap.objects[OBJ_WEAK], 0);
    for (uint32_t i = 0; i < TARGETS; i++) {
        val v = *target_at(w, i);
        *target_at(w, i) = VAL_NONE;
        if (!val_is_none(v)) assert_int_equal(val_obj(v)->count, 1);
        val_release(&w->heap, v);
    }
    world_end(w);
}

/* --- sets and zsets --- */

enum held { NOT_HELD, STRONGLY, WEAKLY };

/* What the subject holds of each target, and the targets themselves: one that is held strongly
 * outlives being dropped by the palette. */
struct members {
    struct world w;
    enum held held[TARGETS];
    val targets[TARGETS];
    double scores[TARGETS];
    bool texts[4];
};

static bool member_lives(const struct members *m, uint32_t i)
{
    return m->held[i] != NOT_HELD;
}

static uint32_t target_index(const struct members *m, val v)
{
    for (uint32_t i = 0; i < TARGETS; i++)
        if (m->targets[i].w == v.w && member_lives(m, i)) return i;
    fail_msg("a member that nobody added");
    return 0;
}

static void add(struct members *m, uint32_t i, bool weakly)
{
    struct world *w = &m->w;
    val v = *target_at(w, i);
    bool added = false, known = member_lives(m, i);
    if (val_is_none(v)) return;
    struct needle n = weakly ? weak_needle(w, v) : needle_of_val(&w->heap, v);
    if (w->subject->type == OBJ_SET) {
        assert_int_equal(set_add(&w->heap, w->subject, &n, &added), STATUS_OK);
    } else {
        m->scores[i] = below(w, 4);
        assert_int_equal(zset_set(&w->heap, w->subject, &n, m->scores[i], &added), STATUS_OK);
    }
    assert_int_equal(added, !known);
    if (known) return;
    m->targets[i] = v;
    m->held[i] = weakly ? WEAKLY : STRONGLY;
}

static void take_out(struct members *m, uint32_t i)
{
    struct world *w = &m->w;
    val v = *target_at(w, i);
    if (val_is_none(v)) return;
    struct needle n = needle_of_val(&w->heap, v);
    bool there = w->subject->type == OBJ_SET ? set_remove(&w->heap, w->subject, &n)
                                             : zset_remove(&w->heap, w->subject, &n);
    assert_int_equal(there, member_lives(m, i));
    m->held[i] = NOT_HELD;
}

static void put_text(struct members *m, uint32_t i)
{
    struct world *w = &m->w;
    char text[64];
    bool added;
    struct needle n = needle_of_text(&w->heap, text_of(i + 40, text));
    if (w->subject->type == OBJ_SET)
        assert_int_equal(set_add(&w->heap, w->subject, &n, &added), STATUS_OK);
    else
        assert_int_equal(zset_set(&w->heap, w->subject, &n, 2, NULL), STATUS_OK);
    m->texts[i] = true;
}

/* The palette lets go of a target, or gets a new one. */
static void drop_or_make(struct members *m, uint32_t i)
{
    struct world *w = &m->w;
    val *at = target_at(w, i), v = *at;
    if (val_is_none(v)) {
        if (m->held[i] == STRONGLY) return;
        *at = palette_make(w, 2 * i + 1);
        return;
    }
    *at = VAL_NONE;
    if (m->held[i] == WEAKLY) m->held[i] = NOT_HELD;
    val_release(&w->heap, v);
}

static void members_step(struct members *m)
{
    struct world *w = &m->w;
    uint32_t i = below(w, TARGETS);
    switch (below(w, 8)) {
    case 0:
    case 1: add(m, i, true); break;
    case 2: add(m, i, false); break;
    case 3: take_out(m, i); break;
    case 4:
    case 5: drop_or_make(m, i); break;
    case 6: put_text(m, i % 4); break;
    default:
        weak_step(&w->heap, below(w, 4));
        if (drawn(w, 2)) settle(w);
        break;
    }
}

static uint64_t members_expected(const struct members *m)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < TARGETS; i++) n += member_lives(m, i);
    for (uint32_t i = 0; i < 4; i++) n += m->texts[i];
    return n;
}

struct walk {
    struct members *m;
    uint64_t shown;
};

static void see_member(void *ctx, val v)
{
    struct walk *walk = ctx;
    walk->shown++;
    if (val_is_container(v)) assert_true(member_lives(walk->m, target_index(walk->m, v)));
    assert_true(val_is_container(v) || val_is_string(v));
}

static void assert_set(struct members *m)
{
    struct world *w = &m->w;
    const struct obj *o = w->subject;
    struct walk walk = {.m = m}, scan = {.m = m};
    uint64_t cursor = 0, expected = members_expected(m);
    while (set_walk(o, &cursor, 8, see_member, &walk)) continue;
    assert_int_equal(walk.shown, expected);
    cursor = 0;
    do cursor = set_scan(o, cursor, see_member, &scan);
    while (cursor);
    assert_int_equal(scan.shown, expected);
    assert_int_equal(set_shown(&w->heap, o), expected);
    assert_true(set_length(o) >= expected);
    val v = set_random(&w->heap, o);
    assert_int_equal(val_is_none(v), expected == 0);
    if (val_is_container(v)) assert_true(member_lives(m, target_index(m, v)));
    for (uint32_t i = 0; i < TARGETS; i++) {
        if (val_is_none(*target_at(w, i))) continue;
        struct needle n = needle_of_val(&w->heap, *target_at(w, i));
        assert_int_equal(set_has(o, &n), member_lives(m, i));
        assert_int_equal(val_is_weak(set_slot(o, &n)), m->held[i] == WEAKLY);
    }
}

static void test_sets(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct members m = {.held = {NOT_HELD}};
        world_begin(&m.w, seed);
        subject_make(&m.w, OBJ_SET);
        for (int i = 0; i < STEPS; i++) {
            members_step(&m);
            assert_set(&m);
            if (i % 8 == 0) assert_heap(&m.w);
        }
        end(&m.w);
    }
}

/* The entries that a walk in the order shows; those of equal scores ascend by their numbers. */
/* From every rank over any number of those that are there. */
static void assert_skips(const struct heap *h, const struct obj *o)
{
    bool there[2 * TARGETS];
    uint64_t length = zset_length(o), at, left;
    struct zset_iter it;
    if (length == 0) return;
    assert_true(length <= sizeof there);
    zset_seek(o, 0, &it);
    for (at = 0; at < length; at++, (void)zset_next(&it))
        there[at] = !val_is_none(zset_at(&it).member);
    for (uint64_t rank = 0; rank <= length; rank++) {
        for (uint64_t shown = 0; shown < length + 2; shown++) {
            for (at = rank, left = shown; left && at < length; at++) left -= there[at];
            assert_int_equal(zset_skip(h, o, rank, shown), at);
            for (at = rank, left = shown; left && at > 0; at--) left -= there[at - 1];
            assert_int_equal(zset_skip_back(h, o, rank, shown), at);
        }
    }
}

static void assert_zset(struct members *m)
{
    struct world *w = &m->w;
    const struct obj *o = w->subject;
    uint64_t length = zset_length(o), expected = members_expected(m), shown = 0, last = 0;
    double score = -1;
    struct zset_iter it;
    assert_int_equal(zset_shown(&w->heap, o, 0, length), expected);
    assert_skips(&w->heap, o);
    if (length) zset_seek(o, 0, &it);
    for (uint64_t rank = 0; rank < length; rank++, zset_next(&it)) {
        struct zset_entry e = zset_at(&it);
        if (val_is_none(e.member)) continue;
        shown++;
        uint64_t number = 0;
        if (val_is_container(e.member)) {
            uint32_t i = target_index(m, e.member);
            assert_true(member_lives(m, i) && m->scores[i] == e.score);
            number = ident_get(&w->heap, val_obj(e.member));
            assert_true(number > 0);
        }
        assert_true(e.score >= score);
        if (e.score > score) last = 0;
        assert_true(!number || number > last);
        score = e.score;
        last = number;
    }
    assert_int_equal(shown, expected);
    for (uint32_t i = 0; i < TARGETS; i++) {
        double found;
        uint64_t rank;
        if (val_is_none(*target_at(w, i))) continue;
        struct needle n = needle_of_val(&w->heap, *target_at(w, i));
        assert_int_equal(zset_score(o, &n, &found), member_lives(m, i));
        if (member_lives(m, i)) assert_true(found == m->scores[i]);
        assert_int_equal(zset_rank(&w->heap, o, &n, &rank), member_lives(m, i));
    }
}

static void test_zsets(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct members m = {.held = {NOT_HELD}};
        world_begin(&m.w, seed);
        subject_make(&m.w, OBJ_ZSET);
        for (int i = 0; i < STEPS; i++) {
            members_step(&m);
            assert_zset(&m);
            if (i % 8 == 0) assert_heap(&m.w);
        }
        end(&m.w);
    }
}

/* Taken away from the ends, those that are gone are not counted. */
/* One is left behind so many that are gone: it is found, or, beyond the bound, they count. */
static void test_ranks_pass_over_so_many_at_most(void **state)
{
    (void)state;
    enum { GONE = ZSET_SKIP_MAX + 10 };
    static struct world w;
    world_begin(&w, 1);
    subject_make(&w, OBJ_ZSET);
    struct heap *h = &w.heap;
    struct obj *o = w.subject;
    struct needle last = weak_needle(&w, *target_at(&w, 0));
    assert_int_equal(zset_set(h, o, &last, GONE, NULL), STATUS_OK);
    for (int i = 0; i < GONE; i++) {
        struct obj *target = heap_container_new(h, OBJ_LIST);
        struct needle n = weak_needle(&w, val_of_obj(target));
        assert_int_equal(zset_set(h, o, &n, i, NULL), STATUS_OK);
        rc_dec(h, target);
    }
    const uint64_t length = GONE + 1, exact = length - ZSET_SKIP_MAX;
    assert_int_equal(zset_length(o), length);
    assert_int_equal(zset_shown(h, o, 0, length), 1);
    assert_int_equal(zset_skip(h, o, exact, 1), length);
    assert_int_equal(zset_skip(h, o, exact - 1, 1), exact);
    assert_int_equal(zset_skip_back(h, o, length, 2), length - 2);
    assert_int_equal(zset_skip_back(h, o, ZSET_SKIP_MAX, 1), 0);
    assert_int_equal(zset_skip_back(h, o, ZSET_SKIP_MAX + 1, 1), ZSET_SKIP_MAX);
    assert_int_equal(zset_shown_about(h, o, exact, length), 1);
    assert_int_equal(zset_shown_about(h, o, exact - 1, length), ZSET_SKIP_MAX + 1);
    end(&w);
}

static void test_ends_of_zsets(void **state)
{
    (void)state;
    struct members m = {.held = {NOT_HELD}};
    struct world *w = &m.w;
    world_begin(w, 1);
    subject_make(w, OBJ_ZSET);
    for (uint32_t i = 0; i < TARGETS; i++) add(&m, i, i % 3 != 0);
    for (uint32_t i = 0; i < TARGETS; i += 2) drop_or_make(&m, i);
    uint64_t live = members_expected(&m);
    assert_true(live < TARGETS && live > TARGETS / 2);
    while (live > 0) {
        uint64_t count = 1 + below(w, live < 4 ? live : 4);
        zset_pop(&w->heap, w->subject, drawn(w, 2) ? ZSET_BEGIN : ZSET_END, count);
        live -= count;
        assert_int_equal(zset_shown(&w->heap, w->subject, 0, zset_length(w->subject)), live);
        assert_heap(w);
    }
    end(w);
}

/* --- hashes --- */

enum { FIELDS = 40 };

struct fields {
    struct world w;
    uint32_t target[FIELDS]; /* one more than its index; 0: a text */
    enum held held[FIELDS];
    val values[FIELDS];
};

static struct needle field_needle(struct world *w, uint32_t f, char text[64])
{
    return needle_of_text(&w->heap, text_of(f, text));
}

static bool field_lives(const struct fields *fs, uint32_t f)
{
    if (fs->held[f] != WEAKLY) return fs->held[f] == STRONGLY;
    return fs->w.palette[2 * (fs->target[f] - 1) + 1].w == fs->values[f].w;
}

static void field_set(struct fields *fs, uint32_t f, uint32_t i, enum held how)
{
    struct world *w = &fs->w;
    char text[64];
    struct needle n = field_needle(w, f, text);
    val v = *target_at(w, i), stored = val_of_small(f);
    bool created, known = field_lives(fs, f);
    if (val_is_none(v)) return;
    if (how == WEAKLY) stored = weak_val(w, v);
    assert_int_equal(hash_set_take(&w->heap, w->subject, &n, stored, &created), STATUS_OK);
    assert_int_equal(created, !known);
    fs->held[f] = how;
    fs->target[f] = how == WEAKLY ? i + 1 : 0;
    fs->values[f] = how == WEAKLY ? v : stored;
}

/* The memory of a target may be used again for another, at the same address. */
static void target_drop_or_make(struct fields *fs, uint32_t i)
{
    struct world *w = &fs->w;
    val *at = target_at(w, i), v = *at;
    if (val_is_none(v)) {
        *at = palette_make(w, 2 * i + 1);
        return;
    }
    *at = VAL_NONE;
    for (uint32_t f = 0; f < FIELDS; f++)
        if (fs->target[f] == i + 1) {
            fs->held[f] = NOT_HELD;
            fs->target[f] = 0;
        }
    val_release(&w->heap, v);
}

static void fields_step(struct fields *fs)
{
    struct world *w = &fs->w;
    char text[64];
    uint32_t f = below(w, FIELDS), i = below(w, TARGETS);
    struct needle n = field_needle(w, f, text);
    switch (below(w, 7)) {
    case 0:
    case 1: field_set(fs, f, i, WEAKLY); break;
    case 2: field_set(fs, f, i, STRONGLY); break;
    case 3:
        assert_int_equal(hash_delete(&w->heap, w->subject, &n), field_lives(fs, f));
        fs->held[f] = NOT_HELD;
        fs->target[f] = 0;
        break;
    case 4:
    case 5: target_drop_or_make(fs, i); break;
    default:
        weak_step(&w->heap, below(w, 4));
        if (drawn(w, 2)) settle(w);
        break;
    }
}

static void count_field(void *ctx, val field, val value)
{
    (void)field;
    assert_false(val_is_none(value) || val_is_weak(value));
    ++*(uint64_t *)ctx;
}

static void assert_fields(struct fields *fs)
{
    struct world *w = &fs->w;
    char text[64];
    uint64_t expected = 0, shown = 0, cursor = 0;
    for (uint32_t f = 0; f < FIELDS; f++) {
        struct needle n = field_needle(w, f, text);
        val v = hash_get(w->subject, &n);
        expected += field_lives(fs, f);
        if (field_lives(fs, f))
            assert_int_equal(v.w, fs->values[f].w);
        else
            assert_true(val_is_none(v));
    }
    while (hash_walk(w->subject, &cursor, 8, count_field, &shown)) continue;
    assert_int_equal(shown, expected);
    shown = cursor = 0;
    do cursor = hash_scan(w->subject, cursor, count_field, &shown);
    while (cursor);
    assert_int_equal(shown, expected);
    assert_int_equal(hash_shown(&w->heap, w->subject), expected);
    assert_true(hash_length(w->subject) >= expected);
}

static void test_hashes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct fields fs = {.held = {NOT_HELD}};
        world_begin(&fs.w, seed);
        subject_make(&fs.w, OBJ_HASH);
        for (int i = 0; i < STEPS; i++) {
            fields_step(&fs);
            assert_fields(&fs);
            if (i % 8 == 0) assert_heap(&fs.w);
        }
        end(&fs.w);
    }
}

/* --- lists --- */

enum { ELEMENTS_MAX = 3 * LIST_CHUNK_SLOTS };

struct elements {
    struct world w;
    uint32_t length;
    uint64_t expected[ELEMENTS_MAX]; /* words */
};

static void element_insert(struct elements *es, uint32_t at, uint64_t word)
{
    memmove(es->expected + at + 1, es->expected + at, (es->length - at) * sizeof word);
    es->expected[at] = word;
    es->length++;
}

static void element_remove(struct elements *es, uint32_t at)
{
    es->length--;
    memmove(es->expected + at, es->expected + at + 1, (es->length - at) * sizeof(uint64_t));
}

static void put_element(struct elements *es)
{
    struct world *w = &es->w;
    struct heap *h = &w->heap;
    val target = *target_at(w, below(w, TARGETS)), v = val_of_small(es->length);
    if (es->length == ELEMENTS_MAX || val_is_none(target)) return;
    uint64_t word = v.w;
    if (!drawn(w, 3)) {
        v = weak_val(w, target);
        word = target.w;
    }
    uint32_t where = below(w, 8) ? (below(w, 2) ? es->length : 0) : below(w, es->length + 1u);
    assert_int_equal(list_insert_take(h, w->subject, where, v), STATUS_OK);
    element_insert(es, where, word);
}

static void remove_elements(struct elements *es)
{
    struct world *w = &es->w;
    val target = *target_at(w, below(w, TARGETS));
    if (val_is_none(target)) return;
    struct needle n = needle_of_val(&w->heap, target);
    uint64_t removed = list_remove_matching(&w->heap, w->subject, &n, LIST_HEAD, 2), expected = 0;
    for (uint32_t i = 0; i < es->length && expected < 2;) {
        if (es->expected[i] == target.w) {
            element_remove(es, i);
            expected++;
        } else {
            i++;
        }
    }
    assert_int_equal(removed, expected);
}

static void cut(struct elements *es)
{
    struct world *w = &es->w;
    uint32_t first = below(w, 1 + es->length / 2), count = below(w, 1 + es->length - first);
    assert_int_equal(list_trim(&w->heap, w->subject, first, count), STATUS_OK);
    memmove(es->expected, es->expected + first, count * sizeof(uint64_t));
    es->length = count;
}

static void drop_target(struct elements *es)
{
    struct world *w = &es->w;
    uint32_t i = below(w, TARGETS);
    val *at = target_at(w, i), v = *at;
    *at = val_is_none(v) ? palette_make(w, 2 * i + 1) : VAL_NONE;
    if (val_is_none(v)) return;
    for (uint32_t k = 0; k < es->length; k++)
        if (es->expected[k] == v.w) es->expected[k] = VAL_NIL.w;
    val_release(&w->heap, v);
}

static void elements_step(struct elements *es, uint32_t growth)
{
    struct world *w = &es->w;
    uint32_t kind = below(w, 400);
    if (kind == 0) {
        cut(es);
    } else if (kind < 8) {
        drop_target(es);
    } else if (kind < 20) {
        remove_elements(es);
    } else if (kind < 40) {
        weak_step(&w->heap, below(w, 4));
        if (drawn(w, 2)) settle(w);
    } else if (kind < 40 + growth) {
        put_element(es);
    } else if (es->length) {
        enum list_end from = drawn(w, 2) ? LIST_HEAD : LIST_TAIL;
        list_drop(&w->heap, w->subject, from);
        element_remove(es, from == LIST_HEAD ? 0 : es->length - 1);
    }
}

static void assert_elements(struct elements *es)
{
    assert_int_equal(list_length(es->w.subject), es->length);
    struct list_iter it;
    if (es->length) list_seek(es->w.subject, 0, &it);
    for (uint32_t i = 0; i < es->length; i++) {
        assert_int_equal(list_get(es->w.subject, i).w, es->expected[i]);
        assert_int_equal(list_at(&it).w, es->expected[i]);
        assert_int_equal(list_at_slot(&it).w, list_slot(es->w.subject, i).w);
        assert_int_equal(list_next(&it), i + 1 < es->length);
    }
    assert_heap(&es->w);
}

static void test_lists(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct elements *es = calloc(1, sizeof *es);
        world_begin(&es->w, seed);
        subject_make(&es->w, OBJ_LIST);
        for (int i = 0; i < 30000; i++) {
            elements_step(es, i / 5000 % 2 ? 120 : 320);
            if (i % 64 == 0) assert_elements(es);
        }
        assert_elements(es);
        end(&es->w);
        free(es);
    }
}

/* What is cut off leaves no reference behind that could outlive the list. */
static void test_cut_off_slots_are_let_go(void **state)
{
    (void)state;
    for (uint32_t kept = 0; kept <= 1; kept++) {
        struct world w;
        world_begin(&w, 1);
        subject_make(&w, OBJ_LIST);
        val target = *target_at(&w, 0);
        for (uint32_t i = 0; i < 4 * LIST_CHUNK_SLOTS; i++)
            assert_int_equal(list_push_take(&w.heap, w.subject, LIST_TAIL,
                                            i % 2 ? val_of_small(i) : weak_val(&w, target)),
                             STATUS_OK);
        assert_int_equal(
            list_trim(&w.heap, w.subject, 2 * LIST_CHUNK_SLOTS + 7, kept * LIST_CHUNK_SLOTS),
            STATUS_OK);
        assert_heap(&w);
        assert_int_equal(weak_count(&w.heap, val_obj(target)), kept * LIST_CHUNK_SLOTS / 2);
        /* The list goes before what was cut off is freed; then the target does. */
        subject_drop(&w);
        *target_at(&w, 0) = VAL_NONE;
        val_release(&w.heap, target);
        while (weak_step(&w.heap, 1)) assert_heap(&w);
        subject_make(&w, OBJ_LIST);
        end(&w);
    }
}

/* --- copies --- */

/* A hash of the containers of all types, each of which refers weakly to all of them, to what is
 * copied, to a target outside, and to what is gone. */
static void copied_make(struct world *w)
{
    static const enum obj_type types[] = {OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_ZSET};
    enum { TYPES = sizeof types / sizeof *types };
    struct obj *all[TYPES];
    subject_make(w, OBJ_HASH);
    for (uint32_t i = 0; i < TYPES; i++) {
        char text[64];
        struct needle n = needle_of_text(&w->heap, text_of(i, text));
        all[i] = heap_container_new(&w->heap, types[i]);
        assert_non_null(all[i]);
        val v = val_of_obj(all[i]);
        assert_int_equal(hash_set_take(&w->heap, w->subject, &n, v, NULL), STATUS_OK);
    }
    for (uint32_t i = 0; i < TYPES; i++) {
        val targets[TYPES + 3] = {val_of_obj(w->subject), *target_at(w, 0), *target_at(w, 1)};
        for (uint32_t k = 0; k < TYPES; k++) targets[k + 3] = val_of_obj(all[k]);
        for (uint32_t k = 0; k < TYPES + 3; k++) {
            char text[64];
            struct needle n = weak_needle(w, targets[k]),
                          f = needle_of_text(&w->heap, text_of(k, text));
            bool added;
            enum status s = STATUS_OK;
            if (types[i] == OBJ_LIST)
                s = list_push_take(&w->heap, all[i], LIST_TAIL, weak_val(w, targets[k]));
            else if (types[i] == OBJ_HASH)
                s = hash_set_take(&w->heap, all[i], &f, weak_val(w, targets[k]), NULL);
            else if (types[i] == OBJ_SET)
                s = set_add(&w->heap, all[i], &n, &added);
            else
                s = zset_set(&w->heap, all[i], &n, k, NULL);
            assert_int_equal(s, STATUS_OK);
        }
    }
    val gone = *target_at(w, 1);
    *target_at(w, 1) = VAL_NONE;
    val_release(&w->heap, gone);
}

static struct obj *part(struct world *w, const struct obj *whole, uint32_t i)
{
    char text[64];
    struct needle n = needle_of_text(&w->heap, text_of(i, text));
    val v = hash_get(whole, &n);
    assert_true(val_is_container(v));
    return val_obj(v);
}

/* What refers to the copied refers to the copies in the copy. */
static void assert_copied(struct world *w, struct obj *copy)
{
    const struct obj *list = part(w, copy, 0), *hash = part(w, copy, 1), *set = part(w, copy, 2),
                     *zset = part(w, copy, 3);
    val expected[7] = {val_of_obj(copy), *target_at(w, 0), VAL_NONE};
    for (uint32_t i = 0; i < 4; i++) {
        expected[3 + i] = val_of_obj(part(w, copy, i));
        assert_true(part(w, copy, i) != part(w, w->subject, i));
    }
    assert_int_equal(list_length(list), 7);
    assert_int_equal(hash_length(hash), 6);
    assert_int_equal(set_length(set), 6);
    assert_int_equal(zset_length(zset), 6);
    for (uint32_t k = 0; k < 7; k++) {
        char text[64];
        struct needle f = needle_of_text(&w->heap, text_of(k, text));
        bool gone = val_is_none(expected[k]);
        assert_int_equal(list_get(list, k).w, gone ? VAL_NIL.w : expected[k].w);
        assert_int_equal(hash_get(hash, &f).w, expected[k].w);
        if (gone) continue;
        struct needle n = needle_of_val(&w->heap, expected[k]);
        double score;
        assert_true(set_has(set, &n) && val_is_weak(set_slot(set, &n)));
        assert_true(zset_score(zset, &n, &score) && score == k);
    }
    assert_int_equal(weak_count(&w->heap, copy), 4);
    assert_int_equal(weak_count(&w->heap, w->subject), 4);
    assert_int_equal(weak_count(&w->heap, val_obj(*target_at(w, 0))), 8);
}

static void test_deep_copies(void **state)
{
    (void)state;
    bool copied = false;
    for (uint64_t nth = 1; !copied; nth++) {
        struct world w;
        val v = VAL_NONE;
        world_begin(&w, 1);
        copied_make(&w);
        w.mem.fail_at = nth;
        enum status s = copy_value(&w.heap, val_of_obj(w.subject), COPY_DEEP, &v);
        w.mem.fail_at = 0;
        copied = s == STATUS_OK;
        assert_true(copied || s == STATUS_OOM);
        if (copied) {
            rc_inc(&w.heap, val_obj(v));
            struct obj *held = w.subject; /* for the check, which knows the subject alone */
            assert_copied(&w, val_obj(v));
            w.subject = held;
            rc_dec(&w.heap, val_obj(v));
            val_release(&w.heap, v);
        }
        steps(&w);
        end(&w);
        assert_true(nth < 1000);
    }
}

static void test_copies_of_one_level(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        bool copied = false;
        for (uint64_t nth = 1; !copied; nth++) {
            struct world w;
            val v = VAL_NONE;
            world_begin(&w, 1);
            copied_make(&w);
            struct obj *from = part(&w, w.subject, i);
            w.mem.fail_at = nth;
            enum status s = copy_value(&w.heap, val_of_obj(from), COPY_LEVEL, &v);
            w.mem.fail_at = 0;
            copied = s == STATUS_OK;
            assert_true(copied || s == STATUS_OOM);
            settle(&w);
            assert_int_equal(weak_count(&w.heap, w.subject), copied ? 5 : 4);
            if (copied) val_release(&w.heap, v);
            steps(&w);
            end(&w);
            assert_true(nth < 1000);
        }
    }
}

/* --- values --- */

static void test_values(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1);
    struct heap *h = &w.heap;
    val a = *target_at(&w, 0), b = *target_at(&w, 1), v = VAL_NONE, shared = VAL_NIL;
    val to_a = weak_val(&w, a), also_a = weak_val(&w, a), to_b = weak_val(&w, b);
    assert_true(val_is_weak(to_a) && !val_is_weak(a) && !val_is_container(to_a));
    assert_true(val_target(to_a).w == a.w && val_target(a).w == a.w);
    assert_true(val_eq(to_a, a) && val_eq(a, to_a) && val_eq(to_a, also_a) && val_eq(to_a, to_a));
    assert_false(val_eq(to_a, b) || val_eq(to_a, to_b) || val_eq(to_a, val_of_small(1)));
    assert_int_equal(val_hash(h, to_a), val_hash(h, a));
    assert_true(val_check(to_a));
    assert_int_equal(val_weaken(h, val_of_small(1), &v), STATUS_NOT_WEAKLY);
    assert_int_equal(val_weaken(h, w.palette[4], &v), STATUS_NOT_WEAKLY);
    assert_int_equal(val_share(h, to_a, &shared), STATUS_OK);
    assert_true(val_is_weak(shared) && shared.w != to_a.w && val_eq(shared, a));
    val_release(h, shared);

    uint32_t hash = val_hash(h, to_a);
    *target_at(&w, 0) = VAL_NONE;
    val_release(h, a);
    assert_true(val_is_none(val_target(to_a)));
    assert_int_equal(val_hash(h, to_a), hash);
    assert_true(val_eq(to_a, to_a) && !val_eq(to_a, also_a) && !val_eq(to_a, to_b));
    assert_int_equal(val_share(h, to_a, &shared), STATUS_OK);
    assert_true(val_is_none(shared));
    val_release(h, to_a);
    val_release(h, also_a);
    val_release(h, to_b);
    while (weak_step(h, 1)) continue;
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_zsets),
        cmocka_unit_test(test_ranks_pass_over_so_many_at_most),
        cmocka_unit_test(test_ends_of_zsets),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_cut_off_slots_are_let_go),
        cmocka_unit_test(test_deep_copies),
        cmocka_unit_test(test_copies_of_one_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
