"""What happened in one case, as plain records from which every report is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from conformance.model import seq
from conformance.model.case import Case
from conformance.model.icmp import ERRORS, Effect
from conformance.model.segment import Control, Segment, control_text
from conformance.model.source import Span
from conformance.model.verdict import Evidence, Level, Verdict

_NEAR = 1 << 24
"""A number further than this from a name's value is shown as a bare number."""


class Names(dict[str, float]):
    """The names of a case (x, y, w, t1, ...) with their values.

    `bases` are those that are sequence numbers, against which others are shown.  `cookies` are
    those of the Fast Open cookies, which are no numbers.
    """

    def __init__(self, values: Mapping[str, float] | None = None) -> None:
        super().__init__(values or {})
        self.bases: dict[str, int] = {}
        self.cookies: dict[str, bytes] = {}

    def bind_base(self, name: str, value: int) -> None:
        self[name] = value
        self.bases[name] = value

    def show(self, number: int) -> str:
        """Return a sequence number in script space: `x+1`, or the bare number."""
        nearest, best = _NEAR, ""
        for name, base in self.bases.items():
            distance = seq.diff(number, base)
            if abs(distance) < abs(nearest):
                nearest, best = distance, name
        if not best:
            return str(number)
        return f"{best}{nearest:+d}" if nearest else best


def show_segment(segment: Segment, names: Names) -> str:
    """Return a segment in the RFC's notation and in script space."""
    if segment.envelope.error:
        return _show_icmp(segment, names)
    text = str(segment.envelope)
    text += f"<SEQ={names.show(segment.seq)}>" if segment.seq or not segment.has(Control.RST) else "<SEQ=0>"
    if segment.has(Control.ACK):
        text += f"<ACK={names.show(segment.ack)}>"
    text += f"<CTL={control_text(segment.ctl)}>"
    if segment.data:
        text += f"<DATA={len(segment.data)}>"
    return text


def _show_icmp(segment: Segment, names: Names) -> str:
    envelope = segment.envelope
    text = f"{envelope}<ICMP={envelope.error}><SEQ={names.show(segment.seq)}>"
    return text + (f"<MTU={envelope.mtu}>" if ERRORS[envelope.error].effect is Effect.SIZE else "")


class Kind(Enum):
    """What a record tells of."""

    SENT = "sent"
    RECEIVED = "received"
    CALL = "call"
    RETURN = "return"
    STATE = "state"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Record:
    """One event.

    `time` is in seconds from the start of the case; `step` the index of the step it
    belongs to (-1: the preamble, None: after the last step).  `shown` is the segment in
    script space, the call, or the state; `why` what the oracle said of it, with `clause`.
    """

    time: float
    kind: Kind
    step: int | None
    shown: str
    segment: Segment | None = None
    connection: int = 1
    why: str = ""
    clause: str = ""
    inferred: str = ""
    """The oracle's state of the target after the event."""
    wrong: bool = False
    """Whether this departs from what the RFC, or the case, allows; `why` then says how."""
    cell: str = ""
    """Of a segment sent: its cell in the grid of RFC 9293 3.10.7, state | segment | place."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a case did not pass, ready to be shown under the user's own line.

    `label` stands behind the caret; `notes` are (word, text) lines, such as
    ("came", "<SEQ=y+1>...") or ("clause", "RFC 9293 3.10.7.4").
    """

    code: str
    message: str
    span: Span | None
    label: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One case over one IP version, judged."""

    case: Case
    ip: int
    verdict: Verdict
    reason: str
    evidence: Evidence
    started: float
    """Seconds from the start of the run."""
    duration: float
    trace: tuple[Record, ...] = ()
    names: Mapping[str, float] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None
    warnings: tuple[Diagnosis, ...] = ()
    level: Level = Level.MUST
    attempts: int = 1
    lateness: float = 0.0
    """Seconds for which the tester itself was behind, all delays of the case together."""
    ports: tuple[int, ...] = ()
    """The tester's ports, one a connection, then the target's, by which its frames are found."""
    capture: str = ""
    """The file with the case's frames, in the run's directory; empty where none was kept."""

    @property
    def id(self) -> str:
        return self.case.id
