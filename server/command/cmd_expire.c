/* The TTL of names: a name owns its TTL, and other names of the same object have their own. */
#include "command/command.h"

struct expire_options {
    bool nx, xx, gt, lt;
};

static enum status parse_options(struct call *c, struct expire_options *o)
{
    for (uint32_t i = 3; i < c->argc; i++) {
        if (call_is(c, i, "nx")) {
            o->nx = true;
        } else if (call_is(c, i, "xx")) {
            o->xx = true;
        } else if (call_is(c, i, "gt")) {
            o->gt = true;
        } else if (call_is(c, i, "lt")) {
            o->lt = true;
        } else {
            struct view word = c->argv[i];
            return call_error(c, "ERR Unsupported option %.*s", word.n > 512 ? 512 : (int)word.n,
                              word.p);
        }
    }
    if (o->nx && (o->xx || o->gt || o->lt))
        return call_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
    if (o->gt && o->lt)
        return call_error(c, "ERR GT and LT options at the same time are not compatible");
    return STATUS_OK;
}

/* Whether the options let the new time through. No TTL counts as an infinite one. */
static bool options_allow(const struct expire_options *o, int64_t old_ms, int64_t when_ms)
{
    bool has = old_ms != KEYSPACE_NEVER;
    if ((o->nx && has) || (o->xx && !has)) return false;
    if (o->gt && (!has || when_ms <= old_ms)) return false;
    return !o->lt || !has || when_ms < old_ms;
}

enum unit { SECONDS = 1000, MILLISECONDS = 1 };

static enum status expire(struct call *c, enum unit unit, int64_t base_ms)
{
    struct expire_options o = {0};
    int64_t when_ms;
    enum status s = parse_options(c, &o);
    if (!s) s = call_integer(c, 2, &when_ms);
    if (s) return s;
    if (__builtin_mul_overflow(when_ms, (int64_t)unit, &when_ms) ||
        __builtin_add_overflow(when_ms, base_ms, &when_ms))
        return call_error(c, "ERR invalid expire time in '%s' command", c->command->name);
    s = call_name(c, 1);
    if (s) return s;
    struct keyspace *ks = c->keyspace;
    struct entry *e = keyspace_find(ks, c->argv[1]);
    if (e) keyspace_touch(ks, e);
    if (!e || !options_allow(&o, keyspace_expires_ms(ks, e), when_ms)) {
        reply_integer(c, 0);
        return STATUS_OK;
    }
    reply_integer(c, 1);
    if (c->out->failed) return STATUS_OOM;
    if (when_ms > c->now_ms) return keyspace_set_expiry(ks, &e, when_ms);
    keyspace_unbind(ks, e, NAME_REMOVED);
    return STATUS_OK;
}

enum status cmd_expire(struct call *c)
{
    return expire(c, SECONDS, c->now_ms);
}

enum status cmd_pexpire(struct call *c)
{
    return expire(c, MILLISECONDS, c->now_ms);
}

enum status cmd_expireat(struct call *c)
{
    return expire(c, SECONDS, 0);
}

enum status cmd_pexpireat(struct call *c)
{
    return expire(c, MILLISECONDS, 0);
}

/* Replies the name's time less base_ms, rounded to the unit; -1: it has none, -2: no such name. */
static enum status reply_time(struct call *c, enum unit unit, int64_t base_ms)
{
    enum status s = call_name(c, 1);
    if (s) return s;
    const struct entry *e = keyspace_find(c->keyspace, c->argv[1]);
    int64_t when_ms = e ? keyspace_expires_ms(c->keyspace, e) : KEYSPACE_NEVER;
    if (when_ms == KEYSPACE_NEVER) {
        reply_integer(c, e ? -1 : -2);
        return STATUS_OK;
    }
    int64_t left_ms = when_ms - base_ms;
    bool up = left_ms % unit >= unit / 2 && unit > 1;
    reply_integer(c, left_ms / unit + up);
    return STATUS_OK;
}

enum status cmd_ttl(struct call *c)
{
    return reply_time(c, SECONDS, c->now_ms);
}

enum status cmd_pttl(struct call *c)
{
    return reply_time(c, MILLISECONDS, c->now_ms);
}

enum status cmd_expiretime(struct call *c)
{
    return reply_time(c, SECONDS, 0);
}

enum status cmd_pexpiretime(struct call *c)
{
    return reply_time(c, MILLISECONDS, 0);
}

enum status cmd_persist(struct call *c)
{
    enum status s = call_name(c, 1);
    if (s) return s;
    struct entry *e = keyspace_find(c->keyspace, c->argv[1]);
    if (e) keyspace_touch(c->keyspace, e);
    bool had = e && keyspace_expires_ms(c->keyspace, e) != KEYSPACE_NEVER;
    reply_integer(c, had);
    if (c->out->failed) return STATUS_OOM;
    if (had) keyspace_clear_expiry(c->keyspace, e);
    return STATUS_OK;
}
