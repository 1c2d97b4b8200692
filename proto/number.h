/*
 * Parses a decimal number byte by byte, so that a count line that arrives in pieces is scanned
 * once. Used only inside proto/, by the readers of requests and replies.
 *
 * It accepts what Redis' string2ll accepts: an optional minus, no plus, no leading zero, no space,
 * nothing beyond 64 bits.
 *
 * Invariants
 *   1. value <= PROTO_NUMBER_STEP_MAX * 10 + 9, so the next digit cannot overflow 64 bits
 *      unnoticed.
 *   2. digits == 0 implies value == 0.
 *
 * Ownership: none. Cost: a few instructions per byte.
 */
#ifndef PROTO_NUMBER_H
#define PROTO_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* The largest value to which one more digit may be added. */
#define PROTO_NUMBER_STEP_MAX ((UINT64_MAX - 9) / 10)

struct proto_number {
    uint64_t value;
    bool digits; /* there was at least one */
    bool minus;
    bool bad;
};

static inline void proto_number_push(struct proto_number *number, char c)
{
    unsigned digit = (unsigned)(unsigned char)c - '0';
    if (digit < 10) {
        bool leading_zero = number->digits && number->value == 0;
        if (leading_zero || number->value > PROTO_NUMBER_STEP_MAX) {
            number->bad = true;
            return;
        }
        number->value = number->value * 10 + digit;
        number->digits = true;
    } else if (c == '-' && !number->digits && !number->minus) {
        number->minus = true;
    } else {
        number->bad = true;
    }
}

/* False when the bytes were no number of 64 bits; *out is then untouched. */
static inline bool proto_number_end(const struct proto_number *number, int64_t *out)
{
    if (number->bad || !number->digits) return false;
    if (!number->minus) {
        if (number->value > (uint64_t)INT64_MAX) return false;
        *out = (int64_t)number->value;
        return true;
    }
    if (number->value == 0 || number->value > (uint64_t)INT64_MAX + 1) return false;
    *out = (int64_t)(0 - number->value);
    return true;
}

#endif
