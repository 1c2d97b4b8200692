#include "heap/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "heap/rc.h"

struct tally {
    const struct obj *o;
    uint64_t count, roots;
};

/* Open addressing from pointers to tallies; doubles at half load. */
struct recount {
    struct heap *h;
    struct tally *slots;
    uint64_t capacity, used;
    uint64_t dead_cells, dead_waiting, objects[OBJ_TYPES];
    uint64_t saturated, many_roots, identified, interned, frozen, weakly;
    bool failed;
    const struct obj *owner; /* whose slots are being counted */
    const struct obj *broken;
    char *text;
};

static struct tally *tally_slot(struct tally *slots, uint64_t capacity, const struct obj *o)
{
    uint64_t at = hash_word(0, (uint64_t)(uintptr_t)o) & (capacity - 1);
    while (slots[at].o && slots[at].o != o) at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static bool recount_grow(struct recount *r)
{
    uint64_t capacity = r->capacity ? r->capacity * 2 : 1024;
    struct tally *slots = calloc(capacity, sizeof *slots);
    if (!slots) return false;
    for (uint64_t i = 0; i < r->capacity; i++)
        if (r->slots[i].o) *tally_slot(slots, capacity, r->slots[i].o) = r->slots[i];
    free(r->slots);
    r->slots = slots;
    r->capacity = capacity;
    return true;
}

static struct tally *recount_of(struct recount *r, const struct obj *o)
{
    static struct tally nowhere;
    if (r->used * 2 >= r->capacity && !recount_grow(r)) {
        r->failed = true;
        return &nowhere;
    }
    struct tally *t = tally_slot(r->slots, r->capacity, o);
    if (!t->o) {
        t->o = o;
        r->used++;
        r->objects[o->type]++;
    }
    return t;
}

static void count_slot(void *recount, struct obj *target)
{
    struct recount *r = recount;
    recount_of(r, target)->count++;
    if (target->type == OBJ_WEAK && weak_owner((const struct weak *)target) != r->owner)
        r->broken = r->owner;
}

static void count_held(void *recount, struct obj *o, enum heap_hold how)
{
    struct tally *t = recount_of(recount, o);
    t->count++;
    if (how == HEAP_HOLD_ROOT && obj_is_container(o)) t->roots++;
}

static void note_container(struct recount *r, const struct obj *o)
{
    const struct heap_type *type = r->h->types[o->type];
    if (type->check && o->count && !(o->flags & OBJ_PINNED) && !type->check(r->h, o)) r->broken = o;
}

static void count_cell(void *recount, struct cell *c)
{
    struct recount *r = recount;
    struct obj *o = &c->head;
    if (o->count == 0 && !c->body) {
        r->dead_cells++;
        return;
    }
    if (o->count == 0) r->dead_waiting++;
    recount_of(r, o);
    note_container(r, o);
    if (!c->body) return;
    r->owner = o;
    const struct heap_type *type = r->h->types[o->type];
    uint64_t end = type->end(o);
    for (uint64_t at = type->begin(o); at < end;) at = type->visit(o, at, end, 1024, count_slot, r);
}

static bool tally_agrees(struct recount *r, const struct tally *t)
{
    const struct obj *o = t->o;
    uint64_t pins = o->flags & OBJ_PINNED ? 1 : 0;
    if (o->count != OBJ_COUNT_MAX && o->count != t->count + pins) {
        snprintf(r->text, 256, "%s: count is %u, but %llu references were found",
                 r->h->types[o->type]->name, o->count, (unsigned long long)(t->count + pins));
        return false;
    }
    if (obj_is_container(o) && rc_roots(r->h, o) != t->roots) {
        snprintf(r->text, 256, "%s: roots are %llu, but %llu were found",
                 r->h->types[o->type]->name, (unsigned long long)rc_roots(r->h, o),
                 (unsigned long long)t->roots);
        return false;
    }
    return true;
}

/* What headers say, added up. */
static void count_header(struct recount *r, const struct obj *o)
{
    r->saturated += o->count == OBJ_COUNT_MAX;
    r->many_roots += o->roots == OBJ_ROOTS_MAX;
    r->identified += (o->flags & OBJ_IDENTIFIED) != 0;
    r->interned += obj_is_interned(o);
    r->frozen += (o->flags & OBJ_FROZEN) != 0;
    r->weakly += (o->flags & OBJ_WEAKLY) != 0;
}

static const char *compare_tallies(struct recount *r)
{
    struct heap *h = r->h;
    for (uint64_t i = 0; i < r->capacity; i++)
        if (r->slots[i].o) count_header(r, r->slots[i].o);
    /* Before anybody is asked for roots: who has many of them is looked up there. */
    if (r->many_roots != h->roots_over.used || !rc_check(h)) return "the table of roots is wrong";
    for (uint64_t i = 0; i < r->capacity; i++)
        if (r->slots[i].o && !tally_agrees(r, &r->slots[i])) return r->text;
    for (int t = 0; t < OBJ_TYPES; t++) {
        if (r->objects[t] == h->objects[t]) continue;
        snprintf(r->text, 256, "type %d: %llu objects are counted, but %llu were found", t,
                 (unsigned long long)h->objects[t], (unsigned long long)r->objects[t]);
        return r->text;
    }
    if (r->broken) {
        snprintf(r->text, 256, "a %s breaks its invariants", h->types[r->broken->type]->name);
        return r->text;
    }
    return NULL;
}

static const char *compare(struct recount *r)
{
    struct heap *h = r->h;
    const char *wrong = compare_tallies(r);
    if (wrong) return wrong;
    if (r->saturated != h->saturated) return "immortal objects are miscounted";
    if (r->frozen != h->collect.frozen) return "frozen objects are miscounted";
    if (r->dead_waiting != h->release_pending) return "the release queue's length is wrong";
    if (r->dead_cells != h->collect.candidates.dead) return "dead candidates are miscounted";
    if (r->identified != h->ident.by_object.used || !ident_check(h))
        return "the identities are wrong";
    if (r->interned != h->intern.strings.used || !intern_check(h))
        return "the intern table is wrong";
    if (r->weakly != h->weak.nodes.used || !weak_check(h)) return "the weak references are wrong";
    if (!collect_check(h)) return "the collector's table is wrong";
    if (!pool_check(h->pool)) return "the pools do not add up";
    return NULL;
}

const char *heap_check(struct heap *h, char text[256])
{
    struct recount r = {.h = h, .text = text};
    uint64_t cursor = 0;
    while (pool_cell_walk(h->pool, &cursor, 1024, count_cell, &r)) {
    }
    for (const struct heap_holder *holder = h->holders; holder; holder = holder->next)
        holder->each(holder->self, count_held, &r);
    const char *wrong = r.failed ? "no memory to recount the heap" : compare(&r);
    free(r.slots);
    return wrong;
}

/* --- reachability --- */

struct trace {
    struct recount seen;
    struct obj **stack;
    uint64_t count, slots;
    struct heap_trace result;
};

static void trace_reach(void *ctx, struct obj *o)
{
    struct trace *t = ctx;
    struct tally *tally = recount_of(&t->seen, o);
    if (tally->count++ > 0 || t->seen.failed) return;
    t->result.objects++;
    if (!obj_is_container(o)) return;
    t->result.condemned += collect_is_condemned(t->seen.h, o);
    if (t->count == t->slots) {
        uint64_t slots = t->slots ? t->slots * 2 : 1024;
        struct obj **stack = realloc(t->stack, slots * sizeof *stack);
        if (!stack) {
            t->seen.failed = true;
            return;
        }
        t->stack = stack;
        t->slots = slots;
    }
    t->stack[t->count++] = o;
}

static void trace_held(void *ctx, struct obj *o, enum heap_hold how)
{
    (void)how;
    trace_reach(ctx, o);
}

struct heap_trace heap_trace(struct heap *h)
{
    struct trace t = {.seen = {.h = h}};
    for (const struct heap_holder *holder = h->holders; holder; holder = holder->next)
        holder->each(holder->self, trace_held, &t);
    while (t.count && !t.seen.failed) {
        const struct obj *o = t.stack[--t.count];
        const struct heap_type *type = h->types[o->type];
        if (!obj_body(o)) continue;
        uint64_t end = type->end(o);
        for (uint64_t at = type->begin(o); at < end;)
            at = type->visit(o, at, end, 1024, trace_reach, &t);
    }
    free(t.stack);
    free(t.seen.slots);
    t.result.failed = t.seen.failed;
    return t.result;
}
