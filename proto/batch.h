/*
 * Parses several whole requests at the front of a pipeline in one pass, so that the server can
 * prefetch memory for all of them before it runs the first. net/ calls it; request.h parses the
 * rest.
 *
 * It takes only plain requests: multibulk, whole, with few arguments and counts written in the
 * usual way. Anything else (an inline request, an unfinished one, one that is broken or over a
 * limit) ends the batch and is left to the reader. For a request taken here, the reader would have
 * found the same arguments and the same length. So only request.h decides what is broken and how to
 * report it, and this module has no state.
 *
 * Invariants
 *   1. count <= BATCH_REQUESTS_MAX; the requests are contiguous from the first byte of the input.
 *   2. Every request has at least one argument; args has the arguments in the order of the
 *      requests.
 * Ownership: the caller owns the batch; its views point into the caller's buffer.
 * Cost: O(bytes of the count lines). For a request that is not taken, at most BATCH_ARGS_MAX count
 * lines are read in vain.
 */
#ifndef PROTO_BATCH_H
#define PROTO_BATCH_H

#include "proto/request.h"

enum { BATCH_REQUESTS_MAX = 16, BATCH_ARGS_MAX = 128 };

struct batch_request {
    const struct proto_view *argv;
    uint32_t argc;
    size_t bytes; /* its length in the input */
};

struct request_batch {
    uint32_t count;
    struct batch_request requests[BATCH_REQUESTS_MAX];
    struct proto_view args[BATCH_ARGS_MAX];
};

/* Takes at most requests_max requests from the front of the input, which begins a request; sets
 * batch->count. */
void request_batch_read(struct request_batch *batch, const struct request_limits *limits,
                        uint32_t requests_max, const char *buf, size_t len);

#endif
