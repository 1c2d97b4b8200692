/*
 * The interactive mode: a prompt with editing, history and completion (libedit). TAB completes
 * names of commands and subcommands, and shows the syntax behind them; the syntax that is left also
 * stands at the right of the line as soon as a word is finished. libedit has no text behind
 * the cursor that is not the line's, hence the right.
 *
 * Invariants
 *  1. The prompt tells whether there is a connection.
 *
 * Ownership: struct run is borrowed.
 *
 * Cost: COMMAND DOCS once for each session.
 */
#ifndef HEAPCTL_REPL_H
#define HEAPCTL_REPL_H

#include "client/heapctl/run.h"

/* Until exit, quit or the end of input; returns the exit code. */
int repl_run(struct run *run);

#endif
