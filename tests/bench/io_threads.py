#!/usr/bin/env python3
"""What I/O threads take off the heap's thread, and how far that can go.

usage: io_threads.py [--heapd build/bin/heapd] [--rounds 3] [--port 7391] [--only NAME,...]

The same load drives heapd with `io-threads 1` and with 2, in turn. The kernel says what each thread
used: of two, one is the heap's and does nothing but execute requests, the other reads, parses and
writes. From that follow, per row,

    limit      requests per second of the heap's thread with a core of its own: 1 s / its CPU per request
    keep busy  how many other threads it takes to bring it so many: their CPU per request / its own

All threads share one core, and the load has the other, so no row shows the throughput of more
cores: this machine may not have them. What a cache that is shared between cores costs is not in the
figures either.
"""
import argparse
import os
import subprocess

import servers
from servers import LOAD_CORE, median
from speed import KEYS, SET, prefill

#        name          requests   pipeline  arguments
WORK = [("get-p1",       150_000,  1, [*KEYS, "-t", "get"]),
        ("get-p1-c500",  150_000,  1, ["-c", "500", *KEYS, "-t", "get"]),
        ("set-p1",       150_000,  1, SET),
        ("get-p16",    1_500_000, 16, [*KEYS, "-t", "get"]),
        ("set-p16",    1_500_000, 16, SET),
        ("hset-p16",   1_000_000, 16, [*KEYS, "-t", "hset"]),
        ("zadd-p16",     500_000, 16, [*KEYS, "-t", "zadd"]),
        ("get-p64",    3_000_000, 64, [*KEYS, "-t", "get"]),
        ("get-64k-p1",    30_000,  1, ["get", "large"])]


def cpu_us(server):
    """CPU so far: of the heap's thread, of all others."""
    heap = others = 0
    for task in os.listdir(f"/proc/{server.pid}/task"):
        with open(f"/proc/{server.pid}/task/{task}/schedstat") as f:
            used = int(f.read().split()[0]) / 1000
        if int(task) == server.pid:
            heap = used
        else:
            others += used
    return heap, others


def drive(server, requests, pipeline, arguments):
    before = cpu_us(server)
    subprocess.run(["taskset", "-c", LOAD_CORE, "redis-benchmark", "-p", str(server.port), "-c", "50", "-n",
                    str(requests), "-P", str(pipeline), "--csv", *arguments], capture_output=True, check=True)
    after = cpu_us(server)
    return (after[0] - before[0]) / requests, (after[1] - before[1]) / requests


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--port", type=int, default=7391, help="the first of two")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    wanted = set(filter(None, options.only.split(",")))
    one = servers.heapd(options.heapd, options.port)
    two = servers.heapd(options.heapd, options.port + 1, "--io-threads", "2")
    for server in (one, two):
        prefill(server)
    print("| work | one thread | heap's of two | the other | heap / one | both / one | limit | keep busy |\n"
          "|---|---|---|---|---|---|---|---|")
    for name, requests, pipeline, arguments in WORK:
        if wanted and name not in wanted:
            continue
        rows = [(drive(one, requests, pipeline, arguments)[0], *drive(two, requests, pipeline, arguments))
                for _ in range(options.rounds)]
        alone, heap, other = (median([row[i] for row in rows]) for i in range(3))
        ratio = median([row[1] / row[0] for row in rows])
        both = median([(row[1] + row[2]) / row[0] for row in rows])
        print(f"| {name} | {alone:.2f} us | {heap:.2f} us | {other:.2f} us | {ratio:.2f} | {both:.2f} "
              f"| {1e6 / heap / 1e6:.1f} M/s | {other / heap:.1f} |", flush=True)


if __name__ == "__main__":
    main()
