"""RESP for the differential test: requests out, replies in, and both as text for people.

A reply becomes a node: a pair (type byte, content). Content is the raw line for one-line types (so
that `:07` and `:7` differ), the bytes of a bulk, a list of nodes for an aggregate (a map is one
flat list), None for RESP2's two nulls. Only replies that were read to their end come here.
"""

LINE_TYPES = b"+-:,#(_"
BULK_TYPES = b"$=!"
AGGREGATE_TYPES = b"*~%>"

ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"\\": b"\\"}


class Malformed(Exception):
    """The bytes are not a reply."""


def encode(args):
    """One request as a multibulk."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        out.append(b"$%d\r\n%b\r\n" % (len(arg), arg))
    return b"".join(out)


def parse_one(buf, pos):
    """The reply at pos and the position after it."""
    end = buf.find(b"\r\n", pos)
    if end < 0:
        raise Malformed("a reply without an end: %r" % buf[pos:pos + 80])
    kind = buf[pos:pos + 1]
    line = buf[pos + 1:end]
    pos = end + 2
    if kind == b"" or kind in LINE_TYPES:
        return (kind, line), pos
    try:
        count = int(line)
    except ValueError:
        raise Malformed("no length after %r: %r" % (kind, line)) from None
    if kind in BULK_TYPES:
        if count < 0:
            return (kind, None), pos
        if buf[pos + count:pos + count + 2] != b"\r\n":
            raise Malformed("a bulk of %d bytes does not end where it says" % count)
        return (kind, buf[pos:pos + count]), pos + count + 2
    if kind in AGGREGATE_TYPES:
        if count < 0:
            return (kind, None), pos
        items = []
        for _ in range(count * 2 if kind == b"%" else count):
            item, pos = parse_one(buf, pos)
            items.append(item)
        return (kind, items), pos
    raise Malformed("no reply begins with %r" % kind)


def parse_some(buf, count):
    """The first `count` replies of buf."""
    replies = []
    pos = 0
    while len(replies) < count:
        reply, pos = parse_one(buf, pos)
        replies.append(reply)
    return replies


def parse_all(buf):
    """Every reply in buf."""
    replies = []
    pos = 0
    while pos < len(buf):
        reply, pos = parse_one(buf, pos)
        replies.append(reply)
    return replies


def is_error(node):
    return node[0] in b"-!"


def quote(arg):
    """An argument as split_args reads it back."""
    if arg and all(0x21 <= c <= 0x7e and c not in b"\"'\\{}#" for c in arg):
        return arg.decode()
    if len(arg) > 80 and arg == arg[:1] * len(arg) and 0x21 <= arg[0] <= 0x7e:
        return "{%s*%d}" % (arg[:1].decode(), len(arg))
    out = ['"']
    for c in arg:
        if c in b'"\\':
            out.append("\\" + chr(c))
        elif 0x20 <= c <= 0x7e:
            out.append(chr(c))
        else:
            out.append({10: "\\n", 13: "\\r", 9: "\\t"}.get(c, "\\x%02x" % c))
    out.append('"')
    return "".join(out)


def show_command(args):
    return " ".join(quote(a) for a in args)


def split_args(line):
    """A line of cases.txt: words, "strings with \\xNN escapes", and {x*100} for x repeated."""
    args = []
    pos = 0
    line = line.strip()
    while pos < len(line):
        if line[pos] == " ":
            pos += 1
        elif line[pos] == '"':
            arg, pos = split_quoted(line, pos + 1)
            args.append(arg)
        elif line[pos] == "{":
            end = line.index("}", pos)
            unit, _, times = line[pos + 1:end].rpartition("*")
            args.append(unit.encode() * int(times))
            pos = end + 1
        else:
            end = line.find(" ", pos)
            end = len(line) if end < 0 else end
            args.append(line[pos:end].encode())
            pos = end
    return args


def split_quoted(line, pos):
    out = bytearray()
    while line[pos] != '"':
        if line[pos] == "\\" and line[pos + 1] == "x":
            out.append(int(line[pos + 2:pos + 4], 16))
            pos += 4
        elif line[pos] == "\\":
            out += ESCAPES[line[pos + 1].encode()]
            pos += 2
        else:
            out += line[pos].encode()
            pos += 1
    return bytes(out), pos + 1


def show(node, limit=400):
    """A reply in one line, as it was on the wire but for the line ends."""
    text = show_whole(node)
    return text if len(text) <= limit else text[:limit] + "... (%d characters)" % len(text)


def show_whole(node):
    kind, content = node
    sign = kind.decode("latin-1")
    if content is None:
        return sign + "-1"
    if kind in AGGREGATE_TYPES:
        return sign + "[" + " ".join(show_whole(item) for item in content) + "]"
    if kind in BULK_TYPES:
        text = quote(content)
        return sign + (text if text.startswith('"') else '"%s"' % text)
    return sign + content.decode("latin-1")
