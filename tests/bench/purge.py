#!/usr/bin/env python3
"""How much memory returns to the system after half of the names are deleted, MEMORY PURGE and FLUSHALL.

usage: purge.py [--heapd build/bin/heapd] [--only NAME,...] [--port PORT] [--background]

For each data set of memory.py: it is loaded, a random half of the names is deleted, MEMORY PURGE answers. The
resident memory is then compared with that of a fresh server that got the remaining half alone (goal: at most
1.25 times as much; `added` is the same without what an empty server takes). After that FLUSHALL: what the
process keeps above an empty server's, beside what it may: 4 MiB or 2 % of the peak.

memory-waste-percent is 0, so that MEMORY PURGE has all to do; with --background it is what a server begins with,
and the column `deleted` shows what has been given back before anybody asked.
"""
import argparse
import random
import time

import debian
import memory
import results
import servers

MIB = 1 << 20
GOAL = 1.25  # purged / fresh, both without what an empty server takes


def names_of(commands):
    return list(dict.fromkeys(command[1] for command in commands if command[0] not in ("REF", "DEL")))


def reached(packages, names):
    """The packages that the references keep alive when only these names are left."""
    alive, stack = set(), [name for name in names]
    while stack:
        name = stack.pop()
        if name not in alive:
            alive.add(name)
            stack.extend(debian.edges(packages[name], packages))
    return alive


def referring(gone):
    """The remaining half of debian-references: what the names left refer to is there without names."""
    packages = debian.load()
    alive = reached(packages, [name for name in packages if "pkg:" + name not in gone])
    yield from debian.commands({name: packages[name] for name in packages if name in alive}, references=True)
    for name in alive:
        if "pkg:" + name in gone:
            yield ("DEL", "pkg:" + name)


def settled(server):
    """Resident memory when what is stepped has come to rest."""
    last, now = -1, server.rss_bytes()
    while last != now:
        time.sleep(0.5)
        last, now = now, server.rss_bytes()
    return now


def measure(name, data, binary, port, settings, figures):
    server = servers.heapd(binary, port, *settings)
    empty = settled(server)
    client = servers.Connection(port)
    client.pipeline(data(random.Random(7)))
    full = settled(server)
    names = names_of(data(random.Random(7)))
    gone = set(random.Random(8).sample(names, len(names) // 2))
    client.pipeline(("DEL", key) for key in names if key in gone)
    deleted = settled(server)
    began = time.monotonic()
    client.call("MEMORY", "PURGE")
    took = time.monotonic() - began
    purged = settled(server)
    longest = next(line for line in client.call("INFO").split(b"\r\n") if b"loop_longest_step_us" in line)
    client.call("FLUSHALL")
    flushed = settled(server)
    peak = server.peak_bytes()
    server.stop()

    server = servers.heapd(binary, port, *settings)
    settled(server)
    half = referring(gone) if name == "debian-references" else \
        (command for command in data(random.Random(7)) if command[1] not in gone)
    servers.Connection(port).pipeline(half)
    fresh = settled(server)
    server.stop()
    may = max(4 * MIB, peak // 50)
    print(f"{name:18s} {full / MIB:8.1f} {deleted / MIB:8.1f} {purged / MIB:8.1f} {fresh / MIB:8.1f} "
          f"{purged / fresh:6.2f} {(purged - empty) / (fresh - empty):6.2f} {took:7.2f} "
          f"{int(longest.split(b':')[1]) / 1000:8.2f} {(flushed - empty) / MIB:8.1f} {may / MIB:5.1f}", flush=True)
    figures.add(name, {"full": round(full / MIB, 1), "deleted": round(deleted / MIB, 1), "purged": round(purged / MIB, 1),
                       "fresh": round(fresh / MIB, 1), "PURGE s": round(took, 2), "left by FLUSHALL": round((flushed - empty) / MIB, 1),
                       "at most": round(may / MIB, 1)}, round((purged - empty) / (fresh - empty), 2), GOAL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--only", default="")
    parser.add_argument("--port", type=int, default=7391)
    parser.add_argument("--background", action="store_true")
    options = results.parse(parser)
    settings = [] if options.background else ["--memory-waste-percent", "0"]
    wanted = set(filter(None, options.only.split(",")))
    print(f"{'data, MiB':18s} {'full':>8s} {'deleted':>8s} {'purged':>8s} {'fresh':>8s} {'ratio':>6s} {'added':>6s} "
          f"{'took s':>7s} {'step ms':>8s} {'flushed':>8s} {'may':>5s}")
    figures = results.Figures("purge", options, "MiB of resident memory; the ratio is purged / fresh, less an empty server")
    for name, ours, _ in memory.DATA_SETS:
        if not wanted or name in wanted:
            measure(name, ours, options.heapd, options.port, settings, figures)
    figures.save()


if __name__ == "__main__":
    main()
