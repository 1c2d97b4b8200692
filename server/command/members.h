/*
 * What the commands of containers share: their values as arguments, room for a reply, and HSCAN,
 * SSCAN and ZSCAN.
 *
 * Called by cmd_list.c, cmd_hash.c, cmd_set*.c and cmd_zset*.c. It knows none of the types.
 *
 * A reply's array begins with its length, so a scan goes twice over the same entries, first to
 * count and then to write; nothing changes in between, and nothing is allocated. Small containers
 * are shown whole whatever COUNT says, as Redis does it for its packed ones: a scan of one is one
 * call.
 *
 * Ownership: everything here lives on the stack of one command.
 * Cost: members_bound looks each source up once, and only after REF.
 */
#ifndef HEAPD_COMMAND_MEMBERS_H
#define HEAPD_COMMAND_MEMBERS_H

#include "command/call.h"
#include "value/packed.h"

/* Whether the reply of one line (a number, or a score) is sure to have room: asked before a change,
 * because what has been changed is not taken back for want of a reply. */
enum status members_reply_room(struct call *c) MUST_USE;

/* After REF, whether all sources are bound, from argument `first` on, every step-th: asked before
 * the first change, because storing marks a container for life and removing may end one. */
struct members_at {
    uint32_t first, step;
};
enum status members_bound(struct call *c, struct members_at at) MUST_USE;

/* What is still to come when the first of several members is there: those of the arguments from
 * `first` on, with `extra` bytes for each beside its text. After REF nothing is known. */
struct packed_more members_more(const struct call *c, struct members_at at, size_t extra);

/* The needle of a member that members_bound has found. False when it has ended since: then the
 * command itself has removed the last reference to it. */
bool members_needle(struct call *c, uint32_t i, struct needle *out);

/* Puts the header of a set of n in front of what was written since the reply had `at` bytes: for
 * sets whose length is known when they have been written. */
void members_put_header(struct call *c, size_t at, uint64_t n);

struct members_scan {
    struct call *c;
    uint64_t cursor;
    int64_t count;
    struct view pattern; /* p NULL: all members */
    bool whole;          /* a small container, all of it in one call */
    bool writes;         /* the second time */
    uint64_t seen, shown;
    enum status status;
};

/* One step of the container's scan, which calls members_scan_shows for each entry. */
typedef uint64_t members_step(const struct obj *o, uint64_t cursor, struct members_scan *scan);

/* The whole of SSCAN and ZSCAN. `items`: how many each entry puts into the reply. */
struct members_scan_type {
    enum obj_type type;
    uint32_t items;
    members_step *step;
};
enum status members_scan(struct call *c, const struct members_scan_type *type) MUST_USE;

/* Counts an entry; true when it is to be written now. A pattern fits strings alone. */
bool members_scan_shows(struct members_scan *scan, val member);

#endif
