/*
 * Every interleaving of commands and slices on the smallest heaps (model.h), breadth first, from
 * every graph of so many objects and slots and every order in which their roots were dropped; so
 * the history that it finds is one of the shortest of its heap. Each state that is reached is
 * settled, on a copy.
 *
 *   model_exhaustive [--objects N] [--slots N] [--roots N] [--depth N] [--states N] [--rule-off
 * K]...
 *
 * Without --all the commands are those that a small heap needs most. It ends when all histories of
 * --depth steps from these graphs are done, or with --states different states (status 0, and it
 * says which). States are told apart by 64 bits of hash: of a million of them two are confused once
 * in 10^7 runs.
 */
#include <stdlib.h>
#include <string.h>

#include "history.h"

struct options {
    struct model_config config;
    uint32_t depth, states;
    bool all_commands;
};

struct origin {
    uint32_t parent;
    struct model_step step;
};

struct frontier {
    struct model *at;
    uint32_t *number; /* of the state */
    uint32_t count;
};

struct search {
    const struct options *options;
    uint64_t *seen;        /* hashes, by open addressing */
    uint32_t *seen_number; /* the states they belong to */
    uint64_t seen_mask;
    struct origin *origins;
    uint32_t states;
    struct frontier now, next;
    bool full, failed;
};

/* Without what nobody looks at: words of objects that have no place, and what the dead left in the
 * table. Where a rule is off that makes it so, all of it counts. */
static struct model essence_of(const struct model *m)
{
    struct model e = *m;
    if (m->config.off & (RULE_BIT(RULE_10_RESET) | RULE_BIT(RULE_6_NEW) | RULE_BIT(RULE_6_TABLE)))
        return e;
    for (uint8_t o = 1; o <= MODEL_OBJECTS; o++) {
        uint8_t *place = &e.objects[o].place;
        if (*place != MODEL_PLACE_NEW && (*place > m->places || m->table[*place].o != o))
            *place = 0;
    }
    for (uint8_t at = 1; at <= m->places; at++)
        if (!e.table[at].o) e.table[at].shadow = e.table[at].rescued = 0;
    return e;
}

static uint64_t hash_of(const struct model *given)
{
    const struct model essence = essence_of(given), *m = &essence;
    uint64_t hash = 0x9e3779b97f4a7c15U, word;
    const char *at = (const char *)m;
    size_t left = sizeof *m;
    for (; left; at += sizeof word) {
        size_t bytes = left < sizeof word ? left : sizeof word;
        word = 0;
        memcpy(&word, at, bytes);
        hash = (hash ^ word) * 0xff51afd7ed558ccdU;
        hash ^= hash >> 29;
        left -= bytes;
    }
    return hash ? hash : 1;
}

/* The place of a state in the table, found or free. */
static uint64_t look_up(const struct search *s, uint64_t hash)
{
    uint64_t at = hash & s->seen_mask;
    while (s->seen[at] && s->seen[at] != hash) at = (at + 1) & s->seen_mask;
    return at;
}

static void report(const struct search *s, uint32_t parent, struct model_step step)
{
    struct history h = {.config = s->options->config};
    struct model_step steps[HISTORY_STEPS];
    uint32_t count = 0;
    steps[count++] = step;
    for (; parent && count < HISTORY_STEPS; parent = s->origins[parent].parent)
        steps[count++] = s->origins[parent].step;
    while (count) h.steps[h.count++] = steps[--count];
    printf("failed after %u states; a shortest history, %u steps and slices:\n", s->states,
           history_length(&h));
    history_print(stdout, &h);
}

/* Goes on to the state that a step leads to, and returns its number; one that is new is settled,
 * and put into `to`. */
static uint32_t follow(struct search *s, struct model *m, uint32_t number, struct model_step step,
                       struct frontier *to)
{
    model_do(m, step);
    uint64_t hash = hash_of(m), at = look_up(s, hash);
    if (!m->failure && s->seen[at]) return s->seen_number[at];
    struct model settled = *m;
    model_settle(&settled);
    model_check(&settled);
    if (settled.failure) {
        report(s, number, step);
        s->failed = true;
        return 0;
    }
    s->seen[at] = hash;
    s->seen_number[at] = s->states;
    s->origins[s->states] = (struct origin){number, step};
    to->at[to->count] = *m;
    to->number[to->count++] = s->states++;
    s->full = s->states == s->options->states;
    return s->states - 1;
}

static void try_step(struct search *s, uint32_t from, struct model_step step)
{
    if (s->full || s->failed) return;
    struct model m = s->now.at[from];
    follow(s, &m, s->now.number[from], step, &s->next);
}

/* --- the graphs to begin with --- */

struct path {
    struct model m;
    uint32_t number;
};

static void path_step(struct search *s, struct path *p, struct model_step step)
{
    if (!s->full && !s->failed) p->number = follow(s, &p->m, p->number, step, &s->now);
}

/* Drops the roots that are left in `roots`, in every order, all or some. Recursion as deep as there
 * are objects. */
static void seed_drops(struct search *s, struct path p, uint32_t roots)
{
    for (uint32_t left = roots; left; left &= left - 1) {
        uint8_t r = (uint8_t)__builtin_ctz(left);
        struct path next = p;
        path_step(s, &next, (struct model_step){.op = OP_DROP, .ij = r});
        seed_drops(s, next, roots & ~(1U << r));
    }
}

/* Fills the slots of `o` and of those after it in every way. Recursion as deep as there are slots.
 */
static void seed_slots(struct search *s, struct path p, uint8_t o)
{
    const struct model_config *config = &s->options->config;
    if (o > config->objects) {
        seed_drops(s, p, (1U << config->objects) - 1);
        return;
    }
    seed_slots(s, p, (uint8_t)(o + 1));
    if (p.m.objects[o].length == config->slots) return;
    for (uint8_t t = 1; t <= config->objects; t++) {
        struct path next = p;
        path_step(s, &next, (struct model_step){.op = OP_PUSH, .at = o, .what = t});
        seed_slots(s, next, o);
    }
}

static void seed_graphs(struct search *s)
{
    struct path p = {.number = 0};
    model_init(&p.m, &s->options->config);
    s->now.at[0] = p.m;
    s->now.count = s->states = 1;
    for (uint8_t o = 0; o < s->options->config.objects; o++)
        path_step(s, &p, (struct model_step){.op = OP_MAKE, .ij = o});
    seed_slots(s, p, 1);
}

/* --- commands --- */

/* Which operands a command has. */
enum {
    HAS_AT = 1,
    HAS_WHAT = 2,
    HAS_I_ROOT = 4,
    HAS_I_SLOT = 8,
    HAS_I_CELL = 16,
    HAS_J_ROOT = 32,
    HAS_J_SLOT = 64
};

static const struct {
    enum model_op op;
    uint8_t has;
} commands[] = {
    {OP_MAKE, HAS_I_ROOT},
    {OP_NAME, HAS_I_ROOT | HAS_WHAT},
    {OP_DROP, HAS_I_ROOT},
    {OP_PUSH, HAS_AT | HAS_WHAT},
    {OP_STORE, HAS_AT | HAS_WHAT | HAS_I_SLOT},
    {OP_CLEAR, HAS_AT | HAS_I_SLOT},
    {OP_POP, HAS_AT | HAS_I_ROOT},
    {OP_DISCARD, HAS_AT},
    {OP_MOVE, HAS_AT | HAS_WHAT},
    {OP_SWAP, HAS_AT | HAS_I_SLOT | HAS_J_SLOT},
    {OP_WEAK, HAS_I_CELL | HAS_J_ROOT},
    {OP_RELEASE, 0},
    {OP_HOLD, HAS_WHAT},
    {OP_SLICE, 0}, /* the last of COMMANDS_CORE */
    {OP_RENAME, HAS_I_ROOT | HAS_J_ROOT},
    {OP_PUSH_HEAD, HAS_AT | HAS_WHAT},
    {OP_POP_HEAD, HAS_AT | HAS_I_ROOT},
    {OP_PLANT, HAS_AT | HAS_I_ROOT},
    {OP_INSERT, HAS_AT | HAS_WHAT | HAS_I_SLOT},
    {OP_REMOVE, HAS_AT | HAS_I_SLOT},
    {OP_TRIM, HAS_AT},
    {OP_FULL, 0},
    {OP_ENABLE, 0},
    {OP_DISABLE, 0},
    {OP_FREEZE, 0},
    {OP_UNFREEZE, 0},
};

enum { COMMANDS_CORE = 14 };

static uint8_t end_of_i(const struct model_config *config, uint8_t has)
{
    if (has & HAS_I_ROOT) return config->roots;
    if (has & HAS_I_SLOT) return config->slots;
    return has & HAS_I_CELL ? config->objects : 1;
}

static void try_command(struct search *s, uint32_t from, enum model_op op, uint8_t has)
{
    const struct model_config *config = &s->options->config;
    uint8_t i_end = end_of_i(config, has), j_end = has & HAS_J_ROOT ? config->roots : 1;
    if (has & HAS_J_SLOT) j_end = config->slots;
    uint8_t at_end = has & HAS_AT ? config->objects : 1;
    uint8_t what_end = has & HAS_WHAT ? config->objects : 1;
    for (uint8_t at = 1; at <= at_end; at++)
        for (uint8_t what = 1; what <= what_end; what++)
            for (uint8_t i = 0; i < i_end; i++)
                for (uint8_t j = 0; j < j_end; j++)
                    try_step(s, from, (struct model_step){op, at, what, (uint8_t)(i | j << 4)});
}

static bool search_init(struct search *s, const struct options *options)
{
    *s = (struct search){.options = options, .seen_mask = 1};
    while (s->seen_mask < 2 * (uint64_t)options->states) s->seen_mask = s->seen_mask * 2 + 1;
    s->seen = calloc(s->seen_mask + 1, sizeof *s->seen);
    s->seen_number = calloc(s->seen_mask + 1, sizeof *s->seen_number);
    s->origins = calloc(options->states, sizeof *s->origins);
    struct frontier *frontiers[] = {&s->now, &s->next};
    for (int f = 0; f < 2; f++) {
        frontiers[f]->at = calloc(options->states, sizeof *frontiers[f]->at);
        frontiers[f]->number = calloc(options->states, sizeof *frontiers[f]->number);
        if (!frontiers[f]->at || !frontiers[f]->number) return false;
    }
    return s->seen && s->seen_number && s->origins;
}

static void search_fini(struct search *s)
{
    free(s->seen);
    free(s->seen_number);
    free(s->origins);
    free(s->now.at);
    free(s->now.number);
    free(s->next.at);
    free(s->next.number);
}

static void search_run(struct search *s)
{
    seed_graphs(s);
    uint32_t depth = 0, graphs = s->states;
    size_t commands_end = sizeof commands / sizeof *commands;
    if (!s->options->all_commands) commands_end = COMMANDS_CORE;
    while (depth < s->options->depth && s->now.count && !s->full && !s->failed) {
        for (uint32_t from = 0; from < s->now.count; from++)
            for (size_t c = 0; c < commands_end; c++)
                try_command(s, from, commands[c].op, commands[c].has);
        struct frontier done = s->now;
        s->now = s->next;
        s->next = (struct frontier){done.at, done.number, 0};
        if (!s->full) depth++;
    }
    if (s->failed) return;
    printf("%u graphs, %u states, ", graphs, s->states);
    if (s->now.count)
        printf("all histories of %u steps: nothing found\n", depth);
    else
        printf("and there are no others: nothing found\n");
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(word, "--all") == 0) {
            options->all_commands = true;
            continue;
        }
        if (!value) return false;
        i++;
        uint32_t number = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(word, "--rule-off") == 0) {
            uint64_t rules = model_rules_named(value);
            if (!rules) return false;
            options->config.off |= rules;
        } else if (strcmp(word, "--objects") == 0) {
            options->config.objects = (uint8_t)number;
        } else if (strcmp(word, "--slots") == 0) {
            options->config.slots = (uint8_t)number;
        } else if (strcmp(word, "--roots") == 0) {
            options->config.roots = (uint8_t)number;
        } else if (strcmp(word, "--depth") == 0) {
            options->depth = number;
        } else if (strcmp(word, "--states") == 0) {
            options->states = number;
        } else {
            return false;
        }
    }
    const struct model_config *c = &options->config;
    return c->objects >= 1 && c->objects <= c->roots && c->objects <= MODEL_OBJECTS &&
           c->slots >= 1 && c->slots <= MODEL_SLOTS && c->roots >= 1 && c->roots <= MODEL_ROOTS &&
           options->depth <= HISTORY_STEPS && options->states >= 2;
}

int main(int argc, char **argv)
{
    struct options options = {
        .config = {.off = RULES_OFF_REAL, .objects = 2, .slots = 2, .roots = 2, .count_max = 255},
        .depth = 60,
        .states = 400000,
    };
    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: model_exhaustive [--objects N] [--slots N] [--roots N] [--depth N]"
                        " [--states N] [--rule-off K]...\n");
        return 2;
    }
    struct search s;
    bool failed = true;
    if (search_init(&s, &options)) {
        search_run(&s);
        failed = s.failed;
    }
    search_fini(&s);
    return failed;
}
