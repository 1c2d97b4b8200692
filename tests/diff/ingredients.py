"""What random commands are made of: few keys, and values at the edges of what Redis tells apart.

Times to live are far away, past or absolute, never so near that the speed of a server could show.
"""

import random

KEYS = [b"k0", b"k1", b"k2", b"k3", b"k4", b"k5", b"k6", b"k7", b"", b"key with space",
        b"bin\r\n\x00\xff", b"user:{1}:a-name-longer-than-fifteen-bytes"]
LEX_KEYS = [b"lex0", b"lex1"]
ALL_KEYS = KEYS + LEX_KEYS

INTEGERS = [b"0", b"1", b"-1", b"2", b"3", b"7", b"10", b"42", b"-100", b"1000", b"65536",
            b"-32769",
            b"2147483647", b"-2147483648", b"2147483648", b"4294967296", b"9223372036854775807",
            b"-9223372036854775808", b"9223372036854775806"]
NOT_INTEGERS = [b"", b"abc", b"1.5", b"01", b"+1", b" 1", b"1 ", b"-0", b"-", b"0x10", b"1e3",
                b"9223372036854775808", b"-9223372036854775809", b"99999999999999999999", b"1\x00"]
FLOATS = [b"0", b"1", b"-1", b"1.5", b"-2.25", b"0.1", b"10.50", b"3.0e3", b"5.0e3", b"2.0e2",
          b"1e10",
          b"1e17", b"1e20", b"1e-5", b"1e-17", b"3.140", b".5", b"5.", b"+7", b"100", b"1e22",
          b"0x10",
          b"123456789.123456789", b"9007199254740993", b"0.30000000000000004", b"-0"]
NOT_FLOATS = [b"", b"abc", b"nan", b" 1", b"1 ", b"1e400000", b"1e", b"1,5", b"--1", b"1.0.0"]
INFINITE = [b"inf", b"-inf", b"+inf", b"Infinity"]
SCORES = FLOATS[:-1] + [b"-5", b"2", b"3", b"4", b"5", b"6", b"2.5", b"-1e300", b"1e308", b"5e-324"]
INDEXES = [b"0", b"1", b"2", b"3", b"-1", b"-2", b"-3", b"5", b"10", b"100", b"-100",
           b"9223372036854775807", b"-9223372036854775808"]
WORDS = [b"a", b"b", b"c", b"abc", b"hello", b"Hello World", b"seven77", b"eight888", b"x" * 44,
         b"y" * 45,
         b"z" * 64, b"w" * 65, b"\x00", b"\xff\xfe", b"\r\n", b"a\x00b", b"", b"with space",
         b"\xc3\xa9"]
MEMBERS = ([b"m%d" % i for i in range(12)] + [b"%d" % i for i in range(12)]
           + [b"", b"a", b"aa", b"B", b"\xff", b"a\x00", b"-1", b"01", b"1.0",
              b"9223372036854775807",
              b"-9223372036854775808", b"9223372036854775808", b"L" * 70,
              b"a member of some length"])
HOT_MEMBERS = [b"m0", b"m1", b"m2", b"0", b"1", b"2", b"a", b""]
PATTERNS = [b"*", b"k*", b"k?", b"k[0-3]", b"k[^0]", b"m*", b"*1*", b"[a-c]*", b"?", b"", b"\\*",
            b"h[",
            b"*\xff*", b"user:{1}:*", b"lex?", b"m[1", b"**", b"*m*1*"]
FAR_S = (100000, 100000000)
YEAR_2100_S = 4102444800
STRAIGHT_BULK = 150


class Ingredients:
    """Draws from one seeded generator. `types` says what the keys hold at the moment."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.types = {}

    def pick(self, items):
        return items[int(self.rng.random() * len(items))]

    def chance(self, share):
        return self.rng.random() < share

    def some(self, make, most=4):
        return [make() for _ in range(1 + int(self.rng.random() * most))]

    def key(self, wanted):
        """A key that holds the wanted type, most of the time."""
        draw = self.rng.random()
        if draw < 0.8:
            fitting = [key for key in KEYS if self.types.get(key) == wanted]
            if fitting:
                return self.pick(fitting)
        if draw < 0.93:
            missing = [key for key in KEYS if self.types.get(key) in (None, "none")]
            if missing:
                return self.pick(missing)
        return self.pick(KEYS)

    def any_key(self):
        return self.pick(KEYS)

    def value(self):
        draw = self.rng.random()
        if draw < 0.35:
            return self.pick(WORDS)
        if draw < 0.55:
            return self.pick(INTEGERS)
        if draw < 0.65:
            return self.pick(FLOATS)
        if draw < 0.70:
            return self.pick(NOT_INTEGERS)
        if draw < 0.72:
            return self.pick(INFINITE)
        if draw < 0.97:
            return self.rng.randbytes(self.rng.randrange(0, 100))
        return b"%c" % self.rng.randrange(97, 123) * self.rng.randrange(200, 6000)

    def integer(self):
        return self.pick(NOT_INTEGERS) if self.chance(0.06) else self.pick(INTEGERS)

    def small(self):
        return b"%d" % self.rng.randrange(-50, 50) if self.chance(0.7) else self.integer()

    def float(self):
        draw = self.rng.random()
        if draw < 0.04:
            return self.pick(NOT_FLOATS)
        if draw < 0.07:
            return self.pick(INFINITE)
        if draw < 0.5:
            return b"%.*f" % (self.rng.randrange(0, 8), self.rng.uniform(-1000, 1000))
        return self.pick(FLOATS)

    def score(self):
        draw = self.rng.random()
        if draw < 0.03:
            return self.pick(NOT_FLOATS)
        if draw < 0.07:
            return self.pick(INFINITE)
        if draw < 0.6:
            return b"%d" % self.rng.randrange(-5, 12)
        if draw < 0.75:
            return repr(self.rng.uniform(-10, 10)).encode()
        return self.pick(SCORES)

    def index(self):
        if self.chance(0.04):
            return self.pick(NOT_INTEGERS)
        return b"%d" % self.rng.randrange(-5, 7) if self.chance(0.7) else self.pick(INDEXES)

    def member(self):
        """One of few, so that it is often there, and the same one often comes again."""
        return self.pick(HOT_MEMBERS if self.chance(0.75) else MEMBERS)

    def element(self):
        return self.member() if self.chance(0.8) else self.value()

    def pop_count(self):
        if self.chance(0.1):
            return self.pick([b"-1", b"abc", b"", b"99999999999999999999", b"9223372036854775807"])
        return b"%d" % self.rng.randrange(0, 6)

    def far_s(self):
        return self.rng.randrange(*FAR_S)

    def expiry_option(self):
        """EX, PX, EXAT or PXAT with a far, past or bad time."""
        option = self.pick([b"EX", b"PX", b"EXAT", b"PXAT"])
        draw = self.rng.random()
        if draw < 0.12:
            return [option, self.pick([b"0", b"-1", b"abc", b"", b"9223372036854775807"])]
        if option in (b"EXAT", b"PXAT") and draw < 0.25:
            return [option, b"%d" % self.rng.randrange(1, 1000)]
        ms = 1000 if option in (b"PX", b"PXAT") else 1
        base = YEAR_2100_S if option in (b"EXAT", b"PXAT") else 0
        return [option, b"%d" % ((base + self.far_s()) * ms)]
