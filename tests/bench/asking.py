#!/usr/bin/env python3
"""What checking for repeated values costs where none repeats. Goals: 2 % of the instructions, no string kept.

usage: asking.py [--heapd build/bin/heapd] [--values 100000]

callgrind counts all instructions of a server that receives values that never repeat, and those of evidence_ask with
its callees. Each load runs with some values and with twice as many; the difference excludes the cost of starting.
"from the start on" is the share in the first run, including the start. Afterwards INTERN STATS must show no string.
Rows: texts of 64 bytes, and records of five fields with texts of 48 bytes. Needs valgrind.
"""
import argparse
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import instructions
import results
import servers

SHARE_MAX, PIPELINE, ASKING = 0.02, 16, "evidence_ask"


def plain(i):
    return ("SET", f"key:{i:012d}", f"{i:016d}" * 4)


def record(i):
    fields = ("name", "city", "street", "mail", "note")
    return ("HSET", f"record:{i:012d}", *(part for n, f in enumerate(fields) for part in (f, f"{i:015d}{n}" * 3)))


def costs(path):
    """All instructions, and those of ASKING with what it calls."""
    names, total, within, called, calls = {}, 0, 0, None, False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        found = re.match(r"c?fn=(\(\d+\))(?: (.*))?", line)
        if found:
            number, name = found.groups()
            names[number] = name if name else names[number]
            if line.startswith("cfn="):
                called = names[number]
        elif line.startswith("calls="):
            calls = True
        elif re.match(r"[0-9+*-]", line):
            cost = int((line.split() + ["0"])[1])
            if not calls:
                total += cost
            elif called.split(".")[0] == ASKING:
                within += cost
            calls = False
    return total, within


def count(heapd, make, values):
    with tempfile.TemporaryDirectory() as folder:
        out, port = pathlib.Path(folder) / "out", instructions.free_port()
        process = subprocess.Popen(
            ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", heapd, "--port", str(port),
             "--http-port", "0", "--bind", "127.0.0.1", "--hash-seed", "1f"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(instructions.os.environ, LD_PRELOAD=instructions.slow_clock(folder)))
        try:
            with instructions.connect(port, process) as connection:
                for i in range(0, values, PIPELINE):
                    instructions.batch(connection, [make(j) for j in range(i, i + PIPELINE)])
            stats = servers.Connection(port).call("INTERN", "STATS")
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)
        finally:
            process.kill()
            process.wait()
        return (*costs(out), stats)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heapd", default="build/bin/heapd")
    parser.add_argument("--values", type=int, default=100_000)
    options = results.parse(parser)
    heapd, good = str(pathlib.Path(options.heapd).resolve()), True
    figures = results.Figures("asking", options, "instructions")
    print("| what never repeats | instructions a request | of which asking | share | from the start on | strings kept |\n"
          "|---|---|---|---|---|---|")
    for name, make, values in (("texts of 64 bytes", plain, options.values), ("records of five texts", record, options.values // 5)):
        once, twice = count(heapd, make, values), count(heapd, make, 2 * values)
        total, asking = (twice[k] - once[k] for k in (0, 1))
        strings = twice[2][twice[2].index(b"strings") + 1]
        met = 0 < asking <= SHARE_MAX * total and once[1] <= SHARE_MAX * once[0] and strings == 0
        good &= met
        print(f"| {name} | {total / values:.0f} | {asking / values:.1f} | {asking / total:.2%} | "
              f"{once[1] / once[0]:.2%} | {strings} |", flush=True)
        figures.add(name, {"per request": round(total / values), "of which evidence_ask": round(asking / values, 1),
                           "% of all": round(100 * asking / total, 2), "% from the start on": round(100 * once[1] / once[0], 2),
                           "strings kept": strings}, met=met)
    figures.save()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
