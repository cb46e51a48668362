"""What a session asks of the outside, and where its connections are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.model.case import UserCall
from conformance.model.description import Timing
from conformance.model.flow import Flow
from conformance.model.segment import Segment
from conformance.oracle.oracle import CROSSED, Correct, Oracle
from conformance.oracle.prediction import Explanation
from conformance.session.peer import Peer


@dataclass(frozen=True, slots=True)
class Inject:
    """Put a segment on the wire; `raw` octets instead of it where they are given."""

    flow: Flow
    segment: Segment
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Send the agent a request, whose Reply comes back with the same `id`."""

    id: int
    op: str
    arguments: Mapping[str, object]


Action = Inject | Ask


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The sockets that a case may use.

    `tester_ports` has one port for the liveness probe, then one a connection.
    `closed_port` is a port of the target on which nothing listens; `twice_msl` is how long the target
    stays in TIME-WAIT, in seconds.
    """

    family: int
    tester: str
    target: str
    tester_ports: tuple[int, ...]
    closed_port: int
    twice_msl: float = Timing().twice_msl


TIMED = frozenset({"retransmission", "probe"})


@dataclass(frozen=True, slots=True)
class Received:
    """A segment of the target that the oracle explained; `correct` was right when it came."""

    segment: Segment
    time: float
    correct: Correct
    explanation: Explanation
    record: int
    """Its place in the trace."""

    @property
    def timed(self) -> bool:
        """Whether a timer of the target sent it, and so no stimulus of ours: no answer."""
        return self.explanation.kind.removesuffix(CROSSED) in TIMED

    @property
    def lasting(self) -> bool:
        """Whether it takes sequence space, and so stays of interest when more is sent."""
        return self.segment.length > 0


@dataclass(slots=True)
class Connection:
    """One connection of a case, and later incarnations on the same sockets."""

    index: int
    peer: Peer
    oracle: Oracle
    tester_port: int
    local: str
    """The target's address on this connection; empty as long as it is the target's to choose."""
    target_port: int | None = None
    handle: int | None = None
    options: dict[str, int | str] = field(default_factory=dict)
    """Socket options that an OPEN yet to come is to have."""
    queue: list[Received] = field(default_factory=list)
    stimulus: float = float("-inf")
    """When the last segment was injected or the last call made."""
    mark: int = 0
    """How long the trace was then, or when a segment was taken: what is in it already came before, were it
    at the same moment."""
    received_octets: int = 0
    """Octets of the target's stream that a `stream` step has taken."""
    taken: bytearray = field(default_factory=bytearray)
    """Those octets, less what the HTTP responses among them took."""
    ended: bool = False
    """Whether the target's FIN was among them."""
    delivered: int = 0
    """Octets of the tester's stream that the target's user has received."""
    outstanding: tuple[int, UserCall] | None = None
    """A call that has not returned, and the number of the request."""
    incarnation: int = 0
    invited: int = 0
    """Octets of the target's stream that a service there was asked for."""

    def answers(self) -> list[Received]:
        """Return what has come since the last stimulus and was not waited for."""
        return [item for item in self.queue if item.time >= self.stimulus and item.record >= self.mark]

    @property
    def iss_name(self) -> str:
        """The name of the target's ISS: y2 for a second connection, or incarnation."""
        number = max(self.index, self.incarnation)
        return "y" if number == 1 else f"y{number}"

    def stimulate(self, now: float, mark: int) -> None:
        """Something is about to be done to the target: what it only acknowledged before is no answer.

        `mark` is how long the trace is.
        """
        self.stimulus, self.mark = now, mark
        self.queue = [item for item in self.queue if item.lasting]
