#include "examples/tour.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "examples/say.h"

#define ALIAS "favourite"

enum { COMMAND_WORDS = 3 }; /* REF HSET key, before fields and values */

/* The names of counts, as arguments of printf. */
#define COUNT(n) show_count(n).text
#define BYTES(n) show_bytes(n).text

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct proto_view word(const char *text)
{
    return (struct proto_view){text, strlen(text)};
}

static const char *key(const struct tour *t, uint32_t package)
{
    return t->keys[package].p; /* they end with NUL */
}

/* A package's name as C text: its key's, behind "pkg:". */
static const char *name(const struct tour *t, uint32_t package)
{
    return key(t, package) + strlen("pkg:");
}

/* What the objects and names take, without the free room of the pools. */
static uint64_t live_bytes(const struct figures *f)
{
    return f->heap_pool_live_bytes + f->heap_large_bytes;
}

static bool expect(struct tour *t, uint64_t found, uint64_t expected, const char *what)
{
    if (found == expected) return true;
    return wire_fail(t->wire, "%s: the index says %" PRIu64 ", heapd says %" PRIu64, what, expected,
                     found);
}

/* --- what the index says --- */

static bool make_keys(struct tour *t)
{
    const struct index *ix = t->ix;
    size_t bytes = 1, words = 0;
    for (uint32_t i = 0; i < ix->package_count; i++) {
        const struct index_package *p = &ix->packages[i];
        uint32_t pairs = p->field_count > p->edge_count ? p->field_count : p->edge_count;
        if (pairs > words) words = pairs;
        bytes += strlen("pkg:") + p->name.n + 1;
    }
    t->argv = calloc(COMMAND_WORDS + 2 * words, sizeof *t->argv);
    t->keys = calloc(ix->package_count + (size_t)1, sizeof *t->keys);
    t->key_bytes = malloc(bytes);
    if (!t->argv || !t->keys || !t->key_bytes) return false;
    char *at = t->key_bytes;
    for (uint32_t i = 0; i < ix->package_count; i++) {
        struct text package = ix->packages[i].name;
        int n = snprintf(at, bytes - (size_t)(at - t->key_bytes), "pkg:%.*s", (int)package.n,
                         package.p);
        t->keys[i] = (struct proto_view){at, (size_t)n};
        at += n + 1;
    }
    return true;
}

/* git where there is git; else the first package on a circle, or the first of all. */
static uint32_t choose_root(const struct tour *t)
{
    uint32_t root = index_find(t->ix, (struct text){"git", strlen("git")});
    for (uint32_t i = 0; root == INDEX_NONE && i < t->ix->package_count; i++)
        if (t->cycles.on.has[i]) root = i;
    return root == INDEX_NONE ? 0 : root;
}

static uint64_t record_bytes(const struct index *ix, uint32_t package)
{
    const struct index_package *p = &ix->packages[package];
    uint64_t bytes = 0;
    for (uint32_t i = p->field; i < p->field + p->field_count; i++)
        bytes += ix->fields[i].name.n + ix->fields[i].value.n;
    return bytes;
}

static bool count_dependents(struct tour *t)
{
    uint32_t *count = graph_dependents(t->ix);
    if (!count) return false;
    for (uint32_t i = 0; i < t->ix->package_count; i++) {
        if (count[i] > t->dependents || i == 0) {
            t->popular = i;
            t->dependents = count[i];
        }
        t->copied_bytes += count[i] * record_bytes(t->ix, i);
        t->linked += t->ix->packages[i].edge_count != 0;
    }
    free(count);
    return true;
}

static bool depends(const struct index *ix, uint32_t from, uint32_t on)
{
    const struct index_package *p = &ix->packages[from];
    for (uint32_t i = p->edge; i < p->edge + p->edge_count; i++)
        if (ix->edges[i] == on) return true;
    return false;
}

/* From root through one of its dependencies to the popular package, if there is such a way. */
static void choose_path(struct tour *t)
{
    const struct index_package *p = &t->ix->packages[t->root];
    t->path[t->path_count++] = t->root;
    for (uint32_t i = p->edge; i < p->edge + p->edge_count && t->path_count < 3; i++) {
        uint32_t target = t->ix->edges[i];
        if (target == t->root || target == t->popular || !depends(t->ix, target, t->popular))
            continue;
        t->path[t->path_count++] = target;
        t->path[t->path_count++] = t->popular;
    }
}

bool tour_init(struct tour *t, struct wire *wire, const struct index *ix)
{
    *t = (struct tour){.wire = wire, .ix = ix};
    if (!make_keys(t) || !count_dependents(t) || !graph_find_cycles(ix, &t->cycles))
        return wire_fail(wire, "out of memory");
    t->root = choose_root(t);
    choose_path(t);
    if (!graph_reach_one(ix, t->root, &t->kept) ||
        !graph_reach_set(ix, &t->cycles.on, &t->kept, &t->held))
        return wire_fail(wire, "out of memory");
    for (uint32_t i = 0; i < ix->package_count; i++)
        t->circling += t->kept.has[i] && t->cycles.on.has[i];
    if (!wire_figures(wire, &t->at[AT_START])) return false;
    if (t->at[AT_START].heap_names == 0 && t->at[AT_START].heap_objects == 0) return true;
    return wire_fail(wire,
                     "that server is not empty, and the tour would mix its data with its own");
}

void tour_fini(struct tour *t)
{
    free(t->keys);
    free(t->key_bytes);
    free(t->argv);
    graph_set_fini(&t->cycles.on);
    graph_set_fini(&t->kept);
    graph_set_fini(&t->held);
}

/* --- the steps --- */

/* HSET pkg:NAME field value ... */
static size_t record_command(const struct tour *t, uint32_t package)
{
    const struct index_package *p = &t->ix->packages[package];
    size_t argc = 0;
    t->argv[argc++] = word("HSET");
    t->argv[argc++] = t->keys[package];
    for (uint32_t i = p->field; i < p->field + p->field_count; i++) {
        struct text field = t->ix->fields[i].name, value = t->ix->fields[i].value;
        t->argv[argc++] = (struct proto_view){field.p, field.n};
        t->argv[argc++] = (struct proto_view){value.p, value.n};
    }
    return argc;
}

/* A command of which only the first words are shown. */
static void say_some(const struct tour *t, size_t argc, size_t shown, const char *remark)
{
    struct proto_view some[WIRE_SHOWN_ARGUMENTS_MAX];
    if (shown > WIRE_SHOWN_ARGUMENTS_MAX - 1) shown = WIRE_SHOWN_ARGUMENTS_MAX - 1;
    if (argc <= shown) {
        say_command(argc, t->argv, remark);
        return;
    }
    memcpy(some, t->argv, shown * sizeof *some);
    some[shown] = word("...");
    say_command(shown + 1, some, remark);
}

bool tour_load(struct tour *t)
{
    const struct index *ix = t->ix;
    const struct figures *now = &t->at[AT_LOADED];
    say_heading(1, "Every package becomes a hash");
    say_some(t, record_command(t, t->root), 6, "and so on: one pipeline");
    uint64_t begin = now_us();
    wire_pipeline_begin(t->wire);
    for (uint32_t i = 0; i < ix->package_count; i++)
        if (!wire_pipeline_add(t->wire, record_command(t, i), t->argv)) break;
    if (!wire_pipeline_end(t->wire)) return false;
    uint64_t took = now_us() - begin;
    if (!wire_settled_figures(t->wire, &t->at[AT_LOADED])) return false;
    say("%s commands in %s; heapd now uses %s.", COUNT(ix->package_count), show_us(took).text,
        BYTES(now->used_memory));
    say("The %s field names of these hashes are a few dozen words. Each word is stored once and "
        "shared, which saves %s.",
        COUNT(ix->field_count), BYTES(now->heap_intern_saved_bytes));
    return expect(t, t->wire->sum, ix->field_count, "fields") &&
           expect(t, now->heap_objects_hash, ix->package_count, "hashes of packages");
}

/* REF HSET tmp target pkg:target ... */
static size_t edges_command(const struct tour *t, uint32_t package)
{
    const struct index_package *p = &t->ix->packages[package];
    size_t argc = 0;
    t->argv[argc++] = word("REF");
    t->argv[argc++] = word("HSET");
    t->argv[argc++] = word("tmp");
    for (uint32_t i = p->edge; i < p->edge + p->edge_count; i++) {
        uint32_t target = t->ix->edges[i];
        struct text target_name = t->ix->packages[target].name;
        t->argv[argc++] = (struct proto_view){target_name.p, target_name.n};
        t->argv[argc++] = t->keys[target];
    }
    return argc;
}

static bool link_package(struct tour *t, uint32_t package)
{
    const struct proto_view link[] = {word("REF"), word("HSET"), t->keys[package], word("deps"),
                                      word("tmp")};
    const struct proto_view forget[] = {word("DEL"), word("tmp")};
    return wire_pipeline_add(t->wire, edges_command(t, package), t->argv) &&
           wire_pipeline_add(t->wire, 5, link) && wire_pipeline_add(t->wire, 2, forget);
}

bool tour_link(struct tour *t)
{
    const struct index *ix = t->ix;
    const struct figures *now = &t->at[AT_LINKED];
    say_heading(2, "Dependencies become references");
    const struct proto_view link[] = {word("REF"), word("HSET"), t->keys[t->root], word("deps"),
                                      word("tmp")};
    const struct proto_view forget[] = {word("DEL"), word("tmp")};
    say_some(t, edges_command(t, t->root), 7, NULL);
    say_command(5, link, NULL);
    say_command(2, forget, "and so on");
    uint64_t begin = now_us();
    wire_pipeline_begin(t->wire);
    for (uint32_t i = 0; i < ix->package_count; i++)
        if (ix->packages[i].edge_count && !link_package(t, i)) break;
    if (!wire_pipeline_end(t->wire)) return false;
    uint64_t took = now_us() - begin;
    if (!wire_settled_figures(t->wire, &t->at[AT_LINKED])) return false;
    say("REF makes an ordinary command work by reference: its values name objects, and the slot "
        "then refers to the very object. The field deps of a package is now a hash from the names "
        "of what it depends on to the packages themselves.");
    say("%s commands in %s: %s references, for %s more. Their field names are shared too (%s saved "
        "by now). To copy each package into those that depend on it, one level deep, would take "
        "%s of text; and deeper it would never end, for there are %s circles in this graph, the "
        "largest through %s packages.",
        COUNT(3 * (uint64_t)t->linked), show_us(took).text, COUNT(ix->edge_count),
        BYTES(live_bytes(now) - live_bytes(&t->at[AT_LOADED])), BYTES(now->heap_intern_saved_bytes),
        BYTES(t->copied_bytes), COUNT(t->cycles.count), COUNT(t->cycles.largest));
    return expect(t, t->wire->sum, ix->edge_count + 2 * (uint64_t)t->linked, "references") &&
           expect(t, now->heap_objects_hash, ix->package_count + (uint64_t)t->linked,
                  "hashes of packages and of their dependencies");
}

/* GETIN root deps a deps b Version: replies must be what the index says. */
static bool look_along_path(struct tour *t)
{
    uint32_t end = t->path[t->path_count - 1];
    struct text version = index_value(t->ix, end, "Version");
    struct heapd_reply *reply =
        t->path_count == 3
            ? wire_show(t->wire, "five steps, one command", "GETIN", key(t, t->root), "deps",
                        name(t, t->path[1]), "deps", name(t, end), "Version", NULL)
            : wire_show(t->wire, NULL, "GETIN", key(t, t->root), "Version", NULL);
    if (!reply) return false;
    bool same = reply->type == HEAPD_REPLY_BULK && version.p && reply->n == version.n &&
                memcmp(reply->text, version.p, version.n) == 0;
    same = same || (reply->type == HEAPD_REPLY_NULL && !version.p);
    heapd_reply_free(reply);
    return same || wire_fail(t->wire, "GETIN does not answer what the index says");
}

/* A handle and an identity of one object have one number. */
static bool look_at_identity(struct tour *t)
{
    uint32_t from = t->path_count == 3 ? t->path[1] : t->root;
    struct heapd_reply *handle =
        t->path_count == 3
            ? wire_show(t->wire, "a handle: the object itself", "REF", "GETIN", key(t, t->root),
                        "deps", name(t, from), NULL)
            : wire_show(t->wire, "a handle: the object itself", "REF", "GET", key(t, from), NULL);
    if (!handle) return false;
    struct heapd_reply *identity =
        wire_show(t->wire, "the same number: the same object", "OBJECT", "ID", key(t, from), NULL);
    bool same = identity && handle->type == HEAPD_REPLY_BULK &&
                identity->type == HEAPD_REPLY_BULK && handle->n > 1 &&
                strcmp(handle->text + 1, identity->text + 1) == 0;
    if (identity && !same) wire_fail(t->wire, "the path and the name lead to different objects");
    if (same) heapd_reply_free(wire_show(t->wire, NULL, "RELEASE", handle->text, NULL));
    heapd_reply_free(identity);
    heapd_reply_free(handle);
    return same && !t->wire->error[0];
}

bool tour_look(struct tour *t)
{
    char remark[SAY_REMARK_BYTES];
    say_heading(3, "A look around");
    snprintf(remark, sizeof remark, "its name, and %s packages that depend on it",
             COUNT(t->dependents));
    struct heapd_reply *count =
        wire_show(t->wire, remark, "OBJECT", "REFCOUNT", key(t, t->popular), NULL);
    if (!count) return false;
    t->refcount = count->type == HEAPD_REPLY_INTEGER ? (uint64_t)count->integer : 0;
    heapd_reply_free(count);
    return expect(t, t->refcount, t->dependents + 1ull, "references to the most popular package") &&
           look_along_path(t) && look_at_identity(t);
}

bool tour_keep(struct tour *t)
{
    char remark[SAY_REMARK_BYTES];
    const struct figures *before = &t->at[AT_LINKED];
    struct figures *now = &t->at[AT_KEPT];
    say_heading(4, "One name keeps a world alive");
    struct heapd_reply *alias = wire_show(t->wire, "a second name for one object", "REF", "SET",
                                          ALIAS, key(t, t->root), NULL);
    if (!alias) return false;
    heapd_reply_free(alias);
    const struct proto_view first[] = {word("DEL"), t->keys[0]};
    snprintf(remark, sizeof remark, "and so on: all %s of them", COUNT(t->ix->package_count));
    say_command(2, first, remark);
    uint64_t begin = now_us();
    wire_pipeline_begin(t->wire);
    for (uint32_t i = 0; i < t->ix->package_count; i++) {
        const struct proto_view del[] = {word("DEL"), t->keys[i]};
        if (!wire_pipeline_add(t->wire, 2, del)) break;
    }
    if (!wire_pipeline_end(t->wire)) return false;
    uint64_t deleted = t->wire->sum, took = now_us() - begin;
    struct heapd_reply *found =
        wire_show(t->wire, "found in circles by now", "GC", "COLLECT", NULL);
    if (!found) return false;
    uint64_t late = found->type == HEAPD_REPLY_INTEGER ? (uint64_t)found->integer : 0;
    heapd_reply_free(found);
    if (!wire_settled_figures(t->wire, now)) return false;
    uint64_t collected = now->gc_collected_objects - before->gc_collected_objects;
    say("%s names went in %s; one is left, %s. Through it %s packages live on: all that %s depends "
        "on, directly or not. With the hashes of their dependencies that makes %s objects of type "
        "hash. The other %s are gone. The collector had to find %s of them, which counting cannot "
        "free for they refer to each other: %s between the commands of the pipeline, %s when it "
        "was asked to.",
        COUNT(deleted), show_us(took).text, ALIAS, COUNT(t->kept.count), name(t, t->root),
        COUNT(now->heap_objects_hash), COUNT(before->heap_objects_hash - now->heap_objects_hash),
        COUNT(collected), COUNT(collected - late), COUNT(late));
    return expect(t, deleted, t->ix->package_count, "names deleted") &&
           expect(t, now->heap_names, 1, "names left") &&
           expect(t, now->heap_objects_hash, t->kept.count + (uint64_t)t->kept.with_edges,
                  "hashes that one name keeps alive");
}

/* The collector's own part: at least what lies on a circle, at most all that counts left. */
static bool check_collected(struct tour *t)
{
    uint64_t least = 2 * (uint64_t)t->circling, most = t->held.count + (uint64_t)t->held.with_edges;
    if (t->collected >= least && t->collected <= most) return true;
    return wire_fail(t->wire,
                     "the collector found %" PRIu64 " objects, not %" PRIu64 " to %" PRIu64,
                     t->collected, least, most);
}

bool tour_drop(struct tour *t)
{
    char remark[SAY_REMARK_BYTES];
    struct figures *dropped = &t->at[AT_DROPPED], *end = &t->at[AT_END];
    say_heading(5, "The last name goes");
    struct heapd_reply *off =
        wire_show(t->wire, "to see what counting alone can do", "GC", "DISABLE", NULL);
    if (!off) return false;
    heapd_reply_free(off);
    heapd_reply_free(wire_show(t->wire, NULL, "DEL", ALIAS, NULL));
    if (!wire_settled_figures(t->wire, dropped)) return false;
    uint64_t left = dropped->heap_objects_hash;
    uint64_t freed = t->at[AT_KEPT].heap_objects_hash - left;
    if (left == 0)
        say("Nothing could reach these objects any more, and counting freed all %s hashes: no "
            "circle was in its way.",
            COUNT(freed));
    else
        say("Nothing can reach these objects any more. Counting freed %s; %s hashes are left, for "
            "they lie on a circle or hang from one, and their counts do not come to zero. Only a "
            "collector can free them.",
            freed ? COUNT(freed) : "none of them", COUNT(left));
    uint64_t begin = now_us();
    struct heapd_reply *found = wire_ask(t->wire, "GC", "COLLECT", NULL);
    if (!found) return false;
    snprintf(remark, sizeof remark, "hashes that refer to hashes, found dead in %s",
             show_us(now_us() - begin).text);
    const struct proto_view collect[] = {word("GC"), word("COLLECT")};
    say_command(2, collect, NULL);
    say_reply(found, remark);
    heapd_reply_free(found);
    heapd_reply_free(wire_show(t->wire, NULL, "GC", "ENABLE", NULL));
    if (!wire_settled_figures(t->wire, end)) return false;
    t->collected = end->gc_collected_objects - dropped->gc_collected_objects;
    say("All %s are gone: what the collector found, and with it what only that referred to. It "
        "works in slices, between commands: %s in the whole tour, the longest of %s, %s of CPU "
        "time in all.",
        COUNT(left), COUNT(end->gc_slices), show_us(end->gc_longest_slice_us).text,
        show_us(end->gc_cpu_us).text);
    return expect(t, left, t->held.count + (uint64_t)t->held.with_edges,
                  "hashes that only the collector can free") &&
           check_collected(t) && expect(t, end->heap_objects_hash, 0, "hashes left at the end") &&
           expect(t, end->heap_objects, t->at[AT_START].heap_objects, "objects left at the end") &&
           expect(t, end->heap_names, 0, "names left at the end");
}

void tour_sum(const struct tour *t)
{
    static const char *const moments[TOUR_MOMENTS] = {
        "empty",         "every package a hash", "dependencies linked",
        "one name left", "no name, GC off",      "collected",
    };
    say_heading(6, "Before and after");
    say_line("%-22s %8s %9s %11s %13s %11s", "", "names", "objects", "live", "used_memory",
             "resident");
    for (int i = 0; i < TOUR_MOMENTS; i++)
        say_line("%-22s %8s %9s %11s %13s %11s", moments[i], COUNT(t->at[i].heap_names),
                 COUNT(t->at[i].heap_objects), BYTES(live_bytes(&t->at[i])),
                 BYTES(t->at[i].used_memory), BYTES(t->at[i].used_memory_rss));
    say("live: the objects themselves. used_memory: with the server's tables and buffers. "
        "resident: "
        "with what the pools keep free; a pool goes back to the system when its last object does.");
    say("Try it yourself: ./run serves on port 7379, and build/bin/heapctl or redis-cli talks to "
        "it.");
}

/* --- for programs --- */

static void put(FILE *out, const char *key_text, uint64_t n)
{
    fprintf(out, "%s %" PRIu64 "\n", key_text, n);
}

void tour_write_summary(const struct tour *t, FILE *out)
{
    put(out, "packages", t->ix->package_count);
    put(out, "fields", t->ix->field_count);
    put(out, "dependencies", t->ix->edge_count);
    put(out, "packages_with_dependencies", t->linked);
    put(out, "cycles", t->cycles.count);
    put(out, "cycle_packages", t->cycles.on.count);
    put(out, "largest_cycle", t->cycles.largest);
    put(out, "copied_bytes", t->copied_bytes);
    fprintf(out, "popular %s\n", name(t, t->popular));
    put(out, "popular_refcount", t->refcount);
    fprintf(out, "root %s\n", name(t, t->root));
    put(out, "reachable", t->kept.count);
    put(out, "reachable_on_cycles", t->circling);
    put(out, "hashes_loaded", t->at[AT_LOADED].heap_objects_hash);
    put(out, "hashes_linked", t->at[AT_LINKED].heap_objects_hash);
    put(out, "hashes_kept", t->at[AT_KEPT].heap_objects_hash);
    put(out, "hashes_left_by_counting", t->at[AT_DROPPED].heap_objects_hash);
    put(out, "collected", t->collected);
    put(out, "objects_end", t->at[AT_END].heap_objects);
    put(out, "names_end", t->at[AT_END].heap_names);
    put(out, "used_memory_linked", t->at[AT_LINKED].used_memory);
    put(out, "used_memory_end", t->at[AT_END].used_memory);
    put(out, "gc_longest_slice_us", t->at[AT_END].gc_longest_slice_us);
    for (uint32_t i = 0; i < t->path_count; i++)
        fprintf(out, "path%" PRIu32 " %s\n", i, name(t, t->path[i]));
}
