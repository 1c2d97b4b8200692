/*
 * Random histories of the model (model.h).
 *
 *   model_random [--episodes N] [--seed S] [--rule-off K]... [--steps N] [--shortest N]
 *       plays N episodes; a failure ends the run with status 1 and is printed, shortened: the
 * shortest of the first --shortest failures. model_random --every-rule [--episodes N] [--seed S]
 *       for each switch in turn, and each that is off in the real collector turned on: N episodes
 * at most, in which it must fail; those known to be redundant must not.
 */
#include <stdlib.h>
#include <string.h>

#include "history.h"

struct options {
    uint64_t episodes, seed, off;
    uint32_t steps, shortest;
    bool every_rule, quiet;
};

/* --- drawing --- */

struct draw {
    uint64_t state;
};

/* splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t draw(struct draw *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static struct model_config draw_config(struct draw *d, uint64_t off)
{
    uint64_t bits = draw(d);
    struct model_config config = {
        .off = off,
        .objects = (uint8_t)(2 + (bits & 0xff) % (2 + (bits >> 40 & 0xff) % (MODEL_OBJECTS - 2))),
        .slots = (uint8_t)(1 + (bits >> 8) % MODEL_SLOTS),
        .roots = (uint8_t)(2 + (bits >> 16) % (MODEL_ROOTS - 1)),
        .count_max = (bits >> 24 & 3) == 0 ? 3 : 255,
    };
    if ((bits >> 32 & 3) == 0) config.off &= ~RULES_OFF_REAL;
    return config;
}

/* One of a set of bits, counted from 1; 0 when there is none. */
static uint8_t draw_bit(uint32_t set, uint32_t bits)
{
    uint32_t skip = ((bits & 0xffff) * (uint32_t)__builtin_popcount(set)) >> 16;
    for (; skip; skip--) set &= set - 1;
    return set ? (uint8_t)(__builtin_ctz(set) + 1) : 0;
}

/*
 * An episode begins with steps that build a graph, and goes on with those of some kinds only, which
 * differ from episode to episode: what takes three commands of one kind would hardly ever come up
 * among all kinds (swarm testing: Groce et al., 2012).
 */
enum { WEIGHTS_MAX = 128 };

struct menu {
    uint8_t ops[WEIGHTS_MAX];
    uint32_t count;
};

static void menu_add(struct menu *menu, enum model_op op, uint32_t weight)
{
    while (weight-- && menu->count < WEIGHTS_MAX) menu->ops[menu->count++] = (uint8_t)op;
}

static const struct menu *menu_build(void)
{
    static struct menu menu;
    if (menu.count) return &menu;
    menu_add(&menu, OP_MAKE, 5);
    menu_add(&menu, OP_PUSH, 6);
    menu_add(&menu, OP_NAME, 1);
    menu_add(&menu, OP_DROP, 1);
    menu_add(&menu, OP_PLANT, 1);
    return &menu;
}

static void menu_draw(struct draw *d, struct menu *menu)
{
    static const uint8_t weight_of[OPS] = {
#define X(name, weight) [OP_##name] = weight,
        MODEL_OPS(X)
#undef X
    };
    uint64_t bits = draw(d), kinds_mask = draw(d) & draw(d);
    menu->count = 0;
    if (bits >> 60 & 1) {
        kinds_mask |= 1U << OP_SLICE;
        for (uint32_t op = 0; op < OPS; op++)
            if (kinds_mask >> op & 1) menu_add(menu, (enum model_op)op, weight_of[op]);
        return;
    }
    menu_add(menu, OP_SLICE, weight_of[OP_SLICE]);
    menu_add(menu, OP_DROP, bits & 1 ? weight_of[OP_DROP] : 1);
    for (uint32_t kinds = 2 + (bits >> 1 & 3); kinds; kinds--) {
        enum model_op op = (enum model_op)((bits >> 8 & 0xff) * OP_SLICE >> 8);
        menu_add(menu, op, 6);
        bits >>= 8;
    }
    for (uint32_t op = OP_SLICE + 1; op < OPS && (bits >> 2 & 1); op++)
        menu_add(menu, (enum model_op)op, weight_of[op]);
}

/* What i stands for in a step. */
enum number {
    NUMBER_NONE,
    NUMBER_EMPTY_ROOT,
    NUMBER_ROOT,
    NUMBER_SLOT,
    NUMBER_CELL,
    NUMBER_SLICES
};

static const uint8_t numbers[OPS] = {
    [OP_MAKE] = NUMBER_EMPTY_ROOT, [OP_NAME] = NUMBER_EMPTY_ROOT,     [OP_DROP] = NUMBER_ROOT,
    [OP_RENAME] = NUMBER_ROOT,     [OP_STORE] = NUMBER_SLOT,          [OP_CLEAR] = NUMBER_SLOT,
    [OP_POP] = NUMBER_EMPTY_ROOT,  [OP_POP_HEAD] = NUMBER_EMPTY_ROOT, [OP_PLANT] = NUMBER_ROOT,
    [OP_SWAP] = NUMBER_SLOT,       [OP_INSERT] = NUMBER_SLOT,         [OP_REMOVE] = NUMBER_SLOT,
    [OP_WEAK] = NUMBER_CELL,       [OP_SLICE] = NUMBER_SLICES,        [OP_RELEASE] = NUMBER_SLICES,
};

static uint8_t draw_number(const struct model *m, enum number number, uint8_t at, uint32_t bits)
{
    uint32_t used = 0, all = (1U << m->config.roots) - 1;
    for (uint32_t r = 0; r < m->config.roots; r++)
        if (m->roots[r]) used |= 1U << r;
    switch (number) {
    case NUMBER_NONE: break;
    case NUMBER_EMPTY_ROOT: return (uint8_t)(draw_bit(used == all ? all : all & ~used, bits) - 1);
    case NUMBER_ROOT: return (uint8_t)(draw_bit(used ? used : all, bits) - 1);
    case NUMBER_SLOT: return at ? (uint8_t)((bits & 0xff) * m->objects[at].length >> 8) : 0;
    case NUMBER_CELL: return (uint8_t)((bits & 0xff) * m->config.objects >> 8);
    case NUMBER_SLICES:
        if ((bits & 3) == 0) return bits >> 2 & 15;
        return (bits >> 2 & 3) == 3;
    }
    return 0;
}

static struct model_step draw_step(struct draw *d, const struct model *m, const struct menu *menu)
{
    uint64_t bits = draw(d), more = draw(d);
    struct model_step s = {.op = menu->ops[(bits & 0xffff) * menu->count >> 16]};
    if (s.op == OP_SLICE || s.op == OP_RELEASE) {
        s.ij = draw_number(m, NUMBER_SLICES, 0, (uint32_t)(bits >> 16));
        return s;
    }
    uint8_t reached = model_reached(m);
    s.at = draw_bit(reached, (uint32_t)(bits >> 16));
    s.what = draw_bit(reached, (uint32_t)(bits >> 32));
    enum number j = NUMBER_NONE;
    if (s.op == OP_SWAP) j = NUMBER_SLOT;
    if (s.op == OP_RENAME || s.op == OP_WEAK) j = NUMBER_EMPTY_ROOT;
    s.ij = draw_number(m, (enum number)numbers[s.op], s.at, (uint32_t)(bits >> 48));
    s.ij |= (uint8_t)(draw_number(m, j, s.at, (uint32_t)more) << 4);
    return s;
}

/* --- episodes --- */

enum { EPISODES_MORE = 300000 }; /* after the first failure, for a shorter one */

/* One episode of its own seed; false and the history when it fails. */
static bool episode(const struct options *options, uint64_t number, struct history *h)
{
    struct draw d = {options->seed * 0x2545f4914f6cdd1dU + number};
    struct model m;
    h->config = draw_config(&d, options->off);
    uint32_t most = options->steps;
    uint32_t steps = 6 + (uint32_t)(draw(&d) % (most - 5));
    model_init(&m, &h->config);
    uint32_t built = (uint32_t)(draw(&d) % (steps / 2));
    struct menu menu;
    menu_draw(&d, &menu);
    for (h->count = 0; h->count < steps && !m.failure; h->count++) {
        h->steps[h->count] = draw_step(&d, &m, h->count < built ? menu_build() : &menu);
        model_do(&m, h->steps[h->count]);
    }
    if (!m.failure) model_settle(&m);
    if (!m.failure) model_check(&m);
    return !m.failure;
}

/* The shortest of the first failures; returns how many were found, and in `first` the number of the
 * episode that found the first. */
static uint32_t run(const struct options *options, struct history *shortest, uint64_t *first)
{
    uint32_t found = 0, best = UINT32_MAX;
    uint64_t end = options->episodes;
    for (uint64_t i = 0; i < end && found < options->shortest; i++) {
        struct history h;
        if (episode(options, i, &h)) continue;
        history_shorten(&h);
        if (found++ == 0) {
            *first = i + 1;
            if (end - i > EPISODES_MORE) end = i + EPISODES_MORE;
        }
        if (history_length(&h) >= best) continue;
        best = history_length(&h);
        *shortest = h;
    }
    return found;
}

static int run_once(const struct options *options)
{
    struct history h = {0};
    uint64_t first = 0;
    uint32_t found = run(options, &h, &first);
    if (!found) {
        printf("%llu episodes: nothing found\n", (unsigned long long)options->episodes);
        return 0;
    }
    printf("failed in episode %llu; the shortest history of %u failures, %u steps and slices:\n",
           (unsigned long long)first, found, history_length(&h));
    history_print(stdout, &h);
    return 1;
}

/* Rule 9 is an assertion: the first slice inside a command must trip it. */
static bool rule_9_is_asserted(void)
{
    struct history h = {.config = {.objects = 1, .slots = 1, .roots = 1, .count_max = 255},
                        .count = 1,
                        .steps = {{.op = OP_SLICE_INSIDE}}};
    return history_play(&h) == FAIL_SLICE_INSIDE;
}

/* False when the rule does not do what README.md says. */
static bool run_rule(const struct options *given, enum model_rule r)
{
    struct options options = *given;
    bool redundant = (RULES_OFF_REAL & RULE_BIT(r)) != 0;
    options.off |= RULE_BIT(r);
    if (redundant) options.episodes /= 10;
    struct history h = {0};
    uint64_t first = 0;
    uint32_t found = run(&options, &h, &first);
    printf("%-12s %s. Off: ", model_rule_name(r), model_rule_text(r));
    if (found)
        printf("%s, in episode %llu; shortest history %u\n", model_failure_text(history_play(&h)),
               (unsigned long long)first, history_length(&h));
    else
        printf("nothing in %llu episodes\n", (unsigned long long)options.episodes);
    if (found && !given->quiet) history_print(stdout, &h);
    fflush(stdout);
    return (found == 0) == redundant;
}

static int run_every_rule(const struct options *given)
{
    bool right = rule_9_is_asserted();
    if (!right) printf("a slice inside a command went unnoticed\n");
    for (int r = 0; r < RULES; r++) {
        if (run_rule(given, (enum model_rule)r)) continue;
        printf("  this is not what README.md says of it\n");
        right = false;
    }
    return !right;
}

static int usage(void)
{
    fprintf(stderr, "usage: model_random [--episodes N] [--seed S] [--rule-off K]... [--steps N]"
                    " [--shortest N] [--every-rule] [--quiet]\n");
    return 2;
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(word, "--every-rule") == 0) {
            options->every_rule = true;
            continue;
        }
        if (strcmp(word, "--quiet") == 0) {
            options->quiet = true;
            continue;
        }
        if (!value) return false;
        i++;
        if (strcmp(word, "--episodes") == 0) {
            options->episodes = strtoull(value, NULL, 10);
        } else if (strcmp(word, "--seed") == 0) {
            options->seed = strtoull(value, NULL, 10);
        } else if (strcmp(word, "--steps") == 0) {
            options->steps = (uint32_t)strtoul(value, NULL, 10);
        } else if (strcmp(word, "--shortest") == 0) {
            options->shortest = (uint32_t)strtoul(value, NULL, 10);
        } else if (strcmp(word, "--rule-off") == 0) {
            uint64_t rules = model_rules_named(value);
            if (!rules) return false;
            options->off |= rules;
        } else {
            return false;
        }
    }
    return options->steps >= 6 && options->steps <= HISTORY_STEPS && options->shortest;
}

int main(int argc, char **argv)
{
    struct options options = {
        .episodes = 1000000, .seed = 1, .off = RULES_OFF_REAL, .steps = 40, .shortest = 20};
    if (!parse(argc, argv, &options)) return usage();
    return options.every_rule ? run_every_rule(&options) : run_once(&options);
}
