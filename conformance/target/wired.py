"""What the targets behind a real link have in common: a wire, a record of it, and an agent."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from conformance.model.flow import Event, Flow
from conformance.model.segment import Segment
from conformance.target.base import Facts, Lab, TargetError
from conformance.target.network import link_news
from conformance.wire.capture import Capture
from conformance.wire.link import Link, LinkError


class Agent(Protocol):
    """Who makes the target's socket calls: a process behind a pipe, or what stands in for one."""

    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        """Ask; the Reply comes with events()."""

    def filenos(self) -> list[int]:
        """Return what becomes readable when there are events."""

    def events(self) -> list[Event]:
        """Return the replies, and at most one Died, that have come by now."""


def attach(
    undo: contextlib.ExitStack,
    interface: str,
    pairs: Iterable[tuple[str, str]],
    patience: float,
    *,
    homes: Iterable[str] = (),
    mac: str = "",
    hops: Mapping[str, str] | None = None,
    owned: bool = False,
) -> tuple[Link, Capture]:
    """Return the tester's end of a wire, and the record of it, once the targets are found there.

    The interface must be up: a packet socket bound to one that is down begins with an error.
    `pairs` are (tester's address, target's address), `homes` further addresses of targets; `mac`, `hops`
    and `owned` are as in Link.
    LinkError if `patience` seconds are not enough.
    """
    testers, targets = map(list, zip(*pairs, strict=True))
    link = undo.enter_context(contextlib.closing(Link(interface, testers, mac, hops=hops, owned=owned)))
    # Where the tester's address is a machine's, its other connections are nobody's business.
    capture = undo.enter_context(contextlib.closing(Capture(interface, targets if hops else testers)))
    with link_news() as news:
        link.resolve([*targets, *homes], patience, news)
    return link, capture


class WireLab(Lab):
    """A target at the other end of a link.  Times are seconds of time.monotonic().

    `undo` ends all that makes up the lab, the link, the capture and the agent too.
    """

    def __init__(
        self, facts: Facts, link: Link, capture: Capture, agent: Agent, undo: contextlib.ExitStack
    ) -> None:
        self.facts = facts
        self._link = link
        self._capture = capture
        self._agent = agent
        self._undo = undo
        self._closed = False

    def now(self) -> float:
        return time.monotonic()

    def send(self, flow: Flow, segment: Segment) -> float:
        return _linked(lambda: self._link.send(flow, segment))

    def send_raw(self, flow: Flow, octets: bytes) -> float:
        return _linked(lambda: self._link.send_raw(flow, octets))

    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        self._agent.request(request_id, op, arguments)

    def filenos(self) -> Iterable[int]:
        if self._closed:
            return []
        return [self._link.fileno(), self._capture.fileno(), *self._agent.filenos()]

    def events(self) -> list[Event]:
        if self._closed:
            return []
        events: list[Event] = [*self._link.receive(), *self._agent.events()]
        self._capture.drain()
        return sorted(events, key=lambda event: event.time)

    def frames(self, ports: Iterable[int]) -> list[tuple[float, bytes, bool]]:
        if self._closed:
            return []
        return [(frame.wall / 1e9, frame.octets, frame.sent) for frame in self._capture.frames(ports)]

    def dropped(self) -> int:
        """Return how many frames the kernel could not hand to the tester: the tester's failure."""
        return 0 if self._closed else self._link.dropped()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._undo.close()


def _linked(send: Callable[[], float]) -> float:
    try:
        return send()
    except LinkError as error:
        raise TargetError(str(error)) from error
