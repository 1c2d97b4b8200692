#include "session/handles.h"

#include "base/hash.h"

enum { MADE_SLOTS_KEPT = 256 };

struct handle_entry {
    uint64_t number;
    val v;
};

static uint32_t number_hash(uint64_t number)
{
    return (uint32_t)hash_word(0, number);
}

static uint32_t entry_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return number_hash(((const struct handle_entry *)entry)->number);
}

static bool entry_match(const void *needle, const void *entry)
{
    return ((const struct handle_entry *)entry)->number == *(const uint64_t *)needle;
}

static const struct table_type handle_type = {.entry_bytes = 16, .hash = entry_hash};

static_assert(sizeof(struct handle_entry) == 16, "an entry of the handle table");

static struct handle_entry *find(const struct handles *hs, uint64_t number)
{
    return table_find(&hs->held, &handle_type, number_hash(number), entry_match, &number);
}

void handles_init(struct handles *hs, uint64_t *total)
{
    *hs = (struct handles){.total = total};
}

/* Room to remember one more number that this command made. */
static bool reserve_made(struct heap *h, struct handles *hs)
{
    if (hs->made_count < hs->made_slots) return true;
    uint32_t slots = hs->made_slots ? hs->made_slots * 2 : 8;
    uint64_t *made =
        mem_realloc(h->mem, hs->made, hs->made_slots * sizeof *made, slots * sizeof *made);
    if (!made) return false;
    hs->made = made;
    hs->made_slots = slots;
    return true;
}

static enum status hold_new(struct heap *h, struct handles *hs, val v, uint64_t number)
{
    val held;
    if (!reserve_made(h, hs) || val_keep(h, v, &held)) return STATUS_OOM;
    struct handle_entry *e = NULL;
    if (!val_is_obj(held) || !rc_root_add(h, val_obj(held))) {
        e = table_insert(&hs->held, &handle_type, h->pool, NULL, number_hash(number));
        if (!e && val_is_obj(held)) rc_root_drop(h, val_obj(held));
    }
    if (!e) {
        val_release(h, held);
        return STATUS_OOM;
    }
    *e = (struct handle_entry){number, held};
    ++*hs->total;
    hs->made[hs->made_count++] = number;
    return STATUS_OK;
}

enum status handles_hold(struct heap *h, struct handles *hs, val v, uint64_t *number)
{
    uint64_t n;
    if (val_is_container(v)) {
        enum status s = ident_number(h, val_obj(v), &n);
        if (s) return s;
        if (find(hs, n)) {
            *number = n;
            return STATUS_OK;
        }
    } else {
        n = ident_fresh(h);
    }
    enum status s = hold_new(h, hs, v, n);
    if (!s) *number = n;
    return s;
}

val handles_get(const struct handles *hs, uint64_t number)
{
    const struct handle_entry *e = find(hs, number);
    return e ? e->v : VAL_NONE;
}

static void let_go(struct heap *h, val v)
{
    if (!val_is_obj(v)) return;
    rc_root_drop(h, val_obj(v));
    rc_dec(h, val_obj(v));
}

bool handles_release(struct heap *h, struct handles *hs, uint64_t number)
{
    struct handle_entry *e = find(hs, number);
    if (!e) return false;
    val v = e->v;
    table_remove(&hs->held, &handle_type, h->pool, NULL, number_hash(number), e);
    --*hs->total;
    let_go(h, v);
    return true;
}

uint64_t handles_count(const struct handles *hs)
{
    return hs->held.used;
}

struct walk {
    handles_each *each;
    void *ctx;
};

static void walk_entry(void *ctx, void *entry)
{
    const struct walk *w = ctx;
    const struct handle_entry *e = entry;
    w->each(w->ctx, e->number, e->v);
}

void handles_walk(const struct handles *hs, handles_each *each, void *ctx)
{
    struct walk w = {each, ctx};
    for (uint64_t at = 0; at < hs->held.buckets;)
        at = table_walk(&hs->held, &handle_type, at, hs->held.buckets, UINT32_MAX, walk_entry, &w);
}

static void forget_made(struct heap *h, struct handles *hs)
{
    mem_free(h->mem, hs->made, hs->made_slots * sizeof *hs->made);
    hs->made = NULL;
    hs->made_count = hs->made_slots = 0;
}

void handles_commit(struct heap *h, struct handles *hs)
{
    hs->made_count = 0;
    if (hs->made_slots > MADE_SLOTS_KEPT) forget_made(h, hs);
}

void handles_rollback(struct heap *h, struct handles *hs)
{
    while (hs->made_count) handles_release(h, hs, hs->made[--hs->made_count]);
    if (hs->made_slots > MADE_SLOTS_KEPT) forget_made(h, hs);
}

struct drain {
    struct heap *h;
    uint64_t *total;
};

static void drain_entry(void *ctx, void *entry)
{
    const struct drain *d = ctx;
    --*d->total;
    let_go(d->h, ((const struct handle_entry *)entry)->v);
}

bool handles_drain(struct heap *h, struct handles *hs, uint32_t max)
{
    if (hs->made_slots) forget_made(h, hs);
    struct drain d = {h, hs->total};
    return table_drain(&hs->held, &handle_type, h->pool, max, drain_entry, &d);
}

static size_t put(char out[HANDLE_TEXT_CHARS], char mark, uint64_t number)
{
    out[0] = mark;
    out[1] = ':';
    return 2 + num_put_hex(out + 2, number);
}

size_t handle_put(char out[HANDLE_TEXT_CHARS], uint64_t number)
{
    return put(out, '&', number);
}

size_t identity_put(char out[HANDLE_TEXT_CHARS], uint64_t number)
{
    return put(out, '#', number);
}

static bool parse(struct view text, char mark, uint64_t *number)
{
    if (text.n < 3 || text.p[0] != mark || text.p[1] != ':') return false;
    return num_get_hex((struct view){text.p + 2, text.n - 2}, number);
}

bool handle_parse(struct view text, uint64_t *number)
{
    return parse(text, '&', number);
}

bool identity_parse(struct view text, uint64_t *number)
{
    return parse(text, '#', number);
}
