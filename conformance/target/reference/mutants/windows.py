"""Windows: ignored, misread, withdrawn, or never opened again."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import SYNCHRONIZED
from conformance.oracle.arrives import Outcome
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, RST, SYN, Alarm
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("peer-window-ignored", "RFC 9293 3.8.6")
class WindowIgnored(Endpoint):
    """Sends all that the congestion window lets it, whatever the peer's window."""

    def usable(self) -> int:
        return self.congestion_window() - seq.diff(self.tcb.snd_nxt, self.tcb.snd_una)


@mutant("peer-window-plus-one-segment", "RFC 9293 3.8.6")
class WindowOverrun(Endpoint):
    """Sends the segment that no longer fits into the window whole."""

    def sendable(self) -> int:
        size = super().sendable()
        tcb = self.tcb
        if not size and tcb.unsent and tcb.usable_window > 0 and self.usable() > 0:
            return min(tcb.unsent, self.send_mss)
        return size


@mutant("window-signed", "RFC 9293 3.1 MUST-1")
class WindowSigned(Endpoint):
    """Takes a window of 32,768 and more for negative, and waits for a better one."""

    def usable(self) -> int:
        tcb = self.tcb
        return 0 if 32768 <= tcb.snd_wnd <= 65535 else super().usable()

    def probe(self) -> None:
        return


@mutant("window-update-needs-new-ack", "RFC 9293 3.10.7.4 fifth")
class WindowUpdateMissed(Endpoint):
    """Takes a new window only from a segment that acknowledges something new."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        after = outcome.tcb
        if before.state in SYNCHRONIZED and before.iss == after.iss and after.snd_una == before.snd_una:
            after.snd_wnd, after.snd_wl1, after.snd_wl2 = before.snd_wnd, before.snd_wl1, before.snd_wl2
        return outcome


@mutant("window-from-old-segment", "RFC 9293 3.10.7.4 fifth")
class WindowFromOldSegment(Endpoint):
    """Takes the window of every segment, one that was overtaken, too."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        old = before.copy()
        old.snd_wl1 = seq.add(segment.seq, -1)
        return super().process(old if before.state in SYNCHRONIZED else before, segment)


@mutant("window-of-old-ack-taken", "RFC 9293 3.10.7.4 fifth")
class WindowOfOldAck(Endpoint):
    """Takes the window of an ACK below SND.UNA."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        old = before.acceptable(segment) and segment.has(ACK) and seq.lt(segment.ack, before.snd_una)
        if before.state in SYNCHRONIZED and old:
            outcome.tcb.snd_wnd = segment.wnd
        return outcome


@mutant("window-of-syn-kept", "RFC 9293 3.10.7.4 fifth")
class WindowOfSynKept(Endpoint):
    """Goes by the window of the SYN for ever."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if before.state in SYNCHRONIZED and outcome.tcb.iss == before.iss:
            outcome.tcb.snd_wnd = before.snd_wnd
        return outcome


@mutant("zero-window-not-probed", "RFC 9293 3.8.6.1 MUST-36")
class NotProbed(Endpoint):
    """Waits for a closed window to open, for ever if need be."""

    def probes(self) -> bool:
        return False


@mutant("zero-window-probed-at-once", "RFC 9293 3.8.6.1 SHLD-29")
class ProbedAtOnce(Endpoint):
    """Probes a closed window after 50 ms."""

    def watch(self) -> None:
        super().watch()
        if self.tcb.snd_wnd == 0 and not self.retries and self.tcb.state in SYNCHRONIZED:
            self.arm(Alarm.RETRANSMISSION, 0.05)


@mutant("zero-window-probes-not-spaced", "RFC 9293 3.8.6.1 SHLD-30")
class ProbesNotSpaced(Endpoint):
    """Probes a closed window at regular intervals."""

    def backed_off(self) -> float:
        return self.rto if self.tcb.snd_wnd == 0 else super().backed_off()


@mutant("zero-window-gives-up", "RFC 9293 3.8.6.1 MUST-37")
class ZeroWindowGivesUp(Endpoint):
    """Drops a connection whose window stays closed, though its probes are acknowledged."""

    def hopeless(self) -> bool:
        return super().hopeless() or (self.tcb.snd_wnd == 0 and self.retries >= 2)


@mutant("zero-window-probe-empty", "RFC 9293 3.8.6.1")
class ProbeEmpty(Endpoint):
    """Probes a closed window without an octet of data."""

    def probe(self) -> None:
        self.acknowledge()


@mutant("zero-window-probe-too-long", "RFC 9293 3.8.6.1")
class ProbeTooLong(Endpoint):
    """Sends all it has into a closed window by way of a probe."""

    def probe(self) -> None:
        size = seq.diff(self.tcb.stream_end, self.tcb.snd_una)
        if size > 0:
            self.send_text(self.tcb.snd_una, min(size, self.send_mss))


@mutant("window-opening-not-noticed", "RFC 9293 3.8.6.1; 3.10.7.4 fifth")
class OpeningNotNoticed(Endpoint):
    """Does not send when the window opens, but when something else happens."""

    blocked = False

    def window_opened(self) -> None:
        self.blocked = True

    def output(self) -> None:
        if self.blocked:
            self.blocked = False
            return
        super().output()


@mutant("shrunk-window-overrun", "RFC 9293 3.8.6 MUST-34")
class ShrunkOverrun(Endpoint):
    """Goes by the furthest edge that was ever offered, when the window shrinks."""

    def usable(self) -> int:
        tcb = self.tcb
        edge = tcb.offered_edge if tcb.offered_edge is not None else tcb.snd_nxt
        return min(seq.diff(edge, tcb.snd_nxt), self.congestion_window())


@mutant("shrunk-window-wedges", "RFC 9293 3.8.6 MUST-34")
class ShrunkWedges(Endpoint):
    """Takes a window that has shrunk below what was sent for a reason to stop retransmitting."""

    def retransmit(self) -> None:
        if self.tcb.usable_window >= 0:
            super().retransmit()

    def probe(self) -> None:
        if self.tcb.usable_window >= 0:
            super().probe()


@mutant("silly-window-sender", "RFC 9293 3.8.6.2.1 MUST-38")
class SillySender(Endpoint):
    """Fills any window at once, however small."""

    def may_send_short(self, idle: bool, whole: bool, room: int) -> bool:
        return True


@mutant("no-override", "RFC 9293 3.8.6.2.1 (4)")
class NoOverride(Endpoint):
    """Waits for ever for a window of half the largest."""

    def override_timeout(self) -> None:
        return


@mutant("nagle-missing", "RFC 9293 3.7.4 SHLD-7")
class NagleMissing(Endpoint):
    """Sends short segments while data is unacknowledged, though the user lets it wait."""

    def may_send_short(self, idle: bool, whole: bool, room: int) -> bool:
        return whole or super().may_send_short(idle, whole, room)


@mutant("nagle-cannot-be-turned-off", "RFC 9293 3.7.4 MUST-17")
class NagleAlways(Endpoint):
    """Lets short segments wait although the user has turned that off."""

    def may_send_short(self, idle: bool, whole: bool, room: int) -> bool:
        return super().may_send_short(self.tcb.snd_nxt == self.tcb.snd_una, whole, room)


@mutant("nagle-holds-full-segments", "RFC 9293 3.7.4")
class NagleHoldsAll(Endpoint):
    """Sends nothing new, full-sized or not, while data is unacknowledged."""

    def sendable(self) -> int:
        idle = self.tcb.snd_nxt == self.tcb.snd_una
        return super().sendable() if idle or self.nodelay else 0


# -- its own window ----------------------------------------------------------------------
@mutant("own-window-never-closes", "RFC 9293 3.8.6")
class OwnWindowNeverCloses(Endpoint):
    """Advertises its whole buffer, full or not."""

    def free(self) -> int:
        return self.around.settings.buffer


@mutant("own-window-withdrawn", "RFC 9293 3.8.6 SHLD-14")
class OwnWindowWithdrawn(Endpoint):
    """Takes the right edge of its window back when data comes in."""

    def window(self) -> int:
        return max(0, super().window() - 3 * len(self.unread))


@mutant("own-window-silly", "RFC 9293 3.8.6.2.2 MUST-39")
class OwnWindowSilly(Endpoint):
    """Advertises every octet that the user has read at once."""

    def worth_telling(self, gain: int) -> bool:
        return gain > 0


@mutant("own-window-update-missing", "RFC 9293 3.8.6")
class OwnUpdateMissing(Endpoint):
    """Does not tell the peer when its window opens again."""

    def opened(self) -> None:
        return


@mutant("own-window-closed-drops-acks", "RFC 9293 3.4 MUST-66; 3.10.7.4 first; RFC 2525 2.12")
class ClosedWindowDeaf(Endpoint):
    """Takes nothing at all from a segment while its own window is closed, the ACK neither."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        deaf = before.state in SYNCHRONIZED and before.rcv_wnd == 0 and not segment.ctl & (RST | SYN)
        return Outcome(before.copy()) if deaf else super().process(before, segment)


@mutant("own-window-probe-not-answered", "RFC 9293 3.8.6.1")
class ProbeNotAnswered(Endpoint):
    """Drops a probe of its closed window without an ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        closed = before.state in SYNCHRONIZED and before.rcv_wnd == 0 and segment.length > 0
        return replace(outcome, predictions=()) if closed else outcome


# -- window scale ------------------------------------------------------------------------
@mutant("window-scale-not-applied", "RFC 7323 2.3")
class ScaleNotApplied(Endpoint):
    """Negotiates a window scale, and does not shift the peer's window by it."""

    def usable(self) -> int:
        tcb = self.tcb
        shift = (tcb.snd_scale or 0) if self.scaled else 0
        window = tcb.snd_wnd >> shift
        return min(super().usable(), seq.diff(seq.add(tcb.snd_una, window), tcb.snd_nxt))


@mutant("window-scale-applied-to-syn", "RFC 7323 2.2")
class ScaleAppliedToSyn(Endpoint):
    """Shifts the window in its SYN, too."""

    def syn_window(self) -> int:
        return super().syn_window() >> 4


@mutant("window-scale-one-sided", "RFC 7323 2.2")
class ScaleOneSided(Endpoint):
    """Shifts the peer's window by its own offer, though the peer offered none."""

    def usable(self) -> int:
        tcb = self.tcb
        if tcb.rcv_scale is None or tcb.snd_scale is not None:
            return super().usable()
        outstanding = seq.diff(tcb.snd_nxt, tcb.snd_una)
        return min((tcb.snd_wnd << 7) - outstanding, self.congestion_window() - outstanding)


@mutant("own-window-scaled-one-sided", "RFC 7323 2.2")
class OwnWindowScaledOneSided(Endpoint):
    """Scales its own window by its offer, though the peer's SYN had none."""

    def window_shift(self) -> int:
        return self.tcb.rcv_scale or 0


@mutant("window-scale-not-limited", "RFC 7323 2.3")
class ScaleNotLimited(Endpoint):
    """Takes a shift of more than 14 for none."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        shift = segment.window_scale
        if segment.has(SYN) and shift is not None and shift > 14 and outcome.tcb.snd_scale is not None:
            outcome.tcb.snd_scale = 0
        return outcome


@mutant("shrunk-window-cuts-copies", "RFC 9293 3.8.6 MAY-7")
class ShrunkCuts(Endpoint):
    """Sends again only as much as the window that has shrunk would take."""

    def room_again(self) -> int:
        return max(self.tcb.snd_wnd, 1)


@mutant("shrunk-window-times-out", "RFC 9293 3.8.6 SHLD-17")
class ShrunkTimesOut(Endpoint):
    """Counts from when the window shrank, whatever the peer answers to its probes."""

    def take_acknowledgment(self, before: Tcb, segment: Segment) -> None:
        since = self.trouble
        super().take_acknowledgment(before, segment)
        if since is not None and self.trouble is not None and self.tcb.in_flight:
            self.trouble = since


@mutant("window-cut-to-16-bits", "RFC 9293 3.1 REC-1")
class WindowCut(Endpoint):
    """Keeps the scaled window of the peer in 16 bits."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        outcome.tcb.snd_wnd &= 0xFFFF
        return outcome


@mutant("syn-ack-window-scaled", "RFC 7323 2.2")
class SynAckWindowScaled(Endpoint):
    """Shifts the window of a SYN,ACK, too."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if segment.has(SYN) and segment.has(ACK) and outcome.tcb is not before:
            outcome.tcb.snd_wnd <<= outcome.tcb.snd_scale or 0
        return outcome


@mutant("late-window-scale-taken", "RFC 7323 2.2")
class LateWindowScaleTaken(Endpoint):
    """Takes a window scale for its own that stands in a segment without SYN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if not segment.has(SYN) and segment.window_scale is not None:
            outcome.tcb.snd_wnd = segment.wnd << segment.window_scale
        return outcome
