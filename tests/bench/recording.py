#!/usr/bin/env python3
"""Goal: recording its effects makes a command cost at most a quarter more.

usage: recording.py --build DIR

Method: callgrind counts what `recording` executes for a command in an engine without a network, with a
listener to the effects that discards them and without. Each runs with some requests and with twice as
many, so that what starting costs is excluded. Only heapd's own code is counted. The difference is compared with the whole request of
instructions.txt, which includes reading, parsing and replying. The other columns are the instructions of
the command alone and the bytes of a record.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from instructions import own_instructions

HERE = pathlib.Path(__file__).resolve().parent
COUNT, GOAL = 4000, 0.25


def run(program, command, count, mode):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, command, str(count),
             mode], stdout=subprocess.PIPE, text=True, check=True)
        own = own_instructions(pathlib.Path(folder) / "out", program)
    return own, int(re.search(r"(\d+) bytes of records", done.stdout).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a Release build with HEAPD_TESTS=ON")
    program = str(pathlib.Path(parser.parse_args().build).resolve() / "bin" / "recording")
    lines = (HERE / "instructions.txt").read_text(encoding="utf-8").splitlines()
    whole = {name: int(n) for name, n in (line.split() for line in lines if not line.startswith("#"))}
    missed = False
    for command in ("GET", "SET", "LPUSH", "HSET", "ZADD"):
        cost = {}
        for mode in ("off", "on"):
            (once, bytes_once), (twice, bytes_twice) = (run(program, command, n, mode) for n in (COUNT, 2 * COUNT))
            cost[mode] = (twice - once) / COUNT
        more = cost["on"] - cost["off"]
        missed |= more / whole[command] > GOAL
        print(f"{command:6s} off {cost['off']:6.0f}  on {cost['on']:6.0f}  +{more:5.0f}, of a request "
              f"{more / whole[command]:+6.1%} (goal {GOAL:+.0%})  {(bytes_twice - bytes_once) / COUNT:5.0f} bytes")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
