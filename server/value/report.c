#include "value/report.h"

#include "value/pack.h"

static struct effect_value report_cell(enum effect_kind kind, const struct obj *o)
{
    return (struct effect_value){.kind = kind, .cell = o ? effect_cell(o) : 0};
}

static struct effect_value report_object(const struct obj *o, const val *v)
{
    if (obj_is_container(o)) return report_cell(EFFECT_REFERENCE, o);
    if (o->type == OBJ_WEAK) return report_cell(EFFECT_WEAK, weak_target(o));
    int64_t n;
    if (val_get_integer(*v, &n)) return (struct effect_value){.kind = EFFECT_INTEGER, .integer = n};
    return (struct effect_value){.kind = obj_is_interned(o) ? EFFECT_SHARED_TEXT : EFFECT_TEXT,
                                 .text = val_text(v, NULL)};
}

struct effect_value report_value(const val *v)
{
    int64_t n;
    if (val_is_bytes(*v) && pack_kind(val_bytes(*v)) == PACK_TEXT)
        return report_of_text(pack_text(val_bytes(*v)));
    if (val_is_short(*v)) return report_of_text(val_short_text(v));
    if (val_is_nil(*v)) return (struct effect_value){.kind = EFFECT_NIL};
    if (val_is_obj(*v)) return report_object(val_obj(*v), v);
    (void)val_get_integer(*v, &n);
    return (struct effect_value){.kind = EFFECT_INTEGER, .integer = n};
}

/* Borrows from the needle. */
static struct effect_value report_needle(const struct needle *n)
{
    if (val_is_none(n->v)) {
        int64_t integer;
        if (val_text_is_integer(n->text, &integer))
            return (struct effect_value){.kind = EFFECT_INTEGER, .integer = integer};
        return (struct effect_value){.kind = EFFECT_TEXT, .text = n->text};
    }
    struct effect_value v = report_value(&n->v);
    if (n->weakly && v.kind == EFFECT_REFERENCE) v.kind = EFFECT_WEAK;
    return v;
}

/* A removal names the target, weakly held or not. */
static void put_remove(struct heap *h, const struct obj *o, enum effect_op op,
                       const struct needle *member)
{
    struct effect e = {.op = op, .cell = effect_cell(o), .value = report_needle(member)};
    if (e.value.kind == EFFECT_WEAK) e.value.kind = EFFECT_REFERENCE;
    if (e.value.kind == EFFECT_REFERENCE && e.value.cell == 0) return; /* it was gone */
    effect_put(&h->effects, &e);
}

static void put(struct heap *h, const struct obj *o, struct effect e)
{
    e.cell = effect_cell(o);
    effect_put(&h->effects, &e);
}

void report_hash_set(struct heap *h, const struct obj *o, const struct needle *field,
                     struct effect_value stored)
{
    put(h, o,
        (struct effect){.op = EFFECT_HASH_SET, .field = report_needle(field), .value = stored});
}

void report_hash_delete(struct heap *h, const struct obj *o, const struct needle *field)
{
    put(h, o, (struct effect){.op = EFFECT_HASH_DELETE, .field = report_needle(field)});
}

void report_list_insert(struct heap *h, const struct obj *o, uint64_t index,
                        struct effect_value stored)
{
    put(h, o, (struct effect){.op = EFFECT_LIST_INSERT, .number = index, .value = stored});
}

void report_list_set(struct heap *h, const struct obj *o, uint64_t index,
                     struct effect_value stored)
{
    put(h, o, (struct effect){.op = EFFECT_LIST_SET, .number = index, .value = stored});
}

void report_list_delete(struct heap *h, const struct obj *o, uint64_t index, uint64_t count)
{
    put(h, o, (struct effect){.op = EFFECT_LIST_DELETE, .number = index, .count = count});
}

void report_set_add(struct heap *h, const struct obj *o, const struct needle *member)
{
    put(h, o, (struct effect){.op = EFFECT_SET_ADD, .value = report_needle(member)});
}

void report_set_remove(struct heap *h, const struct obj *o, const struct needle *member)
{
    put_remove(h, o, EFFECT_SET_REMOVE, member);
}

void report_zset_set(struct heap *h, const struct obj *o, const struct needle *member, double score)
{
    put(h, o,
        (struct effect){.op = EFFECT_ZSET_SET, .value = report_needle(member), .score = score});
}

void report_zset_remove(struct heap *h, const struct obj *o, const struct needle *member)
{
    put_remove(h, o, EFFECT_ZSET_REMOVE, member);
}
