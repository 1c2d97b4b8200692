"""Bytes that are no proper pipeline: inline commands, broken protocol, limits.

Each entry is sent on its own connection, by itself. Both servers must answer the same bytes, and
close or stay alike, but for the names that a `raw` rule of differences.txt gives. Left out is what
Redis itself leaves to chance: a NUL before the end of a line hides that end from it, and whether an
inline command of more than 64 KiB is served depends on how its bytes arrive.
"""


def bulk(*args):
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in args)


PING = bulk(b"PING")

RAW_CASES = [
    ("inline", b"PING\r\n"),
    ("inline with LF alone", b"PING\n"),
    ("inline with arguments", b"SET rawkey value\r\nGET rawkey\r\nDEL rawkey\r\n"),
    ("inline with spaces", b"   ECHO    hello   \r\n"),
    ("inline with tabs", b"\tECHO\thello\t\r\n"),
    ("inline with double quotes", b'ECHO "a b\\x41\\n\\t\\"\\\\\\r\\b\\a\\q"\r\n'),
    ("inline with single quotes", b"ECHO 'a \\'b\\' \\n c'\r\n"),
    ("inline with an empty string", b'ECHO ""\r\n'),
    ("inline with a bad hex escape", b'ECHO "\\xzz\\x4"\r\n'),
    ("inline unbalanced double quotes", b'ECHO "abc\r\nPING\r\n'),
    ("inline unbalanced single quotes", b"ECHO 'abc\r\nPING\r\n"),
    ("inline text after a quote", b'ECHO "abc"def\r\nPING\r\n'),
    ("inline text after a single quote", b"ECHO 'abc'def\r\nPING\r\n"),
    ("inline unknown command", b"foo bar baz\r\n"),
    ("inline wrong arity", b"GET\r\n"),
    ("inline that looks like a reply", b"+OK\r\n-ERR\r\n:1\r\n"),
    ("empty lines", b"\r\n\r\nPING\r\n"),
    ("only spaces", b"   \r\nPING\r\n"),
    ("inline then multibulk", b"PING\r\n" + PING + b"PING\r\n"),
    ("inline of 65,535 bytes", b"ECHO " + b"x" * 65530 + b"\r\nPING\r\n"),
    ("inline too long", b"x" * 70000),
    ("multibulk of none", b"*0\r\n" + PING),
    ("multibulk of minus one", b"*-1\r\n" + PING),
    ("multibulk of minus ten", b"*-10\r\n" + PING),
    ("multibulk length is no number", b"*abc\r\n" + PING),
    ("multibulk length is empty", b"*\r\n" + PING),
    ("multibulk length with a space", b"* 1\r\n$4\r\nPING\r\n"),
    ("multibulk length with a plus", b"*+1\r\n$4\r\nPING\r\n"),
    ("multibulk length with leading zeros", b"*01\r\n$4\r\nPING\r\n"),
    ("multibulk length is a fraction", b"*1.0\r\n$4\r\nPING\r\n"),
    ("multibulk length above an int", b"*2147483648\r\n"),
    ("multibulk length above an int64", b"*99999999999999999999\r\n"),
    ("multibulk length too long to be one", b"*" + b"1" * 70000),
    ("bulk length missing its sign", b"*1\r\n4\r\nPING\r\n" + PING),
    ("bulk sign is a colon", b"*1\r\n:4\r\nPING\r\n"),
    ("bulk sign is CR", b"*1\r\n\r\nPING\r\n"),
    ("bulk sign is a quote", b"*1\r\n\"4\r\nPING\r\n"),
    ("bulk sign is a high byte", b"*1\r\n\xff4\r\nPING\r\n"),
    ("bulk length is no number", b"*1\r\n$abc\r\nPING\r\n"),
    ("bulk length is empty", b"*1\r\n$\r\nPING\r\n"),
    ("bulk length is negative", b"*1\r\n$-1\r\n" + PING),
    ("bulk length is minus ten", b"*1\r\n$-10\r\n" + PING),
    ("bulk length with leading zeros", b"*1\r\n$04\r\nPING\r\n"),
    ("bulk length with a space", b"*1\r\n$ 4\r\nPING\r\n"),
    ("bulk length above the limit", b"*1\r\n$536870913\r\n"),
    ("bulk length above an int64", b"*1\r\n$99999999999999999999\r\n"),
    ("bulk length too long to be one", b"*1\r\n$" + b"1" * 70000),
    ("second bulk is broken", b"*2\r\n$4\r\nECHO\r\nfoo\r\n"),
    ("good, then broken", PING + b"*1\r\n$x\r\n" + PING),
    ("broken, then good", b"*x\r\n" + PING),
    ("bulk that does not end with CRLF", b"*2\r\n$4\r\nECHO\r\n$3\r\nabcXY" + PING),
    ("empty command name", bulk(b"") + PING),
    ("empty name with arguments", bulk(b"", b"a") + PING),
    ("length line ends with LF alone", b"*1\n$4\nPING\n"),
    ("command with NUL and newline", bulk(b"fo\x00o\r\n", b"a\r\nb") + PING),
    ("half a command", b"*2\r\n$4\r\nECHO\r\n$10\r\nabc"),
    ("quit in a pipeline", PING + bulk(b"QUIT") + PING),
    ("quit with arguments", bulk(b"QUIT", b"now") + PING),
    ("inline quit", b"quit\r\nPING\r\n"),
    ("HTTP POST", b"POST / HTTP/1.1\r\nHost: localhost:6379\r\n\r\n"),
    ("HTTP Host header", b"Host: localhost\r\n\r\n" + PING),
    ("HTTP GET", b"GET / HTTP/1.1\r\nHost: localhost:6379\r\n\r\n"),
    ("post as a command", bulk(b"POST", b"/") + PING),
    ("a thousand small commands", bulk(b"ECHO", b"x") * 1000),
    ("a thousand arguments", bulk(b"DEL", *[b"rawnokey"] * 1000)),
]
