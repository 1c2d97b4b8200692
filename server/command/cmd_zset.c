/*
 * Sorted sets: ZADD and its kin, scores, ranks, pops and ZSCAN. ZRANGE is in cmd_zset_range.c.
 */
#include <math.h>

#include "command/command.h"
#include "command/members.h"
#include "value/zset.h"

enum {
    PAIRS_ON_STACK = 16,
    SCORE_BYTES = 3, /* packed, as most are */
};

/* --- adding --- */

struct zadd_options {
    bool nx, xx, gt, lt, ch, incr;
};

/* What ZADD has to remember of a pair. `old` is what the member had before, so that a failure can
 * put it back; NaN: it was no member. */
struct pair {
    double score;
    double old;
};

struct zadd {
    struct call *c;
    struct zadd_options options;
    uint32_t first; /* the argument of the first score */
    uint32_t count;
    struct pair *pairs; /* few, or memory of its own */
    int64_t added, updated;
    bool done; /* with INCR: the member has the score `result` now */
    double result;
    struct pair few[PAIRS_ON_STACK];
};

static bool take_option(const struct call *c, uint32_t i, struct zadd_options *o)
{
    const struct {
        const char *word;
        bool *flag;
    } words[] = {{"nx", &o->nx}, {"xx", &o->xx}, {"gt", &o->gt},
                 {"lt", &o->lt}, {"ch", &o->ch}, {"incr", &o->incr}};
    /* Most scores begin with a digit, and are none of these words. */
    if (c->argv[i].n == 0 || c->argv[i].p[0] < 'A') return false;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        if (!call_is(c, i, words[w].word)) continue;
        *words[w].flag = true;
        return true;
    }
    return false;
}

static enum status parse_options(struct call *c, struct zadd *z)
{
    const struct zadd_options *o = &z->options;
    uint32_t i = 2;
    while (i < c->argc && take_option(c, i, &z->options)) i++;
    z->first = i;
    z->count = (c->argc - i) / 2;
    if (z->count == 0 || (c->argc - i) % 2) return STATUS_SYNTAX;
    if (o->nx && o->xx)
        return call_error(c, "ERR XX and NX options at the same time are not compatible");
    if ((o->gt && o->lt) || ((o->gt || o->lt) && o->nx))
        return call_error(c, "ERR GT, LT, and/or NX options at the same time are not compatible");
    if (o->incr && z->count > 1)
        return call_error(c, "ERR INCR option supports a single increment-element pair");
    return STATUS_OK;
}

static enum status parse_scores(struct call *c, struct zadd *z)
{
    enum status status = STATUS_OK;
    z->pairs = z->few;
    if (z->count > PAIRS_ON_STACK)
        z->pairs = mem_alloc(&c->engine->mem, z->count * sizeof *z->pairs);
    if (!z->pairs) return STATUS_OOM;
    for (uint32_t k = 0; k < z->count && !status; k++)
        status = call_double(c, z->first + 2 * k, &z->pairs[k].score);
    return status;
}

static void zadd_fini(struct zadd *z)
{
    if (z->pairs && z->pairs != z->few)
        mem_free(&z->c->engine->mem, z->pairs, z->count * sizeof *z->pairs);
}

/* Whether the options let a member that has the score `old` get this one. */
static bool allowed(const struct zadd_options *o, double old, double score)
{
    return !o->nx && !(o->gt && score <= old) && !(o->lt && score >= old);
}

/* One pair. A status: nothing has changed. */
static enum status add_pair(struct zadd *z, struct obj *o, struct pair *p,
                            const struct needle *member)
{
    const struct zadd_options *options = &z->options;
    double score = p->score;
    enum status status;
    bool known = zset_score(o, member, &p->old);
    if (!known) {
        p->old = NAN;
        if (options->xx) return STATUS_OK;
        status = zset_set(z->c->heap, o, member, score, NULL);
        z->added += !status;
    } else {
        if (options->nx) return STATUS_OK;
        if (options->incr) score += p->old;
        if (isnan(score)) return STATUS_SCORE_NAN;
        if (!allowed(options, p->old, score)) return STATUS_OK;
        bool changes = score != p->old;
        status = changes ? zset_set(z->c->heap, o, member, score, NULL) : STATUS_OK;
        z->updated += changes && !status;
    }
    z->done = !status;
    z->result = score;
    return status;
}

/* Takes back the first `done` pairs, the last of them first. It cannot fail: memory is out, maybe.
 */
static void pairs_undo(struct zadd *z, struct obj *o, uint32_t done)
{
    for (uint32_t k = done; k-- > 0;) {
        struct needle member;
        double old = z->pairs[k].old;
        if (!members_needle(z->c, z->first + 2 * k + 1, &member)) continue;
        if (isnan(old))
            zset_retract(z->c->heap, o, &member);
        else
            zset_restore(z->c->heap, o, &member, old);
    }
}

/* The member of pair k. A zset orders containers by their numbers, so a source may get one here,
 * and be refused memory afterwards: its name has to be known then. */
static enum status pair_member(struct zadd *z, uint32_t k, struct needle *out)
{
    uint32_t i = z->first + 2 * k + 1;
    struct subject source;
    if (z->c->form == BY_REF) {
        enum status status = call_inspect(z->c, i, &source);
        if (!status) status = call_give(z->c, source.e);
        if (status) return status;
    }
    return call_needle(z->c, i, out);
}

static enum status add_pairs(struct zadd *z, struct obj *o)
{
    enum status status = STATUS_OK;
    struct members_at rest = {z->first + 3, 2};
    uint32_t k = 0;
    for (; k < z->count; k++) {
        struct needle member;
        status = pair_member(z, k, &member);
        if (!status) status = add_pair(z, o, &z->pairs[k], &member);
        if (status) break;
        if (k == 0 && z->count > 1)
            zset_expect(z->c->heap, o, members_more(z->c, rest, SCORE_BYTES));
    }
    for (uint32_t i = 0; !status && !z->options.xx && i < z->count; i++)
        if (isnan(z->pairs[i].old)) call_stored_source(z->c, z->first + 2 * i + 1);
    if (status)
        pairs_undo(z, o, k);
    else if (z->count > 1)
        zset_expect_end(z->c->heap, o);
    return status;
}

static void reply_zadd(struct call *c, const struct zadd *z)
{
    if (!z->options.incr)
        reply_integer(c, z->added + (z->options.ch ? z->updated : 0));
    else if (z->done)
        reply_double(c, z->result);
    else
        reply_null(c);
}

/* Whose arguments have been parsed. */
static enum status zadd_run(struct zadd *z)
{
    struct call *c = z->c;
    struct subject s;
    enum status status = call_write(c, 1, OBJ_ZSET, &s);
    if (!status) status = members_bound(c, (struct members_at){z->first + 1, 2});
    if (!status) status = members_reply_room(c);
    if (status) return status;
    if (s.o || !z->options.xx) {
        if (!s.o) status = call_ensure(c, 1, OBJ_ZSET, &s);
        if (status) return status;
        status = add_pairs(z, s.o);
        call_made(c, &s, status);
    }
    if (!status) reply_zadd(c, z);
    return status;
}

static enum status zadd(struct call *c, struct zadd_options options)
{
    struct zadd z;
    z.c = c;
    z.options = options;
    z.pairs = NULL;
    z.added = z.updated = 0;
    z.done = false;
    enum status status = parse_options(c, &z);
    if (!status) status = parse_scores(c, &z);
    if (!status) status = zadd_run(&z);
    zadd_fini(&z);
    return status;
}

enum status cmd_zadd(struct call *c)
{
    return zadd(c, (struct zadd_options){0});
}

/* Redis looks for ZADD's options here, too; one of them leaves no pair, and is a syntax error. */
enum status cmd_zincrby(struct call *c)
{
    return zadd(c, (struct zadd_options){.incr = true});
}

enum status cmd_zrem(struct call *c)
{
    struct subject s;
    int64_t removed = 0;
    enum status status = call_write(c, 1, OBJ_ZSET, &s);
    if (!status) status = members_bound(c, (struct members_at){2, 1});
    if (!status) status = members_reply_room(c);
    if (status) return status;
    for (uint32_t i = 2; s.o && i < c->argc && zset_length(s.o) > 0; i++) {
        struct needle member;
        if (members_needle(c, i, &member)) removed += zset_remove(c->heap, s.o, &member);
    }
    if (removed) call_settle(c, &s);
    reply_integer(c, removed);
    return STATUS_OK;
}

/* --- looking --- */

static void reply_score(struct call *c, const struct obj *o, const struct needle *member)
{
    double score;
    if (o && zset_score(o, member, &score))
        reply_double(c, score);
    else
        reply_null(c);
}

enum status cmd_zscore(struct call *c)
{
    struct subject s;
    struct needle member;
    enum status status = call_read(c, 1, OBJ_ZSET, &s);
    if (!status) status = call_needle_in(c, 2, s.o, &member);
    if (!status) reply_score(c, s.o, &member);
    return status;
}

enum status cmd_zmscore(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_ZSET, &s);
    if (status) return status;
    reply_array(c, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++) {
        struct needle member;
        status = call_needle_in(c, i, s.o, &member);
        if (status) return status;
        reply_score(c, s.o, &member);
    }
    return STATUS_OK;
}

enum status cmd_zcard(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_ZSET, &s);
    if (!status) reply_integer(c, s.o ? (int64_t)zset_length(s.o) : 0);
    return status;
}

enum zset_from { FROM_LOWEST, FROM_HIGHEST };

static enum status rank_from(struct call *c, enum zset_from from)
{
    struct subject s;
    struct needle member;
    uint64_t rank;
    enum status status = call_read(c, 1, OBJ_ZSET, &s);
    if (!status) status = call_needle_in(c, 2, s.o, &member);
    if (status) return status;
    if (!s.o || !zset_rank(c->heap, s.o, &member, &rank)) {
        reply_null(c);
        return STATUS_OK;
    }
    uint64_t length = zset_length(s.o);
    rank = from == FROM_LOWEST ? zset_shown_about(c->heap, s.o, 0, rank)
                               : zset_shown_about(c->heap, s.o, rank + 1, length);
    reply_integer(c, (int64_t)rank);
    return STATUS_OK;
}

enum status cmd_zrank(struct call *c)
{
    return rank_from(c, FROM_LOWEST);
}

enum status cmd_zrevrank(struct call *c)
{
    return rank_from(c, FROM_HIGHEST);
}

/*
 * Scores are bulk strings here in both protocols. Redis's packed zsets keep a score that is an
 * integer as one, and ZSCAN shows it with all its digits.
 */
static void reply_scan_score(const struct members_scan *scan, double score)
{
    char text[NUM_DOUBLE_CHARS];
    if (scan->whole && fabs(score) <= (double)(INT64_MAX / 2) && trunc(score) == score)
        proto_put_bulk_integer(scan->c->out, (int64_t)score);
    else
        reply_bulk(scan->c, (struct view){text, num_put_double(text, score)});
}

static void scan_each(void *ctx, val member, double score)
{
    struct members_scan *scan = ctx;
    if (!members_scan_shows(scan, member)) return;
    scan->status = reply_value(scan->c, member);
    reply_scan_score(scan, score);
}

static uint64_t scan_step(const struct obj *o, uint64_t cursor, struct members_scan *scan)
{
    return zset_scan(o, cursor, scan_each, scan);
}

enum status cmd_zscan(struct call *c)
{
    static const struct members_scan_type type = {OBJ_ZSET, 2, scan_step};
    return members_scan(c, &type);
}

/* --- pops --- */

/* The reply first, then what cannot fail. In RESP3 each entry is a pair of its own, if a count was
 * given. */
static enum status reply_ends(struct call *c, const struct obj *o, enum zset_from from,
                              uint64_t count)
{
    struct zset_iter it;
    bool paired = c->argc > 2 && c->session->protocol >= 3;
    enum status status = STATUS_OK;
    reply_array(c, paired ? count : count * 2);
    if (count == 0) return STATUS_OK;
    zset_seek(o, from == FROM_LOWEST ? 0 : zset_length(o) - 1, &it);
    while (count > 0 && !status) {
        struct zset_entry entry = zset_at(&it);
        (void)(from == FROM_LOWEST ? zset_next(&it) : zset_prev(&it));
        if (val_is_none(entry.member)) continue;
        if (paired) reply_array(c, 2);
        status = reply_value(c, entry.member);
        reply_double(c, entry.score);
        count--;
    }
    return status;
}

/* A zset of which everything is popped, and that only its name refers to, goes with it, in steps.
 */
static void remove_ends(struct call *c, struct subject *s, enum zset_from from, uint64_t count)
{
    bool all = count == zset_length(s->o);
    if (all && call_is_sole(s)) {
        keyspace_unbind(c->keyspace, s->e, NAME_EMPTIED);
        return;
    }
    zset_pop(c->heap, s->o, from == FROM_LOWEST ? ZSET_BEGIN : ZSET_END, count);
    call_settle(c, s);
}

static enum status pop(struct call *c, enum zset_from from)
{
    struct subject s;
    int64_t wanted = 1;
    if (c->argc > 3) return STATUS_SYNTAX;
    if (c->argc > 2 && (call_integer(c, 2, &wanted) || wanted < 0))
        return call_error(c, "ERR value is out of range, must be positive");
    enum status status = call_write(c, 1, OBJ_ZSET, &s);
    if (status) return status;
    uint64_t count = s.o ? zset_shown(c->heap, s.o, 0, zset_length(s.o)) : 0;
    if ((uint64_t)wanted < count) count = (uint64_t)wanted;
    status = reply_ends(c, s.o, from, count);
    if (!status && c->out->failed) status = STATUS_OOM;
    if (!status && count > 0) remove_ends(c, &s, from, count);
    return status;
}

enum status cmd_zpopmin(struct call *c)
{
    return pop(c, FROM_LOWEST);
}

enum status cmd_zpopmax(struct call *c)
{
    return pop(c, FROM_HIGHEST);
}
