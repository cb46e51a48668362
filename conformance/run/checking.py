"""Have a recorded capture judged: reads it, feeds the offline judge, and gathers what there is to say."""

from dataclasses import dataclass, replace
from pathlib import Path

from conformance.model.verdict import Exit
from conformance.oracle.offline.finding import Finding
from conformance.oracle.offline.judge import Judged, OfflineJudge
from conformance.oracle.offline.position import Near
from conformance.wire.recording import Recording, RecordingError

__all__ = ["Checked", "Near", "RecordingError", "check"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A capture with the verdicts on its connections, numbered from 0 in the order of their first frames."""

    path: str
    frames: int
    others: int
    """Frames without TCP."""
    flows: tuple[Judged, ...]
    notes: tuple[str, ...]
    """What of the file could not be used."""

    @property
    def exit(self) -> Exit:
        if any(flow.violations for flow in self.flows):
            return Exit.NONCONFORMING
        return Exit.CONFORMING if any(flow.judged for flow in self.flows) else Exit.COULD_NOT_TEST

    def of_flow(self, number: int) -> "Checked":
        """Return the same with one connection only; IndexError if there is none of that number."""
        return replace(self, flows=(self.flows[number],))

    def of_end(self, name: str) -> "Checked":
        """Return the same with the findings of one end only."""
        return replace(self, flows=tuple(_of_end(flow, name) for flow in self.flows))


def _of_end(flow: Judged, name: str) -> Judged:
    def mine(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return tuple(item for item in found if item.end == name)

    return replace(
        flow,
        violations=mine(flow.violations),
        warnings=mine(flow.warnings),
        inconclusive=mine(flow.inconclusive),
    )


def check(path: Path, near: Near | None = None) -> Checked:
    """Judge every connection in a capture.  Raises RecordingError where the file cannot be read."""
    judge = OfflineJudge()
    with Recording(path) as recording:
        for recorded in recording:
            judge.feed(recorded)
        flows = judge.verdicts(near, recording.dropped)
        return Checked(str(path), recording.frames, recording.others, tuple(flows), tuple(recording.notes()))
