"""Is this segment one that the target may send now?  The invariants that always hold, and why it came.

`explain` judges one segment from the target against one hypothesis about the target: it
gives the hypothesis as the segment leaves it, or the violation.
"""

from dataclasses import dataclass, replace

from conformance.model import seq
from conformance.model.case import CallName, UserCall
from conformance.model.segment import (
    OPTION_SACK,
    OPTION_SACK_PERMITTED,
    OPTION_TS,
    OPTION_WS,
    Control,
    Segment,
    after_options,
    control_text,
    decode_options,
)
from conformance.model.state import State
from conformance.model.verdict import Level
from conformance.oracle import ecn
from conformance.oracle.calls import user_call
from conformance.oracle.prediction import Explanation, Form, Prediction, Violation
from conformance.oracle.tcb import Tcb

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN
_JUDGED = SYN | FIN | RST | ACK
_NEGOTIATED = {
    OPTION_WS: ("window scale", "RFC 7323 2.2"),
    OPTION_TS: ("timestamps", "RFC 7323 3.2"),
    OPTION_SACK_PERMITTED: ("SACK-permitted", "RFC 2018 2"),
}
_MAX_URP = 0xFFFF
_FIN_STATES = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK, State.FIN_WAIT_2, State.TIME_WAIT})
_SENDING = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
ABORTED = "reset, perhaps by the user"
"""The kind of a reset that may be an ABORT, where nobody tells of the user's calls."""
_WITHOUT_TCB = frozenset({State.CLOSED, State.LISTEN})


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One thing that the target may be: its TCB, and what it must or may still send."""

    tcb: Tcb
    pending: tuple[Prediction, ...] = ()


Explained = tuple[Hypothesis, Explanation]


def explain(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    """Judge one segment from the target."""
    wrong = _header(segment)
    if wrong:
        return wrong
    if segment.has(RST):
        return _reset(hypothesis, segment)
    if segment.has(SYN):
        return _syn(hypothesis, segment)
    return _synchronized(hypothesis, segment)


def _mismatch(form: Form, segment: Segment) -> str | None:
    """Return the name of the first field in which `segment` differs from `form`."""
    if segment.ctl & _JUDGED != form.ctl:
        return "CTL"
    if form.seq is not None and segment.seq != form.seq:
        return "SEQ"
    if form.ack is not None and segment.ack != form.ack:
        return "ACK"
    return None


def _header(segment: Segment) -> Violation | None:
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


def _meet(pending: tuple[Prediction, ...], met: Prediction) -> tuple[Prediction, ...]:
    """Return the predictions left when one has been met for good."""
    return tuple(item for item in pending if item is not met)


def _reset(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    wrong = ecn.without_data(segment)
    if wrong:
        return wrong
    nearest: tuple[str, Prediction] | None = None
    for prediction in hypothesis.pending:
        for form in prediction.forms:
            field = _mismatch(form, segment)
            if field is None:
                left = Hypothesis(hypothesis.tcb, _meet(hypothesis.pending, prediction))
                return left, Explanation("reset", prediction.citation)
            if form.ctl & RST and (nearest is None or field == "ACK"):
                nearest = field, prediction
    if _may_be_abort(hypothesis.tcb, segment):
        return Hypothesis(hypothesis.tcb.delete()), Explanation(ABORTED, "RFC 9293 3.10.5")
    if nearest:
        return Violation(
            f"the reset has the wrong {nearest[0]}",
            nearest[1].citation,
            nearest[0],
        )
    return Violation("nothing calls for a reset here", "RFC 9293 3.5.2", "CTL")


def _may_be_abort(tcb: Tcb, segment: Segment) -> bool:
    """A user of whom nothing is known has no reason to abort before it has heard anything."""
    if tcb.user_known or tcb.state not in _SENDING or tcb.rcv_nxt == seq.add(tcb.irs, 1):
        return False
    return segment.seq == tcb.snd_nxt and (not segment.has(ACK) or segment.ack == tcb.rcv_nxt)


def _syn(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    tcb = hypothesis.tcb.copy()
    acks = segment.has(ACK)
    wanted = State.SYN_RECEIVED if acks else State.SYN_SENT
    if tcb.state is not wanted and not (tcb.state is State.SYN_RECEIVED and not tcb.passive):
        return Violation(
            f"a {control_text(segment.ctl)} cannot come from {tcb.state}", "RFC 9293 3.10.7", "CTL"
        )
    if segment.has(FIN):
        return Violation("SYN and FIN in one segment", "RFC 9293 3.5", "CTL")
    if tcb.iss is not None and segment.seq != tcb.iss:
        return Violation("SEQ is not the ISS chosen before", "RFC 9293 3.4.1", "SEQ")
    if acks and segment.ack != tcb.rcv_nxt:
        return Violation("the SYN,ACK does not acknowledge SEG.SEQ+1", "RFC 9293 3.10.7.2 third", "ACK")
    wrong = ecn.setup(tcb, segment) or (_syn_options(tcb, segment) if acks else None)
    if wrong:
        return wrong
    tcb.ecn_told |= {segment.ecn_setup}
    kind = "transmission" if tcb.iss is None else "retransmission"
    if tcb.iss is None:
        tcb.choose_iss(segment.seq)
    tcb.rcv_scale = segment.window_scale
    tcb.answered = frozenset(option.kind for option in decode_options(segment.options)[0])
    met = [item for item in hypothesis.pending if any(form.ctl & SYN for form in item.forms)]
    pending = hypothesis.pending
    for item in met:
        pending = _meet(pending, item)
    _advertise(tcb, segment)
    citation = met[0].citation if met else "RFC 9293 3.10.8; RFC 6298 5.4"
    return Hypothesis(tcb, pending), Explanation(kind, citation)


def _syn_options(tcb: Tcb, segment: Segment) -> Violation | None:
    """A SYN,ACK answers only the options that the SYN offered."""
    if not tcb.passive:
        return None
    for kind, (name, clause) in _NEGOTIATED.items():
        if segment.option(kind) is not None and kind not in tcb.offered:
            return Violation(f"{name} in the SYN,ACK was not in the SYN", clause, "OPT")
    return None


def _synchronized(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    tcb = hypothesis.tcb
    wrong = _numbers(tcb, segment) or _options(tcb, segment) or _urgent(tcb, segment)
    if wrong:
        return wrong
    warning = _window_shrunk(tcb, segment)
    if segment.data or segment.has(FIN):
        verdict = _text(hypothesis, segment)
    else:
        verdict = _pure_ack(hypothesis, segment)
    if isinstance(verdict, Violation):
        return verdict
    after, explanation = verdict
    wrong = _ecn(tcb, segment, explanation.kind)
    if wrong and wrong.level is Level.MUST:
        return wrong
    warning = warning or wrong
    _advertise(after.tcb, segment)
    return after, replace(explanation, warning=warning) if warning else explanation


def _numbers(tcb: Tcb, segment: Segment) -> Violation | None:
    if tcb.state in _WITHOUT_TCB or tcb.iss is None:
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


def _urgent(tcb: Tcb, segment: Segment) -> Violation | None:
    """RFC 9293 3.8.5: the urgent pointer points to the octet that follows the urgent data."""
    if not segment.has(Control.URG) or not tcb.user_known:
        return None
    pointers = [end for end in tcb.urgent_pointers() if seq.lt(segment.seq, end)]
    if not pointers:
        return Violation("URG, but no urgent data is outstanding", "RFC 9293 3.8.5", "CTL")
    if any(min(seq.diff(end, segment.seq), _MAX_URP) == segment.urp for end in pointers):
        return None
    message = (
        f"the urgent pointer is {segment.urp}; the urgent data ends {seq.diff(pointers[0], segment.seq)} on"
    )
    return Violation(message, "RFC 9293 3.8.5 MUST-62", "URP")


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
    """Whether the octets left..right wait out of order, or (RFC 2883 4) came a second time."""
    if not seq.lt(left, right):
        return False
    if first and seq.leq(right, tcb.rcv_nxt):
        return True
    at, moved = left, True
    while moved and seq.lt(at, right):
        ends = [end for start, end in tcb.held if seq.leq(start, at) and seq.gt(end, at)]
        moved = bool(ends)
        at = ends[0] if ends else at
    return seq.geq(at, right)


def _edge(tcb: Tcb, segment: Segment) -> int:
    """The right edge that the target advertises with this segment."""
    scaled = tcb.snd_scale is not None and tcb.rcv_scale is not None and not segment.has(SYN)
    shift = (tcb.rcv_scale or 0) if scaled else 0
    return seq.add(segment.ack, segment.wnd << shift)


def _window_shrunk(tcb: Tcb, segment: Segment) -> Violation | None:
    if tcb.rcv_edge is None or tcb.state is State.TIME_WAIT:
        return None
    granularity = (1 << (tcb.rcv_scale or 0)) if tcb.snd_scale is not None else 1
    if seq.diff(tcb.rcv_edge, _edge(tcb, segment)) >= granularity:
        message = "the right edge of the window moved left"
        return Violation(message, "RFC 9293 3.8.6 SHLD-14", "WND", Level.SHOULD)
    return None


def _ecn(tcb: Tcb, segment: Segment, kind: str) -> Violation | None:
    """Judge the codepoint; a FIN by itself is neither data nor a pure ACK, and may have any."""
    if segment.data:
        return ecn.data(tcb, segment, kind)
    return None if segment.has(FIN) else ecn.without_data(segment)


def _advertise(tcb: Tcb, segment: Segment) -> None:
    if not segment.has(ACK):
        return
    tcb.rcv_edge = _edge(tcb, segment)
    tcb.last_ack, tcb.last_window = segment.ack, segment.wnd


def _text(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    """Data, FIN or both: a transmission, a retransmission or a probe."""
    tcb = hypothesis.tcb
    if _is_keep_alive(tcb, segment):
        return Hypothesis(tcb.copy(), hypothesis.pending), _garbage(tcb)
    if seq.gt(segment.seq, tcb.snd_nxt):
        return Violation("SEQ leaves a gap after what was sent", "RFC 9293 3.4", "SEQ")
    if not tcb.user_known:
        tcb = _shown(tcb, segment)
    wrong = _octets(tcb, segment) or _fin(tcb, segment)
    if wrong:
        return wrong
    fresh = seq.gt(segment.end, tcb.snd_nxt)
    probe = False
    if segment.data:
        edge = tcb.offered_edge if tcb.offered_edge is not None else tcb.snd_nxt
        over = seq.diff(seq.add(segment.seq, len(segment.data)), edge)
        # A window that has closed since may have been offered further once (3.8.6.1).
        probe = len(segment.data) == 1 and (over == 1 or (fresh and tcb.usable_window <= 0))
        if over > 0 and not probe:
            return Violation(
                f"data goes {over} octets beyond the window that was offered", "RFC 9293 3.8.6", "DATA"
            )
        room = tcb.snd_mss - len(segment.options)
        if len(segment.data) > room:
            return Violation(
                f"{len(segment.data)} octets of data; {room} is the most the peer accepts",
                "RFC 9293 3.7.1 MUST-16",
                "DATA",
            )
    after = tcb.copy()
    if fresh:
        after.snd_nxt = segment.end
    after.fin_sent = tcb.fin_sent or segment.has(FIN)
    pending = _acknowledged(hypothesis.pending, segment.ack)
    kind = "probe" if probe else "transmission" if fresh else "retransmission"
    if kind == "retransmission" and seq.leq(segment.end, tcb.snd_una):
        kind = "needless retransmission"
    citation = {
        "needless retransmission": "RFC 9293 3.10.8",
        "probe": "RFC 9293 3.8.6.1 MUST-36",
        "transmission": "RFC 9293 3.10.4" if segment.has(FIN) else "RFC 9293 3.10.2",
        "retransmission": "RFC 9293 3.10.8; RFC 6298 5.4",
    }[kind]
    return Hypothesis(after, pending), Explanation(kind, citation)


def _is_keep_alive(tcb: Tcb, segment: Segment) -> bool:
    """Whether it is a keep-alive with a garbage octet: SEG.SEQ = SND.NXT-1, nothing outstanding."""
    idle = tcb.keepalive and tcb.snd_una == tcb.snd_nxt
    return idle and segment.length == len(segment.data) == 1 and segment.end == tcb.snd_nxt


def _garbage(tcb: Tcb) -> Explanation:
    unwanted = Violation("a keep-alive with data", "RFC 9293 3.8.4 SHLD-12", "DATA", Level.SHOULD)
    return Explanation("probe", "RFC 9293 3.8.4 MAY-6", None if tcb.keepalive_octet else unwanted)


def _shown(tcb: Tcb, segment: Segment) -> Tcb:
    """Return the connection after the calls that a segment shows: SEND, and CLOSE."""
    if tcb.state not in _SENDING or tcb.fin_queued:
        return tcb
    after = tcb.copy()
    fresh = seq.diff(seq.add(segment.seq, len(segment.data)), tcb.stream_end)
    if fresh > 0:
        after.stream += segment.data[-fresh:]
    if segment.has(FIN) and fresh >= 0:
        after = user_call(after, UserCall(CallName.CLOSE), 0.0).outcome.tcb
    return after


def _octets(tcb: Tcb, segment: Segment) -> Violation | None:
    if not segment.data:
        return None
    first = seq.add(tcb.iss or 0, 1)
    if seq.lt(segment.seq, first):
        return Violation("data before the start of the stream", "RFC 9293 3.4", "SEQ")
    if seq.gt(seq.add(segment.seq, len(segment.data)), tcb.stream_end):
        return Violation("more data than the user has sent", "RFC 9293 3.10.2", "DATA")
    if segment.data != tcb.octets(segment.seq, len(segment.data)):
        return Violation("the octets are not those of the user at this SEQ", "RFC 9293 3.4", "DATA")
    return None


def _fin(tcb: Tcb, segment: Segment) -> Violation | None:
    if not segment.has(FIN):
        return None
    if not tcb.fin_queued or tcb.state not in _FIN_STATES:
        return Violation("a FIN, but the user has not closed", "RFC 9293 3.10.4", "CTL")
    if seq.add(segment.seq, len(segment.data)) != tcb.stream_end:
        return Violation("the FIN does not follow the last octet of data", "RFC 9293 3.10.4", "SEQ")
    return None


def _acknowledged(pending: tuple[Prediction, ...], ack: int) -> tuple[Prediction, ...]:
    """Mark as met every owed acknowledgment that `ack` gives; they stay, as liberties to repeat it."""
    return tuple(
        replace(item, met=True)
        if any(form.ctl == ACK and form.ack is not None and seq.geq(ack, form.ack) for form in item.forms)
        else item
        for item in pending
    )


def _pure_ack(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    tcb = hypothesis.tcb
    after = tcb.copy()
    closed = tcb.snd_wnd == 0 or tcb.usable_window <= 0
    if segment.seq != tcb.snd_nxt:
        shrunk = seq.add(tcb.snd_una, tcb.snd_wnd)
        if (tcb.keepalive or closed) and segment.seq in (seq.add(tcb.snd_una, -1), seq.add(tcb.snd_nxt, -1)):
            if tcb.snd_una != tcb.snd_nxt and not closed:
                message = "a keep-alive while data is outstanding"
                return Violation(message, "RFC 9293 3.8.4 MUST-26", "SEQ")
            return Hypothesis(after, hypothesis.pending), Explanation("probe", "RFC 9293 3.8.4")
        if not (tcb.usable_window < 0 and segment.seq == shrunk):
            return Violation("SEQ of an ACK is not SND.NXT", "RFC 9293 3.10.7.4", "SEQ")
    owed = [item for item in hypothesis.pending if any(form.ctl == ACK for form in item.forms)]
    pending = _acknowledged(hypothesis.pending, segment.ack)
    if owed:
        at = hypothesis.pending.index(owed[0])
        met = pending[at].met
        pending = tuple(item for index, item in enumerate(pending) if index != at or not met)
        return Hypothesis(after, pending), Explanation("acknowledgment", owed[0].citation)
    if tcb.last_ack is not None and seq.gt(segment.ack, tcb.last_ack):
        return Hypothesis(after, pending), Explanation("acknowledgment", "RFC 9293 3.8.6.3")
    if tcb.rcv_edge is not None and seq.gt(_edge(tcb, segment), tcb.rcv_edge):
        return Hypothesis(after, pending), Explanation("window update", "RFC 9293 3.8.6")
    return Violation("nothing calls for this ACK", "RFC 9293 3.10.7.4", "CTL")
