"""Congestion control: too much in flight, at the beginning, after a loss, or ever more of it."""

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.oracle.tcb import DEFAULT_MSS, Tcb
from conformance.target.reference.core import ACK
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant

NO_LIMIT = 1 << 30


@mutant("no-initial-slow-start", "RFC 5681 3.1; RFC 2525 2.1")
class NoSlowStart(Endpoint):
    """Begins with all that the peer's window takes, without a congestion window."""

    def initial_window(self) -> int:
        return NO_LIMIT


@mutant("no-slow-start-after-timeout", "RFC 5681 3.1; RFC 2525 2.2")
class NoSlowStartAfterTimeout(Endpoint):
    """Keeps its congestion window when the retransmission timeout expires."""

    def loss_window(self) -> int:
        return self.congestion_window()


@mutant("congestion-window-uninitialised", "RFC 5681 3.1; RFC 2525 2.3")
class Uninitialised(Endpoint):
    """Sets its congestion window when it reads the MSS option, and never if there is none."""

    def initial_window(self) -> int:
        named = self.tcb.snd_mss != DEFAULT_MSS[self.tcb.family]
        return super().initial_window() if named else NO_LIMIT


@mutant("initial-window-too-large", "RFC 6928 2")
class InitialWindowLarge(Endpoint):
    """Begins with sixteen segments."""

    def initial_window(self) -> int:
        return 16 * self.send_mss


@mutant("acknowledged-syn-counts", "RFC 5681 3.1")
class SynCounts(Endpoint):
    """Begins with eleven segments, as if the acknowledgment of its SYN were one of data."""

    def counts(self, before: Tcb) -> bool:
        return True

    def slow_start(self, gained: int) -> int:
        return self.send_mss


@mutant("initial-window-after-lost-syn", "RFC 5681 3.1")
class LostSynForgotten(Endpoint):
    """Begins with the usual window although the SYN or the SYN,ACK was lost."""

    def took_new(self, before: Tcb, gained: int) -> None:
        super().took_new(before, gained)
        self.syn_lost = False


@mutant("slow-start-doubles-per-ack", "RFC 5681 3.1")
class DoublesPerAck(Endpoint):
    """Adds two segments to its congestion window for each ACK in slow start."""

    def slow_start(self, gained: int) -> int:
        return 2 * self.send_mss


@mutant("slow-start-counts-all-octets", "RFC 5681 3.1")
class CountsAllOctets(Endpoint):
    """Adds to its congestion window all that an ACK acknowledges, however many segments."""

    def slow_start(self, gained: int) -> int:
        return gained


@mutant("slow-start-counts-acks", "RFC 5681 3.1")
class CountsAcks(Endpoint):
    """Adds a segment for each ACK in slow start, were it of an octet."""

    def slow_start(self, gained: int) -> int:
        return self.send_mss


@mutant("duplicate-acks-in-slow-start", "RFC 5681 3.1, 3.2; RFC 3042 2")
class DuplicatesGrow(Endpoint):
    """Lets each duplicate ACK add to the congestion window what an ACK of three segments would."""

    def limited_transmit(self) -> None:
        self.extra = 3 * self.duplicates * self.send_mss


@mutant("no-limited-transmit", "RFC 5681 3.2; RFC 3042 2")
class NoLimitedTransmit(Endpoint):
    """Sends nothing new on the first two duplicate ACKs."""

    def limited_transmit(self) -> None:
        return


@mutant("congestion-avoidance-missing", "RFC 5681 3.1")
class NoCongestionAvoidance(Endpoint):
    """Never leaves slow start."""

    def congestion_avoidance(self) -> int:
        return self.send_mss


@mutant("congestion-avoidance-extra-constant", "RFC 5681 3.1; RFC 2525 2.6")
class ExtraConstant(Endpoint):
    """Adds an eighth of a segment more for each ACK in congestion avoidance."""

    def congestion_avoidance(self) -> int:
        return super().congestion_avoidance() + self.send_mss // 8


@mutant("ssthresh-kept-on-timeout", "RFC 5681 3.1")
class SsthreshKept(Endpoint):
    """Begins with one segment after a timeout, and then has slow start go on for ever."""

    def collapse(self) -> None:
        before = self.ssthresh
        super().collapse()
        self.ssthresh = before


@mutant("loss-does-not-halve", "RFC 5681 3.1, 3.2")
class NotHalved(Endpoint):
    """Takes the whole flight for ssthresh."""

    def halved(self) -> int:
        return self.tcb.in_flight


@mutant("second-duplicate-retransmits", "RFC 5681 3.2")
class SecondDuplicateRetransmits(Endpoint):
    """Takes the second duplicate ACK for a loss."""

    def limited_transmit(self) -> None:
        super().limited_transmit()
        if self.duplicates == 2:
            self.fast_retransmit()


@mutant("duplicates-counted-for-ever", "RFC 5681 3.2")
class DuplicatesKept(Endpoint):
    """Does not begin to count duplicate ACKs anew when something new is acknowledged."""

    def took_new(self, before: Tcb, gained: int) -> None:
        counted = self.duplicates
        super().took_new(before, gained)
        self.duplicates = counted


@mutant("data-taken-for-duplicate-ack", "RFC 5681 2")
class DataIsDuplicate(Endpoint):
    """Takes a segment with data for a duplicate ACK if it acknowledges nothing new."""

    def duplicate_ack(self, before: Tcb, segment: Segment) -> bool:
        return super().duplicate_ack(before, Segment(segment.seq, segment.ack, ACK, segment.wnd))


@mutant("window-update-taken-for-duplicate-ack", "RFC 5681 2")
class UpdateIsDuplicate(Endpoint):
    """Takes a window update for a duplicate ACK."""

    def duplicate_ack(self, before: Tcb, segment: Segment) -> bool:
        return not segment.length and self.tcb.in_flight > 0


@mutant("old-ack-taken-for-duplicate", "RFC 5681 2")
class OldIsDuplicate(Endpoint):
    """Takes an ACK that was overtaken for a duplicate of the newest."""

    def take_acknowledgment(self, before: Tcb, segment: Segment) -> None:
        super().take_acknowledgment(before, segment)
        tcb = self.tcb
        if before.iss == tcb.iss and tcb.in_flight and seq.lt(segment.ack, tcb.snd_una):
            self.took_duplicate(before, segment)


@mutant("retransmits-on-every-third-duplicate", "RFC 5681 3.2")
class EveryThird(Endpoint):
    """Sends the segment again on the sixth duplicate ACK, too, and the ninth."""

    def inflate(self) -> None:
        super().inflate()
        if self.duplicates % 3 == 0:
            self.retransmit()


@mutant("no-fast-recovery", "RFC 5681 3.2")
class NoFastRecovery(Endpoint):
    """Sends nothing new, however many duplicate ACKs come, until the loss is made good."""

    def inflate(self) -> None:
        return


@mutant("duplicate-inflates-by-two", "RFC 5681 3.2")
class InflatesByTwo(Endpoint):
    """Lets two segments go for each duplicate ACK in fast recovery."""

    def inflate(self) -> None:
        super().inflate()
        super().inflate()


@mutant("window-not-deflated", "RFC 5681 3.2; RFC 2525 2.8")
class NotDeflated(Endpoint):
    """Keeps the window that duplicate ACKs have inflated when the loss is made good."""

    def deflate(self) -> None:
        return


@mutant("no-restart-after-idle", "RFC 5681 4.1")
class NoRestart(Endpoint):
    """Sends after an idle time all that its old congestion window takes at once."""

    def restart(self) -> None:
        return


@mutant("partial-ack-ends-recovery", "RFC 6582 3.2")
class PartialAckEndsRecovery(Endpoint):
    """Takes the first ACK of something new for the end of the loss, and leaves the next hole to a timeout."""

    def recovers(self, recover: int, gained: int) -> None:
        super().recovers(self.tcb.snd_una if self.inflated else recover, gained)
