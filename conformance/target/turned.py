"""A stack on a TAP device whose clock its agent turns (docs/agent.md, `advance`): nobody waits.

The agent's clock stands still while there is anything to be done, and then jumps to the next
timer.  A frame is there when the call that sends it returns, on a TAP device either way, and the
agent serves what has come before time passes: so whatever happens, happens at the lab's time.
"""

import time
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from operator import itemgetter

from conformance.model.description import TargetDescription
from conformance.model.flow import Died, Event, Flow
from conformance.model.segment import Segment
from conformance.target.base import TargetError
from conformance.target.tap import TapLab

_PATIENCE = 30.0
"""Real seconds in which an agent turns its clock as far as it is asked to, however busy the machine."""
_LONGEST = 3600.0
_SECOND = 1_000_000_000


class TurnedLab(TapLab):
    """One run of the stack.  Times are virtual seconds from when its clock was stopped."""

    def __init__(self, description: TargetDescription) -> None:
        self._elapsed = 0
        """Nanoseconds."""
        self._moments: list[tuple[int, int]] = []
        """The wall clock, and what was `_elapsed` from then on, both in nanoseconds."""
        self._lost: list[Event] = []
        super().__init__(description)
        try:
            self._turn(0)
        except TargetError:
            self.close()
            raise

    def now(self) -> float:
        return self._elapsed / _SECOND

    def send(self, flow: Flow, segment: Segment) -> float:
        super().send(flow, segment)
        return self.now()

    def send_raw(self, flow: Flow, octets: bytes) -> float:
        super().send_raw(flow, octets)
        return self.now()

    def filenos(self) -> Iterable[int]:
        return ()

    def events(self) -> list[Event]:
        happened, self._lost = [*super().events(), *self._lost], []
        return [replace(event, time=self.now()) for event in happened]

    def advance(self, until: float | None) -> None:
        """Turn the clock on to the next thing that happens, at most to `until`."""
        if self._closed or self._lost:
            return
        latest = self.now() + _LONGEST
        try:
            self._turn(max(0, _nanoseconds(latest if until is None else min(until, latest)) - self._elapsed))
        except TargetError as error:
            # That the agent has ended, and how, is among its events.
            self._lost = [] if self._client.ended else [Died(str(error))]

    def _turn(self, most: int) -> None:
        """Let at most so many nanoseconds pass.  Raises TargetError."""
        asked = time.time_ns()
        reply = self._client.call("advance", {"seconds": most / _SECOND}, _PATIENCE)
        passed = reply.ok.get("passed")
        if not isinstance(passed, float | int):
            raise TargetError(f"the agent does not turn its clock: {reply.error or dict(reply.ok)}")
        self._elapsed += round(passed * _SECOND)
        self._moments.append((asked, self._elapsed))

    def frames(self, ports: Iterable[int]) -> list[tuple[float, bytes, bool]]:
        """Return the captured frames, the wall clock going as the lab's from when that was stopped."""
        found = super().frames(ports)
        return [(self._virtual(wall), octets, sent) for wall, octets, sent in found]

    def _virtual(self, wall: float) -> float:
        at = bisect_right(self._moments, round(wall * _SECOND), key=itemgetter(0)) - 1
        return (self._moments[0][0] + self._moments[max(at, 0)][1]) / _SECOND


def _nanoseconds(moment: float) -> int:
    """Return the first nanosecond that is not before the moment."""
    found = round(moment * _SECOND)
    while found / _SECOND < moment:
        found += 1
    return found
