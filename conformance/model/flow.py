"""Who talks to whom, and what the outside can bring: plain values for every link and target."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from conformance.model.segment import Envelope, Option, Segment, decode_options


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection's two sockets, seen from the tester; addresses as text."""

    tester: tuple[str, int]
    target: tuple[str, int]

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.target[0] else 4


GROUPS: Mapping[str, Mapping[int, str]] = {
    "broadcast": {4: "255.255.255.255"},
    "multicast": {4: "224.0.0.1", 6: "ff02::1"},
}
"""Addresses of everybody: the limited broadcast, and all hosts on the link."""
INVALID: Mapping[str, Mapping[int, str]] = {
    **GROUPS,
    "loopback": {4: "127.0.0.1", 6: "::1"},
    "unspecified": {4: "0.0.0.0", 6: "::"},
}
"""Addresses from which nobody can send (RFC 1122 3.2.1.3, RFC 4291 2.5-2.7), by IP version."""
SOURCES = (*INVALID, "target", "other")
"""Words for a source address: `target` is the target's own, `other` a second one of the tester's."""
ROUTES: Mapping[str, int] = {"loose-route": 0x83, "strict-route": 0x89}
"""The source routes between the tester and the target by way of the tester's other address.

What the tester sends has gone that way; what the target sends is yet to.  By the type octet of the
option (RFC 791 3.1).
"""
RECORDS: Mapping[str, int] = {"record-route": 0x07, "timestamp": 0x44}
"""The options in which each station on the way, the first one too, records its address, or the time.

By the type octet of the option (RFC 791 3.1).
"""
_RECORDS_EMPTY: Mapping[str, bytes] = {
    "record-route": bytes([RECORDS["record-route"], 19, 4]) + bytes(16),
    "timestamp": bytes([RECORDS["timestamp"], 20, 5, 0]) + bytes(16),
}
"""With room for four."""
_ANOTHER = 0x40
_NO_GATEWAY_YET, _ALL_PASSED = 4, 8
"""Pointers of a source route with one address."""


def other(address: str) -> str:
    """Return the second address that the tester has beside `address`, on the same link."""
    return str(ipaddress.ip_address(int(ipaddress.ip_address(address)) ^ _ANOTHER))


def route_ahead(word: str, tester: str) -> bytes:
    """Return the IP option of a datagram that is to go this way: first to the tester's other address.

    Or the empty record that the word names.
    """
    if word in RECORDS:
        return _RECORDS_EMPTY[word]
    return _route(word, _NO_GATEWAY_YET, other(tester))


def route_behind(word: str, tester: str) -> bytes:
    """Return the IP option of a datagram of the tester that has come this way."""
    return _route(word, _ALL_PASSED, other(tester))


def _route(word: str, pointer: int, address: str) -> bytes:
    return bytes([ROUTES[word], 7, pointer]) + ipaddress.ip_address(address).packed


def route_taken(octets: bytes, destination: str) -> tuple[str, str]:
    """Return the word for the source route that the IP options of a datagram have yet to go, and to whom.

    Without one, or on another: the word for the record that they have, or none, and the
    `destination` of the header.
    """
    found = decode_options(octets)[0]
    for option in found:
        if option.kind not in ROUTES.values() or len(option.value) < 5:
            continue
        pointer, end = option.value[0], str(ipaddress.ip_address(option.value[-4:]))
        if pointer > len(option.value) + 2:
            continue
        known = pointer == _NO_GATEWAY_YET and len(option.value) == 5 and destination == other(end)
        return next(word for word, kind in ROUTES.items() if kind == option.kind) if known else "", end
    return next(filter(None, map(_record, found)), ""), destination


def _record(option: Option) -> str:
    """Return the word for a record; one of time has begun (RFC 1122 3.2.1.8 (e))."""
    begun = option.kind != RECORDS["timestamp"] or option.value[:1] > _RECORDS_EMPTY["timestamp"][2:3]
    return next((word for word, kind in RECORDS.items() if kind == option.kind and begun), "")


def answered(addresses: Iterable[str]) -> list[str]:
    """Return every address to which an answer to the tester may go, its own or forged."""
    own = list(addresses)
    return [*own, *map(other, own), *dict.fromkeys(at for row in INVALID.values() for at in row.values())]


def carried(flow: Flow, envelope: Envelope) -> Flow:
    """Return the flow that the IP header of a segment in this envelope shows.

    ValueError where the IP version has no such address.
    """
    source, destination = flow.tester[0], flow.target[0]
    own = {"": source, "target": destination, "other": other(source)}
    source = own.get(envelope.source) or _invalid(envelope.source, flow.family)
    destination = _invalid(envelope.destination, flow.family) if envelope.destination else destination
    return replace(flow, tester=(source, flow.tester[1]), target=(destination, flow.target[1]))


def _invalid(word: str, family: int) -> str:
    if family not in INVALID[word]:
        raise ValueError(f"IPv{family} has no {word} address")
    return INVALID[word][family]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A TCP segment came from the target at `time` (seconds, the lab's clock)."""

    flow: Flow
    segment: Segment
    time: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The agent answered request `id`: `ok`, or `error`, an errno name such as ECONNRESET."""

    id: int
    ok: Mapping[str, object] = field(default_factory=dict)
    error: str = ""
    time: float = 0.0


class Fate(Enum):
    """What the end of a process means."""

    LOST = "we no longer reach the target; whether it lives is not known"
    KILLED = "the stack was ended from outside"
    CRASHED = "the stack ended by its own doing"


@dataclass(frozen=True, slots=True)
class Died:
    """The agent or the target's process ended; `reason` has its last words."""

    reason: str
    time: float = 0.0
    fate: Fate = Fate.LOST


Event = Arrival | Reply | Died
