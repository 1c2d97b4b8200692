/*
 * The configuration: one row a directive, from the file, the command line and CONFIG SET.
 *
 * The rows (CONFIG_TABLE in config.c) name the field, its kind, its limits and default, and whether CONFIG SET may change it. A
 * directive of the file `name value` is `--name value` on the command line, as in Redis. Unknown ones are errors. Strings belong to the struct.
 */
#ifndef HEAPD_BASE_CONFIG_H
#define HEAPD_BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum { CONFIG_TEXT_BYTES = 256, CONFIG_ERROR_BYTES = 512 };

struct config {
    char bind[CONFIG_TEXT_BYTES];
    char http_bind[CONFIG_TEXT_BYTES];
    char logfile[CONFIG_TEXT_BYTES];
    char loglevel[CONFIG_TEXT_BYTES];
    char requirepass[CONFIG_TEXT_BYTES];
    char hash_seed[CONFIG_TEXT_BYTES];
    char file[CONFIG_TEXT_BYTES]; /* the file that was read; not a directive */
    uint64_t port, http_port;     /* 0 = off */
    uint64_t tcp_backlog, tcp_keepalive, timeout, maxclients;
    uint64_t maxmemory;           /* bytes; 0 = no limit */
    uint64_t proto_max_bulk_len;  /* bytes */
    uint64_t output_buffer_limit; /* bytes that wait for a slow reader before it is closed */
    uint64_t gc_budget_us, gc_threshold;
    uint64_t reply_depth_max, reply_values_max;
    bool gc;
};

void config_init(struct config *c);
/* argv as main's; the first argument that does not begin with "--" is the file. False with one line in `error`. */
bool config_load(struct config *c, int argc, char **argv, char error[CONFIG_ERROR_BYTES]);

enum config_set { CONFIG_SET_DONE, CONFIG_SET_UNKNOWN, CONFIG_SET_FIXED, CONFIG_SET_INVALID };
/* CONFIG SET of one directive. On CONFIG_SET_INVALID `error` says why, in Redis's words where it has them. */
enum config_set config_set(struct config *c, struct view name, struct view value, char error[CONFIG_ERROR_BYTES]);
/* The directives in the table's order: name and value as text; false when index is past the last. */
bool config_get(const struct config *c, uint32_t index, const char **name, char value[CONFIG_TEXT_BYTES]);

#endif
