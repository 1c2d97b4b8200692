#include "store/entry.h"

enum { PLACE_BYTES = 4, LENGTH_BYTES = 4 };

static size_t content_bytes(const struct entry_content *c)
{
    return c->o ? sizeof c->o : pack_item_bytes(&c->item);
}

struct entry_content entry_content_of_val(const val *v)
{
    DASSERT(!val_is_none(*v) && !val_is_nil(*v));
    if (val_is_obj(*v)) return (struct entry_content){.o = val_obj(*v)};
    return (struct entry_content){.item = pack_item_of_val(v)};
}

static size_t size_for(size_t key_bytes, size_t value_bytes, bool expires)
{
    return sizeof(struct entry) + (expires ? PLACE_BYTES : 0) +
           (key_bytes >= ENTRY_LONG_KEY ? LENGTH_BYTES : 0) + key_bytes + value_bytes;
}

size_t entry_bytes_for(size_t key_bytes, const struct entry_content *c, bool expires)
{
    return pool_good_bytes(size_for(key_bytes, content_bytes(c), expires));
}

static size_t value_bytes(const struct entry *e)
{
    const uint8_t *at = entry_value_at(e);
    return entry_refers(e) ? sizeof(struct obj *) : (size_t)(pack_next(at) - at);
}

size_t entry_bytes(const struct entry *e)
{
    return pool_good_bytes(size_for(entry_key(e).n, value_bytes(e), entry_has_room(e)));
}

static uint32_t form_of(size_t key_bytes, const struct entry_content *c, bool expires)
{
    uint32_t form = expires ? ENTRY_EXPIRES : 0;
    if (c->o) form |= ENTRY_REFERS | (c->o->type == OBJ_WEAK ? ENTRY_WEAKLY : 0);
    return form | (key_bytes < ENTRY_LONG_KEY ? (uint32_t)key_bytes : ENTRY_LONG_KEY)
                      << ENTRY_KEY_SHIFT;
}

/* Writes the key's length, where it needs one, and returns where the key begins. */
static char *put_length(struct entry *e, size_t key_bytes)
{
    uint32_t *at = e->rest + entry_has_room(e);
    if (key_bytes >= ENTRY_LONG_KEY) *at++ = (uint32_t)key_bytes;
    return (char *)at;
}

static void put_value(uint8_t *at, const struct entry_content *c)
{
    if (c->o)
        memcpy(at, &c->o, sizeof c->o);
    else
        pack_put(at, &c->item);
}

struct entry *entry_new(struct pool *p, struct view key, const struct entry_content *c,
                        bool expires)
{
    struct entry *e = pool_alloc(p, entry_bytes_for(key.n, c, expires));
    if (!e) return NULL;
    e->head = form_of(key.n, c, expires);
    if (expires) e->rest[0] = 0;
    char *at = put_length(e, key.n);
    memcpy(at, key.p, key.n);
    put_value((uint8_t *)at + key.n, c);
    return e;
}

void entry_free(struct pool *p, struct entry *e)
{
    pool_free(p, e, entry_bytes(e));
}

void entry_write(struct entry *e, const struct entry_content *c, bool expires)
{
    struct view key = entry_key(e);
    bool had_room = entry_has_room(e);
    e->head = (e->head & ~(uint32_t)0xff) | form_of(key.n, c, expires);
    char *at = (char *)key.p; // NOLINT: the entry's own bytes
    if (expires != had_room) {
        at = (char *)(e->rest + expires + (key.n >= ENTRY_LONG_KEY));
        memmove(at, key.p, key.n);
        put_length(e, key.n);
        if (expires) e->rest[0] = 0;
    }
    put_value((uint8_t *)at + key.n, c);
}

bool entry_overwrite(struct entry *e, const struct entry_content *c)
{
    if (c->o || e->head & (ENTRY_REFERS | ENTRY_EXPIRES)) return false;
    uint8_t *at = (uint8_t *)(uintptr_t)entry_value_at(e); // NOLINT: the entry's own bytes
    size_t before = (size_t)(pack_next(at) - (const uint8_t *)e);
    size_t after = (size_t)(at - (const uint8_t *)e) + pack_item_bytes(&c->item);
    if (pool_good_bytes(before) != pool_good_bytes(after)) return false;
    pack_put(at, &c->item);
    return true;
}

struct entry *entry_with_room(struct pool *p, struct entry *e)
{
    DASSERT(!entry_has_room(e));
    struct view key = entry_key(e);
    size_t old = size_for(key.n, value_bytes(e), false), rest = old - sizeof *e;
    size_t bytes = pool_good_bytes(old + PLACE_BYTES);
    struct entry *with = bytes == pool_good_bytes(old) ? e : pool_alloc(p, bytes);
    if (!with) return NULL;
    memmove((char *)with->rest + PLACE_BYTES, e->rest, rest);
    with->head = e->head | ENTRY_EXPIRES;
    with->rest[0] = 0;
    return with;
}

bool entry_check(const struct entry *e)
{
    const uint8_t *at = entry_value_at(e);
    bool is_long = (e->head >> ENTRY_KEY_SHIFT & ENTRY_LONG_KEY) == ENTRY_LONG_KEY;
    if (is_long && entry_key(e).n < ENTRY_LONG_KEY) return false; /* 3 */
    if (entry_refers(e)) {
        bool is_weak = entry_obj(e)->type == OBJ_WEAK;
        return is_weak == ((e->head & ENTRY_WEAKLY) != 0); /* 2 */
    }
    enum pack_kind kind = pack_kind(at);
    return (e->head & ENTRY_WEAKLY) == 0 && (kind == PACK_INTEGER || kind == PACK_TEXT) &&
           pack_check(at, pack_next(at)); /* 1 */
}
