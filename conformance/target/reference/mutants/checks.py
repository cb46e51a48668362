"""What is to be checked of an arriving segment, and is not."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import SYNCHRONIZED, State
from conformance.oracle.arrives import Outcome, challenge, segment_arrives
from conformance.oracle.latitude import Profile
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, PSH, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("checksum-not-checked", "RFC 9293 3.1 MUST-3")
class ChecksumNotChecked(Endpoint):
    """Takes segments whatever their checksum."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, checksum_ok=True)


@mutant("checksum-zero-accepted", "RFC 9293 3.1 MUST-3")
class ChecksumZeroAccepted(Endpoint):
    """Takes a checksum of zero for none, as UDP does."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, checksum_ok=segment.checksum_ok or segment.checksum == 0)


@mutant("data-offset-not-checked", "RFC 9293 3.1")
class DataOffsetNotChecked(Endpoint):
    """Takes a header with an impossible data offset for one of 20 octets."""

    def parse(self, segment: Segment) -> Segment | None:
        if segment.defect and segment.doff is not None:
            return replace(segment, defect="", doff=None)
        return segment


@mutant("malformed-answered", "RFC 9293 3.1")
class MalformedAnswered(Endpoint):
    """Answers what is no segment with a reset."""

    def parse(self, segment: Segment) -> Segment | None:
        if segment.defect:
            self.send_reset(Form(RST | ACK, 0, self.tcb.rcv_nxt))
        return segment


@mutant("bad-checksum-answered", "RFC 9293 3.1 MUST-3")
class BadChecksumAnswered(Endpoint):
    """Answers a segment with a bad checksum with an ACK."""

    def parse(self, segment: Segment) -> Segment | None:
        if not segment.checksum_ok and self.tcb.state in SYNCHRONIZED:
            self.acknowledge()
        return segment


@mutant("reserved-bits-refused", "RFC 9293 3.1")
class ReservedBitsRefused(Endpoint):
    """Drops segments with reserved bits set."""

    def parse(self, segment: Segment) -> Segment | None:
        return None if segment.rsv else segment


@mutant("reserved-bits-echoed", "RFC 9293 3.1")
class ReservedBitsEchoed(Endpoint):
    """Sends the reserved bits back that it has received."""

    heard_bits = 0

    def parse(self, segment: Segment) -> Segment | None:
        self.heard_bits = segment.rsv
        return segment

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, rsv=self.heard_bits)


@mutant("window-not-checked", "RFC 9293 3.10.7.4 first")
class WindowNotChecked(Endpoint):
    """Keeps whatever lies beyond RCV.NXT, in the window or not."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state not in SYNCHRONIZED or not seq.geq(segment.seq, before.rcv_nxt):
            return super().process(before, segment)
        wide = before.copy()
        wide.rcv_edge = seq.add(before.rcv_nxt, seq.HALF - 1)
        outcome = super().process(wide, segment)
        outcome.tcb.rcv_edge = before.rcv_edge
        return outcome


@mutant("window-one-too-wide", "RFC 9293 3.10.7.4 first, Table 6")
class WindowOneTooWide(Endpoint):
    """Takes RCV.NXT+RCV.WND for a number in the window."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        edge = before.rcv_edge
        if edge is None or before.state not in SYNCHRONIZED:
            return super().process(before, segment)
        wide = before.copy()
        wide.rcv_edge = seq.add(edge, 1)
        outcome = super().process(wide, segment)
        if outcome.tcb.rcv_edge is not None:
            outcome.tcb.rcv_edge = edge
        return outcome


@mutant("window-one-too-narrow", "RFC 9293 3.10.7.4 first, Table 6")
class WindowOneTooNarrow(Endpoint):
    """Takes the last number of the window for one beyond it."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state in SYNCHRONIZED and before.rcv_edge == seq.add(segment.seq, max(segment.length, 1)):
            segment = replace(segment, seq=seq.add(segment.seq, 1))
        return super().process(before, segment)


@mutant("unacceptable-not-acknowledged", "RFC 9293 3.10.7.4 first")
class UnacceptableNotAcknowledged(Endpoint):
    """Drops what is not acceptable without the ACK that tells its sender."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        wrong = before.state in SYNCHRONIZED and not before.acceptable(segment)
        return replace(outcome, predictions=()) if wrong else outcome


@mutant("old-duplicate-not-acknowledged", "RFC 9293 3.10.7.4 first")
class OldDuplicateNotAcknowledged(Endpoint):
    """Forgets to acknowledge an old duplicate again, whose ACK may have been lost."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        old = before.state in SYNCHRONIZED and segment.length > 0 and seq.leq(segment.end, before.rcv_nxt)
        return replace(outcome, predictions=()) if old else outcome


@mutant("empty-segment-answered", "RFC 9293 3.10.7.4 first")
class EmptySegmentAnswered(Endpoint):
    """Answers every ACK with an ACK."""

    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        if not segment.length and segment.ctl == ACK and self.tcb.state in SYNCHRONIZED:
            self.acknowledge()


@mutant("probe-answered-with-reset", "RFC 9293 3.10.7.4 first")
class EmptyOldSegmentReset(Endpoint):
    """Resets the connection when a segment without data is out of place."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        known = before.state in SYNCHRONIZED and not segment.length and not segment.has(RST)
        if known and not before.acceptable(segment):
            self.send_reset(Form(RST, before.snd_nxt, None))
            return Outcome(before.delete())
        return outcome


@mutant("no-ack-bit-accepted", "RFC 9293 3.10.7.4 fifth")
class NoAckBitAccepted(Endpoint):
    """Processes segments that lack the ACK bit as if they had it."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        known = before.iss is not None and before.state is not State.SYN_SENT
        if known and not segment.ctl & (ACK | RST | SYN):
            segment = replace(segment, ctl=segment.ctl | ACK, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("no-ack-bit-answered", "RFC 9293 3.10.7.4 fifth")
class NoAckBitAnswered(Endpoint):
    """Answers a segment that lacks the ACK bit with an ACK, not with silence."""

    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        if not segment.ctl & (ACK | RST | SYN) and self.tcb.iss is not None and segment.checksum_ok:
            self.acknowledge()


@mutant("no-flags-closes", "RFC 9293 3.10.7.4 fifth")
class NoFlagsCloses(Endpoint):
    """Drops the connection on a segment without any control bit, taken for a scan."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        return super().process(before, segment) if segment.ctl else Outcome(before.delete())


@mutant("fin-without-ack-accepted", "RFC 9293 3.10.7.4 fifth")
class FinWithoutAckAccepted(Endpoint):
    """Takes a FIN although its segment lacks the ACK bit."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        known = before.iss is not None and before.state is not State.SYN_SENT
        if known and segment.has(FIN) and not segment.ctl & (ACK | RST | SYN):
            segment = replace(segment, ctl=segment.ctl | ACK, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("ack-of-unsent-accepted", "RFC 9293 3.10.7.4 fifth")
class AckOfUnsentAccepted(Endpoint):
    """Takes the text of a segment that acknowledges what was never sent."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state in SYNCHRONIZED and seq.gt(segment.ack, before.snd_nxt) and segment.has(ACK):
            segment = replace(segment, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("ack-of-unsent-dropped", "RFC 9293 3.10.7.4 fifth")
class AckOfUnsentSilent(Endpoint):
    """Drops an ACK of what was never sent without the ACK that tells its sender."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        unsent = before.state in SYNCHRONIZED and seq.gt(segment.ack, before.snd_nxt)
        return replace(outcome, predictions=()) if unsent and before.acceptable(segment) else outcome


@mutant("ack-of-unsent-resets", "RFC 9293 3.10.7.4 fifth")
class AckOfUnsentResets(Endpoint):
    """Resets the connection when an ACK is for what was never sent."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state in SYNCHRONIZED and seq.gt(segment.ack, before.snd_nxt) and not segment.has(RST):
            self.send_reset(Form(RST, segment.ack, None))
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("old-ack-accepted", "RFC 5961 5.2")
class OldAckAccepted(Endpoint):
    """Takes the text of a segment whose ACK is older than the largest window ever offered."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state in SYNCHRONIZED and not segment.ctl & (RST | SYN):
            profile = Profile(rfc5961=False)
            return segment_arrives(before, segment, self.now, profile)[0]
        return super().process(before, segment)


@mutant("old-ack-accepted-in-time-wait", "RFC 5961 5.2")
class OldAckAcceptedInTimeWait(Endpoint):
    """Does not look at the ACK in TIME-WAIT, where it can change nothing."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.TIME_WAIT and not segment.ctl & (RST | SYN):
            return segment_arrives(before, segment, self.now, Profile(rfc5961=False))[0]
        return super().process(before, segment)


@mutant("old-ack-accepted-where-foreseen", "RFC 5961 5.2")
class OldAckAcceptedWhereForeseen(Endpoint):
    """Has a short way for text in order that follows text in order, on which an older ACK passes."""

    foreseen = 0

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        in_order = before.state is State.ESTABLISHED and segment.ctl & ~PSH == ACK and bool(segment.data)
        self.foreseen = self.foreseen + 1 if in_order and segment.seq == before.rcv_nxt else 0
        if self.foreseen > 2:
            return segment_arrives(before, segment, self.now, Profile(rfc5961=False))[0]
        return super().process(before, segment)


@mutant("ack-below-iss-challenged", "RFC 9293 3.10.7.4 fifth; RFC 5961 5.2")
class AckBelowIssChallenged(Endpoint):
    """Takes an ACK of nothing that it has sent for too old, however large the window is."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        known = before.state in SYNCHRONIZED and segment.has(ACK) and before.acceptable(segment)
        if known and not segment.ctl & (RST | SYN) and seq.leq(segment.ack, before.iss or 0):
            return Outcome(before.copy(), (challenge(before, "RFC 5961 5.2", self.now),))
        return super().process(before, segment)


@mutant("unacceptable-ack-of-fin-taken", "RFC 9293 3.10.7.4 first")
class UnacceptableAckOfFin(Endpoint):
    """Takes the ACK of a segment that ends at RCV.NXT, and drops the rest of it in silence."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        last = before.state in (State.CLOSING, State.LAST_ACK) and segment.end == before.rcv_nxt
        if last and segment.length and not segment.ctl & (RST | SYN):
            segment = Segment(before.rcv_nxt, segment.ack, ACK, segment.wnd)
        return super().process(before, segment)


@mutant("duplicate-ack-drops-text", "RFC 9293 3.10.7.4 fifth")
class DuplicateAckDropsText(Endpoint):
    """Ignores the whole of a segment whose ACK is a duplicate, its text, too."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        older = before.state in SYNCHRONIZED and seq.lt(segment.ack, before.snd_una)
        if older and not segment.ctl & (RST | SYN) and segment.has(ACK):
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("straddling-segment-dropped", "RFC 9293 3.10.7.4 first")
class StraddlingDropped(Endpoint):
    """Drops a segment whole of which only a part lies in the window."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state in SYNCHRONIZED and segment.data:
            over = before.rcv_edge is not None and seq.gt(segment.end, before.rcv_edge)
            under = seq.lt(segment.seq, before.rcv_nxt)
            if over or under:
                return replace(super().process(before, replace(segment, data=b"")), predictions=())
        return super().process(before, segment)
