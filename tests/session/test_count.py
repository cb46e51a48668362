"""A step that counts: the whole time passes, and what matches must be neither too few nor too many."""

import pytest

from conformance.model.segment import Control, Segment
from conformance.model.verdict import Verdict
from conformance.session.actions import Connection
from tests.session.target import Target, case, marked

CASE = """
    title: Segments of data are acknowledged once or twice
    from: ESTABLISHED
    steps:
      - send:   <SEQ=x+1><CTL=ACK><DATA=100>
      - send:   <SEQ=x+101><CTL=ACK><DATA=100>
      - send:   <SEQ=x+201><CTL=ACK><DATA=100>
      - send:   <SEQ=x+301><CTL=ACK><DATA=100>
      - send:   <SEQ=x+401><CTL=ACK><DATA=100>
      - expect: <ACK=*><CTL=ACK>
        count:  1..2
        within: 400ms
    """


class Repeating(Target):
    """Sends its ACK `times` times in the step that counts."""

    times = 1
    done = False
    dies = False
    """Whether nothing more of it comes after that."""

    def deliver(self, connection: Connection, segment: Segment, delay: float = 0.0) -> bool:
        if self.session.step is None or self.session.step.count is None:
            return super().deliver(connection, segment, delay)
        for _ in range(0 if self.done else self.times):
            super().deliver(connection, segment, delay)
        self.done = True
        self.dead = self.dies
        return bool(self.times)


def repeating(count: str, times: int) -> Repeating:
    target = Repeating(case(CASE.replace("1..2", count)))
    target.times = times
    return target


@pytest.mark.parametrize(("count", "times"), [("1..2", 1), ("1..2", 2), ("2", 2), ("0..1", 1), ("0", 0)])
def test_enough(count: str, times: int) -> None:
    result = repeating(count, times).result()
    assert result.verdict is Verdict.PASS, result.reason
    assert result.duration >= 0.4


@pytest.mark.parametrize(
    ("count", "times", "label"),
    [
        ("1..2", 0, "0 came"),
        ("2", 1, "1 came"),
        ("3..4", 2, "2 came"),
        ("1", 2, "2 came before the time was up"),
    ],
)
def test_too_few_or_too_many(count: str, times: int, label: str) -> None:
    target = repeating(count, times)
    result = target.result()
    assert result.verdict is Verdict.FAIL
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.diagnosis.label) == ("wrong-count", label)
    assert marked(target.case, result) == "<ACK=*><CTL=ACK>"


@pytest.mark.parametrize(
    ("count", "times", "verdict"),
    [("2", 1, Verdict.INCONCLUSIVE), ("3..4", 2, Verdict.INCONCLUSIVE), ("1", 2, Verdict.FAIL)],
)
def test_too_few_prove_nothing_of_a_target_that_has_died(count: str, times: int, verdict: Verdict) -> None:
    target = repeating(count, times)
    target.dies = True
    assert target.result().verdict is verdict


def test_a_segment_of_which_none_may_come_fails_the_case() -> None:
    target = Target(case(CASE.replace("1..2", "0")))
    tcb = target.brought_to(5).oracle.tcb
    target.reads(Segment(tcb.snd_nxt, tcb.rcv_nxt, Control.ACK, 64240), target.now, target.now)
    result = target.result_of_the_rest()
    assert (result.verdict, result.reason) == (Verdict.FAIL, "the target sent such a segment")
