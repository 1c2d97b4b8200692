/*
 * Packed bodies: the elements of a small container end to end in one block, entries of pack.h or
 * (set_integers.h) integers of one width. A container that has one carries OBJ_PACKED; without it,
 * it is empty or has its type's plain body.
 *
 *   struct packed  +-------+------+-------+-------+---- .. ----+--- .. ---+
 *    (8 bytes)     | count | used | bytes | width | entries    | room     |
 *                  +-------+------+-------+-------+---- .. ----+--- .. ---+
 *
 * A block holds strings and integers, never containers or weak references. So it needs no words of
 * the collector and is never visible to it, copying it means copying bytes, and it is freed at once
 * when it dies, because its size is bounded. The only references in a block are to string objects
 * that others hold too: they take 9 bytes, which is less than the text.
 *
 * Entries carry no length at their end, which would cost each element a byte. An iterator that goes
 * backwards (struct packed_iter) remembers where a window of entries begins.
 *
 * Called by the containers of value/. They know the limits beyond which they convert, and pass the
 * number of entries of an element (`stride`): two in a zset, the member and its score.
 *
 * Invariants (packed_check)
 *   1. `used` bytes are `count` times `stride` whole entries, or `count` integers of `width`.
 *   2. bytes is what the pools have given, at most PACKED_BYTES_MAX; at least the header and used.
 *   3. count > 0: a container without elements has no block.
 * Ownership: the container owns the block, the block one count of each reference in it. What is
 * read from a block is borrowed from it, until it changes (val.h, VAL_TAG_BYTES): also a text that
 * is to be inserted must not lie in the block that it is inserted into.
 * Cost: everything but an end is O(bytes). A block grows by a sixteenth or more, and is as short as
 * the pools have it when its elements come in one command; it shrinks when a quarter of it is
 * unused, so that a push and a pop in turn do not copy it each time. A removal cannot fail: where
 * the smaller block cannot be had, the larger stays.
 */
#ifndef HEAPD_VALUE_PACKED_H
#define HEAPD_VALUE_PACKED_H

#include "value/pack.h"

enum {
    PACKED_BYTES_MAX = 16 << 10,
    PACKED_TEXT_BYTES_MAX = 4 << 10, /* whatever the limits say: a block has room for a few */
    PACKED_WINDOW = 64,
};

struct packed {
    uint16_t count; /* elements */
    uint16_t used;  /* bytes of their entries */
    uint16_t bytes; /* of the whole block */
    uint16_t width; /* of each of a set's sorted integers; 0: entries */
    uint8_t at[];
};

static_assert(sizeof(struct packed) == 8, "a block pays 8 bytes beside its entries");
static_assert(PACKED_BYTES_MAX <= UINT16_MAX, "lengths have 16 bits");

/* NULL: empty, or in its plain form. */
static inline struct packed *packed_of(const struct obj *o)
{
    return o->flags & OBJ_PACKED ? obj_body(o) : NULL;
}

static inline const uint8_t *packed_end(const struct packed *b)
{
    return b->at + b->used;
}

/* --- what is stored --- */

/* An entry to be: a text or a number by its bytes, or a reference to a string object. */
struct packed_in {
    struct pack_item item;
    struct obj *shared; /* not NULL: packed as a reference */
};

/* The entry of a value. A string object that others hold, too, is packed as a reference, if that is
 * shorter. False: it is no string, or longer than text_bytes_max. The text is borrowed from *v. */
bool packed_in_of_val(const val *v, uint32_t text_bytes_max, struct packed_in *out);
bool packed_in_of_needle(const struct needle *n, uint32_t text_bytes_max, struct packed_in *out);
bool packed_in_of_text(struct view text, uint32_t text_bytes_max, struct packed_in *out);

static inline size_t packed_in_bytes(const struct packed_in *in)
{
    return in->shared ? PACK_REF_BYTES : pack_item_bytes(&in->item);
}

/* Writes the entry; a reference is counted. Returns where the next begins. */
uint8_t *packed_put(struct heap *h, uint8_t *at, const struct packed_in *in);

/* --- changes --- */

/* The most that a block of entries may hold, for a limit of a type that counts bytes, too. */
static inline bool packed_has_room(const struct packed *b, size_t more)
{
    return sizeof *b + (b ? b->used : 0) + more <= PACKED_BYTES_MAX;
}

/*
 * Opens a gap at an offset, for the caller to fill with `elements` more; an empty container gets a
 * block. The caller has asked packed_has_room. NULL: no memory, nothing has changed.
 */
uint8_t *packed_open(struct heap *h, struct obj *o, size_t offset, size_t bytes, uint32_t elements);
/* The same in the place of some bytes that are entries of pack.h: their references are released.
 * The offset and the number of elements stay, and so does a block that is long enough. */
uint8_t *packed_replace(struct heap *h, struct obj *o, size_t offset, size_t old_bytes,
                        size_t bytes);
/* Closes what the caller has emptied, or what needed no release. The block goes with the last
 * element, else it stays as long as it is, until packed_fit. */
void packed_close(struct heap *h, struct obj *o, size_t offset, size_t bytes, uint32_t elements);
/* Gives back what the block has become too long for, if there is one. */
void packed_fit(struct heap *h, struct obj *o);

/* Elements that come one after the other, in one command: how many, and about how many bytes. */
struct packed_more {
    uint32_t elements;
    size_t bytes;
};
/* Makes a block long enough for them at once, if there is one, and memory for it. Once they are
 * there packed_expect_end gives back what was too much. */
void packed_expect(struct heap *h, struct obj *o, size_t bytes);
void packed_expect_end(struct heap *h, struct obj *o);
/* Releases the references of the entries in the range, and closes it. */
void packed_remove(struct heap *h, struct obj *o, size_t offset, size_t bytes, uint32_t elements);

/* All at once: the container is empty then. */
void packed_drop(struct heap *h, struct obj *o);
/* Gives an empty container the same block; on failure nothing has changed. */
enum status packed_copy(struct heap *h, const struct obj *from, struct obj *to) MUST_USE;
/* A container takes the body that was made for a cell of the caller's own, in its other form, for
 * its own, which is given up. */
void packed_swap(struct heap *h, struct obj *o, struct cell *made);

/* --- reading --- */

/* Where the entries of an element begin; index <= count. */
const uint8_t *packed_at(const struct packed *b, uint32_t index, uint32_t stride);

/* A place in a block; good until it changes. Forwards from entry to entry; backwards a window of
 * entries is looked up at a time. */
struct packed_iter {
    const struct packed *block;
    const uint8_t *at;
    uint32_t index, stride;
    uint32_t window_first, window_end; /* whose offsets are known */
    uint16_t window[PACKED_WINDOW];
};

/* index < count. */
void packed_seek(struct packed_iter *it, const struct packed *b, uint32_t index, uint32_t stride);
/* False at the end. */
bool packed_next(struct packed_iter *it);
bool packed_prev(struct packed_iter *it);

/* --- for the heap --- */

void packed_visit(const struct packed *b, heap_visit *fn, void *ctx);
/* The cell and the block. */
size_t packed_bytes(const struct packed *b);
bool packed_check(const struct obj *o, uint32_t stride);

#endif
