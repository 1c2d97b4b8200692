#include "value/zset.h"

#include "value/body.h"
#include "value/move.h"
#include "value/report.h"
#include "value/zset_indexed.h"
#include "value/zset_packed.h"

enum { REPACK_PART = 4, STRIDE = 2 };

/* --- looking --- */

uint64_t zset_length(const struct obj *o)
{
    const struct packed *b = packed_of(o);
    return b ? b->count : zset_indexed_length(o);
}

bool zset_is_packed(const struct obj *o)
{
    return packed_of(o) != NULL;
}

bool zset_score(const struct obj *o, const struct needle *member, double *score)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return zset_indexed_score(o, member, score);
    const uint8_t *at = zset_packed_find(b, member);
    if (at) *score = pack_get_double(pack_next(at));
    return at != NULL;
}

bool zset_rank(const struct heap *h, const struct obj *o, const struct needle *member,
               uint64_t *rank)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return zset_indexed_rank(h, o, member, rank);
    const uint8_t *at = zset_packed_find(b, member);
    if (at) *rank = zset_packed_rank(b, at);
    return at != NULL;
}

static uint64_t count(const struct obj *o, zset_tree_before *before, const void *ctx)
{
    const struct packed *b = packed_of(o);
    return b ? zset_packed_count(b, before, ctx) : zset_indexed_count(o, before, ctx);
}

static bool score_below(const void *ctx, double score, val member)
{
    (void)member;
    return score < *(const double *)ctx;
}

static bool score_up_to(const void *ctx, double score, val member)
{
    (void)member;
    return score <= *(const double *)ctx;
}

uint64_t zset_rank_of_score(const struct obj *o, struct zset_bound bound, enum zset_side side)
{
    /* An exclusive beginning leaves out what is equal; an inclusive end takes it in: both lie
     * behind it. */
    bool behind = bound.exclusive == (side == ZSET_BEGIN);
    return count(o, behind ? score_up_to : score_below, &bound.score);
}

struct lex_place {
    struct view text;
    bool behind; /* what is equal to the text, too, comes before the place */
};

static bool text_before(const void *ctx, double score, val member)
{
    const struct lex_place *place = ctx;
    char scratch[VAL_TEXT_CHARS];
    (void)score;
    if (!val_is_string(member)) return false;
    int c = view_compare(val_text(&member, scratch), place->text);
    return c < 0 || (c == 0 && place->behind);
}

static bool is_text(const void *ctx, double score, val member)
{
    (void)ctx, (void)score;
    return val_is_string(member);
}

uint64_t zset_rank_of_lex(const struct heap *h, const struct obj *o, struct zset_lex_bound bound,
                          enum zset_side side)
{
    (void)h;
    struct lex_place place = {bound.text, bound.exclusive == (side == ZSET_BEGIN)};
    switch (bound.kind) {
    case ZSET_LEX_MIN: return 0;
    case ZSET_LEX_MAX: return count(o, is_text, NULL);
    case ZSET_LEX_TEXT: break;
    }
    return count(o, text_before, &place);
}

/* --- places --- */

void zset_seek(const struct obj *o, uint64_t rank, struct zset_iter *it)
{
    const struct packed *b = packed_of(o);
    it->is_packed = b != NULL;
    if (b)
        packed_seek(&it->packed, b, (uint32_t)rank, STRIDE);
    else
        zset_indexed_seek(o, rank, &it->tree);
}

struct zset_entry zset_slot_at(const struct zset_iter *it)
{
    return it->is_packed ? zset_packed_entry(it->packed.at) : zset_tree_at(&it->tree);
}

struct zset_entry zset_at(const struct zset_iter *it)
{
    struct zset_entry e = zset_slot_at(it);
    e.member = val_target(e.member);
    return e;
}

bool zset_next(struct zset_iter *it)
{
    return it->is_packed ? packed_next(&it->packed) : zset_tree_next(&it->tree);
}

bool zset_prev(struct zset_iter *it)
{
    return it->is_packed ? packed_prev(&it->packed) : zset_tree_prev(&it->tree);
}

uint64_t zset_shown(const struct heap *h, const struct obj *o, uint64_t begin, uint64_t end)
{
    struct zset_iter it;
    if (begin >= end) return 0;
    if (packed_of(o) || !body_may_lag(h, o)) return end - begin;
    uint64_t shown = 0;
    zset_seek(o, begin, &it);
    for (uint64_t i = begin; i < end; i++, (void)zset_next(&it))
        shown += !val_is_none(zset_at(&it).member);
    return shown;
}

uint64_t zset_shown_about(const struct heap *h, const struct obj *o, uint64_t begin, uint64_t end)
{
    if (begin >= end) return 0;
    return end - begin > ZSET_SKIP_MAX ? end - begin : zset_shown(h, o, begin, end);
}

/* Whether ranks have to be counted one by one. */
static bool skips_singly(const struct heap *h, const struct obj *o, uint64_t shown)
{
    return !packed_of(o) && body_may_lag(h, o) && shown > 0 && shown <= ZSET_SKIP_MAX;
}

uint64_t zset_skip(const struct heap *h, const struct obj *o, uint64_t rank, uint64_t shown)
{
    uint64_t length = zset_length(o), at = rank;
    uint64_t plain = shown < length - rank ? rank + shown : length;
    struct zset_iter it;
    if (rank == length || !skips_singly(h, o, shown)) return plain;
    zset_seek(o, rank, &it);
    for (uint64_t left = shown; left && at < length; at++, (void)zset_next(&it)) {
        if (at - rank == ZSET_SKIP_MAX) return plain;
        left -= !val_is_none(zset_at(&it).member);
    }
    return at;
}

uint64_t zset_skip_back(const struct heap *h, const struct obj *o, uint64_t rank, uint64_t shown)
{
    uint64_t at = rank, plain = shown < rank ? rank - shown : 0;
    struct zset_iter it;
    if (rank == 0 || !skips_singly(h, o, shown)) return plain;
    zset_seek(o, rank - 1, &it);
    for (uint64_t left = shown; left && at > 0; at--, (void)zset_prev(&it)) {
        if (rank - at == ZSET_SKIP_MAX) return plain;
        left -= !val_is_none(zset_at(&it).member);
    }
    return at;
}

/* All of a packed zset at once, also where the scan began while it had its indexes. */
uint64_t zset_scan(const struct obj *o, uint64_t cursor, zset_each *each, void *ctx)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return zset_indexed_scan(o, cursor, each, ctx);
    for (const uint8_t *at = b->at; at < packed_end(b); at = pack_skip(at, STRIDE)) {
        struct zset_entry e = zset_packed_entry(at);
        each(ctx, e.member, e.score);
    }
    return 0;
}

/* --- conversions: to a cell of our own first, so that nothing has changed when memory is out ---
 */

static enum status to_indexed(struct heap *h, struct obj *o)
{
    const struct packed *b = packed_of(o);
    struct cell made = {.head = {.type = OBJ_ZSET}};
    for (const uint8_t *at = b->at; at < packed_end(b); at = pack_skip(at, STRIDE)) {
        struct zset_entry e = zset_packed_entry(at);
        enum status s = val_keep(h, e.member, &e.member);
        if (s == STATUS_OK) {
            s = zset_indexed_put(h, &made.head, val_hash(h, e.member), e);
            if (s != STATUS_OK) val_release(h, e.member);
        }
        if (s == STATUS_OK) continue;
        while (!zset_indexed_clear(h, &made.head, UINT32_MAX)) continue;
        return s;
    }
    packed_swap(h, o, &made);
    return STATUS_OK;
}

/* Whether a block can have this entry more. */
static bool has_room(const struct heap *h, const struct packed *b, const struct packed_in *in,
                     double score)
{
    return (b ? b->count : 0u) < h->values->limits.zset_entries &&
           packed_has_room(b, zset_packed_bytes(in, score));
}

/* After a removal. Without the memory for it the zset stays as it is. */
static void repack(struct heap *h, struct obj *o)
{
    const struct value_limits *l = &h->values->limits;
    uint64_t length = zset_length(o);
    struct cell made = {.head = {.type = OBJ_ZSET}};
    struct zset_iter it;
    if (packed_of(o) || length == 0 || length > l->zset_entries / REPACK_PART) return;
    if ((o->flags & OBJ_VISIBLE) && h->collect.phase != COLLECT_IDLE) return;
    zset_seek(o, 0, &it);
    do {
        struct zset_entry e = zset_slot_at(&it);
        struct packed_in in;
        if (packed_in_of_val(&e.member, l->zset_text_bytes, &in) &&
            has_room(h, packed_of(&made.head), &in, e.score) &&
            zset_packed_add(h, &made.head, &in, e.score) == STATUS_OK)
            continue;
        packed_drop(h, &made.head);
        return;
    } while (zset_next(&it));
    packed_swap(h, o, &made);
}

static void removed(struct heap *h, struct obj *o)
{
    uint64_t length = zset_length(o);
    if ((length & (length - 1)) == 0) repack(h, o);
}

/* --- changes --- */

/* STATUS_TOO_LONG: not in this form. */
static enum status set_packed(struct heap *h, struct obj *o, const struct needle *member,
                              double score, bool *created)
{
    const struct packed *b = packed_of(o);
    const uint8_t *at = b ? zset_packed_find(b, member) : NULL;
    struct packed_in in;
    *created = at == NULL;
    if (at) {
        /* 0 and -0 are equal, and the old one stays, as in Redis. */
        if (pack_get_double(pack_next(at)) == score) return STATUS_OK;
        return zset_packed_rescore(h, o, at, score);
    }
    if (!packed_in_of_needle(member, h->values->limits.zset_text_bytes, &in) ||
        !has_room(h, b, &in, score))
        return STATUS_TOO_LONG;
    return zset_packed_add(h, o, &in, score);
}

enum status zset_set(struct heap *h, struct obj *o, const struct needle *member, double score,
                     bool *created)
{
    bool is_new = false;
    enum status s = STATUS_TOO_LONG;
    if (packed_of(o) || obj_body(o) == NULL) s = set_packed(h, o, member, score, &is_new);
    if (s == STATUS_TOO_LONG) {
        s = packed_of(o) ? to_indexed(h, o) : STATUS_OK;
        if (s == STATUS_OK) s = zset_indexed_set(h, o, member, score, &is_new);
    }
    if (s == STATUS_OK && created != NULL) *created = is_new;
    if (report_wanted(h) && !s) report_zset_set(h, o, member, score);
    return s;
}

void zset_expect(struct heap *h, struct obj *o, struct packed_more more)
{
    const struct packed *b = packed_of(o);
    if (b && b->count + more.elements <= h->values->limits.zset_entries)
        packed_expect(h, o, more.bytes);
}

void zset_expect_end(struct heap *h, struct obj *o)
{
    packed_expect_end(h, o);
}

void zset_restore(struct heap *h, struct obj *o, const struct needle *member, double score)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) {
        zset_indexed_restore(h, o, member, score);
        return;
    }
    const uint8_t *at = zset_packed_find(b, member);
    ASSERT(at);
    enum status s = zset_packed_rescore(h, o, at, score);
    ASSERT(s == STATUS_OK); /* the block has had room for it, and has not become shorter */
}

void zset_retract(struct heap *h, struct obj *o, const struct needle *member)
{
    const struct packed *b = packed_of(o);
    const uint8_t *at = b ? zset_packed_find(b, member) : NULL;
    if (at)
        zset_packed_remove(h, o, at, 1);
    else if (b == NULL)
        zset_indexed_remove(h, o, member);
}

bool zset_remove(struct heap *h, struct obj *o, const struct needle *member)
{
    const struct packed *b = packed_of(o);
    double score;
    if (report_wanted(h) && zset_score(o, member, &score)) report_zset_remove(h, o, member);
    if (b == NULL) {
        if (!zset_indexed_remove(h, o, member)) return false;
        removed(h, o);
        return true;
    }
    const uint8_t *at = zset_packed_find(b, member);
    if (at == NULL) return false;
    zset_packed_remove(h, o, at, 1);
    packed_fit(h, o);
    return true;
}

/* False when the member that it removed was gone already. */
static bool indexed_remove_rank(struct heap *h, struct obj *o, uint64_t rank)
{
    struct zset_iter it;
    zset_seek(o, rank, &it);
    bool there = !val_is_none(zset_at(&it).member);
    struct needle member = needle_of_val(h, zset_slot_at(&it).member);
    zset_indexed_remove(h, o, &member);
    return there;
}

static void report_pop(struct heap *h, const struct obj *o, enum zset_side side, uint64_t count)
{
    struct zset_iter it;
    if (count == 0) return;
    zset_seek(o, side == ZSET_BEGIN ? 0 : zset_length(o) - 1, &it);
    do {
        val member = zset_at(&it).member;
        if (val_is_none(member)) continue;
        struct needle n = needle_of_val(h, member);
        report_zset_remove(h, o, &n);
        count--;
    } while (count > 0 && (side == ZSET_BEGIN ? zset_next(&it) : zset_prev(&it)));
}

static void report_copy(struct heap *h, const struct obj *o)
{
    struct zset_iter it;
    if (zset_length(o) == 0) return;
    zset_seek(o, 0, &it);
    do {
        struct zset_entry e = zset_slot_at(&it);
        struct needle n = needle_of_val(h, e.member);
        report_zset_set(h, o, &n, e.score);
    } while (zset_next(&it));
}

void zset_pop(struct heap *h, struct obj *o, enum zset_side side, uint64_t count_wanted)
{
    const struct packed *b = packed_of(o);
    if (report_wanted(h)) report_pop(h, o, side, count_wanted);
    if (b) {
        uint32_t n = (uint32_t)count_wanted, from = side == ZSET_BEGIN ? 0 : b->count - n;
        zset_packed_remove(h, o, packed_at(b, from, STRIDE), n);
        packed_fit(h, o);
        return;
    }
    while (count_wanted > 0)
        count_wanted -= indexed_remove_rank(h, o, side == ZSET_BEGIN ? 0 : zset_length(o) - 1);
    repack(h, o);
}

static void zset_drop_weak(struct heap *h, struct obj *o, struct weak *w)
{
    struct needle member = needle_of_val(h, val_of_obj(&w->head));
    zset_remove(h, o, &member);
}

enum status zset_copy(struct heap *h, const struct obj *from, RC_OUT struct obj **out)
{
    struct obj *to = heap_container_new(h, OBJ_ZSET);
    if (to == NULL) return STATUS_OOM;
    enum status s = packed_of(from) ? packed_copy(h, from, to) : zset_indexed_copy(h, from, to);
    if (report_wanted(h) && !s) report_copy(h, to);
    if (s == STATUS_OK)
        *out = to;
    else
        rc_dec(h, to);
    return s;
}

/* --- for the heap --- */

static uint64_t zset_begin(const struct obj *o)
{
    (void)o;
    return 0;
}

static uint64_t zset_end(const struct obj *o)
{
    return packed_of(o) ? 1 : body_table_end(o);
}

static uint64_t zset_visit(const struct obj *o, uint64_t cursor, uint64_t limit, uint32_t slots_max,
                           heap_visit *fn, void *ctx)
{
    const struct packed *b = packed_of(o);
    if (b == NULL) return zset_indexed_visit(o, cursor, limit, slots_max, fn, ctx);
    if (cursor == 0) packed_visit(b, fn, ctx);
    return limit;
}

static bool zset_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    if (packed_of(o) == NULL) return zset_indexed_clear(h, o, slots_max);
    packed_drop(h, o);
    return true;
}

static size_t zset_bytes(const struct obj *o)
{
    const struct packed *b = packed_of(o);
    return b ? packed_bytes(b) : zset_indexed_bytes(o);
}

bool zset_check(const struct heap *h, const struct obj *o)
{
    return packed_of(o) ? zset_packed_check(h, o) : zset_indexed_check(h, o);
}

const struct heap_type zset_heap_type = {
    .name = "zset",
    .begin = zset_begin,
    .end = zset_end,
    .visit = zset_visit,
    .clear = zset_clear,
    .drop_weak = zset_drop_weak,
    .move = zset_move,
    .bytes = zset_bytes,
    .check = zset_check,
};
