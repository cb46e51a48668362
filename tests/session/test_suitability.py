"""Which cases a service is asked, whose user tells nothing."""

import pytest

from conformance.model.service import Service, ServiceKind
from conformance.session.suitability import AGENT, unserved
from tests.session.target import case

SENT = """
title: Five octets, and five more
from: ESTABLISHED
steps:
  - {send: '<SEQ=x+3><ACK=y+1><CTL=ACK><DATA="llo">'}
  - {expect: oracle}
  - {send: '<SEQ=x+1><ACK=y+1><CTL=ACK><DATA=%s>'}
  - {expect: '<ACK=x+6><CTL=ACK>'}
"""


@pytest.mark.parametrize(
    ("again", "why"),
    [('"hello"', ""), ('"heLLO"', AGENT + "which octets its user gets cannot be observed")],
)
def test_no_service_tells_which_octets_its_user_gets(again: str, why: str) -> None:
    assert unserved(case(SENT % again), Service(ServiceKind.HTTP, 80)) == why


@pytest.mark.parametrize(("option", "runs"), [("", False), ("<OPT=SACK>", True)])
def test_how_many_acks_come_is_up_to_a_user_that_reads(option: str, runs: bool) -> None:
    counting = case(SENT % '"hello"' + f"  - {{expect: '<ACK=*><CTL=ACK>{option}', count: 0..1}}\n")
    assert (unserved(counting, Service(ServiceKind.HTTP, 80)) == "") == runs
