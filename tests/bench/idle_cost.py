#!/usr/bin/env python3
"""Instructions per request with the collector on and off, for a load that creates no garbage cycles.

usage: idle_cost.py [--heapd build/bin/heapd] [--requests 100000] [--port 7391]

heapd runs under callgrind (valgrind has to be there, and the binary should be a Release build), four
times: with the collector enabled (as it is by default) and disabled, with a load of GET and SET on strings and
with none. The load is the same each time, a batch of 16 requests a turn, so the counts differ by next
to nothing between runs. Goal: at most 1 % more with the collector on.
"""
import argparse
import os
import tempfile

import results
import servers
from servers import Connection

GOAL = 1.01  # instructions with the collector on, as a multiple of those with it off
BATCH = 16
NAMES = 1000


def load(connection, requests):
    for first in range(0, requests, BATCH):
        batch = [("SET", f"name:{i % NAMES}", f"value:{i}") if i % 4 == 0 else ("GET", f"name:{i % NAMES}")
                 for i in range(first, first + BATCH)]
        connection.send(b"".join(Connection.encode(*args) for args in batch))
        for _ in batch:
            connection.read()


def instructions(options, collector, requests):
    """Of the whole run of one server."""
    folder = tempfile.mkdtemp(prefix="bench-callgrind-")
    out = os.path.join(folder, "out")
    server = servers.Server("heapd", ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                                      os.path.abspath(options.heapd), "--port", str(options.port), "--http-port", "0",
                                      "--bind", "127.0.0.1", "--hash-seed", "1f"], options.port, cwd=folder)
    connection = Connection(server.port)
    connection.call("GC", "ENABLE" if collector else "DISABLE")
    load(connection, requests)
    connection.send(Connection.encode("SHUTDOWN"))
    server.process.wait()
    with open(out) as f:
        total = next(int(line.split()[1]) for line in f if line.startswith(("summary:", "totals:")))
    server.stop()
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--port", type=int, default=7391)
    options = results.parse(parser)
    each = {}
    for collector in (True, False):
        idle = instructions(options, collector, 0)
        each[collector] = (instructions(options, collector, options.requests) - idle) / options.requests
        print(f"collector {'on' if collector else 'off'}: {each[collector]:.1f} instructions a request", flush=True)
    ratio = each[True] / each[False]
    print(f"on / off: {ratio:.4f}")
    figures = results.Figures("idle_cost", options, "instructions per request")
    figures.add("collector on / off", {"on": round(each[True], 1), "off": round(each[False], 1)}, round(ratio, 4), GOAL)
    figures.save()
    if ratio > GOAL:
        raise SystemExit("more than 1 % above")


if __name__ == "__main__":
    main()
