"""Is this segment one that the target may send now, and why did it come?

`explain` judges one segment from the target against one hypothesis about the target: it
gives the hypothesis as the segment leaves it, or the violation.
"""

from dataclasses import dataclass, replace

from conformance.model import seq
from conformance.model.case import CallName, UserCall
from conformance.model.segment import Control, Segment, control_text, decode_options
from conformance.model.state import SYNCHRONIZED, State
from conformance.model.verdict import Level
from conformance.oracle import ecn, fast_open, invariants
from conformance.oracle.calls import user_call
from conformance.oracle.prediction import Explanation, Form, Obligation, Prediction, Violation
from conformance.oracle.tcb import Tcb

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN
_JUDGED = SYN | FIN | RST | ACK
_JUDGED_IN = ("CTL", "SEQ", "ACK")
"""The fields of a form in the order in which they are judged: what differs later is nearer to it."""
_FIN_STATES = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK, State.FIN_WAIT_2, State.TIME_WAIT})
_SENDING = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
ABORTED = "reset, perhaps by the user"
"""The kind of a reset that may be an ABORT, where nobody tells of the user's calls."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One thing that the target may be: its TCB, and what it must or may still send."""

    tcb: Tcb
    pending: tuple[Prediction, ...] = ()


Explained = tuple[Hypothesis, Explanation]


def explain(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    """Judge one segment from the target."""
    wrong = invariants.header(segment)
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


def _meet(pending: tuple[Prediction, ...], met: Prediction) -> tuple[Prediction, ...]:
    """Return the predictions left when one has been met for good."""
    return tuple(item for item in pending if item is not met)


def _reset(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    wrong = ecn.without_data(segment)
    if wrong:
        return wrong
    nearest: tuple[str, Prediction] | None = None
    # What is owed before what may come: the two may look alike.
    for prediction in sorted(hypothesis.pending, key=lambda item: item.obligation is Obligation.MAY):
        for form in prediction.forms:
            field = _mismatch(form, segment)
            if field is None:
                left = Hypothesis(hypothesis.tcb, _meet(hypothesis.pending, prediction))
                return left, Explanation("reset", prediction.citation)
            if form.ctl & RST and (nearest is None or _JUDGED_IN.index(field) > _JUDGED_IN.index(nearest[0])):
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
    if tcb.state is not wanted and not _may_repeat(tcb, segment):
        return Violation(
            f"a {control_text(segment.ctl)} cannot come from {tcb.state}", "RFC 9293 3.10.7", "CTL"
        )
    if segment.has(FIN):
        return Violation("SYN and FIN in one segment", "RFC 9293 3.5", "CTL")
    if tcb.iss is not None and segment.seq != tcb.iss:
        return Violation("SEQ is not the ISS chosen before", "RFC 9293 3.4.1", "SEQ")
    if tcb.fast_opened and tcb.iss is None:
        fast_open.take_up_to(tcb, segment.ack)
    if acks and segment.ack != tcb.rcv_nxt:
        return Violation("the SYN,ACK does not acknowledge SEG.SEQ+1", "RFC 9293 3.10.7.2 third", "ACK")
    wrong = ecn.setup(tcb, segment) or (invariants.answered_options(tcb, segment) if acks else None)
    if wrong:
        return wrong
    tcb.ecn_told |= {segment.ecn_setup}
    kind = "transmission" if tcb.iss is None else "retransmission"
    if tcb.iss is None:
        tcb.choose_iss(segment.seq)
    if segment.data:
        wrong = _text_on_syn(tcb, fast_open.text_of(segment))
        if wrong:
            return wrong
        tcb.snd_nxt = seq.latest(tcb.snd_nxt, segment.end)
    tcb.rcv_scale = segment.window_scale
    tcb.answered = frozenset(option.kind for option in decode_options(segment.options)[0])
    met = [item for item in hypothesis.pending if any(form.ctl & SYN for form in item.forms)]
    pending = hypothesis.pending
    for item in met:
        pending = _meet(pending, item)
    _advertise(tcb, segment)
    citation = met[0].citation if met else "RFC 9293 3.10.8; RFC 6298 5.4"
    return Hypothesis(tcb, pending), Explanation(kind, citation)


def _may_repeat(tcb: Tcb, segment: Segment) -> bool:
    """Whether it may be the SYN again, of a state that other events than its acknowledgment have led to."""
    if tcb.state is State.SYN_RECEIVED:
        return not tcb.passive
    return segment.has(ACK) and tcb.state in SYNCHRONIZED and not tcb.syn_acked


def _text_on_syn(tcb: Tcb, text: Segment) -> Violation | None:
    """Judge what a SYN carries (RFC 9293 3.5 lets it; RFC 7413 4.2.2).

    A client knows neither window nor MSS yet.
    """
    wrong = fast_open.too_early(tcb) or _octets(tcb, text)
    if wrong or tcb.offered_edge is None:
        return wrong
    return _amount(tcb, text, seq.diff(text.end, tcb.offered_edge))


def _synchronized(hypothesis: Hypothesis, segment: Segment) -> Explained | Violation:
    tcb = hypothesis.tcb
    wrong = invariants.synchronized(tcb, segment)
    if wrong:
        return wrong
    warning = invariants.window_shrunk(tcb, segment)
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


def _ecn(tcb: Tcb, segment: Segment, kind: str) -> Violation | None:
    """Judge the codepoint; a FIN by itself is neither data nor a pure ACK, and may have any."""
    if segment.data:
        return ecn.data(tcb, segment, kind)
    return None if segment.has(FIN) else ecn.without_data(segment)


def _advertise(tcb: Tcb, segment: Segment) -> None:
    if not segment.has(ACK):
        return
    tcb.rcv_edge = invariants.edge(tcb, segment)
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
    fresh = seq.gt(segment.end, tcb.snd_nxt)
    edge = tcb.offered_edge if tcb.offered_edge is not None else tcb.snd_nxt
    over = seq.diff(seq.add(segment.seq, len(segment.data)), edge)
    # A window that has closed since may have been offered further once (3.8.6.1).
    probe = len(segment.data) == 1 and (over == 1 or (fresh and tcb.usable_window <= 0))
    wrong = fast_open.too_early(tcb) or _octets(tcb, segment) or _fin(tcb, segment)
    wrong = wrong or _amount(tcb, segment, 0 if probe else over)
    if wrong:
        return wrong
    after = tcb.copy()
    if segment.has(FIN) and tcb.state is State.SYN_RECEIVED:
        after.state = State.FIN_WAIT_1
    if fresh:
        after.snd_nxt = segment.end
    after.fin_sent = tcb.fin_sent or segment.has(FIN)
    pending = _acknowledged(hypothesis, segment.ack)
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


def _amount(tcb: Tcb, segment: Segment, over: int) -> Violation | None:
    """What the window and the peer's MSS allow; the data goes `over` octets beyond the window."""
    if not segment.data:
        return None
    if over > 0:
        message = f"data goes {over} octets beyond the window that was offered"
        return Violation(message, "RFC 9293 3.8.6", "DATA")
    room = tcb.snd_mss - len(segment.options)
    if len(segment.data) > room:
        message = f"{len(segment.data)} octets of data; {room} is the most the peer accepts"
        return Violation(message, "RFC 9293 3.7.1 MUST-16", "DATA")
    return None


def _fin(tcb: Tcb, segment: Segment) -> Violation | None:
    if not segment.has(FIN):
        return None
    # What Fast Open lets it send ahead of the handshake it may end there, too.
    early = tcb.state is State.SYN_RECEIVED and tcb.fast_opened
    if not tcb.fin_queued or not (early or tcb.state in _FIN_STATES):
        return Violation("a FIN, but the user has not closed", "RFC 9293 3.10.4", "CTL")
    if seq.add(segment.seq, len(segment.data)) != tcb.stream_end:
        return Violation("the FIN does not follow the last octet of data", "RFC 9293 3.10.4", "SEQ")
    return None


def _acknowledged(hypothesis: Hypothesis, ack: int) -> tuple[Prediction, ...]:
    """Mark as met every owed acknowledgment that `ack` gives; they stay, as liberties to repeat it."""
    return tuple(
        replace(item, met=True)
        if any(form.ctl == ACK and _gives(hypothesis.tcb, ack, form.ack) for form in item.forms)
        else item
        for item in hypothesis.pending
    )


def _gives(tcb: Tcb, ack: int, owed: int | None) -> bool:
    """Whether `ack` gives what is owed.  What waited behind a gap need not have been kept (SHLD-31)."""
    if owed is None:
        return False
    if owed == tcb.rcv_nxt and tcb.brought is not None:
        owed = tcb.brought
    return seq.geq(ack, owed)


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
    pending = _acknowledged(hypothesis, segment.ack)
    if owed:
        at = hypothesis.pending.index(owed[0])
        met = pending[at].met
        pending = tuple(item for index, item in enumerate(pending) if index != at or not met)
        return Hypothesis(after, pending), Explanation("acknowledgment", owed[0].citation)
    if tcb.last_ack is not None and seq.gt(segment.ack, tcb.last_ack):
        return Hypothesis(after, pending), Explanation("acknowledgment", "RFC 9293 3.8.6.3")
    if tcb.rcv_edge is not None and seq.gt(invariants.edge(tcb, segment), tcb.rcv_edge):
        return Hypothesis(after, pending), Explanation("window update", "RFC 9293 3.8.6")
    return Violation("nothing calls for this ACK", "RFC 9293 3.10.7.4", "CTL")
