/*
 * Numbers as text, read and written exactly as Redis does.
 *
 * Called by value/ (is this string an integer?), command/ (arguments) and monitor/. No allocation.
 * The process stays in the "C" locale, on which strtod and printf depend. Only num_get_bound()
 * accepts spaces; only num_get_bound() and num_get_cursor() accept an empty string. A text need not
 * end in a NUL. On failure `out` is untouched.
 *
 * Cost: num_get_integer() refuses most texts at the first byte. Integers, also as doubles, are read
 * and printed without the C library; other doubles cost one strtod or one printf.
 */
#ifndef HEAPD_BASE_NUM_H
#define HEAPD_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

enum {
    NUM_INTEGER_CHARS = 21, /* enough for any int64 or uint64 and a NUL */
    NUM_DOUBLE_CHARS = 40,  /* enough for num_put_double and a NUL */
    NUM_LONG_DOUBLE_CHARS = 5 * 1024,
};

/* Redis's string2ll: the canonical decimal form of an int64 only ("0", "-1", no "-0", no "007"). */
bool num_get_integer(struct view text, int64_t *out);

/* Redis's getDoubleFromObject (string2d): what strtod reads, "inf", "+inf", "infinity", a leading
 * '+' and hex among it. Refused: a NaN, a number too large or too small for a double, a text of
 * NUM_LONG_DOUBLE_CHARS and more (Redis reads those too). For scores. */
bool num_get_double(struct view text, double *out);

/* Redis's zslParseRange: a bound of scores, without its '('. Looser than a score: leading spaces
 * and the empty text (0) are accepted, what is too large is infinite, and what follows a NUL is not
 * looked at. */
bool num_get_bound(struct view text, double *out);

/* Redis's getLongDoubleFromObject, for INCRBYFLOAT and HINCRBYFLOAT: NaN refused, infinity accepted
 * by the reader (the caller refuses an infinite sum). Texts of NUM_LONG_DOUBLE_CHARS and more are
 * refused. */
bool num_get_long_double(struct view text, long double *out);

/* Each returns the number of chars written at `out`; a NUL follows. */
size_t num_put_integer(char out[NUM_INTEGER_CHARS], int64_t value);
/* As replies show a double in Redis 7.0: "%.17g" ("-0" for minus zero), "inf", "-inf". */
size_t num_put_double(char out[NUM_DOUBLE_CHARS], double value);
/* As Redis's ld2string with LD_STR_HUMAN: "%.17Lf" without trailing zeros; "-0" becomes "0". */
size_t num_put_long_double(char out[NUM_LONG_DOUBLE_CHARS], long double value);

/* A lower-case hexadecimal number without leading zeros (handles and identities); n is 1 to 16. */
bool num_get_hex(struct view text, uint64_t *out);
size_t num_put_hex(char out[NUM_INTEGER_CHARS], uint64_t value);

/* Redis's parseScanCursorOrReply: strtoul with base 10, which takes a sign, and the empty text for
 * 0, and looks at nothing behind a NUL. */
bool num_get_cursor(struct view text, uint64_t *out);

/* A memory size of the configuration: "512mb", "1gb", "100k" (1000), "100kb" (1024), "12". */
bool num_get_bytes(struct view text, uint64_t *out);

#endif
