"""What the oracle says: what may come next, why a segment is right, why it is wrong."""

from dataclasses import dataclass
from enum import Enum

from conformance.model.segment import Control
from conformance.model.verdict import Level


class Obligation(Enum):
    """How binding a prediction is."""

    MUST = "MUST reply"
    MAY = "MAY reply"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Form:
    """One form a segment may take: numbers modulo 2**32; `ack` None where ACK is off.

    `seq` None is a number that only the target knows, its ISS.
    """

    ctl: Control
    seq: int | None
    ack: int | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """A segment that the target must or may send, in one of several forms, and by when.

    `due` is the last moment (seconds, the case's clock) for it to leave the target.
    """

    forms: tuple[Form, ...]
    obligation: Obligation
    citation: str
    due: float
    met: bool = False
    challenge: bool = False
    """Whether it is a challenge ACK, of which a second one soon after may be left out."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a segment from the target is right.  `kind` is one word for the trace.

    `warning` is a departure that the RFC only advises against (a SHOULD).
    """

    kind: str
    citation: str
    warning: "Violation | None" = None


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a segment from the target is wrong; `field` names the field that shows it."""

    message: str
    citation: str
    field: str = ""
    level: Level = Level.MUST
