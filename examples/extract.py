#!/usr/bin/env python3
"""Makes packages.txt, the part of Debian's package index that the tour takes where the package lists
are missing: some well-known packages and what they lead to, other small circles, and a sample of the
rest, with the fields that the tour shows.

usage: apt-cache dumpavail | extract.py > packages.txt
"""
import re
import sys

SEEDS = "git perl libc6 systemd apt bash vim python3".split()
CORE_PACKAGES = 600       # the seeds and what they reach, the closest first
CIRCLES = 20              # other circles, of 2 to CIRCLE_PACKAGES_MAX packages
CIRCLE_PACKAGES_MAX = 6
SAMPLE_PACKAGES = 250     # of what is left, at equal distances
KINDS = ("Pre-Depends", "Depends"), ("Recommends",), ("Suggests",)
FIELDS = ("Package", "Version", "Architecture", "Installed-Size", "Section", "Priority", *KINDS[0], *KINDS[1],
          *KINDS[2], "Description")


def records(text):
    found = {}
    for block in re.split(r"\n\n+", text):
        record = dict(line.split(": ", 1) for line in block.split("\n") if line[:1].strip() and ": " in line)
        if "Package" in record:
            found.setdefault(record["Package"], record)
    return found


def targets(packages, name, kinds):
    for kind in kinds:
        for alternative in re.split(r"[,|]", packages[name].get(kind, "")):
            match = re.match(r"\s*([a-z0-9.+-]+)", alternative)
            if match and match[1] in packages:
                yield match[1]


def core(packages):
    """The seeds, then all that they need, then what is recommended and suggested, with its needs."""
    chosen = dict.fromkeys(SEEDS)
    for kinds in KINDS:
        queue = list(chosen)
        for name in queue:
            for target in targets(packages, name, kinds + KINDS[0]):
                if target not in chosen and len(chosen) < CORE_PACKAGES:
                    chosen[target] = None
                    queue.append(target)
    return chosen


def small_circle(packages, name):
    """The packages on a short way from `name` through single dependencies back to it, or nothing."""
    way = [name]
    while len(way) <= CIRCLE_PACKAGES_MAX:
        following = [t for t in targets(packages, way[-1], sum(KINDS, ())) if t != way[-1]]
        if name in following:
            return way if len(way) > 1 else []
        fresh = [t for t in following if t not in way and name in targets(packages, t, sum(KINDS, ()))]
        if not fresh:
            return []
        way.append(fresh[0])
    return []


def main():
    packages = records(sys.stdin.buffer.read().decode("utf-8", "replace"))
    chosen = core(packages)
    rest = [name for name in packages if name not in chosen]
    circles = 0
    for name in rest[::53]:
        circle = small_circle(packages, name) if circles < CIRCLES else []
        if circle and not chosen.keys() & set(circle):
            chosen.update(dict.fromkeys(circle))
            circles += 1
    rest = [name for name in rest if name not in chosen]
    chosen.update(dict.fromkeys(rest[::max(1, len(rest) // SAMPLE_PACKAGES)]))
    for name in packages:
        if name in chosen:
            print(*(f"{field}: {packages[name][field]}" for field in FIELDS if field in packages[name]), sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
