/*
 * The scenes of test_attack.c: each makes the case of one rule, however rare it is in the random
 * attacks. Nothing is left to chance but which client acts.
 *
 * A stage is a container on which its children hang by one reference each. The list `stage` refers
 * to it, so it lives; it is a candidate, and so is a ring of one that nobody holds, so that the
 * trial that takes both goes on when the container has turned out to be live. Both are made while
 * the collector is off.
 */
#include "attack.h"

enum { CHILDREN = 32 };

struct stage {
    int session;
    struct target top, ring;
    const struct obj *o; /* the top, while it lives */
};

static struct target new_list(struct attack *a, int session)
{
    send(a, session, "REF NEW list");
    return replied_handle(a, OBJ_LIST);
}

/* A list that its trial can see, since it refers to a container. */
static struct target visible_list(struct attack *a, int session)
{
    struct target t = new_list(a, session);
    send(a, session, "REF RPUSH %s n0", t.handle);
    return t;
}

static struct stage set_stage(struct attack *a, enum obj_type type)
{
    struct stage st = {.session = client(a)};
    int s = st.session;
    a->quiet = true;
    send(a, s, "GC UNFREEZE");
    send(a, s, "GC DISABLE");
    send(a, s, "REF NEW %s", type == OBJ_SET ? "set" : "list");
    st.top = replied_handle(a, type);
    st.o = object_held(a, s, st.top);
    for (int i = 0; i < CHILDREN; i++) {
        struct target child = visible_list(a, s);
        send(a, s, "REF %s %s %s", type == OBJ_SET ? "SADD" : "RPUSH", st.top.handle, child.handle);
        send(a, s, "RELEASE %s", child.handle);
    }
    st.ring = new_list(a, s);
    send(a, s, "REF RPUSH %s %s", st.ring.handle, st.ring.handle);
    send(a, s, "DEL stage");
    send(a, s, "REF RPUSH stage %s", st.top.handle);
    send(a, s, "RELEASE %s %s", st.top.handle, st.ring.handle);
    a->quiet = false;
    return st;
}

static bool is_top_scanned(struct attack *a, const struct obj *o)
{
    const struct collect *c = &heap_of(a)->collect;
    if (c->scanning != o) return false;
    uint64_t begin = type_of(heap_of(a), o)->begin(o);
    return c->cursor - begin < (c->limit - begin) / 2;
}

static bool is_top_scanned_in_gray(struct attack *a, const struct obj *o)
{
    return heap_of(a)->collect.phase == COLLECT_GRAY && is_top_scanned(a, o);
}

static bool is_top_scanned_in_black(struct attack *a, const struct obj *o)
{
    return heap_of(a)->collect.phase == COLLECT_BLACK && is_top_scanned(a, o);
}

/* The one that runs, and the one that takes what is on the stage. */
static bool run_on(struct attack *a, const struct stage *st, attack_moment *come)
{
    a->quiet = true;
    send(a, st->session, "GC ENABLE");
    a->quiet = false;
    return run_on_until(a, 2 * TRIAL_SLICES, come, st->o);
}

static bool is_committed(struct attack *a, const struct obj *o)
{
    (void)o;
    return has_committed(a);
}

/* The trial goes on to its commit; what is left of the stage is dropped. */
static void clear_stage(struct attack *a, const struct stage *st)
{
    run_on_until(a, TRIAL_SLICES, is_committed, NULL);
    check(a);
    send(a, st->session, "DEL stage");
    send(a, st->session, "RELEASE %s", st->top.handle);
}

/* --- the scenes --- */

/* What the trial has a place for gets a name, and another for it. */
static void rename_top(struct attack *a, attack_moment *come)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, come)) {
        send(a, st.session, "REF SET moving %s", st.top.identity);
        send(a, st.session, "RENAME moving moved");
        send(a, st.session, "DEL moved");
    }
    clear_stage(a, &st);
}

static void rename_in_gray(struct attack *a)
{
    rename_top(a, is_top_scanned_in_gray);
}

/* References move from one end of a list in mid-scan to the other. */
static void rotate_in_black(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, is_top_scanned_in_black) && hold(a, st.session, st.top))
        for (int i = 0; i < 3; i++)
            send(a, st.session, "LMOVE %s %s RIGHT LEFT", st.top.handle, st.top.handle);
    clear_stage(a, &st);
}

/* The table of a set is split in the middle of its scan, all in one command, so that slots come to
 * lie behind the end of the scan; nothing else refers to what they refer to. */
static void split(struct attack *a, attack_moment *come)
{
    struct stage st = set_stage(a, OBJ_SET);
    char words[WORLD_ARGS * 4] = "";
    size_t n = 0;
    for (int i = 0; i < WORLD_ARGS - 8; i++) n += (size_t)sprintf(words + n, " m%d", i);
    if (run_on(a, &st, come) && hold(a, st.session, st.top))
        send(a, st.session, "SADD %s%s", st.top.handle, words);
    clear_stage(a, &st);
}

static void split_in_gray(struct attack *a)
{
    split(a, is_top_scanned_in_gray);
}

static void split_in_black(struct attack *a)
{
    split(a, is_top_scanned_in_black);
}

/* A list gets longer than it was when its scan began. */
static void grow_in_black(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, is_top_scanned_in_black) && hold(a, st.session, st.top))
        send(a, st.session, "RPUSH %s x y z", st.top.handle);
    clear_stage(a, &st);
}

/* What is still to be scanned comes to refer to a container that is younger than the trial. */
static void store_new(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, is_top_scanned_in_gray) && hold(a, st.session, st.top)) {
        struct target young = visible_list(a, st.session);
        for (int back = 1; back < 4; back++)
            send(a, st.session, "REF LSET %s -%d %s", st.top.handle, back, young.handle);
        send(a, st.session, "RELEASE %s", young.handle);
    }
    clear_stage(a, &st);
}

/* The children of a list in mid-scan are on the black list, and die. */
static void kill_listed(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, is_top_scanned_in_black) && hold(a, st.session, st.top))
        send(a, st.session, "LPOP %s %d", st.top.handle, CHILDREN);
    clear_stage(a, &st);
}

/* A container dies in the middle of its scan, and others get its memory. */
static void kill_scanned(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, is_top_scanned)) {
        send(a, st.session, "DEL stage");
        steps_run(&a->w.engine, false);
        attack_fill_died_cells(a, st.session);
    }
    clear_stage(a, &st);
}

/* A name that holds more slots than a command releases. */
static void make_doomed(struct attack *a, int session)
{
    char words[WORLD_ARGS * 3] = "";
    for (int i = 0; i < WORLD_ARGS - 8; i++) strcat(words, " n0");
    for (int slots = 0; slots < 1024; slots += WORLD_ARGS - 8)
        send(a, session, "REF RPUSH doomed%s", words);
}

/* Nobody may get at what is condemned; and something that has just died waits to be cleared. */
static void look_at_condemned(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    int s = st.session;
    a->quiet = true;
    make_doomed(a, s);
    a->quiet = false;
    if (run_on(a, &st, is_committed)) {
        check(a);
        send(a, s, "OBJECT REFCOUNT %s", st.ring.identity);
        send(a, s, "REF GET %s", st.ring.identity);
    }
    send(a, s, "DEL doomed");
    clear_stage(a, &st);
}

static bool is_taken(struct attack *a, const struct obj *o)
{
    (void)o;
    const struct collect *c = &heap_of(a)->collect;
    return c->trial_open && c->take_left == 0 && c->roots_left > 0;
}

/* A trial is abandoned, with candidates that it has taken. */
static void disable(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, is_taken)) {
        send(a, st.session, "GC DISABLE");
        for (int i = 0; i < 2 * CHILDREN; i++) collect_step(heap_of(a), true);
        send(a, st.session, "GC ENABLE");
    }
    clear_stage(a, &st);
}

static bool is_frozen(struct attack *a, const struct obj *o)
{
    return !heap_of(a)->collect.freezing && (o->flags & OBJ_FROZEN);
}

/* Candidates are frozen before their trial takes them. */
static void freeze(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    send(a, st.session, "GC FREEZE");
    run_on(a, &st, is_frozen);
    run_on_until(a, TRIAL_SLICES, is_committed, NULL);
    clear_stage(a, &st);
}

static bool is_top_taken(struct attack *a, const struct obj *o)
{
    const struct collect *c = &heap_of(a)->collect;
    return c->trial_open && c->take_left && place_of(c, o);
}

/* A candidate that was taken gets a reference while others are still to be taken. */
static void hold_while_taking(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (run_on(a, &st, is_top_taken)) hold(a, st.session, st.top);
    clear_stage(a, &st);
}

/* A slot refers to an immortal, if there is one. */
static void reach_immortal(struct attack *a)
{
    struct stage st = set_stage(a, OBJ_LIST);
    if (a->immortal_count && hold(a, st.session, st.top)) {
        send(a, st.session, "REF RPUSH %s %s", st.top.handle, a->immortal.identity);
        send(a, st.session, "RELEASE %s", st.top.handle);
    }
    run_on(a, &st, is_top_scanned_in_black);
    clear_stage(a, &st);
}

/* Thousands of candidates die while the buffer names them: it sheds cells as others come, and so
 * hands out again, in one trial, what came up again. */
static void kill_candidates(struct attack *a)
{
    send(a, 0, "GC UNFREEZE");
    world_settle(&a->w);
    send(a, 0, "GC DISABLE");
    for (int i = 0; i < 200; i++) attack_touch(a);
    for (int i = 0; i < 3000; i++) {
        send(a, 0, "REF NEW list");
        struct target t = replied_handle(a, OBJ_LIST);
        send(a, 0, "REF RPUSH %s n0", t.handle);
        send(a, 0, "REF RPUSH doomed %s", t.handle);
        send(a, 0, "RELEASE %s", t.handle);
    }
    send(a, 0, "DEL doomed");
    while (heap_release_step(heap_of(a), 1024)) {
    }
    send(a, 0, "GC ENABLE");
}

/* Then many are touched, while the trial still takes candidates: some come up again in it. */
static void bring_up_again(struct attack *a)
{
    quietly(a, kill_candidates);
    for (int touches = 0; touches < 200; touches++) attack_touch(a);
}

static void (*const scenes[COLLECT_HIT_COUNT])(struct attack *a) = {
    [COLLECT_HIT_ROOTED] = rename_in_gray,
    [COLLECT_HIT_RESCUED_GRAY] = rename_in_gray,
    [COLLECT_HIT_RESCUED_BLACK] = rotate_in_black,
    [COLLECT_HIT_RESCUED_TAKING] = hold_while_taking,
    [COLLECT_HIT_MOVED] = rename_in_gray,
    [COLLECT_HIT_RESUMED_GRAY] = rename_in_gray,
    [COLLECT_HIT_RESUMED_BLACK] = grow_in_black,
    [COLLECT_HIT_DISTURBED_GRAY] = split_in_gray,
    [COLLECT_HIT_DISTURBED_BLACK] = split_in_black,
    [COLLECT_HIT_SLOT_MOVED] = split_in_black,
    [COLLECT_HIT_DIED_COLOURED] = kill_scanned,
    [COLLECT_HIT_DIED_SCANNED] = kill_scanned,
    [COLLECT_HIT_DIED_LISTED] = kill_listed,
    [COLLECT_HIT_DIED_CANDIDATE] = bring_up_again,
    [COLLECT_HIT_DEAD_CLEARED] = look_at_condemned,
    [COLLECT_HIT_REFUSED] = look_at_condemned,
    [COLLECT_HIT_CAME_AGAIN] = bring_up_again,
    [COLLECT_HIT_PUT_BACK] = disable,
    [COLLECT_HIT_IMMORTAL] = reach_immortal,
    [COLLECT_HIT_NEW] = store_new,
    [COLLECT_HIT_LIMIT] = grow_in_black,
    [COLLECT_HIT_FROZEN] = freeze,
    [COLLECT_HIT_NOTED_OFF] = disable,
};

void attack_scene_of(struct attack *a, enum collect_hit rule)
{
    scenes[rule](a);
}

void attack_scene(struct attack *a)
{
    unsigned rule = any(a, COLLECT_HIT_COUNT);
    if (scenes[rule] != bring_up_again) scenes[rule](a);
}
