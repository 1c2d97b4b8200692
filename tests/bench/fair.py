#!/usr/bin/env python3
"""How long 999 connections wait for a GET beside one that sends as much as it can, heapd beside redis-server.

usage: fair.py [--heapd build/bin/heapd] [--clients build/bin/many_clients] [--rounds 5] [--requests 400000]
               [--port 7391] [--limit R]

The 999 connections each send a GET and send the next when its reply has come (many_clients.c). The heavy client
sends pipelines of 10,000 GETs, and sets and gets values of 1 MiB ten at a time, without a pause. Both run on the
load's core, so the heavy client saves CPU: it sends from a file in memory (sendfile) and lets the kernel discard its
replies (MSG_TRUNC). `load` is the part of that core that many_clients used beside it, `heavy` the part it used itself.

Rounds alternate. A row shows the medians of the 99th percentile and of the longest wait; `ratio` is the 99th
percentile beside the heavy client, divided by that without it. With --limit the exit code is 1 when heapd's ratio is
above the limit.
"""
import argparse
import multiprocessing
import os
import select
import socket
import subprocess
import sys
import time

import results
import servers
from servers import LOAD_CORE, Connection, median

GOAL = 1.5  # the 99th percentile beside the heavy client, as a multiple of that without it
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


def waits(program, server, requests):
    """The 99th percentile and the longest, in ms, and the part of the core that it took to find out."""
    out = subprocess.run(["taskset", "-c", LOAD_CORE, program, str(server.port), str(CLIENTS), str(requests)],
                         capture_output=True, text=True, check=True)
    _, _, p99, longest, share = map(float, out.stdout.split())
    return p99, longest, share


def cpu_s(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e9


def waits_beside_heavy(program, server, requests):
    """And what part of the core the heavy one took."""
    ready = multiprocessing.Event()
    process = multiprocessing.Process(target=heavy, args=(server.port, ready), daemon=True)
    process.start()
    ready.wait()
    used, began = cpu_s(process.pid), time.monotonic()
    result = waits(program, server, requests)
    used, passed = cpu_s(process.pid) - used, time.monotonic() - began
    if process.exitcode is not None:
        raise SystemExit("the heavy client ended")
    process.kill()
    process.join()
    return *result, used / passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--clients", default="build/bin/many_clients")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400_000)
    parser.add_argument("--port", type=int, default=7391, help="the first of two")
    parser.add_argument("--limit", type=float)
    options = results.parse(parser)
    ratios, figures = {}, results.Figures("fair", options, "ms")
    print(f"{'server':8s} {'p99 ms alone':>13s} {'longest':>8s} {'beside the heavy':>17s} {'longest':>8s} {'load':>5s} {'heavy':>6s} {'ratio':>6s}")
    for server in (servers.heapd(options.heapd, options.port), servers.redis(options.port + 1)):
        Connection(server.port).pipeline(("SET", f"key:{i:012d}", "x" * 64) for i in range(1000))
        alone, beside = [], []
        for _ in range(options.rounds):
            alone.append(waits(options.clients, server, options.requests))
            beside.append(waits_beside_heavy(options.clients, server, options.requests))
        p99, longest, _ = (median(column) for column in zip(*alone))
        p99_beside, longest_beside, load, share = (median(column) for column in zip(*beside))
        ratios[server.name] = p99_beside / p99
        print(f"{server.name:8s} {p99:13.2f} {longest:8.1f} {p99_beside:17.2f} {longest_beside:8.1f} {load:5.2f} {share:6.2f} "
              f"{ratios[server.name]:6.2f}", flush=True)
        figures.add(server.name, {"p99 alone": round(p99, 1), "longest alone": round(longest, 1),
                                  "p99 beside the heavy client": round(p99_beside, 1), "longest beside it": round(longest_beside, 1)},
                    round(ratios[server.name], 2), GOAL if server.name == "heapd" else None)
    figures.save()
    return options.limit is not None and ratios["heapd"] > options.limit


if __name__ == "__main__":
    sys.exit(main())
