"""Octets: delivered twice, lost, swapped, or other ones the second time."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import SYNCHRONIZED
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Prediction
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("duplicate-delivered", "RFC 9293 3.10.7.4 seventh")
class DuplicateDelivered(Endpoint):
    """Gives the user the text of an old duplicate again."""

    def take_text(self, before: Tcb, segment: Segment) -> None:
        super().take_text(before, segment)
        old = before.state in SYNCHRONIZED and seq.leq(segment.end, before.rcv_nxt)
        if old and segment.data and self.tcb.state in SYNCHRONIZED:
            self.deliver(segment.data)


@mutant("out-of-order-dropped", "RFC 9293 3.10.7.4 seventh SHLD-31; RFC 2525 2.5")
class OutOfOrderDropped(Endpoint):
    """Throws away what comes beyond a gap."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        outcome.tcb.held, outcome.tcb.held_fin = (), None
        return outcome


@mutant("out-of-order-not-acknowledged", "RFC 9293 3.10.7.4 seventh; RFC 5681 4.2")
class OutOfOrderSilent(Endpoint):
    """Sends no duplicate ACK for a segment beyond a gap."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        ahead = (
            before.state in SYNCHRONIZED
            and seq.gt(segment.seq, before.rcv_nxt)
            and before.acceptable(segment)
        )
        return replace(outcome, predictions=()) if ahead and not segment.ctl & (RST | SYN) else outcome


@mutant("held-octets-overwritten", "RFC 9293 3.10")
class HeldOverwritten(Endpoint):
    """Takes of octets that overlap those that came last."""

    def octets_from(self, at: int) -> bytes:
        for first, data in reversed(self.pieces):
            if 0 <= seq.diff(at, first) < len(data):
                return data[seq.diff(at, first) :]
        return b""


@mutant("gap-acknowledged", "RFC 9293 3.4")
class GapAcknowledged(Endpoint):
    """Acknowledges the highest octet that has come, gaps or not."""

    def ack_number(self) -> int:
        highest = self.tcb.rcv_nxt
        for _, end in self.tcb.held:
            highest = seq.latest(highest, end)
        return highest


@mutant("one-gap-only", "RFC 9293 3.10.7.4 seventh SHLD-31")
class OneGapOnly(Endpoint):
    """Keeps one segment beyond a gap, and a second only in its place."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        outcome.tcb.held = outcome.tcb.held[-1:]
        return outcome


@mutant("overlap-delivered-twice", "RFC 9293 3.10.7.4 seventh")
class OverlapTwice(Endpoint):
    """Does not trim the octets at the front of a segment that it has already."""

    old_octets = b""

    def deliver(self, octets: bytes) -> None:
        super().deliver(self.old_octets + octets if octets else octets)

    def take_text(self, before: Tcb, segment: Segment) -> None:
        old = seq.diff(before.rcv_nxt, segment.seq) if before.state in SYNCHRONIZED else 0
        self.old_octets = segment.data[:old] if old > 0 else b""
        super().take_text(before, segment)


@mutant("overlap-trimmed-one-too-many", "RFC 9293 3.10.7.4 seventh")
class OverlapTrimmedTooMuch(Endpoint):
    """Trims one octet too many at the front of an overlapping segment."""

    overlapped = False

    def assemble(self, start: int, end: int) -> bytes:
        octets = super().assemble(start, end)
        return octets[1:] if self.overlapped else octets

    def take_text(self, before: Tcb, segment: Segment) -> None:
        known = before.state in SYNCHRONIZED
        self.overlapped = (
            known and seq.lt(segment.seq, before.rcv_nxt) and seq.gt(segment.end, before.rcv_nxt)
        )
        super().take_text(before, segment)


@mutant("overlapping-segment-dropped", "RFC 9293 3.10.7.4 seventh")
class OverlapDropped(Endpoint):
    """Takes a segment that begins before RCV.NXT for an old one, new octets or not."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        old = before.state in SYNCHRONIZED and seq.lt(segment.seq, before.rcv_nxt)
        if old and segment.data and not segment.ctl & (RST | SYN):
            segment = replace(segment, data=segment.data[:1], ctl=segment.ctl & ~FIN)
        return super().process(before, segment)


@mutant("overlap-with-held-shifts", "RFC 9293 3.10.7.4 seventh")
class HeldShifts(Endpoint):
    """Puts what it has held behind a segment that runs into it, without a look at the numbers."""

    def assemble(self, start: int, end: int) -> bytes:
        out = bytearray()
        for first, data in sorted(self.pieces, key=lambda piece: seq.diff(piece[0], start)):
            if seq.lt(first, end):
                out += data[max(0, seq.diff(start, first)) :]
        return bytes(out[: seq.diff(end, start)])


@mutant("reordered-delivered-as-it-came", "RFC 9293 3.10.7.4 seventh")
class DeliveredAsItCame(Endpoint):
    """Gives the user segments in the order in which they came."""

    def assemble(self, start: int, end: int) -> bytes:
        out = b"".join(data for first, data in self.pieces if seq.lt(first, end) and seq.geq(first, start))
        return out if len(out) == seq.diff(end, start) else super().assemble(start, end)


@mutant("last-octet-lost", "RFC 9293 3.10.7.4 seventh")
class LastOctetLost(Endpoint):
    """Loses the last octet of each segment that it gives to the user."""

    def deliver(self, octets: bytes) -> None:
        super().deliver(octets[:-1])


@mutant("text-waits-for-push", "RFC 9293 3.9.1.2")
class WaitsForPush(Endpoint):
    """Gives the user no data until a segment with PSH has come."""

    kept = b""
    pushed = False

    def deliver(self, octets: bytes) -> None:
        self.kept += octets
        if self.pushed:
            super().deliver(self.kept)
            self.kept = b""

    def take_text(self, before: Tcb, segment: Segment) -> None:
        self.pushed = bool(segment.ctl & (segment.ctl.PSH | FIN))
        super().take_text(before, segment)


@mutant("other-octets-on-retransmission", "RFC 9293 3.4; RFC 2525 2.4")
class OtherOctets(Endpoint):
    """Sends the octets after those that were lost under their sequence numbers."""

    def text(self, start: int, size: int) -> bytes:
        again = seq.lt(start, self.tcb.snd_nxt)
        octets = super().text(start, size)
        return octets[1:] + octets[:1] if again else octets


@mutant("partial-ack-shifts-octets", "RFC 9293 3.4")
class PartialAckShifts(Endpoint):
    """After an ACK of a part of a segment sends its beginning again, under the new number."""

    def text(self, start: int, size: int) -> bytes:
        first = seq.add(self.tcb.iss or 0, 1)
        again = seq.lt(start, self.tcb.snd_nxt)
        return (
            self.tcb.octets(first, size) if again and start == self.tcb.snd_una else super().text(start, size)
        )


@mutant("octets-swapped", "RFC 9293 3.4")
class OctetsSwapped(Endpoint):
    """Sends the octets of a word in the wrong order beyond the first segment."""

    def text(self, start: int, size: int) -> bytes:
        octets = super().text(start, size)
        first = seq.add(self.tcb.iss or 0, 1)
        return octets if start == first or len(octets) < 2 else octets[1::-1] + octets[2:]


@mutant("text-lost-in-syn-sent", "RFC 9293 3.10.2")
class QueuedTextLost(Endpoint):
    """Forgets what the user sends before the connection is established."""

    early = False

    def send_text(self, start: int, size: int) -> None:
        if start == seq.add(self.tcb.iss or 0, 1) and not self.tcb.passive and self.early:
            self.tcb.stream = self.tcb.stream[size:]
            return
        super().send_text(start, size)

    def took_new(self, before: Tcb, gained: int) -> None:
        self.early = bool(before.stream) and before.snd_una == before.iss
        super().took_new(before, gained)


@mutant("ack-before-the-queue", "RFC 9293 3.10.7.4 MUST-59")
class AckBeforeTheQueue(Endpoint):
    """Acknowledges the segment that fills a gap, and then what was waiting behind it."""

    def owe(self, before: Tcb, segment: Segment, prediction: Prediction) -> None:
        if before.held and seq.lt(before.rcv_nxt, segment.end) and seq.lt(segment.end, self.tcb.rcv_nxt):
            self.transmit(ACK, self.ack_sequence(), segment.end)
        super().owe(before, segment, prediction)
