#!/usr/bin/env python3
"""What 999 connections wait while a thousandth does all it can, heapd beside redis-server.

usage: fair.py [--heapd build/bin/heapd] [--rounds 5] [--requests 200000] [--port 7391] [--limit R]

The 999 send a GET each, and the next when its reply is there (redis-benchmark -c 999). The heavy one
sends pipelines of 10,000 GETs, and sets and gets values of 1 MiB ten at a time, without a pause; it
runs beside redis-benchmark on the load's core, sends from a file in memory and has its replies thrown
away by the kernel (sendfile, MSG_TRUNC), so that it costs that core little. Rounds with and without it alternate; a row shows the medians of the 99th
percentile, and their ratio. With --limit the exit code says whether heapd's ratio is at most that.
"""
import argparse
import multiprocessing
import os
import select
import socket
import subprocess
import sys

import servers
from servers import LOAD_CORE, Connection, median

CLIENTS, PIPELINE, LARGE, LARGE_AT_ONCE = 999, 10_000, 1 << 20, 10


def heavy(port, ready):
    """Until it is killed."""
    small = Connection.encode("GET", "key:000000000001") * PIPELINE
    small_reply = len(b"$64\r\n\r\n") + 64
    large = Connection.encode("SET", "heavy", "x" * LARGE) + Connection.encode("GET", "heavy")
    large_reply = len(b"+OK\r\n") + len(b"$%d\r\n\r\n" % LARGE) + LARGE
    small, large = in_memory(small), in_memory(large * LARGE_AT_ONCE)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setblocking(False)
        ready.set()
        while True:
            exchange(connection, small, PIPELINE * small_reply)
            exchange(connection, large, LARGE_AT_ONCE * large_reply)


def in_memory(data):
    """A file without a name, and its size."""
    file = os.memfd_create("requests")
    with open(file, "wb", closefd=False) as out:
        out.write(data)
    return file, len(data)


def exchange(connection, requests, reply_bytes):
    """Sends and reads at the same time: neither side's buffers hold all of it."""
    file, left = requests
    sent, room = 0, bytearray(1 << 20)
    while left or reply_bytes:
        readable, writable, _ = select.select([connection], [connection] if left else [], [])
        if writable:
            n = os.sendfile(connection.fileno(), file, sent, min(left, 1 << 20))
            sent, left = sent + n, left - n
        if readable:
            n = connection.recv_into(room, len(room), socket.MSG_TRUNC)
            if n == 0:
                raise SystemExit("the heavy connection was closed")
            reply_bytes -= n


def p99_ms(server, requests):
    out = subprocess.run(["taskset", "-c", LOAD_CORE, "redis-benchmark", "-p", str(server.port), "-c", str(CLIENTS), "-n",
                          str(requests), "-r", "1000", "-t", "get", "--csv"], capture_output=True, text=True, check=True)
    names, row = [line.strip('"').split('","') for line in out.stdout.splitlines() if line.startswith('"')][-2:]
    return float(row[names.index("p99_latency_ms")])


def measure(server, requests):
    """Without the heavy one, and with."""
    alone = p99_ms(server, requests)
    ready = multiprocessing.Event()
    process = multiprocessing.Process(target=heavy, args=(server.port, ready), daemon=True)
    process.start()
    ready.wait()
    beside = p99_ms(server, requests)
    if process.exitcode is not None:
        raise SystemExit("the heavy connection ended")
    process.kill()
    process.join()
    return alone, beside


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--port", type=int, default=7391, help="the first of two")
    parser.add_argument("--limit", type=float)
    options = parser.parse_args()
    ratios = {}
    print(f"{'server':8s} {'p99 ms alone':>14s} {'p99 ms beside':>14s} {'ratio':>7s}")
    for server in (servers.heapd(options.heapd, options.port), servers.redis(options.port + 1)):
        Connection(server.port).pipeline(("SET", f"key:{i:012d}", "x" * 64) for i in range(1000))
        rows = [measure(server, options.requests) for _ in range(options.rounds)]
        alone, beside = median([r[0] for r in rows]), median([r[1] for r in rows])
        ratios[server.name] = beside / alone
        print(f"{server.name:8s} {alone:14.2f} {beside:14.2f} {beside / alone:7.2f}", flush=True)
    return options.limit is not None and ratios["heapd"] > options.limit


if __name__ == "__main__":
    sys.exit(main())
