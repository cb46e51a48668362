"""What the oracle must refuse whatever a case says: each test is one way of being wrong."""

import math
from dataclasses import replace

import pytest

from conformance.model.case import CallName, UserCall
from conformance.model.segment import Control, Segment
from conformance.model.state import Role, State
from conformance.model.verdict import Level
from conformance.oracle.oracle import Oracle
from conformance.oracle.prediction import Explanation, Violation
from tests.oracle.exchange import Exchange, established, segment
from tests.oracle.test_arrives import closing


def test_syn_ack_one_too_many() -> None:
    Exchange().send("<SEQ=100><CTL=SYN>").wrong("<SEQ=300><ACK=102><CTL=SYN,ACK>", "ACK")


def test_syn_ack_again_with_another_iss() -> None:
    exchange = Exchange().send("<SEQ=100><CTL=SYN>").comes("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    exchange.wrong("<SEQ=301><ACK=101><CTL=SYN,ACK>", "SEQ")


def test_syn_ack_without_a_syn() -> None:
    Exchange().wrong("<SEQ=300><ACK=101><CTL=SYN,ACK>", "CTL")


@pytest.mark.parametrize("option", ["WS 7", "TS 1 0", "SACK-PERMITTED"])
def test_option_that_was_not_offered(option: str) -> None:
    Exchange().send("<SEQ=100><CTL=SYN>").wrong(f"<SEQ=300><ACK=101><CTL=SYN,ACK><OPT={option}>", "OPT")


def test_bad_checksum() -> None:
    Exchange().send("<SEQ=100><CTL=SYN>").wrong("<SEQ=300><ACK=101><CTL=SYN,ACK>", "CKSUM", checksum_ok=False)


def test_ack_of_what_was_not_sent() -> None:
    established().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">').wrong("<SEQ=301><ACK=104><CTL=ACK>", "ACK")


def test_ack_that_goes_back() -> None:
    exchange = (
        established().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">').comes("<SEQ=301><ACK=103><CTL=ACK>")
    )
    exchange.send('<SEQ=103><ACK=301><CTL=ACK><DATA="ab">').wrong("<SEQ=301><ACK=101><CTL=ACK>", "ACK")


def test_ack_out_of_the_blue() -> None:
    established().wrong("<SEQ=301><ACK=101><CTL=ACK>")


def test_reset_out_of_the_blue() -> None:
    established().wrong("<SEQ=301><CTL=RST>", "CTL")


def test_fin_without_close() -> None:
    established().wrong("<SEQ=301><ACK=101><CTL=FIN,ACK>", "CTL")


def test_second_fin_in_other_place() -> None:
    exchange = established().call(CallName.CLOSE).comes("<SEQ=301><ACK=101><CTL=FIN,ACK>")
    exchange.wrong("<SEQ=302><ACK=101><CTL=FIN,ACK>", "SEQ")


def test_reset_with_wrong_seq() -> None:
    established().call(CallName.ABORT).wrong("<SEQ=300><CTL=RST>", "SEQ")
    established().call(CallName.ABORT).wrong("<SEQ=300><ACK=101><CTL=RST,ACK>", "SEQ")
    closing(State.LAST_ACK).call(CallName.ABORT).wrong("<SEQ=301><CTL=RST>", "SEQ")


def test_a_reset_that_is_owed_is_met_before_one_that_may_come() -> None:
    """An ABORT in CLOSING may send a reset; what comes afterwards must draw one, which looks the same."""
    exchange = closing(State.CLOSING).call(CallName.ABORT).send("<SEQ=102><ACK=302><CTL=ACK>")
    exchange.comes("<SEQ=302><CTL=RST>")
    assert exchange.oracle.owed_in_all(99.0) is None
    exchange.comes("<SEQ=302><CTL=RST>")


def test_data_nobody_sent() -> None:
    established().wrong('<SEQ=301><ACK=101><CTL=ACK><DATA="x">', "DATA")


def test_retransmission_with_other_octets() -> None:
    exchange = established().call(CallName.SEND, b"hello").comes('<SEQ=301><ACK=101><CTL=ACK><DATA="hello">')
    exchange.wrong('<SEQ=301><ACK=101><CTL=ACK><DATA="jello">', "DATA")


def test_gap_in_what_is_sent() -> None:
    established().call(CallName.SEND, b"hello").wrong('<SEQ=302><ACK=101><CTL=ACK><DATA="ello">', "SEQ")


def test_data_beyond_the_window() -> None:
    exchange = Exchange().send("<SEQ=100><CTL=SYN><WND=3>").comes("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    exchange.send("<SEQ=101><ACK=301><CTL=ACK><WND=3>").call(CallName.SEND, b"hello")
    exchange.wrong('<SEQ=301><ACK=101><CTL=ACK><DATA="hello">', "DATA")


def test_probe_of_a_closed_window_is_one_octet() -> None:
    exchange = established().send("<SEQ=101><ACK=301><CTL=ACK><WND=0>").call(CallName.SEND, b"hello")
    # The window offered before was larger, and RFC 9293 MAY-7 lets old data go beyond a shrunk one.
    judged = exchange.judge('<SEQ=301><ACK=101><CTL=ACK><DATA="h">')
    assert isinstance(judged, Explanation)


def test_segment_larger_than_the_mss() -> None:
    big = b"a" * 600
    exchange = established().call(CallName.SEND, big)
    judged = exchange.oracle.observe(replace(segment("<SEQ=301><ACK=101><CTL=ACK>"), data=big), 0.0)
    assert isinstance(judged, Violation)
    assert judged.citation.endswith("MUST-16")


def test_window_that_shrinks_is_a_warning() -> None:
    exchange = Exchange().send("<SEQ=100><CTL=SYN>").comes("<SEQ=300><ACK=101><CTL=SYN,ACK><WND=1000>")
    exchange.send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">')
    judged = exchange.judge("<SEQ=301><ACK=103><CTL=ACK><WND=500>")
    assert isinstance(judged, Explanation)
    assert judged.warning is not None
    assert judged.warning.level is Level.SHOULD


def test_a_reply_that_never_comes_is_owed() -> None:
    exchange = established().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">')
    assert exchange.oracle.owed_in_all(0.4) is None
    missed = exchange.oracle.owed_in_all(0.6)
    assert missed is not None
    assert "MUST-40" in missed.citation


def test_an_ack_storm_is_found() -> None:
    exchange = established().send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">')
    exchange.comes("<SEQ=301><ACK=103><CTL=ACK>")
    answers = [exchange.judge("<SEQ=301><ACK=103><CTL=ACK>") for _ in range(3)]
    assert any(isinstance(answer, Violation) for answer in answers)


def test_what_left_before_our_segment_arrived_is_no_violation() -> None:
    oracle = Oracle(Role.SERVER, 4, listening=True, crossing=0.01)
    oracle.inject(segment("<SEQ=100><CTL=SYN>"), 0.0)
    oracle.observe(segment("<SEQ=300><ACK=101><CTL=SYN,ACK>"), 0.0)
    oracle.inject(segment("<SEQ=101><ACK=301><CTL=ACK>"), 0.1)
    oracle.inject(segment('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">'), 0.2)
    oracle.inject(segment("<SEQ=103><CTL=RST>"), 1.0)
    assert oracle.state is State.CLOSED
    assert isinstance(oracle.observe(segment("<SEQ=301><ACK=103><CTL=ACK>"), 1.005), Explanation)
    assert isinstance(oracle.observe(segment("<SEQ=301><ACK=103><CTL=ACK>"), 1.5), Violation)


def test_octet_into_a_window_that_has_closed_is_a_probe() -> None:
    exchange = established().send("<SEQ=101><ACK=301><CTL=ACK><WND=100>")
    exchange.send("<SEQ=101><ACK=301><CTL=ACK><WND=0>").call(CallName.SEND, b"hello")
    judged = exchange.judge('<SEQ=301><ACK=101><CTL=ACK><DATA="h">')
    assert isinstance(judged, Explanation)
    assert judged.kind == "probe"


def test_a_keep_alive_comes_only_while_the_user_wants_it() -> None:
    probe = "<SEQ=300><ACK=101><CTL=ACK>"
    exchange = established()
    exchange.wrong(probe, "SEQ")
    exchange.oracle.call(UserCall(CallName.OPTION, option=("keepalive", "1")), 0.0)
    exchange.comes(probe)
    exchange.oracle.call(UserCall(CallName.OPTION, option=("keepalive", "0")), 1.0)
    exchange.later(2.0).wrong(probe, "SEQ")


@pytest.mark.parametrize(("asked", "level"), [("1", None), ("0", Level.SHOULD)])
def test_an_octet_in_a_keep_alive_is_for_the_user_to_want(asked: str, level: Level | None) -> None:
    exchange = established()
    for option in (("keepalive", "1"), ("keepalive_octet", asked)):
        exchange.oracle.call(UserCall(CallName.OPTION, option=option), 0.0)
    judged = exchange.judge(r'<SEQ=300><ACK=101><CTL=ACK><DATA="\0">')
    assert isinstance(judged, Explanation)
    assert (judged.warning and judged.warning.level) == level
    exchange.wrong(r'<SEQ=299><ACK=101><CTL=ACK><DATA="\0">', "SEQ")


def test_no_keep_alive_while_data_is_outstanding() -> None:
    exchange = established().call(CallName.SEND, b"hi").comes('<SEQ=301><ACK=101><CTL=ACK><DATA="hi">')
    exchange.oracle.call(UserCall(CallName.OPTION, option=("keepalive", "1")), 0.0)
    assert "MUST-26" in exchange.wrong("<SEQ=302><ACK=101><CTL=ACK>", "SEQ").citation
    exchange.send("<SEQ=101><ACK=303><CTL=ACK>").comes("<SEQ=302><ACK=101><CTL=ACK>")


def test_after_the_user_timeout_there_is_no_connection() -> None:
    exchange = established().call(CallName.SEND, b"hi").comes('<SEQ=301><ACK=101><CTL=ACK><DATA="hi">')
    exchange.oracle.user_timed_out()
    exchange.state(State.CLOSED, State.LISTEN)
    exchange.wrong('<SEQ=301><ACK=101><CTL=ACK><DATA="hi">')


def test_no_ack_between_a_filled_gap_and_what_was_queued_behind_it() -> None:
    exchange = (
        established().send('<SEQ=103><ACK=301><CTL=ACK><DATA="cd">').comes("<SEQ=301><ACK=101><CTL=ACK>")
    )
    exchange.send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">').comes("<SEQ=301><ACK=103><CTL=ACK>")
    assert "MUST-59" in exchange.wrong("<SEQ=301><ACK=105><CTL=ACK>", "ACK").citation
    # Unless it had not kept what was behind, and now has it again.
    exchange.send('<SEQ=103><ACK=301><CTL=ACK><DATA="cd">').comes("<SEQ=301><ACK=105><CTL=ACK>")


@pytest.mark.parametrize(
    "held", ['<SEQ=103><ACK=301><CTL=ACK><DATA="cd">', "<SEQ=103><ACK=301><CTL=FIN,ACK>"]
)
@pytest.mark.parametrize(("ack", "owes"), [(102, True), (103, False)])
def test_what_waited_behind_a_gap_need_not_have_been_kept(held: str, ack: int, owes: bool) -> None:
    exchange = established().send(held).comes("<SEQ=301><ACK=101><CTL=ACK>")
    exchange.send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">')
    assert exchange.oracle.owed_in_all(math.inf)
    exchange.comes(f"<SEQ=301><ACK={ack}><CTL=ACK>")
    assert bool(exchange.oracle.owed_in_all(math.inf)) == owes


def urgent(octets: int) -> Exchange:
    exchange = established()
    exchange.oracle.call(UserCall(CallName.SEND, count=octets, urgent=True), 0.0, bytes(octets))
    return exchange


@pytest.mark.parametrize("pointer", [0, 3, 5, 65535])
def test_an_urgent_pointer_points_to_the_octet_after_urgent_data(pointer: int) -> None:
    data = bytes(4)
    segment = Segment(301, 101, Control.ACK | Control.URG, urp=pointer, data=data)
    judged = urgent(4).oracle.observe(segment, 0.0)
    assert isinstance(judged, Violation)
    assert (judged.field, judged.citation) == ("URP", "RFC 9293 3.8.5 MUST-62")
    right = urgent(4).oracle.observe(replace(segment, urp=4), 0.0)
    assert isinstance(right, Explanation)


def test_no_urgent_data_no_urgent_pointer() -> None:
    exchange = urgent(4)
    exchange.oracle.observe(Segment(301, 101, Control.ACK | Control.URG, urp=4, data=bytes(4)), 0.0)
    exchange.oracle.call(UserCall(CallName.SEND, count=1), 0.0, b"x")
    judged = exchange.oracle.observe(Segment(305, 101, Control.ACK | Control.URG, urp=0, data=b"x"), 0.0)
    assert isinstance(judged, Violation)
    assert judged.field == "CTL"


def test_an_urgent_pointer_too_far_away_is_the_largest() -> None:
    segment = Segment(301, 101, Control.ACK | Control.URG, urp=65535, data=bytes(536))
    assert isinstance(urgent(70000).oracle.observe(segment, 0.0), Explanation)
