/*
 * Goal: every record reads as it was put, none that is cut or changed is read beyond its end, and
 * rewinding keeps facts and nothing else.
 * Method: records of every operation and every kind of value, with numbers at the borders of their
 * encoding; every prefix of a batch; every byte of it changed.
 */
#include <math.h>

#include "world.h"

enum { BATCH_BYTES_MAX = 1 << 16 };

struct got {
    uint8_t bytes[BATCH_BYTES_MAX];
    size_t n;
    uint32_t batches;
    bool lost;
};

static void receive(void *ctx, struct effect_batch batch)
{
    struct got *g = ctx;
    assert_true(g->n + batch.records.n <= sizeof g->bytes);
    if (batch.records.n) memcpy(g->bytes + g->n, batch.records.p, batch.records.n);
    g->n += batch.records.n;
    g->batches++;
    g->lost |= batch.lost;
}

static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static struct effect_value draw_value(uint32_t i)
{
    struct effect_value v = {.kind = (enum effect_kind)(i % EFFECT_KINDS)};
    if (v.kind == EFFECT_INTEGER)
        v.integer = (int64_t)numbers[i % NUMBERS] * (i % 2 ? 1 : -1);
    else if (v.kind == EFFECT_TEXT || v.kind == EFFECT_SHARED_TEXT)
        v.text = (struct view){"some bytes\0of a text", i % 20};
    else if (v.kind != EFFECT_NIL)
        v.cell = numbers[i % NUMBERS];
    return v;
}

static struct effect draw_effect(uint32_t i)
{
    return (struct effect){
        .op = (enum effect_op)(1 + i % (EFFECT_OPS - 1)),
        .cell = numbers[(i + 1) % NUMBERS],
        .number = numbers[(i + 2) % NUMBERS],
        .count = numbers[(i + 3) % NUMBERS],
        .when_ms = i % 3 ? INT64_MAX - (int64_t)i - 1 : EFFECT_NEVER,
        .score = i % 5 ? i * 0.1 : -HUGE_VAL,
        .key = {"a key", i % 6},
        .field = draw_value(i),
        .value = draw_value(i / 3),
    };
}

static void assert_values_equal(const struct effect_value *a, const struct effect_value *b)
{
    assert_int_equal(a->kind, b->kind);
    if (a->kind == EFFECT_INTEGER) {
        assert_int_equal(a->integer, b->integer);
    } else if (a->kind == EFFECT_TEXT || a->kind == EFFECT_SHARED_TEXT) {
        assert_int_equal(a->text.n, b->text.n);
        if (a->text.n) assert_memory_equal(a->text.p, b->text.p, a->text.n);
    } else if (a->kind != EFFECT_NIL) {
        assert_int_equal(a->cell, b->cell);
    }
}

/* Puts it alone and reads it; what the operation has not is zero. */
static void assert_reads_as_put(struct effects *x, struct got *g, struct effect e)
{
    struct effect read;
    g->n = 0;
    effect_put(x, &e);
    assert_int_equal(effect_check(x), 0);
    effects_commit(x);
    struct view rest = {(const char *)g->bytes, g->n};
    assert_int_equal(effect_next(&rest, &read), EFFECT_READ);
    assert_int_equal(effect_next(&rest, &read), EFFECT_END);
    assert_int_equal(read.op, e.op);
    if (read.cell) assert_int_equal(read.cell, e.cell);
    if (read.number) assert_int_equal(read.number, e.number);
    if (read.count) assert_int_equal(read.count, e.count);
    if (read.key.n) assert_memory_equal(read.key.p, e.key.p, e.key.n);
    if (e.op == EFFECT_BIND || e.op == EFFECT_EXPIRY) assert_int_equal(read.when_ms, e.when_ms);
    if (e.op == EFFECT_ZSET_SET) assert_memory_equal(&read.score, &e.score, sizeof e.score);
    if (e.op == EFFECT_HASH_SET || e.op == EFFECT_HASH_DELETE)
        assert_values_equal(&read.field, &e.field);
    if (e.op == EFFECT_BIND || e.op >= EFFECT_SET_ADD) assert_values_equal(&read.value, &e.value);
    for (size_t n = 1; n < g->n; n++) {
        rest = (struct view){(const char *)g->bytes, n};
        assert_int_equal(effect_next(&rest, &read), EFFECT_BROKEN);
        assert_int_equal(rest.n, n);
    }
    assert_int_equal(x->used, 0);
}

static void test_every_record_reads_as_it_was_put(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct got *g = calloc(1, sizeof *g);
    effects_listen(&w->heap.effects, &w->mem, receive, g);
    for (uint32_t i = 0; i < 2000; i++) assert_reads_as_put(&w->heap.effects, g, draw_effect(i));
    assert_int_equal(g->batches, 2000);
    effects_listen(&w->heap.effects, NULL, NULL, NULL);
    world_free(w);
    free(g);
}

static void test_changed_bytes_are_never_read_beyond_their_end(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct got *g = calloc(1, sizeof *g);
    effects_listen(&w->heap.effects, &w->mem, receive, g);
    for (uint32_t i = 0; i < 60; i++) {
        struct effect e = draw_effect(i);
        effect_put(&w->heap.effects, &e);
    }
    effects_commit(&w->heap.effects);
    /* A block of exactly that size, so that the sanitizer sees a byte too many. */
    char *bytes = malloc(g->n);
    for (size_t at = 0; at < g->n; at++)
        for (int change = 1; change < 256; change += 50) {
            struct effect e;
            memcpy(bytes, g->bytes, g->n);
            bytes[at] = (char)(bytes[at] ^ change);
            struct view rest = {bytes, g->n};
            while (effect_next(&rest, &e) == EFFECT_READ) continue;
        }
    free(bytes);
    effects_listen(&w->heap.effects, NULL, NULL, NULL);
    world_free(w);
    free(g);
}

static void test_rewinding_keeps_facts_alone(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct got *g = calloc(1, sizeof *g);
    effects_listen(&w->heap.effects, &w->mem, receive, g);
    struct effects *x = &w->heap.effects;
    effect_put(x, &(struct effect){.op = EFFECT_UNBIND, .key = {"kept", 4}});
    struct effects_mark start = effects_mark(x);
    static const enum effect_op ops[] = {EFFECT_NEW,      EFFECT_HASH_SET, EFFECT_IDENT,
                                         EFFECT_REFERRED, EFFECT_BIND,     EFFECT_DEAD};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        effect_put(x, &(struct effect){.op = ops[i], .cell = i, .when_ms = EFFECT_NEVER});
    effects_rewind(x, start);
    effects_commit(x);
    struct view rest = {(const char *)g->bytes, g->n};
    static const enum effect_op kept[] = {EFFECT_UNBIND, EFFECT_NEW, EFFECT_IDENT, EFFECT_REFERRED,
                                          EFFECT_DEAD};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct effect e;
        assert_int_equal(effect_next(&rest, &e), EFFECT_READ);
        assert_int_equal(e.op, kept[i]);
    }
    assert_int_equal(rest.n, 0);
    effects_listen(&w->heap.effects, NULL, NULL, NULL);
    world_free(w);
    free(g);
}

static void test_without_memory_the_batch_is_lost_and_said_so(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    struct got *g = calloc(1, sizeof *g);
    effects_listen(&w->heap.effects, &w->mem, receive, g);
#ifdef HEAPD_DEBUG
    w->mem.fail_at = 1;
    effect_put(&w->heap.effects, &(struct effect){.op = EFFECT_FLUSH});
    effect_put(&w->heap.effects, &(struct effect){.op = EFFECT_FLUSH});
    effects_commit(&w->heap.effects);
    assert_true(g->lost);
    assert_int_equal(g->batches, 1);
    assert_int_equal(g->n, 0);
    g->lost = false;
    w->mem.fail_at = 0;
#endif
    effect_put(&w->heap.effects, &(struct effect){.op = EFFECT_FLUSH});
    effects_commit(&w->heap.effects);
    assert_false(g->lost);
    assert_int_equal(g->n, 1);
    effects_listen(&w->heap.effects, NULL, NULL, NULL);
    world_free(w);
    free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_reads_as_it_was_put),
        cmocka_unit_test(test_changed_bytes_are_never_read_beyond_their_end),
        cmocka_unit_test(test_rewinding_keeps_facts_alone),
        cmocka_unit_test(test_without_memory_the_batch_is_lost_and_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
