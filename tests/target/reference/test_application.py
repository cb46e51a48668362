"""The reference's user speaks the agent's language (docs/agent.md)."""

import base64

import pytest

from conformance.model.segment import COOKIE_LENGTHS, OPTION_FAST_OPEN, Control, Segment
from conformance.target.reference.lab import on_the_wire
from tests.target.reference.host import PEER_PORT, Host


def test_unknown_operation() -> None:
    assert Host().ask("dance").error == "ENOSYS"


@pytest.mark.parametrize("op", ["accept", "send", "receive", "close", "set_option"])
def test_unknown_handle(op: str) -> None:
    assert Host().ask(op, handle=99, count=1, size=1, name="nodelay", value=1).error == "EBADF"


def test_missing_argument() -> None:
    reply = Host().ask("listen")
    assert reply.error == "EINVAL"
    assert "family" in str(reply.ok["detail"])


def test_accept_waits_for_an_established_connection() -> None:
    host = Host().send("<SEQ=100><CTL=SYN>")
    assert host.ask("accept", handle=host.listener, timeout=0.5).error == "ETIMEDOUT"
    host.send("<SEQ=101><ACK=301><CTL=ACK>")
    assert host.ask("accept", handle=host.listener).ok["peer"] == ["192.0.2.1", PEER_PORT]


def test_receive_gives_what_has_come_when_time_runs_out() -> None:
    host = Host()
    handle = host.open()
    host.send('<SEQ=101><ACK=301><CTL=ACK><DATA="hello">')
    assert host.ask("receive", handle=handle, count=9, timeout=0.1).ok == {"data": "aGVsbG8=", "eof": False}
    assert host.ask("receive", handle=handle, count=9, timeout=0.1).error == "ETIMEDOUT"


def test_data_comes_before_the_end_and_before_the_reset() -> None:
    host = Host()
    handle = host.open()
    host.send('<SEQ=101><ACK=301><CTL=FIN,ACK><DATA="hi">')
    assert host.ask("receive", handle=handle, count=9).ok == {"data": "aGk=", "eof": True}
    assert host.ask("receive", handle=handle, count=9).ok == {"data": "", "eof": True}
    host.send("<SEQ=104><CTL=RST>")
    assert host.ask("receive", handle=handle, count=9).error == "ECONNRESET"


def test_urgent_mode_is_told_and_over_when_all_has_been_received() -> None:
    host = Host()
    handle = host.open()
    assert host.ask("urgent", handle=handle, timeout=0.1).ok == {"urgent": False}
    host.send('<SEQ=101><ACK=301><CTL=URG,ACK><URP=2><DATA="hello">')
    assert host.ask("urgent", handle=handle).ok == {"urgent": True}
    host.ask("receive", handle=handle, count=2)
    assert host.ask("urgent", handle=handle, timeout=0).ok == {"urgent": False}


def apart() -> tuple[Host, object]:
    """Return a connection whose user has the last octet of urgent data out of band: c of abcde."""
    host = Host()
    handle = host.open()
    assert not host.ask("set_option", handle=handle, name="oob_inline", value="off").error
    host.send('<SEQ=101><ACK=301><CTL=URG,ACK><URP=3><DATA="abcde">')
    return host, handle


def data(octets: bytes, *, eof: bool = False) -> dict[str, object]:
    return {"data": base64.b64encode(octets).decode(), "eof": eof}


def test_the_last_urgent_octet_is_taken_out_of_band() -> None:
    host, handle = apart()
    assert host.ask("receive", handle=handle, count=1).ok == data(b"a")
    assert host.ask("receive_urgent", handle=handle).ok == data(b"c")
    assert host.ask("urgent", handle=handle, timeout=0).ok == {"urgent": False}
    assert host.ask("receive_urgent", handle=handle, timeout=0.1).error == "ETIMEDOUT"
    assert host.ask("receive", handle=handle, count=3, peek=True).ok == data(b"bde")
    assert host.ask("receive", handle=handle, count=3).ok == data(b"bde")


def test_an_urgent_octet_that_nobody_takes_is_passed_over() -> None:
    host, handle = apart()
    assert host.ask("receive", handle=handle, count=3, peek=True).ok == data(b"abd")
    assert host.ask("receive", handle=handle, count=2).ok == data(b"ab")
    assert host.ask("urgent", handle=handle, timeout=0).ok == {"urgent": True}
    assert host.ask("receive", handle=handle, count=2).ok == data(b"de")
    assert host.ask("urgent", handle=handle, timeout=0).ok == {"urgent": False}
    assert host.ask("receive_urgent", handle=handle, timeout=0.1).error == "ETIMEDOUT"


def test_the_older_urgent_octet_goes_back_into_the_stream_unless_it_was_taken() -> None:
    host, handle = apart()
    host.send('<SEQ=106><ACK=301><CTL=URG,ACK><URP=2><DATA="fgh">')
    assert host.ask("receive_urgent", handle=handle).ok == data(b"g")
    assert host.ask("receive", handle=handle, count=7).ok == data(b"abcdefh")
    host, handle = apart()
    assert host.ask("receive_urgent", handle=handle).ok == data(b"c")
    host.send('<SEQ=106><ACK=301><CTL=URG,ACK><URP=2><DATA="fgh">')
    assert host.ask("receive_urgent", handle=handle).ok == data(b"g")
    assert host.ask("receive", handle=handle, count=6).ok == data(b"abdefh")


def test_no_octet_is_out_of_band_that_cannot_come_or_is_in_the_stream() -> None:
    host, handle = apart()
    assert host.ask("receive_urgent", handle=handle).ok == data(b"c")
    host.send("<SEQ=106><ACK=301><CTL=FIN,ACK>")
    assert host.ask("receive_urgent", handle=handle).ok == data(b"", eof=True)
    host = Host()
    handle = host.open()
    host.send('<SEQ=101><ACK=301><CTL=URG,ACK><URP=3><DATA="abcde">')
    assert host.ask("receive_urgent", handle=handle).error == "EINVAL"


def test_what_a_listener_is_told_of_urgent_data_its_connections_inherit() -> None:
    host = Host()
    host.ask("set_option", handle=host.listener, name="oob_inline", value="off")
    handle = host.open()
    host.send('<SEQ=101><ACK=301><CTL=URG,ACK><URP=1><DATA="ab">')
    assert host.ask("receive_urgent", handle=handle).ok == data(b"a")


def test_a_cookie_for_who_asks_where_the_listener_offers_fast_open() -> None:
    host = Host()
    assert not host.ask("set_option", handle=host.listener, name="fast_open", value=16).error
    host.send("<SEQ=100><CTL=SYN><OPT=FAST-OPEN>")
    (syn_ack,) = host.segments()
    assert len(syn_ack.option(OPTION_FAST_OPEN) or b"") in COOKIE_LENGTHS
    other = Host().send("<SEQ=100><CTL=SYN><OPT=FAST-OPEN>")
    assert other.segments()[0].option(OPTION_FAST_OPEN) is None


def test_data_of_a_syn_with_a_cookie_is_the_users_before_the_handshake_is_over() -> None:
    host = Host()
    host.ask("set_option", handle=host.listener, name="fast_open", value=1)
    (given,) = host.send("<SEQ=100><CTL=SYN><OPT=FAST-OPEN>").segments()
    host.send("<SEQ=101><CTL=RST>")
    # The connection that was reset is handed out, too, as Linux does.
    assert host.ask("accept", handle=host.listener).ok["peer"] == ["192.0.2.1", PEER_PORT]
    cookie = (given.option(OPTION_FAST_OPEN) or b"").hex()
    host.send(f'<SEQ=500><CTL=SYN><OPT=0x220A{cookie}><DATA="hi">')
    (syn_ack,) = host.segments()
    assert (syn_ack.ack, syn_ack.cookie) == (503, given.cookie)
    assert host.state() == "SYN-RECEIVED"
    handle = host.ask("accept", handle=host.listener).ok["handle"]
    assert host.ask("receive", handle=handle, count=2).ok == {"data": "aGk=", "eof": False}


def test_released_listener_takes_its_connections_along() -> None:
    host = Host().send("<SEQ=100><CTL=SYN>").send("<SEQ=101><ACK=301><CTL=ACK>")
    host.segments()
    host.ask("release")
    assert [made.has(Control.RST) for made in host.segments()] == [True]
    assert host.state() == "CLOSED"


def test_data_offset_decides_what_is_option_and_what_is_data() -> None:
    made = Segment(1, 0, Control.ACK, data=b"abcdefgh", options=b"\x02\x04\x05\xb4", doff=5)
    assert (on_the_wire(made).options, on_the_wire(made).data) == (b"", b"\x02\x04\x05\xb4abcdefgh")
    assert on_the_wire(Segment(1, 0, Control.ACK, doff=4)).defect
