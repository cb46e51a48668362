"""The last octet of urgent data, given to the user wrongly where it is to be out of band."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import Control, Segment
from conformance.oracle.arrives import Outcome
from conformance.oracle.tcb import Tcb
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("urgent-octet-in-both-places", "RFC 6093 3.1")
class InBothPlaces(Endpoint):
    """Leaves in the stream the octet that is out of band."""

    def read_urgent(self) -> bytes:
        before = bytes(self.unread)
        octet = super().read_urgent()
        self.unread[:] = before
        self.tcb.unread = len(before)
        return octet


@mutant("urgent-octet-at-pointer", "RFC 9293 3.8.5 MUST-62")
class AtPointer(Endpoint):
    """Takes the octet that the urgent pointer points to for the last octet of urgent data."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, urp=segment.urp + 1) if segment.has(Control.URG) else segment


@mutant("urgent-octet-again", "RFC 6093 3.1")
class Again(Endpoint):
    """Forgets that the user has taken the octet, and takes the next one for it."""

    def read_urgent(self) -> bytes:
        octet = super().read_urgent()
        self.tcb.urgent_taken = None
        return octet


@mutant("urgent-octet-before-it-comes", "RFC 9293 3.8.5 MUST-62")
class BeforeItComes(Endpoint):
    """Gives the user the last octet that is there, although the urgent pointer is beyond it."""

    def read_urgent(self) -> bytes:
        ahead = self.tcb.mark is not None and self.tcb.mark >= len(self.unread)
        return bytes(self.unread[-1:]) if ahead else super().read_urgent()


@mutant("urgent-octet-stops-stream", "RFC 9293 3.8.5")
class StopsStream(Endpoint):
    """Gives the user nothing of what follows the octet until that is taken."""

    def next_octets(self, count: int) -> tuple[bytes, int]:
        mark = self.tcb.mark
        return super().next_octets(count if mark is None else min(count, mark))


@mutant("urgent-octet-takes-the-next-along", "RFC 9293 3.8.5")
class TakesTheNextAlong(Endpoint):
    """Loses an octet more when the user passes over the one that is out of band."""

    def next_octets(self, count: int) -> tuple[bytes, int]:
        data, size = super().next_octets(count)
        return (data, size) if size == len(data) else (data[:-1], size)


@mutant("urgent-octet-flushes-stream", "RFC 9293 3.8.5")
class FlushesStream(Endpoint):
    """Drops what the user has not received when urgent data comes after urgent data."""

    def take_text(self, before: Tcb, segment: Segment) -> None:
        if segment.has(Control.URG) and before.rcv_up not in (None, self.tcb.rcv_up):
            self.unread.clear()
        super().take_text(before, segment)


@mutant("urgent-octet-kept", "RFC 6093 3.3")
class Kept(Endpoint):
    """Keeps to the first octet that is out of band until it is taken."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if before.mark is not None and seq.leq(before.rcv_up or 0, before.rcv_nxt):
            outcome.tcb.rcv_up = before.rcv_up
        return outcome


@mutant("urgent-octet-not-acknowledged", "RFC 9293 3.4")
class NotAcknowledged(Endpoint):
    """Does not acknowledge the octet that is out of band, as if it were in no sequence."""

    def ack_number(self) -> int:
        waits = self.tcb.mark is not None and self.tcb.rcv_up == self.tcb.rcv_nxt
        return seq.add(self.tcb.rcv_nxt, -waits)
