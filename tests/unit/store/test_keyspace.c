/*
 * Goal: names are bound, found, renamed, expire and go as a plain array of names would say, and
 * the heap agrees after every step. Method: random histories with a clock of the test's own beside
 * such an array, with lists that refer to each other and the collector in slices of one slot
 * between the steps; then the cases that have a rule of their own.
 */
#include "world.h"

enum { KEYS = 48, STEPS = 2500, HISTORIES = 4, TTL_MAX_MS = 400, TEXT_CHARS = 1400 };

/* What a name should be. Times are all different, so that the order of expiry is known. */
struct expected {
    val v;         /* VAL_NONE: not bound; VAL_NIL: to the text of a number */
    uint32_t text; /* that number */
    int64_t when_ms;
    uint32_t clock_s;
};

struct model {
    struct world w;
    struct expected keys[KEYS];
    int64_t now_ms;
    uint64_t hits, misses, expired;
    uint32_t next_value;
};

static bool is_due(const struct model *m, uint32_t k)
{
    const struct expected *x = &m->keys[k];
    return !val_is_none(x->v) && x->when_ms != KEYSPACE_NEVER && x->when_ms <= m->now_ms;
}

static void forget(struct model *m, uint32_t k)
{
    m->keys[k] = (struct expected){.v = VAL_NONE, .when_ms = KEYSPACE_NEVER};
}

static bool time_is_taken(const struct model *m, int64_t when_ms)
{
    for (uint32_t k = 0; k < KEYS; k++)
        if (!val_is_none(m->keys[k].v) && m->keys[k].when_ms == when_ms) return true;
    return false;
}

static int64_t draw_time(struct model *m)
{
    int64_t when_ms;
    do when_ms = m->now_ms + 1 + world_below(&m->w, TTL_MAX_MS);
    while (time_is_taken(m, when_ms));
    return when_ms;
}

/* A counted value of any kind. */
static val draw_value(struct model *m)
{
    uint32_t i = m->next_value++;
    switch (world_below(&m->w, 4)) {
    case 0: return val_of_small(i);
    case 1: return world_string(&m->w, i);
    default: return world_retained(&m->w, m->w.held[i % WORLD_HELD]);
    }
}

/* The text of a number, of all lengths at which something changes; some are integers. */
static struct view text_of(uint32_t i, char at[TEXT_CHARS])
{
    static const uint32_t lengths[] = {0, 1, 7, 8, 20, 21, 63, 64, 65, 300, 1023, 1024, 1025, 1300};
    uint32_t n = lengths[i % (sizeof lengths / sizeof *lengths)];
    for (uint32_t k = 0; k < n; k++) at[k] = (char)('a' + (i + k) % 26);
    if (i % 5 == 0) n = (uint32_t)snprintf(at, TEXT_CHARS, "%d", (int)(i * i * 977) - 1000000);
    if (i % 15 == 0) n = (uint32_t)snprintf(at, TEXT_CHARS, "%lld", INT64_MAX - (long long)i);
    return (struct view){at, n};
}

static void assert_bound(struct model *m, const struct entry *e, const struct expected *x)
{
    static char text[TEXT_CHARS];
    char scratch[VAL_TEXT_CHARS];
    val v = entry_value(e);
    if (val_is_nil(x->v))
        assert_true(view_eq(val_text(&v, scratch), text_of(x->text, text)));
    else
        assert_int_equal(v.w, x->v.w);
    assert_int_equal(keyspace_expires_ms(&m->w.ks, e), x->when_ms);
}

/* The name is about to be bound anew: one that is due goes, and counts as expired. */
static void replace(struct model *m, uint32_t k)
{
    if (!is_due(m, k)) return;
    forget(m, k);
    m->expired++;
}

/* A name that is due is not found, and stays. */
static struct entry *find(struct model *m, uint32_t k)
{
    struct entry *e = world_find(&m->w, k, m->now_ms);
    assert_int_equal(e != NULL, !val_is_none(m->keys[k].v) && !is_due(m, k));
    if (e) {
        assert_bound(m, e, &m->keys[k]);
        assert_int_equal(entry_clock(e), m->keys[k].clock_s);
    }
    return e;
}

static void do_bind(struct model *m, uint32_t k)
{
    char text[WORLD_KEY_CHARS];
    struct keyspace_bind options = {.keep_ttl = world_below(&m->w, 2),
                                    .expires_ms = KEYSPACE_NEVER};
    replace(m, k);
    if (world_below(&m->w, 3) == 0) options.expires_ms = draw_time(m);
    static char chars[TEXT_CHARS];
    struct expected *x = &m->keys[k], now = {.v = VAL_NIL, .clock_s = m->w.ks.access.now_s};
    struct view key = world_key(k, text);
    struct entry *e;
    enum status s;
    if (world_below(&m->w, 2)) {
        /* Some come again, so that they are interned. */
        now.text = world_below(&m->w, 2) ? m->next_value++ : world_below(&m->w, 40);
        s = keyspace_bind_text(&m->w.ks, key, text_of(now.text, chars), options, &e);
    } else {
        now.v = draw_value(m);
        s = keyspace_bind_take(&m->w.ks, key, now.v, options, &e);
    }
    assert_int_equal(s, STATUS_OK);
    bool keeps = options.keep_ttl && !val_is_none(x->v) && options.expires_ms == KEYSPACE_NEVER;
    now.when_ms = keeps ? x->when_ms : options.expires_ms;
    *x = now;
    assert_ptr_equal(e, find(m, k));
}

static void do_lookup(struct model *m, uint32_t k)
{
    char text[WORLD_KEY_CHARS];
    bool there = !val_is_none(m->keys[k].v) && !is_due(m, k);
    struct entry *e = keyspace_lookup(at(&m->w.ks, m->now_ms), world_key(k, text));
    assert_int_equal(e != NULL, there);
    if (there) m->keys[k].clock_s = m->w.ks.access.now_s;
    m->hits += there;
    m->misses += !there;
    (void)find(m, k);
}

static void do_rename(struct model *m, uint32_t k)
{
    char text[WORLD_KEY_CHARS];
    uint32_t to = world_below(&m->w, KEYS);
    struct entry *e = find(m, k);
    if (!e || to == k) return;
    replace(m, to);
    assert_int_equal(keyspace_rename(&m->w.ks, e, world_key(to, text)), STATUS_OK);
    m->keys[to] = m->keys[k];
    forget(m, k);
    (void)find(m, to);
}

static void do_unbind(struct model *m, uint32_t k)
{
    struct entry *e = find(m, k);
    if (!e) return;
    keyspace_unbind(&m->w.ks, e, NAME_REMOVED);
    forget(m, k);
}

/* What a name is bound to gets a second name; bytes that lie in the first become an object of both.
 */
static void do_share(struct model *m, uint32_t k)
{
    struct entry *e = find(m, k);
    uint32_t to = world_below(&m->w, KEYS);
    val v;
    if (!e) return;
    assert_int_equal(keyspace_share_value(&m->w.ks, &e, &v), STATUS_OK);
    assert_bound(m, e, &m->keys[k]);
    assert_false(val_is_bytes(v));
    assert_int_equal(entry_value(e).w, v.w);
    m->keys[k].v = v;
    assert_ptr_equal(e, find(m, k));
    replace(m, to);
    val_retain(&m->w.heap, v);
    (void)world_bind(&m->w, to, v, KEYSPACE_NEVER);
    m->keys[to] =
        (struct expected){.v = v, .when_ms = KEYSPACE_NEVER, .clock_s = m->w.ks.access.now_s};
}

/* Staged and committed, or not. */
static void do_stage(struct model *m, uint32_t k)
{
    static char chars[TEXT_CHARS];
    char text[WORLD_KEY_CHARS];
    struct keyspace_staged staged;
    uint32_t i = m->next_value++;
    (void)find(m, k);
    assert_int_equal(keyspace_stage_text(&m->w.ks, world_key(k, text), text_of(i, chars), &staged),
                     STATUS_OK);
    if (world_below(&m->w, 2)) {
        keyspace_unstage(&m->w.ks, &staged);
        (void)find(m, k);
        return;
    }
    replace(m, k);
    keyspace_commit(&m->w.ks, &staged);
    m->keys[k] = (struct expected){VAL_NIL, i, KEYSPACE_NEVER, m->w.ks.access.now_s};
    (void)find(m, k);
}

static void do_expiry(struct model *m, uint32_t k)
{
    struct entry *e = find(m, k);
    if (!e) return;
    if (world_below(&m->w, 3) == 0) {
        keyspace_clear_expiry(&m->w.ks, e);
        m->keys[k].when_ms = KEYSPACE_NEVER;
        return;
    }
    int64_t when_ms = draw_time(m);
    assert_int_equal(keyspace_set_expiry(&m->w.ks, &e, when_ms), STATUS_OK);
    m->keys[k].when_ms = when_ms;
    assert_ptr_equal(e, find(m, k));
}

static void do_rebind(struct model *m, uint32_t k)
{
    struct entry *e = find(m, k);
    if (!e) return;
    static char chars[TEXT_CHARS];
    struct expected *x = &m->keys[k];
    enum status s;
    x->v = VAL_NIL;
    x->text = m->next_value++;
    x->clock_s = m->w.ks.access.now_s;
    struct view text = text_of(x->text, chars);
    int64_t n;
    if (world_below(&m->w, 2) == 0) {
        x->v = draw_value(m);
        s = keyspace_rebind_take(&m->w.ks, &e, x->v);
    } else if (val_text_is_integer(text, &n)) {
        s = keyspace_rebind_integer(&m->w.ks, &e, n);
    } else {
        s = keyspace_rebind_text(&m->w.ks, &e, text);
    }
    assert_int_equal(s, STATUS_OK);
    assert_ptr_equal(e, find(m, k));
}

static void do_step(struct model *m)
{
    uint32_t n = world_below(&m->w, 6);
    bool more = keyspace_step(at(&m->w.ks, m->now_ms), n);
    for (; n; n--) {
        uint32_t earliest = KEYS;
        for (uint32_t k = 0; k < KEYS; k++)
            if (is_due(m, k) &&
                (earliest == KEYS || m->keys[k].when_ms < m->keys[earliest].when_ms))
                earliest = k;
        if (earliest == KEYS) break;
        forget(m, earliest);
        m->expired++;
    }
    bool due = false;
    for (uint32_t k = 0; k < KEYS; k++) due |= is_due(m, k);
    assert_int_equal(more, due || m->w.ks.debris);
}

/* Lists come, go and refer to each other, so that there are cycles with and without names. */
static void do_lists(struct model *m, uint32_t i)
{
    struct heap *h = &m->w.heap;
    struct obj **held = &m->w.held[i % WORLD_HELD];
    if (world_below(&m->w, 3) == 0) {
        rc_dec(h, *held);
        *held = world_list(&m->w, m->next_value++);
        return;
    }
    struct obj *target = m->w.held[world_below(&m->w, WORLD_HELD)];
    if (list_length(*held) < 6)
        assert_int_equal(list_push_take(h, *held, LIST_TAIL, world_retained(&m->w, target)),
                         STATUS_OK);
}

static void do_something(struct model *m)
{
    uint32_t k = world_below(&m->w, KEYS);
    switch (world_below(&m->w, 18)) {
    case 0:
    case 1:
    case 2:
    case 3: do_bind(m, k); break;
    case 4: do_lookup(m, k); break;
    case 5: (void)find(m, k); break;
    case 6:
    case 7: do_rename(m, k); break;
    case 8: do_unbind(m, k); break;
    case 16: do_share(m, k); break;
    case 17: do_stage(m, k); break;
    case 9:
    case 10: do_expiry(m, k); break;
    case 11: do_rebind(m, k); break;
    case 12: do_step(m); break;
    case 13:
    case 14: do_lists(m, k); break;
    case 15:
        m->now_ms += world_below(&m->w, 40);
        (void)at(&m->w.ks, m->now_ms);
        m->w.ks.access.now_s++;
        if (world_below(&m->w, 12)) break;
        keyspace_flush(&m->w.ks);
        for (uint32_t i = 0; i < KEYS; i++) forget(m, i);
        break;
    }
}

struct seen {
    struct model *m;
    uint32_t count[KEYS];
};

static void see(void *ctx, const struct entry *e)
{
    struct seen *s = ctx;
    char text[WORLD_KEY_CHARS];
    for (uint32_t k = 0; k < KEYS; k++) {
        if (!view_eq(entry_key(e), world_key(k, text))) continue;
        assert_bound(s->m, e, &s->m->keys[k]);
        s->count[k]++;
    }
}

static void check_model(struct model *m)
{
    uint64_t names = 0, with_expiry = 0;
    int64_t next_ms = KEYSPACE_NEVER;
    struct seen walked = {.m = m}, scanned = {.m = m};
    keyspace_walk(at(&m->w.ks, m->now_ms), see, &walked);
    uint64_t cursor = 0;
    do cursor = keyspace_scan(at(&m->w.ks, m->now_ms), cursor, see, &scanned);
    while (cursor);
    for (uint32_t k = 0; k < KEYS; k++) {
        const struct expected *x = &m->keys[k];
        bool there = !val_is_none(x->v);
        names += there;
        if (there && x->when_ms != KEYSPACE_NEVER) {
            with_expiry++;
            if (next_ms == KEYSPACE_NEVER || x->when_ms < next_ms) next_ms = x->when_ms;
        }
        assert_int_equal(walked.count[k], there && !is_due(m, k));
        assert_int_equal(scanned.count[k], there && !is_due(m, k));
        /* What the collector took for garbage would have lost its number. */
        if (there && val_is_container(x->v)) assert_true(list_length(val_obj(x->v)) > 0);
    }
    assert_int_equal(keyspace_names(&m->w.ks), names);
    assert_int_equal(keyspace_names_with_expiry(&m->w.ks), with_expiry);
    assert_int_equal(keyspace_next_expiry_ms(&m->w.ks), next_ms);
    assert_int_equal(m->w.ks.hits, m->hits);
    assert_int_equal(m->w.ks.misses, m->misses);
    assert_int_equal(m->w.ks.expired, m->expired);
    world_check(&m->w);
}

static void test_keyspace_random_history(void **state)
{
    (void)state;
    for (uint64_t history = 1; history <= HISTORIES; history++) {
        struct model *m = calloc(1, sizeof *m);
        assert_non_null(m);
        world_init(&m->w, history);
        m->now_ms = 1000;
        m->w.heap.collect.slice_slots_max = 1;
        m->w.heap.collect.threshold = 4;
        m->w.heap.collect.threshold_fixed = true;
        for (uint32_t i = 0; i < WORLD_HELD; i++) m->w.held[i] = world_list(&m->w, i);
        for (uint32_t k = 0; k < KEYS; k++) forget(m, k);
        for (uint32_t step = 0; step < STEPS; step++) {
            do_something(m);
            for (uint32_t i = world_below(&m->w, 4); i; i--) (void)collect_step(&m->w.heap, true);
            (void)heap_release_step(&m->w.heap, 1);
            check_model(m);
        }
        assert_true(m->expired > 20 && m->hits > 20);
        world_fini(&m->w);
        free(m);
    }
}

static void test_keyspace_rename_keeps_ttl_and_clock(void **state)
{
    struct world w;
    char text[WORLD_KEY_CHARS];
    (void)state;
    world_init(&w, 1);
    w.ks.access.now_s = 7;
    struct entry *e = world_bind(&w, 1, world_string(&w, 1), 500);
    (void)world_bind(&w, 2, world_string(&w, 2), 100);
    (void)world_bind(&w, 3, world_string(&w, 3), KEYSPACE_NEVER);
    w.ks.access.now_s = 9;
    for (uint32_t to = 2; to <= 4; to++) { /* over a TTL, over none, and to a new name */
        val v = entry_value(e);
        assert_int_equal(keyspace_rename(&w.ks, e, world_key(to, text)), STATUS_OK);
        assert_null(world_find(&w, to - 1, 0));
        e = world_find(&w, to, 0);
        assert_non_null(e);
        assert_int_equal(entry_value(e).w, v.w);
        assert_int_equal(entry_clock(e), 7);
        assert_int_equal(keyspace_expires_ms(&w.ks, e), 500);
        assert_int_equal(keyspace_names_with_expiry(&w.ks), 1);
        world_check(&w);
    }
    assert_int_equal(keyspace_names(&w.ks), 1);
    assert_null(world_find(&w, 4, 500));
    assert_int_equal(w.ks.expired, 0);
    assert_false(keyspace_step(&w.ks, 1));
    assert_int_equal(w.ks.expired, 1);
    assert_int_equal(keyspace_names(&w.ks), 0);
    world_fini(&w);
}

static void test_keyspace_rename_of_two_names_of_one_object(void **state)
{
    struct world w;
    char text[WORLD_KEY_CHARS];
    (void)state;
    world_init(&w, 1);
    struct obj *o = world_list(&w, 5);
    struct entry *e = world_bind(&w, 1, world_retained(&w, o), KEYSPACE_NEVER);
    (void)world_bind(&w, 2, val_of_obj(o), KEYSPACE_NEVER);
    assert_int_equal(o->count, 2);
    assert_int_equal(keyspace_rename(&w.ks, e, world_key(2, text)), STATUS_OK);
    assert_int_equal(o->count, 1);
    assert_int_equal(o->roots, 1);
    world_check(&w);
    world_fini(&w);
}

static void test_keyspace_rebind_to_its_own_value(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    struct obj *o = world_list(&w, 5);
    struct entry *e = world_bind(&w, 1, val_of_obj(o), 50);
    assert_int_equal(keyspace_rebind_take(&w.ks, &e, world_retained(&w, o)), STATUS_OK);
    assert_int_equal(o->count, 1);
    assert_int_equal(o->roots, 1);
    assert_int_equal(keyspace_expires_ms(&w.ks, e), 50);
    world_check(&w);
    world_fini(&w);
}

static void count_one(void *ctx, const struct entry *e)
{
    (void)e;
    ++*(uint32_t *)ctx;
}

static void test_keyspace_scan_hides_what_is_due_and_leaves_it(void **state)
{
    struct world w;
    uint32_t shown = 0;
    (void)state;
    world_init(&w, 1);
    (void)world_bind(&w, 1, val_of_small(1), 100);
    (void)world_bind(&w, 2, val_of_small(2), 101);
    assert_int_equal(keyspace_scan(at(&w.ks, 100), 0, count_one, &shown), 0);
    assert_int_equal(shown, 1);
    keyspace_walk(at(&w.ks, 99), count_one, &shown);
    assert_int_equal(shown, 3);
    assert_int_equal(keyspace_names(&w.ks), 2);
    assert_int_equal(w.ks.expired, 0);
    world_fini(&w);
}

static void test_keyspace_refuses_keys_that_are_too_long(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    struct view key = {"", (size_t)KEYSPACE_KEY_BYTES_MAX + 1}; /* its bytes are never looked at */
    struct obj *o = world_list(&w, 1);
    enum status s = keyspace_bind_take(&w.ks, key, val_of_obj(o),
                                       (struct keyspace_bind){.expires_ms = KEYSPACE_NEVER}, NULL);
    assert_int_equal(s, STATUS_TOO_LONG);
    struct entry *e = world_bind(&w, 1, val_of_small(1), KEYSPACE_NEVER);
    assert_int_equal(keyspace_rename(&w.ks, e, key), STATUS_TOO_LONG);
    assert_int_equal(keyspace_names(&w.ks), 1);
    world_check(&w);
    world_fini(&w);
}

static void test_keyspace_keys_are_bytes(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    static char large[100000];
    const struct view keys[] = {{"", 0}, {"a", 1}, {"a\0b", 3}, {"a\0c", 3}, {large, sizeof large}};
    enum { COUNT = sizeof keys / sizeof *keys };
    size_t bytes = 0;
    for (int i = 0; i < COUNT; i++) {
        struct keyspace_bind options = {.expires_ms = KEYSPACE_NEVER};
        assert_int_equal(keyspace_bind_take(&w.ks, keys[i], val_of_small(i), options, NULL),
                         STATUS_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        struct entry *e = keyspace_find(at(&w.ks, 0), keys[i]);
        assert_non_null(e);
        assert_int_equal(val_small(entry_value(e)), i);
        assert_true(view_eq(entry_key(e), keys[i]));
        bytes += entry_bytes(e);
    }
    assert_int_equal(w.ks.entry_bytes, bytes);
    world_check(&w);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyspace_random_history),
        cmocka_unit_test(test_keyspace_rename_keeps_ttl_and_clock),
        cmocka_unit_test(test_keyspace_rename_of_two_names_of_one_object),
        cmocka_unit_test(test_keyspace_rebind_to_its_own_value),
        cmocka_unit_test(test_keyspace_scan_hides_what_is_due_and_leaves_it),
        cmocka_unit_test(test_keyspace_refuses_keys_that_are_too_long),
        cmocka_unit_test(test_keyspace_keys_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
