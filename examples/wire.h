/*
 * What the tour asks of a server: one command that is shown with its reply, one that is not, a
 * pipeline whose replies are added up, and the figures of INFO. The first failure is kept as one
 * line, and every function says false or NULL from then on.
 *
 * Invariants
 *  1. A reply that comes out is no error reply.
 * Ownership: struct wire owns its connection; replies belong to the caller (heapd_reply_free).
 */
#ifndef EXAMPLES_WIRE_H
#define EXAMPLES_WIRE_H

#include "client/heapd.h"

enum { WIRE_ERROR_BYTES = 512, WIRE_TIMEOUT_MS = 120000, WIRE_SHOWN_ARGUMENTS_MAX = 16 };

struct wire {
    struct heapd *h;
    char error[WIRE_ERROR_BYTES]; /* "" as long as nothing failed */
    uint64_t sum;                 /* of the integers that a pipeline was answered with */
};

/* What INFO says, under its own names. */
struct figures {
    uint64_t process_id;
    uint64_t used_memory, used_memory_rss;
    uint64_t heap_objects, heap_objects_hash, heap_names, heap_release_pending_objects;
    uint64_t heap_interned_strings, heap_intern_saved_bytes;
    uint64_t heap_pool_live_bytes, heap_large_bytes;
    uint64_t gc_trials, gc_collected_objects, gc_slices, gc_cpu_us, gc_longest_slice_us;
    uint64_t loop_longest_step_us;
};

/* Keeps the first failure. Always false. */
bool wire_fail(struct wire *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The words up to NULL, as one command, shown with its reply and a remark behind that (NULL: none).
 * At most WIRE_SHOWN_ARGUMENTS_MAX words. */
struct heapd_reply *wire_show(struct wire *w, const char *remark, ...) __attribute__((sentinel));
struct heapd_reply *wire_ask(struct wire *w, ...) __attribute__((sentinel));

/* A pipeline: begin, any number of commands, end. `sum` then has what was answered. */
bool wire_pipeline_begin(struct wire *w);
bool wire_pipeline_add(struct wire *w, size_t argc, const struct proto_view *argv);
bool wire_pipeline_end(struct wire *w);

bool wire_figures(struct wire *w, struct figures *out);
/* Waits until the release queue is empty and memory does not fall any more; then the figures. */
bool wire_settled_figures(struct wire *w, struct figures *out);

#endif
