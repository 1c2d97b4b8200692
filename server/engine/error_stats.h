/*
 * How many error replies began with which word ("ERR", "WRONGTYPE", ...), for INFO errorstats.
 * call_error tells it of each.
 *
 * The words are few and the server's own, but nothing that a client can bring about may grow
 * without a bound: further ones than ERROR_STATS_MAX are counted together, as ERROR_STATS_OTHER.
 *
 * Invariants
 *   1. The first `count` rows have words, in the order of strcmp, each once.
 * Ownership: none. Cost: a binary search for an error; a new word moves the rows behind it.
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

/* A reply's line without its '-'. One without a word in front counts as ERR, as in Redis. */
void error_stats_add(struct error_stats *all, const char *line);

#endif
