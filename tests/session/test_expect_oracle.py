"""`expect: oracle` in every state and role: the reference does what the oracle says, whatever comes."""

import pytest

from conformance.model.segment import Control, Segment
from conformance.model.state import Role, State
from conformance.model.verdict import Verdict
from conformance.run.options import RunOptions
from conformance.run.suite import Suite
from conformance.session.preamble import reachable
from conformance.session.rehearsal import rehearse
from tests.run.test_engine import Watch
from tests.session.target import Target, case

SEGMENTS = {
    "RST exact": "<CTL=RST>",
    "RST beyond": "<SEQ=x+1000000000><CTL=RST>",
    "SYN in the window": "<SEQ=x+50><CTL=SYN>",
    "SYN beyond": "<SEQ=x+1000000000><CTL=SYN>",
    "SYN,ACK": "<SEQ=x+50><ACK=7><CTL=SYN,ACK>",
    "nothing set": "<CTL=none>",
    "FIN alone": "<CTL=FIN>",
    "FIN": "<CTL=FIN,ACK>",
    "data": '<CTL=ACK><DATA="data">',
    "data beyond": '<SEQ=x+1000000000><CTL=ACK><DATA="data">',
    "old data": '<SEQ=x-50><CTL=ACK><DATA="data">',
    "ACK": "<CTL=ACK>",
    "bad checksum": "<CTL=RST><CKSUM=bad>",
}
PLACES = [(role, state) for role in Role for state in reachable(role)]


@pytest.mark.parametrize(("role", "state"), PLACES, ids=str)
def test_the_rfc_says_what_comes(role: Role, state: State) -> None:
    # Before OPEN an active opener has no socket to send to.
    opened = role is Role.SERVER or state is not State.CLOSED
    texts = [
        f"title: {name}\ntarget: {role}\nfrom: {state}\nsteps:\n  - send: '{text}'\n  - expect: oracle\n"
        for name, text in SEGMENTS.items()
        if opened
    ]
    assert departures(*texts) == []


def departures(*texts: str) -> list[tuple[str, str]]:
    """Return the titles of the cases that the reference does not pass, and why."""
    cases = [case(text) for text in texts]
    for number, one in enumerate(cases):
        object.__setattr__(one, "id", f"test/{number}")
        assert rehearse(one) == []
    with Suite(RunOptions(target="reference", ip=(4,))) as suite:
        results = suite.run(cases, Watch())
    return [(result.case.title, result.reason) for result in results if result.verdict is not Verdict.PASS]


def test_what_a_timer_has_sent_is_no_answer() -> None:
    case_with_a_retransmission = """
        title: An answer that may be throttled comes, after the SYN,ACK was sent again
        from: SYN-RECEIVED
        steps:
          - send: <SEQ=x-99><CTL=SYN>
          - expect: oracle
          - wait: 2s
          - send: <SEQ=x-99><CTL=SYN>
          - expect: oracle
          - send: <SEQ=x+1><CTL=RST>
          - expect: oracle
    """
    assert departures(case_with_a_retransmission) == []


def test_a_syn_that_is_challenged_does_not_move_the_pattern() -> None:
    case_with_a_stray_syn = """
        title: Data after a SYN in the window is that of the stream
        from: ESTABLISHED
        steps:
          - send: <SEQ=x+50><CTL=SYN>
          - expect: oracle
          - send: <SEQ=x+1><CTL=ACK><DATA=5>
          - expect: oracle
          - call: RECEIVE 5
    """
    assert departures(case_with_a_stray_syn) == []


def test_what_only_the_second_choice_of_the_rfc_sends_is_an_answer() -> None:
    crossed = case(
        """
        title: The SYN,ACK again, and an ACK for it
        from: SYN-RECEIVED
        steps:
          - send: <SEQ=x><ACK=y+1><CTL=SYN,ACK>
          - expect: oracle
        """
    )
    target = Target(crossed)
    connection = target.brought_to(1)
    tcb = connection.oracle.tcb
    assert connection.oracle.expected() is None
    target.reads(Segment(tcb.snd_nxt, tcb.rcv_nxt, Control.ACK), came=target.now, read=target.now)
    assert target.result_of_the_rest().verdict is Verdict.PASS
