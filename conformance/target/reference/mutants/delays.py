"""Losses found by time (RFC 8985): not at all, too early, or by the wrong segment."""

from conformance.model import seq
from conformance.model.segment import Segment
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("no-tail-loss-probe", "RFC 8985 7.2")
class NoProbe(Endpoint):
    """Waits for the timeout, where SACK is permitted, too."""

    def may_ask(self) -> bool:
        return False


@mutant("tail-loss-probe-early", "RFC 8985 7.2")
class ProbeEarly(Endpoint):
    """Asks after the last segment when a round trip has passed."""

    def probe_timeout(self) -> float:
        return min(self.srtt or 1.0, super().probe_timeout())


@mutant("tail-loss-probe-first-segment", "RFC 8985 7.3")
class ProbeFirst(Endpoint):
    """Sends for a probe the first segment that is outstanding."""

    def ask(self) -> None:
        self.retransmit()
        self.probed = self.tcb.snd_nxt


@mutant("tail-loss-probe-old-data", "RFC 8985 7.3")
class ProbeOld(Endpoint):
    """Sends the last segment again although there is new data."""

    def ask(self) -> None:
        end = self.tcb.snd_nxt
        self.retransmit_at(seq.add(end, -min(self.send_mss, seq.diff(end, self.tcb.snd_una))))
        self.probed = end


@mutant("overtaken-not-lost", "RFC 8985 6.2")
class OvertakenNotLost(Endpoint):
    """Waits for three duplicate ACKs, however long ago a segment was overtaken."""

    def overtaken(self, segment: Segment) -> bool:
        return False


@mutant("timeout-takes-all-for-lost", "RFC 8985 6.3")
class AllLost(Endpoint):
    """Sends again, after a timeout, also what left a moment before."""

    def lost_up_to(self) -> int:
        return self.tcb.snd_nxt


@mutant("timeout-takes-one-for-lost", "RFC 8985 6.3")
class OneLost(Endpoint):
    """Takes nothing for lost in a timeout but the first segment, however late the others are."""

    def lost_up_to(self) -> int:
        tcb = self.tcb
        return seq.add(tcb.snd_una, min(self.send_mss, tcb.in_flight))
