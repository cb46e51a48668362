"""ICMP errors by name, in both IP versions, and what RFC 9293 3.9.2.2 has TCP make of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Effect(Enum):
    """The classes of RFC 9293 3.9.2.2; SIZE is the hard error that Path MTU Discovery needs."""

    SOFT = "soft error"
    HARD = "hard error"
    SIZE = "too large for the path"
    QUENCH = "source quench"


@dataclass(frozen=True, slots=True)
class IcmpError:
    """One error: (type, code) over IPv4 and over IPv6, None where an IP version has no such error."""

    ipv4: tuple[int, int] | None
    ipv6: tuple[int, int] | None
    effect: Effect

    def code(self, family: int) -> tuple[int, int] | None:
        return self.ipv6 if family == 6 else self.ipv4


ERRORS: Mapping[str, IcmpError] = {
    "net-unreachable": IcmpError((3, 0), (1, 0), Effect.SOFT),
    "host-unreachable": IcmpError((3, 1), (1, 3), Effect.SOFT),
    "protocol-unreachable": IcmpError((3, 2), None, Effect.HARD),
    "port-unreachable": IcmpError((3, 3), (1, 4), Effect.HARD),
    "fragmentation-needed": IcmpError((3, 4), (2, 0), Effect.SIZE),
    "source-route-failed": IcmpError((3, 5), None, Effect.SOFT),
    "source-quench": IcmpError((4, 0), None, Effect.QUENCH),
    "time-exceeded": IcmpError((11, 0), (3, 0), Effect.SOFT),
    "reassembly-time-exceeded": IcmpError((11, 1), (3, 1), Effect.SOFT),
    "parameter-problem": IcmpError((12, 0), (4, 0), Effect.SOFT),
    "unrecognized-next-header": IcmpError(None, (4, 1), Effect.SOFT),
    "unrecognized-option": IcmpError(None, (4, 2), Effect.SOFT),
}
"""RFC 792, RFC 1191, RFC 4443; fragmentation-needed is ICMPv6's Packet Too Big."""


def one_version(name: str) -> int | None:
    """Return the only IP version that has this error; None where both have it."""
    error = ERRORS[name]
    if error.ipv4 is None:
        return 6
    return 4 if error.ipv6 is None else None
