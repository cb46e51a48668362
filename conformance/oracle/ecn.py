"""Explicit congestion notification: where the target may set an ECT codepoint (RFC 3168 6.1)."""

from conformance.model.segment import NOT_ECT, Control, Segment
from conformance.model.verdict import Level
from conformance.oracle.prediction import Violation
from conformance.oracle.tcb import Tcb

_NOT_ECT = {
    "retransmission": ("ECT on a retransmission", "RFC 3168 6.1.5"),
    "needless retransmission": ("ECT on a retransmission", "RFC 3168 6.1.5"),
    "probe": ("ECT on a window probe", "RFC 3168 6.1.6"),
}


def negotiated(tcb: Tcb) -> bool:
    """Tell whether the target may set ECT: an ECN-setup SYN came, and it sent no other kind itself."""
    return True in tcb.ecn_heard and tcb.ecn_told == {True}


def setup(tcb: Tcb, segment: Segment) -> Violation | None:
    """Judge a SYN or SYN,ACK of the target."""
    if segment.ecn != NOT_ECT:
        return Violation("ECT on a SYN", "RFC 3168 6.1.1", "TOS")
    if segment.has(Control.ACK) and segment.ecn_setup and True not in tcb.ecn_heard:
        return Violation("an ECN-setup SYN,ACK, but no ECN-setup SYN came", "RFC 3168 6.1.1", "CTL")
    return None


def without_data(segment: Segment) -> Violation | None:
    """Judge an ACK or a reset: nobody would miss it if it were dropped."""
    if segment.ecn != NOT_ECT:
        return Violation("ECT on a segment without data", "RFC 3168 6.1.4, 5.2", "TOS")
    return None


def data(tcb: Tcb, segment: Segment, kind: str) -> Violation | None:
    """Judge a segment with data; `kind` is what it was explained as."""
    if segment.ecn == NOT_ECT:
        return None
    if not negotiated(tcb):
        return Violation("ECT, but ECN was not negotiated", "RFC 3168 6.1.1", "TOS")
    if kind in _NOT_ECT:
        return Violation(*_NOT_ECT[kind], "TOS")
    if False in tcb.ecn_heard:
        message = "ECT, but a SYN that is no ECN-setup SYN came"
        return Violation(message, "RFC 3168 6.1.1", "TOS", Level.SHOULD)
    return None
