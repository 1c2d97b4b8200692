#!/usr/bin/env python3
"""The effect of poll-gap-us (net/pace.h) on CPU, throughput and latency, by the number of clients.

usage: pace.py [--heapd build/bin/heapd] [--rounds 5] [--port 7391]

redis-benchmark sends INCR, from one client to 200 and at pipeline 1 and 16, to heapd with poll-gap-us 0, to heapd as it is, and
to redis-server, in turn. A row shows the medians of the rounds. The clients share one core, so that many of them are slower
than the server: that is where it waits.
"""
import argparse
import subprocess

import results
import servers
from servers import LOAD_CORE, median

LOADS = [(1, 1, 40_000), (4, 1, 100_000), (16, 1, 100_000), (50, 1, 150_000), (200, 1, 150_000), (50, 16, 1_000_000)]
KEYS = 300_000


def drive(server, clients, pipeline, requests):
    """CPU us a request, requests per second, p50 and p99 in us."""
    before = server.cpu_s()
    out = subprocess.run(["taskset", "-c", LOAD_CORE, "redis-benchmark", "-p", str(server.port), "-c", str(clients), "-n", str(requests),
                          "-P", str(pipeline), "-r", str(KEYS), "-t", "incr", "--csv"], capture_output=True, text=True, check=True)
    cpu_us = (server.cpu_s() - before) / requests * 1e6
    header, row = [line.strip('"').split('","') for line in out.stdout.splitlines() if line.startswith('"')]
    at = {name: float(value) for name, value in zip(header[1:], row[1:])}
    return cpu_us, at["rps"], at["p50_latency_ms"] * 1000, at["p99_latency_ms"] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, default=7391, help="the first of three")
    options = results.parse(parser)
    started = [("never waits", servers.heapd(options.heapd, options.port, "--poll-gap-us", "0")),
               ("heapd", servers.heapd(options.heapd, options.port + 1)), ("redis", servers.redis(options.port + 2))]
    for _, server in started:
        servers.Connection(server.port).pipeline(("INCR", f"counter:{i:012d}") for i in range(KEYS))
    print(f"{'clients':>7s} {'pipeline':>8s} {'server':12s} {'CPU us/req':>10s} {'req/s':>9s} {'p50 us':>7s} {'p99 us':>7s}")
    figures = results.Figures("pace", options, "see the columns")
    for clients, pipeline, requests in LOADS:
        rounds = [[drive(server, clients, pipeline, requests) for _, server in started] for _ in range(options.rounds)]
        for i, (name, _) in enumerate(started):
            cpu_us, rps, p50, p99 = (median([r[i][k] for r in rounds]) for k in range(4))
            print(f"{clients:7d} {pipeline:8d} {name:12s} {cpu_us:10.2f} {rps:9.0f} {p50:7.0f} {p99:7.0f}", flush=True)
            figures.add(f"{clients} clients, pipeline {pipeline}, {name}",
                        {"CPU us/req": round(cpu_us, 2), "req/s": round(rps), "p50 us": round(p50), "p99 us": round(p99)})
    figures.save()
    for _, server in started:
        server.stop()


if __name__ == "__main__":
    main()
