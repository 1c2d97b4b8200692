"""The makers of random commands: every command of heapd that Redis has too, by value.

A maker is a function from Ingredients to a request. FAMILIES lists them with their weights. Ranges
by bytes (BYLEX) have keys of their own, on which all scores are equal: elsewhere Redis itself does
not define their order.
"""

from ingredients import KEYS, LEX_KEYS, ALL_KEYS, WORDS, PATTERNS, YEAR_2100_S, STRAIGHT_BULK
from ingredients import Ingredients as Draw


# Keys and the server.

def keys_expire(g):
    name = g.pick([b"EXPIRE", b"PEXPIRE", b"EXPIREAT", b"PEXPIREAT"])
    unit = 1000 if name.startswith(b"P") else 1
    draw = g.rng.random()
    if draw < 0.08:
        time = g.pick([b"0", b"-1", b"-1000", b"-9223372036854775808"])
    elif draw < 0.14:
        time = g.pick([b"abc", b"9223372036854775807", b"9223372036854776", b"", b"1.5"])
    elif name.endswith(b"AT"):
        time = b"%d" % ((YEAR_2100_S + g.rng.randrange(0, 5)) * unit)
    else:
        time = b"%d" % (g.far_s() * unit)
    args = [name, g.any_key(), time]
    while g.chance(0.3):
        args.append(g.pick([b"NX", b"XX", b"GT", b"LT", b"gt", b"lt"]))
    return args


def keys_copy(g):
    args = [b"COPY", g.any_key(), g.any_key()]
    if g.chance(0.5):
        args.append(g.pick([b"REPLACE", b"replace"]))
    if g.chance(0.15):
        args += [b"DB", g.pick([b"0", b"0", b"1", b"-1", b"abc"])]
    return args


def keys_scan(g):
    args = [b"SCAN", b"0" if g.chance(0.95) else g.pick([b"abc", b"", b"-1", b"1.5"])]
    if g.chance(0.5):
        args += [b"MATCH", g.pick(PATTERNS)]
    if g.chance(0.5):
        args += [b"COUNT", g.pick([b"1", b"5", b"100", b"1000", b"0", b"-1", b"abc"])]
    if g.chance(0.3):
        args += [b"TYPE", g.pick([b"string", b"list", b"hash", b"set", b"zset", b"foo"])]
    return args


def of_keys(name, most=4):
    def make(g):
        return [name] + g.some(lambda: g.pick(ALL_KEYS), most)
    return make


def of_key(name):
    def make(g):
        return [name, g.any_key()]
    return make


def two_keys(name):
    def make(g):
        return [name, g.any_key(), g.any_key()]
    return make


def fixed(*lines):
    choices = [line.split() for line in lines]

    def make(g):
        return list(g.pick(choices))
    return make


def server_unknown(g):
    name = g.pick([b"foo", b"GETX", b"", b"nosuch", b"ge t", b"\xffx", b"f" * 200])
    return [name] + [g.value() for _ in range(g.rng.randrange(0, 5))]


def server_object(g):
    return [b"OBJECT", g.pick([b"ENCODING", b"REFCOUNT", b"IDLETIME", b"FREQ", b"foo"]), g.any_key()]


def server_echo(g):
    return [g.pick([b"ECHO", b"PING"]), g.value()]


# Strings.

def string_set(g):
    args = [b"SET", g.key("string") if g.chance(0.9) else g.pick(LEX_KEYS), g.value()]
    if g.chance(0.4):
        options = [g.pick([[b"NX"], [b"XX"], [b"nx"]]), [b"GET"],
                   g.expiry_option() if g.chance(0.8) else [b"KEEPTTL"]]
        if g.chance(0.1):
            options += [g.pick([[b"XX"], [b"KEEPTTL"], g.expiry_option(), [b"PERSIST"]])]
        g.rng.shuffle(options)
        for option in options[:g.rng.randrange(1, len(options) + 1)]:
            args += option
    return args


def string_getex(g):
    args = [b"GETEX", g.key("string")]
    if g.chance(0.8):
        args += g.expiry_option() if g.chance(0.6) else [b"PERSIST"]
    if g.chance(0.05):
        args += g.pick([[b"PERSIST"], [b"EX"], g.expiry_option()])
    return args


def string_setex(g):
    time = g.pick([b"0", b"-1", b"abc"]) if g.chance(0.1) else b"%d" % g.far_s()
    return [b"SETEX", g.key("string"), time, g.value()]


def string_many(name):
    def make(g):
        args = [name]
        for _ in range(g.rng.randrange(1, 4)):
            args += [g.key("none" if name == b"MSETNX" else "string"), g.value()]
        return args
    return make


def string_setrange(g):
    draw = g.rng.random()
    if draw < 0.1:
        offset = g.pick([b"-1", b"abc", b"536870912", b"9223372036854775807", b"536870911"])
        return [b"SETRANGE", g.key("string"), offset, g.pick([b"", b"xx"])]
    return [b"SETRANGE", g.key("string"), b"%d" % g.rng.randrange(0, 60 if draw < 0.97 else 9000),
            g.pick([b"", b"x", b"123", b"abc\x00def"])]


def with_value(name, wanted, *parts):
    """A maker from the name of the command, the type of its key, and the makers of the rest."""
    def make(g):
        return [name, g.key(wanted)] + [part(g) for part in parts]
    return make


def with_values(name, wanted, part, most=4):
    def make(g):
        return [name, g.key(wanted)] + g.some(lambda: part(g), most)
    return make


# Lists.

def list_bulk(g):
    return [g.pick([b"RPUSH", b"LPUSH"]), g.key("list")] + [
        g.element() for _ in range(g.rng.randrange(20, STRAIGHT_BULK))]


def list_pop(g):
    args = [g.pick([b"LPOP", b"RPOP"]), g.key("list")]
    if g.chance(0.4):
        args.append(g.pop_count())
    return args


def list_insert(g):
    where = g.pick([b"BEFORE", b"AFTER", b"before"]) if g.chance(0.95) else b"BESIDE"
    return [b"LINSERT", g.key("list"), where, g.member(), g.element()]


def list_move(g):
    if g.chance(0.3):
        return [b"RPOPLPUSH", g.key("list"), g.key("list")]
    ends = [b"LEFT", b"RIGHT", b"left", b"Right"]
    if g.chance(0.05):
        ends.append(b"MIDDLE")
    return [b"LMOVE", g.key("list"), g.key("list"), g.pick(ends), g.pick(ends)]


def list_trim(g):
    if g.chance(0.5):
        return [b"LTRIM", g.key("list"), b"0", b"%d" % g.rng.randrange(0, 60)]
    return [b"LTRIM", g.key("list"), g.index(), g.index()]


# Hashes.

def hash_set(g):
    args = [g.pick([b"HSET", b"HSET", b"HMSET"]), g.key("hash")]
    for _ in range(g.rng.randrange(1, 8)):
        args += [g.member(), g.value()]
    return args


def hash_bulk(g):
    args = [b"HSET", g.key("hash")]
    for _ in range(g.rng.randrange(20, STRAIGHT_BULK)):
        args += [b"m%d" % g.rng.randrange(0, 300), g.pick(WORDS)]
    return args


def hash_number(g):
    if g.chance(0.5):
        return [b"HINCRBY", g.key("hash"), g.member(), g.small()]
    return [b"HINCRBYFLOAT", g.key("hash"), g.member(), g.float()]


def scan_of(name, wanted):
    def make(g):
        args = [name, g.key(wanted), b"0" if g.chance(0.95) else g.pick([b"abc", b"", b"1.5"])]
        if g.chance(0.4):
            args += [b"MATCH", g.pick(PATTERNS)]
        if g.chance(0.5):
            args += [b"COUNT", g.pick([b"1", b"10", b"1000", b"0", b"abc"])]
        if g.chance(0.03):
            args += [b"TYPE", b"set"]
        return args
    return make


# Sets.

def set_bulk(g):
    pattern = g.pick([b"%d", b"m%d"])
    return [b"SADD", g.key("set")] + [pattern % g.rng.randrange(0, 600)
                                      for _ in range(g.rng.randrange(20, STRAIGHT_BULK))]


def set_thin(g):
    pattern = g.pick([b"%d", b"m%d"])
    return [b"SREM", g.key("set")] + [pattern % i for i in range(g.rng.randrange(1, 600))]


def set_random(g):
    args = [g.pick([b"SPOP", b"SRANDMEMBER"]), g.key("set")]
    if g.chance(0.6):
        args.append(g.pop_count())
        if args[0] == b"SRANDMEMBER" and g.chance(0.4):
            args[2] = b"-%d" % g.rng.randrange(0, 12)
    if args[-1] == b"9223372036854775807" and args[0] == b"SRANDMEMBER":
        args[-1] = b"100000"
    return args


def set_algebra(g):
    return [g.pick([b"SINTER", b"SUNION", b"SDIFF"])] + g.some(lambda: g.key("set"), 4)


def set_move(g):
    return [b"SMOVE", g.key("set"), g.key("set"), g.member()]


# Sorted sets.

def zset_add(g):
    args = [b"ZADD", g.key("zset")]
    if g.chance(0.5):
        flags = [b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR", b"ch"]
        args += [g.pick(flags) for _ in range(g.rng.randrange(1, 4))]
    for _ in range(1 if b"INCR" in args and g.chance(0.9) else g.rng.randrange(1, 9)):
        args += [g.score(), g.member()]
    return args


def zset_bulk(g):
    args = [b"ZADD", g.key("zset")]
    for _ in range(g.rng.randrange(20, STRAIGHT_BULK)):
        args += [b"%d" % g.rng.randrange(0, 40), b"m%d" % g.rng.randrange(0, 300)]
    return args


def score_bound(g):
    draw = g.rng.random()
    if draw < 0.04:
        return g.pick([b"abc", b"", b"(", b"nan", b"((1", b"[1", b"(nan", b"-", b"+", b"1 ", b" 1"])
    if draw < 0.2:
        return g.pick([b"-inf", b"+inf", b"inf", b"(inf", b"(-inf"])
    bound = g.score()
    return b"(" + bound if g.chance(0.3) else bound


def lex_bound(g):
    draw = g.rng.random()
    if draw < 0.3:
        return g.pick([b"-", b"+"])
    if draw < 0.34:
        return g.pick([b"", b"a", b"abc", b"-x", b"+x", b"5"])
    item = g.pick([b"", b"a", b"b", b"aa", b"m1", b"m5", b"\xff", b"B", b"0"])
    return g.pick([b"[", b"("]) + item


def limit(g):
    if g.chance(0.05):
        return [b"LIMIT", g.pick([b"a", b"1"])]
    return [b"LIMIT", b"%d" % g.rng.randrange(-1, 6), b"%d" % g.rng.randrange(-1, 8)]


def zset_range(g):
    by_score = g.chance(0.5)
    bound = score_bound if by_score else Draw.index
    args = [b"ZRANGE", g.key("zset"), bound(g), bound(g)]
    options = []
    if by_score:
        options.append([b"BYSCORE"])
    if g.chance(0.4):
        options.append([b"REV"])
    if g.chance(0.4):
        options.append([b"WITHSCORES"])
    if g.chance(0.4 if by_score else 0.03):
        options.append(limit(g))
    if g.chance(0.03):
        options.append([g.pick([b"FOO", b"BYSCORE", b"REV"])])
    g.rng.shuffle(options)
    for option in options:
        args += option
    return args


def zset_pop(g):
    args = [g.pick([b"ZPOPMIN", b"ZPOPMAX"]), g.key("zset")]
    if g.chance(0.5):
        args.append(g.pop_count())
    return args


def zset_mixed_key_lex(g):
    """BYLEX where its order is not defined may only fail or meet nothing: bad bounds."""
    return [b"ZRANGE", g.any_key(), g.pick([b"a", b"", b"1"]), lex_bound(g), b"BYLEX"]


# Sorted sets with equal scores, for lexicographic ranges.

def lex_add(g):
    args = [b"ZADD", g.pick(LEX_KEYS)]
    if g.chance(0.2):
        args.append(g.pick([b"NX", b"XX", b"CH", b"GT"]))
    for _ in range(g.rng.randrange(1, 6 if g.chance(0.9) else STRAIGHT_BULK)):
        args += [b"0", g.element() if g.chance(0.9) else b"m%d" % g.rng.randrange(0, 300)]
    return args


def lex_range(g):
    args = [b"ZRANGE", g.pick(LEX_KEYS), lex_bound(g), lex_bound(g), b"BYLEX"]
    if g.chance(0.4):
        args.append(b"REV")
    if g.chance(0.4):
        args += limit(g)
    if g.chance(0.03):
        args.append(g.pick([b"WITHSCORES", b"BYSCORE", b"FOO"]))
    return args


def lex_other(g):
    name = g.pick([b"ZREM", b"ZPOPMIN", b"ZPOPMAX", b"ZRANK", b"ZREVRANK", b"ZCARD"])
    args = [name, g.pick(LEX_KEYS)]
    if name == b"ZREM":
        args += g.some(g.member)
    elif name in (b"ZRANK", b"ZREVRANK"):
        args.append(g.member())
    return args


FAMILIES = {
    "server": [
        (1, fixed(b"PING", b"ECHO x", b"TIME",
                  b"CLIENT GETNAME", b"CLIENT ID", b"CLIENT FOO", b"CLIENT SETNAME conn",
                  b"CLIENT SETNAME", b"CONFIG GET maxmemory", b"INFO server", b"COMMAND COUNT",
                  b"COMMAND INFO get", b"OBJECT", b"HELLO 9")),
        (2, server_unknown), (1, server_object), (2, server_echo)],
    "keys": [
        (3, of_keys(b"DEL", 3)), (1, of_keys(b"UNLINK", 2)), (3, of_keys(b"EXISTS", 6)),
        (2, of_key(b"TYPE")),
        (3, two_keys(b"RENAME")), (2, two_keys(b"RENAMENX")), (3, keys_copy), (7, keys_expire),
        (4, of_key(b"TTL")), (4, of_key(b"PTTL")), (3, of_key(b"PERSIST")),
        (1, fixed(b"DBSIZE", b"DBSIZE", b"KEYS *", b"KEYS k?", b"KEYS k[0-4]", b"KEYS *e*")),
        (1, keys_scan),
        (1, fixed(*[b"DBSIZE"] * 47, b"FLUSHALL", b"FLUSHDB", b"FLUSHALL FOO"))],
    "string": [
        (9, string_set), (4, with_value(b"GET", "string")), (2, string_getex), (1, string_setex),
        (1, with_value(b"SETNX", "string", Draw.value)),
        (1, with_value(b"GETSET", "string", Draw.value)),
        (1, with_value(b"GETDEL", "string")),
        (2, with_values(b"MGET", "string", lambda g: g.key("string"))),
        (1, string_many(b"MSET")), (1, string_many(b"MSETNX")),
        (2, with_value(b"APPEND", "string", Draw.value)), (2, with_value(b"STRLEN", "string")),
        (2, with_value(b"GETRANGE", "string", Draw.index, Draw.index)), (2, string_setrange),
        (1, with_value(b"INCR", "string")), (1, with_value(b"DECR", "string")),
        (2, with_value(b"INCRBY", "string", Draw.small)),
        (1, with_value(b"DECRBY", "string", Draw.small)),
        (2, with_value(b"INCRBYFLOAT", "string", Draw.float))],
    "list": [
        (3, with_values(b"LPUSH", "list", Draw.element)),
        (3, with_values(b"RPUSH", "list", Draw.element)),
        (1, with_values(b"LPUSHX", "list", Draw.element)),
        (1, with_values(b"RPUSHX", "list", Draw.element)),
        (1, list_bulk), (5, list_pop), (2, with_value(b"LLEN", "list")),
        (3, with_value(b"LRANGE", "list", Draw.index, Draw.index)),
        (2, with_value(b"LINDEX", "list", Draw.index)),
        (2, with_value(b"LSET", "list", Draw.index, Draw.element)),
        (2, with_value(b"LREM", "list", Draw.index, Draw.member)), (3, list_insert),
        (3, list_trim), (4, list_move)],
    "hash": [
        (5, hash_set), (1, hash_bulk), (1, with_value(b"HSETNX", "hash", Draw.member, Draw.value)),
        (3, with_value(b"HGET", "hash", Draw.member)),
        (2, with_values(b"HMGET", "hash", Draw.member)),
        (2, with_value(b"HGETALL", "hash")), (1, with_value(b"HKEYS", "hash")),
        (1, with_value(b"HVALS", "hash")),
        (2, with_value(b"HLEN", "hash")), (4, with_values(b"HDEL", "hash", Draw.member, 8)),
        (1, with_value(b"HEXISTS", "hash", Draw.member)), (4, hash_number),
        (1, with_value(b"HSTRLEN", "hash", Draw.member)), (1, scan_of(b"HSCAN", "hash"))],
    "set": [
        (4, with_values(b"SADD", "set", Draw.element, 8)), (1, set_bulk),
        (3, with_values(b"SREM", "set", Draw.member, 6)),
        (1, set_thin), (2, with_value(b"SISMEMBER", "set", Draw.member)),
        (2, with_values(b"SMISMEMBER", "set", Draw.member)), (2, with_value(b"SMEMBERS", "set")),
        (2, with_value(b"SCARD", "set")), (2, set_random), (2, set_move), (4, set_algebra),
        (1, scan_of(b"SSCAN", "set"))],
    "zset": [
        (6, zset_add), (1, zset_bulk), (3, with_values(b"ZREM", "zset", Draw.member, 6)),
        (2, with_value(b"ZSCORE", "zset", Draw.member)),
        (1, with_values(b"ZMSCORE", "zset", Draw.member)),
        (2, with_value(b"ZINCRBY", "zset", Draw.score, Draw.member)),
        (1, with_value(b"ZCARD", "zset")),
        (2, with_value(b"ZCOUNT", "zset", score_bound, score_bound)), (6, zset_range),
        (2, with_value(b"ZRANK", "zset", Draw.member)),
        (2, with_value(b"ZREVRANK", "zset", Draw.member)),
        (1, scan_of(b"ZSCAN", "zset")), (3, zset_pop), (1, zset_mixed_key_lex)],
    "lex": [(2, lex_add), (4, lex_range), (2, lex_other)],
}

# Makers whose arguments are never exchanged for others, only added to or cut: equal scores stay so.
KEEP_ARGS = {lex_add, lex_range, lex_other, zset_mixed_key_lex, string_set}
