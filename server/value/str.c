#include "value/str.h"

#include "base/sanitize.h"

/* What a block for so many bytes of text is asked for. The pools' large blocks grow in pages, which
 * is too little for a string that is appended to again and again. */
static size_t str_bytes(size_t length)
{
    size_t bytes = sizeof(struct str) + length;
    if (LIKELY(bytes <= POOL_SMALL_MAX)) return bytes;
    size_t step = (size_t)1 << (60 - __builtin_clzl((unsigned long)bytes - 1));
    return (bytes + step - 1) & ~(step - 1);
}

struct str *str_new(struct heap *h, size_t length)
{
    if (length > STR_BYTES_MAX) return NULL;
    struct str *s = pool_alloc(h->pool, str_bytes(length));
    if (!s) return NULL;
    s->length = (uint32_t)length;
    s->hash = 0;
    heap_object_made(h, &s->head, OBJ_STRING);
    return s;
}

size_t str_block_bytes(size_t length)
{
    return pool_good_bytes(str_bytes(length));
}

struct str *str_of_block(struct heap *h, void *block, size_t length)
{
    DASSERT(length >= STR_BLOCK_LENGTH_MIN && length <= STR_BYTES_MAX);
    struct str *s = block;
    pool_adopt(h->pool, s, str_bytes(length));
    s->length = (uint32_t)length;
    s->hash = 0;
    heap_object_made(h, &s->head, OBJ_STRING);
    return s;
}

static void str_destroy(struct heap *h, struct obj *o)
{
    struct str *s = (struct str *)o;
    if (o->flags & OBJ_INTERNED) intern_forget(h, o);
    heap_object_gone(h, o);
    pool_free(h->pool, s, str_bytes(s->length));
}

static void number_destroy(struct heap *h, struct obj *o)
{
    heap_object_gone(h, o);
    pool_free(h->pool, o, sizeof(struct number));
}

enum status str_settle(struct heap *h, struct str *s, val *out)
{
    /* Only a text of up to 20 bytes can have another form. */
    if (s->length >= NUM_INTEGER_CHARS) {
        *out = val_of_obj(&s->head);
        return STATUS_OK;
    }
    val v;
    enum status status = val_of_text(h, (struct view){s->bytes, s->length}, &v);
    str_destroy(h, &s->head);
    if (status) return status;
    *out = v;
    return STATUS_OK;
}

/* Whether nobody but the caller can see the bytes, and the new length lives in the same block. */
static bool can_write_in_place(val v, size_t length)
{
    if (!val_is_obj(v) || val_obj(v)->type != OBJ_STRING) return false;
    const struct str *s = (const struct str *)val_obj(v);
    return s->head.count == 1 && (s->head.flags & OBJ_INTERNED) == 0 &&
           length >= NUM_INTEGER_CHARS &&
           pool_good_bytes(str_bytes(length)) == pool_good_bytes(str_bytes(s->length));
}

static void write_at(struct str *s, size_t length_old, size_t offset, struct view text)
{
    if (offset > length_old) memset(s->bytes + length_old, 0, offset - length_old);
    memcpy(s->bytes + offset, text.p, text.n);
}

enum status str_write(struct heap *h, val v, size_t offset, struct view text, val *out)
{
    char scratch[VAL_TEXT_CHARS];
    struct view old = val_text(&v, scratch);
    if (offset > STR_BYTES_MAX || text.n > STR_BYTES_MAX - offset) return STATUS_TOO_LONG;
    size_t length = offset + text.n > old.n ? offset + text.n : old.n;
    if (can_write_in_place(v, length)) {
        struct str *s = (struct str *)val_obj(v);
        /* The pool has given out the bytes that were asked for, not the whole block. */
        sanitize_unpoison(s, str_bytes(length));
        write_at(s, old.n, offset, text);
        s->length = (uint32_t)length;
        s->hash = 0;
        rc_inc(h, &s->head);
        *out = v;
        return STATUS_OK;
    }
    struct str *s = str_new(h, length);
    if (!s) return STATUS_OOM;
    memcpy(s->bytes, old.p, old.n);
    write_at(s, old.n, offset, text);
    return str_settle(h, s, out);
}

struct obj *str_move(struct heap *h, struct str *s)
{
    struct obj *now = pool_move(h->pool, s, str_bytes(s->length));
    if (now != &s->head && (now->flags & OBJ_INTERNED)) intern_moved(h, &s->head, now);
    return now;
}

static struct view str_text(const struct obj *o)
{
    const struct str *s = (const struct str *)o;
    return (struct view){s->bytes, s->length};
}

static uint32_t str_hash(const struct heap *h, const struct obj *o)
{
    return val_hash(h, val_of_obj(o));
}

static size_t str_own_bytes(const struct obj *o)
{
    return pool_good_bytes(str_bytes(((const struct str *)o)->length));
}

static size_t number_own_bytes(const struct obj *o)
{
    (void)o;
    return pool_good_bytes(sizeof(struct number));
}

const struct heap_type str_heap_type = {
    .name = "string",
    .text = str_text,
    .hash = str_hash,
    .destroy = str_destroy,
    .bytes = str_own_bytes,
};

const struct heap_type number_heap_type = {
    .name = "number",
    .destroy = number_destroy,
    .bytes = number_own_bytes,
};
