"""Runs commands against both servers and finds the first reply that differs.

Commands go out in batches, one send a server. Three kinds need more than one reply each: a random
member is judged against the set it came from, a scan is followed to its end, and a key that was
just given a past expiry is looked at once, so that both servers have dropped it before anything
counts keys. After SPOP the second server is brought to the first one's members.
"""

import time

import resp
import servers

BATCH_MAX = 100
RESTARTS_MAX = 100
SCAN_ROUNDS_MAX = 10000
CURSOR_AT = {b"SCAN": 1, b"SSCAN": 2, b"HSCAN": 2, b"ZSCAN": 2}


class Mismatch(Exception):
    """Command number `index` of the run (its words are `command`) was answered otherwise."""

    def __init__(self, index, command, answers, note=""):
        super().__init__(note)
        self.index = index
        self.command = command
        self.answers = answers
        self.note = note


def contents(node):
    """The elements of an aggregate reply as bytes."""
    return [item[1] for item in node[1]]


class Engine:
    """`servers` are the two, the first being Redis. A run starts wherever the servers are."""

    def __init__(self, pair, protocol, comparer):
        self.pair = pair
        self.protocol = protocol
        self.comparer = comparer
        self.links = []
        self.batch = []

    def connect(self):
        self.close()
        self.links = [servers.Link(server, self.protocol) for server in self.pair]

    def close(self):
        for link in self.links:
            link.close()
        self.links = []

    def restart(self):
        """Fresh connections and an empty keyspace, starting again a server that is gone."""
        for attempt in range(RESTARTS_MAX):
            try:
                for server in self.pair:
                    server.revive()
                self.connect()
                break
            except (OSError, servers.Gone):
                if attempt == RESTARTS_MAX - 1:
                    raise
                time.sleep(0.1)
        servers.roundtrip(self.links, [[b"FLUSHALL"]])

    def types(self, keys):
        """What the first server's keys hold."""
        raw = servers.roundtrip(self.links[:1], [[b"TYPE", key] for key in keys])[0]
        replies = resp.parse_all(raw)
        return {key: reply[1].decode() for key, reply in zip(keys, replies)}

    def run(self, ops):
        """Runs the commands; raises Mismatch at the first difference."""
        self.batch = []
        for index, args in enumerate(ops):
            name = args[0].upper() if args else b""
            if name in (b"SPOP", b"SRANDMEMBER") and len(args) in (2, 3):
                self.add([b"SMEMBERS", args[1]], "first", index)
                self.add(args, "random", index)
                if name == b"SPOP":
                    self.add([b"SMEMBERS", args[1]], "rest", index)
                    self.flush()
                    self.resynchronise(args[1])
            elif name in CURSOR_AT and len(args) > CURSOR_AT[name]:
                self.flush()
                self.scan(args, CURSOR_AT[name], index)
            else:
                self.add(args, "plain", index)
                if name == b"SET" and any(a.upper() in (b"EXAT", b"PXAT") for a in args[3:]):
                    self.add([b"EXISTS", args[1]], "plain", index)
            if len(self.batch) >= BATCH_MAX:
                self.flush()
        self.flush()

    def add(self, args, kind, index):
        self.batch.append((args, kind, index))

    def flush(self):
        """Sends what was added, and judges the replies."""
        batch, self.batch = self.batch, []
        if not batch:
            return
        raws = servers.roundtrip(self.links, [entry[0] for entry in batch])
        if raws[0] == raws[1] and all(entry[1] == "plain" for entry in batch):
            return
        try:
            replies = [resp.parse_all(raw) for raw in raws]
        except resp.Malformed as error:
            raise Mismatch(batch[-1][2], batch[-1][0], raws, "not RESP: %s" % error) from None
        for at, (args, kind, index) in enumerate(batch):
            if at >= min(map(len, replies)):
                break
            answers = [replies[0][at], replies[1][at]]
            before = [replies[0][at - 1], replies[1][at - 1]]
            note = self.judge(args, kind, answers, before)
            if note is None and kind == "rest":
                note = self.judge_rest(batch[at - 1][0], replies, at)
            if note is not None:
                raise Mismatch(index, args, answers, note)
        if len(replies[0]) != len(replies[1]):
            at = min(map(len, replies))
            answers = [side[at] if at < len(side) else None for side in replies]
            # A server that ends takes replies with it that it had already given: the command that
            # ended it may stand anywhere in the batch.
            raise Mismatch(batch[-1][2], batch[min(at, len(batch) - 1)][0], answers,
                           "one server closed the connection or lost a reply")

    def judge(self, args, kind, answers, before):
        """None when the answers agree, else what is wrong with them."""
        a, b = answers
        if kind == "rest":
            return None
        if kind == "first":
            return None if self.comparer.same(args, a, b) else "the replies differ"
        if kind == "plain" or no_members(a) or no_members(b):
            return None if self.comparer.same(args, a, b) else "the replies differ"
        if a[0] != b[0]:
            return None if self.comparer.same(args, a, b) else "the types differ"
        for server, answer, members in zip(self.pair, answers, before):
            note = random_fault(args, answer, members)
            if note:
                return "%s: %s" % (server.name, note)
        if a[0] in resp.AGGREGATE_TYPES and len(a[1]) != len(b[1]):
            return "the counts differ"
        return None

    def judge_rest(self, args, replies, at):
        """After SPOP, on each side by itself: what was there, without what was popped, is left."""
        for server, side in zip(self.pair, replies):
            first, popped, rest = side[at - 2], side[at - 1], side[at]
            if no_members(popped):
                continue
            gone = contents(popped) if popped[0] in resp.AGGREGATE_TYPES else [popped[1]]
            if sorted(contents(rest) + gone) != sorted(contents(first)):
                return "%s: after %s the rest is not what was left" % (
                    server.name, resp.show_command(args))
        return None

    def resynchronise(self, key):
        """Gives the second server the first one's members, without ever emptying the set."""
        raws = servers.roundtrip(self.links, [[b"SMEMBERS", key]])
        left, right = [resp.parse_all(raw)[0] for raw in raws]
        if resp.is_error(left) or resp.is_error(right):
            return
        wanted, found = set(contents(left)), set(contents(right))
        fix = []
        if wanted - found:
            fix.append([b"SADD", key] + sorted(wanted - found))
        if found - wanted:
            fix.append([b"SREM", key] + sorted(found - wanted))
        if fix:
            servers.roundtrip(self.links[1:], fix)

    def scan(self, args, at, index):
        """Follows a scan to its end on each server and compares the full sets."""
        if args[at] != b"0":
            answers = self.ask(args)
            if not self.comparer.same(args, *answers) and any(map(resp.is_error, answers)):
                raise Mismatch(index, args, answers, "the replies differ")
            return
        found = []
        for link in self.links:
            cursor, seen, rounds = b"0", set(), 0
            while rounds == 0 or cursor != b"0":
                step = args[:at] + [cursor] + args[at + 1:]
                raw = servers.roundtrip([link], [step])[0]
                reply = (resp.parse_all(raw) or [None])[0]
                if reply is None or not is_scan_reply(reply):
                    seen = reply
                    break
                cursor = reply[1][0][1]
                items = reply[1][1][1]
                if args[0].upper() in (b"HSCAN", b"ZSCAN"):
                    items = list(zip(items[0::2], items[1::2]))
                seen.update(items)
                rounds += 1
                if rounds > SCAN_ROUNDS_MAX:
                    raise Mismatch(index, args, [None, None], "a scan that does not end")
            found.append(seen if not isinstance(seen, set) else
                         (b"*", sorted(seen, key=repr)))
        if found[0] is None or found[1] is None:
            raise Mismatch(index, args, found, "one server closed the connection")
        if found[0] != found[1]:
            shown = [answer if answer[0] != b"*" else (b"*", flat(answer[1])) for answer in found]
            if not self.comparer.same(args, *shown):
                raise Mismatch(index, args, shown, "the scans found different elements")

    def ask(self, args):
        raws = servers.roundtrip(self.links, [args])
        return [(resp.parse_all(raw) or [(b"-", b"(connection closed)")])[0] for raw in raws]


def no_members(node):
    """An error or a null, in place of members."""
    return resp.is_error(node) or node[0] == b"_" or node[1] is None


def flat(items):
    """Elements of a scan as a list of nodes: pairs are laid out flat."""
    out = []
    for item in items:
        out += [item] if isinstance(item[0], bytes) else item
    return out


def is_scan_reply(node):
    return (node[0] == b"*" and node[1] is not None and len(node[1]) == 2
            and node[1][0][0] == b"$" and node[1][1][0] == b"*")


def random_fault(args, answer, members):
    """What is wrong with random members, or None."""
    known = contents(members)
    if answer[0] not in resp.AGGREGATE_TYPES:
        return None if answer[1] in known else "not a member: %r" % answer[1]
    given = contents(answer)
    count = int(args[2])
    if any(member not in known for member in given):
        return "not a member among them"
    if count >= 0 and len(set(given)) != len(given):
        return "a member twice"
    if len(given) != (min(count, len(known)) if count >= 0 else (-count if known else 0)):
        return "%d members, asked for %d of %d" % (len(given), count, len(known))
    return None
