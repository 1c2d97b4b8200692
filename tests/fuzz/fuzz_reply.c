/*
 * Fuzzes the reader of replies: the same bytes at once and in pieces must give the
 * same trees, and events must see as many replies.
 *
 * With libFuzzer:  clang -fsanitize=fuzzer,address,undefined -DFUZZ_LIBFUZZER -D_GNU_SOURCE -I. \
 *                  tests/fuzz/fuzz_reply.c proto/reply.c proto/reply_tree.c proto/buf.c -o
 * fuzz_reply With AFL, or by hand:  fuzz_reply FILE...
 */
#include "proto/reply.h"

#include <stdio.h>
#include <stdlib.h>

/* The largest file that is read; fuzzers' inputs are far smaller. */
#define FILE_BYTES_MAX ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct reply_limits LIMITS = {
    .bulk_bytes_max = 65536, .line_bytes_max = 256, .children_max = 1000};

/* What came out of one run. */
struct outcome {
    size_t replies;
    size_t nodes; /* at the top two levels */
    size_t bytes;
    enum reply_status status;
};

static void demand(bool holds)
{
    if (!holds) abort();
}

static void count_tree(struct outcome *outcome, const struct heapd_reply *reply)
{
    size_t n = heapd_reply_children(reply);
    outcome->replies++;
    outcome->nodes += 1 + n;
    if (n == 0) {
        outcome->bytes += reply->n;
        demand(reply->text == NULL || reply->text[reply->n] == '\0');
    }
    for (size_t i = 0; i < n; i++) {
        const struct heapd_reply *child = &reply->children[i];
        outcome->nodes += heapd_reply_children(child);
        if (heapd_reply_children(child) == 0) outcome->bytes += child->n;
        demand(child->attributes == NULL || child->attributes->type == HEAPD_REPLY_ATTRIBUTE);
    }
}

static enum reply_status take(struct reply_reader *r, struct outcome *outcome, bool events)
{
    for (;;) {
        struct heapd_reply *reply;
        struct reply_event event;
        enum reply_status status =
            events ? reply_reader_event(r, &event) : reply_reader_next(r, &reply);
        demand(status != REPLY_OOM && reply_reader_check(r) == 0);
        if (status != REPLY_READY) return status;
        if (events) {
            outcome->replies += event.last;
        } else {
            count_tree(outcome, reply);
            heapd_reply_free(reply);
        }
    }
}

static struct outcome read_all(const char *data, size_t n, size_t step, bool events)
{
    struct reply_reader r;
    reply_reader_init(&r, &LIMITS);
    struct outcome outcome = {.status = REPLY_MORE};
    for (size_t at = 0; at < n && outcome.status == REPLY_MORE; at += step) {
        size_t piece = n - at < step ? n - at : step;
        demand(reply_reader_feed(&r, data + at, piece) == REPLY_READY);
        outcome.status = take(&r, &outcome, events);
    }
    reply_reader_fini(&r);
    return outcome;
}

static void demand_same(struct outcome a, struct outcome b)
{
    demand(a.replies == b.replies && a.nodes == b.nodes && a.bytes == b.bytes);
    demand(a.status == b.status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    struct outcome whole = read_all(p, n, n + 1, false);
    demand_same(read_all(p, n, n / 3 + 1, false), whole);
    demand_same(read_all(p, n, 1, false), whole);
    demand(read_all(p, n, 7, true).replies == whole.replies);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv)
{
    uint8_t *data = malloc(FILE_BYTES_MAX);
    demand(data != NULL);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t n = fread(data, 1, FILE_BYTES_MAX, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, n);
    }
    free(data);
    return 0;
}
#endif
