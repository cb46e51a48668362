"""The numbered requirements that a case may cover, from data/requirements.csv."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from conformance.model.verdict import Level

_FILE = Path(__file__).resolve().parent.parent / "data" / "requirements.csv"
_LEVELS = {
    "MUST": Level.MUST,
    "MUST-NOT": Level.MUST,
    "SHOULD": Level.SHOULD,
    "SHOULD-NOT": Level.SHOULD,
    "RECOMMENDED": Level.SHOULD,
    "MAY": Level.MAY,
    "INFO": Level.MAY,
}
"""RFC 2119: a prohibition binds as its command does, RECOMMENDED as SHOULD."""
_STRONGEST_FIRST = (Level.MUST, Level.SHOULD, Level.MAY)


class Observable(Enum):
    """What it takes at least to see whether a target keeps to a requirement."""

    WIRE = "wire"
    """Segments alone."""
    SERVICE = "wire-service"
    """Segments, and a user of the target who sends or receives."""
    AGENT = "agent"
    """User calls that we make at the target."""
    API = "api"
    """A call that RFC 9293 speaks of and a sockets API does not have."""
    NONE = "none"
    """Nothing of it leaves the host, or it is no requirement on a TCP."""

    @property
    def from_outside(self) -> bool:
        """Whether a case can show it."""
        return self not in (Observable.API, Observable.NONE)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of the table; data/README.md has the meaning of its columns.

    `keyword` is the RFC's own word (MUST-NOT), `level` what it binds as.  `why` says why it
    cannot be observed or, where it can, what that takes beyond segments and plain user calls, or
    why no case may ask for it.
    """

    id: str
    keyword: str
    rfc: str
    section: str
    observable: Observable
    confirmed: str
    why: str
    summary: str

    @property
    def level(self) -> Level:
        return _LEVELS[self.keyword]


@cache
def requirements() -> Mapping[str, Requirement]:
    """Return all requirements by id, such as MUST-13 or RFC5961-3.2-1, in the order of the table."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = [_requirement(row) for row in csv.DictReader(file)]
    return {row.id: row for row in rows}


def _requirement(row: Mapping[str, str]) -> Requirement:
    return Requirement(
        row["id"],
        row["level"],
        row["rfc"],
        row["section"],
        Observable(row["observable"]),
        row["confirmed"],
        row["why"],
        row["summary"],
    )


@cache
def levels() -> Mapping[str, Level]:
    """Return the level of each requirement by its id."""
    return {name: row.level for name, row in requirements().items()}


def strongest(covered: Iterable[str]) -> Level:
    """Return the strongest level among requirements; MUST where there is none."""
    found = {levels()[name] for name in covered}
    return next((level for level in _STRONGEST_FIRST if level in found), Level.MUST)
