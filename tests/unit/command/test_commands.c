/*
 * Goal: the rows of commands.def agree with themselves, and every one is found.
 * Method: each rule is asked of every row; a failure names the row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "command/command.h"

/* The arguments, its name among them, with which a command runs at the least. */
static int least_arguments(const struct command *cmd)
{
    return cmd->arity < 0 ? -cmd->arity : cmd->arity;
}

static const char *bar_of(const struct command *cmd)
{
    return strchr(cmd->name, '|');
}

static bool begins_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

#define EACH_ROW(cmd)                                                                              \
    for (const struct command *cmd = command_at(0); cmd; cmd = command_at(command_index(cmd) + 1))

/* Fails with the row's name. */
#define ROW_ASSERT(cmd, holds)                                                                     \
    do {                                                                                           \
        if (!(holds)) fail_msg("%s: %s", (cmd)->name, #holds);                                     \
    } while (0)

static void test_row_index(void **state)
{
    (void)state;
    assert_true(command_count() > 0 && command_count() <= COMMANDS_MAX);
    for (uint32_t i = 0; i < command_count(); i++)
        assert_int_equal(command_index(command_at(i)), i);
    assert_null(command_at(command_count()));
    assert_null(command_at(UINT32_MAX));
}

static void test_names(void **state)
{
    (void)state;
    EACH_ROW(cmd)
    {
        ROW_ASSERT(cmd, cmd->name[0] && cmd->name[0] != '|');
        size_t plain = strspn(cmd->name, "abcdefghijklmnopqrstuvwxyz|_-0123456789");
        ROW_ASSERT(cmd, plain == strlen(cmd->name));
        const char *bar = bar_of(cmd);
        ROW_ASSERT(cmd, !bar || (bar[1] && !strchr(bar + 1, '|')));
        EACH_ROW(other)
        {
            ROW_ASSERT(cmd, cmd == other || strcmp(cmd->name, other->name) != 0);
        }
    }
}

/* A container comes before its subcommands, and nothing comes between. */
static void test_containers(void **state)
{
    (void)state;
    const struct command *container = NULL;
    uint32_t subs = 0;
    EACH_ROW(cmd)
    {
        const char *bar = bar_of(cmd);
        if (!bar) {
            if (container) ROW_ASSERT(container, subs > 0);
            container = cmd->flags & COMMAND_CONTAINER ? cmd : NULL;
            subs = 0;
            ROW_ASSERT(cmd, cmd->run || container);
            ROW_ASSERT(cmd, cmd->run || cmd->arity == -2);
            continue;
        }
        subs++;
        ROW_ASSERT(cmd, container != NULL);
        ROW_ASSERT(cmd, strlen(container->name) == (size_t)(bar - cmd->name));
        ROW_ASSERT(cmd, begins_with(cmd->name, container->name));
        ROW_ASSERT(cmd, (cmd->flags & COMMAND_CONTAINER) == 0);
        ROW_ASSERT(cmd, cmd->run != NULL);
        ROW_ASSERT(cmd, least_arguments(cmd) >= 2);
    }
}

/* A range of arguments lies behind the name and, where it is not open to the right, within what the
 * command is at least given. */
static void check_range(const struct command *cmd, int first, int last, int step)
{
    int names = bar_of(cmd) ? 2 : 1;
    if (first == 0) {
        ROW_ASSERT(cmd, last == 0 && step == 0);
        return;
    }
    ROW_ASSERT(cmd, first >= names);
    ROW_ASSERT(cmd, step >= 1);
    ROW_ASSERT(cmd, last < 0 || last >= first);
    ROW_ASSERT(cmd, last < least_arguments(cmd));
    ROW_ASSERT(cmd, first < least_arguments(cmd));
    ROW_ASSERT(cmd, last < 0 || (last - first) % step == 0);
}

static void test_keys(void **state)
{
    (void)state;
    EACH_ROW(cmd)
    {
        check_range(cmd, cmd->first_key, cmd->last_key, cmd->key_step);
        if (cmd->first_key) ROW_ASSERT(cmd, cmd->flags & (COMMAND_WRITE | COMMAND_READONLY));
    }
}

/* The last argument of a range when the command is given `argc` of them. */
static int range_end(int last, int argc)
{
    return last < 0 ? argc + last : last;
}

/* No argument is a key and a value. */
static void test_values(void **state)
{
    (void)state;
    EACH_ROW(cmd)
    {
        const struct command_values *v = &cmd->values;
        check_range(cmd, v->first, v->last, v->step);
        if (v->first || v->replies) ROW_ASSERT(cmd, cmd->first_key > 0);
        if (v->first == 0) continue;
        int argc = least_arguments(cmd) + 12;
        for (int i = v->first; i <= range_end(v->last, argc); i += v->step)
            for (int k = cmd->first_key; k <= range_end(cmd->last_key, argc); k += cmd->key_step)
                ROW_ASSERT(cmd, i != k);
    }
}

static bool has_category(const struct command *cmd, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strstr(cmd->categories, name); at; at = strstr(at + 1, name))
        if (at[n] == ' ' || at[n] == '\0') return true;
    return false;
}

static void test_flags_and_categories(void **state)
{
    (void)state;
    EACH_ROW(cmd)
    {
        bool writes = cmd->flags & COMMAND_WRITE, reads = cmd->flags & COMMAND_READONLY;
        bool fast = cmd->flags & COMMAND_FAST;
        ROW_ASSERT(cmd, !(writes && reads));
        ROW_ASSERT(cmd, writes || !(cmd->flags & COMMAND_DENYOOM));
        ROW_ASSERT(cmd, has_category(cmd, "@write") == writes);
        ROW_ASSERT(cmd, has_category(cmd, "@read") == reads);
        ROW_ASSERT(cmd, has_category(cmd, "@fast") == fast);
        ROW_ASSERT(cmd, has_category(cmd, "@slow") == !fast);
        if (cmd->flags & COMMAND_ADMIN) {
            ROW_ASSERT(cmd, has_category(cmd, "@admin"));
            ROW_ASSERT(cmd, has_category(cmd, "@dangerous"));
        }
        for (const char *p = cmd->categories; *p; p++)
            if (p == cmd->categories || p[-1] == ' ') ROW_ASSERT(cmd, *p == '@');
    }
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const groups[] = {"connection", "generic", "hash",       "heap",  "list",
                                         "server",     "set",     "sorted-set", "string"};
    EACH_ROW(cmd)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
            known |= strcmp(groups[i], cmd->group) == 0;
        ROW_ASSERT(cmd, known);
        ROW_ASSERT(cmd, cmd->since[0] >= '0' && cmd->since[0] <= '9');
        ROW_ASSERT(cmd, cmd->complexity[0]);
        ROW_ASSERT(cmd, cmd->summary[0]);
        ROW_ASSERT(cmd, !strpbrk(cmd->summary, "\r\n"));
        ROW_ASSERT(cmd, !strpbrk(cmd->syntax, "\r\n"));
        /* What takes arguments tells which, and what takes none tells none. */
        int names = bar_of(cmd) ? 2 : 1;
        if (!(cmd->flags & COMMAND_CONTAINER) && cmd->arity >= 0)
            ROW_ASSERT(cmd, (cmd->syntax[0] != '\0') == (cmd->arity > names));
        /* Hints are of use only with every bracket closed. */
        int depth = 0;
        for (const char *p = cmd->syntax; *p; p++) {
            depth += (*p == '[' || *p == '<') - (*p == ']' || *p == '>');
            ROW_ASSERT(cmd, depth >= 0);
        }
        ROW_ASSERT(cmd, depth == 0);
    }
}

static void check_found(const struct command *cmd, struct view as)
{
    ROW_ASSERT(cmd, command_find(as) == cmd);
}

static void test_command_find_in_any_case(void **state)
{
    (void)state;
    EACH_ROW(cmd)
    {
        char upper[64], mixed[64];
        size_t n = strlen(cmd->name);
        assert_true(n < sizeof upper);
        for (size_t i = 0; i < n; i++) {
            bool letter = cmd->name[i] >= 'a' && cmd->name[i] <= 'z';
            upper[i] = (char)(letter ? cmd->name[i] - 'a' + 'A' : cmd->name[i]);
            mixed[i] = i % 2 ? upper[i] : cmd->name[i];
        }
        check_found(cmd, view_of(cmd->name));
        check_found(cmd, (struct view){upper, n});
        check_found(cmd, (struct view){mixed, n});
        upper[n] = '\0'; /* a NUL is a byte like any other */
        ROW_ASSERT(cmd, command_find((struct view){upper, n + 1}) == NULL);
        const struct command *shorter = command_find((struct view){cmd->name, n - 1});
        ROW_ASSERT(cmd, shorter != cmd);
    }
}

static void test_command_find_unknown(void **state)
{
    (void)state;
    static char longest[1 << 16];
    memset(longest, 'g', sizeof longest);
    assert_null(command_find((struct view){"", 0}));
    assert_null(command_find(view_of("nosuchcommand")));
    assert_null(command_find(view_of("get ")));
    assert_null(command_find(view_of("g\x05t")));
    assert_null(command_find((struct view){longest, sizeof longest}));
}

/* No byte but a letter's other case is taken for another. */
static void test_command_find_tells_every_byte(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < command_count(); i++) {
        const struct command *cmd = command_at(i);
        char name[64];
        size_t n = strlen(cmd->name);
        memcpy(name, cmd->name, n);
        for (size_t at = 0; at < n; at++) {
            for (int byte = 0; byte < 256; byte++) {
                name[at] = (char)(unsigned char)byte;
                const struct command *found = command_find((struct view){name, n});
                bool same = view_is((struct view){name, n}, cmd->name);
                ROW_ASSERT(cmd, (found == cmd) == same);
                if (found) ROW_ASSERT(cmd, view_is((struct view){name, n}, found->name));
            }
            name[at] = cmd->name[at];
        }
    }
}

static void test_command_find_sub(void **state)
{
    (void)state;
    const struct command *container = NULL;
    EACH_ROW(cmd)
    {
        const char *bar = bar_of(cmd);
        if (!bar)
            container = cmd;
        else
            ROW_ASSERT(cmd, command_find_sub(container, view_of(bar + 1)) == cmd);
    }
    static char longest[4096];
    memset(longest, 'g', sizeof longest);
    container = command_find(view_of("config"));
    assert_non_null(container);
    assert_ptr_equal(command_find_sub(container, view_of("GET")),
                     command_find(view_of("config|get")));
    assert_null(command_find_sub(container, view_of("nosuch")));
    assert_null(command_find_sub(container, view_of("get|get")));
    assert_null(command_find_sub(container, (struct view){"", 0}));
    assert_null(command_find_sub(container, (struct view){"get\0", 4}));
    assert_null(command_find_sub(container, (struct view){longest, sizeof longest}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_index),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_flags_and_categories),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_command_find_in_any_case),
        cmocka_unit_test(test_command_find_unknown),
        cmocka_unit_test(test_command_find_tells_every_byte),
        cmocka_unit_test(test_command_find_sub),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
