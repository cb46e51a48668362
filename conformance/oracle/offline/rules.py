"""The invariants that hold wherever a capture was taken, one small function each, in a table.

A capture point sees a segment after its sender sent it, and what the other end sent before the
sender can have received it.  So what an end acknowledges, echoes and fills is bounded by what
was seen until then.  What depends on the order in which an end sent its segments is said under
the condition that the capture was taken near it, or that its timestamps tell the order.
"""

from conformance.model import seq
from conformance.model.segment import (
    OPTION_MSS,
    OPTION_SACK,
    OPTION_SACK_PERMITTED,
    OPTION_TS,
    OPTION_WS,
    Control,
    control_text,
    decode_options,
)
from conformance.model.verdict import Level
from conformance.oracle.offline.end import End, Mark, Order, scale
from conformance.oracle.offline.finding import Condition, Rule, Said, View
from conformance.oracle.tcb import DEFAULT_MSS, MAX_SHIFT

ACK, FIN, RST, SYN = Control.ACK, Control.FIN, Control.RST, Control.SYN
_LENGTHS = {OPTION_MSS: (2,), OPTION_WS: (1,), OPTION_SACK_PERMITTED: (0,), OPTION_TS: (8,)}
_ON_SYN = {OPTION_MSS: "MSS", OPTION_WS: "window scale", OPTION_SACK_PERMITTED: "SACK-permitted"}
_NEGOTIATED = {OPTION_WS: "window scale", OPTION_TS: "timestamps", OPTION_SACK_PERMITTED: "SACK-permitted"}
_RESERVED = 0b1110
"""The fourth reserved bit has become AE (RFC 9768)."""
_CLOCK_SLACK = 2.0
"""Seconds that a segment may be late on its way before its TSval tells of a wrong clock."""
_CLOCK_MEASURED = 0.1
"""Seconds over which a timestamp clock must have been seen before it is judged."""


# -- the header ---------------------------------------------------------------------------
def malformed(view: View) -> Said | None:
    return Said(view.recorded.segment.defect) if view.recorded.segment.defect else None


def reserved(view: View) -> Said | None:
    return Said("reserved bits are set") if view.recorded.segment.rsv & _RESERVED else None


def control(view: View) -> Said | None:
    ctl = view.recorded.segment.ctl
    if ctl & SYN and ctl & (FIN | RST):
        return Said(f"{control_text(ctl)} in one segment")
    if not ctl & (SYN | RST | ACK):
        return Said("neither SYN, RST nor ACK is set")
    return None


def options(view: View) -> Said | None:
    if not view.recorded.options_known:
        return None
    if not view.recorded.segment.options:
        return None
    found, good = decode_options(view.recorded.segment.options)
    if not good:
        return Said("the options are malformed")
    for item in found:
        if len(item.value) not in _LENGTHS.get(item.kind, (len(item.value),)):
            return Said(f"an option of kind {item.kind} has {len(item.value) + 2} octets")
        if item.kind == OPTION_SACK and (not item.value or len(item.value) % 8):
            return Said(f"a SACK option has {len(item.value) + 2} octets")
    return None


def syn_options(view: View) -> Said | None:
    segment = view.recorded.segment
    if segment.has(SYN):
        return None
    for kind, name in _ON_SYN.items():
        if segment.option(kind) is not None:
            return Said(f"{name} outside a SYN")
    return None


def shift(view: View) -> Said | None:
    segment = view.recorded.segment
    value = segment.window_scale if segment.has(SYN) else None
    return Said(f"the shift is {value}") if value is not None and value > MAX_SHIFT else None


# -- the handshake ------------------------------------------------------------------------
def syn_isn(view: View) -> Said | None:
    segment, end = view.recorded.segment, view.sender
    if not segment.has(SYN) or segment.has(ACK) or not end.isn_known or segment.seq == end.isn:
        return None
    return Said("a SYN sent again has another ISN than the first")


def syn_ack_isn(view: View) -> Said | None:
    """Every copy of the SYN may have been answered anew; more ISNs than that no listener chooses."""
    segment, end = view.recorded.segment, view.sender
    if not segment.has(SYN) or not segment.has(ACK) or not end.isn_known or segment.seq in end.isns:
        return None
    if len(end.isns) < view.receiver.syns:
        return None
    return Said("a SYN,ACK sent again has another ISN than the first", Condition.NEAR)


def syn_ack_number(view: View) -> Said | None:
    segment, peer = view.recorded.segment, view.receiver
    if not (segment.has(SYN) and segment.has(ACK)) or not peer.isn_known or view.ack is None:
        return None
    # Data on the SYN may be acknowledged with it, or not (RFC 7413 4.2.2).
    if 1 <= view.ack <= max(peer.top, 1):
        return None
    # A SYN with data that the capture has missed may have been sent again without.
    return Said("the SYN,ACK does not acknowledge SEG.SEQ+1", Condition.COMPLETE)


def syn_ack_options(view: View) -> Said | None:
    segment, peer = view.recorded.segment, view.receiver
    if not (segment.has(SYN) and segment.has(ACK)) or not peer.synchronized:
        return None
    for kind, name in _NEGOTIATED.items():
        if segment.option(kind) is not None and kind not in peer.offered:
            return Said(f"{name} in the SYN,ACK was not in the SYN")
    return None


# -- acknowledgments ----------------------------------------------------------------------
def ack_beyond(view: View) -> Said | None:
    peer = view.receiver
    if view.ack is None or view.recorded.segment.has(SYN) or not (peer.whole and peer.seen):
        return None
    gaps = peer.covered.gaps(1, view.ack)
    if not gaps:
        return None
    # What lies beyond all that was seen tells more than a hole, which may be filled yet.
    start, end = gaps[-1] if gaps[-1][0] >= peer.shown else gaps[0]
    if peer.fin is not None and view.ack > peer.fin + 1:
        return Said(f"ACK acknowledges {view.ack - peer.fin - 1} sequence numbers beyond the other end's FIN")
    if end == view.ack:
        message = f"ACK acknowledges {end - start} sequence numbers beyond what the other end has sent"
    else:
        message = f"ACK acknowledges {end - start} sequence numbers that were not seen to be sent"
    return Said(message, Condition.CLAIM, (start, end))


def _order(view: View, earlier: Mark) -> Condition | None:
    """What the claim rests on that this segment was sent after an earlier one of the capture."""
    order = Mark.of(view.recorded).order(earlier)
    if order is Order.BEFORE:
        return None
    return Condition.CERTAIN if order is Order.AFTER else Condition.NEAR


def ack_back(view: View) -> Said | None:
    end = view.sender
    if view.ack is None or end.ack is None or view.ack >= end.ack or view.recorded.segment.ctl & (SYN | RST):
        return None
    condition = _order(view, end.ack_mark)
    return condition and Said(f"ACK is {end.ack - view.ack} less than one sent before", condition)


def edge_back(view: View) -> Said | None:
    end = view.sender
    if view.edge is None or end.firm is None or view.recorded.segment.ctl & (SYN | RST):
        return None
    if end.guessed or scale(end, view.receiver) is None:
        return None
    # A connection that is over on both sides has no window to speak of.
    if end.fin is not None and view.receiver.fin is not None:
        return None
    back = end.firm - view.edge
    if back < 1 << (end.shift or 0) or view.ack is None or view.ack < (end.ack or 0):
        return None
    condition = _order(view, end.edge_mark)
    return condition and Said(f"the right edge of the window moved left by {back}", condition)


def sack_permitted(view: View) -> Said | None:
    if view.recorded.segment.option(OPTION_SACK) is None or not view.receiver.synchronized:
        return None
    if OPTION_SACK_PERMITTED in view.receiver.offered:
        return None
    return Said("SACK was not permitted by the other end")


def sack_beyond(view: View) -> Said | None:
    peer = view.receiver
    if peer.isn is None or not (peer.whole and peer.seen):
        return None
    for left, right in view.recorded.segment.sack_blocks():
        start, end = peer.offset(left), peer.offset(right)
        if start >= end:
            return Said("a SACK block is empty or reversed")
        gaps = peer.covered.gaps(max(start, 1), end)
        if gaps:
            return Said("a SACK block has what was not seen to be sent", Condition.CLAIM, gaps[0])
    return None


# -- text ---------------------------------------------------------------------------------
def octets(view: View) -> Said | None:
    recorded, end = view.recorded, view.sender
    # A keep-alive may carry one octet of garbage (RFC 9293 3.8.4).
    if recorded.length == 1 and view.receiver.ack is not None and view.data_end <= view.receiver.ack:
        return None
    different = end.octets.difference(view.data_start, recorded.segment.data)
    if different is None:
        return None
    return Said(f"the octet at {end.show(different)} is not the one sent before")


def window(view: View) -> Said | None:
    edge = view.receiver.edge
    length = view.recorded.length
    if edge is None or not length or view.recorded.segment.has(SYN):
        return None
    over = view.data_end - edge
    if over <= 0 or (over == 1 and length == 1):
        return None
    message = f"data goes {over} octets beyond any window that was offered"
    return Said(message, Condition.OFFER, (view.data_end, view.data_end))


def largest_segment(view: View) -> int | None:
    """Return how much data the receiver accepts in this segment; None where it is not known."""
    peer, recorded = view.receiver, view.recorded
    if not peer.synchronized or not recorded.options_known or recorded.segment.has(SYN):
        # Who sends a SYN does not know it yet, even where the SYN,ACK is on its way.
        return None
    family = 6 if ":" in recorded.source[0] else 4
    return (DEFAULT_MSS[family] if peer.mss is None else peer.mss) - len(recorded.segment.options)


def mss(view: View) -> Said | None:
    room = largest_segment(view)
    if room is None or view.recorded.length <= room:
        return None
    message = f"{view.recorded.length} octets of data; {room} is the most that the other end accepts"
    return Said(message, Condition.SEGMENTS)


def after_fin(view: View) -> Said | None:
    fin = view.sender.fin
    if fin is None or view.recorded.segment.has(RST):
        return None
    if view.data_end > fin and view.recorded.length:
        return Said("data after the FIN")
    return Said("SEQ is beyond the FIN") if view.start > fin + 1 else None


def fin_moves(view: View) -> Said | None:
    end = view.sender
    if not view.recorded.segment.has(FIN):
        return None
    if end.fin is not None and view.data_end != end.fin:
        return Said("the FIN is not where it was before")
    if end.fin is None and view.data_end < end.data_top:
        return Said("the FIN comes before data that was sent")
    return None


def before_isn(view: View) -> Said | None:
    if not view.sender.isn_known or view.recorded.segment.ctl & (SYN | RST) or view.start >= 0:
        return None
    return Said("SEQ is before the ISN")


# -- timestamps ---------------------------------------------------------------------------
def _agreed(view: View) -> bool | None:
    """Whether both ends agreed on timestamps; None where it is not known, or not the same each time."""
    ends = view.sender, view.receiver
    if not all(end.synchronized for end in ends):
        return None
    if all(OPTION_TS in (end.always or ()) for end in ends):
        return True
    return None if all(end.has_timestamps() for end in ends) else False


def timestamps(view: View) -> Said | None:
    segment = view.recorded.segment
    if segment.ctl & (SYN | RST) or not view.recorded.options_known:
        return None
    agreed, there = _agreed(view), segment.timestamps is not None
    if agreed and not there:
        return Said("a segment without timestamps, which were negotiated")
    return Said("timestamps were not negotiated") if agreed is False and there else None


def echo(view: View) -> Said | None:
    stamps, peer = view.recorded.segment.timestamps, view.receiver
    if stamps is None or not view.recorded.segment.has(ACK) or peer.tsval is None or not peer.whole:
        return None
    ahead = seq.diff(stamps[1], peer.tsval)
    if ahead <= 0 or not stamps[1]:
        return None
    message = f"TSecr is {ahead} ahead of any TSval that the other end has sent"
    return Said(message, Condition.ECHO, (stamps[1], stamps[1]))


def clock_rate(end: End) -> float | None:
    """Return the ticks a second of an end's timestamp clock, or None where too little was seen."""
    if end.ts_first is None or end.ts_last is None:
        return None
    elapsed = end.ts_last[0] - end.ts_first[0]
    ticks = seq.diff(end.ts_last[1], end.ts_first[1])
    return ticks / elapsed if elapsed > _CLOCK_MEASURED and ticks > 0 else None


def clock(view: View) -> Said | None:
    stamps, end = view.recorded.segment.timestamps, view.sender
    rate = clock_rate(end)
    if stamps is None or rate is None or end.ts_last is None:
        return None
    elapsed = view.recorded.time - end.ts_last[0]
    ticks = seq.diff(stamps[0], end.ts_last[1])
    if -rate * _CLOCK_SLACK - 10 <= ticks <= rate * (elapsed * 1.5 + _CLOCK_SLACK) + 10:
        return None
    how = "back" if ticks < 0 else "on"
    return Said(
        f"TSval goes {how} by {abs(ticks)} ticks in {elapsed:.3f} s ({rate:.0f} ticks a second before)"
    )


# -- resets -------------------------------------------------------------------------------
def reset_number(view: View) -> Said | None:
    """A reset has SND.NXT, or the ACK of what it answers: never a SEQ that the other end cannot accept."""
    segment, end, peer = view.recorded.segment, view.sender, view.receiver
    if not segment.has(RST) or segment.seq in peer.strays:
        return None
    if not end.isn_known:
        if not peer.isn_known or peer.ack or not segment.has(ACK):
            return None
        message = "a reset in answer to a SYN has a SEQ other than 0"
        return Said(message, Condition.COMPLETE) if segment.seq else None
    if peer.edge is None:
        return None
    edge = max(end.top, peer.edge + 2 + (1 << (end.shift or 0)))
    if 0 <= view.start <= edge or not segment.seq:
        return None
    return Said("the reset has a SEQ that its peer would not accept", Condition.COMPLETE)


ALWAYS: tuple[Rule, ...] = (
    Rule("malformed", "RFC 9293 3.1", "", malformed),
    Rule("reserved-bits", "RFC 9293 3.1", "", reserved),
    Rule("control-bits", "RFC 9293 3.1, 3.5", "CTL", control),
    Rule("option-malformed", "RFC 9293 3.2 MUST-7", "", options),
    Rule("option-place", "RFC 9293 3.2; RFC 7323 2.2; RFC 2018 2", "", syn_options),
    Rule("scale-too-large", "RFC 7323 2.3", "", shift),
    Rule("syn-isn", "RFC 9293 3.4.1, 3.10.1", "SEQ", syn_isn),
)
"""Rules that hold for any segment."""

ANSWER: tuple[Rule, ...] = (Rule("syn-ack-isn", "RFC 9293 3.4.1, 3.10.7.2", "SEQ", syn_ack_isn),)
"""The rule for a SYN,ACK whose ISN is not the one before."""

CONNECTED: tuple[Rule, ...] = (
    Rule("syn-ack-number", "RFC 9293 3.10.7.2 third", "ACK", syn_ack_number),
    Rule("syn-ack-options", "RFC 7323 2.2, 3.2; RFC 2018 2", "", syn_ack_options),
    Rule("ack-beyond", "RFC 9293 3.4", "ACK", ack_beyond),
    Rule("ack-back", "RFC 9293 3.10.7.4 seventh", "ACK", ack_back),
    Rule("edge-back", "RFC 9293 3.8.6 SHLD-14", "WND", edge_back, Level.SHOULD),
    Rule("sack-not-permitted", "RFC 2018 4", "", sack_permitted),
    Rule("sack-beyond", "RFC 2018 3", "", sack_beyond),
    Rule("other-octets", "RFC 9293 3.4", "DATA", octets),
    Rule("beyond-window", "RFC 9293 3.8.6", "DATA", window),
    Rule("segment-too-large", "RFC 9293 3.7.1 MUST-16", "DATA", mss),
    Rule("after-fin", "RFC 9293 3.6", "SEQ", after_fin),
    Rule("fin-moves", "RFC 9293 3.10.4", "SEQ", fin_moves),
    Rule("before-isn", "RFC 9293 3.4", "SEQ", before_isn),
    Rule("timestamps-presence", "RFC 7323 3.2", "", timestamps),
    Rule("timestamps-echo", "RFC 7323 4.3", "", echo),
    Rule("timestamps-clock", "RFC 7323 4.1", "", clock),
    Rule("reset-number", "RFC 9293 3.5.2, 3.10.7.1", "SEQ", reset_number),
)
"""Rules for a segment of a connection of which the capture shows enough."""

CHECKSUM = Rule("checksum", "RFC 9293 3.1 MUST-2", "CKSUM", lambda view: None)
"""Judged by the flow, for it decides whether the segment counts at all."""
