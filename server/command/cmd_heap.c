/* heapd's own commands: references, paths, and the collector. */
#include "command/command.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/shape.h"

/* --- handles --- */

static const struct {
    const char *name;
    enum obj_type type;
} container_types[] = {
    {"list", OBJ_LIST}, {"hash", OBJ_HASH}, {"set", OBJ_SET}, {"zset", OBJ_ZSET}};

enum { CONTAINER_TYPES = sizeof container_types / sizeof container_types[0] };

/* REF NEW type */
enum status cmd_ref_new(struct call *c)
{
    for (int i = 0; i < CONTAINER_TYPES; i++) {
        if (!call_is(c, 2, container_types[i].name)) continue;
        struct obj *o = heap_container_new(c->heap, container_types[i].type);
        if (!o) return STATUS_OOM;
        enum status s = reply_handle(c, val_of_obj(o));
        rc_dec(c->heap, o); /* the handle holds it now, or nobody */
        return s;
    }
    return call_error(c, "ERR REF NEW makes a list, hash, set or zset");
}

enum status cmd_ref_help(struct call *c)
{
    static const char *const lines[] = {
        "<command> [<arg> ...]",
        "    Run a command in its by-reference form. Where it takes a value it takes a source: a "
        "key,",
        "    a handle or an identity, whose very object is stored or compared. Where it replies a",
        "    value it replies a handle to it, which this connection holds until RELEASE.",
        "NEW (LIST|HASH|SET|ZSET)",
        "    Return a handle to a new, empty container.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}

/* RELEASE handle [handle ...]: all of them, or none when one is not held. */
enum status cmd_release(struct call *c)
{
    struct handles *hs = &c->session->handles;
    uint64_t number;
    for (uint32_t i = 1; i < c->argc; i++) {
        if (!handle_parse(c->argv[i], &number))
            return call_error(c, "ERR '%.*s' is not a handle",
                              c->argv[i].n > 64 ? 64 : (int)c->argv[i].n, c->argv[i].p);
        if (val_is_none(handles_get(hs, number))) return STATUS_NO_HANDLE;
    }
    /* Room for the reply, whose number is known only when the handles are gone. */
    if (!proto_buf_reserve(c->out, PROTO_NUMBER_LINE_BYTES_MAX)) return STATUS_OOM;
    int64_t released = 0;
    for (uint32_t i = 1; i < c->argc; i++) {
        handle_parse(c->argv[i], &number);
        released += handles_release(c->heap, hs, number);
    }
    reply_integer(c, released);
    return STATUS_OK;
}

static const char *type_name(val v)
{
    switch (val_type(v)) {
    case OBJ_LIST: return "list";
    case OBJ_HASH: return "hash";
    case OBJ_SET: return "set";
    case OBJ_ZSET: return "zset";
    case OBJ_STRING: return "string";
    case OBJ_NONE:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
    return "none";
}

static void show_handle(void *ctx, uint64_t number, val v)
{
    struct call *c = ctx;
    char text[HANDLE_TEXT_CHARS];
    reply_bulk(c, (struct view){text, handle_put(text, number)});
    reply_text(c, type_name(v));
}

/* HANDLES [COUNT] */
enum status cmd_handles(struct call *c)
{
    const struct handles *hs = &c->session->handles;
    if (c->argc == 2 && call_is(c, 1, "count")) {
        reply_integer(c, (int64_t)handles_count(hs));
        return STATUS_OK;
    }
    if (c->argc > 1) return STATUS_SYNTAX;
    reply_map(c, handles_count(hs));
    handles_walk(hs, show_handle, c);
    return STATUS_OK;
}

/* --- paths --- */

/* The element of a list at a step's index, negative from the end; VAL_NONE outside. */
static enum status list_step(const struct obj *o, struct view step, val *out)
{
    int64_t index, length = (int64_t)list_length(o);
    if (!num_get_integer(step, &index)) return STATUS_NOT_INTEGER;
    if (index < 0) index += length;
    *out = index < 0 || index >= length ? VAL_NONE : list_get(o, (uint64_t)index);
    return STATUS_OK;
}

/* GETIN key step [step ...] */
enum status cmd_getin(struct call *c)
{
    struct subject s;
    enum status status = call_read_any(c, 1, &s);
    if (status) return status;
    val v = s.v;
    for (uint32_t i = 2; i < c->argc && !val_is_none(v) && !val_is_nil(v); i++) {
        enum obj_type type = val_type(v);
        if (type == OBJ_HASH) {
            struct needle field = needle_of_text(c->heap, c->argv[i]);
            v = hash_get(val_obj(v), &field);
        } else if (type == OBJ_LIST) {
            status = list_step(val_obj(v), c->argv[i], &v);
            if (status) return status;
        } else {
            return STATUS_WRONG_TYPE;
        }
    }
    return reply_value(c, v);
}

/* FETCH key [DEPTH n] */
enum status cmd_fetch(struct call *c)
{
    uint64_t depth_max = c->engine->config.reply_depth_max;
    if (c->argc != 2 && c->argc != 4) return STATUS_SYNTAX;
    if (c->argc == 4) {
        int64_t n;
        if (!call_is(c, 2, "depth")) return STATUS_SYNTAX;
        enum status status = call_integer(c, 3, &n);
        if (status) return status;
        if (n < 0 || (uint64_t)n > depth_max)
            return call_error(c, "ERR DEPTH must be between 0 and reply-depth-max (%llu)",
                              (unsigned long long)depth_max);
        depth_max = (uint64_t)n;
    }
    struct subject s;
    enum status status = call_read_any(c, 1, &s);
    if (status) return status;
    if (val_is_none(s.v)) {
        reply_null(c);
        return STATUS_OK;
    }
    if (depth_max == 0) status = call_give(c, s.e);
    return status ? status : reply_nested(c, s.v, depth_max);
}

/* --- the collector --- */

static bool collect_ready(const struct engine *s, const struct wait *w)
{
    uint64_t found;
    return collect_full_found(&s->heap, w->ticket, &found);
}

static void collect_reply(struct call *c, struct wait *w)
{
    uint64_t found = 0;
    (void)collect_full_found(c->heap, w->ticket, &found);
    reply_integer(c, (int64_t)found);
}

/* GC COLLECT: answers when the collection is done; others are served meanwhile. */
enum status cmd_gc_collect(struct call *c)
{
    static const struct wait_type type = {.ready = collect_ready, .reply = collect_reply};
    c->session->wait.ticket = collect_full_begin(c->heap);
    call_wait(c, &type, &c->engine->waits.collect);
    return STATUS_OK;
}

static enum status gc_switch(struct call *c, bool on)
{
    c->engine->config.gc = on;
    collect_enable(c->heap, on);
    reply_ok(c);
    return STATUS_OK;
}

enum status cmd_gc_enable(struct call *c)
{
    return gc_switch(c, true);
}

enum status cmd_gc_disable(struct call *c)
{
    return gc_switch(c, false);
}

static enum status gc_freeze(struct call *c, bool on)
{
    collect_freeze(c->heap, on);
    reply_ok(c);
    return STATUS_OK;
}

enum status cmd_gc_freeze(struct call *c)
{
    return gc_freeze(c, true);
}

enum status cmd_gc_unfreeze(struct call *c)
{
    return gc_freeze(c, false);
}

/* One number of the configuration, shown, or set by CONFIG SET's own rules. */
static enum status gc_setting(struct call *c, const char *directive, uint64_t shown)
{
    if (c->argc > 3) return call_error_arity(c);
    if (c->argc == 2) {
        reply_integer(c, (int64_t)shown);
        return STATUS_OK;
    }
    char error[CONFIG_ERROR_BYTES];
    if (config_set(&c->engine->config, view_of(directive), c->argv[2], error) != CONFIG_SET_DONE)
        return call_error(c, "ERR %s", error);
    engine_configure(c->engine);
    reply_ok(c);
    return STATUS_OK;
}

/* GC THRESHOLD [candidates]: what starts a trial now; set to 0 it adapts. */
enum status cmd_gc_threshold(struct call *c)
{
    return gc_setting(c, "gc-threshold", c->heap->collect.threshold);
}

/* GC BUDGET [microseconds] */
enum status cmd_gc_budget(struct call *c)
{
    return gc_setting(c, "gc-budget-us", c->engine->config.gc_budget_us);
}

static void put_pair(struct call *c, const char *name, uint64_t n)
{
    reply_text(c, name);
    reply_integer(c, (int64_t)n);
}

/* How often the collector needed each of its rules. */
static void put_rule_hits(struct call *c)
{
#define NAME(name, text) text,
    static const char *const names[] = {COLLECT_HITS(NAME)};
#undef NAME
    reply_map(c, COLLECT_HIT_COUNT);
    for (int i = 0; i < COLLECT_HIT_COUNT; i++)
        put_pair(c, names[i], c->heap->collect.stats.hits[i]);
}

/* How many slices took at most so many microseconds, and more than the row before says. */
static void put_slices(struct call *c, const struct histogram *slices)
{
    uint64_t rows[COLLECT_SLICE_ROWS];
    histogram_doublings(slices, COLLECT_SLICE_ROWS, rows);
    reply_map(c, COLLECT_SLICE_ROWS);
    for (int i = 0; i < COLLECT_SLICE_ROWS; i++) {
        char text[NUM_INTEGER_CHARS];
        struct view us = {text, num_put_integer(text, INT64_C(1) << i)};
        reply_bulk(c, i < COLLECT_SLICE_ROWS - 1 ? us : view_of("more"));
        reply_integer(c, (int64_t)rows[i]);
    }
}

/* The last ones, newest first. */
static void put_trials(struct call *c, const struct collect_stats *s)
{
    uint32_t n = s->ended < COLLECT_TRIALS_SHOWN ? (uint32_t)s->ended : COLLECT_TRIALS_SHOWN;
    reply_array(c, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct collect_trial *t = &s->last[i];
        reply_map(c, 5);
        put_pair(c, "candidates", t->candidates);
        put_pair(c, "reached", t->reached);
        put_pair(c, "condemned", t->condemned);
        put_pair(c, "rescued", t->rescued);
        put_pair(c, "us", t->ns / 1000);
    }
}

enum status cmd_gc_stats(struct call *c)
{
    const struct collect *gc = &c->heap->collect;
    const struct collect_stats *s = &gc->stats;
    static const char *const phases[] = {"idle", "gray", "black", "free", "abandon"};
    const struct {
        const char *name;
        uint64_t n;
    } rows[] = {
        {"enabled", gc->enabled},
        {"threshold", gc->threshold},
        {"budget-us", gc->budget_ns / 1000},
        {"candidates", gc->candidates.count - gc->candidates.dead},
        {"backlog-objects", collect_backlog(c->heap)},
        {"frozen-objects", gc->frozen},
        {"trials", s->trials},
        {"trials-abandoned", s->abandoned},
        {"faults", s->faults},
        {"collected-objects", s->collected_objects},
        {"collected-bytes", s->collected_bytes},
        {"reached-objects", s->reached_objects},
        {"rescued-objects", s->rescued_objects},
        {"slices", s->slices},
        {"cpu-us", s->cpu_ns / 1000},
        {"longest-slice-us", s->longest_slice_ns / 1000},
        {"slice-p50-us", histogram_quantile(&s->slice_ns, 0.5) / 1000},
        {"slice-p99-us", histogram_quantile(&s->slice_ns, 0.99) / 1000},
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    reply_map(c, ROWS + 4);
    reply_text(c, "phase");
    reply_text(c, phases[gc->phase]);
    for (int i = 0; i < ROWS; i++) put_pair(c, rows[i].name, rows[i].n);
    reply_text(c, "slices-by-us");
    put_slices(c, &s->slice_ns);
    reply_text(c, "last-trials");
    put_trials(c, s);
    reply_text(c, "rules");
    put_rule_hits(c);
    return STATUS_OK;
}

enum status cmd_gc_help(struct call *c)
{
    static const char *const lines[] = {
        "BUDGET [<microseconds>]",
        "    Show or set the time budget of a slice.",
        "COLLECT",
        "    Run a full collection; answers with the number of objects found when it is done.",
        "DISABLE",
        "    Start no trials until ENABLE. Candidates are still noted.",
        "ENABLE",
        "    Start trials as candidates come up.",
        "FREEZE",
        "    Take all containers that there are now out of the collector's sight.",
        "STATS",
        "    Show the collector's counters.",
        "THRESHOLD [<candidates>]",
        "    Show or set the number of candidates that starts a trial; 0 lets it adapt.",
        "UNFREEZE",
        "    Let the collector look at them again.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}

/* How often values of a kind were asked about, and had been seen before. */
static void put_evidence(struct call *c, struct view kind, const struct evidence *ev)
{
    reply_bulk(c, kind);
    reply_map(c, 3);
    reply_text(c, "verdict");
    reply_text(c, evidence_verdict_name(ev));
    put_pair(c, "asked", ev->asked_all);
    put_pair(c, "seen-before", ev->hits_all);
}

/* Fields of shapes whose values were long enough to be asked about; of very many, some. */
enum { VERDICTS_SHOWN = 100, NAMES_LOOKED_AT = 4096 };

struct verdicts {
    struct call *c; /* NULL: they are counted */
    uint32_t shown;
};

static void verdict_each(void *ctx, const struct shape_name *name)
{
    struct verdicts *v = ctx;
    if (name->evidence.asked_all == 0 || v->shown == VERDICTS_SHOWN) return;
    v->shown++;
    char scratch[VAL_TEXT_CHARS];
    if (v->c) put_evidence(v->c, val_text(&name->name, scratch), &name->evidence);
}

static uint32_t verdicts_of_fields(const struct heap *h, struct call *c)
{
    struct verdicts v = {c, 0};
    uint64_t cursor = 0;
    shape_names_walk(h, &cursor, NAMES_LOOKED_AT, verdict_each, &v);
    return v.shown;
}

enum status cmd_intern_stats(struct call *c)
{
    const struct intern *in = &c->heap->intern;
    const struct evidence *ev = &c->keyspace->evidence;
    reply_map(c, 5);
    put_pair(c, "strings", in->strings.used);
    put_pair(c, "hits", in->hits);
    put_pair(c, "misses", in->misses);
    put_pair(c, "saved-bytes", in->saved_bytes);
    reply_text(c, "verdicts");
    reply_map(c, 1 + verdicts_of_fields(c->heap, NULL));
    put_evidence(c, view_of("plain values"), ev);
    verdicts_of_fields(c->heap, c);
    return STATUS_OK;
}

enum status cmd_intern_help(struct call *c)
{
    static const char *const lines[] = {
        "STATS",
        "    Show the intern table's counters, and what is thought of plain values and of those of",
        "    each field of shapes: whether they repeat rarely, sometimes or often.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}
