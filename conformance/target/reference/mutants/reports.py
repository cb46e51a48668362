"""What ICMP reports, taken wrongly."""

from dataclasses import replace

from conformance.model.icmp import ERRORS, Effect
from conformance.model.segment import Envelope, Segment
from conformance.model.state import SYNCHRONIZED, State
from conformance.oracle.arrives import Outcome
from conformance.oracle.tcb import Tcb
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant

_HARD = Envelope(error="port-unreachable")


def _effect(segment: Segment) -> Effect:
    return ERRORS[segment.envelope.error].effect


class _Promoting(Endpoint):
    """Takes some errors for hard ones."""

    def promotes(self, segment: Segment) -> bool:
        return False

    def believes(self, segment: Segment) -> Segment:
        return replace(segment, envelope=_HARD) if self.promotes(segment) else segment


@mutant("soft-error-aborts", "RFC 9293 3.9.2.2 MUST-56")
class SoftErrorAborts(_Promoting):
    """Aborts the connection on a soft error, once it is synchronized."""

    def promotes(self, segment: Segment) -> bool:
        return _effect(segment) is Effect.SOFT and self.tcb.state in SYNCHRONIZED


@mutant("soft-error-ends-open", "RFC 9293 3.9.2.2 MUST-56")
class SoftErrorEndsOpen(_Promoting):
    """Gives up an active OPEN on a soft error."""

    def promotes(self, segment: Segment) -> bool:
        return _effect(segment) is Effect.SOFT and self.tcb.state is State.SYN_SENT


@mutant("soft-error-ends-half-open", "RFC 9293 3.9.2.2 MUST-56")
class SoftErrorEndsHalfOpen(_Promoting):
    """Forgets a half-open connection on a soft error."""

    def promotes(self, segment: Segment) -> bool:
        return _effect(segment) is Effect.SOFT and self.tcb.state is State.SYN_RECEIVED


@mutant("unknown-error-is-hard", "RFC 9293 3.9.2.2 MUST-56")
class UnknownErrorIsHard(_Promoting):
    """Takes for hard whatever is no Destination Unreachable."""

    def promotes(self, segment: Segment) -> bool:
        return _effect(segment) is Effect.SOFT and "unreachable" not in segment.envelope.error


@mutant("source-quench-aborts", "RFC 9293 3.9.2.2 MUST-55")
class SourceQuenchAborts(_Promoting):
    """Takes Source Quench for a hard error."""

    def promotes(self, segment: Segment) -> bool:
        return _effect(segment) is Effect.QUENCH


@mutant("source-quench-heeded", "RFC 9293 3.9.2.2 MUST-55")
class SourceQuenchHeeded(Endpoint):
    """Goes back to a congestion window of one segment on a Source Quench, as hosts once did."""

    quenched = False

    def told(self, segment: Segment, now: float) -> None:
        super().told(segment, now)
        self.quenched = self.quenched or _effect(segment) is Effect.QUENCH

    def congestion_window(self) -> int:
        return self.send_mss if self.quenched else super().congestion_window()


@mutant("hard-error-ignored", "RFC 9293 3.9.2.2 SHLD-26")
class HardErrorIgnored(Endpoint):
    """Goes on with an OPEN whatever ICMP says."""

    def consequence(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        return outcomes[-1]


@mutant("protocol-unreachable-ignored", "RFC 9293 3.9.2.2 SHLD-26")
class ProtocolUnreachableIgnored(Endpoint):
    """Takes protocol-unreachable for a soft error."""

    def consequence(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        return outcomes[-1 if segment.envelope.error == "protocol-unreachable" else 0]


@mutant("hard-error-not-reported", "RFC 9293 3.9.2.2 SHLD-26")
class HardErrorNotReported(Endpoint):
    """Aborts on a hard error and leaves the user in the belief that the peer has closed."""

    def reported(self, name: str) -> str:
        self.ended = True
        return ""


@mutant("hard-error-closes", "RFC 9293 3.9.2.2 SHLD-26")
class HardErrorCloses(Endpoint):
    """Closes in order, with a FIN, where it should abort."""

    def consequence(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        if _effect(segment) is not Effect.HARD or before.state is not State.ESTABLISHED:
            return super().consequence(before, segment, outcomes)
        after = before.copy()
        after.fin_queued, after.state = True, State.FIN_WAIT_1
        return Outcome(after)

    def told(self, segment: Segment, now: float) -> None:
        super().told(segment, now)
        self.output()


@mutant("icmp-answered", "RFC 9293 3.9.2.2")
class IcmpAnswered(Endpoint):
    """Sends an ACK whenever an ICMP error comes."""

    def told(self, segment: Segment, now: float) -> None:
        super().told(segment, now)
        if self.tcb.state in SYNCHRONIZED:
            self.acknowledge()


@mutant("icmp-checksum-not-checked", "RFC 792")
class IcmpChecksumNotChecked(Endpoint):
    """Believes ICMP errors with a bad checksum."""

    def believes(self, segment: Segment) -> Segment:
        return replace(segment, checksum_ok=True)


@mutant("icmp-sequence-not-checked", "RFC 5927 4.1")
class IcmpSequenceNotChecked(Endpoint):
    """Believes errors about sequence numbers that are not in flight."""

    def believes(self, segment: Segment) -> Segment:
        return replace(segment, seq=self.tcb.snd_una)


@mutant("icmp-sequence-one-too-far", "RFC 5927 4.1")
class IcmpSequenceOneTooFar(Endpoint):
    """Takes SND.NXT for in flight."""

    def believes(self, segment: Segment) -> Segment:
        return replace(segment, seq=self.tcb.snd_una) if segment.seq == self.tcb.snd_nxt else segment


@mutant("path-mtu-sequence-not-checked", "RFC 5927 4.1")
class PathMtuSequenceNotChecked(Endpoint):
    """Learns the path MTU from segments that it has not sent."""

    def acts_on(self, before: Tcb, segment: Segment) -> bool:
        return True


@mutant("path-mtu-ignored", "RFC 1191 3; RFC 8201 4")
class PathMtuIgnored(Endpoint):
    """Sends segments as large as before after it was told that they do not fit."""

    def too_large(self, segment: Segment) -> None:
        pass


@mutant("path-mtu-for-retransmission-only", "RFC 1191 6.5")
class PathMtuForgotten(Endpoint):
    """Forgets what the path carries as soon as what was too large has got through."""

    def took_new(self, before: Tcb, gained: int) -> None:
        self.path_mtu = 1500
        super().took_new(before, gained)


@mutant("path-mtu-aborts", "RFC 1191 3")
class PathMtuAborts(Endpoint):
    """Takes fragmentation-needed for a hard error even as it sends what may not be fragmented."""

    def consequence(self, before: Tcb, segment: Segment, outcomes: list[Outcome]) -> Outcome:
        return outcomes[-1 if _effect(segment) is Effect.SIZE else 0]


@mutant("path-mtu-raised", "RFC 1191 3")
class PathMtuRaised(Endpoint):
    """Takes the path MTU it is told, even a larger one."""

    def smaller(self, mtu: int) -> bool:
        return mtu >= self.least_mtu()


@mutant("path-mtu-without-limit", "RFC 1191 3; RFC 8201 4")
class PathMtuWithoutLimit(Endpoint):
    """Lets itself be told a path MTU that no path has."""

    def next_mtu(self, told: int, size: int) -> int:
        return told or super().next_mtu(told, size)

    def least_mtu(self) -> int:
        return 1


@mutant("path-mtu-zero-ignored", "RFC 1191 5")
class PathMtuZeroIgnored(Endpoint):
    """Ignores an error that does not say what the next hop carries."""

    def next_mtu(self, told: int, size: int) -> int:
        return told or self.path_mtu


@mutant("path-mtu-believed-at-once", "RFC 5927 7.2")
class PathMtuBelievedAtOnce(Endpoint):
    """Believes a path MTU that is told of data which gets through."""

    def doubts(self, mtu: int) -> bool:
        return False


@mutant("path-mtu-never-believed", "RFC 5927 7.2")
class PathMtuNeverBelieved(Endpoint):
    """Does not believe that a path has changed, whatever is lost on it."""

    def retransmission_timeout(self) -> None:
        self.doubted = None
        super().retransmission_timeout()


@mutant("headers-not-in-path-mtu", "RFC 1191 3")
class HeadersNotCounted(Endpoint):
    """Sends as much data as the whole datagram may have."""

    def link_mss(self) -> int:
        most = super().link_mss()
        return most if self.path_mtu == 1500 else self.path_mtu


@mutant("soft-error-not-told", "RFC 9293 3.9.1.8 MUST-47; 3.9.2.2 SHLD-25")
class SoftErrorNotTold(Endpoint):
    """Keeps soft errors from its user."""

    def report_soft(self, name: str) -> None:
        pass


@mutant("trouble-not-told", "RFC 9293 3.8.3 SHLD-9")
class TroubleNotTold(Endpoint):
    """Tells its user nothing before it gives up."""

    def report_trouble(self) -> None:
        pass
