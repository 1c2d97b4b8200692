/*
 * Virtual sockets, and the backend of net's streams that serves them: what the kernel and the other
 * side do is drawn. A read brings any number of bytes that have arrived; a write takes any number
 * of those that there is room for, none, or fails; results come at once or later; sockets are ready
 * in any order. The client's side is driven by clients.c.
 *
 * Two manners, as net has two backends: `deferred` false, a read is made when bytes are there, and
 * a write at once; true, a read is under way before there are any, where it goes is settled then,
 * and a write's result may come in a later turn.
 *
 * Ownership: struct sockets outlives the net; a socket is the client's, and outlives its stream.
 */
#ifndef TEST_SIM_SOCKETS_H
#define TEST_SIM_SOCKETS_H

#include "bytes.h"
#include "net/stream.h"

enum { SOCKETS_MAX = 64, SOCKETS_FD_FIRST = 1 << 20, SOCKET_PIECES_MAX = 64 };

struct virtual_socket {
    struct stream *stream; /* the server's end; NULL: not there yet, or gone */
    struct bytes to_server, to_client;
    size_t client_room;  /* how much of to_client may wait */
    bool client_shut;    /* nothing follows what is in to_server */
    bool client_away;    /* nobody reads to_client */
    bool reset;          /* both directions are broken */
    bool server_shut;    /* nothing follows what is in to_client */
    bool server_closed;  /* and nobody reads to_server */
    int64_t shut_ns;     /* when server_shut was set */
    bool closed_unread;  /* the server closed over input: what the client has not read is lost */
    uint64_t read_bytes; /* that the server has read */
    bool offered;        /* in this turn the server was told that there is something to read */
    /* Of the stream: */
    bool closing, awaits_writable;
    bool receiving; /* deferred: a read is under way, to `space` */
    struct stream_space space;
    bool no_memory;
    bool writing; /* deferred: the result of a write is still to come */
    uv_buf_t pieces[SOCKET_PIECES_MAX];
    unsigned piece_count;
};

struct sockets {
    struct random *random;
    struct clock *clock;
    bool deferred;
    struct virtual_socket *all[SOCKETS_MAX]; /* a descriptor is SOCKETS_FD_FIRST + its place */
    uint32_t count;                          /* places in use, or used before */
    char buffer[(64 << 10) + INBOX_FRONT_BYTES];
};

/* The place of streams for net_init_apart. */
struct stream_place sockets_place(struct sockets *sockets, struct mem *m);
/* A descriptor for the server's end. */
int sockets_add(struct sockets *sockets, struct virtual_socket *socket);
void sockets_remove(struct sockets *sockets, const struct virtual_socket *socket);
/* The loop's poll phase, and its closing phase. */
void sockets_poll(struct sockets *sockets);
void sockets_end_closed(struct sockets *sockets);

#endif
