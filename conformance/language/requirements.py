"""The numbered requirements that a case may cover, from data/requirements.csv."""

import csv
from collections.abc import Iterable, Mapping
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


@cache
def levels() -> Mapping[str, Level]:
    """Return the level of each requirement by its id, such as MUST-13 or RFC5961-3.2-1."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return {row["id"]: _LEVELS[row["level"]] for row in csv.DictReader(file)}


def strongest(covered: Iterable[str]) -> Level:
    """Return the strongest level among requirements; MUST where there is none."""
    found = {levels()[name] for name in covered}
    return next((level for level in _STRONGEST_FIRST if level in found), Level.MUST)
