/*
 * heapd-tour: takes heapd around Debian's package index. The command line, the index, the server;
 * the tour itself is tour.c's.
 *
 * Exit code: 0; 1 with one line on standard error when something failed or was not as it must be;
 * 2 for arguments that make no sense.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "examples/process.h"
#include "examples/say.h"
#include "examples/tour.h"

static const char usage[] =
    "usage: heapd-tour [--file FILE] [--url URL] [--heapd PROGRAM] [--summary FILE]\n"
    "\n"
    "Loads Debian's package index into heapd and shows what references, counts and the collector "
    "do\n"
    "with it. FILE is what `apt-cache dumpavail` prints; without it that is asked, and where the\n"
    "package lists are missing examples/packages.txt is taken, a part of them. The tour starts a\n"
    "heapd of its own (the program beside it) and ends it, or uses the empty one at URL\n"
    "(redis://127.0.0.1:7379). --summary writes the figures for programs, `key value` a line.\n";

enum {
    LISTS_PACKAGES_MIN = 5000, /* fewer are not Debian's lists, only what is installed */
    CONNECT_MS = 20000,
    CONNECT_PAUSE_MS = 10,
    START_TRIES = 3,
};

struct arguments {
    const char *file, *url, *heapd, *summary;
};

/* --- the index --- */

static bool read_file(struct wire *w, struct index *ix, const char *path)
{
    FILE *in = fopen(path, "r");
    if (!in) return wire_fail(w, "cannot read %s: %s", path, strerror(errno));
    bool ok = index_read(ix, in) || wire_fail(w, "%s: out of memory", path);
    if (ok && ferror(in)) ok = wire_fail(w, "cannot read %s", path);
    if (ok && ix->package_count == 0) ok = wire_fail(w, "%s has no packages in it", path);
    fclose(in);
    return ok;
}

/* The whole index, if apt is here and has the lists. */
static bool read_lists(struct index *ix)
{
    FILE *in = popen("apt-cache dumpavail 2>/dev/null", "r");
    if (!in) return false;
    bool ok = index_read(ix, in);
    ok = pclose(in) == 0 && ok;
    return ok && ix->package_count >= LISTS_PACKAGES_MIN;
}

/* The part that the repository carries: where it was built, or two folders up from the program. */
static bool read_extract(struct wire *w, struct index *ix)
{
    char path[PROCESS_PATH_BYTES];
    if (read_file(w, ix, HEAPD_TOUR_EXTRACT)) return true;
    if (!process_beside("../../examples/packages.txt", path)) return false;
    index_fini(ix);
    w->error[0] = '\0';
    return read_file(w, ix, path);
}

static bool read_index(struct wire *w, struct index *ix, const struct arguments *given)
{
    const char *source = "what apt-cache dumpavail prints";
    if (given->file) {
        source = given->file;
        if (!read_file(w, ix, given->file)) return false;
    } else if (!read_lists(ix)) {
        source = "a part of it that comes with heapd, for the package lists are missing here "
                 "(apt-get update)";
        index_fini(ix);
        if (!read_extract(w, ix)) return false;
    }
    say("Debian's package index, %s: %s packages, %s fields, %s dependencies among them.", source,
        show_count(ix->package_count).text, show_count(ix->field_count).text,
        show_count(ix->edge_count).text);
    return true;
}

/* --- the server --- */

static bool connect_to(struct wire *w, const struct heapd_options *options)
{
    const struct timespec pause = {.tv_nsec = CONNECT_PAUSE_MS * 1000000L};
    for (int waited = 0; waited < CONNECT_MS; waited += CONNECT_PAUSE_MS) {
        if (heapd_connect(w->h, options) == HEAPD_OK) return true;
        if (!process_running()) return false;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* The port may be taken between the moment it was free and the server's: then another. */
static bool start_server(struct wire *w, const char *program)
{
    char beside[PROCESS_PATH_BYTES];
    if (!program) {
        if (!process_beside("heapd", beside)) return wire_fail(w, "the path of heapd is not known");
        program = beside;
    }
    if (access(program, X_OK) != 0)
        return wire_fail(w, "cannot execute %s: %s", program, strerror(errno));
    for (int i = 0; i < START_TRIES; i++) {
        struct heapd_options options = {.port = process_free_port(), .timeout_ms = WIRE_TIMEOUT_MS};
        int pid = process_start(program, options.port);
        if (pid < 0) return wire_fail(w, "cannot start %s: %s", program, strerror(errno));
        struct figures figures;
        if (!connect_to(w, &options)) {
            process_stop();
            continue;
        }
        if (!wire_figures(w, &figures)) return false;
        if (figures.process_id != (uint64_t)pid)
            return wire_fail(w, "another server answers on port %u", (unsigned)options.port);
        say("A heapd of its own serves on 127.0.0.1:%u, empty: it uses %s.", (unsigned)options.port,
            show_bytes(figures.used_memory).text);
        return true;
    }
    return wire_fail(w, "%s does not serve", program);
}

static bool use_server(struct wire *w, const char *text)
{
    struct heapd_url url;
    const char *error = "";
    if (heapd_url_parse(text, &url, &error) != HEAPD_OK) return wire_fail(w, "%s: %s", text, error);
    url.options.timeout_ms = WIRE_TIMEOUT_MS;
    bool ok =
        heapd_connect(w->h, &url.options) == HEAPD_OK || wire_fail(w, "%s", heapd_error(w->h));
    heapd_url_fini(&url);
    return ok;
}

/* --- all of it --- */

static bool write_summary(struct wire *w, const struct tour *t, const char *path)
{
    if (!path) return true;
    FILE *out = fopen(path, "w");
    if (!out) return wire_fail(w, "cannot write %s: %s", path, strerror(errno));
    tour_write_summary(t, out);
    bool ok = !ferror(out);
    ok = fclose(out) == 0 && ok;
    return ok || wire_fail(w, "cannot write %s", path);
}

static bool take_tour(struct wire *w, const struct arguments *given)
{
    struct index ix = {.bytes = NULL};
    struct tour t = {.wire = w};
    bool ok = read_index(w, &ix, given) &&
              (given->url ? use_server(w, given->url) : start_server(w, given->heapd)) &&
              tour_init(&t, w, &ix) && tour_load(&t) && tour_link(&t) && tour_look(&t) &&
              tour_keep(&t) && tour_drop(&t);
    if (ok) tour_sum(&t);
    ok = ok && write_summary(w, &t, given->summary);
    tour_fini(&t);
    index_fini(&ix);
    return ok;
}

static bool parse(int argc, char **argv, struct arguments *out)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {{"--file", &out->file},
                   {"--url", &out->url},
                   {"--heapd", &out->heapd},
                   {"--summary", &out->summary}};
    for (int i = 1; i < argc; i += 2) {
        size_t at = 0, count = sizeof options / sizeof options[0];
        while (at < count && strcmp(argv[i], options[at].name) != 0) at++;
        if (at == count || i + 1 == argc) return false;
        *options[at].value = argv[i + 1];
    }
    return true;
}

int main(int argc, char **argv)
{
    struct arguments given = {.file = NULL};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return fputs(usage, stdout) < 0;
    if (!parse(argc, argv, &given)) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct wire w = {.h = heapd_new()};
    bool ok = w.h ? take_tour(&w, &given) : wire_fail(&w, "out of memory");
    heapd_free(w.h);
    if (!process_stop()) ok = wire_fail(&w, "heapd did not end well");
    if (!ok || w.error[0]) {
        fflush(stdout);
        fprintf(stderr, "heapd-tour: %s\n", w.error);
        return 1;
    }
    return 0;
}
