"""What targets/<name>/target.yaml says: how a target is set up, and where it is known to depart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

_COMPARISONS = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
_CONDITION = re.compile(r"\s*kernel\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)*)\s*")


def release_numbers(release: str) -> tuple[int, ...]:
    """Return the numbers that a kernel release begins with: "6.1.0-13-amd64" gives (6, 1, 0)."""
    found = re.match(r"\d+(?:\.\d+)*", release)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


@cache
def _glob(text: str) -> re.Pattern[str]:
    """Compile a glob of * and ? alone: brackets are part of a variant's name."""
    return re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in text))


@dataclass(frozen=True, slots=True)
class Condition:
    """`kernel >= 6.1`, or several with `and`; only as many numbers are compared as are written."""

    terms: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Raise ValueError for what is no condition."""
        terms = []
        for part in re.split(r"\band\b", text):
            found = _CONDITION.fullmatch(part)
            if found is None:
                raise ValueError(f"not a condition: {part.strip() or 'nothing'} (write: kernel >= 6.1)")
            terms.append((found[1], release_numbers(found[2])))
        return cls(tuple(terms))

    def holds(self, release: str) -> bool:
        numbers = release_numbers(release)
        for comparison, wanted in self.terms:
            actual = (numbers + (0,) * len(wanted))[: len(wanted)]
            if not _COMPARISONS[comparison](actual, wanted):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Deviation:
    """A known, explained departure: `case` is an id, with or without variant; * and ? match any."""

    case: str
    reason: str
    reference: str = ""
    when: Condition | None = None
    ip: int | None = None

    def applies(self, case_id: str, ip: int, release: str) -> bool:
        """Tell whether a case over this IP version on this kernel is meant."""
        if self.ip not in (None, ip) or (self.when is not None and not self.when.holds(release)):
            return False
        names = (case_id, case_id.partition("[")[0])
        return any(_glob(self.case).fullmatch(name) for name in names)


@dataclass(frozen=True, slots=True)
class TargetDescription:
    """One target.yaml."""

    name: str
    kind: str
    sysctl: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    deviations: tuple[Deviation, ...] = ()

    def deviation(self, case_id: str, ip: int, release: str) -> Deviation | None:
        """Return the first deviation that applies, or None."""
        for deviation in self.deviations:
            if deviation.applies(case_id, ip, release):
                return deviation
        return None
