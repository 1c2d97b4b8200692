/*
 * Nested replies: a container inside a reply, by value, to a depth, without recursion.
 *
 * Containers without references are written straight from their walk. Of one that may refer to
 * others the slots are first gathered into a frame, so that the walk is over before a nested
 * container begins: a stack of frames, at most depth_max high, takes the place of recursion. A
 * container that is already open in a frame, or too deep, stands as its identity. Nothing changes
 * in the heap meanwhile but identities that are given.
 *
 * A reply is written within its command, and not in steps between other commands: it shows one
 * moment of the heap, as every reply does. In steps it would have to show parts of several, or to
 * hold back whoever changes what it has not come to yet. What it may cost is bounded by
 * reply-values-max and reply-bytes-max, counted while it is written (shared structure can be
 * exponentially larger than the heap): a million nested values take as long as LRANGE of a million
 * elements. What becomes longer than LONG_VALUES or LONG_BYTES is counted to its end before more is
 * written, so a reply that is too large is refused before it has taken memory.
 */
#include "command/command.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/zset.h"

enum {
    WALK_SLOTS = 256,
    /* Of a reply that has become as long as either, the rest is counted before more is written. */
    LONG_VALUES = 10000,
    LONG_BYTES = 1 << 20,
};

union item {
    val v;
    double score;
};

struct frame {
    struct obj *o;
    union item *items;
    uint64_t count, next;
};

struct nested {
    struct call *c;
    bool counts;            /* nothing is written, and no number given */
    uint64_t values, bytes; /* inside nested containers of this reply so far */
    struct frame *frames;
    uint64_t depth, depth_max;
    enum status status;
};

static bool resp3(const struct call *c)
{
    return c->session->protocol >= 3;
}

/* One value more inside a nested container: what a slot holds. Fields and scores are not counted.
 */
static bool count_value(struct nested *n)
{
    if (++n->values <= n->c->engine->config.reply_values_max) return true;
    n->status = STATUS_TOO_BIG;
    return false;
}

static bool count_bytes(struct nested *n, uint64_t bytes)
{
    n->bytes += bytes;
    if (n->bytes <= n->c->engine->config.reply_bytes_max) return true;
    n->status = STATUS_TOO_LONG_REPLY;
    return false;
}

static void put_identity(struct nested *n, struct obj *o)
{
    if (!n->counts) n->status = reply_cut(n->c, o);
}

static void put_plain(struct call *c, val v)
{
    if (val_is_nil(v))
        reply_null(c);
    else
        reply_string(c, v);
}

/* A field, or a plain value: integers count as their largest text. */
static void put_text(struct nested *n, val v)
{
    char scratch[VAL_TEXT_CHARS];
    bool plain = val_is_nil(v) || val_is_int(v);
    if (!count_bytes(n, plain ? NUM_INTEGER_CHARS : val_text(&v, scratch).n)) return;
    if (!n->counts) put_plain(n->c, v);
}

static void put_begin(struct call *c, const struct obj *o)
{
    uint64_t length = container_shown(c->heap, o);
    switch ((enum obj_type)o->type) {
    case OBJ_HASH: reply_map(c, length); break;
    case OBJ_SET: reply_set(c, length); break;
    case OBJ_ZSET: reply_array(c, resp3(c) ? length : length * 2); break;
    case OBJ_LIST:
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: reply_array(c, length); break;
    }
}

/* Gathering a container's slots into a frame: hashes give field, value, field, value, and zsets
 * member, score. */
struct gather {
    union item *items;
    uint64_t count;
};

static void gather_pair(void *ctx, val field, val value)
{
    struct gather *g = ctx;
    g->items[g->count++].v = field;
    g->items[g->count++].v = value;
}

static void gather_member(void *ctx, val member)
{
    struct gather *g = ctx;
    g->items[g->count++].v = member;
}

static uint64_t item_count(const struct heap *h, const struct obj *o)
{
    return container_shown(h, o) * (o->type == OBJ_HASH || o->type == OBJ_ZSET ? 2 : 1);
}

static void gather_zset(const struct obj *o, struct gather *g)
{
    struct zset_iter it;
    zset_seek(o, 0, &it);
    do {
        struct zset_entry e = zset_at(&it);
        if (val_is_none(e.member)) continue;
        g->items[g->count++].v = e.member;
        g->items[g->count++].score = e.score;
    } while (zset_next(&it));
}

static void gather_slots(const struct obj *o, struct gather *g)
{
    uint64_t cursor = 0;
    if (o->type == OBJ_HASH) {
        while (hash_walk(o, &cursor, WALK_SLOTS, gather_pair, g)) {
        }
    } else if (o->type == OBJ_SET) {
        while (set_walk(o, &cursor, WALK_SLOTS, gather_member, g)) {
        }
    } else if (o->type == OBJ_ZSET) {
        gather_zset(o, g);
    } else {
        struct list_iter it;
        list_seek(o, 0, &it);
        do g->items[g->count++].v = list_at(&it);
        while (list_next(&it));
    }
}

static bool is_open(const struct nested *n, const struct obj *o)
{
    if (o == n->c->open) return true;
    for (uint64_t i = 0; i < n->depth; i++)
        if (n->frames[i].o == o) return true;
    return false;
}

/* Begins a container: its header now, its slots from a new frame. */
static void open_container(struct nested *n, struct obj *o)
{
    struct call *c = n->c;
    if (n->depth == n->depth_max || is_open(n, o)) {
        put_identity(n, o);
        return;
    }
    uint64_t count = item_count(c->heap, o);
    if (n->values + container_shown(c->heap, o) > c->engine->config.reply_values_max) {
        n->status = STATUS_TOO_BIG;
        return;
    }
    struct frame *f = &n->frames[n->depth];
    *f = (struct frame){.o = o};
    if (!n->counts) put_begin(c, o);
    if (count) {
        f->items = mem_alloc(&c->engine->mem, count * sizeof *f->items);
        if (!f->items) {
            n->status = STATUS_OOM;
            return;
        }
        struct gather g = {f->items, 0};
        gather_slots(o, &g);
        ASSERT(g.count == count);
        f->count = count;
    }
    n->depth++;
}

static void close_container(struct nested *n)
{
    const struct frame *f = &n->frames[--n->depth];
    mem_free(&n->c->engine->mem, f->items, f->count * sizeof *f->items);
}

static void put_item(struct nested *n)
{
    struct call *c = n->c;
    struct frame *f = &n->frames[n->depth - 1];
    union item item = f->items[f->next];
    bool scored = f->o->type == OBJ_ZSET, is_field = f->o->type == OBJ_HASH && f->next % 2 == 0;
    bool is_score = scored && f->next % 2;
    f->next++;
    if (is_score) {
        if (count_bytes(n, sizeof item.score) && !n->counts) reply_double(c, item.score);
        return;
    }
    if (is_field) {
        put_text(n, item.v);
        return;
    }
    if (!count_value(n)) return;
    if (scored && resp3(c) && !n->counts) reply_array(c, 2);
    if (!reply_has_room(c))
        n->status = STATUS_TOO_LONG_REPLY;
    else if (val_is_container(item.v))
        open_container(n, val_obj(item.v));
    else
        put_text(n, item.v);
}

/* From a value on; frames may be opened. */
static bool begin(struct nested *n, struct call *c, uint64_t depth_max)
{
    *n = (struct nested){.c = c,
                         .values = c->nested_values,
                         .bytes = c->nested_bytes,
                         .depth_max = depth_max,
                         .status = STATUS_OK};
    n->frames = mem_alloc(&c->engine->mem, (depth_max + 1) * sizeof *n->frames);
    return n->frames != NULL;
}

static enum status end(struct nested *n)
{
    while (n->depth) close_container(n);
    mem_free(&n->c->engine->mem, n->frames, (n->depth_max + 1) * sizeof *n->frames);
    return n->status;
}

/* Goes on to the end, or until more was met than that. */
static void advance(struct nested *n, uint64_t values_max, uint64_t bytes_max)
{
    while (!n->status && n->depth && n->values <= values_max && n->bytes <= bytes_max) {
        const struct frame *f = &n->frames[n->depth - 1];
        if (f->next < f->count)
            put_item(n);
        else
            close_container(n);
    }
}

/* Whether the whole of it is within the limits. */
static enum status count(struct call *c, struct obj *o, uint64_t depth_max)
{
    struct nested n;
    if (!begin(&n, c, depth_max)) return STATUS_OOM;
    n.counts = true;
    open_container(&n, o);
    advance(&n, UINT64_MAX, UINT64_MAX);
    return end(&n);
}

enum status reply_nested(struct call *c, val v, uint64_t depth_max)
{
    if (!val_is_container(v)) {
        put_plain(c, v);
        return STATUS_OK;
    }
    struct nested n;
    if (!begin(&n, c, depth_max)) return STATUS_OOM;
    open_container(&n, val_obj(v));
    advance(&n, c->nested_values + LONG_VALUES, c->nested_bytes + LONG_BYTES);
    if (!n.status && n.depth) n.status = count(c, val_obj(v), depth_max);
    advance(&n, UINT64_MAX, UINT64_MAX);
    c->nested_values = n.values;
    c->nested_bytes = n.bytes;
    return end(&n);
}
