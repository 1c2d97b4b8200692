/*
 * heapctl's command line: options, then perhaps a command, whose own dashes are left alone.
 *
 * Invariants
 *  1. What is said on the command line goes before what the URL says, and that before
 * REDISCLI_AUTH.
 *
 * Ownership: struct options owns the URL; all else is borrowed from argv and the environment.
 *
 * Cost: none worth a word.
 */
#ifndef HEAPCTL_OPTIONS_H
#define HEAPCTL_OPTIONS_H

#include "client/heapd.h"

enum options_format {
    FORMAT_AUTO, /* pretty on a terminal, else raw */
    FORMAT_PRETTY,
    FORMAT_RAW,
    FORMAT_JSON
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* The exit codes of heapctl. */
enum options_exit { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_CONNECTION = 3 };

struct options {
    struct heapd_options connect;
    struct heapd_url url;
    enum options_format format;
    bool pipe;
    int argc; /* of the command */
    char **argv;
};

/* DONE: --help or --version were printed. WRONG: why is on stderr. */
enum options_result options_init(struct options *o, int argc, char **argv);
void options_fini(struct options *o);

#endif
