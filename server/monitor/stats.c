#include "monitor/stats.h"

#include <jansson.h>

#include "command/command.h"
#include "monitor/numbers.h"

struct stats {
    const struct engine *engine;
    struct figures now;
    bool failed; /* memory was short somewhere */
};

/* Steals `value`, which may be NULL for lack of memory. */
static void put_take(struct stats *s, json_t *to, const char *key, json_t *value)
{
    if (json_object_set_new(to, key, value) != 0) s->failed = true;
}

static void put_count(struct stats *s, json_t *to, const char *key, uint64_t n)
{
    put_take(s, to, key, json_integer((json_int_t)n));
}

static void append_count(struct stats *s, json_t *to, uint64_t n)
{
    if (json_array_append_new(to, json_integer((json_int_t)n)) != 0) s->failed = true;
}

/* The object `key` of `to`, made when it is not there; NULL when memory is short, which every call
 * with it then notes. */
static json_t *object_in(struct stats *s, json_t *to, const char *key)
{
    json_t *found = json_object_get(to, key);
    if (found) return found;
    put_take(s, to, key, json_object());
    return json_object_get(to, key);
}

static void put_row(struct stats *s, json_t *root, const struct number *row)
{
    json_t *to = object_in(s, root, row->section);
    const void *at = number_in(&s->now, row);
    switch (row->form) {
    case NUMBER_U64: put_count(s, to, row->key, *(const uint64_t *)at); break;
    case NUMBER_I64: put_take(s, to, row->key, json_integer(*(const int64_t *)at)); break;
    case NUMBER_BOOL: put_take(s, to, row->key, json_boolean(*(const bool *)at)); break;
    case NUMBER_DOUBLE: put_take(s, to, row->key, json_real(*(const double *)at)); break;
    case NUMBER_TEXT: put_take(s, to, row->key, json_string(*(const char *const *)at)); break;
    }
}

static void put_limits(struct stats *s, json_t *root)
{
    json_t *all = json_array();
    const struct number_limit *limit;
    for (uint32_t i = 0; (limit = number_limit_at(i)); i++) append_count(s, all, limit->ns);
    put_take(s, root, "bucket_limits_ns", all);
}

static json_t *buckets_of(struct stats *s, const struct histogram *h)
{
    json_t *all = json_array();
    const struct number_limit *limit;
    for (uint32_t i = 0; (limit = number_limit_at(i)); i++)
        append_count(s, all, histogram_below(h, limit->ns));
    return all;
}

static void put_histogram(struct stats *s, json_t *to, const char *key, const struct histogram *h)
{
    json_t *object = object_in(s, to, key);
    put_count(s, object, "count", h->count);
    put_count(s, object, "sum", h->sum);
    put_count(s, object, "max", h->max);
    put_count(s, object, "p50", histogram_quantile(h, 0.5));
    put_count(s, object, "p99", histogram_quantile(h, 0.99));
    put_take(s, object, "buckets", buckets_of(s, h));
}

static void put_objects(struct stats *s, json_t *root)
{
    json_t *by_type = object_in(s, object_in(s, root, "heap"), "objects_by_type");
    for (int t = OBJ_NONE + 1; t < OBJ_TYPES; t++)
        put_count(s, by_type, figures_type_name((enum obj_type)t), s->now.heap.objects_by_type[t]);
}

static void put_commands(struct stats *s, json_t *root)
{
    json_t *commands = object_in(s, root, "commands");
    for (uint32_t i = 0; i < command_count(); i++) {
        const struct command_stats *stats = &s->engine->stats.command[i];
        if (stats->calls + stats->rejected == 0) continue;
        json_t *one = object_in(s, commands, command_at(i)->name);
        put_count(s, one, "calls", stats->calls);
        put_count(s, one, "rejected", stats->rejected);
        put_count(s, one, "failed", stats->failed);
        put_histogram(s, one, "duration_ns", &stats->duration_ns);
    }
}

/* Fails for good once it has failed: json_dumps does not look whether a key could be written, and
 * would leave it out of the text. */
static int append(const char *bytes, size_t count, void *context)
{
    sds *text = context;
    if (!*text) return -1;
    sds longer = sdscatlen(*text, bytes, count);
    if (!longer) sdsfree(*text);
    *text = longer;
    return longer ? 0 : -1;
}

static sds dumped(const json_t *root)
{
    sds text = sdsempty();
    if (json_dump_callback(root, append, &text, JSON_COMPACT | JSON_REAL_PRECISION(6)) == 0)
        return text;
    sdsfree(text);
    return NULL;
}

sds stats_text(const struct engine *engine)
{
    struct stats s = {.engine = engine};
    json_t *root = json_object();
    figures_take(engine, &s.now);
    put_take(&s, root, "version", json_string(HEAPD_VERSION));
    put_take(&s, root, "ready", json_boolean(engine->shutdown == ENGINE_RUNS));
    const struct number *row;
    for (uint32_t i = 0; (row = number_at(i)); i++) put_row(&s, root, row);
    put_objects(&s, root);
    put_limits(&s, root);
    put_histogram(&s, object_in(&s, root, "gc"), "slice_ns", &engine->heap.collect.stats.slice_ns);
    put_histogram(&s, object_in(&s, root, "stats"), "step_ns", &engine->stats.step_ns);
    put_commands(&s, root);
    sds text = s.failed ? NULL : dumped(root);
    json_decref(root);
    return text;
}
