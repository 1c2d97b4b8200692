/* COMMAND: the table, as Redis 7.0 shows it. */
#include "base/glob.h"
#include "command/command.h"

static bool is_sub(const struct command *cmd)
{
    return strchr(cmd->name, '|') != NULL;
}

/* The row after a container's last subcommand; after any other row, the next. */
static uint32_t next_top(uint32_t index)
{
    const struct command *cmd;
    do cmd = command_at(++index);
    while (cmd && is_sub(cmd));
    return index;
}

/* A container's subcommands are the rows that follow it. */
static uint32_t sub_count(const struct command *cmd)
{
    uint32_t index = command_index(cmd);
    return is_sub(cmd) ? 0 : next_top(index) - index - 1;
}

static int64_t top_count(void)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < command_count(); i = next_top(i)) n++;
    return n;
}

enum status cmd_command_count(struct call *c)
{
    reply_integer(c, top_count());
    return STATUS_OK;
}

/* --- COMMAND INFO --- */

/* In Redis's order. */
static const struct {
    enum command_flag flag;
    const char *name;
} flag_names[] = {
    {COMMAND_WRITE, "write"},
    {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},
    {COMMAND_ADMIN, "admin"},
    {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"},
    {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},
    {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},
    {COMMAND_MOVABLE_KEYS, "movablekeys"},
};

enum { FLAG_NAMES = sizeof flag_names / sizeof flag_names[0] };

static void put_flags(struct call *c, const struct command *cmd)
{
    uint64_t n = 0;
    for (int i = 0; i < FLAG_NAMES; i++) n += (cmd->flags & flag_names[i].flag) != 0;
    reply_set(c, n);
    for (int i = 0; i < FLAG_NAMES; i++)
        if (cmd->flags & flag_names[i].flag) reply_simple(c, flag_names[i].name);
}

/* Takes the first word off `rest`; empty when there is none. */
static struct view next_word(const char **rest)
{
    const char *from = *rest + strspn(*rest, " ");
    size_t n = strcspn(from, " ");
    *rest = from + n;
    return (struct view){from, n};
}

static void put_categories(struct call *c, const struct command *cmd)
{
    uint64_t n = 0;
    const char *rest = cmd->categories;
    while (next_word(&rest).n) n++;
    reply_set(c, n);
    rest = cmd->categories;
    for (struct view word = next_word(&rest); word.n; word = next_word(&rest))
        proto_put_simple(c->out, word.p, word.n);
}

/* The table knows the keys' places and whether the command writes; Redis's finer flags (insert,
 * delete) are left out. */
static void put_key_specs(struct call *c, const struct command *cmd)
{
    reply_set(c, cmd->first_key ? 1 : 0);
    if (!cmd->first_key) return;
    bool writes = (cmd->flags & COMMAND_WRITE) != 0;
    reply_map(c, 3);
    reply_text(c, "flags");
    reply_set(c, 2);
    reply_simple(c, writes ? "RW" : "RO");
    reply_simple(c, writes ? "update" : "access");
    reply_text(c, "begin_search");
    reply_map(c, 2);
    reply_text(c, "type");
    reply_text(c, "index");
    reply_text(c, "spec");
    reply_map(c, 1);
    reply_text(c, "index");
    reply_integer(c, cmd->first_key);
    reply_text(c, "find_keys");
    reply_map(c, 2);
    reply_text(c, "type");
    reply_text(c, "range");
    reply_text(c, "spec");
    reply_map(c, 3);
    reply_text(c, "lastkey"); /* counted from the first, or from the end */
    reply_integer(c, cmd->last_key < 0 ? cmd->last_key : cmd->last_key - cmd->first_key);
    reply_text(c, "keystep");
    reply_integer(c, cmd->key_step);
    reply_text(c, "limit");
    reply_integer(c, 0);
}

/* All of a row but its subcommands, of which there is one level only. */
static void put_row(struct call *c, const struct command *cmd)
{
    reply_array(c, 10);
    reply_text(c, cmd->name);
    reply_integer(c, cmd->arity);
    put_flags(c, cmd);
    reply_integer(c, cmd->first_key);
    reply_integer(c, cmd->last_key);
    reply_integer(c, cmd->key_step);
    put_categories(c, cmd);
    reply_set(c, 0); /* tips */
    put_key_specs(c, cmd);
}

static void put_info(struct call *c, const struct command *cmd)
{
    put_row(c, cmd);
    uint32_t subs = sub_count(cmd), first = command_index(cmd) + 1;
    if (subs == 0) {
        reply_set(c, 0); /* as Redis has it: none are a set, some are an array */
        return;
    }
    reply_array(c, subs);
    for (uint32_t i = first; i < first + subs; i++) {
        put_row(c, command_at(i));
        reply_set(c, 0);
    }
}

enum status cmd_command(struct call *c)
{
    reply_array(c, (uint64_t)top_count());
    for (uint32_t i = 0; i < command_count(); i = next_top(i)) put_info(c, command_at(i));
    return STATUS_OK;
}

/* COMMAND INFO [name ...] */
enum status cmd_command_info(struct call *c)
{
    if (c->argc == 2) return cmd_command(c);
    reply_array(c, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++) {
        const struct command *cmd = command_find(c->argv[i]);
        if (cmd)
            put_info(c, cmd);
        else
            reply_null(c);
    }
    return STATUS_OK;
}

/* --- COMMAND DOCS --- */

static void put_pair(struct call *c, const char *name, const char *text)
{
    reply_text(c, name);
    reply_text(c, text);
}

/* "syntax" is heapd's own: the arguments in one line, where Redis has a tree of them. */
static void put_texts(struct call *c, const struct command *cmd, uint64_t more)
{
    reply_text(c, cmd->name);
    reply_map(c, 5 + more);
    put_pair(c, "summary", cmd->summary);
    put_pair(c, "since", cmd->since);
    put_pair(c, "group", cmd->group);
    put_pair(c, "complexity", cmd->complexity);
    put_pair(c, "syntax", cmd->syntax);
}

static void put_docs(struct call *c, const struct command *cmd)
{
    uint32_t subs = sub_count(cmd), first = command_index(cmd) + 1;
    put_texts(c, cmd, subs > 0);
    if (subs == 0) return;
    reply_text(c, "subcommands");
    reply_map(c, subs);
    for (uint32_t i = first; i < first + subs; i++) put_texts(c, command_at(i), 0);
}

/* COMMAND DOCS [name ...]: unknown ones are passed over. */
enum status cmd_command_docs(struct call *c)
{
    if (c->argc == 2) {
        reply_map(c, (uint64_t)top_count());
        for (uint32_t i = 0; i < command_count(); i = next_top(i)) put_docs(c, command_at(i));
        return STATUS_OK;
    }
    uint64_t known = 0;
    for (uint32_t i = 2; i < c->argc; i++) known += command_find(c->argv[i]) != NULL;
    reply_map(c, known);
    for (uint32_t i = 2; i < c->argc; i++) {
        const struct command *cmd = command_find(c->argv[i]);
        if (cmd) put_docs(c, cmd);
    }
    return STATUS_OK;
}

/* --- COMMAND LIST --- */

enum filter_kind { FILTER_NONE, FILTER_MODULE, FILTER_CATEGORY, FILTER_PATTERN };

struct filter {
    enum filter_kind kind;
    struct view text;
};

static bool has_category(const struct command *cmd, struct view name)
{
    const char *rest = cmd->categories;
    for (struct view word = next_word(&rest); word.n; word = next_word(&rest))
        if (word.n == name.n + 1 && strncasecmp(word.p + 1, name.p, name.n) == 0) return true;
    return false;
}

static bool passes(const struct filter *f, const struct command *cmd)
{
    switch (f->kind) {
    case FILTER_NONE: return true;
    case FILTER_MODULE: return false; /* there are none */
    case FILTER_CATEGORY: return has_category(cmd, f->text);
    case FILTER_PATTERN: return glob_match(f->text, view_of(cmd->name), GLOB_NOCASE);
    }
    return false;
}

static enum status parse_filter(struct call *c, struct filter *f)
{
    *f = (struct filter){FILTER_NONE, {NULL, 0}};
    if (c->argc == 2) return STATUS_OK;
    if (c->argc != 5 || !call_is(c, 2, "filterby")) return STATUS_SYNTAX;
    f->text = c->argv[4];
    if (call_is(c, 3, "module"))
        f->kind = FILTER_MODULE;
    else if (call_is(c, 3, "aclcat"))
        f->kind = FILTER_CATEGORY;
    else if (call_is(c, 3, "pattern"))
        f->kind = FILTER_PATTERN;
    else
        return STATUS_SYNTAX;
    return STATUS_OK;
}

/* COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern] */
enum status cmd_command_list(struct call *c)
{
    struct filter filter;
    enum status status = parse_filter(c, &filter);
    if (status) return status;
    uint64_t n = 0;
    for (uint32_t i = 0; i < command_count(); i++) n += passes(&filter, command_at(i));
    reply_array(c, n);
    for (uint32_t i = 0; i < command_count(); i++)
        if (passes(&filter, command_at(i))) reply_text(c, command_at(i)->name);
    return STATUS_OK;
}

enum status cmd_command_help(struct call *c)
{
    static const char *const lines[] = {
        "(no subcommand)",
        "    Return details about all commands.",
        "COUNT",
        "    Return the total number of commands in this engine.",
        "LIST [FILTERBY (MODULE <module>|ACLCAT <category>|PATTERN <pattern>)]",
        "    Return a list of all commands in this engine.",
        "INFO [<command-name> ...]",
        "    Return details about multiple commands.",
        "    If no command names are given, details for all commands are returned.",
        "DOCS [<command-name> ...]",
        "    Return documentation details about multiple commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}
