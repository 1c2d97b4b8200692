/*
 * The nth allocation fails, for every n. Goal: a command that memory was not there for changes
 * nothing, says so, and leaks nothing.
 *
 * Method: a scripted history that uses every family is run once without failures, to learn how many
 * allocations each command attempts; then once for every n. Before the command in which the nth
 * attempt falls, the whole keyspace is written down (types, contents, TTLs); if that command
 * answers -OOM it must read the same after it. The history then goes on, and at the end nothing may
 * be left.
 */
#include "world.h"

#ifdef HEAPD_DEBUG

static const char *const history[] = {
    "SET a 1",
    "SET long a-string-that-needs-an-object",
    "SET b another-string-of-some-length EX 1000",
    "MSET m1 value-number-one-is-long m2 value-number-two-is-long m3 3",
    "MSETNX m4 a-fourth-long-value m5 5",
    "SETNX c c-is-a-string-object-too",
    "GETSET a a-new-value-of-a-string",
    "APPEND a -and-more-of-it",
    "APPEND fresh the-first-piece-of-it",
    "SETRANGE long 40 far-away",
    "INCR n",
    "INCRBY n 4611686018427387904",
    "INCRBYFLOAT f 10.5",
    "GETEX b PX 100000",
    "GETDEL c",
    "SET a x KEEPTTL GET",
    "RPUSH l one two a-longer-element-of-it 4 5",
    "LPUSH l zero",
    "LINSERT l BEFORE two one-and-a-half",
    "LSET l 0 nothing-but-a-long-string",
    "LREM l 1 two",
    "LTRIM l 1 -2",
    "RPOPLPUSH l l2",
    "LMOVE l2 l RIGHT LEFT",
    "LPOP l 2",
    "HSET h f1 v1 f2 a-long-value-for-a-field long-field-name 3",
    "HSET h f1 changed-to-a-long-value f9 new-and-long-enough f2 2",
    "HSETNX h f4 v4",
    "HINCRBY h n 5",
    "HINCRBYFLOAT h x 1.5",
    "HMSET h2 a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9",
    "HDEL h f1 f2",
    "SADD s 1 2 three a-member-of-some-length five",
    "SADD s2 three six a-member-of-some-length",
    "SMOVE s s2 five",
    "SINTER s s2",
    "SUNION s s2",
    "SDIFF s s2",
    "SREM s 1",
    "SRANDMEMBER s 5",
    "SPOP s 2",
    "ZADD z 1 a 2 b 3 a-member-of-some-length 4 d 5 e",
    "ZADD z 9 a 8 b 7 newcomer-of-some-length",
    "ZINCRBY z 3 d",
    "ZREM z a",
    "ZPOPMIN z 2",
    "ZRANGE z 0 -1",
    "REF NEW list",
    "REF NEW hash",
    "REF SET obj &:1",
    "REF HSET h obj obj list l",
    "REF RPUSH obj h l h2",
    "REF SADD s3 h l",
    "REF ZADD z2 1 h 2 l 3 obj",
    "REF HSET &:2 me &:2",
    "REF LINDEX obj 0",
    "REF LRANGE obj 0 -1",
    "REF HGETALL h",
    "HGETALL h",
    "FETCH obj",
    "REF LINSERT obj BEFORE h &:2",
    "REF MSET r1 obj r2 h",
    "REF GETSET r1 l",
    "REF LMOVE obj l LEFT RIGHT",
    "REF SMEMBERS s3",
    "REF SMOVE s3 s4 h",
    "COPY h h3",
    "COPY obj obj2 DEEP",
    "COPY z z3",
    "COPY s s5",
    "COPY l l9 REPLACE",
    "RENAME h3 h4",
    "RENAME l9 h4",
    "RENAMENX h4 h5",
    "EXPIRE z 1000",
    "PEXPIRE s2 1000000",
    "PERSIST z",
    "EXPIRE n 1000",
    "REF SET a2 long",
    "REF GET long",
    "REF RPUSH l a long f",
    "REF GETEX m1 EX 100",
    "SETRANGE wide 1100 and-so-it-lies-in-an-object",
    "APPEND wide -to-which-more-comes",
    "COPY wide wider",
    "APPEND wider -of-its-own",
    "SET n a-text-that-needs-a-larger-entry-than-the-number KEEPTTL",
    "RENAME n a-name-that-is-longer-than-its-old-one",
    "REF MSET t1 m2 t2 m4 t3 wide",
    "OBJECT ID h",
    "MEMORY USAGE obj",
    "RPUSH l an-element-that-is-long-0 an-element-that-is-long-1 an-element-that-is-long-2 "
    "an-element-that-is-long-3 an-element-that-is-long-4 an-element-that-is-long-5 "
    "an-element-that-is-long-6 an-element-that-is-long-7 an-element-that-is-long-8 "
    "an-element-that-is-long-9 an-element-that-is-long-10 an-element-that-is-long-11 "
    "an-element-that-is-long-12 an-element-that-is-long-13 an-element-that-is-long-14 "
    "an-element-that-is-long-15 an-element-that-is-long-16 an-element-that-is-long-17 "
    "an-element-that-is-long-18 an-element-that-is-long-19",
    "RPUSH l another-long-element-0 another-long-element-1 another-long-element-2 "
    "another-long-element-3 another-long-element-4 another-long-element-5 another-long-element-6 "
    "another-long-element-7 another-long-element-8 another-long-element-9 another-long-element-10 "
    "another-long-element-11 another-long-element-12 another-long-element-13 "
    "another-long-element-14 another-long-element-15 another-long-element-16 "
    "another-long-element-17 another-long-element-18 another-long-element-19",
    "HSET h a-long-field-0 a-long-value-of-it-0 a-long-field-1 a-long-value-of-it-1 a-long-field-2 "
    "a-long-value-of-it-2 a-long-field-3 a-long-value-of-it-3 a-long-field-4 a-long-value-of-it-4 "
    "a-long-field-5 a-long-value-of-it-5 a-long-field-6 a-long-value-of-it-6 a-long-field-7 "
    "a-long-value-of-it-7 a-long-field-8 a-long-value-of-it-8 a-long-field-9 a-long-value-of-it-9 "
    "a-long-field-10 a-long-value-of-it-10 a-long-field-11 a-long-value-of-it-11 a-long-field-12 "
    "a-long-value-of-it-12 a-long-field-13 a-long-value-of-it-13 a-long-field-14 "
    "a-long-value-of-it-14 a-long-field-15 a-long-value-of-it-15",
    "HSET h a-long-field-8 a-changed-long-value-8 a-long-field-9 a-changed-long-value-9 "
    "a-long-field-10 a-changed-long-value-10 a-long-field-11 a-changed-long-value-11 "
    "a-long-field-12 a-changed-long-value-12 a-long-field-13 a-changed-long-value-13 "
    "a-long-field-14 a-changed-long-value-14 a-long-field-15 a-changed-long-value-15 "
    "a-long-field-16 a-changed-long-value-16 a-long-field-17 a-changed-long-value-17 "
    "a-long-field-18 a-changed-long-value-18 a-long-field-19 a-changed-long-value-19 "
    "a-long-field-20 a-changed-long-value-20 a-long-field-21 a-changed-long-value-21 "
    "a-long-field-22 a-changed-long-value-22 a-long-field-23 a-changed-long-value-23",
    "HMSET h2 a-long-field-4 4 a-long-field-5 5 a-long-field-6 6 a-long-field-7 7 a-long-field-8 8 "
    "a-long-field-9 9 a-long-field-10 10 a-long-field-11 11 a-long-field-12 12 a-long-field-13 13 "
    "a-long-field-14 14 a-long-field-15 15",
    "SADD s a-long-member-of-a-set-0 a-long-member-of-a-set-1 a-long-member-of-a-set-2 "
    "a-long-member-of-a-set-3 a-long-member-of-a-set-4 a-long-member-of-a-set-5 "
    "a-long-member-of-a-set-6 a-long-member-of-a-set-7 a-long-member-of-a-set-8 "
    "a-long-member-of-a-set-9 a-long-member-of-a-set-10 a-long-member-of-a-set-11 "
    "a-long-member-of-a-set-12 a-long-member-of-a-set-13 a-long-member-of-a-set-14 "
    "a-long-member-of-a-set-15 a-long-member-of-a-set-16 a-long-member-of-a-set-17 "
    "a-long-member-of-a-set-18 a-long-member-of-a-set-19 a-long-member-of-a-set-20 "
    "a-long-member-of-a-set-21 a-long-member-of-a-set-22 a-long-member-of-a-set-23 "
    "a-long-member-of-a-set-24 a-long-member-of-a-set-25 a-long-member-of-a-set-26 "
    "a-long-member-of-a-set-27 a-long-member-of-a-set-28 a-long-member-of-a-set-29",
    "SADD s a-long-member-of-a-set-15 a-long-member-of-a-set-16 a-long-member-of-a-set-17 "
    "a-long-member-of-a-set-18 a-long-member-of-a-set-19 a-long-member-of-a-set-20 "
    "a-long-member-of-a-set-21 a-long-member-of-a-set-22 a-long-member-of-a-set-23 "
    "a-long-member-of-a-set-24 a-long-member-of-a-set-25 a-long-member-of-a-set-26 "
    "a-long-member-of-a-set-27 a-long-member-of-a-set-28 a-long-member-of-a-set-29 "
    "a-long-member-of-a-set-30 a-long-member-of-a-set-31 a-long-member-of-a-set-32 "
    "a-long-member-of-a-set-33 a-long-member-of-a-set-34 a-long-member-of-a-set-35 "
    "a-long-member-of-a-set-36 a-long-member-of-a-set-37 a-long-member-of-a-set-38 "
    "a-long-member-of-a-set-39 a-long-member-of-a-set-40 a-long-member-of-a-set-41 "
    "a-long-member-of-a-set-42 a-long-member-of-a-set-43 a-long-member-of-a-set-44",
    "SADD s2 a-long-member-of-a-set-25 a-long-member-of-a-set-26 a-long-member-of-a-set-27 "
    "a-long-member-of-a-set-28 a-long-member-of-a-set-29 a-long-member-of-a-set-30 "
    "a-long-member-of-a-set-31 a-long-member-of-a-set-32 a-long-member-of-a-set-33 "
    "a-long-member-of-a-set-34 a-long-member-of-a-set-35 a-long-member-of-a-set-36 "
    "a-long-member-of-a-set-37 a-long-member-of-a-set-38 a-long-member-of-a-set-39 "
    "a-long-member-of-a-set-40 a-long-member-of-a-set-41 a-long-member-of-a-set-42 "
    "a-long-member-of-a-set-43 a-long-member-of-a-set-44 a-long-member-of-a-set-45 "
    "a-long-member-of-a-set-46 a-long-member-of-a-set-47 a-long-member-of-a-set-48 "
    "a-long-member-of-a-set-49 a-long-member-of-a-set-50 a-long-member-of-a-set-51 "
    "a-long-member-of-a-set-52 a-long-member-of-a-set-53 a-long-member-of-a-set-54",
    "ZADD z 0 a-long-member-of-a-zset-0 1 a-long-member-of-a-zset-1 2 a-long-member-of-a-zset-2 3 "
    "a-long-member-of-a-zset-3 4 a-long-member-of-a-zset-4 5 a-long-member-of-a-zset-5 6 "
    "a-long-member-of-a-zset-6 7 a-long-member-of-a-zset-7 8 a-long-member-of-a-zset-8 9 "
    "a-long-member-of-a-zset-9 10 a-long-member-of-a-zset-10 11 a-long-member-of-a-zset-11 12 "
    "a-long-member-of-a-zset-12 13 a-long-member-of-a-zset-13 14 a-long-member-of-a-zset-14 15 "
    "a-long-member-of-a-zset-15 16 a-long-member-of-a-zset-16 17 a-long-member-of-a-zset-17 18 "
    "a-long-member-of-a-zset-18 19 a-long-member-of-a-zset-19 20 a-long-member-of-a-zset-20 21 "
    "a-long-member-of-a-zset-21 22 a-long-member-of-a-zset-22 23 a-long-member-of-a-zset-23 24 "
    "a-long-member-of-a-zset-24",
    "ZADD z -12 a-long-member-of-a-zset-12 -13 a-long-member-of-a-zset-13 -14 "
    "a-long-member-of-a-zset-14 -15 a-long-member-of-a-zset-15 -16 a-long-member-of-a-zset-16 -17 "
    "a-long-member-of-a-zset-17 -18 a-long-member-of-a-zset-18 -19 a-long-member-of-a-zset-19 -20 "
    "a-long-member-of-a-zset-20 -21 a-long-member-of-a-zset-21 -22 a-long-member-of-a-zset-22 -23 "
    "a-long-member-of-a-zset-23 -24 a-long-member-of-a-zset-24 -25 a-long-member-of-a-zset-25 -26 "
    "a-long-member-of-a-zset-26 -27 a-long-member-of-a-zset-27 -28 a-long-member-of-a-zset-28 -29 "
    "a-long-member-of-a-zset-29 -30 a-long-member-of-a-zset-30 -31 a-long-member-of-a-zset-31 -32 "
    "a-long-member-of-a-zset-32 -33 a-long-member-of-a-zset-33 -34 a-long-member-of-a-zset-34 -35 "
    "a-long-member-of-a-zset-35 -36 a-long-member-of-a-zset-36",
    "MSET k0 the-value-of-a-name-0 k1 the-value-of-a-name-1 k2 the-value-of-a-name-2 k3 "
    "the-value-of-a-name-3 k4 the-value-of-a-name-4 k5 the-value-of-a-name-5 k6 "
    "the-value-of-a-name-6 k7 the-value-of-a-name-7 k8 the-value-of-a-name-8 k9 "
    "the-value-of-a-name-9 k10 the-value-of-a-name-10 k11 the-value-of-a-name-11 k12 "
    "the-value-of-a-name-12 k13 the-value-of-a-name-13 k14 the-value-of-a-name-14 k15 "
    "the-value-of-a-name-15",
    "MSET k8 another-value-of-a-name-8 k9 another-value-of-a-name-9 k10 another-value-of-a-name-10 "
    "k11 another-value-of-a-name-11 k12 another-value-of-a-name-12 k13 another-value-of-a-name-13 "
    "k14 another-value-of-a-name-14 k15 another-value-of-a-name-15 k16 another-value-of-a-name-16 "
    "k17 another-value-of-a-name-17 k18 another-value-of-a-name-18 k19 another-value-of-a-name-19 "
    "k20 another-value-of-a-name-20 k21 another-value-of-a-name-21 k22 another-value-of-a-name-22 "
    "k23 another-value-of-a-name-23",
    "MSETNX q0 the-value-of-a-name-0 q1 the-value-of-a-name-1 q2 the-value-of-a-name-2 q3 "
    "the-value-of-a-name-3 q4 the-value-of-a-name-4 q5 the-value-of-a-name-5 q6 "
    "the-value-of-a-name-6 q7 the-value-of-a-name-7 q8 the-value-of-a-name-8 q9 "
    "the-value-of-a-name-9 q10 the-value-of-a-name-10 q11 the-value-of-a-name-11 q12 "
    "the-value-of-a-name-12 q13 the-value-of-a-name-13 q14 the-value-of-a-name-14 q15 "
    "the-value-of-a-name-15",
    "SUNION s s2",
    "SINTER s s2",
    "SDIFF s s2",
    "ZRANGE z 0 -1 WITHSCORES",
    "COPY s s6",
    "COPY z z6",
    "COPY h h6",
    "COPY l l6 DEEP",
    "REF LRANGE l 0 -1",
    "REF SMEMBERS s",
    "REF HGETALL h",
    "REF ZRANGE z 0 -1",
    "HANDLES",
    "REF NEW set",
    "REF NEW zset",
    "REF SET keep obj",
    "EXPIRE k1 100",
    "EXPIRE k2 100",
    "EXPIRE k3 100",
    "LPOP l 30",
    "SPOP s 20",
    "ZPOPMAX z 20",
    "ZPOPMIN z 20",
    "KEYS *",
    "SCAN 0",
    "HSCAN h 0",
    "SSCAN s 0",
    "ZSCAN z 0",
    "DEL m1 m2 l2",
    "GC COLLECT",
    "WEAKREF SET w1 l",
    "WEAKREF MSET w2 l w3 h",
    "WEAKREF HSET wh a l b h c l",
    "WEAKREF HSET wh c h d l",
    "WEAKREF SADD ws l h",
    "WEAKREF SADD ws h s6",
    "WEAKREF ZADD wz 1 l 2 h",
    "WEAKREF ZADD wz 2 l 1 h 3 s6",
    "WEAKREF RPUSH wl l h l",
    "WEAKREF LSET wl 0 h",
    "WEAKREF LINSERT wl AFTER h s6",
    "WEAKREF HGETALL wh",
    "WEAKREF SMEMBERS ws",
    "WEAKREF ZRANGE wz 0 -1 WITHSCORES",
    "WEAKREF LRANGE wl 0 -1",
    "WEAKREF GET w1",
    "WEAKREF GETSET w1 h",
    "REF SMOVE ws ws2 h",
    "LMOVE wl wl2 LEFT LEFT",
    "SUNION ws ws2 s",
    "RENAME w1 w4",
    "COPY wh wh2",
    "COPY ws ws3",
    "COPY wz wz2",
    "COPY wl wl3 DEEP",
    "REF SET whole wh",
    "REF HSET wh set ws zset wz list wl",
    "WEAKREF SADD ws wh wl wz",
    "WEAKREF RPUSH wl wh",
    "COPY wh whole2 DEEP",
    "WEAK LIST l",
    "WEAK COUNT h",
    "DEL s6",
    "RELEASE &:2",
    "REF HGET h obj",
    "CLIENT SETNAME somebody",
    "INFO everything",
    "COMMAND DOCS get",
    "CONFIG GET *",
    "MEMORY STATS",
    "RESET",
    "FLUSHALL",
    "GC COLLECT",
};

enum { COMMANDS = sizeof history / sizeof history[0] };

/* The keyspace as text: every key with its type, TTL or not, and content nested. Reads only;
 * failures are off meanwhile. */
static char *written_down(struct world *w)
{
    struct proto_buf all, saved = w->out;
    struct session *s = &w->sessions[1];
    proto_buf_init(&all);
    proto_buf_init(&w->out);
    uint64_t fail_at = w->engine.mem.fail_at;
    bool fail_on = w->engine.mem.fail_on;
    w->engine.mem.fail_at = 0;
    static const char *const keys[] = {
        "a",  "long", "b",    "m1",  "m2",  "m3", "m4",   "m5",  "c",   "fresh", "n",     "f",
        "l",  "l2",   "h",    "h2",  "s",   "s2", "z",    "obj", "s3",  "z2",    "r1",    "r2",
        "s4", "h3",   "obj2", "z3",  "s5",  "l9", "h4",   "k1",  "k3",  "k9",    "k15",   "k20",
        "q0", "q15",  "s6",   "z6",  "h6",  "l6", "keep", "h5",  "w1",  "w2",    "w3",    "w4",
        "wh", "wh2",  "ws",   "ws2", "ws3", "wz", "wz2",  "wl",  "wl2", "wl3",   "whole", "whole2"};
    s->protocol = 2;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char line[64];
        static const char *const forms[] = {"FETCH %s", "TYPE %s", "EXPIRETIME %s",
                                            "OBJECT REFCOUNT %s", "WEAK COUNT %s"};
        for (size_t form = 0; form < sizeof forms / sizeof forms[0]; form++) {
            snprintf(line, sizeof line, forms[form], keys[i]);
            world_do(w, 1, line);
            proto_buf_append(&all, w->out.p, w->out.n);
        }
    }
    world_do(w, 1, "DBSIZE");
    proto_buf_append(&all, w->out.p, w->out.n);
    proto_buf_append(&all, "", 1);
    proto_buf_fini(&w->out);
    w->out = saved;
    w->engine.mem.fail_at = fail_at;
    w->engine.mem.fail_on = fail_on;
    return all.p;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What was undone may stand in another order: a table says nothing about order. So texts are
 * compared as bags of lines. */
static bool same_lines(char *a, char *b)
{
    enum { LINES_MAX = 4096 };
    static char *lines[2][LINES_MAX];
    char *texts[2] = {a, b};
    size_t count[2] = {0, 0};
    for (int t = 0; t < 2; t++) {
        for (char *line = strtok(texts[t], "\r\n"); line; line = strtok(NULL, "\r\n")) {
            assert_true(count[t] < LINES_MAX);
            lines[t][count[t]++] = line;
        }
        qsort(lines[t], count[t], sizeof lines[t][0], by_text);
    }
    if (count[0] != count[1]) return false;
    for (size_t i = 0; i < count[0]; i++)
        if (strcmp(lines[0][i], lines[1][i]) != 0) return false;
    return true;
}

static void run_command(struct world *w, int i)
{
    world_do(w, 0, history[i]);
    world_assert_one_reply(w);
}

/* Attempts after each command of a run without failures. */
static void learn(uint64_t after[COMMANDS])
{
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    w->engine.mem.attempts = 0;
    for (int i = 0; i < COMMANDS; i++) {
        run_command(w, i);
        if (world_replied(w, "-")) fail_msg("%s: %.*s", history[i], (int)w->out.n, w->out.p);
        after[i] = w->engine.mem.attempts;
        world_assert_sound(w);
    }
    world_fini(w);
    free(w);
}

/* --- by reference --- */

/* Each stores k4, a hash that only its name holds. */
static const char *const by_reference[] = {
    "REF SET k6 k4",
    "REF SET k5 k4 KEEPTTL GET",
    "REF GETSET k5 k4",
    "REF SETNX k6 k4",
    "REF MSET k6 k4 k7 k5 k8 k4",
    "REF MSETNX k6 k4 k7 k5",
    "REF HSET k6 a k4 b k5 c k4",
    "REF HMSET k6 a k4 b k5",
    "REF HSETNX k6 a k4",
    "REF LPUSH k6 k4 k5 k4",
    "REF RPUSH l k4 k5",
    "REF RPUSHX l k4",
    "REF LSET l 1 k4",
    "REF LINSERT l BEFORE k5 k4",
    "REF SADD k6 k5 k4",
    "REF ZADD k6 2 k4",
    "REF ZADD k6 2 k4 2 k5 1 k4",
    "REF ZADD z 2 k4 2 l",
    "REF ZINCRBY z 2 k4",
};

enum { BY_REFERENCE = sizeof by_reference / sizeof by_reference[0] };

static bool is_referred(struct world *w, const char *key)
{
    const struct entry *e = keyspace_find(&w->engine.keyspace, view_of(key));
    return e && entry_referred(e)->flags & OBJ_REFERRED;
}

static bool is_bound(struct world *w, const char *key)
{
    return keyspace_find(&w->engine.keyspace, view_of(key)) != NULL;
}

/* A command that is refused memory leaves no mark: k4 goes with its last field. One that is not
 * leaves it, and k4 stays. True: it was refused. */
static bool by_reference_fails(const char *line, uint64_t nth, bool goes_on)
{
    static const char *const before[] = {"HSET k4 f v", "SET k5 a-string-that-needs-an-object",
                                         "REF RPUSH l k5 k5 k5", "REF ZADD z 1 l 3 k5"};
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) world_do(w, 0, before[i]);
    w->engine.mem.fail_at = nth;
    w->engine.mem.fail_on = goes_on;
    world_do(w, 0, line);
    w->engine.mem.fail_at = 0;
    w->engine.mem.fail_on = false;
    bool refused = world_replied(w, "-OOM");
    if (!refused && world_replied(w, "-")) fail_msg("%s: %.*s", line, (int)w->out.n, w->out.p);
    world_assert_sound(w);
    if (is_referred(w, "k4") == refused) fail_msg("%s, allocation %d", line, (int)nth);
    world_do(w, 0, "HDEL k4 f");
    assert_int_equal(is_bound(w, "k4"), !refused);
    world_assert_sound(w);
    world_fini(w);
    free(w);
    return refused;
}

static void test_sources_are_marked_when_they_are_stored(void **state)
{
    (void)state;
    for (int i = 0; i < BY_REFERENCE; i++) {
        for (int goes_on = 0; goes_on < 2; goes_on++) {
            uint64_t nth = 1, refused = 0;
            enum { QUIET_MAX = 20 }; /* some failures are not told */
            for (uint64_t last = 0; nth < last + QUIET_MAX; nth++) {
                if (!by_reference_fails(by_reference[i], nth, goes_on)) continue;
                last = nth;
                refused++;
            }
            if (refused == 0) fail_msg("%s never needed memory", by_reference[i]);
        }
    }
}

/* What is only looked at, or not stored after all. */
static void test_sources_that_are_not_stored_are_not_marked(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "REF ZADD z XX 5 k4",   "REF HSETNX h a k4",      "REF LPUSHX none k4",
        "REF SISMEMBER s k4",   "REF LREM l 0 k4",        "REF LINSERT l AFTER k4 l",
        "REF SREM s k4",        "REF MSETNX none k4 l l", "REF LINSERT none AFTER l k4",
        "WEAKREF SADD ws k4 l", "SUNION ws s s",          "SDIFF ws ws s",
        "WEAKREF SADD s k4 l",  "SUNION s ws s",          "REF SADD ws k4",
    };
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    world_do(w, 0, "HSET k4 f v");
    world_do(w, 0, "RPUSH l 1");
    world_do(w, 0, "HSET h a 1");
    world_do(w, 0, "SADD s 1 2 3");
    world_do(w, 0, "ZADD z 1 a");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        world_do(w, 0, lines[i]);
        if (world_replied(w, "-") || is_referred(w, "k4") || is_referred(w, "l"))
            fail_msg("%s: %.*s", lines[i], (int)w->out.n, w->out.p);
        world_assert_sound(w);
    }
    world_fini(w);
    free(w);
}

/* Returns whether the command answered OOM. */
static bool run_with_failure(uint64_t n, bool goes_on, const uint64_t after[COMMANDS])
{
    struct world *w = calloc(1, sizeof *w);
    world_init(w, 1);
    int at = 0;
    while (after[at] < n) at++;
    for (int i = 0; i < at; i++) run_command(w, i);
    char *before = written_down(w);
    w->engine.mem.fail_at = n - (at ? after[at - 1] : 0);
    w->engine.mem.fail_on = goes_on;
    run_command(w, at);
    w->engine.mem.fail_at = 0;
    w->engine.mem.fail_on = false;
    world_assert_sound(w);
    bool refused = world_replied(w, "-OOM");
    if (refused) {
        char *now = written_down(w);
        if (!same_lines(before, now))
            fail_msg("allocation %llu: %s answered OOM and changed something",
                     (unsigned long long)n, history[at]);
        free(now);
    }
    free(before);
    for (int i = at + 1; i < COMMANDS; i++) run_command(w, i);
    world_assert_sound(w);
    world_assert_no_garbage(w);
    world_fini(w);
    free(w);
    return refused;
}

#ifdef HEAPD_STRESS
enum { ATTEMPTS_OF_A_REFUSAL = 5 }; /* most are compaction's, which does without */
#else
enum { ATTEMPTS_OF_A_REFUSAL = 2 };
#endif

/* A history that hardly allocates, or whose failures nobody is told of, would prove nothing. */
static void run_all(bool goes_on)
{
    uint64_t after[COMMANDS], refused = 0;
    learn(after);
    uint64_t attempts = after[COMMANDS - 1];
    for (uint64_t n = 1; n <= attempts; n++) refused += run_with_failure(n, goes_on, after);
    print_message("%llu allocations, %llu commands refused\n", (unsigned long long)attempts,
                  (unsigned long long)refused);
    assert_true(attempts > 600 && refused > attempts / ATTEMPTS_OF_A_REFUSAL);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    run_all(false);
}

/* From the nth on, for the rest of the command: what undoes a command may need no memory either. */
static void test_every_allocation_fails_from_there_on(void **state)
{
    (void)state;
    run_all(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources_are_marked_when_they_are_stored),
        cmocka_unit_test(test_sources_that_are_not_stored_are_not_marked),
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_every_allocation_fails_from_there_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_failures_are_ordered_in_debug_builds_alone(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_are_ordered_in_debug_builds_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
