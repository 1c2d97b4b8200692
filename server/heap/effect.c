#include "heap/effect.h"

enum {
    BUFFER_BYTES_FIRST = 4096,
    BUFFER_BYTES_KEPT = 256 << 10, /* a larger buffer goes when its batch has gone */
    VARINT_BYTES_MAX = 10,
    RECORD_BYTES_MORE = 1 + 8 * VARINT_BYTES_MAX, /* of a record, beside its texts */
};

/* What follows an operation, in this order. KNOWN: it is one, also if nothing follows. */
enum part {
    KNOWN = 1 << 0,
    KEY = 1 << 1,
    CELL = 1 << 2,
    NUMBER = 1 << 3,
    COUNT = 1 << 4,
    FIELD = 1 << 5,
    VALUE = 1 << 6,
    WHEN = 1 << 7,
    SCORE = 1 << 8
};
static const uint16_t parts_of[EFFECT_OPS] = {
    [EFFECT_BIND] = KNOWN | KEY | VALUE | WHEN,
    [EFFECT_UNBIND] = KNOWN | KEY | NUMBER,
    [EFFECT_EXPIRY] = KNOWN | KEY | WHEN,
    [EFFECT_FLUSH] = KNOWN,
    [EFFECT_NEW] = KNOWN | CELL | NUMBER,
    [EFFECT_DEAD] = KNOWN | CELL,
    [EFFECT_REFERRED] = KNOWN | CELL,
    [EFFECT_IDENT] = KNOWN | CELL | NUMBER,
    [EFFECT_HASH_SET] = KNOWN | CELL | FIELD | VALUE,
    [EFFECT_HASH_DELETE] = KNOWN | CELL | FIELD,
    [EFFECT_LIST_INSERT] = KNOWN | CELL | NUMBER | VALUE,
    [EFFECT_LIST_DELETE] = KNOWN | CELL | NUMBER | COUNT,
    [EFFECT_LIST_SET] = KNOWN | CELL | NUMBER | VALUE,
    [EFFECT_SET_ADD] = KNOWN | CELL | VALUE,
    [EFFECT_SET_REMOVE] = KNOWN | CELL | VALUE,
    [EFFECT_ZSET_SET] = KNOWN | CELL | VALUE | SCORE,
    [EFFECT_ZSET_REMOVE] = KNOWN | CELL | VALUE,
};

static bool is_fact(enum effect_op op)
{
    return op == EFFECT_NEW || op == EFFECT_DEAD || op == EFFECT_REFERRED || op == EFFECT_IDENT;
}

/* --- writing --- */

static uint8_t *put_number(uint8_t *at, uint64_t n)
{
    for (; n >= 0x80; n >>= 7) *at++ = (uint8_t)(n | 0x80);
    *at++ = (uint8_t)n;
    return at;
}

static uint8_t *put_text(uint8_t *at, struct view text)
{
    at = put_number(at, text.n);
    if (text.n) memcpy(at, text.p, text.n);
    return at + text.n;
}

static uint8_t *put_value(uint8_t *at, const struct effect_value *v)
{
    *at++ = (uint8_t)v->kind;
    switch (v->kind) {
    case EFFECT_INTEGER:
        return put_number(at, (uint64_t)v->integer << 1 ^ (uint64_t)(v->integer >> 63));
    case EFFECT_TEXT:
    case EFFECT_SHARED_TEXT: return put_text(at, v->text);
    case EFFECT_REFERENCE:
    case EFFECT_WEAK: return put_number(at, v->cell);
    case EFFECT_NIL:
    case EFFECT_KINDS: break;
    }
    return at;
}

static uint8_t *put_parts(uint8_t *at, const struct effect *e)
{
    uint32_t parts = parts_of[e->op];
    if (parts & KEY) at = put_text(at, e->key);
    if (parts & CELL) at = put_number(at, e->cell);
    if (parts & NUMBER) at = put_number(at, e->number);
    if (parts & COUNT) at = put_number(at, e->count);
    if (parts & FIELD) at = put_value(at, &e->field);
    if (parts & VALUE) at = put_value(at, &e->value);
    if (parts & WHEN) at = put_number(at, (uint64_t)(e->when_ms + 1));
    if (parts & SCORE) {
        memcpy(at, &e->score, sizeof e->score);
        at += sizeof e->score;
    }
    return at;
}

static size_t text_bytes(const struct effect_value *v)
{
    return v->kind == EFFECT_TEXT || v->kind == EFFECT_SHARED_TEXT ? v->text.n : 0;
}

static bool reserve(struct effects *x, size_t bytes)
{
    if (x->size - x->used >= bytes) return true;
    size_t size = x->size ? x->size : BUFFER_BYTES_FIRST;
    while (size - x->used < bytes) size *= 2;
    uint8_t *records = mem_realloc(x->mem, x->records, x->size, size);
    if (!records) return false;
    x->records = records;
    x->size = size;
    return true;
}

static void record(struct effects *x, const struct effect *e)
{
    size_t texts = e->key.n + text_bytes(&e->field) + text_bytes(&e->value);
    if (x->lost || !reserve(x, RECORD_BYTES_MORE + texts)) {
        x->lost = true;
        return;
    }
    uint8_t *at = x->records + x->used;
    *at++ = (uint8_t)e->op;
    x->used = (size_t)(put_parts(at, e) - x->records);
}

/* That a container is new, or has got a number or a mark, changes nothing in it. */
static void touch(struct effects *x, const struct effect *e)
{
    if (e->op == EFFECT_FLUSH)
        interest_touch_keys(&x->interests);
    else if (parts_of[e->op] & KEY)
        interest_touch_key(&x->interests, e->key);
    else if (!is_fact(e->op) || e->op == EFFECT_DEAD)
        interest_touch_cell(&x->interests, e->cell);
}

void effect_put(struct effects *x, const struct effect *e)
{
    DASSERT(x->on && parts_of[e->op]);
    x->pending = true;
    if (x->interests.count) touch(x, e);
    if (x->listener) record(x, e);
}

/* --- reading --- */

static bool get_number(struct view *from, uint64_t *out)
{
    uint64_t n = 0;
    for (unsigned shift = 0; from->n && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)*from->p++;
        from->n--;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        *out = n;
        return shift < 63 || byte <= 1;
    }
    return false;
}

static bool get_text(struct view *from, struct view *out)
{
    uint64_t n;
    if (!get_number(from, &n) || n > from->n) return false;
    *out = (struct view){from->p, (size_t)n};
    from->p += n;
    from->n -= (size_t)n;
    return true;
}

static bool get_value(struct view *from, struct effect_value *out)
{
    uint64_t n;
    if (!from->n || (uint8_t)*from->p >= EFFECT_KINDS) return false;
    out->kind = (enum effect_kind) * from->p++;
    from->n--;
    switch (out->kind) {
    case EFFECT_INTEGER:
        if (!get_number(from, &n)) return false;
        out->integer = (int64_t)(n >> 1 ^ -(n & 1));
        return true;
    case EFFECT_TEXT:
    case EFFECT_SHARED_TEXT: return get_text(from, &out->text);
    case EFFECT_REFERENCE:
    case EFFECT_WEAK: return get_number(from, &out->cell);
    case EFFECT_NIL:
    case EFFECT_KINDS: break;
    }
    return true;
}

static bool get_when(struct view *from, int64_t *out)
{
    uint64_t n;
    if (!get_number(from, &n) || n > INT64_MAX) return false;
    *out = (int64_t)n - 1;
    return true;
}

static bool get_score(struct view *from, double *out)
{
    if (from->n < sizeof *out) return false;
    memcpy(out, from->p, sizeof *out);
    from->p += sizeof *out;
    from->n -= sizeof *out;
    return true;
}

static bool get_parts(struct view *from, struct effect *e)
{
    uint32_t parts = parts_of[e->op];
    return (!(parts & KEY) || get_text(from, &e->key)) &&
           (!(parts & CELL) || get_number(from, &e->cell)) &&
           (!(parts & NUMBER) || get_number(from, &e->number)) &&
           (!(parts & COUNT) || get_number(from, &e->count)) &&
           (!(parts & FIELD) || get_value(from, &e->field)) &&
           (!(parts & VALUE) || get_value(from, &e->value)) &&
           (!(parts & WHEN) || get_when(from, &e->when_ms)) &&
           (!(parts & SCORE) || get_score(from, &e->score));
}

enum effect_read effect_next(struct view *records, struct effect *out)
{
    if (!records->n) return EFFECT_END;
    uint8_t op = (uint8_t)*records->p;
    if (op >= EFFECT_OPS || !parts_of[op]) return EFFECT_BROKEN;
    *out = (struct effect){.op = (enum effect_op)op};
    struct view rest = {records->p + 1, records->n - 1};
    if (!get_parts(&rest, out)) return EFFECT_BROKEN;
    *records = rest;
    return EFFECT_READ;
}

/* --- batches --- */

static void update(struct effects *x)
{
    x->on = x->listener || x->interests.count;
}

void effects_init(struct effects *x, struct pool *pool, const struct hash_key *hash_key)
{
    *x = (struct effects){0};
    interests_init(&x->interests, pool, hash_key);
}

void effects_listen(struct effects *x, struct mem *m, effect_listener *listener, void *ctx)
{
    ASSERT(!x->pending);
    if (x->mem) mem_free(x->mem, x->records, x->size);
    x->records = NULL;
    x->size = 0;
    x->mem = m;
    x->listener = listener;
    x->ctx = ctx;
    x->batches = x->bytes = 0;
    update(x);
}

void effects_fini(struct effects *x)
{
    if (x->mem) mem_free(x->mem, x->records, x->size);
    interests_fini(&x->interests);
    *x = (struct effects){0};
}

enum status effects_add_interest(struct effects *x, struct interest *i)
{
    enum status s = interest_add(&x->interests, i);
    update(x);
    return s;
}

void effects_remove_interest(struct effects *x, struct interest *i)
{
    interest_remove(&x->interests, i);
    update(x);
}

/* To the listener first: what the interested are told must be in its hands. */
static void hand_over(struct effects *x)
{
    struct effect_batch batch = {{(const char *)x->records, x->used}, x->lost};
    x->batches++;
    x->bytes += x->used;
    x->listener(x->ctx, batch);
    x->used = 0;
    x->lost = false;
    if (x->size <= BUFFER_BYTES_KEPT) return;
    mem_free(x->mem, x->records, x->size);
    x->records = NULL;
    x->size = 0;
}

void effects_commit_batch(struct effects *x)
{
    x->pending = false;
    if (x->used || x->lost) hand_over(x);
    if (x->interests.first_touched) interest_tell(&x->interests);
}

void effects_rewind(struct effects *x, struct effects_mark mark)
{
    interest_rewind(&x->interests, mark.touched);
    if (x->used == mark.used) return;
    struct view rest = {(const char *)x->records + mark.used, x->used - mark.used};
    struct effect e;
    x->used = mark.used;
    for (const char *record = rest.p; effect_next(&rest, &e) == EFFECT_READ; record = rest.p) {
        size_t bytes = (size_t)(rest.p - record);
        if (!is_fact(e.op)) continue;
        memmove(x->records + x->used, record, bytes);
        x->used += bytes;
    }
}

int effect_check(const struct effects *x)
{
    struct view rest = {(const char *)x->records, x->used};
    struct effect e;
    enum effect_read read;
    while ((read = effect_next(&rest, &e)) == EFFECT_READ) continue;
    if (read == EFFECT_BROKEN) return 1;
    if (x->used && !x->listener) return 2;
    return interest_check(&x->interests) ? 4 : 0;
}
