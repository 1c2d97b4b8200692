/*
 * Times of single parts, without a network: what one operation costs when the parts around it cost
 * nothing. For comparing a change with what was before it, on one quiet machine: times do not
 * repeat as the instruction counts of instructions.py do.
 *
 * Every row is one kind of operation, repeated over data that was made before the clock is started;
 * the best of ROUNDS rounds is shown, since whatever disturbs a round makes it longer. The rows
 * "far" go over more data than the caches hold.
 *
 * usage: micro [TEXT]    the rows whose name contains TEXT; all without
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "engine/engine.h"
#include "proto/batch.h"
#include "proto/writer.h"
#include "value/list.h"
#include "value/zset.h"

enum {
    ROUNDS = 5,
    OPERATIONS = 200000,
    NEAR = 1000,   /* of it fits the caches */
    FAR = 2000000, /* does not */
    NAME_BYTES = 32,
};

struct bench {
    struct engine engine;
    struct heap *h;
    struct proto_buf text; /* a pipeline of GETs */
    struct request_batch batch;
    struct table table;
    struct obj *list, *zset;
    void **blocks;
    char (*names)[NAME_BYTES];
    uint64_t seed;
    uint64_t sum; /* of what is found, so that nothing is optimized away */
};

static uint32_t draw(struct bench *b, uint32_t below)
{
    b->seed = b->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((b->seed >> 33) % below);
}

static void demand(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "micro: %s\n", what);
    exit(1);
}

/* --- the parser --- */

static void make_pipeline(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) {
        const struct proto_view argv[] = {{"GET", 3}, {b->names[i % NEAR], 16}};
        proto_request(&b->text, 2, argv);
    }
}

static void read_one_by_one(struct bench *b)
{
    struct request_reader r;
    const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    request_reader_init(&r, &limits);
    for (size_t at = 0; at < b->text.n; at += r.bytes) {
        demand(!request_reader_next(&r, b->text.p + at, b->text.n - at), "a request is not read");
        b->sum += r.argc;
    }
    request_reader_fini(&r);
}

static void read_in_batches(struct bench *b)
{
    const struct request_limits limits = REQUEST_LIMITS_DEFAULT;
    for (size_t at = 0; at < b->text.n;) {
        request_batch_read(&b->batch, &limits, BATCH_REQUESTS_MAX, b->text.p + at, b->text.n - at);
        demand(b->batch.count > 0, "a batch is not read");
        for (uint32_t i = 0; i < b->batch.count; i++) at += b->batch.requests[i].bytes;
        b->sum += b->batch.count;
    }
}

static void write_replies(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) {
        proto_buf_clear(&b->text, SIZE_MAX);
        proto_put_bulk(&b->text, b->names[i % NEAR], 16);
        proto_put_integer(&b->text, i);
        b->sum += b->text.n;
    }
}

/* --- tables of words: an entry is its own hash --- */

static uint32_t word_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return *(const uint32_t *)entry;
}

static bool word_is(const void *needle, const void *entry)
{
    return *(const uint64_t *)needle == *(const uint64_t *)entry;
}

static const struct table_type words = {.entry_bytes = sizeof(uint64_t), .hash = word_hash};

static uint64_t word_of(uint32_t i)
{
    return (uint32_t)hash_word(1, i);
}

static void fill_table(struct bench *b, uint32_t count)
{
    table_init(&b->table);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = word_of(i);
        uint64_t *entry = table_insert(&b->table, &words, b->h->pool, NULL, (uint32_t)word);
        demand(entry != NULL, "no memory");
        *entry = word;
    }
}

static void fill_near(struct bench *b)
{
    fill_table(b, NEAR);
}

static void fill_far(struct bench *b)
{
    fill_table(b, FAR);
}

static void find_words(struct bench *b, uint32_t count)
{
    for (int i = 0; i < OPERATIONS; i++) {
        uint64_t word = word_of(draw(b, count));
        b->sum += table_find(&b->table, &words, (uint32_t)word, word_is, &word) != NULL;
    }
}

static void find_near(struct bench *b)
{
    find_words(b, NEAR);
}

static void find_far(struct bench *b)
{
    find_words(b, FAR);
}

static void find_far_ahead(struct bench *b)
{
    enum { AHEAD = 16 };
    uint64_t next[AHEAD];
    for (int i = 0; i < OPERATIONS; i += AHEAD) {
        for (int j = 0; j < AHEAD; j++) {
            next[j] = word_of(draw(b, FAR));
            table_prefetch_bucket(&b->table, &words, (uint32_t)next[j]);
        }
        for (int j = 0; j < AHEAD; j++)
            b->sum += table_find(&b->table, &words, (uint32_t)next[j], word_is, &next[j]) != NULL;
    }
}

static void grow(struct bench *b)
{
    fill_table(b, OPERATIONS);
}

static void empty_table(struct bench *b)
{
    table_fini(&b->table, &words, b->h->pool);
}

/* --- pools --- */

static size_t block_bytes(int i)
{
    return 16 + (size_t)(i * 7 % 120);
}

static void take_blocks(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) b->blocks[i] = pool_alloc(b->h->pool, block_bytes(i));
}

static void give_blocks(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) pool_free(b->h->pool, b->blocks[i], block_bytes(i));
}

static void take_and_give(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) {
        void *block = pool_alloc(b->h->pool, 64);
        b->sum += block != NULL;
        pool_free(b->h->pool, block, 64);
    }
}

/* --- lists --- */

static struct view name_at(const struct bench *b, uint32_t i)
{
    return (struct view){b->names[i % NEAR], 16};
}

static void push(struct bench *b)
{
    for (uint32_t i = 0; i < OPERATIONS; i++)
        demand(!list_push_text(b->h, b->list, LIST_HEAD, name_at(b, i)), "no memory");
}

static void index_list(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) {
        struct list_iter it;
        list_seek(b->list, draw(b, OPERATIONS), &it);
        b->sum += list_next(&it);
    }
}

static void pop(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) val_release(b->h, list_pop(b->h, b->list, LIST_TAIL));
}

static void no_list(struct bench *b)
{
    rc_dec(b->h, b->list);
    while (heap_release_step(b->h, UINT32_MAX)) {
    }
    b->list = heap_container_new(b->h, OBJ_LIST);
}

static void full_list(struct bench *b)
{
    no_list(b);
    push(b);
}

/* --- zsets --- */

static void set_scores(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) {
        bool created;
        struct needle member = needle_of_text(b->h, name_at(b, draw(b, NEAR)));
        demand(!zset_set(b->h, b->zset, &member, draw(b, 100000), &created), "no memory");
        b->sum += created;
    }
}

static void get_scores(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) {
        double score;
        struct needle member = needle_of_text(b->h, name_at(b, draw(b, NEAR)));
        b->sum += zset_score(b->zset, &member, &score);
    }
}

static void get_ranks(struct bench *b)
{
    for (int i = 0; i < OPERATIONS; i++) {
        uint64_t rank = 0;
        struct needle member = needle_of_text(b->h, name_at(b, draw(b, NEAR)));
        b->sum += zset_rank(b->h, b->zset, &member, &rank) + rank;
    }
}

/* `before` and `after` surround each round and are not timed. */
struct row {
    const char *name;
    void (*before)(struct bench *b), (*run)(struct bench *b), (*after)(struct bench *b);
};

static const struct row rows[] = {
    {"parser: requests one by one", NULL, read_one_by_one, NULL},
    {"parser: requests in batches", NULL, read_in_batches, NULL},
    {"table: find, near", fill_near, find_near, empty_table},
    {"table: find, far", fill_far, find_far, empty_table},
    {"table: find, far, fetched ahead", fill_far, find_far_ahead, empty_table},
    {"table: insert", NULL, grow, empty_table},
    {"pool: take", NULL, take_blocks, give_blocks},
    {"pool: give", take_blocks, give_blocks, NULL},
    {"pool: take and give in turn", NULL, take_and_give, NULL},
    {"list: push", no_list, push, NULL},
    {"list: by index", full_list, index_list, NULL},
    {"list: pop", full_list, pop, NULL},
    {"zset: set a score", NULL, set_scores, NULL},
    {"zset: score", NULL, get_scores, NULL},
    {"zset: rank", NULL, get_ranks, NULL},
    {"writer: a bulk and an integer", NULL, write_replies, NULL},
};

static void measure(struct bench *b, const struct row *row)
{
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        if (row->before) row->before(b);
        int64_t began = clock_thread_ns(&b->engine.clock);
        row->run(b);
        int64_t took = clock_thread_ns(&b->engine.clock) - began;
        if (row->after) row->after(b);
        if (took < best) best = took;
    }
    printf("%-34s %8.1f ns\n", row->name, (double)best / OPERATIONS);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct config config;
    config_init(&config);
    b.seed = 1;
    b.h = &b.engine.heap;
    b.blocks = malloc(OPERATIONS * sizeof *b.blocks);
    b.names = malloc(NEAR * sizeof *b.names);
    demand(b.blocks && b.names && !engine_init(&b.engine, &config, &(struct clock){0}),
           "no memory");
    for (int i = 0; i < NEAR; i++) snprintf(b.names[i], NAME_BYTES, "key:%012d", i);
    proto_buf_init(&b.text);
    make_pipeline(&b);
    b.list = heap_container_new(b.h, OBJ_LIST);
    b.zset = heap_container_new(b.h, OBJ_ZSET);
    demand(b.list && b.zset && !b.text.failed, "no memory");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (argc < 2 || strstr(rows[i].name, argv[1])) measure(&b, &rows[i]);
    return b.sum == 0;
}
