"""Sequence numbers: off by one, not modulo 2**32, not counted."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.model.state import SYNCHRONIZED
from conformance.oracle.arrives import Outcome, acknowledgment, must
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


def dropped_as_old(endpoint: Endpoint, before: Tcb) -> Outcome:
    """What becomes of a segment that is taken for an old one."""
    return Outcome(before.copy(), (must(acknowledgment(before), "", endpoint.now),))


@mutant("ack-one-too-few", "RFC 9293 3.4")
class AckOneTooFew(Endpoint):
    """Acknowledges the last octet received, not the next one expected."""

    def ack_number(self) -> int:
        return seq.add(self.tcb.rcv_nxt, -1 if self.unacknowledged else 0)


@mutant("ack-one-too-many", "RFC 9293 3.4")
class AckOneTooMany(Endpoint):
    """Acknowledges one octet more than it has received."""

    def ack_number(self) -> int:
        return seq.add(self.tcb.rcv_nxt, 1 if self.unacknowledged else 0)


@mutant("syn-not-counted", "RFC 9293 3.4")
class SynNotCounted(Endpoint):
    """Acknowledges a SYN with its own sequence number."""

    def ack_number(self) -> int:
        return self.tcb.irs if self.tcb.rcv_nxt == seq.add(self.tcb.irs, 1) else self.tcb.rcv_nxt


@mutant("fin-not-counted", "RFC 9293 3.4")
class FinNotCounted(Endpoint):
    """Forgets that a FIN occupies sequence space when it acknowledges it."""

    def ack_number(self) -> int:
        return seq.add(self.tcb.rcv_nxt, -1 if self.tcb.fin_received else 0)


@mutant("ack-not-counted-in-syn-ack", "RFC 9293 3.10.7.2 third")
class AckOfSynAckZero(Endpoint):
    """Leaves the acknowledgment number of its SYN,ACK at zero."""

    def finished(self, segment: Segment) -> Segment:
        both = segment.has(SYN) and segment.has(ACK)
        return replace(segment, ack=0) if both else segment


@mutant("compared-without-modulo", "RFC 9293 3.4")
class ComparedWithoutModulo(Endpoint):
    """Takes a sequence number for old when it is the smaller integer, wrapped or not."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        old = segment.length > 0 and segment.seq < before.rcv_nxt <= segment.end + (segment.end < segment.seq)
        wrapped = segment.length > 0 and segment.seq < before.rcv_nxt and segment.end < before.rcv_nxt
        if before.state in SYNCHRONIZED and (old or wrapped or segment.end < segment.seq):
            return dropped_as_old(self, before)
        return super().process(before, segment)


@mutant("compared-as-signed", "RFC 9293 3.4")
class ComparedAsSigned(Endpoint):
    """Compares sequence numbers as signed 32-bit integers, and fails where they pass 2**31."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        crosses = _signed(segment.end) < _signed(segment.seq)
        if before.state in SYNCHRONIZED and crosses:
            return dropped_as_old(self, before)
        return super().process(before, segment)


def _signed(number: int) -> int:
    return number - seq.MODULUS if number >= seq.HALF else number


@mutant("next-expected-not-wrapped", "RFC 9293 3.4")
class NotWrapped(Endpoint):
    """Computes IRS+1 without modulo, so that a SYN with the last sequence number is ignored."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if segment.has(SYN) and segment.seq == seq.MODULUS - 1:
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("data-starts-at-iss", "RFC 9293 3.4")
class DataStartsAtIss(Endpoint):
    """Gives the first octet of data the sequence number of its SYN."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, seq=seq.add(segment.seq, -1)) if segment.data else segment


@mutant("fin-one-too-far", "RFC 9293 3.4")
class FinOneTooFar(Endpoint):
    """Leaves a sequence number out before its FIN."""

    def finished(self, segment: Segment) -> Segment:
        if segment.has(FIN) and not segment.data:
            return replace(segment, seq=seq.add(segment.seq, 1))
        return segment


@mutant("syn-ack-sequence-changes", "RFC 9293 3.8.1")
class SynSequenceChanges(Endpoint):
    """Sends a SYN or SYN,ACK again with another sequence number than the first time."""

    def send_syn_again(self) -> None:
        self.tcb.iss = seq.add(self.tcb.iss or 0, 1)
        super().send_syn_again()


@mutant("ack-of-ack-in-sequence", "RFC 9293 3.10.7.4")
class AcksUseSequenceSpace(Endpoint):
    """Lets a pure ACK occupy a sequence number."""

    def ack_sequence(self) -> int:
        return seq.add(self.tcb.snd_nxt, 1)


@mutant("partial-ack-ignored", "RFC 9293 3.10.7.4 fifth")
class OneAckOneSegment(Endpoint):
    """Takes an ACK for several segments as one for the first of them."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        most = seq.add(before.snd_una, max(1, before.snd_mss))
        if before.state in SYNCHRONIZED and seq.gt(outcome.tcb.snd_una, most):
            outcome.tcb.snd_una = most
        return outcome
