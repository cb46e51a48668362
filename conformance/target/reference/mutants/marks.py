"""Explicit congestion notification: marks asked for where nobody echoes them, or not heeded."""

from dataclasses import replace

from conformance.model.segment import CE, ECT_0, NOT_ECT, Control, Segment
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, RST, SYN, Surroundings
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant

ECE, CWR = Control.ECE, Control.CWR
ECN_BITS = ECE | CWR


@mutant("ecn-missing", "RFC 9293 3.8.2 SHLD-8")
class EcnMissing(Endpoint):
    """Neither offers ECN nor accepts it."""

    def setup_bits(self, segment: Segment) -> Control:
        return Control(0)


@mutant("ecn-one-bit-offers", "RFC 3168 6.1.1")
class OneBitOffers(Endpoint):
    """Takes a SYN with one of the two bits for an offer of ECN."""

    def parse(self, segment: Segment) -> Segment | None:
        offers = segment.has(SYN) and not segment.has(ACK) and segment.ctl & ECN_BITS
        return replace(segment, ctl=segment.ctl | ECN_BITS) if offers else segment


@mutant("ecn-any-answer-accepts", "RFC 3168 6.1.1")
class AnyAnswerAccepts(Endpoint):
    """Takes its own offer, reflected, or CWR alone for its acceptance."""

    def parse(self, segment: Segment) -> Segment | None:
        answer = segment.has(SYN) and segment.has(ACK) and segment.has(CWR)
        return replace(segment, ctl=segment.ctl & ~CWR | ECE) if answer else segment


@mutant("ecn-answer-not-read", "RFC 3168 6.1.1")
class AnswerNotRead(Endpoint):
    """Uses ECN as soon as it has offered it."""

    def uses_ecn(self) -> bool:
        return super().uses_ecn() or self.tcb.ecn_told == {True}


@mutant("ecn-setup-dropped", "RFC 3168 6.1.1; RFC 3360 2")
class SetupDropped(Endpoint):
    """Drops a SYN with bits that were reserved once."""

    def parse(self, segment: Segment) -> Segment | None:
        return None if segment.has(SYN) and segment.ctl & ECN_BITS == ECN_BITS else segment


@mutant("ecn-bits-reflected", "RFC 3168 6.1.1.2")
class BitsReflected(Endpoint):
    """Has in its SYN,ACK the ECN bits of the SYN, as if they were reserved ones to be copied."""

    copied = Control(0)

    def parse(self, segment: Segment) -> Segment | None:
        self.copied = segment.ctl & ECN_BITS
        return segment

    def setup_bits(self, segment: Segment) -> Control:
        return self.copied if segment.has(ACK) else super().setup_bits(segment)


@mutant("ecn-implied", "RFC 3168 6.1.1.1")
class EcnImplied(Endpoint):
    """Takes an ECN-capable segment for a sign that the peer knows ECN."""

    implied = False

    def parse(self, segment: Segment) -> Segment | None:
        self.implied = self.implied or segment.ecn != NOT_ECT
        return segment

    def uses_ecn(self) -> bool:
        return self.implied or super().uses_ecn()


@mutant("ecn-not-given-up", "RFC 3168 6.1.1")
class NotGivenUp(Endpoint):
    """Goes on with ECN although the peer's SYN has come again without an offer."""

    def uses_ecn(self) -> bool:
        return self.tcb.ecn_told == {True} and True in self.tcb.ecn_heard

    def setup_bits(self, segment: Segment) -> Control:
        return ECE if segment.has(ACK) and True in self.tcb.ecn_heard else super().setup_bits(segment)


@mutant("ect-on-syn", "RFC 3168 6.1.1")
class EctOnSyn(Endpoint):
    """Sends its SYN or SYN,ACK as ECN-capable where it offers or accepts ECN."""

    def finished(self, segment: Segment) -> Segment:
        ecn = segment.has(SYN) and segment.ecn_setup
        return replace(segment, tos=segment.tos | ECT_0) if ecn else segment


@mutant("ect-always", "RFC 3168 6.1.1")
class EctAlways(Endpoint):
    """Sends all data as ECN-capable, whatever was negotiated."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, tos=segment.tos | ECT_0) if segment.data else segment


@mutant("ect-on-ack", "RFC 3168 6.1.4")
class EctOnAck(Endpoint):
    """Sends pure ACKs as ECN-capable."""

    def codepoint(self, segment: Segment) -> int:
        return super().codepoint(segment) if segment.length else ECT_0


@mutant("ect-on-retransmission", "RFC 3168 6.1.5")
class EctOnRetransmission(Endpoint):
    """Sends data as ECN-capable, for the first time or again."""

    def codepoint(self, segment: Segment) -> int:
        return ECT_0 if segment.data and self.tcb.snd_wnd else 0


@mutant("ect-and-cwr-on-probe", "RFC 3168 6.1.6")
class EctOnProbe(Endpoint):
    """Takes a window probe for new data as any other."""

    def is_new_data(self, segment: Segment) -> bool:
        return super().is_new_data(segment) or (bool(segment.data) and self.tcb.snd_wnd == 0)


@mutant("ect-never", "RFC 3168 6.1.2")
class EctNever(Endpoint):
    """Accepts ECN, and sends nothing as ECN-capable."""

    def codepoint(self, segment: Segment) -> int:
        return 0


@mutant("mark-not-echoed", "RFC 3168 6.1.3")
class MarkNotEchoed(Endpoint):
    """Accepts ECN, and has no eyes for marks."""

    def take_text(self, before: Tcb, segment: Segment) -> None:
        super().take_text(before, segment)
        self.echoing = False


@mutant("mark-echoed-once", "RFC 3168 6.1.3")
class MarkEchoedOnce(Endpoint):
    """Echoes a mark in one ACK."""

    def acknowledged_all(self) -> None:
        super().acknowledged_all()
        self.echoing = False


@mutant("mark-echoed-in-pure-acks", "RFC 3168 6.1.3")
class MarkEchoedInPureAcks(Endpoint):
    """Echoes a mark in ACKs without data only."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, ctl=segment.ctl & ~ECE) if segment.data else segment


@mutant("mark-echoed-for-ever", "RFC 3168 6.1.3")
class MarkEchoedForEver(Endpoint):
    """Does not read CWR."""

    def parse(self, segment: Segment) -> Segment | None:
        return segment if segment.has(SYN) else replace(segment, ctl=segment.ctl & ~CWR)


@mutant("cwr-hides-mark", "RFC 3168 6.1.3")
class CwrHidesMark(Endpoint):
    """Looks for a mark first and for CWR then, so that the mark on a segment with CWR is forgotten."""

    def take_text(self, before: Tcb, segment: Segment) -> None:
        super().take_text(before, segment)
        if segment.has(CWR):
            self.echoing = False


@mutant("mark-outside-window-echoed", "RFC 3168 6.1.5")
class MarkOutsideWindow(Endpoint):
    """Looks for marks before it looks at sequence numbers."""

    def take_text(self, before: Tcb, segment: Segment) -> None:
        super().take_text(before, segment)
        if segment.data and self.uses_ecn() and segment.ecn == CE:
            self.echoing = True


@mutant("mark-echoed-unasked", "RFC 3168 6.1")
class MarkEchoedUnasked(Endpoint):
    """Echoes a mark to a peer that has not offered ECN."""

    unasked = False

    def parse(self, segment: Segment) -> Segment | None:
        self.unasked = segment.ecn == CE and not self.uses_ecn()
        return segment

    def finished(self, segment: Segment) -> Segment:
        echoes = self.unasked and not segment.has(RST)
        return replace(segment, ctl=segment.ctl | ECE) if echoes else segment


@mutant("echo-not-heeded", "RFC 3168 6.1.2")
class EchoNotHeeded(Endpoint):
    """Sends as much as before when its marks are echoed."""

    def in_another_window(self) -> bool:
        return False


@mutant("echo-told-not-halved", "RFC 3168 6.1.2")
class EchoNotHalved(Endpoint):
    """Says CWR, and leaves the congestion window as it is."""

    def reduction(self, before: Tcb) -> int:
        return self.congestion_window()


@mutant("echo-leaves-slow-start", "RFC 3168 6.1.2")
class EchoLeavesSlowStart(Endpoint):
    """Halves the congestion window and goes on with slow start, were it by ACKs with ECE."""

    def take_acknowledgment(self, before: Tcb, segment: Segment) -> None:
        threshold = self.ssthresh
        super().take_acknowledgment(before, segment)
        if self.echoed:
            self.ssthresh = threshold

    def grow(self, gained: int) -> None:
        self.echoed, echoed = False, self.echoed
        super().grow(gained)
        self.echoed = echoed


@mutant("echo-heeded-each-time", "RFC 3168 6.1.2")
class EchoEachTime(Endpoint):
    """Takes every ACK with ECE for another mark."""

    def in_another_window(self) -> bool:
        return True


@mutant("cwr-for-echoes-only", "RFC 3168 6.1.2")
class CwrForEchoesOnly(Endpoint):
    """Says CWR after an echo, but not after a loss."""

    def collapse(self) -> None:
        super().collapse()
        self.tell_reduced = False


@mutant("cwr-on-retransmission", "RFC 3168 6.1.2")
class CwrOnRetransmission(Endpoint):
    """Says CWR with the copy that is sent after a loss."""

    def is_new_data(self, segment: Segment) -> bool:
        return bool(segment.data) and self.tcb.snd_wnd > 0

    def codepoint(self, segment: Segment) -> int:
        return ECT_0 if super().is_new_data(segment) else 0


@mutant("cwr-stays", "RFC 3168 6.1.2")
class CwrStays(Endpoint):
    """Says CWR with all data once the window was reduced."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.was_reduced = False

    def note_reduction(self) -> None:
        super().note_reduction()
        self.was_reduced = True

    def marked(self, segment: Segment) -> Segment:
        self.tell_reduced = self.tell_reduced or self.was_reduced
        return super().marked(segment)


@mutant("reset-copies-tos", "RFC 3168 5.2")
class ResetCopiesTos(Endpoint):
    """Has in the IP header of a reset what was in that of the segment that it answers."""

    answered_tos = 0

    def parse(self, segment: Segment) -> Segment | None:
        self.answered_tos = segment.tos
        return segment

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, tos=self.answered_tos) if segment.has(RST) else segment
