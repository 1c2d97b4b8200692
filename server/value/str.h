/*
 * String objects (more than 7 bytes, or not canonical integers) and number objects (integers beyond
 * 61 bits).
 *
 *   +------------+--------+--------+---------------+-------+
 *   | struct obj | length | hash   | bytes, no NUL | slack |        hash 0 = not asked for yet
 *   +------------+--------+--------+---------------+-------+
 *
 * The slack follows from the length, so it needs no field: small blocks have the pools' classes,
 * and larger ones have at most eight sizes to a doubling. So a string of n bytes that grows by
 * small appends is copied some 12 n bytes in all.
 *
 * Called by val.c and by the commands that build strings (APPEND, SETRANGE). Strings never change,
 * but for str_write at count 1, which nobody else can see.
 *
 * Ownership: an object made here has count 1. Cost: one allocation; writing in place none.
 */
#ifndef HEAPD_VALUE_STR_H
#define HEAPD_VALUE_STR_H

#include "value/val.h"

enum { STR_BYTES_MAX = 0x7fffffff };

struct str {
    struct obj head;
    uint32_t length;
    uint32_t hash;
    char bytes[];
};

struct number {
    struct obj head;
    int64_t value;
};

static_assert(sizeof(struct str) == 16, "a string pays 16 bytes beside its own");

/* A string object of `length` bytes for the caller to fill before anybody sees it; the caller makes
 * sure that the text is not one that has another form, or goes through str_settle. NULL: no memory,
 * or more than STR_BYTES_MAX. */
RC_NEW struct str *str_new(struct heap *h, size_t length);

/*
 * A string that is made of a block which holds its bytes already, `offsetof(struct str, bytes)`
 * from its beginning, and was got by mem_alloc(str_block_bytes(length)) before there was a string:
 * a large argument is read into such a block. `length` is STR_BLOCK_LENGTH_MIN at least, and
 * STR_BYTES_MAX at most.
 */
enum { STR_BLOCK_LENGTH_MIN = POOL_SMALL_MAX };
size_t str_block_bytes(size_t length);
RC_NEW struct str *str_of_block(struct heap *h, RC_STEALS void *block, size_t length);

/* The value of a string just filled: if its text has another form, that form, and the string is
 * gone. */
enum status str_settle(struct heap *h, RC_STEALS struct str *s, RC_OUT val *out) MUST_USE;

/*
 * The text of the string value `v` with `text` written at `offset` (zero bytes between, when it
 * lies past the end), as a counted value for the caller; `v` stays the caller's as it was. When `v`
 * is a string object of count 1 outside the intern table, and its block has room, it is written in
 * place and *out is `v` itself, counted once more: the caller puts *out where it had `v`. On
 * failure (STATUS_TOO_LONG, STATUS_OOM) nothing has changed.
 */
enum status str_write(struct heap *h, val v, size_t offset, struct view text,
                      RC_OUT val *out) MUST_USE;

/* The string elsewhere, where it can be had (pool_move): the caller holds its only reference. */
struct obj *str_move(struct heap *h, struct str *s) MUST_USE;

extern const struct heap_type str_heap_type, number_heap_type;

#endif
