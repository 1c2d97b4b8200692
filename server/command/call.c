#include "command/call.h"

#include "command/command.h"
#include "value/hash.h"
#include "value/list.h"
#include "value/set.h"
#include "value/zset.h"

enum status call_integer(struct call *c, uint32_t i, int64_t *out)
{
    return num_get_integer(c->argv[i], out) ? STATUS_OK : STATUS_NOT_INTEGER;
}

enum status call_double(struct call *c, uint32_t i, double *out)
{
    return num_get_double(c->argv[i], out) ? STATUS_OK : STATUS_NOT_FLOAT;
}

bool call_is(const struct call *c, uint32_t i, const char *word)
{
    return i < c->argc && view_is(c->argv[i], word);
}

enum { KEY_NAME, KEY_HANDLE, KEY_IDENTITY };

/* What a key argument is by its form alone. */
static int key_form(struct view key, uint64_t *number)
{
    if (key.n < 3 || key.p[1] != ':') return KEY_NAME;
    if (handle_parse(key, number)) return KEY_HANDLE;
    return identity_parse(key, number) ? KEY_IDENTITY : KEY_NAME;
}

uint32_t call_key_hash(const struct call *c, uint32_t i)
{
    bool known = c->key_hash && i == (uint32_t)c->command->first_key;
    return known ? c->key_hash : keyspace_hash(c->keyspace, c->argv[i]);
}

enum status call_name(struct call *c, uint32_t i)
{
    uint64_t number;
    switch (key_form(c->argv[i], &number)) {
    case KEY_HANDLE: return STATUS_NOT_A_NAME;
    case KEY_IDENTITY: return STATUS_RESERVED;
    default: return STATUS_OK;
    }
}

static enum status handle_value(struct call *c, uint64_t number, val *v)
{
    *v = handles_get(&c->session->handles, number);
    return val_is_none(*v) ? STATUS_NO_HANDLE : STATUS_OK;
}

/* Finds what a key argument stands for; how tells whether a name's hit is counted. */
static enum status subject_find(struct call *c, uint32_t i, bool counted, struct subject *s)
{
    uint64_t number;
    *s = (struct subject){.i = i, .v = VAL_NONE};
    switch (key_form(c->argv[i], &number)) {
    case KEY_HANDLE: return handle_value(c, number, &s->v);
    case KEY_IDENTITY:
        return call_error(c, "ERR an identity stands only where an object is looked at, and as a "
                             "source of REF");
    default: break;
    }
    uint32_t hash = call_key_hash(c, i);
    s->e = counted ? keyspace_lookup_hashed(c->keyspace, c->argv[i], hash)
                   : keyspace_find_hashed(c->keyspace, c->argv[i], hash);
    if (!s->e) return STATUS_OK;
    if (!counted) keyspace_touch(c->keyspace, s->e);
    s->v = entry_value(s->e);
    return STATUS_OK;
}

static enum status subject_of_type(struct subject *s, enum obj_type type)
{
    if (val_is_none(s->v)) return STATUS_OK;
    if (val_type(s->v) != type) return STATUS_WRONG_TYPE;
    if (type != OBJ_STRING) s->o = val_obj(s->v);
    return STATUS_OK;
}

enum status call_read_any(struct call *c, uint32_t i, struct subject *s)
{
    return subject_find(c, i, true, s);
}

enum status call_read(struct call *c, uint32_t i, enum obj_type type, struct subject *s)
{
    enum status status = subject_find(c, i, true, s);
    return status ? status : subject_of_type(s, type);
}

enum status call_read_string(struct call *c, uint32_t i, struct subject *s)
{
    return call_read(c, i, OBJ_STRING, s);
}

enum status call_write(struct call *c, uint32_t i, enum obj_type type, struct subject *s)
{
    enum status status = subject_find(c, i, false, s);
    if (!status) status = subject_of_type(s, type);
    /* What is about to hold weak references may be emptied by their vanishing. */
    if (!status && c->form == BY_WEAKREF) status = call_give(c, s->e);
    return status;
}

enum status call_ensure(struct call *c, uint32_t i, enum obj_type type, struct subject *s)
{
    enum status status = call_write(c, i, type, s);
    if (status || s->o) return status;
    struct obj *o = heap_container_new(c->heap, type);
    if (!o) return STATUS_OOM;
    struct keyspace_staged staged;
    status = keyspace_stage_take(c->keyspace, c->argv[i], val_of_obj(o), &staged);
    if (status) return status;
    *s = (struct subject){.e = staged.e,
                          .o = o,
                          .v = val_of_obj(o),
                          .i = i,
                          .made = true,
                          .fresh = staged.fresh,
                          .hash = staged.hash};
    if (c->form == BY_WEAKREF) status = call_give(c, s->e);
    if (status) call_made(c, s, status);
    return status;
}

void call_made(struct call *c, struct subject *s, enum status filled)
{
    struct keyspace_staged staged = {s->e, s->hash, s->fresh};
    if (!s->made) return;
    s->made = false;
    if (!filled) {
        keyspace_commit(c->keyspace, &staged);
        return;
    }
    keyspace_unstage(c->keyspace, &staged);
    s->e = NULL;
    s->o = NULL;
}

uint64_t container_length(const struct obj *o)
{
    switch ((enum obj_type)o->type) {
    case OBJ_LIST: return list_length(o);
    case OBJ_HASH: return hash_length(o);
    case OBJ_SET: return set_length(o);
    case OBJ_ZSET: return zset_length(o);
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
    return 0;
}

void call_settle(struct call *c, struct subject *s)
{
    if (!s->o || (s->o->flags & OBJ_REFERRED) || container_length(s->o) > 0) return;
    if (!s->e) { /* the handle holds it */
        keyspace_emptied(c->keyspace, s->o);
        return;
    }
    if (entry_is_weak(s->e))
        keyspace_emptied(c->keyspace, s->o); /* this name goes when the container does */
    else
        keyspace_unbind(c->keyspace, s->e, NAME_EMPTIED);
    s->e = NULL;
    s->o = NULL;
}

bool call_is_sole(const struct subject *s)
{
    return s->e && s->o->count == 1 && (s->o->flags & OBJ_REFERRED) == 0 && !entry_is_weak(s->e);
}

uint64_t container_shown(const struct heap *h, const struct obj *o)
{
    switch ((enum obj_type)o->type) {
    case OBJ_HASH: return hash_shown(h, o);
    case OBJ_SET: return set_shown(h, o);
    case OBJ_ZSET: return zset_shown(h, o, 0, zset_length(o));
    case OBJ_LIST:
    case OBJ_NONE:
    case OBJ_STRING:
    case OBJ_NUMBER:
    case OBJ_WEAK:
    case OBJ_SHAPE:
    case OBJ_TYPES: break;
    }
    return container_length(o);
}

static enum status no_object(struct call *c, uint32_t i)
{
    struct view key = c->argv[i];
    return call_error(c, "NOOBJECT no object is bound to '%.*s'", key.n > 128 ? 128 : (int)key.n,
                      key.p);
}

/* Finds what a source stands for; `e` is NULL where that is no name. */
static enum status source_find(struct call *c, uint32_t i, struct subject *s)
{
    uint64_t number;
    *s = (struct subject){.i = i, .v = VAL_NONE};
    switch (key_form(c->argv[i], &number)) {
    case KEY_HANDLE: return handle_value(c, number, &s->v);
    case KEY_IDENTITY: {
        struct obj *o = ident_find(c->heap, number);
        if (!o) return no_object(c, i);
        s->v = val_of_obj(o);
        return STATUS_OK;
    }
    default: break;
    }
    s->e = keyspace_lookup(c->keyspace, c->argv[i]);
    if (!s->e) return no_object(c, i);
    /* What is about to be referred to weakly may be emptied through that. */
    enum status status = c->form == BY_WEAKREF ? call_give(c, s->e) : STATUS_OK;
    if (status) return status;
    s->v = entry_value(s->e);
    return STATUS_OK;
}

enum status call_source(struct call *c, uint32_t i, val *out)
{
    struct subject s;
    enum status status = source_find(c, i, &s);
    if (!status) *out = s.v;
    return status;
}

struct needle call_text_needle(const struct call *c, uint32_t i)
{
    return needle_of_text(c->heap, c->argv[i]);
}

enum status call_needle(struct call *c, uint32_t i, struct needle *out)
{
    if (c->form == BY_VALUE) {
        *out = call_text_needle(c, i);
        return STATUS_OK;
    }
    val v;
    enum status status = call_source(c, i, &v);
    if (status) return status;
    *out = needle_of_val(c->heap, v);
    out->weakly = c->form == BY_WEAKREF;
    return STATUS_OK;
}

enum status call_needle_in(struct call *c, uint32_t i, const struct obj *o, struct needle *out)
{
    if (c->form != BY_VALUE || (o && o->type != OBJ_LIST && (o->flags & OBJ_PACKED) == 0))
        return call_needle(c, i, out);
    *out = needle_unhashed(c->argv[i]);
    return STATUS_OK;
}

enum status call_value(struct call *c, uint32_t i, val *out)
{
    if (c->form == BY_VALUE) return val_of_text(c->heap, c->argv[i], out);
    struct subject s;
    enum status status = source_find(c, i, &s);
    if (status) return status;
    if (c->form == BY_WEAKREF) return val_weaken(c->heap, s.v, out);
    if (s.e) status = keyspace_share_value(c->keyspace, &s.e, &s.v);
    return status ? status : val_keep(c->heap, s.v, out);
}

enum status call_give(struct call *c, struct entry *e)
{
    return e ? keyspace_know(c->keyspace, e) : STATUS_OK;
}

void call_stored(struct call *c, val v)
{
    if (c->form == BY_REF && val_is_container(v)) keyspace_refer(c->keyspace, val_obj(v));
}

void call_stored_source(struct call *c, uint32_t i)
{
    struct subject s;
    if (c->form == BY_REF && !call_inspect(c, i, &s)) call_stored(c, s.v);
}

enum status reply_subject(struct call *c, struct subject *s)
{
    bool gives = c->form != BY_VALUE || c->engine->config.reply_depth_max == 0;
    enum status status = gives ? call_give(c, s->e) : STATUS_OK;
    if (!status && c->form == BY_REF && s->e)
        status = keyspace_share_value(c->keyspace, &s->e, &s->v);
    return status ? status : reply_value(c, s->v);
}

enum status call_inspect(struct call *c, uint32_t i, struct subject *s)
{
    uint64_t number;
    *s = (struct subject){.i = i, .v = VAL_NONE};
    switch (key_form(c->argv[i], &number)) {
    case KEY_HANDLE: return handle_value(c, number, &s->v);
    case KEY_IDENTITY: {
        struct obj *o = ident_find(c->heap, number);
        if (o) s->v = val_of_obj(o);
        return STATUS_OK;
    }
    default: break;
    }
    s->e = keyspace_find(c->keyspace, c->argv[i]);
    if (s->e) s->v = entry_value(s->e);
    return STATUS_OK;
}
