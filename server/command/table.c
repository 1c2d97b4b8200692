/* The command table: the rows of commands.def, and how a name finds its row. */
#include <stdio.h>

#include "base/hash.h"
#include "command/command.h"

/* clang-format off */
static const struct command rows[] = {
#define COMMAND(name_, run_, arity_, flags_, first_, last_, step_, vfirst, vlast, vstep, vreplies,  \
                categories_, since_, group_, complexity_, summary_, syntax_)                       \
    {.name = name_, .run = run_, .arity = arity_, .flags = flags_, .first_key = first_,            \
     .last_key = last_, .key_step = step_, .values = {vfirst, vlast, vstep, vreplies},             \
     .categories = categories_, .since = since_, .group = group_, .complexity = complexity_,       \
     .summary = summary_, .syntax = syntax_},
#define COMMAND_GROUP(name_, arity_, categories_, since_, group_, complexity_, summary_)           \
    {.name = name_, .arity = arity_, .flags = COMMAND_CONTAINER, .categories = categories_, .since = since_, .group = group_,  \
     .complexity = complexity_, .summary = summary_, .syntax = ""},
#include "command/commands.def"
#undef COMMAND
#undef COMMAND_GROUP
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof rows[0], SLOTS = 1024, NAME_BYTES_MAX = 32 };

static_assert((int)ROWS <= (int)COMMANDS_MAX, "statistics have a place for every command");

/* Row + 1 by the hash of the upper-case name, open addressing at a quarter load. It is made of
 * constants at the first lookup. */
static uint16_t slots[SLOTS];

static uint32_t name_hash(struct view name)
{
    uint32_t h = (uint32_t)name.n * 0x9e3779b1u;
    for (size_t i = 0; i < name.n; i++) h = (h ^ (uint32_t)(name.p[i] & 0xdf)) * 0x01000193u;
    return h ^ (h >> 15);
}

static void fill_slots(void)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t at = name_hash(view_of(rows[i].name)) % SLOTS;
        while (slots[at]) at = (at + 1) % SLOTS;
        slots[at] = (uint16_t)(i + 1);
    }
}

const struct command *command_at(uint32_t index)
{
    return index < ROWS ? &rows[index] : NULL;
}

uint32_t command_count(void)
{
    return ROWS;
}

uint32_t command_index(const struct command *cmd)
{
    return (uint32_t)(cmd - rows);
}

const struct command *command_find(struct view name)
{
    if (UNLIKELY(!slots[name_hash(view_of(rows[0].name)) % SLOTS])) fill_slots();
    for (uint32_t at = name_hash(name) % SLOTS; slots[at]; at = (at + 1) % SLOTS) {
        const struct command *row = &rows[slots[at] - 1];
        if (view_is(name, row->name)) return row;
    }
    return NULL;
}

const struct command *command_find_sub(const struct command *container, struct view name)
{
    char full[2 * NAME_BYTES_MAX];
    if (name.n > NAME_BYTES_MAX || memchr(name.p, '|', name.n) || memchr(name.p, '\0', name.n))
        return NULL;
    int n = snprintf(full, sizeof full, "%s|%.*s", container->name, (int)name.n, name.p);
    return n > 0 ? command_find((struct view){full, (size_t)n}) : NULL;
}
