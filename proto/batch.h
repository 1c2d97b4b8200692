/*
 * Reads a pipeline ahead: the whole requests at the front of the input, several in one pass, so
 * that the server can look at the next ones (and have memory fetch what they will want) before it
 * runs the first. net/ calls it; request.h reads whatever this leaves.
 *
 * Only plain requests are taken: multibulk, whole, of few arguments, their counts written in the
 * usual way. Anything else (an inline request, a rest, a request that is broken or over a limit)
 * ends the batch and is the reader's to judge: what is taken here, the reader would have read to
 * the same arguments and the same length. So there is one place that knows what is broken and how
 * it is told, and this one stays without state.
 *
 * Invariants
 *  1. count <= BATCH_REQUESTS_MAX; the requests lie end to end from the first byte of the input.
 *  2. Every request has at least one argument; its arguments lie in args, behind those before it.
 * Ownership: the batch is the caller's; its views point into the caller's buffer.
 * Cost: O(bytes of the count lines). Of a request that turns out not to be taken at most
 * BATCH_ARGS_MAX count lines were looked at in vain.
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
