"""Losses that the reference finds by time, where SACK is permitted: RFC 8985."""

import pytest

from tests.target.reference.host import Host

MSS = 500


def sender(options: str, trip: float = 0.2) -> Host:
    """A host whose round trip is `trip` seconds and whose user has just sent two segments."""
    host = Host()
    host.send(f"<SEQ=100><CTL=SYN><WND=65535><OPT=MSS 500{options}>").wait(trip)
    host.send("<SEQ=101><ACK=301><CTL=ACK><WND=65535>").segments()
    host.give(int(str(host.ask("accept", handle=host.listener).ok["handle"])), bytes(2 * MSS))
    assert len(host.segments()) == 2
    return host


def again(host: Host) -> list[int]:
    """Return which of the segments came again, the first or the second."""
    return [(item.seq - host.iss - 1) // MSS + 1 for item in host.segments()]


def test_the_last_segment_again_after_two_round_trips_then_the_first() -> None:
    host = sender(",SACK-PERMITTED")
    assert again(host.wait(0.39)) == []
    assert again(host.wait(0.02)) == [2]
    assert again(host.wait(2.0)) == [1]


def test_no_probe_without_sack() -> None:
    host = sender("")
    assert again(host.wait(0.9)) == []
    assert again(host.wait(0.2)) == [1]


@pytest.mark.parametrize(("wait", "came"), [(0.04, []), (0.06, [1])])
def test_who_was_overtaken_is_lost_after_a_quarter_of_a_round_trip(wait: float, came: list[int]) -> None:
    host = sender(",SACK-PERMITTED").wait(0.2)
    left, right = host.iss + 1 + MSS, host.iss + 1 + 2 * MSS
    host.send(f"<SEQ=101><ACK=301><CTL=ACK><WND=65535><OPT=SACK {left} {right}>")
    assert again(host.wait(wait)) == came
