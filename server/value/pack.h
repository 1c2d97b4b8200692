/*
 * Packed values: strings and integers end to end in a block of bytes, with no object for any of
 * them. Small lists, hashes, sets and zsets keep their elements so, and a name keeps a plain value
 * so until it is shared. This is the encoding; what a block begins with, and when a container is
 * packed, is its type's matter.
 *
 *   0nnnnnnn                  integer 0 to 127
 *   10llllll bytes            string of 0 to 63 bytes
 *   110nnnnn n                integer 128 to 8,319: 13 bits above 128
 *   1110nnnn n n              integer 8,320 to 1,056,895: 20 bits above 8,320
 *   11110www n (w + 1 times)  any other integer, two's complement in the fewest bytes
 *   111110ll l bytes          string of 64 to 1,087 bytes: 10 bits above 64
 *   11111100 l l l l bytes    a longer string
 *   11111101 w (8 times)      a reference to a string object, counted by the block's owner
 *   11111110 d (8 times)      a double (a score)
 *   11111111                  a gap: an element that was removed, where the memory to write the
 *                             others anew could not be had (hash_pack.h)
 *
 * Numbers of several bytes are little-endian, but for the 13, 20 and 10 bits, whose upper bits lie
 * in the first byte. A text has one packed form beside references, so that two entries are equal
 * when their bytes are, and a search compares bytes. A reader of an entry gets a `val`: an
 * immediate where one exists, the object behind a reference, and else a word of VAL_TAG_BYTES that
 * points at the entry (val.h): borrowed, good until the block changes.
 *
 * Called by the containers of value/ and by store/. Nothing here allocates.
 *
 * Ownership: a block's owner counts its references; pack_put_ref takes the caller's count over.
 * Cost: reading and writing an entry is a switch on its first byte; stepping over one is a look
 * into a table of 256 bytes.
 */
#ifndef HEAPD_VALUE_PACK_H
#define HEAPD_VALUE_PACK_H

#include "value/val.h"

enum {
    PACK_HEAD_BYTES_MAX = 9,
    PACK_TEXT_HEAD_BYTES = 1, /* of a text of up to 63 bytes */
    PACK_REF_BYTES = 9,
    PACK_DOUBLE_BYTES = 9,
};

enum pack_kind { PACK_INTEGER, PACK_TEXT, PACK_REF, PACK_DOUBLE, PACK_GAP };
enum { PACK_GAP_BYTES = 1 };

/* What an entry will be: worked out once, then compared with many or written. */
struct pack_item {
    uint8_t head[PACK_HEAD_BYTES_MAX];
    uint8_t head_bytes;
    struct view text; /* follows the head; empty for integers */
};

struct pack_item pack_item_of_text(struct view text);
struct pack_item pack_item_of_integer(int64_t n);
/* The item of any string value, by its bytes (also for an object: pack_put_ref packs the reference
 * instead). Not for containers, weak references and nil. The text is borrowed from *v. */
struct pack_item pack_item_of_val(const val *v);
/* The item that a needle asks for; false when nothing packed can equal it: a container. */
bool pack_item_of_needle(const struct needle *n, struct pack_item *out);
/* Integral scores that an integer can say, and others. */
struct pack_item pack_item_of_double(double d);

static inline size_t pack_item_bytes(const struct pack_item *it)
{
    return it->head_bytes + it->text.n;
}

/* Each writes one entry and returns where the next begins; there is room. */
uint8_t *pack_put(uint8_t *at, const struct pack_item *it);
uint8_t *pack_put_ref(uint8_t *at, RC_STEALS struct obj *o);

enum pack_kind pack_kind(const uint8_t *at);
const uint8_t *pack_next(const uint8_t *at);
/* Steps over so many. */
const uint8_t *pack_skip(const uint8_t *at, uint64_t entries);
uint8_t *pack_put_gap(uint8_t *at);
/* Borrowed from the block. Not for doubles; VAL_NONE for a gap. */
RC_BORROWED val pack_get(const uint8_t *at);
/* PACK_REF only. */
RC_BORROWED struct obj *pack_get_ref(const uint8_t *at);
/* A double, or an integer as one. */
double pack_get_double(const uint8_t *at);

/* Whether the entry's text is the item's: by bytes, also behind a reference. */
bool pack_is(const uint8_t *at, const struct pack_item *it);
/* The first entry from `at` to `end` that pack_is, or NULL. */
const uint8_t *pack_find(const uint8_t *at, const uint8_t *end, const struct pack_item *it);
/* The same where a number stands behind each entry that is asked about. */
const uint8_t *pack_find_scored(const uint8_t *at, const uint8_t *end, const struct pack_item *it);
/* Among so many pairs of entries the second of the first whose first pack_is, or NULL. */
const uint8_t *pack_find_pair(const uint8_t *at, uint64_t pairs, const struct pack_item *it);

/* What val.c asks of a word of VAL_TAG_BYTES: PACK_INTEGER (beyond 61 bits) or PACK_TEXT. */
struct view pack_text(const uint8_t *at);
int64_t pack_integer(const uint8_t *at);

/* Whether the bytes from `at` to `end` are whole entries, each in its one form, and what references
 * refer to are strings. */
bool pack_check(const uint8_t *at, const uint8_t *end);

#endif
