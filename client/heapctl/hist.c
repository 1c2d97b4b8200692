#include "client/heapctl/hist.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file as its owner's alone, whatever the umask and whoever made it; NULL if that fails. */
static FILE *open_private(const char *path, int flags, const char *mode)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0) return NULL;
    FILE *file = fchmod(fd, 0600) == 0 ? fdopen(fd, mode) : NULL;
    if (!file) close(fd);
    return file;
}

static void remember(struct hist *hist, const char *line)
{
    HistEvent event;
    if (*line) history(hist->lines, &event, H_ENTER, line);
}

/* Writes what is remembered, oldest first. A half-written file would be worse than a long one, so
 * it is written beside it. */
static void rewrite(struct hist *hist)
{
    char *beside = NULL;
    if (asprintf(&beside, "%s.new", hist->path) < 0) return;
    FILE *file = open_private(beside, O_WRONLY | O_CREAT | O_TRUNC, "w");
    if (file) {
        HistEvent event;
        int found = history(hist->lines, &event, H_LAST);
        for (; found >= 0; found = history(hist->lines, &event, H_PREV))
            fprintf(file, "%s\n", event.str);
        if (fclose(file) == 0) rename(beside, hist->path);
    }
    free(beside);
}

static void load(struct hist *hist)
{
    FILE *file = fopen(hist->path, "re");
    if (!file) return;
    char *line = NULL;
    size_t room = 0, count = 0;
    ssize_t n;
    while ((n = getline(&line, &room, file)) >= 0) {
        line[strcspn(line, "\n")] = 0;
        remember(hist, line);
        count++;
    }
    free(line);
    fclose(file);
    if (count >= (size_t)2 * HIST_LINES_KEPT) rewrite(hist);
}

bool hist_init(struct hist *hist)
{
    *hist = (struct hist){.lines = history_init()};
    if (!hist->lines) return false;
    HistEvent event;
    history(hist->lines, &event, H_SETSIZE, HIST_LINES_KEPT);
    history(hist->lines, &event, H_SETUNIQUE, 1);
    const char *home = getenv("HOME");
    if (home && asprintf(&hist->path, "%s/" HIST_FILE, home) < 0) hist->path = NULL;
    if (hist->path) load(hist);
    return true;
}

void hist_fini(struct hist *hist)
{
    if (hist->lines) history_end(hist->lines);
    free(hist->path);
    *hist = (struct hist){0};
}

void hist_add(struct hist *hist, const char *line, size_t n)
{
    char *copy = strndup(line, n);
    if (!copy) return;
    remember(hist, copy);
    FILE *file = !hist->path ? NULL : open_private(hist->path, O_WRONLY | O_CREAT | O_APPEND, "a");
    if (file) {
        fprintf(file, "%s\n", copy);
        fclose(file);
    }
    free(copy);
}

static bool has(size_t argc, const struct proto_view *argv, const char *upper)
{
    for (size_t i = 1; i < argc; i++)
        if (words_is(argv[i], upper)) return true;
    return false;
}

bool hist_is_secret(size_t argc, const struct proto_view *argv)
{
    if (argc == 0) return false;
    if (words_is(argv[0], "AUTH")) return true;
    if (words_is(argv[0], "HELLO")) return has(argc, argv, "AUTH");
    if (words_is(argv[0], "ACL")) return has(argc, argv, "SETUSER");
    if (!words_is(argv[0], "CONFIG") || !has(argc, argv, "SET")) return false;
    return has(argc, argv, "REQUIREPASS") || has(argc, argv, "MASTERAUTH");
}
