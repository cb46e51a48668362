"""SEGMENT ARRIVES: RFC 9293 3.10.7, check by check in the RFC's order.

`segment_arrives` returns every outcome that the RFCs allow, the one that RFC 9293 prefers
first.  Each outcome is the connection afterwards and what the target must or may send.
"""

from dataclasses import dataclass, replace

from conformance.model import seq
from conformance.model.segment import OPTION_TS, Control, Segment, decode_options
from conformance.model.state import State
from conformance.oracle import fast_open
from conformance.oracle.latitude import DELAYED_ACK, LIBERTIES, PROMPT, Profile
from conformance.oracle.prediction import Form, Obligation, Prediction
from conformance.oracle.tables import FIN_ACKED, FIN_ARRIVES, RST_CHECK, SYN_CHECK, TEXT_STATES
from conformance.oracle.tcb import Tcb

ACK, FIN, RST, SYN, URG = Control.ACK, Control.FIN, Control.RST, Control.SYN, Control.URG


@dataclass(frozen=True, slots=True)
class Outcome:
    """The connection after an event, and the segments that the event calls for."""

    tcb: Tcb
    predictions: tuple[Prediction, ...] = ()
    why: str = ""


def segment_arrives(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    """Process one segment of the tester at the target; `tcb` itself is not changed."""
    if tcb.joined is not None or tcb.brought is not None:
        # Whatever it brings, an ACK that comes now may answer it.
        tcb = tcb.copy()
        tcb.joined = tcb.brought = None
    if segment.defect:
        return [Outcome(tcb.copy(), why=f"RFC 9293 3.1: {segment.defect}; dropped")]
    if not segment.checksum_ok:
        return [Outcome(tcb.copy(), why="RFC 9293 3.1 MUST-3: a bad checksum is dropped")]
    if segment.doff is not None and not _header_fits(segment):
        return [Outcome(tcb.copy(), why="RFC 9293 3.1: the data offset cannot be; dropped")]
    outcomes = _by_state(tcb, segment, now, profile)
    if not decode_options(segment.options)[1]:
        outcomes += _illegal_options(tcb, segment, now)
    return outcomes


def _by_state(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    if tcb.state is State.LISTEN or (tcb.state is State.CLOSED and tcb.listening):
        return _listen(tcb, segment, now)
    if tcb.state is State.CLOSED:
        return [_closed(tcb, segment, now)]
    if tcb.state is State.SYN_SENT:
        return _syn_sent(tcb, segment, now)
    return _other_states(tcb, segment, now, profile)


def _header_fits(segment: Segment) -> bool:
    return segment.doff is not None and 5 <= segment.doff <= 5 + (len(segment.options) + 3) // 4


def _illegal_options(tcb: Tcb, segment: Segment, now: float) -> list[Outcome]:
    liberty = LIBERTIES["illegal-option-length"]
    reset = reset_for(segment)
    may = Prediction((reset,), Obligation.MAY, liberty.citation, now + PROMPT)
    return [
        Outcome(tcb.copy(), (), liberty.citation),
        Outcome(tcb.delete(), (may,), liberty.citation),
    ]


def must(form: Form, citation: str, now: float, *others: Form) -> Prediction:
    """Return a prompt reply that is required, in any of the forms given."""
    return Prediction((form, *others), Obligation.MUST, citation, now + PROMPT)


def challenge(tcb: Tcb, citation: str, now: float) -> Prediction:
    """Return the ACK that tells the peer what is expected, which may be throttled (RFC 5961 7)."""
    return replace(must(acknowledgment(tcb), citation, now), challenge=True)


def reset_for(segment: Segment) -> Form:
    """The reset that is acceptable to the sender of `segment` (RFC 9293 3.10.7.1)."""
    if segment.has(ACK):
        return Form(RST, segment.ack, None)
    return Form(RST | ACK, 0, segment.end)


def resets(tcb: Tcb) -> tuple[Form, Form]:
    """The reset that ends a connection from the target's side, in either form (RFC 9293 3.10.5)."""
    return Form(RST, tcb.snd_nxt, None), Form(RST | ACK, tcb.snd_nxt, tcb.rcv_nxt)


def aborted(tcb: Tcb, citation: str, now: float) -> Outcome:
    """The connection is gone, and a reset says so."""
    reset = Prediction(resets(tcb), Obligation.MUST, citation, now + PROMPT)
    return Outcome(tcb.delete(), (reset,), citation)


def acknowledgment(tcb: Tcb) -> Form:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>"""
    return Form(ACK, tcb.snd_nxt, tcb.rcv_nxt)


# -- 3.10.7.1 ---------------------------------------------------------------------------
def _closed(tcb: Tcb, segment: Segment, now: float) -> Outcome:
    if segment.has(RST):
        return Outcome(tcb.copy(), why="RFC 9293 3.10.7.1")
    return Outcome(tcb.copy(), (must(reset_for(segment), "RFC 9293 3.10.7.1", now),))


# -- 3.10.7.2 ---------------------------------------------------------------------------
def _listen(tcb: Tcb, segment: Segment, now: float) -> list[Outcome]:
    if segment.has(RST):
        return [Outcome(tcb.copy(), why="RFC 9293 3.10.7.2 first")]
    if segment.has(ACK):
        return [Outcome(tcb.copy(), (must(reset_for(segment), "RFC 9293 3.10.7.2 second", now),))]
    if not segment.has(SYN):
        return [Outcome(tcb.copy(), why="RFC 9293 3.10.7.2 fourth")]
    opened = tcb.opened(State.SYN_RECEIVED, True)
    opened.take_syn(segment)
    citation = "RFC 9293 3.10.7.2 third"
    reply = must(Form(SYN | ACK, None, opened.rcv_nxt), citation, now)
    outcomes = [Outcome(opened, (reply,))]
    if segment.length > 1:
        kept = opened.copy()
        kept.hold(segment)
        outcomes.insert(0, Outcome(kept, (reply,), LIBERTIES["text-on-syn"].citation))
    taken = fast_open.opened(opened, segment)
    if taken is not None:
        citation = LIBERTIES["fast-open"].citation
        reply = must(Form(SYN | ACK, None, taken.rcv_nxt), citation, now)
        outcomes.insert(0, Outcome(taken, (reply,), citation))
    return outcomes


# -- 3.10.7.3 ---------------------------------------------------------------------------
def _syn_sent(tcb: Tcb, segment: Segment, now: float) -> list[Outcome]:
    section = "RFC 9293 3.10.7.3"
    acceptable = False
    if segment.has(ACK):
        acceptable = seq.lt(tcb.snd_una, segment.ack) and seq.leq(segment.ack, tcb.snd_nxt)
        if not acceptable:
            if segment.has(RST):
                return [Outcome(tcb.copy(), why=f"{section} first")]
            return [Outcome(tcb.copy(), (must(reset_for(segment), f"{section} first", now),))]
    if segment.has(RST):
        after = tcb.delete() if acceptable else tcb.copy()
        return [Outcome(after, why=f"{section} second")]
    if not segment.has(SYN):
        return [Outcome(tcb.copy(), why=f"{section} fifth")]
    after = tcb.copy()
    after.take_syn(segment)
    if not acceptable:
        after.state = State.SYN_RECEIVED
        after.hold(segment)
        reply = Form(SYN | ACK, after.iss, after.rcv_nxt)
        return [Outcome(after, (must(reply, f"{section} fourth", now),))]
    after.snd_una = segment.ack
    after.state = State.ESTABLISHED
    after.update_window(segment)
    after.hold(segment)
    acked = must(acknowledgment(after), f"{section} fourth", now)
    return [_text_and_fin(after, segment, now, (acked,), always=False)]


# -- 3.10.7.4 ---------------------------------------------------------------------------
def _other_states(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    syn_again = tcb.state is State.SYN_RECEIVED or (tcb.fast_opened and not tcb.syn_acked)
    if syn_again and segment.has(SYN):
        special = _syn_again(tcb, segment, now, profile)
        if special:
            return special
    if tcb.state is State.TIME_WAIT and segment.has(SYN) and not segment.has(ACK | RST):
        return _syn_in_time_wait(tcb, segment, now, profile)
    if tcb.negotiated(OPTION_TS):
        stamped = _timestamps(tcb, segment, now)
        if stamped and segment.timestamps is not None:
            return stamped
        after = tcb.copy()
        after.take_timestamp(segment)
        return stamped + _checks(after, segment, now, profile)
    return _checks(tcb, segment, now, profile)


def _checks(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    """3.10.7.4, from the first check to the fifth and what follows it."""
    if not tcb.acceptable(segment):
        return [_unacceptable(tcb, segment, now)]
    if segment.has(RST):
        return _rst(tcb, segment, now, profile)
    if segment.has(SYN):
        return [_syn(tcb, segment, now, profile)]
    if not segment.has(ACK):
        return [Outcome(tcb.copy(), why="RFC 9293 3.10.7.4 fifth: the ACK bit is off")]
    return _ack(tcb, segment, now, profile)


def _timestamps(tcb: Tcb, segment: Segment, now: float) -> list[Outcome]:
    """PAWS (RFC 7323 5.3 R1): an older timestamp is no acceptable segment; a RST is exempt."""
    stamps = segment.timestamps
    if segment.has(RST) or (stamps is not None and seq.geq(stamps[0], tcb.ts_recent)):
        return []
    if stamps is None:
        return [Outcome(tcb.copy(), why=LIBERTIES["timestamp-missing"].citation)]
    return [Outcome(tcb.copy(), (challenge(tcb, "RFC 7323 5.3 R1", now),))]


def _unacceptable(tcb: Tcb, segment: Segment, now: float) -> Outcome:
    """3.10.7.4 first."""
    citation = "RFC 9293 3.10.7.4 first"
    after = tcb.copy()
    if segment.has(RST):
        return Outcome(after, why=citation)
    if tcb.rcv_wnd == 0 and segment.seq == tcb.rcv_nxt and segment.has(ACK) and not segment.has(SYN):
        # MUST-66: with a closed window the acknowledgment and URG still count, the text does not.
        after.take_ack(segment)
        _take_urg(after, segment)
        _fin_acknowledged(after)
    return Outcome(after, (challenge(after, citation, now),))


def _syn_again(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    """A SYN with the SEQ of the first one: sent again, or crossed with ours (Figure 7)."""
    if segment.seq != tcb.irs or segment.has(RST):
        return []
    again = Form(SYN | ACK, tcb.iss, tcb.rcv_nxt)
    answered = must(again, LIBERTIES["duplicate-syn"].citation, now, acknowledgment(tcb))
    if not segment.has(ACK):
        after = tcb.copy()
        after.ecn_heard |= {segment.ecn_setup}
        return [Outcome(after, (answered,))]
    trimmed = Segment(
        seq.add(segment.seq, 1),
        segment.ack,
        segment.ctl & ~SYN,
        segment.wnd,
        0,
        segment.data,
        segment.options,
    )
    return [*_ack(tcb, trimmed, now, profile), Outcome(tcb.copy(), (answered,))]


def _syn_in_time_wait(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    liberty = LIBERTIES["syn-in-time-wait"]
    challenged = Outcome(tcb.copy(), (challenge(tcb, SYN_CHECK[State.TIME_WAIT].citation, now),))
    if not (_is_newer(tcb, segment) and tcb.listening):
        return [challenged]
    fresh = tcb.delete()
    fresh.state = State.LISTEN
    reopened = _listen(fresh, segment, now)
    for outcome in reopened:
        # MAY-2 (2): back to TIME-WAIT if the SYN turns out to be an old duplicate.
        outcome.tcb.reopened = tcb
    return [challenged, *(Outcome(o.tcb, o.predictions, liberty.citation) for o in reopened)]


def _is_newer(tcb: Tcb, segment: Segment) -> bool:
    """MAY-2: a SEQ beyond the old connection's numbers; RFC 6191 2: or a newer timestamp."""
    stamps = segment.timestamps
    stamped = stamps is not None and tcb.negotiated(OPTION_TS) and seq.gt(stamps[0], tcb.ts_recent)
    return stamped or seq.gt(segment.seq, tcb.rcv_nxt)


def _rst(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    """3.10.7.4 second, with the three checks of RFC 5961 3.2."""
    cell = RST_CHECK[tcb.state]
    if profile.rfc5961 and segment.seq != tcb.rcv_nxt:
        answer = challenge(tcb, f"{cell.citation}; RFC 5961 3.2", now)
        first = Outcome(tcb.copy(), (answer,))
    else:
        first = Outcome(_reset_connection(tcb), why=cell.citation)
    if tcb.state is State.TIME_WAIT:
        return [first, Outcome(tcb.copy(), why=LIBERTIES["time-wait-assassination"].citation)]
    return [first]


def _reset_connection(tcb: Tcb) -> Tcb:
    """The connection after a valid reset: a passive SYN-RECEIVED goes back to where it came from."""
    if tcb.reopened is not None:
        return tcb.reopened.copy()
    after = tcb.delete()
    if tcb.state is State.SYN_RECEIVED and tcb.passive and tcb.listening:
        after.state = State.LISTEN
    return after


def _syn(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> Outcome:
    """3.10.7.4 fourth: a SYN inside the window."""
    cell = SYN_CHECK[tcb.state]
    if tcb.state is State.SYN_RECEIVED and tcb.passive:
        return Outcome(_reset_connection(tcb), why=cell.citation)
    if not profile.rfc5961:
        return Outcome(tcb.delete(), (must(reset_for(segment), cell.citation, now),))
    return Outcome(tcb.copy(), (challenge(tcb, cell.citation, now),))


def _ack(tcb: Tcb, segment: Segment, now: float, profile: Profile) -> list[Outcome]:
    """3.10.7.4 fifth."""
    after = tcb.copy()
    if tcb.state is State.SYN_RECEIVED:
        if not (seq.lt(tcb.snd_una, segment.ack) and seq.leq(segment.ack, tcb.snd_nxt)):
            liberty = LIBERTIES["bad-ack-in-syn-received"]
            return [Outcome(after, (must(reset_for(segment), liberty.citation, now, acknowledgment(tcb)),))]
        after.state = State.ESTABLISHED if not after.fin_queued else State.FIN_WAIT_1
        after.reopened = None
    if seq.gt(segment.ack, tcb.snd_nxt):
        liberty = LIBERTIES["ack-of-unsent"]
        may = Prediction((acknowledgment(tcb),), Obligation.MAY, liberty.citation, now + PROMPT)
        return [Outcome(after, (may,))]
    oldest = seq.add(tcb.snd_una, -max(tcb.max_snd_wnd, 1))
    if profile.rfc5961 and seq.lt(segment.ack, oldest):
        return [Outcome(after, (challenge(tcb, "RFC 5961 5.2; RFC 9293 MAY-12", now),))]
    after.take_ack(segment)
    if _fin_acknowledged(after):
        if after.state is State.CLOSED:
            return [Outcome(after.delete(), why=FIN_ACKED[State.LAST_ACK].citation)]
        if after.state is State.TIME_WAIT and not segment.length:
            return [Outcome(after, why=FIN_ACKED[State.CLOSING].citation)]
    after.hold(segment)
    always = segment.length > 0 or segment.seq != tcb.rcv_nxt
    outcomes = [_text_and_fin(after.copy(), segment, now, (), always=always)]
    if after.fin_queued and not after.user_known:
        # Who has closed may have closed for good (SHLD-3), and nobody tells.
        gone = replace(after, user_gone=True)
        outcomes.append(_text_and_fin(gone, segment, now, (), always=always))
    return outcomes


def _take_urg(tcb: Tcb, segment: Segment) -> None:
    """3.10.7.4 sixth."""
    if segment.has(URG) and tcb.state in TEXT_STATES:
        tcb.take_urgent_pointer(segment)


def _fin_acknowledged(tcb: Tcb) -> bool:
    if not tcb.fin_acked or tcb.state not in FIN_ACKED:
        return False
    tcb.state = FIN_ACKED[tcb.state].next or tcb.state
    return True


def _text_and_fin(
    tcb: Tcb, segment: Segment, now: float, owed: tuple[Prediction, ...], *, always: bool
) -> Outcome:
    """3.10.7.4 sixth to eighth: URG, text in sequence, then a FIN whose turn it is.

    `always` says that the segment may draw an ACK even if it brings nothing: it occupies sequence
    space, or is in the window but not at its left edge (MAY-13).
    """
    if tcb.state not in TEXT_STATES:
        tcb.held, tcb.held_fin = (), None
        if always:
            citation = LIBERTIES["time-wait-ack"].citation
            may = Prediction((acknowledgment(tcb),), Obligation.MAY, citation, now + PROMPT)
            return Outcome(tcb, (*owed, may))
        return Outcome(tcb, owed, "RFC 9293 3.10.7.4 fifth")
    _take_urg(tcb, segment)
    gained = tcb.take_in_order()
    if gained and tcb.user_gone:
        return aborted(tcb, LIBERTIES["half-duplex-close"].citation, now)
    citation = "RFC 9293 3.10.7.4 seventh; 3.8.6.3 MUST-40"
    if tcb.held_fin is not None and tcb.held_fin == tcb.rcv_nxt:
        cell = FIN_ARRIVES[tcb.state]
        tcb.rcv_nxt = seq.add(tcb.rcv_nxt, 1)
        tcb.held_fin, tcb.fin_received = None, True
        tcb.state = cell.next or tcb.state
        gained += 1
        citation = cell.citation
    if gained:
        tcb.brought = segment.end if seq.lt(segment.end, tcb.rcv_nxt) else None
        due = Prediction((acknowledgment(tcb),), Obligation.MUST, citation, now + DELAYED_ACK)
        return Outcome(tcb, (*owed, due))
    if always:
        liberty = LIBERTIES["out-of-order-ack"]
        may = Prediction((acknowledgment(tcb),), Obligation.MAY, liberty.citation, now + PROMPT)
        return Outcome(tcb, (*owed, may))
    return Outcome(tcb, owed, "RFC 9293 3.10.7.4 fifth")
