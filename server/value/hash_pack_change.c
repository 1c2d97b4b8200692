/* Packed hashes that get another sequence of fields. */
#include "value/hash_pack_parts.h"

enum { NO_POSITION = UINT32_MAX };

/* --- another sequence of fields --- */

/* A hash as it will be: one field less, or one more, or neither of an empty one. */
struct change {
    const struct obj *o; /* NULL: empty */
    uint32_t without;    /* the position of a field that goes, or NO_POSITION */
    const struct needle *field;
    const struct hash_in *in; /* of `field` */
    uint32_t fields, sequence;
};

static bool next_kept(const struct change *c, struct hash_pack_iter *it)
{
    while (hash_pack_next(it))
        if (it->position != c->without) return true;
    return false;
}

static void change_begin(const struct change *c, struct hash_pack_iter *it)
{
    if (c->o)
        hash_pack_begin(c->o, it);
    else
        *it = (struct hash_pack_iter){.left = 0};
}

/* What the fields will be: counted, and their sequence. */
static void change_measure(struct heap *h, struct change *c)
{
    uint64_t word = c->o ? *hash_pack_word(c->o) : HASH_PACK_OWN;
    c->fields = 0;
    c->sequence = 0;
    if (c->without == NO_POSITION && ((word & HASH_PACK_OWN) || (word & HASH_PACK_GAPS) == 0)) {
        const struct shape *s = hash_pack_shape(word);
        c->fields = hash_pack_count(word);
        c->sequence = s ? s->sequence : hash_pack_sequence(word);
    } else {
        struct hash_pack_iter it;
        change_begin(c, &it);
        for (; next_kept(c, &it); c->fields++)
            c->sequence = shape_sequence(c->sequence, val_hash(h, it.field));
    }
    if (!c->field) return;
    c->fields++;
    c->sequence = shape_sequence(c->sequence, c->field->hash);
}

/* Whether the hash has the fields of a shape, without gaps: then they are compared in place. */
static const struct shape *shape_kept(const struct change *c)
{
    uint64_t word = c->o ? *hash_pack_word(c->o) : HASH_PACK_OWN;
    return c->without == NO_POSITION && (word & HASH_PACK_GAPS) == 0 ? hash_pack_shape(word) : NULL;
}

static bool change_matches(const void *ctx, const struct shape *s)
{
    const struct change *c = ctx;
    const struct shape *kept = shape_kept(c);
    struct hash_pack_iter it;
    uint32_t i = 0;
    for (; kept && i < kept->fields; i++)
        if (kept->field[i].w != s->field[i].w) return false;
    change_begin(c, &it);
    for (; !kept && next_kept(c, &it); i++)
        if (!val_eq(it.field, s->field[i])) return false;
    return !c->field || needle_matches(c->field, s->field[i]);
}

static struct shape *change_makes(struct heap *h, const struct change *c)
{
    struct shape *s = shape_new(h, c->fields);
    struct hash_pack_iter it;
    if (!s) return NULL;
    bool made = true;
    change_begin(c, &it);
    while (made && next_kept(c, &it)) {
        struct needle n = needle_of_val(h, it.field);
        made = shape_add(h, s, &n);
    }
    if (made && c->field) made = shape_add(h, s, c->field);
    if (made) return shape_list(h, s) ? s : NULL;
    rc_dec(h, &s->head);
    return NULL;
}

/* A counted shape for the hash as it will be, or NULL: it has its own fields then. */
static struct shape *change_shape(struct heap *h, const struct change *c)
{
    uint64_t word = c->o ? *hash_pack_word(c->o) : 0;
    if (word & HASH_PACK_OWN) shapes_unnote(h, hash_pack_sequence(word));
    struct shape *s = shape_find(h, c->sequence, c->fields, change_matches, c);
    if (s) {
        rc_inc(h, &s->head);
        return s;
    }
    return shapes_note(h, c->sequence) ? change_makes(h, c) : NULL;
}

/* The entry of a field in a body that has its own; a long name is referred to. */
static struct hash_in field_in(const struct heap *h, const val *field)
{
    struct hash_in in = {.ref = NULL};
    if (val_is_obj(*field) && val_obj(*field)->type == OBJ_STRING &&
        val_text_bytes(*field) > h->values->limits.hash_text_bytes)
        in.ref = val_obj(*field);
    else
        in.item = pack_item_of_val(field);
    return in;
}

/* The entry of the field that comes, counted where it is a reference. */
static enum status new_field_in(struct heap *h, const struct needle *field, struct hash_in *out)
{
    bool packs = pack_item_of_needle(field, &out->item);
    ASSERT(packs); /* a field is a string */
    out->ref = NULL;
    if (out->item.text.n <= h->values->limits.hash_text_bytes) return STATUS_OK;
    val v;
    enum status s = needle_take_interned(h, field, &v);
    if (!s && val_is_obj(v) && val_obj(v)->type == OBJ_STRING)
        out->ref = val_obj(v);
    else if (!s)
        val_release(h, v);
    return s;
}

/* Bytes of the entries that stay, in a body of that form. */
static size_t kept_bytes(const struct heap *h, const struct change *c, bool own)
{
    size_t bytes = 0;
    struct hash_pack_iter it;
    change_begin(c, &it);
    while (next_kept(c, &it)) {
        bytes += (size_t)(it.next - it.value);
        if (!own) continue;
        if (it.shape) {
            struct hash_in in = field_in(h, &it.field);
            bytes += hash_in_bytes(&in);
        } else {
            bytes += (size_t)(it.value - it.field_at);
        }
    }
    return bytes;
}

/* Writes a field's name, and tells the body's word of a reference. */
static uint8_t *put_name(uint64_t *word, uint8_t *at, const struct hash_in *name)
{
    if (!name->ref) return pack_put(at, &name->item);
    *word |= HASH_PACK_REFS;
    return pack_put_ref(at, name->ref);
}

/* Writes them. References move along; names of a shape that are referred to are counted. */
static uint8_t *kept_put(struct heap *h, const struct change *c, bool own, uint64_t *word,
                         uint8_t *at)
{
    struct hash_pack_iter it;
    change_begin(c, &it);
    while (next_kept(c, &it)) {
        const uint8_t *from = own && !it.shape ? it.field_at : it.value;
        if (own && it.shape) {
            struct hash_in in = field_in(h, &it.field);
            if (in.ref) rc_inc(h, in.ref);
            at = put_name(word, at, &in);
        }
        memcpy(at, from, (size_t)(it.next - from));
        at += it.next - from;
    }
    return at;
}

/* Releases what did not move into the body that was made anew, and the old one. */
static void old_free(struct heap *h, const struct change *c, bool own)
{
    struct hash_pack_iter it;
    uint64_t word = *hash_pack_word(c->o);
    struct shape *s = hash_pack_shape(word);
    change_begin(c, &it);
    while (hash_pack_next(&it)) {
        bool goes = it.position == c->without;
        if (!it.shape && (goes || !own)) hash_pack_release(h, it.field_at, 1);
        if (goes) hash_pack_release(h, it.value, 1);
    }
    pool_free(h->pool, obj_body(c->o), hash_pack_body_bytes(word));
    if (s) rc_dec(h, &s->head);
}

/*
 * Gives the hash a body for the change, with that shape (whose count it takes over) or with its own
 * fields. Too many bytes for one: STATUS_TOO_MANY. On failure nothing has changed, and the shape's
 * count is the caller's.
 */
static enum status remake(struct heap *h, struct obj *o, struct change *c, struct shape *s)
{
    bool own = s == NULL, words = hash_wants_words(o, c->in);
    struct hash_in name = {.ref = NULL};
    if (own && c->field && new_field_in(h, c->field, &name)) return STATUS_OOM;
    uint64_t word = own ? hash_word_own(c->fields, c->sequence) : hash_word_shaped(s);
    size_t head = hash_head_bytes(words) + hash_pack_directory_bytes(word);
    size_t bytes = head + kept_bytes(h, c, own);
    if (c->in) bytes += hash_in_bytes(c->in) + (own ? hash_in_bytes(&name) : 0);
    bytes = pool_good_bytes(bytes);
    enum status status = bytes > HASH_PACK_BYTES_MAX ? STATUS_TOO_MANY : STATUS_OOM;
    uint8_t *body = status == STATUS_OOM ? pool_alloc(h->pool, bytes) : NULL;
    if (!body) {
        if (name.ref) rc_dec(h, name.ref);
        return status;
    }
    memset(body, 0, sizeof(union gc_words));
    if (o->flags & OBJ_VISIBLE) memcpy(body, obj_body(o), sizeof(union gc_words));
    uint64_t *to = (uint64_t *)(void *)(body + hash_head_bytes(words)) - 1;
    *to = hash_word_sized(word, bytes);
    if (c->o) *to |= *hash_pack_word(c->o) & HASH_PACK_REFS;
    uint8_t *at = kept_put(h, c, own, to, body + head);
    /* The old body is read through a cell of its own from here on. */
    struct cell old = *(struct cell *)o;
    bool had_body = c->o != NULL;
    hash_body_set(o, body);
    if (c->in && own) at = put_name(to, at, &name);
    if (c->in) hash_pack_store(h, o, at, c->in);
    hash_pack_directory_write(h, o);
    if (had_body) {
        c->o = &old.head;
        old_free(h, c, own);
    }
    return STATUS_OK;
}

/* Adds a field and its value at the end of a body that has and keeps its own fields. */
static enum status append_own(struct heap *h, struct obj *o, const struct change *c)
{
    struct hash_in name;
    if (new_field_in(h, c->field, &name)) return STATUS_OOM;
    struct hash_tags tags;
    hash_tags_save(o, &tags);
    struct hash_gap gap = {hash_pack_end(o), 0, hash_in_bytes(&name) + hash_in_bytes(c->in),
                           hash_wants_words(o, c->in), hash_word_own(c->fields, c->sequence)};
    uint8_t *at;
    enum status s = hash_pack_splice(h, o, gap, &at);
    if (s) {
        if (name.ref) rc_dec(h, name.ref);
        return s;
    }
    at = put_name((uint64_t *)((uint8_t *)obj_body(o) + hash_head_bytes(gap.words)) - 1, at, &name);
    hash_pack_store(h, o, at, c->in);
    if (tags.n) tags.at[tags.n++] = hash_pack_tag(c->field->hash);
    hash_tags_put_back(h, o, &tags);
    return STATUS_OK;
}

static enum status append(struct heap *h, struct obj *o, const struct needle *field,
                          struct hash_in *in)
{
    const struct value_limits *limits = &h->values->limits;
    struct change c = {
        .o = obj_body(o) ? o : NULL, .without = NO_POSITION, .field = field, .in = in};
    change_measure(h, &c);
    if (c.fields > limits->hash_entries || c.fields > HASH_PACK_FIELDS_MAX) return STATUS_TOO_MANY;
    struct shape *s = change_shape(h, &c);
    enum status status = hash_in_settle(h, in, s ? shape_evidence(s, c.fields - 1) : NULL);
    if (!status && !s && c.o && (*hash_pack_word(o) & HASH_PACK_OWN)) return append_own(h, o, &c);
    if (!status) status = remake(h, o, &c, s);
    if (status && s) rc_dec(h, &s->head);
    return status;
}

enum status hash_pack_set(struct heap *h, struct obj *o, const struct needle *field,
                          struct hash_in *in, bool *created)
{
    DASSERT(h->collect.scanning != o);
    struct evidence *ev;
    const uint8_t *at = obj_body(o) ? hash_pack_find_to_set(o, field, &ev) : NULL;
    enum status s;
    if (!at) {
        s = append(h, o, field, in);
    } else {
        s = hash_in_settle(h, in, ev);
        if (!s) s = hash_pack_replace(h, o, at, in);
    }
    if (s)
        hash_in_unsettle(h, in);
    else if (created)
        *created = at == NULL;
    return s;
}

/* --- all fields at once --- */

struct filling {
    const struct needle *fields;
    struct hash_in *in;
    uint32_t n;
};

static bool fill_matches(const void *ctx, const struct shape *s)
{
    const struct filling *f = ctx;
    for (uint32_t i = 0; i < f->n; i++)
        if (!needle_matches(&f->fields[i], s->field[i])) return false;
    return true;
}

static struct shape *fill_makes(struct heap *h, const struct filling *f)
{
    struct shape *s = shape_new(h, f->n);
    if (!s) return NULL;
    for (uint32_t i = 0; i < f->n; i++) {
        if (shape_add(h, s, &f->fields[i])) continue;
        rc_dec(h, &s->head);
        return NULL;
    }
    return shape_list(h, s) ? s : NULL;
}

/* Whether a field may be there twice: two hashes are equal. */
static bool may_repeat(const struct filling *f)
{
    for (uint32_t i = 1; i < f->n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (f->fields[i].hash == f->fields[k].hash) return true;
    return false;
}

/* A counted shape that has the fields, or NULL. */
static struct shape *fill_shape(struct heap *h, const struct filling *f, uint32_t sequence)
{
    struct shape *s = shape_find(h, sequence, f->n, fill_matches, f);
    if (!s) return shapes_is_noted(h, sequence) ? fill_makes(h, f) : NULL;
    rc_inc(h, &s->head);
    return s;
}

/* Bytes of the fields in a body that has its own; 0: one is too long for that, or may be there
 * twice. */
static size_t fill_name_bytes(const struct heap *h, const struct filling *f)
{
    size_t bytes = 0;
    if (may_repeat(f)) return 0;
    for (uint32_t i = 0; i < f->n; i++) {
        struct pack_item name;
        bool packs = pack_item_of_needle(&f->fields[i], &name);
        if (!packs || name.text.n > h->values->limits.hash_text_bytes) return 0;
        bytes += pack_item_bytes(&name);
    }
    return bytes;
}

static void fill_body(struct heap *h, struct obj *o, const struct filling *f, bool own, uint8_t *at)
{
    for (uint32_t i = 0; i < f->n; i++) {
        struct pack_item name;
        if (own && pack_item_of_needle(&f->fields[i], &name)) at = pack_put(at, &name);
        at = hash_pack_store(h, o, at, &f->in[i]);
    }
}

/* Bytes of the values, when it is known where each is stored; 0: no memory. */
static size_t fill_value_bytes(struct heap *h, const struct filling *f, const struct shape *s)
{
    struct shape_name *const *names = s ? shape_names(s) : NULL;
    size_t bytes = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        if (hash_in_settle(h, &f->in[i], names ? &names[i]->evidence : NULL)) return 0;
        bytes += hash_in_bytes(&f->in[i]);
    }
    return bytes;
}

/* Gives the hash its body. False: it would be too large, or there is no memory. */
static bool fill_made(struct heap *h, struct obj *o, const struct filling *f, struct shape *s,
                      uint32_t sequence)
{
    bool words = false;
    size_t names = s ? 0 : fill_name_bytes(h, f), values;
    if (!s && names == 0) return false;
    values = fill_value_bytes(h, f, s);
    if (values == 0) return false;
    for (uint32_t i = 0; i < f->n; i++) words |= hash_in_is_container(&f->in[i]);
    uint64_t word = s ? hash_word_shaped(s) : hash_word_own(f->n, sequence);
    size_t head = hash_head_bytes(words) + hash_pack_directory_bytes(word);
    size_t bytes = pool_good_bytes(head + names + values);
    uint8_t *body = bytes <= HASH_PACK_BYTES_MAX ? pool_alloc(h->pool, bytes) : NULL;
    if (!body) return false;
    memset(body, 0, sizeof(union gc_words));
    ((uint64_t *)(void *)(body + hash_head_bytes(words)))[-1] = hash_word_sized(word, bytes);
    hash_body_set(o, body);
    fill_body(h, o, f, !s, body + head);
    hash_pack_directory_write(h, o);
    return true;
}

bool hash_pack_fill(struct heap *h, struct obj *o, const struct needle *fields, struct hash_in *in,
                    uint32_t n)
{
    struct filling f = {fields, in, n};
    uint32_t sequence = 0;
    DASSERT(obj_body(o) == NULL);
    if (n > h->values->limits.hash_entries || n > HASH_PACK_FIELDS_MAX) return false;
    for (uint32_t i = 0; i < n; i++) sequence = shape_sequence(sequence, fields[i].hash);
    struct shape *s = fill_shape(h, &f, sequence);
    if (fill_made(h, o, &f, s, sequence)) {
        if (!s) shapes_note(h, sequence);
        return true;
    }
    for (uint32_t i = 0; i < n; i++) hash_in_unsettle(h, &in[i]);
    if (s) rc_dec(h, &s->head);
    return false;
}

/* --- removing --- */

/* Takes a field and its value out of a body that has and keeps its own fields. */
static void cut_own(struct heap *h, struct obj *o, const struct change *c,
                    const struct hash_pack_iter *it)
{
    struct obj *name = pack_kind(it->field_at) == PACK_REF ? pack_get_ref(it->field_at) : NULL;
    struct obj *old = pack_kind(it->value) == PACK_REF ? pack_get_ref(it->value) : NULL;
    struct hash_gap gap = {it->field_at, (size_t)(it->next - it->field_at), 0,
                           hash_wants_words(o, NULL), hash_word_own(c->fields, c->sequence)};
    struct hash_tags tags;
    uint8_t *at;
    hash_tags_save(o, &tags);
    enum status s = hash_pack_splice(h, o, gap, &at);
    ASSERT(s == STATUS_OK);
    if (tags.n) {
        tags.n--;
        memmove(tags.at + it->position, tags.at + it->position + 1, tags.n - it->position);
    }
    /* The last that had tags has none now. */
    if (hash_pack_tags(*hash_pack_word(o))) hash_tags_put_back(h, o, &tags);
    if (old) rc_dec(h, old);
    if (name) rc_dec(h, name);
}

/* Leaves a gap in the place of a value: for want of memory. */
static void cut_shaped(struct heap *h, struct obj *o, const struct hash_pack_iter *it)
{
    const uint64_t *word = hash_pack_word(o);
    struct obj *old = pack_kind(it->value) == PACK_REF ? pack_get_ref(it->value) : NULL;
    struct hash_gap gap = {it->value, (size_t)(it->next - it->value), PACK_GAP_BYTES,
                           hash_wants_words(o, NULL), *word | HASH_PACK_GAPS};
    size_t offset = (size_t)(it->value - hash_pack_entries(word));
    uint8_t *at;
    enum status s = hash_pack_splice(h, o, gap, &at);
    ASSERT(s == STATUS_OK);
    pack_put_gap(at);
    hash_pack_offsets_move(o, offset, gap.old_bytes, gap.bytes);
    if (old) rc_dec(h, old);
}

bool hash_pack_delete(struct heap *h, struct obj *o, const struct needle *field)
{
    DASSERT(h->collect.scanning != o);
    const uint8_t *value = hash_pack_find(o, field);
    if (!value) return false;
    if (hash_pack_length(o) == 1) {
        hash_pack_drop(h, o);
        return true;
    }
    struct hash_pack_iter it;
    hash_pack_begin(o, &it);
    while (hash_pack_next(&it) && it.value != value) continue;
    struct change c = {.o = o, .without = it.position};
    change_measure(h, &c);
    struct shape *s = change_shape(h, &c);
    if (s || it.shape) {
        if (remake(h, o, &c, s) == STATUS_OK) return true;
        if (s) rc_dec(h, &s->head);
    }
    if (it.shape)
        cut_shaped(h, o, &it);
    else
        cut_own(h, o, &c, &it);
    return true;
}
