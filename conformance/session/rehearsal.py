"""Every case is rehearsed when it is loaded: run against a target that does what the case says.

The session and the oracle are the real ones.  The target answers each `expect` with the
very segment that the case describes, and the oracle says whether RFC 9293 lets it.  So a
case that contradicts the RFC is refused before anything is sent.
"""

import base64
from dataclasses import replace

from conformance.model import expression, payload
from conformance.model.case import (
    FLIGHT,
    Alternative,
    Case,
    Expect,
    ExpectNothing,
    ExpectOracle,
    Step,
    Stream,
    UserCall,
    Wait,
)
from conformance.model.flow import Reply
from conformance.model.pattern import Pattern
from conformance.model.segment import Control, Segment
from conformance.model.state import State
from conformance.model.trace import Diagnosis, show_segment
from conformance.model.verdict import Verdict
from conformance.oracle.prediction import Form, Violation
from conformance.session.actions import Ask, Connection, Endpoints, Inject
from conformance.session.described import described, initial_sequence_number, usual_options, window
from conformance.session.match import match
from conformance.session.session import Session

ACK, FIN, RST = Control.ACK, Control.FIN, Control.RST
INSTANT = 1e-4
"""Seconds of virtual time between an event and the next."""
_TARGET_PORT, _CLIENT_PORT = 40000, 50000
_MAX_TURNS = 20000


def rehearse(case: Case) -> list[Diagnosis]:
    """Return where the case contradicts RFC 9293 (at most one place), or what it cannot say."""
    return Rehearsal(case).run()


def _untimed(case: Case) -> Case:
    """Leave out the checks of moments and of what is in flight.

    In a rehearsal the target's timers do not run, and it has no congestion window.
    """
    moments = {FLIGHT, *(step.at for step in case.steps if step.at)}
    steps = (
        replace(step, check=None) if step.check and expression.names(step.check) & moments else step
        for step in case.steps
    )
    return replace(case, steps=tuple(steps))


class Rehearsal:
    """A target that does what the case says, and answers promptly whatever else the RFC requires."""

    def __init__(self, case: Case) -> None:
        count = 1 + max([1, *(step.connection for step in case.steps)])
        ports = tuple(range(_TARGET_PORT + 1, _TARGET_PORT + 1 + count + 1))
        family = case.ip[0]
        addresses = ("192.0.2.1", "192.0.2.2") if family == 4 else ("2001:db8::1", "2001:db8::2")
        self.case = case
        self.session = Session(
            _untimed(case), Endpoints(family, *addresses, ports, 9), "rehearsal", frozenset({"state"})
        )
        self.now = 0.0
        self.answered: set[int] = set()
        self.counted: dict[int, int] = {}
        """How many segments a step that counts has been given."""
        self.handles = 100
        self.found: Diagnosis | None = None

    def run(self) -> list[Diagnosis]:
        """Play the case; return where it contradicts the RFC."""
        self.play()
        if not self.session.result and not self.found:
            return [Diagnosis("endless", "the rehearsal of this case does not end", self.case.span)]
        return self._verdict()

    def play(self) -> None:
        """Go on until the session has its result, or the case is found impossible."""
        self.session.start(self.now)
        for _ in range(_MAX_TURNS):
            if self.session.result or self.found:
                return
            self._turn()

    # -- one turn -----------------------------------------------------------------------
    def _turn(self) -> None:
        session = self.session
        actions = session.take_actions()
        self.now += INSTANT
        for action in actions:
            if isinstance(action, Ask):
                if action.op != "release":
                    session.reply(self.answer(action), self.now)
            else:
                self.injected(action)
        if actions or session.result:
            return
        step = session.step
        connection = session.connections[step.connection] if step else None
        if step is not None and connection is not None and self._speak(step, connection):
            return
        self.now = max(self.now, session.deadline)
        session.wake(self.now)

    def injected(self, action: Inject) -> None:
        """Only the liveness probe is answered here; the oracle has seen the rest arrive."""
        ends = self.session.endpoints
        if action.flow.tester[1] == ends.tester_ports[0] and not action.segment.has(RST):
            reset = Segment(0, action.segment.end, RST | ACK)
            self.session.receive(ends.tester_ports[0], reset, action.flow.target[1], self.now, self.now)

    def _speak(self, step: Step, connection: Connection) -> bool:
        """Let the target send what this step waits for; False where it stays silent."""
        match step.action:
            case Expect(alternatives) if step.count is not None:
                self.counted[id(step)] = self.counted.get(id(step), 0) + 1
                enough = self.counted[id(step)] > step.count[0]
                return not enough and self._expected(step, connection, alternatives)
            case Expect(alternatives) if id(step) not in self.answered:
                self.answered.add(id(step))
                return self._expected(step, connection, alternatives)
            case ExpectOracle() if connection.oracle.due():
                return self._reply_due(connection)
            case Wait() if connection.oracle.due():
                return self._reply_due(connection)
            case Wait() if self._fills():
                return self._stream(connection)
            case ExpectNothing() if id(step) not in self.answered:
                self.answered.add(id(step))
                self._may_be_silent(step, connection)
            case Stream(response=True) | Stream(eof=True):
                return self._respond(step.action, connection)
            case Stream():
                return self._stream(connection)
        return False

    def _fills(self) -> bool:
        """Whether the case waits to see what is in flight: the target then fills the window."""
        check = self.case.steps[self.session.step_index or 0].check
        return check is not None and FLIGHT in expression.names(check)

    def deliver(self, connection: Connection, segment: Segment, delay: float = 0.0) -> bool:
        """Let a segment of the target arrive, `delay` seconds from now."""
        self.now += delay
        port = connection.target_port if connection.target_port is not None else _CLIENT_PORT
        self.session.receive(connection.tester_port, segment, port, self.now, self.now)
        return True

    def _reply_due(self, connection: Connection) -> bool:
        form = connection.oracle.due()[0].forms[0]
        return self.deliver(connection, self._of_form(connection, form))

    def _of_form(self, connection: Connection, form: Form) -> Segment:
        seq = initial_sequence_number(connection) if form.seq is None else form.seq
        options = usual_options(connection, form.ctl)
        return Segment(seq, form.ack or 0, form.ctl, window(connection), options=options)

    def _respond(self, stream: Stream, connection: Connection) -> bool:
        """Send a short response in one segment, or the FIN."""
        tcb = connection.oracle.tcb
        data = b"HTTP/1.1 %d -\r\nContent-Length: 0\r\n\r\n" % (stream.status or 200)
        if not stream.eof and tcb.usable_window < len(data):
            return False
        ctl, data = (FIN | ACK, b"") if stream.eof else (ACK, data)
        segment = Segment(tcb.snd_nxt, tcb.rcv_nxt, ctl, window(connection), data=data)
        return self.deliver(connection, segment)

    def _stream(self, connection: Connection) -> bool:
        tcb = connection.oracle.tcb
        size = min(tcb.snd_mss, tcb.unsent, max(tcb.usable_window, 0))
        if size <= 0:
            return False
        data = tcb.octets(tcb.snd_nxt, size)
        options = usual_options(connection, ACK)
        segment = Segment(tcb.snd_nxt, tcb.rcv_nxt, ACK, window(connection), data=data, options=options)
        return self.deliver(connection, segment)

    # -- expect -------------------------------------------------------------------------
    def _expected(self, step: Step, connection: Connection, alternatives: tuple[Alternative, ...]) -> bool:
        oracle = connection.oracle
        chosen: Segment | None = None
        for alternative in alternatives:
            try:
                segment = described(self.session, connection, alternative.pattern)
            except expression.UnboundName as error:
                self.found = Diagnosis(
                    "unknown-name", f"{error} has no value here", alternative.text.span(), "bind it before"
                )
                return True
            judged = oracle.would_explain(segment)
            if isinstance(judged, Violation):
                if not step.despite:
                    self.found = self._impossible(connection, alternative, segment, judged)
                    return True
                continue
            chosen = chosen or segment
        if chosen is None:
            # The step departs on purpose: the target does what the RFC has it do.
            form = oracle.expected()
            if form is None:
                return False
            chosen = self._of_form(connection, form)
        return self.deliver(connection, chosen, step.after or 0.0)

    def _impossible(
        self, connection: Connection, alternative: Alternative, segment: Segment, wrong: Violation
    ) -> Diagnosis:
        pattern, oracle = alternative.pattern, connection.oracle
        field = pattern.get(wrong.field)
        correct = oracle.correct(segment.ctl, len(segment.data))
        form = oracle.expected()
        span = alternative.text.span()
        label = "nothing is due from the target here"
        if form is not None:
            right = self._of_form(connection, form)
            label = f"the target would send {show_segment(right, self.session.names)}"
        if field is not None:
            span = alternative.text.span(field.start + 1, field.end - 1)
            for item in match(Pattern((field,)), segment, correct, self.session.names).mismatches:
                if item.name != wrong.field:
                    continue
                label = f"it would be {item.came}"
            right_number = {"SEQ": correct.seq, "ACK": correct.ack}.get(wrong.field)
            if right_number is not None and wrong.field in ("SEQ", "ACK"):
                label = f"the RFC has {wrong.field}={self.session.names.show(right_number)} here"
        return Diagnosis(
            "impossible-segment",
            f"the RFC does not let the target send this: {wrong.message}",
            span,
            label,
            (),
            wrong.citation,
        )

    def _may_be_silent(self, step: Step, connection: Connection) -> None:
        oracle = connection.oracle
        due = oracle.due()
        if step.despite or not due:
            return
        right = self._of_form(connection, due[0].forms[0])
        label = f"{show_segment(right, self.session.names)} is due"
        message = "the RFC does not let the target be silent here"
        self.found = Diagnosis("impossible-silence", message, step.text.span(), label, (), due[0].citation)

    # -- the agent ----------------------------------------------------------------------
    def answer(self, ask: Ask) -> Reply:
        """Answer as an agent would whose user gets what the case says."""
        ok: dict[str, object] = {}
        match ask.op:
            case "listen" | "connect" if self._fails():
                return self._called(ask)
            case "listen":
                ok = {"handle": 1, "port": _TARGET_PORT}
            case "connect":
                self.handles += 1
                port = ask.arguments.get("from_port") or _CLIENT_PORT
                ok = {"handle": self.handles, "port": port}
            case "accept":
                return self._accept(ask)
            case "state":
                ok = {"state": str(self._state(ask))}
            case "urgent":
                ok = {"urgent": self._urgent_mode()}
            case "send" | "receive" | "close" | "set_option":
                return self._called(ask)
        return Reply(ask.id, ok, time=self.now)

    def _urgent_mode(self) -> bool:
        step = self.session.step
        return step is not None and self.session.connections[step.connection].oracle.tcb.urgent_mode

    def _fails(self) -> bool:
        call = self.session.step.action if self.session.step else None
        return isinstance(call, UserCall) and call.error is not None

    def _accept(self, ask: Ask) -> Reply:
        waiting = [item for item in self.session.connections.values() if item.handle is None]
        early = {State.LISTEN, State.SYN_RECEIVED, State.CLOSED}
        waiting = [item for item in waiting if not item.oracle.states() <= early]
        if not waiting:
            return Reply(ask.id, {}, "ETIMEDOUT", self.now)
        self.handles += 1
        peer = [self.session.endpoints.tester, waiting[0].tester_port]
        return Reply(ask.id, {"handle": self.handles, "peer": peer}, time=self.now)

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
        step = self.session.step
        assert step is not None
        assert isinstance(step.action, UserCall)
        return self.session.connections[step.connection], step.action

    # -- the verdict --------------------------------------------------------------------
    def _verdict(self) -> list[Diagnosis]:
        session, result = self.session, self.session.result
        if self.found:
            return [self.found]
        assert result is not None
        if result.verdict is Verdict.PASS:
            return []
        step = session.step
        if step is not None and step.despite:
            return []
        diagnosis = result.diagnosis
        if diagnosis is None:
            span = step.text.span() if step else self.case.span
            return [Diagnosis("impossible-case", result.reason, span)]
        if diagnosis.code == "wrong-state" and step is not None:
            return [self._impossible_state(step, diagnosis)]
        codes = {"silence": "impossible-silence", "unexplained-segment": "impossible-segment"}
        return [replace(diagnosis, code=codes.get(diagnosis.code, f"impossible-{diagnosis.code}"))]

    def _impossible_state(self, step: Step, diagnosis: Diagnosis) -> Diagnosis:
        session = self.session
        connection = session.connections[step.connection]
        earlier = [item for item in session.trace if item.step != session.step_index]
        before = earlier[-1].inferred if earlier else str(session.case.start)
        wanted = " or ".join(map(str, step.state))
        would = " or ".join(sorted(map(str, connection.oracle.states())))
        what = str(step.action) if isinstance(step.action, UserCall) else "this step"
        clauses = [item.clause for item in session.trace if item.clause]
        clause = "RFC 9293 3.10"
        if isinstance(step.action, UserCall):
            clause = _CALL_CLAUSES.get(step.action.name.value, clause)
        elif clauses:
            clause = clauses[-1]
        return replace(
            diagnosis,
            code="impossible-state",
            message=f"{what} cannot lead from {before} to {wanted}",
            label=f"the target would be in {would}",
            notes=(),
            clause=clause,
        )


_CALL_CLAUSES = {
    "OPEN": "RFC 9293 3.10.1",
    "SEND": "RFC 9293 3.10.2",
    "RECEIVE": "RFC 9293 3.10.3",
    "CLOSE": "RFC 9293 3.10.4",
    "ABORT": "RFC 9293 3.10.5",
}
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
