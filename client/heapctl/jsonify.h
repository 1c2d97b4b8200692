/*
 * Replies as JSON, without loss: heapctl --json. Bytes that are UTF-8 become a string, others
 * {"base64": "..."}; an error becomes {"error": "..."}, a reference {"ref": "#:1f"}; doubles that
 * JSON lacks ("inf", "nan") and big numbers become strings. A map becomes an object where all its
 * keys are distinct texts or integers, else an array of pairs.
 *
 * Invariants
 *  1. The result is complete or NULL.
 *
 * Ownership: the caller owns the result (json_decref).
 *
 * Cost: O(bytes). It recurses into children, REPLY_DEPTH_MAX deep at most.
 */
#ifndef HEAPCTL_JSONIFY_H
#define HEAPCTL_JSONIFY_H

#include <jansson.h>
#include <stdio.h>

#include "proto/reply.h"

/* NULL: no memory. */
json_t *jsonify_reply(const struct heapd_reply *reply);

/* In one line, without its end; false: no memory. */
bool jsonify_put(FILE *to, const struct heapd_reply *reply);
/* One line; false: no memory. */
bool jsonify_print(FILE *to, const struct heapd_reply *reply);

#endif
