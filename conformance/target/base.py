"""What the engine needs of a target, whatever it is made of."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conformance.model.flow import Event, Flow
from conformance.model.segment import Segment


class TargetError(Exception):
    """The target could not be set up, or was lost: never its conformance, always ours to say.

    `remedy` tells the user what to do.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a target when it has started.

    `ops` and `probes` are what the agent offers; `addresses` maps 4 and 6 to
    (tester's address, target's address); `system` describes it for the report.
    """

    name: str
    system: str
    ops: frozenset[str]
    probes: frozenset[str]
    addresses: Mapping[int, tuple[str, str]]
    details: Mapping[str, str] = field(default_factory=dict)


class Lab(ABC):
    """One instance of a target with its wire and its agent.

    Times are seconds of the lab's own clock: monotonic on a real wire, virtual in memory.
    """

    facts: Facts

    @abstractmethod
    def now(self) -> float:
        """Return the lab's time."""

    @abstractmethod
    def send(self, flow: Flow, segment: Segment) -> float:
        """Inject a segment; return when it left."""

    @abstractmethod
    def send_raw(self, flow: Flow, octets: bytes) -> float:
        """Inject `octets` as the whole IP payload (TCP header and data); return when it left."""

    @abstractmethod
    def request(self, request_id: int, op: str, arguments: Mapping[str, object]) -> None:
        """Ask the agent; the Reply comes back as an event."""

    @abstractmethod
    def filenos(self) -> Iterable[int]:
        """Return the descriptors that become readable when there are events (none if virtual)."""

    @abstractmethod
    def events(self) -> list[Event]:
        """Return what has happened by now, in order of time, without waiting."""

    def advance(self, until: float | None) -> None:
        """Let virtual time pass to the next event, at most to `until`.  Real labs do nothing."""
        return

    def dropped(self) -> int:
        """Return how many frames the tester's machine has lost: never the target's fault."""
        return 0

    @abstractmethod
    def frames(self, ports: Iterable[int]) -> list[tuple[float, bytes, bool]]:
        """Return the captured frames (wall time, octets, sent by us) of these tester ports."""

    @abstractmethod
    def close(self) -> None:
        """End everything that the lab started.  May be called twice."""
