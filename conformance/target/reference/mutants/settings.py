"""What the user has set, and how long to be patient; where a connection's numbers begin."""

from random import Random

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.oracle.arrives import Outcome
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, OPENING, SYN, Alarm
from conformance.target.reference.endpoint import USER_TIMEOUT, Endpoint
from conformance.target.reference.mutants.registry import mutant
from conformance.target.reference.stack import ISN_RATE


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


@mutant("keep-alive-while-busy", "RFC 9293 3.8.4 MUST-26")
class KeepAliveWhileBusy(Endpoint):
    """Sends keep-alives at their interval, although something came since."""

    def heard(self, segment: Segment) -> None:
        self.keep_sent = 0
        if Alarm.KEEP_ALIVE not in self.alarms:
            self.see_to_keep_alive()


@mutant("keep-alive-while-outstanding", "RFC 9293 3.8.4 MUST-26")
class KeepAliveWhileOutstanding(Endpoint):
    """Sends keep-alives beside the retransmissions of data that is outstanding."""

    def keep_alive(self) -> None:
        if self.tcb.snd_nxt != self.tcb.snd_una:
            self.transmit(ACK, seq.add(self.tcb.snd_nxt, -1), self.ack_number())
        super().keep_alive()


@mutant("isn-stands-still", "RFC 9293 3.4.1 MUST-8")
class IsnStandsStill(Endpoint):
    """Begins every connection between the same sockets with the same number."""

    def initial_sequence_number(self) -> int:
        return Random(str(self.around.flow)).randrange(seq.MODULUS)


@mutant("isn-clock-too-fast", "RFC 9293 3.4.1 MUST-8")
class IsnClockTooFast(Endpoint):
    """Has an ISN clock that ticks every 64 nanoseconds."""

    def initial_sequence_number(self) -> int:
        ticks = int(self.now * ISN_RATE) * 62
        return seq.wrap(Random(str(self.around.flow)).randrange(seq.MODULUS) + ticks)


@mutant("isn-of-the-clock-alone", "RFC 9293 3.4.1 SHLD-1, MUST-9")
class IsnOfTheClock(Endpoint):
    """Takes the clock for the ISN, whatever the sockets are: who opens one connection knows the next."""

    def initial_sequence_number(self) -> int:
        return seq.wrap(int(self.now * ISN_RATE))


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
