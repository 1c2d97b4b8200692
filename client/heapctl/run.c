#include "client/heapctl/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/heapctl/jsonify.h"
#include "client/heapctl/print.h"
#include "client/heapctl/words.h"

static void show(const struct run *run, const struct heapd_reply *reply)
{
    switch (run->format) {
    case FORMAT_JSON:
        if (!jsonify_print(stdout, reply)) fputs("heapctl: out of memory\n", stderr);
        break;
    case FORMAT_RAW: print_raw(stdout, reply); break;
    case FORMAT_AUTO:
    case FORMAT_PRETTY: print_pretty(stdout, reply); break;
    }
}

static void show_push(void *context, struct heapd_reply *push)
{
    show(context, push);
    fflush(stdout);
    heapd_reply_free(push);
}

/* As in redis-cli, for eyes too. */
static bool is_text(size_t argc, const struct proto_view *argv, const struct heapd_reply *reply)
{
    if (reply->type == HEAPD_REPLY_VERBATIM) return strcmp(reply->format, "ref") != 0;
    if (reply->type != HEAPD_REPLY_BULK) return false;
    if (words_is(argv[0], "INFO")) return true;
    return argc > 1 && words_is(argv[0], "CLIENT") &&
           (words_is(argv[1], "LIST") || words_is(argv[1], "INFO"));
}

int run_init(struct run *run, const struct options *options)
{
    *run = (struct run){.options = options, .format = options->format, .h = heapd_new()};
    if (!run->h) {
        fputs("heapctl: out of memory\n", stderr);
        return EXIT_NO_CONNECTION;
    }
    bool terminal = isatty(STDOUT_FILENO) == 1;
    if (run->format == FORMAT_AUTO) run->format = terminal ? FORMAT_PRETTY : FORMAT_RAW;
    /* What answers no command would only confuse a program that reads the output. */
    if (terminal) heapd_on_push(run->h, show_push, run);
    return EXIT_DONE;
}

void run_fini(struct run *run)
{
    heapd_free(run->h);
    run->h = NULL;
}

static int lost(const struct run *run)
{
    fprintf(stderr, "heapctl: %s\n", heapd_error(run->h));
    return EXIT_NO_CONNECTION;
}

int run_connect(struct run *run)
{
    if (heapd_connected(run->h)) return EXIT_DONE;
    switch (heapd_connect(run->h, &run->options->connect)) {
    case HEAPD_OK: return EXIT_DONE;
    case HEAPD_REFUSED:
        fprintf(stderr, "(error) %s\n", heapd_error(run->h));
        return run->interactive ? EXIT_DONE : EXIT_REFUSED;
    case HEAPD_NO_CONNECTION:
    case HEAPD_CLOSED:
    case HEAPD_TIMEOUT:
    case HEAPD_BROKEN:
    case HEAPD_INVALID:
    case HEAPD_OOM: break;
    }
    return lost(run);
}

int run_command(struct run *run, size_t argc, const struct proto_view *argv)
{
    bool connected = heapd_connected(run->h);
    int code = run_connect(run);
    if (code != EXIT_DONE) return code;
    /* A connection that idled may have been closed long ago; one look at it tells. */
    if (connected && heapd_alive(run->h) != HEAPD_OK) {
        code = run_connect(run);
        if (code != EXIT_DONE) return code;
    }
    struct heapd_reply *reply = heapd_call_argv(run->h, argc, argv);
    if (!reply) {
        /* A server that ends as it was told to answers by closing. */
        bool told = words_is(argv[0], "SHUTDOWN") && heapd_last_status(run->h) == HEAPD_CLOSED;
        return told ? EXIT_DONE : lost(run);
    }
    if (run->format != FORMAT_JSON && is_text(argc, argv, reply))
        print_text(stdout, reply);
    else
        show(run, reply);
    fflush(stdout);
    code = heapd_is_error(reply) ? EXIT_REFUSED : EXIT_DONE;
    heapd_reply_free(reply);
    return code;
}

static int run_line(struct run *run, const char *line, size_t n)
{
    struct words words;
    switch (words_split(line, n, &words)) {
    case WORDS_OOM: fputs("heapctl: out of memory\n", stderr); return EXIT_REFUSED;
    case WORDS_UNBALANCED: fputs("Invalid argument(s)\n", stdout); return EXIT_REFUSED;
    case WORDS_OK: break;
    }
    int code = words.argc > 0 ? run_command(run, words.argc, words.argv) : EXIT_DONE;
    words_fini(&words);
    return code;
}

int run_lines(struct run *run, FILE *from)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int worst = run_connect(run);
    if (worst != EXIT_DONE) return worst;
    while (worst <= EXIT_REFUSED && (n = getline(&line, &room, from)) >= 0) {
        int code = run_line(run, line, (size_t)n);
        if (code > worst) worst = code;
    }
    free(line);
    return worst;
}
