"""Every case is rehearsed when it is loaded: run against a target that does what the case says.

The session and the oracle are the real ones.  The target answers each `expect` with the
very segment that the case describes, and the oracle says whether RFC 9293 lets it.  So a
case that contradicts the RFC is refused before anything is sent.
"""

from dataclasses import replace

from conformance.model import expression
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
from conformance.model.pattern import Pattern
from conformance.model.segment import Control, Segment
from conformance.model.trace import Diagnosis, show_segment
from conformance.model.verdict import Verdict
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.oracle.prediction import Form, Violation
from conformance.session.actions import Ask, Connection, Endpoints, Inject
from conformance.session.described import described, initial_sequence_number, usual_options, window
from conformance.session.match import match
from conformance.session.session import Session
from conformance.session.stand_in import CLIENT_PORT, TARGET_PORT, StandIn
from conformance.session.user import User

ACK, FIN, RST = Control.ACK, Control.FIN, Control.RST
INSTANT = 1e-4
"""Seconds of virtual time between an event and the next."""
_MAX_TURNS = 20000


def rehearse(case: Case, profile: Profile = DEFAULT_PROFILE) -> list[Diagnosis]:
    """Return where the case contradicts the RFCs (at most one place), or what it cannot say."""
    return Rehearsal(case, profile).run()


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


class _Untold(User):
    """A web server that answers what the case waits for: nobody tells of its calls."""

    known = False


class Rehearsal(StandIn):
    """A target that does what the case says, and answers promptly whatever else the RFC requires."""

    def __init__(self, case: Case, profile: Profile = DEFAULT_PROFILE) -> None:
        count = 1 + max([1, *(step.connection for step in case.steps)])
        ports = tuple(range(TARGET_PORT + 1, TARGET_PORT + 1 + count + 1))
        family = case.ip[0]
        addresses = ("192.0.2.1", "192.0.2.2") if family == 4 else ("2001:db8::1", "2001:db8::2")
        self.case = case
        ends = Endpoints(family, *addresses, ports, 9)
        user = _Untold() if case.needs.http else User()
        probes = frozenset({"state"})
        super().__init__(Session(_untimed(case), ends, "rehearsal", probes, profile=profile, user=user))
        self.answered: set[int] = set()
        self.counted: dict[int, int] = {}
        """How many segments a step that counts has been given."""
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
        if self._speaks(session.step):
            return
        self.now = max(self.now, session.deadline)
        session.wake(self.now)

    def _speaks(self, step: Step | None) -> bool:
        if step is not None:
            return self._speak(step, self.session.connections[step.connection])
        owing = [item for item in self.session.connections.values() if item.oracle.due()]
        return bool(owing) and self._reply_due(owing[0])

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
        port = connection.target_port if connection.target_port is not None else CLIENT_PORT
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
