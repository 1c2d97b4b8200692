#include "examples/wire.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "examples/say.h"

/* Freed blocks wait for a tenth of a second before they go back to the system. */
enum { SETTLE_PAUSE_MS = 2, SETTLE_QUIET_MS = 150 };

bool wire_fail(struct wire *w, const char *format, ...)
{
    if (w->error[0]) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->error, sizeof w->error, format, arguments);
    va_end(arguments);
    return false;
}

/* --- one command --- */

static size_t gather(struct proto_view *argv, va_list words)
{
    size_t argc = 0;
    const char *word;
    while (argc < WIRE_SHOWN_ARGUMENTS_MAX && (word = va_arg(words, const char *)))
        argv[argc++] = (struct proto_view){word, strlen(word)};
    return argc;
}

static struct heapd_reply *call(struct wire *w, size_t argc, const struct proto_view *argv)
{
    if (w->error[0]) return NULL;
    struct heapd_reply *reply = heapd_call_argv(w->h, argc, argv);
    if (!reply) {
        wire_fail(w, "%s", heapd_error(w->h));
    } else if (heapd_is_error(reply)) {
        wire_fail(w, "%.*s was refused: %s", (int)argv[0].n, argv[0].p, reply->text);
        heapd_reply_free(reply);
        reply = NULL;
    }
    return reply;
}

struct heapd_reply *wire_ask(struct wire *w, ...)
{
    struct proto_view argv[WIRE_SHOWN_ARGUMENTS_MAX];
    va_list words;
    va_start(words, w);
    size_t argc = gather(argv, words);
    va_end(words);
    return call(w, argc, argv);
}

struct heapd_reply *wire_show(struct wire *w, const char *remark, ...)
{
    struct proto_view argv[WIRE_SHOWN_ARGUMENTS_MAX];
    va_list words;
    va_start(words, remark);
    size_t argc = gather(argv, words);
    va_end(words);
    struct heapd_reply *reply = call(w, argc, argv);
    if (!reply) return NULL;
    say_command(argc, argv, NULL);
    say_reply(reply, remark);
    return reply;
}

/* --- many commands --- */

static void take_reply(void *context, struct heapd_reply *reply)
{
    struct wire *w = context;
    if (reply->type == HEAPD_REPLY_INTEGER)
        w->sum += (uint64_t)reply->integer;
    else if (heapd_is_error(reply))
        wire_fail(w, "a command of the pipeline was refused: %s", reply->text);
    heapd_reply_free(reply);
}

bool wire_pipeline_begin(struct wire *w)
{
    if (w->error[0]) return false;
    w->sum = 0;
    heapd_on_reply(w->h, take_reply, w);
    return true;
}

bool wire_pipeline_add(struct wire *w, size_t argc, const struct proto_view *argv)
{
    if (w->error[0]) return false;
    if (heapd_append_argv(w->h, argc, argv) != HEAPD_OK) wire_fail(w, "%s", heapd_error(w->h));
    return w->error[0] == '\0';
}

bool wire_pipeline_end(struct wire *w)
{
    if (!w->error[0] && heapd_drain(w->h) != HEAPD_OK) wire_fail(w, "%s", heapd_error(w->h));
    heapd_on_reply(w->h, NULL, NULL);
    return w->error[0] == '\0';
}

/* --- figures --- */

static const struct {
    const char *name;
    size_t offset;
} rows[] = {
#define ROW(field)                                                                                 \
    {                                                                                              \
#field, offsetof(struct figures, field)                                                    \
    }
    ROW(process_id),
    ROW(used_memory),
    ROW(used_memory_rss),
    ROW(heap_objects),
    ROW(heap_objects_hash),
    ROW(heap_names),
    ROW(heap_release_pending_objects),
    ROW(heap_interned_strings),
    ROW(heap_intern_saved_bytes),
    ROW(heap_pool_live_bytes),
    ROW(heap_large_bytes),
    ROW(gc_trials),
    ROW(gc_collected_objects),
    ROW(gc_slices),
    ROW(gc_cpu_us),
    ROW(gc_longest_slice_us),
    ROW(loop_longest_step_us),
#undef ROW
};

/* The number behind "\nname:" in the text of INFO. */
static bool info_number(const char *text, const char *name, uint64_t *out)
{
    size_t n = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, n) != 0 || line[n] != ':') continue;
        *out = strtoull(line + n + 1, NULL, 10);
        return true;
    }
    return false;
}

bool wire_figures(struct wire *w, struct figures *out)
{
    struct heapd_reply *reply = wire_ask(w, "INFO", "everything", NULL);
    if (!reply) return false;
    bool ok = reply->type == HEAPD_REPLY_VERBATIM || reply->type == HEAPD_REPLY_BULK;
    for (size_t i = 0; ok && i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t *figure = (uint64_t *)((char *)out + rows[i].offset);
        ok = info_number(reply->text, rows[i].name, figure) ||
             wire_fail(w, "INFO has no %s: this is not heapd", rows[i].name);
    }
    heapd_reply_free(reply);
    return ok || wire_fail(w, "INFO answered no text");
}

bool wire_settled_figures(struct wire *w, struct figures *out)
{
    const struct timespec pause = {.tv_nsec = SETTLE_PAUSE_MS * 1000000L};
    uint64_t used = UINT64_MAX, resident = UINT64_MAX;
    int quiet = 0;
    for (int waited = 0; wire_figures(w, out); waited += SETTLE_PAUSE_MS) {
        bool falls = out->heap_release_pending_objects || out->used_memory < used ||
                     out->used_memory_rss < resident;
        quiet = falls ? 0 : quiet + SETTLE_PAUSE_MS;
        if (quiet >= SETTLE_QUIET_MS) return true;
        used = out->used_memory;
        resident = out->used_memory_rss;
        if (waited >= WIRE_TIMEOUT_MS) return wire_fail(w, "the memory does not settle");
        nanosleep(&pause, NULL);
    }
    return false;
}
