"""When two replies to one command are the same.

Byte for byte, but for three things: an order that Redis does not promise (sorted first), what time
does to a reply (a tolerance), and the on-purpose differences of differences.txt. Random members and
cursors are the business of engine.py, which asks for more than one reply.
"""

import collections
import fnmatch

from resp import AGGREGATE_TYPES, is_error

UNORDERED = {b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"KEYS", b"HKEYS", b"HVALS"}
UNORDERED_PAIRS = {b"HGETALL"}
TOLERANCE = {b"TTL": 4, b"PTTL": 4000}
SHAPE_ONLY = {b"TIME", b"CLIENT ID", b"OBJECT IDLETIME"}

Rule = collections.namedtuple("Rule", "name mode pattern reason")


def load_rules(path):
    rules = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 4 or fields[1] not in MODES or not all(fields):
                raise SystemExit("diff: not a rule in %s: %s" % (path, line))
            rules.append(Rule(*fields))
    return rules


def pairs(items):
    return list(zip(items[0::2], items[1::2]))


def sort_key(node):
    return repr(node)


def unordered(args, node):
    """The reply with its elements in an order that does not depend on the server."""
    name = args[0].upper()
    kind, content = node
    if kind not in AGGREGATE_TYPES or content is None:
        return node
    if name in UNORDERED:
        return kind, sorted(content, key=sort_key)
    if name in UNORDERED_PAIRS:
        return kind, sorted(pairs(content), key=sort_key)
    return node


def within_tolerance(args, a, b):
    limit = TOLERANCE.get(args[0].upper())
    if limit is None or a[0] != b":" or b[0] != b":":
        return False
    left, right = int(a[1]), int(b[1])
    return left > 0 and right > 0 and abs(left - right) <= limit


def same_type(a, b):
    return a[0] == b[0] and (a[1] is None) == (b[1] is None)


def same_shape(a, b):
    if not same_type(a, b):
        return False
    if a[0] in AGGREGATE_TYPES and a[1] is not None:
        return len(a[1]) == len(b[1]) and all(map(same_shape, a[1], b[1]))
    return True


def same_keys(a, b):
    if not same_type(a, b) or a[0] not in AGGREGATE_TYPES:
        return False
    return sorted(a[1][0::2], key=sort_key) == sorted(b[1][0::2], key=sort_key)


def same_code(a, b):
    return is_error(a) and is_error(b) and a[1].split()[:1] == b[1].split()[:1]


def same_command(a, b):
    if not same_type(a, b) or a[0] not in AGGREGATE_TYPES or len(a[1]) != len(b[1]):
        return False
    for left, right in zip(a[1], b[1]):
        if left == right:
            continue
        if not same_type(left, right) or left[1] is None or len(left[1]) != len(right[1]):
            return False
        if any(left[1][i] != right[1][i] for i in (0, 1, 3, 4, 5)):
            return False
    return True


def without_minus_zero(node):
    kind, content = node
    if kind in AGGREGATE_TYPES and content is not None:
        return kind, [without_minus_zero(item) for item in content]
    return (kind, b"0") if content == b"-0" else node


def same_but_zero(a, b):
    return without_minus_zero(a) == without_minus_zero(b)


def with_doubles(node):
    """Texts that are a double in two ways (1e+17 and 100000000000000000) become the same."""
    kind, content = node
    if kind in AGGREGATE_TYPES and content is not None:
        return kind, [with_doubles(item) for item in content]
    try:
        return kind, b"%r" % (float(content) + 0.0) if isinstance(content, bytes) else content
    except ValueError:
        return node


def same_doubles(a, b):
    return with_doubles(a) == with_doubles(b)


def refused(a, b):
    return not is_error(a) and is_error(b) and b[1].split()[:1] == [b"TOOBIG"]


MODES = {"type": same_type, "shape": same_shape, "keys": same_keys, "code": same_code,
         "command": same_command, "zero": same_but_zero, "double": same_doubles,
         "toobig": refused, "raw": lambda a, b: True}


class Comparer:
    def __init__(self, rules):
        self.rules = rules
        self.used = collections.Counter()

    def same(self, args, a, b):
        if a == b or not args:
            return a == b
        if unordered(args, a) == unordered(args, b) or within_tolerance(args, a, b):
            return True
        text = b" ".join(args[:3]).decode("latin-1").upper()
        if any(text.split(" ")[:len(name.split())] == name.decode().split()
               for name in SHAPE_ONLY) and same_shape(a, b):
            return True
        return self.excused(text, lambda rule: rule.mode != "raw" and MODES[rule.mode](a, b))

    def same_raw(self, name, first, second):
        """Whether two answers to raw bytes agree."""
        return first == second or self.excused(name.upper(), lambda rule: rule.mode == "raw")

    def excused(self, text, holds):
        for rule in self.rules:
            if fnmatch.fnmatchcase(text, rule.pattern) and holds(rule):
                self.used[rule.name] += 1
                return True
        return False
