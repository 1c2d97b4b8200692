/*
 * A value: what a slot, a name or a handle holds. One word, told apart by its low three bits.
 *
 *   ...000   reference to an object (never NULL); the word 0 is VAL_NONE: no value at all
 *   ...001   integer, 61 bits, in the upper bits
 *   ...010   string of 0 to 7 bytes: bits 3 to 5 are its length, byte i of the string is byte
 *            i + 1 of the word
 *   ...011   nil (a list position whose weakly held object went)
 *   ...100   bytes: an entry of a packed container or of a name (pack.h), its address in the upper
 *            61 bits. Only ever borrowed: a slot, a handle or a reply never holds one
 *
 * Every text has one form: canonical decimal integers are integers (immediate, or an OBJ_NUMBER if
 * they need more than 61 bits), other texts of up to 7 bytes are immediate strings, the rest are
 * OBJ_STRING objects, or bytes in their owner. So two immediates are equal when their words are,
 * and equality never converts.
 *
 * A slot or a name may hold a weak reference (heap/weak.h): an object that belongs to this slot or
 * name alone. Only value/ and store/ see it. A read of a container or a name gives the target, or
 * nothing when the target is gone (val_target). A second slot gets a weak reference of its own
 * (val_share). All references to one container, weak or not, are equal; a weak reference whose
 * target is gone equals only itself.
 *
 * A needle is what a lookup is made with: a text that need not exist as an object (nothing is
 * allocated to ask), or a value.
 *
 * Invariants (val_check)
 *   1. An integer that fits is never an object.
 *   2. A text that fits in 7 bytes is never an OBJ_STRING.
 *   3. The unused bytes of a short string are zero.
 *   4. What is stored is never of VAL_TAG_BYTES.
 * Ownership: val_retain and val_release count the object behind a reference, and do nothing for
 * immediates. val_keep makes a counted value of a borrowed one, and an object of bytes.
 */
#ifndef HEAPD_VALUE_VAL_H
#define HEAPD_VALUE_VAL_H

#include "base/num.h"
#include "base/status.h"
#include "base/view.h"
#include "heap/rc.h"
#include "value/state.h"

typedef struct val {
    uint64_t w;
} val;

enum {
    VAL_TAG_OBJ = 0,
    VAL_TAG_INT = 1,
    VAL_TAG_SHORT = 2,
    VAL_TAG_NIL = 3,
    VAL_TAG_BYTES = 4,
    VAL_TAG_MASK = 7
};
enum { VAL_SHORT_BYTES_MAX = 7, VAL_TEXT_CHARS = 24 };

#define VAL_NONE    ((val){0})
#define VAL_NIL     ((val){VAL_TAG_NIL})
#define VAL_INT_MAX ((int64_t)0x0fffffffffffffff)
#define VAL_INT_MIN (-VAL_INT_MAX - 1)

struct needle {
    val v; /* borrowed; VAL_NONE: a text that only an OBJ_STRING or OBJ_NUMBER can equal */
    struct view text; /* that text (also set for immediates made from a text) */
    uint32_t hash;    /* of the value, or of the value that the text would be */
    bool weakly;      /* what is stored for it is a weak reference */
};

static inline bool val_is_none(val v)
{
    return v.w == 0;
}

static inline bool val_is_obj(val v)
{
    return (v.w & VAL_TAG_MASK) == VAL_TAG_OBJ && v.w != 0;
}

static inline bool val_is_int(val v)
{
    return (v.w & VAL_TAG_MASK) == VAL_TAG_INT;
}

static inline bool val_is_nil(val v)
{
    return (v.w & VAL_TAG_MASK) == VAL_TAG_NIL;
}

static inline struct obj *val_obj(val v)
{
    return (struct obj *)(uintptr_t)v.w; // NOLINT: the tag of a reference is zero
}

static inline val val_of_obj(const struct obj *o)
{
    return (val){(uint64_t)(uintptr_t)o};
}

static inline bool val_is_container(val v)
{
    return val_is_obj(v) && obj_is_container(val_obj(v));
}

static inline bool val_is_weak(val v)
{
    return val_is_obj(v) && val_obj(v)->type == OBJ_WEAK;
}

/* What the value of a slot or a name stands for: the target of a weak reference, VAL_NONE when that
 * is gone; any other value itself. */
static inline val val_target(val v)
{
    return UNLIKELY(val_is_weak(v)) ? val_of_obj(weak_target(val_obj(v))) : v;
}

static inline bool val_int_fits(int64_t n)
{
    return n >= VAL_INT_MIN && n <= VAL_INT_MAX;
}

static inline val val_of_small(int64_t n)
{
    return (val){((uint64_t)n << 3) | VAL_TAG_INT};
}

static inline int64_t val_small(val v)
{
    return (int64_t)v.w >> 3;
}

static inline bool val_is_short(val v)
{
    return (v.w & VAL_TAG_MASK) == VAL_TAG_SHORT;
}

/* text.n <= VAL_SHORT_BYTES_MAX, and it is no canonical integer. */
static inline val val_of_short(struct view text)
{
    uint64_t w = 0;
    memcpy((char *)&w + 1, text.p, text.n);
    return (val){w | (uint64_t)text.n << 3 | VAL_TAG_SHORT};
}

/* The bytes of a short string, where the word lies. */
static inline struct view val_short_text(const val *v)
{
    return (struct view){(const char *)v + 1, v->w >> 3 & 7};
}

static inline bool val_is_bytes(val v)
{
    return (v.w & VAL_TAG_MASK) == VAL_TAG_BYTES;
}

/* An entry of pack.h, of a kind that has no immediate. User addresses have 61 bits at most. */
static inline val val_of_bytes(const uint8_t *entry)
{
    return (val){(uint64_t)(uintptr_t)entry << 3 | VAL_TAG_BYTES};
}

static inline const uint8_t *val_bytes(val v)
{
    return (const uint8_t *)(uintptr_t)(v.w >> 3); // NOLINT: the address that was stored
}

static inline void val_retain(struct heap *h, val v)
{
    DASSERT(!val_is_bytes(v));
    if (val_is_obj(v)) rc_inc(h, val_obj(v));
}

static inline void val_release(struct heap *h, val v)
{
    if (val_is_obj(v)) rc_dec(h, val_obj(v));
}

/* Before a counted reference is put into a slot of `owner` (rule 12), which has a body. */
static inline void val_stored(struct heap *h, struct obj *owner, val v)
{
    if (val_is_obj(v)) rc_stored(h, owner, val_obj(v));
}

/* A slot's value changed its place (rule 2); after it has been stored there. */
static inline void val_moved(struct heap *h, val v)
{
    if (val_is_obj(v)) rc_moved(h, val_obj(v));
}

/* The value of a text, in its one form. */
enum status val_of_text(struct heap *h, struct view text, RC_OUT val *out) MUST_USE;
/* A counted value equal to a borrowed one: the value itself retained, or made from its bytes. */
enum status val_keep(struct heap *h, val v, RC_OUT val *out) MUST_USE;
/* For a second slot, what a slot or a name holds: a weak reference of its own beside a weak one,
 * and VAL_NONE beside one whose target is gone; else as val_keep. */
enum status val_share(struct heap *h, val v, RC_OUT val *out) MUST_USE;
/* A weak reference to a container, to be stored; STATUS_NOT_WEAKLY for any other value. */
enum status val_weaken(struct heap *h, val v, RC_OUT val *out) MUST_USE;
/* Whether a text is a canonical integer of 64 bits. */
bool val_text_is_integer(struct view text, int64_t *out);
/* The value of any int64. */
enum status val_of_integer(struct heap *h, int64_t n, RC_OUT val *out) MUST_USE;

/* OBJ_STRING for every string, short, bytes and integer, whatever holds it: what TYPE tells;
 * OBJ_NONE for nil. */
enum obj_type val_type(val v);
static inline bool val_is_string(val v)
{
    return val_type(v) == OBJ_STRING;
}

/* The bytes of a string value; integers are written into scratch. Not for containers. The view is
 * good until the value goes. */
struct view val_text(const val *v, char scratch[VAL_TEXT_CHARS]);
/* The bytes that val_text would show, without writing them. */
size_t val_text_bytes(val v);
/* A string value that is a canonical int64. */
bool val_get_integer(val v, int64_t *out);

/* The hash of any value: of a string's bytes, of a container's identity (its address: a cell never
 * moves); a weak reference has that of its target, also when it is gone. */
uint32_t val_hash(const struct heap *h, val v);
/* Strings by bytes, containers by identity. */
bool val_eq(val a, val b);

struct needle needle_of_text(const struct heap *h, struct view text);
/* For a look into a list, or a packed set or zset, which ask no hash: it has none. */
struct needle needle_unhashed(struct view text);
struct needle needle_of_val(const struct heap *h, val v);
/* Whether a stored value is what the needle asks for. */
bool needle_matches(const struct needle *n, val stored);
/* A counted value to store, equal to the needle: the value itself retained, or made from the text,
 * or a weak reference to it (STATUS_NOT_WEAKLY when it is no container). */
enum status needle_take_value(struct heap *h, const struct needle *n, RC_OUT val *out) MUST_USE;
/* The same for a field name: through the intern table. */
enum status needle_take_interned(struct heap *h, const struct needle *n, RC_OUT val *out) MUST_USE;

/* The order of zset members at equal scores: strings by bytes, then containers by identity number.
 * Both containers must have numbers already (zset gives one to each container that becomes a
 * member); a weak reference has its target's, also when it is gone. */
int val_compare(const struct heap *h, val a, val b);

/* Bytes of the object behind a reference alone (0 for immediates). */
size_t val_own_bytes(const struct heap *h, val v);

bool val_check(val v);

/* Hands value/'s types to the heap, and the state to them, which it sets to its defaults. Once, at
 * start; the state must not move and outlives the heap. */
void value_init(struct heap *h, struct value_state *state);

#endif
