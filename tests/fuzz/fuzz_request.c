/*
 * Fuzzes the reader of requests: the same bytes at once and in pieces must give the same items.
 *
 * With libFuzzer:  clang -fsanitize=fuzzer,address,undefined -DFUZZ_LIBFUZZER -D_GNU_SOURCE -I. \
 *                  tests/fuzz/fuzz_request.c proto/request.c proto/buf.c -o fuzz_request
 * With AFL, or by hand:  fuzz_request FILE...
 */
#include "proto/request.h"

#include <stdio.h>
#include <stdlib.h>

/* The largest file that is read; fuzzers' inputs are far smaller. */
#define FILE_BYTES_MAX ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct request_limits LIMITS = {
    .bulk_bytes_max = 65536, .args_max = 1000, .inline_bytes_max = 256};

static void demand(bool holds)
{
    if (!holds) abort();
}

/* FNV-1a: enough to tell two runs apart. */
static uint64_t mix(uint64_t sum, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) sum = (sum ^ (unsigned char)p[i]) * 0x100000001b3;
    return (sum ^ n) * 0x100000001b3;
}

/* Reads all requests, `step` bytes more at each call, each time at another address. */
static uint64_t read_all(const char *data, size_t n, size_t step)
{
    struct request_reader r;
    request_reader_init(&r, &LIMITS);
    uint64_t sum = 0xcbf29ce484222325;
    size_t start = 0, len = 0;
    for (;;) {
        size_t bytes = len - start;
        char *copy = malloc(bytes + (bytes == 0));
        demand(copy != NULL);
        if (bytes != 0) memcpy(copy, data + start, bytes);
        enum request_status status = request_reader_next(&r, copy, bytes);
        demand(status != REQUEST_OOM && request_reader_check(&r) == 0);
        if (status == REQUEST_READY) {
            demand(r.bytes > 0 && r.bytes <= bytes);
            start += r.bytes;
            for (uint32_t i = 0; i < r.argc; i++) sum = mix(sum, r.argv[i].p, r.argv[i].n);
            sum = mix(sum, ";", 1);
        } else if (status == REQUEST_BROKEN) {
            sum = mix(sum, r.error, strlen(r.error));
        }
        free(copy);
        if (status == REQUEST_BROKEN || (status == REQUEST_MORE && len == n)) break;
        if (status == REQUEST_MORE) len = n - len < step ? n : len + step;
    }
    request_reader_fini(&r);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    uint64_t whole = read_all(p, n, n + 1);
    demand(read_all(p, n, n / 3 + 1) == whole);
    /* One byte at a time copies what is unfinished at each: only for inputs of a fuzzer's size. */
    if (n <= 4096) demand(read_all(p, n, 1) == whole);
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
