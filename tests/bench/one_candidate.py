#!/usr/bin/env python3
"""Checks that a trial of one candidate does not enter the large live graph that it refers to.

usage: one_candidate.py [--heapd build/bin/heapd] [--nodes 3000,300000,3000000] [--candidates 5000] [--port 7391]

A random graph (two references a node) of each size keeps all its names. Then one object without a
name, which refers to itself and to 16 of the nodes, is held and let go again and again, so that it
is a candidate each time, and GC COLLECT tries it. Printed: trials, what the last one reached, and the
collector's CPU for each. The goal: a trial reaches one object, and the CPU does not grow with the
graph (at most twice that of the smallest: the nodes that the candidate refers to may then be in no
cache).
"""
import argparse
import random

import results
import servers
from servers import Connection
from pauses import info

REFERENCES = 16
GOAL = 2  # the CPU of a trial, as a multiple of that in the smallest graph
BATCH = 1000


def build(connection, nodes):
    """Every node is a list of two others; all are made first."""
    connection.pipeline((("RPUSH", f"n:{i}", "x") for i in range(nodes)), batch=BATCH)
    rnd = random.Random(1)
    connection.pipeline((("REF", "RPUSH", f"n:{i}", f"n:{rnd.randrange(nodes)}", f"n:{rnd.randrange(nodes)}")
                         for i in range(nodes)), batch=BATCH)


def candidate(connection, nodes):
    """An object that only itself and a list with a name hold."""
    handle = connection.call("REF", "NEW", "list")
    connection.call("REF", "RPUSH", handle, handle, *(f"n:{i}" for i in range(0, nodes, nodes // REFERENCES)))
    connection.call("REF", "RPUSH", "keeper", handle)
    connection.call("RELEASE", handle)
    return handle


def measure(options, nodes):
    server = servers.heapd(options.heapd, options.port)
    connection = Connection(server.port)
    connection.call("GC", "DISABLE")
    build(connection, nodes)
    handle = candidate(connection, nodes)
    connection.call("GC", "ENABLE")
    connection.call("GC", "COLLECT")
    connection.call("CONFIG", "RESETSTAT")
    for _ in range(options.candidates):
        connection.call("REF", "LINDEX", "keeper", 0)
        connection.call("RELEASE", handle)
        connection.call("GC", "COLLECT")
    fields = info(connection)
    trials, cpu_us, reached = int(fields["gc_trials"]), int(fields["gc_cpu_us"]), int(fields["gc_last_reached"])
    print(f"{nodes} nodes: {fields['heap_containers']} containers, {trials} trials, the last reached {reached} and "
          f"condemned {fields['gc_last_condemned']}; {cpu_us * 1000 / max(1, trials):.0f} ns of the collector's CPU each", flush=True)
    server.stop()
    return reached, cpu_us / max(1, trials), trials


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--nodes", default="3000,300000,3000000")
    parser.add_argument("--candidates", type=int, default=5_000)
    parser.add_argument("--port", type=int, default=7391)
    options = results.parse(parser)
    sizes = options.nodes.split(",")
    measured = [measure(options, int(nodes)) for nodes in sizes]
    smallest = measured[0][1]
    figures = results.Figures("one_candidate", options, "ns of the collector's CPU per trial; the ratio is to the smallest graph")
    for nodes, (reached, each, trials) in zip(sizes, measured):
        figures.add(f"{nodes} nodes", {"trials": trials, "objects reached": reached, "ns per trial": round(each * 1000)},
                    round(each / smallest, 2), GOAL)
    figures.save()
    if any(reached > 1 or each > GOAL * smallest for reached, each, _ in measured):
        raise SystemExit("the cost grows with the graph")


if __name__ == "__main__":
    main()
