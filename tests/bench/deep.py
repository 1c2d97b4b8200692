#!/usr/bin/env python3
"""Frees a list and a tree of ten million containers: the longest step, and what memory stays resident.

usage: deep.py [--heapd build/bin/heapd] [--containers 10000000] [--only list,tree] [--off] [--port 7391]

Both are built by reference, one container a few commands: the list by pushing `a` into a new `b` that
is then renamed `a`, the tree (ten children a node) by pushing each finished subtree into its parent and
deleting its name. So every container has been a candidate, and the collector looks at what is being
built; --off disables it until the drop.

Printed: seconds to build and trials meanwhile; then, from the DEL on, seconds until nothing is left,
INFO's loop_longest_step_us (goal: 500), and resident memory less an empty server's (goal: 4 MiB or 2 %
of the peak). A recursion anywhere would end the server. Takes about 2 GiB.
"""
import argparse
import time

import results
import servers
from servers import Connection
from steps import MIB, STEP_US_MAX, info, left_bytes_max, settle

FAN_OUT = 10
BATCH_LEVEL = 3  # subtrees of this height go out in one piece
CHAIN_BATCH = 2000
BUFFER_SECONDS = 15  # the buffer of candidates is emptied by the next trial, which may have to rest


def chain_pieces(containers):
    """The requests and their replies, again and again the same."""
    requests = (Connection.encode("REF", "RPUSH", "b", "a") + Connection.encode("RENAME", "b", "a")) * CHAIN_BATCH
    replies = b":1\r\n+OK\r\n" * CHAIN_BATCH
    yield Connection.encode("RPUSH", "a", "x"), b":1\r\n"
    for _ in range(containers // CHAIN_BATCH):
        yield requests, replies


def join(level, nth):
    """Puts a finished subtree into its parent."""
    return (Connection.encode("REF", "RPUSH", f"l{level}", f"l{level - 1}") + Connection.encode("DEL", f"l{level - 1}"),
            b":%d\r\n:1\r\n" % nth)


def subtree(level):
    if level == 0:
        return Connection.encode("RPUSH", "l0", "x"), b":1\r\n"
    child = subtree(level - 1)
    joins = [join(level, nth) for nth in range(1, FAN_OUT + 1)]
    return b"".join(child[0] + j[0] for j in joins), b"".join(child[1] + j[1] for j in joins)


def tree_pieces(containers):
    piece = subtree(BATCH_LEVEL)
    size = sum(FAN_OUT ** i for i in range(BATCH_LEVEL + 1))
    count = 1
    while count * size < containers:
        count *= FAN_OUT
    for i in range(1, count + 1):
        yield piece
        level, done = BATCH_LEVEL, i
        while True:
            level += 1
            if FAN_OUT ** (level - BATCH_LEVEL) > count:
                break
            nth = (done - 1) % FAN_OUT + 1
            yield join(level, nth)
            if done % FAN_OUT:
                break
            done //= FAN_OUT
    yield Connection.encode("RENAME", f"l{level - 1}", "a"), b"+OK\r\n"


def play(connection, pieces):
    """Sends each piece before the replies to the one before it are read."""
    awaited = b""
    for requests, replies in pieces:
        connection.send(requests)
        expect(connection, awaited)
        awaited = replies
    expect(connection, awaited)


def expect(connection, replies):
    got = connection.file.read(len(replies))
    if got != replies:
        raise SystemExit(f"not the replies that were expected: {got[:200]!r}")


def measure(options, name, figures):
    server = servers.heapd(options.heapd, options.port)
    connection = Connection(server.port)
    info(connection)
    empty = server.rss_bytes()
    connection.call("GC", "DISABLE" if options.off else "ENABLE")
    start = time.perf_counter()
    play(connection, {"list": chain_pieces, "tree": tree_pieces}[name](options.containers))
    built = time.perf_counter() - start
    fields = info(connection)
    containers = int(fields["heap_containers"])
    print(f"{name}: {containers} containers built in {built:.0f} s, {fields['gc_trials']} trials meanwhile, "
          f"longest step {fields['loop_longest_step_us']} us", flush=True)
    connection.call("GC", "ENABLE")
    connection.call("CONFIG", "RESETSTAT")
    connection.call("DEL", "a")
    settled = settle(connection, server, seconds=120)
    peak = server.peak_bytes() - empty
    start = time.perf_counter()
    while server.rss_bytes() - empty > left_bytes_max(peak) and time.perf_counter() - start < BUFFER_SECONDS:
        time.sleep(0.1)
    waited = time.perf_counter() - start
    left, step = server.rss_bytes() - empty, int(info(connection)["loop_longest_step_us"])
    server.stop()
    shown = "never" if settled is None else f"{settled:.2f} s"
    print(f"  dropped: nothing left after {shown}; longest step {step} us; peak {peak / MIB:.0f} MiB; "
          f"left {left / MIB:.1f} MiB (at most {left_bytes_max(peak) / MIB:.1f}), {waited:.1f} s later", flush=True)
    good = containers >= options.containers and settled is not None and step <= STEP_US_MAX and left <= left_bytes_max(peak)
    figures.add(name, {"containers": containers, "built s": round(built), "trials meanwhile": int(fields["gc_trials"]),
                       "step while built us": int(fields["loop_longest_step_us"]), "settled s": settled and round(settled, 2),
                       "step us": step, "peak MiB": round(peak / MIB), "left MiB": round(left / MIB, 1),
                       "at most MiB": round(left_bytes_max(peak) / MIB, 1)}, met=good)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--containers", type=int, default=10_000_000)
    parser.add_argument("--only", default="list,tree")
    parser.add_argument("--off", action="store_true")
    parser.add_argument("--port", type=int, default=7391)
    options = results.parse(parser)
    figures = results.Figures("deep", options, "see the columns")
    good = all([measure(options, name, figures) for name in options.only.split(",")])
    figures.save()
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
