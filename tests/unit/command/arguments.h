/*
 * What stands where among a command's arguments, as its row says: for those that draw commands from
 * the table.
 */
#ifndef TEST_COMMAND_ARGUMENTS_H
#define TEST_COMMAND_ARGUMENTS_H

#include <string.h>

#include "command/command.h"

enum { WORDS_MAX = 32, WORD_BYTES = 24 };

/* The words of a command's syntax that stand for themselves: NX, COUNT, BYSCORE. */
struct words {
    char at[WORDS_MAX][WORD_BYTES];
    uint32_t count;
};

static inline void words_of(const struct command *cmd, struct words *words)
{
    words->count = 0;
    const char *p = cmd->syntax ? cmd->syntax : "";
    while (*p && words->count < WORDS_MAX) {
        size_t n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        bool whole =
            n > 1 && n < WORD_BYTES && !strchr("-_abcdefghijklmnopqrstuvwxyz", p[n] ? p[n] : ' ');
        if (whole) {
            memcpy(words->at[words->count], p, n);
            words->at[words->count++][n] = 0;
        }
        p += n ? n : 1;
    }
}

static inline bool argument_in(uint32_t i, int first, int last, int step)
{
    if (first == 0 || (int)i < first || step <= 0) return false;
    if (last >= 0 && (int)i > last) return false;
    return ((int)i - first) % step == 0;
}

enum argument { ARGUMENT_KEY, ARGUMENT_VALUE, ARGUMENT_OTHER };

/* The i-th, of which the first is the command's name. */
static inline enum argument argument_at(const struct command *cmd, uint32_t i)
{
    if (argument_in(i, cmd->first_key, cmd->last_key, cmd->key_step)) return ARGUMENT_KEY;
    bool value = argument_in(i, cmd->values.first, cmd->values.last, cmd->values.step);
    return value ? ARGUMENT_VALUE : ARGUMENT_OTHER;
}

static inline uint32_t arguments_min(const struct command *cmd)
{
    return (uint32_t)(cmd->arity < 0 ? -cmd->arity : cmd->arity);
}

#endif
