#!/usr/bin/env python3
"""Runs the wire tests: requests as a person would type them, replies as the bytes that come back.

    run.py --heapd build/bin/heapd [--only PATTERN] [--port PORT]

It starts one heapd, and plays every tests/wire/<family>/<behaviour>.txt twice, over RESP2 and over
RESP3, each time on an empty keyspace and fresh connections. README.md tells the format. The first
difference ends a play; it is shown with its file and line. A heapd that dies or that complains on
its way out (a sanitizer does) fails the run.
"""

import argparse
import contextlib
import fnmatch
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPLY_SECONDS_MAX = 10
RETRY_SECONDS_MAX = 5
START_SECONDS_MAX = 20
ESCAPES = {"n": 10, "r": 13, "t": 9, "b": 8, "a": 7}


class Broken(Exception):
    """A test file that cannot be understood."""


class Mismatch(Exception):
    """A reply that is not the expected one."""

    def __init__(self, expected, got):
        super().__init__(expected)
        self.expected, self.got = expected, got


# --- text to bytes -------------------------------------------------------------------------------


def unescape(text):
    r"""The bytes of a text with \n \r \t \b \a \xHH; any other escaped character is itself."""
    out, i = bytearray(), 0
    while i < len(text):
        if text[i] != "\\" or i + 1 == len(text):
            out += text[i].encode()
            i += 1
        elif text[i + 1] == "x" and re.match("[0-9a-fA-F]{2}", text[i + 2 :]):
            out.append(int(text[i + 2 : i + 4], 16))
            i += 4
        else:
            code = ESCAPES.get(text[i + 1])
            out += bytes([code]) if code is not None else text[i + 1].encode()
            i += 2
    return bytes(out)


TOKEN = re.compile(r"""\s*(?: "((?:[^"\\]|\\.)*)" | '((?:[^'\\]|\\.)*)' | (\S+) )(?=\s|$)""", re.X)


def tokens(text):
    """Splits as redis-cli does; each token with the quote that it was written in."""
    text, at, out = text.strip(), 0, []
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise Broken("unbalanced quotes")
        if m[1] is not None:
            out.append(('"', unescape(m[1])))
        elif m[2] is not None:
            out.append(("'", m[2].replace("\\'", "'").encode()))
        else:
            out.append(("", m[3].encode()))
        at = m.end()
    return out


def request_bytes(text):
    args = [token for _, token in tokens(text)]
    if not args:
        raise Broken("a request without a command")
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args)


def bulk_bytes(sign, content):
    return b"%s%d\r\n%s\r\n" % (sign, len(content), content)


def line_bytes(text):
    """One expected line: raw, or a bulk "..." or verbatim ="ref:..." whose length is computed."""
    m = re.fullmatch(r'(=?)"(.*)"', text)
    if m:
        return bulk_bytes(m[1].encode() or b"$", unescape(m[2]))
    return unescape(text) + b"\r\n"


def compact_bytes(text):
    """Several expected lines in one: quoted tokens are bulks, others are lines as they are."""
    out = b""
    for quote, token in tokens(text):
        out += bulk_bytes(b"$", token) if quote else token + b"\r\n"
    return out


# --- files ---------------------------------------------------------------------------------------

LINE = re.compile(r"(\??)([a-z][a-z0-9]*)?(>>|>|<<|<~\$|<~|<=|<!|<|!)(?: (.*))?")


class Step:
    """One line: `kind` is its sign, `name` its connection ("" = the unnamed one, None = the last)."""

    def __init__(self, number, protocols, retry, name, kind, text):
        self.number, self.protocols, self.retry = number, protocols, retry
        self.name, self.kind, self.text = name, kind, text

    def expects(self):
        return self.kind.startswith("<")


def parse(path):
    steps, protocols = [], {2, 3}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("@"):
            word = line.split()
            if word[0] == "@sleep" and len(word) == 2 and word[1].isdigit():
                steps.append(Step(number, protocols, False, "", "@", int(word[1])))
            elif word[0] in ("@2", "@3", "@both") and len(word) == 1:
                protocols = {2, 3} if word[0] == "@both" else {int(word[0][1])}
            elif word[0] == "@sum" and len(word) > 2:
                steps.append(Step(number, protocols, False, "", "@sum", word[1:]))
            else:
                raise Broken(f"{path}:{number}: unknown directive {line}")
            continue
        m = LINE.fullmatch(line)
        if not m or (m[1] and m[3] != ">") or (m[3] == "!" and not m[2]):
            raise Broken(f"{path}:{number}: not a line of a wire test: {line}")
        name = m[2] if m[2] or m[3].startswith("<") else ""
        steps.append(Step(number, protocols, bool(m[1]), name, m[3], m[4] or ""))
    return steps


# --- connections ---------------------------------------------------------------------------------


class Connection:
    def __init__(self, port, protocol):
        self.socket = socket.create_connection(("127.0.0.1", port), REPLY_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""
        if protocol == 3:
            self.send(request_bytes("HELLO 3"))
            self.take_reply()

    def send(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def _more(self, expected):
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            raise Mismatch(expected, self.pending + b" and nothing more") from None
        except ConnectionResetError:
            data = b""
        if not data:
            raise Mismatch(expected, self.pending + b" and the end of the connection")
        self.pending += data

    def take(self, n, expected):
        while len(self.pending) < n:
            self._more(expected)
        data, self.pending = self.pending[:n], self.pending[n:]
        return data

    def take_line(self, expected):
        while b"\r\n" not in self.pending:
            self._more(expected)
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line

    def take_scalar(self, expected):
        """The content of a bulk, a verbatim string, a number or a simple string."""
        line = self.take_line(expected)
        if line[:1] in (b"$", b"=") and not line.startswith(b"$-"):
            content = self.take(int(line[1:]) + 2, expected)[:-2]
            return content[4:] if line[:1] == b"=" else content
        if line[:1] in (b":", b"+", b","):
            return line[1:]
        raise Mismatch(expected, line)

    def take_reply(self):
        """The bytes of one whole reply, of any type."""
        expected, left, out = b"a reply", 1, b""
        while left:
            line = self.take_line(expected)
            out += line + b"\r\n"
            left -= 1
            kind, rest = line[:1], line[1:]
            if kind in b"$=!" and rest != b"-1":
                out += self.take(int(rest) + 2, expected)
            elif kind in b"*~>%|" and rest != b"-1":
                left += int(rest) * (2 if kind in b"%|" else 1) + (kind == b"|")
        return out

    def expect_bytes(self, expected):
        """Compares as the bytes come in, so that a shorter reply fails at once, not by time-out."""
        at = 0
        while at < len(expected):
            if not self.pending[at:]:
                self._more(expected)
            n = min(len(self.pending), len(expected))
            if self.pending[at:n] != expected[at:n]:
                raise Mismatch(expected, self.pending)
            at = n
        self.pending = self.pending[at:]

    def expect_end(self):
        try:
            data = self.pending or self.socket.recv(65536)
        except ConnectionResetError:
            return
        except socket.timeout:
            data = b"an open connection"
        if data:
            raise Mismatch(b"the end of the connection", data)

    def close(self):
        self.socket.close()


# --- playing a file ------------------------------------------------------------------------------


class Play:
    """One file over one protocol."""

    def __init__(self, path, steps, port, protocol):
        self.path, self.port, self.protocol = path, port, protocol
        self.steps = [s for s in steps if protocol in s.protocols]
        self.connections, self.variables, self.last = {}, {}, ""
        self.replies = 0

    def connection(self, name):
        if name is None:
            name = self.last
        self.last = name
        if name not in self.connections:
            self.connections[name] = Connection(self.port, self.protocol)
        return self.connections[name]

    def filled(self, text):
        def value(m):
            if m[1] not in self.variables:
                raise Broken(f"no variable {m[1]} was captured")
            found = self.variables[m[1]].decode("latin-1")
            if not re.fullmatch(r"[!-~]*", found) or re.search(r"[\"'\\]", found):
                raise Broken(f"variable {m[1]} holds what cannot be pasted: {found!r}")
            return found

        return re.sub(r"\$\{(\w+)\}", value, text)

    def expect(self, step):
        c, text = self.connection(step.name), self.filled(step.text)
        if step.kind == "<":
            c.expect_bytes(line_bytes(text))
        elif step.kind == "<<":
            c.expect_bytes(compact_bytes(text))
        elif step.kind == "<=":
            if not re.fullmatch(r"\w+", text):
                raise Broken("a capture needs the name of a variable")
            self.variables[text] = c.take_scalar(b"a bulk to capture")
        elif step.kind == "<!":
            c.expect_end()
            self.connections.pop(self.last).close()
        else:
            shown = step.kind.encode() + b" " + text.encode()
            got = c.take_line(shown) if step.kind == "<~" else c.take_scalar(shown)
            if not re.fullmatch(text, got.decode("latin-1"), re.S):
                raise Mismatch(shown, got)
        self.replies += 1

    def expect_retried(self, request, expected):
        """Asks again and again until the whole reply is the expected one."""
        end = time.monotonic() + RETRY_SECONDS_MAX
        while True:
            c = self.connection(request.name)
            c.send(request_bytes(self.filled(request.text)))
            c.pending = c.take_reply()
            try:
                for step in expected:
                    self.expect(step)
                return
            except Mismatch:
                if time.monotonic() > end:
                    raise
                c.pending = b""
                time.sleep(0.01)

    def step(self, i):
        """Plays a step, and with a retried request what it expects; the index of the next one."""
        step = self.steps[i]
        if step.retry:
            end = i + 1
            while end < len(self.steps) and self.steps[end].expects():
                end += 1
            self.expect_retried(step, self.steps[i + 1 : end])
            return end
        if step.expects():
            self.expect(step)
        elif step.kind == "@":
            time.sleep(step.text / 1000)
        elif step.kind == "@sum":
            whole, *parts = (int(self.variables[name]) for name in step.text)
            if whole != sum(parts):
                raise Mismatch(b"%d" % whole, b"%d" % sum(parts))
        elif step.kind == "!":
            self.connection(step.name).close()
            del self.connections[step.name]
        elif step.kind == ">>":
            self.connection(step.name).send(unescape(self.filled(step.text)))
        else:
            self.connection(step.name).send(request_bytes(self.filled(step.text)))
        return i + 1

    def check_ends(self):
        """No connection has said more than was expected of it."""
        for c in self.connections.values():
            c.send(request_bytes("PING"))
            c.expect_bytes(b"+PONG\r\n")

    def run(self):
        """None, or what went wrong as a text that begins with file:line."""
        i, where = 0, 0
        try:
            while i < len(self.steps):
                where = self.steps[i].number
                i = self.step(i)
            self.check_ends()
            return None
        except Mismatch as m:
            return (
                f"{self.path}:{where}: (RESP{self.protocol})\n"
                f"    expected: {shown(m.expected)}\n    got:      {shown(m.got)}"
            )
        except (Broken, re.error) as b:
            return f"{self.path}:{where}: {b}"
        except ConnectionRefusedError:
            return f"{self.path}:{where}: heapd does not accept connections any more"
        finally:
            for c in self.connections.values():
                c.close()


def shown(data, limit=1000):
    text = data[:limit].decode("latin-1").encode("unicode_escape").decode()
    return text.replace("\\r\\n", " ") + (" ..." if len(data) > limit else "")


# --- the server ----------------------------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# Handed to the server: ./test --epoll.
MORE = os.environ.get("HEAPD_TEST_ARGUMENTS", "").split()


class Server:
    def __init__(self, binary, port):
        self.port = port or free_port()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [binary, "--port", str(self.port), "--http-port", "0", *MORE],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.control = Connection(self.port, 2)
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    sys.exit(f"heapd did not start:\n{self.said()}")
                time.sleep(0.02)

    def ask(self, text):
        self.control.send(request_bytes(text))
        return self.control.take_reply()

    def said(self):
        self.log.seek(0)
        return self.log.read()[-8000:].decode("utf-8", "replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def play_all(server, files):
    passed = failed = replies = 0
    for path in files:
        steps = parse(path)
        for protocol in (2, 3):
            play = Play(path.relative_to(HERE.parent.parent), steps, server.port, protocol)
            if not any(s.expects() for s in play.steps):
                continue
            try:
                server.ask("FLUSHALL")
            except Mismatch:
                return passed, failed + 1, replies
            problem = play.run()
            replies += play.replies
            passed, failed = passed + (problem is None), failed + (problem is not None)
            if problem:
                print(problem, flush=True)
    return passed, failed, replies


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heapd", required=True, help="the server's binary")
    parser.add_argument("--only", metavar="PATTERN", help="files whose <family>/<behaviour> it fits")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    options = parser.parse_args()

    files = sorted(HERE.glob("*/*.txt"))
    if options.only:
        pattern = options.only if "*" in options.only else f"*{options.only}*"
        name = lambda f: str(f.relative_to(HERE).with_suffix(""))
        files = [f for f in files if fnmatch.fnmatch(name(f), pattern)]
    if not files:
        sys.exit("no wire test fits")
    server = Server(options.heapd, options.port)
    try:
        passed, failed, replies = play_all(server, files)
    except Broken as b:
        passed, failed, replies = 0, 1, 0
        print(b)
    finally:
        code = server.stop()
    if code != 0:
        failed += 1
        print(f"heapd ended with {code}:\n{server.said()}")
    print(f"{len(files)} files, {replies} replies compared")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
