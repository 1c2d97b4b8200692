/*
 * The algebra of sets: SINTER, SUNION and SDIFF. Members are compared as everywhere: strings by
 * their bytes, containers by identity.
 *
 * How many members there will be is known when they have been written; the header is put in front
 * then. Where many sets would have to be asked for each member, what they hold is gathered first,
 * in a set of the command's own, which goes through the release queue.
 */
#include <stdlib.h>

#include "command/command.h"
#include "command/members.h"
#include "value/set.h"

enum { WALK_SLOTS = 256, SETS_ON_STACK = 16 };

struct algebra {
    struct call *c;
    struct obj **sets; /* those that have members, in the order of the keys */
    uint32_t count;
    bool first_missing, any_missing; /* a key that stands for no members */
    struct obj *gathered;            /* the command's own, or NULL */
    const struct obj *skipped;       /* what is in it is not shown or gathered */
    bool gathers;                    /* what is shown is gathered too */
    uint64_t shown;
    enum status status;
    struct obj *few[SETS_ON_STACK];
};

static enum status algebra_init(struct algebra *a, struct call *c)
{
    uint32_t keys = c->argc - 1;
    enum status status = STATUS_OK;
    *a = (struct algebra){.c = c, .sets = a->few};
    if (keys > SETS_ON_STACK) a->sets = mem_alloc(&c->engine->mem, keys * sizeof(struct obj *));
    if (!a->sets) return STATUS_OOM;
    for (uint32_t i = 1; i < c->argc && !status; i++) {
        struct subject s;
        status = call_read(c, i, OBJ_SET, &s);
        if (status) break;
        if (s.o && set_length(s.o) > 0) {
            a->sets[a->count++] = s.o;
            continue;
        }
        a->any_missing = true;
        a->first_missing |= i == 1;
    }
    return status;
}

/* The set of the command's own is nobody else's: what is done to it is no effect. */
static bool gather_begin(struct algebra *a)
{
    bool on = effects_pause(&a->c->heap->effects);
    a->gathered = heap_container_new(a->c->heap, OBJ_SET);
    effects_resume(&a->c->heap->effects, on);
    if (!a->gathered) a->status = STATUS_OOM;
    return a->gathered;
}

/* False: it was there already, or there was no memory. */
static bool gather(struct algebra *a, const struct needle *n)
{
    bool added, on = effects_pause(&a->c->heap->effects);
    a->status = set_add(a->c->heap, a->gathered, n, &added);
    effects_resume(&a->c->heap->effects, on);
    return added && !a->status;
}

static void gather_end(struct algebra *a)
{
    bool on = effects_pause(&a->c->heap->effects);
    rc_dec(a->c->heap, a->gathered);
    effects_resume(&a->c->heap->effects, on);
}

static void algebra_fini(struct algebra *a)
{
    struct call *c = a->c;
    if (a->gathered) gather_end(a);
    if (a->sets && a->sets != a->few)
        mem_free(&c->engine->mem, a->sets, (c->argc - 1) * sizeof(struct obj *));
}

/* Shows to `each` every member of a set, until something fails. */
static void each_member(struct algebra *a, const struct obj *o, set_each *each)
{
    uint64_t cursor = 0;
    while (!a->status && set_walk(o, &cursor, WALK_SLOTS, each, a)) {
    }
}

static void show(struct algebra *a, val member)
{
    a->status = reply_value(a->c, member);
    a->shown++;
}

static int by_length(const void *x, const void *y)
{
    uint64_t a = set_length(*(struct obj *const *)x), b = set_length(*(struct obj *const *)y);
    return (a > b) - (a < b);
}

/* Replies what `write` shows. */
static enum status reply_algebra(struct call *c, void (*write)(struct algebra *a))
{
    struct algebra a;
    size_t at = c->out->n;
    enum status status = algebra_init(&a, c);
    if (!status) {
        write(&a);
        status = a.status;
    }
    if (!status) members_put_header(c, at, a.shown);
    algebra_fini(&a);
    return status;
}

/* --- SINTER --- */

static void inter_each(void *ctx, val member)
{
    struct algebra *a = ctx;
    if (a->status) return;
    struct needle n = needle_of_val(a->c->heap, member);
    for (uint32_t i = 1; i < a->count; i++)
        if (!set_has(a->sets[i], &n)) return;
    show(a, member);
}

/* The members of the smallest set, each looked for in the others, the smaller ones first. */
static void inter(struct algebra *a)
{
    if (a->any_missing) return;
    qsort(a->sets, a->count, sizeof(struct obj *), by_length);
    each_member(a, a->sets[0], inter_each);
}

enum status cmd_sinter(struct call *c)
{
    return reply_algebra(c, inter);
}

/* --- SUNION --- */

static void union_each(void *ctx, val member)
{
    struct algebra *a = ctx;
    bool added = true;
    if (a->status) return;
    struct needle n = needle_of_val(a->c->heap, member);
    if (a->skipped && set_has(a->skipped, &n)) return;
    if (a->gathers)
        added = gather(a, &n);
    else if (a->gathered)
        added = !set_has(a->gathered, &n);
    if (!a->status && added) show(a, member);
}

/*
 * The largest set is shown as it is; of the others, what neither it nor those before has. What
 * those before had is gathered, but for the last: so that a union of two sets needs nothing.
 */
static void unite(struct algebra *a)
{
    if (a->count == 0) return;
    qsort(a->sets, a->count, sizeof(struct obj *), by_length);
    const struct obj *largest = a->sets[a->count - 1];
    each_member(a, largest, union_each);
    a->skipped = largest;
    for (uint32_t i = 0; i + 1 < a->count && !a->status; i++) {
        a->gathers = i + 2 < a->count;
        if (a->gathers && !a->gathered && !gather_begin(a)) return;
        each_member(a, a->sets[i], union_each);
    }
}

enum status cmd_sunion(struct call *c)
{
    return reply_algebra(c, unite);
}

/* --- SDIFF --- */

static void diff_each(void *ctx, val member)
{
    struct algebra *a = ctx;
    if (a->status) return;
    struct needle n = needle_of_val(a->c->heap, member);
    if (a->gathered) {
        if (set_has(a->gathered, &n)) return;
    } else {
        for (uint32_t i = 1; i < a->count; i++)
            if (set_has(a->sets[i], &n)) return;
    }
    show(a, member);
}

static void gather_each(void *ctx, val member)
{
    struct algebra *a = ctx;
    if (a->status) return;
    struct needle n = needle_of_val(a->c->heap, member);
    if (set_has(a->sets[0], &n)) (void)gather(a, &n);
}

/* The members of the first set, each looked for in the others, the larger ones first; or, if those
 * are many and small, what they have of the first is gathered. */
static void diff(struct algebra *a)
{
    uint64_t others = 0;
    if (a->first_missing) return;
    for (uint32_t i = 1; i < a->count; i++) others += set_length(a->sets[i]);
    qsort(a->sets + 1, a->count - 1, sizeof(struct obj *), by_length);
    for (uint32_t i = 1, k = a->count - 1; i < k; i++, k--) {
        struct obj *o = a->sets[i];
        a->sets[i] = a->sets[k];
        a->sets[k] = o;
    }
    /* Half of them: a member that is found is found early. */
    if (set_length(a->sets[0]) * (a->count - 1) / 2 > others) {
        if (!gather_begin(a)) return;
        for (uint32_t i = 1; i < a->count; i++) each_member(a, a->sets[i], gather_each);
    }
    each_member(a, a->sets[0], diff_each);
}

enum status cmd_sdiff(struct call *c)
{
    return reply_algebra(c, diff);
}
