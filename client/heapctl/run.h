/*
 * Runs commands and prints their replies: the part that one-shot, lines from stdin and the
 * interactive mode share. It connects when it must, once more if the connection was lost in
 * between, and says on stderr why it could not.
 *
 * Invariants
 *  1. A command is sent a second time only if the connection had been lost before it could be sent.
 *
 * Ownership: struct run owns the connection; options are borrowed.
 *
 * Cost: one round trip a command.
 */
#ifndef HEAPCTL_RUN_H
#define HEAPCTL_RUN_H

#include <stdio.h>

#include "client/heapctl/options.h"

struct run {
    const struct options *options;
    struct heapd *h;
    enum options_format format;
    bool interactive; /* a refused introduction is told, and does not end it */
};

/* The functions return exit codes. Nothing is connected yet after this one. */
int run_init(struct run *run, const struct options *options);
void run_fini(struct run *run);

/* Connects if there is no connection. */
int run_connect(struct run *run);
/* REFUSED after an error reply. */
int run_command(struct run *run, size_t argc, const struct proto_view *argv);
/* A command a line; REFUSED if any of them gave an error. */
int run_lines(struct run *run, FILE *from);

#endif
