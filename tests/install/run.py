#!/usr/bin/env python3
"""Goal: what `cmake --install` puts in place is enough to write, build and run a program.

Method: the build is installed into a temporary prefix, which is then moved; a program of a few lines
is compiled with what pkg-config says there, nothing of this tree in reach, and run against the
installed heapd. nm lists the names that the library would bring into a program.

usage: run.py --build FOLDER [--cc COMPILER] [--flags FLAGS]
"""
import argparse
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = r"""
#include <heapd.h>
#include <stdio.h>
#include <stdlib.h>

/* A program's own names, which the library must not know. */
int conn_open(void) { return 1; }
int proto_request(void) { return 2; }
struct reply { int mine; };
int reply_free(struct reply *reply) { return reply->mine; }

int main(int argc, char **argv)
{
    struct heapd *h = heapd_new();
    struct heapd_options options = {.port = (uint16_t)atoi(argv[argc - 1])};
    if (!h || heapd_connect(h, &options) != HEAPD_OK) return puts(heapd_error(h)), 1;
    heapd_reply_free(heapd_call(h, "SADD", "set", "member"));
    struct heapd_scan scan;
    struct heapd_scan_item item;
    heapd_scan_init(&scan, h, &(struct heapd_scan_options){.command = "SSCAN", .key = {"set", 3}});
    while (heapd_scan_next(&scan, &item)) puts(item.key->text);
    heapd_scan_fini(&scan);
    {
        HEAPD_SCOPE(scope, h);
        puts(heapd_ref(&scope, "GET", "set") ? "a handle" : heapd_error(h));
    }
    struct heapd_reply *reply = heapd_call(h, "PING");
    puts(reply && reply->type == HEAPD_REPLY_SIMPLE ? reply->text : heapd_error(h));
    heapd_reply_free(reply);
    heapd_free(h);
    return conn_open() + proto_request() + reply_free(&(struct reply){-3});
}
"""


def output(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, **more)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def installed(build, folder):
    output("cmake", "--install", build, "--prefix", folder / "first")
    (folder / "first").rename(folder / "prefix")
    prefix = folder / "prefix"
    files = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file()}
    library = next(prefix.rglob("libheapd.a"))
    for wanted in ("bin/heapd", "bin/heapctl", "include/heapd/heapd.h"):
        assert wanted in files, files
    return prefix, library


def names_are_its_own(library):
    lines = output("nm", "-g", "--defined-only", library).splitlines()
    names = [line.split()[-1] for line in lines if len(line.split()) == 3]
    assert len(names) > 20, names
    # A name that begins with two underscores is the compiler's: a sanitizer's, here.
    foreign = [name for name in names if not name.startswith(("heapd_", "__"))]
    assert not foreign, f"global names that are not the library's own: {foreign}"


def compiled(options, folder, prefix, library):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(library.parent / "pkgconfig"),
                       PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1")
    flags = output("pkg-config", "--cflags", "--libs", "heapd", env=environment).split()
    assert any(flag.startswith(f"-I{prefix}") or "include" in flag for flag in flags), flags
    assert output("pkg-config", "--modversion", "heapd", env=environment).strip(), "no version"
    (folder / "program.c").write_text(PROGRAM)
    output(options.cc, "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", "program", "program.c",
           *options.flags.split(), *flags, cwd=folder)
    return folder / "program"


def runs(program, prefix):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = subprocess.Popen([prefix / "bin/heapd", "--port", port, "--http-port", "0"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while subprocess.run([prefix / "bin/heapctl", "-p", port, "ping"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL).returncode != 0:
            assert time.monotonic() < until, "heapd does not answer"
            time.sleep(0.05)
        assert output(program, port) == "member\na handle\nPONG\n"
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--flags", default="", help="for the compiler, such as a sanitizer's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        prefix, library = installed(options.build, folder)
        names_are_its_own(library)
        runs(compiled(options, folder, prefix, library), prefix)
    print("installed, compiled and run")


if __name__ == "__main__":
    sys.exit(main())
