/*
 * How the tour speaks: headings, sentences, commands with their replies as redis-cli shows them,
 * and numbers that people can read. It prints to standard output and knows no more of heapd than
 * what a command and a reply are.
 *
 * Ownership: it keeps nothing, but whether the last line was empty.
 */
#ifndef EXAMPLES_SAY_H
#define EXAMPLES_SAY_H

#include "client/heapd.h"

struct shown {
    char text[40];
};

/* 63666 as 63,666. */
struct shown show_count(uint64_t n);
/* Bytes in MiB, or KiB below one. */
struct shown show_bytes(uint64_t n);
/* Microseconds as us, ms or s. */
struct shown show_us(uint64_t us);

void say_heading(int number, const char *text);
/* A paragraph, broken into lines, between empty ones; at most SAY_CHARS_MAX characters. */
enum { SAY_CHARS_MAX = 2048, SAY_COLUMNS = 96, SAY_REMARK_BYTES = 128 };
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A command as a client would type it. */
void say_command(size_t argc, const struct proto_view *argv, const char *remark);
/* A line of the reply's kind, with a remark behind it (NULL: none). */
void say_reply(const struct heapd_reply *reply, const char *remark);
void say_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
