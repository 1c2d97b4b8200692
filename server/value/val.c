#include "value/val.h"

#include "base/hash.h"
#include "value/adopted_args.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/pack.h"
#include "value/set.h"
#include "value/shape.h"
#include "value/str.h"
#include "value/zset.h"

static_assert(sizeof(val) == 8, "a value is one word");

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a short string's bytes lie in order");

/* Most texts are told from integers by their first byte. */
bool val_text_is_integer(struct view text, int64_t *out)
{
    if (text.n == 0 || text.n >= NUM_INTEGER_CHARS) return false;
    char c = text.p[0];
    if ((c < '0' || c > '9') && c != '-') return false;
    return num_get_integer(text, out);
}

/* The form of a text that needs no object; VAL_NONE if it needs one. *n is set when the text is an
 * integer. */
static val immediate_of_text(struct view text, bool *is_integer, int64_t *n)
{
    *is_integer = val_text_is_integer(text, n);
    if (*is_integer) return val_int_fits(*n) ? val_of_small(*n) : VAL_NONE;
    return text.n <= VAL_SHORT_BYTES_MAX ? val_of_short(text) : VAL_NONE;
}

enum status val_of_integer(struct heap *h, int64_t n, val *out)
{
    if (val_int_fits(n)) {
        *out = val_of_small(n);
        return STATUS_OK;
    }
    struct number *o = pool_alloc(h->pool, sizeof *o);
    if (!o) return STATUS_OOM;
    o->value = n;
    heap_object_made(h, &o->head, OBJ_NUMBER);
    *out = val_of_obj(&o->head);
    return STATUS_OK;
}

enum status val_of_text(struct heap *h, struct view text, val *out)
{
    int64_t n;
    bool is_integer;
    val v = immediate_of_text(text, &is_integer, &n);
    if (!val_is_none(v)) {
        *out = v;
        return STATUS_OK;
    }
    if (is_integer) return val_of_integer(h, n, out);
    struct obj *given = text.n >= ADOPTED_BYTES_MIN ? adopted_take(h, text) : NULL;
    if (given) {
        *out = val_of_obj(given);
        return STATUS_OK;
    }
    struct str *s = str_new(h, text.n);
    if (!s) return STATUS_OOM;
    memcpy(s->bytes, text.p, text.n);
    *out = val_of_obj(&s->head);
    return STATUS_OK;
}

enum status val_keep(struct heap *h, val v, val *out)
{
    if (!val_is_bytes(v)) {
        val_retain(h, v);
        *out = v;
        return STATUS_OK;
    }
    const uint8_t *entry = val_bytes(v);
    if (pack_kind(entry) == PACK_INTEGER) return val_of_integer(h, pack_integer(entry), out);
    struct view text = pack_text(entry);
    struct str *s = str_new(h, text.n);
    if (!s) return STATUS_OOM;
    memcpy(s->bytes, text.p, text.n);
    *out = val_of_obj(&s->head);
    return STATUS_OK;
}

enum status val_weaken(struct heap *h, val v, val *out)
{
    if (!val_is_container(v)) return STATUS_NOT_WEAKLY;
    struct obj *w = weak_new(h, val_obj(v));
    if (!w) return STATUS_OOM;
    *out = val_of_obj(w);
    return STATUS_OK;
}

enum status val_share(struct heap *h, val v, val *out)
{
    if (!val_is_weak(v)) return val_keep(h, v, out);
    val target = val_target(v);
    if (!val_is_none(target)) return val_weaken(h, target, out);
    *out = VAL_NONE;
    return STATUS_OK;
}

enum obj_type val_type(val v)
{
    if (val_is_obj(v)) {
        enum obj_type t = val_obj(v)->type;
        return t == OBJ_NUMBER ? OBJ_STRING : t;
    }
    return val_is_int(v) || val_is_short(v) || val_is_bytes(v) ? OBJ_STRING : OBJ_NONE;
}

struct view val_text(const val *v, char scratch[VAL_TEXT_CHARS])
{
    if (val_is_int(*v)) return (struct view){scratch, num_put_integer(scratch, val_small(*v))};
    if (val_is_short(*v)) {
        uint64_t bytes = v->w >> 8;
        memcpy(scratch, &bytes, sizeof bytes);
        return (struct view){scratch, (v->w >> 3) & 7};
    }
    if (val_is_bytes(*v)) {
        const uint8_t *entry = val_bytes(*v);
        if (pack_kind(entry) == PACK_TEXT) return pack_text(entry);
        return (struct view){scratch, num_put_integer(scratch, pack_integer(entry))};
    }
    ASSERT(val_is_obj(*v));
    const struct obj *o = val_obj(*v);
    if (o->type == OBJ_NUMBER)
        return (struct view){scratch, num_put_integer(scratch, ((const struct number *)o)->value)};
    ASSERT(o->type == OBJ_STRING);
    const struct str *s = (const struct str *)o;
    return (struct view){s->bytes, s->length};
}

size_t val_text_bytes(val v)
{
    if (val_is_obj(v) && val_obj(v)->type == OBJ_STRING)
        return ((const struct str *)val_obj(v))->length;
    char scratch[VAL_TEXT_CHARS];
    return val_text(&v, scratch).n;
}

bool val_get_integer(val v, int64_t *out)
{
    if (val_is_int(v)) {
        *out = val_small(v);
        return true;
    }
    if (val_is_bytes(v) && pack_kind(val_bytes(v)) == PACK_INTEGER) {
        *out = pack_integer(val_bytes(v));
        return true;
    }
    if (!val_is_obj(v) || val_obj(v)->type != OBJ_NUMBER) return false;
    *out = ((const struct number *)val_obj(v))->value;
    return true;
}

static uint32_t text_hash(const struct heap *h, struct view text)
{
    uint32_t hash = (uint32_t)hash_bytes(&h->hash_key, text.p, text.n);
    return hash ? hash : 1; /* a string object keeps 0 for "not asked yet" */
}

static uint32_t bytes_hash(const struct heap *h, const uint8_t *entry)
{
    if (pack_kind(entry) == PACK_TEXT) return text_hash(h, pack_text(entry));
    return (uint32_t)hash_integer(&h->hash_key, (uint64_t)pack_integer(entry));
}

uint32_t val_hash(const struct heap *h, val v)
{
    if (val_is_bytes(v)) return bytes_hash(h, val_bytes(v));
    if (!val_is_obj(v)) return (uint32_t)hash_integer(&h->hash_key, v.w);
    struct obj *o = val_obj(v);
    if (o->type == OBJ_STRING) {
        struct str *s = (struct str *)o;
        if (s->hash == 0) s->hash = text_hash(h, (struct view){s->bytes, s->length});
        return s->hash;
    }
    if (o->type == OBJ_NUMBER)
        return (uint32_t)hash_integer(&h->hash_key, (uint64_t)((struct number *)o)->value);
    if (o->type == OBJ_WEAK) v = val_of_obj(weak_address(o));
    return (uint32_t)hash_integer(&h->hash_key, v.w);
}

/* One of them, or both, are bytes: both are strings of more than an immediate, or not equal. */
static bool bytes_eq(val a, val b)
{
    int64_t m, n;
    if (val_type(a) != OBJ_STRING || val_type(b) != OBJ_STRING) return false;
    bool a_integer = val_get_integer(a, &m), b_integer = val_get_integer(b, &n);
    if (a_integer || b_integer) return a_integer && b_integer && m == n;
    char scratch_a[VAL_TEXT_CHARS], scratch_b[VAL_TEXT_CHARS];
    return view_eq(val_text(&a, scratch_a), val_text(&b, scratch_b));
}

/* One of them, or both, are weak references. */
static bool targets_eq(val a, val b)
{
    val x = val_target(a), y = val_target(b);
    return x.w == y.w && !val_is_none(x);
}

bool val_eq(val a, val b)
{
    if (a.w == b.w) return true;
    if (val_is_bytes(a) || val_is_bytes(b)) return bytes_eq(a, b);
    if (!val_is_obj(a) || !val_is_obj(b)) return false;
    const struct obj *x = val_obj(a), *y = val_obj(b);
    if (x->type != y->type) return (x->type == OBJ_WEAK || y->type == OBJ_WEAK) && targets_eq(a, b);
    if (x->type == OBJ_NUMBER)
        return ((const struct number *)x)->value == ((const struct number *)y)->value;
    if (x->type == OBJ_WEAK) return targets_eq(a, b);
    if (x->type != OBJ_STRING) return false;
    const struct str *s = (const struct str *)x, *t = (const struct str *)y;
    return s->length == t->length && memcmp(s->bytes, t->bytes, s->length) == 0;
}

struct needle needle_unhashed(struct view text)
{
    int64_t n;
    bool is_integer;
    return (struct needle){.v = immediate_of_text(text, &is_integer, &n), .text = text};
}

struct needle needle_of_text(const struct heap *h, struct view text)
{
    int64_t n = 0;
    bool is_integer;
    struct needle needle = {.text = text};
    needle.v = immediate_of_text(text, &is_integer, &n);
    if (!val_is_none(needle.v))
        needle.hash = val_hash(h, needle.v);
    else if (is_integer)
        needle.hash = (uint32_t)hash_integer(&h->hash_key, (uint64_t)n);
    else
        needle.hash = text_hash(h, text);
    return needle;
}

/* What is borrowed from a block is asked for by its text: the block may change before it is
 * stored, so a needle that outlives the change is not made of it. */
static struct needle needle_of_bytes(const struct heap *h, val v)
{
    const uint8_t *entry = val_bytes(v);
    if (pack_kind(entry) == PACK_TEXT) {
        struct view text = pack_text(entry);
        return (struct needle){.v = VAL_NONE, .text = text, .hash = text_hash(h, text)};
    }
    return (struct needle){.v = v, .hash = bytes_hash(h, entry)};
}

struct needle needle_of_val(const struct heap *h, val v)
{
    if (val_is_bytes(v)) return needle_of_bytes(h, v);
    struct needle needle = {.v = v, .hash = val_hash(h, v)};
    if (val_is_obj(v) && val_obj(v)->type == OBJ_STRING) {
        const struct str *s = (const struct str *)val_obj(v);
        needle.text = (struct view){s->bytes, s->length};
    }
    return needle;
}

bool needle_matches(const struct needle *n, val stored)
{
    if (!val_is_none(n->v)) return val_eq(n->v, stored);
    if (val_is_bytes(stored)) {
        const uint8_t *entry = val_bytes(stored);
        char scratch[VAL_TEXT_CHARS];
        return pack_kind(entry) == PACK_TEXT ? view_eq(pack_text(entry), n->text)
                                             : view_eq(val_text(&stored, scratch), n->text);
    }
    if (!val_is_obj(stored)) return false;
    const struct obj *o = val_obj(stored);
    if (o->type == OBJ_STRING) {
        const struct str *s = (const struct str *)o;
        return s->length == n->text.n && memcmp(s->bytes, n->text.p, s->length) == 0;
    }
    if (o->type != OBJ_NUMBER) return false;
    char scratch[VAL_TEXT_CHARS];
    return view_eq(val_text(&stored, scratch), n->text);
}

/* Makes a value of the needle's text; a string object keeps the hash that has been worked out. */
static enum status value_of_needle_text(struct heap *h, const struct needle *n, val *out)
{
    enum status s = val_of_text(h, n->text, out);
    if (!s && val_is_obj(*out) && val_obj(*out)->type == OBJ_STRING)
        ((struct str *)val_obj(*out))->hash = n->hash;
    return s;
}

enum status needle_take_value(struct heap *h, const struct needle *n, val *out)
{
    if (UNLIKELY(n->weakly)) return val_weaken(h, n->v, out);
    return val_is_none(n->v) ? value_of_needle_text(h, n, out) : val_keep(h, n->v, out);
}

enum status needle_take_interned(struct heap *h, const struct needle *n, val *out)
{
    val v;
    if (!val_is_none(n->v) && (!val_is_obj(n->v) || (val_obj(n->v)->flags & OBJ_INTERNED)))
        return needle_take_value(h, n, out);
    struct obj *known = n->text.p ? intern_find(h, n->text, n->hash) : NULL;
    if (known) {
        rc_inc(h, known);
        *out = val_of_obj(known);
        return STATUS_OK;
    }
    enum status s = needle_take_value(h, n, &v);
    if (s) return s;
    if (val_is_obj(v) && val_obj(v)->type == OBJ_STRING) {
        s = intern_add(h, val_obj(v), n->hash);
        if (s) {
            val_release(h, v);
            return s;
        }
    }
    *out = v;
    return STATUS_OK;
}

/* The number of a container, or of the one that a weak reference stands for; 0 for strings. */
static uint64_t number_of(const struct heap *h, val v)
{
    if (val_is_weak(v)) return weak_number(h, val_obj(v));
    return val_is_container(v) ? ident_get(h, val_obj(v)) : 0;
}

int val_compare(const struct heap *h, val a, val b)
{
    uint64_t x = number_of(h, a), y = number_of(h, b);
    if (x || y) return (x > y) - (x < y);
    char scratch_a[VAL_TEXT_CHARS], scratch_b[VAL_TEXT_CHARS];
    return view_compare(val_text(&a, scratch_a), val_text(&b, scratch_b));
}

size_t val_own_bytes(const struct heap *h, val v)
{
    if (!val_is_obj(v)) return 0;
    const struct obj *o = val_obj(v);
    return h->types[o->type]->bytes(o);
}

bool val_check(val v)
{
    int64_t n;
    if (val_is_short(v)) {
        uint64_t used = (v.w >> 3) & 7;
        return used == VAL_SHORT_BYTES_MAX || v.w >> (8 * (used + 1)) == 0;
    }
    if (!val_is_obj(v)) return val_is_int(v) || v.w == VAL_NIL.w;
    const struct obj *o = val_obj(v);
    if (o->type == OBJ_NUMBER) return !val_int_fits(((const struct number *)o)->value);
    if (o->type != OBJ_STRING) return true;
    const struct str *s = (const struct str *)o;
    return s->length > VAL_SHORT_BYTES_MAX &&
           !val_text_is_integer((struct view){s->bytes, s->length}, &n);
}

void value_init(struct heap *h, struct value_state *state)
{
    *state = (struct value_state){.limits = VALUE_LIMITS_DEFAULT};
    h->values = state;
    heap_set_type(h, OBJ_STRING, &str_heap_type);
    heap_set_type(h, OBJ_NUMBER, &number_heap_type);
    heap_set_type(h, OBJ_LIST, &list_heap_type);
    heap_set_type(h, OBJ_HASH, &hash_heap_type);
    heap_set_type(h, OBJ_SET, &set_heap_type);
    heap_set_type(h, OBJ_ZSET, &zset_heap_type);
    heap_set_type(h, OBJ_SHAPE, &shape_heap_type);
    shapes_init(h);
}
