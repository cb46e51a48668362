"""What the engine needs of a target, whatever it is made of."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conformance.model.description import Timing
from conformance.model.flow import Event, Flow
from conformance.model.segment import Segment
from conformance.model.service import Service

ADDRESSES = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
"""The tester's and the target's, by IP version, on a link that nobody else is on (RFC 5737, RFC 3849)."""


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
    `lacks` says of each feature of model/description.py: FEATURES that is missing why;
    `settled` has the sysctls that need not be set, for the target is so anyway; `timing` is as described.
    """

    name: str
    system: str
    ops: frozenset[str]
    probes: frozenset[str]
    addresses: Mapping[int, tuple[str, str]]
    details: Mapping[str, str] = field(default_factory=dict)
    multihomed: bool = False
    """Whether the target has a second address, `other` (model.flow) of its first, over each IP version."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    settled: Mapping[str, str] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    service: Service | None = None
    """What makes the user's calls where there is no agent."""
    tester_ports: tuple[range, range] = (range(20000, 60000), range(60000, 65000))
    """What ports the tester may use: at first, and for a second try."""
    closed_port: int | None = None
    """A port of the target where nobody listens, where it had to be looked for."""
    ttls: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """By IP version, the TTLs with which segments of the target were seen to come, where it may be far."""
    blocked: Mapping[str, str] = field(default_factory=dict)
    """Options, by the notation's names, that no SYN may offer, for something on the way minds; and why."""
    round_trip: float = 0.0
    """Seconds, where it was measured."""
    notes: tuple[str, ...] = ()
    """What the user is to know before the run."""


class Lab(ABC):
    """One instance of a target with its wire and its agent.

    Times are seconds of the lab's own clock: monotonic on a real wire, else virtual.
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

    def pause(self) -> float:
        """Return for how many seconds no further case should begin: the packet rate is limited."""
        return 0.0

    def silent(self) -> int | None:
        """Return the tester's port that was answered last, once the target answers nothing any more."""
        return None

    def dropped(self) -> int:
        """Return how many frames the tester's machine has lost: never the target's fault."""
        return 0

    def lost(self) -> str:
        """Return why the target is lost, empty if it is there: asked before it is said to have failed.

        What ends a target closes its connections, and the segments that do so may be here first.
        """
        return ""

    @abstractmethod
    def frames(self, ports: Iterable[int]) -> list[tuple[float, bytes, bool]]:
        """Return the captured frames (wall time, octets, sent by us) of these tester ports."""

    @abstractmethod
    def close(self) -> None:
        """End everything that the lab started.  May be called twice."""
