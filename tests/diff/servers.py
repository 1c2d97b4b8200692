"""The two servers of the differential test, and one connection to each.

A Server starts its program on a free loopback port, with an empty keyspace and nothing kept on
disk, and stops it by SIGTERM, which must end in exit code 0; `spoil`, a function over requests,
makes it a server with a fault, for the test of this test. A Link is one connection; `roundtrip`
sends the same batch to every link before it reads, so that both servers work at the same time.
"""

import os
import select
import signal
import socket
import subprocess
import tempfile
import time

import resp

START_TIMEOUT_S = 30.0
REPLY_TIMEOUT_S = 60.0

REDIS_ARGS = ["--save", "", "--appendonly", "no", "--enable-debug-command", "no",
              "--databases", "1", "--bind", "127.0.0.1", "--daemonize", "no"]
# A low limit, so that a case may exceed it.
HEAPD_ARGS = ["--http-port", "0", "--bind", "127.0.0.1", "--reply-values-max", "100000"]
# ./test --epoll
HEAPD_ARGS += os.environ.get("HEAPD_TEST_ARGUMENTS", "").split()


class Gone(Exception):
    """A server does not answer any more."""


def free_port(ports):
    """A free port: the first of `ports` (a range) that can be bound; any without a range."""
    for port in ports or [0]:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return sock.getsockname()[1]
    raise SystemExit("diff: no free port")


class Server:
    def __init__(self, name, program, is_redis, ports=None):
        self.name = name
        self.program = program
        self.is_redis = is_redis
        self.ports = ports
        self.process = None
        self.port = 0
        self.spoil = None
        self.log = tempfile.TemporaryFile()

    def start(self):
        self.port = free_port(self.ports)
        args = [self.program, "--port", str(self.port)]
        args += REDIS_ARGS if self.is_redis else HEAPD_ARGS
        try:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=self.log,
                                            stderr=self.log, cwd=tempfile.gettempdir())
        except OSError as error:
            raise SystemExit("diff: cannot start %s: %s" % (self.program, error)) from None
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit("diff: %s ended with code %d at its start\n%s"
                                 % (self.name, self.process.returncode, self.log_tail()))
            try:
                Link(self).close()
                return
            except (OSError, Gone):
                time.sleep(0.02)
        raise SystemExit("diff: %s does not answer on port %d" % (self.name, self.port))

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def revive(self):
        """Starts it again after a crash."""
        if not self.alive():
            self.start()

    def kill(self):
        """Ends one that hangs, so that revive can start it anew."""
        if self.alive():
            self.process.kill()
            self.process.wait()

    def stop(self):
        """The exit code after SIGTERM; -SIGKILL when it did not end in time."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode if self.process else 0

    def log_tail(self, limit=6000):
        size = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, size - limit))
        return self.log.read().decode("utf-8", "replace")


class Link:
    """One connection. `label` names it in messages; `protocol` 3 begins with HELLO 3."""

    count = 0

    def __init__(self, server, protocol=2):
        self.server = server
        self.sock = socket.create_connection(("127.0.0.1", server.port), timeout=REPLY_TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.mark = b""
        self.closed = False
        hello = [[b"HELLO", b"3"]] if protocol == 3 else [[b"PING"]]
        self.send(hello)
        self.receive()
        if self.closed:
            raise Gone("%s closes at once" % server.name)

    def send(self, commands):
        """Sends the commands, and an ECHO whose reply marks the end of theirs."""
        Link.count += 1
        echo = b"end-of-batch-%d" % Link.count
        self.mark = b"$%d\r\n%b\r\n" % (len(echo), echo)
        if self.server.spoil:
            commands = map(self.server.spoil, commands)
        data = b"".join(map(resp.encode, commands)) + resp.encode([b"ECHO", echo])
        try:
            self.sock.sendall(data)
        except OSError:
            self.closed = True

    def receive(self):
        """The replies to what was sent, without the mark; all there is when the server closed."""
        chunks = []
        tail = b""
        while not self.closed:
            try:
                chunk = self.sock.recv(1 << 20)
            except TimeoutError:
                raise Gone("%s: no reply for %d s" % (self.server.name, REPLY_TIMEOUT_S)) from None
            except OSError:
                chunk = b""
            if not chunk:
                self.closed = True
                break
            chunks.append(chunk)
            tail = (tail + chunk)[-len(self.mark):]
            if tail == self.mark:
                return b"".join(chunks)[:-len(self.mark)]
        return b"".join(chunks)

    def close(self):
        self.sock.close()


def roundtrip(links, commands):
    """The raw replies of every link to the same commands."""
    for link in links:
        link.send(commands)
    return [link.receive() for link in links]


def raw_answer(server, data, expect_bytes, quiet_s, timeout_s):
    """What one fresh connection answers to raw bytes, and whether the server closed it.

    Reads until the server closes, or until it has been silent for quiet_s and at least expect_bytes
    came, at most for timeout_s.
    """
    out = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s) as sock:
        try:
            sock.sendall(data)
        except OSError:
            pass
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            wait = quiet_s if len(out) >= expect_bytes else deadline - time.monotonic()
            if not select.select([sock], [], [], max(0, wait))[0]:
                if len(out) >= expect_bytes:
                    return out, False
                continue
            try:
                chunk = sock.recv(1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                return out, True
            out += chunk
    return out, False
