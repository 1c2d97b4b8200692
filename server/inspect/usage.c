#include "inspect/usage.h"

enum { VISIT_SLOTS = 1024, STACK_SLOTS_FIRST = 64 };

struct usage {
    struct heap *h;
    const struct obj *start;
    uint64_t bytes;
    struct obj **stack;
    size_t count, slots;
    bool failed;
};

static bool push(struct usage *u, struct obj *o)
{
    if (u->count == u->slots) {
        size_t slots = u->slots ? u->slots * 2 : STACK_SLOTS_FIRST;
        struct obj **stack = mem_realloc(u->h->mem, u->stack, u->slots * sizeof(struct obj *),
                                         slots * sizeof(struct obj *));
        if (!stack) return false;
        u->stack = stack;
        u->slots = slots;
    }
    u->stack[u->count++] = o;
    return true;
}

static void add(void *usage, struct obj *o)
{
    struct usage *u = usage;
    if (o->count != 1 || o == u->start) return;
    u->bytes += u->h->types[o->type]->bytes(o);
    if (obj_is_container(o) && !push(u, o)) u->failed = true;
}

static void enter(struct usage *u, const struct obj *o)
{
    const struct heap_type *type = u->h->types[o->type];
    if (!obj_body(o)) return;
    uint64_t end = type->end(o);
    for (uint64_t at = type->begin(o); at < end && !u->failed;)
        at = type->visit(o, at, end, VISIT_SLOTS, add, u);
}

enum status usage_bytes(struct heap *h, val v, uint64_t *out)
{
    struct usage u = {.h = h, .bytes = val_own_bytes(h, v)};
    if (val_is_container(v)) {
        u.start = val_obj(v);
        enter(&u, val_obj(v));
    }
    while (u.count && !u.failed) enter(&u, u.stack[--u.count]);
    mem_free(h->mem, u.stack, u.slots * sizeof(struct obj *));
    if (u.failed) return STATUS_OOM;
    *out = u.bytes;
    return STATUS_OK;
}
