"""The reference's congestion window, by what it lets go in virtual time: RFC 5681, RFC 6582, RFC 6928."""

import pytest

from conformance.model.segment import Segment
from tests.target.reference.host import Host

MSS = 500


def opened(lost: float = 0.0) -> tuple[Host, int]:
    """A host and its user's handle; the SYN,ACK was lost for `lost` seconds."""
    host = Host()
    host.send("<SEQ=100><CTL=SYN><WND=65535><OPT=MSS 500>").wait(lost)
    host.send("<SEQ=101><ACK=301><CTL=ACK><WND=65535>").segments()
    return host, int(str(host.ask("accept", handle=host.listener).ok["handle"]))


def sender(octets: int, lost: float = 0.0) -> Host:
    """A host whose user has sent so many octets."""
    host, handle = opened(lost)
    return host.give(handle, bytes(octets))


def acknowledge(host: Host, segments: int) -> list[Segment]:
    """Acknowledge all up to this segment; return what that lets go."""
    return host.send(f"<SEQ=101><ACK={301 + segments * MSS}><CTL=ACK><WND=65535>").segments()


def numbers(host: Host, made: list[Segment]) -> list[int]:
    """Return which segments of the stream these are, from 1 on."""
    return [(item.seq - host.iss - 1) // MSS + 1 for item in made]


def test_ten_segments_are_the_initial_window() -> None:
    assert len(sender(20000).segments()) == 10


def test_one_segment_is_the_initial_window_after_a_lost_syn_ack() -> None:
    assert len(sender(20000, 2.0).segments()) == 1


def test_an_ack_in_slow_start_adds_a_segment_whatever_it_acknowledges() -> None:
    host = sender(20000)
    host.segments()
    assert numbers(host, acknowledge(host, 1)) == [11, 12]
    assert numbers(host, acknowledge(host, 4)) == [13, 14, 15, 16]


def test_a_timeout_leaves_one_segment_and_half_the_flight_for_slow_start() -> None:
    host = sender(30000)
    host.segments()
    assert numbers(host, host.wait(1.5).segments()) == [1]
    assert numbers(host, acknowledge(host, 10)) == [11, 12]
    assert numbers(host, acknowledge(host, 11)) == [13, 14]
    assert numbers(host, acknowledge(host, 12)) == [15, 16]
    assert numbers(host, acknowledge(host, 13)) == [17, 18]
    # Five segments are half of ten: from here on a segment in a round trip.
    assert numbers(host, acknowledge(host, 14)) == [19]


def test_limited_transmit_then_fast_recovery_then_half_the_flight() -> None:
    host = sender(30000)
    host.segments()
    sent = [numbers(host, acknowledge(host, 0)) for _ in range(9)]
    assert sent == [[11], [12], [1], [], [], [], [], [13], [14]]
    # 14 segments were acknowledged: the window is five again.
    assert numbers(host, acknowledge(host, 14)) == [15, 16, 17, 18, 19]


def test_a_partial_ack_draws_the_next_hole_and_deflates_by_what_it_acknowledges() -> None:
    host = sender(30000)
    host.segments()
    for _ in range(5):
        acknowledge(host, 0)
    # Window 10 less 5 acknowledged, one more for the segment sent again; 7 are in flight.
    assert numbers(host, acknowledge(host, 5)) == [6]
    assert numbers(host, acknowledge(host, 12)) == [13, 14, 15, 16, 17]


@pytest.mark.parametrize(("idle", "segments"), [(0.0, 20), (1.5, 10)])
def test_an_idle_time_brings_the_initial_window_back(idle: float, segments: int) -> None:
    host, handle = opened()
    host.give(handle, bytes(10 * MSS)).segments()
    for segment in range(1, 11):
        acknowledge(host, segment)
    assert len(host.wait(idle).give(handle, bytes(30000)).segments()) == segments


def test_an_ack_that_does_not_open_the_connection_is_no_duplicate() -> None:
    host = Host().send("<SEQ=100><CTL=SYN>")
    host.came()
    for _ in range(4):
        host.send("<SEQ=101><ACK=300><CTL=ACK>")
    assert host.came() == ["0 <SEQ=300><ACK=0><CTL=RST>"] * 4
