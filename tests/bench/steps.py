#!/usr/bin/env python3
"""How long the longest step is when large values are freed, and how much memory stays resident.

usage: steps.py [--heapd build/bin/heapd] [--only NAME,...] [--scale 1.0] [--rounds 1] [--port 7391]

row        what happens after the heap was built
list       DEL of a list of 5 million strings
hash       DEL of a hash of 2 million fields
zset       DEL of a sorted set of 2 million members
names      4 million names are made and deleted again: their table grows and shrinks
flushall   FLUSHALL of 10 million names, each bound to a string, and of 10 million strings in lists
expire     a million names expire in one second
handles    a connection that holds a million handles closes
blocks     DEL of 16 strings of 64 MiB

Every row has a server of its own. "step" is INFO's loop_longest_step_us from then on: the longest of
all that the server did beside commands, in CPU time of its thread, in the best of the rounds (some of a
machine's stalls leak into that clock). "command" is the longest time that
one of the commands took (a batch of 64 where there are millions), seen from the client. "settled"
is when nothing is left to free and resident memory was lowest; "left" is resident memory a second later, less an empty server's.
"""
import argparse
import time

import results
import servers
from servers import Connection
from pauses import info

MIB = 1 << 20
STEP_US_MAX = 500


def left_bytes_max(peak_bytes):
    return max(4 * MIB, peak_bytes * 2 // 100)


def exchange(connection, data, lines):
    """Sends requests whose replies are so many lines in all; an error reply ends the run."""
    connection.send(data)
    read, seen = connection.file.readline, 0
    while seen < lines:
        line = read()
        if not line or line[:1] == b"-":
            raise SystemExit(f"not the reply that was expected: {line!r}")
        seen += 1


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text)


def fill(connection, command, key, arguments, per_element, elements, batch=1000):
    """One container, by commands of `batch` elements."""
    head = b"*%d\r\n" % (2 + batch * per_element) + bulk(command) + bulk(key)
    for first in range(0, elements, batch):
        exchange(connection, head + b"".join(map(arguments, range(first, first + batch))), 1)


def element(i):
    return b"$20\r\nelement-%012d\r\n" % i


def set_names(connection, names, batch=64, extra=b"", words=3, longest=None):
    head = b"*%d\r\n$3\r\nSET\r\n" % words
    for first in range(0, names, batch):
        data = b"".join(head + b"$16\r\nname%012d\r\n$16\r\nvalue%011d\r\n" % (i, i) + extra
                        for i in range(first, first + batch))
        start = time.perf_counter()
        exchange(connection, data, batch)
        if longest is not None:
            longest.append(time.perf_counter() - start)


def settle(connection, server, seconds=60):
    """Waits until nothing is left to free and resident memory has not fallen for a second (the allocator gives pages back half a
    second after they became free); the seconds until it was that low."""
    start = time.perf_counter()
    settled, least = None, None
    while time.perf_counter() - start < seconds:
        fields = info(connection)
        done = not any(int(fields[kind]) for kind in ("heap_objects", "heap_names", "heap_handles", "heap_release_pending_objects",
                                                      "heap_release_pending_names", "mem_waiting_to_unmap_bytes"))
        now, resident = time.perf_counter() - start, server.rss_bytes()
        if not done or settled is None or resident < least:
            settled, least = now, resident
        elif now - settled > 1:
            return settled
        time.sleep(0.05)
    return None


def build_list(connection, n):
    fill(connection, b"RPUSH", b"big", element, 1, n(5_000_000))
    return lambda: [timed(connection, "DEL", "big")]


def build_hash(connection, n):
    fill(connection, b"HSET", b"big", lambda i: element(i) + b"$12\r\n%012d\r\n" % i, 2, n(2_000_000))
    return lambda: [timed(connection, "DEL", "big")]


def build_zset(connection, n):
    fill(connection, b"ZADD", b"big", lambda i: b"$12\r\n%012d\r\n" % (i * 7919 % 1_000_003) + element(i), 2, n(2_000_000))
    return lambda: [timed(connection, "DEL", "big")]


def build_names(connection, n):
    def work():
        took, names, batch = [], n(4_000_000), 64
        set_names(connection, names, batch, longest=took)
        for first in range(0, names, batch):
            data = b"*%d\r\n$3\r\nDEL\r\n" % (batch + 1) + b"".join(b"$16\r\nname%012d\r\n" % i for i in range(first, first + batch))
            start = time.perf_counter()
            exchange(connection, data, 1)
            took.append(time.perf_counter() - start)
        return took
    return work


def build_flushall(connection, n):
    set_names(connection, n(10_000_000), batch=1000)
    for i in range(10):
        fill(connection, b"RPUSH", b"list:%d" % i, element, 1, n(1_000_000))
    return lambda: [timed(connection, "FLUSHALL")]


def build_expire(connection, n):
    when = int(time.time() + 6 + 10 * n(1_000_000) / 1_000_000) * 1000
    set_names(connection, n(1_000_000), batch=1000, extra=bulk(b"PXAT") + bulk(b"%d" % when), words=5)

    def work():
        if time.time() * 1000 >= when:
            raise SystemExit("expire: it took too long to make the names")
        time.sleep(max(0, when / 1000 - time.time()))
        return [timed(connection, "PING")]
    return work


def build_handles(connection, n):
    fill(connection, b"RPUSH", b"big", element, 1, n(1_000_000))
    holder = Connection(connection.socket.getpeername()[1])
    for first in range(0, n(1_000_000), 1000):
        exchange(holder, Connection.encode("REF", "LRANGE", "big", first, first + 999), 2001)

    def work():
        connection.call("DEL", "big")
        holder.file.close()
        holder.socket.close()
        return [timed(connection, "PING")]
    return work


def build_blocks(connection, n):
    for i in range(n(16)):
        connection.call("SETRANGE", f"block:{i}", 64 * MIB - 1, "x")
    return lambda: [timed(connection, "DEL", *(f"block:{i}" for i in range(n(16))))]


ROWS = {"list": build_list, "hash": build_hash, "zset": build_zset, "names": build_names, "flushall": build_flushall,
        "expire": build_expire, "handles": build_handles, "blocks": build_blocks}


def timed(connection, *args):
    start = time.perf_counter()
    reply = connection.call(*args)
    if isinstance(reply, RuntimeError):
        raise SystemExit(f"{args[0]}: {reply}")
    return time.perf_counter() - start


def measure(options, name):
    server = servers.heapd(options.heapd, options.port)
    connection = Connection(server.port)
    info(connection)
    empty = server.rss_bytes()
    scaled = lambda count: max(1000, int(count * options.scale) // 1000 * 1000) if count >= 1000 else count
    work = ROWS[name](connection, scaled)
    connection.call("CONFIG", "RESETSTAT")
    took = max(work())
    settled = settle(connection, server)
    time.sleep(0.2)
    step = int(info(connection)["loop_longest_step_us"])
    left, peak = server.rss_bytes() - empty, server.peak_bytes() - empty
    server.stop()
    return step, took, settled, peak, left


def show(name, rounds, figures):
    """The last round, with the shortest of the longest steps."""
    _, took, settled, peak, left = rounds[-1]
    step = min(r[0] for r in rounds)
    good = step <= STEP_US_MAX and left <= left_bytes_max(peak) and settled is not None
    shown = "never" if settled is None else f"{settled:.2f} s"
    print(f"| {name} | {step} us | {took * 1000:.2f} ms | {shown} | {peak / MIB:.0f} MiB | {left / MIB:.1f} MiB "
          f"| {left_bytes_max(peak) / MIB:.1f} MiB | {'yes' if good else 'NO'} |", flush=True)
    figures.add(name, {"longest step us": step, "command ms": round(took * 1000, 2), "settled s": settled and round(settled, 2),
                       "peak MiB": round(peak / MIB), "left MiB": round(left / MIB, 1),
                       "at most MiB": round(left_bytes_max(peak) / MIB, 1)}, met=good)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--only", default="")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--port", type=int, default=7391)
    options = results.parse(parser)
    print("| row | step | command | settled | peak | left | at most | within |\n|---|---|---|---|---|---|---|---|", flush=True)
    wanted = list(filter(None, options.only.split(","))) or list(ROWS)
    figures = results.Figures("steps", options, "see the columns")
    good = all([show(name, [measure(options, name) for _ in range(options.rounds)], figures) for name in wanted])
    figures.save()
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
