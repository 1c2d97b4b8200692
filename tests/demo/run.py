#!/usr/bin/env python3
"""Goal: the tour's figures are those of the index itself, and it ends well however it ends.

Method: this file reads the same index with its own parser and computes by its own means how many
packages, dependencies and circles there are, what the chosen package reaches, and what counting
cannot free; then it compares with the summary that the tour wrote, whose figures are the server's.
The indexes: the part that the repository carries, all that apt-cache has (where it has the lists),
small ones with everything odd in them, and random ones. Then the ways in which the tour may fail.

usage: run.py --heapd BIN --tour BIN
"""
import argparse
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

EXTRACT = pathlib.Path(__file__).resolve().parents[2] / "examples" / "packages.txt"
KINDS = (b"Depends", b"Pre-Depends", b"Recommends", b"Suggests")
LISTS_PACKAGES_MIN = 5000  # fewer are not Debian's lists, and the tour does not take them
TOUR_TIMEOUT_S = 200
HEAPD = TOUR = None
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


# --- the index, computed again --------------------------------------------------------------------


def parse(data):
    """{name: {field: value}}: the first record of a package, the last field of a name."""
    packages = {}
    for block in re.split(rb"\n\n+", data):
        fields, last = {}, None
        for line in block.split(b"\n"):
            if not line:
                continue
            if line[:1] in b" \t":
                if last is not None:
                    fields[last] += b"\n" + line.strip()
            else:
                last, _, value = line.partition(b":")
                fields[last] = value.strip()
        if b"Package" in fields:
            packages.setdefault(fields[b"Package"], fields)
    return packages


def graph_of(packages):
    graph = {}
    for name, fields in packages.items():
        alternatives = re.split(rb"[,|]", b",".join(fields.get(kind, b"") for kind in KINDS))
        names = (re.match(rb"\s*([a-z0-9.+-]+)", alternative) for alternative in alternatives)
        graph[name] = list(dict.fromkeys(match[1] for match in names if match and match[1] in packages))
    return graph


def reach(graph, seeds):
    seen, todo = set(seeds), list(seeds)
    while todo:
        for target in graph[todo.pop()]:
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def postorder(graph):
    order, seen = [], set()
    for root in graph:
        if root in seen:
            continue
        seen.add(root)
        path = [(root, iter(graph[root]))]
        while path:
            target = next((t for t in path[-1][1] if t not in seen), None)
            if target is None:
                order.append(path.pop()[0])
            else:
                seen.add(target)
                path.append((target, iter(graph[target])))
    return order


def circles_of(graph):
    """Kosaraju's way (the tour goes Tarjan's): on the turned graph, in the reverse of the postorder."""
    turned = {name: [] for name in graph}
    for name, targets in graph.items():
        for target in targets:
            turned[target].append(name)
    circles, done = [], set()
    for root in reversed(postorder(graph)):
        if root in done:
            continue
        done.add(root)
        members, todo = [root], [root]
        while todo:
            for source in turned[todo.pop()]:
                if source not in done:
                    done.add(source)
                    members.append(source)
                    todo.append(source)
        if len(members) > 1 or root in graph[root]:
            circles.append(members)
    return circles


def hashes(graph, names):
    """A hash for each package, and one for the dependencies of each that has some."""
    return len(names) + sum(1 for name in names if graph[name])


def expected_summary(data, chosen):
    """What the tour must find, once it has chosen a package and a popular one."""
    packages = parse(data)
    graph = graph_of(packages)
    circles = circles_of(graph)
    on_circles = {name for members in circles for name in members}
    root, popular = chosen["root"].encode(), chosen["popular"].encode()
    dependents = dict.fromkeys(graph, 0)
    for targets in graph.values():
        for target in targets:
            dependents[target] += 1
    assert dependents[popular] == max(dependents.values()), f"{popular} is not the most popular"
    record_bytes = {name: sum(map(len, (*fields, *fields.values()))) for name, fields in packages.items()}
    kept = reach(graph, [root])
    held = reach(graph, kept & on_circles)
    return {
        "packages": len(packages),
        "fields": sum(map(len, packages.values())),
        "dependencies": sum(map(len, graph.values())),
        "packages_with_dependencies": sum(1 for targets in graph.values() if targets),
        "cycles": len(circles),
        "cycle_packages": len(on_circles),
        "largest_cycle": max(map(len, circles), default=0),
        "copied_bytes": sum(count * record_bytes[name] for name, count in dependents.items()),
        "popular_refcount": dependents[popular] + 1,
        "reachable": len(kept),
        "reachable_on_cycles": len(kept & on_circles),
        "hashes_loaded": len(packages),
        "hashes_linked": hashes(graph, graph),
        "hashes_kept": hashes(graph, kept),
        "hashes_left_by_counting": hashes(graph, held),
        "objects_end": 0,
        "names_end": 0,
    }, graph


# --- the tour --------------------------------------------------------------------------------------


def run_tour(*arguments, env=None):
    return subprocess.run([TOUR, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                          timeout=TOUR_TIMEOUT_S, env={**os.environ, **(env or {})})


def take_tour(*arguments, env=None):
    """The summary and the text of a tour that must go well."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "summary"
        done = run_tour("--summary", path, *arguments, env=env)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stderr.strip()}\n{done.stdout[-2000:]}"
        assert not done.stderr, f"on standard error: {done.stderr.strip()}"
        return dict(line.split(" ", 1) for line in path.read_text().splitlines()), done.stdout


def compare(data, summary, text):
    expected, graph = expected_summary(data, summary)
    wrong = {key: (value, summary.get(key)) for key, value in expected.items() if summary.get(key) != str(value)}
    assert not wrong, f"computed, told by the tour: {wrong}"
    # The collector's part: what lies on a circle for certain, and never more than counting left.
    collected = int(summary["collected"])
    assert 2 * expected["reachable_on_cycles"] <= collected <= expected["hashes_left_by_counting"], collected
    path = [summary[key].encode() for key in ("path0", "path1", "path2") if key in summary]
    assert path[0].decode() == summary["root"], path
    assert all(b in graph[a] for a, b in zip(path, path[1:])), f"no such path: {path}"
    for key in "packages", "fields", "dependencies", "reachable", "hashes_kept", "hashes_left_by_counting":
        assert f"{expected[key]:,}" in text, f"{key} {expected[key]:,} is not told"
    return expected


def take_and_compare(data, *arguments):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return compare(data, *take_tour("--heapd", HEAPD, "--file", file.name, *arguments))


def fails(done, code, *words):
    """Ended with this code and one line on standard error that has these words."""
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.stderr}"
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and all(word in lines[0] for word in words), done.stderr


# Handed to the server: ./test --epoll.
MORE = os.environ.get("HEAPD_TEST_ARGUMENTS", "").split()


@contextlib.contextmanager
def server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([HEAPD, "--port", str(port), "--http-port", "0", "--loglevel", "warning",
                                *MORE])
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=20)
                break
            except OSError:
                assert time.monotonic() < deadline and process.poll() is None, "heapd does not serve"
                time.sleep(0.02)
        with connection:
            yield port, connection
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, "heapd did not exit with 0"


# --- checks ----------------------------------------------------------------------------------------


@check
def carried_part():
    """The part of the index that the repository carries, by name and where apt-cache is missing."""
    data = EXTRACT.read_bytes()
    expected = compare(data, *take_tour("--heapd", HEAPD, "--file", EXTRACT))
    assert expected["packages"] >= 400 and expected["cycles"] >= 10, "the part is too plain"
    with tempfile.TemporaryDirectory() as nothing:
        summary, text = take_tour("--heapd", HEAPD, env={"PATH": nothing})
    compare(data, summary, text)
    assert "package lists are missing" in text


@check
def whole_index():
    """All that apt-cache has; the tour reads it from apt-cache itself."""
    if not shutil.which("apt-cache"):
        return "no apt-cache here"
    data = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
    if len(parse(data)) < LISTS_PACKAGES_MIN:
        return "the package lists are not here"
    compare(data, *take_tour("--heapd", HEAPD))
    return None


@check
def odd_records():
    """Continuations, a repeated field, a repeated package, unknown names, self-reference, no last newline."""
    take_and_compare(b"\n\nPackage: a\nVersion: 1\nDepends: b (>= 1) | c,\n  b:any, nowhere,\n\td\nVersion: 2\n"
                     b"Description: words\n .\n  more \n\n\n"
                     b"Package: b\nVersion:\nDepends: , |, b\n\nPackage: a\nDepends: e\n\n"
                     b" lost\nPackage: c\nno colon\nSuggests: a\n\nVersion: no package\n\n"
                     b"Package: d\nVersion: 1:2~3\nRecommends: Upper, e, git\n\nPackage: e\nPre-Depends: d")
    take_and_compare(b"Package: lonely\nVersion: 1\n")
    take_and_compare(b"Package: chain\nDepends: link\n\nPackage: link\nDepends: end\n\nPackage: end\nVersion: 1\n")
    take_and_compare(b"Package: git\nVersion: 1\nDepends: git\n")


@check
def long_chain_and_ring():
    """Nothing recurses: a chain and a ring of 20,000, and one package that all depend on."""
    names = [f"p{i}" for i in range(20000)]
    chain = "".join(f"Package: {a}\nVersion: 1\nDepends: {b}, hub\n\n" for a, b in zip(names, names[1:] + ["hub"]))
    hub = "Package: hub\nVersion: 2\n\n"
    take_and_compare((chain + hub).encode())
    take_and_compare((chain + hub.replace("\n\n", f"\nDepends: {names[0]}\n\n")).encode())


@check
def random_graphs():
    """Few and many dependencies, small and large circles."""
    rnd = random.Random(7379)
    for _ in range(20):
        count, per_package = rnd.randrange(1, 400), rnd.choice((0.3, 0.9, 1.1, 2, 6))
        records = []
        for i in range(count):
            targets = ", ".join(f"p{rnd.randrange(count)}" for _ in range(int(rnd.expovariate(1 / per_package))))
            records.append(f"Package: p{i}\nVersion: {rnd.randrange(10**rnd.randrange(1, 12))}\n"
                           f"Depends: {targets}\nDescription: {'x' * rnd.randrange(300)}\n\n")
        take_and_compare("".join(records).encode())


@check
def server_of_others():
    """--url: an empty server is used and left as it was; one that is not empty is left alone."""
    with server() as (port, connection):
        url = f"redis://127.0.0.1:{port}"
        for _ in range(2):
            compare(EXTRACT.read_bytes(), *take_tour("--url", url, "--file", EXTRACT))
        connection.sendall(b"*3\r\n$3\r\nSET\r\n$4\r\nmine\r\n$1\r\n1\r\n")
        assert connection.recv(64) == b"+OK\r\n"
        fails(run_tour("--url", url, "--file", EXTRACT), 1, "not empty")
        connection.sendall(b"*1\r\n$6\r\nDBSIZE\r\n")
        assert connection.recv(64) == b":1\r\n"
    fails(run_tour("--url", url, "--file", EXTRACT), 1, "heapd-tour:")


@check
def refusals():
    """What cannot be done is said in one line, with its exit code."""
    with tempfile.NamedTemporaryFile() as empty:
        fails(run_tour("--heapd", HEAPD, "--file", empty.name), 1, "no packages", empty.name)
    fails(run_tour("--heapd", HEAPD, "--file", "/nowhere/index"), 1, "/nowhere/index")
    fails(run_tour("--heapd", HEAPD, "--file", EXTRACT, "--summary", "/nowhere/summary"), 1, "/nowhere/summary")
    fails(run_tour("--url", "nonsense://", "--file", EXTRACT), 1, "nonsense://")
    fails(run_tour("--heapd", "/nowhere/heapd", "--file", EXTRACT), 1, "/nowhere/heapd")
    fails(run_tour("--heapd", "/bin/false", "--file", EXTRACT), 1, "/bin/false does not serve")
    for arguments in (["--file"], ["--nothing", "x"], ["word"]):
        done = run_tour(*arguments)
        assert done.returncode == 2 and "usage:" in done.stderr, arguments
    assert run_tour("--help").stdout.startswith("usage:")


def children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def gone(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "Z"  # ended; whoever inherits it may take a while to notice
    return True


@check
def signals():
    """Ctrl-C, SIGTERM and even SIGKILL in the middle of the tour leave no server behind."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        tour = subprocess.Popen([TOUR, "--heapd", HEAPD, "--file", EXTRACT], stdout=subprocess.PIPE)
        while b"2. Dependencies" not in tour.stdout.readline():
            assert tour.poll() is None
        os.kill(tour.pid, signal.SIGSTOP)
        try:
            started = children(tour.pid)
        except FileNotFoundError:
            started = []
        tour.send_signal(number)
        os.kill(tour.pid, signal.SIGCONT)
        tour.stdout.close()
        found = tour.wait(60)
        # It may have come to its end in between; what counts is that nothing is left.
        assert found in (code, 0, -signal.SIGPIPE), f"signal {number}: exit {found}"
        deadline = time.monotonic() + 30
        while not all(map(gone, started)):
            assert time.monotonic() < deadline, f"signal {number}: the server is still there"
            time.sleep(0.02)


def main():
    global HEAPD, TOUR
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", required=True)
    parser.add_argument("--tour", required=True)
    parser.add_argument("--only", default="", help="checks whose name has this in it")
    options = parser.parse_args()
    HEAPD, TOUR = os.path.abspath(options.heapd), os.path.abspath(options.tour)
    failed = 0
    for function in CHECKS:
        if options.only not in function.__name__:
            continue
        begin = time.monotonic()
        try:
            skipped = function()
            result = f"skipped: {skipped}" if skipped else "ok"
        except Exception:
            traceback.print_exc()
            failed += 1
            result = "FAILED"
        print(f"{function.__name__}: {result} ({time.monotonic() - begin:.1f} s)", flush=True)
    print(f"demo: {failed} failed" if failed else "demo: all ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
