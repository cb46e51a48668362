"""What an end claims to have received and the capture has not seen sent: is the end wrong, or the capture?

A capture that has missed a frame looks like an end that acknowledges what was never sent.  What
happens later tells them apart: an end whose acknowledgments go back again, or whose peer sends a
segment across the number acknowledged, or a FIN before it, was wrong.  A peer that goes on behind
what was acknowledged has sent it, and the capture has missed it.  What nothing tells is said to be
inconclusive.
"""

from dataclasses import dataclass

from conformance.model import seq
from conformance.model.segment import Control
from conformance.oracle.offline.end import End, Mark, Order
from conformance.oracle.offline.finding import Condition, Finding, View

_ENOUGH = 3
"""Segments after which it is clear what window the other end offers."""


@dataclass(slots=True)
class Pending:
    """A finding that is a violation only under a condition, and `end`, which it is of."""

    finding: Finding
    condition: Condition
    end: End
    claim: tuple[int, int] | None = None
    mark: Mark | None = None
    beyond: bool = False
    """Whether the claim begins beyond all that the other end was seen to send."""
    withdrawn: bool = False
    """This end acknowledged less later on."""
    back: bool = False
    """It did, if the capture has its segments in order."""
    refuted: bool = False
    """The other end went on as one that had not sent what was claimed."""
    later: int = 0
    """Windows that the other end has offered since."""
    passed: bool = False
    """The other end went on, or back, as one that had sent it."""

    @property
    def missed(self) -> bool:
        """Whether this is a sign that the capture has missed frames."""
        if self.condition is Condition.OFFER:
            return False
        return self.passed and not (self.refuted or self.back or self.withdrawn)

    @property
    def settled(self) -> bool:
        """Whether nothing that follows can say more of it; an ACK may be wrong in the same way once more."""
        return self.condition is not Condition.CLAIM and not self.open

    @property
    def open(self) -> bool:
        return not (self.refuted or self.passed or self.withdrawn)

    @property
    def size(self) -> int:
        """How many sequence numbers are claimed; one may be that of a FIN that the capture has missed."""
        return 0 if self.claim is None else self.claim[1] - self.claim[0]

    def see(self, view: View) -> None:
        """Take in a later segment of either end."""
        if self.claim is None:
            return
        if self.condition is Condition.ECHO:
            self._see_time(view)
        elif self.condition is Condition.OFFER:
            self._see_window(view, self.claim[1])
        elif view.sender is self.end:
            self._see_own(view, self.claim[1])
        else:
            self._see_other(view, *self.claim)

    def _see_time(self, view: View) -> None:
        stamps = view.recorded.segment.timestamps
        if stamps is None or view.sender is self.end or not self.open or self.claim is None:
            return
        self.refuted = seq.lt(stamps[0], self.claim[0])
        self.passed = not self.refuted

    def _see_window(self, view: View, edge: int) -> None:
        if view.sender is self.end or view.edge is None or view.recorded.segment.has(Control.RST):
            return
        self.later += 1
        # A window that is still smaller was no larger before; one segment may be late on its way.
        self.passed = self.passed or view.edge >= edge
        self.refuted = not self.passed and self.later >= _ENOUGH

    def _see_own(self, view: View, end: int) -> None:
        if view.ack is None or view.ack >= end or self.mark is None or view.recorded.segment.has(Control.RST):
            return
        order = Mark.of(view.recorded).order(self.mark)
        self.withdrawn = self.withdrawn or order is Order.AFTER
        self.back = self.back or order is Order.UNKNOWN

    def _see_other(self, view: View, start: int, end: int) -> None:
        last = view.start + view.recorded.occupies
        if view.recorded.segment.has(Control.RST):
            return
        across = view.start < end < last
        ended = view.recorded.segment.has(Control.FIN) and last < end
        self.refuted = self.refuted or across or ended
        # Sent in one piece as it was acknowledged: most likely once more.
        again = view.start <= start and last == end
        self.passed = self.passed or view.start >= end or again
