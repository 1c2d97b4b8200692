#include "examples/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INDENT = 3, ARGUMENT_CHARS_MAX = 40, REMARK_COLUMN = 52 };

/* --- numbers --- */

struct shown show_count(uint64_t n)
{
    struct shown shown;
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
    for (int i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0) shown.text[at++] = ',';
        shown.text[at++] = digits[i];
    }
    shown.text[at] = '\0';
    return shown;
}

struct shown show_bytes(uint64_t n)
{
    struct shown shown;
    bool small = n < (1 << 20);
    snprintf(shown.text, sizeof shown.text, "%.1f %s", (double)n / (small ? 1 << 10 : 1 << 20),
             small ? "KiB" : "MiB");
    return shown;
}

struct shown show_us(uint64_t us)
{
    struct shown shown;
    if (us < 1000)
        snprintf(shown.text, sizeof shown.text, "%" PRIu64 " us", us);
    else if (us < 1000000)
        snprintf(shown.text, sizeof shown.text, "%.1f ms", (double)us / 1000);
    else
        snprintf(shown.text, sizeof shown.text, "%.2f s", (double)us / 1000000);
    return shown;
}

/* --- sentences --- */

/* Colours are for people: a terminal, unless NO_COLOR says otherwise (no-color.org). */
static const char *style(const char *code)
{
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no && *no) ? code : "";
}

/* Whether the last line was empty: there is one standard output, and this is its state. */
static bool after_blank = true;

static void blank_line(void)
{
    if (!after_blank) putchar('\n');
    after_blank = true;
}

void say_heading(int number, const char *text)
{
    blank_line();
    printf("%s%d. %s%s\n\n", style("\033[1m"), number, text, style("\033[0m"));
}

void say(const char *format, ...)
{
    char text[SAY_CHARS_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t column = 0;
    blank_line();
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest));) {
        size_t n = strlen(word);
        if (column && column + 1 + n > SAY_COLUMNS) {
            putchar('\n');
            column = 0;
        }
        if (column++) putchar(' ');
        fputs(word, stdout);
        column += n;
    }
    fputs("\n\n", stdout);
}

void say_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("%*s", INDENT, "");
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    after_blank = false;
}

/* --- commands and replies --- */

static int put_argument(struct proto_view argument)
{
    bool quoted = argument.n == 0 || memchr(argument.p, ' ', argument.n);
    const char *quote = quoted ? "\"" : "";
    if (argument.n > ARGUMENT_CHARS_MAX)
        return printf("%s%.*s...%s", quote, ARGUMENT_CHARS_MAX, argument.p, quote);
    return printf("%s%.*s%s", quote, (int)argument.n, argument.p, quote);
}

/* A remark stands in its own column where the line leaves room for it. */
static void end_line(int column, const char *remark)
{
    if (remark) {
        int gap = column + 2 > REMARK_COLUMN ? 2 : REMARK_COLUMN - column;
        printf("%*s%s%s%s", gap, "", style("\033[2m"), remark, style("\033[0m"));
    }
    putchar('\n');
    after_blank = false;
}

void say_command(size_t argc, const struct proto_view *argv, const char *remark)
{
    int column = printf("%*s> ", INDENT, "");
    fputs(style("\033[36m"), stdout);
    for (size_t i = 0; i < argc; i++) {
        if (i) column += printf(" ");
        column += put_argument(argv[i]);
    }
    fputs(style("\033[0m"), stdout);
    end_line(column, remark);
}

void say_reply(const struct heapd_reply *reply, const char *remark)
{
    int column = printf("%*s", INDENT + 2, "");
    switch (reply->type) {
    case HEAPD_REPLY_INTEGER: column += printf("(integer) %" PRId64, reply->integer); break;
    case HEAPD_REPLY_ERROR: column += printf("(error) %s", reply->text); break;
    case HEAPD_REPLY_BULK:
    case HEAPD_REPLY_VERBATIM: column += printf("\"%s\"", reply->text); break;
    case HEAPD_REPLY_SIMPLE:
    case HEAPD_REPLY_DOUBLE:
    case HEAPD_REPLY_BIG_NUMBER: column += printf("%s", reply->text); break;
    case HEAPD_REPLY_NULL: column += printf("(nil)"); break;
    case HEAPD_REPLY_BOOL: column += printf(reply->integer ? "(true)" : "(false)"); break;
    case HEAPD_REPLY_ARRAY:
    case HEAPD_REPLY_MAP:
    case HEAPD_REPLY_SET:
    case HEAPD_REPLY_PUSH:
    case HEAPD_REPLY_ATTRIBUTE: column += printf("(%zu items)", reply->n); break;
    }
    end_line(column, remark);
}
