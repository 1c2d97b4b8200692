#!/usr/bin/env python3
"""What 999 connections wait while a thousandth does all it can, heapd beside redis-server.

usage: fair.py [--heapd build/bin/heapd] [--rounds 5] [--requests 200000] [--port 7391] [--limit R]

The 999 send a GET each, and the next when its reply is there (redis-benchmark -c 999). The heavy one
sends pipelines of 10,000 GETs, and sets and gets values of 1 MiB ten at a time, without a pause; it
sends from a file in memory and has its replies thrown away by the kernel (sendfile, MSG_TRUNC).

Both clients run on the load's core, and a heavy one that is served well takes up to half of that from
redis-benchmark, which then waits for itself. So it is compared with redis-benchmark beside a process
that only takes as much of the core as the heavy one did (idle share), not with redis-benchmark alone;
the latter is shown, too. Rounds alternate; a row shows the medians of the 99th percentile, and the
ratio of those beside the heavy one and beside the other. With --limit the exit code says whether
heapd's is at most that.
"""
import argparse
import multiprocessing
import os
import select
import socket
import subprocess
import sys
import time

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


def spin(share, ready):
    """Takes this part of a core, in turns of two milliseconds, until it is killed."""
    ready.set()
    while True:
        began = time.monotonic()
        while time.monotonic() - began < share * 0.002:
            pass
        time.sleep((1 - share) * 0.002)


def cpu_s(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e9


def p99_beside(server, requests, what, argument):
    """And what part of a core the other process took."""
    ready = multiprocessing.Event()
    process = multiprocessing.Process(target=what, args=(argument, ready), daemon=True)
    process.start()
    ready.wait()
    os.sched_setaffinity(process.pid, {int(LOAD_CORE)})
    used, began = cpu_s(process.pid), time.monotonic()
    p99 = p99_ms(server, requests)
    used, passed = cpu_s(process.pid) - used, time.monotonic() - began
    if process.exitcode is not None:
        raise SystemExit("the other process ended")
    process.kill()
    process.join()
    return p99, min(used / passed, 1)


def measure(server, requests):
    """Alone, beside the heavy one, beside one that only takes as much of the core; and how much that is."""
    alone = p99_ms(server, requests)
    beside, share = p99_beside(server, requests, heavy, server.port)
    spinning, _ = p99_beside(server, requests, spin, share)
    return alone, spinning, beside, share


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--port", type=int, default=7391, help="the first of two")
    parser.add_argument("--limit", type=float)
    options = parser.parse_args()
    ratios = {}
    print(f"{'server':8s} {'p99 ms alone':>13s} {'share':>6s} {'beside a spinner':>17s} {'beside the heavy':>17s} {'ratio':>6s}")
    for server in (servers.heapd(options.heapd, options.port), servers.redis(options.port + 1)):
        Connection(server.port).pipeline(("SET", f"key:{i:012d}", "x" * 64) for i in range(1000))
        rows = [measure(server, options.requests) for _ in range(options.rounds)]
        alone, spinning, beside, share = (median([r[i] for r in rows]) for i in range(4))
        ratios[server.name] = median([r[2] / r[1] for r in rows])
        print(f"{server.name:8s} {alone:13.2f} {share:6.2f} {spinning:17.2f} {beside:17.2f} {ratios[server.name]:6.2f}", flush=True)
    return options.limit is not None and ratios["heapd"] > options.limit


if __name__ == "__main__":
    sys.exit(main())
