#include "client/heapctl/print.h"

#include <inttypes.h>
#include <string.h>

#include "client/heapctl/jsonify.h"

void print_quoted(FILE *to, const char *p, size_t n)
{
    putc('"', to);
    for (; n > 0; p++, n--) {
        unsigned char c = (unsigned char)*p;
        switch (c) {
        case '\\':
        case '"': fprintf(to, "\\%c", c); break;
        case '\n': fputs("\\n", to); break;
        case '\r': fputs("\\r", to); break;
        case '\t': fputs("\\t", to); break;
        case '\a': fputs("\\a", to); break;
        case '\b': fputs("\\b", to); break;
        default:
            if (c >= 0x20 && c < 0x7f)
                putc(c, to);
            else
                fprintf(to, "\\x%02x", c);
        }
    }
    putc('"', to);
}

static void text(FILE *to, const char *before, const struct heapd_reply *reply)
{
    fputs(before, to);
    fwrite(reply->text, 1, reply->n, to);
}

static void pretty(FILE *to, const struct heapd_reply *reply, int indent);

static const char *empty_name(enum heapd_reply_type type)
{
    return type == HEAPD_REPLY_MAP    ? "(empty hash)"
           : type == HEAPD_REPLY_SET  ? "(empty set)"
           : type == HEAPD_REPLY_PUSH ? "(empty push)"
                                      : "(empty array)";
}

/* Whether it takes several lines: the only child of an only child may. */
static bool several(const struct heapd_reply *reply)
{
    while (reply->n == 1 && heapd_reply_children(reply) > 0)
        reply = &reply->children[heapd_reply_children(reply) - 1];
    return reply->n > 1 && heapd_reply_children(reply) > 0;
}

/* The first child stands on the line of its parent, but for a value of several; each further one on
 * its own, indented. */
static void pretty_children(FILE *to, const struct heapd_reply *reply, int indent)
{
    if (reply->n == 0) {
        fputs(empty_name(reply->type), to);
        return;
    }
    char mark = reply->type == HEAPD_REPLY_MAP ? '#' : reply->type == HEAPD_REPLY_SET ? '~' : ')';
    int width = snprintf(NULL, 0, "%zu", reply->n);
    for (size_t i = 0; i < reply->n; i++) {
        if (i > 0) fprintf(to, "\n%*s", indent, "");
        fprintf(to, "%*zu%c ", width, i + 1, mark);
        if (reply->type != HEAPD_REPLY_MAP) {
            pretty(to, &reply->children[i], indent + width + 2);
            continue;
        }
        pretty(to, &reply->children[2 * i], indent + width + 2);
        fputs(" => ", to);
        const struct heapd_reply *value = &reply->children[2 * i + 1];
        if (several(value)) fprintf(to, "\n%*s", indent + width + 2, "");
        pretty(to, value, indent + width + 2);
    }
}

/* Without the newline at its end. */
static void pretty(FILE *to, const struct heapd_reply *reply, int indent)
{
    switch (reply->type) {
    case HEAPD_REPLY_SIMPLE: text(to, "", reply); break;
    case HEAPD_REPLY_ERROR: text(to, "(error) ", reply); break;
    case HEAPD_REPLY_INTEGER: fprintf(to, "(integer) %" PRId64, reply->integer); break;
    case HEAPD_REPLY_BULK: print_quoted(to, reply->text, reply->n); break;
    case HEAPD_REPLY_NULL: fputs("(nil)", to); break;
    case HEAPD_REPLY_BOOL: fputs(reply->integer != 0 ? "(true)" : "(false)", to); break;
    case HEAPD_REPLY_DOUBLE: text(to, "(double) ", reply); break;
    case HEAPD_REPLY_BIG_NUMBER: text(to, "(big number) ", reply); break;
    case HEAPD_REPLY_VERBATIM:
        text(to, strcmp(reply->format, "ref") == 0 ? "(ref) " : "", reply);
        break;
    case HEAPD_REPLY_ARRAY:
    case HEAPD_REPLY_MAP:
    case HEAPD_REPLY_SET:
    case HEAPD_REPLY_PUSH:
    case HEAPD_REPLY_ATTRIBUTE: pretty_children(to, reply, indent); break;
    }
}

void print_pretty(FILE *to, const struct heapd_reply *reply)
{
    pretty(to, reply, 0);
    putc('\n', to);
}

/* One scalar, as it is. */
static void raw_scalar(FILE *to, const struct heapd_reply *reply)
{
    if (reply->type == HEAPD_REPLY_INTEGER)
        fprintf(to, "%" PRId64, reply->integer);
    else if (reply->type == HEAPD_REPLY_BOOL)
        fputs(reply->integer != 0 ? "(true)" : "(false)", to);
    else if (reply->type != HEAPD_REPLY_NULL)
        text(to, "", reply);
    if (reply->type == HEAPD_REPLY_ERROR) putc('\n', to);
}

static bool is_map(const struct heapd_reply *reply)
{
    return reply->type == HEAPD_REPLY_MAP || reply->type == HEAPD_REPLY_ATTRIBUTE;
}

static bool is_container(const struct heapd_reply *reply)
{
    return is_map(reply) || reply->type == HEAPD_REPLY_ARRAY || reply->type == HEAPD_REPLY_SET ||
           reply->type == HEAPD_REPLY_PUSH;
}

/* In a map: a container would spread over lines that look like further pairs. */
static void raw_in_map(FILE *to, const struct heapd_reply *reply)
{
    if (!is_container(reply))
        raw_scalar(to, reply);
    else if (!jsonify_put(to, reply))
        fputs("(out of memory)", to);
}

/* A reply, or what lies in arrays: one line an element, as redis-cli has it. */
static void raw(FILE *to, const struct heapd_reply *reply, bool inside)
{
    if (is_map(reply) && inside) {
        raw_in_map(to, reply);
    } else if (is_map(reply)) {
        for (size_t i = 0; i < reply->n; i++) {
            if (i > 0) putc('\n', to);
            raw_in_map(to, &reply->children[2 * i]);
            putc(' ', to);
            raw_in_map(to, &reply->children[2 * i + 1]);
        }
    } else if (is_container(reply)) {
        for (size_t i = 0; i < reply->n; i++) {
            if (i > 0) putc('\n', to);
            raw(to, &reply->children[i], true);
        }
    } else {
        raw_scalar(to, reply);
    }
}

void print_raw(FILE *to, const struct heapd_reply *reply)
{
    raw(to, reply, false);
    putc('\n', to);
}

void print_text(FILE *to, const struct heapd_reply *reply)
{
    raw(to, reply, false);
    if (!reply->text || reply->n == 0 || reply->text[reply->n - 1] != '\n') putc('\n', to);
}
