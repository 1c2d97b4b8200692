#include "value/pack.h"

#include <math.h>

enum {
    BIAS_13 = 128,
    BIAS_20 = BIAS_13 + (1 << 13),
    BIAS_END = BIAS_20 + (1 << 20),
    TEXT_6_MAX = 63,
    TEXT_10_MAX = TEXT_6_MAX + 1024,
};

/* First bytes. */
enum {
    TAG_TEXT_6 = 0x80,
    TAG_13 = 0xc0,
    TAG_20 = 0xe0,
    TAG_WIDE = 0xf0,
    TAG_TEXT_10 = 0xf8,
    TAG_TEXT_32 = 0xfc,
    TAG_REF = 0xfd,
    TAG_DOUBLE = 0xfe,
    TAG_GAP = 0xff,
};

/* Integers that a double says exactly, and that come back as the same double. */
#define EXACT_DOUBLE_MAX 9007199254740992.0

static uint64_t load(const uint8_t *at, unsigned bytes)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes; i++) n |= (uint64_t)at[i] << (8 * i);
    return n;
}

static void store(uint8_t *at, uint64_t n, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(n >> (8 * i));
}

/* The fewest bytes whose two's complement is n. */
static unsigned width_of(int64_t n)
{
    uint64_t magnitude = n < 0 ? ~(uint64_t)n : (uint64_t)n;
    unsigned bits = magnitude ? 65 - (unsigned)__builtin_clzll(magnitude) : 1;
    return (bits + 7) / 8;
}

struct pack_item pack_item_of_integer(int64_t n)
{
    struct pack_item it = {.head_bytes = 1};
    if (n >= 0 && n < BIAS_13) {
        it.head[0] = (uint8_t)n;
    } else if (n >= BIAS_13 && n < BIAS_20) {
        uint64_t above = (uint64_t)(n - BIAS_13);
        it.head[0] = (uint8_t)(TAG_13 | above >> 8);
        it.head[1] = (uint8_t)above;
        it.head_bytes = 2;
    } else if (n >= BIAS_20 && n < BIAS_END) {
        uint64_t above = (uint64_t)(n - BIAS_20);
        it.head[0] = (uint8_t)(TAG_20 | above >> 16);
        store(it.head + 1, above, 2);
        it.head_bytes = 3;
    } else {
        unsigned width = width_of(n);
        it.head[0] = (uint8_t)(TAG_WIDE | (width - 1));
        store(it.head + 1, (uint64_t)n, width);
        it.head_bytes = (uint8_t)(1 + width);
    }
    return it;
}

/* A text that is no canonical integer. */
static struct pack_item item_of_bytes(struct view text)
{
    struct pack_item it = {.head_bytes = 1, .text = text};
    if (text.n <= TEXT_6_MAX) {
        it.head[0] = (uint8_t)(TAG_TEXT_6 | text.n);
    } else if (text.n <= TEXT_10_MAX) {
        uint64_t above = text.n - TEXT_6_MAX - 1;
        it.head[0] = (uint8_t)(TAG_TEXT_10 | above >> 8);
        it.head[1] = (uint8_t)above;
        it.head_bytes = 2;
    } else {
        it.head[0] = TAG_TEXT_32;
        store(it.head + 1, text.n, 4);
        it.head_bytes = 5;
    }
    return it;
}

struct pack_item pack_item_of_text(struct view text)
{
    int64_t n;
    return val_text_is_integer(text, &n) ? pack_item_of_integer(n) : item_of_bytes(text);
}

struct pack_item pack_item_of_val(const val *v)
{
    int64_t n;
    if (val_get_integer(*v, &n)) return pack_item_of_integer(n);
    if ((v->w & VAL_TAG_MASK) == VAL_TAG_SHORT) return item_of_bytes(val_short_text(v));
    char scratch[VAL_TEXT_CHARS];
    return item_of_bytes(val_text(v, scratch)); /* of an object or of bytes: not in the scratch */
}

bool pack_item_of_needle(const struct needle *n, struct pack_item *out)
{
    if (val_is_none(n->v)) {
        *out = pack_item_of_text(n->text);
        return true;
    }
    if (val_type(n->v) != OBJ_STRING) return false;
    *out = pack_item_of_val(&n->v);
    return true;
}

struct pack_item pack_item_of_double(double d)
{
    if (fabs(d) <= EXACT_DOUBLE_MAX && d == (double)(int64_t)d && !(d == 0 && signbit(d)))
        return pack_item_of_integer((int64_t)d);
    struct pack_item it = {.head = {TAG_DOUBLE}, .head_bytes = PACK_DOUBLE_BYTES};
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    store(it.head + 1, bits, 8);
    return it;
}

uint8_t *pack_put(uint8_t *at, const struct pack_item *it)
{
    memcpy(at, it->head, it->head_bytes);
    at += it->head_bytes;
    if (it->text.n) memcpy(at, it->text.p, it->text.n);
    return at + it->text.n;
}

uint8_t *pack_put_ref(uint8_t *at, struct obj *o)
{
    *at = TAG_REF;
    store(at + 1, (uint64_t)(uintptr_t)o, 8);
    return at + PACK_REF_BYTES;
}

enum pack_kind pack_kind(const uint8_t *at)
{
    uint8_t tag = *at;
    if (tag < TAG_TEXT_6 || (tag >= TAG_13 && tag < TAG_TEXT_10)) return PACK_INTEGER;
    if (tag == TAG_REF) return PACK_REF;
    if (tag == TAG_GAP) return PACK_GAP;
    return tag == TAG_DOUBLE ? PACK_DOUBLE : PACK_TEXT;
}

/* The bytes of an entry by its first byte; 0: it is looked at. */
#define LENGTHS_8(n)    n, n, n, n, n, n, n, n
#define LENGTHS_16(n)   LENGTHS_8(n), LENGTHS_8(n)
#define LENGTHS_FROM(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
/* clang-format off */
static const uint8_t lengths[256] = {
    LENGTHS_16(1), LENGTHS_16(1), LENGTHS_16(1), LENGTHS_16(1),
    LENGTHS_16(1), LENGTHS_16(1), LENGTHS_16(1), LENGTHS_16(1),
    LENGTHS_FROM(1), LENGTHS_FROM(9), LENGTHS_FROM(17), LENGTHS_FROM(25),
    LENGTHS_FROM(33), LENGTHS_FROM(41), LENGTHS_FROM(49), LENGTHS_FROM(57),
    LENGTHS_16(2), LENGTHS_16(2), LENGTHS_16(3), LENGTHS_FROM(2),
    0, 0, 0, 0, 0, 0, PACK_DOUBLE_BYTES, PACK_GAP_BYTES,
};
/* clang-format on */

static const uint8_t *next_of_long(const uint8_t *at)
{
    if (*at == TAG_REF) return at + PACK_REF_BYTES;
    struct view text = pack_text(at);
    return (const uint8_t *)text.p + text.n;
}

static inline const uint8_t *next_of(const uint8_t *at)
{
    uint8_t bytes = lengths[*at];
    return LIKELY(bytes) ? at + bytes : next_of_long(at);
}

const uint8_t *pack_next(const uint8_t *at)
{
    return next_of(at);
}

const uint8_t *pack_skip(const uint8_t *at, uint64_t entries)
{
    while (entries-- > 0) at = next_of(at);
    return at;
}

uint8_t *pack_put_gap(uint8_t *at)
{
    *at = TAG_GAP;
    return at + PACK_GAP_BYTES;
}

struct view pack_text(const uint8_t *at)
{
    uint8_t tag = *at;
    if (tag < TAG_TEXT_10) return (struct view){(const char *)at + 1, tag & TEXT_6_MAX};
    if (tag < TAG_TEXT_32)
        return (struct view){(const char *)at + 2,
                             TEXT_6_MAX + 1 + ((size_t)(tag & 3) << 8 | at[1])};
    return (struct view){(const char *)at + 5, load(at + 1, 4)};
}

int64_t pack_integer(const uint8_t *at)
{
    uint8_t tag = *at;
    if (tag < TAG_TEXT_6) return tag;
    if (tag < TAG_20) return BIAS_13 + ((tag & 31) << 8 | at[1]);
    if (tag < TAG_WIDE) return BIAS_20 + (int64_t)((uint64_t)(tag & 15) << 16 | load(at + 1, 2));
    unsigned width = (tag & 7u) + 1, unused = 64 - 8 * width;
    return (int64_t)(load(at + 1, width) << unused) >> unused;
}

struct obj *pack_get_ref(const uint8_t *at)
{
    return (struct obj *)(uintptr_t)load(at + 1, 8); // NOLINT: the address that was stored
}

val pack_get(const uint8_t *at)
{
    switch (pack_kind(at)) {
    case PACK_INTEGER: {
        int64_t n = pack_integer(at);
        return val_int_fits(n) ? val_of_small(n) : val_of_bytes(at);
    }
    case PACK_REF: return val_of_obj(pack_get_ref(at));
    case PACK_TEXT: {
        struct view text = pack_text(at);
        return text.n <= VAL_SHORT_BYTES_MAX ? val_of_short(text) : val_of_bytes(at);
    }
    case PACK_GAP: return VAL_NONE;
    case PACK_DOUBLE: break;
    }
    ASSERT(false);
    return VAL_NONE;
}

double pack_get_double(const uint8_t *at)
{
    if (*at != TAG_DOUBLE) return (double)pack_integer(at);
    uint64_t bits = load(at + 1, 8);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* A reference's text beside an item: only strings that are no integers are behind references. */
static bool ref_is(const uint8_t *at, const struct pack_item *it)
{
    val v = val_of_obj(pack_get_ref(at));
    struct pack_item mine = pack_item_of_val(&v);
    return mine.head_bytes == it->head_bytes && memcmp(mine.head, it->head, mine.head_bytes) == 0 &&
           view_eq(mine.text, it->text);
}

bool pack_is(const uint8_t *at, const struct pack_item *it)
{
    if (*at == TAG_REF) return ref_is(at, it);
    if (*at != it->head[0]) return false;
    if (it->head_bytes > 1 && memcmp(at + 1, it->head + 1, it->head_bytes - 1u) != 0) return false;
    return it->text.n == 0 || memcmp(at + it->head_bytes, it->text.p, it->text.n) == 0;
}

/*
 * A search looks at its entries eight bytes at a time, the first and the last of them: keys that
 * begin alike end differently. `begin` has the head whole, so what matches it is as long.
 */
enum { WORD_BYTES = 8 };

struct probe {
    uint64_t begin, mask; /* the first bytes of the entry, as many as the mask says */
    uint64_t last;        /* the last WORD_BYTES, of an entry that is longer */
    size_t bytes;
};

static uint64_t load_word(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Fewer bytes than a word has, in its lowest bytes. */
static uint64_t load_some(const char *at, size_t n)
{
    if (n >= 4) {
        uint32_t low, high;
        memcpy(&low, at, sizeof low);
        memcpy(&high, at + n - sizeof high, sizeof high);
        return low | (uint64_t)high << (8 * (n - sizeof high));
    }
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++) word |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return word;
}

/* What is unused of an item's head is zero. */
static inline struct probe probe_of(const struct pack_item *it)
{
    struct probe p = {.begin = load_word(it->head), .mask = UINT64_MAX};
    size_t n = it->text.n;
    p.bytes = it->head_bytes + n;
    if (n >= WORD_BYTES) {
        p.begin |= load_word(it->text.p) << (8 * it->head_bytes);
        p.last = load_word(it->text.p + n - WORD_BYTES);
    } else if (n > 0) {
        p.begin |= load_some(it->text.p, n) << (8 * it->head_bytes);
    }
    if (p.bytes < WORD_BYTES) p.mask = ((uint64_t)1 << (8 * p.bytes)) - 1;
    return p;
}

/* Whether an entry whose first word, here, is the probe's is the item. */
static bool rest_is(const uint8_t *at, const struct probe *p, const struct pack_item *it)
{
    if (p->bytes <= WORD_BYTES) return true;
    if (it->text.n < WORD_BYTES) return pack_is(at, it);
    if (load_word(at + p->bytes - WORD_BYTES) != p->last) return false;
    return p->bytes <= 2 * (size_t)WORD_BYTES || pack_is(at, it);
}

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* One look at an entry of which WORD_BYTES can be read: true when it is the item. Else *next is the
 * entry behind it. The mask is the probe's, apart, since a constant costs nothing. */
static ALWAYS_INLINE bool probe_is(const uint8_t *at, const struct probe *p, uint64_t mask,
                                   const struct pack_item *it, const uint8_t **next)
{
    uint64_t word = load_word(at);
    if (UNLIKELY(((word ^ p->begin) & mask) == 0) && rest_is(at, p, it)) return true;
    uint8_t bytes = lengths[word & 0xff];
    if (UNLIKELY(bytes == 0)) {
        if (*at == TAG_REF && ref_is(at, it)) return true;
        *next = next_of_long(at);
        return false;
    }
    *next = at + bytes;
    return false;
}

/* Over a number, if one stands behind each entry. */
static ALWAYS_INLINE const uint8_t *past(const uint8_t *at, bool scored)
{
    return scored ? at + lengths[*at] : at;
}

static ALWAYS_INLINE const uint8_t *search(const uint8_t *at, const uint8_t *end,
                                           const struct pack_item *it, bool scored)
{
    if (end - at >= WORD_BYTES) {
        struct probe p = probe_of(it);
        const uint8_t *last = end - WORD_BYTES, *next;
        if (p.mask == UINT64_MAX)
            for (; at <= last; at = past(next, scored))
                if (probe_is(at, &p, UINT64_MAX, it, &next)) return at;
        for (; at <= last; at = past(next, scored))
            if (probe_is(at, &p, p.mask, it, &next)) return at;
    }
    for (; at < end; at = past(next_of(at), scored))
        if (pack_is(at, it)) return at;
    return NULL;
}

const uint8_t *pack_find(const uint8_t *at, const uint8_t *end, const struct pack_item *it)
{
    return search(at, end, it, false);
}

const uint8_t *pack_find_scored(const uint8_t *at, const uint8_t *end, const struct pack_item *it)
{
    return search(at, end, it, true);
}

/* A pair has two bytes at least, so that of one with enough behind it a word can be read. */
const uint8_t *pack_find_pair(const uint8_t *at, uint64_t pairs, const struct pack_item *it)
{
    struct probe p = probe_of(it);
    const uint8_t *second;
    for (; pairs >= WORD_BYTES / 2; pairs--, at = next_of(second))
        if (probe_is(at, &p, p.mask, it, &second)) return next_of(at);
    for (; pairs > 0; pairs--, at = pack_skip(at, 2))
        if (pack_is(at, it)) return next_of(at);
    return NULL;
}

/* An entry in its one form is what writing it anew gives. */
static bool entry_check(const uint8_t *at)
{
    struct pack_item again;
    switch (pack_kind(at)) {
    case PACK_REF: {
        val v = val_of_obj(pack_get_ref(at));
        return val_is_obj(v) && val_type(v) == OBJ_STRING && val_check(v);
    }
    case PACK_INTEGER: again = pack_item_of_integer(pack_integer(at)); break;
    case PACK_TEXT: again = pack_item_of_text(pack_text(at)); break;
    case PACK_DOUBLE: again = pack_item_of_double(pack_get_double(at)); break;
    case PACK_GAP: return true;
    default: return false;
    }
    return memcmp(at, again.head, again.head_bytes) == 0;
}

bool pack_check(const uint8_t *at, const uint8_t *end)
{
    for (; at < end; at = pack_next(at))
        if (!entry_check(at)) return false;
    return at == end;
}
