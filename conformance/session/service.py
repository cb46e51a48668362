"""User calls at a target that nobody can ask: a service there makes them, if it is spoken to.

The exchange with the service takes sequence numbers, of ours and of the target's.  x and y
move on by as many, so that a case never sees it: x+1 goes on being what comes next.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model import notation, seq
from conformance.model.case import CallName, Case, Send, Step, UserCall
from conformance.model.segment import Control, Segment
from conformance.model.service import Service, ServiceKind
from conformance.model.state import NO_CONNECTION, State
from conformance.model.trace import Kind
from conformance.oracle.acceptor import ABORTED
from conformance.oracle.oracle import Correct
from conformance.oracle.prediction import Explanation, Violation
from conformance.oracle.tcb import Tcb
from conformance.session.actions import Connection, Inject, Received
from conformance.session.calls import octets
from conformance.session.failure import Inconclusive
from conformance.session.user import User

if TYPE_CHECKING:
    from conformance.session.session import Session

Task = Generator[float, None, None]

ACK, FIN, PSH, RST, SYN = Control.ACK, Control.FIN, Control.PSH, Control.RST, Control.SYN
REQUEST = b"HEAD / HTTP/1.0\r\n\r\n"
"""After its answer, which is short, the server closes (RFC 1945 7.2)."""
UNFINISHED = b"HEAD / HTTP/1.0\r\nX-Data: "
"""Whatever follows but an end of line is taken for the field's value, and draws no response."""
CLOSED_FIRST = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.TIME_WAIT})
"""The states to which a user leads who closes before its peer does."""
_PATIENCE = 5.0
_SILENCE = 0.3
MOST_SWALLOWED = 4000
"""Octets of data that a header field can hold: servers take 8000 at least (RFC 9110 5.4, 9112 3)."""
MOST_ECHOED = 500
"""Octets that an echo is asked for: every target takes so many in one segment (RFC 9293 3.7.1)."""
_PLAIN = notation.parse("<CTL=ACK>")


def _has_data(case: Case) -> bool:
    """Tell whether some step sends octets that the target's user may get."""
    actions = [step.action for step in case.steps]
    return any(
        isinstance(action, Send) and (action.raw is not None or action.pattern.get("DATA") is not None)
        for action in actions
    )


class Served(User):
    """A user who is the service on the target's port."""

    served = True
    known = False

    def __init__(self, service: Service) -> None:
        self.service = service
        self._unfinished = False
        """Whether the service waits for the rest of a request, and takes data for a part of it."""
        self._inviting = True
        """Whether it is being spoken to, so that what it does is no surprise."""

    def octets_ahead(self, case: Case) -> int:
        if self.service.kind is not ServiceKind.HTTP or case.needs.http:
            return 0
        if case.start is State.ESTABLISHED:
            return len(UNFINISHED) if _has_data(case) else 0
        return len(REQUEST) if case.start in CLOSED_FIRST else 0

    def listen(self, session: Session) -> Task:
        if session.case.start is not State.CLOSED:
            session.listens_on(self.service.port)
        yield from ()

    def settle(self, session: Session) -> Task:
        """In ESTABLISHED let the service say what it says, and wait for data."""
        if session.case.start is State.ESTABLISHED:
            yield from self._prepare(session, session.connections[1])
        self._inviting = session.case.needs.http
        for connection in session.connections.values():
            connection.invited = len(connection.oracle.tcb.stream)

    def _prepare(self, session: Session, connection: Connection) -> Task:
        if self.service.speaks:
            yield from _hear_out(session, connection)
        if self.octets_ahead(session.case):
            self._unfinished = connection.peer.letters = True
            before = connection.oracle.tcb.rcv_nxt
            _tell(session, connection, UNFINISHED)
            yield from _acknowledged(session, connection)
            _move(session, connection, "x", seq.diff(connection.oracle.tcb.rcv_nxt, before))
        connection.queue.clear()

    def call(self, session: Session, connection: Connection, step: Step, call: UserCall) -> Task:
        """Have the service make a call; Inconclusive for one that it cannot be brought to."""
        service = self.service
        session.record(Kind.CALL, f"{call} (by {service.kind})", connection=connection.index)
        connection.stimulate(session.now, len(session.trace))
        match service.kind, call.name:
            case ServiceKind.HTTP, CallName.CLOSE:
                self._inviting = True
                request = b"\r\n\r\n" if self._unfinished else REQUEST
                yield from _close_by_response(session, connection, request)
                self._inviting = False
            case ServiceKind.ECHO, CallName.SEND:
                yield from _send_by_echo(session, connection, call)
            case _, CallName.RECEIVE:
                session.record(Kind.RETURN, "not observable", connection=connection.index)
            case _, CallName.CLOSE if connection.oracle.tcb.fin_received and service.closes_on_eof:
                pass
            case _:
                raise Inconclusive(f"nothing at the target makes the call {call}")
        session.moment = session.now

    def left_over(self, connection: Connection, target_port: int) -> bool:
        return target_port != connection.target_port

    def notice(
        self, connection: Connection, before: Tcb, segment: Segment, judged: Explanation | Violation
    ) -> None:
        tcb = connection.oracle.tcb
        if isinstance(judged, Violation):
            if before.iss is None and not segment.ctl & (SYN | RST):
                # RFC 9293 3.5.1, Figure 9: what we open is half-open there, since an earlier run.
                self.surprise = "has an old connection on these ports, which answers"
        elif self._inviting:
            pass
        elif judged.kind == ABORTED:
            self.surprise = "has a user who reset the connection of its own accord"
        elif tcb.fin_queued and not before.fin_queued:
            self.surprise = "has a user who closed the connection of its own accord"
        elif len(tcb.stream) > max(len(before.stream), connection.invited):
            self.surprise = "has a user who sent data of its own accord"

    def leave(self, session: Session) -> None:
        """Reset what is left of the connections, for nobody at the target will."""
        for connection in session.connections.values():
            if connection.target_port is None or connection.oracle.states() <= NO_CONNECTION:
                continue
            for number in connection.oracle.awaited():
                reset = Segment(number, connection.oracle.tcb.snd_nxt, RST | ACK, wnd=0)
                session.act(Inject(session.flow(connection), reset))


def _send_by_echo(session: Session, connection: Connection, call: UserCall) -> Task:
    """In one segment, so that the user sends it in one piece, too."""
    data = octets(connection, call)
    connection.invited += len(data)
    _move(session, connection, "x", len(data))
    _tell(session, connection, data)
    yield from _acknowledged(session, connection)
    connection.queue = [item for item in connection.queue if item.lasting]


def _close_by_response(session: Session, connection: Connection, request: bytes) -> Task:
    """Ask for what ends the connection, and take all but the FIN, which stays unacknowledged."""
    tcb = connection.oracle.tcb
    x, y = tcb.rcv_nxt, tcb.snd_nxt
    _tell(session, connection, request)
    fin = yield from _take_to_fin(session, connection)
    end = seq.add(fin.segment.seq, len(fin.segment.data))
    if seq.lt(connection.oracle.tcb.snd_una, end):
        _acknowledge(session, connection, end)
    _move(session, connection, "x", seq.diff(connection.oracle.tcb.rcv_nxt, x))
    _move(session, connection, "y", seq.diff(end, y))
    # What is left of it when the data before the FIN is acknowledged.
    rest = replace(fin.segment, seq=end, data=b"")
    connection.queue = [replace(fin, segment=rest, correct=Correct(end, connection.oracle.tcb.rcv_nxt))]


def _take_to_fin(session: Session, connection: Connection) -> Generator[float, None, Received]:
    until = session.now + _PATIENCE
    while True:
        fins = [item for item in connection.queue if item.segment.has(FIN)]
        if fins:
            return fins[0]
        if any(item.segment.data for item in connection.queue):
            connection.queue.clear()
            _acknowledge(session, connection, connection.oracle.tcb.snd_nxt)
        if session.now >= until or connection.oracle.tcb.state is State.CLOSED:
            raise Inconclusive("the service at the target did not close after its response")
        yield until


def _hear_out(session: Session, connection: Connection) -> Task:
    """Take what the service says of its own accord, until it has been silent for a while."""
    y = connection.oracle.tcb.snd_nxt
    until = session.now + 1.0
    while session.now < until:
        if any(item.segment.data for item in connection.queue):
            connection.queue.clear()
            _acknowledge(session, connection, connection.oracle.tcb.snd_nxt)
            until = session.now + _SILENCE
        yield until
    _move(session, connection, "y", seq.diff(connection.oracle.tcb.snd_nxt, y))


def _acknowledged(session: Session, connection: Connection) -> Task:
    until = session.now + _PATIENCE
    while connection.oracle.tcb.last_ack != connection.oracle.tcb.rcv_nxt:
        if session.now >= until:
            raise Inconclusive("the target did not acknowledge what its service was told")
        yield until


def _tell(session: Session, connection: Connection, data: bytes) -> None:
    """Send octets to the service, and change nothing else of what the target knows of us."""
    peer, tcb = connection.peer, connection.oracle.tcb
    segment = peer.segment(_PLAIN, session.now)
    window = tcb.snd_wnd >> (0 if tcb.rcv_scale is None else tcb.snd_scale or 0)
    told = replace(segment, ack=tcb.snd_una, wnd=window, ctl=segment.ctl | PSH, data=data)
    peer.next = told.end
    session.inject(connection, told)


def _acknowledge(session: Session, connection: Connection, number: int) -> None:
    segment = connection.peer.segment(_PLAIN, session.now)
    session.inject(connection, replace(segment, ack=number))


def _move(session: Session, connection: Connection, name: str, by: int) -> None:
    """Let x or y of this connection go on by so many octets."""
    if name == "x":
        base = connection.peer.base
        connection.peer.isn = seq.add(connection.peer.isn, by)
    else:
        base = connection.iss_name
        connection.received_octets += by
    if base in session.names:
        session.names.bind_base(base, seq.add(int(session.names[base]), by))
