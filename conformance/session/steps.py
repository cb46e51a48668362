"""What each kind of step does.  A step is a generator that yields until when it waits."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.model import expression
from conformance.model.case import (
    FLIGHT,
    Expect,
    ExpectNothing,
    ExpectOracle,
    Return,
    Send,
    Step,
    Stream,
    UserCall,
    Wait,
)
from conformance.model.segment import Control, Segment
from conformance.model.state import NO_CONNECTION, State
from conformance.model.trace import Kind
from conformance.session import answers, diagnose
from conformance.session.actions import Connection, Received
from conformance.session.failure import Mistake
from conformance.session.http import NOT_UNDERSTOOD, response
from conformance.session.match import match

if TYPE_CHECKING:
    from conformance.session.session import Session

Task = Generator[float, None, None]

GRACE = 0.2
"""Seconds beyond its bound before an owed reply that no step names is missed."""
POLL = (0.005, 0.01, 0.02, 0.05, 0.1)
"""Seconds between the questions for the target's state, the last one repeated."""
FINAL_WITHIN = 1.0
LONG_WAIT = 1.0


def run(session: Session, step: Step) -> Task:
    """Run one step: its action, its name for the moment, its check, the state after it."""
    connection = session.connections[step.connection]
    yield from _act(session, connection, step)
    if step.at:
        session.names[step.at] = session.moment - session.began
    if step.check is not None:
        _check(session, connection, step)
    if step.state:
        yield from _state(session, connection, step)


def _act(session: Session, connection: Connection, step: Step) -> Task:
    match step.action:
        case Send():
            _send(session, connection, step.action)
        case Expect() if step.count is not None:
            yield from _expect_several(session, connection, step, step.action, step.count)
        case Expect():
            yield from _expect(session, connection, step, step.action)
        case ExpectNothing():
            yield from _expect_nothing(session, connection, step)
        case ExpectOracle():
            yield from _expect_oracle(session, connection, step)
        case UserCall():
            yield from session.user.call(session, connection, step, step.action)
        case Return():
            yield from session.user.returns(session, connection, step)
        case Wait():
            named = session.endpoints.twice_msl if step.action.twice_msl else 0.0
            yield from _wait(session, session.moment + named + step.action.seconds)
        case Stream():
            yield from _stream(session, connection, step, step.action)


def _send(session: Session, connection: Connection, action: Send) -> None:
    connection.stimulate(session.now, len(session.trace))
    session.moment = session.now
    if action.raw is not None:
        session.inject_raw(connection, action.raw)
        return
    try:
        segment = connection.peer.segment(action.pattern, session.now)
    except expression.UnboundName as error:
        raise Mistake(f"{error} has no value yet") from None
    session.inject(connection, segment)


# -- expect -----------------------------------------------------------------------------
def _expect(session: Session, connection: Connection, step: Step, action: Expect) -> Task:
    until = session.moment + step.patience
    looked_at = 0
    while True:
        found = _take(session, connection, action, until, looked_at)
        if found is not None:
            _not_early(session, step, found)
            session.moment, connection.mark = found.time, found.record + 1
            return
        looked_at = len(connection.queue)
        if session.now >= until:
            raise diagnose.unmatched(session, connection, step, action)
        yield until


def _expect_several(
    session: Session, connection: Connection, step: Step, action: Expect, count: tuple[int, int]
) -> Task:
    """Count what matches until the time is up."""
    until = session.moment + step.patience
    seen = 0
    while True:
        while _take(session, connection, action, until, 0) is not None:
            seen += 1
        if seen > count[1] or (session.now >= until and seen < count[0]):
            raise diagnose.miscounted(session, step, seen, count)
        if session.now >= until:
            session.moment = until
            return
        yield from _until(session, until)


def _take(
    session: Session, connection: Connection, action: Expect, until: float, start: int
) -> Received | None:
    """Take the first segment up to `until` that matches; what came before it and only acked goes.

    Those before `start` are known not to match.
    """
    for index in range(start, len(connection.queue)):
        received = connection.queue[index]
        if received.time > until:
            break
        for alternative in action.alternatives:
            compared = match(alternative.pattern, received.segment, received.correct, session.names)
            if compared:
                for name, value in compared.bindings.items():
                    _bind(session, name, value, alternative.pattern.get("SEQ"))
                passed = [item for item in connection.queue[:index] if item.lasting]
                connection.queue = passed + connection.queue[index + 1 :]
                _gained(connection, received.segment)
                session.belongs(received)
                return received
    return None


def _bind(session: Session, name: str, value: int | bytes, sequence: object) -> None:
    """Give a name its value; one of SEQ is a base against which others are shown."""
    if isinstance(value, bytes):
        session.names.cookies[name] = value
    elif sequence is not None and name in str(sequence):
        session.names.bind_base(name, value)
    else:
        session.names[name] = value


def _not_early(session: Session, step: Step, received: Received) -> None:
    """A call may have started what is timed long before it returned."""
    if step.after is not None and received.time < session.since + step.after:
        raise diagnose.too_early(session, step, received.time - session.since)


def _expect_nothing(session: Session, connection: Connection, step: Step) -> Task:
    """Silence: no answer.  What the target's own timers send again is none."""
    until = session.moment + step.patience
    since = max(connection.stimulus, session.since)
    while True:
        for received in connection.answers():
            # What came after the time was up is none of this step's, however late we look.
            if since <= received.time < until and not received.timed:
                raise diagnose.not_silent(session, connection, step, received)
        if session.now >= until:
            session.moment = until
            return
        yield from _until(session, until)


def _expect_oracle(session: Session, connection: Connection, step: Step) -> Task:
    """What the RFC requires: wait for it where it requires something, else be content with silence."""
    until = session.moment + step.patience
    if connection.oracle.silent and not _answered(connection):
        yield from _expect_nothing(session, connection, step)
        return
    while not _answered(connection) or connection.oracle.due():
        if session.now >= until:
            break
        yield until
    missed = connection.oracle.owed_in_all(math.inf)
    if missed:
        raise diagnose.owed(session, connection, missed, step)
    session.moment = connection.queue[-1].time if _answered(connection) else until
    connection.queue.clear()


def _answered(connection: Connection) -> bool:
    """Whether something has come since the last stimulus that is none of the target's own timers' doing."""
    return any(not item.timed for item in connection.answers())


# -- wait, stream, check ----------------------------------------------------------------
def _until(session: Session, until: float) -> Task:
    """Wait for an event or `until`; a reply that is owed on any connection may not be missed."""
    moments = [until]
    for connection in session.connections.values():
        missed = connection.oracle.owed_in_all(session.now - GRACE)
        if missed:
            raise diagnose.owed(session, connection, missed, session.step)
        moments += [item.due + GRACE + 0.001 for item in connection.oracle.due()]
    yield min(moment for moment in moments if moment > session.now or moment == until)


def _wait(session: Session, until: float) -> Task:
    began = session.now
    while session.now < until:
        yield from _until(session, until)
    session.lateness.note(until, session.now)
    session.moment = until
    if until - began >= LONG_WAIT:
        for connection in session.connections.values():
            connection.oracle.time_passed()


def _stream(session: Session, connection: Connection, step: Step, action: Stream) -> Task:
    """Acknowledge everything in sequence until the octets have come."""
    wanted = len(action.data) if action.data is not None else action.count or 0
    until = session.moment + step.patience
    got = b""
    whole = _Whole(connection, action)
    while True:
        fresh = [item for item in connection.queue if item.lasting]
        for received in fresh:
            got += _gained(connection, received.segment)
            session.moment = received.time
        if fresh:
            connection.queue.clear()
            session.inject(connection, connection.peer.acknowledgment(session.now))
            # Not from when they came: that may be long ago, and without an ACK nothing more comes.
            until = session.now + step.patience
        if whole.is_there(session, step) if whole else len(got) >= wanted:
            break
        if session.now >= until:
            raise diagnose.stream_stopped(session, step, len(got), wanted)
        yield until
    if action.data is not None and got != action.data:
        raise diagnose.stream_differs(session, step, got, action.data)


@dataclass(slots=True)
class _Whole:
    """What a stream waits for that is not so many octets: a response, or the end."""

    connection: Connection
    action: Stream

    def __bool__(self) -> bool:
        return self.action.response or self.action.eof

    def is_there(self, session: Session, step: Step) -> bool:
        """Tell whether it has come; a response is taken away, that of another status is a departure."""
        taken, ended = self.connection.taken, self.connection.ended
        if self.action.eof:
            return ended
        try:
            found = response(bytes(taken), ended, self.action.head)
        except ValueError as error:
            raise diagnose.no_response(session, step, str(error), bytes(taken)) from None
        if found is None:
            return False
        status = self.action.status
        if found.status in NOT_UNDERSTOOD if status is None else found.status != status:
            raise diagnose.no_response(session, step, f"its status is {found.status}", bytes(taken))
        del taken[: found.length]
        return True


def _gained(connection: Connection, segment: Segment) -> bytes:
    """Return what a segment adds to the octets received in sequence, and count it."""
    first = connection.oracle.tcb.iss or 0
    offset = (segment.seq + segment.has(Control.SYN) - first - 1) % (1 << 32)
    skip = connection.received_octets - offset
    if skip < 0 or skip >= 1 << 31:
        return b""
    gained = segment.data[skip:]
    connection.received_octets += len(gained)
    connection.taken += gained
    connection.ended = connection.ended or segment.has(Control.FIN)
    return gained


def _check(session: Session, connection: Connection, step: Step) -> None:
    assert step.check is not None
    names = {**session.names, FLIGHT: float(connection.oracle.tcb.in_flight)}
    try:
        holds = expression.evaluate(step.check, names)
    except expression.UnboundName as error:
        raise Mistake(f"{error} has no value in this check") from None
    except ZeroDivisionError:
        raise Mistake("this check divides by zero") from None
    if not holds:
        raise diagnose.check_failed(session, step, names)


# -- state ------------------------------------------------------------------------------
def _state(session: Session, connection: Connection, step: Step) -> Task:
    """The target must come to one of the states named, as it says itself or as follows."""
    until = session.now + step.patience
    wanted = _same(session, connection, step.state)
    pauses = list(POLL)
    while True:
        seen = yield from observe(session, connection)
        states = connection.oracle.states() if seen is None else frozenset({seen})
        if states & wanted:
            connection.oracle.observe_state(states & wanted)
            _note_state(session, connection, states & wanted, seen is not None)
            return
        if session.now >= until:
            raise diagnose.wrong_state(session, connection, step, states, seen is not None)
        yield from _pause(session, pauses, until)


def _pause(session: Session, pauses: list[float], until: float) -> Task:
    """Wait before the next question, each time longer, at most to `until`."""
    resume = min(session.now + (pauses.pop(0) if len(pauses) > 1 else pauses[0]), until)
    while session.now < resume:
        yield resume


def _same(session: Session, connection: Connection, states: tuple[State, ...]) -> frozenset[State]:
    """No connection shows as the listener behind it: LISTEN and CLOSED are one where there is one."""
    wanted = frozenset(states)
    if wanted & NO_CONNECTION and connection.oracle.tcb.passive:
        return wanted | NO_CONNECTION
    return wanted


def observe(session: Session, connection: Connection) -> Generator[float, None, State | None]:
    """Ask the target for the state of the connection; None where it cannot be asked."""
    if not session.observes:
        return None
    ends = session.endpoints
    if connection.target_port is None:
        return State.CLOSED
    local, remote = [connection.local, connection.target_port], [ends.tester, connection.tester_port]
    reply = yield from session.requests.ask("state", {"local": local, "remote": remote})
    if reply.error:
        raise Mistake(f"the agent cannot tell the state: {reply.error}")
    session.observed = True
    return answers.state(reply)


def _note_state(session: Session, connection: Connection, states: frozenset[State], seen: bool) -> None:
    shown = " or ".join(sorted(map(str, states)))
    session.record(Kind.STATE, shown, connection=connection.index, why="observed" if seen else "inferred")


def last_replies(session: Session) -> Task:
    """What is owed when the steps are over is still to come."""
    while any(connection.oracle.owed_in_all(math.inf) for connection in session.connections.values()):
        yield from _until(session, math.inf)


def final_state(session: Session) -> Task:
    """After the last step the target's own state and the oracle's must agree."""
    if not session.observes:
        return
    for connection in session.connections.values():
        until = session.now + FINAL_WITHIN
        pauses = list(POLL)
        while True:
            seen = yield from observe(session, connection)
            if seen is None:
                return
            listening = connection.oracle.tcb.passive and seen in NO_CONNECTION
            if connection.oracle.observe_state(NO_CONNECTION if listening else {seen}):
                _note_state(session, connection, frozenset({seen}), True)
                break
            if session.now >= until:
                raise diagnose.states_differ(session, connection, seen)
            yield from _pause(session, pauses, until)
