"""The reference's host: which connection a segment belongs to, who listens, whose alarm is next."""

import heapq
import itertools
from collections.abc import Callable
from functools import lru_cache
from random import Random

from conformance.model import seq
from conformance.model.flow import Flow
from conformance.model.segment import Segment
from conformance.model.state import State
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import NO_CONNECTION, Settings, Surroundings
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.opening import UNKNOWN, Server

ISN_RATE = 250_000
"""Steps a second of the clock behind an ISN: one in 4 microseconds (RFC 9293 3.4.1)."""
FIRST_PORT, LAST_PORT = 32768, 60999


@lru_cache(maxsize=1024)
def _offset(key: str, flow: Flow) -> int:
    """The keyed hash of the sockets (RFC 6528 3)."""
    return Random(f"{key}/{flow}").randrange(seq.MODULUS)


def _addresses(flow: Flow) -> tuple[str, str]:
    return flow.target[0], flow.tester[0]


class Stack:
    """All connections of one host, for both IP versions.

    `seed` is the secret key of RFC 6528.
    """

    def __init__(
        self,
        seed: str,
        settings: Settings,
        emit: Callable[[Flow, Segment], None],
        endpoint: type[Endpoint] = Endpoint,
    ) -> None:
        self._seed, self._settings, self._emit = seed, settings, emit
        self._endpoint = endpoint
        self._connections: dict[Flow, Endpoint] = {}
        self._listeners: dict[tuple[int, int], list[Endpoint]] = {}
        self._local: dict[tuple[int, int], str] = {}
        """Where they listen: at one address, or (empty) at all."""
        self._inherited: dict[tuple[int, int], list[Callable[[Endpoint], object]]] = {}
        self._servers: dict[tuple[str, str], Server] = {}
        """What is known of Fast Open between a local and a remote address (RFC 7413 4.1.3)."""
        self._alarms: list[tuple[float, int, Endpoint]] = []
        self._count = itertools.count()
        self._next_port = FIRST_PORT

    # -- segments -----------------------------------------------------------------------
    def arrives(self, flow: Flow, segment: Segment, now: float) -> Endpoint:
        """Give a segment to the connection it is for: to a listener's, or that of a closed port."""
        endpoint = self._connections.get(flow) or self._claimed(flow) or self._fresh(flow)
        before = endpoint.tcb
        before.listening = self.listens(flow)
        endpoint.pending = self._pending(flow) if endpoint.fast_open else 0
        endpoint.arrives(segment, now)
        if endpoint.learnt is not None:
            self._servers[_addresses(flow)], endpoint.learnt = endpoint.learnt, None
        if endpoint.tcb.reopened is before:
            self._wait_for_accept(endpoint)
        self.settle(endpoint)
        return endpoint

    def told(self, flow: Flow, segment: Segment, now: float) -> None:
        """Give an ICMP error to the connection whose `segment` is in it; to none, where there is none."""
        endpoint = self._connections.get(flow)
        if endpoint is not None:
            endpoint.told(segment, now)
            self.settle(endpoint)

    def _pending(self, flow: Flow) -> int:
        """PendingFastOpenRequests of the listener (RFC 7413 4.2)."""
        port = flow.family, flow.target[1]
        connections = self._connections.items()
        return sum(
            known.is_pending() for other, known in connections if (other.family, other.target[1]) == port
        )

    def _claimed(self, flow: Flow) -> Endpoint | None:
        return next((known for known in self._connections.values() if known.claims(flow)), None)

    def _fresh(self, flow: Flow) -> Endpoint:
        listening = self.listens(flow)
        state = State.LISTEN if listening else State.CLOSED
        tcb = self._tcb(state, flow, passive=True, listening=listening)
        endpoint = self._endpoint(tcb, self._around(flow))
        for option in self._inherited.get((flow.family, flow.target[1]), ()):
            option(endpoint)
        return endpoint

    def _tcb(self, state: State, flow: Flow, *, passive: bool = False, listening: bool = False) -> Tcb:
        pointing = self._settings.profile.pointing
        return Tcb(state, passive, listening=listening, family=flow.family, pointing=pointing)

    def inherit(self, family: int, port: int, option: Callable[[Endpoint], object]) -> None:
        """Have an option set on each connection that comes to this port from now on."""
        self._inherited.setdefault((family, port), []).append(option)

    def _around(self, flow: Flow) -> Surroundings:
        return Surroundings(flow, self._emit, self.isn, self._settings)

    def _wait_for_accept(self, endpoint: Endpoint) -> None:
        flow = endpoint.around.flow
        waiting = self._listeners.get((flow.family, flow.target[1]))
        if endpoint.tcb.passive and waiting is not None and endpoint not in waiting:
            waiting.append(endpoint)

    def settle(self, endpoint: Endpoint) -> None:
        """After an event: know the connection as long as there is one, and its next alarm."""
        flow = endpoint.around.flow
        if endpoint.tcb.state in NO_CONNECTION:
            if self._connections.get(flow) is endpoint:
                del self._connections[flow]
            return
        if flow not in self._connections:
            self._connections[flow] = endpoint
            self._wait_for_accept(endpoint)
        if endpoint.deadline is not None:
            heapq.heappush(self._alarms, (endpoint.deadline, next(self._count), endpoint))

    def isn(self, flow: Flow, now: float) -> int:
        """RFC 6528: a clock, and a keyed hash of the sockets."""
        return seq.wrap(_offset(self._seed, flow) + int(now * ISN_RATE))

    # -- time ---------------------------------------------------------------------------
    def next_alarm(self) -> float | None:
        """Return when the next alarm of any connection goes off."""
        while self._alarms:
            due, _, endpoint = self._alarms[0]
            if endpoint.deadline == due:
                return due
            heapq.heappop(self._alarms)
        return None

    def alarm(self, now: float) -> None:
        """Let go off the alarms that are due."""
        while (due := self.next_alarm()) is not None and due <= now:
            endpoint = heapq.heappop(self._alarms)[2]
            endpoint.alarm(now)
            self.settle(endpoint)

    # -- the user's side ----------------------------------------------------------------
    def open(self, flow: Flow) -> Endpoint:
        """Return a connection that is about to be opened actively."""
        endpoint = self._endpoint(self._tcb(State.CLOSED, flow), self._around(flow))
        endpoint.server = self._servers.get(_addresses(flow), UNKNOWN)
        return endpoint

    def known(self, flow: Flow) -> Endpoint | None:
        return self._connections.get(flow)

    def about_to_listen(self, family: int, port: int) -> None:
        """Let the connections that have this port already know that somebody will listen on it."""
        for flow, endpoint in list(self._connections.items()):
            if (flow.family, flow.target[1]) == (family, port):
                endpoint.beside_listener()
                self.settle(endpoint)

    def listen(self, family: int, port: int, address: str = "") -> list[Endpoint]:
        """Listen on a port, at one address or all; return the list that its connections will be in."""
        self._local[family, port] = address
        return self._listeners.setdefault((family, port), [])

    def listens(self, flow: Flow) -> bool:
        key = flow.family, flow.target[1]
        return key in self._listeners and self._local[key] in ("", flow.target[0])

    def unlisten(self, family: int, port: int) -> None:
        self._listeners.pop((family, port), None)
        self._inherited.pop((family, port), None)

    def port(self, family: int, wanted: int) -> int | None:
        """Return `wanted`, or a port that nobody listens on; None if somebody does."""
        if wanted:
            return None if (family, wanted) in self._listeners else wanted
        while (family, self._next_port) in self._listeners:
            self._step_port()
        free = self._next_port
        self._step_port()
        return free

    def _step_port(self) -> None:
        self._next_port = FIRST_PORT if self._next_port >= LAST_PORT else self._next_port + 1
