"""`expect: oracle` in every state and role: the reference does what the oracle says, whatever comes."""

import pytest

from conformance.model.state import Role, State
from conformance.model.verdict import Verdict
from conformance.run.options import RunOptions
from conformance.run.suite import Suite
from conformance.session.preamble import reachable
from conformance.session.rehearsal import rehearse
from tests.run.test_engine import Watch
from tests.session.target import case

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
    cases = [
        case(
            f"title: {name}\ntarget: {role}\nfrom: {state}\nsteps:\n  - send: '{text}'\n  - expect: oracle\n"
        )
        for name, text in SEGMENTS.items()
        if opened
    ]
    for number, one in enumerate(cases):
        object.__setattr__(one, "id", f"test/{number}")
        assert rehearse(one) == []
    with Suite(RunOptions(target="reference", ip=(4,))) as suite:
        results = suite.run(cases, Watch())
    assert [
        (result.case.title, result.reason) for result in results if result.verdict is not Verdict.PASS
    ] == []
