"""User calls at the target: RFC 9293 3.10.1-3.10.5, from the tables."""

from dataclasses import dataclass, replace

from conformance.model.case import CallError, CallName, UserCall
from conformance.model.segment import Control
from conformance.model.state import NO_CONNECTION, State
from conformance.oracle.arrives import Outcome, aborted, must, resets
from conformance.oracle.latitude import LIBERTIES, PROMPT
from conformance.oracle.prediction import Form, Obligation, Prediction
from conformance.oracle.tables import CALLS, Action, Cell
from conformance.oracle.tcb import Tcb

_SWITCHES = {
    "keepalive": "keepalive",
    "keepalive_octet": "keepalive_octet",
    "oob_inline": "oob_inline",
    "fast_open_connect": "defers_syn",
}
"""Options of the TCB's, and the variable of each."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The connection after a call, what the call makes it send, and the error it may return."""

    outcome: Outcome
    error: CallError | None
    citation: str


def user_call(tcb: Tcb, call: UserCall, now: float, sent: bytes = b"") -> CallOutcome:
    """Process one user call; `sent` are the octets of a SEND.  `tcb` itself is not changed."""
    if call.name is CallName.OPTION:
        after = tcb.copy()
        name, value = call.option or ("", "")
        if name in _SWITCHES:
            setattr(after, _SWITCHES[name], value not in ("0", "off"))
        return CallOutcome(Outcome(after), None, "RFC 9293 3.9.1")
    if call.passive or call.remote:
        return _beside(tcb.copy(), call)
    cell = CALLS[call.name][tcb.state]
    outcome = _ACTIONS[cell.action](tcb.copy(), cell, call, now, sent)
    return CallOutcome(outcome, cell.error, cell.citation)


def listener_closed(tcb: Tcb, now: float, *, accepted: bool) -> list[Outcome]:
    """Nobody listens any more: all that may become of a connection that the listener has, or had."""
    after = tcb.copy()
    after.listening = False
    if after.state in NO_CONNECTION:
        return [Outcome(after.delete())]
    if accepted or not after.passive:
        return [Outcome(after)]
    citation = LIBERTIES["listener-closed"].citation
    closed = user_call(after, UserCall(CallName.CLOSE, half_duplex=True), now).outcome
    left = [after, after.delete()] if after.state is State.SYN_RECEIVED else [after]
    return [aborted(after, citation, now), closed, *(Outcome(tcb, why=citation) for tcb in left)]


def _beside(tcb: Tcb, call: UserCall) -> CallOutcome:
    """An OPEN that leaves this connection as it is: one that listens, one to an address of many."""
    if call.remote:
        return CallOutcome(Outcome(tcb), CallError.INVALID, "RFC 9293 3.9.1.1 MUST-46")
    tcb.listening = True
    return CallOutcome(Outcome(tcb), None, "RFC 9293 3.9.1.1 MUST-41")


def _unchanged(tcb: Tcb, cell: Cell, call: UserCall, now: float, sent: bytes) -> Outcome:
    if call.half_duplex:
        tcb.user_gone = True
    return Outcome(tcb, why=cell.citation)


def _send_syn(tcb: Tcb, cell: Cell, call: UserCall, now: float, sent: bytes) -> Outcome:
    opened = replace(tcb.opened(State.SYN_SENT, False), listening=False)
    if not opened.defers_syn:
        return Outcome(opened, (_syn(cell.citation, now),))
    citation = LIBERTIES["fast-open-connect"].citation
    return Outcome(opened, (replace(_syn(citation, now), obligation=Obligation.MAY),))


def _syn(citation: str, now: float) -> Prediction:
    return must(Form(Control.SYN, None, None), citation, now)


def _queue(tcb: Tcb, cell: Cell, call: UserCall, now: float, sent: bytes) -> Outcome:
    tcb.stream += sent
    if call.urgent:
        tcb.urgent = (*tcb.urgent, len(tcb.stream))
    if tcb.state is State.SYN_SENT and tcb.iss is None and tcb.defers_syn:
        return Outcome(tcb, (_syn(LIBERTIES["fast-open-connect"].citation, now),))
    return Outcome(tcb, why=cell.citation)


def _deliver(tcb: Tcb, cell: Cell, call: UserCall, now: float, sent: bytes) -> Outcome:
    if call.urgent:
        tcb.receive_urgent()
    elif call.eof:
        tcb.unread = 0
    else:
        tcb.receive(len(call.data) if call.data is not None else call.count or 0)
    return Outcome(tcb, why=cell.citation)


def _send_fin(tcb: Tcb, cell: Cell, call: UserCall, now: float, sent: bytes) -> Outcome:
    if call.half_duplex and tcb.unread:
        return aborted(tcb, LIBERTIES["half-duplex-close"].citation, now)
    tcb.user_gone = call.half_duplex
    tcb.fin_queued = True
    # 3.10.4: after a SEND it is queued for ESTABLISHED, from where the way leads to FIN-WAIT-1.
    if tcb.state is not State.SYN_RECEIVED or not tcb.stream:
        tcb.state = cell.next or tcb.state
    return Outcome(tcb, why=cell.citation)


def _send_rst(tcb: Tcb, cell: Cell, call: UserCall, now: float, sent: bytes) -> Outcome:
    return aborted(tcb, cell.citation, now)


def _delete(tcb: Tcb, cell: Cell, call: UserCall, now: float, sent: bytes) -> Outcome:
    after = tcb.delete()
    if tcb.state is State.LISTEN:
        after.listening = False
    if call.name is not CallName.ABORT or tcb.state is State.LISTEN:
        return Outcome(after, why=cell.citation)
    forms = resets(tcb)
    if tcb.state is State.SYN_SENT:
        # RCV.NXT is not known yet: whatever an ACK field says there is no promise.
        forms = (forms[0], replace(forms[1], ack=None))
    may = Prediction(forms, Obligation.MAY, LIBERTIES["abort-with-reset"].citation, now + PROMPT)
    return Outcome(after, (may,), cell.citation)


_ACTIONS = {
    Action.NOTHING: _unchanged,
    Action.REFUSE: _unchanged,
    Action.SEND_SYN: _send_syn,
    Action.QUEUE: _queue,
    Action.DELIVER: _deliver,
    Action.SEND_FIN: _send_fin,
    Action.SEND_RST: _send_rst,
    Action.DELETE: _delete,
}
