"""Verdicts (ISO 9646's, and SKIP), levels of obligation (RFC 2119), evidence, exit codes."""

from enum import Enum, IntEnum


class Verdict(Enum):
    PASS = "PASS"
    FAIL = "FAIL"
    WARN = "WARN"
    XFAIL = "XFAIL"
    XPASS = "XPASS"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"
    SKIP = "SKIP"

    def __str__(self) -> str:
        return self.value


class Level(Enum):
    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"

    def __str__(self) -> str:
        return self.value


class Evidence(Enum):
    """Whether the target's state was read from the target, or follows from its segments."""

    OBSERVED = "OBSERVED"
    INFERRED = "INFERRED"

    def __str__(self) -> str:
        return self.value


class Exit(IntEnum):
    CONFORMING = 0
    NONCONFORMING = 1
    USAGE = 2
    COULD_NOT_TEST = 3


_EXITS = {
    Verdict.FAIL: Exit.NONCONFORMING,
    Verdict.XPASS: Exit.NONCONFORMING,
    Verdict.INCONCLUSIVE: Exit.COULD_NOT_TEST,
    Verdict.ERROR: Exit.COULD_NOT_TEST,
}


def exit_code(verdicts: list[Verdict]) -> Exit:
    """Return the exit code of a run: nonconforming outweighs could-not-test."""
    codes = {_EXITS.get(verdict, Exit.CONFORMING) for verdict in verdicts}
    for code in (Exit.NONCONFORMING, Exit.COULD_NOT_TEST):
        if code in codes:
            return code
    return Exit.CONFORMING
