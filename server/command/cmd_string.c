/*
 * Whole strings: SET and its relatives, GET and its relatives, and the same for several names.
 *
 * A string is bound anew whenever it is written. By reference (REF) these commands bind and reply
 * whatever a name can be bound to. Edits of a string are in cmd_string_edit.c.
 */
#include "command/command.h"

enum { PAIRS_ON_STACK = 16 };

/* What SET and GETEX do with the TTL. */
enum ttl { TTL_NONE, TTL_EX, TTL_PX, TTL_EXAT, TTL_PXAT, TTL_KEEP, TTL_PERSIST };

struct string_options {
    bool nx, xx, get;
    enum ttl ttl;
    uint32_t time; /* the argument of EX, PX, EXAT and PXAT */
};

/* An option about the TTL, `plain` being the one without a time that the command knows. False when
 * argument *i is no such option, stands beside another, or wants a time that is not there. */
static bool take_ttl(const struct call *c, uint32_t *i, enum ttl plain, struct string_options *o)
{
    static const struct {
        const char *word;
        enum ttl ttl;
    } words[] = {{"ex", TTL_EX},     {"px", TTL_PX},        {"exat", TTL_EXAT},
                 {"pxat", TTL_PXAT}, {"keepttl", TTL_KEEP}, {"persist", TTL_PERSIST}};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        enum ttl ttl = words[w].ttl;
        if (!call_is(c, *i, words[w].word)) continue;
        if (o->ttl != TTL_NONE && o->ttl != ttl) return false;
        o->ttl = ttl;
        if (ttl == TTL_KEEP || ttl == TTL_PERSIST) return ttl == plain;
        o->time = ++*i;
        return *i < c->argc;
    }
    return false;
}

static enum status parse_set(const struct call *c, struct string_options *o)
{
    for (uint32_t i = 3; i < c->argc; i++) {
        if (call_is(c, i, "nx") && !o->xx)
            o->nx = true;
        else if (call_is(c, i, "xx") && !o->nx)
            o->xx = true;
        else if (call_is(c, i, "get"))
            o->get = true;
        else if (!take_ttl(c, &i, TTL_KEEP, o))
            return STATUS_SYNTAX;
    }
    return STATUS_OK;
}

/* The moment, in ms of the wall clock, that the options name; KEYSPACE_NEVER when they name none.
 */
static enum status parse_time(struct call *c, const struct string_options *o, int64_t *when_ms)
{
    int64_t ms;
    *when_ms = KEYSPACE_NEVER;
    if (o->ttl == TTL_NONE || o->ttl == TTL_KEEP || o->ttl == TTL_PERSIST) return STATUS_OK;
    enum status s = call_integer(c, o->time, &ms);
    if (s) return s;
    bool wrong = ms <= 0;
    if (o->ttl == TTL_EX || o->ttl == TTL_EXAT) wrong |= __builtin_mul_overflow(ms, 1000, &ms);
    if (o->ttl == TTL_EX || o->ttl == TTL_PX) wrong |= __builtin_add_overflow(ms, c->now_ms, &ms);
    if (wrong) return call_error(c, "ERR invalid expire time in '%s' command", c->command->name);
    *when_ms = ms;
    return STATUS_OK;
}

/* What a name is to be bound to: a text, which needs no object, or after REF a counted value. */
struct source {
    struct view text;
    val v; /* VAL_NONE: the text */
};

static enum status source_take(struct call *c, uint32_t i, struct source *source)
{
    *source = (struct source){c->argv[i], VAL_NONE};
    return c->form == BY_VALUE ? STATUS_OK : call_value(c, i, &source->v);
}

static void source_drop(struct call *c, const struct source *source)
{
    val_release(c->heap, source->v);
}

/*
 * The end of every command here that binds one name: the reply is written, so what can still fail
 * changes nothing. A container that REF has stored in a name outlives being emptied. The source's
 * count is stolen on every path.
 */
static enum status bind_take(struct call *c, const struct source *source,
                             struct keyspace_bind options)
{
    val v = source->v;
    if (c->out->failed) {
        source_drop(c, source);
        return STATUS_OOM;
    }
    options.hash = call_key_hash(c, 1);
    if (val_is_none(v))
        return keyspace_bind_text(c->keyspace, c->argv[1], source->text, options, NULL);
    enum status s = keyspace_bind_take(c->keyspace, c->argv[1], v, options, NULL);
    if (!s) call_stored(c, v);
    return s;
}

/* A name that gives its value away by value must be bound to a string; after REF to anything. */
static bool can_give(const struct call *c, const struct entry *e)
{
    return !e || c->form != BY_VALUE || val_is_string(entry_value(e));
}

/* What a name, if there is one, was bound to; its entry may move. */
static enum status reply_old(struct call *c, struct entry **e)
{
    struct subject old = {.e = *e, .v = *e ? entry_value(*e) : VAL_NONE};
    enum status s = reply_subject(c, &old);
    *e = old.e;
    return s;
}

/* SET with options. Steals the source's count. */
static enum status set_take(struct call *c, const struct source *source,
                            const struct string_options *o, int64_t when_ms)
{
    struct entry *e = keyspace_find(c->keyspace, c->argv[1]);
    enum status s = STATUS_OK;
    if (o->get && !can_give(c, e))
        s = STATUS_WRONG_TYPE;
    else if (o->get)
        s = reply_old(c, &e);
    if (s) goto release;
    if ((o->nx && e) || (o->xx && !e)) {
        if (!o->get) reply_null(c);
        goto release;
    }
    if (!o->get) reply_ok(c);
    if (when_ms == KEYSPACE_NEVER || when_ms > c->now_ms) {
        struct keyspace_bind bind = {.keep_ttl = o->ttl == TTL_KEEP, .expires_ms = when_ms};
        return bind_take(c, source, bind);
    }
    /* A time in the past: the name is set and has expired. */
    if (c->out->failed)
        s = STATUS_OOM;
    else if (e)
        keyspace_unbind(c->keyspace, e, NAME_REMOVED);
release:
    source_drop(c, source);
    return s;
}

enum status cmd_set(struct call *c)
{
    struct string_options o = {.ttl = TTL_NONE};
    int64_t when_ms = KEYSPACE_NEVER;
    enum status s = STATUS_OK;
    struct source source;
    if (c->argc > 3) s = parse_set(c, &o);
    if (!s) s = call_name(c, 1);
    if (!s && o.ttl) s = parse_time(c, &o, &when_ms);
    if (!s) s = source_take(c, 2, &source);
    if (s) return s;
    if (c->argc > 3) return set_take(c, &source, &o, when_ms);
    reply_ok(c);
    return bind_take(c, &source, (struct keyspace_bind){.expires_ms = KEYSPACE_NEVER});
}

enum status cmd_setnx(struct call *c)
{
    struct source source;
    enum status s = call_name(c, 1);
    if (!s) s = source_take(c, 2, &source);
    if (s) return s;
    if (keyspace_find(c->keyspace, c->argv[1])) {
        source_drop(c, &source);
        reply_integer(c, 0);
        return STATUS_OK;
    }
    reply_integer(c, 1);
    return bind_take(c, &source, (struct keyspace_bind){.expires_ms = KEYSPACE_NEVER});
}

static enum status set_for(struct call *c, enum ttl unit)
{
    struct string_options o = {.ttl = unit, .time = 2};
    struct keyspace_bind bind = {0};
    struct source source;
    enum status s = call_name(c, 1);
    if (!s) s = parse_time(c, &o, &bind.expires_ms);
    if (!s) s = source_take(c, 3, &source);
    if (s) return s;
    reply_ok(c);
    return bind_take(c, &source, bind);
}

enum status cmd_setex(struct call *c)
{
    return set_for(c, TTL_EX);
}

enum status cmd_psetex(struct call *c)
{
    return set_for(c, TTL_PX);
}

/* --- one name read --- */

enum status cmd_get(struct call *c)
{
    struct subject subject;
    uint64_t number;
    enum status s;
    if (c->form == BY_VALUE)
        s = call_read_string(c, 1, &subject);
    else if (identity_parse(c->argv[1], &number))
        s = call_inspect(c, 1, &subject);
    else
        s = call_read_any(c, 1, &subject);
    return s ? s : reply_subject(c, &subject);
}

enum status cmd_getset(struct call *c)
{
    struct source source;
    enum status s = call_name(c, 1);
    if (!s) s = source_take(c, 2, &source);
    if (s) return s;
    struct entry *e = keyspace_lookup(c->keyspace, c->argv[1]);
    s = can_give(c, e) ? reply_old(c, &e) : STATUS_WRONG_TYPE;
    if (!s) return bind_take(c, &source, (struct keyspace_bind){.expires_ms = KEYSPACE_NEVER});
    source_drop(c, &source);
    return s;
}

enum status cmd_getdel(struct call *c)
{
    enum status s = call_name(c, 1);
    if (s) return s;
    struct entry *e = keyspace_lookup(c->keyspace, c->argv[1]);
    s = can_give(c, e) ? reply_old(c, &e) : STATUS_WRONG_TYPE;
    if (!s && c->out->failed) s = STATUS_OOM;
    if (!s && e) keyspace_unbind(c->keyspace, e, NAME_REMOVED);
    return s;
}

enum status cmd_getex(struct call *c)
{
    struct string_options o = {.ttl = TTL_NONE};
    int64_t when_ms;
    for (uint32_t i = 2; i < c->argc; i++)
        if (!take_ttl(c, &i, TTL_PERSIST, &o)) return STATUS_SYNTAX;
    enum status s = call_name(c, 1);
    if (s) return s;
    struct entry *e = keyspace_lookup(c->keyspace, c->argv[1]);
    if (!can_give(c, e)) return STATUS_WRONG_TYPE;
    /* Redis looks at the time only when there is something that could expire. */
    if (e) s = parse_time(c, &o, &when_ms);
    if (!s) s = reply_old(c, &e);
    if (s || !e) return s;
    if (c->out->failed) return STATUS_OOM;
    if (o.ttl == TTL_PERSIST)
        keyspace_clear_expiry(c->keyspace, e);
    else if (when_ms == KEYSPACE_NEVER)
        return STATUS_OK;
    else if (when_ms > c->now_ms)
        return keyspace_set_expiry(c->keyspace, &e, when_ms);
    else
        keyspace_unbind(c->keyspace, e, NAME_REMOVED);
    return STATUS_OK;
}

/* --- several names --- */

enum status cmd_mget(struct call *c)
{
    reply_array(c, c->argc - 1);
    for (uint32_t i = 1; i < c->argc; i++) {
        struct subject subject;
        enum status s = call_read_any(c, i, &subject);
        if (s) return s;
        if (c->form == BY_VALUE && !val_is_string(subject.v)) subject.v = VAL_NONE;
        s = reply_subject(c, &subject);
        if (s) return s;
    }
    return STATUS_OK;
}

/* One name and its value on the way through MSET. */
struct pair {
    struct source source; /* until it is staged */
    struct keyspace_staged staged;
};

/* Steals the source's count. */
static enum status stage_take(struct call *c, struct view key, struct pair *p)
{
    struct keyspace *ks = c->keyspace;
    if (val_is_none(p->source.v)) return keyspace_stage_text(ks, key, p->source.text, &p->staged);
    return keyspace_stage_take(ks, key, p->source.v, &p->staged);
}

/* Binds argv[1], argv[3] ... to what argv[2], argv[4] ... stand for: all or none. A source is what
 * it was before the command, so all are read before the first name is bound. */
static enum status bind_pairs(struct call *c, struct pair *pairs, uint32_t count)
{
    uint32_t valued = 0, staged = 0;
    enum status s = STATUS_OK;
    for (; !s && valued < count; valued += !s)
        s = source_take(c, 2 * valued + 2, &pairs[valued].source);
    for (; !s && staged < count; staged += !s)
        s = stage_take(c, c->argv[2 * staged + 1], &pairs[staged]);
    if (!s) {
        for (uint32_t i = 0; i < count; i++) call_stored(c, entry_stored(pairs[i].staged.e));
        for (uint32_t i = 0; i < count; i++) keyspace_commit(c->keyspace, &pairs[i].staged);
        return STATUS_OK;
    }
    /* The pair that could not be staged has lost its value already. */
    for (uint32_t i = valued < count ? 0 : staged + 1; i < valued; i++)
        source_drop(c, &pairs[i].source);
    while (staged-- > 0) keyspace_unstage(c->keyspace, &pairs[staged].staged);
    return s;
}

static enum status set_pairs(struct call *c)
{
    struct pair few[PAIRS_ON_STACK], *pairs = few;
    uint32_t count = (c->argc - 1) / 2;
    struct mem *mem = c->heap->mem;
    if (c->out->failed) return STATUS_OOM;
    if (count > PAIRS_ON_STACK) pairs = mem_alloc(mem, count * sizeof *pairs);
    if (!pairs) return STATUS_OOM;
    enum status s = bind_pairs(c, pairs, count);
    if (pairs != few) mem_free(mem, pairs, count * sizeof *pairs);
    return s;
}

static enum status parse_pairs(struct call *c)
{
    if (c->argc % 2 == 0) return call_error_arity(c);
    for (uint32_t i = 1; i < c->argc; i += 2) {
        enum status s = call_name(c, i);
        if (s) return s;
    }
    return STATUS_OK;
}

enum status cmd_mset(struct call *c)
{
    enum status s = parse_pairs(c);
    if (s) return s;
    reply_ok(c);
    return set_pairs(c);
}

/* A source that is missing is an error also when a name is there already. */
static enum status check_sources(struct call *c)
{
    for (uint32_t i = 2; i < c->argc; i += 2) {
        val v;
        enum status s = call_source(c, i, &v);
        if (s) return s;
    }
    return STATUS_OK;
}

enum status cmd_msetnx(struct call *c)
{
    enum status s = parse_pairs(c);
    if (!s && c->form != BY_VALUE) s = check_sources(c);
    if (s) return s;
    for (uint32_t i = 1; i < c->argc; i += 2) {
        if (!keyspace_find(c->keyspace, c->argv[i])) continue;
        reply_integer(c, 0);
        return STATUS_OK;
    }
    reply_integer(c, 1);
    return set_pairs(c);
}
