#!/usr/bin/env python3
"""How long 50 clients wait while the collector, expiry and table growth are at work.

usage: meanwhile.py [--heapd build/bin/heapd] [--rounds 5] [--requests 200000] [--port 7391] [--limit R]

redis-benchmark -c 50 -P 1 does SETs and GETs. Beside it, on the load's core too, one client sends a row of
commands every few milliseconds, in both kinds of rounds as many and as long:

    working  a pair of lists that refer to each other and lose their names; new names, of which one in two
             lives for a second and the others stay
    idle     a pair of lists of which one refers to the other, so that counting alone frees them; the same
             names again and again, without a time to live

Rounds of both kinds alternate; a row shows the medians of the 99th percentile, and their ratio. With --limit
the exit code says whether the ratios are at most that. Also printed: what the collector and expiry did in
the working rounds, so that a quiet heap is not taken for a gentle one.
"""
import argparse
import multiprocessing
import subprocess
import sys
import time

import results
import servers
from servers import LOAD_CORE, Connection, median

GOAL = 1.2  # the 99th percentile while the heap is at work, as a multiple of that without the work
ROW, PAUSE_S, NAMES, TTL_MS = 8, 0.002, 1000, 1000


def pair(cyclic):
    last = ("REF", "RPUSH", "w:a", "w:b") if cyclic else ("RPUSH", "w:a", "w:b")
    return [("RPUSH", "w:a", "payload-of-a"), ("REF", "RPUSH", "w:b", "w:a"), last, ("DEL", "w:a", "w:b")]


def names(i, working):
    if not working:
        return [("SET", f"w:{(2 * i) % NAMES:020d}", "v" * 32), ("SET", f"w:{(2 * i + 1) % NAMES:020d}", "v" * 32)]
    return [("SET", f"w:{2 * i:020d}", "v" * 32, "PX", str(TTL_MS)), ("SET", f"w:{2 * i + 1:020d}", "v" * 32)]


def work(port, working, began, first, sent):
    """Until it is killed."""
    connection = Connection(port)
    i = first
    began.set()
    while True:
        row = []
        for _ in range(ROW):
            row += pair(working) + names(i, working)
            i += 1
        connection.pipeline(row)
        sent.value = i
        time.sleep(PAUSE_S)


def p99_ms(port, requests):
    out = subprocess.run(["taskset", "-c", LOAD_CORE, "redis-benchmark", "-p", str(port), "-c", "50", "-n", str(requests), "-r",
                          "100000", "-d", "64", "-t", "set,get", "--csv"], capture_output=True, text=True, check=True)
    header, *rows = [line.strip('"').split('","') for line in out.stdout.splitlines() if line.startswith('"')]
    return {row[0]: float(row[header.index("p99_latency_ms")]) for row in rows}


def info(connection):
    return dict(line.split(":", 1) for line in connection.call("INFO", "everything").decode().splitlines() if ":" in line)


def a_round(server, working, requests, first):
    began, sent = multiprocessing.Event(), multiprocessing.Value("q", first)
    process = multiprocessing.Process(target=work, args=(server.port, working, began, first, sent), daemon=True)
    process.start()
    began.wait()
    waits = p99_ms(server.port, requests)
    if process.exitcode is not None:
        raise SystemExit("the client beside the load ended")
    process.kill()
    process.join()
    return waits, sent.value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--port", type=int, default=7391)
    parser.add_argument("--limit", type=float)
    options = results.parse(parser)
    server = servers.heapd(options.heapd, options.port)
    connection = Connection(server.port)
    idle, working, first, did = [], [], NAMES, {"gc_collected_objects": 0, "gc_trials": 0, "expired_keys": 0}
    p99_ms(server.port, options.requests)  # fills the keyspace
    for _ in range(options.rounds):
        idle.append(a_round(server, False, options.requests, 0)[0])
        before = info(connection)
        waits, first = a_round(server, True, options.requests, first)
        working.append(waits)
        after = info(connection)
        for field in did:
            did[field] += int(after[field]) - int(before[field])
    print(f"{'command':8s} {'p99 ms idle':>12s} {'working':>9s} {'ratio':>7s}")
    worst, figures = 0, results.Figures("meanwhile", options, "99th percentile of the waits in ms; the ratio is working / idle")
    for command in ("SET", "GET"):
        alone, beside = median([r[command] for r in idle]), median([r[command] for r in working])
        worst = max(worst, beside / alone)
        print(f"{command:8s} {alone:12.3f} {beside:9.3f} {beside / alone:7.2f}")
        figures.add(command, {"idle": round(alone, 3), "working": round(beside, 3)}, round(beside / alone, 2), GOAL)
    print(f"meanwhile {did['gc_collected_objects']} objects collected in {did['gc_trials']} trials, {did['expired_keys']} names "
          f"expired, {first - NAMES} names stayed; longest slice {after['gc_longest_slice_us']} us, longest step "
          f"{after['loop_longest_step_us']} us", flush=True)
    figures.save()
    server.stop()
    return options.limit is not None and worst > options.limit


if __name__ == "__main__":
    sys.exit(main())
