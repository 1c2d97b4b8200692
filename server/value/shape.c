#include "value/shape.h"

static uint32_t entry_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return (*(struct shape *const *)entry)->sequence;
}

static uint32_t name_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return (*(struct shape_name *const *)entry)->hash;
}

static const struct table_type names_type = {.entry_bytes = 8, .hash = name_hash};
static const struct table_type shapes_type = {.entry_bytes = 8, .hash = entry_hash};

static struct table *table_of(const struct heap *h)
{
    return &h->values->shapes.listed;
}

static struct table *names_of(const struct heap *h)
{
    return &h->values->shapes.names;
}

static size_t bytes_of(uint32_t fields, uint32_t slots)
{
    return sizeof(struct shape) + fields * (sizeof(val) + sizeof(struct shape_name *)) + slots;
}

/* --- looking one up --- */

struct wanted {
    uint32_t sequence, fields;
    shape_match *match;
    const void *ctx;
};

static bool is_wanted(const void *needle, const void *entry)
{
    const struct wanted *w = needle;
    const struct shape *s = *(struct shape *const *)entry;
    return s->sequence == w->sequence && s->fields == w->fields && w->match(w->ctx, s);
}

struct shape *shape_find(const struct heap *h, uint32_t sequence, uint32_t fields,
                         shape_match *match, const void *ctx)
{
    struct wanted w = {sequence, fields, match, ctx};
    struct shape **entry = table_find(table_of(h), &shapes_type, sequence, is_wanted, &w);
    return entry ? *entry : NULL;
}

static bool is_itself(const void *needle, const void *entry)
{
    return *(struct shape *const *)entry == needle;
}

static struct shape **entry_of(const struct heap *h, const struct shape *s)
{
    return table_find(table_of(h), &shapes_type, s->sequence, is_itself, s);
}

/* --- names --- */

static bool is_named(const void *needle, const void *entry)
{
    return needle_matches(needle, (*(struct shape_name *const *)entry)->name);
}

/* The name of a field for one shape more, made if no shape has it. NULL: no memory. */
static struct shape_name *name_take(struct heap *h, const struct needle *field)
{
    struct shape_name **entry = table_find(names_of(h), &names_type, field->hash, is_named, field);
    if (entry) {
        (*entry)->shapes++;
        return *entry;
    }
    struct shape_name *name = pool_alloc(h->pool, sizeof *name);
    if (!name) return NULL;
    *name = (struct shape_name){.hash = field->hash, .shapes = 1};
    if (needle_take_interned(h, field, &name->name)) {
        pool_free(h->pool, name, sizeof *name);
        return NULL;
    }
    entry = table_insert(names_of(h), &names_type, h->pool, NULL, name->hash);
    if (!entry) {
        val_release(h, name->name);
        pool_free(h->pool, name, sizeof *name);
        return NULL;
    }
    *entry = name;
    h->values->shapes.bytes += pool_good_bytes(sizeof *name);
    return name;
}

static void name_release(struct heap *h, struct shape_name *name)
{
    if (--name->shapes > 0) return;
    struct needle n = needle_of_val(h, name->name);
    struct shape_name **entry = table_find(names_of(h), &names_type, name->hash, is_named, &n);
    table_remove(names_of(h), &names_type, h->pool, NULL, name->hash, entry);
    val_release(h, name->name);
    h->values->shapes.bytes -= pool_good_bytes(sizeof *name);
    pool_free(h->pool, name, sizeof *name);
}

/* --- making one --- */

struct shape *shape_new(struct heap *h, uint32_t fields)
{
    DASSERT(fields > 0 && fields <= SHAPE_FIELDS_MAX);
    uint32_t slots = 2;
    while (slots < 2 * fields) slots *= 2;
    struct shape *s = pool_alloc(h->pool, bytes_of(fields, slots));
    if (!s) return NULL;
    heap_object_made(h, &s->head, OBJ_SHAPE);
    s->sequence = 0;
    s->fields = (uint16_t)fields;
    s->slots = (uint16_t)slots;
    memset(s->field, 0, bytes_of(fields, slots) - sizeof *s);
    h->values->shapes.bytes += pool_good_bytes(bytes_of(fields, slots));
    return s;
}

/* How many fields a shape that is being made has got. */
static uint32_t fields_added(const struct shape *s)
{
    uint32_t n = 0;
    while (n < s->fields && !val_is_none(s->field[n])) n++;
    return n;
}

bool shape_add(struct heap *h, struct shape *s, const struct needle *field)
{
    uint32_t position = fields_added(s), mask = s->slots - 1u, at = field->hash & mask;
    uint8_t *index = (uint8_t *)(shape_names(s) + s->fields);
    DASSERT(position < s->fields);
    if (shape_position(s, field) != SHAPE_ABSENT) return false;
    struct shape_name *name = name_take(h, field);
    if (!name) return false;
    shape_names(s)[position] = name;
    s->field[position] = name->name;
    while (index[at]) at = (at + 1) & mask;
    index[at] = (uint8_t)(position + 1);
    s->sequence = shape_sequence(s->sequence, field->hash);
    return true;
}

bool shape_list(struct heap *h, struct shape *s)
{
    DASSERT(fields_added(s) == s->fields);
    struct shape **entry = table_insert(table_of(h), &shapes_type, h->pool, NULL, s->sequence);
    if (!entry) {
        rc_dec(h, &s->head);
        return false;
    }
    *entry = s;
    return true;
}

/* One that was given up while it was being made is not listed, and may lack fields. */
static void destroy(struct heap *h, struct obj *o)
{
    struct shape *s = (struct shape *)o;
    struct shape **entry = entry_of(h, s);
    size_t bytes = bytes_of(s->fields, s->slots);
    if (entry) table_remove(table_of(h), &shapes_type, h->pool, NULL, s->sequence, entry);
    for (uint32_t i = fields_added(s); i-- > 0;) name_release(h, shape_names(s)[i]);
    h->values->shapes.bytes -= pool_good_bytes(bytes);
    heap_object_gone(h, o);
    pool_free(h->pool, s, bytes);
}

/* --- evidence --- */

static uint32_t *note_of(struct heap *h, uint32_t sequence)
{
    return &h->values->shapes.noted[sequence % SHAPES_NOTED];
}

bool shapes_note(struct heap *h, uint32_t sequence)
{
    uint32_t *note = note_of(h, sequence);
    if (shapes_is_noted(h, sequence)) return true;
    *note = sequence;
    return false;
}

bool shapes_is_noted(const struct heap *h, uint32_t sequence)
{
    return h->values->shapes.noted[sequence % SHAPES_NOTED] == sequence && sequence != 0;
}

void shapes_unnote(struct heap *h, uint32_t sequence)
{
    uint32_t *note = note_of(h, sequence);
    if (*note == sequence) *note = 0;
}

/* --- for people --- */

uint64_t shapes_count(const struct heap *h)
{
    return table_of(h)->used;
}

size_t shapes_bytes(const struct heap *h)
{
    return h->values->shapes.bytes + table_bytes(table_of(h), &shapes_type) +
           table_bytes(names_of(h), &names_type);
}

struct names_call {
    shape_names_each *each;
    void *ctx;
};

static void call_names(void *ctx, void *entry)
{
    const struct names_call *call = ctx;
    call->each(call->ctx, *(struct shape_name *const *)entry);
}

bool shape_names_walk(const struct heap *h, uint64_t *cursor, uint32_t max, shape_names_each *each,
                      void *ctx)
{
    struct names_call call = {each, ctx};
    const struct table *t = names_of(h);
    *cursor = table_walk(t, &names_type, *cursor, t->buckets, max, call_names, &call);
    return *cursor < t->buckets;
}

/* --- for the heap --- */

struct hold_call {
    heap_hold_visit *visit;
    void *ctx;
};

static void hold_name(void *ctx, const struct shape_name *name)
{
    const struct hold_call *call = ctx;
    if (val_is_obj(name->name)) call->visit(call->ctx, val_obj(name->name), HEAP_HOLD_COUNT);
}

static void hold_each(void *self, heap_hold_visit *visit, void *ctx)
{
    struct hold_call call = {visit, ctx};
    uint64_t cursor = 0;
    while (shape_names_walk(self, &cursor, UINT32_MAX, hold_name, &call)) continue;
}

void shapes_init(struct heap *h)
{
    struct shapes *s = &h->values->shapes;
    *s = (struct shapes){.holder = {.name = "shapes", .each = hold_each, .self = h}};
    table_init(&s->listed);
    table_init(&s->names);
    heap_add_holder(h, &s->holder);
}

static size_t bytes_of_obj(const struct obj *o)
{
    const struct shape *s = (const struct shape *)o;
    return pool_good_bytes(bytes_of(s->fields, s->slots));
}

static bool has_same_fields(const void *shape, const struct shape *s)
{
    const struct shape *same = shape;
    for (uint32_t i = 0; i < s->fields; i++)
        if (!val_eq(same->field[i], s->field[i])) return false;
    return true;
}

bool shape_check(const struct heap *h, const struct shape *s)
{
    uint32_t sequence = 0, used = 0;
    for (uint32_t i = 0; i < s->fields; i++) {
        val field = s->field[i];
        struct needle n = needle_of_val(h, field);
        if (val_is_none(field) || !val_is_string(field) || !val_check(field)) return false;
        if (val_is_obj(field) && val_obj(field)->type == OBJ_STRING &&
            (val_obj(field)->flags & OBJ_INTERNED) == 0) /* 1. */
            return false;
        if (shape_position(s, &n) != (int)i) return false; /* 3. */
        const struct shape_name *name = shape_names(s)[i], *const * entry;
        entry = table_find(names_of(h), &names_type, n.hash, is_named, &n);
        if (!entry || *entry != name || name->name.w != field.w || name->shapes == 0) /* 5. */
            return false;
        if (name->hash != n.hash || !evidence_check(&name->evidence)) return false;
        sequence = shape_sequence(sequence, n.hash);
    }
    for (uint32_t i = 0; i < s->slots; i++) used += shape_index(s)[i] != 0;
    return used == s->fields && 2 * used <= s->slots && sequence == s->sequence /* 2. */ &&
           entry_of(h, s) && shape_find(h, sequence, s->fields, has_same_fields, s) == s; /* 4. */
}

const struct heap_type shape_heap_type = {
    .name = "shape",
    .destroy = destroy,
    .bytes = bytes_of_obj,
};
