/* Numbers in the fields of a hash: HINCRBY and HINCRBYFLOAT. */
#include <math.h>

#include "command/command.h"
#include "value/hash.h"

/* What the field of argument 2 holds; VAL_NONE when nothing, STATUS_WRONG_TYPE for a container. */
static enum status field_get(struct call *c, struct subject *s, const struct needle *field, val *v)
{
    enum status status = call_write(c, 1, OBJ_HASH, s);
    if (status) return status;
    val found = s->o ? hash_get(s->o, field) : VAL_NONE;
    if (!val_is_none(found) && !val_is_string(found)) return STATUS_WRONG_TYPE;
    *v = found;
    return STATUS_OK;
}

/* Puts a sum into its field, making hash and field where they are missing. */
static enum status field_set(struct call *c, struct subject *s, const struct needle *field,
                             struct view text)
{
    enum status status = s->o ? STATUS_OK : call_ensure(c, 1, OBJ_HASH, s);
    if (status) return status;
    status = hash_set_text(c->heap, s->o, field, text, NULL);
    call_made(c, s, status);
    return status;
}

enum status cmd_hincrby(struct call *c)
{
    int64_t by, n = 0;
    struct subject s;
    struct needle field = call_text_needle(c, 2);
    val v;
    enum status status = call_integer(c, 3, &by);
    if (!status) status = field_get(c, &s, &field, &v);
    if (status) return status;
    if (!val_is_none(v) && !val_get_integer(v, &n))
        return call_error(c, "ERR hash value is not an integer");
    if (__builtin_add_overflow(n, by, &n)) return STATUS_OVERFLOW;
    char out[NUM_INTEGER_CHARS];
    reply_integer(c, n); /* taken back by whatever fails from here on */
    if (c->out->failed) return STATUS_OOM;
    return field_set(c, &s, &field, (struct view){out, num_put_integer(out, n)});
}

/* Redis adds in long doubles, and so does this. */
enum status cmd_hincrbyfloat(struct call *c)
{
    long double by, n = 0;
    struct subject s;
    struct needle field = call_text_needle(c, 2);
    val v;
    if (!num_get_long_double(c->argv[3], &by)) return STATUS_NOT_FLOAT;
    if (!isfinite(by)) return call_error(c, "ERR value is NaN or Infinity");
    enum status status = field_get(c, &s, &field, &v);
    if (status) return status;
    if (!val_is_none(v)) {
        char scratch[VAL_TEXT_CHARS];
        if (!num_get_long_double(val_text(&v, scratch), &n))
            return call_error(c, "ERR hash value is not a float");
    }
    n += by;
    if (!isfinite(n)) return STATUS_NAN_OR_INF;
    char out[NUM_LONG_DOUBLE_CHARS];
    struct view text = {out, num_put_long_double(out, n)};
    reply_bulk(c, text); /* taken back by whatever fails from here on */
    return c->out->failed ? STATUS_OOM : field_set(c, &s, &field, text);
}
