"""The stream of the user's octets by sequence number."""

import pytest

from conformance.model.state import State
from conformance.oracle.tcb import Tcb


@pytest.mark.parametrize(
    ("start", "count", "octets"),
    [
        (101, 5, b"hello"),
        (103, 2, b"ll"),
        (104, 9, b"lo"),
        (106, 1, b""),
        # A zero-window probe may be an empty segment from before the stream.
        (100, 0, b""),
        (100, 1, b""),
        (100, 2, b"h"),
    ],
)
def test_octets(start: int, count: int, octets: bytes) -> None:
    tcb = Tcb(State.ESTABLISHED, True, iss=100, stream=b"hello")
    assert tcb.octets(start, count) == octets
