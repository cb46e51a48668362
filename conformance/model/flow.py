"""Who talks to whom, and what the outside can bring: plain values for every link and target."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.model.segment import Segment


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection's two sockets, seen from the tester; addresses as text."""

    tester: tuple[str, int]
    target: tuple[str, int]

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.target[0] else 4


@dataclass(frozen=True, slots=True)
class Arrival:
    """A TCP segment came from the target at `time` (seconds, the lab's clock)."""

    flow: Flow
    segment: Segment
    time: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The agent answered request `id`: `ok`, or `error`, an errno name such as ECONNRESET."""

    id: int
    ok: Mapping[str, object] = field(default_factory=dict)
    error: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Died:
    """The agent or the target's process ended; `reason` has its last words."""

    reason: str
    time: float = 0.0


Event = Arrival | Reply | Died
