"""Seeded random commands for the differential test.

`Gen.command()` makes one request. It prefers keys that hold the right type at the moment (the
driver tells it through `types`), so that most commands do something and a fair part meets a missing
key or the wrong type; one in twenty is spoilt on purpose.
"""

from families import FAMILIES, KEEP_ARGS
from ingredients import Ingredients

JUNK = [b"", b"abc", b"0", b"-1", b"NX", b"XX", b"GET", b"LIMIT", b"WITHSCORES", b"BEFORE", b"EX",
        b"COUNT", b"99999999999999999999", b"9223372036854775807", b"nan", b"\xff\x00"]


class Gen(Ingredients):
    def __init__(self, seed, only=None):
        super().__init__(seed)
        self.table = []
        for family, rows in FAMILIES.items():
            if only and family not in only:
                continue
            for weight, maker in rows:
                self.table.extend([maker] * weight)
        if not self.table:
            raise SystemExit("diff: no such family; there are %s" % ", ".join(FAMILIES))

    def command(self):
        maker = self.pick(self.table)
        args = maker(self)
        if self.chance(0.05):
            self.spoil(args, maker in KEEP_ARGS)
        if self.chance(0.1):
            args[0] = args[0].lower()
        return args

    def spoil(self, args, keep):
        """Makes a command wrong: one argument less, one more, or one that does not belong."""
        way = self.rng.random()
        if way < 0.35 and len(args) > 1:
            args.pop()
        elif way < 0.65 or keep or len(args) < 2:
            args.append(self.pick(JUNK))
        else:
            args[self.rng.randrange(1, len(args))] = self.pick(JUNK)
