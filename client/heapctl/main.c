#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/heapctl/pipe.h"
#include "client/heapctl/repl.h"

static int one_shot(struct run *run)
{
    size_t argc = (size_t)run->options->argc;
    struct proto_view *argv = calloc(argc, sizeof *argv);
    if (!argv) {
        fputs("heapctl: out of memory\n", stderr);
        return EXIT_NO_CONNECTION;
    }
    for (size_t i = 0; i < argc; i++)
        argv[i] = (struct proto_view){run->options->argv[i], strlen(run->options->argv[i])};
    int code = run_command(run, argc, argv);
    free(argv);
    return code;
}

static int from_pipe(struct run *run)
{
    struct options o = *run->options;
    if (o.connect.timeout_ms == 0) o.connect.timeout_ms = PIPE_TIMEOUT_MS;
    run->options = &o;
    int code = run_connect(run);
    return code == EXIT_DONE ? pipe_run(run->h, STDIN_FILENO) : code;
}

int main(int argc, char **argv)
{
    struct options options;
    struct run run = {0};
    int code = EXIT_USAGE;
    enum options_result result = options_init(&options, argc, argv);
    if (result == OPTIONS_DONE) code = EXIT_DONE;
    if (result != OPTIONS_RUN) goto out;
    code = run_init(&run, &options);
    if (code != EXIT_DONE) goto out;
    if (options.pipe)
        code = from_pipe(&run);
    else if (options.argc > 0)
        code = one_shot(&run);
    else if (isatty(STDIN_FILENO) == 1)
        code = repl_run(&run);
    else
        code = run_lines(&run, stdin);
out:
    run_fini(&run);
    options_fini(&options);
    return code;
}
