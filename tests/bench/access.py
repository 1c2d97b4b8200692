#!/usr/bin/env python3
"""Instructions per request on packed and shaped containers, beside the same data in its plain form.

usage: access.py [--heapd build/bin/heapd] [--before BIN] [--only TEXT,...]

Method: callgrind counts what RUN executes, which reads requests, runs them and writes their replies, with
all that it calls, the C library too; timers and system calls depend on the machine's load and are left
out. One connection sends pipelines of four, which callgrind runs within the time that a connection gets
at once; elements are drawn at random. A row runs with some requests and with twice as many, so that what
loading cost falls out, and so does once with the limits as they are and once with limits of 0, under
which every container has its plain form. With --before the plain form is another build's, from before
there was any other: it is started without those limits. Needs valgrind.
"""
import argparse
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile

import results
from instructions import batch, connect, free_port

RUN, PIPELINE = "requests_run*", 4  # net/requests.c; the linker adds to the name of what it has optimized
CONTAINERS, REQUESTS = 20, 4000
PLAIN = ("--list-max-listpack-size", "0", "--hash-max-listpack-entries", "0", "--set-max-intset-entries", "0",
         "--set-max-listpack-entries", "0", "--zset-max-listpack-entries", "0")
FIELDS = ["name", "email", "city", "plan", "age", "visits", "created_at", "language", "score", "team"]


def goal(request):
    """At most so many times the instructions of the plain form: the two that scan for their element get more."""
    return 1.5 if request.startswith(("LINDEX", "ZSCORE")) else 1.1


def word(i):
    return f"{random.Random(i).randrange(1 << 40):010x}"


def integers(n):
    return [str(i) for i in random.Random(n).sample(range(10**6), n)]


def sadd(members):
    return lambda key: ("SADD", key, *members)


def record(fields):
    return lambda key: ("HSET", key, *(part for i, field in enumerate(fields) for part in (field, word(i))))


def words(n):
    return [word(i) for i in range(n)]


def own_fields(n):
    """Fields that no other hash has."""
    return lambda key: ("HSET", key, *(part for i in range(n) for part in (f"{key}:{word(i)}", word(i + n))))


def cases():
    """A row's name, what makes a container of this key, and a request for one of its elements."""
    for n in (50, 512):
        yield (f"SISMEMBER, {n} integers", sadd(integers(n)),
               lambda rnd, key, all=integers(n): ("SISMEMBER", key, rnd.choice(all)))
    for n in (10, 30, 128):
        yield (f"SISMEMBER, {n} strings", sadd(words(n)),
               lambda rnd, key, all=words(n): ("SISMEMBER", key, rnd.choice(all)))
    for n in (50, 128):
        yield (f"LINDEX, {n} elements", lambda key, n=n: ("RPUSH", key, *words(n)),
               lambda rnd, key, n=n: ("LINDEX", key, str(rnd.randrange(n))))
    for n in (20, 128):
        yield (f"ZSCORE, {n} members",
               lambda key, n=n: ("ZADD", key, *(part for i in range(n) for part in (str(i * 7919 % 10**6), word(i)))),
               lambda rnd, key, all=words(n): ("ZSCORE", key, rnd.choice(all)))
    yield ("HGET, 10 shared fields", record(FIELDS), lambda rnd, key: ("HGET", key, rnd.choice(FIELDS)))
    yield ("HSET, 10 shared fields", record(FIELDS),
           lambda rnd, key: ("HSET", key, rnd.choice(FIELDS), word(rnd.randrange(1000))))
    for n in (10, 50):
        yield (f"HGET, {n} fields of its own", own_fields(n),
               lambda rnd, key, n=n: ("HGET", key, f"{key}:{word(rnd.randrange(n))}"))
        yield (f"HSET, {n} fields of its own", own_fields(n),
               lambda rnd, key, n=n: ("HSET", key, f"{key}:{word(rnd.randrange(n))}", word(rnd.randrange(1000))))


def total(path):
    return int(re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.MULTILINE).group(1))


def run(heapd, options, make, ask, requests):
    rnd, keys = random.Random(7), [f"container:{i:04d}" for i in range(CONTAINERS)]
    with tempfile.TemporaryDirectory() as folder:
        out, port = pathlib.Path(folder) / "out", free_port()
        process = subprocess.Popen(
            ["valgrind", "-q", "--tool=callgrind", f"--toggle-collect={RUN}", f"--callgrind-out-file={out}", heapd,
             "--port", str(port), "--http-port", "0", "--bind", "127.0.0.1", "--hash-seed", "1f", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(port, process) as connection:
                batch(connection, [make(key) for key in keys])
                for _ in range(requests // PIPELINE):
                    batch(connection, [ask(rnd, rnd.choice(keys)) for _ in range(PIPELINE)])
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)
        finally:
            process.kill()
            process.wait()
        return total(out)


def per_request(heapd, options, make, ask):
    once, twice = (run(heapd, options, make, ask, n) for n in (REQUESTS, 2 * REQUESTS))
    if once == 0:
        raise SystemExit(f"callgrind has not met {RUN}")
    return (twice - once) / REQUESTS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--before", help="another build, whose containers are all plain")
    parser.add_argument("--only", default="", help="rows whose names hold one of these")
    options = results.parse(parser)
    if not shutil.which("valgrind"):
        raise SystemExit("access.py needs valgrind")
    heapd = str(pathlib.Path(options.heapd).resolve())
    before, limits = (str(pathlib.Path(options.before).resolve()), ()) if options.before else (heapd, PLAIN)
    wanted = list(filter(None, options.only.split(",")))
    print(f"{'request':28s} {'plain':>6s} {'packed':>6s} {'ratio':>6s}")
    figures = results.Figures("access", options, "instructions per request")
    for name, make, ask in cases():
        if wanted and not any(text in name for text in wanted):
            continue
        plain = per_request(before, limits, make, ask)
        packed = per_request(heapd, (), make, ask)
        print(f"{name:28s} {plain:6.0f} {packed:6.0f} {packed / plain:6.2f}", flush=True)
        figures.add(name, {"plain": round(plain), "packed": round(packed)}, round(packed / plain, 2), goal(name))
    figures.save()


if __name__ == "__main__":
    main()
