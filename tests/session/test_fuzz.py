"""Whatever a target or its agent sends: a verdict, no exception, and memory that has a bound."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.case import Case
from conformance.model.flow import Reply
from conformance.model.segment import Control, Segment
from conformance.model.trace import Result
from conformance.model.verdict import Verdict
from conformance.session.actions import Ask
from conformance.session.session import MOST_RECORDS
from tests.session.target import Target, case

CASES = {
    "passive": """
        title: Data both ways, then the close
        steps:
          - send:   <SEQ=x><CTL=SYN>
          - expect: <SEQ=y><ACK=x+1><CTL=SYN,ACK>
          - send:   <SEQ=x+1><ACK=y+1><CTL=ACK>
            state:  ESTABLISHED
          - call:   SEND "hello"
          - expect: <SEQ=y+1><ACK=x+1><DATA="hello">
          - send:   <SEQ=x+1><ACK=y+6><CTL=ACK><DATA="hello">
          - call:   RECEIVE "hello"
          - expect: <SEQ=y+6><ACK=x+6><CTL=ACK>
          - send:   <SEQ=x+6><ACK=y+6><CTL=FIN,ACK>
          - expect: <SEQ=y+6><ACK=x+7><CTL=ACK>
          - expect: nothing
    """,
    "active": """
        title: A stream with options, then a reset
        target: client
        from:   ESTABLISHED
        with:   {mss: 536, timestamps: on, sack: on, window-scale: 7}
        steps:
          - call:   SEND 5000
          - stream: 5000
          - send:   <SEQ=x+1><CTL=RST>
            state:  CLOSED
    """,
}
NUMBERS = st.one_of(st.integers(0, (1 << 32) - 1), st.integers(-3, 3).map(lambda offset: offset % (1 << 32)))
SEGMENTS = st.builds(
    Segment,
    seq=NUMBERS,
    ack=NUMBERS,
    ctl=st.integers(0, 255).map(Control),
    wnd=st.integers(0, 65535),
    urp=st.integers(0, 65535),
    data=st.binary(max_size=40),
    options=st.binary(max_size=40),
    checksum_ok=st.booleans(),
    doff=st.one_of(st.none(), st.integers(0, 15)),
    rsv=st.integers(0, 15),
    ttl=st.integers(0, 255),
    tos=st.integers(0, 255),
    defect=st.sampled_from(["", "", "truncated TCP header: 3 octets"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
REPLIES = st.dictionaries(
    st.sampled_from(["handle", "port", "peer", "data", "eof", "state", "count", "other"]), VALUES, max_size=5
)


def play(what: Case, garbage: st.DataObject, near: bool) -> Result:
    """Run a case in which some of the target's segments are other ones, near the right ones or not."""

    def alter(segment: Segment) -> Segment:
        if not garbage.draw(st.booleans()):
            return segment
        other = garbage.draw(SEGMENTS)
        if near:
            seq, ack = (segment.seq + other.seq) % (1 << 32), (segment.ack + other.ack) % (1 << 32)
            return replace(other, seq=seq, ack=ack)
        return other

    return Target(what, alter).result()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("near", [True, False])
@given(garbage=st.data())
def test_whatever_the_target_sends_there_is_a_verdict_on_it(
    name: str, near: bool, garbage: st.DataObject
) -> None:
    result = play(case(CASES[name]), garbage, near)
    assert result.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert (result.diagnosis is not None) or result.verdict is not Verdict.FAIL


class Babbling(Target):
    """Its agent answers one of the requests, the `wrong`th, with anything."""

    def __init__(self, what: Case, wrong: int, ok: Mapping[str, object]) -> None:
        super().__init__(what)
        self.wrong, self.ok = wrong, ok

    def answer(self, ask: Ask) -> Reply:
        self.wrong -= 1
        reply = super().answer(ask)
        return reply if self.wrong else replace(reply, ok=self.ok)


@pytest.mark.parametrize("name", CASES)
@given(wrong=st.integers(1, 12), ok=REPLIES)
def test_whatever_the_agent_says_it_is_no_exception(name: str, wrong: int, ok: dict[str, object]) -> None:
    result = Babbling(case(CASES[name]), wrong, ok).result()
    assert result.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR)


@pytest.mark.parametrize(
    ("ok", "told"),
    [
        ({}, "the agent's reply is wrong: handle must be a number; it says {}"),
        ({"handle": 1}, "port must be a number"),
    ],
)
def test_a_wrong_reply_is_the_agents_fault_and_says_so(ok: dict[str, object], told: str) -> None:
    result = Babbling(case(CASES["passive"]), 1, ok).result()
    assert result.verdict is Verdict.ERROR
    assert told in result.reason


STORM = """
    title: Data is sent, and not acknowledged for a while
    from: ESTABLISHED
    steps:
      - call:   SEND "hello"
      - expect: <SEQ=y+1><ACK=x+1><CTL=FIN,ACK>
        within: 10s
"""


def storm(segment: Segment) -> tuple[Result, int]:
    """Have the target send 100,000 such segments; return the result and how many records were kept."""
    target = Target(case(STORM))
    session = target.session
    connection = target.brought_to(1)
    tcb = connection.oracle.tcb
    shifted = replace(segment, seq=tcb.snd_nxt + segment.seq, ack=tcb.rcv_nxt + segment.ack)
    for number in range(100_000):
        now = session.began + number * 1e-5
        session.receive(connection.tester_port, shifted, 40000, now, now)
    assert session.result is not None
    return session.result, len(session.trace)


def test_a_storm_of_what_the_rfc_allows_ends_with_the_testers_patience() -> None:
    result, kept = storm(Segment(0, 0, Control.ACK, data=b"hello"))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "gave up after 20000 segments" in result.reason
    assert kept == MOST_RECORDS + 1


def test_a_storm_of_what_it_does_not_allow_fails_at_once() -> None:
    result, kept = storm(Segment(0, 1, Control.ACK))
    assert result.verdict is Verdict.FAIL
    assert kept < 20
