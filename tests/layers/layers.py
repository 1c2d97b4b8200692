#!/usr/bin/env python3
"""Goal: no #include points upward, sideways, or at a library that is not this room's business, what
only one file may say is said in no other, and no modules of a room use each other in a circle.

Method: server/LAYERS names the floors; every #include of the sources in server/ and of the folders
beside it is resolved as the compiler would, and compared with it. A module is X.h with its sources; it uses
those whose headers it includes, and a function that one X.c declares for another file
does not escape: its prototype stands in a header (-Wmissing-prototypes). Before that, the test tries
itself on a small house: clean first, then with one violation of each kind, which must be reported.

usage: layers.py [ROOT]
"""
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve()
SOURCES = {".c", ".h", ".def", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Layers:
    """server/LAYERS: `floor` gives each room's depth, `uses` who may include a side folder or a library, `only` the
    one file that may contain a word, `circle` modules of one room that use each other for a reason."""

    def __init__(self, text):
        self.floor, self.beside, self.uses, self.only, self.circles = {}, [], {}, {}, []
        depth = 0
        for number, line in enumerate(text.splitlines(), 1):
            line = line.partition("#")[0].strip()
            if not line:
                continue
            words = line.split()
            if words[0] == "beside" and len(words) == 2:
                self.beside.append(words[1])
            elif words[0] == "uses" and line.count(":") == 1:
                what, _, who = line[len("uses"):].partition(":")
                self.uses[what.strip()] = set(who.split())
            elif words[0] == "only" and len(words) == 3:
                self.only[words[1]] = words[2]
            elif words[0] == "circle" and len(words) > 2:
                self.circles.append({f"{words[1]}/{module}" for module in words[2:]})
            elif words[0] not in ("beside", "uses", "only", "circle"):
                for room in line.split("|"):
                    self.floor[room.strip()] = depth
                depth += 1
            else:
                raise SystemExit(f"LAYERS:{number}: cannot be read: {line}")
        known = set(self.floor) | set(self.beside)
        for what, who in self.uses.items():
            if who - known or not (what in known or what.startswith("<")):
                raise SystemExit(f"LAYERS: `uses {what}` speaks of a room that is not listed")

    def forbidden(self, room, target):
        """Why `room` may not include `target` (a room), or None where it may."""
        if room == target or room in self.uses.get(target, ()):
            return None
        if target in self.beside:
            return f"{target} is not for {room}"
        if room in self.beside:
            return f"{room} stands beside the house and knows nothing of {target}"
        if self.floor[target] == self.floor[room]:
            return f"{target} stands beside {room}"
        return f"{target} lies above {room}" if self.floor[target] < self.floor[room] else None

    def forbidden_header(self, room, header):
        allowed = self.uses.get(f"<{header}>")
        return None if allowed is None or room in allowed else f"<{header}> is not for {room}"


def room_of(path):
    """The room of a file, whose path is relative to the root; None for what lies in no room."""
    parts = path.parts
    if parts[0] != "server":
        return parts[0]
    return parts[1] if len(parts) > 2 else path.stem


def resolve(root, source, kind, name):
    """The file of the tree that an #include means, relative to the root, or None for a library's."""
    tried = ([] if kind == "<" else [source.parent / name]) + [root / name, root / "server" / name]
    for candidate in tried:
        if candidate.is_file():
            found = candidate.resolve()
            return found.relative_to(root) if found.is_relative_to(root) else None
    return None


def violations(root, layers):
    known, found = set(layers.floor) | set(layers.beside), []
    for top in ["server", *layers.beside]:
        for source in sorted((root / top).rglob("*")):
            if source.suffix not in SOURCES or not source.is_file():
                continue
            path = source.relative_to(root)
            room = room_of(path)
            if room not in known:
                found.append(f"{path}: the room {room} is not in server/LAYERS")
                continue
            text = source.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), 1):
                found += [f"{path}:{number}: {word} is for {file} only" for word, file in layers.only.items()
                          if word in line and str(path) != file]
                match = INCLUDE.match(line)
                if not match:
                    continue
                kind, name = match.groups()
                target = resolve(root, source, kind, name)
                if target is None:
                    why = layers.forbidden_header(room, name)
                elif room_of(target) in known:
                    why = layers.forbidden(room, room_of(target))
                else:
                    why = f"it lies in {room_of(target)}, which is not in server/LAYERS"
                if why:
                    found.append(f'{path}:{number}: includes {name}, but {why}')
    return found


def module_of(root, path):
    """room/name. X_parts.h, which the files of X share, and a source without a header of its own, which is another
    file of the module whose name it begins with, belong to that module."""
    stem, folder = path.stem, root / path.parent
    if stem.endswith("_parts"):
        stem = stem.removesuffix("_parts")
    while not (folder / f"{stem}.h").is_file() and "_" in stem:
        stem = stem.rpartition("_")[0]
    return f"{room_of(path)}/{stem if (folder / (stem + '.h')).is_file() else path.stem}"


def used_modules(root):
    """For each module of a room: the other modules of that room that it includes."""
    uses = {}
    for source in sorted((root / "server").rglob("*")):
        path = source.relative_to(root)
        if source.suffix not in SOURCES or not source.is_file() or len(path.parts) < 3:
            continue
        name = module_of(root, path)
        module = uses.setdefault(name, set())
        for line in source.read_text(encoding="utf-8", errors="replace").splitlines():
            match = INCLUDE.match(line)
            target = match and resolve(root, source, *match.groups())
            if target and target.parent == path.parent and module_of(root, target) != name:
                module.add(module_of(root, target))
    return uses


def circles(uses):
    """Sets of modules that reach each other, by Tarjan's algorithm for strongly connected components."""
    order, low, stack, found = {}, {}, [], []

    def visit(module):
        order[module] = low[module] = len(order)
        stack.append(module)
        for used in sorted(uses.get(module, ())):
            if used not in order:
                visit(used)
                low[module] = min(low[module], low[used])
            elif used in stack:
                low[module] = min(low[module], order[used])
        if low[module] == order[module]:
            at = stack.index(module)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    for module in sorted(uses):
        if module not in order:
            visit(module)
    return found


def circle_violations(root, layers):
    """A circle is refused unless LAYERS has all of it on one line; so is a line that has no circle."""
    there = circles(used_modules(root))
    found = [f"{sorted(circle)[0]}: a circle: {' '.join(sorted(circle))}" for circle in there
             if not any(circle <= excused for excused in layers.circles)]
    found += [f"server/LAYERS: there is no circle any more: {' '.join(sorted(excused))}" for excused in layers.circles
              if not any(circle <= excused for circle in there)]
    return found


# One source of each kind, as the whole tree should be; each is alone allowed to do what it does.
CLEAN = {
    "server/main.c": '#include <uv.h>\n#include "daemon.h"\n#include "net/conn.h"\n',
    "server/daemon.h": '#include <stdio.h>\n#include "base/status.h"\n',
    "server/net/conn.h": '#include <uv.h>\n#include "proto/reader.h"\n#include "command/table.h"\n',
    "server/net/deep/conn.c": '#include "net/conn.h"\n',
    "server/monitor/http.h": "#include <microhttpd.h>\n",
    "server/command/table.h": '#  include "heap/pool.h"\n#include <heap/pool.h>\n',
    "server/heap/pool.h": '#include "base/status.h"\n',
    "server/heap/pool.c": '#include "pool.h"\n/* #include "store/keyspace.h" */\n',
    "server/heap/rc.h": '#include "heap/pool.h"\n',
    "server/heap/old.h": '#include "heap/older.h"\n',
    "server/heap/older.c": '#include "heap/old.h"\n',
    "server/heap/older.h": "#include <stdint.h>\n",
    "server/base/status.h": "#include <stdint.h>\n",
    "server/base/prefetch.h": "__builtin_prefetch(p);\n",
    "proto/reader.h": "#include <stddef.h>\n",
    "client/heapd.h": '#include "proto/reader.h"\n',
    "examples/tour.c": '#include "client/heapd.h"\n',
}

# file, text, and what must be said of it
WRONG = [
    ("server/heap/rc.c", '#include "net/conn.h"\n', "net lies above heap"),
    ("server/heap/rc.c", '#include <command/table.h>\n', "command lies above heap"),
    ("server/base/log.c", '#include <stdio.h>\n#include "../heap/pool.h"\n', "heap lies above base"),
    ("server/net/conn.c", '#include "monitor/http.h"\n', "monitor stands beside net"),
    ("server/monitor/http.c", '#include "net/conn.h"\n', "net stands beside monitor"),
    ("server/net/conn.c", '#include "daemon.h"\n', "daemon lies above net"),
    ("server/command/cmd_list.c", "#include <uv.h>\n", "<uv.h> is not for command"),
    ("server/net/conn.c", "#include <microhttpd.h>\n", "<microhttpd.h> is not for net"),
    ("server/store/keyspace.c", '#include "proto/reader.h"\n', "proto is not for store"),
    ("server/store/keyspace.c", '#include "client/heapd.h"\n', "client is not for store"),
    ("client/heapctl.c", '#include "heap/pool.h"\n', "client stands beside the house"),
    ("proto/writer.c", '#include "base/status.h"\n', "proto stands beside the house"),
    ("examples/tour.c", '#include "proto/reader.h"\n', "proto is not for examples"),
    ("server/attic/box.c", "#include <stdio.h>\n", "attic is not in server/LAYERS"),
    ("server/heap/rc.c", "    __builtin_prefetch(o);\n", "__builtin_prefetch is for server/base/prefetch.h only"),
    ("server/helpers.c", "#include <stdio.h>\n", "helpers is not in server/LAYERS"),
    ("server/heap/pool.c", '#include "heap/rc.h"\n', "a circle: heap/pool heap/rc"),
]


def self_test(layers):
    """Fails unless the clean house is found clean and every violation is found, and nothing else."""
    for path, text, expected in [("server/main.c", CLEAN["server/main.c"], None), *WRONG]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            for name, content in {**CLEAN, path: text}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content, encoding="utf-8")
            excused = Layers("circle heap old older")
            found = violations(root, layers) + circle_violations(root, excused)
        if expected is None and found:
            raise SystemExit(f"self-test: the clean house is said to be wrong: {found}")
        stem = str(pathlib.PurePath(path).with_suffix("")).removeprefix("server/")
        if expected and (len(found) != 1 or expected not in found[0] or stem not in found[0]):
            raise SystemExit(f"self-test: {path} with {text!r} should be one violation: {expected}; found {found}")
    return len(WRONG)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[2]).resolve()
    layers = Layers((root / "server" / "LAYERS").read_text(encoding="utf-8"))
    tried = self_test(layers)
    found = violations(root, layers) + circle_violations(root, layers)
    for line in found:
        print(line)
    print(f"self-test: {tried} violations of {tried} found; the tree: {len(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
