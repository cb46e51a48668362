"""What the user has queued waits as long as the case lasts, and what an agent gives up is told."""

from dataclasses import replace

import pytest

from conformance.model.flow import Reply
from conformance.model.verdict import Verdict
from conformance.run.mutants import play
from conformance.run.options import RunOptions
from conformance.run.plan import plan
from conformance.session.actions import Ask
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.lab import ReferenceLab
from tests.session.target import Target, case

SEND = """
    title: More than the target takes at once
    from: ESTABLISHED
    steps:
      - call:   SEND 3000
        within: 2min
"""


@pytest.mark.parametrize("taken", [3000, 1000, 0])
def test_a_send_that_the_agent_gives_up_is_no_success_and_not_the_targets_failure(taken: int) -> None:
    target = Target(case(SEND))
    answer = target.answer

    def gives_up(ask: Ask) -> Reply:
        return replace(answer(ask), ok={"count": taken}) if ask.op == "send" else answer(ask)

    target.answer = gives_up  # type: ignore[method-assign]
    result = target.result()
    if taken == 3000:
        assert result.verdict is Verdict.PASS
    else:
        told = f"the agent gave up a SEND that had no time limit: {taken} of 3000 octets were taken"
        assert (result.verdict, result.reason) == (Verdict.ERROR, told)


def test_the_agent_is_given_no_time_limit_for_what_is_queued() -> None:
    calls = '  - call:   RECEIVE "hello"\n        queued: yes\n      - send:   <CTL=ACK><DATA="hello">\n'
    target = Target(case(SEND + f"    {calls}      - return: RECEIVE\n"))
    asked: dict[str, object] = {}
    answer = target.answer

    def heard(ask: Ask) -> Reply:
        asked[ask.op] = ask.arguments.get("timeout", "none")
        return answer(ask)

    target.answer = heard  # type: ignore[method-assign]
    assert target.result().verdict is Verdict.PASS
    assert (asked["send"], asked["receive"]) == (None, None)


def test_a_receive_that_is_outstanding_waits_as_long_as_the_case_does() -> None:
    patient = case("""
        title: Data after a long time
        from: ESTABLISHED
        needs: slow
        steps:
          - call:   RECEIVE "hello"
            queued: yes
          - wait:   10min
          - send:   <SEQ=x+1><ACK=y+1><CTL=ACK><DATA="hello">
          - return: RECEIVE
        """)
    planned, _ = plan([patient], ReferenceLab().facts, RunOptions(slow=True, ip=(4,)))
    assert play(planned[0], Endpoint).verdict is Verdict.PASS
