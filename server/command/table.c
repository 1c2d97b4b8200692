/* The command table: the rows of commands.def, and how a name finds its row. */
#include <stdio.h>

#include "command/command.h"

/* clang-format off */
static const struct command rows[] = {
#define COMMAND(name_, run_, arity_, flags_, first_, last_, step_, vfirst, vlast, vstep, vreplies,  \
                categories_, since_, group_, complexity_, summary_, syntax_)                       \
    {.name = name_, .run = run_, .arity = arity_, .flags = flags_, .first_key = first_,            \
     .last_key = last_, .key_step = step_, .values = {vfirst, vlast, vstep, vreplies},             \
     .categories = categories_, .since = since_, .group = group_, .complexity = complexity_,       \
     .summary = summary_, .syntax = syntax_},
#define COMMAND_GROUP(name_, arity_, categories_, since_, group_, complexity_, summary_, syntax_)  \
    {.name = name_, .arity = arity_, .flags = COMMAND_CONTAINER, .categories = categories_, .since = since_, .group = group_,  \
     .complexity = complexity_, .summary = summary_, .syntax = syntax_},
#include "command/commands.def"
#undef COMMAND
#undef COMMAND_GROUP
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof rows[0], SLOTS = 1024, SLOTS_BITS = 10, NAME_BYTES_MAX = 32 };

static_assert((int)ROWS <= (int)COMMANDS_MAX, "statistics have a place for every command");

/* A name in lower case, as two words that it can be told by: its first eight bytes and its last
 * eight, or what there is. Names that are longer than both are compared byte by byte too. */
struct name_key {
    uint64_t first, last;
    size_t bytes;
};

/* Row + 1 by the hash of the name, open addressing at a quarter load. It is made of constants at
 * the first lookup. */
static bool slots_filled;
static struct {
    uint64_t first, last;
    uint32_t bytes;
    uint32_t row;
} slots[SLOTS];

/* Eight bytes at once; those that are no letters stay as they are. */
static uint64_t lower(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101ULL, low = w & 0x7f * ones;
    uint64_t from_a = low + (0x80 - 'A') * ones, behind_z = low + (0x7f - 'Z') * ones;
    return w | ((from_a & ~behind_z & ~w & 0x80 * ones) >> 2);
}

static uint64_t load8(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static uint64_t load4(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static uint64_t load1(const char *p)
{
    return (unsigned char)*p;
}

static struct name_key key_of(struct view name)
{
    const char *p = name.p;
    size_t n = name.n;
    struct name_key key = {.bytes = n};
    if (n >= 8) {
        key.first = lower(load8(p));
        key.last = lower(load8(p + n - 8));
    } else if (n >= 4) {
        key.first = lower(load4(p) | load4(p + n - 4) << 32);
    } else if (n > 0) {
        key.first = lower(load1(p) | load1(p + n / 2) << 8 | load1(p + n - 1) << 16);
    }
    return key;
}

static uint32_t slot_of(struct name_key key)
{
    uint64_t w = key.first ^ (key.last << 23 | key.last >> 41) ^ key.bytes;
    return (uint32_t)(w * 0x9e3779b97f4a7c15ULL >> (64 - SLOTS_BITS));
}

static void fill_slots(void)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        struct name_key key = key_of(view_of(rows[i].name));
        uint32_t at = slot_of(key);
        while (slots[at].row) at = (at + 1) % SLOTS;
        slots[at].first = key.first;
        slots[at].last = key.last;
        slots[at].bytes = (uint32_t)key.bytes;
        slots[at].row = i + 1;
    }
    slots_filled = true;
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
    if (UNLIKELY(!slots_filled)) fill_slots();
    struct name_key key = key_of(name);
    for (uint32_t at = slot_of(key); slots[at].row; at = (at + 1) % SLOTS) {
        if (slots[at].first != key.first || slots[at].last != key.last ||
            slots[at].bytes != key.bytes)
            continue;
        const struct command *row = &rows[slots[at].row - 1];
        if (key.bytes <= 16 || view_is(name, row->name)) return row;
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
