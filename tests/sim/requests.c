/* What clients ask: commands drawn from the table, by value, by reference and weakly. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "../unit/command/arguments.h"
#include "sim.h"

enum { ARGS_MAX = 24, TEXT_BYTES = 512 << 10 };

struct draft {
    struct view args[ARGS_MAX];
    uint32_t count;
    char text[TEXT_BYTES];
    size_t used;
};

static void arg(struct draft *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void arg(struct draft *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *p = d->text + d->used;
    int n = vsnprintf(p, TEXT_BYTES - d->used, format, args);
    va_end(args);
    if (n < 0 || d->used + (size_t)n >= TEXT_BYTES || d->count == ARGS_MAX) abort();
    d->args[d->count++] = (struct view){p, (size_t)n};
    d->used += (size_t)n;
}

static void put_request(struct bytes *to, const struct draft *d)
{
    char head[32];
    bytes_put(to, head, (size_t)sprintf(head, "*%u\r\n", d->count));
    for (uint32_t i = 0; i < d->count; i++) {
        bytes_put(to, head, (size_t)sprintf(head, "$%zu\r\n", d->args[i].n));
        bytes_put(to, d->args[i].p, d->args[i].n);
        bytes_put(to, "\r\n", 2);
    }
}

/* Whether it can be asked in one line. */
static bool is_plain(const struct draft *d)
{
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->args[i].n == 0 || d->args[i].n > 100) return false;
        for (size_t at = 0; at < d->args[i].n; at++)
            if (!isalnum((unsigned char)d->args[i].p[at])) return false;
    }
    return true;
}

static void put_inline(struct bytes *to, const struct draft *d)
{
    for (uint32_t i = 0; i < d->count; i++) {
        bytes_put(to, d->args[i].p, d->args[i].n);
        bytes_put(to, i + 1 < d->count ? " " : "\r\n", i + 1 < d->count ? 1 : 2);
    }
}

void request_put(struct bytes *to, const char *const *words)
{
    static struct draft d;
    d.count = 0;
    d.used = 0;
    while (*words) arg(&d, "%s", *words++);
    put_request(to, &d);
}

/* --- arguments --- */

static unsigned below(struct sim *sim, unsigned n)
{
    return (unsigned)random_below(&sim->random, n);
}

static void arg_key(struct sim *sim, struct draft *d)
{
    unsigned kind = below(sim, 24);
    if (kind < 18)
        arg(d, "k%u", below(sim, SIM_KEYS));
    else if (kind < 23)
        arg(d, "&:%x", 1 + below(sim, 40));
    else
        arg(d, "#:%x", 1 + below(sim, 40));
}

/* A text of any size, that others share or not. */
static void arg_long(struct sim *sim, struct draft *d)
{
    static const unsigned sizes[] = {100, 5000, 17000, 40000, 70000, 300000};
    unsigned n = sizes[below(sim, random_one_in(&sim->random, 8) ? 6 : 4)];
    n = 1 + n / 2 + below(sim, n / 2);
    unsigned seed = below(sim, 1000);
    char *p = d->text + d->used;
    if (d->used + n >= TEXT_BYTES) n = 1;
    for (unsigned i = 0; i < n; i++) p[i] = (char)('a' + (seed + i * 7) % 26);
    d->args[d->count++] = (struct view){p, n};
    d->used += n;
}

static void arg_value(struct sim *sim, struct draft *d)
{
    switch (below(sim, 24)) {
    case 0:
    case 1: arg_long(sim, d); break;
    case 2:
    case 3:
    case 4:
    case 5: arg(d, "%d", (int)below(sim, 40) - 20); break;
    case 6: arg(d, "9223372036854775807"); break;
    case 7: arg(d, "%u.5", below(sim, 9)); break;
    case 8:
    case 9: arg(d, "a text with \r\n in it, number %u", below(sim, 20)); break;
    case 10: arg(d, "%s", ""); break;
    default: arg(d, "v%u", below(sim, 20)); break;
    }
}

static void arg_other(struct sim *sim, struct draft *d, const struct words *words)
{
    unsigned kind = below(sim, 10);
    if (kind < 3 && words->count)
        arg(d, "%s", words->at[below(sim, words->count)]);
    else if (kind < 6)
        arg(d, "%d", (int)below(sim, 12) - 4);
    else if (kind < 8)
        arg(d, "f%u", below(sim, 10));
    else if (kind < 9)
        arg_key(sim, d);
    else
        arg_value(sim, d);
}

/* --- commands --- */

/* Left out: what ends the process or a session, what is the process's or shows how memory lies or
 * what the collector did, which the network's own use of memory changes; and what would empty the
 * heap, or fill the test's time with one long reply. */
static bool left_out(const struct command *cmd)
{
    static const char *const prefixes[] = {"shutdown",       "quit",        "auth",
                                           "config|",        "client|kill", "client|list",
                                           "client|info",    "flush",       "info",
                                           "memory|",        "gc|",         "command",
                                           "intern|",        "weak|list",   "object|refcount",
                                           "object|encoding"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(cmd->name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return !cmd->run;
}

/* The members of sets lie in the order of their hashes, and an object's is that of its address,
 * which two engines do not share: only texts are put there by reference. */
static bool wants_texts(const struct command *cmd)
{
    return strcmp(cmd->group, "set") == 0 || strcmp(cmd->group, "sorted-set") == 0 ||
           strcmp(cmd->group, "sorted_set") == 0;
}

static void arg_source(struct sim *sim, struct draft *d, const struct command *cmd)
{
    if (wants_texts(cmd))
        arg(d, "t%u", below(sim, SIM_TEXTS));
    else
        arg_key(sim, d);
}

static void draw_from_table(struct sim *sim, struct draft *d)
{
    const struct command *cmd;
    struct words words;
    do cmd = command_at(below(sim, command_count()));
    while (left_out(cmd));
    words_of(cmd, &words);
    bool by_ref = (cmd->values.first || cmd->values.replies) && below(sim, 2);
    if (by_ref) arg(d, "%s", below(sim, 3) ? "REF" : "WEAKREF");
    const char *bar = strchr(cmd->name, '|');
    arg(d, "%.*s", (int)(bar ? bar - cmd->name : (int)strlen(cmd->name)), cmd->name);
    if (bar) arg(d, "%s", bar + 1);
    uint32_t wanted = arguments_min(cmd) + (cmd->arity < 0 ? below(sim, 6) : 0);
    for (uint32_t i = bar ? 2 : 1; i < wanted; i++) {
        enum argument what = argument_at(cmd, i);
        if (what == ARGUMENT_KEY)
            arg_key(sim, d);
        else if (what == ARGUMENT_VALUE && by_ref)
            arg_source(sim, d, cmd);
        else if (what == ARGUMENT_VALUE)
            arg_value(sim, d);
        else
            arg_other(sim, d, &words);
    }
}

/* A client kills one of the others, or itself. */
static void draw_kill(struct sim *sim, struct draft *d)
{
    const struct client *c = &sim->clients[below(sim, CLIENTS_MAX)];
    arg(d, "CLIENT");
    arg(d, "KILL");
    arg(d, "ID");
    arg(d, "%llu", (unsigned long long)(c->session ? c->session->id : 1));
}

static void words(struct draft *d, const char *first, const char *second, const char *third)
{
    arg(d, "%s", first);
    if (second) arg(d, "%s", second);
    if (third) arg(d, "%s", third);
}

/* Containers that refer to each other, and garbage. Even keys are lists for this, odd ones hashes:
 * otherwise most would be refused. */
static void draw_graph(struct sim *sim, struct draft *d)
{
    unsigned list = 2 * below(sim, SIM_KEYS / 2), hash = list + 1, other = below(sim, SIM_KEYS);
    switch (below(sim, 10)) {
    case 0:
    case 1:
        words(d, "REF", "HSET", NULL);
        arg(d, "k%u", hash);
        arg(d, "f%u", below(sim, 4));
        break;
    case 2:
        words(d, "WEAKREF", "RPUSH", NULL);
        arg(d, "k%u", list);
        break;
    case 3:
        words(d, "REF", "SET", NULL);
        arg(d, "k%u", list);
        break;
    case 4:
    case 5: words(d, "DEL", NULL, NULL); break;
    case 6:
        words(d, "HSET", NULL, NULL);
        arg(d, "k%u", hash);
        arg(d, "f");
        arg(d, "1");
        return;
    case 7:
        words(d, "RPUSH", NULL, NULL);
        arg(d, "k%u", list);
        break;
    default:
        words(d, "REF", "RPUSH", NULL);
        arg(d, "k%u", list);
        break;
    }
    arg(d, "k%u", other);
}

/* What the table draws too seldom. */
static void draw_wanted(struct sim *sim, struct draft *d)
{
    unsigned key = below(sim, SIM_KEYS), ms = 1 + below(sim, 30);
    switch (below(sim, 8)) {
    case 0:
    case 1:
        words(d, "PEXPIRE", NULL, NULL);
        arg(d, "k%u", key);
        arg(d, "%u", ms);
        break;
    case 2:
    case 3:
        words(d, "SET", NULL, NULL);
        arg(d, "k%u", key);
        arg_long(sim, d);
        if (ms < 10) arg(d, "PX");
        if (ms < 10) arg(d, "%u", ms);
        break;
    case 4:
    case 5:
        words(d, "GET", NULL, NULL);
        arg(d, "k%u", key);
        break;
    case 6:
        words(d, "SET", NULL, NULL);
        arg(d, "t%u", below(sim, SIM_TEXTS));
        arg_value(sim, d);
        break;
    default:
        if (random_one_in(&sim->random, 2))
            words(d, "REF", "NEW", below(sim, 2) ? "list" : "hash");
        else
            words(d, "GC", "COLLECT", NULL);
        break;
    }
}

void request_draw(struct sim *sim, struct bytes *to)
{
    static struct draft d;
    d.count = 0;
    d.used = 0;
    if (random_one_in(&sim->random, 400))
        draw_kill(sim, &d);
    else if (random_one_in(&sim->random, 5))
        draw_wanted(sim, &d);
    else if (random_one_in(&sim->random, 3))
        draw_graph(sim, &d);
    else
        draw_from_table(sim, &d);
    if (random_one_in(&sim->random, 20)) bytes_put(to, "\r\n", 2); /* no request at all */
    if (is_plain(&d) && random_one_in(&sim->random, 10))
        put_inline(to, &d);
    else
        put_request(to, &d);
}
