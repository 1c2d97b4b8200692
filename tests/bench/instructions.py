#!/usr/bin/env python3
"""Goal: no request costs more instructions than it did, by more than five in a hundred.

usage: instructions.py [--write] [--build DIR] [--heapd BIN]

Method: callgrind counts what a Release build executes for one connection's pipelines of sixteen. Each
command runs twice, with some requests and with twice as many, and the difference excludes starting
and loading. Only heapd's own code is counted: what the C library does depends on the processor. Reads and
writes go through libuv, which every system has, and io_uring not. Time goes slower for it (slow_clock.c),
as its code does, so that no deadline passes in the middle of a pipeline. Counts repeat from run to run,
on a busy machine, too, and from machine to machine (with the same compiler); times do not.

instructions.txt beside this script holds the counts. --write writes it anew, which belongs into the
commit that changes them on purpose. The Release build lies in DIR, and is brought up to date first,
unless BIN is given. Needs valgrind and a C compiler.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
KEPT = HERE / "instructions.txt"
HEAD = """# Instructions of heapd's own code for one request, in pipelines of sixteen (callgrind, Release build).
# Written by instructions.py --write; a test fails when one rises by more than 5 %.
"""
PIPELINE, PIPELINES, NAMES, TOLERANCE = 16, 500, 1000, 0.05
NAMES_MANY = 20000  # a heap that is larger than what command/prefetch leaves to the cache


def text(i):
    """Sixty-four bytes that no other request has: what repeats is kept once, which has a row of its own."""
    return f"{i:016d}" * 4


# How the i-th request of each command reads; before it is counted every name is there.
COMMANDS = {
    "GET": lambda i: ("GET", f"key:{i % NAMES:012d}"),
    "GET-many": lambda i: ("GET", f"key:{i % NAMES_MANY:012d}"),
    "SET": lambda i: ("SET", f"key:{i % NAMES:012d}", text(i)),
    "SET-same": lambda i: ("SET", f"key:{i % NAMES:012d}", text(i % 10)),
    "LPUSH": lambda i: ("LPUSH", "list", f"element-{i:08d}"),
    "HSET": lambda i: ("HSET", f"hash:{i % NAMES:012d}", f"field-{i % 3}", text(i)),
    "ZADD": lambda i: ("ZADD", "zset", str(i * 7919 % 100003), f"member:{i % NAMES:012d}"),
}


def encode(*args):
    parts = [a.encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, process):
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=120)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("heapd did not start under valgrind")


def batch(connection, requests):
    """One write, and all of its replies: none of these commands answers with more than one item."""
    connection.sendall(b"".join(encode(*r) for r in requests))
    lines, rest = 0, b""
    for _ in requests:
        while b"\r\n" not in rest:
            rest += connection.recv(1 << 16)
        line, rest = rest.split(b"\r\n", 1)
        if line[:1] == b"-":
            raise SystemExit(f"heapd answers {line.decode()}")
        if line[:1] == b"$" and line != b"$-1":
            while len(rest) < int(line[1:]) + 2:
                rest += connection.recv(1 << 16)
            rest = rest[int(line[1:]) + 2:]
        lines += 1
    return lines


def own_instructions(path, binary):
    """The self cost of everything that lies in the binary's own object file, from callgrind's output."""
    names, own, total, inclusive = {}, False, 0, False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("ob="):
            number, name = re.match(r"ob=(\(\d+\))(?: (.*))?", line).groups()
            names[number] = name if name else names[number]
            own = names[number] == binary
        elif line.startswith("cob="):
            number, name = re.match(r"cob=(\(\d+\))(?: (.*))?", line).groups()
            names[number] = name if name else names[number]
        elif line.startswith("calls="):
            inclusive = True
        elif re.match(r"[0-9+*-]", line):
            if own and not inclusive:
                total += int((line.split() + ["0"])[1])  # a cost of zero is left out
            inclusive = False
    return total


def slow_clock(folder):
    made = str(pathlib.Path(folder) / "slow_clock.so")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", made, str(HERE / "slow_clock.c")],
                   check=True)
    return made


def load_of(request):
    """What is there before requests are counted: a command, and how often."""
    if request is COMMANDS["GET-many"]:
        return lambda i: ("SET", f"key:{i:012d}", text(i)), NAMES_MANY
    return (COMMANDS["SET"] if request is COMMANDS["GET"] else request), NAMES


def count(heapd, request, pipelines):
    with tempfile.TemporaryDirectory() as folder:
        out, port = pathlib.Path(folder) / "out", free_port()
        environment = dict(os.environ, LD_PRELOAD=slow_clock(folder))
        process = subprocess.Popen(
            ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", heapd, "--port", str(port),
             "--http-port", "0", "--bind", "127.0.0.1", "--hash-seed", "1f", "--io-uring", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        try:
            with connect(port, process) as connection:
                load, names = load_of(request)
                for i in range(0, names, 100):
                    batch(connection, [load(j) for j in range(i, i + 100)])
                for i in range(names, names + pipelines * PIPELINE, PIPELINE):
                    batch(connection, [request(j) for j in range(i, i + PIPELINE)])
            process.send_signal(signal.SIGTERM)
            if process.wait(timeout=120) != 0:
                raise SystemExit(f"heapd ended with {process.returncode}")
        finally:
            process.kill()
            process.wait()
        return own_instructions(out, heapd)


def build(folder):
    root, program = HERE.parents[1], pathlib.Path(folder) / "bin" / "heapd"
    new = not (pathlib.Path(folder) / "CMakeCache.txt").exists()
    maker = ["-G", "Ninja"] if new and not shutil.which("make") else []
    for command in (["cmake", "-S", str(root), "-B", folder, "-DCMAKE_BUILD_TYPE=Release", "-DHEAPD_SANITIZE=OFF",
                     "-DHEAPD_TESTS=OFF", *maker],
                    ["cmake", "--build", folder, "--target", "heapd", "-j", str(os.cpu_count() or 1)]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit(done.stdout)
    return str(program.resolve())


def kept():
    rows = (line.split() for line in KEPT.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {row[0]: int(row[1]) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--build", default=str(HERE.parents[1] / "build-release"))
    parser.add_argument("--heapd")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        raise SystemExit("instructions.py needs valgrind")
    heapd = str(pathlib.Path(options.heapd).resolve()) if options.heapd else build(options.build)
    counts = {}
    for name, request in COMMANDS.items():
        once, twice = count(heapd, request, PIPELINES), count(heapd, request, 2 * PIPELINES)
        counts[name] = round((twice - once) / (PIPELINES * PIPELINE))
    if options.write:
        KEPT.write_text(HEAD + "".join(f"{name} {n}\n" for name, n in counts.items()), encoding="utf-8")
        return 0
    risen = False
    for name, before in kept().items():
        ratio = counts[name] / before
        risen |= ratio > 1 + TOLERANCE
        print(f"{name:8s} {counts[name]:6d}  was {before:6d}  {ratio - 1:+.1%}{'  too many' if ratio > 1 + TOLERANCE else ''}")
    if not risen and any(counts[name] < before * (1 - TOLERANCE) for name, before in kept().items()):
        print("fewer than kept: instructions.py --write keeps it so")
    return 1 if risen else 0


if __name__ == "__main__":
    sys.exit(main())
