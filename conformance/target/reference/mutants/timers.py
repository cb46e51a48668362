"""Timers: too early, too late, never, or without backoff."""

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import State
from conformance.oracle.prediction import Prediction
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import OPENING, Alarm, Surroundings
from conformance.target.reference.endpoint import USER_TIMEOUT, Endpoint
from conformance.target.reference.mutants.registry import mutant
from conformance.target.reference.sending import INITIAL_RTO


@mutant("no-backoff", "RFC 6298 5.5; RFC 2525 2.10")
class NoBackoff(Endpoint):
    """Retransmits again and again after the same time."""

    def backed_off(self) -> float:
        return self.rto


@mutant("backoff-linear", "RFC 6298 5.5; RFC 2525 2.10")
class BackoffLinear(Endpoint):
    """Adds a second to the timeout where it should double."""

    def backed_off(self) -> float:
        return self.rto + 0.5


@mutant("backoff-stops", "RFC 6298 5.5; RFC 2525 2.10")
class BackoffStops(Endpoint):
    """Doubles the timeout to four seconds, and no further."""

    def backed_off(self) -> float:
        return min(super().backed_off(), 4.0)


@mutant("initial-timeout-too-short", "RFC 6298 2.1; RFC 2525 2.7")
class InitialTimeoutShort(Endpoint):
    """Sends a SYN again after 0.2 s."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.rto = 0.2


@mutant("timeout-below-minimum", "RFC 6298 2.4")
class TimeoutShort(Endpoint):
    """Lets the timeout fall to what was measured, however short."""

    def minimum_timeout(self) -> float:
        return 0.01


@mutant("round-trip-not-measured", "RFC 6298 2.2")
class RoundTripNotMeasured(Endpoint):
    """Keeps the timeout that it begins with, however long the round trip."""

    def measured(self, trip: float) -> None:
        return


@mutant("variance-not-counted", "RFC 6298 2.2; RFC 2525 2.7")
class VarianceNotCounted(Endpoint):
    """Doubles the round trip for a timeout, as RFC 793 did."""

    def timeout(self) -> float:
        return INITIAL_RTO if self.srtt is None else max(self.minimum_timeout(), 2 * self.srtt)


@mutant("later-round-trips-not-measured", "RFC 6298 2.3")
class LaterNotMeasured(Endpoint):
    """Measures the round trip of the handshake and none after it."""

    def measured(self, trip: float) -> None:
        if self.srtt is None:
            super().measured(trip)


@mutant("karn-ignored", "RFC 6298 3")
class KarnIgnored(Endpoint):
    """Takes the time from the last copy of a segment to its ACK for a round trip."""

    def retransmit_at(self, start: int) -> None:
        super().retransmit_at(start)
        self.timed = self.tcb.snd_nxt, self.now


@mutant("timer-not-restarted", "RFC 6298 5.3")
class TimerNotRestarted(Endpoint):
    """Lets the timer run on when a part of what is outstanding is acknowledged."""

    def took_new(self, before: Tcb, gained: int) -> None:
        due = self.alarms.get(Alarm.RETRANSMISSION)
        super().took_new(before, gained)
        if due is not None and self.tcb.in_flight:
            self.alarms[Alarm.RETRANSMISSION] = due


@mutant("one-second-after-lost-syn", "RFC 6298 5.7")
class OneSecondAfterLostSyn(Endpoint):
    """Begins to send data with the usual timeout although the SYN had to be sent again."""

    def took_new(self, before: Tcb, gained: int) -> None:
        super().took_new(before, gained)
        if before.state in OPENING:
            self.rto = self.timeout()


@mutant("timeout-at-most-thirty-seconds", "RFC 6298 2.5")
class TimeoutCapped(Endpoint):
    """Sends again every thirty seconds at least."""

    def backed_off(self) -> float:
        return min(super().backed_off(), 30.0)


@mutant("syn-not-sent-again", "RFC 9293 3.8.1")
class SynNotSentAgain(Endpoint):
    """Sends a SYN or SYN,ACK once and no more."""

    def send_syn_again(self) -> None:
        return


@mutant("data-not-sent-again", "RFC 9293 3.8.1")
class DataNotSentAgain(Endpoint):
    """Never sends data again."""

    def retransmit(self) -> None:
        if seq.diff(self.tcb.stream_end, self.tcb.snd_una) <= 0:
            super().retransmit()


@mutant("retransmission-forgotten-in-close-wait", "RFC 9293 3.8.1")
class NoRetransmissionInCloseWait(Endpoint):
    """Stops its retransmission timer when the peer's FIN comes."""

    def retransmit(self) -> None:
        if self.tcb.state is not State.CLOSE_WAIT:
            super().retransmit()


@mutant("acknowledged-sent-again", "RFC 9293 3.8.1; RFC 6298 5.2")
class AcknowledgedSentAgain(Endpoint):
    """Does not stop its timer when all is acknowledged, and sends the last segment again."""

    stale: tuple[int, int] | None = None

    def took_new(self, before: Tcb, gained: int) -> None:
        super().took_new(before, gained)
        if self.tcb.snd_una == self.tcb.snd_nxt and before.state not in OPENING:
            self.stale = before.snd_una, gained

    def see_to_alarms(self) -> None:
        super().see_to_alarms()
        if self.stale and self.tcb.state is State.ESTABLISHED:
            self.watch()

    def retransmission_timeout(self) -> None:
        if self.stale and self.tcb.snd_una == self.tcb.snd_nxt:
            start, count = self.stale
            self.stale = None
            self.send_text(start, count)
        super().retransmission_timeout()


@mutant("newest-sent-again", "RFC 6298 5.4")
class NewestSentAgain(Endpoint):
    """Sends on a timeout the last segment again, not the first that is unacknowledged."""

    def retransmit(self) -> None:
        end = self.tcb.snd_nxt
        gap = seq.diff(end, self.tcb.snd_una)
        self.retransmit_at(seq.add(end, -min(gap, self.send_mss)))


@mutant("gives-up-early", "RFC 9293 3.8.3 MUST-20")
class GivesUpEarly(Endpoint):
    """Drops the connection after two retransmissions."""

    def hopeless(self) -> bool:
        return self.retries >= 2 and self.tcb.state not in OPENING


@mutant("gives-up-after-a-minute", "RFC 9293 3.8.3 SHLD-11")
class GivesUpAfterAMinute(Endpoint):
    """Drops the connection when nothing was acknowledged for 60 s."""

    def hopeless(self) -> bool:
        return self.trouble is not None and self.now - self.trouble >= 59


@mutant("syn-gives-up-at-once", "RFC 9293 3.8.3 MUST-23")
class SynGivesUp(Endpoint):
    """Gives up opening when the first SYN is not answered."""

    def hopeless(self) -> bool:
        return self.tcb.state in OPENING or super().hopeless()


@mutant("delayed-ack-too-long", "RFC 9293 3.8.6.3 MUST-40")
class DelayedAckLong(Endpoint):
    """Delays an ACK by 0.7 s."""

    def ack_delay(self) -> float:
        return 0.7


@mutant("ack-never-delayed", "RFC 9293 3.8.6.3 SHLD-18")
class AckNeverDelayed(Endpoint):
    """Acknowledges each segment by itself."""

    def urgent(self, before: Tcb, segment: Segment) -> bool:
        return True


@mutant("stretch-ack", "RFC 9293 3.8.6.3 SHLD-19; RFC 2525 2.13")
class StretchAck(Endpoint):
    """Acknowledges a stream of full-sized segments only when its delay is over."""

    def urgent(self, before: Tcb, segment: Segment) -> bool:
        self.unacknowledged = 0
        return super().urgent(before, segment)


@mutant("delayed-ack-forgotten", "RFC 9293 3.8.6.3")
class DelayedAckForgotten(Endpoint):
    """Acknowledges in-order data with the next segment it sends, or never."""

    def owe(self, before: Tcb, segment: Segment, prediction: Prediction) -> None:
        super().owe(before, segment, prediction)
        self.disarm(Alarm.DELAYED_ACK)


@mutant("two-msl-too-short", "RFC 9293 3.4.2; 3.6.1 MUST-13")
class TwoMslShort(Endpoint):
    """Leaves TIME-WAIT after 0.1 s."""

    def two_msl(self) -> float:
        return 0.1


@mutant("two-msl-five-seconds", "RFC 9293 3.4.2; 3.6.1 MUST-13")
class TwoMslFive(Endpoint):
    """Leaves TIME-WAIT after five seconds."""

    def two_msl(self) -> float:
        return 5.0


@mutant("no-fast-retransmit", "RFC 5681 3.2")
class NoFastRetransmit(Endpoint):
    """Waits for a timeout whatever duplicate ACKs say."""

    def fast_retransmit(self) -> None:
        return


@mutant("first-duplicate-retransmits", "RFC 5681 3.2")
class FirstDuplicateRetransmits(Endpoint):
    """Takes the first duplicate ACK for a loss."""

    def took_duplicate(self, before: Tcb, segment: Segment) -> None:
        super().took_duplicate(before, segment)
        if self.duplicates == 1:
            self.fast_retransmit()


@mutant("sack-ignored-as-sender", "RFC 6675 5")
class SackIgnored(Endpoint):
    """Counts duplicate ACKs and does not look at what they report by SACK."""

    def took_duplicate(self, before: Tcb, segment: Segment) -> None:
        super().took_duplicate(before, Segment(segment.seq, segment.ack, segment.ctl, segment.wnd))


@mutant("everything-sent-again", "RFC 6675 5; RFC 2525 2.14")
class EverythingSentAgain(Endpoint):
    """Sends all that is outstanding again when one segment is lost."""

    def retransmit(self) -> None:
        at = self.tcb.snd_una
        while seq.lt(at, self.tcb.snd_nxt):
            self.retransmit_at(at)
            at = seq.add(at, self.send_mss)


@mutant("time-wait-not-restarted", "RFC 9293 3.10.7.4 eighth")
class TimeWaitNotRestarted(Endpoint):
    """Acknowledges a FIN that comes again in TIME-WAIT, and lets the timer run on."""

    def enter_time_wait(self, before: Tcb, segment: Segment) -> None:
        if before.state is not State.TIME_WAIT:
            super().enter_time_wait(before, segment)


@mutant("user-timeout-ignored", "RFC 9293 3.8.3 MUST-21")
class UserTimeoutIgnored(Endpoint):
    """Is as patient as ever, whatever user timeout was set."""

    def hopeless(self) -> bool:
        self.user_timeout = USER_TIMEOUT
        return super().hopeless()


@mutant("syn-never-given-up", "RFC 9293 3.8.3 MUST-22")
class SynNeverGivenUp(Endpoint):
    """Sends a SYN again for ever, and never tells its user."""

    def hopeless(self) -> bool:
        return self.tcb.state not in OPENING and super().hopeless()


@mutant("syn-given-up-after-a-minute", "RFC 9293 3.8.3 MUST-23")
class SynGivenUpAfterAMinute(Endpoint):
    """Gives up opening when the SYN was not answered for 60 s."""

    def hopeless(self) -> bool:
        late = self.trouble is not None and self.now - self.trouble >= 60
        return (self.tcb.state in OPENING and late) or super().hopeless()
