"""One case being run, sans-IO: events go in, actions come out, time is an argument.

The steps themselves are in `steps`; here is what surrounds them: the connections, the
oracle that judges every segment whatever step it meets, the trace and the verdict.
"""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from random import Random

from conformance.model.case import Case, Step
from conformance.model.flow import Flow, Reply
from conformance.model.segment import Control, Segment
from conformance.model.trace import Diagnosis, Kind, Names, Record, Result, show_segment
from conformance.model.verdict import Evidence, Verdict
from conformance.oracle.grid import cell_of
from conformance.oracle.latitude import DEFAULT_PROFILE, Profile
from conformance.oracle.prediction import Violation
from conformance.session import diagnose, layout, raw, steps, strays
from conformance.session.actions import Action, Connection, Endpoints, Inject, Received
from conformance.session.failure import Departure, Inconclusive, Mistake
from conformance.session.lateness import Lateness
from conformance.session.liveness import Liveness
from conformance.session.preamble import preamble
from conformance.session.requests import Requests
from conformance.session.user import User

Task = Generator[float, None, None]
"""Yields the time until which it waits; goes on at any event, or then."""

MOST_RECORDS = 20000
"""No case needs as many segments; a target that sends more must not cost the others their memory."""


class Session:
    """Runs one case against one target over one IP version."""

    def __init__(
        self,
        case: Case,
        endpoints: Endpoints,
        seed: str,
        probes: frozenset[str],
        crossing: float = 0.0,
        profile: Profile = DEFAULT_PROFILE,
        user: User | None = None,
    ) -> None:
        """`seed` fixes ISNs and payload; `probes` are what the agent can tell of the target.

        `user` is who makes the user's calls at the target, if it is another than the steps have it.
        """
        self.case = case
        self.endpoints = endpoints
        self.result: Result | None = None
        self.now = self.began = 0.0
        self._moment = self.since = 0.0
        self.step: Step | None = None
        self.step_index: int | None = -1
        self.script: Iterable[Step] | None = None
        """Steps in place of those of the case; each is asked for when the one before it is done."""
        self.observes = "state" in probes
        self.observed = False
        self.user = user or User()
        self.names = Names()
        self.trace: list[Record] = []
        self.warnings: list[Diagnosis] = []
        self.requests = Requests(self)
        self.lateness = Lateness()
        self.listener: int | None = None
        self.listening_port = endpoints.closed_port
        self.after_step: Callable[[], None] = lambda: None
        """Called when a step of the case (not of the preamble) is done."""
        self.random = Random(seed)
        self._actions: list[Action] = []
        self._wakes = 0.0
        self._violation: Departure | None = None
        self._departing = False
        self._liveness = Liveness(self)
        self.key = self.random.randrange(251)
        self.connections = layout.connections(self, crossing, profile)
        self._task: Task | None = None

    @property
    def moment(self) -> float:
        """The moment of the step before.  Its answers come from `since` on: a call's before it returns."""
        return self._moment

    @moment.setter
    def moment(self, moment: float) -> None:
        self._moment = self.since = moment

    # -- events in, actions out ---------------------------------------------------------
    def start(self, now: float) -> None:
        """Begin; afterwards feed events until `result` is set."""
        self.now = self.began = self.moment = self._wakes = now
        self._task = self._main()
        self._go_on()

    def receive(
        self,
        port: int,
        segment: Segment,
        target_port: int,
        time: float,
        now: float,
        to: str = "",
        source: str = "",
    ) -> None:
        """A segment came to the tester's `port`, at its own address or at `to`; `time` is when.

        It came from the `source` address, that of the connection if it is empty.
        """
        if self.result:
            return
        self.now = now
        if port == self._liveness.port:
            self._liveness.heard(segment, target_port)
        else:
            connection = next(c for c in self.connections.values() if c.tester_port == port)
            if self.user.left_over(connection, target_port):
                return
            self.lateness.note(time, now)
            connection.local = connection.local or source
            if source not in ("", connection.local):
                self._blame(strays.judge_source(self, connection, segment, time, source))
            elif to in ("", self.endpoints.tester):
                self._judge(connection, segment, target_port, time)
            else:
                self._blame(strays.judge(self, connection, segment, time, to))
        # From the deadline on `wake` goes on, when all that came before has been fed.
        if now < self._wakes:
            self._go_on()
        if len(self.trace) > MOST_RECORDS and not self.result:
            reason = f"the target sent so much that the tester gave up after {MOST_RECORDS} segments"
            self._end(Verdict.INCONCLUSIVE, reason)

    def reply(self, reply: Reply, now: float) -> None:
        """The agent answered."""
        self.now = now
        self.requests.replies[reply.id] = reply
        self._go_on()

    def wake(self, now: float) -> None:
        """`deadline` has come, and every event before it has been fed."""
        self.now = now
        self._go_on()

    def lost(self, reason: str, now: float, verdict: Verdict = Verdict.ERROR) -> None:
        """The target or its agent is gone."""
        if not self.result:
            self.now = now
            self._end(verdict, reason)

    def crashed(self, reason: str, now: float) -> None:
        """The target's stack has ended by its own doing while it ran this case alone."""
        if not self.result:
            self.now = now
            diagnosis = diagnose.crashed(self, reason)
            self._end(Verdict.FAIL, diagnosis.message, diagnosis)

    @property
    def deadline(self) -> float:
        """When to wake the session if nothing happens."""
        return self._wakes

    def act(self, action: Action) -> None:
        """Ask something of the outside, without a word in the trace."""
        self._actions.append(action)

    def take_actions(self) -> list[Action]:
        """Return, once, what is to be done."""
        actions, self._actions = self._actions, []
        return actions

    # -- judging ------------------------------------------------------------------------
    def _judge(self, connection: Connection, segment: Segment, target_port: int, time: float) -> None:
        if connection.target_port is None or segment.has(Control.SYN):
            connection.target_port = target_port
        oracle = connection.oracle
        before = oracle.tcb
        correct = oracle.correct(segment.ctl, len(segment.data))
        judged = oracle.observe(segment, time)
        if oracle.tcb.iss not in (None, before.iss):
            self._name_incarnation(connection)
        connection.peer.heard(segment)
        wrong = isinstance(judged, Violation)
        why = judged.message if isinstance(judged, Violation) else judged.kind
        self.record(
            Kind.RECEIVED,
            segment,
            connection=connection.index,
            why=why,
            clause=judged.citation,
            wrong=wrong,
            time=time,
        )
        self.user.notice(connection, before, segment, judged)
        if isinstance(judged, Violation):
            self._blame(diagnose.violation(self, connection, segment, judged, correct))
            return
        if judged.warning:
            warned = diagnose.violation(self, connection, segment, judged.warning, correct)
            self.warnings.append(warned)
        connection.queue.append(Received(segment, time, correct, judged, len(self.trace) - 1))

    def _blame(self, diagnosis: Diagnosis | None) -> None:
        """Let the case fail, unless it is failing already."""
        if diagnosis is not None and not self._departing:
            self._violation = self._violation or Departure(diagnosis)

    def _name_incarnation(self, connection: Connection) -> None:
        """The target has shown its ISS: it is y, or y2 for a second connection or incarnation."""
        connection.incarnation += 1
        connection.received_octets, connection.ended = 0, False
        connection.taken.clear()
        name, iss = connection.iss_name, connection.oracle.tcb.iss
        if name not in self.names and iss is not None:
            self.names.bind_base(name, iss)

    # -- what the steps use -------------------------------------------------------------
    def inject(self, connection: Connection, segment: Segment) -> None:
        """Send a segment, and let the oracle see it arrive."""
        self._send(connection, segment, None)

    def inject_raw(self, connection: Connection, octets: bytes) -> None:
        """Send octets as they are, and let the oracle see the segment that they are."""
        flow = self.flow(connection)
        octets = raw.complete(octets, flow)
        self._send(connection, raw.parse(octets, flow), octets)

    def flow(self, connection: Connection) -> Flow:
        """Return the sockets of a connection.  Raises Mistake where the target's is not known yet."""
        if connection.target_port is None:
            raise Mistake("nothing can be sent before the target has opened the connection")
        ends = self.endpoints
        return Flow((ends.tester, connection.tester_port), (connection.local, connection.target_port))

    def _send(self, connection: Connection, segment: Segment, octets: bytes | None) -> None:
        self._actions.append(Inject(self.flow(connection), segment, octets))
        # What is no segment of this connection is in no cell of its grid.
        proper = not (segment.envelope.error or segment.envelope.stray)
        cell = str(cell_of(connection.oracle.tcb, segment)) if proper else ""
        clause = connection.oracle.inject(segment, self.now)
        self.record(
            Kind.SENT,
            segment,
            connection=connection.index,
            clause=clause,
            cell=cell,
        )

    def listens_on(self, port: int) -> None:
        """The target's user waits for all connections of the case on this port."""
        self.listening_port = port
        for connection in self.connections.values():
            connection.target_port = port

    def record(
        self,
        kind: Kind,
        what: str | Segment,
        *,
        connection: int = 1,
        why: str = "",
        clause: str = "",
        wrong: bool = False,
        time: float | None = None,
        cell: str = "",
    ) -> None:
        """Add to the trace what happened now, or at `time`."""
        segment = what if isinstance(what, Segment) else None
        oracle = self.connections[connection].oracle
        self.trace.append(
            Record(
                time=(self.now if time is None else time) - self.began,
                kind=kind,
                step=self.step_index,
                shown=what if isinstance(what, str) else show_segment(what, self.names),
                segment=segment,
                connection=connection,
                why=why,
                clause=clause,
                inferred=str(oracle.state),
                wrong=wrong,
                cell=cell,
            )
        )

    def belongs(self, received: Received) -> None:
        """A segment that came earlier is the one that the step at hand waited for."""
        record = self.trace[received.record]
        self.trace[received.record] = replace(record, step=self.step_index)

    # -- the course of a case -----------------------------------------------------------
    def _go_on(self) -> None:
        if self._task is None or self.result:
            return
        # Whatever the session waited for: from its deadline on we kept the target waiting.
        self.lateness.note(self._wakes, self.now)
        try:
            if self._violation is not None:
                departure, self._violation = self._violation, None
                self._wakes = self._task.throw(departure)
            else:
                self._wakes = next(self._task)
        except StopIteration:
            pass

    def _main(self) -> Task:
        try:
            yield from self._guarded()
        except Departure as departure:
            # Between the steps, so that no handler nearer to them has caught it.
            self._end(Verdict.FAIL, departure.diagnosis.message, departure.diagnosis)

    def _guarded(self) -> Task:
        try:
            yield from self._setup()
            business = self.user.business(self)
            for until in self._course():
                yield min(until, next(business, math.inf))
        except Departure as departure:
            yield from self._depart(departure)
            return
        except Inconclusive as error:
            self._end(Verdict.INCONCLUSIVE, str(error))
            return
        except Mistake as error:
            self._end(Verdict.ERROR, str(error))
            return
        if (yield from self._liveness.probe()):
            self._end(Verdict.PASS, "")
        else:
            self._end(Verdict.INCONCLUSIVE, "the target does not answer any more after the last step")

    def _course(self) -> Task:
        for index, step in enumerate(self.case.steps if self.script is None else self.script):
            self.step_index, self.step = index, step
            yield from steps.run(self, step)
            self.after_step()
        self.step_index, self.step = None, None
        yield from steps.last_replies(self)
        yield from steps.final_state(self)

    def _setup(self) -> Task:
        yield from self.user.listen(self)
        self.moment = self.now
        for step in preamble(self.case.role, self.case.start, self.user.served):
            self.step = step
            try:
                yield from steps.run(self, step)
            except Departure as departure:
                reason = f"the target could not be brought to {self.case.start}: {departure}"
                raise Inconclusive(reason) from None
        yield from self.user.settle(self)
        self.after_step()

    def _depart(self, departure: Departure) -> Task:
        self._departing = True
        if self.user.surprise:
            reason = f"the target {self.user.surprise}: {departure}"
            self._end(Verdict.INCONCLUSIVE, reason, departure.diagnosis)
            return
        if departure.silence and not (yield from self._liveness.probe()):
            self._end(
                Verdict.INCONCLUSIVE,
                "the target does not answer, and a liveness probe right after it is not answered either",
                departure.diagnosis,
            )
            return
        self._end(Verdict.FAIL, departure.diagnosis.message, departure.diagnosis)

    def _end(self, verdict: Verdict, reason: str, diagnosis: Diagnosis | None = None) -> None:
        port = self.connections[1].target_port
        self.result = Result(
            case=self.case,
            ip=self.endpoints.family,
            verdict=verdict,
            reason=reason,
            evidence=Evidence.OBSERVED if self.observed else Evidence.INFERRED,
            started=self.began,
            duration=self.now - self.began,
            trace=tuple(self.trace),
            names=self.names,
            diagnosis=diagnosis,
            warnings=tuple(self.warnings),
            level=self.case.level,
            lateness=self.lateness.total,
            ports=(*self.endpoints.tester_ports[1:], self.listening_port if port is None else port),
        )
        self.user.leave(self)
