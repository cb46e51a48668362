"""Cases written in place, and a target for them that does right, or wrong in one chosen way."""

from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

from conformance.language.loader import load_text
from conformance.model.case import Case
from conformance.model.flow import Reply
from conformance.model.segment import Segment
from conformance.model.trace import Result
from conformance.session.actions import Ask, Connection, Inject
from conformance.session.rehearsal import Rehearsal

Alter = Callable[[Segment], Segment | None]


def case(text: str) -> Case:
    """Return the only variant of a case file."""
    cases, errors = load_text(dedent(text).encode(), "case.yaml", "test/case")
    assert not errors, errors
    return cases[0]


class Target(Rehearsal):
    """Plays a case; `alter` changes each segment of the target, or swallows it."""

    def __init__(
        self, case: Case, alter: Alter = lambda segment: segment, *, state: str = "", dead: bool = False
    ):
        super().__init__(case)
        self.alter, self.state, self.dead = alter, state, dead

    def deliver(self, connection: Connection, segment: Segment, delay: float = 0.0) -> bool:
        altered = None if self.dead else self.alter(segment)
        return altered is not None and super().deliver(connection, altered, delay)

    def injected(self, action: Inject) -> None:
        if not self.dead:
            super().injected(action)

    def answer(self, ask: Ask) -> Reply:
        reply = super().answer(ask)
        if self.state and ask.op == "state" and self.session.step_index != -1:
            return replace(reply, ok={"state": self.state})
        return reply

    def brought_to(self, step: int) -> Connection:
        """Start, and go on to this step; return the connection."""
        self.session.start(self.now)
        while self.session.step_index != step:
            self._turn()
        return self.session.connections[1]

    def reads(self, segment: Segment, came: float, read: float) -> None:
        """Have the tester read at one moment a segment that came at another."""
        port = self.session.connections[1].tester_port
        self.now = max(self.now, read)
        self.session.receive(port, segment, 40000, came, read)

    def result_of_the_rest(self) -> Result:
        """Go on from wherever the session has been brought by hand."""
        while self.session.result is None:
            self._turn()
        return self.session.result

    def result(self) -> Result:
        self.play()
        assert self.session.result is not None
        return self.session.result


def marked(case: Case, result: Result) -> str:
    """Return the text under the caret of a failure."""
    assert result.diagnosis is not None
    span = result.diagnosis.span
    assert span is not None
    return case.source.splitlines()[span.line - 1][span.column - 1 : span.end - 1]
