#include "value/hash_pack.h"

#include "value/str.h"

/* --- what is to be stored --- */

/* A string object whose text is not copied into the block: others hold it, too, and a reference is
 * shorter, or it is too long. */
static bool is_referred(const struct heap *h, const struct obj *o)
{
    if (o->type != OBJ_STRING) return obj_is_container(o);
    uint32_t length = ((const struct str *)o)->length;
    return length > h->values->limits.hash_text_bytes || (o->count > 1 && length >= PACK_REF_BYTES);
}

bool hash_in_of_val(const struct heap *h, const val *v, struct hash_in *out)
{
    out->made = false;
    out->ref = val_is_obj(*v) && is_referred(h, val_obj(*v)) ? val_obj(*v) : NULL;
    if (out->ref) return true;
    if (!val_is_string(*v)) return false;
    out->item = pack_item_of_val(v);
    return true;
}

void hash_in_of_text(struct view text, struct hash_in *out)
{
    out->made = false;
    out->ref = NULL;
    out->item = pack_item_of_text(text);
}

/* With the evidence of a field that asks about the text. */
enum status hash_in_settle_text(struct heap *h, struct hash_in *in, struct evidence *ev)
{
    struct view text = in->item.text;
    if (ev) in->ref = evidence_ask(h, ev, text);
    if (!in->ref && text.n > h->values->limits.hash_text_bytes) {
        val v;
        enum status s = val_of_text(h, text, &v);
        if (s) return s;
        in->ref = val_obj(v);
    }
    in->made = in->ref != NULL;
    return STATUS_OK;
}

void hash_in_unsettle(struct heap *h, struct hash_in *in)
{
    if (!in->made) return;
    rc_dec(h, in->ref);
    in->ref = NULL;
    in->made = false;
}

/* --- reading --- */

void hash_pack_begin(const struct obj *o, struct hash_pack_iter *it)
{
    const uint64_t *word = hash_pack_word(o);
    *it = (struct hash_pack_iter){.shape = hash_pack_shape(*word),
                                  .gaps = (*word & HASH_PACK_OWN) == 0 && (*word & HASH_PACK_GAPS),
                                  .next = hash_pack_entries(word),
                                  .left = hash_pack_count(*word),
                                  .position = UINT32_MAX};
}

bool hash_pack_next(struct hash_pack_iter *it)
{
    while (it->left > 0) {
        it->left--;
        it->position++;
        if (it->shape) {
            it->field = it->shape->field[it->position];
            it->value = it->next;
        } else {
            it->field_at = it->next;
            it->field = pack_get(it->field_at);
            it->value = pack_next(it->field_at);
        }
        it->next = pack_next(it->value);
        if (!it->gaps || pack_kind(it->value) != PACK_GAP) return true;
    }
    return false;
}

uint32_t hash_pack_length(const struct obj *o)
{
    uint64_t word = *hash_pack_word(o);
    if (LIKELY((word & HASH_PACK_OWN) || (word & HASH_PACK_GAPS) == 0))
        return hash_pack_count(word);
    uint32_t length = 0;
    struct hash_pack_iter it;
    hash_pack_begin(o, &it);
    while (hash_pack_next(&it)) length++;
    return length;
}

/* Eight fields' bytes at a time; what lies behind the last is bytes of entries, and is not looked
 * at. */
static const uint8_t *find_tagged(const uint64_t *word, uint8_t tag, const struct pack_item *it)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    const uint8_t *tags = hash_pack_tags_at(word);
    uint32_t count = hash_pack_count(*word);
    for (uint32_t i = 0; i < count; i += 8) {
        uint64_t eight;
        memcpy(&eight, tags + i, sizeof eight);
        uint64_t same = eight ^ ones * tag;
        /* Each byte that is zero, and perhaps some above it, which are compared in vain. */
        for (uint64_t hits = (same - ones) & ~same & tops; hits; hits &= hits - 1) {
            uint32_t position = i + (uint32_t)__builtin_ctzll(hits) / 8;
            if (position >= count) break;
            const uint8_t *at = hash_pack_at(word, position);
            if (pack_is(at, it)) return pack_next(at);
        }
    }
    return NULL;
}

static inline const uint8_t *find(const struct obj *o, const struct needle *field,
                                  struct evidence **ev)
{
    const uint64_t *word = hash_pack_word(o);
    const struct shape *s = hash_pack_shape(*word);
    if (s) {
        int position = shape_position(s, field);
        if (position == SHAPE_ABSENT) return NULL;
        if (ev) *ev = shape_evidence(s, (uint32_t)position);
        const uint8_t *at = hash_pack_at(word, (uint32_t)position);
        return (*word & HASH_PACK_GAPS) && pack_kind(at) == PACK_GAP ? NULL : at;
    }
    struct pack_item it;
    if (!pack_item_of_needle(field, &it)) return NULL;
    if (hash_pack_tags(*word)) return find_tagged(word, hash_pack_tag(field->hash), &it);
    return pack_find_pair(hash_pack_entries(word), hash_pack_count(*word), &it);
}

const uint8_t *hash_pack_find(const struct obj *o, const struct needle *field)
{
    return find(o, field, NULL);
}

const uint8_t *hash_pack_find_to_set(const struct obj *o, const struct needle *field,
                                     struct evidence **ev)
{
    *ev = NULL;
    return find(o, field, ev);
}

/* --- the body as a whole --- */

static uint32_t entries_of(uint64_t word)
{
    return hash_pack_count(word) * (word & HASH_PACK_OWN ? 2 : 1);
}

void hash_pack_release(struct heap *h, const uint8_t *at, uint32_t entries)
{
    for (; entries > 0; entries--, at = pack_next(at))
        if (pack_kind(at) == PACK_REF) rc_dec(h, pack_get_ref(at));
}

void hash_pack_visit(const struct obj *o, heap_visit *fn, void *ctx)
{
    const uint64_t *word = hash_pack_word(o);
    const uint8_t *at = hash_pack_entries(word);
    struct shape *s = hash_pack_shape(*word);
    if (s) fn(ctx, &s->head);
    if ((*word & HASH_PACK_REFS) == 0) return;
    for (uint32_t left = entries_of(*word); left > 0; left--, at = pack_next(at))
        if (pack_kind(at) == PACK_REF) fn(ctx, pack_get_ref(at));
}

static void retain(void *heap, struct obj *o)
{
    rc_inc(heap, o);
}

enum status hash_pack_copy(struct heap *h, const struct obj *from, struct obj *to)
{
    size_t bytes = hash_pack_body_bytes(*hash_pack_word(from));
    DASSERT(obj_body(to) == NULL);
    void *body = pool_alloc(h->pool, bytes);
    if (!body) return STATUS_OOM;
    memcpy(body, obj_body(from), bytes);
    ((struct cell *)to)->body = body;
    to->flags |= OBJ_PACKED;
    if (from->flags & OBJ_VISIBLE) heap_make_visible(h, to);
    hash_pack_visit(to, retain, h);
    return STATUS_OK;
}

/* The body leaves its hash before anything is released: nobody meets it half freed. */
void hash_pack_drop(struct heap *h, struct obj *o)
{
    uint64_t *word = hash_pack_word(o), w = *word;
    struct shape *s = hash_pack_shape(w);
    void *body = body_take(h, o);
    o->flags = (uint8_t)(o->flags & ~OBJ_PACKED);
    if (w & HASH_PACK_REFS) hash_pack_release(h, hash_pack_entries(word), entries_of(w));
    pool_free(h->pool, body, hash_pack_body_bytes(w));
    if (s) rc_dec(h, &s->head);
}

void hash_pack_swap(struct obj *o, const struct cell *made, struct cell *old)
{
    enum { FLAGS = OBJ_PACKED | OBJ_VISIBLE };
    *old =
        (struct cell){.head = {.type = OBJ_HASH, .flags = o->flags & FLAGS}, .body = obj_body(o)};
    ((struct cell *)o)->body = made->body;
    o->flags = (uint8_t)((o->flags & ~FLAGS) | (made->head.flags & FLAGS));
}

size_t hash_pack_bytes(const struct obj *o)
{
    return pool_good_bytes(sizeof(struct cell)) +
           pool_good_bytes(hash_pack_body_bytes(*hash_pack_word(o)));
}

static bool entry_check(const struct obj *o, const uint8_t *at)
{
    if (pack_kind(at) == PACK_DOUBLE) return false;
    if (pack_kind(at) == PACK_REF && (*hash_pack_word(o) & HASH_PACK_REFS) == 0)
        return false; /* 5. */
    if (pack_kind(at) != PACK_REF || !obj_is_container(pack_get_ref(at)))
        return pack_check(at, pack_next(at));
    return (o->flags & OBJ_VISIBLE) != 0; /* 6. */
}

static bool own_check(const struct heap *h, const struct obj *o, uint64_t word)
{
    struct hash_pack_iter it;
    uint32_t sequence = 0;
    const uint8_t *tags = hash_pack_tags_at(hash_pack_word(o)); /* 4. */
    hash_pack_begin(o, &it);
    while (hash_pack_next(&it)) {
        struct needle n = needle_of_val(h, it.field);
        if (!val_is_string(it.field) || hash_pack_find(o, &n) != it.value) return false;
        if (hash_pack_tags(word) && tags[it.position] != hash_pack_tag(n.hash)) return false;
        sequence = shape_sequence(sequence, n.hash);
    }
    return sequence == hash_pack_sequence(word) && hash_pack_length(o) == it.position + 1; /* 2. */
}

bool hash_pack_check(const struct heap *h, const struct obj *o)
{
    const uint64_t *word = hash_pack_word(o);
    const uint8_t *body = obj_body(o), *at = hash_pack_entries(word);
    size_t bytes = hash_pack_body_bytes(*word);
    uint32_t gaps = 0;
    uint32_t entries = entries_of(*word), each = entries / hash_pack_count(*word);
    for (uint32_t i = 0; i < entries; i++, at = pack_next(at)) {
        if (at >= body + bytes || !entry_check(o, at)) return false;
        if (i % each == 0 && hash_pack_at(word, i / each) != at) return false; /* 4. */
        gaps += pack_kind(at) == PACK_GAP;
    }
    if (at > body + bytes || pool_good_bytes(bytes) != bytes) return false; /* 1. */
    uint32_t length = hash_pack_length(o);
    if (length == 0 || length > HASH_PACK_FIELDS_MAX) return false;
    const struct shape *s = hash_pack_shape(*word);
    if (!s) return gaps == 0 && own_check(h, o, *word);
    return (gaps > 0) == ((*word & HASH_PACK_GAPS) != 0) && shape_check(h, s); /* 3. */
}
