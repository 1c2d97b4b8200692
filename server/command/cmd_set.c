/*
 * Sets: SADD and its kin, membership, random members, SMOVE and SSCAN. The algebra of several sets
 * is in cmd_set_algebra.c.
 */
#include "command/command.h"
#include "command/members.h"
#include "value/set.h"

enum { WALK_SLOTS = 256, BITS_PER_WORD = 64 };

/* --- adding and removing --- */

/* Which of SADD's members are new, so that a failure removes those alone. The last one either is
 * added or fails by itself. */
struct added {
    uint64_t few[8];
    uint64_t *bits; /* few, or memory of its own */
    size_t bytes;   /* of that memory, else 0 */
};

static enum status added_init(struct call *c, struct added *a)
{
    size_t words = (c->argc - 2 + BITS_PER_WORD - 1) / BITS_PER_WORD;
    a->bits = a->few;
    a->bytes = 0;
    if (words <= sizeof a->few / sizeof a->few[0]) return STATUS_OK;
    a->bits = mem_alloc(&c->engine->mem, words * sizeof *a->bits);
    if (!a->bits) return STATUS_OOM;
    a->bytes = words * sizeof *a->bits;
    return STATUS_OK;
}

static void added_put(struct added *a, uint32_t k, bool is_new)
{
    uint64_t *word = &a->bits[k / BITS_PER_WORD];
    if (k % BITS_PER_WORD == 0) *word = 0;
    *word |= (uint64_t)is_new << k % BITS_PER_WORD;
}

static bool added_get(const struct added *a, uint32_t k)
{
    return a->bits[k / BITS_PER_WORD] >> k % BITS_PER_WORD & 1;
}

/* Takes back what the first `done` members have added. */
static void added_undo(struct call *c, struct obj *o, const struct added *a, uint32_t done)
{
    while (done-- > 0) {
        struct needle member;
        if (!added_get(a, done)) continue;
        if (members_needle(c, 2 + done, &member)) set_remove(c->heap, o, &member);
    }
}

static enum status add_members(struct call *c, struct obj *o, int64_t *count)
{
    struct added a;
    enum status status = added_init(c, &a);
    uint32_t k = 0, members = c->argc - 2;
    if (status) return status;
    for (; k < members; k++) {
        struct needle member;
        bool is_new = false;
        status = call_needle(c, 2 + k, &member);
        if (!status) status = set_add(c->heap, o, &member, &is_new);
        if (status) break;
        added_put(&a, k, is_new);
        *count += is_new;
        if (k == 0 && members > 1)
            set_expect(c->heap, o, members_more(c, (struct members_at){3, 1}, 0));
    }
    for (uint32_t i = 0; !status && c->form == BY_REF && i < members; i++)
        if (added_get(&a, i)) call_stored_source(c, 2 + i);
    if (status)
        added_undo(c, o, &a, k);
    else if (members > 1)
        set_expect_end(c->heap, o);
    if (a.bytes) mem_free(&c->engine->mem, a.bits, a.bytes);
    return status;
}

enum status cmd_sadd(struct call *c)
{
    struct subject s;
    int64_t count = 0;
    enum status status = call_write(c, 1, OBJ_SET, &s);
    if (!status) status = members_bound(c, (struct members_at){2, 1});
    if (!status) status = members_reply_room(c);
    if (!status && !s.o) status = call_ensure(c, 1, OBJ_SET, &s);
    if (status) return status;
    status = add_members(c, s.o, &count);
    call_made(c, &s, status);
    if (!status) reply_integer(c, count);
    return status;
}

enum status cmd_srem(struct call *c)
{
    struct subject s;
    int64_t removed = 0;
    enum status status = call_write(c, 1, OBJ_SET, &s);
    if (!status) status = members_bound(c, (struct members_at){2, 1});
    if (!status) status = members_reply_room(c);
    if (status) return status;
    for (uint32_t i = 2; s.o && i < c->argc && set_length(s.o) > 0; i++) {
        struct needle member;
        if (members_needle(c, i, &member)) removed += set_remove(c->heap, s.o, &member);
    }
    if (removed) call_settle(c, &s);
    reply_integer(c, removed);
    return STATUS_OK;
}

/* A member that has an object is moved as it is, also one that is held weakly. It goes into the
 * other set first, which can fail and then has changed nothing, and leaves this one second, which
 * cannot: so its counts say at every moment who refers to it. */
static enum status move_member(struct call *c, struct subject *from, struct subject *to,
                               const struct needle *member)
{
    bool added;
    val slot = set_slot(from->o, member);
    struct needle moved = val_is_obj(slot) ? needle_of_val(c->heap, slot) : *member;
    moved.weakly = false;
    enum status status = to->o ? STATUS_OK : call_ensure(c, 2, OBJ_SET, to);
    if (status) return status;
    if (val_is_weak(slot)) status = call_give(c, to->e);
    if (!status) status = set_add(c->heap, to->o, &moved, &added);
    call_made(c, to, status);
    if (status) return status;
    set_remove(c->heap, from->o, member);
    call_settle(c, from);
    return STATUS_OK;
}

enum status cmd_smove(struct call *c)
{
    struct subject from, to = {.v = VAL_NONE};
    struct needle member;
    enum status status = call_write(c, 1, OBJ_SET, &from);
    if (!status && from.o) status = call_write(c, 2, OBJ_SET, &to);
    if (!status) status = call_needle(c, 3, &member);
    if (!status) status = members_reply_room(c);
    if (status) return status;
    bool is_member = from.o && set_has(from.o, &member);
    if (is_member && from.o != to.o) status = move_member(c, &from, &to, &member);
    if (!status) reply_integer(c, is_member);
    return status;
}

/* --- looking --- */

enum status cmd_sismember(struct call *c)
{
    struct subject s;
    struct needle member;
    enum status status = call_read(c, 1, OBJ_SET, &s);
    if (!status) status = call_needle_in(c, 2, s.o, &member);
    if (!status) reply_integer(c, s.o && set_has(s.o, &member));
    return status;
}

enum status cmd_smismember(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_SET, &s);
    if (status) return status;
    reply_array(c, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++) {
        struct needle member;
        status = call_needle_in(c, i, s.o, &member);
        if (status) return status;
        reply_integer(c, s.o && set_has(s.o, &member));
    }
    return STATUS_OK;
}

enum status cmd_scard(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_SET, &s);
    if (!status) reply_integer(c, s.o ? (int64_t)set_length(s.o) : 0);
    return status;
}

struct walk {
    struct call *c;
    enum status status;
};

static void walk_each(void *ctx, val member)
{
    struct walk *w = ctx;
    if (!w->status) w->status = reply_value(w->c, member);
}

/* Every member, behind a header that is written already. */
static enum status reply_members(struct call *c, const struct obj *o)
{
    struct walk w = {c, STATUS_OK};
    uint64_t cursor = 0;
    c->open = o;
    while (set_walk(o, &cursor, WALK_SLOTS, walk_each, &w) && !w.status) {
    }
    return w.status;
}

enum status cmd_smembers(struct call *c)
{
    struct subject s;
    enum status status = call_read(c, 1, OBJ_SET, &s);
    if (status) return status;
    reply_set(c, s.o ? set_shown(c->heap, s.o) : 0);
    return s.o ? reply_members(c, s.o) : STATUS_OK;
}

static void scan_each(void *ctx, val member)
{
    struct members_scan *scan = ctx;
    if (members_scan_shows(scan, member)) scan->status = reply_value(scan->c, member);
}

static uint64_t scan_step(const struct obj *o, uint64_t cursor, struct members_scan *scan)
{
    return set_scan(o, cursor, scan_each, scan);
}

enum status cmd_sscan(struct call *c)
{
    static const struct members_scan_type type = {OBJ_SET, 1, scan_step};
    return members_scan(c, &type);
}

/* --- random members --- */

/*
 * Different members, each combination as likely as any other. Few of many are drawn, and one that
 * was drawn before is drawn again; what was drawn is known by a table of words, for a set holds no
 * word twice. If they are a large part of the set that would take ever more draws, so the set is
 * walked, and each member taken with the chance that what is still wanted has among what is still
 * to come.
 */
struct sample {
    struct heap *heap;
    val *at;
    uint64_t count, wanted, left;
};

enum { SAMPLE_WALK_PART = 3 }; /* a third of the set and more */

static void sample_each(void *ctx, val member)
{
    struct sample *s = ctx;
    if (heap_random(s->heap) % s->left-- < s->wanted - s->count) s->at[s->count++] = member;
}

/* False when the word was there. */
static bool word_add(const struct heap *h, uint64_t *words, uint64_t mask, val v)
{
    uint64_t i = hash_integer(&h->hash_key, v.w) & mask; /* clients choose members */
    for (; words[i]; i = (i + 1) & mask)
        if (words[i] == v.w) return false;
    words[i] = v.w;
    return true;
}

static enum status sample_draw(struct call *c, const struct obj *o, struct sample *s)
{
    uint64_t slots = 4;
    while (slots < s->wanted * 2) slots *= 2;
    uint64_t *words = mem_alloc(&c->engine->mem, slots * sizeof *words);
    if (!words) return STATUS_OOM;
    memset(words, 0, slots * sizeof *words);
    while (s->count < s->wanted) {
        val v = set_random(c->heap, o);
        if (word_add(c->heap, words, slots - 1, v)) s->at[s->count++] = v;
    }
    mem_free(&c->engine->mem, words, slots * sizeof *words);
    return STATUS_OK;
}

/* 0 < wanted < length. The members are borrowed; end with sample_fini. */
static enum status sample_init(struct call *c, const struct obj *o, uint64_t wanted,
                               struct sample *s)
{
    uint64_t cursor = 0;
    *s = (struct sample){.heap = c->heap, .wanted = wanted, .left = set_shown(c->heap, o)};
    s->at = mem_alloc(&c->engine->mem, wanted * sizeof *s->at);
    if (!s->at) return STATUS_OOM;
    if (wanted < s->left / SAMPLE_WALK_PART) return sample_draw(c, o, s);
    while (set_walk(o, &cursor, WALK_SLOTS, sample_each, s)) {
    }
    return STATUS_OK;
}

static void sample_fini(struct call *c, struct sample *s)
{
    mem_free(&c->engine->mem, s->at, s->wanted * sizeof *s->at);
}

static enum status reply_sample(struct call *c, const struct sample *s)
{
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < s->count && !status; i++) status = reply_value(c, s->at[i]);
    return status;
}

static void remove_member(struct call *c, struct obj *o, val member)
{
    struct needle n = needle_of_val(c->heap, member);
    set_remove(c->heap, o, &n);
}

/* The last step of a pop of all. A set that only its name refers to goes with it, in steps. */
static void remove_all(struct call *c, struct subject *s)
{
    if (call_is_sole(s)) {
        keyspace_unbind(c->keyspace, s->e, NAME_EMPTIED);
        return;
    }
    while (set_remove_any(c->heap, s->o)) continue;
    call_settle(c, s);
}

static enum status pop_one(struct call *c, struct subject *s)
{
    val member = set_random(c->heap, s->o);
    enum status status = reply_value(c, member);
    if (!status && c->out->failed) status = STATUS_OOM;
    if (status || val_is_none(member)) return status;
    remove_member(c, s->o, member);
    call_settle(c, s);
    return STATUS_OK;
}

static enum status pop_all(struct call *c, struct subject *s)
{
    reply_set(c, set_shown(c->heap, s->o));
    enum status status = reply_members(c, s->o);
    if (!status && c->out->failed) status = STATUS_OOM;
    if (!status) remove_all(c, s);
    return status;
}

/* A removal moves what is packed, and may make other values of all members: what was drawn is held
 * until it is gone. */
static enum status sample_hold(struct call *c, struct sample *s)
{
    for (uint64_t i = 0; i < s->count; i++) {
        enum status status = val_keep(c->heap, s->at[i], &s->at[i]);
        if (!status) continue;
        while (i-- > 0) val_release(c->heap, s->at[i]);
        return status;
    }
    return STATUS_OK;
}

static enum status pop_some(struct call *c, struct subject *s, uint64_t count)
{
    struct sample sample;
    enum status status = sample_init(c, s->o, count, &sample);
    if (!status) {
        reply_set(c, count);
        status = reply_sample(c, &sample);
    }
    if (!status && c->out->failed) status = STATUS_OOM;
    if (!status) status = sample_hold(c, &sample);
    for (uint64_t i = 0; i < count && !status; i++) {
        remove_member(c, s->o, sample.at[i]);
        val_release(c->heap, sample.at[i]);
    }
    sample_fini(c, &sample);
    return status;
}

enum status cmd_spop(struct call *c)
{
    struct subject s;
    bool counted = c->argc > 2;
    int64_t count = 1;
    if (c->argc > 3) return STATUS_SYNTAX;
    if (counted && (call_integer(c, 2, &count) || count < 0))
        return call_error(c, "ERR value is out of range, must be positive");
    enum status status = call_write(c, 1, OBJ_SET, &s);
    if (status) return status;
    uint64_t length = !s.o ? 0 : counted ? set_shown(c->heap, s.o) : set_length(s.o);
    if (length == 0 || count == 0) {
        if (counted)
            reply_set(c, 0);
        else
            reply_null(c);
        return STATUS_OK;
    }
    if (!counted) return pop_one(c, &s);
    return (uint64_t)count < length ? pop_some(c, &s, (uint64_t)count) : pop_all(c, &s);
}

/* A negative count: so many draws, of which any may give the same member. */
static enum status reply_draws(struct call *c, const struct obj *o, uint64_t count)
{
    enum status status = STATUS_OK;
    if (count > c->engine->config.reply_values_max) return STATUS_TOO_BIG;
    reply_array(c, count);
    for (uint64_t i = 0; i < count && !status; i++) status = reply_value(c, set_random(c->heap, o));
    return status;
}

static enum status reply_different(struct call *c, const struct obj *o, uint64_t count)
{
    struct sample sample;
    uint64_t length = set_shown(c->heap, o);
    reply_array(c, count < length ? count : length);
    if (count >= length) return reply_members(c, o);
    enum status status = sample_init(c, o, count, &sample);
    if (!status) status = reply_sample(c, &sample);
    sample_fini(c, &sample);
    return status;
}

enum status cmd_srandmember(struct call *c)
{
    struct subject s;
    bool counted = c->argc > 2;
    int64_t count = 1;
    enum status status = STATUS_OK;
    if (c->argc > 3) return STATUS_SYNTAX;
    if (counted) status = call_integer(c, 2, &count);
    if (!status && count == INT64_MIN)
        return call_error(c, "ERR value is out of range, value must between %lld and %lld",
                          (long long)-INT64_MAX, (long long)INT64_MAX);
    if (!status) status = call_read(c, 1, OBJ_SET, &s);
    if (status) return status;
    if (!counted) return reply_value(c, s.o ? set_random(c->heap, s.o) : VAL_NONE);
    if (!s.o || count == 0 || set_shown(c->heap, s.o) == 0) {
        reply_array(c, 0);
        return STATUS_OK;
    }
    return count < 0 ? reply_draws(c, s.o, 0 - (uint64_t)count)
                     : reply_different(c, s.o, (uint64_t)count);
}
