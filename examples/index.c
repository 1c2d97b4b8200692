#include "examples/index.h"

#include <stdlib.h>
#include <string.h>

/* More would not be an index, and its numbers would not fit 32 bits. */
#define INDEX_BYTES_MAX ((size_t)1 << 31)

enum { READ_BYTES = 1 << 20, ROOM_FIRST = 1024 };

/* --- growing --- */

/* Room for one more item of an array; the array, moved if need be, or NULL. */
static void *room_for(void *items, uint32_t count, uint32_t *room, size_t item_bytes)
{
    if (count < *room) return items;
    uint32_t more = *room ? *room * 2 : ROOM_FIRST;
    void *p = realloc(items, more * item_bytes);
    if (p) *room = more;
    return p;
}

static bool read_all(struct index *ix, FILE *in)
{
    size_t room = 0;
    for (;;) {
        if (room - ix->byte_count < READ_BYTES) {
            room = room ? room * 2 : 2 * (size_t)READ_BYTES;
            char *p = room <= INDEX_BYTES_MAX ? realloc(ix->bytes, room) : NULL;
            if (!p) return false;
            ix->bytes = p;
        }
        size_t n = fread(ix->bytes + ix->byte_count, 1, READ_BYTES, in);
        if (n == 0) return true;
        ix->byte_count += n;
    }
}

/* --- names --- */

static bool same(struct text a, struct text b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* FNV-1a. */
static uint32_t hash_of(struct text t)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < t.n; i++) hash = (hash ^ (unsigned char)t.p[i]) * 16777619u;
    return hash;
}

/* Where the name is, or would be: linear probing in a table at most half full. */
static uint32_t slot_of(const struct index *ix, struct text name)
{
    uint32_t slot = hash_of(name) & (ix->slot_count - 1);
    while (ix->slots[slot] && !same(ix->packages[ix->slots[slot] - 1].name, name))
        slot = (slot + 1) & (ix->slot_count - 1);
    return slot;
}

static bool slots_grow(struct index *ix)
{
    uint32_t count = ix->slot_count ? ix->slot_count * 2 : 2 * ROOM_FIRST;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (!slots) return false;
    free(ix->slots);
    ix->slots = slots;
    ix->slot_count = count;
    for (uint32_t i = 0; i < ix->package_count; i++)
        slots[slot_of(ix, ix->packages[i].name)] = i + 1;
    return true;
}

uint32_t index_find(const struct index *ix, struct text name)
{
    return ix->slot_count && ix->slots[slot_of(ix, name)] ? ix->slots[slot_of(ix, name)] - 1
                                                          : INDEX_NONE;
}

struct text index_value(const struct index *ix, uint32_t package, const char *field)
{
    const struct index_package *p = &ix->packages[package];
    struct text name = {field, strlen(field)};
    for (uint32_t i = p->field; i < p->field + p->field_count; i++)
        if (same(ix->fields[i].name, name)) return ix->fields[i].value;
    return (struct text){NULL, 0};
}

/* --- records --- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct text strip(const char *p, const char *end)
{
    while (p < end && is_space(*p)) p++;
    while (p < end && is_space(end[-1])) end--;
    return (struct text){p, (size_t)(end - p)};
}

/* Fields that belong to no package yet: the record that is being read. */
static uint32_t record_begin(const struct index *ix)
{
    if (ix->package_count == 0) return 0;
    const struct index_package *last = &ix->packages[ix->package_count - 1];
    return last->field + last->field_count;
}

static bool field_add(struct index *ix, const char *line, const char *end)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    struct index_field field = {.name = {line, (size_t)((colon ? colon : end) - line)},
                                .value = strip(colon ? colon + 1 : end, end)};
    for (uint32_t i = record_begin(ix); i < ix->field_count; i++) {
        if (!same(ix->fields[i].name, field.name)) continue;
        /* The order of the fields means nothing, and a continuation belongs to the last one. */
        ix->fields[i] = ix->fields[ix->field_count - 1];
        ix->fields[ix->field_count - 1] = field;
        return true;
    }
    void *p = room_for(ix->fields, ix->field_count, &ix->field_room, sizeof field);
    if (!p) return false;
    ix->fields = p;
    ix->fields[ix->field_count++] = field;
    return true;
}

/* A line that goes on with the last field moves up to that value's end, behind one newline. There
 * is room: the line break and the leading space lie between them. */
static void field_continue(struct index *ix, const char *line, const char *end)
{
    if (ix->field_count == record_begin(ix)) return;
    struct text more = strip(line, end), *value = &ix->fields[ix->field_count - 1].value;
    char *at = ix->bytes + (value->p - ix->bytes) + value->n;
    *at++ = '\n';
    memmove(at, more.p, more.n);
    value->n += 1 + more.n;
}

static bool record_end(struct index *ix)
{
    uint32_t begin = record_begin(ix), count = ix->field_count - begin;
    struct text name = {NULL, 0}, wanted = {"Package", strlen("Package")};
    for (uint32_t i = begin; i < ix->field_count; i++)
        if (same(ix->fields[i].name, wanted)) name = ix->fields[i].value;
    if (!name.p || index_find(ix, name) != INDEX_NONE) {
        ix->field_count = begin;
        return true;
    }
    if (2 * ix->package_count >= ix->slot_count && !slots_grow(ix)) return false;
    void *p = room_for(ix->packages, ix->package_count, &ix->package_room, sizeof *ix->packages);
    if (!p) return false;
    ix->packages = p;
    ix->packages[ix->package_count] =
        (struct index_package){.name = name, .field = begin, .field_count = count};
    ix->slots[slot_of(ix, name)] = ++ix->package_count;
    return true;
}

static bool parse_records(struct index *ix)
{
    const char *line = ix->bytes, *stop = ix->bytes + ix->byte_count;
    while (line < stop) {
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        if (!end) end = stop;
        if (line == end) {
            if (!record_end(ix)) return false;
        } else if (*line == ' ' || *line == '\t') {
            field_continue(ix, line, end);
        } else if (!field_add(ix, line, end)) {
            return false;
        }
        line = end + 1;
    }
    return record_end(ix);
}

/* --- dependencies --- */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-';
}

/* The package that one alternative of a dependency names: `libc6 (>= 2.34)`, `perl:any`. */
static uint32_t alternative(const struct index *ix, const char *p, const char *end)
{
    while (p < end && is_space(*p)) p++;
    const char *begin = p;
    while (p < end && name_char(*p)) p++;
    return p == begin ? INDEX_NONE : index_find(ix, (struct text){begin, (size_t)(p - begin)});
}

/* Adds the packages that a value names. last_by[t] is 1 + the last package that listed t. */
static bool edges_of_value(struct index *ix, uint32_t package, struct text value, uint32_t *last_by)
{
    const char *p = value.p, *stop = value.p + value.n;
    while (p < stop) {
        const char *end = p;
        while (end < stop && *end != ',' && *end != '|') end++;
        uint32_t target = alternative(ix, p, end);
        p = end + 1;
        if (target == INDEX_NONE || last_by[target] == package + 1) continue;
        last_by[target] = package + 1;
        uint32_t *edges = room_for(ix->edges, ix->edge_count, &ix->edge_room, sizeof *ix->edges);
        if (!edges) return false;
        ix->edges = edges;
        ix->edges[ix->edge_count++] = target;
    }
    return true;
}

static bool find_edges(struct index *ix)
{
    static const char *const fields[] = {"Depends", "Pre-Depends", "Recommends", "Suggests"};
    uint32_t *last_by = calloc(ix->package_count + 1, sizeof *last_by);
    bool ok = last_by;
    for (uint32_t i = 0; ok && i < ix->package_count; i++) {
        ix->packages[i].edge = ix->edge_count;
        for (size_t f = 0; ok && f < sizeof fields / sizeof fields[0]; f++) {
            struct text value = index_value(ix, i, fields[f]);
            ok = edges_of_value(ix, i, value, last_by);
        }
        ix->packages[i].edge_count = ix->edge_count - ix->packages[i].edge;
    }
    free(last_by);
    return ok;
}

bool index_read(struct index *ix, FILE *in)
{
    *ix = (struct index){.bytes = NULL};
    return read_all(ix, in) && parse_records(ix) && find_edges(ix);
}

void index_fini(struct index *ix)
{
    free(ix->bytes);
    free(ix->fields);
    free(ix->packages);
    free(ix->edges);
    free(ix->slots);
    *ix = (struct index){.bytes = NULL};
}
