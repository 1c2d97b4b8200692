#!/usr/bin/env python3
"""Goal: bad input, vanishing clients, too many of them and too much of everything are served or
refused, never a crash; and the process begins and ends as it says.

Method: each check starts a server of its own on a free port, misuses it through plain sockets, and
ends it with SIGTERM, which must exit 0 (so a leak or a report of a sanitizer fails the check). The
heavy checks are smaller where the server is sanitized or the machine has little memory.

usage: run.py --heapd BIN [--only TEXT]
"""
import argparse
import contextlib
import os
import pathlib
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

MIB = 1 << 20
PONG = b"+PONG\r\n"
CHECKS = []
HEAPD = None
SANITIZED = False
MORE = os.environ.get("HEAPD_TEST_ARGUMENTS", "").split()  # ./test --epoll


def check(title):
    """Registers a check; its docstring is what it promises."""
    def register(function):
        CHECKS.append((title, function))
        return function
    return register


def memory_available():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """One connection, and a reader of as much RESP2 as the checks need."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        data = self.socket.recv(MIB)
        if not data:
            raise EOFError("the server closed the connection")
        return data

    def take(self, count):
        parts, have = [self.rest], len(self.rest)
        while have < count:
            parts.append(self.receive())
            have += len(parts[-1])
        whole = b"".join(parts)
        self.rest = whole[count:]
        return whole[:count]

    def line(self):
        while b"\r\n" not in self.rest:
            self.rest += self.receive()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def reply(self):
        line = self.line()
        kind, text = line[:1], line[1:]
        if kind == b"$":
            return None if text == b"-1" else self.take(int(text) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(text))]
        return int(text) if kind == b":" else line

    def call(self, *words):
        self.send(request(*words))
        return self.reply()

    def everything(self):
        """What comes until the server closes; a reset ends it too."""
        parts = [self.rest]
        with contextlib.suppress(ConnectionError):
            while data := self.socket.recv(MIB):
                parts.append(data)
        return b"".join(parts)

    def is_closed_within(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except (TimeoutError, BlockingIOError):
            return False
        except ConnectionError:
            return True

    def vanish(self):
        """A reset, as of a client whose machine is gone."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def info(self):
        text = self.call("INFO", "everything").decode()
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        return {name: value.strip() for name, value in pairs}


def request(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Server:
    """A running heapd; leaving the block ends it and demands exit code 0."""

    def __init__(self, *options):
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [HEAPD, "--port", str(self.port), "--http-port", "0", *MORE, *map(str, options)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        until = time.monotonic() + 20
        while True:
            try:
                with Client(self.port) as c:
                    c.send(b"PING\r\n")
                    assert c.line() == b"+PONG"
                    return self
            except ConnectionRefusedError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def __exit__(self, failure, *_):
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            code = self.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        if failure is None:
            assert code == 0, f"exit code {code}: {self.text()[-2000:]}"

    def wait(self, seconds):
        return self.process.wait(seconds)

    def client(self):
        return Client(self.port)

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def resident(self):
        statm = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(statm.split()[1]) * resource.getpagesize()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def eventually(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


# --- broken input -------------------------------------------------------------------------------

BROKEN = [
    (b"*1\r\n!4\r\nPING\r\n", b"-ERR Protocol error: expected '$', got '!'\r\n"),
    (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1048577\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1\r\n$-2\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b"*1\r\n$536870913\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b'GET "a\r\n', b"-ERR Protocol error: unbalanced quotes in request\r\n"),
    (b"a" * (70 << 10), b"-ERR Protocol error: too big inline request\r\n"),
    (b"*" + b"1" * (70 << 10), b"-ERR Protocol error: too big mbulk count string\r\n"),
]


@check("broken protocol: the replies before it, Redis's text, then the end")
def broken_protocol():
    with Server() as server:
        for data, text in BROKEN:
            with server.client() as c:
                c.send(b"PING\r\n" + data)
                assert c.everything() == PONG + text, data[:40]


@check("broken protocol: the text arrives although much more was sent behind it")
def broken_protocol_flood():
    with Server() as server, server.client() as c:
        with contextlib.suppress(ConnectionError):
            c.send(b"*1\r\n!\r\n" + b"x" * (4 * MIB))
        assert c.everything() == BROKEN[0][1]


@check("a request cut at every byte is one request")
def cut_requests():
    whole = request("SET", "key", "value") + b"PING\r\n" + request("GET", "key")
    with Server() as server, server.client() as c:
        for at in range(1, len(whole)):
            c.send(whole[:at])
            time.sleep(0.001)
            c.send(whole[at:])
            assert (c.line(), c.line(), c.reply()) == (b"+OK", b"+PONG", b"value"), at


@check("a request of 1 Mi arguments is served")
def many_arguments():
    count = (1 << 20) - 1
    with Server() as server, server.client() as c:
        c.send(b"*%d\r\n$6\r\nEXISTS\r\n" % (count + 1) + b"$1\r\nk\r\n" * count + b"PING\r\n")
        assert (c.line(), c.line()) == (b":0", b"+PONG")


# --- clients that vanish ------------------------------------------------------------------------

@check("a client that vanishes in the middle of a command")
def vanish_mid_command():
    with Server() as server, server.client() as watcher:
        before = int(watcher.info()["used_memory"])
        for how in range(40):
            c = server.client()
            c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000\r\n" + b"x" * (how * 50000))
            c.vanish() if how % 2 else c.socket.close()
        eventually(lambda: watcher.info()["connected_clients"] == "1")
        eventually(lambda: int(watcher.info()["used_memory"]) < before + MIB)
        assert watcher.call("EXISTS", "k") == 0


@check("a client that vanishes in the middle of its replies")
def vanish_mid_reply():
    with Server() as server, server.client() as watcher:
        assert watcher.call("SET", "k", b"x" * (4 * MIB)) == b"+OK"
        for how in range(20):
            c = server.client()
            c.send(request("GET", "k") * 10)
            c.socket.recv(100)
            c.vanish() if how % 2 else c.socket.close()
        eventually(lambda: watcher.info()["connected_clients"] == "1")
        assert len(watcher.call("GET", "k")) == 4 * MIB


@check("a client that vanishes holding 100,000 handles: all is released, others are served")
def vanish_with_handles():
    count, batch = 100000, 1000
    with Server() as server, server.client() as watcher:
        before = watcher.info()
        c = server.client()
        for _ in range(count // batch):
            c.send(request("REF", "NEW", "list") * batch)
            for _ in range(batch):
                assert c.reply().startswith(b"&:")
        during = watcher.info()
        assert int(during["heap_handles"]) == int(before["heap_handles"]) + count
        assert int(during["heap_objects"]) >= int(before["heap_objects"]) + count
        c.vanish()
        longest = 0
        until = time.monotonic() + 60
        while True:
            began = time.monotonic()
            now = watcher.info()
            longest = max(longest, time.monotonic() - began)
            if all(now[f] == before[f] for f in ("heap_handles", "heap_objects")):
                break
            assert time.monotonic() < until, (now["heap_handles"], now["heap_objects"])
        assert longest < (5 if SANITIZED else 1), f"another client waited {longest} s"


# --- large things -------------------------------------------------------------------------------

@check("a bulk of 512 MiB is set and got (64 MiB where it would be too slow)")
def large_bulk():
    room = not SANITIZED and memory_available() > 3 << 30
    size = 512 * MIB if room else 64 * MIB
    piece = bytes(range(256)) * 4096
    with Server() as server, server.client() as c:
        c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % size)
        for _ in range(size // MIB):
            c.send(piece)
        c.send(b"\r\n")
        assert c.line() == b"+OK"
        assert c.call("STRLEN", "k") == size
        c.send(request("GET", "k"))
        assert c.line() == b"$%d" % size
        for at in range(size // MIB):
            assert c.take(MIB) == piece, at
        assert c.take(2) == b"\r\n"
        assert c.call("DEL", "k") == 1
        c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (512 * MIB + 1))
        assert c.everything() == b"-ERR Protocol error: invalid bulk length\r\n"


@check("an announced bulk costs nothing before it arrives")
def announced_bulk():
    with Server() as server, server.client() as watcher:
        before = server.resident(), int(watcher.info()["used_memory"])
        clients = [server.client() for _ in range(50)]
        for c in clients:
            c.send(b"*2\r\n$4\r\nECHO\r\n$536870912\r\n" + b"x" * 1000)
        time.sleep(0.2)
        after = server.resident(), int(watcher.info()["used_memory"])
        assert after[1] - before[1] < 32 * MIB, (before, after)
        for c in clients:
            c.socket.close()


@check("a pipeline of a million commands, sent without reading; another client is served meanwhile")
def million_pipeline():
    count = 1000000
    with Server() as server, server.client() as c, server.client() as other:
        sender = threading.Thread(target=c.send, args=(b"PING\r\n" * count,))
        sender.start()
        longest = 0
        for _ in range(100):
            began = time.monotonic()
            other.send(b"PING\r\n")
            assert other.line() == b"+PONG"
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.005)
        block = PONG * 1000
        for _ in range(count // 1000):
            assert c.take(len(block)) == block
        sender.join()
        assert longest < (5 if SANITIZED else 1), f"another client waited {longest} s"
        c.send(b"PING\r\n")
        assert c.line() == b"+PONG"


# --- maxmemory ----------------------------------------------------------------------------------

@check("maxmemory is kept under twice as much data")
def maxmemory_is_kept():
    limit = (8 if SANITIZED else 32) * MIB
    for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl"):
        expiry = ("EX", 1000) if policy == "volatile-ttl" else ()
        with Server("--maxmemory", limit, "--maxmemory-policy", policy) as server, server.client() as c, server.client() as watcher:
            for first in range(0, 2 * limit // 1000, 64):
                c.send(b"".join(request("SET", f"name:{i}", b"%01000d" % i, *expiry) for i in range(first, first + 64)))
                assert all(c.line() == b"+OK" for _ in range(64))
                if first % 1024 == 0:
                    assert int(watcher.info()["used_memory"]) < limit + MIB // 4
            info = watcher.info()
            assert int(info["evicted_keys"]) > 0.9 * limit / 1000 and int(info["evicted_bytes"]) > 0.9 * limit
            assert c.call("GET", f"name:{first + 63}") is not None or policy != "allkeys-lru"


@check("values much larger than the names that go for them, from many clients")
def maxmemory_small_for_big():
    limit, size, clients = (8 if SANITIZED else 32) * MIB, MIB // 2, 6
    with Server("--maxmemory", limit, "--maxmemory-policy", "allkeys-random") as server, server.client() as watcher:
        with server.client() as c:
            for first in range(0, limit // 40, 64):
                c.send(b"".join(request("SET", f"n{i}", i) for i in range(first, first + 64)))
                assert all(c.line() == b"+OK" for _ in range(64))

        def write(number):
            with server.client() as c:
                for i in range(0, 8 * limit // size // clients, 8):
                    c.send(b"".join(request("SET", f"big:{number}:{k}", b"%0*d" % (size, k)) for k in range(i, i + 8)))
                    replies.extend(c.line() for _ in range(8))
        replies, most = [], 0
        writers = [threading.Thread(target=write, args=(number,)) for number in range(clients)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            most = max(most, int(watcher.info()["used_memory"]))
        for writer in writers:
            writer.join()
        assert set(replies) == {b"+OK"}, set(replies)
        # The slack, and for each client a value that it has set and one that is being received.
        assert most < limit + limit // 32 + clients * 2 * (size + MIB // 4) + MIB, most - limit
        # The last value of each may lie beyond the limit until the next command that needs memory.
        eventually(lambda: watcher.call("SET", "last", 1) == b"+OK" and int(watcher.info()["used_memory"]) <= limit)


@check("a smaller maxmemory is reached in steps, and readers are served meanwhile")
def maxmemory_is_lowered():
    names = 30000 if SANITIZED else 300000
    with Server() as server, server.client() as c, server.client() as watcher:
        for first in range(0, names, 100):
            c.send(b"".join(request("SET", f"name:{i}", b"%0100d" % i) for i in range(first, first + 100)))
            assert all(c.line() == b"+OK" for _ in range(100))
        limit = int(watcher.info()["used_memory"]) // 2
        assert c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", limit) == b"+OK"
        c.send(request("SET", "another", "value"))
        assert watcher.call("PING") == b"+PONG"
        assert c.line() == b"+OK"
        eventually(lambda: int(watcher.info()["used_memory"]) <= limit)
        assert watcher.info()["blocked_clients"] == "0"


# --- many clients -------------------------------------------------------------------------------

@check("10,000 idle connections: served, or refused with the error")
def idle_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10000
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard - 200)
        with Server() as server:
            clients, refused = [], 0
            for _ in range(wanted + 20):
                clients.append(server.client())
            for c in clients:
                with contextlib.suppress(ConnectionError):
                    c.send(b"PING\r\n")
            for c in clients:
                try:
                    line = c.line()
                except (EOFError, ConnectionError):
                    refused += 1 # a reset may have taken the text with it
                    continue
                assert line in (b"+PONG", b"-ERR max number of clients reached"), line
                refused += line != b"+PONG"
            assert refused <= 40, f"{refused} of {wanted + 20} refused"
            began = server.cpu_seconds()
            time.sleep(1)
            assert server.cpu_seconds() - began < 0.2, "idle connections cost time"
            for c in clients:
                c.socket.close()
            with Client(server.port) as probe:
                eventually(lambda: probe.info()["connected_clients"] == "1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@check("maxclients: one more is told so and closed; a place that is free is given away")
def max_clients():
    with Server("--maxclients", 20) as server:
        clients = []
        eventually(lambda: fill(server, clients, 20))
        for _ in range(5):
            with server.client() as c:
                assert c.everything() == b"-ERR max number of clients reached\r\n"
        assert int(clients[0].info()["rejected_connections"]) >= 5
        clients.pop().socket.close()
        eventually(lambda: fill(server, clients, 20))


def fill(server, clients, count):
    """Opens clients until `count` are served; the server may still count one that has closed."""
    while len(clients) < count:
        c = server.client()
        c.send(b"PING\r\n")
        if c.line() != b"+PONG":
            c.socket.close()
            return False
        clients.append(c)
    return True


@check("CONFIG SET maxclients: as many as the system has descriptors for, and no more is said")
def more_clients():
    with Server("--maxclients", 20) as server, server.client() as c:
        def limits():
            line = next(line for line in pathlib.Path(f"/proc/{server.process.pid}/limits")
                        .read_text().splitlines() if line.startswith("Max open files"))
            return tuple(map(int, line.split()[3:5]))

        c.send(b"CONFIG SET maxclients 1500\r\n")
        assert c.line() == b"+OK"
        assert limits()[0] >= 1500
        c.send(b"CONFIG SET maxclients 4294967295\r\n")
        line = c.line()
        assert line.startswith(b"-ERR CONFIG SET failed (possibly related to argument 'maxclients') - "
                               b"The operating system is not able to handle"), line
        possible = int(line.split()[-1])
        assert 1500 <= possible < limits()[1]
        assert c.info()["maxclients"] == "1500"
        c.send(b"CONFIG SET maxclients %d\r\n" % possible)
        assert c.line() == b"+OK"
        clients = []
        eventually(lambda: fill(server, clients, 1200))


@check("an idle client is closed after `timeout`, a busy one is not")
def idle_timeout():
    with Server("--timeout", 1) as server, server.client() as idle, server.client() as busy:
        until = time.monotonic() + 3.5
        while time.monotonic() < until:
            busy.send(b"PING\r\n")
            assert busy.line() == b"+PONG"
            time.sleep(0.2)
        assert idle.is_closed_within(0.1)


@check("CLIENT KILL closes another client at once, and the caller after its reply")
def client_kill():
    with Server() as server, server.client() as killer, server.client() as victim:
        number = victim.call("CLIENT", "ID")
        assert killer.call("CLIENT", "KILL", "ID", number) == 1
        assert victim.is_closed_within(5)
        own = killer.call("CLIENT", "ID")
        killer.send(request("CLIENT", "KILL", "ID", own, "SKIPME", "no") + b"PING\r\n")
        assert killer.everything() == b":1\r\n"


@check("a killed client's connection has ended when the killer has its reply")
def client_kill_is_seen():
    """What the killer sends behind it keeps the turn busy, so that the reply comes before its end."""
    with Server() as server, server.client() as killer, server.client() as victim:
        killer.call("SET", "large", b"v" * MIB)
        for _ in range(20):
            killer.call("RPUSH", "list", *range(10000))
        number = victim.call("CLIENT", "ID")
        killer.send(request("CLIENT", "KILL", "ID", number) + request("GET", "large") +
                    request("LRANGE", "list", 0, -1) * 3)
        assert killer.reply() == 1
        assert victim.is_closed_within(0)


# --- slow readers -------------------------------------------------------------------------------

@check("a client that does not read is run on, costs what its replies cost, and gets everything when it reads")
def slow_reader():
    value = b"v" * MIB
    with Server() as server, server.client() as other:
        assert other.call("SET", "k", value) == b"+OK"
        before = server.resident()
        with server.client() as slow:
            slow.send(request("GET", "k") * 500)
            for _ in range(20):
                time.sleep(0.02)
                assert other.call("STRLEN", "k") == MIB
            # The value is sent from the heap, so 500 replies of it are little memory.
            grown = server.resident() - before
            assert grown < (200 if SANITIZED else 24) * MIB, f"{grown >> 20} MiB more"
            for at in range(500):
                assert slow.reply() == value, at
            slow.send(b"PING\r\n")
            assert slow.line() == b"+PONG"


class Echoing:
    """A client that asks for texts of its own, in pipelines of any length, and compares what comes."""

    def __init__(self, port, number, slow):
        self.socket = socket.socket()
        if slow:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.dice, self.slow, self.number = random.Random(number), slow, number
        self.asks, self.wanted, self.count = bytearray(), bytearray(), 0

    def ask(self):
        for _ in range(self.dice.choice((1, 1, 2, 16, 64))):
            text = b"%d:%d:" % (self.number, self.count)
            text += bytes((97 + self.number % 26,)) * self.dice.choice((0, 1, 30, 300, 3000, 20000, 70000))
            self.count += 1
            self.asks += request("ECHO", text)
            self.wanted += b"$%d\r\n%s\r\n" % (len(text), text)

    def turn(self, asks):
        """Sends some, reads some. False when there is nothing left to do."""
        if asks and len(self.wanted) < 4 * MIB:
            self.ask()
        with contextlib.suppress(BlockingIOError):
            del self.asks[:self.socket.send(self.asks)]
        if asks and self.slow and self.dice.random() < 0.9:
            return True
        with contextlib.suppress(BlockingIOError):
            got = self.socket.recv(self.dice.choice((100, 5000, MIB)) if self.slow else MIB)
            assert got, "the server closed the connection"
            assert got == self.wanted[:len(got)], f"client {self.number} got what is not its own"
            del self.wanted[:len(got)]
        return bool(self.asks or self.wanted)


@check("slow readers and fast ones among each other get what is theirs, in order")
def mixed_readers():
    with Server() as server:
        clients = [Echoing(server.port, i, i % 3 == 0) for i in range(60)]
        until = time.monotonic() + 4
        while time.monotonic() < until:
            for c in clients:
                c.turn(True)
        left, until = clients, time.monotonic() + 60
        while left:
            assert time.monotonic() < until, f"{len(left)} clients wait for their replies"
            left = [c for c in left if c.turn(False)]
        for c in clients:
            c.socket.close()


@check("replies above client-output-buffer-limit that are not read end their client, and the log says so")
def output_limit():
    with Server("--client-output-buffer-limit", "normal", "8mb", "0", "0") as server, server.client() as other:
        assert other.call("SET", "k", b"v" * (32 * MIB)) == b"+OK"
        with server.client() as slow:
            slow.send(request("GET", "k"))
            eventually(lambda: other.info()["connected_clients"] == "1")
            assert len(slow.everything()) < 32 * MIB
        assert "client-output-buffer-limit" in server.text()


@check("replies over the soft limit end their client when they were for so many seconds, not sooner")
def output_soft_limit():
    with Server("--client-output-buffer-limit", "normal", 0, "1mb", 2) as server, server.client() as other:
        assert other.call("SET", "k", b"v" * (32 * MIB)) == b"+OK"
        with server.client() as slow, server.client() as late:
            slow.send(request("GET", "k"))
            late.send(request("GET", "k"))
            began = time.monotonic()
            time.sleep(0.5)
            assert late.reply() == b"v" * (32 * MIB)
            eventually(lambda: other.info()["connected_clients"] == "2")
            assert 1.5 < time.monotonic() - began < 8
            assert len(slow.everything()) < 32 * MIB
            time.sleep(2.5)
            late.send(b"PING\r\n")
            assert late.line() == b"+PONG"


# --- memory of clients --------------------------------------------------------------------------

def fill_names(c, count=2000):
    c.send(b"".join(request("SET", f"name:{i}", "v" * 1000) for i in range(count)))
    for _ in range(count):
        assert c.line() == b"+OK"


@check("what is announced or unfinished evicts no names, and is counted as far as it was received")
def unfinished_is_not_data():
    with Server("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru") as server, server.client() as c:
        fill_names(c)
        before = c.info()
        with contextlib.ExitStack() as stack:
            for _ in range(260):
                one = stack.enter_context(server.client())
                one.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n")
            eventually(lambda: int(c.info()["connected_clients"]) == 261)
            c.call("SET", "another", "v")
            announced = c.info()
            assert int(announced["used_memory"]) - int(before["used_memory"]) < 4 * MIB, announced["used_memory"]
            large = stack.enter_context(server.client())
            large.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (64 * MIB) + b"v" * (60 * MIB))
            eventually(lambda: int(c.info()["mem_clients_normal"]) >= 60 * MIB)
            c.call("SET", "a third", "v")
            now = c.info()
            assert int(now["used_memory"]) >= int(before["used_memory"]) + 60 * MIB
            assert int(now["mem_not_counted_for_evict"]) >= 60 * MIB
            assert int(now["client_recent_max_input_buffer"]) >= 60 * MIB
            assert now["evicted_keys"] == "0" and c.call("DBSIZE") == 2002
        eventually(lambda: int(c.info()["mem_clients_normal"]) < MIB)


@check("the arguments of unfinished requests are memory of their clients")
def unfinished_arguments():
    count = 300000
    with Server() as server, server.client() as c, contextlib.ExitStack() as stack:
        for _ in range(4):
            one = stack.enter_context(server.client())
            one.send(b"*%d\r\n$4\r\nMGET\r\n" % (count + 10) + b"$0\r\n\r\n" * count)
        # Sixteen bytes for a view of each, in an array that doubles, and six for what was sent.
        eventually(lambda: int(c.info()["mem_clients_normal"]) >= 4 * 22 * count)
        assert int(c.info()["used_memory"]) >= 4 * 22 * count


@check("clients that do not read are bounded together: those that take most are closed first, and no name is evicted")
def clients_together():
    with Server("--maxmemory", "60mb", "--maxmemory-policy", "allkeys-lru") as server, server.client() as c:
        fill_names(c)
        for _ in range(20):
            c.send(request("RPUSH", "list", *[f"{i:01000d}" for i in range(1000)]))
            c.reply()
        names = c.call("DBSIZE")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.client()) for _ in range(8)]
            for one in clients:
                one.send(request("LRANGE", "list", 0, -1))
            eventually(lambda: int(c.info()["evicted_clients"]) >= 5)
            now = c.info()
            assert 15 * MIB < int(now["mem_clients_normal"]) <= 60 * MIB, now["mem_clients_normal"]
            assert int(now["used_memory"]) > int(now["mem_clients_normal"]) + 2 * MIB
            assert int(now["client_recent_max_output_buffer"]) > 15 * MIB
            assert now["evicted_keys"] == "0" and c.call("DBSIZE") == names
            assert int(now["connected_clients"]) == 9 - int(now["evicted_clients"])
        assert "maxmemory-clients" in server.text()
        # Whoever reads gets everything, though it takes more than its part for a moment.
        assert len(c.call("LRANGE", "list", 0, -1)) == 20000
        assert c.call("CONFIG", "SET", "maxmemory-clients", "1mb") == b"+OK"
        with server.client() as slow:
            slow.send(request("LRANGE", "list", 0, 9999))
            eventually(lambda: int(c.info()["connected_clients"]) == 1)


@check("a half-closed peer gets all its replies, then the end")
def half_closed():
    with Server() as server:
        for count in (1, 20000):
            with server.client() as c:
                sender = threading.Thread(target=half_close, args=(c, b"PING\r\n" * count))
                sender.start()
                assert c.everything() == PONG * count
                sender.join()
        with server.client() as c:
            half_close(c, b"PING\r\n*2\r\n$4\r\nECHO\r\n$10\r\nabc")
            assert c.everything() == PONG
        with server.client() as c:
            half_close(c, b"GC COLLECT\r\nPING\r\n")
            assert c.everything().endswith(PONG)


def half_close(client, data):
    client.send(data)
    client.socket.shutdown(socket.SHUT_WR)


@check("QUIT: its reply, nothing behind it, then the end")
def quit_command():
    with Server() as server, server.client() as c:
        began = time.monotonic()
        c.send(b"PING\r\nQUIT\r\nPING\r\n")
        assert c.everything() == PONG + b"+OK\r\n"
        assert time.monotonic() - began < 2


# --- the process --------------------------------------------------------------------------------

@check("an idle server uses no time, and names expire on time without a command")
def idle_process():
    with Server() as server, server.client() as c:
        c.send(request("SET", "k", "v", "PX", 300) + request("SET", "stays", "v"))
        assert (c.line(), c.line()) == (b"+OK", b"+OK")
        assert c.call("DBSIZE") == 2
        time.sleep(0.4)
        assert c.call("DBSIZE") == 1
        began = server.cpu_seconds()
        time.sleep(2)
        assert server.cpu_seconds() - began < 0.1


@check("commands that take steps, one behind the other: the second begins when the first has ended")
def waits_in_a_row():
    """On an idle server nothing else wakes the loop but its tick, once a second."""
    with Server() as server, server.client() as c:
        for words in (("GC", "COLLECT"), ("MEMORY", "PURGE")):
            began = time.monotonic()
            c.send(request(*words) * 10)
            for _ in range(10):
                c.reply()
            assert time.monotonic() - began < (2 if SANITIZED else 0.8), words


@check("SIGTERM finishes what was received and exits 0")
def terminate_finishes():
    with Server() as server, server.client() as c, server.client() as slow:
        assert slow.call("SET", "k", b"v" * MIB) == b"+OK"
        slow.send(request("GET", "k") * 20)
        time.sleep(0.2)
        # What lies in its socket when the signal comes was received: stopped, it cannot have read it.
        server.process.send_signal(signal.SIGSTOP)
        c.send(b"PING\r\n" * 3000 + b"*2\r\n$4\r\nECHO\r\n$10\r\nabc")
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        assert c.everything() == PONG * 3000
        for _ in range(20):
            assert slow.reply() == b"v" * MIB
        assert slow.everything() == b""
        assert server.wait(20) == 0


@check("SIGTERM closes idle clients, and does not wait for one that never reads")
def terminate_bounded():
    with Server() as server, server.client() as idle, server.client() as stuck:
        assert stuck.call("SET", "k", b"v" * (16 * MIB)) == b"+OK"
        stuck.send(request("GET", "k"))
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert idle.everything() == b""
        assert time.monotonic() - began < 3
        assert server.wait(20) == 0
        assert time.monotonic() - began < 10


@check("a second SIGTERM exits at once")
def terminate_twice():
    with Server() as server, server.client() as stuck:
        assert stuck.call("SET", "k", b"v" * (16 * MIB)) == b"+OK"
        stuck.send(request("GET", "k"))
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(1)
            raise AssertionError("it did not wait for its client")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.wait(10) == 128 + signal.SIGTERM
        assert time.monotonic() - began < 1
        # The block's own demand is exit code 0, which this server is excused from.
        server.process.returncode = 0


@check("SIGINT is the same as SIGTERM")
def interrupt():
    with Server() as server:
        server.process.send_signal(signal.SIGINT)
        assert server.wait(20) == 0


@check("SHUTDOWN: no reply to the caller, the others' replies are finished, exit 0")
def shutdown():
    for words in (("SHUTDOWN",), ("SHUTDOWN", "NOSAVE")):
        with Server() as server, server.client() as c, server.client() as other:
            assert c.call("SET", "k", b"v" * MIB) == b"+OK"
            other.send(request("GET", "k") * 20)
            time.sleep(0.2)
            c.send(b"PING\r\n" + request(*words))
            assert c.everything() == PONG
            for _ in range(20):
                assert other.reply() == b"v" * MIB
            assert other.everything() == b""
            assert server.wait(20) == 0


def refused(*options):
    """Runs a heapd that must not start; its one line."""
    done = subprocess.run([HEAPD, "--http-port", "0", *map(str, options)], timeout=30,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stderr.decode()
    assert done.returncode == 1, (done.returncode, text)
    assert text.count("\n") == 1 and text.endswith("\n"), text
    return text


@check("a port in use, a bad address: one line that says which, exit 1")
def port_in_use():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        text = refused("--port", port)
        assert str(port) in text and "in use" in text, text
    text = refused("--port", free_port(), "--bind", "no.such.address")
    assert "no.such.address" in text, text
    text = refused("--port", free_port(), "--bind", "127.0.0.1", "192.0.2.77")
    assert "192.0.2.77" in text, text


@check("a bad configuration: one line that says which, exit 1")
def bad_configuration():
    with tempfile.TemporaryDirectory() as folder:
        missing = f"{folder}/missing.conf"
        assert missing in refused_with(missing)
        path = pathlib.Path(folder) / "bad.conf"
        path.write_text("port 1\nno-such-thing 5\n")
        text = refused_with(path)
        assert "no-such-thing" in text and "2" in text, text
        assert folder in refused_with(folder)
        assert f"{folder}/no/log" in refused("--port", free_port(), "--logfile", f"{folder}/no/log")
    assert "no-such-thing" in refused("--no-such-thing", "5")
    assert "port" in refused("--port", "eighty")
    assert "maxmemory" in refused("--maxmemory", "much")
    assert "zzzz" in refused("--hash-seed", "zzzz")


@check("the log says where it serves, and that HTTP is off when it is")
def announced():
    for options, wanted in ((("--http-port", 0), ", HTTP off,"), (("--bind", "localhost"), " on localhost ")):
        with Server(*options) as server:
            assert wanted in server.text(), server.text()
    port = free_port()
    with Server("--http-port", port) as server:
        assert f"HTTP on 127.0.0.1 port {port}," in server.text(), server.text()


@check("a hash seed is the same number however it is written")
def hash_seed():
    orders = set()
    for seed in ("1f", "1F", "001f"):
        with Server("--hash-seed", seed) as server, server.client() as c:
            c.send(b"SADD s " + b" ".join(b"member-%d" % i for i in range(100)) + b"\r\n")
            assert c.line() == b":100"
            c.send(b"SMEMBERS s\r\n")
            orders.add(b"".join(c.line() for _ in range(201)))
    assert len(orders) == 1


def refused_with(path):
    done = subprocess.run([HEAPD, str(path)], timeout=30, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stderr.decode()
    assert done.returncode == 1 and text.count("\n") == 1, (done.returncode, text)
    return text


@check("--help and --version")
def help_and_version():
    for option, word in (("--help", "usage:"), ("--version", "heapd ")):
        done = subprocess.run([HEAPD, option], timeout=30, stdout=subprocess.PIPE)
        assert done.returncode == 0 and done.stdout.decode().startswith(word)


@check("a name: every address that it stands for and this machine has")
def addresses_of_a_name():
    with Server("--bind", "localhost", "127.0.0.2") as server:
        for address in ("127.0.0.1", "127.0.0.2"):
            with socket.create_connection((address, server.port), timeout=20) as c:
                c.sendall(b"PING\r\n")
                assert c.recv(100) == PONG


def other_address():
    """An address of this machine that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.99", 9)) # sends nothing: it asks which address would be used
            address = probe.getsockname()[0]
            probe.close()
            with socket.socket() as listener:
                listener.bind((address, 0))
        except OSError:
            return None
    return None if address.startswith("127.") else address


@check("protected mode: without a password, clients of other addresses are told why and closed")
def protected_mode():
    address = other_address()
    if address is None:
        print("   (this machine has loopback alone: not tried)")
        return

    def first_line(server):
        with socket.create_connection((address, server.port), timeout=20) as c:
            with contextlib.suppress(ConnectionError):
                c.sendall(b"PING\r\n")
            with c.makefile("rb") as file:
                line = file.readline()
                if line.startswith(b"-DENIED"):
                    with contextlib.suppress(ConnectionError):
                        assert file.read() == b"", "it is not closed"
                return line

    with Server("--bind", "*") as server, server.client() as c:
        line = first_line(server)
        assert line.startswith(b"-DENIED Redis is running in protected mode"), line
        assert line.endswith(b"\r\n"), line
        for name, value, wanted in (("protected-mode", "no", PONG), ("protected-mode", "yes", None),
                                    ("requirepass", "secret", b"-NOAUTH Authentication required.\r\n"),
                                    ("requirepass", '""', None), ("protected-mode", "no", PONG)):
            c.send(f"CONFIG SET {name} {value}\r\n".encode())
            assert c.line() == b"+OK"
            line = first_line(server)
            assert line == wanted or (wanted is None and line.startswith(b"-DENIED ")), line
        c.send(b"INFO stats\r\n")
        text = b""
        while b"rejected_connections:" not in text:
            text = c.line()
        assert text == b"rejected_connections:3", text
    with Server("--bind", "*", "--protected-mode", "no") as server:
        assert first_line(server) == PONG


@check("several addresses, IPv6 among them")
def several_addresses():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return # this machine has no IPv6
    with Server("--bind", "127.0.0.1", "::1") as server:
        with socket.create_connection(("::1", server.port), timeout=20) as c:
            c.sendall(b"PING\r\n")
            assert c.recv(100) == PONG


def main():
    global HEAPD, SANITIZED
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--heapd", required=True)
    parser.add_argument("--only", default="", help="checks whose title holds this text")
    options = parser.parse_args()
    HEAPD = os.path.abspath(options.heapd)
    SANITIZED = any(name in pathlib.Path(HEAPD).read_bytes() for name in (b"__asan_init", b"__tsan_init"))
    passed = failed = 0
    for title, function in CHECKS:
        if options.only not in title:
            continue
        began = time.monotonic()
        try:
            function()
            passed += 1
            print(f"ok   {title} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {title}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
