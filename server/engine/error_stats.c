#include "engine/error_stats.h"

#include <string.h>

/* The row of the word, or where it would stand. */
static uint32_t place_of(const struct error_stats *all, const char *word)
{
    uint32_t low = 0, high = all->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(all->of[middle].word, word) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void error_stats_add(struct error_stats *all, const char *line)
{
    char word[ERROR_WORD_BYTES] = "ERR";
    size_t n = strcspn(line, " ");
    if (line[n] && n > 0 && n < sizeof word) {
        memcpy(word, line, n);
        word[n] = '\0';
    }
    uint32_t at = place_of(all, word);
    struct error_stat *row = &all->of[at];
    if (at == all->count || strcmp(row->word, word) != 0) {
        if (all->count == ERROR_STATS_MAX) {
            all->other++;
            return;
        }
        memmove(row + 1, row, (all->count - at) * sizeof *row);
        all->count++;
        *row = (struct error_stat){.replies = 0};
        memcpy(row->word, word, sizeof word);
    }
    row->replies++;
}
