/* Many fields at once: all of them or none. */
#include "value/hash_pack.h"
#include "value/hash_table.h"
#include "value/report.h"

static struct needle field_of(const struct heap *h, const struct hash_pairs *pairs, uint32_t i)
{
    return needle_of_text(h, pairs->texts[2 * i]);
}

static enum status set_pair(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                            uint32_t i, int64_t *created)
{
    struct needle field = field_of(h, pairs, i);
    bool is_new = false;
    enum status s;
    if (pairs->values) {
        val_retain(h, pairs->values[i]);
        s = hash_set_take(h, o, &field, pairs->values[i], &is_new);
    } else {
        s = hash_set_text(h, o, &field, pairs->texts[2 * i + 1], &is_new);
    }
    *created += is_new;
    return s;
}

static enum status set_each(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                            int64_t *created)
{
    enum status s = STATUS_OK;
    for (uint32_t i = 0; i < pairs->n && !s; i++) s = set_pair(h, o, pairs, i, created);
    return s;
}

/* --- of an empty hash --- */

/* The entry of a pair's value; a reference is counted. */
static bool in_of_pair(struct heap *h, const struct hash_pairs *pairs, uint32_t i,
                       struct hash_in *out)
{
    if (!pairs->values) {
        hash_in_of_text(pairs->texts[2 * i + 1], out);
        return true;
    }
    if (!hash_in_of_val(h, &pairs->values[i], out)) return false;
    if (out->ref) rc_inc(h, out->ref);
    return true;
}

/* The usual way of records: the fields are looked up as a sequence, once, and the body is written
 * once. */
static bool fill(struct heap *h, struct obj *o, const struct hash_pairs *pairs)
{
    struct needle fields[HASH_PACK_FIELDS_MAX];
    struct hash_in in[HASH_PACK_FIELDS_MAX];
    uint32_t n = 0;
    if (pairs->n > HASH_PACK_FIELDS_MAX || pairs->n > h->values->limits.hash_entries) return false;
    for (; n < pairs->n && in_of_pair(h, pairs, n, &in[n]); n++) fields[n] = field_of(h, pairs, n);
    if (n > 0 && n == pairs->n && hash_pack_fill(h, o, fields, in, n)) return true;
    while (n-- > 0)
        if (in[n].ref) rc_dec(h, in[n].ref);
    return false;
}

static void report_pairs(struct heap *h, const struct obj *o, const struct hash_pairs *pairs)
{
    for (uint32_t i = 0; i < pairs->n; i++) {
        struct needle field = field_of(h, pairs, i);
        val stored = hash_slot(o, &field);
        report_hash_set(h, o, &field, report_value(&stored));
    }
}

static enum status set_empty(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                             int64_t *created)
{
    if (fill(h, o, pairs)) {
        if (report_wanted(h)) report_pairs(h, o, pairs);
        *created = pairs->n;
        return STATUS_OK;
    }
    enum status s = set_each(h, o, pairs, created);
    if (!s) return s;
    if (o->flags & OBJ_PACKED) hash_pack_drop(h, o);
    while (!hash_table_clear(h, o, UINT32_MAX)) continue;
    return s;
}

/* --- of a packed hash --- */

/* A copy of the body is put back. A trial may have a place for the hash, which it takes along. */
static void put_back(struct heap *h, struct obj *o, struct cell *saved)
{
    struct cell old;
    if (saved->head.flags & OBJ_VISIBLE)
        obj_words(&saved->head)->place = obj_words(o)->place;
    else if (o->flags & OBJ_VISIBLE)
        collect_forget(h, o);
    hash_pack_swap(o, saved, &old);
    if (old.head.flags & OBJ_PACKED)
        hash_pack_drop(h, &old.head);
    else
        while (!hash_table_clear(h, &old.head, UINT32_MAX)) continue;
}

static enum status set_packed(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                              int64_t *created)
{
    struct cell saved = {.head = {.type = OBJ_HASH}};
    enum status s = hash_pack_copy(h, o, &saved.head);
    if (s) return s;
    s = set_each(h, o, pairs, created);
    if (s)
        put_back(h, o, &saved);
    else
        hash_pack_drop(h, &saved.head);
    return s;
}

/* --- of a table --- */

/* What the pairs replaced, so that it can be put back without memory. VAL_NONE: the field was not
 * there. */
struct replaced {
    val few[16];
    val *old; /* few, or memory of its own */
};

/* Takes back the first `done` pairs, the last of them first. */
static void table_undo(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                       const val *old, uint32_t done)
{
    while (done-- > 0) {
        struct needle field = field_of(h, pairs, done);
        struct hash_entry *e = hash_table_find(o, &field);
        if (val_is_none(old[done]))
            hash_table_remove(h, o, field.hash, e);
        else
            hash_table_replace(h, o, e, old[done]);
    }
}

static enum status set_table(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                             int64_t *created)
{
    struct replaced r = {.old = r.few};
    size_t bytes = pairs->n <= sizeof r.few / sizeof *r.few ? 0 : pairs->n * sizeof(val);
    if (bytes) r.old = mem_alloc(h->mem, bytes);
    if (!r.old) return STATUS_OOM;
    enum status s = STATUS_OK;
    uint32_t done = 0;
    for (; done < pairs->n; done++) {
        struct needle field = field_of(h, pairs, done);
        r.old[done] = hash_slot(o, &field);
        val_retain(h, r.old[done]);
        s = set_pair(h, o, pairs, done, created);
        if (!s) continue;
        val_release(h, r.old[done]);
        break;
    }
    if (s)
        table_undo(h, o, pairs, r.old, done);
    else
        for (uint32_t i = 0; i < done; i++) val_release(h, r.old[i]);
    if (bytes) mem_free(h->mem, r.old, bytes);
    return s;
}

enum status hash_set_pairs(struct heap *h, struct obj *o, const struct hash_pairs *pairs,
                           int64_t *created)
{
    enum status s;
    struct effects_mark mark = effects_mark(&h->effects);
    *created = 0;
    if (pairs->n == 1)
        s = set_pair(h, o, pairs, 0, created);
    else if (!obj_body(o))
        s = set_empty(h, o, pairs, created);
    else if (o->flags & OBJ_PACKED)
        s = set_packed(h, o, pairs, created);
    else
        s = set_table(h, o, pairs, created);
    if (s) {
        effects_rewind(&h->effects, mark);
        *created = 0;
    }
    return s;
}
