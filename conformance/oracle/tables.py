"""RFC 9293 3.10 as tables: for each state, what an event does to it, and the clause.

`arrives` and `calls` walk these in the RFC's order.  A cell is the whole of what the RFC
says of one check in one state; the state diagram in the documentation is drawn from them.
"""

from dataclasses import dataclass
from enum import Enum

from conformance.model.case import CallError, CallName
from conformance.model.state import SYNCHRONIZED, State

S = State


class Timeout(Enum):
    """The timeouts of RFC 9293 3.10.8."""

    USER = "USER TIMEOUT"
    RETRANSMISSION = "RETRANSMISSION TIMEOUT"
    TIME_WAIT = "TIME-WAIT TIMEOUT"


class Action(Enum):
    """What a cell does besides changing the state."""

    NOTHING = "nothing"
    DROP = "drop the segment"
    PROCESS = "process in the new state"
    SEND_SYN = "send <SEQ=ISS><CTL=SYN>"
    SEND_FIN = "send a FIN after all data"
    SEND_RST = "send <SEQ=SND.NXT><CTL=RST>"
    QUEUE = "queue the data"
    DELIVER = "return what was received"
    CHALLENGE = "send <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>"
    DELETE = "delete the TCB"
    REFUSE = "return an error"
    RETRANSMIT = "send the front of the retransmission queue again"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: the state afterwards (None: unchanged), what is done, the clause."""

    action: Action
    citation: str
    next: State | None = None
    error: CallError | None = None


def _cells(states: str, cell: Cell) -> dict[State, Cell]:
    return {State(name): cell for name in states.split()}


_NO_TCB = CallError.ABSENT
_CLOSING = CallError.CLOSING
_OPEN, _SEND, _RECEIVE = "RFC 9293 3.10.1", "RFC 9293 3.10.2", "RFC 9293 3.10.3"
_CLOSE, _ABORT, _STATUS = "RFC 9293 3.10.4", "RFC 9293 3.10.5", "RFC 9293 3.10.6"
_TRANSFER = "ESTABLISHED CLOSE-WAIT"
_ENDING = "FIN-WAIT-1 FIN-WAIT-2 CLOSING LAST-ACK TIME-WAIT"

CALLS: dict[CallName, dict[State, Cell]] = {
    CallName.OPEN: {
        S.CLOSED: Cell(Action.SEND_SYN, _OPEN, S.SYN_SENT),
        S.LISTEN: Cell(Action.SEND_SYN, _OPEN, S.SYN_SENT),
        **_cells(
            "SYN-SENT SYN-RECEIVED " + _TRANSFER + " " + _ENDING,
            Cell(Action.REFUSE, _OPEN, error=CallError.EXISTS),
        ),
    },
    CallName.SEND: {
        S.CLOSED: Cell(Action.REFUSE, _SEND, error=_NO_TCB),
        S.LISTEN: Cell(Action.REFUSE, _SEND, error=_NO_TCB),
        **_cells("SYN-SENT SYN-RECEIVED " + _TRANSFER, Cell(Action.QUEUE, _SEND)),
        **_cells(_ENDING, Cell(Action.REFUSE, _SEND, error=_CLOSING)),
    },
    CallName.RECEIVE: {
        S.CLOSED: Cell(Action.REFUSE, _RECEIVE, error=_NO_TCB),
        **_cells("LISTEN SYN-SENT SYN-RECEIVED ESTABLISHED", Cell(Action.DELIVER, _RECEIVE)),
        **_cells("FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT", Cell(Action.DELIVER, _RECEIVE)),
        **_cells("CLOSING LAST-ACK TIME-WAIT", Cell(Action.DELIVER, _RECEIVE, error=_CLOSING)),
    },
    CallName.CLOSE: {
        S.CLOSED: Cell(Action.REFUSE, _CLOSE, error=_NO_TCB),
        S.LISTEN: Cell(Action.DELETE, _CLOSE, S.CLOSED),
        S.SYN_SENT: Cell(Action.DELETE, _CLOSE, S.CLOSED),
        S.SYN_RECEIVED: Cell(Action.SEND_FIN, _CLOSE, S.FIN_WAIT_1),
        S.ESTABLISHED: Cell(Action.SEND_FIN, _CLOSE, S.FIN_WAIT_1),
        S.CLOSE_WAIT: Cell(Action.SEND_FIN, _CLOSE, S.LAST_ACK),
        **_cells(_ENDING, Cell(Action.NOTHING, _CLOSE, error=_CLOSING)),
    },
    CallName.ABORT: {
        S.CLOSED: Cell(Action.REFUSE, _ABORT, error=_NO_TCB),
        S.LISTEN: Cell(Action.DELETE, _ABORT, S.CLOSED),
        S.SYN_SENT: Cell(Action.DELETE, _ABORT, S.CLOSED),
        **_cells(
            "SYN-RECEIVED " + _TRANSFER + " FIN-WAIT-1 FIN-WAIT-2",
            Cell(Action.SEND_RST, _ABORT, S.CLOSED),
        ),
        **_cells("CLOSING LAST-ACK TIME-WAIT", Cell(Action.DELETE, _ABORT, S.CLOSED)),
    },
    CallName.STATUS: {
        S.CLOSED: Cell(Action.REFUSE, _STATUS, error=_NO_TCB),
        **_cells("LISTEN SYN-SENT SYN-RECEIVED " + _TRANSFER, Cell(Action.NOTHING, _STATUS)),
        **_cells(_ENDING, Cell(Action.NOTHING, _STATUS)),
    },
}
"""RFC 9293 3.10.1-3.10.6: user call x state."""

_SECOND, _FOURTH = "RFC 9293 3.10.7.4 second", "RFC 9293 3.10.7.4 fourth"
_FIFTH, _EIGHTH = "RFC 9293 3.10.7.4 fifth", "RFC 9293 3.10.7.4 eighth"

RST_CHECK: dict[State, Cell] = {
    S.SYN_RECEIVED: Cell(Action.DELETE, _SECOND, S.CLOSED),
    **{state: Cell(Action.DELETE, _SECOND, S.CLOSED) for state in SYNCHRONIZED},
}
"""3.10.7.4 second: a RST whose SEQ is RCV.NXT.  A passive SYN-RECEIVED returns to LISTEN."""

SYN_CHECK: dict[State, Cell] = {
    S.SYN_RECEIVED: Cell(Action.DELETE, _FOURTH, S.LISTEN),
    **{state: Cell(Action.CHALLENGE, f"{_FOURTH}; RFC 5961 4.2") for state in SYNCHRONIZED},
}
"""3.10.7.4 fourth: a SYN in the window (SYN-RECEIVED from a passive OPEN; else challenge)."""

FIN_ACKED: dict[State, Cell] = {
    S.FIN_WAIT_1: Cell(Action.PROCESS, _FIFTH, S.FIN_WAIT_2),
    S.CLOSING: Cell(Action.DROP, _FIFTH, S.TIME_WAIT),
    S.LAST_ACK: Cell(Action.DELETE, _FIFTH, S.CLOSED),
}
"""3.10.7.4 fifth: the ACK acknowledges the target's FIN."""

FIN_ARRIVES: dict[State, Cell] = {
    S.SYN_RECEIVED: Cell(Action.NOTHING, _EIGHTH, S.CLOSE_WAIT),
    S.ESTABLISHED: Cell(Action.NOTHING, _EIGHTH, S.CLOSE_WAIT),
    S.FIN_WAIT_1: Cell(Action.NOTHING, _EIGHTH, S.CLOSING),
    S.FIN_WAIT_2: Cell(Action.NOTHING, _EIGHTH, S.TIME_WAIT),
    **_cells("CLOSE-WAIT CLOSING LAST-ACK TIME-WAIT", Cell(Action.NOTHING, _EIGHTH)),
}
"""3.10.7.4 eighth: the peer's FIN, in sequence."""

TEXT_STATES = frozenset({S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2})
"""3.10.7.4 seventh: the states in which segment text is accepted."""

_TIMEOUTS = "RFC 9293 3.10.8"
_QUEUE = "SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 CLOSE-WAIT CLOSING LAST-ACK"

TIMEOUTS: dict[Timeout, dict[State, Cell]] = {
    Timeout.USER: {
        S.CLOSED: Cell(Action.NOTHING, _TIMEOUTS),
        **_cells(
            "LISTEN FIN-WAIT-2 TIME-WAIT " + _QUEUE,
            Cell(Action.DELETE, _TIMEOUTS, S.CLOSED, CallError.TIMEOUT),
        ),
    },
    Timeout.RETRANSMISSION: {
        **_cells(_QUEUE, Cell(Action.RETRANSMIT, _TIMEOUTS)),
        # Everything that was sent is acknowledged: the retransmission queue is empty.
        **_cells("CLOSED LISTEN FIN-WAIT-2 TIME-WAIT", Cell(Action.NOTHING, _TIMEOUTS)),
    },
    Timeout.TIME_WAIT: {
        **_cells("CLOSED LISTEN FIN-WAIT-2 " + _QUEUE, Cell(Action.NOTHING, _TIMEOUTS)),
        S.TIME_WAIT: Cell(Action.DELETE, _TIMEOUTS, S.CLOSED),
    },
}
"""RFC 9293 3.10.8: timeout x state."""
