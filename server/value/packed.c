#include "value/packed.h"

#include "value/body.h"
#include "value/str.h"

/* --- what is stored --- */

/* A reference takes PACK_REF_BYTES; the text of a shorter string no more. */
static bool is_worth_sharing(const struct obj *o)
{
    return o->type == OBJ_STRING && o->count > 1 &&
           ((const struct str *)o)->length >= PACK_REF_BYTES;
}

static bool in_of_item(struct packed_in *out, uint32_t text_bytes_max)
{
    return out->item.text.n <= text_bytes_max && out->item.text.n <= PACKED_TEXT_BYTES_MAX;
}

bool packed_in_of_val(const val *v, uint32_t text_bytes_max, struct packed_in *out)
{
    if (val_type(*v) != OBJ_STRING) return false;
    out->item = pack_item_of_val(v);
    out->shared = val_is_obj(*v) && is_worth_sharing(val_obj(*v)) ? val_obj(*v) : NULL;
    return in_of_item(out, text_bytes_max);
}

bool packed_in_of_text(struct view text, uint32_t text_bytes_max, struct packed_in *out)
{
    out->item = pack_item_of_text(text);
    out->shared = NULL;
    return in_of_item(out, text_bytes_max);
}

/* What a needle is made of is held by somebody already, and now by the container, too. */
bool packed_in_of_needle(const struct needle *n, uint32_t text_bytes_max, struct packed_in *out)
{
    if (n->weakly || !pack_item_of_needle(n, &out->item)) return false;
    struct obj *o = val_is_obj(n->v) ? val_obj(n->v) : NULL;
    out->shared =
        o && o->type == OBJ_STRING && ((struct str *)o)->length >= PACK_REF_BYTES ? o : NULL;
    return in_of_item(out, text_bytes_max);
}

uint8_t *packed_put(struct heap *h, uint8_t *at, const struct packed_in *in)
{
    if (!in->shared) return pack_put(at, &in->item);
    rc_inc(h, in->shared);
    return pack_put_ref(at, in->shared);
}

/* --- changes --- */

static void block_set(struct obj *o, struct packed *b)
{
    ((struct cell *)o)->body = b;
    o->flags = (uint8_t)(b ? o->flags | OBJ_PACKED : o->flags & ~OBJ_PACKED);
}

/* A block grows by this part of it, at least. */
enum { GROWTH = 16 };

/* A block with room for so many bytes of entries, its header but `count`, `used` and `width` set.
 */
static struct packed *block_new(struct heap *h, size_t entries)
{
    size_t bytes = pool_good_bytes(sizeof(struct packed) + entries);
    if (bytes > PACKED_BYTES_MAX) bytes = PACKED_BYTES_MAX;
    struct packed *b = pool_alloc(h->pool, bytes);
    if (b) b->bytes = (uint16_t)bytes;
    return b;
}

static void block_free(struct heap *h, struct packed *b)
{
    pool_free(h->pool, b, b->bytes);
}

uint8_t *packed_open(struct heap *h, struct obj *o, size_t offset, size_t bytes, uint32_t elements)
{
    struct packed *b = packed_of(o);
    size_t used = b ? b->used : 0, entries = used + bytes;
    DASSERT(offset <= used && packed_has_room(b, bytes));
    if (b && sizeof *b + entries <= b->bytes) {
        memmove(b->at + offset + bytes, b->at + offset, used - offset);
    } else {
        struct packed *grown = block_new(h, entries + used / GROWTH);
        if (!grown) return NULL;
        grown->count = b ? b->count : 0;
        grown->width = b ? b->width : 0;
        if (b) {
            memcpy(grown->at, b->at, offset);
            memcpy(grown->at + offset + bytes, b->at + offset, used - offset);
            block_free(h, b);
        }
        b = grown;
        block_set(o, b);
    }
    b->used = (uint16_t)entries;
    b->count = (uint16_t)(b->count + elements);
    return b->at + offset;
}

/* Moves the elements to a block with room for so many bytes, if it can be had. */
static void resize(struct heap *h, struct obj *o, size_t entries)
{
    struct packed *b = packed_of(o), *to = block_new(h, entries);
    if (!to) return;
    to->count = b->count;
    to->used = b->used;
    to->width = b->width;
    memcpy(to->at, b->at, b->used);
    block_free(h, b);
    block_set(o, to);
}

void packed_expect(struct heap *h, struct obj *o, size_t bytes)
{
    const struct packed *b = packed_of(o);
    if (b && sizeof *b + b->used + bytes > b->bytes && packed_has_room(b, bytes))
        resize(h, o, b->used + bytes);
}

void packed_expect_end(struct heap *h, struct obj *o)
{
    const struct packed *b = packed_of(o);
    if (b && pool_good_bytes(sizeof *b + b->used) < b->bytes) resize(h, o, b->used);
}

void packed_fit(struct heap *h, struct obj *o)
{
    const struct packed *b = packed_of(o);
    if (b && sizeof *b + b->used <= b->bytes - b->bytes / 4u) packed_expect_end(h, o);
}

void packed_close(struct heap *h, struct obj *o, size_t offset, size_t bytes, uint32_t elements)
{
    struct packed *b = packed_of(o);
    DASSERT(b && offset + bytes <= b->used && elements <= b->count);
    b->count = (uint16_t)(b->count - elements);
    if (b->count == 0) {
        block_set(o, NULL);
        block_free(h, b);
        return;
    }
    memmove(b->at + offset, b->at + offset + bytes, b->used - offset - bytes);
    b->used = (uint16_t)(b->used - bytes);
}

static void release_range(struct heap *h, const uint8_t *at, const uint8_t *end)
{
    for (; at < end; at = pack_next(at))
        if (pack_kind(at) == PACK_REF) rc_dec(h, pack_get_ref(at));
}

void packed_remove(struct heap *h, struct obj *o, size_t offset, size_t bytes, uint32_t elements)
{
    const struct packed *b = obj_body(o);
    release_range(h, b->at + offset, b->at + offset + bytes);
    packed_close(h, o, offset, bytes, elements);
}

uint8_t *packed_replace(struct heap *h, struct obj *o, size_t offset, size_t old_bytes,
                        size_t bytes)
{
    struct packed *b = obj_body(o);
    if (bytes > old_bytes && !packed_open(h, o, offset + old_bytes, bytes - old_bytes, 0))
        return NULL;
    b = obj_body(o);
    release_range(h, b->at + offset, b->at + offset + old_bytes);
    if (bytes < old_bytes) packed_close(h, o, offset + bytes, old_bytes - bytes, 0);
    b = obj_body(o);
    return b->at + offset;
}

void packed_drop(struct heap *h, struct obj *o)
{
    struct packed *b = packed_of(o);
    if (!b) return;
    block_set(o, NULL);
    if (b->width == 0) release_range(h, b->at, packed_end(b));
    block_free(h, b);
}

static void retain(void *ctx, struct obj *o)
{
    rc_inc(ctx, o);
}

enum status packed_copy(struct heap *h, const struct obj *from, struct obj *to)
{
    const struct packed *b = packed_of(from);
    DASSERT(obj_body(to) == NULL);
    struct packed *copy = block_new(h, b->used);
    if (!copy) return STATUS_OOM;
    copy->count = b->count;
    copy->used = b->used;
    copy->width = b->width;
    memcpy(copy->at, b->at, b->used);
    packed_visit(copy, retain, h);
    block_set(to, copy);
    return STATUS_OK;
}

void packed_swap(struct heap *h, struct obj *o, struct cell *made)
{
    struct cell old = {.head = {.type = o->type, .flags = o->flags & OBJ_PACKED}};
    old.body = body_take(h, o);
    ((struct cell *)o)->body = made->body;
    o->flags = (uint8_t)((o->flags & ~OBJ_PACKED) | (made->head.flags & OBJ_PACKED));
    while (!h->types[o->type]->clear(h, &old.head, UINT32_MAX)) continue;
}

/* --- reading --- */

const uint8_t *packed_at(const struct packed *b, uint32_t index, uint32_t stride)
{
    DASSERT(index <= b->count);
    return index == b->count ? packed_end(b) : pack_skip(b->at, (uint64_t)index * stride);
}

void packed_seek(struct packed_iter *it, const struct packed *b, uint32_t index, uint32_t stride)
{
    DASSERT(index < b->count);
    it->block = b;
    it->at = packed_at(b, index, stride);
    it->index = index;
    it->stride = stride;
    it->window_first = it->window_end = 0;
}

bool packed_next(struct packed_iter *it)
{
    if (it->index + 1 >= it->block->count) return false;
    it->index++;
    it->at = pack_skip(it->at, it->stride);
    return true;
}

/* The window that ends with `index`. */
static void look_back(struct packed_iter *it, uint32_t index)
{
    uint32_t first = index >= PACKED_WINDOW ? index - PACKED_WINDOW + 1 : 0;
    const uint8_t *at = packed_at(it->block, first, it->stride);
    for (uint32_t i = first; i <= index; i++) {
        it->window[i - first] = (uint16_t)(at - it->block->at);
        at = pack_skip(at, it->stride);
    }
    it->window_first = first;
    it->window_end = index + 1;
}

bool packed_prev(struct packed_iter *it)
{
    if (it->index == 0) return false;
    uint32_t index = --it->index;
    if (index < it->window_first || index >= it->window_end) look_back(it, index);
    it->at = it->block->at + it->window[index - it->window_first];
    return true;
}

/* --- for the heap --- */

void packed_visit(const struct packed *b, heap_visit *fn, void *ctx)
{
    if (b->width) return;
    for (const uint8_t *at = b->at; at < packed_end(b); at = pack_next(at))
        if (pack_kind(at) == PACK_REF) fn(ctx, pack_get_ref(at));
}

size_t packed_bytes(const struct packed *b)
{
    return pool_good_bytes(sizeof(struct cell)) + pool_good_bytes(b->bytes);
}

bool packed_check(const struct obj *o, uint32_t stride)
{
    const struct packed *b = packed_of(o);
    if (!b || b->count == 0 || (o->flags & OBJ_VISIBLE)) return false; /* 3. */
    if (b->bytes > PACKED_BYTES_MAX || sizeof *b + b->used > b->bytes) return false;
    if (pool_good_bytes(b->bytes) != b->bytes) return false; /* 2. */
    if (b->width) return b->used == (size_t)b->count * b->width;
    if (!pack_check(b->at, packed_end(b))) return false;
    uint64_t entries = 0;
    for (const uint8_t *at = b->at; at < packed_end(b); at = pack_next(at), entries++)
        if (pack_kind(at) == PACK_GAP) return false;
    return entries == (uint64_t)b->count * stride; /* 1. */
}
