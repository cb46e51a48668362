"""Opening a connection: states skipped, peers refused, numbers chosen badly."""

from dataclasses import replace
from random import Random

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import SYNCHRONIZED, State
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, PSH, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant
from conformance.target.reference.stack import ISN_RATE


@mutant("established-on-syn", "RFC 9293 3.10.7.2 third")
class EstablishedOnSyn(Endpoint):
    """Takes a connection for established as soon as it has sent its SYN,ACK."""

    def send_syn(self, form: Form) -> None:
        super().send_syn(form)
        if self.tcb.state is State.SYN_RECEIVED and self.tcb.passive:
            self.tcb.state = State.ESTABLISHED


@mutant("any-ack-establishes", "RFC 9293 3.10.7.4 fifth")
class AnyAckEstablishes(Endpoint):
    """Takes whatever ACK comes in SYN-RECEIVED for one of its SYN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.SYN_RECEIVED and segment.has(ACK) and not segment.ctl & (RST | SYN):
            segment = replace(segment, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("syn-received-looks-at-ack-first", "RFC 9293 3.10.7.4 first, fifth")
class SynReceivedAckFirst(Endpoint):
    """Resets a bad ACK in SYN-RECEIVED before it looks at the sequence number."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        known = before.state is State.SYN_RECEIVED and segment.has(ACK)
        if known and not segment.ctl & (RST | SYN) and segment.ack != before.snd_nxt:
            segment = replace(segment, seq=before.rcv_nxt)
        return super().process(before, segment)


@mutant("ack-of-iss-establishes", "RFC 9293 3.10.7.4 fifth")
class AckOfIssEstablishes(Endpoint):
    """Takes an ACK of ISS for one of its SYN in a simultaneous open."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        crossed = before.state is State.SYN_RECEIVED and not before.passive
        if crossed and segment.ctl & ~PSH == ACK and segment.ack == before.iss:
            segment = replace(segment, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("any-syn-ack-establishes", "RFC 9293 3.10.7.3 first")
class AnySynAckEstablishes(Endpoint):
    """Does not check in SYN-SENT what a SYN,ACK acknowledges."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.SYN_SENT and segment.has(ACK) and segment.has(SYN) and not segment.has(RST):
            segment = replace(segment, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("bad-ack-closes-syn-sent", "RFC 9293 3.10.7.3 first")
class BadAckClosesSynSent(Endpoint):
    """Gives up in SYN-SENT when an ACK is unacceptable."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        reset = any(item.forms[0].ctl & RST for item in outcome.predictions)
        return replace(outcome, tcb=before.delete()) if before.state is State.SYN_SENT and reset else outcome


@mutant("plain-ack-opens-syn-sent", "RFC 9293 3.10.7.3 fifth")
class PlainAckOpens(Endpoint):
    """Takes an acceptable ACK without SYN for the peer's SYN,ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        plain = before.state is State.SYN_SENT and not segment.ctl & (SYN | RST)
        if plain and (segment.ack == before.snd_nxt or not segment.has(ACK)):
            segment = replace(segment, ctl=segment.ctl | SYN | ACK, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("no-simultaneous-open", "RFC 9293 3.5 MUST-10")
class NoSimultaneousOpen(Endpoint):
    """Resets a SYN that crosses its own."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.SYN_SENT and segment.has(SYN) and not segment.ctl & (ACK | RST):
            self.send_reset(Form(RST | ACK, 0, segment.end))
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("simultaneous-open-answers-ack", "RFC 9293 3.10.7.3 fourth")
class CrossedSynAcked(Endpoint):
    """Answers a SYN that crosses its own with an ACK that lacks the SYN."""

    def send_syn(self, form: Form) -> None:
        if self.tcb.state is State.SYN_RECEIVED and not self.tcb.passive:
            self.acknowledge()
        else:
            super().send_syn(form)


@mutant("crossed-syn-ack-dropped", "RFC 9293 3.5, Figure 7")
class CrossedSynAckDropped(Endpoint):
    """Does not take the ACK of a SYN,ACK in SYN-RECEIVED, for its SYN is old."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        old = before.state is State.SYN_RECEIVED and segment.has(SYN) and segment.has(ACK)
        return Outcome(before.copy()) if old and not segment.has(RST) else super().process(before, segment)


@mutant("syn-ack-not-acknowledged", "RFC 9293 3.10.7.3 fourth")
class SynAckNotAcknowledged(Endpoint):
    """Goes to ESTABLISHED on a SYN,ACK without the ACK that ends the handshake."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        done = before.state is State.SYN_SENT and outcome.tcb.state is State.ESTABLISHED
        return replace(outcome, predictions=()) if done else outcome


@mutant("text-with-handshake-lost", "RFC 9293 3.10.7.4 seventh")
class HandshakeTextLost(Endpoint):
    """Ignores the text of the ACK that ends the handshake."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.SYN_RECEIVED and not segment.ctl & (SYN | RST):
            segment = replace(segment, data=b"")
        return super().process(before, segment)


@mutant("fin-with-handshake-lost", "RFC 9293 3.10.7.4 eighth")
class HandshakeFinLost(Endpoint):
    """Ignores the FIN of the ACK that ends the handshake."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.SYN_RECEIVED and segment.has(ACK):
            segment = replace(segment, ctl=segment.ctl & ~FIN)
        return super().process(before, segment)


@mutant("syn-text-acknowledged-not-kept", "RFC 9293 3.10.7.2 third")
class SynTextAcknowledged(Endpoint):
    """Acknowledges text on a SYN, and throws it away."""

    lost = 0

    def ack_number(self) -> int:
        return seq.add(self.tcb.rcv_nxt, self.lost)

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        opens = before.state is State.LISTEN and segment.has(SYN)
        self.lost = len(segment.data) if opens else self.lost
        return super().process(before, replace(segment, data=b"") if opens else segment)

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, ack=self.ack_number()) if segment.has(SYN) and segment.has(ACK) else segment


@mutant("syn-fin-dropped", "RFC 9293 3.10.7.2 third")
class SynFinDropped(Endpoint):
    """Drops a SYN that carries a FIN."""

    def parse(self, segment: Segment) -> Segment | None:
        return None if segment.has(SYN) and segment.has(FIN) else segment


@mutant("syn-fin-wedges", "RFC 9293 3.10.7.2 third")
class SynFinWedges(Endpoint):
    """Gets stuck in SYN-RECEIVED, deaf to resets, when a SYN carried a FIN."""

    wedged = False

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        self.wedged = self.wedged or (segment.has(SYN) and segment.has(FIN) and before.state is State.LISTEN)
        if self.wedged and before.state is State.SYN_RECEIVED:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("syn-with-other-bits-dropped", "RFC 9293 3.10.7.2 third")
class SynWithOthersDropped(Endpoint):
    """Takes a SYN for one only if it has no other control bit."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        strange = before.state is State.LISTEN and segment.has(SYN) and segment.ctl != SYN
        if strange and not segment.ctl & (ACK | RST):
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("syn-ack-in-listen-opens", "RFC 9293 3.10.7.2 second")
class SynAckOpens(Endpoint):
    """Answers a SYN,ACK in LISTEN by opening, for it has a SYN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is State.LISTEN and segment.has(SYN) and not segment.has(RST):
            segment = replace(segment, ctl=segment.ctl & ~ACK)
        return super().process(before, segment)


@mutant("isn-constant", "RFC 9293 3.4.1 MUST-8")
class IsnConstant(Endpoint):
    """Begins every connection with the same sequence number."""

    def initial_sequence_number(self) -> int:
        return 0x01234567


@mutant("isn-runs-backwards", "RFC 9293 3.4.1 MUST-8")
class IsnRunsBackwards(Endpoint):
    """Takes the clock away from what the sockets give, and does not add it."""

    def initial_sequence_number(self) -> int:
        return seq.wrap(-super().initial_sequence_number())


@mutant("isn-not-beyond-old-one", "RFC 9293 3.6.1 MAY-2 (1)")
class IsnNotBeyond(Endpoint):
    """Reopens from TIME-WAIT with an ISS that the old connection has used."""

    def initial_sequence_number(self) -> int:
        old = self.tcb.reopened
        return old.iss or 0 if old is not None else super().initial_sequence_number()


@mutant("time-wait-not-restored", "RFC 9293 3.6.1 MAY-2 (2)")
class TimeWaitNotRestored(Endpoint):
    """Does not return to TIME-WAIT when the SYN that reopened it was an old duplicate."""

    def send_syn(self, form: Form) -> None:
        super().send_syn(form)
        self.tcb.reopened = None


@mutant("old-syn-reopens-time-wait", "RFC 9293 3.10.7.4 fourth; 3.6.1 MUST-13")
class OldSynReopens(Endpoint):
    """Reopens from TIME-WAIT on any SYN, older than the connection or not."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        fresh = before.state is State.TIME_WAIT and segment.has(SYN) and not segment.ctl & (ACK | RST)
        if fresh and before.passive:
            listener = Tcb(State.LISTEN, True, listening=True, family=before.family)
            outcome = super().process(listener, segment)
            outcome.tcb.reopened = before
            return outcome
        return super().process(before, segment)


@mutant("syn-never-reopens-time-wait", "RFC 9293 3.6.1 MAY-2")
class NeverReopens(Endpoint):
    """Keeps its sockets in TIME-WAIT closed to a new connection."""

    def choose(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        return outcomes[0]


@mutant("established-syn-ack-reset", "RFC 9293 3.10.7.4 first")
class DuplicateSynAckResets(Endpoint):
    """Resets a connection when its peer's SYN or SYN,ACK comes again."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        again = before.state in SYNCHRONIZED and segment.has(SYN) and segment.seq == before.irs
        if again and not segment.has(RST):
            self.send_reset(Form(RST, before.snd_nxt, None))
            return Outcome(before.delete())
        return super().process(before, segment)


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


@mutant("isn-of-few", "RFC 9293 3.4.1 SHLD-1")
class IsnOfFew(Endpoint):
    """Adds to the clock one of 32 numbers only, whichever the sockets are."""

    def initial_sequence_number(self) -> int:
        offset = Random(str(self.around.flow)).randrange(32) << 27
        return seq.wrap(offset + int(self.now * ISN_RATE))
