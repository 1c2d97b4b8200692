#include "value/move.h"

#include "value/body.h"
#include "value/hash_pack.h"
#include "value/hash_table.h"
#include "value/list_slots.h"
#include "value/packed.h"
#include "value/set_table.h"
#include "value/str.h"
#include "value/zset_indexed.h"

enum { ZSET_STRIDE = 2 };

/* --- what all have in common --- */

struct obj *move_string(struct heap *h, struct obj *o)
{
    if (o->count != 1) return o;
    if (o->type == OBJ_STRING) return str_move(h, (struct str *)o);
    return o->type == OBJ_NUMBER ? pool_move(h->pool, o, sizeof(struct number)) : o;
}

bool move_val(struct heap *h, val *slot)
{
    if (!val_is_obj(*slot)) return false;
    struct obj *o = val_obj(*slot), *now = move_string(h, o);
    *slot = val_of_obj(now);
    return now != o;
}

void move_body(struct heap *h, struct obj *o, size_t bytes)
{
    struct cell *c = (struct cell *)o;
    c->body = pool_move(h->pool, c->body, bytes);
}

void move_entries(struct heap *h, uint8_t *at, uint64_t entries)
{
    for (; entries > 0; entries--) {
        if (pack_kind(at) == PACK_REF) pack_put_ref(at, move_string(h, pack_get_ref(at)));
        at += pack_next(at) - at;
    }
}

static void packed_move(struct heap *h, struct obj *o, uint32_t stride)
{
    move_body(h, o, packed_of(o)->bytes);
    struct packed *b = packed_of(o);
    if (b->width == 0) move_entries(h, b->at, (uint64_t)b->count * stride);
}

/* --- lists --- */

static bool deque_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if (*cursor == 0) {
        move_body(h, o, list_body_bytes(obj_body(o)));
        struct list *l = obj_body(o);
        if (l->chunked)
            list_directory_set(l,
                               pool_move(h->pool, list_directory(l), l->capacity * sizeof(val *)));
    }
    const struct list *l = obj_body(o);
    for (; *cursor < l->length && slots_max > 0; slots_max--) {
        uint64_t seq = l->first_seq + (*cursor)++;
        if (l->chunked && (seq == l->first_seq || seq % LIST_CHUNK_SLOTS == 0)) {
            val **chunk = list_chunk_at(l, list_chunk_of(seq));
            *chunk = pool_move(h->pool, *chunk, LIST_CHUNK_BYTES);
        }
        move_val(h, list_slot_at(l, seq));
    }
    return *cursor >= l->length;
}

bool list_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if (!packed_of(o)) return deque_move(h, o, cursor, slots_max);
    packed_move(h, o, 1);
    return true;
}

/* --- hashes --- */

static void hash_pack_move(struct heap *h, struct obj *o)
{
    move_body(h, o, hash_pack_body_bytes(*hash_pack_word(o)));
    const uint64_t *word = hash_pack_word(o);
    if ((*word & HASH_PACK_REFS) == 0) return;
    move_entries(h, hash_pack_entries(word),
                 hash_pack_count(*word) * (*word & HASH_PACK_OWN ? UINT64_C(2) : 1));
}

bool hash_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if ((o->flags & OBJ_PACKED) == 0) return hash_table_move(h, o, cursor, slots_max);
    hash_pack_move(h, o);
    return true;
}

/* --- sets and zsets --- */

bool set_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if (!packed_of(o)) return set_table_move(h, o, cursor, slots_max);
    packed_move(h, o, 1);
    return true;
}

bool zset_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if (!packed_of(o)) return zset_indexed_move(h, o, cursor, slots_max);
    packed_move(h, o, ZSET_STRIDE);
    return true;
}
