#include "proto/batch.h"

/* A count line of a lead byte, as many digits as 32 bits certainly hold, and two bytes. Shorter
 * limits on a line than this are the reader's matter. */
enum { DIGITS_MAX = 9, LINE_BYTES_MAX = 1 + DIGITS_MAX + 2, LINE_BYTES_MIN = 4 };

static inline unsigned digit_at(const char *at)
{
    return (unsigned)(unsigned char)*at - '0';
}

/* As count_line, which begins with the same. */
static const char *long_count_line(const char *at, const char *end, char lead, size_t *n)
{
    if (end - at < LINE_BYTES_MIN || at[0] != lead) return NULL;
    unsigned digit = digit_at(at + 1);
    if (digit > 9) return NULL;
    size_t value = digit;
    const char *stop = end - at < LINE_BYTES_MAX ? end - 1 : at + LINE_BYTES_MAX - 1;
    bool zero = digit == 0;
    for (at += 2; at < stop; at++) {
        digit = digit_at(at);
        if (digit > 9) break;
        value = value * 10 + digit;
        if (zero) return NULL;
    }
    if (at >= stop || *at != '\r') return NULL;
    *n = value;
    return at + 2;
}

/* Reads "<lead><digits>\r" and the byte behind it, whatever it is, as the reader does; returns what
 * follows. NULL: it is not all there, or not written in the usual way. Nearly all counts have one
 * digit or two. */
static inline const char *count_line(const char *at, const char *end, char lead, size_t *n)
{
    if (end - at <= LINE_BYTES_MIN || at[0] != lead) return long_count_line(at, end, lead, n);
    unsigned tens = digit_at(at + 1), ones = digit_at(at + 2);
    if (tens <= 9 && at[2] == '\r') {
        *n = tens;
        return at + 4;
    }
    if (tens - 1 > 8 || ones > 9 || at[3] != '\r') return long_count_line(at, end, lead, n);
    *n = tens * 10 + ones;
    return at + 5;
}

/* Takes one request, whose arguments go to argv; returns what follows it, or NULL. */
static const char *take(struct batch_request *to, struct proto_view *argv, size_t room,
                        const struct request_limits *limits, const char *at, const char *end)
{
    const char *begin = at;
    size_t argc, n;
    at = count_line(at, end, '*', &argc);
    if (!at || argc == 0 || argc > room || argc > limits->args_max) return NULL;
    for (size_t i = 0; i < argc; i++) {
        at = count_line(at, end, '$', &n);
        if (!at || n > limits->bulk_bytes_max || (size_t)(end - at) < n + 2) return NULL;
        argv[i] = (struct proto_view){.p = at, .n = n};
        at += n + 2;
    }
    *to =
        (struct batch_request){.argv = argv, .argc = (uint32_t)argc, .bytes = (size_t)(at - begin)};
    return at;
}

void request_batch_read(struct request_batch *batch, const struct request_limits *limits,
                        uint32_t requests_max, const char *buf, size_t len)
{
    const char *at = buf, *end = buf + len;
    size_t args = 0;
    batch->count = 0;
    if (limits->inline_bytes_max < LINE_BYTES_MAX) return;
    if (requests_max > BATCH_REQUESTS_MAX) requests_max = BATCH_REQUESTS_MAX;
    while (batch->count < requests_max) {
        struct batch_request *to = &batch->requests[batch->count];
        at = take(to, batch->args + args, BATCH_ARGS_MAX - args, limits, at, end);
        if (!at) return;
        args += to->argc;
        batch->count++;
    }
}
