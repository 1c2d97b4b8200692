#!/usr/bin/env python3
"""Goal: the HTTP port tells people, probes and Prometheus the truth, and nothing that is done to it
disturbs the clients of the other port.

Method: each check starts a heapd on two free ports, drives it through plain sockets and
http.client, and ends it with SIGTERM, which must exit 0 (so a leak or a report of a sanitizer fails
the check). promtool reads what Prometheus would.

usage: run.py --heapd BIN [--only TEXT]
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

CHECKS = []
HEAPD = None
CONF = pathlib.Path(__file__).resolve().parents[2] / "conf"
CONNECTIONS_MAX = 64 # VISITS_MAX
REQUEST_SECONDS = 5  # VISIT_REQUEST_MS


def check(title):
    """Registers a check."""
    def register(function):
        CHECKS.append((title, function))
        return function
    return register


def free_ports(count):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def eventually(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


class Client:
    """A client of the other port, and a reader of as much RESP2 as the checks need."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        words = [str(w).encode() for w in words]
        parts = [b"$%d\r\n%s\r\n" % (len(w), w) for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(parts))

    def reply(self):
        line = self.file.readline()
        kind, text = line[:1], line[1:].strip()
        if kind == b"$":
            return None if text == b"-1" else self.file.read(int(text) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(text))]
        return int(text) if kind == b":" else line.strip().decode()

    def call(self, *words):
        self.send(*words)
        return self.reply()


# Handed to every server: ./test --epoll.
MORE = os.environ.get("HEAPD_TEST_ARGUMENTS", "").split()


class Server:
    """A running heapd; leaving the block ends it and demands exit code 0."""

    def __init__(self, *options):
        self.port, self.http_port = free_ports(2)
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [HEAPD, "--port", str(self.port), "--http-port", str(self.http_port), *MORE, *options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        until = time.monotonic() + 20
        while True:
            try:
                with Client(self.port) as c:
                    assert c.call("PING") == "+PONG"
                    return self
            except ConnectionRefusedError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def __exit__(self, failure, *_):
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(30)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        if failure is None:
            self.log.seek(0)
            assert code == 0, f"exit code {code}: {self.log.read()[-2000:].decode()}"

    def client(self):
        return Client(self.port)

    def http(self):
        return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)

    def raw(self, data=b""):
        s = socket.create_connection(("127.0.0.1", self.http_port), timeout=60)
        s.sendall(data)
        return s

    def ask(self, path, method="GET", **more):
        connection = self.http()
        try:
            return answer(connection, path, method, **more)
        finally:
            connection.close()

    def text(self, path):
        response, body = self.ask(path)
        assert response.status == 200, (path, response.status)
        return body.decode()

    def metrics(self):
        return Metrics(self.text("/metrics"))

    def stats(self):
        return json.loads(self.text("/stats.json"))

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answer(connection, path, method="GET", **more):
    connection.request(method, path, **more)
    response = connection.getresponse()
    return response, response.read()


def everything(s):
    """What comes until the server closes; a reset ends it too."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while data := s.recv(1 << 16):
            parts.append(data)
    return b"".join(parts)


def vanish(s):
    """A reset, as of a client whose machine is gone."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Metrics:
    """The samples of one scrape, and the type of each family."""

    def __init__(self, text):
        self.samples, self.types = {}, {}
        assert text.endswith("\n")
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                assert family not in self.types, f"{family} has two headings"
                self.types[family] = kind
            elif not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                assert name not in self.samples, f"{name} stands there twice"
                self.samples[name] = float(value)

    def __getitem__(self, name):
        return self.samples[name]

    def __contains__(self, name):
        return name in self.samples

    def counters(self):
        """All samples that never go back: counters, and every line of a histogram."""
        for name, value in self.samples.items():
            family = name.partition("{")[0]
            kind = self.types.get(family) or self.types[re.sub("_(bucket|sum|count)$", "", family)]
            if kind != "gauge":
                yield name, value


def promtool(*arguments, text=None):
    tool = shutil.which("promtool")
    assert tool, "promtool is missing (Debian's package prometheus)"
    done = subprocess.run([tool, *arguments], input=text, timeout=60, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def use(c):
    """Something of everything that is counted."""
    c.call("SET", "a", "b" * 100)
    c.call("GET", "a")
    c.call("GET", "missing")
    c.call("SET", "short", "x", "PX", 1)
    c.call("RPUSH", "list", *["element %d" % i for i in range(100)])
    c.call("HSET", "hash", "a field that is interned", 1)
    c.call("SADD", "set", "member")
    c.call("ZADD", "zset", 1, "member")
    c.call("INCR", "list")   # WRONGTYPE
    c.call("GET")            # wrong arity
    c.call("NOSUCHCOMMAND")
    c.call("OBJECT", "REFCOUNT", "a")
    # Two lists that hold each other, which only the collector can free.
    c.call("RPUSH", "one", "x")
    c.call("RPUSH", "two", "x")
    for holder, held in (("one", "two"), ("two", "one")):
        handle = c.call("REF", "GET", held)
        if isinstance(handle, bytes):
            c.call("REF", "RPUSH", holder, handle.decode())
            c.call("RELEASE", handle.decode())
    c.call("DEL", "one", "two")
    c.call("GC", "COLLECT")


# --- the pages ----------------------------------------------------------------------------------

@check("every page: status, type and text; HEAD as GET without the text")
def pages():
    wanted = {
        "/": (200, "text/html; charset=utf-8", b"/stats.json"),
        "/metrics": (200, "text/plain; version=0.0.4; charset=utf-8", b"# TYPE heapd_up gauge\n"),
        "/stats.json": (200, "application/json", b'{"version":'),
        "/livez": (200, "text/plain; charset=utf-8", b"ok\n"),
        "/readyz": (200, "text/plain; charset=utf-8", b"ok\n"),
        "/readyz?verbose": (200, "text/plain; charset=utf-8", b"ok\n"),
        "/nothing": (404, "text/plain; charset=utf-8", b"no such page"),
        "/../etc/passwd": (404, "text/plain; charset=utf-8", b"no such page"),
    }
    with Server() as server:
        for path, (status, kind, part) in wanted.items():
            response, body = server.ask(path)
            assert (response.status, response.headers["Content-Type"]) == (status, kind), path
            assert part in body, (path, body)
            assert int(response.headers["Content-Length"]) == len(body)
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            response, body = server.ask(path, "HEAD")
            assert (response.status, response.headers["Content-Type"], body) == (status, kind, b"")
        links = re.findall('href="([^"]+)"', server.text("/"))
        assert links == ["/metrics", "/stats.json", "/livez", "/readyz"], links
        for path in links:
            server.text(path)


@check("other methods and requests with a body are refused")
def refused_requests():
    with Server() as server:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
            for path in ("/metrics", "/nothing"):
                response, body = server.ask(path, method)
                assert response.status == 405 and body == b"only GET and HEAD\n"
                assert response.headers["Allow"] == "GET, HEAD"
        assert server.ask("/", "POST", body=b"x" * 100000)[0].status == 405
        assert server.ask("/livez", body=b"text")[0].status == 413
        endless = server.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert everything(endless).startswith(b"HTTP/1.1 413 ")
        endless.close()
        assert server.ask("/livez", headers={"Content-Length": "0"})[0].status == 200


@check("a connection serves many requests, pipelined ones too")
def keep_alive():
    with Server() as server:
        connection = server.http()
        connection.connect()
        first = connection.sock
        for path in ("/livez", "/metrics", "/nothing", "/stats.json") * 5:
            answer(connection, path)
            answer(connection, path, "HEAD")
            assert connection.sock is first, f"closed after {path}"
        connection.close()
        many = server.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 19 +
                          b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert everything(many).count(b"\r\n\r\nok\n") == 20
        many.close()


@check("broken requests and vanishing clients")
def broken_requests():
    broken = [b"\r\n\r\n", b"*1\r\n$4\r\nPING\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"G" * 100000,
              b"GET / HTTP/1.1\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
              b"GET /" + b"z" * 100000 + b" HTTP/1.1\r\n\r\n",
              b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
              b"GET /%zz%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]
    with Server() as server:
        for data in broken:
            s = server.raw()
            with contextlib.suppress(OSError): # it may be refused before it is all there
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            assert b" 200 OK" not in everything(s), data[:40]
            s.close()
        for data in broken + [b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"] * 20:
            s = server.raw()
            with contextlib.suppress(ConnectionError):
                s.sendall(data)
            vanish(s)
        assert server.text("/livez") == "ok\n"


# --- the numbers ----------------------------------------------------------------------------------

@check("promtool has no complaint, neither before the first command nor after many")
def promtool_metrics():
    with Server() as server, server.client() as c:
        assert promtool("check", "metrics", text=server.text("/metrics")) == ""
        use(c)
        assert promtool("check", "metrics", text=server.text("/metrics")) == ""


@check("conf/prometheus.yml is a configuration")
def prometheus_configuration():
    promtool("check", "config", str(CONF / "prometheus.yml"))


@check("counters never go back, and every histogram is cumulative")
def monotonic():
    with Server() as server, server.client() as c:
        before = server.metrics()
        for _ in range(5):
            use(c)
            now = server.metrics()
            values = dict(now.counters())
            for name, value in before.counters():
                assert values[name] >= value, f"{name}: {value} became {values[name]}"
            before = now
        last = {}
        for name, value in before.samples.items():
            series = re.match(r'(\w+_bucket\{.*?,?)le="([^"]+)"\}$', name)
            if series:
                assert value >= last.get(series[1], 0), name
                last[series[1]] = value
                if series[2] == "+Inf":
                    label = re.search(r"\{(.+),$", series[1])
                    count = series[1].partition("_bucket")[0] + "_count"
                    assert before[count + ("{%s}" % label[1] if label else "")] == value
        assert len(last) > 10


@check("commands appear once they were called, with their failures and refusals")
def commands():
    with Server() as server, server.client() as c:
        name = 'heapd_command_duration_seconds_count{command="%s"}'
        assert name % "get" not in server.metrics()
        for _ in range(7):
            c.call("GET", "a")
        c.call("GET")
        c.call("RPUSH", "list", "x")
        c.call("GET", "list")
        c.call("OBJECT", "REFCOUNT", "list")
        m = server.metrics()
        assert m[name % "get"] == 8
        assert m['heapd_command_rejected_total{command="get"}'] == 1
        assert m['heapd_command_failed_total{command="get"}'] == 1
        assert 0 < m['heapd_command_duration_seconds_sum{command="get"}'] < 10
        assert m[name % "object|refcount"] == 1
        assert name % "set" not in m
        get = server.stats()["commands"]["get"]
        assert (get["calls"], get["rejected"], get["failed"]) == (8, 1, 1)
        assert get["duration_ns"]["count"] == 8


@check("/metrics, /stats.json and INFO agree")
def agreement():
    with Server() as server, server.client() as c:
        use(c)
        # The expired name, and what is still freed in steps, settle first.
        eventually(lambda: server.stats()["stats"]["expired_names"] == 1)
        eventually(lambda: server.stats()["heap"]["release_pending_objects"] == 0)
        lines = c.call("INFO", "everything").decode().split("\r\n")
        info = dict(line.split(":", 1) for line in lines if ":" in line)
        m, stats = server.metrics(), server.stats()
        same = {
            "heap_names": ("heapd_names", "heap.names"),
            "heap_containers": ("heapd_containers", "heap.containers"),
            "heap_objects_list": ('heapd_objects{type="list"}', "heap.objects_by_type.list"),
            "heap_objects_string": ('heapd_objects{type="string"}', "heap.objects_by_type.string"),
            "heap_handles": ("heapd_handles", "clients.handles"),
            "heap_pool_live_bytes": ('heapd_pool_bytes{state="live"}', "heap.pool_live_bytes"),
            "heap_pool_free_bytes": ('heapd_pool_bytes{state="free"}', "heap.pool_free_bytes"),
            "connected_clients": ("heapd_connected_clients", "clients.connected"),
            "total_commands_processed": ("heapd_commands_total", "stats.commands"),
            "keyspace_hits": ("heapd_keyspace_hits_total", "stats.keyspace_hits"),
            "keyspace_misses": ("heapd_keyspace_misses_total", "stats.keyspace_misses"),
            "total_error_replies": ("heapd_error_replies_total", "stats.error_replies"),
            "gc_trials": ("heapd_gc_trials_total", "gc.trials"),
            "gc_collected_objects": ("heapd_gc_collected_objects_total", "gc.collected_objects"),
            "gc_reached_objects": ("heapd_gc_reached_objects_total", "gc.reached_objects"),
            "gc_frozen_objects": ("heapd_gc_frozen_objects", "gc.frozen_objects"),
            "gc_backlog_objects": ("heapd_gc_backlog_objects", "gc.backlog_objects"),
        }
        for name, (family, path) in same.items():
            found = stats
            for key in path.split("."):
                found = found[key]
            # INFO itself is counted after it has written its text.
            late = 1 if name == "total_commands_processed" else 0
            wanted = int(info[name]) + late
            assert m[family] == found, (family, m[family], found)
            assert found in (wanted, wanted - late), (name, wanted, found)
        assert stats["gc"]["collected_objects"] >= 2 and stats["stats"]["keyspace_misses"] > 0
        objects = [value for name, value in m.samples.items() if name.startswith("heapd_objects{")]
        assert len(objects) == 8 and sum(objects) == stats["heap"]["objects"] == int(
            info["heap_objects"])
        rules = [value for name, value in m.samples.items()
                 if name.startswith("heapd_gc_rule_uses_total{")]
        assert len(rules) == 23 and m['heapd_gc_rule_uses_total{rule="6-died-candidate"}'] >= 0
        slices = dict(row.split("=") for row in info["gc_slices_by_us"].split(","))
        assert sum(map(int, slices.values())) == int(info["gc_slices"]) == stats["gc"]["slices"]
        seconds = m["heapd_gc_longest_slice_seconds"]
        assert round(seconds * 1e6) == stats["gc"]["longest_slice_us"]
        assert m["heapd_gc_slice_duration_seconds_count"] == stats["gc"]["slice_ns"]["count"]
        assert abs(m["process_start_time_seconds"] - time.time()) < 120
        assert m["process_resident_memory_bytes"] > 1 << 20


@check("CONFIG RESETSTAT sets counters back, and leaves what is")
def reset():
    with Server() as server, server.client() as c:
        use(c)
        c.call("CONFIG", "RESETSTAT")
        m = server.metrics()
        assert m["heapd_keyspace_hits_total"] == 0 and m["heapd_names"] > 0
        assert 'heapd_command_duration_seconds_count{command="get"}' not in m


@check("a scrape costs the same however large the heap is")
def scrape_is_flat():
    def cost(server):
        began = server.cpu_seconds()
        connection = server.http()
        for _ in range(100):
            answer(connection, "/metrics")
            answer(connection, "/stats.json")
        connection.close()
        return server.cpu_seconds() - began

    with Server() as server, server.client() as c:
        c.call("RPUSH", "list", "x")
        small = cost(server)
        for i in range(0, 200000, 1000):
            c.send("RPUSH", "list", *("an element of the list %d" % (i + j) for j in range(1000)))
            c.reply()
        assert server.stats()["heap"]["objects"] > 200000
        large = cost(server)
        assert large < 2 * small + 0.2, (small, large)


# --- beside the clients ---------------------------------------------------------------------------

@check("200 slow connections: clients are not disturbed, nothing spins, and the port comes back")
def slow_connections():
    with Server() as server, server.client() as c:
        slow = []
        for i in range(200):
            s = socket.create_connection(("127.0.0.1", server.http_port), timeout=60)
            if i % 3:
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: " + b"x" * (i % 50))
            slow.append(s)
        eventually(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) > CONNECTIONS_MAX)
        stop = threading.Event()

        def drip():
            while not stop.wait(0.01):
                for s in slow[1::3]:
                    with contextlib.suppress(OSError):
                        s.send(b"y")

        dripping = threading.Thread(target=drip)
        dripping.start()
        longest = 0
        for _ in range(1000):
            began = time.monotonic()
            assert c.call("PING") == "+PONG"
            longest = max(longest, time.monotonic() - began)
        stop.set()
        dripping.join()
        assert longest < 1, f"a PING waited {longest} s"
        descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        assert descriptors < CONNECTIONS_MAX + 32, f"{descriptors} descriptors"
        began = server.cpu_seconds()
        time.sleep(1)
        assert server.cpu_seconds() - began < 0.2, "waiting connections cost time"
        for s in slow:
            vanish(s)
        assert server.text("/livez") == "ok\n"


@check("all places taken and left at once: the next one is served")
def full_and_empty():
    with Server() as server:
        for leave in (vanish, socket.socket.close):
            held = [server.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    for _ in range(CONNECTIONS_MAX)]
            for s in held:
                assert b"ok\n" in s.recv(1 << 16)
            server.process.send_signal(signal.SIGSTOP) # so that it sees all of them leave at once
            for s in held:
                leave(s)
            server.process.send_signal(signal.SIGCONT)
            assert server.text("/livez") == "ok\n"


@check("many scrapers beside a busy pipeline")
def scrapers():
    with Server() as server:
        failures = []

        def scrape():
            try:
                connection = server.http()
                for i in range(20):
                    response, body = answer(connection, "/stats.json" if i % 2 else "/metrics")
                    assert response.status == 200 and len(body) > 1000
                connection.close()
            except Exception:
                failures.append(traceback.format_exc())

        threads = [threading.Thread(target=scrape) for _ in range(40)]
        for t in threads:
            t.start()
        with server.client() as c:
            for _ in range(20):
                c.socket.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n" * 500)
                for _ in range(500):
                    assert c.reply() == "+OK"
        for t in threads:
            t.join()
        assert not failures, failures[0]


@check("a reader that takes a page slowly, or never")
def slow_readers():
    with Server() as server, server.client() as c:
        many = b"GET /stats.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 300
        for _ in range(10):
            s = server.raw()
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.send(many)
            assert c.call("PING") == "+PONG"
            vanish(s)
        assert server.text("/readyz") == "ok\n"


def longest_ping(c, seconds):
    """The longest wait for a reply of the other port."""
    longest, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        assert c.call("PING") == "+PONG"
        longest = max(longest, time.monotonic() - began)
    return longest


@contextlib.contextmanager
def flooding(server, connections, path):
    """Processes of clients that send requests as fast as they go, and read as fast."""
    code = r"""
import select, socket, sys
port, connections, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
request = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode() * 200
def dial():
    s = socket.create_connection(("127.0.0.1", port))
    s.setblocking(False)
    return s
open_ones = [dial() for _ in range(connections)]
sys.stdout.write("x"); sys.stdout.flush()
while True:
    for i, s in enumerate(open_ones):
        try:
            s.send(request)
        except BlockingIOError:
            pass
        except OSError:
            s.close()
            open_ones[i] = s = dial()
        try:
            while s.recv(1 << 20): pass
        except BlockingIOError:
            pass
        except OSError:
            pass
"""
    child = subprocess.Popen([sys.executable, "-c", code, str(server.http_port), str(connections),
                              path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert child.stdout.read(1) == b"x"
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@check("requests as fast as one connection sends them: clients go on, and SIGTERM is heard")
def flood_of_one():
    for connections, path in ((1, "/livez"), (40, "/livez"), (40, "/stats.json")):
        with Server() as server, server.client() as c:
            with flooding(server, connections, path):
                c.socket.settimeout(10)
                longest = longest_ping(c, 2)
                assert longest < 1, f"{connections} of {path}: a PING waited {longest} s"
                assert server.text("/livez") == "ok\n"
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(10) == 0


@check("a flood of HTTP leaves most of the time to the other port")
def flood_takes_a_part():
    def commands_per_cpu_second(server, c):
        began, done = server.cpu_seconds(), 0
        until = time.monotonic() + 2
        while time.monotonic() < until:
            c.socket.sendall(b"*1\r\n$4\r\nPING\r\n" * 1000)
            for _ in range(1000):
                assert c.reply() == "+PONG"
            done += 1000
        return done / (server.cpu_seconds() - began)

    with Server() as server, server.client() as c:
        alone = commands_per_cpu_second(server, c)
        with flooding(server, 40, "/stats.json"):
            beside = commands_per_cpu_second(server, c)
        assert beside > alone / 3, f"{beside:.0f} commands a second of CPU beside it, {alone:.0f} alone"


@check("places held with a header line now and then, or without a byte, are lost within seconds")
def held_places():
    with Server() as server:
        for opening in (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"GET /li", b""):
            held = [server.raw(opening) for _ in range(CONNECTIONS_MAX)]
            stop = threading.Event()

            def drip():
                while not stop.wait(0.2):
                    for s in held:
                        with contextlib.suppress(OSError):
                            s.send(b"X: y\r\n")

            dripping = threading.Thread(target=drip)
            dripping.start()
            began = time.monotonic()
            assert server.text("/livez") == "ok\n"
            took = time.monotonic() - began
            stop.set()
            dripping.join()
            for s in held:
                s.close()
            assert took < 4, f"/livez waited {took} s"


@check("places held with requests that are answered are shared too")
def busy_places():
    with Server() as server, flooding(server, CONNECTIONS_MAX, "/livez"):
        for _ in range(3):
            began = time.monotonic()
            assert server.text("/livez") == "ok\n"
            assert time.monotonic() - began < 4


@check("one request may not take longer than its limit, however its bytes come; idle is longer")
def request_limit():
    with Server() as server:
        idle = server.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"ok\n" in idle.recv(1 << 16)
        slow = server.raw(b"GET /livez HTTP/1.1\r\n")
        slow.settimeout(0.2)
        began = time.monotonic()
        while time.monotonic() - began < 3 * REQUEST_SECONDS:
            try:
                slow.send(b"X: y\r\n")
                if not slow.recv(1 << 16):
                    break
            except socket.timeout:
                continue
            except ConnectionError:
                break
        took = time.monotonic() - began
        assert REQUEST_SECONDS - 1 < took < REQUEST_SECONDS + 3, f"closed after {took} s"
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"ok\n" in idle.recv(1 << 16)
        slow.close()
        idle.close()


# --- names ----------------------------------------------------------------------------------------

def host_status(server, host, address="127.0.0.1"):
    line = b"" if host is None else b"Host: %s\r\n" % host.encode()
    version = b"1.0" if host is None else b"1.1"
    s = socket.create_connection((address, server.http_port), timeout=60)
    s.sendall(b"GET /stats.json HTTP/" + version + b"\r\n" + line + b"Connection: close\r\n\r\n")
    answered = everything(s)
    s.close()
    assert (b'"version"' in answered) == (b" 200 " in answered[:20])
    return int(answered.split(b" ", 2)[1])


@check("only names that are this server's own are answered (DNS rebinding)")
def hosts():
    own = ["localhost", "LOCALHOST:7380", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.1.2.3",
           "[::1]", "[::1]:7380", None]
    others = ["evil.example", "evil.example:7380", "localhost.evil.example", "xlocalhost",
              "127.0.0.1.evil.example", "[::1", "[::1]x", "localhost:x", "a@localhost", ":7380",
              "localhost evil.example", "x" * 5000]
    numbers = ["192.0.2.7", "192.0.2.7:7380", "[2001:db8::1]:7380"]
    with Server("--http-hosts", "heapd", "Heapd.Example") as server, server.client() as c:
        for host in own + ["heapd", "HEAPD:80", "heapd.example", "heapd.example.:7380"]:
            assert host_status(server, host) == 200, host
        for host in others + numbers:
            assert host_status(server, host) == 421, host
        assert c.call("CONFIG", "SET", "http-hosts", "") == "+OK"
        assert host_status(server, "heapd") == 421
    with Server("--http-bind", "0.0.0.0") as server:
        for host in own + numbers:
            assert host_status(server, host) == 200, host
        for host in others:
            assert host_status(server, host) == 421, host
    with Server("--http-bind", "127.0.0.2") as server:
        assert host_status(server, "127.0.0.2:7380", "127.0.0.2") == 200
        assert host_status(server, "192.0.2.7", "127.0.0.2") == 421


# --- beginning and end ----------------------------------------------------------------------------

def refused_start(*options):
    done = subprocess.run([HEAPD, "--port", str(free_ports(1)[0]), *options], timeout=30,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    return done.stderr


@check("http-port 0 is off")
def off():
    with Server("--http-port", "0") as server, server.client() as c:
        assert c.call("PING") == "+PONG"
        try:
            server.raw().close()
        except ConnectionRefusedError:
            return
        raise AssertionError("somebody listens")


@check("a port in use, or an address that is none: one line and exit 1")
def port_in_use():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = refused_start("--http-port", str(port))
        assert line == (f"heapd: cannot listen on 127.0.0.1 port {port} for HTTP: "
                        "address already in use\n"), line
    line = refused_start("--http-bind", "no.address", "--http-port", str(free_ports(1)[0]))
    assert "no.address" in line and "name" in line.lower(), line


@check("http-bind: IPv6, every address, and a name")
def bind():
    for address in ("*", "localhost"):
        with Server("--http-bind", address) as server:
            assert server.text("/livez") == "ok\n"
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return # this machine has no IPv6
    with Server("--http-bind", "::1") as server:
        connection = http.client.HTTPConnection("::1", server.http_port, timeout=60)
        assert answer(connection, "/livez")[1] == b"ok\n"
        connection.close()


@check("while it shuts down: alive, not ready")
def shutting_down():
    with Server() as server, server.client() as reader:
        length = 1 << 20
        reader.call("SET", "a", "x" * length)
        calls = 64
        for _ in range(calls):
            reader.send("GET", "a") # more than the sockets' buffers take
        assert reader.socket.recv(1, socket.MSG_PEEK) # they have arrived
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: server.ask("/readyz")[0].status == 503)
        response, body = server.ask("/readyz")
        assert (response.status, body) == (503, b"shutting down\n")
        assert server.text("/livez") == "ok\n"
        assert server.metrics()["heapd_up"] == 0 and server.stats()["ready"] is False
        for _ in range(calls):
            assert len(reader.reply()) == length
        assert reader.file.read() == b""
        assert server.process.wait(20) == 0


@check("SIGTERM ends open connections too")
def sigterm():
    with Server() as server:
        held = [server.raw(), server.raw(b"GET /met"), server.raw(b"GET / HTTP/1.1\r\n\r\n")]
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 4, "it waited for HTTP"
        for s in held:
            everything(s)
            s.close()


def main():
    global HEAPD
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--heapd", required=True)
    parser.add_argument("--only", default="", help="checks whose title holds this text")
    options = parser.parse_args()
    HEAPD = os.path.abspath(options.heapd)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 1024:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
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
