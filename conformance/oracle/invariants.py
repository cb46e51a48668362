"""What holds of every segment that the target sends, whatever called for it."""

from conformance.model import seq
from conformance.model.segment import (
    OPTION_SACK,
    OPTION_SACK_PERMITTED,
    OPTION_TS,
    OPTION_WS,
    Control,
    Segment,
    after_options,
    decode_options,
)
from conformance.model.state import NO_CONNECTION, State
from conformance.model.verdict import Level
from conformance.oracle import fast_open
from conformance.oracle.prediction import Violation
from conformance.oracle.tcb import Tcb

ACK, SYN = Control.ACK, Control.SYN
_NEGOTIATED = {
    OPTION_WS: ("window scale", "RFC 7323 2.2"),
    OPTION_TS: ("timestamps", "RFC 7323 3.2"),
    OPTION_SACK_PERMITTED: ("SACK-permitted", "RFC 2018 2"),
}


def header(segment: Segment) -> Violation | None:
    if segment.defect:
        return Violation(f"the segment is malformed: {segment.defect}", "RFC 9293 3.1")
    if not segment.checksum_ok:
        return Violation("the checksum is wrong", "RFC 9293 3.1 MUST-2", "CKSUM")
    if segment.rsv:
        return Violation("reserved bits are set", "RFC 9293 3.1", "RSV")
    if not decode_options(segment.options)[1]:
        return Violation("the options are malformed", "RFC 9293 3.2", "OPT")
    if any(after_options(segment.options)):
        return Violation("what follows the end of the options is not zero", "RFC 9293 3.1 MUST-69", "OPT")
    return None


def answered_options(tcb: Tcb, segment: Segment) -> Violation | None:
    """A SYN,ACK answers only the options that the SYN offered."""
    if not tcb.passive:
        return None
    for kind, (name, clause) in _NEGOTIATED.items():
        if segment.option(kind) is not None and kind not in tcb.offered:
            return Violation(f"{name} in the SYN,ACK was not in the SYN", clause, "OPT")
    return fast_open.unasked(tcb, segment)


def synchronized(tcb: Tcb, segment: Segment) -> Violation | None:
    """Judge a segment that is neither a SYN nor a reset."""
    return _numbers(tcb, segment) or _options(tcb, segment) or _urgent(tcb, segment)


def _numbers(tcb: Tcb, segment: Segment) -> Violation | None:
    if tcb.state in NO_CONNECTION or tcb.iss is None:
        return Violation(f"nothing but a reset can come from {tcb.state}", "RFC 9293 3.10.7.1", "CTL")
    if tcb.state is State.SYN_SENT:
        return Violation("only a SYN can come from SYN-SENT", "RFC 9293 3.10.7.3", "CTL")
    if not segment.has(ACK):
        return Violation("a segment of a synchronized connection has no ACK", "RFC 9293 3.1", "CTL")
    if seq.gt(segment.ack, tcb.rcv_nxt):
        return Violation("ACK acknowledges what was not sent, or not in sequence", "RFC 9293 3.4", "ACK")
    if tcb.last_ack is not None and seq.lt(segment.ack, tcb.last_ack):
        return Violation("ACK is older than one already sent", "RFC 9293 3.10.7.4 seventh", "ACK")
    if _in_the_middle(tcb) and segment.ack != tcb.last_ack:
        message = "the ACK before this one was sent before all queued segments were processed"
        return Violation(message, "RFC 9293 3.10.7.4 MUST-59", "ACK")
    return None


def _in_the_middle(tcb: Tcb) -> bool:
    """Whether the last ACK stopped within what one segment joined to the queue.

    That is right only for a target that had not kept the rest: it must be sent again, and was not.
    """
    if tcb.joined is None or tcb.last_ack is None:
        return False
    start, end = tcb.joined
    return seq.lt(start, tcb.last_ack) and seq.lt(tcb.last_ack, end)


def _options(tcb: Tcb, segment: Segment) -> Violation | None:
    timestamps = segment.option(OPTION_TS) is not None
    if timestamps and OPTION_TS not in tcb.offered:
        return Violation("timestamps were not negotiated", "RFC 7323 3.2", "OPT")
    if tcb.negotiated(OPTION_TS):
        wrong = _timestamps(tcb, segment)
        if wrong:
            return wrong
    if segment.option(OPTION_SACK) is not None and OPTION_SACK_PERMITTED not in tcb.offered:
        return Violation("SACK was not permitted", "RFC 2018 4", "OPT")
    for number, (left, right) in enumerate(segment.sack_blocks()):
        if not _received(tcb, left, right, first=number == 0):
            return Violation("a SACK block names octets that were not received", "RFC 2018 4", "OPT")
    for kind in (OPTION_WS, OPTION_SACK_PERMITTED):
        if segment.option(kind) is not None:
            name, clause = _NEGOTIATED[kind]
            return Violation(f"{name} outside a SYN", clause, "OPT")
    return None


def _timestamps(tcb: Tcb, segment: Segment) -> Violation | None:
    """RFC 7323 3.2: in every segment once negotiated, and an echo of what was received."""
    stamps = segment.timestamps
    if stamps is None:
        return Violation("timestamps were negotiated and are missing", "RFC 7323 3.2", "OPT")
    if stamps[1] not in tcb.ts_seen:
        return Violation("TSecr echoes no timestamp that was received", "RFC 7323 3.2", "OPT")
    return None


def _received(tcb: Tcb, left: int, right: int, *, first: bool) -> bool:
    """Whether the octets left..right wait out of order, or (RFC 2883 4) came a second time.

    A FIN may wait with them: the first block is to have the segment that drew the ACK (RFC 2018 4 (1)).
    """
    if not seq.lt(left, right):
        return False
    if tcb.held_fin is not None and seq.diff(right, tcb.held_fin) == 1:
        right = tcb.held_fin
    if first and seq.leq(right, tcb.rcv_nxt):
        return True
    at, moved = left, True
    while moved and seq.lt(at, right):
        ends = [end for start, end in tcb.held if seq.leq(start, at) and seq.gt(end, at)]
        moved = bool(ends)
        at = ends[0] if ends else at
    return seq.geq(at, right)


def _urgent(tcb: Tcb, segment: Segment) -> Violation | None:
    """RFC 9293 3.8.5: URG is for urgent data to come, and the pointer says where it ends."""
    if not segment.has(Control.URG) or not tcb.user_known:
        return None
    pointers = tcb.urgent_pointers(segment.seq)
    if not pointers:
        return Violation("URG, but no urgent data is outstanding", "RFC 9293 3.8.5", "CTL")
    if segment.urp in pointers:
        return None
    message = f"the urgent pointer is {segment.urp}; by where the urgent data ends it is {pointers[0]}"
    return Violation(message, tcb.pointing.citation, "URP")


def window_shrunk(tcb: Tcb, segment: Segment) -> Violation | None:
    if tcb.rcv_edge is None or tcb.state is State.TIME_WAIT:
        return None
    granularity = (1 << (tcb.rcv_scale or 0)) if tcb.snd_scale is not None else 1
    if seq.diff(tcb.rcv_edge, edge(tcb, segment)) >= granularity:
        message = "the right edge of the window moved left"
        return Violation(message, "RFC 9293 3.8.6 SHLD-14", "WND", Level.SHOULD)
    return None


def edge(tcb: Tcb, segment: Segment) -> int:
    """The right edge that the target advertises with this segment."""
    scaled = tcb.snd_scale is not None and tcb.rcv_scale is not None and not segment.has(SYN)
    shift = (tcb.rcv_scale or 0) if scaled else 0
    return seq.add(segment.ack, segment.wnd << shift)
