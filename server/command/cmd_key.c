/*
 * Names whatever they are bound to: which there are, of what type, and their removal, renaming and
 * copying. A name that goes takes nothing along that others refer to.
 */
#include "base/glob.h"
#include "command/command.h"
#include "value/copy.h"

enum { NAMES_ON_STACK = 128, RANDOM_TRIES = 64 };

/* --- names listed --- */

/* Names that a walk has found; the walk comes first, because a reply begins with their number. */
struct names {
    struct mem *mem;
    const struct heap *h;
    struct view pattern;
    const char *type; /* NULL: any */
    bool all;         /* the pattern is "*", which even an empty name matches */
    bool failed;      /* no memory */
    uint64_t seen;    /* matching or not */
    size_t count, slots;
    const struct entry **at;
    const struct entry *few[NAMES_ON_STACK];
};

static void names_init(struct names *n, struct call *c)
{
    n->mem = c->heap->mem;
    n->h = c->heap;
    n->pattern = (struct view){"*", 1};
    n->type = NULL;
    n->all = true;
    n->failed = false;
    n->seen = n->count = 0;
    n->slots = NAMES_ON_STACK;
    n->at = n->few;
}

static void names_fini(struct names *n)
{
    if (n->at != n->few) mem_free(n->mem, n->at, n->slots * sizeof *n->at);
}

static void names_match(struct names *n, struct view pattern)
{
    n->pattern = pattern;
    n->all = view_eq(pattern, view_of("*"));
}

static bool names_grow(struct names *n)
{
    size_t bytes = n->slots * sizeof *n->at;
    const struct entry **grown = mem_alloc(n->mem, bytes * 2);
    if (!grown) return false;
    memcpy(grown, n->at, bytes);
    names_fini(n);
    n->at = grown;
    n->slots *= 2;
    return true;
}

/* What TYPE calls a value. */
static const char *type_name(const struct heap *h, val v)
{
    enum obj_type type = val_type(v);
    return type == OBJ_NONE ? "none" : h->types[type]->name;
}

static void names_visit(void *ctx, const struct entry *e)
{
    struct names *n = ctx;
    n->seen++;
    if (!n->all && !glob_match(n->pattern, entry_key(e), GLOB_EXACT)) return;
    if (n->type && strcmp(n->type, type_name(n->h, entry_value(e))) != 0) return;
    if (n->count == n->slots && !names_grow(n))
        n->failed = true;
    else
        n->at[n->count++] = e;
}

static void reply_names(struct call *c, const struct names *n)
{
    reply_array(c, n->count);
    for (size_t i = 0; i < n->count; i++) reply_bulk(c, entry_key(n->at[i]));
}

enum status cmd_keys(struct call *c)
{
    struct names n;
    names_init(&n, c);
    names_match(&n, c->argv[1]);
    keyspace_walk(c->keyspace, names_visit, &n);
    if (!n.failed) reply_names(c, &n);
    names_fini(&n);
    return n.failed ? STATUS_OOM : STATUS_OK;
}

/* The type that SCAN's TYPE names; one that nothing has if it is none of ours. */
static const char *parse_type(struct view text)
{
    static const char *const types[] = {"string", "list", "hash", "set", "zset"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (view_is(text, types[i])) return types[i];
    return "";
}

static enum status parse_scan(struct call *c, struct names *n, int64_t *count)
{
    for (uint32_t i = 2; i < c->argc; i += 2) {
        if (i + 1 == c->argc) return STATUS_SYNTAX;
        if (call_is(c, i, "match")) {
            names_match(n, c->argv[i + 1]);
        } else if (call_is(c, i, "type")) {
            n->type = parse_type(c->argv[i + 1]);
        } else if (call_is(c, i, "count")) {
            enum status s = call_integer(c, i + 1, count);
            if (s) return s;
            if (*count < 1) return STATUS_SYNTAX;
        } else {
            return STATUS_SYNTAX;
        }
    }
    return STATUS_OK;
}

enum status cmd_scan(struct call *c)
{
    struct names n;
    uint64_t cursor;
    int64_t count = 10;
    names_init(&n, c);
    if (!num_get_cursor(c->argv[1], &cursor)) return call_error(c, "ERR invalid cursor");
    enum status s = parse_scan(c, &n, &count);
    if (s) return s;
    /* Buckets may be empty: so many of them are looked at, and no more. */
    uint64_t wanted = (uint64_t)count,
             buckets = wanted > UINT64_MAX / 10 ? UINT64_MAX : wanted * 10;
    do cursor = keyspace_scan(c->keyspace, cursor, names_visit, &n);
    while (cursor && n.seen < wanted && --buckets);
    if (!n.failed) {
        reply_array(c, 2);
        reply_format(c, "%llu", (unsigned long long)cursor);
        reply_names(c, &n);
    }
    names_fini(&n);
    return n.failed ? STATUS_OOM : STATUS_OK;
}

/* One of the names that a step of a scan shows, each with the same chance. */
struct draw {
    struct heap *h;
    const struct entry *e;
    uint64_t seen;
};

static void draw_visit(void *ctx, const struct entry *e)
{
    struct draw *d = ctx;
    d->seen++;
    if (heap_random(d->h) % d->seen == 0) d->e = e;
}

enum status cmd_randomkey(struct call *c)
{
    struct draw d = {.h = c->heap};
    uint64_t cursor = 0;
    for (int i = 0; !d.e && i < RANDOM_TRIES && keyspace_names(c->keyspace); i++)
        keyspace_scan(c->keyspace, heap_random(c->heap), draw_visit, &d);
    /* Few names, or nearly all of them have expired: the first that has not. */
    if (!d.e) {
        do cursor = keyspace_scan(c->keyspace, cursor, draw_visit, &d);
        while (cursor && !d.e);
    }
    if (d.e)
        reply_bulk(c, entry_key(d.e));
    else
        reply_null(c);
    return STATUS_OK;
}

/* --- names looked at --- */

/* What a key stands for, without setting a name's access clock. */
static enum status look(struct call *c, uint32_t i, val *out)
{
    if (call_name(c, i) == STATUS_OK) {
        const struct entry *e = keyspace_find(c->keyspace, c->argv[i]);
        *out = e ? entry_value(e) : VAL_NONE;
        return STATUS_OK;
    }
    struct subject subject;
    enum status s = call_read_any(c, i, &subject);
    if (!s) *out = subject.v;
    return s;
}

enum status cmd_type(struct call *c)
{
    val v;
    enum status s = look(c, 1, &v);
    if (!s) reply_simple(c, type_name(c->heap, v));
    return s;
}

enum status cmd_exists(struct call *c)
{
    int64_t count = 0;
    for (uint32_t i = 1; i < c->argc; i++) {
        val v;
        enum status s = look(c, i, &v);
        if (s) return s;
        count += !val_is_none(v);
    }
    reply_integer(c, count);
    return STATUS_OK;
}

enum status cmd_touch(struct call *c)
{
    int64_t count = 0;
    for (uint32_t i = 1; i < c->argc; i++) {
        struct subject subject;
        enum status s = call_read_any(c, i, &subject);
        if (s) return s;
        count += !val_is_none(subject.v);
    }
    reply_integer(c, count);
    return STATUS_OK;
}

/* --- names changed --- */

enum status cmd_del(struct call *c)
{
    int64_t count = 0;
    for (uint32_t i = 1; i < c->argc; i++) {
        enum status s = call_name(c, i);
        if (s) return s;
    }
    /* Room for the reply, whose number is known only when the names are gone. */
    if (!proto_buf_reserve(c->out, PROTO_NUMBER_LINE_BYTES_MAX)) return STATUS_OOM;
    for (uint32_t i = 1; i < c->argc; i++) {
        struct entry *e = keyspace_find(c->keyspace, c->argv[i]);
        if (!e) continue;
        keyspace_unbind(c->keyspace, e, NAME_REMOVED);
        count++;
    }
    reply_integer(c, count);
    return STATUS_OK;
}

/* What dies is freed in steps in any case. */
enum status cmd_unlink(struct call *c)
{
    return cmd_del(c);
}

static enum status rename_name(struct call *c, bool replace)
{
    enum status s = call_name(c, 1);
    if (!s) s = call_name(c, 2);
    if (s) return s;
    struct keyspace *ks = c->keyspace;
    struct entry *e = keyspace_find(ks, c->argv[1]);
    if (!e) return STATUS_NO_KEY;
    keyspace_touch(ks, e);
    bool same = view_eq(c->argv[1], c->argv[2]);
    bool refused = !replace && (same || keyspace_find(ks, c->argv[2]));
    if (replace)
        reply_ok(c);
    else
        reply_integer(c, !refused);
    if (c->out->failed) return STATUS_OOM;
    return same || refused ? STATUS_OK : keyspace_rename(ks, e, c->argv[2]);
}

enum status cmd_rename(struct call *c)
{
    return rename_name(c, true);
}

enum status cmd_renamenx(struct call *c)
{
    return rename_name(c, false);
}

struct copy_options {
    bool replace;
    enum copy_depth depth;
};

static enum status parse_database(struct call *c, uint32_t i)
{
    int64_t n;
    enum status s = call_integer(c, i, &n);
    if (s) return s;
    if (n < INT32_MIN || n > INT32_MAX)
        return call_error(c, "ERR value is out of range, value must between %d and %d", INT32_MIN,
                          INT32_MAX);
    return n == 0 ? STATUS_OK : call_error(c, "ERR DB index is out of range");
}

static enum status parse_copy(struct call *c, struct copy_options *o)
{
    for (uint32_t i = 3; i < c->argc; i++) {
        enum status s = STATUS_OK;
        if (call_is(c, i, "replace"))
            o->replace = true;
        else if (call_is(c, i, "deep"))
            o->depth = COPY_DEEP;
        else if (call_is(c, i, "db") && i + 1 < c->argc)
            s = parse_database(c, ++i);
        else
            s = STATUS_SYNTAX;
        if (s) return s;
    }
    return STATUS_OK;
}

/* What is copied only has to be looked at: a name, a handle or an identity. */
static enum status copy_source(struct call *c, struct subject *subject)
{
    uint64_t number;
    return identity_parse(c->argv[1], &number) ? call_inspect(c, 1, subject)
                                               : call_read_any(c, 1, subject);
}

enum status cmd_copy(struct call *c)
{
    struct copy_options o = {.depth = COPY_LEVEL};
    struct keyspace_bind bind = {.expires_ms = KEYSPACE_NEVER};
    struct subject from;
    struct entry *e;
    val copy;
    enum status s = parse_copy(c, &o);
    if (!s) s = call_name(c, 2);
    if (s) return s;
    if (view_eq(c->argv[1], c->argv[2]))
        return call_error(c, "ERR source and destination objects are the same");
    s = copy_source(c, &from);
    if (s) return s;
    bool there = keyspace_find(c->keyspace, c->argv[2]) != NULL;
    if (val_is_none(from.v) || (there && !o.replace)) {
        reply_integer(c, 0);
        return STATUS_OK;
    }
    reply_integer(c, 1);
    if (c->out->failed) return STATUS_OOM;
    if (from.e) bind.expires_ms = keyspace_expires_ms(c->keyspace, from.e);
    /* A plain value that lies in its name is copied from there. */
    copy = from.v;
    if (!val_is_bytes(copy)) s = copy_value(c->heap, from.v, o.depth, &copy);
    if (!s) s = keyspace_bind_take(c->keyspace, c->argv[2], copy, bind, &e);
    /* What holds weak references may be emptied by their vanishing. The old name cannot be given
     * back any more: without memory the copy outlives being emptied. */
    if (!s && val_is_container(copy) && weak_in(val_obj(copy)) && keyspace_know(c->keyspace, e))
        keyspace_refer(c->keyspace, val_obj(copy));
    return s;
}
