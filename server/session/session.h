/*
 * What is kept for one client: its protocol, name, authentication, handles, and what it waits for.
 * State, no control: net/ owns connections and calls the command floor, which changes this.
 *
 * `struct sessions` is the registry: CLIENT LIST walks it, and it releases, in bounded steps, what
 * closed clients held. It also has the questions that sessions wait for; their steps are called by
 * the command floor.
 *
 * Invariants
 *   1. count == the sessions in the list, waiting == those of them that wait, handles == what they
 *      and the graves hold.
 *   2. memory is the sum of the sessions' own.
 *   3. There are at least count + buried_count graves, so that closing cannot fail.
 * Ownership: net/ owns the memory of a session (it is embedded in a connection); the registry links
 * it.
 */
#ifndef HEAPD_SESSION_SESSION_H
#define HEAPD_SESSION_SESSION_H

#include "base/config.h"
#include "session/handles.h"
#include "session/wait.h"

enum { SESSION_NAME_BYTES = 128, SESSION_ADDRESS_BYTES = 64, SESSION_LIBRARY_BYTES = 64 };

/* Memory of one client's buffers. */
struct session_memory {
    uint64_t total;     /* its share of used memory */
    uint64_t outside;   /* of that, what the heap's account does not have */
    uint64_t inside;    /* what that has, */
    uint64_t untouched; /* of which so much was only reserved, and is not used memory */
};

struct session {
    struct session *previous, *next;
    uint64_t id;
    int protocol; /* 2 or 3 */
    bool authenticated;
    bool refused_multi, refused_select; /* nothing is run now (command/unsupported.h) */
    enum client_class class;            /* whose output limits hold for it */
    bool close_after_reply;             /* QUIT, a broken request, SHUTDOWN */
    bool kill; /* CLIENT KILL: net/ ends it before the killer has its reply */
    struct wait wait;
    char name[SESSION_NAME_BYTES];
    char library_name[SESSION_LIBRARY_BYTES], library_version[SESSION_LIBRARY_BYTES];
    char address[SESSION_ADDRESS_BYTES], local_address[SESSION_ADDRESS_BYTES];
    int fd;
    int64_t created_ns; /* monotonic, as the next: setting the wall clock makes nobody idle */
    int64_t active_ns;  /* when it last sent or took bytes */
    uint64_t commands;
    const char *last_command; /* a command's full name; static */
    /* Waiting in the connection's buffers; kept by net/ for CLIENT LIST. */
    uint64_t input_bytes, output_bytes;
    struct session_memory memory;
    struct handles handles;
};

enum { SESSIONS_RECENT_S = 8 };

struct sessions {
    struct heap *h;
    struct session *first;
    uint64_t count, waiting;
    struct session_memory memory; /* of all of them */
    struct {
        uint64_t input, output;
    } recent[SESSIONS_RECENT_S]; /* the most bytes of one client, by second */
    uint32_t recent_at;
    struct wait_queue woken; /* those of the waiting that net/ is to look at */
    struct usages usages;    /* the questions of those that wait for one */
    uint64_t handles;        /* held by all of them, and by the buried */
    uint64_t next_id;
    struct handles *buried;
    uint32_t buried_count, buried_slots;
    struct heap_holder holder;
};

static inline bool session_waits(const struct session *s)
{
    return s->wait.type != NULL;
}

static inline struct session *session_of_wait(struct wait *w)
{
    return (struct session *)((char *)w - offsetof(struct session, wait));
}

void sessions_init(struct sessions *ss, struct heap *h);
void sessions_fini(struct sessions *ss);

/* Makes room to bury this session's handles later, so that closing cannot fail. */
enum status session_open(struct sessions *ss, struct session *s, int64_t now_ns) MUST_USE;
/* Unlinks it; its handles are buried, and what it waits for is not wanted any more. */
void session_close(struct sessions *ss, struct session *s);
/* The session waits, and runs again. */
void session_wait(struct sessions *ss, struct session *s, const struct wait_type *type,
                  struct wait_queue *source);
void session_wait_end(struct sessions *ss, struct session *s);
/* RESET: protocol, name, authentication and handles as at the beginning; the handles are released
 * in steps. */
enum status session_reset(struct sessions *ss, struct session *s) MUST_USE;
/* Releases up to `max` handles of closed sessions; true while more are left. */
bool sessions_step(struct sessions *ss, uint32_t max);
/* Handles that are held, those of closed sessions not yet released included. O(1). */
uint64_t sessions_handles(const struct sessions *ss);
/* The client's buffers are as `now` says, and its input_bytes and output_bytes. */
static inline void sessions_count(struct sessions *ss, struct session *s,
                                  const struct session_memory *now)
{
    ss->memory.total += now->total - s->memory.total;
    ss->memory.outside += now->outside - s->memory.outside;
    ss->memory.inside += now->inside - s->memory.inside;
    ss->memory.untouched += now->untouched - s->memory.untouched;
    s->memory = *now;
    if (s->input_bytes > ss->recent[ss->recent_at].input)
        ss->recent[ss->recent_at].input = s->input_bytes;
    if (s->output_bytes > ss->recent[ss->recent_at].output)
        ss->recent[ss->recent_at].output = s->output_bytes;
}
/* Another second begins. */
void sessions_tick(struct sessions *ss);
/* The most bytes of input and of output that one client had waiting in the last
 * SESSIONS_RECENT_S seconds. */
uint64_t sessions_recent_input(const struct sessions *ss);
uint64_t sessions_recent_output(const struct sessions *ss);
struct session *sessions_find(const struct sessions *ss, uint64_t id);

#endif
