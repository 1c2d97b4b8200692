/*
 * Counts error replies by their first word ("ERR", "WRONGTYPE", ...), for INFO errorstats.
 * call_error reports each error here.
 *
 * The table has a fixed size, so no client can make it grow: when ERROR_STATS_MAX words are in use,
 * errors with other words are counted together as ERROR_STATS_OTHER.
 *
 * Invariants
 *   1. The first `count` rows have distinct words, in the order of strcmp.
 * Ownership: none. Cost: a binary search per error; a new word moves the rows behind it.
 */
#ifndef HEAPD_ENGINE_ERROR_STATS_H
#define HEAPD_ENGINE_ERROR_STATS_H

#include <stdint.h>

enum { ERROR_STATS_MAX = 128, ERROR_WORD_BYTES = 32 };

#define ERROR_STATS_OTHER "ERRORSTATS_OVERFLOW"

struct error_stat {
    char word[ERROR_WORD_BYTES];
    uint64_t replies;
};

struct error_stats {
    uint32_t count;
    uint64_t other;
    struct error_stat of[ERROR_STATS_MAX];
};

/* Counts an error line without its '-'. A line that begins with no word counts as ERR, as in Redis.
 */
void error_stats_add(struct error_stats *all, const char *line);

#endif
