"""The table of requirements is whole: what it says of RFC 9293, and of what cannot be observed."""

import csv
from collections import Counter

import pytest

from conformance.language.requirements import _FILE, Observable, levels, requirements, strongest
from conformance.model.verdict import Level

# The labels of RFC 9293 by the section of the text that has them.
LABELS = {
    "3.1": "MUST 1 2 3 4 5 6 7 14 68 69",
    "3.2": "MUST 64 65",
    "3.4": "MUST 66",
    "3.4.1": "MUST 8 9; SHLD 1",
    "3.5": "MUST 10 11",
    "3.5.3": "SHLD 2",
    "3.6": "MUST 12",
    "3.6.1": "MUST 13; SHLD 3 4; MAY 1 2",
    "3.7.1": "MUST 14 15 16 67; SHLD 5; MAY 3",
    "3.7.3": "SHLD 6",
    "3.7.4": "MUST 17; SHLD 7",
    "3.8.1": "MUST 18; MAY 4",
    "3.8.2": "MUST 19; SHLD 8; MAY 18",
    "3.8.3": "MUST 20 21 23; SHLD 9 10 11",
    "3.8.4": "MUST 24 25 26 27 28 29; SHLD 12; MAY 5 6",
    "3.8.5": "MUST 30 31 32 33 62; SHLD 13",
    "3.8.6": "MUST 34 35; SHLD 14 15 16 17; MAY 7",
    "3.8.6.1": "MUST 36 37; SHLD 29 30; MAY 8",
    "3.8.6.2.1": "MUST 38",
    "3.8.6.2.2": "MUST 39",
    "3.8.6.3": "MUST 40; SHLD 18 19",
    "3.9.1.1": "MUST 41 42 43 44 45 46",
    "3.9.1.2": "MUST 60 61; SHLD 13 27 28; MAY 15 16",
    "3.9.1.3": "MAY 17",
    "3.9.1.7": "MAY 14",
    "3.9.1.8": "MUST 47; SHLD 20",
    "3.9.1.9": "MUST 48; SHLD 21 22; MAY 9",
    "3.9.2": "MUST 49 50; SHLD 23; MAY 10 11",
    "3.9.2.1": "MUST 51 52 53; SHLD 24",
    "3.9.2.2": "MUST 54 55 56; SHLD 25 26",
    "3.9.2.3": "MUST 57 63",
    "3.10.7.4": "MUST 58 59; SHLD 31; MAY 12 13",
}
ONLY_IN_APPENDIX_B = {"MUST-22": "3.8.3", "REC-1": "3.1"}
KEYWORDS = {
    "MUST": {"MUST", "MUST-NOT"},
    "SHLD": {"SHOULD", "SHOULD-NOT"},
    "MAY": {"MAY"},
    "REC": {"RECOMMENDED"},
}


def _labelled() -> dict[str, set[str]]:
    """Return the sections of each label."""
    found: dict[str, set[str]] = {name: {section} for name, section in ONLY_IN_APPENDIX_B.items()}
    for section, kinds in LABELS.items():
        for kind in kinds.split("; "):
            name, *numbers = kind.split()
            for number in numbers:
                found.setdefault(f"{name}-{number}", set()).add(section)
    return found


def test_rfc_9293_has_119_and_each_is_where_the_text_has_it() -> None:
    labelled = _labelled()
    rows = {row.id: row for row in requirements().values() if row.rfc == "9293"}
    assert len(labelled) == 119
    assert rows.keys() == labelled.keys()
    assert {name: row.section for name, row in rows.items() if row.section not in labelled[name]} == {}


def test_a_label_says_the_level() -> None:
    rows = [row for row in requirements().values() if row.rfc == "9293"]
    assert [row.id for row in rows if row.keyword not in KEYWORDS[row.id.partition("-")[0]]] == []
    assert {row.id for row in rows if row.keyword.endswith("-NOT")} == {
        *("MUST-9", "MUST-29", "MUST-41", "MUST-56", "MUST-60", "MUST-65"),
        *("SHLD-13", "SHLD-14", "SHLD-15", "SHLD-17", "SHLD-23"),
    }


def test_ids_are_unique_and_name_their_rfc() -> None:
    with _FILE.open(encoding="utf-8", newline="") as file:
        ids = Counter(row["id"] for row in csv.DictReader(file))
    assert len(ids) == 249
    assert [name for name, times in ids.items() if times > 1] == []
    others = [row for row in requirements().values() if row.rfc != "9293"]
    assert [row.id for row in others if not row.id.startswith(f"RFC{row.rfc}")] == []


def test_each_row_is_complete_and_what_cannot_be_observed_says_why() -> None:
    rows = requirements().values()
    assert [row.id for row in rows if not (row.section and row.summary)] == []
    assert {row.confirmed for row in rows} == {"text", "quote", "no"}
    hidden = [row for row in rows if not row.observable.from_outside]
    assert {row.observable for row in hidden} == {Observable.API, Observable.NONE}
    assert [row.id for row in hidden if not row.why] == []


def test_of_rfc_9293_at_least_108_can_be_observed() -> None:
    rows = [row for row in requirements().values() if row.rfc == "9293"]
    assert sum(row.observable.from_outside for row in rows) >= 108


@pytest.mark.parametrize(
    ("covered", "level"),
    [
        ([], Level.MUST),
        (["MUST-13"], Level.MUST),
        (["MAY-2", "SHLD-4"], Level.SHOULD),
        (["REC-1"], Level.SHOULD),
        (["MAY-2", "RFC3360"], Level.MAY),
        (["MAY-2", "MUST-29"], Level.MUST),
    ],
)
def test_the_strongest_decides(covered: list[str], level: Level) -> None:
    assert strongest(covered) is level
    assert all(name in levels() for name in covered)
