#include "command/ahead.h"

#include "base/prefetch.h"
#include "value/look.h"

/* Each step asks for what the next one looks at, for all requests: the waits are few, and while one
 * lasts as many lines as possible are on their way. So the loops are short: the processor runs as
 * far ahead into them as it can hold. */

/* Overflow buckets of a name that are looked at: more are rare. */
enum { OVERFLOW_LOOKS = 3 };

/* The commands, and their first keys' hashes. A pipeline is mostly of one command, written in one
 * way. */
static void look_for_keys(const struct engine *s, struct ahead *requests, uint32_t count)
{
    const struct command *command = NULL;
    struct view name = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *r = &requests[i];
        if (i == 0 || !view_eq(name, r->argv[0])) {
            name = r->argv[0];
            command = command_find(name);
        }
        if (!command || command->first_key <= 0 || (uint32_t)command->first_key >= r->argc)
            continue;
        r->command = command;
        r->hash = keyspace_hash(&s->keyspace, r->argv[command->first_key]);
        keyspace_prefetch_directory(&s->keyspace, r->hash);
    }
}

static void look_for_buckets(const struct engine *s, const struct ahead *requests, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (requests[i].command) keyspace_prefetch_bucket(&s->keyspace, requests[i].hash);
}

/* True when some are to be looked for again. */
static bool look_for_entries(const struct engine *s, struct ahead *requests, uint32_t count)
{
    bool again = false;
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *r = &requests[i];
        if (!r->command) continue;
        r->place = keyspace_glimpse(&s->keyspace, r->hash, &r->chain);
        again |= r->chain != NULL;
    }
    return again;
}

/* In the chains' next buckets, which came meanwhile. True when there are more. */
static bool look_for_entries_again(const struct engine *s, struct ahead *requests, uint32_t count)
{
    bool again = false;
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *r = &requests[i];
        if (!r->chain) continue;
        r->place = keyspace_glimpse(&s->keyspace, r->hash, &r->chain);
        again |= r->chain != NULL;
    }
    return again;
}

/* What the entries refer to; true when some do. */
static bool look_for_values(struct ahead *requests, uint32_t count)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *r = &requests[i];
        if (!r->place.slot) continue;
        r->obj = entry_referred(*r->place.slot);
        if (!r->obj) continue;
        prefetch(r->obj);
        /* A string's bytes go on behind its first line; a container's cell is all in one. */
        prefetch((const char *)r->obj + 64);
        found = true;
    }
    return found;
}

/* The containers' bodies; true when there are slots behind some of them. */
static bool look_for_bodies(struct ahead *requests, uint32_t count)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *r = &requests[i];
        if (r->obj && (!obj_is_container(r->obj) || !obj_body(r->obj))) r->obj = NULL;
        if (!r->obj) continue;
        const char *body = obj_body(r->obj);
        prefetch(body);
        if (r->obj->flags & OBJ_PACKED) {
            prefetch(body + 64);
            r->obj = NULL;
            continue;
        }
        found = true;
    }
    return found;
}

/* The argument that names a field or a member, if the container is of a type that has such. */
static uint32_t element_argument(const struct ahead *r)
{
    const struct command *cmd = r->command;
    if (r->obj->type == OBJ_HASH) return (uint32_t)cmd->first_key + 1;
    return cmd->values.first > cmd->first_key ? (uint32_t)cmd->values.first : r->argc;
}

/* The needle of the field or member where that lies in a large table; of other containers what
 * their type says. True when there are such tables. */
static bool look_for_elements(const struct engine *s, struct ahead *requests, uint32_t count)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *r = &requests[i];
        const struct obj *o = r->obj;
        if (!o) continue;
        uint32_t element = element_argument(r);
        if (element < r->argc && look_is_worth_it(o)) {
            r->element_at = element;
            r->element = needle_of_text(&s->heap, r->argv[element]);
            look_directory(o, r->element.hash);
            found = true;
            continue;
        }
        if (s->heap.types[o->type]->prefetch) s->heap.types[o->type]->prefetch(o);
        r->obj = NULL;
    }
    return found;
}

static void look_for_slots(struct ahead *requests, uint32_t count)
{
    bool again = false;
    for (uint32_t i = 0; i < count; i++)
        if (requests[i].obj) look_bucket(requests[i].obj, requests[i].element.hash);
    for (uint32_t i = 0; i < count; i++) {
        struct ahead *r = &requests[i];
        r->chain = NULL;
        if (r->obj) look_entry(r->obj, r->element.hash, &r->chain);
        again |= r->chain != NULL;
    }
    for (uint32_t i = 0; again && i < count; i++)
        if (requests[i].chain)
            look_entry(requests[i].obj, requests[i].element.hash, &requests[i].chain);
}

void ahead_look(const struct engine *s, struct ahead *requests, uint32_t count)
{
    look_for_keys(s, requests, count);
    look_for_buckets(s, requests, count);
    bool again = look_for_entries(s, requests, count);
    bool found = look_for_values(requests, count);
    for (int i = 0; again && i < OVERFLOW_LOOKS; i++) {
        again = look_for_entries_again(s, requests, count);
        found |= look_for_values(requests, count);
    }
    if (found && look_for_bodies(requests, count) && look_for_elements(s, requests, count))
        look_for_slots(requests, count);
}
