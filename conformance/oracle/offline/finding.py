"""What the offline judge says: findings, and what they rest on."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from conformance.model.recorded import Recorded
from conformance.model.segment import Control, control_text
from conformance.model.verdict import Level
from conformance.oracle.offline.end import End


class Condition(Enum):
    """What must hold for a rule's word to be a violation; known only at the capture's end."""

    CERTAIN = "certain"
    COMPLETE = "complete"
    """The capture has all frames of the connection."""
    NEAR = "near"
    """The capture was taken near this end, and so has its segments in the order in which it sent them."""
    CHECKSUMS = "checksums"
    """This host does not leave checksums to its network card."""
    SEGMENTS = "segments"
    """Segments were neither cut by the host's network card nor merged before the capture."""
    ECHO = "echo"
    """As CLAIM, of a TSval of the other end's."""
    OFFER = "offer"
    """The other end has not offered the window that this end fills."""
    CLAIM = "claim"
    """The other end goes on as one that has not sent what this one claims to have received."""


@dataclass(frozen=True, slots=True)
class Said:
    """A rule's word about one segment.

    `claim` is what the other end must have sent: offsets, start and end; of ECHO a TSval, twice;
    of OFFER the right edge that it must have offered, twice.
    """

    message: str
    condition: Condition = Condition.CERTAIN
    claim: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One segment with the two ends as they were before it.

    `start` is its SEQ as an offset of the sender's, `ack` its ACK as one of the receiver's (None
    without ACK bit), `edge` the right edge that it offers.
    """

    recorded: Recorded
    sender: End
    receiver: End
    start: int
    ack: int | None
    edge: int | None

    @property
    def data_start(self) -> int:
        return self.start + self.recorded.segment.has(Control.SYN)

    @property
    def data_end(self) -> int:
        return self.data_start + self.recorded.length


@dataclass(frozen=True, slots=True)
class Rule:
    """One invariant: `code` names it, `field` is the part of a segment that shows a violation."""

    code: str
    clause: str
    field: str
    judge: Callable[[View], Said | None]
    level: Level = Level.MUST


@dataclass(frozen=True, slots=True)
class Finding:
    """A departure from a rule: which frame shows it, who sent it, and the segment in script space."""

    code: str
    message: str
    clause: str
    field: str
    level: Level
    frame: int
    time: float
    end: str
    shown: str


def show(view: View) -> str:
    """Return a segment in the RFC's notation: x is the client's ISN, y the server's."""
    segment, sender, receiver = view.recorded.segment, view.sender, view.receiver
    text = f"<SEQ={sender.show(view.start)}>"
    if segment.has(Control.ACK):
        text += f"<ACK={segment.ack if view.ack is None else receiver.show(view.ack)}>"
    text += f"<CTL={control_text(segment.ctl)}><WND={segment.wnd}>"
    if view.recorded.length:
        text += f"<DATA={view.recorded.length}>"
    return text
