#include "client/heapctl/complete.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/heapctl/words.h"

static bool ends_blank(const char *line, size_t n)
{
    return n == 0 || isspace((unsigned char)line[n - 1]);
}

static void found(void *context, const char *word, size_t n)
{
    struct complete *c = context;
    if (n >= COMPLETE_WORD_BYTES_MAX || c->count == COMPLETE_WORDS_MAX) return;
    char *to = c->words[c->count++];
    for (size_t i = 0; i < n; i++)
        to[i] = c->lower ? (char)tolower((unsigned char)word[i]) : word[i];
    to[n] = 0;
    if (c->count == 1) {
        memcpy(c->common, to, n + 1);
        return;
    }
    size_t same = 0;
    while (c->common[same] != 0 && c->common[same] == to[same]) same++;
    c->common[same] = 0;
}

bool complete_init(struct complete *c, const struct docs *docs, const char *line, size_t n)
{
    *c = (struct complete){0};
    struct words words;
    if (words_split(line, n, &words) != WORDS_OK) return false;
    c->words = calloc(COMPLETE_WORDS_MAX, sizeof *c->words);
    struct proto_view *argv = calloc(words.argc + 1, sizeof *argv);
    if (c->words && argv) {
        size_t argc = words.argc;
        if (argc > 0) memcpy(argv, words.argv, argc * sizeof *argv);
        if (ends_blank(line, n)) argv[argc++] = (struct proto_view){"", 0};
        c->typed = argv[argc - 1].n;
        struct proto_view like = c->typed > 0 || argc == 1 ? argv[argc - 1] : argv[argc - 2];
        c->lower = like.n > 0 && islower((unsigned char)like.p[0]);
        docs_complete(docs, argc, argv, found, c);
    }
    bool done = c->words && argv;
    if (!done) complete_fini(c);
    free(argv);
    words_fini(&words);
    return done;
}

void complete_fini(struct complete *c)
{
    free(c->words);
    *c = (struct complete){0};
}

void complete_print(FILE *to, const struct complete *c, size_t width)
{
    size_t widest = 0;
    for (size_t i = 0; i < c->count; i++)
        if (strlen(c->words[i]) > widest) widest = strlen(c->words[i]);
    size_t columns = width / (widest + 2);
    if (columns == 0) columns = 1;
    size_t rows = (c->count + columns - 1) / columns;
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = row; i < c->count; i += rows)
            fprintf(to, "%-*s", i + rows < c->count ? (int)widest + 2 : 0, c->words[i]);
        putc('\n', to);
    }
}

void complete_hint(const struct docs *docs, const char *line, size_t n, char *to, size_t room)
{
    struct words words;
    to[0] = 0;
    if (words_split(line, n, &words) != WORDS_OK) return;
    size_t used;
    const struct doc *doc = docs_find(docs, words.argc, words.argv, &used);
    if (doc) {
        size_t given = words.argc - used;
        /* The word that is being written is still hinted at. */
        if (given > 0 && !ends_blank(line, n)) given--;
        snprintf(to, room, "%s", docs_rest(doc->syntax, given));
    }
    words_fini(&words);
}
