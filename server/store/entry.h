/*
 * The entry of a name: its key, and its value or a reference to it, in one allocation without
 * padding. This module knows only the layout; keyspace.c owns bindings, the table and the queues.
 *
 *   +------+-------+- - - - - -+- - - - - -+-----------+---------------------------+
 *   | form | clock | place u32 | bytes u32 | key       | value: one entry of       |
 *   | u8   | u24   | EXPIRES   | long keys | no NUL    | pack.h, or a reference u64|
 *   +------+-------+- - - - - -+- - - - - -+-----------+---------------------------+
 *   form: bit 0 REFERS, bit 1 WEAKLY, bit 2 EXPIRES, bits 3 to 7 the bytes of the key, 31 = see the
 *   u32.
 *
 * A key of 12 bytes that is bound to a container takes 24 bytes; a key of 16 bytes with a text of
 * 64 takes 88. The entry does not store the hash. The table keeps a tag of it, and recomputes it
 * from the key, which a lookup reads anyway, when it splits a bucket.
 *
 * An integer, or a text of up to ENTRY_TEXT_BYTES_MAX, is stored in the entry until it is first
 * shared (keyspace_share_value). The block is as large as its size class, so a new value of similar
 * size fits in place.
 *
 * Only store/ calls this module, except entry_key, entry_value and entry_bytes. Only functions that
 * allocate can fail.
 *
 * Invariants (entry_check)
 *   1. Either REFERS is set, or the value is one whole entry of pack.h that is not a reference.
 *   2. WEAKLY is set if and only if the referred object is a weak reference.
 *   3. A key of fewer than ENTRY_LONG_KEY bytes has no u32.
 *   4. A name that has a place has EXPIRES; the place may be 0: none.
 * Ownership: the entry owns its bytes; the keyspace counts what the entry refers to. Borrowed bytes
 * are valid until the entry gets another value or a first TTL, or goes.
 * Cost: 4 bytes, 4 more for a TTL, and the head of the value (1 byte up to 63 bytes of text).
 */
#ifndef HEAPD_STORE_ENTRY_H
#define HEAPD_STORE_ENTRY_H

#include "value/pack.h"

enum {
    ENTRY_REFERS = 1 << 0,
    ENTRY_WEAKLY = 1 << 1,
    ENTRY_EXPIRES = 1 << 2,
    ENTRY_KEY_SHIFT = 3,
    ENTRY_LONG_KEY = 31,
    ENTRY_CLOCK_MASK = 0xffffff,
    ENTRY_TEXT_BYTES_MAX = 1024,
};

struct entry {
    uint32_t head; /* the form in the low byte, the clock above it */
    uint32_t rest[];
};

static_assert(sizeof(struct entry) == 4, "an entry pays 4 bytes beside its key and its value");

/* The content of an entry: the reference `o`, or the item if `o` is NULL. */
struct entry_content {
    struct obj *o;
    struct pack_item item;
};

/* From a value: its bytes, or a reference if it is an object. The item borrows from *v. */
struct entry_content entry_content_of_val(const val *v);

static inline bool entry_refers(const struct entry *e)
{
    return e->head & ENTRY_REFERS;
}

static inline bool entry_has_room(const struct entry *e)
{
    return e->head & ENTRY_EXPIRES;
}

/* Whether it refers weakly. */
static inline bool entry_is_weak(const struct entry *e)
{
    return e->head & ENTRY_WEAKLY;
}

/* The place in the expiry queue; 0: none. */
static inline uint32_t entry_place(const struct entry *e)
{
    return entry_has_room(e) ? e->rest[0] : 0;
}

/* The entry must have EXPIRES. */
static inline void entry_set_place(struct entry *e, uint32_t place)
{
    DASSERT(entry_has_room(e));
    e->rest[0] = place;
}

/* As access.h reads it. */
static inline uint32_t entry_clock(const struct entry *e)
{
    return e->head >> 8;
}

/* Lookups within the same second write nothing. */
static inline void entry_set_clock(struct entry *e, uint32_t clock)
{
    uint32_t head = (e->head & 0xff) | clock << 8;
    if (head != e->head) e->head = head;
}

static inline struct view entry_key(const struct entry *e)
{
    const uint32_t *at = e->rest + entry_has_room(e);
    uint32_t bytes = e->head >> ENTRY_KEY_SHIFT & ENTRY_LONG_KEY;
    if (UNLIKELY(bytes == ENTRY_LONG_KEY)) bytes = *at++;
    return (struct view){(const char *)at, bytes};
}

static inline const uint8_t *entry_value_at(const struct entry *e)
{
    struct view key = entry_key(e);
    return (const uint8_t *)key.p + key.n;
}

/* The object that it refers to; it must refer. */
static inline struct obj *entry_obj(const struct entry *e)
{
    struct obj *o;
    memcpy(&o, entry_value_at(e), sizeof o);
    return o;
}

/* Replaces the object that it refers to by one of the same type. */
static inline void entry_set_obj(struct entry *e, const struct obj *o)
{
    DASSERT(entry_refers(e));
    memcpy((uint8_t *)(uintptr_t)entry_value_at(e), &o, sizeof o); // NOLINT: the entry's own bytes
}

/* What it refers to, or NULL. */
static inline struct obj *entry_referred(const struct entry *e)
{
    return entry_refers(e) ? entry_obj(e) : NULL;
}

/* The stored value; a weak reference is not followed. Bytes in the entry are borrowed. */
static inline val entry_stored(const struct entry *e)
{
    return entry_refers(e) ? val_of_obj(entry_obj(e)) : pack_get(entry_value_at(e));
}

/* The value of a live name; a weak reference is followed. */
static inline val entry_value(const struct entry *e)
{
    return val_target(entry_stored(e));
}

/* Bytes that the entry takes from the pools. */
size_t entry_bytes(const struct entry *e);
/* Bytes that an entry with this key and content would take from the pools. */
size_t entry_bytes_for(size_t key_bytes, const struct entry_content *c, bool expires);

/* Makes an entry, in no table and no queue; NULL: no memory. */
struct entry *entry_new(struct pool *p, struct view key, const struct entry_content *c,
                        bool expires) MUST_USE;
void entry_free(struct pool *p, struct entry *e);
/* The same key with another content in the same block, which it fits: entry_bytes_for says what
 * entry_bytes does. The place, if there is one and is to be, stays; the content is not of this
 * entry. */
void entry_write(struct entry *e, const struct entry_content *c, bool expires);
/* The plain way of that: bytes over bytes, where there is no place and is to be none. False: it is
 * not so, or they do not fit, and nothing has changed. */
bool entry_overwrite(struct entry *e, const struct entry_content *c);
/* The same key and value with room for a place, in the same block if that is large enough, else in
 * a new one, and `e` is as it was; NULL: no memory. */
struct entry *entry_with_room(struct pool *p, struct entry *e) MUST_USE;

bool entry_check(const struct entry *e);

#endif
