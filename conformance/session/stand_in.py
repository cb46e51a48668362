"""The user of a rehearsal: gets from the agent what the case says, as far as the RFC lets it."""

import base64

from conformance.model import payload, seq
from conformance.model.case import UserCall
from conformance.model.flow import Reply
from conformance.model.segment import Control
from conformance.model.state import State
from conformance.model.trace import Kind
from conformance.session.actions import Ask, Connection
from conformance.session.session import Session

TARGET_PORT, CLIENT_PORT = 40000, 50000
_ERRNOS = {
    "RESET": "ECONNRESET",
    "REFUSED": "ECONNREFUSED",
    "CLOSING": "EPIPE",
    "ABSENT": "ENOTCONN",
    "EXISTS": "EISCONN",
    "TIMEOUT": "ETIMEDOUT",
    "UNREACHABLE": "EHOSTUNREACH",
    "INVALID": "ENETUNREACH",
}


class StandIn:
    """Answers what a session asks, in the place of an agent at a target."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now = 0.0
        self._handles = 100
        self._taken: set[tuple[int, int | None]] = set()
        """Of which connection the user took urgent data out of band, and where that ends."""

    def answer(self, ask: Ask) -> Reply:
        """Answer as an agent would whose user gets what the case says."""
        ok: dict[str, object] = {}
        match ask.op:
            case "listen" | "connect" if self._fails():
                return self._called(ask)
            case "listen":
                ok = {"handle": 1, "port": TARGET_PORT}
            case "connect":
                self._handles += 1
                port = ask.arguments.get("from_port") or CLIENT_PORT
                ok = {"handle": self._handles, "port": port}
            case "accept":
                return self._accept(ask)
            case "state":
                ok = {"state": str(self._state(ask))}
            case "urgent":
                ok = {"urgent": self._urgent_mode()}
            case "receive_urgent":
                return self._urgent_octet(ask)
            case "send" | "receive" | "close" | "set_option":
                return self._called(ask)
        return Reply(ask.id, ok, time=self.now)

    def _urgent_mode(self) -> bool:
        step = self.session.step
        return step is not None and self.session.connections[step.connection].oracle.tcb.urgent_mode

    def _urgent_octet(self, ask: Ask) -> Reply:
        connection, _ = self._made(ask)
        if connection.outstanding and connection.outstanding[0] == ask.id:
            return self._called(ask)  # the octet is still to come, and will be what the case says
        octet, end = _octet(self.session, connection), connection.oracle.tcb.urgent_taken
        again = (connection.index, end) in self._taken
        self._taken.add((connection.index, end))
        if again or not octet:
            return Reply(ask.id, {}, "ETIMEDOUT", self.now + float(str(ask.arguments["timeout"])))
        return Reply(ask.id, {"data": base64.b64encode(octet).decode(), "eof": False}, time=self.now)

    def _fails(self) -> bool:
        call = self.session.step.action if self.session.step else None
        return isinstance(call, UserCall) and call.error is not None

    def _accept(self, ask: Ask) -> Reply:
        waiting = [item for item in self.session.connections.values() if item.handle is None]
        early = {State.LISTEN, State.SYN_RECEIVED, State.CLOSED}
        # What Fast Open has opened is the user's before the handshake is over.
        waiting = [
            item for item in waiting if item.oracle.tcb.fast_opened or not item.oracle.states() <= early
        ]
        if not waiting:
            return Reply(ask.id, {}, "ETIMEDOUT", self.now)
        self._handles += 1
        peer = [self.session.endpoints.tester, waiting[0].tester_port]
        return Reply(ask.id, {"handle": self._handles, "peer": peer}, time=self.now)

    def _state(self, ask: Ask) -> State:
        """Return the state of the connection that is asked for, the one that the step names if it may be."""
        remote = ask.arguments["remote"]
        assert isinstance(remote, list)
        connections = self.session.connections.values()
        connection = next(item for item in connections if item.tester_port == remote[1])
        step = self.session.step or self.session.case.steps[-1]
        for state in step.state if step.connection == connection.index else ():
            if state in connection.oracle.states():
                return state
        return connection.oracle.state

    def _called(self, ask: Ask) -> Reply:
        """The user gets what the case says: whether it may is for the RFC's call tables."""
        connection, call = self._made(ask)
        if call.error is not None:
            return Reply(ask.id, {}, _ERRNOS[call.error.name], self.now)
        data = call.data
        if data is None and ask.op == "receive":
            data = payload.pattern(connection.delivered, call.count or 0, self.session.key)
        encoded = base64.b64encode(data or b"").decode()
        count = len(base64.b64decode(str(ask.arguments.get("data", ""))))
        return Reply(ask.id, {"data": encoded, "eof": call.eof, "count": count}, time=self.now)

    def _made(self, ask: Ask) -> tuple[Connection, UserCall]:
        """Return the call for which the agent is asked, the step's or one that is outstanding."""
        for connection in self.session.connections.values():
            if connection.outstanding and connection.outstanding[0] == ask.id:
                return connection, connection.outstanding[1]
        step, last = self.session.step, self.session.step_index or 0
        if step is None or not isinstance(step.action, UserCall):
            # A SEND that cannot be answered yet is not waited for.
            steps = self.session.case.steps[last::-1]
            step = next(item for item in steps if isinstance(item.action, UserCall))
        assert isinstance(step.action, UserCall)
        return self.session.connections[step.connection], step.action


def _octet(session: Session, connection: Connection) -> bytes:
    """Return the octet that the user has now taken out of band; none where there was none to take."""
    tcb = connection.oracle.tcb
    if tcb.rcv_up is None or tcb.urgent_taken != tcb.rcv_up:
        return b""
    for record in session.trace:
        segment = record.segment
        if record.kind is Kind.SENT and record.connection == connection.index and segment is not None:
            place = seq.diff(tcb.rcv_up, segment.seq) - 1 - segment.has(Control.SYN)
            if 0 <= place < len(segment.data):
                return segment.data[place : place + 1]
    return b""
