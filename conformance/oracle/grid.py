"""The grid of RFC 9293 3.10.7: state x arriving segment.  One segment in one state has one cell.

A row is a state.  A column is what the segment carries, and where it stands: against the
receive window in the synchronized states and SYN-RECEIVED, by its ACK in SYN-SENT.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from conformance.model import seq
from conformance.model.segment import Control, Segment
from conformance.model.state import WINDOWED, State
from conformance.oracle.tcb import Tcb

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN


class Kind(Enum):
    """What a segment carries, the first that applies in the RFC's order of checks."""

    RST = "RST"
    SYN = "SYN"
    SYN_ACK = "SYN,ACK"
    NO_ACK = "no ACK"
    FIN = "FIN"
    DATA = "data"
    ACK = "ACK"


class Where(Enum):
    """Where it stands."""

    ANY = "any"
    BELOW = "below the window"
    INSIDE = "in the window"
    ABOVE = "above the window"
    GOOD = "acceptable ACK"
    BAD = "unacceptable ACK"
    NONE = "without ACK"


_PLACES = (Where.BELOW, Where.INSIDE, Where.ABOVE)
_WITHOUT_ACK = frozenset({Kind.SYN, Kind.NO_ACK})


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the grid."""

    state: State
    kind: Kind
    where: Where

    def __str__(self) -> str:
        return f"{self.state} | {self.kind.value} | {self.where.value}"


def kind_of(segment: Segment) -> Kind:
    """Return what a segment carries."""
    if segment.has(RST):
        return Kind.RST
    if segment.has(SYN):
        return Kind.SYN_ACK if segment.has(ACK) else Kind.SYN
    if not segment.has(ACK):
        return Kind.NO_ACK
    if segment.has(FIN):
        return Kind.FIN
    return Kind.DATA if segment.data else Kind.ACK


def cell_of(tcb: Tcb, segment: Segment) -> Cell:
    """Return the cell that `segment` falls into when it arrives at `tcb`."""
    kind = kind_of(segment)
    state = State.LISTEN if tcb.state is State.CLOSED and tcb.listening else tcb.state
    if state is State.SYN_SENT:
        if not segment.has(ACK):
            return Cell(state, kind, Where.NONE)
        good = seq.lt(tcb.snd_una, segment.ack) and seq.leq(segment.ack, tcb.snd_nxt)
        return Cell(state, kind, Where.GOOD if good else Where.BAD)
    if state not in WINDOWED:
        return Cell(state, kind, Where.ANY)
    if tcb.acceptable(segment):
        return Cell(state, kind, Where.INSIDE)
    return Cell(state, kind, Where.BELOW if seq.lt(segment.seq, tcb.rcv_nxt) else Where.ABOVE)


def cells() -> Iterator[Cell]:
    """Yield every cell of the grid, row by row."""
    for state in State:
        for kind in Kind:
            for where in _places(state, kind):
                yield Cell(state, kind, where)


def _places(state: State, kind: Kind) -> tuple[Where, ...]:
    if state in WINDOWED:
        return _PLACES
    if state is not State.SYN_SENT:
        return (Where.ANY,)
    if kind in _WITHOUT_ACK:
        return (Where.NONE,)
    return (Where.GOOD, Where.BAD) + ((Where.NONE,) if kind is Kind.RST else ())
