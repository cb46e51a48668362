"""Where the oracle lets the target set an ECT codepoint, and where not: RFC 3168 6.1."""

import pytest

from conformance.model.case import CallName
from conformance.model.verdict import Level
from conformance.oracle.prediction import Explanation
from tests.oracle.exchange import Exchange, established

SETUP = "<SEQ=100><CTL=SYN,ECE,CWR>"
HELLO = '<SEQ=301><ACK=101><CTL=ACK><DATA="hello">'
ECT = [1, 2, 3]


def negotiated() -> Exchange:
    exchange = Exchange().send(SETUP).comes("<SEQ=300><ACK=101><CTL=SYN,ECE,ACK>")
    return exchange.send("<SEQ=101><ACK=301><CTL=ACK>").call(CallName.SEND, b"hello world")


@pytest.mark.parametrize("tos", ECT)
def test_ect_on_new_data_only_if_negotiated(tos: int) -> None:
    negotiated().comes(HELLO, tos=tos)
    established().call(CallName.SEND, b"hello").wrong(HELLO, "TOS", tos=tos)


@pytest.mark.parametrize("bits", ["SYN", "SYN,ECE", "SYN,CWR"])
def test_no_ecn_setup_syn_ack_without_an_ecn_setup_syn(bits: str) -> None:
    Exchange().send(f"<SEQ=100><CTL={bits}>").wrong("<SEQ=300><ACK=101><CTL=SYN,ECE,ACK>", "CTL")


@pytest.mark.parametrize("answer", ["SYN,ACK", "SYN,ECE,CWR,ACK", "SYN,CWR,ACK"])
def test_no_ect_after_any_other_syn_ack(answer: str) -> None:
    exchange = Exchange().send(SETUP).comes(f"<SEQ=300><ACK=101><CTL={answer}>")
    exchange.send("<SEQ=101><ACK=301><CTL=ACK>").call(CallName.SEND, b"hello").wrong(HELLO, "TOS", tos=2)


def test_no_ect_on_a_syn() -> None:
    Exchange().send(SETUP).wrong("<SEQ=300><ACK=101><CTL=SYN,ECE,ACK>", "TOS", tos=2)


def test_no_ect_on_a_pure_ack_or_a_reset() -> None:
    exchange = negotiated().send('<SEQ=101><ACK=301><CTL=ACK><DATA="hi">')
    assert "6.1.4" in exchange.wrong("<SEQ=301><ACK=103><CTL=ACK>", "TOS", tos=2).citation
    exchange.call(CallName.ABORT).wrong("<SEQ=301><CTL=RST>", "TOS", tos=2)


def test_no_ect_on_a_retransmission() -> None:
    exchange = negotiated().comes(HELLO, tos=2)
    assert "6.1.5" in exchange.wrong(HELLO, "TOS", tos=2).citation
    exchange.comes(HELLO)


def test_no_ect_on_a_probe() -> None:
    exchange = negotiated().send("<SEQ=101><ACK=301><CTL=ACK><WND=0>").later(1.0)
    probe = '<SEQ=301><ACK=101><CTL=ACK><DATA="h">'
    assert "6.1.6" in exchange.wrong(probe, "TOS", tos=2).citation
    exchange.comes(probe)


def test_ect_after_a_plain_syn_is_only_advised_against() -> None:
    exchange = Exchange().send(SETUP).comes("<SEQ=300><ACK=101><CTL=SYN,ECE,ACK>").send("<SEQ=100><CTL=SYN>")
    exchange.send("<SEQ=101><ACK=301><CTL=ACK>").call(CallName.SEND, b"hello")
    judged = exchange.judge(HELLO, tos=2)
    assert isinstance(judged, Explanation)
    assert judged.warning is not None
    assert judged.warning.level is Level.SHOULD


def test_the_rest_of_the_octet_is_not_ecn() -> None:
    established().call(CallName.SEND, b"hello").comes(HELLO, tos=0xB8)
