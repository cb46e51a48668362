"""What is sent in reply: resets that nobody believes, challenges that never come."""

from dataclasses import replace

from conformance.model import seq
from conformance.model.segment import Control, Segment
from conformance.model.state import SYNCHRONIZED, State
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, NO_CONNECTION, PSH, RST, SYN
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("rst-seq-zero", "RFC 9293 3.10.7.1")
class RstSeqZero(Endpoint):
    """Sends a RST in answer to an ACK with SEQ=0, not SEG.ACK."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        return replace(form, seq=0) if segment is not None else form


@mutant("rst-seq-one-too-many", "RFC 9293 3.10.7.1")
class RstSeqOff(Endpoint):
    """Sends a RST with SEQ=SEG.ACK+1."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        off = segment is not None and segment.has(ACK)
        return replace(form, seq=seq.add(form.seq or 0, 1)) if off else form


@mutant("rst-without-ack", "RFC 9293 3.10.7.1")
class RstWithoutAck(Endpoint):
    """Resets a segment that has no ACK with a bare RST, which its sender cannot believe."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        return replace(form, ctl=RST, ack=None)


@mutant("rst-with-ack-always", "RFC 9293 3.10.7.1")
class RstWithAckAlways(Endpoint):
    """Resets a segment with an ACK in the form that is meant for one without."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        return Form(RST | ACK, 0, segment.end) if segment is not None else form


@mutant("rst-ack-of-seq", "RFC 9293 3.10.7.1")
class RstAckOfSeq(Endpoint):
    """Acknowledges in a RST,ACK the SEQ of the segment, without its length."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        return replace(form, ack=segment.seq) if segment is not None and form.ctl & ACK else form


@mutant("rst-ack-without-text", "RFC 9293 3.10.7.1")
class RstAckWithoutText(Endpoint):
    """Counts in a RST,ACK the SYN and the FIN, and not the text."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        if segment is None or not form.ctl & ACK:
            return form
        return replace(form, ack=seq.add(segment.end, -len(segment.data)))


@mutant("rst-ack-without-fin", "RFC 9293 3.10.7.1")
class RstAckWithoutFin(Endpoint):
    """Forgets the FIN in the length that a RST,ACK acknowledges."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        if segment is None or not form.ctl & ACK:
            return form
        return replace(form, ack=seq.add(segment.end, -1 if segment.has(FIN) else 0))


@mutant("rst-ack-one-too-many", "RFC 9293 3.10.7.1")
class RstAckOneTooMany(Endpoint):
    """Counts one in a RST,ACK for a segment of no length."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        if segment is None or not form.ctl & ACK or segment.length:
            return form
        return replace(form, ack=seq.add(segment.end, 1))


@mutant("closed-port-silent", "RFC 9293 3.10.7.1")
class ClosedPortSilent(Endpoint):
    """Is silent on a closed port, as a firewall would be."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        return Outcome(before.copy()) if before.state is State.CLOSED else super().process(before, segment)


@mutant("listen-ack-not-reset", "RFC 9293 3.10.7.2 second")
class ListenAckNotReset(Endpoint):
    """Drops a segment with an ACK in LISTEN, and sends no reset."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        stray = before.state is State.LISTEN and segment.has(ACK)
        return Outcome(before.copy()) if stray else super().process(before, segment)


@mutant("listen-resets-all-but-syn", "RFC 9293 3.10.7.2 fourth")
class ListenResetsAll(Endpoint):
    """Resets whatever comes to LISTEN without SYN, as a closed port would."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        stray = before.state is State.LISTEN and not segment.ctl & (SYN | RST | ACK)
        if stray and segment.checksum_ok and not segment.defect:
            self.send_reset(Form(RST | ACK, 0, segment.end))
        return outcome


@mutant("syn-sent-answers-strays", "RFC 9293 3.10.7.3 fifth")
class SynSentAnswers(Endpoint):
    """Resets a segment in SYN-SENT that has neither SYN nor RST."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        stray = before.state is State.SYN_SENT and not segment.ctl & (SYN | RST)
        if stray and not outcome.predictions:
            self.send_reset(Form(RST, segment.ack, None))
        return outcome


@mutant("syn-sent-bad-ack-not-reset", "RFC 9293 3.10.7.3 first")
class SynSentBadAckDropped(Endpoint):
    """Drops an ACK in SYN-SENT that does not acknowledge the SYN, and sends no reset."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        silent = before.state is State.SYN_SENT and outcome.tcb.state is State.SYN_SENT
        return replace(outcome, predictions=()) if silent else outcome


@mutant("syn-received-bad-ack-not-reset", "RFC 9293 3.10.7.4 fifth")
class SynReceivedBadAckDropped(Endpoint):
    """Drops an unacceptable ACK in SYN-RECEIVED, and sends no reset."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        silent = before.state is State.SYN_RECEIVED and any(p.forms[0].ctl & RST for p in outcome.predictions)
        return replace(outcome, predictions=()) if silent else outcome


@mutant("syn-not-challenged", "RFC 9293 3.10.7.4 fourth; RFC 5961 4.2")
class SynNotChallenged(Endpoint):
    """Drops a SYN on a synchronized connection without a challenge ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        known = before.state in SYNCHRONIZED and segment.has(SYN)
        return replace(outcome, predictions=()) if known and outcome.tcb.reopened is not before else outcome


@mutant("syn-in-window-resets", "RFC 9293 3.10.7.4 fourth; RFC 5961 4.2")
class SynInWindowResets(Endpoint):
    """Resets the connection when a SYN comes in the window, as RFC 793 had it."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        known = before.state in SYNCHRONIZED | {State.SYN_RECEIVED} and segment.seq != before.irs
        if known and segment.has(SYN) and before.acceptable(segment) and not segment.has(RST):
            self.send_reset(Form(RST, before.snd_nxt, None))
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("syn-in-syn-received-challenged", "RFC 9293 3.10.7.4 fourth")
class SynInSynReceivedIgnored(Endpoint):
    """Keeps a passive connection in SYN-RECEIVED when a SYN comes in its window."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        inside = before.state is State.SYN_RECEIVED and before.passive and segment.seq != before.irs
        if inside and segment.has(SYN) and before.acceptable(segment) and not segment.has(RST):
            return Outcome(before.copy())
        return super().process(before, segment)


@mutant("challenges-unlimited", "RFC 5961 7")
class ChallengesUnlimited(Endpoint):
    """Answers each of a flood of resets, and so makes a flood of its own."""

    def may_challenge(self) -> bool:
        return True


@mutant("challenge-echoes-seq", "RFC 5961 3.2, 4.2")
class ChallengeEchoes(Endpoint):
    """Acknowledges in a challenge ACK the segment that it challenges."""

    challenged: int | None = None

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        self.challenged = segment.end if segment.ctl & (SYN | RST) and before.state in SYNCHRONIZED else None
        return super().process(before, segment)

    def ack_number(self) -> int:
        return self.challenged if self.challenged is not None else self.tcb.rcv_nxt


@mutant("duplicate-syn-ignored", "RFC 9293 3.8.1, 3.10.7.4 first")
class DuplicateSynIgnored(Endpoint):
    """Ignores the SYN that comes again in SYN-RECEIVED."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        again = before.state is State.SYN_RECEIVED and segment.has(SYN) and segment.seq == before.irs
        return Outcome(before.copy()) if again and not segment.has(ACK) else super().process(before, segment)


@mutant("old-syn-ignored-in-syn-received", "RFC 9293 3.10.7.4 first")
class OldSynIgnored(Endpoint):
    """Drops a SYN in SYN-RECEIVED that is older than the one in progress, without an ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        old = before.state is State.SYN_RECEIVED and segment.has(SYN) and seq.lt(segment.seq, before.irs)
        return Outcome(before.copy()) if old else super().process(before, segment)


@mutant("new-syn-changes-irs", "RFC 9293 3.5.1")
class NewSynChangesIrs(Endpoint):
    """Lets a second SYN in SYN-RECEIVED take the place of the first."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        if before.state is not State.SYN_RECEIVED or not segment.has(SYN) or segment.seq == before.irs:
            return super().process(before, segment)
        fresh = Tcb(State.LISTEN, True, listening=True, family=before.family)
        self.taken = None
        return super().process(fresh, replace(segment, ctl=SYN))


@mutant("checksum-wrong-for-odd-length", "RFC 9293 3.1 MUST-2")
class ChecksumWrongForOddLength(Endpoint):
    """Sends a wrong checksum when a segment has an odd number of octets."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, checksum_ok=len(segment.data) % 2 == 0)


@mutant("push-missing", "RFC 9293 3.9.1.2 MUST-61")
class PushMissing(Endpoint):
    """Never sets PSH."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, ctl=segment.ctl & ~PSH)


@mutant("ack-bit-missing-from-data", "RFC 9293 3.1")
class AckBitMissing(Endpoint):
    """Sends data without the ACK bit."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, ctl=segment.ctl & ~ACK, ack=0) if segment.data else segment


@mutant("urg-set", "RFC 9293 3.8.5")
class UrgSet(Endpoint):
    """Sets URG in data that nobody called urgent."""

    def finished(self, segment: Segment) -> Segment:
        return replace(segment, ctl=segment.ctl | Control.URG) if segment.data else segment


@mutant("time-wait-silent", "RFC 9293 3.10.7.4 first")
class SilentInTimeWait(Endpoint):
    """Answers nothing in TIME-WAIT."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        return (
            replace(outcome, predictions=())
            if outcome.tcb.state is before.state is State.TIME_WAIT
            else outcome
        )


@mutant("rst-seq-counts-text", "RFC 9293 3.10.7.1")
class RstSeqCountsText(Endpoint):
    """Adds the length of the text to the SEQ of a RST, which is SEG.ACK alone."""

    def reset_form(self, form: Form, segment: Segment | None) -> Form:
        stale = segment is not None and self.tcb.state in NO_CONNECTION and segment.data
        return replace(form, seq=seq.add(form.seq or 0, len(segment.data))) if stale and segment else form
