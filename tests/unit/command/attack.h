/*
 * What the attacks of test_attack.c share: sending a command, which is followed by slices and by
 * the checks, and aiming at what the collector is at.
 *
 * Ownership: struct attack contains its world; world_fini frees it.
 */
#ifndef TEST_COMMAND_ATTACK_H
#define TEST_COMMAND_ATTACK_H

#include <inttypes.h>

#include "heap/collect_parts.h"
#include "world.h"

enum {
    GRAPH_NODES = 1400,
    BIG_CONTAINERS = 4, /* of them, with hundreds of slots */
    BIG_SLOTS = 150,
    LIVE_OBJECTS_MIN = 1000,
    LIVE_OBJECTS_MAX = 3500, /* then names are dropped until half is left */
    GRAPH_NAMES = 16,
    KEYS = 16,
    TRIAL_SLICES = 40000, /* more than a trial takes */
    TARGETS_MAX = 8192,
    PLACES_SEEN = 16384,
    DIED_KEPT = 64,
    IMMORTALS = 4,
    READING_NS = 100,            /* by so much each reading advances the clock */
    WAITER = WORLD_SESSIONS - 1, /* the session that asks for collections */
};

struct target {
    char identity[HANDLE_TEXT_CHARS], handle[HANDLE_TEXT_CHARS]; /* "#:1f", "&:1f" */
    enum obj_type type;
};

struct attack {
    struct world w;
    uint64_t commands, refused;
    uint64_t slices_max;                /* after one command, less one */
    bool quiet;                         /* no slices and no checks */
    struct target targets[TARGETS_MAX]; /* live containers with identities, some steps ago */
    uint32_t target_count;
    /* Which cells died in this trial, so that one that is used again is noticed. */
    const struct obj *seen[PLACES_SEEN], *died[DIED_KEPT];
    uint32_t seen_count, died_next;
    uint64_t trial, deaths, committed;
    uint64_t cells_reused;
    uint64_t fell_due; /* how often time passed, and names fell due between two commands */
    struct obj *immortals[IMMORTALS];
    uint32_t immortal_count;
    struct target immortal; /* the last one */
};

static inline struct heap *heap_of(struct attack *a)
{
    return &a->w.engine.heap;
}

/* --- after every command --- */

/* Objects whose places in the trial's table have become empty. */
static inline void note_deaths(struct attack *a)
{
    struct collect *c = &heap_of(a)->collect;
    if (a->trial != c->stats.trials) {
        a->trial = c->stats.trials;
        a->seen_count = 0;
        memset(a->died, 0, sizeof a->died);
    }
    while (a->seen_count < c->places && a->seen_count < PLACES_SEEN) {
        a->seen[a->seen_count] = place_at(c, a->seen_count + 1)->o;
        a->seen_count++;
    }
    if (a->deaths == c->stats.hits[COLLECT_HIT_DIED_COLOURED]) return;
    a->deaths = c->stats.hits[COLLECT_HIT_DIED_COLOURED];
    for (uint32_t i = 0; i < a->seen_count && i < c->places; i++) {
        if (!a->seen[i] || place_at(c, i + 1)->o) continue;
        a->died[a->died_next++ % DIED_KEPT] = a->seen[i];
        a->seen[i] = NULL;
    }
}

/* A trial whose commit has not been looked at. */
static inline bool has_committed(struct attack *a)
{
    const struct collect *c = &heap_of(a)->collect;
    return c->phase == COLLECT_FREE && a->committed != c->stats.trials;
}

static inline void check(struct attack *a)
{
    struct heap *h = heap_of(a);
    world_assert_sound(&a->w);
    note_deaths(a);
    if (!has_committed(a)) return;
    a->committed = h->collect.stats.trials;
    struct heap_trace trace = heap_trace(h);
    assert_false(trace.failed);
    if (trace.condemned) fail_msg("after %s: a live object is condemned", world_command(&a->w));
}

static inline void slice(struct attack *a)
{
    struct world *w = &a->w;
    for (uint64_t slices = draw(w, a->slices_max); slices; slices--) {
        collect_step(heap_of(a), draw(w, 2));
        note_deaths(a);
        if (has_committed(a)) break; /* the next command meets the condemned */
    }
    if (draw(w, 24) == 0) steps_run(&w->engine, draw(w, 2));
    struct session *waiter = &w->sessions[WAITER];
    if (session_waits(waiter)) dispatch_resume(&w->engine, waiter, world_to(w));
}

/* One command, then slices, then the checks. Returns whether it was obeyed. */
static inline bool send(struct attack *a, int session, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool send(struct attack *a, int session, const char *format, ...)
{
    char line[WORLD_ARG_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    world_do(&a->w, session, line);
    world_assert_one_reply(&a->w);
    bool obeyed = !world_replied(&a->w, "-");
    a->commands++;
    a->refused += !obeyed;
    if (a->quiet) return obeyed;
    slice(a);
    check(a);
    return obeyed;
}

/* Commands that are not checked one by one. */
static inline void quietly(struct attack *a, void (*work)(struct attack *a))
{
    a->quiet = true;
    work(a);
    a->quiet = false;
    check(a);
}

/* --- aiming --- */

typedef bool attack_moment(struct attack *a, const struct obj *o);

/* So many slices at most until the moment has come; false when it does not come by then. */
static inline bool run_on_until(struct attack *a, uint64_t slices, attack_moment *come,
                                const struct obj *o)
{
    for (; slices; slices--) {
        if (come(a, o)) return true;
        collect_step(heap_of(a), true);
        note_deaths(a);
    }
    return false;
}

/* The same, but not for long: what comes then comes upon any moment of a trial. */
static inline bool run_until(struct attack *a, attack_moment *come, const struct obj *o)
{
    return run_on_until(a, draw(&a->w, 6000), come, o);
}

static inline bool is_scanned(struct attack *a, const struct obj *o)
{
    return heap_of(a)->collect.scanning == o;
}

static inline struct target target_of(struct attack *a, const struct obj *o)
{
    struct target t = {.type = (enum obj_type)o->type};
    uint64_t number = ident_get(heap_of(a), o);
    identity_put(t.identity, number);
    handle_put(t.handle, number);
    return t;
}

static inline void add_target(void *attack, struct cell *c)
{
    struct attack *a = attack;
    const struct obj *o = &c->head;
    if (o->count && (o->flags & OBJ_IDENTIFIED) && a->target_count < TARGETS_MAX)
        a->targets[a->target_count++] = target_of(a, o);
}

static inline void look_around(struct attack *a)
{
    uint64_t cursor = 0;
    a->target_count = 0;
    while (pool_cell_walk(heap_of(a)->pool, &cursor, 1024, add_target, a)) {
    }
}

/* What the collector is at, or anything. */
static inline struct target aim(struct attack *a)
{
    struct collect *c = &heap_of(a)->collect;
    const struct obj *o = NULL;
    uint64_t how = draw(&a->w, 8);
    if (how == 0) o = c->scanning;
    if (how < (c->phase == COLLECT_FREE ? 5 : 2) && c->places && !o)
        o = place_at(c, 1 + (uint32_t)draw(&a->w, c->places))->o;
    if (o && (o->flags & OBJ_IDENTIFIED)) return target_of(a, o);
    return a->targets[draw(&a->w, a->target_count)];
}

static inline int client(struct attack *a)
{
    return (int)draw(&a->w, WAITER);
}

static inline unsigned any(struct attack *a, unsigned below)
{
    return (unsigned)draw(&a->w, below);
}

/* What the reply shows first that is a handle. */
static inline struct target replied_handle(struct attack *a, enum obj_type type)
{
    struct target t = {.type = type};
    const char *at = memchr(a->w.out.p, '&', a->w.out.n);
    if (!at) return t;
    uint64_t number;
    assert_true(handle_parse((struct view){at, strcspn(at, "\r")}, &number));
    identity_put(t.identity, number);
    handle_put(t.handle, number);
    return t;
}

static inline struct obj *object_held(struct attack *a, int session, struct target t)
{
    uint64_t number;
    assert_true(handle_parse(view_of(t.handle), &number));
    return val_obj(handles_get(&a->w.sessions[session].handles, number));
}

/* A handle to it, unless it has gone. */
static inline bool hold(struct attack *a, int session, struct target t)
{
    return send(a, session, "REF GET %s", t.identity) && memchr(a->w.out.p, '&', a->w.out.n);
}

static inline void let_go(struct attack *a, int session, struct target t)
{
    if (draw(&a->w, 8)) send(a, session, "RELEASE %s", t.handle);
}

/* Time passes. Whether a name that was not due is due then. */
static inline bool attack_advance(struct attack *a, unsigned ms)
{
    struct engine *s = &a->w.engine;
    int64_t due_ms = keyspace_next_expiry_ms(&s->keyspace), before_ms = s->now_ms;
    world_advance_ms(&a->w, ms);
    return due_ms != KEYSPACE_NEVER && due_ms > before_ms && due_ms <= s->now_ms;
}

/* --- attacks.c --- */

/* A row of the table, drawn. */
void attack_once(struct attack *a);
/* A new container of any type, held by the session. */
struct target attack_make(struct attack *a, int session);
/* By the command of the container's type, at some place. */
void attack_store_in(struct attack *a, int session, struct target into, struct target what);
/* Many slots at once: tables split, lists grow at both ends. */
void attack_grow_by(struct attack *a, int session, struct target t, unsigned slots);
/* A decrement that leaves something over: it becomes a candidate. */
void attack_touch(struct attack *a);
/* New objects until one has got the cell of one that died in this trial, or many have not. */
void attack_fill_died_cells(struct attack *a, int session);

/* --- scenes.c --- */

/* The scene that makes the case that this counts. */
void attack_scene_of(struct attack *a, enum collect_hit rule);
/* Any but those that take long. */
void attack_scene(struct attack *a);

#endif
