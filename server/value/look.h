/*
 * Where a lookup in a container will go, so that a pipeline's next lookups can be fetched while
 * others run (command/ahead.h). Hints: nothing is changed, compared or counted, and nothing need be
 * there.
 *
 * It knows of the plain forms of hashes, sets and zsets what they have in common: the body begins
 * with a table (body.h), whose entries begin with the field or member. Other forms are short, and
 * lie together.
 *
 * Order of use, with time between: the container's body is in the cache; look_directory;
 * look_bucket; look_entry, again while *chain is not NULL. Cost: the cache lines that are waited
 * for.
 */
#ifndef HEAPD_VALUE_LOOK_H
#define HEAPD_VALUE_LOOK_H

#include "value/body.h"
#include "value/hash.h"
#include "value/zset.h"

static_assert(sizeof(struct zset_entry) == 16 && offsetof(struct zset_entry, member) == 0,
              "an entry of a zset's table begins with its member");

enum { LOOK_ENTRIES_MIN = 256 }; /* a smaller table stays in the cache by itself */

/* Whether looking ahead in it pays; o has a body. */
static inline bool look_is_worth_it(const struct obj *o)
{
    if (o->flags & OBJ_PACKED) return false;
    bool table = o->type == OBJ_HASH || o->type == OBJ_SET || o->type == OBJ_ZSET;
    return table && ((const struct body_table *)obj_body(o))->table.used >= LOOK_ENTRIES_MIN;
}

/* What matters here of the tables' types: how large an entry is. */
static inline const struct table_type *look_table_type(const struct obj *o)
{
    static const struct table_type one = {.entry_bytes = sizeof(val)};
    static const struct table_type two = {.entry_bytes = 2 * sizeof(val)};
    return o->type == OBJ_SET ? &one : &two;
}

static inline const struct table *look_table(const struct obj *o)
{
    return &((const struct body_table *)obj_body(o))->table;
}

static inline void look_directory(const struct obj *o, uint32_t hash)
{
    table_prefetch_directory(look_table(o), hash);
}

static inline void look_bucket(const struct obj *o, uint32_t hash)
{
    table_prefetch_bucket(look_table(o), look_table_type(o), hash);
}

/* Fetches the string that is likely the field or member. */
static inline void look_entry(const struct obj *o, uint32_t hash, const void **chain)
{
    (void)table_glimpse(look_table(o), look_table_type(o), hash, chain);
}

#endif
