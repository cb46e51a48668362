"""Closing a connection: states skipped, mixed up or never left."""

from dataclasses import replace
from typing import ClassVar

from conformance.model import seq
from conformance.model.case import CallError, CallName, UserCall
from conformance.model.segment import Segment
from conformance.model.state import State
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import ACK, FIN, RST, SYN, Alarm
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


class _Transition(Endpoint):
    """Goes another way where a segment leads from one state to another."""

    ways: ClassVar[dict[tuple[State, State], State]]

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        other = self.ways.get((before.state, outcome.tcb.state))
        if other is None:
            return outcome
        after = outcome.tcb.copy()
        after.state = other
        return replace(outcome, tcb=after)


_ANY = State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING


@mutant("time-wait-skipped", "RFC 9293 3.10.7.4 eighth; 3.6.1 MUST-13")
class TimeWaitSkipped(_Transition):
    """Goes to CLOSED where TIME-WAIT should begin."""

    ways: ClassVar = {(state, State.TIME_WAIT): State.CLOSED for state in _ANY}


@mutant("closing-skipped", "RFC 9293 3.10.7.4 eighth")
class ClosingSkipped(_Transition):
    """Goes from FIN-WAIT-1 to TIME-WAIT when the peer's FIN does not acknowledge its own."""

    ways: ClassVar = {(State.FIN_WAIT_1, State.CLOSING): State.TIME_WAIT}


@mutant("closing-to-closed", "RFC 9293 3.10.7.4 fifth")
class ClosingToClosed(_Transition):
    """Deletes the connection when its FIN is acknowledged in CLOSING."""

    ways: ClassVar = {(State.CLOSING, State.TIME_WAIT): State.CLOSED}


@mutant("closing-never-left", "RFC 9293 3.10.7.4 fifth")
class ClosingStays(_Transition):
    """Stays in CLOSING when its FIN is acknowledged."""

    ways: ClassVar = {(State.CLOSING, State.TIME_WAIT): State.CLOSING}


@mutant("closing-after-acknowledged-fin", "RFC 9293 3.10.7.4 eighth")
class ClosingAfterAll(_Transition):
    """Goes to CLOSING although the peer's FIN acknowledges its own."""

    ways: ClassVar = {(State.FIN_WAIT_1, State.TIME_WAIT): State.CLOSING}


@mutant("fin-wait-2-skipped", "RFC 9293 3.10.7.4 fifth")
class FinWait2Skipped(_Transition):
    """Goes to TIME-WAIT when its FIN is acknowledged, without waiting for the peer's."""

    ways: ClassVar = {(State.FIN_WAIT_1, State.FIN_WAIT_2): State.TIME_WAIT}


@mutant("fin-wait-2-times-out", "RFC 9293 3.6")
class FinWait2TimesOut(Endpoint):
    """Gives FIN-WAIT-2 a minute, whether or not there is a user to receive."""

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        if self.tcb.state is State.FIN_WAIT_2 and before.state is not State.FIN_WAIT_2:
            self.arm(Alarm.TIME_WAIT, 60.0)

    def go_off(self, alarm: Alarm) -> None:
        if alarm is Alarm.TIME_WAIT and self.tcb.state is State.FIN_WAIT_2:
            self.tcb = self.tcb.delete()
        super().go_off(alarm)


@mutant("fin-wait-1-never-left", "RFC 9293 3.10.7.4 fifth")
class FinWait1Stays(_Transition):
    """Stays in FIN-WAIT-1 when its FIN is acknowledged."""

    ways: ClassVar = {(State.FIN_WAIT_1, State.FIN_WAIT_2): State.FIN_WAIT_1}


@mutant("close-wait-skipped", "RFC 9293 3.10.7.4 eighth")
class CloseWaitSkipped(_Transition):
    """Acknowledges the peer's FIN and stays in ESTABLISHED."""

    ways: ClassVar = {(State.ESTABLISHED, State.CLOSE_WAIT): State.ESTABLISHED}


@mutant("last-ack-to-time-wait", "RFC 9293 3.10.7.4 fifth")
class LastAckToTimeWait(_Transition):
    """Waits in TIME-WAIT after LAST-ACK, too."""

    ways: ClassVar = {(State.LAST_ACK, State.CLOSED): State.TIME_WAIT}

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        if outcome.tcb.state is not State.TIME_WAIT or before.state is not State.LAST_ACK or segment.has(RST):
            return outcome
        after = before.copy()
        after.state, after.snd_una = State.TIME_WAIT, before.snd_nxt
        return replace(outcome, tcb=after)


@mutant("last-ack-never-left", "RFC 9293 3.10.7.4 fifth")
class LastAckStays(Endpoint):
    """Ignores the ACK of its FIN in LAST-ACK."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        done = before.state is State.LAST_ACK and outcome.tcb.state is State.CLOSED
        return Outcome(before.copy()) if done and not segment.has(RST) else outcome


@mutant("any-ack-counts-for-fin", "RFC 9293 3.10.7.4 fifth")
class AnyAckForFin(Endpoint):
    """Takes any ACK in FIN-WAIT-1, CLOSING and LAST-ACK for one of its FIN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        sent = before.state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK) and before.fin_sent
        if sent and segment.has(ACK) and not segment.ctl & (RST | SYN):
            segment = replace(segment, ack=before.snd_nxt)
        return super().process(before, segment)


@mutant("half-close-refused", "RFC 9293 3.6, 3.6.1")
class HalfCloseRefused(Endpoint):
    """Resets the peer that goes on to send after CLOSE, as if nobody received any more."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        closed = before.state in (State.FIN_WAIT_1, State.FIN_WAIT_2)
        if closed and segment.data and before.acceptable(segment) and not segment.has(RST):
            self.send_reset(Form(RST, before.snd_nxt, None))
            return Outcome(before.delete())
        return super().process(before, segment)


@mutant("text-after-close-not-delivered", "RFC 9293 3.10.7.4 seventh")
class TextAfterCloseLost(Endpoint):
    """Acknowledges what comes after CLOSE, and throws it away."""

    def deliver(self, octets: bytes) -> None:
        super().deliver(b"" if self.tcb.fin_queued else octets)


@mutant("peer-fin-closes-both", "RFC 9293 3.10.7.4 eighth")
class FinClosesBoth(Endpoint):
    """Sends its own FIN when the peer's comes, without waiting for CLOSE."""

    def became(self, before: Tcb, segment: Segment) -> None:
        super().became(before, segment)
        if self.tcb.state is State.CLOSE_WAIT and before.state is not State.CLOSE_WAIT:
            self.call(UserCall(CallName.CLOSE), self.now)


@mutant("fin-discards-text", "RFC 9293 3.10.7.4 seventh")
class FinDiscardsText(Endpoint):
    """Ignores the text of a segment that has a FIN."""

    def deliver(self, octets: bytes) -> None:
        super().deliver(b"" if self.tcb.fin_received else octets)


@mutant("fin-taken-out-of-order", "RFC 9293 3.10.7.4 eighth")
class FinOutOfOrder(Endpoint):
    """Takes a FIN at once, though text before it is missing."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        after = outcome.tcb
        fin = after.held_fin
        if fin is not None and after.state is not State.SYN_RECEIVED:
            after = after.copy()
            after.rcv_nxt, after.held, after.held_fin = seq.add(fin, 1), (), None
            after.fin_received = True
            closed = {State.ESTABLISHED: State.CLOSE_WAIT, State.FIN_WAIT_2: State.TIME_WAIT}
            after.state = closed.get(after.state, State.CLOSING)
            return replace(outcome, tcb=after)
        return outcome


@mutant("fin-out-of-order-forgotten", "RFC 9293 3.10.7.4 eighth")
class FinForgotten(Endpoint):
    """Keeps the text of a segment beyond a gap, and forgets its FIN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        ahead = before.iss is not None and seq.gt(segment.seq, before.rcv_nxt)
        if ahead and segment.data and not segment.ctl & (RST | SYN):
            segment = replace(segment, ctl=segment.ctl & ~FIN)
        return super().process(before, segment)


@mutant("fin-beyond-window-taken", "RFC 9293 3.10.7.4 first")
class FinBeyondWindow(Endpoint):
    """Takes a FIN wherever it is, in the window or not."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        known = before.state in (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2)
        if known and segment.has(FIN) and not segment.data and not segment.ctl & (RST | SYN):
            segment = replace(segment, seq=before.rcv_nxt)
        return super().process(before, segment)


@mutant("fin-not-acknowledged-again", "RFC 9293 3.10.7.4 first, eighth")
class FinNotAcknowledgedAgain(Endpoint):
    """Ignores a FIN that comes again, though its ACK may have been lost."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        again = before.fin_received and segment.has(FIN) and not segment.ctl & (RST | SYN)
        return Outcome(before.copy()) if again else super().process(before, segment)


@mutant("fin-not-sent-again", "RFC 9293 3.8.1")
class FinNotSentAgain(Endpoint):
    """Never sends its FIN again."""

    def retransmit(self) -> None:
        if seq.diff(self.tcb.stream_end, self.tcb.snd_una) > 0:
            super().retransmit()


@mutant("fin-before-text", "RFC 9293 3.10.4")
class FinBeforeText(Endpoint):
    """Throws away on CLOSE what the user has sent and the window has held back."""

    def fin_is_next(self) -> bool:
        tcb = self.tcb
        if tcb.fin_queued and not tcb.fin_sent and tcb.unsent:
            tcb.stream = tcb.stream[: len(tcb.stream) - tcb.unsent]
        return super().fin_is_next()

    def sendable(self) -> int:
        return 0 if self.tcb.fin_queued else super().sendable()


@mutant("fin-waits-for-acknowledgment", "RFC 9293 3.10.4; RFC 2525 2.15")
class FinWaitsForAcknowledgment(Endpoint):
    """Keeps its FIN until all that was sent before it is acknowledged."""

    def window_lets_fin(self) -> bool:
        return super().window_lets_fin() and not self.tcb.in_flight


@mutant("close-in-syn-received-forgotten", "RFC 9293 3.10.4")
class CloseInSynReceived(Endpoint):
    """Forgets a CLOSE that is made before the connection is established."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name is CallName.CLOSE and self.tcb.state is State.SYN_RECEIVED:
            return None
        return super().call(call, now, sent)


@mutant("fin-waits-for-established", "RFC 9293 3.10.4")
class FinWaitsForEstablished(Endpoint):
    """Keeps the FIN of a CLOSE in SYN-RECEIVED until the connection is established."""

    def window_lets_fin(self) -> bool:
        return super().window_lets_fin() and self.tcb.snd_una != self.tcb.iss


@mutant("close-in-syn-sent-goes-on", "RFC 9293 3.10.4")
class CloseInSynSent(Endpoint):
    """Goes on to open after CLOSE or ABORT in SYN-SENT."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name in (CallName.CLOSE, CallName.ABORT) and self.tcb.state is State.SYN_SENT:
            return None
        return super().call(call, now, sent)


@mutant("close-leaves-unread-data", "RFC 9293 3.6.1 SHLD-3; RFC 2525 2.17")
class CloseLeavesUnread(Endpoint):
    """Ends with a FIN although data was lost that the user has not read."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name is CallName.CLOSE and call.half_duplex:
            self.unread.clear()
        return super().call(call, now, sent)


@mutant("close-resets-always", "RFC 9293 3.10.4")
class CloseResets(Endpoint):
    """Ends a connection with a RST when its user closes for good, though all was read."""

    def call(self, call: UserCall, now: float, sent: bytes = b"") -> CallError | None:
        if call.name is CallName.CLOSE and call.half_duplex:
            call = UserCall(CallName.ABORT)
        return super().call(call, now, sent)


@mutant("text-for-absent-user-acknowledged", "RFC 9293 3.6.1 SHLD-3; RFC 2525 2.16")
class AbsentUserAcknowledged(Endpoint):
    """Acknowledges text that comes when the user has closed for good."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        present = before.copy()
        present.user_gone = False
        outcome = super().process(present, segment)
        if outcome.tcb.iss == before.iss:
            outcome.tcb.user_gone = before.user_gone
        return outcome


@mutant("time-wait-on-any-ack", "RFC 9293 3.10.7.4 fifth, eighth")
class TimeWaitOnAnyAck(_Transition):
    """Goes from FIN-WAIT-2 to TIME-WAIT on an ACK, without the peer's FIN."""

    ways: ClassVar = {(State.FIN_WAIT_2, State.FIN_WAIT_2): State.TIME_WAIT}


@mutant("text-after-fin-taken", "RFC 9293 3.10.7.4 seventh")
class TextAfterFinTaken(Endpoint):
    """Takes and acknowledges text that comes after the peer's FIN."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        after = outcome.tcb
        beyond = before.fin_received and after.iss == before.iss and segment.seq == before.rcv_nxt
        if beyond and segment.data and not segment.ctl & (RST | SYN):
            after.rcv_nxt = seq.add(before.rcv_nxt, len(segment.data))
        return outcome


@mutant("second-fin-counted", "RFC 9293 3.10.7.4 eighth")
class SecondFinCounted(Endpoint):
    """Advances RCV.NXT over another FIN that comes after the peer's."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        after = outcome.tcb
        beyond = before.fin_received and after.iss == before.iss and segment.seq == before.rcv_nxt
        if beyond and segment.has(FIN) and not segment.ctl & (RST | SYN):
            after.rcv_nxt = seq.add(before.rcv_nxt, 1)
        return outcome


@mutant("fin-over-fin-counted", "RFC 9293 3.10.7.4 first, eighth")
class FinOverFinCounted(Endpoint):
    """Advances RCV.NXT over a FIN behind the peer's, in a segment that begins below it."""

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        outcome = super().process(before, segment)
        over = before.fin_received and segment.has(FIN) and seq.lt(segment.seq, before.rcv_nxt)
        if over and before.acceptable(segment) and not segment.ctl & (RST | SYN):
            outcome.tcb.rcv_nxt = segment.end
        return outcome


@mutant("time-wait-for-ever", "RFC 9293 3.10.8")
class TimeWaitForEver(Endpoint):
    """Never leaves TIME-WAIT."""

    def two_msl(self) -> float:
        return 1e6
