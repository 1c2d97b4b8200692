/*
 * Shapes: the fields of hashes, kept once for all hashes that have the same ones in the same order.
 * A million records with ten fields store the ten names once, and each only its values.
 *
 *   struct shape  +-----+----------+--------+-------+------ .. -------+-- .. --+------ .. ------+
 *                 | obj | sequence | fields | slots | fields in order | names  | index of slots |
 *                 +-----+----------+--------+-------+------ .. -------+-- .. --+------ .. ------+
 *
 * A shape is an object of the heap, OBJ_SHAPE: its count is the number of hashes that have it, and
 * it goes with the last of them. It never changes. All shapes are listed, weakly, in one table,
 * under the hash of their sequence of fields: a hash that adds or deletes a field looks its new
 * sequence up there. There is no chain of the shapes in between (V8's transitions, JSC's
 * structures): those are for programs that add fields one at a time to millions of objects and keep
 * all stages alive; here a stage that no hash is in costs nothing.
 *
 * A shape costs its table of fields, so it is made only on evidence: when a sequence is needed that
 * was noted before (shapes_note). Notes are hashes of sequences in a small fixed table, where a new
 * one replaces the old one of its slot. A hash that dies or changes its sequence takes its note
 * back (shapes_unnote), so that records built field by field leave a note of their last sequence
 * only.
 *
 * Fields of the same name usually mean the same thing in several shapes. So all shapes with a field
 * of one name share a struct shape_name, which holds the name and the evidence whether the field's
 * values repeat (evidence.h); few records of many shapes are enough evidence then.
 *
 * Called by value/hash*.c, and for people by command/. It knows nothing of hashes.
 *
 * Invariants (shape_check)
 *   1. A field is an immediate or an interned string; no two are equal.
 *   2. sequence is what the fields' hashes give, mixed in order.
 *   3. The index finds each field, and at most half of its slots are used.
 *   4. Every shape that a hash has is listed, once; no two listed ones have the same fields.
 *   5. field[i] is the name in the i-th struct shape_name; no two of those have equal names.
 * Ownership: a hash owns one count of its shape. A struct shape_name owns one count of the name,
 *    which is made known to heap_check() by a holder (shapes_init), and goes with the last shape
 *    that has such a field.
 * Cost: finding a field's position O(1) expected; finding a shape O(1) and the comparison of its
 *    fields; 16 bytes, 18 to 20 for each field, and its entry in the table for each shape; 40 bytes
 *    and an entry for each name.
 */
#ifndef HEAPD_VALUE_SHAPE_H
#define HEAPD_VALUE_SHAPE_H

#include "value/evidence.h"

enum { SHAPE_FIELDS_MAX = 255, SHAPE_ABSENT = -1 };

struct shape_name {
    val name;
    uint32_t hash;
    uint32_t shapes; /* that have it */
    struct evidence evidence;
};

struct shape {
    struct obj head;
    uint32_t sequence;
    uint16_t fields;
    uint16_t slots; /* of the index: a power of two */
    val field[];
};

static_assert(sizeof(struct shape) == 16, "a shape pays two words beside its fields");

static inline struct shape_name **shape_names(const struct shape *s)
{
    return (struct shape_name **)(uintptr_t)&s->field[s->fields]; // NOLINT: const where s is
}

static inline struct evidence *shape_evidence(const struct shape *s, uint32_t position)
{
    return &shape_names(s)[position]->evidence;
}

/* Positions in the order of the fields, counted from one; 0: unused. */
static inline const uint8_t *shape_index(const struct shape *s)
{
    return (const uint8_t *)(shape_names(s) + s->fields);
}

/* The position of a field, or SHAPE_ABSENT. */
static inline int shape_position(const struct shape *s, const struct needle *field)
{
    const uint8_t *index = shape_index(s);
    uint32_t mask = s->slots - 1u;
    for (uint32_t at = field->hash & mask; index[at]; at = (at + 1) & mask)
        if (needle_matches(field, s->field[index[at] - 1])) return index[at] - 1;
    return SHAPE_ABSENT;
}

/* The hash of a sequence of fields, one at a time from 0 on, by the hashes of the fields. */
static inline uint32_t shape_sequence(uint32_t before, uint32_t field_hash)
{
    uint64_t x = ((uint64_t)before << 32 | field_hash) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(x >> 32) ^ (uint32_t)x;
}

/* Whether a listed shape of the sequence and number of fields that are looked for has the fields
 * themselves. */
typedef bool shape_match(const void *ctx, const struct shape *s);
/* NULL: there is none. */
RC_BORROWED struct shape *shape_find(const struct heap *h, uint32_t sequence, uint32_t fields,
                                     shape_match *match, const void *ctx);

/* --- making one --- */

/* A shape with room for so many fields, 1 to SHAPE_FIELDS_MAX, and none yet, not listed. NULL: no
 * memory. */
RC_NEW struct shape *shape_new(struct heap *h, uint32_t fields);
/* The next field. False: it is there already, or no memory. */
bool shape_add(struct heap *h, struct shape *s, const struct needle *field) MUST_USE;
/* Lists a shape that has all its fields and that shape_find did not find. False: no memory, and the
 * shape is gone. */
bool shape_list(struct heap *h, RC_STEALS struct shape *s) MUST_USE;

/* --- evidence --- */

/* Whether the sequence was noted before; it is from now on, unless it was. */
bool shapes_note(struct heap *h, uint32_t sequence);
bool shapes_is_noted(const struct heap *h, uint32_t sequence);
void shapes_unnote(struct heap *h, uint32_t sequence);

/* --- for people --- */

uint64_t shapes_count(const struct heap *h);
/* Bytes of all shapes and their names, without the names' strings, and of the tables. */
size_t shapes_bytes(const struct heap *h);
/* Names from *cursor 0 on, about `max` a call, in no order; false at the end. Nothing may change
 * between calls but by losing some. */
typedef void shape_names_each(void *ctx, const struct shape_name *name);
bool shape_names_walk(const struct heap *h, uint64_t *cursor, uint32_t max, shape_names_each *each,
                      void *ctx);

void shapes_init(struct heap *h);
bool shape_check(const struct heap *h, const struct shape *s);

extern const struct heap_type shape_heap_type;

#endif
