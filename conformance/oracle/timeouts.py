"""Timeouts: RFC 9293 3.10.8, from the table."""

from conformance.model.case import CallError
from conformance.oracle.tables import TIMEOUTS, Action, Timeout
from conformance.oracle.tcb import Tcb


def expires(tcb: Tcb, timeout: Timeout) -> tuple[Tcb, CallError | None]:
    """Return the connection after a timeout, and what the user is told; `tcb` is not changed.

    What a RETRANSMISSION TIMEOUT sends is for the sender to know: here it changes nothing.
    """
    cell = TIMEOUTS[timeout][tcb.state]
    if cell.action is Action.DELETE:
        return tcb.delete(), cell.error
    return tcb.copy(), cell.error
