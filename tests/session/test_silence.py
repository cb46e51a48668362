"""`expect: nothing`: what is an answer to the step before, and what came before that."""

from dataclasses import replace

import pytest

from conformance.model.flow import Reply
from conformance.model.segment import Control, Segment
from conformance.model.verdict import Verdict
from conformance.session.actions import Ask
from tests.session.target import Target, case

CALLED = """
title: Data is held back
from: ESTABLISHED
steps:
  - call:   SEND "hello"
"""
SILENCE = "  - {expect: nothing, within: 100ms}\n"


def sending(between: str, took: float) -> Target:
    """Return a target that sends the data at once; the call returns `took` seconds later."""
    target = Target(case(CALLED + between + SILENCE))
    answer = target.answer

    def data_first(ask: Ask) -> Reply:
        reply = answer(ask)
        if ask.op == "send":
            tcb = target.session.connections[1].oracle.tcb
            data = Segment(tcb.snd_nxt, tcb.rcv_nxt, Control.ACK, 64240, data=b"hello")
            target.reads(data, target.now, target.now)
            target.now += took
        return replace(reply, time=target.now)

    target.answer = data_first  # type: ignore[method-assign]
    return target


@pytest.mark.parametrize("took", [0.0, 0.05])
def test_what_a_call_has_the_target_send_counts_though_it_comes_before_the_call_returns(took: float) -> None:
    result = sending("", took).result()
    assert (result.verdict, result.reason) == (
        Verdict.FAIL,
        "the target sent a segment where it must be silent",
    )


@pytest.mark.parametrize("took", [0.0, 0.05])
@pytest.mark.parametrize(
    "between",
    [
        "  - send:   <SEQ=x+1><ACK=y+6><CTL=ACK>\n",
        '  - expect: <SEQ=y+1><DATA="hello">\n',
        "  - wait:   10ms\n",
    ],
)
def test_what_came_before_the_last_step_is_no_answer_to_it(between: str, took: float) -> None:
    """Where time stands still it came at the same moment, and before it all the same."""
    assert sending(between, took).result().verdict is Verdict.PASS


LATE = """
title: What comes half a second after a call
from: ESTABLISHED
steps:
  - call:   SEND "hello"
  - {expect: '<SEQ=y+1><DATA="hello">', after: 500ms}
"""


@pytest.mark.parametrize(("sent", "verdict"), [(0.6, Verdict.PASS), (0.4, Verdict.FAIL)])
def test_too_early_is_counted_from_when_a_call_was_made(sent: float, verdict: Verdict) -> None:
    """Where the agent is slow the target has gone on meanwhile."""
    target = Target(case(LATE))
    answer = target.answer

    def slowly(ask: Ask) -> Reply:
        reply = answer(ask)
        if ask.op != "send":
            return reply
        tcb = target.session.connections[1].oracle.tcb
        data = Segment(tcb.snd_nxt, tcb.rcv_nxt, Control.ACK, 64240, data=b"hello")
        target.reads(data, target.now + sent, target.now + sent)
        return replace(reply, time=target.now)

    target.answer = slowly  # type: ignore[method-assign]
    assert target.result().verdict is verdict
