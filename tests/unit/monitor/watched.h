/*
 * A server to be watched: without names and clients, with some statistics written by hand.
 */
#ifndef TEST_MONITOR_WATCHED_H
#define TEST_MONITOR_WATCHED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "command/command.h"

static inline struct engine *watched_new(void)
{
    struct engine *s = calloc(1, sizeof *s);
    assert_non_null(s);
    struct config config;
    config_init(&config);
    assert_int_equal(engine_init(s, &config, &(struct clock){0}), STATUS_OK);
    return s;
}

static inline void watched_free(struct engine *s)
{
    engine_fini(s);
    free(s);
}

static inline struct command_stats *watched_command(struct engine *s, const char *name)
{
    return &s->stats.command[command_index(command_find(view_of(name)))];
}

static inline void watched_call(struct engine *s, const char *name, uint64_t ns)
{
    struct command_stats *stats = watched_command(s, name);
    stats->calls++;
    stats->ns += ns;
    histogram_record(&stats->duration_ns, ns);
    s->stats.commands++;
}

#endif
