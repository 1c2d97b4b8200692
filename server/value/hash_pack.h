/*
 * The packed forms of a hash. A small one lies in one block of bytes, its body, in one of two
 * forms:
 *
 *   own      fields and values in turn, as entries of pack.h: for a sequence of fields that no
 * other hash is known to have shaped   a shape (shape.h), which holds the fields, and the values
 * alone, in its order
 *
 *   body  +--------------+--------+--------- .. ---------+-- .. --+
 *         | struct words | word   | entries              | room   |
 *         +--------------+--------+--------- .. ---------+-- .. --+
 *          8, if visible   8
 *
 *   word, own      bit 0 set; bits 1 to 15 the number of fields; 16 to 47 the hash of their
 * sequence word, shaped   bits 0 to 47 the address of the shape; bit 1 set: there are gaps both
 * bits 48 to 63 the bytes of the body, in eighths
 *
 * Values are strings, integers, and references: to containers, to strings that are too long to be
 * copied at every change, and to strings that others hold, too, if that is shorter. So a record
 * that refers to another, or has one long text among its fields, is still a packed record. The
 * first reference to a container makes the hash visible, and the body begins with the collector's
 * words from then on, until the body goes: that its words are there is told by OBJ_VISIBLE alone,
 * which therefore stays on a packed hash that waits in the release queue.
 *
 * The collector scans a packed body in one call, whatever number of slots it asks for: there are
 * SHAPE_FIELDS_MAX at most. So no change ever meets a packed hash in mid-scan (rules 3 and 4 of
 * heap/collect.h), and slots need not be told when they move. A body that is made anew takes the
 * place in the trial's table along with the words. The plain form becomes a packed one between
 * trials only.
 *
 * Which form: a change that gives the hash another sequence of fields looks for a shape that has
 * it, and takes it; or makes one if the sequence was noted before; else the hash has its own.
 *
 * A removal cannot fail. Where a shaped hash must take another shape, or write its own fields, and
 * there is no memory, the value becomes a gap (one byte); the next change that has the memory gets
 * rid of it.
 *
 * Called by hash*.c alone, for hashes with OBJ_PACKED, or empty where it says so.
 *
 * Invariants (hash_pack_check)
 *   1. There are 1 to HASH_PACK_FIELDS_MAX fields, not counting gaps; the entries are whole, fit in
 *      the body, and each is in its one form.
 *   2. Own: fields are strings, no two equal, the sequence is theirs, and there are no gaps.
 *   3. Shaped: an entry for each field of the shape; bit 1 is set if and only if some are gaps.
 *   4. A reference to a container only where the hash is visible; none to a weak reference.
 * Ownership: the body owns one count of its shape and of each reference. What is read is borrowed
 *    from the body, until the hash changes.
 * Cost: reading a field O(fields) steps over bytes, of a shaped hash after a look into the shape's
 *    index. A change moves what follows it; one of another sequence of fields writes the body anew.
 */
#ifndef HEAPD_VALUE_HASH_PACK_H
#define HEAPD_VALUE_HASH_PACK_H

#include "value/body.h"
#include "value/hash.h"
#include "value/pack.h"
#include "value/shape.h"

enum {
    HASH_PACK_FIELDS_MAX = SHAPE_FIELDS_MAX,
    HASH_PACK_BYTES_MAX = 64 << 10,
};

#define HASH_PACK_OWN  UINT64_C(1)
#define HASH_PACK_GAPS UINT64_C(2) /* shaped */

static inline uint64_t *hash_pack_word(const struct obj *o)
{
    return (uint64_t *)obj_body(o) + ((o->flags & OBJ_VISIBLE) != 0);
}

/* NULL: its own fields. */
static inline struct shape *hash_pack_shape(uint64_t word)
{
    uint64_t address = word & ((UINT64_C(1) << 48) - 1) & ~HASH_PACK_GAPS;
    return word & HASH_PACK_OWN ? NULL : (struct shape *)(uintptr_t)address; // NOLINT: a pointer
}

/* Of the shape, gaps counted; or its own. */
static inline uint32_t hash_pack_count(uint64_t word)
{
    return word & HASH_PACK_OWN ? (uint32_t)(word >> 1 & 0x7fff) : hash_pack_shape(word)->fields;
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

/* --- what is to be stored --- */

/* An entry: bytes, or a reference whose count the hash takes over. */
struct hash_in {
    struct pack_item item; /* when `ref` is NULL */
    struct obj *ref;
};

static inline size_t hash_in_bytes(const struct hash_in *in)
{
    return in->ref ? PACK_REF_BYTES : pack_item_bytes(&in->item);
}

/* The entry of a counted value, which stays the caller's to release where it is packed by its
 * bytes. False: it has no entry (a weak reference, nil). The text is borrowed from *v. */
bool hash_in_of_val(const struct heap *h, const val *v, struct hash_in *out);
/* The same of a text; a long one becomes an object of count 1. */
enum status hash_in_of_text(struct heap *h, struct view text, struct hash_in *out) MUST_USE;

/* --- reading --- */

/* The fields that are there, in order. */
struct hash_pack_iter {
    const struct shape *shape; /* or NULL */
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

/* --- changes (hash_pack_change.c) --- */

/*
 * Sets a field of a packed hash, or of an empty one. STATUS_TOO_MANY: it must take its plain form
 * first; STATUS_OOM. On failure nothing has changed, and in->ref is the caller's.
 */
enum status hash_pack_set(struct heap *h, struct obj *o, const struct needle *field,
                          const struct hash_in *in, bool *created) MUST_USE;
/* Sets all fields of an empty hash at once, if it can: there are not too many, none is there twice
 * or too long, and there is memory. Else false, and nothing has changed. The references are the
 * hash's then. */
bool hash_pack_fill(struct heap *h, struct obj *o, const struct needle *fields,
                    const struct hash_in *in, uint32_t n) MUST_USE;
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

/* Where all entries end. */
const uint8_t *hash_pack_end(const struct obj *o);
/* Releases the references among so many entries. */
void hash_pack_release(struct heap *h, const uint8_t *at, uint32_t entries);

#endif
