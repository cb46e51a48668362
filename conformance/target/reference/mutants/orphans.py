"""Connections without a user, who has closed for good or never accepted: kept, forgotten, ended wrongly."""

from conformance.model.segment import Segment
from conformance.oracle.arrives import Outcome
from conformance.oracle.prediction import Form
from conformance.oracle.tcb import Tcb
from conformance.target.reference.core import RST
from conformance.target.reference.endpoint import Endpoint
from conformance.target.reference.mutants.registry import mutant


@mutant("unaccepted-left-open", "RFC 9293 3.6.1 SHLD-3")
class UnacceptedLeftOpen(Endpoint):
    """Leaves the connections of a closed listener that nobody has accepted, and can accept any more."""

    def unaccepted(self, now: float) -> None:
        """Go on."""


@mutant("unaccepted-forgotten", "RFC 9293 3.10.5")
class UnacceptedForgotten(Endpoint):
    """Forgets the connections of a closed listener that nobody has accepted, and does not tell the peer."""

    def unaccepted(self, now: float) -> None:
        self.tcb = self.tcb.delete()
        self.alarms.clear()


@mutant("orphan-resets-peer", "RFC 9293 3.10.8")
class OrphanResets(Endpoint):
    """Sends a RST when it has waited in FIN-WAIT-2 for long enough, though nobody had called for one."""

    def abandon(self) -> None:
        self.send_reset(Form(RST, self.tcb.snd_nxt, None))
        super().abandon()


@mutant("orphan-deaf", "RFC 9293 3.10.7.1")
class OrphanDeaf(Endpoint):
    """Keeps a connection that it has given up in FIN-WAIT-2, and does not answer on it."""

    given_up = False

    def abandon(self) -> None:
        self.given_up = True

    def process(self, before: Tcb, segment: Segment) -> Outcome:
        return Outcome(before.copy()) if self.given_up else super().process(before, segment)


@mutant("orphan-for-ever", "RFC 9293 3.6.1 MAY-1, 3.10.8")
class OrphanForEver(Endpoint):
    """Waits in FIN-WAIT-2 for ever, though nobody is left to receive."""

    def abandon(self) -> None:
        """Go on waiting."""
