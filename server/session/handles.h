/*
 * The handles of one connection: `&:1f` to the value that it holds.
 *
 * A container is held once, however often it was asked for, under its identity's number; a string
 * or an immediate gets a number never used before. Handles are roots. Called by the command floor;
 * a connection that closes hands its table to handles_bury, and session_step releases what was in
 * it in bounded steps.
 *
 * Invariants
 *   1. No container is held twice.
 *   2. Every held container counts the handle among its roots.
 *   3. The shared count is the sum of all tables that were given it.
 * Ownership: one count (and root) of each value. Cost: O(1) expected.
 */
#ifndef HEAPD_SESSION_HANDLES_H
#define HEAPD_SESSION_HANDLES_H

#include "value/val.h"

enum { HANDLE_TEXT_CHARS = 24 };

struct handles {
    struct table held;
    uint64_t *made; /* numbers made by the running command, for handles_rollback */
    uint32_t made_count, made_slots;
    uint64_t *total; /* of all tables that were given the same count */
};

/* `total`, which the tables of a registry share, outlives them. */
void handles_init(struct handles *hs, uint64_t *total);

/* Holds v (retained here, or an equal value where v is bytes) and gives its number. */
enum status handles_hold(struct heap *h, struct handles *hs, val v, uint64_t *number) MUST_USE;
/* VAL_NONE when there is no such handle. */
RC_BORROWED val handles_get(const struct handles *hs, uint64_t number);
/* False when there is none. */
bool handles_release(struct heap *h, struct handles *hs, uint64_t number);
uint64_t handles_count(const struct handles *hs);
typedef void handles_each(void *ctx, uint64_t number, val v);
void handles_walk(const struct handles *hs, handles_each *each, void *ctx);

/* Around a command: what it made stays, or goes when the command failed. Much room to remember it
 * is given back. */
void handles_commit(struct heap *h, struct handles *hs);
void handles_rollback(struct heap *h, struct handles *hs);

/* Releases up to `max` handles; true when none is left and the table holds no memory. */
bool handles_drain(struct heap *h, struct handles *hs, uint32_t max);

/* "&:1f" and "#:1f" for a number; returns the length. */
size_t handle_put(char out[HANDLE_TEXT_CHARS], uint64_t number);
size_t identity_put(char out[HANDLE_TEXT_CHARS], uint64_t number);
/* Texts of exactly these forms. */
bool handle_parse(struct view text, uint64_t *number);
bool identity_parse(struct view text, uint64_t *number);

#endif
