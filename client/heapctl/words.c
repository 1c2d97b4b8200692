#include "client/heapctl/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A place in the line, and in the text that it is unescaped to. */
struct cut {
    const char *p, *end;
    char *to;
};

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static char escaped(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
    }
}

/* Behind a backslash within double quotes, which is not the last byte. */
static void take_escape(struct cut *cut)
{
    if (*cut->p == 'x' && cut->end - cut->p >= 3) {
        int high = hex(cut->p[1]), low = hex(cut->p[2]);
        if (high >= 0 && low >= 0) {
            *cut->to++ = (char)(16 * high + low);
            cut->p += 3;
            return;
        }
    }
    *cut->to++ = escaped(*cut->p++);
}

/* From behind the opening quote to behind the closing one; false if there is none. */
static bool take_quoted(struct cut *cut, char quote)
{
    while (cut->p < cut->end) {
        char c = *cut->p++;
        if (c == quote) return cut->p == cut->end || isspace((unsigned char)*cut->p);
        if (c != '\\' || cut->p == cut->end) {
            *cut->to++ = c;
        } else if (quote == '"') {
            take_escape(cut);
        } else {
            if (*cut->p == '\'') c = *cut->p++;
            *cut->to++ = c;
        }
    }
    return false;
}

/* One word, of which the first byte is no blank. */
static bool take_word(struct cut *cut)
{
    while (cut->p < cut->end && !isspace((unsigned char)*cut->p)) {
        char c = *cut->p++;
        if (c == '"' || c == '\'') {
            if (!take_quoted(cut, c)) return false;
        } else {
            *cut->to++ = c;
        }
    }
    return true;
}

enum words_result words_split(const char *line, size_t n, struct words *out)
{
    /* A word and the blank behind it take no fewer bytes than its text and its NUL. */
    struct words words = {.text = malloc(n + 1), .argv = calloc(n / 2 + 1, sizeof *words.argv)};
    struct cut cut = {.p = line, .end = line + n, .to = words.text};
    enum words_result result = WORDS_OOM;
    if (!words.text || !words.argv) goto out;
    result = WORDS_UNBALANCED;
    for (;;) {
        while (cut.p < cut.end && isspace((unsigned char)*cut.p)) cut.p++;
        if (cut.p == cut.end) break;
        char *word = cut.to;
        if (!take_word(&cut)) goto out;
        words.argv[words.argc++] = (struct proto_view){word, (size_t)(cut.to - word)};
        *cut.to++ = 0;
    }
    result = WORDS_OK;
    *out = words;
    words = (struct words){0};
out:
    words_fini(&words);
    return result;
}

void words_fini(struct words *words)
{
    free(words->text);
    free(words->argv);
    *words = (struct words){0};
}

bool words_is(struct proto_view word, const char *upper)
{
    if (word.n != strlen(upper)) return false;
    for (size_t i = 0; i < word.n; i++)
        if (toupper((unsigned char)word.p[i]) != upper[i]) return false;
    return true;
}
