"""Timestamps (RFC 7323) and SACK (RFC 2018, 2883): what was negotiated is judged in every segment."""

import pytest

from conformance.model.case import CallName
from conformance.model.state import State
from tests.oracle.exchange import Exchange


def negotiated() -> Exchange:
    """A passive connection with timestamps and SACK; TS.Recent is 10."""
    exchange = Exchange().send("<SEQ=100><CTL=SYN><OPT=TS 9 0,SACK-PERMITTED>")
    exchange.comes("<SEQ=300><ACK=101><CTL=SYN,ACK><OPT=TS 70 9,SACK-PERMITTED>")
    return exchange.send("<SEQ=101><ACK=301><CTL=ACK><OPT=TS 10 70>").state(State.ESTABLISHED)


def test_timestamps_in_every_segment() -> None:
    exchange = negotiated().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab"><OPT=TS 11 70>')
    exchange.wrong("<SEQ=301><ACK=103><CTL=ACK>", "OPT")
    exchange.comes("<SEQ=301><ACK=103><CTL=ACK><OPT=TS 71 11>")


def test_echo_of_what_was_never_received() -> None:
    exchange = negotiated().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab"><OPT=TS 11 70>')
    exchange.wrong("<SEQ=301><ACK=103><CTL=ACK><OPT=TS 71 12>", "OPT")


def test_paws_acknowledges_and_drops() -> None:
    exchange = negotiated().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab"><OPT=TS 8 70>')
    exchange.comes("<SEQ=301><ACK=101><CTL=ACK><OPT=TS 71 10>")
    assert exchange.oracle.tcb.rcv_nxt == 101


def test_a_reset_is_exempt_from_paws() -> None:
    negotiated().send("<SEQ=101><CTL=RST><OPT=TS 8 0>").state(State.CLOSED, State.LISTEN)


def test_a_segment_without_its_timestamp_may_be_dropped_or_taken() -> None:
    exchange = negotiated().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">')
    assert exchange.oracle.due() == []
    exchange.comes("<SEQ=301><ACK=103><CTL=ACK><OPT=TS 71 10>")


@pytest.mark.parametrize(
    ("after", "right"), [("EOL,0x00 00", True), ("EOL,0x00 5A", False), ("EOL,EOL", True)]
)
def test_what_follows_the_end_of_the_options_is_zero(after: str, right: bool) -> None:
    exchange = Exchange().send("<SEQ=100><CTL=SYN>")
    answer = f"<SEQ=300><ACK=101><CTL=SYN,ACK><OPT=MSS 1460,NOP,{after}>"
    if right:
        exchange.comes(answer)
    else:
        assert "MUST-69" in exchange.wrong(answer, "OPT").citation


@pytest.mark.parametrize("block", ["101 104", "104 108", "105 104", "200 300"])
def test_a_sack_block_of_what_was_not_received(block: str) -> None:
    exchange = negotiated().send('<SEQ=104><ACK=301><CTL=ACK><DATA="def"><OPT=TS 11 70>')
    exchange.wrong(f"<SEQ=301><ACK=101><CTL=ACK><OPT=TS 71 10,SACK {block}>", "OPT")


def test_sack_blocks_of_what_waits_and_of_what_came_twice() -> None:
    exchange = negotiated().send('<SEQ=104><ACK=301><CTL=ACK><DATA="def"><OPT=TS 11 70>')
    exchange.comes("<SEQ=301><ACK=101><CTL=ACK><OPT=TS 71 10,SACK 104 107>")
    exchange.send('<SEQ=101><ACK=301><CTL=ACK><DATA="abc"><OPT=TS 12 70>')
    exchange.comes("<SEQ=301><ACK=107><CTL=ACK><OPT=TS 71 12>")
    exchange.send('<SEQ=101><ACK=301><CTL=ACK><DATA="abc"><OPT=TS 13 70>')
    exchange.comes("<SEQ=301><ACK=107><CTL=ACK><OPT=TS 72 12,SACK 101 104>")


@pytest.mark.parametrize(("edge", "right"), [(107, True), (108, True), (109, False)])
def test_a_sack_block_may_take_in_a_fin_that_waits(edge: int, right: bool) -> None:
    exchange = negotiated().send('<SEQ=104><ACK=301><CTL=FIN,ACK><DATA="def"><OPT=TS 11 70>')
    answer = f"<SEQ=301><ACK=101><CTL=ACK><OPT=TS 71 10,SACK 104 {edge}>"
    if right:
        exchange.comes(answer)
    else:
        exchange.wrong(answer, "OPT")


def _in_time_wait() -> Exchange:
    exchange = negotiated().call(CallName.CLOSE)
    exchange.comes("<SEQ=301><ACK=101><CTL=FIN,ACK><OPT=TS 71 10>")
    exchange.send("<SEQ=101><ACK=302><CTL=FIN,ACK><OPT=TS 11 71>")
    return exchange.comes("<SEQ=302><ACK=102><CTL=ACK><OPT=TS 72 11>").state(State.TIME_WAIT)


@pytest.mark.parametrize("syn", ["<SEQ=50><CTL=SYN><OPT=TS 12 0>", "<SEQ=1000><CTL=SYN><OPT=TS 11 0>"])
def test_a_newer_timestamp_or_sequence_number_may_reopen_from_time_wait(syn: str) -> None:
    exchange = _in_time_wait().send(syn)
    assert State.SYN_RECEIVED in exchange.oracle.states()
    assert State.TIME_WAIT in exchange.oracle.states()


@pytest.mark.parametrize("syn", ["<SEQ=50><CTL=SYN><OPT=TS 11 0>", "<SEQ=50><CTL=SYN>"])
def test_neither_newer_reopens_nothing(syn: str) -> None:
    assert State.SYN_RECEIVED not in _in_time_wait().send(syn).oracle.states()
