"""Keeps the figures of a run in results/NAME.json, from which readme.py writes the tables of README.md.

A script calls `parse` instead of its parser's parse_args, makes one `Figures` for each of its tables, adds its
rows and calls `save`, which does nothing without --save. A file holds the table's name, the command, the date,
the commit, the number of rounds, the unit, and rows {row, values, ratio, goal, met}. A list of values holds one
value per run. A goal is an upper limit of the ratio.
"""
import datetime
import json
import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE / "results"


def parse(parser):
    """Adds --save and parses. A table is saved whole, so --save excludes --only."""
    parser.add_argument("--save", action="store_true", help="keep the figures in results/, for readme.py")
    options = parser.parse_args()
    if options.save and getattr(options, "only", None) != parser.get_default("only"):
        parser.error("--save keeps whole tables: leave --only out")
    return options


def command():
    """This run's command as typed in this folder, without --save."""
    words = [os.path.relpath(word, HERE) if os.path.exists(word) else word for word in sys.argv[1:] if word != "--save"]
    return shlex.join(["python3", pathlib.Path(sys.argv[0]).name, *words])


def commit():
    """The commit of the worktree, with a + when sources differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True, check=True).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "../../server", ".", ":!results", ":!README.md")
    return git("rev-parse", "--short=7", "HEAD") + ("+" if changed else "")


def within(ratio, goal):
    """Whether each run's ratio is at most the goal; None where there is no goal."""
    if ratio is None or goal is None:
        return None
    return all(one <= goal for one in (ratio if isinstance(ratio, list) else [ratio]))


class Figures:
    """One table. `values` of a row maps a column's title to a number, a text or a list of numbers."""

    def __init__(self, name, options, unit):
        self.name, self.options, self.unit, self.rows = name, options, unit, []

    def add(self, row, values, ratio=None, goal=None, met=None):
        self.rows.append({"row": row, "values": values, "ratio": ratio, "goal": goal,
                          "met": within(ratio, goal) if met is None else met})

    def save(self):
        if not self.options.save:
            return
        kept = {"name": self.name, "command": command(), "date": datetime.date.today().isoformat(), "commit": commit(),
                "rounds": getattr(self.options, "rounds", 1), "unit": self.unit, "rows": self.rows}
        write(kept)


def write(kept):
    """One row a line, so that a diff shows which figures changed."""
    head = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in kept.items() if key != "rows")
    rows = ",\n".join("  " + json.dumps(row) for row in kept["rows"])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{kept['name']}.json").write_text("{\n" + head + ',\n "rows": [\n' + rows + "\n ]\n}\n", encoding="utf-8")
