"""The first contact with a host, before any case: is it there, and what is between?

Some SYNs, each answered or not, tell whether the port is open, from which TTL the target's
segments come, and whether something on the way keeps back what carries options.
"""

import select
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from conformance.model.flow import Flow
from conformance.model.segment import (
    SACK_PERMITTED,
    Control,
    Option,
    Segment,
    timestamps_option,
    window_scale_option,
)
from conformance.target.base import TargetError
from conformance.target.route import Way
from conformance.wire.link import Link

ACK, RST, SYN = Control.ACK, Control.RST, Control.SYN
_PATIENCE = (0.5, 1.0, 1.5)
"""Seconds that each try waits, as a SYN that is sent again would."""
_OFTEN_CLOSED = range(10000, 20000)
_CLOSED_TRIES = 3
_OFFERS: dict[str, Option] = {
    "TS": timestamps_option(1, 0),
    "WS": window_scale_option(2),
    "SACK-PERMITTED": SACK_PERMITTED,
}


@dataclass(slots=True)
class Contact:
    """What the first contact has shown.

    `round_trip` is in seconds; `blocked` and `ttls` are as in Facts, `notes` for the user.
    """

    round_trip: float = 0.0
    closed_port: int | None = None
    ttls: frozenset[int] = frozenset()
    blocked: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def meet(link: Link, way: Way, port: int | None, ports: Iterator[int], random: Random) -> Contact:
    """Make the first contact; TargetError where no case can run.

    `port` is the service's, None where an agent listens; `ports` are the tester's.
    """
    asker = _Asker(link, way, ports, random)
    found = Contact()
    _find_closed(asker, found)
    if port is None:
        return found
    answer = asker.ask(port)
    where = f"port {port} of {way.target}"
    if answer is None:
        if found.closed_port is None:
            raise TargetError(
                f"{way.target} does not answer: {way.interface} has found the next hop, but no SYN to "
                f"port {port} or any other is answered",
                "is it switched on, and does a firewall let this machine through?",
            )
        raise TargetError(
            f"no SYN,ACK of {where} comes, though other ports answer with a RST: a firewall, or something "
            "on the way that drops such SYN,ACKs; this says nothing about the target",
            "name a port that is open to this machine: ADDRESS:PORT",
        )
    if answer.has(RST):
        raise TargetError(f"nothing listens on {where}", "name a port where something does: ADDRESS:PORT")
    found.round_trip = asker.round_trip
    if found.ttls and answer.ttl not in found.ttls:
        found.notes.append(
            f"resets come with TTL {min(found.ttls)}, SYN,ACKs with {answer.ttl}: a middlebox may answer "
            "in the target's place"
        )
    found.ttls |= {answer.ttl}
    _try_options(asker, found, port)
    return found


def _find_closed(asker: "_Asker", found: Contact) -> None:
    for _ in range(_CLOSED_TRIES):
        port = asker.random.choice(_OFTEN_CLOSED)
        answer = asker.ask(port, tries=1)
        if answer is not None and answer.has(RST):
            found.closed_port, found.ttls = port, frozenset({answer.ttl})
            return
    found.notes.append("no closed port answers with a RST: a firewall drops what comes for them")


def _try_options(asker: "_Asker", found: Contact, port: int) -> None:
    for name, option in _OFFERS.items():
        if asker.ask(port, option.encode()) is None:
            found.blocked[name] = (
                "with it no SYN,ACK comes, without it one does: something on the way drops it"
            )
            found.notes.append(f"a middlebox is on the way: a SYN that offers {name} is not answered")


@dataclass(slots=True)
class _Asker:
    """Sends SYNs, and takes back the connections that they half open, or that were left half open."""

    link: Link
    way: Way
    ports: Iterator[int]
    random: Random
    round_trip: float = 0.0

    def ask(self, port: int, options: bytes = b"", tries: int = len(_PATIENCE)) -> Segment | None:
        """Return the answer to a SYN, None for silence."""
        flow = Flow((self.way.source, next(self.ports)), (self.way.target, port))
        syn = Segment(self.random.randrange(1 << 32), 0, SYN, options=options)
        for patience in _PATIENCE[:tries]:
            left = self.link.send(flow, syn)
            answer = self._answer(flow, syn, left + patience)
            if answer is None:
                continue
            segment, came = answer
            self.round_trip = max(self.round_trip, came - left)
            if segment.has(SYN):
                self.link.send(flow, Segment(segment.ack, 0, RST, wnd=0))
            return segment
        return None

    def _answer(self, flow: Flow, syn: Segment, until: float) -> tuple[Segment, float] | None:
        while (left := until - time.monotonic()) > 0:
            select.select([self.link.fileno()], [], [], left)
            for arrival in self.link.receive():
                segment = arrival.segment
                if arrival.flow == flow and segment.ack == syn.end:
                    return segment, arrival.time
                if arrival.flow == flow and segment.has(ACK) and not segment.has(RST):
                    # RFC 9293 3.5.1: an earlier tester's connection, which it could not take back.
                    self.link.send(flow, Segment(segment.ack, 0, RST, wnd=0))
                    return None
        return None
