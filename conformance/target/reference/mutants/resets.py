"""Resets that arrive: believed too easily, or not at all."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import SYNCHRONIZED, State
from conformance.oracle.arrives import Outcome, segment_arrives
from conformance.oracle.latitude import Profile
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, NO_CONNECTION, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant

_CLOSING = frozenset({State.CLOSING, State.LAST_ACK})


@mutant("rst-anywhere-accepted", "RFC 9293 3.10.7.4 first, second")
class RstAnywhere(Endpoint):
    """Believes every RST, whatever its sequence number."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state in SYNCHRONIZED | {State.SYN_RECEIVED} and segment.has(RST):
            segment = replace(segment, seq=before.rcv_nxt)
        return super().process(before, segment)


@mutant("rst-in-window-accepted", "RFC 9293 3.10.7.4 second; RFC 5961 3.2")
class RstInWindow(Endpoint):
    """Believes a RST anywhere in the window, as RFC 793 had it."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state in SYNCHRONIZED | {State.SYN_RECEIVED}:
            return segment_arrives(before, segment, self.now, Profile(rfc5961=False))[0]
        return super().process(before, segment)


@mutant("rst-ignored", "RFC 9293 3.10.7.4 second")
class RstIgnored(Endpoint):
    """Ignores a RST in the synchronized states."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state in SYNCHRONIZED:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-with-data-ignored", "RFC 9293 3.10.7.4 second")
class RstWithDataIgnored(Endpoint):
    """Ignores a RST that carries data."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and segment.data:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-needs-acceptable-ack", "RFC 9293 3.10.7.4 second")
class RstNeedsAck(Endpoint):
    """Believes a RST,ACK only if its ACK is acceptable, which matters in SYN-SENT alone."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state in SYNCHRONIZED and segment.has(RST) and segment.has(ACK):
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-in-syn-received-ignored", "RFC 9293 3.10.7.4 second")
class RstInSynReceivedIgnored(Endpoint):
    """Stays in SYN-RECEIVED when a RST comes, instead of returning to LISTEN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state is State.SYN_RECEIVED:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-in-syn-sent-ignored", "RFC 9293 3.10.7.3 second")
class RstInSynSentIgnored(Endpoint):
    """Goes on trying to open when the peer refuses."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state is State.SYN_SENT:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-in-syn-sent-not-checked", "RFC 9293 3.10.7.3 first, second")
class RstInSynSentNotChecked(Endpoint):
    """Believes a RST in SYN-SENT that does not acknowledge the SYN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state is State.SYN_SENT:
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("rst-in-closing-ignored", "RFC 9293 3.10.7.4 second")
class RstInClosingIgnored(Endpoint):
    """Ignores a RST in CLOSING and LAST-ACK, where it has nothing more to lose."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state in _CLOSING:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-at-zero-window-ignored", "RFC 9293 3.4 MUST-66; 3.10.7.4 first")
class RstAtZeroWindowIgnored(Endpoint):
    """Ignores a RST while its own window is closed."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state in SYNCHRONIZED and before.rcv_wnd == 0:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-in-time-wait-any", "RFC 9293 3.10.7.4 second; RFC 1337")
class TimeWaitAssassinated(Endpoint):
    """Lets a RST anywhere in the window end TIME-WAIT."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.state is State.TIME_WAIT and before.acceptable(segment):
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("rst-in-time-wait-answered", "RFC 9293 3.10.7.4 second")
class RstInTimeWaitAnswered(Endpoint):
    """Answers a RST in TIME-WAIT with an ACK, also the one that ends it."""

    was_waiting = False

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        self.was_waiting = before.state is State.TIME_WAIT

    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        if segment.has(RST) and self.was_waiting:
            self.acknowledge()


@mutant("rst-out-of-window-answered", "RFC 9293 3.10.7.4 first")
class OldRstAnswered(Endpoint):
    """Answers a RST outside the window with an ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        known = before.state in SYNCHRONIZED | {State.SYN_RECEIVED}
        if segment.has(RST) and known and not before.acceptable(segment):
            self.acknowledge()
        return outcome


@mutant("rst-not-challenged", "RFC 9293 3.10.7.4 second; RFC 5961 3.2")
class RstNotChallenged(Endpoint):
    """Drops a RST in the window that is not at RCV.NXT without a challenge ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        return replace(outcome, predictions=()) if segment.has(RST) else outcome


@mutant("rst-answered-with-rst", "RFC 9293 3.5.2, 3.10.7.1")
class RstAnswered(Endpoint):
    """Answers a RST for no connection with a RST."""

    def heard(self, segment: Segment) -> None:
        super().heard(segment)
        if segment.has(RST) and self.tcb.state in NO_CONNECTION:
            self.send_reset(Form(RST | ACK, 0, segment.end))


@mutant("rst-in-listen-answered", "RFC 9293 3.10.7.2 first")
class RstInListenAnswered(Endpoint):
    """Answers a RST,ACK to LISTEN as any other segment with an ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.LISTEN and segment.has(RST) and segment.has(ACK):
            segment = replace(segment, ctl=segment.ctl & ~RST)
        return super().process(before, segment)


@mutant("syn-rst-in-listen-opens", "RFC 9293 3.10.7.2 first")
class SynRstOpens(Endpoint):
    """Looks at the SYN of a SYN,RST to LISTEN first."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.LISTEN and segment.has(RST) and segment.has(SYN):
            segment = replace(segment, ctl=segment.ctl & ~(RST | ACK))
        return super().process(before, segment)


@mutant("silent-after-reset", "RFC 9293 3.10.7.4 second")
class SilentAfterReset(Endpoint):
    """Is silent to what comes after a connection was reset, as if it still waited."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.CLOSED and segment.has(ACK) and not segment.has(SYN):
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("rst-at-rcv-nxt-minus-one", "RFC 9293 3.10.7.4 second")
class RstAfterFin(Endpoint):
    """After a FIN believes a RST at RCV.NXT-1, too."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(RST) and before.fin_received and segment.seq == seq.add(before.rcv_nxt, -1):
            segment = replace(segment, seq=before.rcv_nxt)
        return super().process(before, segment)


@mutant("rfc1337-not-heeded", "RFC 1337 3 F1")
class AssassinatedAllTheSame(Endpoint):
    """Lets a RST end TIME-WAIT although it was told to ignore it."""

    def choose(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        taken = super().choose(before, segment, outcomes)
        return outcomes[0] if segment.has(RST) else taken
