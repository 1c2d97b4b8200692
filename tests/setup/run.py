#!/usr/bin/env python3
"""Goal: ./run and ./test say how far a build is, and how long it takes, and keep its failure.

Method: the functions of conf/setup.sh, on the output of builders that are written here; stderr is a
pipe, or a pseudo-terminal. A build of a tree of two files goes through all of it.

usage: run.py
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

SETUP = pathlib.Path(__file__).resolve().parents[2] / "conf" / "setup.sh"
CHECKS = []


def check(function):
    """Registers a check; its docstring is what it promises."""
    CHECKS.append(function)
    return function


def shell(script, terminal=False, cwd=None):
    """(exit code, stdout, stderr) of a script behind setup.sh."""
    script = f'set -eu\n. "{SETUP}"\n{script}'
    main, side = os.openpty() if terminal else os.pipe()
    try:
        done = subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=side, cwd=cwd, timeout=120, check=False)
    finally:
        os.close(side)
    error = b""
    try:
        while data := os.read(main, 65536):
            error += data
    except OSError: # how a pseudo-terminal ends
        pass
    os.close(main)
    return done.returncode, done.stdout.decode(), error.decode()


NINJA = "".join(f"echo '[{i}/200] Building C object a/b{i}.c.o'\n" for i in range(1, 201))
MAKE = "".join(f"echo '[{i:3}%] Building C object a/b{i}.c.o'\n" for i in range(0, 101))


def builder(text, code=0):
    return f"builder() {{\n{text}return {code}\n}}\n"


@check
def lines_elsewhere():
    """On a pipe: a line every ten percent, once each, whoever builds."""
    for text in (NINJA, MAKE):
        code, out, error = shell(builder(text) + "setup_watched builder")
        assert (code, out) == (0, ""), (code, out, error)
        wanted = [f"  {percent:3} %" for percent in range(10, 101, 10)]
        assert error.split("\n")[:-1] == wanted, error


@check
def one_line_on_a_terminal():
    """On a terminal: one line that is drawn over, and is gone at the end."""
    code, _, error = shell(builder(NINJA) + "setup_watched builder", terminal=True)
    assert code == 0
    drawn = error.split("\r")
    assert "  37 %" in drawn[38] and len([d for d in drawn if "%" in d]) == 101, drawn
    assert "\n" not in error and error.endswith("\r\x1b[K"), error[-40:]


@check
def failures():
    """A failed build fails, and shows what it said but for its steps; odd lines harm nobody."""
    text = "".join(NINJA.splitlines(True)[:9]) + "echo 'FAILED: x.o'\necho 'x.c:1: error: no' >&2\necho '[a/b] c'\necho '[]'\n"
    code, out, error = shell(builder(text, 3) + "setup_watched builder || echo failed $?")
    assert (code, out) == (0, "failed 1\n"), (code, out)
    assert "FAILED: x.o\n" in error and "x.c:1: error: no\n" in error, error
    assert "Building" not in error and "Failed: builder" in error, error


@check
def expectations():
    """How long it takes is said before the first build, in words; later ones build what changed."""
    with tempfile.TemporaryDirectory() as folder:
        for seconds, cores, wanted in ((20, 2, "about 10 seconds"), (50, 1, "about 50 seconds"),
                                       (100, 1, "about 2 minutes"), (31, 1, "about 40 seconds"),
                                       (3, 64, "about 10 seconds"), (90, 1, "about 2 minutes")):
            script = f"setup_jobs() {{ echo {cores}; }}\nsetup_expect '{folder}/build' {seconds}"
            code, out, _ = shell(script)
            assert code == 0 and wanted in out, (seconds, cores, out)
        (pathlib.Path(folder) / "build").mkdir()
        (pathlib.Path(folder) / "build" / "heapd.built").touch()
        assert "what has changed" in shell(f"setup_expect '{folder}/build' 50")[1]


@check
def a_real_build():
    """setup_build configures, builds and marks the folder; a second one has nothing to say."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source = folder / "source"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(t LANGUAGES C)\nadd_executable(t a.c b.c)\n")
        (source / "a.c").write_text("int b(void);\nint main(void) { return b(); }\n")
        (source / "b.c").write_text("int b(void) { return 0; }\n")
        build = f"setup_build '{source}' '{folder}/build'"
        code, out, error = shell(build)
        assert (code, out) == (0, ""), (code, out, error)
        assert " 100 %\n" in error, error
        assert (folder / "build" / "t").exists() and (folder / "build" / "heapd.built").exists()
        assert "%" not in shell(build)[2].replace("100 %", "")
        (source / "b.c").write_text("int b(void) { return x; }\n")
        code, _, error = shell(build)
        assert code != 0 and "error:" in error, (code, error)


def main():
    failed = 0
    for function in CHECKS:
        try:
            function()
            print(f"ok   {function.__name__}: {function.__doc__}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAIL {function.__name__}: {function.__doc__}\n{traceback.format_exc()}", flush=True)
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
