#!/usr/bin/python3
"""Differential test: the same commands to Debian's redis-server and to heapd, replies compared.

Runs the broken input of rawcases.py, and for RESP2 and RESP3 the exact cases of cases.txt and
seeded random commands. At the first difference in the random part it looks for a short history that
shows it still, prints that, and ends with exit code 1. What heapd does otherwise on purpose stands
in differences.txt.

    diff.py --heapd build/bin/heapd
    diff.py --heapd redis-server --heapd-is-redis     # Redis against itself: must be clean
"""

import argparse
import os
import sys
import time

import compare
import gen
import ingredients
import resp
import servers
from engine import BATCH_MAX, Engine, Mismatch
from rawcases import RAW_CASES

HERE = os.path.dirname(os.path.abspath(__file__))
SEGMENT = 5000
CONTENTS_EVERY = 1000
SHRINK_S = 40.0
SHOWN_MAX = 60

READS = {
    "string": [b"GET"],
    "list": [b"LRANGE", b"0", b"-1"],
    "hash": [b"HGETALL"],
    "set": [b"SMEMBERS"],
    "zset": [b"ZRANGE", b"0", b"-1", b"WITHSCORES"],
}


def show_answer(answer):
    if answer is None:
        return "(no reply: the connection was closed)"
    return repr(answer[:400]) if isinstance(answer, bytes) else resp.show(answer)


class Report:
    """Prints differences and counts them."""

    def __init__(self, pair, limit):
        self.pair = pair
        self.limit = limit
        self.count = 0

    def full(self):
        return self.count >= self.limit

    def add(self, title, history, args, answers, note):
        self.count += 1
        print("\nDIFFERENCE %d: %s: %s" % (self.count, title, note))
        for line in history[-SHOWN_MAX:]:
            print("    " + resp.show_command(line)[:300])
        print("  > " + resp.show_command(args)[:300])
        for server, answer in zip(self.pair, answers):
            print("  %s: %s" % (server.name, show_answer(answer)))
            if not server.alive():
                print("  %s has ended, exit code %s; its last words:\n%s"
                      % (server.name, server.process.returncode, server.log_tail()))
        sys.stdout.flush()


def load_cases(path):
    """The paragraphs of cases.txt, each a list of commands."""
    cases = [[]]
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                cases.append([])
            elif not line.startswith("#"):
                cases[-1].append(resp.split_args(line))
    return [case for case in cases if case]


def run_cases(engine, report):
    """The exact cases; every difference is reported, not only the first of a case."""
    count = 0
    for case in load_cases(os.path.join(HERE, "cases.txt")):
        engine.restart()
        rest = 0
        while rest < len(case) and not report.full():
            try:
                engine.run(case[rest:])
                rest = len(case)
            except (Mismatch, servers.Gone) as found:
                at = rest + getattr(found, "index", 0)
                report.add("exact case, RESP%d" % engine.protocol, case[:at],
                           getattr(found, "command", case[at]), getattr(found, "answers", []),
                           str(found))
                if any(link.closed for link in engine.links) or isinstance(found, servers.Gone):
                    break
                rest = resume(engine, case, at + 1)
        count += len(case)
    engine.restart()
    return count


def resume(engine, case, at):
    """Brings both servers behind the first `at` commands of a case, whatever they reply."""
    engine.restart()
    servers.roundtrip(engine.links, case[:at])
    return at


def run_raw(pair, comparer, report):
    """Inline commands and broken protocol, each on its own connection."""
    for name, data in RAW_CASES:
        if report.full():
            break
        for server in pair:
            server.revive()
        first = servers.raw_answer(pair[0], data, 0, 0.06, 10)
        second = servers.raw_answer(pair[1], data, len(first[0]), 0.06, 10)
        if not comparer.same_raw(name, first, second):
            answers = [out + (b" and closed" if closed else b" and open")
                       for out, closed in (first, second)]
            report.add("raw bytes", [], [name.encode(), data[:200]], answers, "the answers differ")
    return len(RAW_CASES)


def read_all(types):
    """Commands that read every key in full."""
    ops = [[b"KEYS", b"*"], [b"DBSIZE"]]
    for key, kind in types.items():
        ops += [[b"TYPE", key], [b"PTTL", key]]
        if kind in READS:
            read = READS[kind]
            ops.append([read[0], key] + read[1:])
    return ops


class Shrinker:
    """Looks for a short history that still makes a difference (ddmin), within a time."""

    def __init__(self, engine):
        self.engine = engine
        self.deadline = time.monotonic() + SHRINK_S
        self.tries = 0
        self.found = None

    def fails(self, ops):
        """Whether these commands, from empty, make a difference; notes the first one."""
        self.tries += 1
        try:
            self.engine.restart()
            self.engine.run(ops)
        except Mismatch as found:
            self.found = found
            return True
        except servers.Gone as gone:
            self.found = Mismatch(len(ops) - 1, ops[-1], [None, None], str(gone))
            for server in self.engine.pair[1:]:
                server.kill()
            return True
        return False

    def shrink(self, ops):
        """The shortest failing history found, or None when the history does not fail again."""
        if not self.fails(ops):
            return None
        ops = ops[:self.found.index + 1]
        best = self.found
        chunk = max(1, len(ops) // 2)
        while True:
            at, changed = 0, False
            while at < len(ops) and time.monotonic() < self.deadline:
                fewer = ops[:at] + ops[at + chunk:]
                if fewer and self.fails(fewer):
                    best, ops, changed = self.found, fewer[:self.found.index + 1], True
                else:
                    at += chunk
            if time.monotonic() >= self.deadline or (chunk == 1 and not changed):
                break
            chunk = max(1, chunk // 2)
        best.index = min(best.index, len(ops) - 1)
        return ops, best


def report_random(engine, report, history, found, title):
    shrinker = Shrinker(engine)
    result = shrinker.shrink(history)
    if result is None:
        title += ", did not show again from the same %d commands" % len(history)
        report.add(title, history[:-1], found.command, found.answers, str(found))
    else:
        ops, best = result
        title += ", %d of %d commands after %d tries" % (len(ops), len(history), shrinker.tries)
        shown = ops[:best.index + (ops[best.index] != best.command)]
        report.add(title, shown, best.command, best.answers, str(best))
    engine.restart()


def run_random(engine, report, seed, commands, only):
    """Random commands, in segments that begin with an empty keyspace."""
    source = gen.Gen(seed, only)
    title = "seed %d, RESP%d" % (seed, engine.protocol)
    done = 0
    while done < commands and not report.full():
        engine.restart()
        source.types = {}
        history = []
        try:
            while len(history) < SEGMENT and done + len(history) < commands:
                source.types = engine.types(ingredients.KEYS)
                batch = [source.command() for _ in range(BATCH_MAX)]
                if len(history) % CONTENTS_EVERY >= CONTENTS_EVERY - BATCH_MAX:
                    batch += read_all(engine.types(ingredients.ALL_KEYS))
                start = len(history)
                history += batch
                engine.run(batch)
        except Mismatch as found:
            del history[start + found.index + 1:]
            report_random(engine, report, history, found, title)
        except servers.Gone as gone:
            engine.pair[1].kill()
            found = Mismatch(0, history[-1], [None, None], str(gone))
            report_random(engine, report, history, found, title)
        done += len(history)
    return done


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--heapd", required=True, help="path of heapd")
    parser.add_argument("--heapd-is-redis", action="store_true",
                        help="the second server is Redis, too")
    parser.add_argument("--redis", default="redis-server", help="path of redis-server")
    parser.add_argument("--commands", type=int, default=200000, help="random commands a protocol")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resp", choices=["2", "3", "both"], default="both")
    parser.add_argument("--only", help="families of the random part: " + ", ".join(gen.FAMILIES))
    parser.add_argument("--parts", default="cases,raw,random", help="what to run")
    parser.add_argument("--differences", type=int, default=1, dest="limit",
                        help="go on until so many are found (exact cases: at least 100)")
    parser.add_argument("--ports", help="first-last: take ports from this range only")
    parser.add_argument("--spoil", choices=sorted(SPOILERS), help=argparse.SUPPRESS)
    return parser.parse_args()


def spoil_linsert(args):
    if args[0].upper() == b"LINSERT" and len(args) > 2:
        return args[:2] + [b"AFTER"] + args[3:]
    return args


def spoil_ch(args):
    if args[0].upper() == b"ZADD":
        return [arg for arg in args if arg.upper() != b"CH"]
    return args


def spoil_spop(args):
    """A server that forgets to remove what it popped."""
    if args[0].upper() == b"SPOP":
        return [b"SRANDMEMBER"] + args[1:]
    return args


def spoil_persist(args):
    return [b"TTL"] + args[1:] if args[0].upper() == b"PERSIST" else args


def spoil_trim(args):
    """A server that takes -2 for -1, in one command."""
    if args[0].upper() == b"LTRIM" and args[-1] == b"-2":
        return args[:-1] + [b"-1"]
    return args


def spoil_hash(args):
    """A server that loses a field when many are set at once."""
    return args[:-2] if args[0].upper() == b"HSET" and len(args) > 200 else args


def spoil_rank(args):
    return [b"ZRANK"] + args[1:] if args[0].upper() == b"ZREVRANK" else args


def spoil_vanish(args):
    """A server that ends in the middle of a pipeline."""
    return [b"SHUTDOWN", b"NOSAVE"] if args[0].upper() == b"LINSERT" else args


SPOILERS = {"linsert": spoil_linsert, "ch": spoil_ch, "spop": spoil_spop, "persist": spoil_persist,
            "ltrim": spoil_trim, "hash": spoil_hash, "rank": spoil_rank,
            "vanish": spoil_vanish}


def main():
    options = parse_arguments()
    ports = None
    if options.ports:
        first, _, last = options.ports.partition("-")
        ports = range(int(first), int(last) + 1)
    second = "redis-2" if options.heapd_is_redis else "heapd"
    pair = [servers.Server("redis", options.redis, True, ports),
            servers.Server(second, options.heapd, options.heapd_is_redis, ports)]
    if options.spoil:
        pair[1].spoil = SPOILERS[options.spoil]
    comparer = compare.Comparer(compare.load_rules(os.path.join(HERE, "differences.txt")))
    report = Report(pair, options.limit)
    started = time.monotonic()
    count = 0
    try:
        for server in pair:
            server.start()
        count = run_parts(options, pair, comparer, report)
    finally:
        codes = [server.stop() for server in pair]
    for server, code in zip(pair, codes):
        if code != 0:
            report.add("at the end", [], [b"SIGTERM"], [],
                       "%s ended with exit code %d" % (server.name, code))
            print(server.log_tail())
    for name, times in sorted(comparer.used.items()):
        print("diff: rule %s held %d times" % (name, times))
    print("diff: seed %d, %.1f s" % (options.seed, time.monotonic() - started))
    print("diff: %d commands compared, %d difference%s"
          % (count, report.count, "" if report.count == 1 else "s"))
    return 1 if report.count else 0


def run_parts(options, pair, comparer, report):
    parts = options.parts.split(",")
    only = options.only.split(",") if options.only else None
    count = 0
    limit = report.limit
    report.limit = max(limit, 100)
    protocols = [2, 3] if options.resp == "both" else [int(options.resp)]
    engines = [Engine(pair, protocol, comparer) for protocol in protocols]
    if "raw" in parts:
        count += run_raw(pair, comparer, report)
    if "cases" in parts:
        for engine in engines:
            count += run_cases(engine, report)
            engine.close()
    report.limit = report.count + limit
    if "random" in parts:
        for engine in engines:
            count += run_random(engine, report, options.seed, options.commands, only)
            engine.close()
    return count


if __name__ == "__main__":
    sys.exit(main())
