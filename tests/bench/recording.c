/*
 * Runs one command many times in an engine without a network, with or without a listener to its
 * effects, for recording.py, which counts the instructions.
 *
 * usage: recording SET|LPUSH|HSET|ZADD|GET COUNT on|off
 */
#include <stdio.h>
#include <stdlib.h>

#include "command/command.h"

enum { NAMES = 1000, ARGS_MAX = 5, ARG_BYTES = 80 };

static void discard(void *ctx, struct effect_batch batch)
{
    *(uint64_t *)ctx += batch.records.n;
}

/* The i-th request, as instructions.py sends it. */
static uint32_t put_together(const char *command, int i, char text[ARGS_MAX][ARG_BYTES])
{
    snprintf(text[0], ARG_BYTES, "%s", command);
    snprintf(text[1], ARG_BYTES, "key:%012d", i % NAMES);
    snprintf(text[2], ARG_BYTES, "%016d%016d%016d%016d", i, i, i, i);
    if (strcmp(command, "GET") == 0) return 2;
    if (strcmp(command, "SET") == 0) return 3;
    if (strcmp(command, "LPUSH") == 0) {
        snprintf(text[1], ARG_BYTES, "list");
        snprintf(text[2], ARG_BYTES, "element-%08d", i);
        return 3;
    }
    if (strcmp(command, "HSET") == 0) {
        memcpy(text[3], text[2], ARG_BYTES);
        snprintf(text[1], ARG_BYTES, "hash:%012d", i % NAMES);
        snprintf(text[2], ARG_BYTES, "field-%d", i % 3);
        return 4;
    }
    snprintf(text[1], ARG_BYTES, "zset");
    snprintf(text[2], ARG_BYTES, "%d", (int)(i * 7919LL % 100003));
    snprintf(text[3], ARG_BYTES, "member:%012d", i % NAMES);
    return 4;
}

int main(int argc, char **argv)
{
    static struct engine engine;
    static struct session session;
    static struct clock clock;
    struct config config;
    struct proto_buf out;
    uint64_t bytes = 0;
    if (argc != 4) return 2;
    config_init(&config);
    proto_buf_init(&out);
    if (engine_init(&engine, &config, &clock) || session_open(&engine.sessions, &session, 0))
        return 1;
    if (strcmp(argv[3], "on") == 0)
        effects_listen(&engine.heap.effects, &engine.mem, discard, &bytes);
    for (int i = 0; i < atoi(argv[2]); i++) {
        char text[ARGS_MAX][ARG_BYTES];
        struct view args[ARGS_MAX];
        uint32_t n = put_together(argv[1], i, text);
        for (uint32_t k = 0; k < n; k++) args[k] = view_of(text[k]);
        proto_buf_clear(&out, SIZE_MAX);
        dispatch(&engine, &session, &(struct request){.argv = args, .argc = n},
                 (struct reply_to){&out, NULL});
    }
    printf("%llu bytes of records\n", (unsigned long long)bytes);
    return out.n == 0 || out.p[0] == '-';
}
