/*
 * Ranges of sorted sets: ZRANGE in all its forms, and ZCOUNT. Every form ends as a range of ranks,
 * which is then walked from either end. Indexes and LIMIT go by what is shown: members that are
 * gone and not yet removed are passed over, within zset_skip's bound.
 */
#include "command/command.h"
#include "value/zset.h"

enum by { BY_RANK, BY_SCORE, BY_LEX };

struct range {
    enum by by;
    bool rev, with_scores;
    int64_t offset, limit; /* limit < 0: all */
    union {
        int64_t rank;
        struct zset_bound score;
        struct zset_lex_bound lex;
    } min, max;
};

/* The ranks from begin to before end; begin >= end: none. */
struct ranks {
    uint64_t begin, end;
};

/* --- bounds --- */

static enum status score_bound(struct call *c, uint32_t i, struct zset_bound *out)
{
    struct view text = c->argv[i];
    out->exclusive = text.n > 0 && text.p[0] == '(';
    if (out->exclusive) {
        text.p++;
        text.n--;
    }
    if (num_get_bound(text, &out->score)) return STATUS_OK;
    return call_error(c, "ERR min or max is not a float");
}

/* "-" and "+" stand alone; nothing behind a NUL counts, as in Redis. */
static bool is_sign(struct view text, char sign)
{
    return text.n > 0 && text.p[0] == sign && (text.n == 1 || text.p[1] == 0);
}

static enum status lex_bound(struct call *c, uint32_t i, struct zset_lex_bound *out)
{
    struct view text = c->argv[i];
    *out = (struct zset_lex_bound){.kind = ZSET_LEX_TEXT};
    if (is_sign(text, '-')) {
        out->kind = ZSET_LEX_MIN;
    } else if (is_sign(text, '+')) {
        out->kind = ZSET_LEX_MAX;
    } else if (text.n > 0 && (text.p[0] == '[' || text.p[0] == '(')) {
        out->exclusive = text.p[0] == '(';
        out->text = (struct view){text.p + 1, text.n - 1};
    } else {
        return call_error(c, "ERR min or max not valid string range item");
    }
    return STATUS_OK;
}

static enum status parse_bounds(struct call *c, struct range *r)
{
    /* From high to low, the higher bound comes first. Ranks are counted from the other end
     * instead. */
    bool swapped = r->rev && r->by != BY_RANK;
    uint32_t min = swapped ? 3 : 2, max = swapped ? 2 : 3;
    enum status status = STATUS_OK;
    switch (r->by) {
    case BY_RANK:
        status = call_integer(c, min, &r->min.rank);
        return status ? status : call_integer(c, max, &r->max.rank);
    case BY_SCORE:
        status = score_bound(c, min, &r->min.score);
        return status ? status : score_bound(c, max, &r->max.score);
    case BY_LEX:
        status = lex_bound(c, min, &r->min.lex);
        return status ? status : lex_bound(c, max, &r->max.lex);
    }
    return status;
}

static enum status parse_options(struct call *c, struct range *r)
{
    for (uint32_t i = 4; i < c->argc; i++) {
        enum status status;
        if (call_is(c, i, "withscores")) {
            r->with_scores = true;
        } else if (call_is(c, i, "limit") && i + 2 < c->argc) {
            status = call_integer(c, i + 1, &r->offset);
            if (!status) status = call_integer(c, i + 2, &r->limit);
            if (status) return status;
            i += 2;
        } else if (call_is(c, i, "rev") && !r->rev) {
            r->rev = true;
        } else if (call_is(c, i, "byscore") && r->by == BY_RANK) {
            r->by = BY_SCORE;
        } else if (call_is(c, i, "bylex") && r->by == BY_RANK) {
            r->by = BY_LEX;
        } else {
            return STATUS_SYNTAX;
        }
    }
    if (r->limit != -1 && r->by == BY_RANK)
        return call_error(c, "ERR syntax error, LIMIT is only supported in combination with either "
                             "BYSCORE or BYLEX");
    if (r->with_scores && r->by == BY_LEX)
        return call_error(c, "ERR syntax error, WITHSCORES not supported in combination with "
                             "BYLEX");
    return STATUS_OK;
}

/* --- ranks --- */

/* Where an index begins that is counted from the end `side`, or, negative, from the other one. */
static uint64_t rank_of_index(struct call *c, const struct obj *o, int64_t index,
                              enum zset_side side)
{
    bool from_begin = (index >= 0) == (side == ZSET_BEGIN);
    uint64_t shown = index < 0 ? 0 - (uint64_t)index : (uint64_t)index;
    return from_begin ? zset_skip(c->heap, o, 0, shown)
                      : zset_skip_back(c->heap, o, zset_length(o), shown);
}

/* A range by index includes its last, whose end is where the next index begins. Behind index -1,
 * the last one, there is none. */
static uint64_t rank_behind_index(struct call *c, const struct obj *o, int64_t index,
                                  enum zset_side side)
{
    if (index == -1) return side == ZSET_BEGIN ? zset_length(o) : 0;
    if (index == INT64_MAX) index--;
    return rank_of_index(c, o, index + 1, side);
}

static struct ranks ranks_of_indexes(struct call *c, const struct range *r, const struct obj *o)
{
    enum zset_side side = r->rev ? ZSET_END : ZSET_BEGIN;
    uint64_t first = rank_of_index(c, o, r->min.rank, side);
    uint64_t behind = rank_behind_index(c, o, r->max.rank, side);
    return r->rev ? (struct ranks){behind, first} : (struct ranks){first, behind};
}

static struct ranks ranks_of_scores(const struct obj *o, struct zset_bound min,
                                    struct zset_bound max)
{
    return (struct ranks){zset_rank_of_score(o, min, ZSET_BEGIN),
                          zset_rank_of_score(o, max, ZSET_END)};
}

static struct ranks ranks_of(struct call *c, const struct range *r, const struct obj *o)
{
    switch (r->by) {
    case BY_RANK: break;
    case BY_SCORE: return ranks_of_scores(o, r->min.score, r->max.score);
    case BY_LEX:
        return (struct ranks){zset_rank_of_lex(c->heap, o, r->min.lex, ZSET_BEGIN),
                              zset_rank_of_lex(c->heap, o, r->max.lex, ZSET_END)};
    }
    return ranks_of_indexes(c, r, o);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a < b ? b : a;
}

/* What LIMIT leaves, counted from the end at which the range begins. A negative offset leaves
 * nothing. By rank there is no LIMIT: one that asks for all has passed, whatever its offset. */
static struct ranks limited(struct call *c, const struct range *r, const struct obj *o,
                            struct ranks all)
{
    const struct heap *h = c->heap;
    uint64_t offset = (uint64_t)r->offset, limit = (uint64_t)r->limit;
    if (r->by == BY_RANK) return all;
    if (all.begin >= all.end || r->offset < 0) return (struct ranks){0, 0};
    if (r->rev) {
        all.end = larger(zset_skip_back(h, o, all.end, offset), all.begin);
        if (r->limit >= 0) all.begin = larger(zset_skip_back(h, o, all.end, limit), all.begin);
    } else {
        all.begin = smaller(zset_skip(h, o, all.begin, offset), all.end);
        if (r->limit >= 0) all.end = smaller(zset_skip(h, o, all.begin, limit), all.end);
    }
    return all;
}

/* --- commands --- */

static enum status reply_range(struct call *c, const struct range *r, const struct obj *o,
                               struct ranks ranks)
{
    struct zset_iter it;
    bool paired = r->with_scores && c->session->protocol >= 3;
    uint64_t count = o ? zset_shown(c->heap, o, ranks.begin, ranks.end) : 0;
    enum status status = STATUS_OK;
    reply_array(c, r->with_scores && !paired ? count * 2 : count);
    if (count == 0) return STATUS_OK;
    c->open = o;
    zset_seek(o, r->rev ? ranks.end - 1 : ranks.begin, &it);
    while (count > 0 && !status) {
        struct zset_entry entry = zset_at(&it);
        (void)(r->rev ? zset_prev(&it) : zset_next(&it));
        if (val_is_none(entry.member)) continue;
        if (paired) reply_array(c, 2);
        status = reply_value(c, entry.member);
        if (r->with_scores) reply_double(c, entry.score);
        count--;
    }
    return status;
}

enum status cmd_zrange(struct call *c)
{
    struct subject s;
    struct range r = {.by = BY_RANK, .limit = -1};
    struct ranks ranks = {0, 0};
    enum status status = parse_options(c, &r);
    if (!status) status = parse_bounds(c, &r);
    if (!status) status = call_read(c, 1, OBJ_ZSET, &s);
    if (status) return status;
    if (s.o && zset_length(s.o) > 0) ranks = limited(c, &r, s.o, ranks_of(c, &r, s.o));
    return reply_range(c, &r, s.o, ranks);
}

enum status cmd_zcount(struct call *c)
{
    struct subject s;
    struct zset_bound min, max;
    struct ranks ranks = {0, 0};
    enum status status = score_bound(c, 2, &min);
    if (!status) status = score_bound(c, 3, &max);
    if (!status) status = call_read(c, 1, OBJ_ZSET, &s);
    if (status) return status;
    if (s.o) ranks = ranks_of_scores(s.o, min, max);
    uint64_t count = s.o ? zset_shown_about(c->heap, s.o, ranks.begin, ranks.end) : 0;
    reply_integer(c, (int64_t)count);
    return STATUS_OK;
}
