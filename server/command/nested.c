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
 * reply-values-max, counted while it is written (shared structure can be exponentially larger than
 * the heap): a million nested values take as long as LRANGE of a million elements.
 */
#include "command/command.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/zset.h"

enum { WALK_SLOTS = 256 };

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
    struct call *c = n->c;
    if (++c->nested_values <= c->engine->config.reply_values_max) return true;
    n->status = STATUS_TOO_BIG;
    return false;
}

static void put_identity(struct nested *n, struct obj *o)
{
    uint64_t number;
    n->status = ident_number(n->c->heap, o, &number);
    if (n->status) return;
    char text[HANDLE_TEXT_CHARS];
    size_t bytes = identity_put(text, number);
    if (resp3(n->c))
        proto_put_verbatim(n->c->out, "ref", text, bytes);
    else
        proto_put_bulk(n->c->out, text, bytes);
}

static void put_plain(struct call *c, val v)
{
    if (val_is_nil(v))
        reply_null(c);
    else
        reply_string(c, v);
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
    if (c->nested_values + container_shown(c->heap, o) > c->engine->config.reply_values_max) {
        n->status = STATUS_TOO_BIG;
        return;
    }
    struct frame *f = &n->frames[n->depth];
    *f = (struct frame){.o = o};
    put_begin(c, o);
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
        reply_double(c, item.score);
        return;
    }
    if (is_field) {
        reply_string(c, item.v);
        return;
    }
    if (!count_value(n)) return;
    if (scored && resp3(c)) reply_array(c, 2);
    if (!reply_has_room(c))
        n->status = STATUS_TOO_LONG_REPLY;
    else if (val_is_container(item.v))
        open_container(n, val_obj(item.v));
    else
        put_plain(c, item.v);
}

enum status reply_nested(struct call *c, val v, uint64_t depth_max)
{
    if (!val_is_container(v)) {
        put_plain(c, v);
        return STATUS_OK;
    }
    struct nested n = {.c = c, .depth_max = depth_max, .status = STATUS_OK};
    size_t bytes = (depth_max + 1) * sizeof *n.frames;
    n.frames = mem_alloc(&c->engine->mem, bytes);
    if (!n.frames) return STATUS_OOM;
    open_container(&n, val_obj(v));
    while (!n.status && n.depth) {
        const struct frame *f = &n.frames[n.depth - 1];
        if (f->next < f->count)
            put_item(&n);
        else
            close_container(&n);
    }
    while (n.depth) close_container(&n);
    mem_free(&c->engine->mem, n.frames, bytes);
    return n.status;
}
