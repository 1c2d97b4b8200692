/*
 * Fetches into the cache what a pipeline's requests will touch, before the first of them runs. Most
 * of a small request's time would otherwise be spent waiting for the bucket of its key and then for
 * the entry; here all requests of a batch wait for theirs at the same time.
 *
 * net/ calls it with each batch of two or more requests, and then dispatch() for each. It looks at
 * the first key of each request. It fills in a request's row of the command table and the hash of
 * its first key, which follow from the request's bytes alone; everything else is a hint to the
 * processor, so nothing becomes wrong whatever the earlier requests of the batch change. It counts
 * nothing, removes nothing and cannot fail. A small heap lies in the cache anyway: there only the
 * rows and the hashes are found.
 *
 * Ownership: none. Cost: a hash of each first key and a few loads.
 */
#ifndef HEAPD_COMMAND_PREFETCH_H
#define HEAPD_COMMAND_PREFETCH_H

#include "command/command.h"

enum { PREFETCH_REQUESTS_MAX = 16 };

/* At most PREFETCH_REQUESTS_MAX requests, each with argc > 0. */
void prefetch_requests(const struct engine *s, struct request *requests, uint32_t count);

#endif
