#include "value/zset_packed.h"

#include <math.h>

enum {
    STRIDE = 2,
    PAIR_BYTES_MAX = PACKED_TEXT_BYTES_MAX + PACK_HEAD_BYTES_MAX + PACK_DOUBLE_BYTES
};

const uint8_t *zset_packed_find(const struct packed *b, const struct needle *member)
{
    struct pack_item item;
    if (!pack_item_of_needle(member, &item)) return NULL;
    return pack_find_scored(b->at, packed_end(b), &item);
}

uint32_t zset_packed_rank(const struct packed *b, const uint8_t *at)
{
    uint32_t rank = 0;
    for (const uint8_t *i = b->at; i < at; i = pack_skip(i, STRIDE)) rank++;
    return rank;
}

struct zset_entry zset_packed_entry(const uint8_t *at)
{
    return (struct zset_entry){pack_get(at), pack_get_double(pack_next(at))};
}

size_t zset_packed_bytes(const struct packed_in *member, double score)
{
    struct pack_item item = pack_item_of_double(score);
    return packed_in_bytes(member) + pack_item_bytes(&item);
}

/* --- the order --- */

/* The text of a member that is to be stored: what it is compared by. An integer is written into
 * scratch. */
static struct view text_of_entry(const uint8_t *at, char scratch[VAL_TEXT_CHARS])
{
    if (pack_kind(at) == PACK_TEXT) return pack_text(at);
    val v = pack_get(at);
    return val_text(&v, scratch);
}

/* Where a member of this text with this score belongs: the offset of the first entry behind it.
 * `skipped`, if not NULL, is left out. */
static size_t place_of_entry(const struct packed *b, struct view text, double score,
                             const uint8_t *skipped)
{
    const uint8_t *at = b->at, *end = packed_end(b);
    while (at < end) {
        const uint8_t *score_at = pack_next(at);
        double other = pack_get_double(score_at);
        if (other > score) break;
        if (other == score && at != skipped) {
            char scratch[VAL_TEXT_CHARS];
            if (view_compare(text_of_entry(at, scratch), text) > 0) break;
        }
        at = pack_next(score_at);
    }
    return (size_t)(at - b->at);
}

/* The text of a member on its way in; of an integer from an entry of its own. */
static struct view text_of_in(const struct packed_in *in, char scratch[VAL_TEXT_CHARS])
{
    if (in->item.text.n > 0 || pack_kind(in->item.head) == PACK_TEXT) return in->item.text;
    return text_of_entry(in->item.head, scratch);
}

enum status zset_packed_add(struct heap *h, struct obj *o, const struct packed_in *member,
                            double score)
{
    const struct packed *b = packed_of(o);
    struct pack_item item = pack_item_of_double(score);
    char scratch[VAL_TEXT_CHARS];
    size_t offset = b ? place_of_entry(b, text_of_in(member, scratch), score, NULL) : 0;
    uint8_t *at = packed_open(h, o, offset, zset_packed_bytes(member, score), 1);
    if (at == NULL) return STATUS_OOM;
    pack_put(packed_put(h, at, member), &item);
    return STATUS_OK;
}

/* The pair at `from`, of n bytes, changes places with what lies between it and `to`. */
static void move_pair(struct packed *b, size_t from, size_t n, size_t to)
{
    uint8_t pair[PAIR_BYTES_MAX];
    DASSERT(n <= sizeof pair);
    memcpy(pair, b->at + from, n);
    if (to > from) {
        memmove(b->at + from, b->at + from + n, to - from - n);
        memcpy(b->at + to - n, pair, n);
    } else {
        memmove(b->at + to + n, b->at + to, from - to);
        memcpy(b->at + to, pair, n);
    }
}

enum status zset_packed_rescore(struct heap *h, struct obj *o, const uint8_t *at, double score)
{
    struct packed *b = packed_of(o);
    struct pack_item item = pack_item_of_double(score);
    const uint8_t *score_at = pack_next(at), *next = pack_next(score_at);
    size_t from = (size_t)(at - b->at), score_offset = (size_t)(score_at - b->at);
    size_t old_bytes = (size_t)(next - score_at), bytes = pack_item_bytes(&item);
    if (bytes > old_bytes && !packed_has_room(b, bytes - old_bytes)) return STATUS_TOO_LONG;
    uint8_t *to_put = packed_replace(h, o, score_offset, old_bytes, bytes);
    if (to_put == NULL) return STATUS_OOM;
    pack_put(to_put, &item);
    /* The entries are whole again, and in order but for this one. */
    b = packed_of(o);
    char scratch[VAL_TEXT_CHARS];
    const uint8_t *pair = b->at + from;
    size_t n = score_offset + bytes - from;
    size_t to = place_of_entry(b, text_of_entry(pair, scratch), score, pair);
    if (to < from || to > from + n) move_pair(b, from, n, to);
    return STATUS_OK;
}

void zset_packed_remove(struct heap *h, struct obj *o, const uint8_t *at, uint32_t count)
{
    const struct packed *b = packed_of(o);
    const uint8_t *end = pack_skip(at, (uint64_t)count * STRIDE);
    packed_remove(h, o, (size_t)(at - b->at), (size_t)(end - at), count);
}

uint64_t zset_packed_count(const struct packed *b, zset_tree_before *before, const void *ctx)
{
    uint64_t count = 0;
    const uint8_t *at = b->at;
    for (; count < b->count; count++, at = pack_skip(at, STRIDE)) {
        struct zset_entry e = zset_packed_entry(at);
        if (!before(ctx, e.score, e.member)) break;
    }
    return count;
}

static bool is_score(const uint8_t *at)
{
    enum pack_kind kind = pack_kind(at);
    if (kind != PACK_INTEGER && kind != PACK_DOUBLE) return false;
    double score = pack_get_double(at);
    struct pack_item again = pack_item_of_double(score);
    return !isnan(score) && pack_is(at, &again);
}

bool zset_packed_check(const struct heap *h, const struct obj *o)
{
    const struct packed *b = packed_of(o);
    struct zset_entry before = {VAL_NONE, 0};
    if (!packed_check(o, STRIDE) || b->width) return false;
    for (const uint8_t *at = b->at; at < packed_end(b); at = pack_skip(at, STRIDE)) {
        if (pack_kind(at) == PACK_DOUBLE || !is_score(pack_next(at))) return false; /* 1. */
        struct zset_entry e = zset_packed_entry(at);
        struct needle n = needle_of_val(h, e.member);
        if (zset_packed_find(b, &n) != at) return false; /* 2. */
        if (!val_is_none(before.member) &&
            (before.score > e.score ||
             (before.score == e.score && val_compare(h, before.member, e.member) >= 0)))
            return false; /* 2. */
        before = e;
    }
    return true;
}
