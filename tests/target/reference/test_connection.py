"""The reference's connection, in virtual time: what the oracle leaves to an implementation."""

import base64

import pytest

from conformance.model.segment import Control
from tests.target.reference.host import Host


def test_syn_ack_is_sent_again_with_backoff() -> None:
    host = Host().send("<SEQ=100><CTL=SYN>").wait(16)
    assert [line.split()[0] for line in host.came()] == ["0", "1000", "3000", "7000", "15000"]


def test_open_is_given_up_after_three_minutes() -> None:
    host = Host().send("<SEQ=100><CTL=SYN>").wait(170)
    assert host.state() == "SYN-RECEIVED"
    assert host.wait(70).state() == "LISTEN"


def test_data_is_cut_to_the_mss_and_the_window() -> None:
    host = Host()
    handle = host.open("<OPT=MSS 500>")
    host.send("<SEQ=101><ACK=301><CTL=ACK><WND=1200>").give(handle, bytes(3000))
    assert [len(made.data) for made in host.segments()] == [500, 500]


def test_nagle_keeps_a_short_segment_until_the_ack() -> None:
    host = Host()
    handle = host.open()
    host.give(handle, b"a").give(handle, b"b").give(handle, b"c")
    assert [made.data for made in host.segments()] == [b"a"]
    assert [made.data for made in host.send("<SEQ=101><ACK=302><CTL=ACK>").segments()] == [b"bc"]


def test_nagle_off() -> None:
    host = Host()
    handle = host.open()
    host.ask("set_option", handle=handle, name="nodelay", value=1)
    host.give(handle, b"a").give(handle, b"b")
    assert [made.data for made in host.segments()] == [b"a", b"b"]


def test_small_window_is_used_after_the_override_timeout() -> None:
    host = Host()
    handle = host.open("<OPT=MSS 500>")
    host.send("<SEQ=101><ACK=301><CTL=ACK><WND=0>").give(handle, bytes(2000))
    host.send("<SEQ=101><ACK=301><CTL=ACK><WND=10>")
    assert host.wait(0.4).segments() == []
    assert [len(made.data) for made in host.wait(0.2).segments()] == [10]


def test_closed_window_is_probed_as_long_as_it_is_answered() -> None:
    host = Host()
    handle = host.open()
    host.send("<SEQ=101><ACK=301><CTL=ACK><WND=0>").give(handle, b"hello")
    for _ in range(20):
        probes = host.wait(60).segments()
        assert {made.data for made in probes} <= {b"h"}
        host.send("<SEQ=101><ACK=301><CTL=ACK><WND=0>")
    assert host.state() == "ESTABLISHED"
    assert [made.data for made in host.send("<SEQ=101><ACK=301><CTL=ACK><WND=900>").segments()] == [b"hello"]


def test_unacknowledged_data_ends_in_the_user_timeout() -> None:
    host = Host()
    handle = host.open()
    host.give(handle, b"hello").wait(400)
    assert host.state() == "LISTEN"
    assert host.ask("receive", handle=handle, count=1).error == "ETIMEDOUT"


def test_single_segment_is_acknowledged_late_and_the_second_full_one_at_once() -> None:
    host = Host()
    host.open()
    host.send('<SEQ=101><ACK=301><CTL=ACK><DATA="hello">')
    assert host.came() == []
    assert host.wait(0.5).came() == ["200 <SEQ=301><ACK=106><CTL=ACK>"]


def test_data_in_any_order_is_delivered_in_sequence() -> None:
    host = Host()
    handle = host.open()
    for text in ('<SEQ=106><ACK=301><CTL=ACK><DATA="world">', '<SEQ=103><ACK=301><CTL=ACK><DATA="llowo">'):
        host.send(text)
    host.send('<SEQ=101><ACK=301><CTL=ACK><DATA="hel">')
    reply = host.ask("receive", handle=handle, count=10)
    assert base64.b64decode(str(reply.ok["data"])) == b"helloworld"


def test_duplicate_is_reported_once() -> None:
    host = Host()
    host.open("<OPT=SACK-PERMITTED>")
    host.send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">').wait(0.3).segments()
    again = host.send('<SEQ=101><ACK=301><CTL=ACK><DATA="ab">').segments()
    assert [list(made.sack_blocks()) for made in again] == [[(101, 103)]]
    later = host.send('<SEQ=103><ACK=301><CTL=ACK><DATA="cd">').wait(0.3).segments()
    assert [list(made.sack_blocks()) for made in later] == [[]]


def test_of_a_syn_that_comes_again_its_text_is_reported_and_not_the_syn() -> None:
    host = Host().send('<SEQ=100><CTL=SYN><OPT=SACK-PERMITTED><DATA="ab">')
    host.send('<SEQ=100><CTL=SYN><OPT=SACK-PERMITTED><DATA="ab">').segments()
    (ack,) = host.send("<SEQ=101><ACK=301><CTL=ACK>").wait(0.3).segments()
    assert list(ack.sack_blocks()) == [(101, 103)]


def test_window_closes_and_opens_by_a_segment_at_least() -> None:
    host = Host(tcp_rmem="4096 4096 4096")
    handle = host.open()
    host.send(f'<SEQ=101><ACK=301><CTL=ACK><DATA="{"x" * 4096}">')
    assert [made.wnd for made in host.segments()] == [0]
    host.ask("receive", handle=handle, count=1000)
    assert host.segments() == []
    host.ask("receive", handle=handle, count=1000)
    assert [made.wnd for made in host.segments()] == [2000]


def test_two_msl_is_four_minutes_and_a_fin_starts_it_anew() -> None:
    host = Host()
    handle = host.open()
    host.ask("close", handle=handle, how="write")
    host.send("<SEQ=101><ACK=302><CTL=FIN,ACK>").wait(200)
    assert host.send("<SEQ=101><ACK=302><CTL=FIN,ACK>").wait(200).state() == "TIME-WAIT"
    assert host.wait(50).state() == "LISTEN"


def test_keep_alive_only_where_asked() -> None:
    host = Host()
    handle = host.open()
    assert host.wait(20000).segments() == []
    host.ask("set_option", handle=handle, name="keepalive", value=1)
    host.ask("set_option", handle=handle, name="keepalive_idle", value=100)
    assert host.wait(100).came() != []
    assert host.wait(10 * 75).state() == "LISTEN"
    assert host.ask("receive", handle=handle, count=1).error == "ETIMEDOUT"


def test_third_duplicate_ack_retransmits_at_once() -> None:
    host = Host()
    handle = host.open("<OPT=MSS 500>")
    host.give(handle, bytes(3000)).segments()
    for _ in range(2):
        assert host.send("<SEQ=101><ACK=301><CTL=ACK>").segments() == []
    assert [len(made.data) for made in host.send("<SEQ=101><ACK=301><CTL=ACK>").segments()] == [500]


@pytest.mark.parametrize("how", ["abort", "half-duplex"])
def test_close_with_unread_data_resets(how: str) -> None:
    host = Host()
    handle = host.open()
    host.send('<SEQ=101><ACK=301><CTL=ACK><DATA="hello">').wait(0.3).segments()
    host.ask("close", handle=handle, how=how)
    assert [made.has(Control.RST) for made in host.segments()] == [True]
    assert host.state() == "LISTEN"
