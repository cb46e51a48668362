"""ICMP errors: what they may do to a connection, and what they may not."""

from dataclasses import replace

import pytest

from conformance.model.case import CallName
from conformance.model.icmp import ERRORS, Effect
from conformance.model.segment import Control, Envelope, Segment
from conformance.model.state import State
from tests.oracle.exchange import Exchange, established

SOFT = [name for name, error in ERRORS.items() if error.effect is Effect.SOFT]


def told(exchange: Exchange, name: str, number: int, *, sound: bool = True) -> str:
    """Return the segment that begins at `number` in an ICMP error; return the clause."""
    segment = Segment(number, 101, Control.ACK, envelope=Envelope(error=name))
    return exchange.oracle.icmp(replace(segment, checksum_ok=sound), exchange.now)


def in_flight() -> Exchange:
    """An established connection with five octets of the target in flight."""
    exchange = established()
    exchange.call(CallName.SEND, b"hello")
    return exchange.comes('<SEQ=301><ACK=101><CTL=ACK><DATA="hello">')


@pytest.mark.parametrize("name", [*SOFT, "source-quench"])
def test_what_must_not_abort(name: str) -> None:
    exchange = in_flight()
    told(exchange, name, 301)
    exchange.state(State.ESTABLISHED)
    exchange.wrong("<SEQ=306><CTL=RST>", "CTL")


@pytest.mark.parametrize("name", ["port-unreachable", "protocol-unreachable", "fragmentation-needed"])
def test_what_may_abort(name: str) -> None:
    exchange = in_flight()
    told(exchange, name, 301)
    assert {State.ESTABLISHED, State.CLOSED} <= exchange.oracle.states()
    exchange.comes("<SEQ=306><CTL=RST>")
    assert State.ESTABLISHED not in exchange.oracle.states()


@pytest.mark.parametrize("number", [300, 306, 0x80000000])
def test_what_is_not_in_flight_is_ignored(number: int) -> None:
    exchange = in_flight()
    assert "not in flight" in told(exchange, "port-unreachable", number)
    exchange.state(State.ESTABLISHED)


def test_a_bad_checksum_is_ignored() -> None:
    exchange = in_flight()
    told(exchange, "port-unreachable", 301, sound=False)
    exchange.state(State.ESTABLISHED)


def test_an_aborted_half_open_connection_leaves_the_listener() -> None:
    exchange = Exchange().send("<SEQ=100><CTL=SYN>").comes("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    told(exchange, "port-unreachable", 300)
    assert exchange.oracle.observe_state({State.LISTEN})
