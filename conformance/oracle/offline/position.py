"""Where on the path a capture was taken: near the client, the server, both (one machine), or unknown."""

from dataclasses import dataclass
from enum import Enum

from conformance.oracle.offline.end import End
from conformance.oracle.offline.flow import Flow

_INITIAL_TTLS = (32, 64, 128, 255)
_RATIO = 4.0
"""How many times longer the way to one end must take than to the other before that tells anything."""
_TELLING = 0.001
"""Seconds by which it must be longer: a busy host takes less to answer at once, a clock less to step back."""


class Near(Enum):
    CLIENT = "client"
    SERVER = "server"
    BOTH = "both"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Position:
    """Which end a capture was taken near, and what tells so."""

    near: Near
    because: str

    def has_order_of(self, name: str) -> bool:
        """Whether the capture has the segments of that end in the order in which it sent them."""
        return self.near is Near.BOTH or self.near.value == name


def infer(flow: Flow, offloading: set[str]) -> Position:
    """Infer it; `offloading` are the ends whose checksums are unfinished: such segments never leave a host.

    Otherwise TTL counts hops, and the two halves of the handshake tell the distance.
    """
    if len(offloading) == 2:
        return Position(Near.BOTH, "checksums of both ends are unfinished")
    for name in offloading:
        return Position(Near(name), f"the {name}'s checksums are unfinished")
    hops = _hops(flow.client), _hops(flow.server)
    if None not in hops and hops[0] != hops[1] and 0 in hops:
        near = Near.CLIENT if hops[0] == 0 else Near.SERVER
        return Position(near, f"TTL: {hops[0]} hops from the client, {hops[1]} from the server")
    return _by_handshake(flow)


def _hops(end: End) -> int | None:
    """Return over how many routers an end's segments came, None if they tell different stories."""
    found = {min(initial for initial in _INITIAL_TTLS if initial >= ttl) - ttl for ttl in end.ttls}
    return found.pop() if len(found) == 1 else None


def _by_handshake(flow: Flow) -> Position:
    if len(flow.handshake) < 3:
        return Position(Near.UNKNOWN, "no handshake without repetitions, and TTLs do not tell")
    to_server = flow.handshake[1] - flow.handshake[0]
    to_client = flow.handshake[2] - flow.handshake[1]
    times = f"SYN to SYN,ACK {to_server * 1000:.3f} ms, SYN,ACK to ACK {to_client * 1000:.3f} ms"
    if to_server < 0 or to_client < 0 or abs(to_server - to_client) < _TELLING:
        return Position(Near.UNKNOWN, times)
    if to_client * _RATIO < to_server:
        return Position(Near.CLIENT, times)
    if to_server * _RATIO < to_client:
        return Position(Near.SERVER, times)
    return Position(Near.UNKNOWN, times)
