#!/usr/bin/env python3
"""Runs micro or machine, and keeps their figures with --save.

usage: programs.py micro|machine [--bin ../../build/bin] [--save]

micro    the time of single parts of heapd, without a network
machine  what the machine itself takes: a system call, a page's first touch, munmap, and stalls

Both are built with the tests (cmake -DHEAPD_TESTS=ON). They print one figure a line: a name, a number, a unit.
"""
import argparse
import pathlib
import re
import subprocess

import results

LINE = re.compile(r"(.*\S)\s+([0-9.]+) (\S+)$")
UNITS = {"micro": "ns per operation, best round", "machine": "see the rows"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=UNITS)
    parser.add_argument("--bin", default="../../build/bin", help="the folder of the programs")
    options = results.parse(parser)
    out = subprocess.run([str(pathlib.Path(options.bin).resolve() / options.program)], stdout=subprocess.PIPE, text=True, check=True)
    figures = results.Figures(options.program, options, UNITS[options.program])
    for line in out.stdout.splitlines():
        name, value, unit = LINE.fullmatch(line).groups()
        print(line)
        figures.add(name, {"value": float(value), "unit": unit})
    figures.save()


if __name__ == "__main__":
    main()
