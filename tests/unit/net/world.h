/*
 * A loop with the network floor, a server, and a command floor of a few words in place of the real
 * one, so that these tests try net/ alone.
 *
 *   PING             +PONG
 *   ECHO text        the text, as a bulk
 *   LENGTH text      its length
 *   KEEP text ...    how many of the texts become strings without being copied
 *   BULK n           n bytes of x
 *   HOLD n           the same, as a string that only the reply holds
 *   WAIT             waits until world.go is set, then :1
 *   QUIT             +OK, and the end
 *   KILL id          marks another session, as CLIENT KILL does
 *   TELL id text     the text, as a bulk, to another session; whether it can be told
 *   NOMEM            a reply that does not fit into memory
 *
 * The loop, the clients' sockets and the test run in one thread: world_turn() runs one turn of the
 * loop, and checks every invariant of net/ after it.
 */
#ifndef HEAPD_TESTS_NET_WORLD_H
#define HEAPD_TESTS_NET_WORLD_H

#include "net/conn.h"
#include "net/net.h"

struct world {
    struct engine engine;
    struct net net;
    uv_loop_t loop;
    uv_check_t check;
    bool go;       /* waits end */
    int tested_fd; /* a test's own */
};

/* Worlds are made without io_uring: for a second run of the same tests. */
extern bool world_without_ring;

/* `options` as on the command line, NULL at the end; the port is a free one unless named. */
struct world *world_new(const char *const *options);
void world_free(struct world *w);
void world_turn(struct world *w);
/* Turns until the condition holds; fails the test after some seconds. */
#define WORLD_UNTIL(w, condition)                                                                  \
    do {                                                                                           \
        for (int turns = 0; !(condition); turns++) {                                               \
            if (turns > 5000) fail_msg("never: %s", #condition);                                   \
            world_turn(w);                                                                         \
            if (turns > 100) usleep(1000);                                                         \
        }                                                                                          \
    } while (0)

/* A client's socket, non-blocking; its connection is accepted. */
int world_connect(struct world *w);
/* The same with small buffers in between, so that little unread output makes a slow reader. */
int world_connect_narrow(struct world *w);
/* A reset, as of a client whose machine is gone. */
void world_vanish(int fd);
/* The newest connection. */
struct session *world_session(struct world *w);
struct conn *world_conn(struct world *w);
/* Sends all of it, turning the loop where the socket is full. */
void world_send(struct world *w, int fd, const char *text, size_t n);
void world_say(struct world *w, int fd, const char *text);
/* A large argument: its bulk, of so many times the letter. */
void world_say_bulk(struct world *w, int fd, char letter, size_t n);
void world_say_times(struct world *w, int fd, const char *text, size_t times);
/* Reads n bytes, turning the loop where there are none. */
void world_read(struct world *w, int fd, char *to, size_t n);
/* Reads exactly this text. */
void world_expect(struct world *w, int fd, const char *text);
void world_expect_times(struct world *w, int fd, const char *text, size_t times);
/* Reads the end of the stream. */
void world_expect_end(struct world *w, int fd);

#endif
