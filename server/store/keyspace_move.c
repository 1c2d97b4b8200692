/* Names on the move: store/compact.h says who asks for it, and why it is safe. */
#include "base/prefetch.h"
#include "store/keyspace_parts.h"

#include "value/move.h"

/* An entry is fetched while those before it are looked at. */
enum { AHEAD = 8 };

/* Slots of the table that are still to be looked at. */
struct moving {
    struct keyspace *ks;
    struct entry **slots[AHEAD];
    uint32_t come, gone;
};

/* Elsewhere, with what it says; what knows it by its address follows. */
static void move_entry(struct keyspace *ks, struct entry **slot)
{
    struct entry *from = *slot;
    size_t bytes = entry_bytes(from);
    bool is_weak = entry_is_weak(from);
    struct obj *o = entry_referred(from);
    struct entry *to = pool_move(ks->h->pool, from, bytes);
    if (to == from) return;
    *slot = to;
    if (entry_place(to)) expiry_moved(&ks->expiry, to);
    if (o) binding_moved(&ks->known, o, from, to);
    if (is_weak) weak_set_name(o, to);
}

static void move_name(struct keyspace *ks, struct entry **slot)
{
    struct obj *o = entry_referred(*slot), *now = o ? move_string(ks->h, o) : NULL;
    if (now != o) entry_set_obj(*slot, now);
    move_entry(ks, slot);
}

static void visit_slot(void *ctx, void *slot)
{
    struct moving *m = ctx;
    prefetch(entry_in(slot));
    if (m->come - m->gone == AHEAD) move_name(m->ks, m->slots[m->gone++ % AHEAD]);
    m->slots[m->come++ % AHEAD] = slot;
}

bool keyspace_fit_step(struct keyspace *ks, uint32_t merges_max)
{
    return table_fit_step(&ks->names, &keyspace_names_type, ks->h->pool, ks, merges_max);
}

uint64_t keyspace_move_step(struct keyspace *ks, uint64_t cursor, uint32_t names_max)
{
    struct moving m = {.ks = ks};
    cursor = table_move_step(&ks->names, &keyspace_names_type, ks->h->pool, cursor, names_max,
                             visit_slot, &m);
    while (m.gone < m.come) move_name(ks, m.slots[m.gone++ % AHEAD]);
    return cursor;
}
