#include "monitor/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "command/command.h"
#include "monitor/numbers.h"

enum { LABEL_BYTES = 96, NS_PER_S = 1000000000, US_PER_S = 1000000, MS_PER_S = 1000 };

struct metrics {
    const struct engine *engine;
    struct figures now;
    sds text; /* NULL once memory was short */
};

static void put(struct metrics *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct metrics *m, const char *format, ...)
{
    if (!m->text) return;
    va_list args;
    va_start(args, format);
    sds longer = sdscatvprintf(m->text, format, args);
    va_end(args);
    if (!longer) sdsfree(m->text);
    m->text = longer;
}

static void put_family(struct metrics *m, const char *name, const char *type, const char *help)
{
    put(m, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* --- the rows of the table --- */

static void put_value(struct metrics *m, const struct number *row)
{
    const void *at = number_in(&m->now, row);
    switch (row->form) {
    case NUMBER_U64: {
        uint64_t n = *(const uint64_t *)at;
        if (row->unit == NUMBER_PLAIN)
            put(m, "%" PRIu64 "\n", n);
        else
            put(m, "%" PRIu64 ".%06" PRIu64 "\n", n / US_PER_S, n % US_PER_S);
        break;
    }
    case NUMBER_I64: put(m, "%" PRId64 "\n", *(const int64_t *)at); break;
    case NUMBER_BOOL: put(m, "%d\n", *(const bool *)at); break;
    case NUMBER_DOUBLE: put(m, "%.10g\n", *(const double *)at); break;
    case NUMBER_TEXT: put(m, "NaN\n"); break;
    }
}

static void put_rows(struct metrics *m)
{
    const char *family = "";
    const struct number *row;
    for (uint32_t i = 0; (row = number_at(i)); i++) {
        if (!row->family) continue;
        if (strcmp(row->family, family) != 0)
            put_family(m, row->family, row->kind == NUMBER_COUNTER ? "counter" : "gauge",
                       row->help);
        family = row->family;
        if (*row->label)
            put(m, "%s{%s} ", family, row->label);
        else
            put(m, "%s ", family);
        put_value(m, row);
    }
}

/* --- what has no row --- */

/* The names that every exporter shares, which dashboards know. */
static void put_process(struct metrics *m)
{
    const struct figures_process *p = &m->now.process;
    uint64_t cpu_us = p->cpu_user_us + p->cpu_system_us;
    int64_t began_ms = m->engine->started_ms;
    put_family(m, "process_start_time_seconds", "gauge", "When the process began, since 1970.");
    put(m, "process_start_time_seconds %" PRId64 ".%03" PRId64 "\n", began_ms / MS_PER_S,
        began_ms % MS_PER_S);
    put_family(m, "process_cpu_seconds_total", "counter", "CPU time, of user and system.");
    put(m, "process_cpu_seconds_total %" PRIu64 ".%06" PRIu64 "\n", cpu_us / US_PER_S,
        cpu_us % US_PER_S);
    put_family(m, "process_resident_memory_bytes", "gauge", "Resident memory.");
    put(m, "process_resident_memory_bytes %" PRIu64 "\n", m->now.memory.resident_bytes);
}

static void put_state(struct metrics *m)
{
    put_family(m, "heapd_build_info", "gauge", "Always 1; the label says which version runs.");
    put(m, "heapd_build_info{version=\"" HEAPD_VERSION "\"} 1\n");
    put_family(m, "heapd_up", "gauge", "1 while commands are taken, 0 while it shuts down.");
    put(m, "heapd_up %d\n", m->engine->shutdown == ENGINE_RUNS);
}

static void put_objects(struct metrics *m)
{
    put_family(m, "heapd_objects", "gauge", "Objects that live, by type.");
    for (int t = OBJ_NONE + 1; t < OBJ_TYPES; t++)
        put(m, "heapd_objects{type=\"%s\"} %" PRIu64 "\n", figures_type_name((enum obj_type)t),
            m->now.heap.objects_by_type[t]);
}

/* `label` is as in `command="get"`, or empty. */
static void put_histogram(struct metrics *m, const char *name, const char *label,
                          const struct histogram *h)
{
    const char *comma = *label ? "," : "", *open = *label ? "{" : "", *close = *label ? "}" : "";
    const struct number_limit *limit;
    for (uint32_t i = 0; (limit = number_limit_at(i)); i++)
        put(m, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, label, comma, limit->seconds,
            histogram_below(h, limit->ns));
    put(m, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma, h->count);
    put(m, "%s_sum%s%s%s %" PRIu64 ".%09" PRIu64 "\n", name, open, label, close, h->sum / NS_PER_S,
        h->sum % NS_PER_S);
    put(m, "%s_count%s%s%s %" PRIu64 "\n", name, open, label, close, h->count);
}

static void put_rules(struct metrics *m)
{
#define NAME(name, text) text,
    static const char *const names[] = {COLLECT_HITS(NAME)};
#undef NAME
    put_family(m, "heapd_gc_rule_uses_total", "counter",
               "How often the collector needed each of its rules.");
    for (int i = 0; i < COLLECT_HIT_COUNT; i++)
        put(m, "heapd_gc_rule_uses_total{rule=\"%s\"} %" PRIu64 "\n", names[i],
            m->engine->heap.collect.stats.hits[i]);
}

static void put_steps(struct metrics *m)
{
    put_family(m, "heapd_gc_slice_duration_seconds", "histogram",
               "CPU time of the collector's slices.");
    put_histogram(m, "heapd_gc_slice_duration_seconds", "",
                  &m->engine->heap.collect.stats.slice_ns);
    put_family(m, "heapd_step_duration_seconds", "histogram",
               "CPU time of the bounded steps beside commands: slices, release, expiry.");
    put_histogram(m, "heapd_step_duration_seconds", "", &m->engine->stats.step_ns);
}

/* --- commands --- */

static void put_durations(struct metrics *m)
{
    put_family(m, "heapd_command_duration_seconds", "histogram",
               "Time that commands took to run, by command.");
    for (uint32_t i = 0; i < command_count(); i++) {
        const struct command_stats *stats = &m->engine->stats.command[i];
        if (stats->duration_ns.count == 0) continue;
        char label[LABEL_BYTES];
        snprintf(label, sizeof label, "command=\"%s\"", command_at(i)->name);
        put_histogram(m, "heapd_command_duration_seconds", label, &stats->duration_ns);
    }
}

static void put_refusals(struct metrics *m)
{
    const struct command_stats *stats = m->engine->stats.command;
    put_family(m, "heapd_command_rejected_total", "counter",
               "Calls that were refused before the command ran, by command.");
    for (uint32_t i = 0; i < command_count(); i++)
        if (stats[i].calls + stats[i].rejected)
            put(m, "heapd_command_rejected_total{command=\"%s\"} %" PRIu64 "\n",
                command_at(i)->name, stats[i].rejected);
    put_family(m, "heapd_command_failed_total", "counter",
               "Calls that ended in an error, by command.");
    for (uint32_t i = 0; i < command_count(); i++)
        if (stats[i].calls + stats[i].rejected)
            put(m, "heapd_command_failed_total{command=\"%s\"} %" PRIu64 "\n", command_at(i)->name,
                stats[i].failed);
}

sds metrics_text(const struct engine *s)
{
    struct metrics m = {.engine = s, .text = sdsempty()};
    figures_take(s, &m.now);
    put_process(&m);
    put_state(&m);
    put_objects(&m);
    put_rows(&m);
    put_rules(&m);
    put_steps(&m);
    put_durations(&m);
    put_refusals(&m);
    return m.text;
}
