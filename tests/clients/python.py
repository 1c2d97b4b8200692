"""python3-redis (Debian's package, RESP2): every family, pipelines, scans, the pool, errors."""

import os
import sys
import threading
import traceback

import redis

PORT = int(os.environ["PORT"])
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def connect(**options):
    return redis.Redis(host="127.0.0.1", port=PORT, **options)


def raises(kind, text, function, *args):
    try:
        function(*args)
    except kind as error:
        assert text in str(error), "%r is not in %r" % (text, str(error))
        return
    raise AssertionError("no %s" % kind.__name__)


@test
def connects(r):
    assert r.ping() is True
    assert r.echo("hello") == b"hello"
    assert connect(client_name="py", db=0).client_getname() in ("py", b"py")
    assert connect(health_check_interval=1).ping()
    assert redis.from_url("redis://127.0.0.1:%d/0" % PORT).ping()
    assert r.client_id() > 0
    assert any(int(c["id"]) == r.client_id() for c in r.client_list())
    assert isinstance(r.time()[0], int)
    raises(redis.ResponseError, "DB index is out of range", connect(db=9).ping)
    raises(redis.ResponseError, "unknown command", r.execute_command, "NOSUCH")


@test
def strings(r):
    assert r.set("k", "v", ex=1000) is True and 990 < r.ttl("k") <= 1000
    assert r.set("k", "w", nx=True) is None
    assert r.set("k", "w", get=True, keepttl=True) == b"v" and r.ttl("k") > 0
    assert r.get("k") == b"w" and r.get("nokey") is None
    assert r.getex("k", persist=True) == b"w" and r.ttl("k") == -1
    assert r.mset({"a": 1, "b": b"\x00\xff"}) and r.mget("a", "b", "c") == [b"1", b"\x00\xff", None]
    assert r.incr("a") == 2 and r.incrby("a", 5) == 7 and r.decr("a") == 6
    assert r.incrbyfloat("a", 0.5) == 6.5
    assert r.append("b", "x") == 3 and r.strlen("b") == 3 and r.getrange("b", 0, 0) == b"\x00"
    assert r.setrange("b", 1, "yy") == 3 and r.getdel("b") == b"\x00yy"
    assert r.setnx("n", 1) is True and r.setnx("n", 1) is False
    assert r.msetnx({"n": 1, "m": 2}) is False
    raises(redis.ResponseError, "not an integer", r.incr, "k")
    big = os.urandom(3000000)
    assert r.set("big", big) and r.get("big") == big


@test
def keys(r):
    r.mset({"x1": 1, "x2": 2})
    assert sorted(r.keys("x*")) == [b"x1", b"x2"] and r.exists("x1", "x2", "x3") == 2
    assert r.type("x1") == b"string" and r.rename("x1", "x3") and r.renamenx("x2", "x3") is False
    assert r.copy("x2", "x4") is True and r.dbsize() == 3
    assert r.expire("x2", 1000) and r.pttl("x2") > 900000 and r.persist("x2")
    assert r.pexpireat("x2", 1) and not r.exists("x2")
    assert r.delete("x3") == 1 and r.unlink("x4") == 1
    raises(redis.ResponseError, "no such key", r.rename, "x9", "x1")


@test
def lists(r):
    assert r.rpush("l", "b", "c") == 2 and r.lpush("l", "a") == 3
    assert r.lrange("l", 0, -1) == [b"a", b"b", b"c"] and r.llen("l") == 3
    assert r.lindex("l", -1) == b"c" and r.lset("l", 0, "A")
    assert r.linsert("l", "BEFORE", "b", "x") == 4
    assert r.lpop("l", 2) == [b"A", b"x"] and r.rpop("l") == b"c" and r.lpop("nokey", 2) is None
    assert r.lmove("l", "m", "LEFT", "RIGHT") == b"b" and r.rpoplpush("m", "m") == b"b"
    assert r.lrem("m", 0, "b") == 1 and not r.exists("m")
    r.rpush("l", *range(100))
    assert r.ltrim("l", 10, 19) and r.llen("l") == 10
    raises(redis.ResponseError, "wrong kind of value", r.get, "l")


@test
def hashes(r):
    assert r.hset("h", "f", "v") == 1 and r.hset("h", mapping={"a": 1, "b": 2.5}) == 2
    assert r.hgetall("h") == {b"f": b"v", b"a": b"1", b"b": b"2.5"} and r.hlen("h") == 3
    assert r.hget("h", "f") == b"v" and r.hmget("h", "a", "z") == [b"1", None]
    assert r.hincrby("h", "a", 4) == 5 and r.hincrbyfloat("h", "b", 0.5) == 3.0
    assert sorted(r.hkeys("h")) == [b"a", b"b", b"f"] and len(r.hvals("h")) == 3
    assert r.hexists("h", "a") is True and r.hdel("h", "a", "z") == 1 and r.hstrlen("h", "f") == 1
    assert r.hsetnx("h", "f", "w") == 0
    r.hset("big", mapping={"field%d" % i: i for i in range(1000)})
    wanted = {b"field%d" % i: b"%d" % i for i in range(1000) if str(i).startswith("9")}
    assert dict(r.hscan_iter("big", match="field9*")) == wanted


@test
def sets(r):
    assert r.sadd("s", 1, 2, 3) == 3 and r.smembers("s") == {b"1", b"2", b"3"}
    assert r.sismember("s", 1) and r.smismember("s", 1, 9) == [1, 0] and r.scard("s") == 3
    assert r.srem("s", 3) == 1 and r.smove("s", "t", 2) and r.smembers("t") == {b"2"}
    r.sadd("u", 1, 2)
    assert r.sunion("s", "t") == {b"1", b"2"} and r.sinter("s", "u") == {b"1"}
    assert r.sdiff("u", "s") == {b"2"}
    assert r.srandmember("u") in (b"1", b"2") and len(r.srandmember("u", -5)) == 5
    assert r.spop("u") in (b"1", b"2") and len(r.spop("u", 5)) == 1 and not r.exists("u")
    r.sadd("big", *range(1000))
    assert set(r.sscan_iter("big", count=50)) == {b"%d" % i for i in range(1000)}


@test
def sorted_sets(r):
    assert r.zadd("z", {"a": 1, "b": 2, "c": 2.5}) == 3 and r.zcard("z") == 3
    assert r.zadd("z", {"a": 5}, gt=True, ch=True) == 1 and r.zadd("z", {"a": 1}, incr=True) == 6.0
    assert r.zrange("z", 0, -1, withscores=True) == [(b"b", 2.0), (b"c", 2.5), (b"a", 6.0)]
    assert r.zrange("z", 6, 2, byscore=True, desc=True, offset=0, num=2) == [b"a", b"c"]
    assert r.zrange("z", "-inf", "(6", byscore=True) == [b"b", b"c"]
    assert r.zscore("z", "a") == 6.0 and r.zmscore("z", ["a", "q"]) == [6.0, None]
    assert r.zrank("z", "a") == 2 and r.zrevrank("z", "a") == 0 and r.zrank("z", "q") is None
    assert r.zincrby("z", 0.5, "b") == 2.5 and r.zcount("z", 2.5, "+inf") == 3
    assert r.zpopmin("z") == [(b"b", 2.5)] and r.zpopmax("z", 2) == [(b"a", 6.0), (b"c", 2.5)]
    r.zadd("lex", {"a": 0, "b": 0, "c": 0})
    assert r.zrange("lex", "[a", "(c", bylex=True) == [b"a", b"b"] and r.zrem("lex", "a") == 1
    r.zadd("big", {"m%d" % i: i for i in range(1000)})
    assert dict(r.zscan_iter("big")) == {b"m%d" % i: float(i) for i in range(1000)}


@test
def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for i in range(5000):
        pipe.set("p%d" % i, i).get("p%d" % i)
    replies = pipe.execute()
    assert replies[0::2] == [True] * 5000 and replies[1::2] == [b"%d" % i for i in range(5000)]
    pipe = r.pipeline(transaction=False).incr("n").lpush("n", 1).incr("n")
    replies = pipe.execute(raise_on_error=False)
    assert replies[0] == 1 and replies[2] == 2 and isinstance(replies[1], redis.ResponseError)
    assert set(r.scan_iter(match="p*", count=100)) == {b"p%d" % i for i in range(5000)}
    assert set(r.scan_iter(_type="list")) == set()


@test
def transactions_change_nothing(r):
    r.set("k", "before")
    pipe = r.pipeline(transaction=True).set("k", "after").incr("counter")
    raises(redis.ResponseError, "transactions are not supported", pipe.execute)
    assert r.get("k") == b"before" and r.get("counter") is None
    raises(redis.ResponseError, "DB index is out of range", connect(db=1).set, "k", "elsewhere")
    assert r.get("k") == b"before"


@test
def pool_and_threads(r):
    pool = redis.BlockingConnectionPool(host="127.0.0.1", port=PORT, max_connections=8, timeout=20)
    failures = []

    def work(number):
        mine = redis.Redis(connection_pool=pool)
        try:
            for i in range(100):
                mine.incr("total")
                assert mine.set("t%d" % number, i) and int(mine.get("t%d" % number)) == i
        except Exception as error:  # whatever it is, the main thread reports it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert int(r.get("total")) == 1600


@test
def survives_a_killed_connection(r):
    other = connect()
    other.ping()
    assert r.client_kill_filter(_id=other.client_id()) == 1
    assert other.ping() is True


@test
def pipeline_that_is_written_before_it_is_read(r):
    """redis-py sends the whole pipeline first. A server that stops to read until its replies are read never ends."""
    patient = connect(socket_timeout=60)
    value = b"v" * 1000
    patient.set("k", value)
    pipe = patient.pipeline(transaction=False)
    for _ in range(200000):
        pipe.get("k")
    replies = pipe.execute()
    assert len(replies) == 200000 and all(reply == value for reply in replies)
    large, larger = b"a" * (4 << 20), b"b" * (4 << 20)
    patient.mset({"a": large, "b": larger})
    pipe = patient.pipeline(transaction=False)
    assert pipe.get("a").get("b").set("a", larger).set("b", large).execute() == [large, larger, True, True]
    assert patient.get("a") == larger and patient.get("b") == large


@test
def server_commands(r):
    info = r.info()
    for field in ("redis_version", "used_memory", "connected_clients", "total_commands_processed",
                  "uptime_in_seconds", "maxmemory"):
        assert field in info, field
    assert "maxmemory" in r.config_get("maxmemory")
    assert r.object("encoding", "nokey") is None
    r.set("k", "v")
    assert r.memory_usage("k") > 0 and isinstance(r.object("refcount", "k"), int)
    assert r.command_count() > 80 and "get" in r.command()
    assert r.flushdb() and r.dbsize() == 0 and r.flushall()


@test
def decodes(r):
    text = connect(decode_responses=True)
    assert text.set("ключ", "значение") and text.get("ключ") == "значение"
    text.hset("h", mapping={"a": "1"})
    assert text.hgetall("h") == {"a": "1"}


def main():
    failed = 0
    for function in TESTS:
        client = connect()
        client.flushall()
        try:
            function(client)
            print("ok   " + function.__name__)
        except Exception:  # one test's failure does not hide the next
            failed += 1
            print("FAIL " + function.__name__)
            print("     " + traceback.format_exc().strip().replace("\n", "\n     "))
    print("%d passed, %d failed" % (len(TESTS) - failed, failed))
    return 1 if failed else 0


sys.exit(main())
