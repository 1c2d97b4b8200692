/*
 * The packed forms of a hash: its body is one block of bytes. In the own form the block holds
 * fields and values in turn, as entries of pack.h. In the shaped form a shape (shape.h) holds the
 * fields, and the block only the values, in the shape's order. A hash is shaped when another hash
 * is known to have the same fields in the same order.
 *
 *   body  +-----------+--------+-----------+--------- .. ---------+-- .. --+
 *         | gc_words  | word   | directory | entries              | room   |
 *         +-----------+--------+-----------+--------- .. ---------+-- .. --+
 *         if visible    8
 *
 * The word of an own form: bit 0 is set; bits 3 to 15 are the number of fields, bits 16 to 47 the
 * hash of their sequence. Of a shaped one: bits 0 to 47 are the address of the shape, which is one
 * of eight; bit 1 is set if there are gaps. Of both: bit 2 is set if there may be references, bits
 * 48 to 63 are the bytes of the body, divided by eight.
 *
 * The directory keeps the cost of a lookup constant; a short hash has none. It holds where every
 * HASH_PACK_SHAPED_GROUP-th value begins, or every HASH_PACK_OWN_GROUP-th pair (16 bits each, from
 * the first entry on), and then, in a hash with its own fields, a byte of each field's hash, by
 * which eight at a time are compared.
 *
 * A value is a string, an integer or a reference: to a container, to a string that is too long to
 * be copied at every change, to an interned string where values of the field repeat (evidence.h),
 * or to a string that others hold too, if the reference is shorter. So a record that refers to
 * another one, or has one long text among its fields, is still packed. The first reference to a
 * container makes the hash visible; from then on the body begins with the collector's words.
 * OBJ_VISIBLE alone says that they are there, so a packed hash in the release queue keeps the flag.
 *
 * The collector scans a packed body in one call, however few slots it asks for: there are
 * SHAPE_FIELDS_MAX at most. So no packed hash ever changes in mid-scan (rules 3 and 4 of
 * heap/collect.h), and the collector need not know that slots move. A new body takes over the
 * words, and so the place in the trial's table. A table is packed between trials only.
 *
 * Choice of the form: a change that gives the hash another sequence of fields looks up the shape of
 * that sequence and takes it, or makes one if the sequence was noted before; else the hash takes
 * the own form.
 *
 * A removal cannot fail. If a shaped hash needs another shape or the own form and memory is out,
 * the value becomes a gap (one byte), which the next change with enough memory removes.
 *
 * Called by hash*.c alone, for hashes with OBJ_PACKED, or empty where it says so.
 *
 * Invariants (hash_pack_check)
 *   1. There are 1 to HASH_PACK_FIELDS_MAX fields, not counting gaps; the entries are whole, fit in
 *      the body, and each is in its one form.
 *   2. Own: fields are strings, no two equal, the sequence is theirs, and there are no gaps.
 *   3. Shaped: an entry for each field of the shape; bit 1 is set if and only if some are gaps.
 *   4. The directory says where the entries begin, and the bytes of the fields' hashes.
 *   5. Where bit 2 is not set no entry is a reference.
 *   6. A reference to a container only where the hash is visible; none to a weak reference.
 * Ownership: the body owns one count of its shape and of each reference. What is read is borrowed
 *    from the body, until the hash changes.
 * Cost: finding a field is a look into the shape's index, or at an eighth of the fields' bytes, and
 *    steps over half a group. A change moves what follows it; one of another sequence of fields
 *    writes the body anew.
 */
#ifndef HEAPD_VALUE_HASH_PACK_H
#define HEAPD_VALUE_HASH_PACK_H

#include "value/body.h"
#include "value/hash.h"
#include "value/pack.h"
#include "value/shape.h"

enum {
    HASH_PACK_FIELDS_MAX = SHAPE_FIELDS_MAX,
    HASH_PACK_BYTES_MAX = 64 << 10, /* offsets have 16 bits */
    HASH_PACK_SHAPED_GROUP = 16,
    HASH_PACK_OWN_GROUP = 4,
    HASH_PACK_TAGS_FROM = 9, /* with so many fields of its own a hash has a directory */
};

#define HASH_PACK_OWN  UINT64_C(1)
#define HASH_PACK_GAPS UINT64_C(2) /* shaped */
#define HASH_PACK_REFS UINT64_C(4)

static inline uint64_t *hash_pack_word(const struct obj *o)
{
    return (uint64_t *)obj_body(o) + ((o->flags & OBJ_VISIBLE) != 0);
}

/* NULL: its own fields. */
static inline struct shape *hash_pack_shape(uint64_t word)
{
    uint64_t address = word & ((UINT64_C(1) << 48) - 8);
    return word & HASH_PACK_OWN ? NULL : (struct shape *)(uintptr_t)address; // NOLINT: a pointer
}

/* Of the shape, gaps counted; or its own. */
static inline uint32_t hash_pack_count(uint64_t word)
{
    return word & HASH_PACK_OWN ? (uint32_t)(word >> 3 & 0x1fff) : hash_pack_shape(word)->fields;
}

/* Of its own fields. */
static inline uint32_t hash_pack_sequence(uint64_t word)
{
    return (uint32_t)(word >> 16);
}

static inline size_t hash_pack_body_bytes(uint64_t word)
{
    return (size_t)(word >> 48) * 8;
}

/* --- the directory --- */

/* One of each hash of a field with its own fields, or none. */
static inline uint32_t hash_pack_tags(uint64_t word)
{
    uint32_t count = hash_pack_count(word);
    return (word & HASH_PACK_OWN) && count >= HASH_PACK_TAGS_FROM ? count : 0;
}

/* How many groups begin after the first entry. */
static inline uint32_t hash_pack_groups(uint64_t word)
{
    if ((word & HASH_PACK_OWN) == 0) return (hash_pack_count(word) - 1) / HASH_PACK_SHAPED_GROUP;
    uint32_t tags = hash_pack_tags(word);
    return tags ? (tags - 1) / HASH_PACK_OWN_GROUP : 0;
}

static inline uint16_t *hash_pack_offsets(const uint64_t *word)
{
    return (uint16_t *)(uintptr_t)(word + 1); // NOLINT: const where the hash is
}

static inline uint8_t *hash_pack_tags_at(const uint64_t *word)
{
    return (uint8_t *)(hash_pack_offsets(word) + hash_pack_groups(*word));
}

static inline size_t hash_pack_directory_bytes(uint64_t word)
{
    return hash_pack_groups(word) * sizeof(uint16_t) + hash_pack_tags(word);
}

static inline uint8_t *hash_pack_entries(const uint64_t *word)
{
    return (uint8_t *)hash_pack_offsets(word) + hash_pack_directory_bytes(*word);
}

static inline uint8_t hash_pack_tag(uint32_t hash)
{
    return (uint8_t)(hash >> 24);
}

/* Where an entry of a shaped hash, or a pair of one with its own fields, begins. */
static inline const uint8_t *hash_pack_at(const uint64_t *word, uint32_t position)
{
    uint32_t length = *word & HASH_PACK_OWN ? HASH_PACK_OWN_GROUP : HASH_PACK_SHAPED_GROUP;
    uint32_t group = hash_pack_groups(*word) ? position / length : 0;
    const uint8_t *at = hash_pack_entries(word);
    if (group) at += hash_pack_offsets(word)[group - 1];
    return pack_skip(at, (position - group * length) * (*word & HASH_PACK_OWN ? 2u : 1u));
}

/* --- what is to be stored --- */

/*
 * An entry: bytes, or a reference whose count the hash takes over. A text may become a reference
 * only when it is known where it is stored: to the interned string, if the evidence of its field
 * speaks for that, or to one of its own, if it is too long (hash_in_settle).
 */
struct hash_in {
    struct pack_item item; /* when `ref` is NULL */
    struct obj *ref;
    bool made; /* `ref` by hash_in_settle */
};

static inline size_t hash_in_bytes(const struct hash_in *in)
{
    return in->ref ? PACK_REF_BYTES : pack_item_bytes(&in->item);
}

/* The entry of a counted value, which stays the caller's to release where it is packed by its
 * bytes. False: it has no entry (a weak reference, nil). The text is borrowed from *v. */
bool hash_in_of_val(const struct heap *h, const val *v, struct hash_in *out);
void hash_in_of_text(struct view text, struct hash_in *out);
/* Before it is stored in a field of that evidence; NULL: of which nothing is known. What repeats
 * nowhere passes here on its way, which therefore is short. */
enum status hash_in_settle_text(struct heap *h, struct hash_in *in, struct evidence *ev) MUST_USE;
static inline enum status hash_in_settle(struct heap *h, struct hash_in *in, struct evidence *ev)
{
    if (in->ref || in->item.text.n <= VAL_SHORT_BYTES_MAX) return STATUS_OK;
    size_t n = in->item.text.n;
    bool is_long = n > h->values->limits.hash_text_bytes, passes = !ev || evidence_passes(ev, n);
    return is_long || !passes ? hash_in_settle_text(h, in, passes ? NULL : ev) : STATUS_OK;
}
/* It is not stored: gives up what hash_in_settle has made. */
void hash_in_unsettle(struct heap *h, struct hash_in *in);

/* --- reading --- */

/* The fields that are there, in order. */
struct hash_pack_iter {
    const struct shape *shape; /* or NULL */
    bool gaps;
    const uint8_t *next;
    uint32_t left, position; /* entries or pairs; of the present one */
    val field;
    const uint8_t *field_at; /* own: its entry */
    const uint8_t *value;
};

void hash_pack_begin(const struct obj *o, struct hash_pack_iter *it);
bool hash_pack_next(struct hash_pack_iter *it);

uint32_t hash_pack_length(const struct obj *o);
/* The entry of a field's value, or NULL. */
const uint8_t *hash_pack_find(const struct obj *o, const struct needle *field);
/* The same of a field that is to be set; *ev is what is known of its values, or NULL. */
const uint8_t *hash_pack_find_to_set(const struct obj *o, const struct needle *field,
                                     struct evidence **ev);

/* --- changes (hash_pack_change.c, hash_pack_place.c) --- */

/*
 * Sets a field of a packed hash, or of an empty one. STATUS_TOO_MANY: it must take its plain form
 * first; STATUS_OOM. On failure nothing has changed, and in->ref is the caller's, as it was.
 */
enum status hash_pack_set(struct heap *h, struct obj *o, const struct needle *field,
                          struct hash_in *in, bool *created) MUST_USE;
/* Sets all fields of an empty hash at once, if it can: there are not too many, none is there twice
 * or too long, and there is memory. Else false, and nothing has changed. The references are the
 * hash's then. */
bool hash_pack_fill(struct heap *h, struct obj *o, const struct needle *fields, struct hash_in *in,
                    uint32_t n) MUST_USE;
/* False: it is not there. */
bool hash_pack_delete(struct heap *h, struct obj *o, const struct needle *field);

/* --- the body as a whole (hash_pack.c) --- */

/* Into an empty hash. */
enum status hash_pack_copy(struct heap *h, const struct obj *from, struct obj *to) MUST_USE;
/* Releases what the body refers to, and frees it: the hash is empty then. */
void hash_pack_drop(struct heap *h, struct obj *o);
/* The hash takes the body, of either form, that was made in a cell of the caller's own; `old` gets
 * the hash's, to be given up. */
void hash_pack_swap(struct obj *o, const struct cell *made, struct cell *old);
void hash_pack_visit(const struct obj *o, heap_visit *fn, void *ctx);
size_t hash_pack_bytes(const struct obj *o);
bool hash_pack_check(const struct heap *h, const struct obj *o);

/* Releases the references among so many entries. */
void hash_pack_release(struct heap *h, const uint8_t *at, uint32_t entries);

#endif
