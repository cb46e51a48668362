"""Explicit congestion notification in the reference's connection: RFC 3168 6.1."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import CE, ECT_0, Control, Segment
from conformance.oracle.ecn import negotiated
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, RST, SYN, Surroundings
from conformance.target.reference.reports import Reports

ECE, CWR = Control.ECE, Control.CWR


class Notifying(Reports):
    """Marks what it sends, echoes marks that come, and sends less where its own are echoed."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.echoing = False
        """A mark came, and no CWR since."""
        self.echoed = False
        """The ACK that is being processed has ECE."""
        self.reduced: int | None = None
        """SND.NXT when the congestion window was reduced last."""
        self.tell_reduced = False

    def uses_ecn(self) -> bool:
        """Whether both SYNs agreed on ECN, and no other SYN went or came."""
        return negotiated(self.tcb) and False not in self.tcb.ecn_heard

    # -- what is sent -------------------------------------------------------------------
    def marked(self, segment: Segment) -> Segment:
        if segment.has(RST):
            return segment
        if segment.has(SYN):
            return replace(segment, ctl=segment.ctl | self.setup_bits(segment))
        if not self.uses_ecn():
            return segment
        ctl = segment.ctl | (ECE if self.echoing else Control(0))
        if self.is_new_data(segment) and self.tell_reduced:
            self.tell_reduced = False
            ctl |= CWR
        return replace(segment, ctl=ctl, tos=segment.tos | self.codepoint(segment))

    def setup_bits(self, segment: Segment) -> Control:
        """RFC 3168 6.1.1: offer ECN, or accept the peer's offer."""
        if not segment.has(ACK):
            return ECE | CWR if self.around.settings.ecn else Control(0)
        willing = False not in self.tcb.ecn_told
        return ECE if willing and self.tcb.ecn_heard == {True} else Control(0)

    def codepoint(self, segment: Segment) -> int:
        """RFC 3168 6.1.2, 6.1.4 to 6.1.6: ECT on new data alone."""
        return ECT_0 if self.is_new_data(segment) else 0

    def is_new_data(self, segment: Segment) -> bool:
        """Whether it has data sent for the first time that is no probe of a closed window."""
        tcb = self.tcb
        return bool(segment.data) and seq.geq(segment.seq, tcb.snd_nxt) and tcb.snd_wnd > 0

    # -- what comes ---------------------------------------------------------------------
    def take_text(self, before: Tcb, segment: Segment) -> None:
        """RFC 3168 6.1.3; 6.1.5: what is outside of the window has no say."""
        if segment.data and self.uses_ecn() and before.acceptable(segment):
            if segment.has(CWR):
                self.echoing = False
            if segment.ecn == CE:
                self.echoing = True
        super().take_text(before, segment)

    def take_acknowledgment(self, before: Tcb, segment: Segment) -> None:
        """RFC 3168 6.1.2: ECE is answered as a loss would be, once in a window of data."""
        self.echoed = self.uses_ecn() and segment.has(ECE) and not segment.has(SYN)
        super().take_acknowledgment(before, segment)
        if self.echoed and segment.has(ACK) and self.in_another_window():
            self.ssthresh = self.reduction(before)
            self.cwnd = self.ssthresh
            self.note_reduction()

    def in_another_window(self) -> bool:
        """Whether all that was sent before the last reduction is acknowledged."""
        return self.reduced is None or seq.geq(self.tcb.snd_una, self.reduced)

    def reduction(self, before: Tcb) -> int:
        """Half of what was in flight when the ACK came."""
        return max(min(before.in_flight, self.congestion_window()) // 2, 2 * self.send_mss)

    def note_reduction(self) -> None:
        self.reduced, self.tell_reduced = self.tcb.snd_nxt, True

    def grow(self, gained: int) -> None:
        if not self.echoed:
            super().grow(gained)

    def collapse(self) -> None:
        super().collapse()
        self.note_reduction()

    def fast_retransmit(self) -> None:
        super().fast_retransmit()
        self.note_reduction()
