"""What targets/<name>/target.yaml says: how a target is set up, and where it is known to depart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
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
    """A known, explained departure: `case` is an id, with or without variant; * and ? match any.

    `reference` is the clause that is departed from, `source` the place in the target's source.
    One that makes the target `crash` gets an instance of it to itself.
    """

    case: str
    reason: str
    reference: str = ""
    source: str = ""
    crash: bool = False
    when: Condition | None = None
    ip: int | None = None

    def __str__(self) -> str:
        places = "; ".join(filter(None, (self.reference, self.source)))
        return f"{self.reason} ({places})" if places else self.reason

    def applies(self, case_id: str, ip: int, release: str) -> bool:
        """Tell whether a case over this IP version on this kernel is meant."""
        if self.ip not in (None, ip) or (self.when is not None and not self.when.holds(release)):
            return False
        names = (case_id, case_id.partition("[")[0])
        return any(_glob(self.case).fullmatch(name) for name in names)


FEATURES = {
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "active-open": "active OPEN",
    "simultaneous-open": "simultaneous OPEN, which alone leads a client to SYN-RECEIVED",
    "timestamps": "the timestamps option (RFC 7323)",
    "window-scale": "the window scale option (RFC 7323)",
    "sack": "selective acknowledgments (RFC 2018)",
    "own-link": "a link to itself: with forged addresses, IP options and small TTLs on the way to it",
    "path-mtu-discovery": "path MTU discovery (RFC 1191, RFC 8201)",
    "sysctl": "settings that a case may change (needs: sysctl)",
}
"""What `lacks:` may name: what a conforming target may be without, or cannot have."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Facts of a target's timers, in seconds: no excuse, but what cases and the tester may go by.

    `twice_msl` is how long it stays in TIME-WAIT (RFC 9293 3.4.2 has 4 minutes), `rto_min` its
    shortest retransmission timeout.
    """

    twice_msl: float = 240.0
    rto_min: float = 0.2


@dataclass(frozen=True, slots=True)
class Process:
    """How a stack that is a program is built, started and asked.

    Commands are words; `{interface}`, `{address4}`, `{address6}` and `{tester4}`, `{tester6}` in
    them stand for what the runner has chosen.  Without an `agent` the started program itself
    speaks the agent protocol.  `layer` is 2 (a TAP device) or 3 (TUN).  Of a `turned` one the agent
    has the clock, and time passes when there is nothing else to do.
    """

    start: tuple[str, ...]
    agent: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    layer: int = 2
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that can only be reached, and how it is spoken to.

    `addresses` are one, or one of each IP version; `port` is that of the service.  Empty or
    None is what is found out, or usual.  `service` is a ServiceKind by its name, `agent` a
    command that carries the agent there, `rate` in packets a second.
    """

    addresses: tuple[str, ...] = ()
    port: int | None = None
    service: str = ""
    agent: str = ""
    tester_address: str = ""
    rate: int | None = None

    def over(self, other: "Host") -> "Host":
        """Return this host with what `other` says put over it."""
        said = {item.name: getattr(other, item.name) for item in fields(other)}
        return replace(self, **{name: value for name, value in said.items() if value})

    def options(self) -> tuple[str, ...]:
        """Return the options of the command line that say as much."""
        said = {
            "--service": self.service,
            "--agent": self.agent,
            "--tester-address": self.tester_address,
            "--rate": self.rate,
        }
        return tuple(word for name, value in said.items() if value for word in (name, str(value)))


@dataclass(frozen=True, slots=True)
class TargetDescription:
    """One target.yaml, found in `directory`.

    `lacks` says of each of FEATURES that is missing why; `parallel` is how many cases the
    target can bear at once.
    """

    name: str
    kind: str
    directory: str = ""
    sysctl: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    deviations: tuple[Deviation, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    timing: Timing = field(default_factory=Timing)
    parallel: int | None = None
    process: Process | None = None
    host: Host | None = None

    def deviation(self, case_id: str, ip: int, release: str) -> Deviation | None:
        """Return the first deviation that applies, or None."""
        for deviation in self.deviations:
            if deviation.applies(case_id, ip, release):
                return deviation
        return None
