#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    INTEGER_DIGITS_MAX = 19, /* so many always fit into a uint64 */
    HEX_DIGITS_MAX = 16,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool num_get_integer(struct view text, int64_t *out)
{
    const char *p = text.p, *end = text.p + text.n;
    bool negative = text.n > 0 && *p == '-';
    p += negative;
    size_t digits = (size_t)(end - p);
    /* Most strings that are asked are no numbers, and end here. */
    if (digits == 0 || digits > INTEGER_DIGITS_MAX || !is_digit(*p)) return false;
    if (*p == '0') {
        if (text.n != 1) return false;
        *out = 0;
        return true;
    }
    uint64_t v = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(unsigned char)*p - '0';
        if (digit > 9) return false;
        v = v * 10 + digit;
    }
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* The library wants a NUL at the end, which a view does not have. */
static bool copy_text(struct view text, char copy[NUM_LONG_DOUBLE_CHARS])
{
    if (text.n >= NUM_LONG_DOUBLE_CHARS) return false;
    if (text.n > 0) memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return true;
}

bool num_get_double(struct view text, double *out)
{
    int64_t integer;
    char copy[NUM_LONG_DOUBLE_CHARS], *end;
    if (num_get_integer(text, &integer)) {
        *out = (double)integer; /* rounded as strtod rounds it */
        return true;
    }
    if (text.n == 0 || is_space(text.p[0]) || !copy_text(text, copy)) return false;
    errno = 0;
    double v = strtod(copy, &end);
    if (end != copy + text.n || isnan(v)) return false;
    /* A result that was rounded to a denormal is also ERANGE, but a good number. */
    if (errno == ERANGE && (isinf(v) || v == 0)) return false;
    *out = v;
    return true;
}

bool num_get_bound(struct view text, double *out)
{
    char copy[NUM_LONG_DOUBLE_CHARS], *end;
    if (!copy_text(text, copy)) return false;
    double v = strtod(copy, &end);
    if (*end != '\0' || isnan(v)) return false;
    *out = v;
    return true;
}

bool num_get_long_double(struct view text, long double *out)
{
    char copy[NUM_LONG_DOUBLE_CHARS], *end;
    if (text.n == 0 || is_space(text.p[0]) || !copy_text(text, copy)) return false;
    errno = 0;
    long double v = strtold(copy, &end);
    if (end != copy + text.n || isnan(v)) return false;
    if (errno == ERANGE && (isinf(v) || v == 0)) return false;
    *out = v;
    return true;
}

size_t num_put_integer(char out[NUM_INTEGER_CHARS], int64_t value)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    uint64_t v = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char text[NUM_INTEGER_CHARS], *end = text + sizeof text - 1, *p = end;
    *p = '\0';
    for (; v >= 100; v /= 100) {
        p -= 2;
        memcpy(p, pairs + v % 100 * 2, 2);
    }
    if (v >= 10) {
        p -= 2;
        memcpy(p, pairs + v * 2, 2);
    } else {
        *--p = (char)('0' + v);
    }
    if (value < 0) *--p = '-';
    memcpy(out, p, (size_t)(end - p) + 1);
    return (size_t)(end - p);
}

size_t num_put_double(char out[NUM_DOUBLE_CHARS], double value)
{
    /* Below 1e17 "%.17g" prints a whole number as its digits. Minus zero is not one: it prints as
     * "-0". */
    if (fabs(value) < 1e17) {
        int64_t integer = (int64_t)value;
        if ((double)integer == value && !(integer == 0 && signbit(value))) {
            return num_put_integer(out, integer);
        }
    }
    int n = isinf(value)   ? snprintf(out, NUM_DOUBLE_CHARS, "%s", value > 0 ? "inf" : "-inf")
            : isnan(value) ? snprintf(out, NUM_DOUBLE_CHARS, "nan")
                           : snprintf(out, NUM_DOUBLE_CHARS, "%.17g", value);
    return (size_t)n;
}

size_t num_put_long_double(char out[NUM_LONG_DOUBLE_CHARS], long double value)
{
    if (isinf(value)) {
        return (size_t)snprintf(out, NUM_LONG_DOUBLE_CHARS, "%s", value > 0 ? "inf" : "-inf");
    }
    size_t n = (size_t)snprintf(out, NUM_LONG_DOUBLE_CHARS, "%.17Lf", value);
    if (memchr(out, '.', n)) {
        while (out[n - 1] == '0') n--;
        if (out[n - 1] == '.') n--;
    }
    if (n == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        n = 1;
    }
    out[n] = '\0';
    return n;
}

bool num_get_hex(struct view text, uint64_t *out)
{
    if (text.n == 0 || text.n > HEX_DIGITS_MAX || (text.p[0] == '0' && text.n > 1)) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (is_digit(c)) {
            v = v << 4 | (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        } else {
            return false;
        }
    }
    *out = v;
    return true;
}

size_t num_put_hex(char out[NUM_INTEGER_CHARS], uint64_t value)
{
    size_t n = value ? (67 - (size_t)__builtin_clzll(value)) / 4 : 1;
    for (size_t i = n; i-- > 0; value >>= 4) out[i] = "0123456789abcdef"[value & 15];
    out[n] = '\0';
    return n;
}

bool num_get_cursor(struct view text, uint64_t *out)
{
    size_t n = strnlen(text.p, text.n), i = n > 0 && (text.p[0] == '-' || text.p[0] == '+');
    uint64_t v = 0;
    if (i && n == 1) return false;
    bool negative = i && text.p[0] == '-';
    for (; i < n; i++) {
        if (!is_digit(text.p[i])) return false;
        if (__builtin_mul_overflow(v, 10, &v)) return false;
        if (__builtin_add_overflow(v, (uint64_t)(text.p[i] - '0'), &v)) return false;
    }
    *out = negative ? 0 - v : v;
    return true;
}

bool num_get_bytes(struct view text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"", 1},         {"b", 1},          {"k", 1000},     {"kb", 1 << 10}, {"m", 1000 * 1000},
        {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30},
    };
    uint64_t v = 0;
    size_t i = 0;
    for (; i < text.n && is_digit(text.p[i]); i++) {
        if (__builtin_mul_overflow(v, 10, &v)) return false;
        if (__builtin_add_overflow(v, (uint64_t)(text.p[i] - '0'), &v)) return false;
    }
    if (i == 0) return false;
    struct view unit = {text.p + i, text.n - i};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        if (!view_is(unit, units[u].name)) continue;
        if (__builtin_mul_overflow(v, units[u].bytes, &v)) return false;
        *out = v;
        return true;
    }
    return false;
}
