/* The attacks of test_attack.c: each some commands, aimed at what the collector is at. */
#include "attack.h"

/* By the command of the container's type, at some place. */
void attack_store_in(struct attack *a, int session, struct target into, struct target what)
{
    const char *t = into.handle, *u = what.identity;
    if (into.type == OBJ_LIST && draw(&a->w, 8) == 0)
        send(a, session, "REF LSET %s %d %s", t, (int)any(a, 20) - 10, u);
    else if (into.type == OBJ_LIST)
        send(a, session, "REF %s %s %s", draw(&a->w, 2) ? "LPUSH" : "RPUSH", t, u);
    else if (into.type == OBJ_HASH)
        send(a, session, "REF HSET %s f%u %s", t, any(a, BIG_SLOTS), u);
    else if (into.type == OBJ_SET)
        send(a, session, "REF SADD %s %s", t, u);
    else
        send(a, session, "REF ZADD %s %u %s", t, any(a, 9), u);
}

static void store(struct attack *a)
{
    int s = client(a);
    struct target into = aim(a), what = aim(a);
    if (!hold(a, s, into)) return;
    attack_store_in(a, s, into, what);
    let_go(a, s, into);
}

/* Many slots at once: tables split, lists grow at both ends. */
void attack_grow_by(struct attack *a, int session, struct target t, unsigned slots)
{
    static const char *const commands[OBJ_TYPES] = {
        [OBJ_LIST] = "RPUSH", [OBJ_HASH] = "HSET", [OBJ_SET] = "SADD", [OBJ_ZSET] = "ZADD"};
    char words[1024];
    size_t n = 0;
    for (unsigned i = 0; i < slots; i++) {
        if (t.type == OBJ_ZSET) n += (size_t)sprintf(words + n, " %u", any(a, 9));
        n += (size_t)sprintf(words + n, " f%u", any(a, 3 * BIG_SLOTS));
        if (t.type == OBJ_HASH) n += (size_t)sprintf(words + n, " %u", i);
    }
    const char *command = commands[t.type];
    if (t.type == OBJ_LIST && draw(&a->w, 2)) command = "LPUSH";
    send(a, session, "%s %s%s", command, t.handle, words);
}

static void grow(struct attack *a)
{
    int s = client(a);
    struct target t = aim(a);
    if (!hold(a, s, t)) return;
    attack_grow_by(a, s, t, 1 + any(a, 24));
    if (t.type == OBJ_LIST) send(a, s, "LINSERT %s BEFORE f%u f1", t.handle, any(a, 9));
    let_go(a, s, t);
}

static void shrink_list(struct attack *a, int session, struct target t)
{
    uint64_t how = draw(&a->w, 4);
    struct target member = aim(a);
    if (how == 0)
        send(a, session, "LTRIM %s %u -%u", t.handle, any(a, 4), 1 + any(a, 4));
    else if (how == 1)
        send(a, session, "REF LREM %s %d %s", t.handle, (int)any(a, 5) - 2, member.identity);
    else
        send(a, session, "%s%s %s %u", draw(&a->w, 2) ? "REF " : "",
             draw(&a->w, 2) ? "LPOP" : "RPOP", t.handle, 1 + any(a, 6));
}

static void shrink_in(struct attack *a, int s, struct target t)
{
    const char *ref = draw(&a->w, 4) ? "REF " : "";
    if (t.type == OBJ_LIST)
        shrink_list(a, s, t);
    else if (t.type == OBJ_HASH)
        send(a, s, "HDEL %s f%u f%u f%u", t.handle, any(a, BIG_SLOTS), any(a, 20), any(a, 20));
    else if (t.type == OBJ_SET)
        send(a, s, "%sSPOP %s %u", ref, t.handle, 1 + any(a, 6));
    else
        send(a, s, "%s%s %s %u", ref, draw(&a->w, 2) ? "ZPOPMIN" : "ZPOPMAX", t.handle,
             1 + any(a, 6));
}

static void shrink(struct attack *a)
{
    int s = client(a);
    struct target t = aim(a);
    if (!hold(a, s, t)) return;
    shrink_in(a, s, t);
    let_go(a, s, t);
}

/* A decrement that leaves something over: it becomes a candidate. */
void attack_touch(struct attack *a)
{
    int s = client(a);
    struct target t = aim(a);
    if (hold(a, s, t)) let_go(a, s, t);
}

/* New containers; a cell that died in this trial is used again sooner or later. */
struct target attack_make(struct attack *a, int session)
{
    static const enum obj_type types[] = {OBJ_LIST, OBJ_HASH, OBJ_SET, OBJ_ZSET};
    static const char *const names[] = {"list", "hash", "set", "zset"};
    uint64_t type = draw(&a->w, 4);
    send(a, session, "REF NEW %s", names[type]);
    struct target t = replied_handle(a, types[type]);
    const struct obj *o = object_held(a, session, t);
    for (int i = 0; i < DIED_KEPT; i++) a->cells_reused += a->died[i] == o;
    return t;
}

static void fresh(struct attack *a)
{
    int s = client(a);
    struct target into = aim(a), t = attack_make(a, s);
    if (draw(&a->w, 4) == 0) attack_grow_by(a, s, t, 1 + any(a, 24));
    for (uint64_t stores = draw(&a->w, 3); stores; stores--) attack_store_in(a, s, t, aim(a));
    if (hold(a, s, into)) attack_store_in(a, s, into, t);
    send(a, s, "RELEASE %s %s", t.handle, into.handle);
}

/* A list of texts that is not packed: no trial has a place for it, and when the last that refers to
 * it is cleared it waits in the release queue. */
static struct target leaf(struct attack *a, int session)
{
    char text[WORLD_ARG_BYTES / 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    send(a, session, "REF NEW list");
    struct target t = replied_handle(a, OBJ_LIST);
    send(a, session, "RPUSH %s %s", t.handle, text);
    return t;
}

/* Garbage on a cycle, from which the graph may still be reached, and the other way round. */
static void ring(struct attack *a)
{
    int s = client(a);
    struct target first = attack_make(a, s), last = first, outside = aim(a);
    for (unsigned more = any(a, 9); more; more--) {
        struct target t = attack_make(a, s);
        attack_store_in(a, s, t, last);
        send(a, s, "RELEASE %s", last.handle);
        last = t;
        if (more == 1) hold(a, s, first);
    }
    attack_store_in(a, s, first, last);
    if (draw(&a->w, 2)) attack_store_in(a, s, last, outside);
    if (draw(&a->w, 3) == 0 && hold(a, s, outside)) attack_store_in(a, s, outside, first);
    if (draw(&a->w, 2)) {
        struct target t = leaf(a, s);
        attack_store_in(a, s, last, t);
        send(a, s, "RELEASE %s", t.handle);
    }
    send(a, s, "RELEASE %s %s %s", last.handle, first.handle, outside.handle);
}

/* New objects until one has got the cell of one that died in this trial, or many have not. */
void attack_fill_died_cells(struct attack *a, int session)
{
    enum { TRIES = 2000 };
    static struct target made[TRIES];
    uint64_t before = a->cells_reused;
    int count = 0;
    a->quiet = true;
    note_deaths(a);
    while (pool_purge_step(heap_of(a)->pool)) { /* sanitized builds use nothing again soon */
    }
    while (count < TRIES && a->cells_reused == before) made[count++] = attack_make(a, session);
    a->quiet = false;
    if (count) attack_store_in(a, session, made[count - 1], aim(a));
    a->quiet = true;
    while (count) send(a, session, "RELEASE %s", made[--count].handle);
    a->quiet = false;
}

/* What only a list holds is a candidate, and coloured or scanned when it is popped, for the last
 * time or not. */
static void touch_and_kill(struct attack *a)
{
    int s = client(a);
    struct target t = aim(a);
    if (t.type != OBJ_LIST || !hold(a, s, t)) return;
    send(a, s, "REF NEW list");
    struct target child = replied_handle(a, OBJ_LIST);
    const struct obj *o = object_held(a, s, child);
    for (int i = 0; i < 4; i++)
        send(a, s, "REF RPUSH %s n0 n1 n2 n3 n4 n5 n6 n7 n8 n9 n10 n11 n12 n13 n14 n15",
             child.handle);
    send(a, s, "REF LPUSH %s %s", t.handle, child.handle);
    send(a, s, "RELEASE %s", child.handle);
    run_on_until(a, draw(&a->w, 2) ? TRIAL_SLICES : 3000, is_scanned, o);
    if (draw(&a->w, 2) && hold(a, s, child)) send(a, s, "RELEASE %s", child.handle);
    send(a, s, "REF LPOP %s", t.handle);
    send(a, s, "RELEASE %s %s", child.handle, t.handle);
    steps_run(&a->w.engine, false);
    attack_fill_died_cells(a, s);
}

static void name(struct attack *a)
{
    int s = client(a);
    unsigned k = any(a, KEYS), l = any(a, KEYS);
    struct target t = aim(a);
    switch (draw(&a->w, 6)) {
    case 0:
    case 1: send(a, s, "REF SET k%u %s", k, t.identity); break;
    case 2: send(a, s, "DEL k%u k%u", k, l); break;
    case 3: send(a, s, "REF MSET k%u %s k%u k%u", k, t.identity, l, any(a, KEYS)); break;
    default:
        send(a, s, "REF SET k%u %s", k, t.identity);
        send(a, s, "RENAME k%u k%u", k, l);
        break;
    }
}

static void move(struct attack *a)
{
    int s = client(a);
    struct target from = aim(a), to = aim(a), member = aim(a);
    if (!hold(a, s, from) || !hold(a, s, to)) return;
    if (from.type == OBJ_LIST)
        send(a, s, "%sLMOVE %s %s LEFT RIGHT", draw(&a->w, 2) ? "REF " : "", from.handle,
             to.handle);
    else
        send(a, s, "REF SMOVE %s %s %s", from.handle, to.handle, member.identity);
    send(a, s, "RELEASE %s %s", from.handle, to.handle);
}

static void copy(struct attack *a)
{
    int s = client(a);
    unsigned k = any(a, KEYS), l = any(a, KEYS);
    bool deep = draw(&a->w, 6) == 0;
    send(a, s, "COPY k%u k%u%s REPLACE", k, l, deep ? " DEEP" : "");
    if (deep) send(a, s, "DEL k%u", l);
}

static void expire(struct attack *a)
{
    int s = client(a);
    unsigned k = any(a, KEYS);
    send(a, s, "PEXPIRE k%u %u", k, 1 + any(a, 50));
    a->fell_due += attack_advance(a, any(a, 40));
    send(a, s, "TYPE k%u", any(a, KEYS));
    if (draw(&a->w, 2)) steps_run(&a->w.engine, true);
}

/* Reads, of what is condemned too. */
static void look(struct attack *a)
{
    int s = client(a);
    struct target t = aim(a);
    send(a, s, "OBJECT REFCOUNT %s", t.identity);
    send(a, s, "FETCH k%u DEPTH 1", any(a, KEYS));
    send(a, s, "SCAN 0 COUNT 3");
}

static bool is_large_scanned(struct attack *a, const struct obj *o)
{
    (void)o;
    const struct collect *c = &heap_of(a)->collect;
    return c->scanning && (c->scanning->flags & OBJ_IDENTIFIED) && c->limit - c->cursor > 20;
}

/* A container is changed in the middle of its scan. */
static void disturb(struct attack *a)
{
    int s = client(a);
    if (!run_until(a, is_large_scanned, NULL)) return;
    struct target t = target_of(a, heap_of(a)->collect.scanning);
    if (!hold(a, s, t)) return;
    if (draw(&a->w, 3))
        attack_grow_by(a, s, t, 24);
    else
        shrink_in(a, s, t);
    send(a, s, "RELEASE %s", t.handle);
}

/* References that keep nothing alive. */
static void weaken(struct attack *a)
{
    int s = client(a);
    struct target into = aim(a), what = aim(a);
    if (!hold(a, s, into)) return;
    send(a, s, "WEAKREF RPUSH %s %s", into.handle, what.identity);
    send(a, s, "WEAKREF HSET %s f%u %s", into.handle, any(a, 9), what.identity);
    send(a, s, "WEAKREF SADD %s %s", into.handle, what.identity);
    send(a, s, "WEAKREF SET k%u %s", any(a, KEYS), what.identity);
    let_go(a, s, into);
}

/* Many handles, which a connection that closes leaves to be dropped in steps. */
static void close_client(struct attack *a)
{
    int s = (int)draw(&a->w, WORLD_SESSIONS);
    if (s != WAITER) {
        for (int i = 0; i < 40; i++) hold(a, s, aim(a));
        send(a, s, "REF LRANGE n%u 0 -1", any(a, GRAPH_NAMES));
        send(a, s, "REF SMEMBERS n%u", any(a, GRAPH_NAMES));
    }
    session_close(&a->w.engine.sessions, &a->w.sessions[s]);
    assert_int_equal(session_open(&a->w.engine.sessions, &a->w.sessions[s], 0), STATUS_OK);
    if (draw(&a->w, 2)) a->w.sessions[s].protocol = 3;
    check(a);
}

static void freeze(struct attack *a)
{
    send(a, 0, draw(&a->w, 4) ? "GC UNFREEZE" : "GC FREEZE");
}

static void disable(struct attack *a)
{
    send(a, 0, draw(&a->w, 4) ? "GC ENABLE" : "GC DISABLE");
}

/* Others go on while it waits. */
static void collect(struct attack *a)
{
    struct session *waiter = &a->w.sessions[WAITER];
    static const struct view words[] = {{"GC", 2}, {"COLLECT", 7}};
    if (!session_waits(waiter))
        dispatch(&a->w.engine, waiter, &(struct request){.argv = words, .argc = 2},
                 world_to(&a->w));
}

static const struct {
    void (*run)(struct attack *a);
    unsigned weight;
} attacks[] = {
    {store, 22},       {shrink, 20}, {fresh, 12}, {ring, 6},    {attack_touch, 14},
    {name, 10},        {grow, 8},    {move, 8},   {look, 4},    {disturb, 4},
    {attack_scene, 3}, {expire, 4},  {copy, 3},   {weaken, 2},  {touch_and_kill, 2},
    {close_client, 2}, {disable, 2}, {freeze, 1}, {collect, 1},
};

void attack_once(struct attack *a)
{
    unsigned all = 0, i = 0;
    for (size_t k = 0; k < sizeof attacks / sizeof attacks[0]; k++) all += attacks[k].weight;
    unsigned at = any(a, all);
    for (; at >= attacks[i].weight; i++) at -= attacks[i].weight;
    /* Within a slice of each other its commands meet the same moment of a trial; but trials shall
     * end, too. */
    a->slices_max = draw(&a->w, 3) ? 2 : 160;
    attacks[i].run(a);
}
