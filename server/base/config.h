/*
 * The configuration: one row per directive, set from the file, the command line and CONFIG SET.
 * Called by main, and by command/ for CONFIG. It does not act on changed values.
 *
 * The rows (CONFIG_TABLE in config.c) give the field, its kind, limits and default, and whether
 * CONFIG SET may change it. A line `name value` of the file is `--name value` on the command line,
 * as in Redis. Names are case-insensitive. The file is read first, so the command line wins. Quotes
 * and escapes in the file are Redis's. On the command line, a word that begins with "--" is always
 * a directive.
 *
 * Pinned rows (save, appendonly, databases) have no field: Redis's tools ask for them, and may set
 * them only to their fixed value.
 *
 * Invariants
 *   1. Every number lies within its row's limits; every text is shorter than CONFIG_TEXT_BYTES.
 *   2. loglevel and maxmemory_policy are one of their row's words, spelled as in the row.
 * Ownership: the texts are stored in the struct. It can be copied; a CONFIG SET of several
 * directives is undone that way.
 * Cost: a lookup scans all rows. Reading a file allocates one line.
 */
#ifndef HEAPD_BASE_CONFIG_H
#define HEAPD_BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum { CONFIG_TEXT_BYTES = 256, CONFIG_ERROR_BYTES = 512 };

/* Which of the limits of client-output-buffer-limit holds for a client. */
enum client_class { CLIENT_NORMAL, CLIENT_REPLICA, CLIENT_PUBSUB, CLIENT_CLASSES };

/* Of replies that a client does not read; 0 = no limit. */
struct output_limit {
    uint64_t hard_bytes;
    uint64_t soft_bytes, soft_s; /* more than so many bytes for so many seconds */
};

struct config {
    char bind[CONFIG_TEXT_BYTES]; /* addresses, separated by single spaces */
    char http_bind[CONFIG_TEXT_BYTES];
    char http_hosts[CONFIG_TEXT_BYTES]; /* names that HTTP answers to, separated by spaces */
    char logfile[CONFIG_TEXT_BYTES];
    char loglevel[CONFIG_TEXT_BYTES];
    char maxmemory_policy[CONFIG_TEXT_BYTES];
    char requirepass[CONFIG_TEXT_BYTES];
    char hash_seed[CONFIG_TEXT_BYTES]; /* hexadecimal digits; "" = a random seed */
    char file[CONFIG_TEXT_BYTES];      /* the file that was read; not a directive */
    uint64_t port, http_port;          /* http_port: 0 = off */
    bool protected_mode;               /* without a password only loopback is served */
    bool io_uring;                     /* where the system has it */
    uint64_t poll_gap_us;              /* between polls, at most; 0 = none waits */
    uint64_t tcp_backlog, tcp_keepalive, timeout, maxclients;
    uint64_t maxmemory;        /* bytes; 0 = no limit */
    int64_t maxmemory_clients; /* bytes; 0 = no limit; negative: so many percent */
    struct output_limit output_limits[CLIENT_CLASSES];
    uint64_t maxmemory_samples, lfu_log_factor, lfu_decay_time;
    uint64_t proto_max_bulk_len;   /* bytes */
    uint64_t memory_waste_percent; /* of the pools, at which they are compacted; 0 = never */
    uint64_t gc_budget_us, gc_threshold;
    uint64_t handles_max; /* of one client */
    uint64_t reply_depth_max, reply_values_max, reply_bytes_max;
    /* Up to which containers are packed: how many elements, and how long a text among them. */
    int64_t list_max_listpack_size; /* elements; negative: one of Redis's sizes in bytes */
    uint64_t hash_max_listpack_entries, hash_max_listpack_value;
    uint64_t set_max_intset_entries, set_max_listpack_entries, set_max_listpack_value;
    uint64_t zset_max_listpack_entries, zset_max_listpack_value;
    bool gc;
};

/* The defaults. */
void config_init(struct config *c);
/* argv as main's: argv[1], unless it begins with "--", is the file. False with one whole line for
 * standard error in `error` (no newline), which says which file, line, directive and value; what
 * came before it has been set. */
bool config_load(struct config *c, int argc, char **argv, char error[CONFIG_ERROR_BYTES]);

enum config_set { CONFIG_SET_DONE, CONFIG_SET_UNKNOWN, CONFIG_SET_FIXED, CONFIG_SET_INVALID };
/* CONFIG SET of one directive. CONFIG_SET_FIXED: it cannot be changed while the server runs. On
 * CONFIG_SET_INVALID `error` says why, in Redis's words where it has them, without Redis's "CONFIG
 * SET failed ..." before it; in other results it is untouched. */
enum config_set config_set(struct config *c, struct view name, struct view value,
                           char error[CONFIG_ERROR_BYTES]);
/* The directives in the order of the table, name and value as text; false when index is past it. */
bool config_get(const struct config *c, uint32_t index, const char **name,
                char value[CONFIG_TEXT_BYTES]);

#endif
