"""The eleven states of RFC 9293 3.3.2, and the two roles."""

from enum import Enum


class State(Enum):
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"
    CLOSED = "CLOSED"

    def __str__(self) -> str:
        return self.value


class Role(Enum):
    """Which side of the OPEN the target is: passive (server) or active (client)."""

    SERVER = "server"
    CLIENT = "client"

    def __str__(self) -> str:
        return self.value


SYNCHRONIZED = frozenset(
    {
        State.ESTABLISHED,
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.CLOSE_WAIT,
        State.CLOSING,
        State.LAST_ACK,
        State.TIME_WAIT,
    }
)
"""The synchronized states (RFC 9293 3.5.2, group 3)."""
WINDOWED = SYNCHRONIZED | {State.SYN_RECEIVED}
"""The states in which the peer's numbers are known, and so which of them are in the window."""
NO_CONNECTION = frozenset({State.CLOSED, State.LISTEN})
"""The states in which there is no connection yet, or none any more."""
