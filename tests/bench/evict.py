#!/usr/bin/env python3
"""maxmemory: the quality of eviction, its cost, and how far memory goes beyond the limit.

usage: evict.py [--heapd build/bin/heapd] [--only NAME,...] [--scale 1.0] [--port 7391]

hits   A cache: names are asked for with Zipf's frequencies, and set where they are missing, under
       each policy. Beside the share of hits stands what a cache of as many names would have that
       always drops the one that was used longest ago, to the very request.
load   SETs of values of 100 bytes under fresh names, four times what fits: CPU of the server, and the
       most that was used beyond the limit between two pipelines of 64.
small-for-big   The memory is full of tiny names; then values of 1 MiB are set, in pipelines of eight
       on each of four connections. The most that was used beyond the limit, and the longest step.
"""
import argparse
import bisect
import collections
import itertools
import random
import threading
import time

import results
import servers
from pauses import info
from servers import Connection

MIB = 1 << 20
LIMIT = 32 * MIB
BATCH = 64


def both(options, *extra):
    yield servers.heapd(options.heapd, options.port, *extra)
    yield servers.redis(options.port + 1, *extra)


def used(connection):
    return int(info(connection)["used_memory"])


# --- hits ---------------------------------------------------------------------------------------

def zipf(names, requests, seed):
    """Request numbers; the names' ranks are shuffled, so that nothing follows from their spelling."""
    draw = random.Random(seed)
    sums = list(itertools.accumulate(1 / rank for rank in range(1, names + 1)))
    shuffled = draw.sample(range(names), names)
    return [shuffled[bisect.bisect_left(sums, draw.random() * sums[-1])] for _ in range(requests)]


def hits_of_exact_lru(requests, capacity):
    cache, hits = collections.OrderedDict(), 0
    for name in requests:
        if name in cache:
            cache.move_to_end(name)
            hits += 1
        else:
            cache[name] = None
            if len(cache) > capacity:
                cache.popitem(last=False)
    return hits / len(requests)


def hits(connection, requests):
    """The share of hits of a cache that is filled on a miss."""
    found = 0
    for first in range(0, len(requests), BATCH):
        names = requests[first:first + BATCH]
        connection.send(b"".join(Connection.encode("GET", f"name:{n}") for n in names))
        missing = [n for n in names if connection.read() is None]
        found += len(names) - len(missing)
        connection.send(b"".join(Connection.encode("SET", f"name:{n}", f"{n:0100d}") for n in missing))
        for _ in missing:
            if connection.read() != b"OK":
                raise SystemExit("a SET was refused")
    return found / len(requests)


def measure_hits(options):
    names, count = int(100_000 * options.scale), int(1_500_000 * options.scale)
    requests = zipf(names, count, 1)
    figures = results.Figures("evict-hits", options, "share of hits")
    print("\n| policy | server | names kept | hits | exact LRU of as many |\n|---|---|---|---|---|")
    for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random"):
        for server in both(options, "--maxmemory-policy", policy):
            connection = Connection(server.port)
            connection.call("CONFIG", "SET", "maxmemory", used(connection) + int(4 * MIB * options.scale))
            share = hits(connection, requests)
            kept = connection.call("DBSIZE")
            server.stop()
            exact = hits_of_exact_lru(requests, kept)
            print(f"| {policy} | {server.name} | {kept} | {share:.4f} | {exact:.4f} |", flush=True)
            figures.add(f"{policy}, {server.name}", {"names kept": kept, "hits": round(share, 4), "exact LRU of as many": round(exact, 4)})
    figures.save()


# --- load ---------------------------------------------------------------------------------------

def measure_load(options):
    figures = results.Figures("evict-load", options, "see the columns")
    print("\n| policy | server | CPU s | evicted | most beyond the limit | longest step |\n|---|---|---|---|---|---|")
    for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl"):
        extra = ("EX", 1000) if policy == "volatile-ttl" else ()
        for server in both(options, "--maxmemory", str(LIMIT), "--maxmemory-policy", policy):
            connection = Connection(server.port)
            watcher = Connection(server.port)
            before, most = server.cpu_s(), 0
            for first in range(0, int(1_200_000 * options.scale), BATCH):
                connection.send(b"".join(Connection.encode("SET", f"name:{n}", f"{n:0100d}", *extra)
                                         for n in range(first, first + BATCH)))
                if not all(connection.read() == b"OK" for _ in range(BATCH)):
                    raise SystemExit("a SET was refused")
                if first % (64 * BATCH) == 0:
                    most = max(most, used(watcher) - LIMIT)
            took, fields = server.cpu_s() - before, info(watcher)
            server.stop()
            print(f"| {policy} | {server.name} | {took:.2f} | {fields['evicted_keys']} | {most / 1024:.0f} KiB "
                  f"| {fields.get('loop_longest_step_us', '-')} us |", flush=True)
            figures.add(f"{policy}, {server.name}",
                        {"CPU s": round(took, 2), "evicted": int(fields["evicted_keys"]), "KiB beyond the limit": most // 1024,
                         "longest step us": fields.get("loop_longest_step_us")})
    figures.save()


# --- small for big ------------------------------------------------------------------------------

def measure_small_for_big(options):
    figures = results.Figures("evict-small-for-big", options, "see the columns")
    print("\n| server | values set | most beyond the limit | longest step |\n|---|---|---|---|")
    for server in both(options, "--maxmemory", str(LIMIT), "--maxmemory-policy", "allkeys-random"):
        watcher = Connection(server.port)
        Connection(server.port).pipeline(("SET", f"n{i}", i) for i in range(1_200_000))
        watcher.call("CONFIG", "RESETSTAT")
        rounds, value = max(1, int(8 * options.scale)), b"x" * MIB

        def write(number):
            Connection(server.port).pipeline((("SET", f"big:{number}:{i}", value + b"%d" % i) for i in range(8 * rounds)), batch=8)
        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        most = 0
        while any(writer.is_alive() for writer in writers):
            most = max(most, used(watcher) - LIMIT)
            time.sleep(0.0005)
        fields = info(watcher)
        server.stop()
        print(f"| {server.name} | {32 * rounds} | {most / MIB:.1f} MiB "
              f"| {fields.get('loop_longest_step_us', '-')} us |", flush=True)
        figures.add(server.name, {"values set": 32 * rounds, "MiB beyond the limit": round(most / MIB, 1),
                                  "longest step us": fields.get("loop_longest_step_us")})
    figures.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--only", default="")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--port", type=int, default=7391)
    options = results.parse(parser)
    parts = {"hits": measure_hits, "load": measure_load, "small-for-big": measure_small_for_big}
    for name in filter(None, options.only.split(",")) if options.only else parts:
        parts[name](options)


if __name__ == "__main__":
    main()
