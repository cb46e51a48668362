"""Urgent data, announced or taken wrongly."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.case import CallError, CallName, UserCall
from conformance.model.segment import Control, Segment
from conformance.oracle.tcb import Tcb
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("urgent-pointer-to-last-octet", "RFC 9293 3.8.5 MUST-62")
class UrgentPointerToLastOctet(Endpoint):
    """Points to the last octet of urgent data, as RFC 1122 and half of RFC 793 had it."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, urp=segment.urp - 1) if segment.has(Control.URG) else segment


@mutant("urgent-not-announced", "RFC 9293 3.8.5 MUST-30")
class UrgentNotAnnounced(Endpoint):
    """Sends urgent data like any other."""

    def urgent_pointer(self, sequence: int) -> int | None:
        return None


@mutant("urgent-announced-with-last-octet", "RFC 9293 3.10.2")
class UrgentAnnouncedLate(Endpoint):
    """Sets URG only in the segment in which the urgent data ends."""

    def finished(self, segment: Segment) -> Segment:
        if segment.urp <= len(segment.data):
            return segment
        return replace(segment, urp=0, ctl=segment.ctl & ~Control.URG)


@mutant("urgent-for-ever", "RFC 9293 3.8.5")
class UrgentForEver(Endpoint):
    """Goes on to set URG after the urgent data."""

    def finished(self, segment: Segment) -> Segment:
        later = bool(self.tcb.urgent) and not segment.has(Control.RST) and not segment.has(Control.SYN)
        return replace(segment, ctl=segment.ctl | Control.URG) if later else segment


@mutant("urgent-pointer-lost", "RFC 9293 3.8.5")
class UrgentPointerLost(Endpoint):
    """Sends urgent data again without saying that it is."""

    furthest: int | None = None

    def finished(self, segment: Segment) -> Segment:
        again = self.furthest is not None and segment.length > 0 and seq.lt(segment.seq, self.furthest)
        if segment.length:
            self.furthest = segment.end if self.furthest is None else seq.latest(segment.end, self.furthest)
        return replace(segment, urp=0, ctl=segment.ctl & ~Control.URG) if again else segment


@mutant("urgent-data-of-one-octet", "RFC 9293 3.8.5 MUST-31")
class UrgentDataOfOneOctet(Endpoint):
    """Takes the first octet alone for urgent."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, urp=1) if segment.has(Control.URG) else segment


@mutant("urgent-pointer-from-start", "RFC 9293 3.8.5")
class UrgentPointerFromStart(Endpoint):
    """Counts the urgent pointer from the first octet of the connection."""

    def finished(self, segment: Segment) -> Segment:
        if not segment.has(Control.URG):
            return segment
        return replace(segment, urp=min(0xFFFF, segment.urp + seq.diff(segment.seq, (self.tcb.iss or 0) + 1)))


@mutant("urgent-octet-cut-out", "RFC 9293 3.8.5")
class UrgentCutOut(Endpoint):
    """Takes the urgent octet out of the stream although the user wants it there."""

    saw_urgent = False

    def deliver(self, octets: bytes) -> None:
        super().deliver(octets[:-1] if self.saw_urgent else octets)

    def take_text(self, before: Tcb, segment: Segment) -> None:
        self.saw_urgent = segment.has(Control.URG)
        super().take_text(before, segment)


@mutant("urgent-segment-dropped", "RFC 9293 3.8.5 MUST-30")
class UrgentDropped(Endpoint):
    """Drops segments that have URG set."""

    def parse(self, segment: Segment) -> Segment | None:
        return None if segment.has(Control.URG) else segment


@mutant("urgent-pointer-waits", "RFC 9293 3.8.5 MUST-31")
class UrgentPointerWaits(Endpoint):
    """Keeps data back until all octets up to the urgent pointer have come."""

    def parse(self, segment: Segment) -> Segment | None:
        waits = segment.has(Control.URG) and segment.data and segment.urp > len(segment.data)
        return None if waits else segment


@mutant("urgent-pointer-answered", "RFC 9293 3.8.5")
class UrgentPointerAnswered(Endpoint):
    """Answers an urgent pointer without data with an ACK."""

    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        if segment.has(Control.URG) and not segment.length:
            self.acknowledge()


@mutant("urgent-data-counted-in-16-bits", "RFC 9293 3.8.5 MUST-31")
class UrgentCounted(Endpoint):
    """Counts urgent data by 16 bits, and drops segments for which that is not enough."""

    def parse(self, segment: Segment) -> Segment | None:
        end = seq.diff(seq.add(segment.seq, segment.urp), self.tcb.irs)
        return None if segment.has(Control.URG) and end > 0xFFFF + 1 else segment


@mutant("urgent-not-told", "RFC 9293 3.8.5 MUST-32")
class UrgentNotTold(Endpoint):
    """Tells its user nothing of the peer's urgent data."""

    def urgent_mode(self) -> bool:
        return False


@mutant("urgent-told-once", "RFC 9293 3.8.5 MUST-32")
class UrgentToldOnce(Endpoint):
    """Tells its user of the first urgent data on a connection, and of no other."""

    first: int | None = None

    def urgent_mode(self) -> bool:
        if self.first is None:
            self.first = self.tcb.rcv_up
        return super().urgent_mode() and self.first == self.tcb.rcv_up


@mutant("urgent-mode-for-ever", "RFC 9293 3.8.5 MUST-33")
class UrgentModeForEver(Endpoint):
    """Never tells its user that all urgent data has been received."""

    def urgent_mode(self) -> bool:
        return self.tcb.rcv_up is not None


@mutant("urgent-mode-ends-before-last-octet", "RFC 9293 3.8.5 MUST-33, MUST-62")
class UrgentModeEndsEarly(Endpoint):
    """Takes the urgent pointer of the peer for one to the last octet of urgent data, which it leaves out."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, urp=max(0, segment.urp - 1))


@mutant("urgent-advance-not-seen", "RFC 9293 3.8.5 MUST-32")
class UrgentAdvanceNotSeen(Endpoint):
    """Keeps to the first urgent pointer until all before it has been received."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, ctl=segment.ctl & ~Control.URG) if self.tcb.urgent_mode else segment


@mutant("urgent-pointer-not-compared", "RFC 9293 3.10.7.4 sixth")
class UrgentPointerNotCompared(Endpoint):
    """Tells its user of urgent data whenever URG is set, wherever the pointer points."""

    def parse(self, segment: Segment) -> Segment | None:
        return replace(segment, urp=segment.urp or len(segment.data))


@mutant("urgent-mode-by-arrival", "RFC 9293 3.8.5 MUST-33")
class UrgentModeByArrival(Endpoint):
    """Leaves urgent mode when the urgent data has come, received by its user or not."""

    def urgent_mode(self) -> bool:
        up = self.tcb.rcv_up
        return up is not None and seq.gt(up, self.tcb.rcv_nxt)


@mutant("urgent-unseen-with-closed-window", "RFC 9293 3.4 MUST-66")
class UrgentUnseenWithClosedWindow(Endpoint):
    """Looks at URG only while its window is open."""

    def parse(self, segment: Segment) -> Segment | None:
        closed = self.tcb.rcv_wnd == 0
        return replace(segment, ctl=segment.ctl & ~Control.URG) if closed else segment


@mutant("urgent-data-overtakes", "RFC 9293 3.8.5")
class UrgentOvertakes(Endpoint):
    """Sends urgent data before what was to be sent first."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        waiting = self.tcb.unsent if call.urgent and call.name is CallName.SEND else 0
        kept = len(self.tcb.stream) - waiting
        stream, self.tcb.stream = self.tcb.stream, self.tcb.stream[:kept]
        error = super().call(call, now, sent)
        self.tcb.stream += stream[kept:]
        return error


@mutant("urgent-pointer-of-first-transmission", "RFC 9293 3.8.5 MUST-62")
class UrgentPointerOfFirstTransmission(Endpoint):
    """Sends the urgent pointer again as it was, from wherever the retransmission begins."""

    first: int | None = None

    def finished(self, segment: Segment) -> Segment:
        if not segment.has(Control.URG):
            return segment
        self.first = segment.urp if self.first is None else self.first
        return replace(segment, urp=max(self.first, segment.urp))


@mutant("urgent-told-when-it-has-come", "RFC 9293 3.8.5 MUST-32")
class UrgentToldWhenItHasCome(Endpoint):
    """Tells its user of urgent data only when all of it is there."""

    def urgent_mode(self) -> bool:
        up = self.tcb.rcv_up
        return super().urgent_mode() and up is not None and seq.leq(up, self.tcb.rcv_nxt)


@mutant("urgent-pointer-outside-window-ignored", "RFC 9293 3.8.5 MUST-32")
class UrgentPointerOutsideWindowIgnored(Endpoint):
    """Does not look at an urgent pointer that does not point into its window."""

    def parse(self, segment: Segment) -> Segment | None:
        outside = seq.diff(seq.add(segment.seq, segment.urp), self.tcb.rcv_nxt) >= self.tcb.rcv_wnd
        return replace(segment, ctl=segment.ctl & ~Control.URG) if outside else segment
