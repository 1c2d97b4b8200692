/*
 * WEAK: how many weak references there are to an object, and who holds them. The form of commands
 * that makes them is the prefix WEAKREF (call.h).
 *
 * What waits to be freed (a dead container, a name that FLUSHALL dropped) still counts, as it does
 * in OBJECT REFCOUNT, but is not shown. A long list of references is not looked through to its end:
 * who sees fewer holders than the count says knows that.
 */
#include "command/command.h"
#include "value/list.h"
#include "value/zset.h"

enum {
    HOLDERS = 100,         /* shown, if the command does not say otherwise */
    LOOKS_MORE = 10000,    /* at references that are not shown */
    PLACES_LOOKS = 100000, /* at elements of lists, for the places of the reply */
};

/* One walk over the references to an object: the first counts, the second writes. */
struct holders {
    struct call *c;
    const struct obj *target;
    uint64_t limit, looks, places_looks;
    uint64_t shown;
    bool writes;
    enum status status;
};

/* Where in a list the reference lies. */
static void put_index(struct holders *hs, const struct obj *list, const struct weak *w)
{
    uint64_t length = list_length(list);
    for (uint64_t i = 0; i < length && hs->places_looks; i++, hs->places_looks--) {
        if (list_slot(list, i).w != val_of_obj(&w->head).w) continue;
        reply_integer(hs->c, (int64_t)i);
        return;
    }
    reply_null(hs->c);
}

static void put_place(struct holders *hs, const struct obj *owner, const struct weak *w)
{
    struct needle member = needle_of_val(hs->c->heap, val_of_obj(&w->head));
    double score;
    if (owner->type == OBJ_HASH)
        reply_string(hs->c, (val){w->field});
    else if (owner->type == OBJ_LIST)
        put_index(hs, owner, w);
    else if (owner->type == OBJ_ZSET && zset_score(owner, &member, &score))
        reply_double(hs->c, score);
    else
        reply_null(hs->c);
}

static void put_holder(struct holders *hs, const struct weak *w)
{
    struct call *c = hs->c;
    const struct entry *e = weak_name(w);
    struct obj *owner = weak_owner(w);
    reply_array(c, 3);
    reply_text(c, e ? "name" : c->heap->types[owner->type]->name);
    if (e) {
        reply_bulk(c, entry_key(e));
        reply_null(c);
        return;
    }
    hs->status = reply_identity(c, owner);
    if (!hs->status) put_place(hs, owner, w);
}

static bool is_live(struct call *c, const struct weak *w)
{
    const struct entry *e = weak_name(w);
    if (e) return keyspace_has(c->keyspace, e);
    const struct obj *owner = weak_owner(w);
    return owner->count > 0 && !collect_is_condemned(c->heap, owner);
}

static bool holders_each(void *ctx, const struct weak *w)
{
    struct holders *hs = ctx;
    if (is_live(hs->c, w)) {
        if (hs->writes) put_holder(hs, w);
        hs->shown++;
    }
    return --hs->looks && hs->shown < hs->limit && !hs->status;
}

static void walk(struct holders *hs)
{
    hs->looks = hs->limit + LOOKS_MORE;
    hs->shown = 0;
    weak_walk(hs->c->heap, hs->target, holders_each, hs);
}

/* The container that argument 2 stands for. A missing object has been answered with null, and a
 * string, which nothing refers to weakly, leaves *out NULL. */
static enum status inspected(struct call *c, const struct obj **out, bool *missing)
{
    struct subject s;
    enum status status = call_inspect(c, 2, &s);
    if (status) return status;
    *missing = val_is_none(s.v);
    *out = val_is_container(s.v) ? val_obj(s.v) : NULL;
    if (*missing) reply_null(c);
    return STATUS_OK;
}

/* WEAK COUNT key */
enum status cmd_weak_count(struct call *c)
{
    const struct obj *o;
    bool missing;
    enum status status = inspected(c, &o, &missing);
    if (status || missing) return status;
    reply_integer(c, o ? (int64_t)weak_count(c->heap, o) : 0);
    return STATUS_OK;
}

/* WEAK LIST key [LIMIT count] */
enum status cmd_weak_list(struct call *c)
{
    int64_t limit = HOLDERS;
    struct holders hs = {.c = c, .places_looks = PLACES_LOOKS};
    bool missing;
    if (c->argc != 3 && c->argc != 5) return STATUS_SYNTAX;
    if (c->argc == 5) {
        if (!call_is(c, 3, "limit")) return STATUS_SYNTAX;
        if (call_integer(c, 4, &limit) || limit < 1)
            return call_error(c, "ERR value is out of range, must be positive");
    }
    enum status status = inspected(c, &hs.target, &missing);
    if (status || missing) return status;
    uint64_t limit_max = c->engine->config.reply_values_max;
    hs.limit = (uint64_t)limit < limit_max ? (uint64_t)limit : limit_max;
    if (hs.target) walk(&hs);
    reply_map(c, 2);
    reply_text(c, "count");
    reply_integer(c, hs.target ? (int64_t)weak_count(c->heap, hs.target) : 0);
    reply_text(c, "holders");
    reply_array(c, hs.shown);
    hs.writes = true;
    if (hs.target) walk(&hs);
    return hs.status;
}

enum status cmd_weak_help(struct call *c)
{
    static const char *const lines[] = {
        "COUNT <key>",
        "    Return the number of weak references to the container.",
        "LIST <key> [LIMIT <count>]",
        "    Return who holds them: [\"name\", <key>, nil], or the type and the identity of a",
        "    container and the field, score or index; 100 of them unless <count> says otherwise.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}

enum status cmd_weakref_help(struct call *c)
{
    static const char *const lines[] = {
        "<command> [<arg> ...]",
        "    Run a command in its by-reference form with references that keep nothing alive.",
        "    Where REF takes a source, so does WEAKREF: a key, a handle, or an identity, which "
        "must",
        "    stand for a list, hash, set or zset where it is stored. Where REF replies a handle,",
        "    WEAKREF replies the identity of a container, and a string as it is. When the object",
        "    goes, names, hash fields, set and zset members that refer to it weakly go too; a list",
        "    position becomes nil.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}
