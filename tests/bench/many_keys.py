#!/usr/bin/env python3
"""GET and SET over more names than the CPU caches hold, heapd beside redis-server, in turn, in one run.

usage: many_keys.py [--heapd build/bin/heapd] [--keys 10000000] [--rounds 3] [--requests 3000000] [--port 7391]

Both servers are filled with the same names, each bound to a text of 64 bytes of its own. Every row
then draws its names from all of them, so that hardly any request finds its bucket, its entry or its
value in a cache: what is measured is how a server waits for memory. CPU per request and requests
per second as in speed.py. Ten million names take 2 GiB in each server, and a minute to load.
"""
import argparse

import results
import servers
from servers import median
from speed import drive

BATCH = 10_000
GOALS = {"set-p16": 0.50, "set-p64": 0.50, "get-p16": 0.50, "get-p64": 0.50}  # CPU per request, heapd / redis-server


def fill(server, keys):
    """Names as redis-benchmark writes them. The requests of a batch go out in one piece."""
    connection = servers.Connection(server.port)
    for first in range(0, keys, BATCH):
        last = min(first + BATCH, keys)
        connection.send(b"".join(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$64\r\n%s%012d\r\n" % (i, b"x" * 52, i)
                                 for i in range(first, last)))
        if connection.file.read(5 * (last - first)) != b"+OK\r\n" * (last - first):
            raise SystemExit(f"{server.name}: a SET was not answered with OK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=3_000_000)
    parser.add_argument("--port", type=int, default=7391, help="the first of two")
    options = results.parse(parser)
    pair = servers.heapd(options.heapd, options.port), servers.redis(options.port + 1)
    for server in pair:
        fill(server, options.keys)
    drawn = ["-r", str(options.keys)]
    work = {"set": [*drawn, "set", "key:__rand_int__", "x" * 52 + "__rand_int__"], "get": [*drawn, "-t", "get"]}
    print(f"{'work':10s} {'heapd us/req':>12s} {'redis us/req':>12s} {'cpu ratio':>10s} {'rps ratio':>10s}")
    figures = results.Figures("many_keys", options, "CPU per request, heapd / redis-server")
    for name, arguments in work.items():
        for pipeline in (16, 64):
            rows = [[drive(server, options.requests, pipeline, arguments) for server in pair]
                    for _ in range(options.rounds)]
            cpu = [median([row[i][1] for row in rows]) for i in (0, 1)]
            ratio = median([ours[1] / theirs[1] for ours, theirs in rows])
            faster = median([ours[0] / theirs[0] for ours, theirs in rows])
            print(f"{name}-p{pipeline:<5d} {cpu[0]:12.3f} {cpu[1]:12.3f} {ratio:10.2f} {faster:10.2f}", flush=True)
            figures.add(f"{name}-p{pipeline}", {"heapd us/req": round(cpu[0], 3), "redis us/req": round(cpu[1], 3),
                                                "requests/s ratio": round(faster, 2)},
                        round(ratio, 2), GOALS[f"{name}-p{pipeline}"])
    figures.save()


if __name__ == "__main__":
    main()
