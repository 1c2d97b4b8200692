#include "client/heapctl/docs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/heapctl/words.h"

#define ROOM_FIRST ((size_t)64)
/* The longest name of a command that is looked for. */
#define NAME_BYTES_MAX ((size_t)128)

static void put(struct proto_buf *to, const char *text)
{
    proto_buf_append(to, text, strlen(text));
}

/* The value of a field in a map, or in an array that is one in RESP2; NULL if there is none. */
static const struct heapd_reply *field(const struct heapd_reply *map, const char *name)
{
    if (map->type != HEAPD_REPLY_MAP && map->type != HEAPD_REPLY_ARRAY) return NULL;
    size_t n = heapd_reply_children(map);
    for (size_t i = 0; i + 1 < n; i += 2) {
        const struct heapd_reply *key = &map->children[i];
        if (key->text && strcmp(key->text, name) == 0) return &map->children[i + 1];
    }
    return NULL;
}

static const char *field_text(const struct heapd_reply *map, const char *name)
{
    const struct heapd_reply *found = field(map, name);
    return found && found->text ? found->text : "";
}

static bool flagged(const struct heapd_reply *argument, const char *flag)
{
    const struct heapd_reply *flags = field(argument, "flags");
    if (!flags || (flags->type != HEAPD_REPLY_ARRAY && flags->type != HEAPD_REPLY_SET))
        return false;
    for (size_t i = 0; i < flags->n; i++) {
        const char *text = flags->children[i].text;
        if (text && strcmp(text, flag) == 0) return true;
    }
    return false;
}

static void put_arguments(struct proto_buf *to, const struct heapd_reply *arguments,
                          const char *between);

/* Its token, and its value or what it is made of. */
static void put_plain(struct proto_buf *to, const struct heapd_reply *argument)
{
    const char *token = field_text(argument, "token"), *type = field_text(argument, "type");
    put(to, token);
    if (strcmp(type, "pure-token") == 0) return;
    if (*token) put(to, " ");
    const struct heapd_reply *parts = field(argument, "arguments");
    bool one_of = strcmp(type, "oneof") == 0;
    if (!parts) {
        put(to, field_text(argument, "name"));
    } else if (one_of && !flagged(argument, "optional")) {
        put(to, "<");
        put_arguments(to, parts, " | ");
        put(to, ">");
    } else {
        put_arguments(to, parts, one_of ? " | " : " ");
    }
}

/* In Redis' manner: [optional], several [several ...]. */
static void put_argument(struct proto_buf *to, const struct heapd_reply *argument)
{
    bool optional = flagged(argument, "optional");
    if (optional) put(to, "[");
    put_plain(to, argument);
    if (flagged(argument, "multiple")) {
        put(to, " [");
        put_plain(to, argument);
        put(to, " ...]");
    }
    if (optional) put(to, "]");
}

/* Recurses as deep as the tree is, REPLY_DEPTH_MAX at most. */
static void put_arguments(struct proto_buf *to, const struct heapd_reply *arguments,
                          const char *between)
{
    if (arguments->type != HEAPD_REPLY_ARRAY) return;
    for (size_t i = 0; i < arguments->n; i++) {
        if (i > 0) put(to, between);
        put_argument(to, &arguments->children[i]);
    }
}

/* NULL: no memory. */
static char *syntax_of(const struct heapd_reply *doc)
{
    const struct heapd_reply *ready = field(doc, "syntax"), *arguments = field(doc, "arguments");
    if (ready && ready->text) return strdup(ready->text);
    struct proto_buf text;
    proto_buf_init(&text);
    if (arguments) put_arguments(&text, arguments, " ");
    proto_buf_append(&text, "", 1);
    if (!text.failed) return text.p;
    proto_buf_fini(&text);
    return NULL;
}

static char *name_of(const char *name)
{
    char *out = strdup(name);
    for (char *p = out; p && *p; p++) *p = *p == '|' ? ' ' : (char)toupper((unsigned char)*p);
    return out;
}

static bool add(struct docs *docs, const char *name, const struct heapd_reply *doc)
{
    if (docs->count == docs->room) {
        size_t room = docs->room > 0 ? 2 * docs->room : ROOM_FIRST;
        struct doc *rows = realloc(docs->rows, room * sizeof *rows);
        if (!rows) return false;
        docs->rows = rows;
        docs->room = room;
    }
    struct doc *row = &docs->rows[docs->count++];
    *row = (struct doc){
        .name = name_of(name),
        .syntax = syntax_of(doc),
        .summary = strdup(field_text(doc, "summary")),
        .since = strdup(field_text(doc, "since")),
        .group = strdup(field_text(doc, "group")),
        .complexity = strdup(field_text(doc, "complexity")),
    };
    return row->name && row->syntax && row->summary && row->since && row->group && row->complexity;
}

/* The commands of a map, and their subcommands, which have none of their own. */
static bool add_all(struct docs *docs, const struct heapd_reply *map, bool subcommands)
{
    if (map->type != HEAPD_REPLY_MAP && map->type != HEAPD_REPLY_ARRAY) return false;
    size_t n = heapd_reply_children(map);
    for (size_t i = 0; i + 1 < n; i += 2) {
        const struct heapd_reply *name = &map->children[i], *doc = &map->children[i + 1];
        if (!name->text || !add(docs, name->text, doc)) return false;
        const struct heapd_reply *below = subcommands ? field(doc, "subcommands") : NULL;
        if (below && !add_all(docs, below, false)) return false;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct doc *left = a, *right = b;
    return strcmp(left->name, right->name);
}

bool docs_init(struct docs *docs, const struct heapd_reply *reply)
{
    *docs = (struct docs){0};
    if (!add_all(docs, reply, true)) {
        docs_fini(docs);
        return false;
    }
    if (docs->count > 0) qsort(docs->rows, docs->count, sizeof *docs->rows, by_name);
    return true;
}

void docs_fini(struct docs *docs)
{
    for (size_t i = 0; i < docs->count; i++) {
        struct doc *row = &docs->rows[i];
        free(row->name);
        free(row->syntax);
        free(row->summary);
        free(row->since);
        free(row->group);
        free(row->complexity);
    }
    free(docs->rows);
    *docs = (struct docs){0};
}

/* The row whose name is the first `n` of the words. */
static const struct doc *find_words(const struct docs *docs, size_t n,
                                    const struct proto_view *argv)
{
    char name[NAME_BYTES_MAX];
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (argv[i].n + 2 > sizeof name - at) return NULL;
        if (i > 0) name[at++] = ' ';
        for (size_t k = 0; k < argv[i].n; k++)
            name[at++] = (char)toupper((unsigned char)argv[i].p[k]);
    }
    name[at] = 0;
    const struct doc key = {.name = name};
    return docs->count == 0 ? NULL
                            : bsearch(&key, docs->rows, docs->count, sizeof *docs->rows, by_name);
}

/* REF and WEAKREF are commands, and stand before others. */
static bool is_prefix(struct proto_view word)
{
    return words_is(word, "REF") || words_is(word, "WEAKREF");
}

/* The row of two words, else of one. */
static const struct doc *find_longest(const struct docs *docs, size_t argc,
                                      const struct proto_view *argv, size_t *used)
{
    const struct doc *found = argc > 1 ? find_words(docs, 2, argv) : NULL;
    *used = found ? 2 : 1;
    return !found && argc > 0 ? find_words(docs, 1, argv) : found;
}

const struct doc *docs_find(const struct docs *docs, size_t argc, const struct proto_view *argv,
                            size_t *used)
{
    const struct doc *found = find_longest(docs, argc, argv, used);
    if (argc < 2 || *used == 2 || !is_prefix(argv[0])) return found;
    size_t behind;
    const struct doc *prefixed = find_longest(docs, argc - 1, argv + 1, &behind);
    if (!prefixed) return found;
    *used = 1 + behind;
    return prefixed;
}

static bool begins(const char *name, struct proto_view with)
{
    for (size_t i = 0; i < with.n; i++)
        if (name[i] != toupper((unsigned char)with.p[i])) return false;
    return true;
}

void docs_complete(const struct docs *docs, size_t argc, const struct proto_view *argv,
                   void (*found)(void *context, const char *word, size_t n), void *context)
{
    if (argc == 0 || argc > 3) return;
    bool reference = argc > 1 && is_prefix(argv[0]);
    struct proto_view last = argv[argc - 1];
    for (size_t i = 0; i < docs->count; i++) {
        const char *name = docs->rows[i].name;
        size_t first = strcspn(name, " ");
        struct proto_view word = {name, first};
        if (name[first] == 0) {
            if (argc - reference == 1 && begins(name, last)) found(context, name, first);
            continue;
        }
        const char *second = name + first + 1;
        /* After a prefix stand its own subcommands too. */
        struct proto_view before = argv[argc > 1 ? argc - 2 : 0];
        bool under = argc == 2 || (argc == 3 && reference);
        if (under && before.n == word.n && begins(name, before) && begins(second, last))
            found(context, second, strlen(second));
    }
}

/* The end of one word of a syntax: brackets hold together what they hold. */
static const char *word_end(const char *p)
{
    int depth = 0;
    for (; *p && (*p != ' ' || depth > 0); p++) {
        if (*p == '[' || *p == '<') depth++;
        if (*p == ']' || *p == '>') depth--;
    }
    return p;
}

const char *docs_rest(const char *syntax, size_t given)
{
    while (given > 0 && *syntax && *syntax != '[') {
        syntax = word_end(syntax);
        while (*syntax == ' ') syntax++;
        given--;
    }
    return syntax;
}
