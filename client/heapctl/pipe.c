#include "client/heapctl/pipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/heapctl/options.h"
#include "proto/writer.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
enum {
    BAR_WIDTH = 24,
    BAR_INTERVAL_MS = 100,
    LINE_INTERVAL_MS = 1000,
    ERRORS_SHOWN_MAX = 20,
    MAGIC_BYTES = 20,
};
#define RATE_BYTES_PER_MEGA 1e6

struct pipe {
    struct heapd *h;
    uint64_t sent_bytes, whole_bytes; /* whole: 0 if it is not known */
    uint64_t replies, errors;
    bool terminal;
    uint64_t started_ms, drawn_ms;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void draw_bar(const struct pipe *p)
{
    char bar[BAR_WIDTH + 1] = {0};
    uint64_t whole = p->whole_bytes > p->sent_bytes ? p->whole_bytes : p->sent_bytes;
    uint64_t full = whole > 0 ? p->sent_bytes * BAR_WIDTH / whole : BAR_WIDTH;
    for (size_t i = 0; i < BAR_WIDTH; i++) bar[i] = i < full ? '#' : '.';
    fprintf(stderr, "[%s] %3" PRIu64 "%% ", bar, whole > 0 ? p->sent_bytes * 100 / whole : 100);
}

/* Draws if `always`, or if it is time. */
static void progress(struct pipe *p, bool always)
{
    uint64_t now = now_ms();
    uint64_t interval = p->terminal ? BAR_INTERVAL_MS : LINE_INTERVAL_MS;
    if (!always && now - p->drawn_ms < interval) return;
    p->drawn_ms = now;
    double seconds = (double)(now - p->started_ms) / 1000;
    double mega = (double)p->sent_bytes / RATE_BYTES_PER_MEGA;
    if (p->terminal) fputc('\r', stderr);
    if (p->whole_bytes > 0) draw_bar(p);
    fprintf(stderr, "%.1f MB, %.1f MB/s, %" PRIu64 " replies, %" PRIu64 " errors", mega,
            seconds > 0 ? mega / seconds : 0, p->replies, p->errors);
    /* Clears what a longer line has left behind. */
    fputs(p->terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

static void count(void *context, struct heapd_reply *reply)
{
    struct pipe *p = context;
    p->replies++;
    if (heapd_is_error(reply)) {
        p->errors++;
        if (p->errors <= ERRORS_SHOWN_MAX) {
            if (p->terminal) fputs("\r\033[K", stderr);
            fprintf(stderr, "%s\n", reply->text);
        }
        if (p->errors == ERRORS_SHOWN_MAX) fputs("(further errors are only counted)\n", stderr);
    }
    heapd_reply_free(reply);
    progress(p, false);
}

/* All of the input. false: the connection is lost, or the input cannot be read. */
static bool send_all(struct pipe *p, int fd, int *code)
{
    char chunk[CHUNK_BYTES];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            fprintf(stderr, "heapctl: reading stdin: %s\n", strerror(errno));
            *code = EXIT_USAGE;
            return false;
        }
        if (n == 0) return true;
        if (heapd_append_raw(p->h, chunk, (size_t)n) != HEAPD_OK || heapd_flush(p->h) != HEAPD_OK ||
            heapd_poll(p->h) != HEAPD_OK) {
            *code = EXIT_NO_CONNECTION;
            return false;
        }
        p->sent_bytes += (uint64_t)n;
        progress(p, false);
    }
}

static bool is_magic(const struct heapd_reply *reply, const char *magic)
{
    return reply->type == HEAPD_REPLY_BULK && reply->n == MAGIC_BYTES &&
           memcmp(reply->text, magic, MAGIC_BYTES) == 0;
}

/* Counts replies up to the echo of the random bytes. */
static bool wait_for_end(struct pipe *p)
{
    char magic[MAGIC_BYTES];
    if (getrandom(magic, sizeof magic, 0) != (ssize_t)sizeof magic) return false;
    struct proto_buf echo;
    proto_buf_init(&echo);
    const struct proto_view argv[] = {{"ECHO", 4}, {magic, sizeof magic}};
    proto_request(&echo, 2, argv);
    heapd_on_reply(p->h, NULL, NULL);
    bool going = !echo.failed && heapd_append_raw(p->h, echo.p, echo.n) == HEAPD_OK;
    proto_buf_fini(&echo);
    while (going) {
        struct heapd_reply *reply;
        if (heapd_read(p->h, &reply) != HEAPD_OK) return false;
        if (is_magic(reply, magic)) {
            heapd_reply_free(reply);
            return true;
        }
        count(p, reply);
    }
    return false;
}

/* What the server said before it closed. */
static void count_left(struct pipe *p)
{
    struct heapd_reply *reply;
    while (heapd_read(p->h, &reply) == HEAPD_OK) count(p, reply);
}

int pipe_run(struct heapd *h, int fd)
{
    struct stat file;
    struct pipe p = {.h = h, .terminal = isatty(STDERR_FILENO) == 1, .started_ms = now_ms()};
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0)
        p.whole_bytes = (uint64_t)file.st_size;
    p.drawn_ms = p.started_ms;
    heapd_on_reply(h, count, &p);
    int code = EXIT_NO_CONNECTION;
    bool ended = send_all(&p, fd, &code) && wait_for_end(&p);
    heapd_on_reply(h, NULL, NULL);
    char why[256];
    snprintf(why, sizeof why, "%s", heapd_error(h));
    if (!ended && !heapd_connected(h)) count_left(&p);
    progress(&p, true);
    if (p.terminal) fputc('\n', stderr);
    if (!ended && code == EXIT_NO_CONNECTION) fprintf(stderr, "heapctl: %s\n", why);
    printf("errors: %" PRIu64 ", replies: %" PRIu64 "\n", p.errors, p.replies);
    if (!ended) return code;
    return p.errors > 0 ? EXIT_REFUSED : EXIT_DONE;
}
