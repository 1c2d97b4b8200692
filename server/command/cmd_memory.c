/* OBJECT and MEMORY: what can be asked about one object, and about all memory. */
#include "command/command.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/shape.h"
#include "value/zset.h"

enum { EMBSTR_BYTES_MAX = 44 }; /* as in Redis, where it is a matter of layout */

/* Redis's words, with which both errors of the access clock end. */
#define ADJUST                                                                                     \
    "Please note that when switching between policies at runtime LRU and LFU data will take some " \
    "time to adjust."

/* --- OBJECT --- */

/* The object that argument 2 stands for; a missing one has been answered with null. */
static enum status inspected(struct call *c, struct subject *s)
{
    enum status status = call_inspect(c, 2, s);
    if (!status && val_is_none(s->v)) reply_null(c);
    return status;
}

enum status cmd_object_refcount(struct call *c)
{
    struct subject s;
    enum status status = inspected(c, &s);
    if (status || val_is_none(s.v)) return status;
    uint32_t count = OBJ_COUNT_MAX; /* an immediate's */
    if (val_is_bytes(s.v)) count = 1;
    if (val_is_obj(s.v)) count = val_obj(s.v)->count;
    if (val_is_obj(s.v) && count < OBJ_COUNT_MAX)
        count -= usages_pins(&c->engine->sessions.usages, val_obj(s.v));
    reply_integer(c, count);
    return STATUS_OK;
}

enum status cmd_object_id(struct call *c)
{
    struct subject s;
    enum status status = inspected(c, &s);
    if (status || val_is_none(s.v)) return status;
    if (!val_is_container(s.v)) return call_error(c, "ERR only containers have an identity");
    status = call_give(c, s.e);
    return status ? status : reply_identity(c, val_obj(s.v));
}

/* Redis's names for the forms that are most like its own. */
static const char *encoding(val v)
{
    static const char *const hash_encodings[] = {"listpack", "shape", "hashtable"};
    static const char *const set_encodings[] = {"intset", "listpack", "hashtable"};
    int64_t n;
    switch (val_type(v)) {
    case OBJ_STRING:
        if (val_get_integer(v, &n)) return "int";
        return val_text_bytes(v) <= EMBSTR_BYTES_MAX ? "embstr" : "raw";
    case OBJ_LIST: return list_is_packed(val_obj(v)) ? "listpack" : "quicklist";
    case OBJ_HASH: return hash_encodings[hash_form(val_obj(v))];
    case OBJ_SET: return set_encodings[set_form(val_obj(v))];
    case OBJ_ZSET: return zset_is_packed(val_obj(v)) ? "listpack" : "skiplist";
    case OBJ_NONE:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
    return "none";
}

enum status cmd_object_encoding(struct call *c)
{
    struct subject s;
    enum status status = inspected(c, &s);
    if (status || val_is_none(s.v)) return status;
    reply_text(c, encoding(s.v));
    return STATUS_OK;
}

/* The access clock belongs to the name: what is looked at through a handle or an identity has none.
 */
enum status cmd_object_idletime(struct call *c)
{
    struct subject s;
    enum status status = inspected(c, &s);
    if (status || val_is_none(s.v)) return status;
    if (!s.e) return call_name(c, s.i);
    if (c->keyspace->access.counts)
        return call_error(
            c, "ERR An LFU maxmemory policy is selected, idle time not tracked. " ADJUST);
    reply_integer(c, keyspace_idle_s(c->keyspace, s.e));
    return STATUS_OK;
}

enum status cmd_object_freq(struct call *c)
{
    struct subject s;
    enum status status = inspected(c, &s);
    if (status || val_is_none(s.v)) return status;
    if (!s.e) return call_name(c, s.i);
    if (!c->keyspace->access.counts)
        return call_error(c, "ERR An LFU maxmemory policy is not selected, access frequency not "
                             "tracked. " ADJUST);
    reply_integer(c, keyspace_frequency(c->keyspace, s.e));
    return STATUS_OK;
}

enum status cmd_object_help(struct call *c)
{
    static const char *const lines[] = {
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "ID <key>",
        "    Return the identity of a container: '#:' and a number that it has for life.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}

/* --- MEMORY --- */

static bool usage_ready(const struct engine *s, const struct wait *w)
{
    (void)s;
    return w->usage.done;
}

/* What was asked about may have gone before its turn came: then it is missing, as for OBJECT. */
static void usage_reply(struct call *c, struct wait *w)
{
    const struct usage *q = &w->usage;
    if (q->status == STATUS_OK)
        reply_integer(c, (int64_t)q->bytes);
    else if (q->status == STATUS_NO_OBJECT)
        reply_null(c);
    else
        call_error(c, "%s", status_text(q->status));
}

static void usage_give_up(struct sessions *ss, struct wait *w)
{
    usage_cancel(&ss->usages, &w->usage);
}

/* MEMORY USAGE key [SAMPLES n]: exact, so a number of samples is checked and needs no more. What
 * keeps much is answered later; others are served meanwhile. */
enum status cmd_memory_usage(struct call *c)
{
    static const struct wait_type type = {
        .ready = usage_ready, .reply = usage_reply, .cancel = usage_give_up};
    int64_t samples;
    if (c->argc != 3 && c->argc != 5) return STATUS_SYNTAX;
    if (c->argc == 5) {
        if (!call_is(c, 3, "samples")) return STATUS_SYNTAX;
        enum status status = call_integer(c, 4, &samples);
        if (status) return status;
        if (samples < 0) return STATUS_SYNTAX;
    }
    struct subject s;
    enum status status = inspected(c, &s);
    if (status || val_is_none(s.v)) return status;
    struct usages *us = &c->engine->sessions.usages;
    struct usage *q = &c->session->wait.usage;
    status = usage_ask(us, s.v, s.e ? entry_bytes(s.e) : 0, q);
    if (!status && q->done) reply_integer(c, (int64_t)q->bytes);
    if (status || q->done) return status;
    status = call_give(c, s.e); /* for it gets a number now */
    if (!status) status = usage_wait(us, s.v, q);
    if (!status) call_wait(c, &type, &c->engine->waits.usage);
    return status;
}

static void put_pair(struct call *c, const char *name, uint64_t n)
{
    reply_text(c, name);
    reply_integer(c, (int64_t)n);
}

/* What used is the sum of, beside pools.live; what is left are clients' buffers and small tables.
 */
static void put_parts(struct call *c, uint64_t used, const struct pool_stats *p)
{
    uint64_t expiry = expiry_bytes(&c->keyspace->expiry);
    uint64_t collector =
        collect_table_bytes(c->heap) + candidates_bytes(&c->heap->collect.candidates);
    put_pair(c, "large", p->large_bytes);
    put_pair(c, "collector", collector);
    put_pair(c, "expiry", expiry);
    put_pair(c, "other", used - p->live_bytes - p->large_bytes - collector - expiry);
}

/* MEMORY STATS: used is the sum of pools.live, large, collector, expiry and other; pools.reserved
 * that of pools.live, .free and .overhead. */
enum status cmd_memory_stats(struct call *c)
{
    const struct compact *compact = &c->engine->compact;
    struct pool_stats p;
    pool_get_stats(c->heap->pool, &p);
    uint64_t used = engine_used_bytes(c->engine), peak = c->engine->stats.memory_peak_bytes;
    reply_map(c, 27);
    put_pair(c, "used", used);
    put_pair(c, "peak", peak > used ? peak : used);
    put_pair(c, "resident", engine_resident_bytes());
    put_pair(c, "pools.reserved", p.reserved_bytes);
    put_pair(c, "pools.live", p.live_bytes);
    put_pair(c, "pools.free", p.free_bytes);
    put_pair(c, "pools.overhead", p.overhead_bytes);
    put_pair(c, "pools.waste", p.waste_bytes);
    put_pair(c, "pools.lent", p.lent_bytes);
    put_parts(c, used, &p);
    put_pair(c, "waiting-to-be-unmapped", engine_waiting_bytes(c->engine));
    put_pair(c, "names.count", keyspace_names(c->keyspace));
    put_pair(c, "names.waiting-to-be-freed", keyspace_dropped_names(c->keyspace));
    put_pair(c, "names.entry-bytes", c->keyspace->entry_bytes);
    put_pair(c, "names.table-bytes", keyspace_table_bytes(c->keyspace));
    put_pair(c, "objects", heap_objects(c->heap));
    put_pair(c, "objects.waiting-to-be-freed", c->heap->release_pending);
    put_pair(c, "shapes.count", shapes_count(c->heap));
    put_pair(c, "shapes.bytes", shapes_bytes(c->heap));
    put_pair(c, "interned.saved-bytes", c->heap->intern.saved_bytes);
    put_pair(c, "compaction.runs", compact->stats.runs);
    put_pair(c, "compaction.moved-blocks", p.moved_blocks);
    put_pair(c, "compaction.moved-bytes", p.moved_bytes);
    put_pair(c, "compaction.given-back-bytes", compact->stats.adopted_bytes);
    return STATUS_OK;
}

/* MEMORY POOLS: one map for each size class that has pools; the last is the containers' cells. */
enum status cmd_memory_pools(struct call *c)
{
    struct pool_class_stats rows[POOL_CLASSES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < POOL_CLASSES; i++) {
        pool_get_class_stats(c->heap->pool, i, &rows[count]);
        if (rows[count].pools) count++;
    }
    reply_array(c, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct pool_class_stats *r = &rows[i];
        uint64_t blocks = r->live_blocks + r->free_blocks;
        reply_map(c, 8);
        put_pair(c, "block-bytes", r->block_bytes);
        put_pair(c, "pools", r->pools);
        put_pair(c, "live-blocks", r->live_blocks);
        put_pair(c, "free-blocks", r->free_blocks);
        put_pair(c, "live-bytes", r->live_blocks * r->block_bytes);
        put_pair(c, "reserved-bytes", r->reserved_bytes);
        put_pair(c, "waste-bytes", r->free_blocks * r->block_bytes);
        put_pair(c, "overhead-bytes", r->reserved_bytes - blocks * r->block_bytes);
    }
    return STATUS_OK;
}

static bool purge_ready(const struct engine *s, const struct wait *w)
{
    return compact_is_done(&s->compact, w->ticket);
}

static void purge_reply(struct call *c, struct wait *w)
{
    (void)w;
    reply_ok(c);
}

/* MEMORY PURGE: answers when what could be given back has been; others are served meanwhile. */
enum status cmd_memory_purge(struct call *c)
{
    static const struct wait_type type = {.ready = purge_ready, .reply = purge_reply};
    c->session->wait.ticket = compact_begin(&c->engine->compact);
    call_wait(c, &type, &c->engine->waits.compact);
    return STATUS_OK;
}

enum status cmd_memory_help(struct call *c)
{
    static const char *const lines[] = {
        "POOLS",
        "    Return what each size class of the pools holds.",
        "PURGE",
        "    Move data together and give the rest of the memory back; answer when that is done.",
        "STATS",
        "    Return information about the memory usage of the engine.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return the bytes of <key>'s entry and object, and of all that is reached from there",
        "    through objects with a single reference. An object with several is left out with what",
        "    lies behind it, even if all its references come from there, as in a cycle.",
    };
    return reply_help(c, lines, sizeof lines / sizeof lines[0]);
}
