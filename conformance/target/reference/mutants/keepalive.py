"""Keep-alives: unasked, never, too often, or taken for what they are not."""

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import State
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, Alarm, Surroundings
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("keep-alive-unasked", "RFC 9293 3.8.4 MUST-25")
class KeepAliveUnasked(Endpoint):
    """Sends keep-alives that the user has not asked for, every half second."""

    def see_to_keep_alive(self) -> None:
        self.tcb.keepalive = self.tcb.state is State.ESTABLISHED
        self.keep_idle = self.keep_interval = 0.5
        super().see_to_keep_alive()


@mutant("keep-alive-gives-up-at-once", "RFC 9293 3.8.4 MUST-29; RFC 2525 2.9")
class KeepAliveGivesUpAtOnce(Endpoint):
    """Takes one keep-alive that is not answered for the end of the connection."""

    def keep_alive(self) -> None:
        self.keep_count = 1
        super().keep_alive()


@mutant("keep-alive-never", "RFC 9293 3.8.4 MUST-24")
class KeepAliveNever(Endpoint):
    """Lets the user ask for keep-alives, and sends none."""

    def keep_alive(self) -> None:
        self.see_to_keep_alive()


@mutant("keep-alive-interval-fixed", "RFC 9293 3.8.4 MUST-27; RFC 2525 2.11")
class KeepAliveIntervalFixed(Endpoint):
    """Probes every ten seconds, whatever interval the user has set."""

    def see_to_keep_alive(self) -> None:
        self.keep_idle = self.keep_interval = 10.0
        super().see_to_keep_alive()


@mutant("keep-alive-octet-refused", "RFC 9293 3.8.4 MAY-6")
class KeepAliveOctetRefused(Endpoint):
    """Sends keep-alives without data, also where the user wants an octet in them."""

    def garbage(self) -> bytes:
        return b""


@mutant("keep-alive-octet-unasked", "RFC 9293 3.8.4 SHLD-12")
class KeepAliveOctetUnasked(Endpoint):
    """Sends an octet with each keep-alive, as old BSD did."""

    def garbage(self) -> bytes:
        return b"\0"


@mutant("keep-alive-after-an-hour", "RFC 9293 3.8.4 MUST-28")
class KeepAliveAfterAnHour(Endpoint):
    """Sends the first keep-alive after an hour, if the user does not say when."""

    def __init__(self, tcb: Tcb, around: Surroundings) -> None:
        super().__init__(tcb, around)
        self.keep_idle = 3600.0


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
