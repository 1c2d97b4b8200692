/*
 * Goal: replaying what was committed gives the very same heap, and no kind of effect can be left
 * out, put too late or applied in part without that being seen.
 * Method: one history of commands that has every operation in it. First as it is; then once for
 * each operation, with the records of that operation taken out of the batches; then once for each
 * batch, with its last byte cut off. Each must be refused by apply, or seen by the comparison.
 */
#include "../command/world.h"

static const char *const history[] = {
    "SET a text",
    "SET n 12345678901234567",
    "SET ttl x PX 100000",
    "PERSIST ttl",
    "PEXPIRE ttl 90000",
    "HSET h f v g a-longer-value-of-a-field n 7",
    "HDEL h g",
    "RPUSH l one two three two four",
    "LINSERT l BEFORE three two-and-a-half",
    "LREM l 2 two",
    "LSET l 0 1",
    "LTRIM l 0 1",
    "SADD s 1 2 3",
    "SADD s text",
    "SREM s 2",
    "SPOP s",
    "ZADD z 1 a 2 b 3 c",
    "ZINCRBY z 5 a",
    "ZREM z b",
    "ZPOPMIN z",
    "OBJECT ID h",
    "OBJECT ID s",
    "REF SET h2 h",
    "REF HSET h self h",
    "REF RPUSH l h z",
    "REF SADD s h l",
    "REF ZADD z 3 h",
    "WEAKREF HSET w to h",
    "WEAKREF SET weakname l",
    "COPY h hcopy",
    "COPY l lcopy DEEP",
    "RENAME a b",
    "MSET b again c 3 d some-text",
    "REF MSET e h f l",
    "DEL h h2 e",
    "DEL c",
    "APPEND b more",
    "INCR n",
    "HSET gone f v",
    "DEL gone",
    "HSET named f v",
    "REF SET named2 named",
    "HSET last x y",
};
enum { HISTORY = sizeof history / sizeof *history };

/* Batches on their way: which operation is left out, and what else is done to one of them. */
struct wire {
    struct apply *apply;
    enum effect_op without; /* EFFECT_NONE: nothing is left out */
    uint32_t batch, cut_at;
    uint32_t left_out; /* records so far */
    enum status status;
};

static struct view record_at(struct view rest, struct effect *e)
{
    struct view record = rest;
    if (effect_next(&rest, e) != EFFECT_READ) return (struct view){0};
    record.n -= rest.n;
    return record;
}

static void receive(void *ctx, struct effect_batch batch)
{
    struct wire *w = ctx;
    struct view rest = batch.records;
    struct effect e;
    if (w->status) return;
    w->batch++;
    if (w->batch == w->cut_at) {
        w->status = apply_batch(w->apply, (struct view){rest.p, rest.n - 1});
        return;
    }
    for (struct view one; !w->status && (one = record_at(rest, &e)).n;
         rest.p += one.n, rest.n -= one.n) {
        if (e.op == w->without)
            w->left_out++;
        else
            w->status = apply_batch(w->apply, one);
    }
}

struct outcome {
    bool seen; /* refused, or different */
    uint32_t batches, left_out;
};

static struct outcome run(struct wire wire)
{
    struct world w;
    world_init(&w, 1);
    wire.apply = &w.oracle.apply;
    effects_listen(&w.engine.heap.effects, &w.oracle.mem, receive, &wire);
    for (int i = 0; i < HISTORY; i++) world_do(&w, 0, history[i]);
    world_do(&w, 0, "GC COLLECT");
    for (int i = 0; i < 3; i++)
        while (steps_run(&w.engine, true)) continue;
    char text[COMPARE_TEXT_BYTES];
    struct outcome out = {.batches = wire.batch, .left_out = wire.left_out};
    out.seen = wire.status || compare(&w.engine.keyspace, &w.oracle.apply, text);
    effects_listen(&w.engine.heap.effects, NULL, NULL, NULL);
    world_fini(&w);
    return out;
}

static void test_the_history_replays(void **state)
{
    (void)state;
    struct outcome out = run((struct wire){0});
    assert_false(out.seen);
    assert_true(out.batches >= HISTORY - 2);
}

static void test_no_operation_can_be_left_out(void **state)
{
    (void)state;
    for (int op = EFFECT_NONE + 1; op < EFFECT_OPS; op++) {
        if (op == EFFECT_FLUSH) continue; /* below */
        struct outcome out = run((struct wire){.without = (enum effect_op)op});
        if (!out.left_out) fail_msg("the history has no operation %d", op);
        if (!out.seen) fail_msg("operation %d was left out, and nobody saw it", op);
    }
}

static void test_a_flush_cannot_be_left_out(void **state)
{
    (void)state;
    for (int without = 0; without < 2; without++) {
        struct world w;
        char text[COMPARE_TEXT_BYTES];
        world_init(&w, 1);
        struct wire wire = {.apply = &w.oracle.apply,
                            .without = without ? EFFECT_FLUSH : EFFECT_NONE};
        effects_listen(&w.engine.heap.effects, &w.oracle.mem, receive, &wire);
        for (int i = 0; i < HISTORY; i++) world_do(&w, 0, history[i]);
        world_do(&w, 0, "FLUSHALL");
        const char *wrong = compare(&w.engine.keyspace, &w.oracle.apply, text);
        assert_int_equal(wire.status, STATUS_OK);
        assert_int_equal(wrong != NULL, without);
        effects_listen(&w.engine.heap.effects, NULL, NULL, NULL);
        world_fini(&w);
    }
}

static void test_no_batch_can_be_cut(void **state)
{
    (void)state;
    uint32_t batches = run((struct wire){0}).batches;
    for (uint32_t at = 1; at <= batches; at++)
        if (!run((struct wire){.cut_at = at}).seen) fail_msg("batch %u was cut", (unsigned)at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_history_replays),
        cmocka_unit_test(test_no_operation_can_be_left_out),
        cmocka_unit_test(test_a_flush_cannot_be_left_out),
        cmocka_unit_test(test_no_batch_can_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
