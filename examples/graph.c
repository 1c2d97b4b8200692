#include "examples/graph.h"

#include <stdlib.h>

static bool set_init(const struct index *ix, struct graph_set *set)
{
    *set = (struct graph_set){.has = calloc(ix->package_count + 1, sizeof *set->has)};
    return set->has;
}

void graph_set_fini(struct graph_set *set)
{
    free(set->has);
    *set = (struct graph_set){.has = NULL};
}

static bool set_add(const struct index *ix, struct graph_set *set, uint32_t package)
{
    if (set->has[package]) return false;
    set->has[package] = true;
    set->count++;
    set->with_edges += ix->packages[package].edge_count != 0;
    return true;
}

/* --- circles --- */

/* Tarjan, "Depth-First Search and Linear Graph Algorithms" (1972). `low` is the lowest number on
 * the stack that a package is known to reach; numbers begin at 1, 0 = not seen. The depth-first
 * path is a list through `parent`, for it may be as long as the index. */
struct tarjan {
    const struct index *ix;
    uint32_t *number, *low, *next_edge, *parent;
    uint32_t *stack;
    bool *on_stack;
    uint32_t stack_count, seen;
};

static void enter(struct tarjan *t, uint32_t v, uint32_t parent)
{
    t->number[v] = t->low[v] = ++t->seen;
    t->parent[v] = parent;
    t->stack[t->stack_count++] = v;
    t->on_stack[v] = true;
}

static void lower(uint32_t *low, uint32_t to)
{
    if (to < *low) *low = to;
}

static bool depends_on_itself(const struct index *ix, uint32_t v)
{
    const struct index_package *p = &ix->packages[v];
    for (uint32_t i = p->edge; i < p->edge + p->edge_count; i++)
        if (ix->edges[i] == v) return true;
    return false;
}

/* v is the first package of a component: the component is the stack from v on. */
static void leave_component(struct tarjan *t, uint32_t v, struct graph_cycles *out)
{
    uint32_t end = t->stack_count, w;
    do {
        w = t->stack[--t->stack_count];
        t->on_stack[w] = false;
    } while (w != v);
    uint32_t size = end - t->stack_count;
    if (size == 1 && !depends_on_itself(t->ix, v)) return;
    out->count++;
    if (size > out->largest) out->largest = size;
    for (uint32_t i = t->stack_count; i < end; i++) set_add(t->ix, &out->on, t->stack[i]);
}

static void search(struct tarjan *t, uint32_t root, struct graph_cycles *out)
{
    uint32_t v = root;
    enter(t, root, INDEX_NONE);
    while (v != INDEX_NONE) {
        const struct index_package *p = &t->ix->packages[v];
        if (t->next_edge[v] < p->edge_count) {
            uint32_t w = t->ix->edges[p->edge + t->next_edge[v]++];
            if (t->number[w] == 0) {
                enter(t, w, v);
                v = w;
            } else if (t->on_stack[w]) {
                lower(&t->low[v], t->number[w]);
            }
        } else {
            if (t->low[v] == t->number[v]) leave_component(t, v, out);
            if (t->parent[v] != INDEX_NONE) lower(&t->low[t->parent[v]], t->low[v]);
            v = t->parent[v];
        }
    }
}

bool graph_find_cycles(const struct index *ix, struct graph_cycles *out)
{
    size_t n = ix->package_count + 1;
    uint32_t *numbers = calloc(n, 5 * sizeof *numbers);
    struct tarjan t = {.ix = ix, .on_stack = calloc(n, sizeof *t.on_stack)};
    *out = (struct graph_cycles){.count = 0};
    bool ok = numbers && t.on_stack && set_init(ix, &out->on);
    if (ok) {
        t.number = numbers;
        t.low = numbers + n;
        t.next_edge = numbers + 2 * n;
        t.parent = numbers + 3 * n;
        t.stack = numbers + 4 * n;
        for (uint32_t v = 0; v < ix->package_count; v++)
            if (t.number[v] == 0) search(&t, v, out);
    }
    free(numbers);
    free(t.on_stack);
    return ok;
}

/* --- reach --- */

/* Adds to the set, which has the packages of the list `todo`, all that they reach. */
static void reach(const struct index *ix, struct graph_set *set, uint32_t *todo, uint32_t count)
{
    while (count) {
        const struct index_package *p = &ix->packages[todo[--count]];
        for (uint32_t i = p->edge; i < p->edge + p->edge_count; i++)
            if (set_add(ix, set, ix->edges[i])) todo[count++] = ix->edges[i];
    }
}

/* A list with room for every package, and an empty set; NULL when there is no memory. */
static uint32_t *reach_begin(const struct index *ix, struct graph_set *out)
{
    uint32_t *todo = calloc(ix->package_count + 1, sizeof *todo);
    if (set_init(ix, out) && todo) return todo;
    graph_set_fini(out);
    free(todo);
    return NULL;
}

bool graph_reach_one(const struct index *ix, uint32_t from, struct graph_set *out)
{
    uint32_t *todo = reach_begin(ix, out);
    if (!todo) return false;
    set_add(ix, out, from);
    todo[0] = from;
    reach(ix, out, todo, 1);
    free(todo);
    return true;
}

bool graph_reach_set(const struct index *ix, const struct graph_set *from,
                     const struct graph_set *only, struct graph_set *out)
{
    uint32_t *todo = reach_begin(ix, out), count = 0;
    if (!todo) return false;
    for (uint32_t i = 0; i < ix->package_count; i++) {
        if (!from->has[i] || (only && !only->has[i])) continue;
        set_add(ix, out, i);
        todo[count++] = i;
    }
    reach(ix, out, todo, count);
    free(todo);
    return true;
}

uint32_t *graph_dependents(const struct index *ix)
{
    uint32_t *count = calloc(ix->package_count + 1, sizeof *count);
    for (uint32_t i = 0; count && i < ix->edge_count; i++) count[ix->edges[i]]++;
    return count;
}
