/*
 * Servers for the tests of the client, one connection each, in a thread: a canned one that knows
 * its dialogue by heart, and one that answers every command with a numbered bulk. Also replies made
 * of bytes.
 *
 * Invariants
 *  1. canned_end waits for the thread, which ends when the client closes, or says another line.
 *
 * Ownership: the test owns struct canned; the dialogue is borrowed.
 *
 * Cost: none that matters.
 */
#ifndef TEST_CLIENT_CANNED_H
#define TEST_CLIENT_CANNED_H

#include "client/heapd.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct canned_line {
    const char *expect; /* exactly these bytes; NULL ends the dialogue, and the connection */
    const char *answer;
};

struct canned {
    int listener;
    uint16_t port;
    pthread_t thread;
    const struct canned_line *lines;
    size_t answer_bytes; /* of the numbered bulks */
    char mark;           /* the byte that stands for a command */
    size_t said;         /* lines of the dialogue that came as expected */
    bool silent;         /* answers nothing */
};

void canned_begin(struct canned *server, const struct canned_line *lines);
/* Answers every `mark` with a bulk of `answer_bytes` that begins with its number; reads nothing
 * while it writes. */
void canned_begin_numbered(struct canned *server, size_t answer_bytes, char mark);
void canned_begin_silent(struct canned *server);
/* Returns how many lines came as expected. */
size_t canned_end(struct canned *server);

/* A connection to it, RESP2 without a handshake. */
struct heapd *canned_connect(const struct canned *server, int timeout_ms);

/* The reply that the bytes are. */
struct heapd_reply *canned_reply(const char *bytes);

#endif
