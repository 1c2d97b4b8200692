#!/usr/bin/env python3
"""Goal: heapctl does what its --help says: one-shot, lines, JSON, raw, --pipe, interactive with
history, completion and hints, passwords, URLs, exit codes; and prints as redis-cli does.

Method: one heapd on a free port; heapctl as a process on pipes, or on a pseudo-terminal that is
typed on. What redis-cli prints is compared where it is installed.

usage: run.py --heapd BIN --heapctl BIN [--only TEXT]
"""
import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

CHECKS = []
START_S = 30
WAIT_S = 60
PIPE_COMMANDS = 100000


def check(function):
    """Registers a check; its docstring is what it promises."""
    CHECKS.append(function)
    return function


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"\n  got:      {got!r}\n  expected: {expected!r}")


def holds(whole, part):
    if part not in whole:
        raise AssertionError(f"\n  {part!r}\n  is not in {whole!r}")


# Handed to the server: ./test --epoll.
MORE = os.environ.get("HEAPD_TEST_ARGUMENTS", "").split()


class World:
    """A heapd, the heapctl to try on it, and a home folder."""

    def __init__(self, heapd, heapctl, home):
        self.heapctl, self.home = heapctl, home
        self.port = free_port()
        self.server = subprocess.Popen(
            [heapd, "--port", str(self.port), "--http-port", "0", "--bind", "127.0.0.1", *MORE],
            cwd=home, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            time.sleep(0.02)
        raise AssertionError("heapd does not start")

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        equal(self.server.wait(WAIT_S), 0)

    def environment(self, **more):
        env = {name: value for name, value in os.environ.items() if name != "REDISCLI_AUTH"}
        return env | {"HOME": str(self.home), "TERM": "xterm", "LC_ALL": "C.UTF-8"} | more

    def run(self, *args, stdin=b"", at=None, **env):
        """(exit code, stdout, stderr) of heapctl; `at` are the arguments that lead to the server."""
        where = ["-p", str(self.port)] if at is None else at
        done = subprocess.run([self.heapctl, *where, *args], input=stdin, capture_output=True,
                              timeout=WAIT_S, env=self.environment(**env), check=False)
        return done.returncode, done.stdout, done.stderr

    def out(self, *args, **more):
        """stdout of a heapctl that must exit 0."""
        code, out, error = self.run(*args, **more)
        if code != 0:
            raise AssertionError(f"{args} exits {code}: {out!r} {error!r}")
        return out


class Terminal:
    """heapctl on a pseudo-terminal."""

    def __init__(self, world, *args, columns=100):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
            os.execve(world.heapctl, [world.heapctl, *args], world.environment())

    def expect(self, text):
        """Reads until `text` has come since the last expect, and returns all up to its end."""
        deadline = time.monotonic() + WAIT_S
        while text not in self.seen:
            ready = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]
            try:
                data = os.read(self.fd, 65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"{text!r} does not come, but {self.seen!r}")
            self.seen += data
        end = self.seen.index(text) + len(text)
        taken, self.seen = self.seen[:end], self.seen[end:]
        return taken

    def expect_prompt(self, text):
        """As expect, and until the keys are heapctl's: before, the terminal keeps some (^R, ^D)."""
        self.expect(text)
        deadline = time.monotonic() + WAIT_S
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            if time.monotonic() > deadline:
                raise AssertionError("the prompt does not read keys")
            time.sleep(0.005)

    def type(self, keys, expected):
        os.write(self.fd, keys)
        return self.expect(expected)

    def end(self):
        """The exit code."""
        deadline = time.monotonic() + WAIT_S
        with contextlib.suppress(OSError):
            while select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                if not os.read(self.fd, 65536):
                    break
            else:
                os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@check
def one_shot(world):
    """A command on the command line: its reply, raw on a pipe, its exit code."""
    equal(world.out("set", "a", "x y\n"), b"OK\n")
    equal(world.out("get", "a"), b"x y\n\n")
    equal(world.out("--no-raw", "get", "a"), b'"x y\\n"\n')
    equal(world.out("--no-raw", "get", "nothing"), b"(nil)\n")
    equal(world.out("--no-raw", "incrby", "n", "-3"), b"(integer) -3\n")
    equal(world.run("lpush", "a", "x")[:2], (1, b"WRONGTYPE Operation against a key holding "
                                                b"the wrong kind of value\n\n"))
    equal(world.run("--no-raw", "get")[:2],
          (1, b"(error) ERR wrong number of arguments for 'get' command\n"))


@check
def resp3(world):
    """-3: maps, sets and doubles as such; a reference as one; INFO as text."""
    world.out("hset", "h3", "f", "v")
    equal(world.out("-3", "--no-raw", "hgetall", "h3"), b'1# "f" => "v"\n')
    equal(world.out("--no-raw", "hgetall", "h3"), b'1) "f"\n2) "v"\n')
    equal(world.out("ref", "hset", "h3", "me", "h3"), b"1\n")
    holds(world.out("-3", "--no-raw", "fetch", "h3"), b'2# "me" => (ref) #:')
    holds(world.out("-3", "--no-raw", "info", "server"), b"# Server\r\n")
    world.out("zadd", "z3", "1.5", "m")
    equal(world.out("-3", "--no-raw", "zscore", "z3", "m"), b"(double) 1.5\n")


@check
def json_output(world):
    """--json: one line a reply, binary-safe, errors included."""
    world.out("rpush", "lj", "a", "\u00e9", b"\xff\x00".replace(b"\0", b"\1"))
    equal(json.loads(world.out("--json", "lrange", "lj", "0", "-1")),
          ["a", "\u00e9", {"base64": "/wE="}])
    world.out("hset", "hj", "f", "v")
    equal(json.loads(world.out("--json", "hgetall", "hj")), {"f": "v"})
    world.out("ref", "hset", "hj", "me", "hj")
    reply = json.loads(world.out("--json", "fetch", "hj"))
    equal((reply["f"], list(reply["me"])), ("v", ["ref"]))
    equal(world.out("--json", "get", "nothing"), b"null\n")
    code, out, _ = world.run("--json", "nothing")
    equal((code, list(json.loads(out))), (1, ["error"]))


@check
def lines(world):
    """Commands on stdin, one a line, quoted as in redis-cli; one error makes the exit code 1."""
    text = b"set l \"a b\\x41\"\n\n  get l\nset e ''\nstrlen e\n"
    equal(world.out(stdin=text), b"OK\na bA\nOK\n0\n")
    code, out, _ = world.run(stdin=b"set l 'open\nnothing\nget l")
    equal((code, out.splitlines()[0], out.splitlines()[-1]), (1, b"Invalid argument(s)", b"a bA"))


@check
def wrong_usage(world):
    """Exit 2 and a reason; --help and --version exit 0."""
    for args in (["--nothing"], ["-p", "0"], ["-p", "x"], ["-n", "x"], ["-t", "-1"], ["-u", "http://h"],
                 ["-u", "redis://h:x"], ["--pipe", "get", "a"], ["-p"]):
        code, out, error = world.run(*args, at=[])
        equal((code, out), (2, b""))
        assert error, args
    holds(world.out("--help", at=[]), b"REDISCLI_AUTH")
    holds(world.out("--version", at=[]), b"heapctl ")


@check
def no_connection(world):
    """Exit 3, and one line that says where nobody is."""
    port = str(free_port())
    for args in (["ping"], ["--pipe"], []):
        code, out, error = world.run(*args, at=["-p", port], stdin=b"ping\n")
        equal((code, out), (3, b""))
        holds(error, b"127.0.0.1:" + port.encode())
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        begun = time.monotonic()
        code, _, error = world.run("-t", "0.2", "ping", at=["-p", str(silent.getsockname()[1])])
        equal(code, 3)
        holds(error, b"Timeout")
        assert time.monotonic() - begun < 20


@check
def urls_and_databases(world):
    """-u, what goes before it, and a database that the server has not."""
    url = f"redis://127.0.0.1:{world.port}"
    equal(world.out("-u", url, "ping", at=[]), b"PONG\n")
    equal(world.out("-u", url + "/0", "ping", at=[]), b"PONG\n")
    equal(world.out("-u", "redis://127.0.0.1:1", "-p", str(world.port), "ping", at=[]), b"PONG\n")
    for args in (["-n", "7"], ["-u", url + "/7"]):
        code, out, error = world.run(*args, "ping")
        equal((code, out), (1, b""))
        holds(error, b"ERR DB index is out of range")
    equal(world.out("-n", "0", "ping"), b"PONG\n")


@check
def passwords(world):
    """-a, --user, the URL and REDISCLI_AUTH; a wrong one exits 1."""
    world.out("config", "set", "requirepass", "s3cret")
    try:
        equal(world.run("ping")[0], 1)
        equal(world.out("-a", "s3cret", "ping"), b"PONG\n")
        equal(world.out("-3", "--pass", "s3cret", "--user", "default", "ping"), b"PONG\n")
        equal(world.out("ping", REDISCLI_AUTH="s3cret"), b"PONG\n")
        equal(world.out("-a", "s3cret", "ping", REDISCLI_AUTH="wrong"), b"PONG\n")
        equal(world.out("-u", f"redis://default:s3cret@localhost:{world.port}", "ping", at=[]),
              b"PONG\n")
        code, _, error = world.run("-a", "wrong", "ping")
        equal(code, 1)
        holds(error, b"WRONGPASS")
    finally:
        world.out("-a", "s3cret", "config", "set", "requirepass", "")


def set_command(number):
    return b"*3\r\n$3\r\nSET\r\n$9\r\np:%07d\r\n$5\r\nvalue\r\n" % number


@check
def pipe(world):
    """--pipe: a file and a stream, progress on stderr, counts on stdout, errors in the exit code."""
    world.out("flushall")
    stream = b"".join(map(set_command, range(PIPE_COMMANDS)))
    code, out, error = world.run("--pipe", stdin=stream)
    equal((code, out), (0, b"errors: 0, replies: %d\n" % PIPE_COMMANDS))
    holds(error, b"%d replies, 0 errors" % PIPE_COMMANDS)
    equal(world.out("dbsize"), b"%d\n" % PIPE_COMMANDS)
    path = world.home / "stream"
    path.write_bytes(stream + b"PING\r\n*1\r\n$3\r\nBAD\r\n")
    with path.open("rb") as file:
        done = subprocess.run([world.heapctl, "-p", str(world.port), "--pipe"], stdin=file,
                              capture_output=True, timeout=WAIT_S, env=world.environment(),
                              check=False)
    equal((done.returncode, done.stdout), (1, b"errors: 1, replies: %d\n" % (PIPE_COMMANDS + 2)))
    holds(done.stderr, b"[########################] 100%")
    holds(done.stderr, b"unknown command")
    code, out, error = world.run("--pipe")
    equal((code, out), (0, b"errors: 0, replies: 0\n"))


@check
def pipe_on_a_terminal(world):
    """The bar is drawn in place while stdin is still open."""
    main, side = os.openpty()
    with subprocess.Popen([world.heapctl, "-p", str(world.port), "--pipe"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=side, env=world.environment()) as child:
        os.close(side)
        for i in range(30):
            child.stdin.write(set_command(i) * 100)
            child.stdin.flush()
            time.sleep(0.02)
        child.stdin.close()
        equal(child.stdout.read(), b"errors: 0, replies: 3000\n")
        equal(child.wait(WAIT_S), 0)
    seen = b""
    with contextlib.suppress(OSError):
        while data := os.read(main, 65536):
            seen += data
    os.close(main)
    assert seen.count(b"\r") >= 3, seen
    holds(seen, b"3000 replies")


@check
def pipe_of_broken_bytes(world):
    """The server's own words, and exit 3 for the connection that it closes."""
    code, out, error = world.run("--pipe", stdin=b"*1\r\n$x\r\n")
    equal((code, out), (3, b"errors: 1, replies: 1\n"))
    holds(error, b"Protocol error")


@check
def interactive(world):
    """Prompt, replies for eyes, quotes, help, and the ways out."""
    term = Terminal(world, "-p", str(world.port))
    prompt = b"127.0.0.1:%d> " % world.port
    term.expect_prompt(prompt)
    term.type(b"set i 'a b'\r", b"OK\r\n")
    term.expect_prompt(prompt)
    term.type(b"get i\r", b'"a b"\r\n')
    term.type(b"get 'i\r", b"Invalid argument(s)")
    term.type(b"help get\r", b"GET key\r\n  summary: ")
    term.type(b"help @heap\r", b"RELEASE ")
    term.type(b"help nothing\r", b"No such command")
    term.type(b"help\r", b"<TAB>")
    term.type(b"lpush i x\r", b"(error) WRONGTYPE")
    term.expect_prompt(prompt)
    os.write(term.fd, b"exit\r")
    equal(term.end(), 0)
    for way in (b"quit\r", b"\x04"):
        term = Terminal(world, "-p", str(world.port))
        term.expect_prompt(prompt)
        os.write(term.fd, way)
        equal(term.end(), 0)


@check
def completion_and_hints(world):
    """TAB completes commands and subcommands in the letters' case; the syntax stands at the right."""
    term = Terminal(world, "-p", str(world.port))
    term.expect_prompt(b"> ")
    term.type(b"intern \t\t", b"stats")
    term.type(b"\x15object ref\t", b"count ")
    term.type(b"\x15OBJ\t", b"ECT ")
    term.type(b"\x15hinc\t", b"rby")
    term.type(b"\t", b"hincrbyfloat")
    term.type(b"\x15get ", b"key")
    term.type(b"\x15hset a ", b"field value")
    term.type(b"\x15copy a b \t", b"REPLACE")
    term.type(b"\x15ref hg\t", b"key field")
    os.write(term.fd, b"\x15quit\r")
    equal(term.end(), 0)


def screen(data, columns=100):
    """What a terminal shows of its last line after these bytes: as much of one as libedit needs."""
    lines, at, i = [[" "] * columns], 0, 0
    while i < len(data):
        c = data[i:i + 1]
        if c == b"\x1b" and data[i + 1:i + 2] == b"[":
            end = i + 2
            while not data[end:end + 1].isalpha():
                end += 1
            number = int(data[i + 2:end] or b"0") if data[i + 2:end].isdigit() else 0
            kind = data[end:end + 1]
            if kind == b"G":
                at = max(number, 1) - 1
            elif kind == b"C":
                at += max(number, 1)
            elif kind == b"D":
                at -= max(number, 1)
            elif kind == b"K":
                lines[-1][at:] = [" "] * (columns - at)
            elif kind == b"P":
                lines[-1] = (lines[-1][:at] + lines[-1][at + max(number, 1):] + [" "] * columns)[:columns]
            elif kind == b"A":
                lines.pop()
            i = end + 1
            continue
        if c == b"\r":
            at = 0
        elif c == b"\n":
            lines.append([" "] * columns)
        elif c == b"\x08":
            at -= 1
        elif c >= b" " and at < columns:
            lines[-1][at] = c.decode()
            at += 1
        i += 1
    return ["".join(line).rstrip() for line in lines]


@check
def hints_follow(world):
    """The hint follows every letter, and goes when the line is done."""
    term = Terminal(world, "-p", str(world.port))
    seen = term.expect(b"> ")
    for keys, hint in ((b"hset", "key field value"), (b" a", "key field value"), (b" b", "field value"),
                       (b" c", "value"), (b"\x15get", "key"), (b"x", ""), (b"\x7f", "key")):
        os.write(term.fd, keys)
        until = time.monotonic() + 5
        while True:
            if select.select([term.fd], [], [], 0.2)[0]:
                seen += os.read(term.fd, 65536)
            line = screen(seen)[-1]
            shown = line.partition("> ")[2].partition("    ")[2].strip()
            if shown.startswith(hint) and bool(shown) == bool(hint):
                break
            assert time.monotonic() < until, (keys, hint, line)
    os.write(term.fd, b" a\r")
    while b"(nil)" not in seen:
        seen += os.read(term.fd, 65536)
    lines = [line for line in screen(seen) if "get a" in line]
    assert lines and lines[-1].endswith("> get a"), lines
    os.write(term.fd, b"quit\r")
    equal(term.end(), 0)


@check
def interrupt(world):
    """Ctrl-C forgets the line and stays; while a command waits it ends heapctl."""
    term = Terminal(world, "-p", str(world.port))
    prompt = b"127.0.0.1:%d> " % world.port
    term.expect_prompt(prompt)
    for half in (b"flushall", b"", b"set x 'half"):
        os.write(term.fd, half)
        if half:
            term.expect(half[-1:])
        os.write(term.fd, b"\x03")
        term.expect(b"^C")
        term.expect_prompt(prompt)
    term.type(b"echo still\r", b'"still"\r\n')
    term.expect_prompt(prompt)
    os.kill(term.pid, signal.SIGINT)
    term.expect_prompt(prompt)
    os.write(term.fd, b"quit\r")
    equal(term.end(), 0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        term = Terminal(world, "-p", str(silent.getsockname()[1]))
        time.sleep(0.5) # COMMAND DOCS waits
        os.kill(term.pid, signal.SIGINT)
        equal(term.end(), -signal.SIGINT)


@check
def history(world):
    """Lines come back with the arrows, in this session and the next; passwords are never kept."""
    file = world.home / ".heapctl_history"
    file.unlink(missing_ok=True)
    prompt = b"127.0.0.1:%d> " % world.port
    term = Terminal(world, "-p", str(world.port))
    for keys, reply in ((b"set remembered 1\r", b"OK"), (b"auth topsecret\r", b"(error)"),
                        (b"\x1b[A\r", b"OK"), (b"\x12remem\r", b"OK")):
        term.expect_prompt(prompt)
        term.type(keys, reply)
    os.write(term.fd, b"quit\r")
    equal(term.end(), 0)
    equal(stat.S_IMODE(file.stat().st_mode), 0o600)
    kept = file.read_text()
    holds(kept, "set remembered 1\n")
    assert "topsecret" not in kept, kept
    term = Terminal(world, "-p", str(world.port))
    term.expect_prompt(prompt)
    term.type(b"\x1b[A\x1b[A\r", b"OK")
    os.write(term.fd, b"quit\r")
    equal(term.end(), 0)


@check
def reconnection(world):
    """A connection that was killed is made again; one that cannot be made shows in the prompt."""
    term = Terminal(world, "-p", str(world.port))
    prompt = b"127.0.0.1:%d> " % world.port
    term.expect_prompt(prompt)
    number = term.type(b"client id\r", b"\n127")
    number = number.partition(b"(integer) ")[2].split()[0]
    equal(world.out("client", "kill", "id", number), b"1\n")
    term.type(b"ping\r", b"PONG")
    os.write(term.fd, b"quit\r")
    equal(term.end(), 0)
    term = Terminal(world, "-p", str(free_port()))
    term.expect(b"Connection refused")
    term.expect_prompt(b"not connected> ")
    os.write(term.fd, b"quit\r")
    equal(term.end(), 0)


@check
def pushes_do_not_count(world):
    """A server that pushes messages between replies confuses nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)

        def serve():
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                link.sendall(b">2\r\n+message\r\n+hello\r\n+PONG\r\n")
                link.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        equal(world.out("ping", at=["-p", str(listener.getsockname()[1])]), b"PONG\n")
        thread.join()


@check
def as_redis_cli(world):
    """redis-cli, if it is there, prints the same bytes for the same replies."""
    redis_cli = shutil.which("redis-cli")
    if redis_cli is None:
        print("   (redis-cli is not installed: not compared)")
        return
    world.out("hset", "hr", "f", "v\n\xff", "g", "")
    world.out("zadd", "zr", "1", "a", "1e300", "b")
    commands = [["ping"], ["get", "nothing"], ["get", "hr"], ["hgetall", "hr"], ["nothing"],
                ["zrange", "zr", "0", "-1", "withscores"], ["smembers", "nothing"],
                ["lrange", "nothing", "0", "-1"], ["hlen", "hr"],
                ["echo", "a\"b\\ \t"], ["type", "hr"]]
    for command in commands:
        for protocol in ("-2", "-3"):
            for form in ("--raw", "--no-raw"):
                args = ["-p", str(world.port), protocol, form, *command]
                expected = subprocess.run([redis_cli, *args], capture_output=True, check=False,
                                          timeout=WAIT_S, env=world.environment())
                equal((args, world.run(protocol, form, *command)[1]), (args, expected.stdout))
    for args in (["-2", "--raw"], ["-2", "--no-raw"], ["-3", "--no-raw"]): # -3 --raw: raw_maps
        for command in (["docs", "set", "config"], ["info", "get", "x"]):
            whole = ["-p", str(world.port), *args, "command", *command]
            expected = subprocess.run([redis_cli, *whole], capture_output=True, check=False,
                                      timeout=WAIT_S, env=world.environment())
            equal((whole, world.run(*whole, at=[])[1]), (whole, expected.stdout))


@check
def raw_maps(world):
    """Raw, a map in a map is told from further pairs of the outer one."""
    world.out("hset", "inner", "city", "Lyon", "zip", "75001")
    world.out("hset", "outer", "name", "Ann")
    world.out("ref", "hset", "outer", "address", "inner")
    equal(sorted(world.out("-3", "--raw", "fetch", "outer").splitlines()),
          [b'address {"city":"Lyon","zip":"75001"}', b"name Ann"])


@check
def shutdown(world):
    """SHUTDOWN is answered by closing, which is no failure."""
    equal(world.out("shutdown"), b"")
    equal(world.server.wait(WAIT_S), 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--heapd", required=True)
    parser.add_argument("--heapctl", required=True)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="heapctl-") as home:
        world = World(os.path.abspath(args.heapd), os.path.abspath(args.heapctl),
                      pathlib.Path(home))
        try:
            chosen = [function for function in CHECKS if args.only in function.__name__]
            for function in chosen:
                try:
                    function(world)
                    print(f"ok   {function.__name__}: {function.__doc__}", flush=True)
                except Exception:  # pylint: disable=broad-except
                    failed += 1
                    print(f"FAIL {function.__name__}: {function.__doc__}", flush=True)
                    traceback.print_exc(file=sys.stdout)
        finally:
            if world.server.poll() is None:
                world.stop()
    print(f"{len(chosen) - failed} of {len(chosen)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
