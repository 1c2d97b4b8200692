/*
 * What the parts of the simulation share: one run, which a seed determines.
 *
 *   sim.c       the turns, the checks, the seeds
 *   clients.c   what clients send, read and check, and how they end
 *   requests.c  what they ask
 *   sockets.c   the backend of the streams
 *   twin.c      the engine that says what every reply has to be
 *
 * Ownership: struct sim owns everything in it. A failure ends the process.
 */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include "net/conn.h"
#include "net/net.h"
#include "sockets.h"

enum {
    CLIENTS_MAX = 24,
    SIM_PIPELINE_MAX = 64,
    SIM_ENDS = 2 * SIM_PIPELINE_MAX,
    SIM_KEYS = 24,
    SIM_TEXTS = 6
};

/* What a run met. */
#define SIM_COUNTED(X)                                                                             \
    X(CLIENTS, "clients")                                                                          \
    X(COMMANDS, "commands")                                                                        \
    X(REFUSED, "refused")                                                                          \
    X(WAITED, "waited")                                                                            \
    X(ADOPTED, "with large arguments")                                                             \
    X(HELD, "with large replies")                                                                  \
    X(REPLY_BYTES, "bytes of replies")                                                             \
    X(EXPIRED, "names expired")                                                                    \
    X(COLLECTED, "objects collected")                                                              \
    X(KILLED, "clients killed")                                                                    \
    X(LEFT, "clients that broke off")

#define SIM_COUNT(name, text) SIM_##name,
enum sim_count { SIM_COUNTED(SIM_COUNT) SIM_COUNTS };
#undef SIM_COUNT

/* How a client means to end, once all that it asks for was asked. */
enum client_end {
    CLIENT_SHUTS,  /* shuts its output, and reads until the end */
    CLIENT_QUITS,  /* QUIT, and perhaps more behind it */
    CLIENT_BREAKS, /* bytes that are no request */
    CLIENT_RESETS, /* both directions, at any moment */
    CLIENT_LEAVES, /* closes, at any moment: perhaps in the middle of a request */
    CLIENT_ENDS,
};

struct client {
    bool there;
    struct virtual_socket socket;
    struct session *session; /* while it is open */
    struct session twin;     /* the twin's */
    struct bytes unsent;     /* what it will send */
    struct bytes expected;   /* what the twin says it is to read next */
    enum client_end end;
    uint32_t requests_left;
    bool end_said;                      /* the end stands in `unsent`, or was done */
    uint64_t made, delivered, executed; /* requests that are answered */
    uint64_t made_bytes, delivered_bytes;
    uint64_t ends[SIM_ENDS];   /* where they end, in bytes, of those after `delivered` */
    size_t send_max, read_max; /* bytes a turn */
    uint32_t pipeline, lazy;   /* reads in one turn of so many */
    bool awaits;               /* the reply to the last one */
    bool killed;               /* by CLIENT KILL */
    bool saw_end;
    size_t last_read;       /* bytes that are not the replies of requests */
    uint64_t progress;      /* what it had got done when it was last looked at, */
    uint32_t turns_without; /* and for how many turns it has been the same */
};

struct sim {
    uint64_t seed;
    uint64_t turns, turn; /* in which clients connect; the number of this one */
    struct random random;
    struct engine engine;
    struct net net;
    struct sockets sockets;
    int64_t reading_ns;
    int64_t tick_ns; /* when net_tick is due */
    bool steps_left; /* steps_run had more to do */
    bool drains;     /* net_drain was called */
    bool closes;     /* net_close was called */
    bool crowded;    /* all clients have much to ask, and ask in every turn */
    uint32_t clients_most;
    struct client clients[CLIENTS_MAX];
    struct engine twin;
    struct proto_buf twin_reply;
    size_t twin_lacks_bytes; /* that the network takes */
    uint64_t digest;         /* of what all clients read, in the order in which they did */
    uint64_t counts[SIM_COUNTS];
};

/* One line: the seed, the turn, and what is wrong; ends the process. */
void sim_fail(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* --- requests.c --- */

/* Puts a drawn request into `to`, as a client sends it. */
void request_draw(struct sim *sim, struct bytes *to);
/* The same of these words, which end with a NULL. */
void request_put(struct bytes *to, const char *const *words);

/* --- clients.c --- */

void client_connect(struct sim *sim);
/* What the client does in a turn; `begins` false: it only reads. */
void client_act(struct sim *sim, struct client *c, bool begins);
/* Nobody who could go on is left standing. */
void client_check(struct sim *sim, struct client *c);
void client_free(struct sim *sim, struct client *c);

/* --- twin.c --- */

/* Both engines begin, in the same state, by simulated clocks that show the same time. */
void twin_init(struct sim *sim);
/* Steps on both. */
bool twin_steps(struct sim *sim, bool idle);
/* Both are settled: nothing that is only one's is left. */
void twin_compare(struct sim *sim);
void twin_fini(struct sim *sim);

#endif
